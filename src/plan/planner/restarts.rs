//! The plan that restarts members and changes none.

use std::collections::BTreeMap;

use super::goal::Goal;
use super::moments::fixed_tolerance;
use crate::model::{ServerId, WantedSettings};
use crate::plan::{Action, Phase, PhaseKind, Plan, Restart, Step, StepOrder};

/// The plan that restarts these members for the sake of these settings. The changes of the goal are
/// no part of it: settings come first.
///
/// Those that are not up go first, since while one is down a restart of another may take the quorum.
/// The others go in any order, the leader last.
pub fn restarts(
    goal: &Goal,
    settings: &WantedSettings,
    servers: BTreeMap<ServerId, Restart>,
) -> Plan {
    let live = &goal.facts.synced;
    let (up, down): (Vec<Restart>, Vec<Restart>) =
        servers.into_values().partition(|restart| live.contains(&restart.server));
    let phase = |rule, restarts: Vec<Restart>| Phase {
        kind: PhaseKind::Restart,
        rule,
        steps: restarts.into_iter().map(|own| Step::named(Action::Restart(own))).collect(),
    };
    let mut phases = vec![phase(StepOrder::InOrder, down), phase(StepOrder::LeaderLast, up)];
    phases.retain(|phase| !phase.steps.is_empty());
    let mut goal = goal.clone();
    goal.diff.changes.clear();
    goal.diff.target = goal.facts.base.membership.clone();
    Plan {
        ensemble: goal.ensemble.clone(),
        facts: goal.facts.clone(),
        target: goal.diff.target.clone(),
        min_tolerance: fixed_tolerance(&goal),
        policy: goal.policy,
        connect: goal.connect,
        reach: goal.reach,
        hooks: goal.hooks,
        settings: settings.clone(),
        changes: Vec::new(),
        phases,
        accepted: goal.accepted,
        terms: Vec::new(),
        spec: None,
        takes_back: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::fixture::goal;
    use super::*;
    use crate::model::SettingName;

    fn ids(plan: &Plan) -> Vec<String> {
        plan.schedule().into_iter().map(|(_, step)| step.id.to_string()).collect()
    }

    fn of(servers: &[i64]) -> BTreeMap<ServerId, Restart> {
        let restart = |id: &i64| {
            let server = ServerId::new(*id);
            let brings = BTreeSet::from([SettingName::InitLimit]);
            (server, Restart { server, brings, is_asked: false })
        };
        servers.iter().map(restart).collect()
    }

    #[test]
    fn what_is_down_goes_first_and_the_leader_last() {
        let mut goal = goal("1 2 3 4 5", "1 2 3 4 6");
        goal.facts.leader = Some(ServerId::new(2));
        let wanted = WantedSettings::default();
        let plan = restarts(&goal, &wanted, of(&[1, 2, 3, 4, 5]));
        assert_eq!(ids(&plan), ["restart-1", "restart-3", "restart-4", "restart-5", "restart-2"]);
        assert_eq!(plan.target, goal.facts.base.membership, "no member changes");
        goal.facts.synced.remove(&ServerId::new(4));
        let plan = restarts(&goal, &wanted, of(&[1, 2, 4]));
        assert_eq!(ids(&plan), ["restart-4", "restart-1", "restart-2"]);
    }
}

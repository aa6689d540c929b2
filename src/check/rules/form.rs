//! ZKU2: a plan does what it says. Its steps can be walked, its requests match their names, and it
//! ends at its target.

use std::collections::BTreeSet;

use crate::check::breach::{Breach, BreachKind};
use crate::check::engine::state::Mark;
use crate::check::engine::step_table::{Change, StepTable};
use crate::check::engine::transition::Transition;
use crate::model::{Membership, MinTolerance, ServerId};
use crate::plan::{Action, ChangeVerb, Phase, ServerChange, Step, StepOrder};

/// What the rule asks for.
pub(super) const ASKS: &str = "every step must do what its name says";

/// What helps where a plan is not what it says.
pub(super) const REPORT: &str = "report this bug, with the spec and the output of zkCli.sh config";

/// Whether the steps can be walked in spite of these breaches.
pub(in crate::check) fn can_be_walked(breaches: &[Breach]) -> bool {
    !breaches.iter().any(|breach| {
        matches!(
            breach.detail,
            BreachKind::NoLiveQuorum(_)
                | BreachKind::UnlikeSteps
                | BreachKind::OddPlaces
                | BreachKind::TooManyWeights
                | BreachKind::NoGroup(_)
                | BreachKind::OtherPlace(_)
                | BreachKind::GroupsOfMajority(_)
        )
    })
}

/// The rule for a request. `is_done` says which steps are done before it.
pub(super) fn broken_by_request(
    step: &Transition<'_>,
    is_done: &dyn Fn(usize) -> bool,
) -> impl Iterator<Item = BreachKind> + use<> {
    let mislabelled = step.entry.is_mislabelled.then_some(BreachKind::Mislabelled);
    let overtakes = overtakes(step, is_done).then_some(BreachKind::OutOfTurn);
    mislabelled.into_iter().chain(overtakes)
}

/// Whether an earlier request of one of its servers is still to come. The line that a request finds
/// follows from the order of each server's own requests.
fn overtakes(step: &Transition<'_>, is_done: &dyn Fn(usize) -> bool) -> bool {
    let earlier = |change: &Change<'_>| {
        let own = step.table.reconfigs[change.server].iter();
        own.take_while(|at| **at < step.position).any(|at| !is_done(*at))
    };
    step.entry.changes.iter().any(earlier)
}

/// The rule for a wait: a member cannot be awaited as a follower without a vote.
pub(super) fn waits_for_member(step: &Transition<'_>) -> Option<BreachKind> {
    let server = *step.entry.servers.first()?;
    let waits = matches!(step.entry.step.action, Action::AwaitJoiner(_));
    (waits && step.before.has(server, Mark::MEMBER)).then_some(BreachKind::Mislabelled)
}

/// The rule for the servers of a plan, its phases and its tolerance. A step is about a server that is
/// a member or is to be one.
pub(super) fn broken_by_plan(table: &StepTable<'_>) -> Vec<BreachKind> {
    let plan = table.plan;
    let is_known =
        |id: ServerId| plan.facts.base.membership.contains(id) || plan.target.contains(id);
    let is_stray = plan.steps().flat_map(Step::servers).any(|id| !is_known(id));
    let stray = is_stray.then_some(BreachKind::Mislabelled);
    let unlike =
        plan.phases.iter().any(|phase| !is_alike(phase)).then_some(BreachKind::UnlikeSteps);
    let policy = tolerance(table);
    let other = BreachKind::OtherTolerance { says: plan.min_tolerance, policy };
    stray.into_iter().chain(unlike).chain((plan.min_tolerance != policy).then_some(other)).collect()
}

/// Whether an unordered phase has only steps whose order does not matter.
pub(in crate::check) fn is_alike(phase: &Phase) -> bool {
    let all = |test: fn(&Action) -> bool| phase.steps.iter().all(|step| test(&step.action));
    match phase.rule {
        StepOrder::InOrder => true,
        StepOrder::SideBySide => {
            all(|action| matches!(action, Action::Start(_) | Action::AwaitJoiner(_)))
                || all(|action| matches!(action, Action::Stop(_) | Action::AskToStop(_)))
        }
        StepOrder::LeaderLast => {
            let servers: Vec<ServerId> = phase.steps.iter().flat_map(Step::servers).collect();
            let once: BTreeSet<&ServerId> = servers.iter().collect();
            let is_removal = |part: &ServerChange| {
                matches!(
                    part.change,
                    ChangeVerb::Leave | ChangeVerb::Demote | ChangeVerb::Readdress { .. }
                )
            };
            let removes =
                |step: &Step| step.reconfig().is_some() && step.parts().iter().all(is_removal);
            let all_remove = phase.steps.iter().all(removes);
            let all_restart = phase.steps.iter().all(|step| step.restart().is_some());
            once.len() == servers.len() && (all_remove || all_restart)
        }
    }
}

/// The tolerance that the policy requires. `auto` is the smaller of those of now and of the target.
/// Servers that are down now count as down in both.
fn tolerance(table: &StepTable<'_>) -> u32 {
    let plan = table.plan;
    if let MinTolerance::AtLeast(count) = plan.policy.min_tolerance {
        return count;
    }
    let base = &plan.facts.base.membership;
    let up = |id: &ServerId| !base.contains(*id) || plan.facts.synced.contains(id);
    let spare = |members: &Membership| {
        let voters = members.voters();
        let acking = voters.iter().copied().filter(up).collect();
        table.spare_of(&voters, &acking)
    };
    u32::try_from(spare(base).min(spare(&plan.target)).max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::check::engine::state::State;
    use crate::check::fixture::plan as plan_from;

    #[test]
    fn a_step_that_overtakes_another_of_its_server_is_found() {
        let checked = plan_from(
            &[1, 2, 3, 4],
            "- { id: 1, host: 10.0.0.1 }\n- { id: 3, host: 10.0.0.3 }\n- { id: 4, host: 10.0.0.4 }\n\
             - { id: 2, host: 10.0.0.2, role: observer, quorumPort: 2889 }\n",
        );
        let plan = checked.plan();
        assert!(check(plan.clone(), &plan.facts).is_ok());

        let table = StepTable::new(plan, &plan.facts);
        let own = &table.reconfigs[1];
        let [demote, readdress] = own[..] else { panic!("two requests for server 2: {own:?}") };
        let base = State::base(&table);
        let found = |at: usize, done: &dyn Fn(usize) -> bool| {
            let step = Transition::new(&table, at, [&base, &base]);
            broken_by_request(&step, done).any(|detail| detail == BreachKind::OutOfTurn)
        };
        assert!(found(readdress, &|_| false) && !found(readdress, &|at| at == demote));
        assert!(!found(demote, &|_| false));
    }
}

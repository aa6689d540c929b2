//! ZKQ15: members are restarted one at a time, and only while the others are a quorum.

use std::collections::BTreeSet;

use crate::check::breach::BreachKind;
use crate::check::engine::transition::Transition;
use crate::model::{ServerId, SettingName};
use crate::observe::{FindingKind, Obstacle};
use crate::plan::{Phase, PhaseKind, Plan, Restart, Step, StepOrder};

/// What the rule asks for.
pub(super) const ASKS: &str = "members are restarted one at a time, while the others are a quorum";

/// What helps where the quorum would go with the server that is restarted.
pub(super) const START_OTHERS: &str = "start the voters that are down, and plan again";

/// The rule for one restart: those that acknowledge without the server are a quorum.
///
/// A voter that is down already may be restarted whenever the others are one: it takes nothing.
pub(super) fn broken(step: &Transition<'_>) -> Option<BreachKind> {
    step.entry.step.restart()?;
    (step.during < 0).then(|| BreachKind::RestartTakesQuorum(step.votes_during()))
}

/// The rule for a plan: restarts stand alone in it, each server once, never side by side.
pub(super) fn broken_by_plan(plan: &Plan) -> Option<BreachKind> {
    let restarts: Vec<ServerId> =
        plan.steps().filter_map(Step::restart).map(|restart| restart.server).collect();
    let once: BTreeSet<ServerId> = restarts.iter().copied().collect();
    let stands_alone = |phase: &Phase| {
        phase.kind == PhaseKind::Restart
            && phase.rule != StepOrder::SideBySide
            && phase.steps.iter().all(|step| step.restart().is_some())
    };
    let is_any = !restarts.is_empty() || plan.restarts_servers();
    let is_kept = once.len() == restarts.len()
        && plan.phases.iter().all(stands_alone)
        && plan.changes.is_empty();
    (is_any && !is_kept).then_some(BreachKind::RestartsNotAlone)
}

/// Whether restarts are what helps against a breach of now: members without `reconfigEnabled`, which
/// also makes a member run with another configuration; or members of several releases, where the
/// restarts bring one release.
pub(super) fn mends(plan: &Plan, breach: &BreachKind) -> bool {
    let restarts =
        |id: &ServerId| plan.steps().filter_map(Step::restart).any(|restart| restart.server == *id);
    match breach {
        BreachKind::Obstacle(Obstacle::ReconfigDisabled(_)) => plan.restarts_servers(),
        BreachKind::MemberDisagrees(id) => restarts(id),
        BreachKind::Finding(FindingKind::MIXED_VERSIONS) => {
            let brings = |restart: &Restart| restart.brings.contains(&SettingName::Version);
            plan.steps().filter_map(Step::restart).any(brings)
        }
        _ => false,
    }
}

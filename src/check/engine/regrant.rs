//! What a plan grants beyond its own order: another order of what is left of it, where a server has
//! died or come back since it was made.
//!
//! The grant of a plan is its base, its target, its steps with their roles and requests, its lowest
//! tolerance and its leader changes. Nothing here is shared with the code that looks for an order.

use std::collections::BTreeMap;

use super::recheck::recheck_accepting;
use crate::check::CheckedPlan;
use crate::check::rules::form;
use crate::observe::Facts;
use crate::plan::{Acceptance, Action, Done, Plan, Step, StepId, StepOrder};

/// Checks another order of a plan's steps against the safety rules and what the plan granted, on the
/// facts of now; `None` where either stands against it.
///
/// It has the plan's own steps and nothing else, no gate in front of a step that stood in front of
/// it, nothing on the other side of the last proof, the steps of each server in their order. From now on, the server that
/// leads, no step takes the tolerance below the lowest that the plan promised, and a moment that is
/// below it already is only mended. `accepted` are risks that the operator accepts beside those of the
/// plan.
pub fn regrant(
    granted: &CheckedPlan,
    order: Plan,
    (done, now): (&Done, &Facts),
    accepted: &[Acceptance],
) -> Option<CheckedPlan> {
    if !is_another_order(&granted.plan, &order, done) {
        return None;
    }
    let report = granted.report.clone();
    let checked = CheckedPlan { plan: order, report, is_regranted: true };
    recheck_accepting(&checked, done, now, accepted).is_empty().then_some(checked)
}

/// Whether a plan differs from the one that was granted in nothing but the order of what is left, and
/// keeps all that an order must keep.
fn is_another_order(granted: &Plan, order: &Plan, done: &Done) -> bool {
    let phases = granted.phases.clone();
    if *granted != (Plan { phases, ..order.clone() }) {
        return false;
    }
    let by_id = |plan: &'_ Plan| -> BTreeMap<StepId, Step> {
        plan.steps().map(|step| (step.id.clone(), step.clone())).collect()
    };
    let is_same =
        by_id(granted) == by_id(order) && granted.steps().count() == order.steps().count();
    // Requests go one after the other.
    let is_known = order.phases.iter().all(|phase| {
        phase.rule == StepOrder::InOrder && form::is_alike(phase) || granted.phases.contains(phase)
    });
    is_same && is_known && keeps_places(granted, order, done)
}

/// Whether no two steps have changed places that must not.
fn keeps_places(granted: &Plan, order: &Plan, done: &Done) -> bool {
    let places = order.steps().enumerate();
    let places: BTreeMap<&StepId, usize> = places.map(|(at, step)| (&step.id, at)).collect();
    let steps: Vec<(&Step, usize)> = granted.steps().map(|step| (step, places[&step.id])).collect();
    let mut pairs = steps.iter().enumerate().flat_map(|(at, first)| {
        // What is done has its place already.
        let open = steps[at + 1..].iter().filter(|(later, _)| !done.contains(&later.id));
        open.filter(|(_, place)| *place < first.1).map(|later| (first.0, later.0))
    });
    pairs.all(|(first, later)| {
        let proves = |step: &Step| matches!(step.action, Action::Prove(None));
        let is_gate = |step: &Step| matches!(step.action, Action::Gate(_));
        // A removal may fall behind the gate; nothing comes before it that stood behind it.
        let behind_gate = is_gate(later) && first.only_takes_out() || !is_gate(later);
        !first.shares_server(later)
            && !is_gate(first)
            && behind_gate
            && ![first, later].into_iter().any(proves)
    })
}

//! ZKQ2: enough of the next voters can acknowledge the request that makes them voters.

use crate::check::breach::BreachKind;
use crate::check::engine::step_table::Effect;
use crate::check::engine::transition::Transition;

/// What the rule asks for.
pub(super) const ASKS: &str = "a quorum of the new voters must be able to acknowledge";

pub(super) fn broken(step: &Transition<'_>) -> Vec<BreachKind> {
    rule(step).into_iter().collect()
}

fn rule(step: &Transition<'_>) -> Option<BreachKind> {
    if !step.changes_votes() {
        return None;
    }
    if step.during < 0 {
        return Some(BreachKind::TooFewAcknowledge(step.votes_during()));
    }
    let needed: Vec<usize> = step
        .entry
        .changes
        .iter()
        .filter(|change| change.effect == Effect::Joins && step.before.acknowledges(change))
        .map(|change| change.server)
        .collect();
    if needed.is_empty() {
        return None;
    }
    let [voters, mut acking] = step.sets_during();
    acking.retain(|server| !needed.contains(server));
    let without = step.table.votes_of(&voters, &acking);
    let joiners = needed.iter().map(|server| step.table.ids[*server]).collect();
    (without.spare() < 0).then_some(BreachKind::NeedsJoiners { joiners, without })
}

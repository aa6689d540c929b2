//! ZKQ9: at least two participants are left, or one where a single participant is known to work.

use crate::check::breach::BreachKind;
use crate::check::engine::transition::Transition;

pub(super) fn broken(step: &Transition<'_>) -> Vec<BreachKind> {
    let left = step.after.voters;
    let least = if step.table.facts.standalone_disabled { 1 } else { 2 };
    let is_broken = left < step.before.voters && left < least;
    is_broken.then_some(BreachKind::TooFewParticipants { left }).into_iter().collect()
}

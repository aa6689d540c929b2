//! ZKQ9: at least two participants are left, or one where a single participant is known to work.

use crate::check::breach::Detail;
use crate::check::engine::transition::Transition;

pub(super) fn broken(step: &Transition<'_>) -> Vec<Detail> {
    let left = step.after.voters;
    let least = if step.table.facts.standalone_disabled { 1 } else { 2 };
    let is_broken = left < step.before.voters && left < least;
    is_broken.then_some(Detail::TooFewParticipants { left }).into_iter().collect()
}

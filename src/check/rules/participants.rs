//! ZKQ9: at least two participants are left, or one where a single participant is known to work.

use crate::check::breach::BreachKind;
use crate::check::engine::transition::Transition;

/// What the rule asks for.
pub(super) const ASKS: &str = "two participants must remain";

/// What helps where it is broken.
pub(super) const HINT: &str = "keep two participants. Or set standaloneEnabled=false in zoo.cfg of \
                               every server, restart them, and then set \
                               policy.standaloneEnabled: false in the spec";

pub(super) fn broken(step: &Transition<'_>) -> Vec<BreachKind> {
    let left = step.after.voters;
    let least = if step.table.facts.standalone_disabled { 1 } else { 2 };
    let is_broken = left < step.before.voters && left < least;
    is_broken.then_some(BreachKind::TooFewParticipants { left }).into_iter().collect()
}

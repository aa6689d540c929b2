//! ZKQ12: from every moment a request leads back to the configuration before.

use crate::check::breach::Detail;
use crate::check::engine::state::Mark;
use crate::check::engine::step_table::Effect;
use crate::check::engine::transition::Transition;

/// The voters before the step that answered there must still be a quorum of those voters.
pub(super) fn broken(step: &Transition<'_>) -> Vec<Detail> {
    rule(step).into_iter().collect()
}

fn rule(step: &Transition<'_>) -> Option<Detail> {
    let back = step.before.all(Mark::VOTER | Mark::LIVE);
    let is_left = |server: &usize| {
        // A server that left still follows, without a vote.
        let leaves = step.entry.changes.iter();
        let mut leaves = leaves.filter(|change| change.effect == Effect::Leaves);
        step.after.has(*server, Mark::LIVE) || leaves.any(|change| change.server == *server)
    };
    let acking: Vec<usize> = back.iter().copied().filter(is_left).collect();
    let lost = back.is_empty() || acking.len() < back.len();
    let votes = lost.then(|| step.table.votes_of(&back, &acking))?;
    (votes.spare() < 0).then_some(Detail::NoWayBack(votes))
}

//! ZKQ6: the leader's own change is the last reconfig.

use crate::check::breach::Detail;
use crate::check::engine::step_table::StepTable;
use crate::model::ServerId;
use crate::plan::Step;

/// The rule, for a step in which this server leads and hands over: no change of another server is
/// still to come.
pub(in crate::check) fn broken(
    table: &StepTable<'_>,
    leader: usize,
    is_done: impl Fn(usize) -> bool,
) -> Option<Detail> {
    let is_early = table.steps.iter().enumerate().any(|(other, entry)| {
        let is_open = !is_done(other) && !entry.changes.is_empty();
        is_open && !entry.servers.contains(&leader)
    });
    is_early.then(|| Detail::LeaderNotLast(table.ids[leader]))
}

/// The steps in which the leader of now would hand over, of a plan that promised no leader change.
pub(in crate::check) fn further_hand_overs<'a>(
    left: impl Iterator<Item = &'a Step>,
    leader: ServerId,
) -> impl Iterator<Item = (&'a Step, Detail)> {
    let hands_over = left.filter(move |step| step.hands_over(leader));
    hands_over.map(move |step| (step, Detail::FurtherHandOver(leader)))
}

//! ZKQ6: the leader's own change is the last reconfig; of restarts, its own is the last too.

use crate::check::breach::BreachKind;
use crate::check::engine::step_table::StepTable;
use crate::model::ServerId;
use crate::plan::Step;

/// What the rule asks for.
pub(super) const ASKS: &str = "the leader's own change must come last";

/// The rule, for a step in which this server leads and hands over: no change of another server is
/// still to come.
pub(in crate::check) fn broken(
    table: &StepTable<'_>,
    leader: usize,
    is_done: impl Fn(usize) -> bool,
) -> Option<BreachKind> {
    let is_early = table.steps.iter().enumerate().any(|(other, entry)| {
        let is_open = !is_done(other) && entry.step.takes_a_turn();
        is_open && !entry.servers.contains(&leader)
    });
    is_early.then(|| BreachKind::LeaderNotLast(table.ids[leader]))
}

/// The steps in which the leader of now would hand over, of a plan that promised no leader change.
pub(in crate::check) fn further_hand_overs<'a>(
    left: impl Iterator<Item = &'a Step>,
    leader: ServerId,
) -> impl Iterator<Item = (&'a Step, BreachKind)> {
    let hands_over = left.filter(move |step| step.hands_over(leader));
    hands_over.map(move |step| (step, BreachKind::FurtherHandOver(leader)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::plan;

    const WANTED: &str =
        "- { id: 2, host: 10.0.0.2 }\n- { id: 3, host: 10.0.0.3 }\n- { id: 4, host: 10.0.0.4 }\n";

    #[test]
    fn a_leader_does_not_hand_over_while_another_server_is_to_change() {
        let checked = plan(&[1, 2, 3], WANTED);
        let table = StepTable::new(checked.plan(), &checked.plan().facts);
        let join = table.steps.iter().position(|entry| entry.step.id.as_str() == "join-4");
        let leader = BreachKind::LeaderNotLast(ServerId::new(1));
        assert_eq!(broken(&table, 0, |_| false), Some(leader));
        assert_eq!(broken(&table, 0, |at| Some(at) == join), None);
    }

    #[test]
    fn a_new_leader_hands_over_only_if_the_plan_has_a_leader_change() {
        let checked = plan(&[1, 2, 3], WANTED);
        let of_leader = |id: i64| {
            further_hand_overs(checked.plan().steps(), ServerId::new(id))
                .map(|(step, _)| step.id.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(of_leader(1), ["leave-1"]);
        assert!(of_leader(2).is_empty());
    }
}

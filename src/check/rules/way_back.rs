//! ZKQ12: from every moment a request leads back to the configuration before.

use crate::check::breach::BreachKind;
use crate::check::engine::state::Mark;
use crate::check::engine::step_table::Effect;
use crate::check::engine::transition::Transition;

/// What the rule asks for.
pub(super) const ASKS: &str = "every step must be possible to undo";

/// The voters before the step that answered there must still be a quorum of those voters.
pub(super) fn broken(step: &Transition<'_>) -> Vec<BreachKind> {
    rule(step).into_iter().collect()
}

fn rule(step: &Transition<'_>) -> Option<BreachKind> {
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
    (votes.spare() < 0).then_some(BreachKind::NoWayBack(votes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::engine::state::State;
    use crate::check::engine::step_table::StepTable;
    use crate::check::fixture::plan;

    #[test]
    fn a_step_from_a_moment_without_a_quorum_cannot_be_taken_back() {
        let wanted = "- { id: 2, host: 10.0.0.2 }\n- { id: 3, host: 10.0.0.3 }\n- { id: 4, host: 10.0.0.4 }\n";
        let checked = plan(&[1, 2, 3], wanted);
        let table = StepTable::new(checked.plan(), &checked.plan().facts);
        let mut steps = table.steps.iter();
        let at = steps.position(|entry| entry.step.id.as_str() == "leave-1").expect("a removal");
        let is_broken = |before: &State| {
            let after = before.after(&table, &table.steps[at]);
            !broken(&Transition::new(&table, at, [before, &after])).is_empty()
        };
        let healthy = State::base(&table);
        let mut down = healthy.clone();
        down.seen(|_| false, |_| false);
        assert!(!is_broken(&healthy) && is_broken(&down));
    }
}

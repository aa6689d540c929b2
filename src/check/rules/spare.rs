//! ZKQ3: at no moment does the ensemble tolerate fewer voter failures than required.

use crate::check::breach::BreachKind;
use crate::check::engine::state::Mark;
use crate::check::engine::step_table::Effect;
use crate::check::engine::transition::Transition;

/// What the rule asks for.
pub(super) const ASKS: &str = "the ensemble must tolerate enough failures";

/// A change of an address in place may use up one failure while it is under way.
pub(super) fn broken(step: &Transition<'_>) -> Vec<BreachKind> {
    rule(step).into_iter().collect()
}

fn rule(step: &Transition<'_>) -> Option<BreachKind> {
    if !step.changes_votes() {
        return None;
    }
    let before = step.table.spare(step.before);
    let moves = step.entry.changes.iter().any(|change| change.effect == Effect::Moves);
    let required = step.table.tolerance;
    let while_it_moves = required - i64::from(moves);
    if let Some(lowest) = step.table.lowest {
        return goes_lower(step, before, while_it_moves.max(lowest));
    }
    let is_weak_before = before < required;
    let tolerance = if is_weak_before { required } else { while_it_moves };
    (is_weak_before || step.during < while_it_moves).then(|| {
        let votes =
            if before < step.during { step.table.votes(step.before) } else { step.votes_during() };
        BreachKind::SpareTooSmall { votes, tolerance }
    })
}

/// The rule in another order than that of the plan: no step goes below what was promised. From a
/// moment that is below it already, no step goes lower, and none takes the vote of a voter that
/// answers. Steps that add voters, and steps that remove unreachable ones, improve it.
fn goes_lower(step: &Transition<'_>, before: i64, promised: i64) -> Option<BreachKind> {
    let after = step.table.spare(step.after);
    let worst = step.during.min(after);
    let takes_vote =
        step.entry.changes.iter().any(|change| {
            !change.votes() && step.before.has(change.server, Mark::VOTER | Mark::LIVE)
        });
    let is_kept = worst >= promised || worst > before || worst == before && !takes_vote;
    (!is_kept).then(|| {
        let votes =
            if after < step.during { step.table.votes(step.after) } else { step.votes_during() };
        BreachKind::SpareTooSmall { votes, tolerance: promised }
    })
}

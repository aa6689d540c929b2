//! ZKQ5: a server is added only after it was awaited.

use crate::check::breach::BreachKind;
use crate::check::engine::state::Mark;
use crate::check::engine::step_table::Effect;
use crate::check::engine::transition::Transition;

/// What the rule asks for.
pub(super) const ASKS: &str = "a joiner is added only after it has copied the data";

/// An observer that gets a vote in place must answer too. Otherwise it would only raise the quorum.
pub(super) fn broken(step: &Transition<'_>) -> Vec<BreachKind> {
    let is_blind = |server: usize, effect: Effect| match effect {
        Effect::Joins => !step.before.has(server, Mark::READY),
        Effect::GainsVote => !step.before.has(server, Mark::LIVE),
        Effect::Leaves
        | Effect::LosesVote
        | Effect::Moves
        | Effect::GetsClientPart
        | Effect::Nothing => false,
    };
    let blind = step.entry.changes.iter().filter(|change| is_blind(change.server, change.effect));
    blind.map(|change| BreachKind::NotAwaited(step.table.ids[change.server])).collect()
}

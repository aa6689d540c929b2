//! ZKQ13: a process is stopped only after a write has committed in a configuration without it.
//!
//! That is [`Mark::PROVEN_GONE`], which a `prove` step sets in `engine::state`.

use crate::check::breach::BreachKind;
use crate::check::engine::state::Mark;
use crate::check::engine::transition::Transition;
use crate::plan::Action;

/// What the rule asks for.
pub(super) const ASKS: &str = "servers are stopped last";

pub(super) fn broken(step: &Transition<'_>) -> Option<BreachKind> {
    let server = *step.entry.servers.first()?;
    let id = step.table.ids[server];
    match step.entry.step.action {
        Action::Stop(_) | Action::AskToStop(_) => {}
        Action::AwaitJoiner(_)
        | Action::Reconfig { .. }
        | Action::Gate(_)
        | Action::Start(_)
        | Action::AttestBlank(_)
        | Action::Restart(_)
        | Action::Prove(_) => return None,
    }
    if step.before.has(server, Mark::MEMBER) {
        return Some(BreachKind::StopsMember(id));
    }
    (!step.before.has(server, Mark::PROVEN_GONE)).then_some(BreachKind::StopsUnproven(id))
}

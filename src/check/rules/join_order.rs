//! ZKQ7: ids join in ascending order, new voters vote before old ones leave, and no removal moves
//! from behind the gate to before it.

use std::collections::BTreeSet;

use crate::check::breach::BreachKind;
use crate::check::engine::state::Mark;
use crate::check::engine::step_table::{Change, Effect};
use crate::check::engine::transition::Transition;
use crate::model::ServerId;
use crate::observe::Facts;
use crate::plan::{Plan, Step};

/// What the rule asks for.
pub(super) const ASKS: &str =
    "servers are added in ascending order of ids, and new voters vote before old ones are removed";

/// What helps where a lower id joins after a higher one.
pub(super) const HIGHER_IDS: &str = "give new servers higher ids than the present ones";

pub(super) fn broken(step: &Transition<'_>) -> Vec<BreachKind> {
    let of_change = |change: &Change<'_>| [ascending(step, change), new_voters_first(step, change)];
    step.entry.changes.iter().flat_map(of_change).flatten().collect()
}

/// The first half. An observer that returns with a vote is not new, and neither is an id on a new
/// machine.
fn ascending(step: &Transition<'_>, change: &Change<'_>) -> Option<BreachKind> {
    let server = change.server;
    if change.effect != Effect::Joins || step.table.base[server].is_some() {
        return None;
    }
    let after = step.before.highest_joined.filter(|highest| *highest > server)?;
    let leaves = |at: &usize| {
        let changes = &step.table.steps[*at].changes;
        changes.iter().any(|other| other.server == server && other.effect == Effect::Leaves)
    };
    let returns = step.table.reconfigs[server].iter().any(leaves);
    let id = |server: usize| step.table.ids[server];
    (!returns).then(|| BreachKind::NotAscending { joins: id(server), after: id(after) })
}

/// The second half.
fn new_voters_first(step: &Transition<'_>, change: &Change<'_>) -> Option<BreachKind> {
    let (server, table) = (change.server, step.table);
    let gives_up = matches!(change.effect, Effect::Leaves | Effect::LosesVote)
        && step.before.has(server, Mark::VOTER)
        && table.facts.synced.contains(&table.ids[server])
        && !table.replaced[server];
    let all = table.new_voters.iter().filter(|new| **new).count();
    if !gives_up || step.before.new_voting == all {
        return None;
    }
    let waits =
        |server: &usize| table.new_voters[*server] && !step.before.has(*server, Mark::VOTER);
    let waiting: BTreeSet<ServerId> =
        (0..table.ids.len()).filter(waits).map(|server| table.ids[server]).collect();
    Some(BreachKind::LeavesTooEarly { leaves: table.ids[server], waiting })
}

/// A server that answers now and that this step would remove before the gate. When the plan was
/// made, the server did not answer, so its removal stands before the gate.
pub(in crate::check) fn before_gate(plan: &Plan, step: &Step, now: &Facts) -> Option<BreachKind> {
    let base = &plan.facts.base.membership;
    let leaves = |server: &ServerId| {
        now.synced.contains(server) && base.contains(*server) && !plan.target.contains(*server)
    };
    step.servers().find(leaves).map(BreachKind::BeforeGate)
}

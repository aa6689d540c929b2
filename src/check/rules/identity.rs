//! ZKQ11: no server gets an id, or a quorum, that belongs to other data.

use crate::check::breach::BreachKind;
use crate::check::engine::state::Mark;
use crate::check::engine::step_table::{Change, Effect};
use crate::check::engine::transition::Transition;
use crate::diff::ChangeKind;
use crate::model::{ReuseIds, Server};
use crate::plan::{Action, Plan};

/// What the rule asks for.
pub(super) const ASKS: &str = "server ids: 1 to 254 for new servers, one machine per id";

/// What helps where the id cannot be wanted.
pub(super) const OTHER_ID: &str = "choose an id from 1 to 254 that was never used";

/// What helps where the id is wanted on another machine.
pub(super) const ID_FOR_MACHINE: &str =
    "give the new machine an id from 1 to 254 that was never used";

/// The rule for a request.
pub(super) fn broken(step: &Transition<'_>) -> Vec<BreachKind> {
    let machines = step.entry.changes.iter().filter_map(|change| same_machine(step, change));
    blank_quorum(step).into_iter().chain(machines).collect()
}

/// The rule for a step that starts a server or waits for one.
pub(super) fn broken_by_start(step: &Transition<'_>) -> Option<BreachKind> {
    let server = *step.entry.servers.first()?;
    let is_start = matches!(step.entry.step.action, Action::Start(_) | Action::AwaitJoiner(_));
    is_start.then(|| not_blank(step, server)).flatten()
}

/// The rule for the ids of a whole plan.
pub(super) fn broken_by_plan(plan: &Plan) -> Vec<BreachKind> {
    let new = plan.changes.iter().filter(|change| change.kind == ChangeKind::Join);
    let mut found: Vec<BreachKind> = new
        .filter(|change| !change.id.is_valid_in_spec())
        .map(|change| BreachKind::UnwantableId(change.id))
        .collect();
    if plan.policy.reuse_ids == ReuseIds::Never {
        let replaced = plan.changes.iter().filter(|change| change.kind == ChangeKind::Replace);
        found.extend(replaced.map(|change| BreachKind::OtherMachine(change.id)));
    }
    found
}

/// The servers that get a vote by one request must not be a quorum of the next voters.
fn blank_quorum(step: &Transition<'_>) -> Option<BreachKind> {
    let gained = |change: &&Change<'_>| change.votes() && !change.voted();
    let newcomers: Vec<usize> =
        step.entry.changes.iter().filter(gained).map(|change| change.server).collect();
    if newcomers.is_empty() {
        return None;
    }
    let votes = step.table.votes_of(&step.after.all(Mark::VOTER), &newcomers);
    let named = votes.acking.clone();
    (votes.spare() >= 0).then_some(BreachKind::BlankQuorum { newcomers: named, need: votes.need })
}

/// An id moves to another machine only by leaving and joining again, and joins only on a machine
/// that was confirmed blank.
fn same_machine(step: &Transition<'_>, change: &Change<'_>) -> Option<BreachKind> {
    let hosts = |line: Option<&Server>| {
        let peers = line.into_iter().flat_map(|line| &line.peers);
        peers.map(|peer| peer.host.clone()).collect::<Vec<_>>()
    };
    match change.effect {
        Effect::Joins => not_blank(step, change.server),
        Effect::Leaves => None,
        Effect::GainsVote
        | Effect::LosesVote
        | Effect::Moves
        | Effect::GetsClientPart
        | Effect::Nothing => {
            let moves =
                step.table.replaced[change.server] && hosts(change.before) != hosts(change.after);
            moves.then(|| BreachKind::OtherMachine(step.table.ids[change.server]))
        }
    }
}

/// An id may be used on another machine only after its old process is stopped and the new machine
/// is known to have no data.
fn not_blank(step: &Transition<'_>, server: usize) -> Option<BreachKind> {
    let is_sure = step.before.has(server, Mark::STOPPED | Mark::BLANK);
    let is_broken = step.table.replaced[server] && !is_sure;
    is_broken.then(|| BreachKind::NotBlank(step.table.ids[server]))
}

//! The input of the planner, and what can be said of it before any search.

use std::collections::BTreeMap;

use crate::diff::{Change, ChangeKind, Diff};
use crate::model::{AddAs, Connect, Hooks, Policy, Reach, Server, ServerId};
use crate::observe::Facts;
use crate::plan::Acceptance;

/// The input of the planner.
#[derive(Debug, Clone)]
pub struct Goal {
    /// The label of the ensemble.
    pub ensemble: String,
    /// The facts that were observed.
    pub facts: Facts,
    /// The changes to make.
    pub diff: Diff,
    /// The rules that the operator set.
    pub policy: Policy,
    /// How to reach the ensemble.
    pub connect: Connect,
    /// Where each wanted server is asked.
    pub reach: BTreeMap<ServerId, Reach>,
    /// Commands that start and stop servers.
    pub hooks: Hooks,
    /// Risks that the operator accepted by name.
    pub accepted: Vec<Acceptance>,
    /// The preference among safe plans.
    pub prefer: Prefer,
}

/// The preference among safe plans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prefer {
    /// The highest tolerance at the worst moment, then the fewest reconfigs.
    #[default]
    Safest,
    /// The fewest reconfigs that the safety rules allow, then the highest tolerance.
    Fewest,
    /// The fewest leader changes, then as [`Prefer::Safest`]. A plan has one leader change if the
    /// leader itself changes, in every order. So the result is the plan of [`Prefer::Safest`].
    NoLeaderChange,
}

impl Prefer {
    /// Every preference.
    pub const ALL: [Self; 3] = [Self::Safest, Self::Fewest, Self::NoLeaderChange];
}

/// Whether the server of a change is a synced member.
pub(super) fn is_healthy(goal: &Goal, change: &Change) -> bool {
    goal.facts.synced.contains(&change.id)
}

/// The changes that meet a condition, by server id.
pub(super) fn changes(goal: &Goal, wanted: impl Fn(&Change) -> bool) -> Vec<&Change> {
    goal.diff.changes.iter().filter(|change| wanted(change)).collect()
}

/// Whether a change removes its server from the ensemble, even if only for a time.
pub(super) fn is_out(change: &Change) -> bool {
    matches!(change.kind, ChangeKind::Leave | ChangeKind::Replace)
}

/// Whether a joiner is added as an observer first. It is promoted when all joiners have been added.
pub(super) fn observes_first(goal: &Goal, change: &Change) -> bool {
    goal.policy.add_as == AddAs::Observer
        && change.kind == ChangeKind::Join
        && change.after.as_ref().is_some_and(Server::votes)
}

/// Whether an observer becomes a voter at a new address.
pub(super) fn gains_vote_elsewhere(change: &Change) -> bool {
    change.kind == ChangeKind::RoleAndAddress && change.after.as_ref().is_some_and(Server::votes)
}

/// How many servers one request may change.
pub(super) fn batch_limit(goal: &Goal) -> usize {
    match goal.policy.changes_per_step {
        0 => usize::MAX,
        most => usize::try_from(most).unwrap_or(usize::MAX),
    }
}

/// Whether quorums are majorities.
pub(super) fn is_majority(goal: &Goal) -> bool {
    !goal.facts.base.membership.is_weighted()
}

/// Whether the server has a vote and leaves, becomes an observer or moves to another machine.
pub(super) fn loses_vote(change: &Change) -> bool {
    change.before.as_ref().is_some_and(Server::votes)
        && (change.kind == ChangeKind::Replace || !change.after.as_ref().is_some_and(Server::votes))
}

/// Whether a healthy voter moves to another machine under its id.
pub(super) fn is_live_replacement(goal: &Goal, change: &Change) -> bool {
    change.kind == ChangeKind::Replace
        && is_healthy(goal, change)
        && change.before.as_ref().is_some_and(Server::votes)
}

/// Servers that keep their role and get a new address.
pub(super) fn readdressed(goal: &Goal) -> Vec<&Change> {
    changes(goal, is_readdressed)
}

/// Whether a server keeps its role and gets a new address, beyond a client part that its line lacked.
pub(super) fn is_readdressed(change: &Change) -> bool {
    matches!(change.kind, ChangeKind::Readdress(_)) && !gets_client_part(change)
}

/// Whether the line of a server gets a client part, and no more.
pub(super) fn gets_client_part(change: &Change) -> bool {
    let lines = change.before.as_ref().zip(change.after.as_ref());
    lines.is_some_and(|(before, after)| before.gets_only_a_client_part(after))
}

/// Healthy voters that leave or become observers.
pub(super) fn departing_voters(goal: &Goal) -> Vec<&Change> {
    changes(goal, |change| {
        is_healthy(goal, change) && change.kind != ChangeKind::Replace && loses_vote(change)
    })
}

/// Whether unreachable voters lose their votes between additions, and not before all of them.
///
/// Removing the vote of an unreachable server never weakens a majority. With groups and weights it
/// may leave too few participants, or quorums that do not overlap. With a limit on the changes of
/// one request, the number that fits depends on how many servers vote.
pub(super) fn unreachable_are_interleaved(goal: &Goal) -> bool {
    match batch_limit(goal) {
        1 => goal.facts.base.membership.is_weighted(),
        most => most != usize::MAX,
    }
}

/// Whether the server is unreachable and its change is interleaved with additions.
pub(super) fn is_interleaved(goal: &Goal, change: &Change) -> bool {
    unreachable_are_interleaved(goal)
        && !is_healthy(goal, change)
        && (loses_vote(change) || batch_limit(goal) > 1 && is_out(change))
}

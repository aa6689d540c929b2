//! Groups the changes of a plan into classes. A class holds servers that are added in the same way
//! and that no safety rule distinguishes. The search then only decides how many of each class are
//! done.

use std::collections::BTreeMap;

use super::order::{Goal, changes, gains_vote_elsewhere, is_healthy, is_out, observes_first};
use super::search::digits;
use super::together::batch_limit;
use super::votes::{Vote, VoterSet};
use crate::diff::{Change, ChangeKind};
use crate::model::{Server, ServerId};

/// Which replaced voters are handled among the removals, not among the additions. A replaced voter
/// keeps its id and moves to another machine.
///
/// The candidates are: none; any number of unreachable ones per class; and the same with all
/// healthy ones. Healthy ones are deferred together. If some were handled early and others late,
/// and one that leads were deferred, two could be away at the same time.
pub(super) fn deferred_replacements<'a>(
    goal: &'a Goal,
    voter_set: &VoterSet,
) -> Vec<Vec<&'a Change>> {
    if batch_limit(goal) > 1 {
        return vec![Vec::new()];
    }
    let healthy = changes(goal, |change| is_live_replacement(goal, change));
    let votes = |server: &Option<Server>| server.as_ref().is_some_and(Server::votes);
    let mut classes: BTreeMap<_, Vec<&Change>> = BTreeMap::new();
    for change in changes(goal, |change| {
        change.kind == ChangeKind::Replace
            && !is_healthy(goal, change)
            && votes(&change.before)
            && votes(&change.after)
    }) {
        let place = voter_set.place(voter_set.number(change.id));
        classes.entry(place).or_default().push(change);
    }
    let sizes: Vec<usize> = classes.values().map(Vec::len).collect();
    let ways = sizes.iter().try_fold(1_usize, |all, size| all.checked_mul(size + 1));
    let ways = ways.filter(|ways| *ways <= MAX_DEFERRED_CHOICES).unwrap_or(1);
    let dead = |way| -> Vec<&'a Change> {
        let some = classes.values().zip(digits(way, &sizes));
        some.flat_map(|(class, count)| &class[class.len() - count..]).copied().collect()
    };
    let mut all: Vec<Vec<&Change>> = (0..ways).map(dead).collect();
    if !healthy.is_empty() {
        all.extend((0..ways).map(|way| [healthy.clone(), dead(way)].concat()));
    }
    all
}

/// Whether a healthy voter moves to another machine under its id.
pub(super) fn is_live_replacement(goal: &Goal, change: &Change) -> bool {
    change.kind == ChangeKind::Replace
        && is_healthy(goal, change)
        && change.before.as_ref().is_some_and(Server::votes)
}

/// The limit on ways to choose the deferred replacements. With more, none is deferred.
const MAX_DEFERRED_CHOICES: usize = 32;

/// Servers that are added in the same way, one after the other.
pub(super) struct ChangeClass<'a> {
    pub(super) what: ClassKind,
    pub(super) servers: Vec<&'a Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ClassKind {
    Join,
    Replace,
    Promote,
    Readdress,
    /// Unreachable servers leave, or become observers.
    RemoveDead {
        leave: bool,
    },
}

impl ChangeClass<'_> {
    /// How many steps of the search the class takes. All addresses change in one step.
    pub(super) fn steps(&self) -> usize {
        if self.what == ClassKind::Readdress { 1 } else { self.servers.len() }
    }
}

pub(super) fn readdressed(goal: &Goal) -> Vec<&Change> {
    changes(goal, |change| matches!(change.kind, ChangeKind::Readdress(_)))
}

/// All classes, without the deferred replacements.
pub(super) fn change_classes<'a>(
    goal: &'a Goal,
    voter_set: &VoterSet,
    deferred: &[&Change],
) -> Vec<ChangeClass<'a>> {
    let of =
        |what, test: &dyn Fn(&Change) -> bool| ChangeClass { what, servers: changes(goal, test) };
    let mut kinds = dead_classes(goal, voter_set);
    kinds.push(of(ClassKind::Join, &|change| change.kind == ChangeKind::Join));
    let replaced = changes(goal, |change| {
        change.kind == ChangeKind::Replace && !deferred.iter().any(|other| other.id == change.id)
    });
    let promoted = changes(goal, |change| {
        change.kind == ChangeKind::Promote
            || gains_vote_elsewhere(change)
            || observes_first(goal, change)
    });
    let all = replaced.into_iter().map(|change| (ClassKind::Replace, change));
    let all = all.chain(promoted.into_iter().map(|change| (ClassKind::Promote, change)));
    // One class for each zone, group and weight, split into reachable, unreachable and new servers.
    // The order of classes depends only on these, not on the ids in them.
    let mut classes: BTreeMap<_, Vec<&Change>> = BTreeMap::new();
    for (what, change) in all {
        let place = voter_set.place(voter_set.number(change.id));
        let voted = change.before.as_ref().is_some_and(Server::votes);
        let votes = change.after.as_ref().is_some_and(Server::votes);
        let comes = observes_first(goal, change);
        let class = (what, !is_healthy(goal, change), comes, (voted, votes), place);
        classes.entry(class).or_default().push(change);
    }
    kinds.extend(classes.into_iter().map(|((what, ..), servers)| ChangeClass { what, servers }));
    kinds.push(ChangeClass { what: ClassKind::Readdress, servers: readdressed(goal) });
    kinds.retain(|kind| !kind.servers.is_empty());
    kinds
}

/// The unreachable servers that are interleaved with additions. Without weights no safety rule
/// depends on their zone.
fn dead_classes<'a>(goal: &'a Goal, voter_set: &VoterSet) -> Vec<ChangeClass<'a>> {
    let mut classes: BTreeMap<_, Vec<&Change>> = BTreeMap::new();
    for change in changes(goal, |change| is_interleaved(goal, change)) {
        let returns = change.kind == ChangeKind::Replace;
        let tells_place = returns || goal.facts.base.membership.is_weighted();
        let place = tells_place.then(|| voter_set.place(voter_set.number(change.id)));
        let class = (!is_out(change), !loses_vote(change), returns, place);
        classes.entry(class).or_default().push(change);
    }
    let kinds = classes.into_iter().map(|((stays, ..), servers)| {
        let what = ClassKind::RemoveDead { leave: !stays };
        ChangeClass { what, servers }
    });
    kinds.collect()
}

pub(super) fn votes_now(goal: &Goal, voter_set: &VoterSet) -> Vec<Vote> {
    let base = &goal.facts.base.membership;
    let vote =
        |id: &ServerId| Vote { votes: base.has_voter(*id), up: goal.facts.live.contains(id) };
    voter_set.ids.iter().map(vote).collect()
}

pub(super) fn without_dead(goal: &Goal, voter_set: &VoterSet, mut votes: Vec<Vote>) -> Vec<Vote> {
    for change in changes(goal, |change| !is_healthy(goal, change) && loses_vote(change)) {
        votes[voter_set.number(change.id)].votes = false;
    }
    votes
}

/// Whether unreachable voters lose their votes between additions, and not before all of them.
///
/// Removing the vote of an unreachable server never weakens a majority. With groups and weights it
/// may leave too few participants, or quorums that do not overlap. With a limit on the changes of
/// one request, the number that fits depends on how many servers vote.
pub(super) fn dead_are_interleaved(goal: &Goal) -> bool {
    match batch_limit(goal) {
        1 => goal.facts.base.membership.is_weighted(),
        most => most != usize::MAX,
    }
}

/// Whether the server is unreachable and its change is interleaved with additions.
pub(super) fn is_interleaved(goal: &Goal, change: &Change) -> bool {
    dead_are_interleaved(goal)
        && !is_healthy(goal, change)
        && (loses_vote(change) || batch_limit(goal) > 1 && is_out(change))
}

/// Healthy voters that leave or become observers.
pub(super) fn departing_voters(goal: &Goal) -> Vec<&Change> {
    changes(goal, |change| {
        is_healthy(goal, change) && change.kind != ChangeKind::Replace && loses_vote(change)
    })
}

pub(super) fn loses_vote(change: &Change) -> bool {
    change.before.as_ref().is_some_and(Server::votes)
        && (change.kind == ChangeKind::Replace || !change.after.as_ref().is_some_and(Server::votes))
}

/// The votes at the target.
pub(super) fn votes_wanted(goal: &Goal, voter_set: &VoterSet) -> Vec<Vote> {
    let base = &goal.facts.base.membership;
    let comes = |id: &ServerId| {
        let is_replaced = |change: &Change| change.id == *id && change.kind == ChangeKind::Replace;
        !base.contains(*id) || goal.diff.changes.iter().any(is_replaced)
    };
    let vote = |id: &ServerId| Vote {
        votes: goal.diff.target.has_voter(*id),
        up: goal.facts.live.contains(id) || comes(id),
    };
    voter_set.ids.iter().map(vote).collect()
}

//! What has to be brought in, put into kinds: servers that come in the same way and that no law tells
//! apart, so that what is searched is how many of each are done.

use std::collections::BTreeMap;

use super::order::{Goal, changes, gains_vote_elsewhere, is_healthy, is_out, observes_first};
use super::search::digits;
use super::together::batch_limit;
use super::votes::{Vote, VoterSet};
use crate::diff::{Change, ChangeKind};
use crate::model::{Server, ServerId};

/// Which of the voters whose ids go to other machines take turns with those that leave, and not with
/// those that come: none, then any of the dead, those of one place alike, and then with them all that
/// are healthy. Of these some now and some later would be away at a time, were one that leads now held
/// back until then.
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

/// Whether a healthy voter's id goes to another machine.
pub(super) fn is_live_replacement(goal: &Goal, change: &Change) -> bool {
    change.kind == ChangeKind::Replace
        && is_healthy(goal, change)
        && change.before.as_ref().is_some_and(Server::votes)
}

/// More ways to choose who goes to another machine late are not tried.
const MAX_DEFERRED_CHOICES: usize = 32;

/// Servers that come in the same way, one after the other.
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
    /// The dead leave, or become observers.
    RemoveDead {
        leave: bool,
    },
}

impl ChangeClass<'_> {
    /// How many steps of the search it takes: all addresses move at once.
    pub(super) fn steps(&self) -> usize {
        if self.what == ClassKind::Readdress { 1 } else { self.servers.len() }
    }
}

pub(super) fn readdressed(goal: &Goal) -> Vec<&Change> {
    changes(goal, |change| matches!(change.kind, ChangeKind::Readdress(_)))
}

/// All kinds, but for voters whose ids go to other machines later.
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
    // One class for each place, and for those that answer, those that do not and those that come.
    // What a class is tells its place, and not who is in it.
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

/// The dead that take turns. Without weights no law asks in which zone they were.
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

/// Whether the dead give up their votes in turn with those that come in, and not before them.
///
/// To take the vote of a server that does not answer never makes a majority weaker. Where quorums are
/// by groups and weights, though, too few participants could be left, or quorums miss each other; and
/// where a request changes up to so many servers, how many fit depends on how many vote.
pub(super) fn dead_are_interleaved(goal: &Goal) -> bool {
    match batch_limit(goal) {
        1 => goal.facts.base.membership.is_weighted(),
        most => most != usize::MAX,
    }
}

/// Whether that server is dead and takes turns.
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

/// The votes in the end.
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

//! Groups the changes of a plan into classes. A class holds servers that are added in the same way
//! and that no safety rule distinguishes. The search then only decides how many of each class are
//! done.

use std::collections::BTreeMap;

use super::goal::{
    Goal, batch_limit, changes, gains_vote_elsewhere, is_healthy, is_interleaved,
    is_live_replacement, is_out, loses_vote, observes_first, readdressed,
};
use super::state_graph::digits;
use super::tally::VoterSet;
use crate::diff::{Change, ChangeKind};
use crate::model::Server;

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
    let unreachable = |way| -> Vec<&'a Change> {
        let some = classes.values().zip(digits(way, &sizes));
        some.flat_map(|(class, count)| &class[class.len() - count..]).copied().collect()
    };
    let mut all: Vec<Vec<&Change>> = (0..ways).map(unreachable).collect();
    if !healthy.is_empty() {
        all.extend((0..ways).map(|way| [healthy.clone(), unreachable(way)].concat()));
    }
    all
}

/// The limit on ways to choose the deferred replacements. With more, none is deferred.
const MAX_DEFERRED_CHOICES: usize = 32;

/// Servers that are added in the same way, one after the other.
pub(super) struct ChangeClass<'a> {
    pub(super) kind: ClassKind,
    pub(super) servers: Vec<&'a Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ClassKind {
    Join,
    Replace,
    Promote,
    Readdress,
    /// Unreachable servers leave, or become observers.
    RemoveUnreachable {
        leave: bool,
    },
}

impl ChangeClass<'_> {
    /// How many steps of the search the class takes. All addresses change in one step.
    pub(super) fn steps(&self) -> usize {
        if self.kind == ClassKind::Readdress { 1 } else { self.servers.len() }
    }
}

/// All classes, without the deferred replacements.
pub(super) fn change_classes<'a>(
    goal: &'a Goal,
    voter_set: &VoterSet,
    deferred: &[&Change],
) -> Vec<ChangeClass<'a>> {
    let of =
        |kind, test: &dyn Fn(&Change) -> bool| ChangeClass { kind, servers: changes(goal, test) };
    let mut found = unreachable_classes(goal, voter_set);
    found.push(of(ClassKind::Join, &|change| change.kind == ChangeKind::Join));
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
    for (kind, change) in all {
        let place = voter_set.place(voter_set.number(change.id));
        let voted = change.before.as_ref().is_some_and(Server::votes);
        let votes = change.after.as_ref().is_some_and(Server::votes);
        let comes = observes_first(goal, change);
        let class = (kind, !is_healthy(goal, change), comes, (voted, votes), place);
        classes.entry(class).or_default().push(change);
    }
    found.extend(classes.into_iter().map(|((kind, ..), servers)| ChangeClass { kind, servers }));
    found.push(ChangeClass { kind: ClassKind::Readdress, servers: readdressed(goal) });
    found.retain(|class| !class.servers.is_empty());
    found
}

/// The unreachable servers that are interleaved with additions. Without weights no safety rule
/// depends on their zone.
fn unreachable_classes<'a>(goal: &'a Goal, voter_set: &VoterSet) -> Vec<ChangeClass<'a>> {
    let mut classes: BTreeMap<_, Vec<&Change>> = BTreeMap::new();
    for change in changes(goal, |change| is_interleaved(goal, change)) {
        let returns = change.kind == ChangeKind::Replace;
        let tells_place = returns || goal.facts.base.membership.is_weighted();
        let place = tells_place.then(|| voter_set.place(voter_set.number(change.id)));
        let class = (!is_out(change), !loses_vote(change), returns, place);
        classes.entry(class).or_default().push(change);
    }
    let classes = classes.into_iter().map(|((stays, ..), servers)| {
        let kind = ClassKind::RemoveUnreachable { leave: !stays };
        ChangeClass { kind, servers }
    });
    classes.collect()
}

//! Batches of changes for one request, if `policy.changesPerStep` allows more than one.
//!
//! A request adds or removes servers, and never does both. With a limit, quorums before and after
//! it must share a server: two voters may change if their number is even, more never. Without a
//! limit quorums need not overlap.

use std::collections::BTreeMap;

use super::goal::{Goal, batch_limit, is_majority};
use super::state_graph::digits;
use super::tally::{Vote, VoterSet};
use crate::diff::{Change, ChangeKind};
use crate::model::{Majority, Server};

/// The limit on ways to choose the next request.
const MAX_CHOICES: usize = 256;

/// The limit on ways to split removals into requests.
const MAX_BATCHINGS: usize = 64;

/// A list of requests, each with the changes that it makes.
pub(super) type Batching<'a> = Vec<Vec<&'a Change>>;

/// How many of each class one request may take, the largest requests first. Mixed choices are
/// included unless there are too many; then each request takes servers of one class.
pub(super) fn choices(left: &[usize], most: usize) -> Vec<Vec<usize>> {
    let ways = left.iter().try_fold(1_usize, |all, size| all.checked_mul(size + 1));
    let is_mixed = most > 1 && ways.is_some_and(|ways| ways <= MAX_CHOICES);
    let mut choices: Vec<Vec<usize>> = Vec::new();
    if is_mixed {
        for way in 1..ways.unwrap_or(0) {
            choices.push(digits(way, left));
        }
    } else {
        for (class, size) in left.iter().enumerate() {
            for count in 1..=*size.min(&most) {
                let mut one = vec![0; left.len()];
                one[class] = count;
                choices.push(one);
            }
        }
    }
    choices.retain(|choice| choice.iter().sum::<usize>() <= most);
    choices.sort_by_key(|choice| {
        (std::cmp::Reverse(choice.iter().sum::<usize>()), std::cmp::Reverse(choice.clone()))
    });
    choices
}

/// Whether a request that changes several votes is safe: quorums before and after overlap if they
/// must, and the new voters alone are not a quorum.
pub(super) fn is_lawful_batch(
    goal: &Goal,
    voter_set: &VoterSet,
    [before, after]: [&[Vote]; 2],
) -> bool {
    let pairs = || before.iter().zip(after);
    let changed = pairs().filter(|(was, is)| was.votes != is.votes).count();
    if changed < 2 {
        return true;
    }
    let newcomer = |(was, is): (&Vote, &Vote)| Vote { up: is.votes && !was.votes, ..*is };
    let newcomers: Vec<Vote> = pairs().map(newcomer).collect();
    let voters = |votes: &[Vote]| votes.iter().filter(|vote| vote.votes).count();
    let all = pairs().filter(|(was, is)| was.votes || is.votes).count();
    let overlap = || is_majority(goal) && quorum(voters(before)) + quorum(voters(after)) > all;
    voter_set.tolerated_failures(&newcomers) < 0 && (goal.policy.changes_per_step == 0 || overlap())
}

fn quorum(voters: usize) -> usize {
    Majority { voters, live: voters }.quorum()
}

/// Ways to group healthy servers that are removed into requests that are safe in any order. The
/// leader is last, with all servers of its request. The first way groups by id. The others group by
/// zone and weight if these distinguish servers, the fewest requests first.
///
/// A server that also changes its address is removed alone. If another server of its request led,
/// the address change would have to wait for the leader's own change, which is last.
pub(super) fn batchings<'a>(
    goal: &Goal,
    voter_set: &VoterSet,
    voters: usize,
    going: Vec<&'a Change>,
) -> Vec<Batching<'a>> {
    let moves = |change: &&Change| change.kind == ChangeKind::RoleAndAddress;
    let (alone, going): (Vec<_>, Vec<_>) = going.into_iter().partition(moves);
    let mut batchings = batchings_of_removals(goal, voter_set, voters, (going, !alone.is_empty()));
    for batching in &mut batchings {
        batching.extend(alone.iter().map(|change| vec![*change]));
    }
    batchings
}

/// The same for servers that are only removed. `between_others` says whether other requests with a
/// single server stand between them.
fn batchings_of_removals<'a>(
    goal: &Goal,
    voter_set: &VoterSet,
    voters: usize,
    (going, between_others): (Vec<&'a Change>, bool),
) -> Vec<Batching<'a>> {
    let (leaving, demoted) = going.into_iter().partition(|change| change.after.is_none());
    let groups = [demoted, leaving];
    let all: usize = groups.iter().map(Vec::len).sum();
    let size = match max_batch(goal, voters, &groups) {
        // Two voters may be removed at once only if the number of voters is even.
        2 if between_others && groups.iter().flatten().any(|change| voted(change)) => 1,
        size => size,
    };
    let of_size = |size: usize| in_chunks(&groups, size);
    let mut batchings = vec![of_size(size)];
    if size == 1 || all < 2 || !voter_set.distinguishes_voters() {
        return batchings;
    }
    let place = |change: &&'a Change| voter_set.place(voter_set.number(change.id));
    let ways = groups.iter().map(|group| by_places(group, &place, size));
    let ways: Option<Vec<Vec<Batching<'_>>>> = ways.collect();
    match ways {
        Some(ways) if (1..=MAX_BATCHINGS).contains(&ways.iter().map(Vec::len).product()) => {
            let both = ways[0].iter().flat_map(|one| ways[1].iter().map(move |o| [&one[..], o]));
            batchings.extend(both.map(|both| both.concat()));
        }
        _ => {
            let mut sorted = groups.clone();
            for group in &mut sorted {
                group.sort_by_key(place);
            }
            batchings.push(in_chunks(&sorted, size));
        }
    }
    batchings.push(of_size(1));
    batchings.sort_by_key(Vec::len);
    batchings
}

/// Groups of at most `size`, taken from each list in turn.
pub(super) fn in_chunks<'a>(groups: &[Vec<&'a Change>], size: usize) -> Batching<'a> {
    let split = |group: &Vec<&'a Change>| -> Vec<Vec<&'a Change>> {
        group.chunks(size.min(group.len().max(1))).map(<[_]>::to_vec).collect()
    };
    groups.iter().flat_map(split).collect()
}

/// How many healthy servers one request may remove.
fn max_batch(goal: &Goal, voters: usize, groups: &[Vec<&Change>; 2]) -> usize {
    match batch_limit(goal) {
        1 => 1,
        usize::MAX => usize::MAX,
        most if !groups.iter().flatten().any(|change| voted(change)) => most,
        _ => {
            let even = |count: usize| count.is_multiple_of(2);
            let pairs = groups
                .iter()
                .all(|group| even(group.len()) && group.iter().all(|change| voted(change)));
            if pairs && even(voters) && is_majority(goal) { 2 } else { 1 }
        }
    }
}

/// All ways to group servers into pairs, or into requests of any size if there is no limit, by the
/// zones and weights in each request. `None` if there are too many ways.
fn by_places<'a, P: Ord>(
    servers: &[&'a Change],
    place: &impl Fn(&&'a Change) -> P,
    size: usize,
) -> Option<Vec<Batching<'a>>> {
    let mut classes: BTreeMap<P, Vec<&Change>> = BTreeMap::new();
    for change in servers {
        classes.entry(place(change)).or_default().push(change);
    }
    let classes: Vec<Vec<&Change>> = classes.into_values().collect();
    let left: Vec<usize> = classes.iter().map(Vec::len).collect();
    let mut all = Vec::new();
    let is_whole = split(&left, size, &mut Vec::new(), &mut all);
    let of_counts = |batching: Vec<Vec<usize>>| {
        let mut queues: Vec<_> = classes.iter().map(|class| class.iter().copied()).collect();
        let request = |counts: Vec<usize>| {
            let some = queues.iter_mut().zip(counts).flat_map(|(queue, count)| queue.take(count));
            let mut request: Vec<&Change> = some.collect();
            request.sort_by_key(|change| change.id);
            request
        };
        let mut requests: Vec<Vec<&Change>> = batching.into_iter().map(request).collect();
        requests.sort_by_key(|request| request[0].id);
        requests
    };
    is_whole.then(|| all.into_iter().map(of_counts).collect())
}

/// Splits what is left of each class into requests in descending order. Returns whether all ways
/// were found.
fn split(
    left: &[usize],
    size: usize,
    requests: &mut Vec<Vec<usize>>,
    all: &mut Vec<Vec<Vec<usize>>>,
) -> bool {
    if left.iter().all(|count| *count == 0) {
        all.push(requests.clone());
        return all.len() <= MAX_BATCHINGS;
    }
    let first = left.iter().position(|count| *count > 0).unwrap_or(0);
    for next in choices(left, size) {
        let is_full = size == usize::MAX || next.iter().sum::<usize>() == size;
        let is_next = next[first] > 0 && requests.last().is_none_or(|last| next <= *last);
        if !is_full || !is_next {
            continue;
        }
        let rest: Vec<usize> = left.iter().zip(&next).map(|(all, some)| all - some).collect();
        requests.push(next);
        let is_whole = split(&rest, size, requests, all);
        requests.pop();
        if !is_whole {
            return false;
        }
    }
    true
}

fn voted(change: &Change) -> bool {
    change.before.as_ref().is_some_and(Server::votes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::planner::fixture::goal;

    #[test]
    fn larger_requests_come_first_and_none_is_above_the_limit() {
        assert_eq!(choices(&[2, 1], 2), [[2, 0], [1, 1], [1, 0], [0, 1]]);
        assert_eq!(choices(&[2, 1], 1), [[1, 0], [0, 1]]);
    }

    #[test]
    fn two_votes_change_at_once_only_if_quorums_still_overlap() {
        let mut goal = goal("1 2 3 4", "1 2 3 4 5 6");
        goal.policy.changes_per_step = 2;
        let voter_set = VoterSet::new(&goal.facts, &goal.diff.target, &goal.policy);
        let votes = |voters: usize| -> Vec<Vote> {
            (0..6).map(|at| Vote { votes: at < voters, up: true }).collect()
        };
        let is_lawful = |goal: &Goal, before: usize, after: usize| {
            is_lawful_batch(goal, &voter_set, [&votes(before), &votes(after)])
        };
        assert!(is_lawful(&goal, 4, 6) && is_lawful(&goal, 6, 4));
        assert!(!is_lawful(&goal, 3, 5) && !is_lawful(&goal, 5, 3));
        // Without a limit quorums may miss each other. New voters alone must not be a quorum.
        goal.policy.changes_per_step = 0;
        assert!(is_lawful(&goal, 3, 5) && !is_lawful(&goal, 1, 4));
    }
}

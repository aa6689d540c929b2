//! Which changes one request takes together, where `policy.changesPerStep` allows more than one.
//!
//! Servers come in together or go together, and only in like ways: a request never does both. With
//! a bound, quorums before and after must share a server all the same, which two voters allow where
//! their number is even, and more never; without one they need not.

use super::order::Goal;
use super::votes::{Electorate, Vote};
use crate::diff::Change;
use crate::model::{Majority, Server};

/// More ways to choose the next request are not looked at.
const MOST_WAYS: usize = 256;

/// How many servers one request may change.
pub(super) fn most(goal: &Goal) -> usize {
    match goal.policy.changes_per_step {
        0 => usize::MAX,
        most => usize::try_from(most).unwrap_or(usize::MAX),
    }
}

/// How many of each of some classes may go in one request, the largest requests first: as many of
/// them as there are left, or all ways to take from one class where there are too many.
pub(super) fn choices(left: &[usize], most: usize) -> Vec<Vec<usize>> {
    let ways = left.iter().try_fold(1_usize, |all, size| all.checked_mul(size + 1));
    let is_mixed = most > 1 && ways.is_some_and(|ways| ways <= MOST_WAYS);
    let mut choices: Vec<Vec<usize>> = Vec::new();
    if is_mixed {
        for way in 1..ways.unwrap_or(0) {
            choices.push(super::search::digits(way, left));
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

/// Whether a request that brings in several voters is lawful: quorums before and after share a
/// server where they must, and its newcomers are no quorum by themselves.
pub(super) fn may_come_together(
    goal: &Goal,
    electorate: &Electorate,
    [before, after]: [&[Vote]; 2],
) -> bool {
    let gains = |(was, is): &(&Vote, &Vote)| is.votes && !was.votes;
    let gained = before.iter().zip(after).filter(gains).count();
    if gained < 2 {
        return true;
    }
    let newcomer = |(was, is): (&Vote, &Vote)| Vote { up: gains(&(was, is)), ..*is };
    let newcomers: Vec<Vote> = before.iter().zip(after).map(newcomer).collect();
    let voters = |votes: &[Vote]| votes.iter().filter(|vote| vote.votes).count();
    let all = voters(before) + gained;
    let overlap = || is_majority(goal) && quorum(voters(before)) + quorum(voters(after)) > all;
    electorate.spare(&newcomers) < 0 && (goal.policy.changes_per_step == 0 || overlap())
}

fn quorum(voters: usize) -> usize {
    Majority { voters, live: voters }.quorum()
}

fn is_majority(goal: &Goal) -> bool {
    !goal.facts.base.membership.is_weighted()
}

/// Groups of like servers that go, put into requests that are lawful in any order: whoever leads
/// goes last, and with it all that its request takes out.
pub(super) fn go_together<'a>(
    goal: &Goal,
    voters: usize,
    groups: Vec<Vec<&'a Change>>,
) -> Vec<Vec<&'a Change>> {
    let size = match most(goal) {
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
    };
    let split = |group: Vec<&'a Change>| -> Vec<Vec<&'a Change>> {
        group.chunks(size.min(group.len().max(1))).map(<[_]>::to_vec).collect()
    };
    groups.into_iter().flat_map(split).collect()
}

/// Dead servers that leave and those that become observers, put into requests that go in that order:
/// none of them leads. Two voters go where their number is even, and observers that leave take what
/// room there is.
pub(super) fn dead_go_together<'a>(
    goal: &Goal,
    mut voters: usize,
    [leaving, demoted]: [Vec<&'a Change>; 2],
) -> Vec<Vec<&'a Change>> {
    let most = most(goal);
    let (leaving, mut observers): (Vec<_>, Vec<_>) = leaving.into_iter().partition(|c| voted(c));
    let mut groups = [leaving, demoted];
    let mut requests = Vec::new();
    while groups.iter().any(|group| !group.is_empty()) {
        let count = if voters.is_multiple_of(2) && is_majority(goal) { 2 } else { 1 };
        let fits = |group: &Vec<&Change>| group.len() >= count && group.len() % 2 == count % 2;
        let fills = |group: &Vec<&Change>| group.len() >= count;
        let at = groups.iter().position(fits).or(groups.iter().position(fills));
        let at = at.unwrap_or_else(|| usize::from(groups[0].is_empty()));
        let count = count.min(groups[at].len());
        let mut request: Vec<&Change> = groups[at].drain(..count).collect();
        voters -= count;
        if at == 0 {
            request.extend(observers.drain(..observers.len().min(most - count)));
            request.sort_by_key(|change| change.id);
        }
        requests.push(request);
    }
    requests.extend(observers.chunks(most.min(observers.len().max(1))).map(<[_]>::to_vec));
    requests
}

fn voted(change: &Change) -> bool {
    change.before.as_ref().is_some_and(Server::votes)
}

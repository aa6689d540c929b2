//! The votes at the moments that no search decides, and the tolerance that follows from them.

use super::goal::{Goal, changes, is_healthy, loses_vote};
use super::tally::{Vote, VoterSet};
use crate::diff::{Change, ChangeKind};
use crate::model::{Membership, MinTolerance, ServerId};

/// The votes at the base.
pub(super) fn votes_now(goal: &Goal, voter_set: &VoterSet) -> Vec<Vote> {
    let base = &goal.facts.base.membership;
    let vote =
        |id: &ServerId| Vote { votes: base.has_voter(*id), up: goal.facts.synced.contains(id) };
    voter_set.ids.iter().map(vote).collect()
}

/// The same votes without those of unreachable servers that lose theirs.
pub(super) fn without_unreachable(
    goal: &Goal,
    voter_set: &VoterSet,
    mut votes: Vec<Vote>,
) -> Vec<Vote> {
    for change in changes(goal, |change| !is_healthy(goal, change) && loses_vote(change)) {
        votes[voter_set.number(change.id)].votes = false;
    }
    votes
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
        up: goal.facts.synced.contains(id) || comes(id),
    };
    voter_set.ids.iter().map(vote).collect()
}

/// The tolerance that the plan must keep, as a number. `auto` is the smaller of the present
/// tolerance and that of the target. Servers that are down now count as down in both.
pub(super) fn fixed_tolerance(goal: &Goal) -> u32 {
    if let MinTolerance::AtLeast(count) = goal.policy.min_tolerance {
        return count;
    }
    let base = &goal.facts.base.membership;
    let voter_set = VoterSet::new(&goal.facts, &goal.diff.target, &goal.policy);
    let spare = |members: &Membership| {
        let up = |id: &ServerId| !base.contains(*id) || goal.facts.synced.contains(id);
        let vote = |id: &ServerId| Vote { votes: members.has_voter(*id), up: up(id) };
        voter_set.tolerated_failures(&voter_set.ids.iter().map(vote).collect::<Vec<_>>())
    };
    let smaller = spare(base).min(spare(&goal.diff.target));
    u32::try_from(smaller).unwrap_or(0)
}

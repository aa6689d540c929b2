//! The planner's own quorum arithmetic: which servers vote and answer, and how many may fail.
//!
//! The checker has its own arithmetic. The two share no code here.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Majority, Membership, Policy, ServerId, VoteWeight, ZonePolicy};
use crate::observe::Facts;

/// The state of one server at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Vote {
    pub(super) votes: bool,
    pub(super) up: bool,
}

/// The tolerance of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tolerance {
    /// Voter failures that it tolerates.
    pub(super) failures: i64,
    /// The same if the worst zone is lost as well. `i64::MAX` if zones do not count.
    pub(super) with_zone_lost: i64,
}

impl Tolerance {
    /// Higher than the tolerance of any moment.
    pub(super) const MAX: Self = Self { failures: i64::MAX, with_zone_lost: i64::MAX };

    /// The lower value of each figure.
    pub(super) fn min(self, other: Self) -> Self {
        Self {
            failures: self.failures.min(other.failures),
            with_zone_lost: self.with_zone_lost.min(other.with_zone_lost),
        }
    }
}

/// The servers of a plan by index, with their zones and weights.
pub(super) struct VoterSet {
    pub(super) ids: Vec<ServerId>,
    /// The zone of each server by index. Empty if zones do not count.
    zone_of: Vec<Option<usize>>,
    zones: usize,
    /// Group and weight of each server, in a hierarchical quorum.
    places: Option<Vec<Option<VoteWeight>>>,
}

impl VoterSet {
    pub(super) fn new(facts: &Facts, target: &Membership, policy: &Policy) -> Self {
        let base = &facts.base.membership;
        let mut ids: Vec<ServerId> = base.servers().chain(target.servers()).map(|s| s.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut names: Vec<&String> = match policy.zones {
            ZonePolicy::Ignore => Vec::new(),
            ZonePolicy::Best | ZonePolicy::Strict => facts.zones.values().collect(),
        };
        names.sort_unstable();
        names.dedup();
        let zone = |id: &ServerId| names.binary_search(&facts.zones.get(id)?).ok();
        let place = |id: &ServerId| base.place(*id).or_else(|| target.place(*id));
        Self {
            zone_of: ids.iter().map(zone).collect(),
            zones: names.len(),
            places: base.is_weighted().then(|| ids.iter().map(place).collect()),
            ids,
        }
    }

    pub(super) fn number(&self, id: ServerId) -> usize {
        self.ids.binary_search(&id).expect("every server of a plan has a number")
    }

    pub(super) fn zone(&self, server: usize) -> Option<usize> {
        self.zone_of[server]
    }

    /// Everything that distinguishes one vote from another.
    pub(super) fn place(&self, server: usize) -> (Option<usize>, Option<VoteWeight>) {
        (self.zone(server), self.weight(server))
    }

    /// Whether anything distinguishes votes.
    pub(super) fn distinguishes_voters(&self) -> bool {
        self.has_zones() || self.places.is_some()
    }

    /// The group and weight of a vote, in a hierarchical quorum.
    pub(super) fn weight(&self, server: usize) -> Option<VoteWeight> {
        self.places.as_ref()?[server]
    }

    /// Whether quorums depend on groups and weights. Two majorities that differ in one voter always
    /// overlap.
    pub(super) fn is_weighted(&self) -> bool {
        self.places.is_some()
    }

    /// Whether the loss of a zone matters.
    pub(super) fn has_zones(&self) -> bool {
        self.zones > 0
    }

    pub(super) fn tolerance(&self, votes: &[Vote]) -> Tolerance {
        Tolerance {
            failures: self.tolerated_failures(votes),
            with_zone_lost: self.tolerated_with_zone_lost(votes),
        }
    }

    /// How many of the servers that answer may fail. Negative if too few answer.
    pub(super) fn tolerated_failures(&self, votes: &[Vote]) -> i64 {
        match &self.places {
            None => majority(votes.iter().copied()),
            Some(places) => weighted(places, votes),
        }
    }

    /// Whether every quorum before and every quorum after share a server. Two majorities that
    /// differ in one voter always do.
    pub(super) fn overlaps(&self, before: &[Vote], after: &[Vote]) -> bool {
        self.places.as_ref().is_none_or(|places| overlap(places, before, after))
    }

    fn tolerated_with_zone_lost(&self, votes: &[Vote]) -> i64 {
        let Some(places) = &self.places else { return self.majority_with_zone_lost(votes) };
        let without = |zone: usize| {
            let mut left = votes.to_vec();
            for (server, vote) in left.iter_mut().enumerate() {
                vote.up &= self.zone_of[server] != Some(zone);
            }
            weighted(places, &left)
        };
        let voting = |zone: &usize| {
            votes.iter().enumerate().any(|(s, vote)| vote.votes && self.zone_of[s] == Some(*zone))
        };
        (0..self.zones).filter(voting).map(without).min().unwrap_or(i64::MAX)
    }

    fn majority_with_zone_lost(&self, votes: &[Vote]) -> i64 {
        let mut up = vec![None; self.zones];
        for (server, vote) in votes.iter().enumerate().filter(|(_, vote)| vote.votes) {
            if let Some(zone) = self.zone_of[server] {
                *up[zone].get_or_insert(0) += i64::from(vote.up);
            }
        }
        let fullest = up.into_iter().flatten().max();
        fullest.map_or(i64::MAX, |lost: i64| majority(votes.iter().copied()) - lost)
    }
}

fn majority(votes: impl Iterator<Item = Vote>) -> i64 {
    let (mut voters, mut live) = (0, 0);
    for vote in votes.filter(|vote| vote.votes) {
        voters += 1;
        live += usize::from(vote.up);
    }
    Majority { voters, live }.spare()
}

/// The tolerance with groups and weights. Writes stop when enough groups are lost. The cheapest
/// groups count first, and in each group the heaviest servers.
fn weighted(places: &[Option<VoteWeight>], votes: &[Vote]) -> i64 {
    let mut groups: BTreeMap<i64, (i128, Vec<i128>)> = BTreeMap::new();
    for (place, vote) in places.iter().zip(votes).filter(|(_, vote)| vote.votes) {
        let Some(VoteWeight { group, weight }) = *place else { continue };
        let (all, up) = groups.entry(group).or_default();
        *all += i128::from(weight);
        if vote.up {
            up.push(i128::from(weight));
        }
    }
    groups.retain(|_, (all, _)| *all > 0);
    let need = groups.len() / 2 + 1;
    let mut failure_counts: Vec<i64> =
        groups.into_values().filter_map(|(all, up)| failures_to_lose(all, up)).collect();
    if failure_counts.len() < need {
        return -1;
    }
    failure_counts.sort_unstable();
    let lost = failure_counts.len() - need + 1;
    failure_counts.into_iter().take(lost).sum::<i64>() - 1
}

/// The weights of one group: of the voters before, of the voters after, and of each server that
/// votes in both.
#[derive(Default)]
struct GroupWeights {
    before: i128,
    after: i128,
    shared: Vec<i128>,
}

/// Two quorums without a common server need a majority of groups each. A group counts for both only
/// if its servers can be split so.
fn overlap(places: &[Option<VoteWeight>], before: &[Vote], after: &[Vote]) -> bool {
    let mut groups: BTreeMap<i64, GroupWeights> = BTreeMap::new();
    for (place, (before, after)) in places.iter().zip(before.iter().zip(after)) {
        let Some(VoteWeight { group, weight }) = *place else { continue };
        let (group_weights, weight) = (groups.entry(group).or_default(), i128::from(weight));
        group_weights.before += if before.votes { weight } else { 0 };
        group_weights.after += if after.votes { weight } else { 0 };
        if before.votes && after.votes {
            group_weights.shared.push(weight);
        }
    }
    let count =
        |test: &dyn Fn(&GroupWeights) -> bool| groups.values().filter(|all| test(all)).count();
    let (counts_before, counts_after) = (count(&|all| all.before > 0), count(&|all| all.after > 0));
    let contested = |all: &GroupWeights| all.before > 0 && all.after > 0;
    let both = count(&|all| contested(all) && all.can_split());
    let either = count(&contested) - both;
    let missing = |counts: usize| {
        let alone = counts - both - either;
        (counts / 2 + 1).saturating_sub(both + alone)
    };
    missing(counts_before) + missing(counts_after) > either
}

impl GroupWeights {
    /// The limit on sums. A group with more is refused.
    const MAX_SUMS: usize = 100_000;

    /// Whether the group can count for both quorums at once.
    fn can_split(&self) -> bool {
        let mut sums = BTreeSet::from([0_i128]);
        for weight in &self.shared {
            let more: Vec<i128> = sums.iter().map(|sum| sum + weight).collect();
            sums.extend(more);
            if sums.len() > Self::MAX_SUMS {
                return false;
            }
        }
        let all: i128 = self.shared.iter().sum();
        let wins = |sum: &i128| {
            let theirs = all - sum;
            self.before - theirs > self.before / 2 && self.after - sum > self.after / 2
        };
        sums.iter().any(wins)
    }
}

/// How many servers of a group must fail to lose it. `None` if it is already lost.
fn failures_to_lose(all: i128, mut up: Vec<i128>) -> Option<i64> {
    let mut left: i128 = up.iter().sum();
    up.sort_unstable_by(|one, other| other.cmp(one));
    let mut failures_to_lose = 0;
    for weight in up {
        if left <= all / 2 {
            break;
        }
        left -= weight;
        failures_to_lose += 1;
    }
    (failures_to_lose > 0).then_some(failures_to_lose)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::planner::fixture::{goal, with_zones};

    fn votes(all: &str) -> Vec<Vote> {
        let vote = |c: char| Vote { votes: c != '.', up: c == '+' };
        all.chars().map(vote).collect()
    }

    #[test]
    fn a_voter_that_is_down_raises_the_quorum_and_an_observer_does_not() {
        let goal = goal("1 2 3 4 5", "1 2 3");
        let voter_set = VoterSet::new(&goal.facts, &goal.diff.target, &goal.policy);
        let failures = |all: &str| voter_set.tolerated_failures(&votes(all));
        assert_eq!(["+++++", "+++..", "+++--", "++---"].map(failures), [2, 1, 0, -1]);
    }

    #[test]
    fn a_lost_zone_counts_with_its_voters_alone() {
        let goal =
            with_zones(goal("1 2 3 4 5", "1 2 3"), &[("a", &[1, 2]), ("b", &[3, 4]), ("c", &[5])]);
        let voter_set = VoterSet::new(&goal.facts, &goal.diff.target, &goal.policy);
        let lost = |all: &str| voter_set.tolerance(&votes(all)).with_zone_lost;
        // The fullest zone is lost. A zone without a vote cannot be.
        assert_eq!(["+++++", "++..+", "+.+.+"].map(lost), [0, -1, 0]);
    }

    #[test]
    fn groups_can_be_lost_one_by_one_and_quorums_can_miss_each_other() {
        let places: Vec<Option<VoteWeight>> =
            [1, 1, 1, 2, 2, 2, 3, 3, 3].map(|group| Some(VoteWeight { group, weight: 1 })).to_vec();
        assert_eq!(weighted(&places, &votes("+++++++++")), 3);
        assert_eq!(weighted(&places, &votes("+++++-+--")), 0);
        assert_eq!(weighted(&places, &votes("++++--+--")), -1);
        let before = votes("+++++++++");
        assert!(overlap(&places, &before, &votes("+++++++++")));
        assert!(!overlap(&places, &before, &votes("+++......")));
    }
}

//! The planner's own figures: who votes, who answers, what would be spare.
//!
//! The checker counts on its own; nothing here is shared with it.

use std::collections::BTreeMap;

use crate::model::{Majority, Membership, Place, Policy, ServerId, ZonePolicy};
use crate::observe::Facts;

/// What one server is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Vote {
    pub(super) votes: bool,
    pub(super) up: bool,
}

/// What a moment is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worth {
    /// Voters that may fail.
    pub(super) spare: i64,
    /// The same with the worst zone lost; `i64::MAX` where zones do not count.
    pub(super) zone: i64,
}

impl Worth {
    /// The worse of both, each figure by itself.
    pub(super) fn min(self, other: Self) -> Self {
        Self { spare: self.spare.min(other.spare), zone: self.zone.min(other.zone) }
    }
}

/// The servers of a plan, by number, and what is known of them.
pub(super) struct Electorate {
    pub(super) ids: Vec<ServerId>,
    /// Zones by number; empty where they do not count.
    zone_of: Vec<Option<usize>>,
    zones: usize,
    /// Group and weight, where quorums are by them.
    places: Option<Vec<Option<Place>>>,
}

impl Electorate {
    pub(super) fn new(facts: &Facts, target: &Membership, policy: &Policy) -> Self {
        let base = &facts.base.membership;
        let ids: Vec<ServerId> = base.ids().union(&target.ids()).copied().collect();
        let names: BTreeMap<&String, usize> = match policy.zones {
            ZonePolicy::Ignore => BTreeMap::new(),
            ZonePolicy::Best | ZonePolicy::Strict => {
                let mut names: Vec<&String> = facts.zones.values().collect();
                names.sort_unstable();
                names.dedup();
                names.into_iter().zip(0..).collect()
            }
        };
        let zone = |id: &ServerId| names.get(facts.zones.get(id)?).copied();
        let place = |id: &ServerId| base.place(*id).or_else(|| target.place(*id));
        Self {
            zone_of: ids.iter().map(zone).collect(),
            zones: names.len(),
            places: base.is_weighted().then(|| ids.iter().map(place).collect()),
            ids,
        }
    }

    pub(super) fn number(&self, id: ServerId) -> usize {
        self.ids.binary_search(&id).unwrap_or(0)
    }

    pub(super) fn zone(&self, server: usize) -> Option<usize> {
        self.zone_of[server]
    }

    /// What its vote weighs, where quorums are by groups and weights.
    pub(super) fn weight(&self, server: usize) -> Option<Place> {
        self.places.as_ref()?[server]
    }

    /// Whether the loss of a zone says anything.
    pub(super) fn has_zones(&self) -> bool {
        self.zones > 0
    }

    pub(super) fn worth(&self, votes: &[Vote]) -> Worth {
        Worth { spare: self.spare(votes), zone: self.zone_spare(votes) }
    }

    /// How many of those that answer may fail; negative where they are too few.
    pub(super) fn spare(&self, votes: &[Vote]) -> i64 {
        match &self.places {
            None => majority(votes.iter().copied()),
            Some(places) => weighted(places, votes),
        }
    }

    fn zone_spare(&self, votes: &[Vote]) -> i64 {
        let Some(places) = &self.places else { return self.zone_spare_of_majority(votes) };
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

    fn zone_spare_of_majority(&self, votes: &[Vote]) -> i64 {
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

/// Of groups and weights: to stop writes is to win back enough groups, the cheapest first, each by
/// its heaviest servers.
fn weighted(places: &[Option<Place>], votes: &[Vote]) -> i64 {
    let mut groups: BTreeMap<i64, (i128, Vec<i128>)> = BTreeMap::new();
    for (place, vote) in places.iter().zip(votes).filter(|(_, vote)| vote.votes) {
        let Some(Place { group, weight }) = *place else { continue };
        let (all, up) = groups.entry(group).or_default();
        *all += i128::from(weight);
        if vote.up {
            up.push(i128::from(weight));
        }
    }
    groups.retain(|_, (all, _)| *all > 0);
    let need = groups.len() / 2 + 1;
    let mut prices: Vec<i64> =
        groups.into_values().filter_map(|(all, up)| price(all, up)).collect();
    if prices.len() < need {
        return -1;
    }
    prices.sort_unstable();
    let lost = prices.len() - need + 1;
    prices.into_iter().take(lost).sum::<i64>() - 1
}

/// How many of a group must fail for it to be lost; `None` where it is lost already.
fn price(all: i128, mut up: Vec<i128>) -> Option<i64> {
    let mut left: i128 = up.iter().sum();
    up.sort_unstable_by(|one, other| other.cmp(one));
    let mut price = 0;
    for weight in up {
        if left <= all / 2 {
            break;
        }
        left -= weight;
        price += 1;
    }
    (price > 0).then_some(price)
}

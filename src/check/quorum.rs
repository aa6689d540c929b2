//! The checker's own quorum rule: counting where the majority decides, trying every subset where
//! groups and weights do.

use std::collections::BTreeMap;

use crate::model::{Membership, ServerId};

/// Which sets of voters are a quorum.
pub(super) enum Rule {
    /// More than half of them (`QuorumMaj`).
    Majority,
    /// By groups and weights (`QuorumHierarchical`).
    Weighted(Weighted),
}

/// The group of each server, by number, and its weight.
pub(super) struct Weighted {
    places: Vec<Option<(usize, i128)>>,
    groups: usize,
}

impl Rule {
    pub(super) fn of(base: &Membership, target: &Membership, ids: &[ServerId]) -> Self {
        if !base.is_weighted() {
            return Self::Majority;
        }
        let mut groups: BTreeMap<i64, usize> = BTreeMap::new();
        let mut places = Vec::with_capacity(ids.len());
        for id in ids {
            let place = base.place(*id).or_else(|| target.place(*id));
            places.push(place.map(|place| {
                let next = groups.len();
                (*groups.entry(place.group).or_insert(next), i128::from(place.weight))
            }));
        }
        Self::Weighted(Weighted { places, groups: groups.len() })
    }
}

impl Weighted {
    /// How many of those that acknowledge may fail, whichever they are; negative where they are no
    /// quorum.
    pub(super) fn spare(&self, voters: &[usize], acking: &[usize]) -> i64 {
        let mut spare = -1;
        for failing in 0..=acking.len() {
            if some_subset(acking, failing, &mut Vec::new(), &|left| !self.is_quorum(voters, left))
            {
                break;
            }
            spare += 1;
        }
        spare
    }

    /// Whether any quorum of those voters and any of these share a server.
    pub(super) fn overlap(&self, before: &[usize], after: &[usize]) -> bool {
        let misses = |quorum: &[usize]| {
            let rest: Vec<usize> =
                after.iter().copied().filter(|server| !quorum.contains(server)).collect();
            self.is_quorum(before, quorum) && self.is_quorum(after, &rest)
        };
        !(0..=before.len()).any(|out| some_subset(before, out, &mut Vec::new(), &misses))
    }

    /// `QuorumHierarchical.containsQuorum`: more than half of the groups that weigh anything, each
    /// with more than half of its weight.
    pub(super) fn is_quorum(&self, voters: &[usize], acking: &[usize]) -> bool {
        let weigh = |servers: &[usize]| {
            let mut sums = vec![0_i128; self.groups];
            for (group, weight) in servers.iter().filter_map(|server| self.places[*server]) {
                sums[group] += weight;
            }
            sums
        };
        let (all, acked) = (weigh(voters), weigh(acking));
        let counting = all.iter().filter(|all| **all > 0).count();
        let won = all.iter().zip(&acked).filter(|(all, acked)| **all > 0 && **acked > **all / 2);
        won.count() > counting / 2
    }
}

/// Whether what is left holds for some way to take so many out.
fn some_subset(
    of: &[usize],
    out: usize,
    left: &mut Vec<usize>,
    holds: &dyn Fn(&[usize]) -> bool,
) -> bool {
    let Some((first, rest)) = of.split_first() else { return out == 0 && holds(left) };
    if out > of.len() {
        return false;
    }
    if out > 0 && some_subset(rest, out - 1, left, holds) {
        return true;
    }
    left.push(*first);
    let found = some_subset(rest, out, left, holds);
    left.pop();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spare_is_what_may_fail_whoever_it_is() {
        // Three groups of three: two of a group and one of another may go, two of each of two not.
        let text: String = (1..=9)
            .map(|id| format!("server.{id}=h{id}:1:2\n"))
            .chain((1..=3).map(|g| format!("group.{g}={}:{}:{}\n", 3 * g - 2, 3 * g - 1, 3 * g)))
            .collect();
        let members = Membership::parse(&text).unwrap();
        let ids: Vec<ServerId> = members.ids().into_iter().collect();
        let Rule::Weighted(rule) = Rule::of(&members, &members, &ids) else { panic!("weighted") };
        let all: Vec<usize> = (0..9).collect();
        assert_eq!(rule.spare(&all, &all), 3);
        assert_eq!(rule.spare(&all, &all[2..]), 1);
        assert_eq!(rule.spare(&all, &all[5..]), -1);
        assert!(rule.overlap(&all, &all));
        assert!(!rule.overlap(&all[..3], &all[3..6]));
    }
}

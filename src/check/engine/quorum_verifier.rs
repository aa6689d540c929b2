//! The checker's own quorum verifiers. Majorities are counted. With groups and weights, every way is
//! tried in which that many servers of each weight of a group fail.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::{Membership, ServerId};

/// Which sets of voters are a quorum.
pub(in crate::check) enum QuorumVerifier {
    /// More than half of them (`QuorumMaj`).
    Majority,
    /// By groups and weights (`QuorumHierarchical`).
    Hierarchical(Weighted),
}

/// The servers of each group by what they weigh.
pub(in crate::check) struct Weighted {
    groups: Vec<Vec<Kind>>,
    /// Whether no group has more combinations of failures than are looked at.
    is_bounded: bool,
    spares: Memo<i64>,
    overlaps: Memo<bool>,
}

/// What was counted of two sets of servers: orders lead to the same ones again and again.
struct Memo<T>(RefCell<HashMap<[Vec<usize>; 2], T>>);

impl<T: Copy> Memo<T> {
    fn of(&self, sets: [&[usize]; 2], count: impl FnOnce() -> T) -> T {
        let sets = sets.map(<[usize]>::to_vec);
        let known = self.0.borrow().get(&sets).copied();
        known.unwrap_or_else(|| {
            let counted = count();
            self.0.borrow_mut().insert(sets, counted);
            counted
        })
    }
}

/// The servers of one group that weigh the same, by number.
struct Kind {
    weight: i128,
    servers: Vec<usize>,
}

/// Servers of one weight, and how many of them there are.
#[derive(Clone, Copy)]
struct Alike {
    weight: i128,
    count: usize,
}

/// A group with more combinations of failures than these is not counted: it would take 17 servers
/// of as many weights.
const MOST_COMBINATIONS: usize = 100_000;

impl QuorumVerifier {
    pub(in crate::check) fn of(base: &Membership, target: &Membership, ids: &[ServerId]) -> Self {
        if !base.is_weighted() {
            return Self::Majority;
        }
        let mut groups: BTreeMap<i64, Vec<(usize, i128)>> = BTreeMap::new();
        for (server, id) in ids.iter().enumerate() {
            if let Some(place) = base.place(*id).or_else(|| target.place(*id)) {
                groups.entry(place.group).or_default().push((server, place.weight.into()));
            }
        }
        Self::Hierarchical(Weighted::of(groups.into_values()))
    }
}

impl Weighted {
    /// Of the servers of each group and their weights.
    fn of(groups: impl Iterator<Item = Vec<(usize, i128)>>) -> Self {
        let kinds = |group: Vec<(usize, i128)>| -> Vec<Kind> {
            let mut kinds: BTreeMap<i128, Vec<usize>> = BTreeMap::new();
            for (server, weight) in group {
                kinds.entry(weight).or_default().push(server);
            }
            kinds.into_iter().map(|(weight, servers)| Kind { weight, servers }).collect()
        };
        let groups: Vec<Vec<Kind>> = groups.map(kinds).collect();
        let ways = |group: &Vec<Kind>| combinations(group.iter().map(|kind| kind.servers.len()));
        let is_bounded = groups.iter().all(|group| ways(group) <= MOST_COMBINATIONS);
        let (spares, overlaps) = (Memo(RefCell::default()), Memo(RefCell::default()));
        Self { groups, is_bounded, spares, overlaps }
    }

    /// The group of a server, by number, and its weight.
    pub(in crate::check) fn place(&self, server: usize) -> Option<(usize, i128)> {
        self.groups.iter().enumerate().find_map(|(group, kinds)| {
            let kind = kinds.iter().find(|kind| kind.servers.contains(&server))?;
            Some((group, kind.weight))
        })
    }

    /// Whether no group has more combinations of failures than are looked at.
    pub(in crate::check) fn is_bounded(&self) -> bool {
        self.is_bounded
    }

    /// How many of those that acknowledge may fail, whichever they are; negative where they are no
    /// quorum.
    pub(in crate::check) fn spare(&self, voters: &[usize], acking: &[usize]) -> i64 {
        if !self.is_bounded {
            return -1;
        }
        self.spares.of([voters, acking], || self.count_spare(voters, acking))
    }

    fn count_spare(&self, voters: &[usize], acking: &[usize]) -> i64 {
        let mut counting = 0;
        // The fewest failures by which that many groups are lost.
        let mut fewest: Vec<Option<usize>> = vec![Some(0)];
        for group in &self.groups {
            let all = sum(&alike(group, voters));
            if all <= 0 {
                continue;
            }
            counting += 1;
            let price = fewest_failures(all, &alike(group, acking));
            fewest.push(None);
            for lost in (1..fewest.len()).rev() {
                let more = fewest[lost - 1].map(|known| known + price);
                fewest[lost] = fewest[lost].into_iter().chain(more).min();
            }
        }
        let stops = |lost: usize| counting - lost <= counting / 2;
        let failures =
            (0..fewest.len()).filter(|lost| stops(*lost)).filter_map(|lost| fewest[lost]);
        let fewest = failures.min().unwrap_or(0);
        i64::try_from(fewest).unwrap_or(i64::MAX) - 1
    }

    /// Whether any quorum of those voters and any of these share a server.
    pub(in crate::check) fn overlap(&self, before: &[usize], after: &[usize]) -> bool {
        !self.is_bounded || self.overlaps.of([before, after], || self.do_overlap(before, after))
    }

    fn do_overlap(&self, before: &[usize], after: &[usize]) -> bool {
        let shared: Vec<usize> =
            before.iter().copied().filter(|server| after.contains(server)).collect();
        let (mut counting, mut won) = ([0, 0], BTreeSet::from([[0, 0]]));
        for group in &self.groups {
            let sums = [before, after].map(|servers| sum(&alike(group, servers)));
            let counts = sums.map(|all| usize::from(all > 0));
            counting = [counting[0] + counts[0], counting[1] + counts[1]];
            let mut ways = BTreeSet::from([[counts[0], 0], [0, counts[1]]]);
            let shared = alike(group, &shared);
            let all = sum(&shared);
            let both = every_choice(&shared).any(|ours| {
                let theirs = all - ours.weight;
                sums[0] - theirs > sums[0] / 2 && sums[1] - ours.weight > sums[1] / 2
            });
            if both {
                ways.insert(counts);
            }
            let with =
                |way: &[usize; 2], known: &[usize; 2]| [known[0] + way[0], known[1] + way[1]];
            won = ways.iter().flat_map(|way| won.iter().map(|known| with(way, known))).collect();
        }
        let are_quorums =
            |[ours, theirs]: &[usize; 2]| *ours > counting[0] / 2 && *theirs > counting[1] / 2;
        !won.iter().any(are_quorums)
    }
}

/// Those of a group that are among these.
fn alike(group: &[Kind], servers: &[usize]) -> Vec<Alike> {
    let alike = |kind: &Kind| Alike {
        weight: kind.weight,
        count: kind.servers.iter().filter(|server| servers.contains(server)).count(),
    };
    group.iter().map(alike).collect()
}

/// How many of those of a group that acknowledge must fail for it to be lost.
fn fewest_failures(all: i128, up: &[Alike]) -> usize {
    let acked = sum(up);
    let lost = |taken: &Alike| acked - taken.weight <= all / 2;
    every_choice(up).filter(lost).map(|taken| taken.count).min().unwrap_or(usize::MAX)
}

fn sum(alike: &[Alike]) -> i128 {
    alike.iter().map(|of| of.weight * i128::try_from(of.count).unwrap_or(0)).sum()
}

/// In how many ways some of each kind can be taken.
fn combinations(mut counts: impl Iterator<Item = usize>) -> usize {
    let ways = counts.try_fold(1_usize, |all, count| all.checked_mul(count + 1));
    ways.unwrap_or(usize::MAX)
}

/// Every way to take some of them: how many those are, and what they weigh together.
fn every_choice(alike: &[Alike]) -> impl Iterator<Item = Alike> + use<'_> {
    (0..combinations(alike.iter().map(|of| of.count))).map(move |mut number| {
        let mut taken = Alike { weight: 0, count: 0 };
        for of in alike {
            let count = number % (of.count + 1);
            number /= of.count + 1;
            taken.count += count;
            taken.weight += of.weight * i128::try_from(count).unwrap_or(0);
        }
        taken
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by its definition, over every subset of servers.
    impl Weighted {
        fn is_quorum(&self, voters: &[usize], acking: &[usize]) -> bool {
            let of = |group: &[Kind], servers: &[usize]| sum(&alike(group, servers));
            let counting = self.groups.iter().filter(|group| of(group, voters) > 0);
            let won = counting.clone().filter(|group| of(group, acking) > of(group, voters) / 2);
            won.count() > counting.count() / 2
        }

        fn spare_by_subsets(&self, voters: &[usize], acking: &[usize]) -> i64 {
            let stop = subsets(acking).into_iter().filter(|left| !self.is_quorum(voters, left));
            let most = stop.map(|left| left.len()).max().unwrap_or(0);
            i64::try_from(acking.len() - most).unwrap() - 1
        }

        fn overlap_by_subsets(&self, before: &[usize], after: &[usize]) -> bool {
            !subsets(before).into_iter().any(|ours| {
                let rest: Vec<usize> =
                    after.iter().copied().filter(|server| !ours.contains(server)).collect();
                self.is_quorum(before, &ours) && self.is_quorum(after, &rest)
            })
        }
    }

    fn subsets(of: &[usize]) -> Vec<Vec<usize>> {
        let chosen = |bits: u32| {
            let is_in = |(at, _): &(usize, &usize)| bits >> at & 1 == 1;
            of.iter().enumerate().filter(is_in).map(|(_, server)| *server).collect()
        };
        (0..1_u32 << of.len()).map(chosen).collect()
    }

    #[test]
    fn spare_is_what_may_fail_whoever_it_is() {
        // Three groups of three: two of a group and one of another may go, two of each of two not.
        let text: String = (1..=9)
            .map(|id| format!("server.{id}=h{id}:1:2\n"))
            .chain((1..=3).map(|g| format!("group.{g}={}:{}:{}\n", 3 * g - 2, 3 * g - 1, 3 * g)))
            .collect();
        let members = Membership::parse(&text).unwrap();
        let ids: Vec<ServerId> = members.ids().into_iter().collect();
        let QuorumVerifier::Hierarchical(rule) = QuorumVerifier::of(&members, &members, &ids)
        else {
            panic!("weighted")
        };
        let all: Vec<usize> = (0..9).collect();
        assert_eq!(rule.spare(&all, &all), 3);
        assert_eq!(rule.spare(&all, &all[2..]), 1);
        assert_eq!(rule.spare(&all, &all[5..]), -1);
        assert!(rule.overlap(&all, &all));
        assert!(!rule.overlap(&all[..3], &all[3..6]));
    }

    #[test]
    fn counts_of_like_weights_say_what_all_subsets_say() {
        // Five servers, each in one of three groups with one of three weights.
        for number in 0..9_usize.pow(5) / 7 {
            let place = |server: u32| (number * 7 / 9_usize.pow(server)) % 9;
            let placed = |s: u32| (s as usize, i128::try_from(place(s) % 3).unwrap());
            let of = |group: usize| (0..5).filter(move |s| place(*s) / 3 == group);
            let rule = Weighted::of((0..3).map(|group| of(group).map(placed).collect()));
            let all = [0, 1, 2, 3, 4];
            for (voters, others) in
                [(&all[..], &all[1..]), (&all[..4], &all[1..]), (&all[..4], &all[..3])]
            {
                let voting: Vec<usize> =
                    others.iter().copied().filter(|s| voters.contains(s)).collect();
                assert_eq!(
                    rule.spare(voters, &voting),
                    rule.spare_by_subsets(voters, &voting),
                    "{number}"
                );
                assert_eq!(
                    rule.spare(voters, voters),
                    rule.spare_by_subsets(voters, voters),
                    "{number}"
                );
                assert_eq!(
                    rule.overlap(voters, others),
                    rule.overlap_by_subsets(voters, others),
                    "{number}"
                );
            }
        }
    }

    #[test]
    fn what_has_too_many_combinations_is_not_counted() {
        let all: Vec<usize> = (0..17).collect();
        let rule = Weighted::of([all.iter().map(|s| (*s, 1 << s)).collect()].into_iter());
        assert!(!rule.is_bounded());
        assert_eq!(rule.spare(&all, &all), -1);
    }
}

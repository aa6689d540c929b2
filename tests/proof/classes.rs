//! Every class of ensemble up to a number of servers, examined by two threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::ground::Ground;
use crate::judge::Judge;
use crate::random::Random;
use crate::tally::Tally;
use crate::world::{Case, Fate, Is, Rules, Seat};

/// Cases that a thread takes at once.
const BATCH: usize = 64;

/// Servers that no rule distinguishes: a fate, a zone, and a group with a weight.
pub(crate) type Kind = (Fate, u8, (u8, u8));

/// A part of the proof: all multisets of kinds.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) kinds: Vec<Kind>,
    /// Servers at most.
    pub(crate) servers: usize,
    pub(crate) rules: Vec<Rules>,
    /// Whether a plan is requested for every class of leader under all policies. Under the first
    /// one it always is.
    pub(crate) every_leader: bool,
}

impl Part {
    /// Examines every class.
    pub(crate) fn run(&self, seed: u64, compares: usize) -> Tally {
        let began = Instant::now();
        let classes = classes(&self.kinds, self.servers);
        let next = AtomicUsize::new(0);
        let look = || {
            let mut judge = Judge::default();
            judge.compares = compares;
            let mut tally = Tally::new(self.name);
            loop {
                let from = next.fetch_add(BATCH, Ordering::Relaxed);
                let Some(batch) = classes.get(from..(from + BATCH).min(classes.len())) else {
                    return tally;
                };
                if batch.is_empty() {
                    return tally;
                }
                for (at, class) in batch.iter().enumerate() {
                    let mut random = Random::new(seed ^ (from + at) as u64);
                    for (at, rules) in self.rules.iter().enumerate() {
                        let case = seated(class, &self.kinds, *rules, &mut random);
                        // No policy helps where nothing commits.
                        if at == 0 || Ground::of(&case).commits() {
                            judge.judge(&case, at == 0 || self.every_leader, &mut tally);
                        }
                    }
                }
            }
        };
        let mut tally = Tally::new(self.name);
        std::thread::scope(|scope| {
            for thread in [scope.spawn(look), scope.spawn(look)] {
                tally.add(thread.join().expect("a thread that counts"));
            }
        });
        tally.took = began.elapsed();
        tally
    }
}

/// A class with ids: which of the alike has which is drawn.
pub(crate) fn seated(class: &[u8], kinds: &[Kind], rules: Rules, random: &mut Random) -> Case {
    let mut ids: Vec<u8> = (1..=16).take(class.len()).collect();
    random.shuffle(&mut ids);
    let seats = class.iter().zip(ids).map(|(kind, id)| {
        let (fate, zone, place) = kinds[usize::from(*kind)];
        Seat { fate, zone, place, id }
    });
    Case { seats: seats.collect(), rules }
}

/// Every multiset of up to `servers` kinds that has a voter now and is the least of those that
/// differ only in the names of zones or groups.
pub(crate) fn classes(kinds: &[Kind], servers: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut list = Vec::new();
    grow(kinds, servers, &mut list, &mut all);
    all
}

fn grow(kinds: &[Kind], servers: usize, list: &mut Vec<u8>, all: &mut Vec<Vec<u8>>) {
    let votes = |kind: &u8| kinds[usize::from(*kind)].0.was == Is::Voter;
    if list.iter().any(votes) && is_least(kinds, list) {
        all.push(list.clone());
    }
    if list.len() == servers {
        return;
    }
    let from = list.last().copied().unwrap_or(0);
    for kind in (0_u8..).take(kinds.len()).skip(usize::from(from)) {
        list.push(kind);
        grow(kinds, servers, list, all);
        list.pop();
    }
}

fn is_least(kinds: &[Kind], list: &[u8]) -> bool {
    const NAMES: [[u8; 4]; 5] =
        [[0, 1, 3, 2], [0, 2, 1, 3], [0, 2, 3, 1], [0, 3, 1, 2], [0, 3, 2, 1]];
    let is_named = |(_, zone, (group, _)): &Kind| *zone > 0 || *group > 0;
    if !list.iter().any(|kind| is_named(&kinds[usize::from(*kind)])) {
        return true;
    }
    let least: Vec<Kind> = list.iter().map(|kind| kinds[usize::from(*kind)]).collect();
    let place = |kind: &Kind| kinds.iter().position(|known| known == kind);
    NAMES.iter().all(|names| {
        let name = |number: u8| names[usize::from(number)];
        let renamed = least
            .iter()
            .map(|(fate, zone, (group, weight))| (*fate, name(*zone), (name(*group), *weight)));
        let other: Option<Vec<usize>> = renamed.map(|kind| place(&kind)).collect();
        // Names that are not among the kinds make no other class.
        other.is_none_or(|mut other| {
            other.sort_unstable();
            other.into_iter().ge(list.iter().map(|kind| usize::from(*kind)))
        })
    })
}

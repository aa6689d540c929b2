//! The counts of the proof, and how they are printed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::world::Case;

/// Violations of a kind that are shown.
const KEPT: usize = 4;

/// Violations of one kind: how many, and the smallest ones, with their numbers of servers.
#[derive(Debug, Clone, Default)]
struct Kept {
    count: usize,
    smallest: Vec<(usize, String)>,
}

/// The figures of one part of the proof.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) name: &'static str,
    /// Classes, each with every class of leader.
    pub(crate) classes: usize,
    /// Proposals requested.
    pub(crate) asked: usize,
    pub(crate) plans: usize,
    pub(crate) steps: usize,
    /// States that grants reach.
    pub(crate) states: usize,
    /// Plans that are as good as the best of all orders.
    pub(crate) best: usize,
    /// Refusals of bases that do not commit.
    pub(crate) stopped: usize,
    /// Refusals that are right: no order is legal.
    pub(crate) refusals: usize,
    /// Those for which an order is legal once a risk is accepted.
    pub(crate) acceptances: usize,
    /// Plans whose tolerance with a zone lost could be higher at the price of a lower tolerance.
    pub(crate) dearer_zones: usize,
    /// Plans that move ids to other machines and would survive a zone better in another order.
    pub(crate) grouped: usize,
    pub(crate) violations: usize,
    kept: BTreeMap<&'static str, Kept>,
    pub(crate) took: Duration,
}

impl Tally {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    /// Counts a violation; of each kind the smallest are kept.
    pub(crate) fn violation(&mut self, kind: &'static str, case: &Case, what: &str) {
        self.violations += 1;
        let kept = self.kept.entry(kind).or_default();
        kept.count += 1;
        kept.keep((case.seats.len(), format!("{case}: {what}")));
    }

    /// Adds the counts of another thread.
    pub(crate) fn add(&mut self, other: Self) {
        self.classes += other.classes;
        self.asked += other.asked;
        self.plans += other.plans;
        self.steps += other.steps;
        self.states += other.states;
        self.best += other.best;
        self.stopped += other.stopped;
        self.refusals += other.refusals;
        self.acceptances += other.acceptances;
        self.dearer_zones += other.dearer_zones;
        self.grouped += other.grouped;
        self.violations += other.violations;
        for (kind, theirs) in other.kept {
            let kept = self.kept.entry(kind).or_default();
            kept.count += theirs.count;
            for violation in theirs.smallest {
                kept.keep(violation);
            }
        }
    }

    pub(crate) const HEAD: &str = "what                            classes     asked     plans      steps     \
        states   as good  refusals  by risk  no quorum  violations  seconds";

    /// One line of the table.
    pub(crate) fn line(&self) -> String {
        format!(
            "{:<30} {:>8} {:>9} {:>9} {:>10} {:>10} {:>9} {:>9} {:>8} {:>10} {:>11} {:>8.1}",
            self.name,
            self.classes,
            self.asked,
            self.plans,
            self.steps,
            self.states,
            self.best,
            self.refusals,
            self.acceptances,
            self.stopped,
            self.violations,
            self.took.as_secs_f64(),
        )
    }

    /// Of each kind of violation how many there are, and the smallest.
    pub(crate) fn faults(&self) -> String {
        let lines = self.kept.iter().flat_map(|(kind, kept)| {
            let head = format!("{} `{kind}`, the smallest of which are", kept.count);
            std::iter::once(head).chain(kept.smallest.iter().map(|(_, what)| format!("  {what}")))
        });
        lines.fold(String::new(), |text, line| text + "\n" + &line)
    }
}

impl Kept {
    fn keep(&mut self, violation: (usize, String)) {
        let at = self.smallest.partition_point(|known| *known < violation);
        if at < KEPT {
            self.smallest.insert(at, violation);
            self.smallest.truncate(KEPT);
        }
    }
}

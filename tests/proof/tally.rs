//! What the proof counts, and how it prints.

use std::time::Duration;

use crate::world::Case;

/// Violations that are kept: the smallest.
const KEPT: usize = 8;

/// The figures of one part of the proof.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) name: &'static str,
    /// Classes, each with every class of leader.
    pub(crate) classes: usize,
    /// Proposals asked for.
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
    /// Those of them where an order is legal once a risk is accepted.
    pub(crate) acceptances: usize,
    /// Plans whose worst zone spare could be larger at the price of a smaller spare.
    pub(crate) dearer_zones: usize,
    pub(crate) violations: usize,
    /// The smallest violations, with how many servers each has.
    kept: Vec<(usize, String)>,
    pub(crate) took: Duration,
}

impl Tally {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    pub(crate) fn violation(&mut self, case: &Case, what: &str) {
        self.violations += 1;
        self.keep((case.seats.len(), format!("{case}: {what}")));
    }

    fn keep(&mut self, violation: (usize, String)) {
        let at = self.kept.partition_point(|known| *known < violation);
        if at < KEPT {
            self.kept.insert(at, violation);
            self.kept.truncate(KEPT);
        }
    }

    /// Takes in what another thread counted.
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
        self.violations += other.violations;
        for violation in other.kept {
            self.keep(violation);
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

    /// The smallest violations.
    pub(crate) fn smallest(&self) -> impl Iterator<Item = &str> {
        self.kept.iter().map(|(_, what)| what.as_str())
    }
}

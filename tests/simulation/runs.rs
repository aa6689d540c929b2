//! Many schedules.

use std::time::Instant;

use zkplan::simulator::Rules;

use crate::coverage::Coverage;
use crate::schedule::{ScheduleOutcome, run};
use crate::shapes::{DEADLY, Prepared, SHAPES, Shape};

/// The number of schedules, unless `ZKPLAN_SIM_SCHEDULES` is set.
const SCHEDULES: u64 = 100_000;

/// Schedules with deaths.
const DEATHS: u64 = 20_000;

/// The two cores of the budget.
const THREADS: u64 = 2;

/// The number of violations that are shown.
const SHOWN: usize = 3;

/// The fault of a missing mechanism must be found within this many schedules.
const MUTANT_WITHIN: u64 = 20_000;

#[derive(Default)]
struct Sum {
    operations: u64,
    faults: u64,
    applies: u64,
    stale: u64,
    violations: Vec<(u64, ScheduleOutcome)>,
    coverage: Coverage,
}

impl Sum {
    fn add(&mut self, seed: u64, outcome: ScheduleOutcome) {
        self.operations += outcome.operations;
        self.faults += outcome.faults;
        self.applies += outcome.applies;
        self.stale += u64::from(outcome.stale);
        self.coverage.add(&outcome.coverage);
        if !outcome.violations.is_empty() {
            self.violations.push((seed, outcome));
        }
    }

    fn join(&mut self, other: Self) {
        self.operations += other.operations;
        self.faults += other.faults;
        self.applies += other.applies;
        self.stale += other.stale;
        self.coverage.add(&other.coverage);
        self.violations.extend(other.violations);
    }
}

fn prepared() -> Vec<Prepared> {
    SHAPES.into_iter().map(Prepared::of).collect()
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("`{name}` is not a number: `{text}`")))
}

#[test]
fn whatever_befalls_an_apply_the_next_one_ends_at_the_target() {
    if let Some(seed) = number("ZKPLAN_SIM_SEED") {
        return replay(&prepared(), seed);
    }
    let sum =
        all_of(&SHAPES, number("ZKPLAN_SIM_SCHEDULES").unwrap_or(SCHEDULES), "ZKPLAN_SIM_SEED");
    let missing = sum.coverage.missing();
    assert!(missing.is_empty(), "situations that never came up: {missing:?}");
}

#[test]
fn after_a_failure_or_return_the_rest_is_applied_in_an_allowed_order() {
    if let Some(seed) = number("ZKPLAN_SIM_DEATH") {
        let all: Vec<Prepared> = DEADLY.into_iter().map(Prepared::of).collect();
        return replay(&all, seed);
    }
    let sum = all_of(&DEADLY, number("ZKPLAN_SIM_DEATHS").unwrap_or(DEATHS), "ZKPLAN_SIM_DEATH");
    let missing = sum.coverage.missing_of_deaths();
    assert!(missing.is_empty(), "situations that never came up: {missing:?}");
}

/// Runs one schedule again, and prints its log.
fn replay(all: &[Prepared], seed: u64) {
    let outcome = run(all, seed, |_| (), true);
    crate::say(&format!("seed {seed}: {}\n{:#?}", outcome.log, outcome.violations));
    assert!(outcome.violations.is_empty());
}

/// Runs schedules, none of which may break an invariant.
fn all_of(shapes: &'static [Shape], schedules: u64, replays: &str) -> Sum {
    let began = Instant::now();
    let mut sum = Sum::default();
    let sums: Vec<Sum> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let all: Vec<Prepared> = shapes.iter().copied().map(Prepared::of).collect();
                    let mut sum = Sum::default();
                    for seed in (thread..schedules).step_by(usize::try_from(THREADS).unwrap_or(1)) {
                        sum.add(seed, run(&all, seed, |_| (), false));
                    }
                    sum
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread that ends")).collect()
    });
    for other in sums {
        sum.join(other);
    }
    sum.violations.sort_by_key(|(seed, _)| *seed);
    crate::say(&format!(
        "{schedules} schedules, {} operations, {} faults, {} applies, {} away from the target by a \
         foreign change, {} violations, {:.1} s\n{}",
        sum.operations,
        sum.faults,
        sum.applies,
        sum.stale,
        sum.violations.len(),
        began.elapsed().as_secs_f64(),
        sum.coverage.table(),
    ));
    for (seed, outcome) in sum.violations.iter().take(SHOWN) {
        crate::say(&format!("{replays}={seed}: {:#?}\n{}", outcome.violations, outcome.log));
    }
    let seeds: Vec<u64> = sum.violations.iter().map(|(seed, _)| *seed).collect();
    assert!(seeds.is_empty(), "seeds that violate: {seeds:?}");
    sum
}

/// The first seed at which a rule that is switched off makes a difference.
fn first(change: fn(&mut Rules), shows: &str) -> Option<u64> {
    let all = prepared();
    let breaks = |seed: &u64| {
        let outcome = run(&all, *seed, change, false);
        outcome.violations.iter().any(|violation| violation.contains(shows))
    };
    (0..MUTANT_WITHIN).find(breaks)
}

#[test]
fn a_build_without_the_fence_is_found() {
    let found = first(|rules| rules.fences = false, "never will be");
    crate::say(&format!("without the fence the journal lies at seed {found:?}"));
    assert!(found.is_some());
}

#[test]
fn a_build_without_a_version_on_each_request_is_found() {
    let found = first(|rules| rules.versions = false, "");
    crate::say(&format!("without versions it is found at seed {found:?}"));
    assert!(found.is_some());
}

#[test]
fn the_same_seed_gives_the_same_log() {
    let (one, other) = (prepared(), prepared());
    for seed in 0..100 {
        let (first, second) = (run(&one, seed, |_| (), true), run(&other, seed, |_| (), true));
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert_eq!(first.log, second.log, "seed {seed}");
    }
}

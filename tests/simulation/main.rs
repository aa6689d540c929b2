//! The executor that ships, on a simulated ensemble, under whatever can befall it.
//!
//! A schedule is a function of its seed. First faults fall on one or more applies; then everything is
//! well again, and one more apply must bring the plan to its target. `ZKPLAN_SIM_SEED=n` replays one
//! schedule and prints its log; `ZKPLAN_SIM_SCHEDULES=n` sets how many there are. `ZKPLAN_SIM_DEATH` and
//! `ZKPLAN_SIM_DEATHS` are those of the schedules in which servers die for good or come back.

mod applying;
mod chance;
mod coverage;
mod faults;
mod judging;
mod plain;
mod runs;
mod schedule;
mod shapes;
mod situations;
mod syncing;

/// Applies are made of many small pieces, which come and go millions of times.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A run shows its figures.
#[expect(clippy::print_stdout, reason = "the figures of a run are what it is for")]
fn say(figures: &str) {
    println!("{figures}");
}

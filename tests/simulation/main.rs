//! The shipped executor on a simulated ensemble, under all faults.
//!
//! A schedule is a function of its seed. First faults affect one or more applies. Then everything
//! is healthy again, and one more apply must bring the plan to its target. `ZKPLAN_SIM_SEED=n`
//! replays one schedule and prints its log. `ZKPLAN_SIM_SCHEDULES=n` sets the number of schedules.
//! `ZKPLAN_SIM_DEATH` and `ZKPLAN_SIM_DEATHS` do the same for schedules in which servers fail for
//! good or come back.

mod applying;
mod chance;
mod coverage;
#[path = "../example/mod.rs"]
#[expect(dead_code, reason = "what other suites take from the examples")]
mod example;
mod faults;
mod judging;
mod plain;
mod rolls;
mod runs;
mod schedule;
mod shapes;
mod situations;
mod syncing;

/// Applies allocate many small objects, millions of times.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Prints the figures of a run.
#[expect(clippy::print_stdout, reason = "the figures of a run are what it is for")]
fn say(figures: &str) {
    println!("{figures}");
}

//! A seeded soak: `zkplan apply` on real ZooKeeper in network namespaces, under random faults of
//! servers, links, disks, clocks and operators, and every word of it held against the truth.
//!
//! ```text
//! ZKPLAN_SOAK_SEED=7 ZKPLAN_SOAK_MINUTES=20 cargo test --test soak -- --nocapture --test-threads=1
//! ```
//!
//! In reading order: `schedule` (what a seed stands for: targets and faults, round by round),
//! `rounds` (one round played), `faults` (how each is brought about), `judging` and `truth` (what
//! must hold, and the records that it is held against), `held_back` (a request that arrives after
//! another apply has begun), `far` (slow lines and slow disks),
//! `rolling` (links that are cut in the middle of restarts), `goes_wrong` (what goes wrong between servers in
//! the middle of a migration), `stateful_sets` (pods of one set replace those of another). Below them: `lab`
//! (servers in namespaces), `server`, `network`, `wire`, `operator` (the `zkplan` binary), `writer` (an
//! application at work), `administrator`, and `sandbox` (namespaces of our own: whatever happens to this
//! process, the kernel takes network, mounts and files away with it).
//!
//! A result that is wrong prints the seed, and the files of the run are kept.

mod administrator;
#[path = "../simulation/chance.rs"]
mod chance;
mod far;
mod faults;
mod goes_wrong;
#[path = "../zookeeper/harness/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "what loopback ensembles have beyond what is used here"
)]
mod harness;
mod held_back;
mod judging;
mod lab;
mod members;
mod network;
mod operator;
mod rolling;
mod rounds;
mod sandbox;
mod schedule;
mod server;
mod stateful_sets;
mod truth;
mod wire;
mod writer;

/// A run shows its seed and its figures.
#[expect(clippy::print_stdout, reason = "the figures of a run are what it is for")]
fn say(figures: &str) {
    println!("{figures}");
}

/// A number from the environment.
///
/// # Panics
/// When what is there is no number: a seed that is not the one asked for proves nothing.
fn number(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`, which is no number"))
}

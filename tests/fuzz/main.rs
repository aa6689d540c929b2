//! A fuzz harness without tools: real seeds, mutated by a seeded generator, for a while per target.
//!
//! No input may bring about a panic, take long, or put a raw byte on a screen; whatever is accepted
//! must be the same after it was written and read again. `ZKPLAN_FUZZ_SECONDS` is the time for each
//! target (2 by default), `ZKPLAN_FUZZ_SEED` the seed; words on the command line choose targets by
//! name. Every target prints `TARGET: N inputs, M accepted, seed S`.

#![expect(clippy::print_stdout, reason = "the figures are the result")]
#![expect(clippy::print_stderr, reason = "an input that breaks something has to be seen")]

mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mutate::Random;
use targets::{TARGETS, Target};

/// What one input may take.
const LONGEST: Duration = Duration::from_millis(if cfg!(debug_assertions) { 2000 } else { 200 });

/// An input that took longer is tried again before it is called slow: the machine has other work.
const TRIES: usize = 4;

/// Findings of one target after which it ends.
const ENOUGH: usize = 5;

fn main() -> ExitCode {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (seconds, seed) = (number("ZKPLAN_FUZZ_SECONDS", 2), number("ZKPLAN_FUZZ_SEED", 1));
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--list") {
        for target in TARGETS {
            println!("{}: test", target.name);
        }
        return ExitCode::SUCCESS;
    }
    let names: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let chosen = |target: &&Target| {
        names.is_empty() || names.iter().any(|name| target.name.contains(name.as_str()))
    };
    let run = |target: &Target| fuzz(target, Duration::from_secs(seconds), seed);
    let wrong: usize = TARGETS.iter().filter(chosen).map(run).sum();
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one target; how many inputs broke something.
fn fuzz(target: &Target, time: Duration, seed: u64) -> usize {
    let mut random = Random::new(seed);
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{} has seeds", target.name);
    let (mut inputs, mut accepted, mut wrong) = (0_usize, 0_usize, 0_usize);
    let began = Instant::now();
    // Every seed as it is comes first.
    while inputs < seeds.len() || began.elapsed() < time {
        let input = match seeds.get(inputs) {
            Some(seed) => seed.clone(),
            None => random.mutated(&seeds),
        };
        inputs += 1;
        match verdict(target, &input) {
            Ok(true) => accepted += 1,
            Ok(false) => {}
            Err(what) => {
                wrong += 1;
                let shown = input.escape_debug().to_string();
                eprintln!("{}: {what}, input {inputs} of seed {seed}:\n{shown}\n", target.name);
            }
        }
        if wrong == ENOUGH {
            break;
        }
    }
    println!("{}: {inputs} inputs, {accepted} accepted, seed {seed}", target.name);
    wrong
}

/// Whether an input was accepted, or what it broke.
fn verdict(target: &Target, input: &str) -> Result<bool, String> {
    let mut shortest = Duration::MAX;
    for _ in 0..TRIES {
        let began = Instant::now();
        let run = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
        shortest = shortest.min(began.elapsed());
        let accepted = run.map_err(|_| "a panic".to_owned())??;
        if shortest <= LONGEST {
            return Ok(accepted);
        }
    }
    Err(format!("it takes {shortest:?}"))
}

//! The releases that people run, and the pairs of them that a move mixes: one story each, on real
//! servers, under load.
//!
//! ```text
//! cargo test --test matrix              # the release of this machine
//! cargo test --test matrix -- ci        # each release and two pairs, in the short form
//! cargo test --test matrix -- long      # everything
//! cargo test --test matrix -- 3.5.10    # the rows whose name holds that
//! cargo test --test matrix -- start     # from the true start, and other rolling restarts: roll
//! cargo test --test matrix -- seed      # joiners that begin with an archive of a running server
//! cargo test --test matrix -- migration # from the true start to the end
//! ```
//!
//! Each row prints the steps that it took, and the table at the end all of them. A row that did not
//! take every step of its story fails, and so does one whose release cannot be had. In reading order:
//! `rows` (what is played), `story` (the steps of a move), `upgrades` (rolling restarts and whole
//! migrations).

#[path = "../zookeeper/applying.rs"]
#[expect(dead_code, reason = "what other stories do with an apply")]
mod applying;
#[path = "../zookeeper/harness/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "what loopback ensembles have beyond what is used here"
)]
mod harness;
#[path = "../zookeeper/installing.rs"]
mod installing;
#[path = "../zookeeper/ledger.rs"]
#[expect(dead_code, reason = "what other stories ask of an ensemble's logs")]
mod ledger;
#[path = "../zookeeper/queue.rs"]
mod queue;
#[path = "../zookeeper/rolls.rs"]
mod rolls;
mod rows;
#[path = "../zookeeper/seeding.rs"]
mod seeding;
#[path = "../zookeeper/spec.rs"]
#[expect(dead_code, reason = "what other specs hold")]
mod spec;
mod story;
#[path = "../zookeeper/true_start.rs"]
#[expect(dead_code, reason = "the short form, which the suite of one release plays")]
mod true_start;
mod upgrades;
#[path = "../zookeeper/whole_migration.rs"]
mod whole_migration;
#[path = "../zookeeper/zkplan.rs"]
#[expect(dead_code, reason = "what other stories ask of a screen")]
mod zkplan;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rows::Row;
use story::Played;

/// The table is what this is for.
#[expect(clippy::print_stdout, reason = "the issue asks for the table")]
fn say(text: &str) {
    println!("{text}");
}

/// What was on the screens of the row that is played, for whoever has to find out why it failed.
static SCREENS: Mutex<String> = Mutex::new(String::new());

/// Keeps a screen.
fn show(screen: &str) {
    harness::lock(&SCREENS).push_str(screen);
}

/// What came of a row.
struct Told {
    row: Row,
    took: Duration,
    /// Nothing where the row failed.
    played: Option<Played>,
}

impl Told {
    fn line(&self) -> String {
        let Self { row, took, played } = self;
        let seconds = took.as_secs();
        let (steps, gap) = match played {
            Some(Played { steps, longest_gap: Some(gap) }) => {
                (steps.join(", "), format!("{} ms", gap.as_millis()))
            }
            Some(Played { steps, longest_gap: None }) => (steps.join(", "), "-".to_owned()),
            None => ("FAILED".to_owned(), "-".to_owned()),
        };
        format!("| {} | {} | {steps} | {gap} | {seconds} s |", row.releases(), row.configuration())
    }
}

fn main() -> ExitCode {
    // Cargo passes flags of its own test harness on.
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let rows = rows::chosen(&words);
    if rows.is_empty() {
        say(&format!("no row is named {}", words.join(" ")));
        return ExitCode::FAILURE;
    }
    let began = Instant::now();
    let told: Vec<Told> = rows.into_iter().map(plays).collect();
    say("\n| release | configuration | steps | longest gap | took |\n|---|---|---|---|---|");
    for row in &told {
        say(&row.line());
    }
    let failed = told.iter().filter(|row| row.played.is_none()).count();
    say(&format!("{} rows, {failed} failed, in {} s", told.len(), began.elapsed().as_secs()));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn plays(row: Row) -> Told {
    say(&format!("== {}", row.name()));
    harness::lock(&SCREENS).clear();
    let began = Instant::now();
    // What a story panics with is shown as it happens; the other rows are played all the same.
    let played = catch_unwind(AssertUnwindSafe(|| story::play(&row))).ok();
    if played.is_none() {
        say(&format!("--- the screens of {}\n{}", row.name(), harness::lock(&SCREENS)));
    }
    let told = Told { row, took: began.elapsed(), played };
    say(&told.line());
    told
}

//! The executor that ships, on a simulated ensemble.

mod applying;
mod plain;

/// A run shows its figures.
#[expect(clippy::print_stdout, reason = "the figures of a run are what it is for")]
fn say(figures: &str) {
    println!("{figures}");
}

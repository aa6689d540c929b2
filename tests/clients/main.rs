//! Real clients while an ensemble moves: two Kafka brokers, Curator, kazoo and go-zookeeper, each with a
//! lock or another ephemeral znode, each writing all the time.
//!
//! ```text
//! cargo test --test clients -- --nocapture --test-threads=1
//! cargo test --test clients -- --nocapture --test-threads=1 apache_3_8_6    # on that release alone
//! ```
//!
//! The programs of the clients lie beside this file. Their libraries are fetched into the target directory
//! once: Kafka and Curator by Maven, kazoo by pip, go-zookeeper by Go. What cannot be had fails the story.
//! In reading order: `moved` (the stories), `crowd` (all clients together), `holdings` (what the ensemble
//! says of them), `program` (one of them), `libraries` (what they run with).

#[path = "../zookeeper/applying.rs"]
#[expect(dead_code, reason = "what other stories do with an apply")]
mod applying;
mod crowd;
#[path = "../zookeeper/harness/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "what loopback ensembles have beyond what is used here"
)]
mod harness;
mod holdings;
mod libraries;
mod moved;
mod program;
#[path = "../zookeeper/spec.rs"]
#[expect(dead_code, reason = "what other specs hold")]
mod spec;
#[path = "../zookeeper/zkplan.rs"]
#[expect(dead_code, reason = "what other stories ask of a screen")]
mod zkplan;

/// Figures are for the person who runs the tests.
#[expect(clippy::print_stdout, reason = "each story prints its figures")]
fn show(figures: &str) {
    println!("{figures}");
}

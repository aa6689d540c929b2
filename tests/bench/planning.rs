//! Benchmarks of planning, without a server: for people to read, no test holds them.
//! `cargo bench --bench planning` runs them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use zkplan::model::{EnsembleConfig, ServerId, Target};
use zkplan::observe::Facts;
use zkplan::proposal::propose;

/// Runs of each; the median counts.
const RUNS: usize = 21;

/// Specs that are planned by one command.
const SPECS: u16 = 1000;

/// The label of an ensemble that is planned alone.
const NAME: &str = "bench";

/// A server by its id, and whether it observes.
type Member = (u16, bool);

#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
fn main() {
    println!("median of {RUNS} runs");
    exchange_of_nine();
    exchange_of_all_ids();
    many_specs();
}

/// Nine voters in three zones onto nine others.
#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
fn exchange_of_nine() {
    let now: Vec<Member> = (1..=9).map(|id| (id, false)).collect();
    let wanted: Vec<Member> = (10..=18).map(|id| (id, false)).collect();
    let target = target(&wanted, &now, 3);
    let (time, reconfigs) = planning(&target, &facts_of(&now, &target));
    println!(
        "9 voters onto 9 others        {time:>8.2} ms, {reconfigs} reconfigs (promised: 5 ms)"
    );
}

/// All ids but four: 110 voters, eight of them dead, and 15 observers, in five zones, onto as many.
#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
fn exchange_of_all_ids() {
    let half = |from: u16| -> Vec<Member> { (0..125).map(|at| (from + at, at >= 110)).collect() };
    let (now, wanted) = (half(1), half(130));
    let target = target(&wanted, &now, 5);
    let mut facts = facts_of(&now, &target);
    for dead in [3, 17, 31, 45, 59, 73, 87, 101] {
        facts.synced.remove(&ServerId::new(dead));
    }
    let (time, reconfigs) = planning(&target, &facts);
    println!(
        "125 servers onto 125 others   {time:>8.2} ms, {reconfigs} reconfigs (promised: 100 ms)"
    );
}

/// A thousand specs, each with the configuration of its ensemble saved in a folder.
#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
fn many_specs() {
    let folder = tempfile::tempdir().expect("a folder");
    let live = folder.path().join("live");
    fs::create_dir(&live).expect("a folder");
    let specs: Vec<String> =
        (0..SPECS).map(|number| write_ensemble(folder.path(), &live, number)).collect();
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_zkplan"))
        .arg("plan")
        .args(&specs)
        .arg("--live")
        .arg(&live)
        .args(["--format", "json"])
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let time = began.elapsed();
    let error = String::from_utf8_lossy(&output.stderr);
    let planned = String::from_utf8_lossy(&output.stdout).matches("\"phases\"").count();
    assert!(output.status.success() && planned == usize::from(SPECS), "{planned}: {error}");
    println!("{SPECS} specs, one command       {:>8.0} ms (promised: 2000 ms)", millis(time));
}

/// Three to nine voters, and one of several kinds of change.
fn write_ensemble(specs: &Path, live: &Path, number: u16) -> String {
    let size = 3 + number % 7;
    let now: Vec<Member> = (1..=size).map(|id| (id, false)).collect();
    let mut wanted = now.clone();
    match number % 5 {
        0 => wanted = (11..=10 + size).map(|id| (id, false)).collect(),
        1 => wanted.extend([(11, false), (12, false)]),
        2 => wanted[0] = (11, false),
        3 => wanted.push((11, true)),
        _ => wanted[usize::from(size) - 1].1 = true,
    }
    let name = format!("e{number}");
    let path = specs.join(format!("{name}.yaml"));
    fs::write(&path, spec_text(&name, &wanted, &now, 3)).expect("a spec");
    fs::write(live.join(&name), config_text(&name, &now)).expect("a configuration");
    path.to_string_lossy().into_owned()
}

fn target(wanted: &[Member], now: &[Member], zones: u16) -> Target {
    let text = spec_text(NAME, wanted, now, zones);
    zkplan::spec::parse("bench.yaml", &text).expect("a spec").to_target()
}

fn spec_text(name: &str, wanted: &[Member], now: &[Member], zones: u16) -> String {
    let mut text = format!("apiVersion: zkplan/v1\nensemble: {name}\nservers:\n");
    for (id, observes) in wanted {
        let role = if *observes { ", role: observer" } else { "" };
        let zone = id % zones;
        writeln!(text, "  - {{ id: {id}, host: zk{id}.{name}.example, zone: z{zone}{role} }}")
            .expect("a string");
    }
    text.push_str("zones:\n");
    for (id, _) in now {
        writeln!(text, "  {id}: z{}", id % zones).expect("a string");
    }
    text
}

fn config_text(name: &str, now: &[Member]) -> String {
    let line = |(id, observes): &Member| {
        let role = if *observes { "observer" } else { "participant" };
        format!("server.{id}=zk{id}.{name}.example:2888:3888:{role};0.0.0.0:2181\n")
    };
    now.iter().map(line).chain(["version=100000000".to_owned()]).collect()
}

/// What is known of an ensemble that is all up.
fn facts_of(now: &[Member], target: &Target) -> Facts {
    Facts::assumed(EnsembleConfig::parse(&config_text(NAME, now)).expect("a configuration"), target)
}

/// The median time of making and checking a plan, in milliseconds, and its reconfigs.
fn planning(target: &Target, facts: &Facts) -> (f64, usize) {
    let mut reconfigs = 0;
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let began = Instant::now();
            let checked = propose(target, facts, &[]).expect("a plan");
            let time = began.elapsed();
            reconfigs = checked.plan().reconfigs();
            time
        })
        .collect();
    times.sort();
    (millis(times[RUNS / 2]), reconfigs)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

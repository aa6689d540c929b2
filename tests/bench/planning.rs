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

/// Specs that are planned by one command to JSON.
const SPECS: u16 = 1000;

/// Specs that are planned by one command to Markdown.
const COMMENTED: u16 = 200;

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

/// Specs, each with the configuration of its ensemble saved in a folder, planned by one command.
#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
fn many_specs() {
    let all = format!("{COMMENTED} planned of {COMMENTED} specs");
    for (count, format, mark, marks, promised_ms) in [
        (SPECS, "json", "\"phases\"", usize::from(SPECS), 2000),
        (COMMENTED, "markdown", all.as_str(), 1, 1000),
    ] {
        let (time, planned, error) = planned(count, format, mark);
        assert_eq!(planned, marks, "{error}");
        println!(
            "{count:>4} specs, one command, {format:<8} {:>8.0} ms (promised: {promised_ms} ms)",
            millis(time)
        );
    }
}

/// The time of one command, how often the mark of a plan stands in what it prints, and its stderr.
fn planned(count: u16, format: &str, mark: &str) -> (Duration, usize, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let [specs, live] = ["specs", "live"].map(|name| folder.path().join(name));
    fs::create_dir(&specs).expect("a folder");
    fs::create_dir(&live).expect("a folder");
    for number in 0..count {
        write_ensemble(&specs, &live, number);
    }
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_zkplan"))
        .arg("plan")
        .arg(&specs)
        .arg("--live")
        .arg(&live)
        .args(["--format", format])
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let time = began.elapsed();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{error}");
    (time, String::from_utf8_lossy(&output.stdout).matches(mark).count(), error)
}

/// Three to nine voters, and one of several kinds of change.
fn write_ensemble(specs: &Path, live: &Path, number: u16) {
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

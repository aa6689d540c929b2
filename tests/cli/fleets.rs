//! Many specs in one command: one table, one document, the worst exit code, and an ensemble that does
//! not answer holds up no other.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::documents::fits;
use crate::recorded::Recorded;
use crate::run::{Answer, Desk, LIVE, SPEC};

const BAD: &str = "apiVersion: zkplan/v1\nensemble: bad\nservers: []\n";

/// The one line of a table that is of this ensemble.
fn row<'a>(answer: &'a Answer, ensemble: &str) -> Vec<&'a str> {
    let rows = answer.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut rows = rows.filter(|row| row.first() == Some(&ensemble));
    let row = rows.next().unwrap_or_else(|| panic!("no row of {ensemble}: {answer:?}"));
    assert!(rows.next().is_none(), "two rows of {ensemble}: {answer:?}");
    row
}

fn fleet(answer: &Answer) -> Value {
    let document: Value = serde_json::from_str(&answer.out).expect("JSON");
    assert_eq!(document["format"], "zkplan/fleet", "{document:#}");
    fits("fleet", &document);
    assert_eq!(document["exitCode"], answer.code, "{document:#}");
    document
}

/// Of each member: its label, its exit code, and the format of its document.
fn members(fleet: &Value) -> Vec<(Option<&str>, u64, &str)> {
    let all = fleet["ensembles"].as_array().expect("a list").iter();
    let of = |one: &'_ Value| one["exitCode"].as_u64().expect("a number");
    all.map(|one| {
        let format = one["document"]["format"].as_str().expect("a format");
        (one["ensemble"].as_str(), of(one), format)
    })
    .collect()
}

fn counts(fleet: &Value, keys: [&str; 3]) -> [u64; 3] {
    keys.map(|key| fleet["summary"][key].as_u64().expect("a number"))
}

/// A desk with two healthy ensembles, one that never answers, and a spec that is none.
fn desk() -> (Desk, Recorded) {
    let (desk, servers) = (Desk::new(), Recorded::new());
    fs::create_dir(desk.path("specs")).expect("a folder");
    desk.write("specs/a.yaml", &servers.healthy("a"));
    desk.write("specs/b.yaml", &servers.healthy("b"));
    desk.write("specs/gone.yml", &servers.frozen("gone"));
    (desk, servers)
}

#[test]
fn a_folder_stands_for_the_specs_in_it() {
    let desk = Desk::new();
    for folder in ["specs", "specs/deeper.yaml", "none", "live"] {
        fs::create_dir(desk.path(folder)).expect("a folder");
    }
    desk.write("live/prod", LIVE);
    desk.write("live/other", LIVE);
    desk.write("specs/prod.yml", SPEC);
    desk.write("specs/other.yaml", &SPEC.replace("prod", "other").replace("10.0.0.", "10.0.1."));
    desk.write("specs/notes.txt", "no spec");
    let valid = desk.zkplan(&["validate", "specs"]);
    assert_eq!(valid.code, 0, "{valid:?}");
    let files: Vec<&str> =
        valid.out.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(files, ["specs/other.yaml", "specs/prod.yml"]);
    // A spec in a folder is not written over, either.
    fs::remove_file(desk.path("specs/other.yaml")).expect("it was there");
    let own = desk.zkplan(&["plan", "specs", "--live", "live", "--out", "specs/prod.yml"]);
    assert_eq!(own.code, 64, "{own:?}");
    assert_eq!(desk.read("specs/prod.yml"), SPEC);
    // One that has none is no success.
    for command in ["validate", "drift", "status", "preflight", "plan"] {
        let none = desk.zkplan(&[command, "none"]);
        assert_eq!(none.code, 1, "{command}: {none:?}");
        assert!(none.err.contains("none cannot be read") && none.err.contains(".yaml"), "{none:?}");
    }
}

#[test]
fn a_status_of_many_is_one_table_and_one_document_with_the_worst_exit_code() {
    let (desk, _servers) = desk();
    let seen = desk.zkplan(&["status", "specs"]);
    assert_eq!((seen.code, seen.err.as_str()), (10, ""), "{seen:?}");
    seen.assert_clean();
    for name in ["a", "b"] {
        let path = format!("specs/{name}.yaml");
        let words = [name, &path, "no", "changes", "possible", "3", "of", "3", "1", "0"];
        assert_eq!(row(&seen, name), words);
    }
    assert_eq!(row(&seen, "gone")[..3], ["gone", "specs/gone.yml", "unreachable"]);
    assert!(seen.out.ends_with("Details of one: zkplan status SPEC\n"), "{seen:?}");

    desk.write("bad.yaml", BAD);
    let words = ["status", "specs", "bad.yaml", "--format", "json"];
    let answer = desk.zkplan(&words);
    assert_eq!(answer.code, 65, "{answer:?}");
    let all = fleet(&answer);
    let (status, error) = ("zkplan/status", "zkplan/error");
    let expected = [(Some("a"), 0, status), (Some("b"), 0, status), (Some("gone"), 10, status)];
    assert_eq!(members(&all)[..3], expected);
    assert_eq!(members(&all)[3], (None, 65, error));
    for one in &all["ensembles"].as_array().expect("a list")[..3] {
        fits("status", &one["document"]);
    }
    assert_eq!(counts(&all, ["ready", "blocked", "failed"]), [2, 0, 2]);

    // One alone is as it was, with the screen that the table names.
    let alone = desk.zkplan(&["status", "specs/a.yaml"]);
    assert_eq!(alone.code, 0, "{alone:?}");
    assert!(alone.out.contains("2 of 3 voters needed, 3 in sync"), "{alone:?}");
}

#[test]
fn a_preflight_of_many_counts_what_failed_and_has_the_worst_exit_code() {
    let (desk, _servers) = desk();
    let alone = desk.zkplan(&["preflight", "specs/a.yaml", "--format", "json"]);
    let one: Value = serde_json::from_str(&alone.out).expect("JSON");
    let answer = desk.zkplan(&["preflight", "specs", "--format", "json"]);
    let all = fleet(&answer);
    assert_eq!(answer.code, 10, "{answer:?}");
    let code = u64::try_from(alone.code).expect("a code");
    let expected = [
        (Some("a"), code, "zkplan/preflight"),
        (Some("b"), code, "zkplan/preflight"),
        (Some("gone"), 10, "zkplan/error"),
    ];
    assert_eq!(members(&all), expected);
    let document = &all["ensembles"][0]["document"];
    fits("preflight", document);
    assert_eq!(document["summary"], one["summary"], "{document:#}");

    let text = desk.zkplan(&["preflight", "specs"]);
    assert_eq!(text.code, 10, "{text:?}");
    let summary = &one["summary"];
    let numbers = ["failed", "advised", "unknown"].map(|key| summary[key].to_string());
    let [row_a, row_b] = ["a", "b"].map(|name| row(&text, name));
    for row in [row_a, row_b] {
        let from = row.len() - 8;
        assert_eq!(row[from..from + 3], numbers.each_ref().map(String::as_str), "{text:?}");
        assert_eq!(row[from + 3..from + 7], ["3", "of", "3", "1"], "{text:?}");
    }
    assert_eq!(row(&text, "gone")[2..4], ["not", "seen"]);
    assert!(text.out.ends_with("Details of one: zkplan preflight FILE\n"), "{text:?}");
}

#[test]
fn flags_that_are_of_one_ensemble_are_refused_for_many() {
    let desk = Desk::new();
    for (words, said) in [
        (&["--watch"][..], "--watch works only with one file"),
        (&["--connect", "zk1:2181"], "--connect works only with one file"),
        (&["--zoo-cfg", "1=a.cfg"], "--zoo-cfg works only with one file"),
        (&["--all"], "--all works only with one file"),
    ] {
        let answer = desk.zkplan(&[&["preflight", "a.yaml", "b.yaml"], words].concat());
        assert_eq!((answer.code, answer.out.as_str()), (64, ""), "{answer:?}");
        assert!(answer.err.contains(said), "{answer:?}");
    }
}

/// Ends a command that would go on for ever.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_watch_of_many_prints_a_line_for_each_or_a_document_a_round() {
    let (desk, _servers) = desk();
    let first = |words: &[&str], lines: usize| -> Vec<String> {
        let mut watch = Running(
            Command::new(env!("CARGO_BIN_EXE_zkplan"))
                .args(["status", "specs", "--watch"])
                .args(words)
                .current_dir(desk.path(""))
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .expect("the binary runs"),
        );
        let out = watch.0.stdout.take().expect("a pipe");
        BufReader::new(out).lines().take(lines).map(|line| line.expect("a line")).collect()
    };
    let lines = first(&[], 3);
    for (line, name) in lines.iter().zip(["a: config version", "b: config version", "gone: no se"])
    {
        assert!(line.contains(name), "{lines:?}");
    }
    let rounds = first(&["--format", "json"], 1);
    let round: Value = serde_json::from_str(&rounds[0]).expect("JSON");
    fits("fleet", &round);
    assert_eq!(round["ensembles"].as_array().expect("a list").len(), 3);
}

/// Healthy ensembles beside those that never answer, which come first.
fn many(desk: &Desk, servers: &Recorded, healthy: usize, frozen: usize) -> Vec<String> {
    let mut specs = Vec::new();
    for at in 0..frozen {
        specs.push(format!("frozen-{at}.yaml"));
        desk.write(&specs[at], &servers.frozen(&format!("frozen-{at}")));
    }
    for at in 0..healthy {
        let spec = format!("healthy-{at}.yaml");
        desk.write(&spec, &servers.healthy(&format!("healthy-{at}")));
        specs.push(spec);
    }
    specs
}

fn timed(desk: &Desk, words: &[&str]) -> (Answer, Duration) {
    let began = Instant::now();
    let answer = desk.zkplan(words);
    (answer, began.elapsed())
}

/// One after the other, ten that hang would take ten times as long as one.
#[test]
fn ten_that_never_answer_take_the_time_of_one_and_delay_no_other() {
    let (desk, servers) = (Desk::new(), Recorded::new());
    let specs = many(&desk, &servers, 20, 10);
    for command in ["drift", "status"] {
        let (alone, hang) = timed(&desk, &[command, "frozen-0.yaml"]);
        assert_eq!(alone.code, 10, "{alone:?}");
        let words = [command, "--format", "json"].into_iter();
        let words: Vec<&str> = words.chain(specs.iter().map(String::as_str)).collect();
        let (answer, time) = timed(&desk, &words);
        assert!(time < 2 * hang, "{command}: {time:?}, and one hang takes {hang:?}");
        let all = fleet(&answer);
        let codes: Vec<u64> = members(&all).into_iter().map(|(_, code, _)| code).collect();
        assert_eq!(codes[..10], [10; 10], "{command}");
        assert_eq!(codes[10..], [0; 20], "{command}: {all:#}");
    }
}

#[test]
fn a_drift_that_saw_no_ensemble_says_so() {
    let desk = Desk::new();
    let silent = SPEC.replace("10.0.0.", "127.0.0.").replace(" }", ", clientPort: 1 }");
    desk.write("one.yaml", &silent);
    desk.write("two.yaml", &silent.replace("prod", "other"));
    let answer = desk.zkplan(&["drift", "one.yaml", "two.yaml", "--format", "json"]);
    let text = &fleet(&answer)["summary"]["text"];
    assert_eq!(text, "2 specs: 0 drifted, 0 without drift, 2 not seen.");
}

/// With a connection too many, a server that answers looks unreachable: those that never answer hold more
/// connections than there may be open files.
#[test]
fn many_ensembles_are_seen_where_few_files_may_be_open() {
    let (desk, servers) = (Desk::new(), Recorded::new());
    let specs = many(&desk, &servers, 3, 50);
    for spec in &specs[..50] {
        let text = desk.read(spec) + "connect: { timeouts: { connect: 300ms, answer: 300ms } }\n";
        desk.write(spec, &text);
    }
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 256 && exec \"$0\" drift --format json \"$@\""])
        .arg(env!("CARGO_BIN_EXE_zkplan"))
        .args(&specs)
        .current_dir(desk.path(""))
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("no route"), "{text}");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(counts(&document, ["unchanged", "drifted", "failed"]), [3, 0, 50], "{document:#}");
}

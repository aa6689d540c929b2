//! Folders of `tests/scenarios`: a configuration, a spec, and what `zkplan plan` says of them.
//!
//! `live` is the text of `/zookeeper/config`, `words` holds further words of the command line, and
//! `expected` is the exit code and everything printed. `ZKPLAN_UPDATE=1` writes `expected` anew, for
//! a person to read before it is committed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Desk, project_file};

#[test]
fn every_scenario_is_as_expected() {
    let mut folders: Vec<PathBuf> = fs::read_dir(project_file("tests/scenarios"))
        .expect("the scenarios")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.sort();
    assert!(folders.len() >= 20, "{} scenarios", folders.len());
    let mut differing = Vec::new();
    for folder in folders {
        let expected = folder.join("expected");
        let now = outcome(&folder);
        if std::env::var_os("ZKPLAN_UPDATE").is_some() {
            fs::write(&expected, &now).expect("a file");
        }
        let was = fs::read_to_string(&expected).unwrap_or_default();
        if was != now {
            differing.push(format!("{}:\n{now}\ninstead of\n{was}", folder.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

// A test for each width: they are the longest of the suite, and run side by side.

#[test]
fn every_screen_is_laid_out_for_60_columns() {
    fits("60");
}

#[test]
fn every_screen_is_laid_out_for_80_columns() {
    fits("80");
}

#[test]
fn every_screen_is_laid_out_for_132_columns() {
    fits("132");
}

#[test]
fn every_screen_is_laid_out_for_200_columns() {
    fits("200");
}

/// Panics where a screen is wider than this.
fn fits(columns: &str) {
    let width = columns.parse().expect("a number");
    for entry in fs::read_dir(project_file("tests/scenarios")).expect("the scenarios") {
        let folder = entry.expect("an entry").path();
        let printed = printed(&folder, columns);
        // What is to be copied stands on one line, as it is.
        let starts = ["Next: ", "Next, after ", "To see each failure: "];
        let is_literal = |line: &str| {
            line.contains("server.") || starts.iter().any(|start| line.starts_with(start))
        };
        let too_long: Vec<&str> =
            printed.lines().filter(|line| line.len() > width && !is_literal(line)).collect();
        assert!(too_long.is_empty(), "{} at {columns}: {too_long:#?}", folder.display());
    }
}

/// 200 servers, one of which is exchanged: what stays as it is is counted, not shown.
#[test]
fn a_large_ensemble_is_one_screen() {
    let line = |id: usize| {
        let role = if id <= 5 { "participant" } else { "observer" };
        format!("server.{id}=10.0.{}.{}:2888:3888:{role};2181", id / 200, id % 200 + 1)
    };
    let desk = Desk::new();
    let live: Vec<String> = (1..=200).map(line).collect();
    desk.write("live", &(live.join("\n") + "\nversion=100000000\n"));
    let wanted = (1..=201).filter(|id| *id != 7).map(|id| format!("  - {}\n", line(id)));
    let head = "apiVersion: zkplan/v1\nensemble: large\nservers:\n";
    desk.write("spec.yaml", &(head.to_owned() + &wanted.collect::<String>()));
    let answer = desk.zkplan(&["plan", "spec.yaml", "--live", "live"]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.out.lines().count() < 80, "{}", answer.out);
    assert!(answer.out.contains("199 more are assumed to answer"), "{}", answer.out);
    assert!(
        answer.out.contains("- leave       server.7=")
            && answer.out.contains("+ join        server.201=")
    );
}

fn outcome(folder: &Path) -> String {
    printed(folder, "100")
}

fn printed(folder: &Path, columns: &str) -> String {
    let desk = Desk::new();
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    desk.write("live", &read("live"));
    desk.write("spec.yaml", &read("spec.yaml"));
    let more = read("words");
    let mut words = vec!["plan", "spec.yaml", "--live", "live", "--detailed-exitcode"];
    words.extend(more.split_whitespace());
    let answer = desk.zkplan_with(&words, &[("COLUMNS", columns)]);
    answer.assert_clean();
    format!("exit code {}\n{}{}", answer.code, answer.out, answer.err)
}

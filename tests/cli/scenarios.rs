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

fn outcome(folder: &Path) -> String {
    let desk = Desk::new();
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    desk.write("live", &read("live"));
    desk.write("spec.yaml", &read("spec.yaml"));
    let more = read("words");
    let mut words = vec!["plan", "spec.yaml", "--live", "live", "--detailed-exitcode"];
    words.extend(more.split_whitespace());
    let answer = desk.zkplan_with(&words, &[("COLUMNS", "100")]);
    answer.assert_clean();
    format!("exit code {}\n{}{}", answer.code, answer.out, answer.err)
}

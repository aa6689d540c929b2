//! Holds that the tests that `tests/seen-to-fail.md` names by number are there.

use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust below a folder, in one text.
fn rust_below(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            text += &rust_below(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(&path).expect("text");
        }
    }
    text
}

#[test]
fn every_numbered_finding_has_a_test_that_is_there() {
    let versions = (1..=11).map(|number| format!("V{number}"));
    let in_the_wild = (1..=22).map(|number| format!("W{number}"));
    let others = ["S4", "U10", "U11", "U18"].map(str::to_owned);
    let clients = clients();
    let numbers = versions.chain(in_the_wild).chain(others).chain(clients.clone());
    have_tests("tests/seen-to-fail.md", "\n## By number\n", numbers);
    have_tests("tests/README.md", "\n## Real clients\n", clients);
}

/// What was found with real clients.
fn clients() -> impl Iterator<Item = String> + Clone {
    (1..=8).map(|number| format!("K{number}"))
}

/// Each of these numbers has a row behind that heading of a page, and the tests that it names exist.
fn have_tests(page: &str, heading: &str, numbers: impl Iterator<Item = String>) {
    let page = fs::read_to_string(root().join(page)).expect("the page");
    let (_, table) = page.split_once(heading).expect("the table");
    let sources = rust_below(&root().join("src")) + &rust_below(&root().join("tests"));
    for number in numbers {
        let row = table.lines().find(|row| row.starts_with(&format!("| {number} |")));
        let row = row.unwrap_or_else(|| panic!("{number} has no row"));
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().expect("a last cell");
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{number} has no test");
        for name in names {
            let is_there = if name.contains('/') {
                root().join("tests").join(name).is_dir()
            } else {
                sources.contains(&format!("fn {name}("))
            };
            assert!(is_there, "{number}: there is no {name}");
        }
    }
}

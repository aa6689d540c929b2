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
    let page = fs::read_to_string(root().join("tests/seen-to-fail.md")).expect("the page");
    let (_, table) = page.split_once("\n## By number\n").expect("the table");
    let sources = rust_below(&root().join("src")) + &rust_below(&root().join("tests"));
    let versions = (1..=11).map(|number| format!("V{number}"));
    let in_the_wild = (1..=22).map(|number| format!("W{number}"));
    let others = ["S4", "U10", "U11", "U18"].map(str::to_owned);
    for number in versions.chain(in_the_wild).chain(others) {
        let row = table.lines().find(|row| row.starts_with(&format!("| {number} |")));
        let (_, tests) =
            row.and_then(|row| row.split_once(" | ")?.1.split_once(" | ")).expect(&number);
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

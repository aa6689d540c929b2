//! Holds that each row of `tests/pains.md` names tests that exist, or says that zkplan does not do it.

use std::fs;
use std::path::Path;

#[test]
fn every_pain_has_a_test_or_is_said_not_to_be_done() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("tests/pains.md")).expect("the table");
    let mut numbers = Vec::new();
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| # ")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [number, pain, answer, tests] = cells[..] else { panic!("not four columns: {row}") };
        assert!(!pain.is_empty() && !answer.is_empty(), "pain {number} has no text");
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert_ne!(names.is_empty(), !answer.starts_with("not done"), "pain {number}: {tests}");
        for named in names {
            let (file, test) = named.split_once("::").expect("a file and a test");
            let file = fs::read_to_string(root.join(file));
            let file = file.unwrap_or_else(|why| panic!("pain {number}: {named}: {why}"));
            assert!(file.contains(&format!("fn {test}(")), "pain {number}: there is no {named}");
        }
        numbers.push(number.to_owned());
    }
    let wanted: Vec<String> = (1..=20).map(|number| number.to_string()).collect();
    assert_eq!(numbers, wanted);
}

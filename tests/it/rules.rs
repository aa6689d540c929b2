//! The index of safety rules and their tests, `tests/rules.md`, written from the tests themselves.
//! `ZKPLAN_UPDATE=1` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use zkplan::check::Law;

const INDEX: &str = "tests/rules.md";

/// What tests a rule.
#[derive(Default)]
struct RuleTests {
    /// Unit tests in the file of the rule.
    unit: Vec<String>,
    /// Folders of golden screens that show the code.
    folders: BTreeMap<String, BTreeSet<String>>,
    /// Tests that name the code or the rule, by suite and file.
    named: BTreeMap<String, Vec<String>>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

#[test]
fn the_index_of_rules_is_that_of_the_tests() {
    let index = index();
    if std::env::var_os("ZKPLAN_UPDATE").is_some() {
        fs::write(root().join(INDEX), &index).expect("the index can be written");
    }
    assert!(read(INDEX) == index, "{INDEX}: run the tests with ZKPLAN_UPDATE=1");
}

#[test]
fn every_rule_has_a_file_a_page_and_a_test() {
    for law in Law::ALL {
        let file = file_of(law);
        assert!(
            read(format!("src/check/rules/{file}.rs"))
                .starts_with(&format!("//! {}: ", law.code()))
        );
        assert!(read(format!("src/check/rules/{file}.md")).contains("\n## An example\n"), "{file}");
        let RuleTests { unit, folders, named } = tests_of(law);
        let count = unit.len() + folders.len() + named.values().map(Vec::len).sum::<usize>();
        assert!(count > 0, "{} has no test", law.code());
    }
}

/// The file of a rule, from the table in `src/check/rules/mod.rs`.
fn file_of(law: Law) -> String {
    let row = format!("//! | {} | `{law:?}` | `", law.code());
    let table = read("src/check/rules/mod.rs");
    let rest = table.split_once(&row).unwrap_or_else(|| panic!("no row {row}")).1;
    rest.split('`').next().expect("a file").to_owned()
}

fn index() -> String {
    let mut index = String::from(
        "# Safety rules and their tests\n\n\
         Written by `ZKPLAN_UPDATE=1 cargo test --test it rules`. The page of each rule holds examples that \
         `it explained` runs;\nthe properties in `it plans`, `proof` and `model` hold all rules together.\n",
    );
    for law in Law::ALL {
        let file = file_of(law);
        let RuleTests { unit, folders, named } = tests_of(law);
        let _ = write!(index, "\n## {} {file}\n\n", law.code());
        for name in unit {
            let _ = writeln!(index, "- `check::rules::{file}::tests::{name}`");
        }
        for (folder, of_folder) in folders {
            let names: Vec<String> = of_folder.into_iter().collect();
            let _ = writeln!(index, "- {folder}: {}", names.join(", "));
        }
        for (file, names) in named {
            let _ = writeln!(index, "- {file}: {}", names.join(", "));
        }
    }
    index
}

fn tests_of(law: Law) -> RuleTests {
    let mut tests = RuleTests::default();
    let own = read(format!("src/check/rules/{}.rs", file_of(law)));
    tests.unit = functions(&own).into_iter().map(|(name, _)| name).collect();
    for folder in ["scenarios", "incidents"] {
        for entry in sorted(&root().join("tests").join(folder)) {
            let shows = fs::read_to_string(entry.join("expected"));
            if shows.is_ok_and(|screen| has_word(&screen, law.code())) {
                let names = tests.folders.entry(folder.to_owned()).or_default();
                names.insert(entry.file_name().expect("a name").to_string_lossy().into_owned());
            }
        }
    }
    let name = format!("Law::{law:?}");
    for path in rust_files() {
        let inside = path.strip_prefix(root().join("tests")).expect("below tests");
        let file = inside.with_extension("").to_string_lossy().replace('/', " ");
        for (test, body) in functions(&fs::read_to_string(&path).expect("a file")) {
            if has_word(&body, law.code()) || has_word(&body, &name) {
                tests.named.entry(file.clone()).or_default().push(test);
            }
        }
    }
    tests
}

/// The test functions of a file, each with its text.
fn functions(text: &str) -> Vec<(String, String)> {
    let tests = text.split("#[test]\n").skip(1).chain(text.split("#[tokio::test]\n").skip(1));
    let function = |text: &str| {
        let (_, rest) = text.split_once("fn ")?;
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let indent = text.len() - text.trim_start_matches(' ').len();
        let end = format!("\n{}}}\n", " ".repeat(indent));
        Some((name, rest.split(&end).next()?.to_owned()))
    };
    tests.filter_map(function).collect()
}

/// Whether a text contains a word that is no part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let after = text[at + word.len()..].chars().next();
        let before = text[..at].chars().next_back();
        [before, after].iter().all(|c| !c.is_some_and(char::is_alphanumeric))
    })
}

fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("tests")];
    while let Some(folder) = folders.pop() {
        for path in sorted(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

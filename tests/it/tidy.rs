//! The shape of the source tree, read from its text.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules that each module may use: arrows point one way.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("spec", &["model"]),
    ("ensemble", &["model"]),
    ("simulator", &["model", "ensemble"]),
    ("trust", &["ensemble"]),
    ("observe", &["model", "ensemble", "trust"]),
    ("import", &["model", "spec", "observe"]),
    ("diff", &["model"]),
    ("plan", &["model", "observe", "diff"]),
    ("check", &["model", "observe", "diff", "plan"]),
    ("proposal", &["model", "observe", "diff", "plan", "check"]),
    ("settings", &["model"]),
    ("first_quorum", &["model", "ensemble", "settings"]),
    ("joiner", &["model", "observe", "plan", "settings"]),
    ("prediction", &["model", "observe", "plan", "check", "joiner"]),
    ("whynot", &["model", "plan", "check"]),
    ("document", &[]),
    ("snapshot", &["document"]),
    ("recovery", &["model", "joiner", "snapshot"]),
    ("backup", &["model", "plan", "snapshot"]),
    ("saved", &["document", "model", "observe", "diff", "plan", "check"]),
    ("explain", &[]),
    (
        "apply",
        &[
            "model", "ensemble", "trust", "observe", "diff", "plan", "check", "proposal",
            "document", "saved",
        ],
    ),
    ("preflight", &["model", "ensemble", "trust", "observe", "apply"]),
    ("restarting", &["model", "observe", "plan", "check", "apply", "preflight"]),
    (
        "rehearsal",
        &[
            "model",
            "ensemble",
            "simulator",
            "trust",
            "observe",
            "plan",
            "check",
            "saved",
            "apply",
            "preflight",
            "restarting",
        ],
    ),
    ("status", &["model", "ensemble", "observe", "plan", "check", "proposal", "apply"]),
    ("drift", &["model", "observe", "diff"]),
    ("rebase", &["model", "observe", "diff", "plan", "apply", "saved"]),
    ("rollback", &["model", "spec", "observe", "diff", "plan", "apply"]),
    (
        "render",
        &[
            "model",
            "spec",
            "ensemble",
            "trust",
            "observe",
            "diff",
            "plan",
            "check",
            "proposal",
            "settings",
            "first_quorum",
            "joiner",
            "explain",
            "prediction",
            "whynot",
            "apply",
            "preflight",
            "rehearsal",
            "status",
            "drift",
            "rebase",
            "rollback",
            "snapshot",
            "recovery",
            "backup",
        ],
    ),
    (
        "report",
        &[
            "document",
            "model",
            "spec",
            "ensemble",
            "trust",
            "observe",
            "diff",
            "plan",
            "check",
            "proposal",
            "settings",
            "first_quorum",
            "joiner",
            "prediction",
            "whynot",
            "saved",
            "apply",
            "preflight",
            "rehearsal",
            "status",
            "drift",
            "rebase",
            "rollback",
            "snapshot",
            "recovery",
            "backup",
            "render",
        ],
    ),
    ("review", &["model", "plan", "check", "saved", "apply", "render", "report"]),
    ("demo", &["model", "spec", "ensemble"]),
    (
        "cli",
        &[
            "model",
            "spec",
            "ensemble",
            "trust",
            "observe",
            "import",
            "diff",
            "plan",
            "check",
            "proposal",
            "settings",
            "first_quorum",
            "joiner",
            "prediction",
            "whynot",
            "document",
            "saved",
            "apply",
            "preflight",
            "rehearsal",
            "status",
            "drift",
            "rebase",
            "rollback",
            "snapshot",
            "recovery",
            "backup",
            "render",
            "report",
            "review",
            "explain",
            "restarting",
            "demo",
        ],
    ),
];

/// Lines of a source file that are still easy to know; tests included.
const MAX_LINES: usize = 600;

fn sources() -> BTreeMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    let mut dirs = vec![root];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                files.insert(path, text);
            }
        }
    }
    files
}

fn module_of(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let inside = path.strip_prefix(root).expect("below src");
    let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn is_for_tests(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.contains("/tests/") || text.ends_with("tests.rs") || text.ends_with("fixture.rs")
}

/// The part of a file above its tests.
fn shipped(text: &str) -> &str {
    text.split_once("#[cfg(test)]\nmod tests").map_or(text, |(code, _)| code)
}

#[test]
fn arrows_between_modules_point_one_way() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        if module == "lib" || module == "main" || is_for_tests(&path) {
            continue;
        }
        let (_, allowed) =
            MAY_USE.iter().find(|(name, _)| *name == module).expect("a module with a place");
        for used in shipped(&text).split("crate::").skip(1) {
            let name: String =
                used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if name != module && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{} uses crate::{name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_small_enough_to_know() {
    let long: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > MAX_LINES)
        .map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn only_cli_reads_files_and_only_the_port_and_cli_wait() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        // It runs processes: their files, their time to come up, and where Java is, are its subject.
        if module == "demo" {
            continue;
        }
        let text = shipped(&text);
        let files = ["fs::read", "fs::write", "fs::File", "std::env::"];
        let clocks = ["Instant::now", "SystemTime", "tokio::"];
        let reads = files.iter().any(|word| text.contains(word));
        let waits = clocks.iter().any(|word| text.contains(word));
        let certificates = path.ends_with("ensemble/transport.rs");
        if reads
            && !matches!(module.as_str(), "cli" | "main")
            && !certificates
            && !is_for_tests(&path)
        {
            wrong.push(format!("{} reads files or the environment", path.display()));
        }
        if waits && !matches!(module.as_str(), "cli" | "ensemble") && !is_for_tests(&path) {
            wrong.push(format!("{} has a clock or a runtime", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Words of a private dialect: the plain word is shorter to read for a reader who meets it first. The rest of
/// the guide is read by people.
const NOT_PLAIN: &[&str] =
    &["nobody", "somebody", "whoever", "told", "so many", "bury", "deed", "blow", "knock"];

#[test]
fn words_are_plain_english() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders =
        ["src/explain", "src/check/rules", "src/preflight"].map(|folder| root.join(folder));
    let pages = folders.into_iter().flat_map(|folder| fs::read_dir(folder).expect("pages"));
    let pages = pages.map(|entry| entry.expect("an entry").path());
    let pages = pages.filter(|path| path.extension().is_some_and(|e| e == "md"));
    let pages = pages.chain([root.join("README.md"), root.join("CHANGELOG.md")]);
    let pages = pages.map(|path| (path.clone(), fs::read_to_string(path).expect("a page")));
    let mut wrong = Vec::new();
    for (path, text) in sources().into_iter().chain(pages) {
        for (number, line) in text.lines().enumerate() {
            let of_line = words(line);
            let has = |word: &&&str| of_line.contains(&format!(" {word} "));
            if let Some(word) = NOT_PLAIN.iter().find(has) {
                wrong.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The words of a line in small letters, each between two spaces.
fn words(line: &str) -> String {
    let apart = |c: char| !(c.is_alphanumeric() || c == '_');
    let words: Vec<String> = line.split(apart).map(str::to_lowercase).collect();
    format!(" {} ", words.join(" "))
}

#[test]
fn no_two_public_types_share_a_name() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources() {
        for line in shipped(&text).lines() {
            let line = line.trim_start();
            let kinds = ["pub struct ", "pub enum ", "pub trait ", "pub type "];
            if let Some(rest) = kinds.iter().find_map(|kind| line.strip_prefix(kind)) {
                let name = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
                places.entry(name).or_default().push(path.display().to_string());
            }
        }
    }
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

#[test]
fn no_two_files_of_a_folder_share_a_name() {
    let mut places: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for path in sources().into_keys() {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name != "mod.rs" && name != "tests.rs" {
            let key = (module_of(&path), name);
            places.entry(key).or_default().push(path.display().to_string());
        }
    }
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

//! What zkplan is built from: licences that `deny.toml` allows, and no crate that needs a newer Rust
//! than `Cargo.toml` promises.
//!
//! `cargo metadata` is asked offline, for this machine: what was not fetched is not built in.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The crates that this machine builds, tests included.
fn packages() -> Vec<Value> {
    let rustc = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let about = String::from_utf8(rustc.stdout).expect("text");
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let metadata = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1"])
        .args(["--filter-platform", host])
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list").clone();
    assert!(packages.len() > 100, "{} crates", packages.len());
    packages
}

fn text<'a>(package: &'a Value, key: &str) -> &'a str {
    package[key].as_str().unwrap_or_default()
}

/// The licences in `licenses.allow` of `deny.toml`, one a line.
fn allowed() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    let file = fs::read_to_string(path).expect("deny.toml");
    let (_, list) = file.split_once("\nallow = [").expect("licenses.allow");
    let (list, _) = list.split_once(']').expect("the end of the list");
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether a licence expression can be met. `AND` binds closer than `OR`, as in SPDX; `/` is the old
/// form of `OR`.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any_of(&mut words, allowed)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut is_met = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        is_met |= all_of(words, allowed);
    }
    is_met
}

fn all_of(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut is_met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        is_met &= one(words, allowed);
    }
    is_met
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let is_met = any_of(words, allowed);
        words.next_if_eq(&")");
        return is_met;
    }
    let mut licence = words.next().unwrap_or_default().to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        licence = licence + " WITH " + words.next().unwrap_or_default();
    }
    allowed.contains(&licence)
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let allowed = ["MIT".to_owned(), "ISC".to_owned()];
    for (expression, wanted) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("ISC AND (GPL-3.0 OR MIT)", true),
        ("GPL-3.0 AND ISC OR MIT", true),
        ("MIT WITH LLVM-exception", false),
        ("", false),
    ] {
        assert_eq!(is_met(expression, &allowed), wanted, "{expression}");
    }
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    let allowed = allowed();
    let refused: Vec<String> = packages()
        .iter()
        .filter(|package| !is_met(text(package, "license"), &allowed))
        .map(|package| format!("{}: `{}`", text(package, "name"), text(package, "license")))
        .collect();
    assert!(refused.is_empty(), "not in licenses.allow of deny.toml:\n{}", refused.join("\n"));
}

#[test]
fn no_dependency_needs_a_newer_rust_than_we_promise() {
    let number = |version: &str| -> Vec<u32> {
        let parts = version.split('.').take(2).map(|part| part.parse().expect("a number"));
        parts.collect()
    };
    let ours = number(env!("CARGO_PKG_RUST_VERSION"));
    let newer: Vec<String> = packages()
        .iter()
        .filter(|package| {
            package["rust_version"].as_str().is_some_and(|version| number(version) > ours)
        })
        .map(|package| format!("{} {}", text(package, "name"), text(package, "rust_version")))
        .collect();
    assert!(newer.is_empty(), "rust-version in Cargo.toml is too low for:\n{}", newer.join("\n"));
}

#[test]
fn the_table_of_dependencies_is_complete() {
    let packages = packages();
    let own = packages.iter().find(|package| text(package, "name") == env!("CARGO_PKG_NAME"));
    let listed = own.and_then(|own| own["dependencies"].as_array()).expect("a list");
    // Those of tests and of the build have a kind.
    let shipped = listed.iter().filter(|dependency| dependency["kind"].is_null());
    let shipped: BTreeSet<&str> = shipped.map(|dependency| text(dependency, "name")).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/CONTRIBUTING.md");
    let page = fs::read_to_string(path).expect("CONTRIBUTING.md");
    let (_, table) = page.split_once("| crate | for |\n|---|---|\n").expect("the table");
    let rows = table.lines().map_while(|row| row.strip_prefix("| ")?.split_once(" | "));
    let explained: BTreeSet<&str> = rows.flat_map(|(crates, _)| crates.split(", ")).collect();
    assert_eq!(explained, shipped);
}

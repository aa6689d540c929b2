//! Names the commit that a shipped binary was built from, for `zkplan --version`.
//!
//! Builds for tests name none: Cargo rebuilds a whole package whose build script ran again, and a
//! commit must not rebuild the tests. The date is the commit's, never today's: two builds of one
//! commit are equal.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What Cargo writes beside the sources of a package.
const PACKAGED: &str = ".cargo_vcs_info.json";

/// What a binary is made of, as far as a commit holds it.
const SOURCES: [&str; 4] = ["src", "build.rs", "Cargo.toml", "Cargo.lock"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Ok(info) = fs::read_to_string(PACKAGED) {
        println!("cargo::rerun-if-changed={PACKAGED}");
        if let Some(commit) = packaged_commit(&info) {
            println!("cargo::rustc-env=ZKPLAN_COMMIT={commit}");
        }
    } else if is_shipped() {
        name_the_commit();
    }
}

/// Whether this build is of the profile `release`: the folder of a profile has its name.
fn is_shipped() -> bool {
    let out = env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR");
    Path::new(&out).iter().any(|part| part == "release")
}

/// Tells Cargo the commit of the repository whose top folder is the package, if there is one.
fn name_the_commit() {
    // Sources that lie inside another project's repository are not of its commits.
    if git(&["rev-parse", "--show-prefix"]).as_deref() != Some("") {
        return;
    }
    let Some(commit) = git(&["log", "-1", "--format=%H %cI"]) else { return };
    let (hash, date) = commit.split_once(' ').expect("two fields");
    println!("cargo::rustc-env=ZKPLAN_COMMIT={hash}");
    println!("cargo::rustc-env=ZKPLAN_COMMIT_DATE={date}");
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(SOURCES);
    if git(&status).is_some_and(|changes| !changes.is_empty()) {
        println!("cargo::rustc-env=ZKPLAN_COMMIT_MODIFIED=1");
    }
    for path in SOURCES {
        println!("cargo::rerun-if-changed={path}");
    }
    // Each commit and each checkout changes one of these. Cargo takes a path that does not exist
    // for changed.
    let branch = git(&["symbolic-ref", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        if let Some(path) = git(&["rev-parse", "--git-path", name])
            && Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// What git answers; `None` where there is no git or no repository.
fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}

/// The commit in `{"git": {"sha1": "..."}}`.
fn packaged_commit(info: &str) -> Option<&str> {
    let (_, rest) = info.split_once("\"sha1\"")?;
    rest.split('"').nth(1)
}

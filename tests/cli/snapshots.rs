//! `zkplan snapshot` on the files of real servers (`tests/data-directories`), and on copies of them with
//! damage.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use zkplan::report::SCHEMAS;

use crate::run::{Answer, Desk};

pub(crate) fn json(answer: &Answer) -> Value {
    let document: Value = serde_json::from_str(&answer.out).expect("JSON");
    let of = SCHEMAS.iter().find(|(name, _)| *name == "snapshot").expect("a schema");
    let validator = jsonschema::validator_for(&of.1()).expect("a schema");
    let wrong: Vec<String> =
        validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{document:#}: {wrong:?}");
    assert_eq!(document["exitCode"], answer.code);
    document
}

/// The directories of the corpus, by release and setting.
pub(crate) fn corpus() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data-directories");
    let entries = fs::read_dir(root).expect("the corpus");
    let entries = entries.map(|entry| entry.expect("an entry").path());
    let mut all: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    all.sort();
    assert!(!all.is_empty());
    all
}

pub(crate) fn copied(desk: &Desk, from: &Path) {
    let to = desk.path("data/version-2");
    drop(fs::remove_dir_all(&to));
    fs::create_dir_all(&to).expect("a folder");
    for entry in fs::read_dir(from).expect("a directory of the corpus") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("a copy");
    }
}

fn verified(desk: &Desk) -> Value {
    json(&desk.zkplan(&["snapshot", "verify", "data", "--format", "json"]))
}

/// What real servers wrote is whole where they wrote digests.
#[test]
fn the_files_of_real_servers_are_whole() {
    let desk = Desk::new();
    for directory in corpus() {
        copied(&desk, &directory);
        let seen = verified(&desk);
        let has_digests = !directory.to_string_lossy().contains("no-digest");
        let verdict = if has_digests { "whole" } else { "notProvable" };
        assert_eq!(seen["verdict"], verdict, "{}: {:#}", directory.display(), seen["findings"]);
        if has_digests {
            assert_eq!(seen["provenZxid"], seen["lastZxid"], "{seen:#}");
        }
        let text = desk.zkplan(&["snapshot", "verify", "data"]);
        let first = if has_digests { "data: Whole up to zxid" } else { "data: Not provable" };
        assert!(text.out.starts_with(first), "{text:?}");
        let inside = json(&desk.zkplan(&["snapshot", "inspect", "data", "--format", "json"]));
        assert!(inside["contents"]["znodes"].as_u64() > Some(4), "{inside:#}");
    }
}

/// Every file of every directory, changed at many places: it is named, and never whole.
#[test]
fn damage_to_real_files_is_named() {
    let desk = Desk::new();
    let mut hits = 0;
    for directory in corpus() {
        copied(&desk, &directory);
        let whole = verified(&desk);
        for kind in ["snapshots", "logs"] {
            for entry in whole[kind].as_array().expect("a list") {
                let name = entry["file"].as_str().expect("a name");
                let path = desk.path(&format!("data/version-2/{name}"));
                let bytes = fs::read(&path).expect("a file");
                let end = entry["endOffset"]
                    .as_u64()
                    .map_or(bytes.len(), |end| usize::try_from(end).expect("an offset"));
                // About eight places each, at other distances in each file.
                for at in (0..end).step_by(end / 8 + 1) {
                    let mut damaged = bytes.clone();
                    damaged[at] ^= 0x10;
                    fs::write(&path, &damaged).expect("a file");
                    let seen = verified(&desk);
                    // Another way to pack the same bytes is no damage to them.
                    let packed = Path::new(name).extension();
                    let is_packed = packed.is_some_and(|end| end == "gz" || end == "snappy");
                    if is_packed && seen["snapshots"] == whole["snapshots"] {
                        continue;
                    }
                    assert_eq!(seen["verdict"], "damaged", "{name} {at}: {:#}", seen["findings"]);
                    let names = |finding: &Value| {
                        finding["file"] == name && finding["severity"] == "damaged"
                    };
                    let findings = seen["findings"].as_array().expect("a list");
                    assert!(findings.iter().any(names), "{name} {at}: {findings:#?}");
                    hits += 1;
                }
                fs::write(&path, &bytes).expect("a file");
            }
        }
    }
    assert!(hits > 100, "{hits}");
}

#[test]
fn a_directory_that_is_not_there_is_an_error_and_an_empty_one_is_incomplete() {
    let desk = Desk::new();
    let answer = desk.zkplan(&["snapshot", "verify", "dta"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    fs::create_dir_all(desk.path("data")).expect("a folder");
    assert_eq!(verified(&desk)["findings"][0]["code"], "nothing");
    let inside = desk.zkplan(&["snapshot", "inspect", "data"]);
    assert_eq!(inside.code, 65, "{inside:?}");
    let path = desk.zkplan(&["snapshot", "inspect", "data", "--path", "app/"]);
    assert_eq!(path.code, 64, "{path:?}");
}

#[test]
fn logs_in_a_directory_of_their_own_are_read_there() {
    let desk = Desk::new();
    copied(&desk, corpus().last().expect("a directory with digests"));
    fs::create_dir_all(desk.path("logs/version-2")).expect("a folder");
    let both = ["snapshot", "verify", "data", "--log-dir", "logs", "--format", "json"];
    let wrong = json(&desk.zkplan(&both));
    assert_eq!(wrong["findings"][0]["code"], "wrongDirectory", "{wrong:#}");
    for entry in fs::read_dir(desk.path("data/version-2")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        if name.to_string_lossy().starts_with("log.") {
            fs::rename(&path, desk.path("logs/version-2").join(name)).expect("moved");
        }
    }
    assert_eq!(json(&desk.zkplan(&both))["verdict"], "whole");
    // Its epoch has no transaction there.
    let without = verified(&desk);
    assert_eq!(
        (&without["verdict"], &without["findings"][0]["code"]),
        (&"notProvable".into(), &"epochEmpty".into())
    );
}

/// Files that speak of gigabytes are read with little memory.
#[cfg(target_os = "linux")]
#[test]
fn lengths_in_files_cost_no_memory() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("data/version-2")).expect("a folder");
    let long = i32::MAX.to_be_bytes();
    let none = 0_i32.to_be_bytes();
    let head = [&b"ZKSN"[..], &2_i32.to_be_bytes(), &(-1_i64).to_be_bytes()].concat();
    let log =
        [&b"ZKLG"[..], &2_i32.to_be_bytes(), &[0; 16], &0x03ff_ffff_i32.to_be_bytes()].concat();
    for (name, bytes) in [
        ("snapshot.1", [&head[..], &long].concat()),
        ("snapshot.2", [&head[..], &none, &long].concat()),
        ("snapshot.3", [&head[..], &none, &none, &long].concat()),
        ("snapshot.4", [&head[..], &none, &none, &none, &long].concat()),
        ("log.1", log),
    ] {
        fs::write(desk.path(&format!("data/version-2/{name}")), bytes).expect("a file");
    }
    let limited = "ulimit -v 400000; exec \"$0\" snapshot verify data --format json";
    let done = std::process::Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_zkplan")])
        .current_dir(desk.path("."))
        .output()
        .expect("a shell");
    let document: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(document["verdict"], "damaged", "{document:#}");
    let damaged = document["findings"].as_array().expect("a list").iter();
    let damaged = damaged.filter(|finding| finding["code"] == "damaged").count();
    assert_eq!(damaged, 4, "{document:#}");
}

//! `zkplan snapshot inspect --diff` on the files of real servers (`tests/data-directories`).

use std::fs;

use crate::documents::fits;
use crate::run::{Answer, Desk, project_file};
use crate::snapshots::{copied, corpus};

fn compared(desk: &Desk, words: &[&str]) -> Answer {
    let answer = desk.zkplan(&[&["snapshot", "inspect", "--diff"], words].concat());
    answer.assert_clean();
    answer
}

fn json(desk: &Desk, words: &[&str]) -> serde_json::Value {
    let answer = compared(desk, &[words, &["--format", "json"]].concat());
    let document: serde_json::Value = serde_json::from_str(&answer.out).expect("JSON");
    fits("snapshot-diff", &document);
    assert_eq!(document["exitCode"], answer.code);
    document
}

/// The oldest snapshot of a directory, without the logs that follow it.
fn oldest(desk: &Desk) -> String {
    let entries = fs::read_dir(desk.path("data/version-2")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let zxid = |name: &String| {
        let hex = name.strip_prefix("snapshot.")?.split('.').next()?;
        u64::from_str_radix(hex, 16).ok()
    };
    let oldest = names.filter(|name| zxid(name).is_some()).min_by_key(zxid);
    format!("data/version-2/{}", oldest.expect("a snapshot"))
}

/// The first snapshot of a real server beside all of its files, as a person reads it.
#[test]
fn what_a_server_did_since_its_first_snapshot_is_shown() {
    let desk = Desk::new();
    copied(&desk, &project_file("tests/data-directories/3.6.4"));
    let screen = compared(&desk, &[&oldest(&desk), "data", "--most", "4"]);
    let expected = project_file("tests/documents/snapshot-diff.txt");
    if std::env::var_os("ZKPLAN_UPDATE").is_some() {
        fs::write(&expected, &screen.out).expect("a file");
    }
    assert_eq!(screen.out, fs::read_to_string(&expected).expect("a screen"));
    assert_eq!(screen.code, 0, "{screen:?}");
}

/// A directory, its archive and itself hold the same, whatever the release; what is in one alone is all
/// created or all deleted.
#[test]
fn the_same_data_do_not_differ_in_any_form() {
    let desk = Desk::new();
    for directory in corpus() {
        copied(&desk, &directory);
        drop(fs::remove_file(desk.path("data.tar.gz")));
        let words = ["snapshot", "pack", "data", "--accept-not-provable", "-o", "data.tar.gz"];
        let packed = desk.zkplan(&words);
        assert_eq!(packed.code, 0, "{packed:?}");
        for other in ["data", "data.tar.gz"] {
            let seen = json(&desk, &["data", other]);
            assert_eq!(seen["summary"], "No znode differs at or below /.", "{seen:#}");
            assert_eq!(seen["a"]["znodes"], seen["b"]["znodes"]);
            assert_eq!(seen["a"]["lastZxid"], seen["b"]["lastZxid"]);
        }
        let (from, to) = (oldest(&desk), "data");
        let (there, back) = (json(&desk, &[&from, to]), json(&desk, &[to, &from]));
        assert_eq!(there["all"]["created"], back["all"]["deleted"], "{there:#}");
        assert_eq!(there["onlyInB"], back["onlyInA"]);
        assert!(there["b"]["znodes"].as_u64() > there["a"]["znodes"].as_u64(), "{there:#}");
    }
}

#[test]
fn what_cannot_be_compared_is_named() {
    let desk = Desk::new();
    copied(&desk, corpus().last().expect("a directory with digests"));
    fs::create_dir_all(desk.path("empty")).expect("a folder");
    let empty = compared(&desk, &["data", "empty"]);
    assert_eq!(empty.code, 65, "{empty:?}");
    assert!(empty.err.contains("empty: there is nothing to compare"), "{empty:?}");
    assert_eq!(compared(&desk, &["data"]).code, 64);
    assert_eq!(compared(&desk, &["data", "data", "--log-dir", "logs"]).code, 64);
    assert_eq!(desk.zkplan(&["snapshot", "inspect"]).code, 64);
}

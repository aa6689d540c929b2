//! Seeds of joiners without a server: what `zkplan joiner --check` says of an unpacked archive.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::joiners::directory;
use crate::run::Desk;
use crate::snapshots::{copied, corpus};

/// An archive of real files, and the directory that it was unpacked to.
fn unpacked(desk: &Desk, out: &str, flags: &[&str]) {
    copied(desk, corpus().last().expect("a directory with digests"));
    let pack = [&["snapshot", "pack", "data", "-n", "9", "-o", "data.tar"], flags].concat();
    assert_eq!(desk.zkplan(&pack).code, 0);
    assert_eq!(desk.zkplan(&["snapshot", "unpack", "data.tar", "-o", out]).code, 0);
    fs::remove_file(desk.path("data.tar")).expect("removed");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn checked(desk: &Desk, words: &[&str]) -> (i32, Value) {
    let answer = desk.zkplan(&[&["joiner", "--format", "json"], words].concat());
    (answer.code, directory(&answer))
}

/// Where no leader is asked, an unpacked archive is neither used nor a seed.
#[test]
fn an_unpacked_archive_is_not_called_used_until_a_server_has_used_it() {
    let desk = Desk::new();
    unpacked(&desk, "seed", &[]);
    let (code, seen) = checked(&desk, &["--check", "seed"]);
    assert_eq!((code, &seen["state"], &seen["data"]), (3, &"unpacked".into(), &"whole".into()));
    assert_eq!((&seen["unpacked"]["isUnchanged"], &seen["origin"]), (&true.into(), &Value::Null));
    let screen = desk.zkplan(&["joiner", "--check", "seed"]);
    assert!(screen.out.starts_with("seed  Unpacked. It holds an unpacked archive"), "{screen:?}");
    assert!(screen.out.contains("add --leader"), "{screen:?}");
    screen.assert_clean();

    // What a server leaves at its start, before it has followed a leader.
    for name in ["acceptedEpoch", "currentEpoch"] {
        desk.write(&format!("seed/version-2/{name}"), "0");
    }
    let (code, seen) = checked(&desk, &["--check", "seed"]);
    assert_eq!((code, &seen["state"]), (3, &"used".into()));
    let added = &seen["unpacked"]["added"];
    assert_eq!(added, &Value::from(vec!["acceptedEpoch", "currentEpoch"]));
}

/// A file that is missing or has other bytes is damage; so is a list that is there without it.
#[test]
fn a_gap_in_a_seed_is_seen_before_any_start() {
    let desk = Desk::new();
    unpacked(&desk, "seed", &[]);
    let files = names(&desk.path("seed/version-2"));
    let log = files.iter().find(|name| name.starts_with("log.")).expect("a log");
    let path = desk.path("seed/version-2").join(log);
    let bytes = fs::read(&path).expect("a log");
    fs::remove_file(&path).expect("removed");
    let (code, seen) = checked(&desk, &["--check", "seed"]);
    assert_eq!((code, &seen["state"]), (65, &"damaged".into()), "{seen:#}");
    assert_eq!(seen["unpacked"]["missing"], Value::from(vec![log.as_str()]));
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 1;
    fs::write(&path, &changed).expect("a log");
    let (code, seen) = checked(&desk, &["--check", "seed"]);
    assert_eq!((code, &seen["state"]), (65, &"damaged".into()), "{seen:#}");
    assert_eq!(seen["unpacked"]["changed"], Value::from(vec![log.as_str()]));
    fs::write(&path, &bytes).expect("a log");
    assert_eq!(checked(&desk, &["--check", "seed"]).1["state"], "unpacked");
    // Nothing is in the way of another archive, or of an empty start.
    fs::remove_dir_all(desk.path("seed/version-2")).expect("removed");
    assert_eq!(checked(&desk, &["--check", "seed"]).1["state"], "blank");
    unpacked(&desk, "seed", &[]);
    assert_eq!(checked(&desk, &["--check", "seed"]).1["state"], "unpacked");
}

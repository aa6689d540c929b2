//! The files that real servers write, read by `zkplan snapshot`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Builder, Ensemble, PATIENCE, wait_until};
use crate::show;
use crate::zkplan::{Desk, text};

/// Small files: a log is filled with zeros in steps of 64 KiB.
fn builder() -> Builder {
    Builder::rich().setting("preAllocSize", "64").setting("extendedTypesEnabled", "true")
}

/// Everything that a server writes down: znodes of every kind, sessions, lists, multis, reconfigs.
fn every_kind(ensemble: &Ensemble) {
    let administrator = ensemble.administrator();
    let leader = ensemble.wait_leader();
    let done = ensemble.zkcli_session(
        leader,
        &[
            "create /app one",
            "create -s /app/job two",
            "create -e /app/worker three",
            "create -c /app/queue",
            "create -t 3600000 /app/lease four",
            "create /app/closed five",
            "setAcl /app/closed world:anyone:r",
            "setAcl / world:anyone:cdrwa",
            "set / root",
            "set /app changed",
            "create /app/gone",
            "delete /app/gone",
            "create /app nothing",
            "ls /",
        ],
    );
    assert!(done.status.success(), "{done:?}");
    administrator.write_multis("/app/multi");
    administrator.change_nothing();
    administrator.write_below("/app/many", 50);
}

fn copy(from: &Path, to: &Path) {
    drop(fs::remove_dir_all(to));
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a data directory") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("a copy");
    }
}

fn verify(desk: &Desk, directory: &str) -> Value {
    desk.run(["snapshot", "verify", directory, "--format", "json"]).json()
}

/// What a server has while it runs is whole, and when it has stopped, and the digest shows it.
#[test]
fn the_files_of_servers_are_whole_while_they_run_and_after() {
    let ensemble = builder().start();
    every_kind(&ensemble);
    let desk = Desk::new();
    let data = |id: u8| ensemble.file(id, "data").display().to_string();
    for id in 1..=3 {
        let seen = desk.run(["snapshot", "verify", &data(id)]).exits(0);
        seen.says(["Whole up to zxid", "a server", "loads snapshot."]);
    }
    let leader = ensemble.wait_leader();
    ensemble.kill(leader);
    ensemble.wait_serving();
    every_kind_again(&ensemble);
    ensemble.start_again(leader);
    ensemble.wait_following(leader);
    ensemble.administrator().write_below("/app/more", 20);
    for id in 1..=3 {
        ensemble.stop(id);
        let seen = verify(&desk, &data(id));
        assert_eq!(seen["verdict"], "whole", "server {id}: {seen:#}");
        assert_eq!(seen["provenZxid"], seen["lastZxid"], "{seen:#}");
        show(&format!("server {id}: {}", text(&seen["summary"])));
    }
    let inside = desk.run(["snapshot", "inspect", &data(1), "--format", "json"]).exits(0).json();
    let contents = &inside["contents"];
    let figures = ["containers", "ttls"].map(|key| contents[key].as_u64());
    assert_eq!(figures, [Some(1), Some(1)], "{contents:#}");
    assert!(text(&contents["membership"]).contains("server.1="), "{contents:#}");
    let app = desk.run(["snapshot", "inspect", &data(1), "--path", "/app", "--format", "json"]);
    let app = &app.exits(0).json()["contents"];
    assert!(app["znodes"].as_u64() > Some(70), "{app:#}");
    assert_eq!(
        app["subtrees"][0]["path"].as_str().map(|path| path.starts_with("/app/")),
        Some(true)
    );
}

fn every_kind_again(ensemble: &Ensemble) {
    ensemble.administrator().write_below("/app/again", 20);
}

/// Writes go on while snapshots are written: each of them needs the log.
#[test]
fn a_fuzzy_snapshot_needs_its_log() {
    let ensemble = builder().servers(1).setting("snapCount", "50").start();
    every_kind(&ensemble);
    let administrator = ensemble.administrator();
    administrator.fill("/filled", 400, 500);
    let directory = ensemble.file(1, "data/version-2");
    let desk = Desk::new();
    // While it runs.
    let seen = desk.run(["snapshot", "verify", &directory.display().to_string()]);
    assert!([Some(0), Some(3)].contains(&seen.code()), "{seen}");
    ensemble.stop(1);
    copy(&directory, &desk.path("copy/version-2"));
    let seen = verify(&desk, "copy");
    assert_eq!(seen["verdict"], "whole", "{seen:#}");
    let snapshots = seen["snapshots"].as_array().expect("a list");
    assert!(snapshots.len() > 2, "{seen:#}");
    show(&format!("{} snapshots: {}", snapshots.len(), text(&seen["summary"])));
    // Without the logs behind it, a snapshot is whole only if its own digest is of its name.
    for snapshot in snapshots {
        let (name, zxid) = (text(&snapshot["file"]), &snapshot["zxid"]);
        let alone = desk.path("alone/version-2");
        drop(fs::remove_dir_all(&alone));
        fs::create_dir_all(&alone).expect("a folder");
        fs::copy(directory.join(name), alone.join(name)).expect("a copy");
        let seen = verify(&desk, "alone");
        let until = snapshot["writtenUntil"].as_str();
        let is_fuzzy = until.is_some_and(|until| number(until) > number(text(zxid)));
        // A change can be in the tree before the server has counted its transaction.
        let code = &seen["findings"][0]["code"];
        let is_ahead = *code == "notCovered" || *code == "otherTree";
        let is_damaged = seen["verdict"] == "damaged";
        assert!(if is_fuzzy { is_damaged } else { !is_damaged || is_ahead }, "{seen:#}");
    }
}

fn number(zxid: &str) -> u64 {
    u64::from_str_radix(zxid.trim_start_matches("0x"), 16).expect("a zxid")
}

/// Damage at every place of every kind in copies of a stopped server's files. The places come from what
/// verify itself says of the whole files.
#[test]
fn damage_to_a_servers_files_is_named() {
    let ensemble = builder().servers(1).setting("snapCount", "60").start();
    every_kind(&ensemble);
    ensemble.administrator().write_below("/app/late", 150);
    ensemble.stop(1);
    let (directory, desk) = (ensemble.file(1, "data/version-2"), Desk::new());
    let whole = desk.path("whole/version-2");
    copy(&directory, &whole);
    let seen = verify(&desk, "whole");
    assert_eq!(seen["verdict"], "whole", "{seen:#}");
    let (snapshots, logs) = (names(&seen, "snapshots"), names(&seen, "logs"));
    let base = text(&seen["base"]).to_owned();
    let changed = |what: &str, how: &dyn Fn(&Path)| {
        copy(&whole, &desk.path("changed/version-2"));
        how(&desk.path("changed/version-2"));
        let seen = verify(&desk, "changed");
        assert_ne!(seen["verdict"], "whole", "{what}: {seen:#}");
        seen
    };
    let mut count = 0;
    for name in snapshots.iter().chain(&logs) {
        let end = last_record(&seen, name).unwrap_or_else(|| {
            let length = fs::metadata(whole.join(name)).expect("a file").len();
            usize::try_from(length).expect("a length")
        });
        for at in places(end) {
            let seen = changed(&format!("{name} {at}"), &|directory| {
                edit(&directory.join(name), |bytes| bytes[at] ^= 0x04);
            });
            is_named(&seen, name);
            count += 1;
        }
    }
    let seen = changed("the base is cut", &|directory| {
        edit(&directory.join(&base), |bytes| bytes.truncate(bytes.len() / 2));
    });
    is_named(&seen, &base);
    let last = logs.last().expect("a log");
    // Behind its last record are only zeros.
    let end = last_record(&seen, last).expect("a log");
    let seen = changed("the last log is cut", &|directory| {
        edit(&directory.join(last), |bytes| bytes.truncate(end / 2));
    });
    assert!(["notProvable", "damaged"].contains(&text(&seen["verdict"])), "{seen:#}");
    changed("all snapshots are gone", &|directory| {
        for name in &snapshots {
            fs::remove_file(directory.join(name)).expect("removed");
        }
    });
    changed("an older snapshot has the name of the newest", &|directory| {
        let oldest = snapshots.last().expect("a snapshot");
        fs::rename(directory.join(oldest), directory.join(&base)).expect("renamed");
    });
    if logs.len() > 2 {
        // Without the snapshots that cover it, each log is needed.
        let seen = changed("a log is missing", &|directory| {
            for name in snapshots.iter().filter(|name| *name != "snapshot.0") {
                fs::remove_file(directory.join(name)).expect("removed");
            }
            fs::remove_file(directory.join(&logs[1])).expect("removed");
        });
        assert_eq!(seen["findings"][0]["code"], "gap", "{seen:#}");
        assert_eq!(seen["servers"][1]["does"], "startsWithHole", "{seen:#}");
    }
    show(&format!("{count} changed bytes in {} files", snapshots.len() + logs.len()));
}

/// The files of a kind that verify lists.
fn names(seen: &Value, kind: &str) -> Vec<String> {
    let entries = seen[kind].as_array().expect("a list").iter();
    entries.map(|entry| text(&entry["file"]).to_owned()).collect()
}

/// Where the last record of a log ends.
fn last_record(seen: &Value, name: &str) -> Option<usize> {
    let mut logs = seen["logs"].as_array().expect("a list").iter();
    let log = logs.find(|log| log["file"] == name)?;
    usize::try_from(log["endOffset"].as_u64()?).ok()
}

fn edit(path: &Path, how: impl Fn(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("a file");
    how(&mut bytes);
    fs::write(path, bytes).expect("a file");
}

fn is_named(seen: &Value, name: &str) {
    let all = seen["findings"].as_array().expect("a list");
    assert!(all.iter().any(|finding| finding["file"] == name), "{name}: {seen:#}");
}

/// Bytes of each field of the header and of the last seal, and some between them.
fn places(end: usize) -> impl Iterator<Item = usize> {
    (0..16).step_by(3).chain((16..end).step_by(end / 6 + 1)).chain((end - 13..end).step_by(3))
}

/// What a server does with files is what verify says that it does.
#[test]
fn a_server_does_what_was_said() {
    let ensemble = builder().servers(1).setting("snapCount", "60").start();
    every_kind(&ensemble);
    ensemble.administrator().write_below("/app/late", 150);
    ensemble.stop(1);
    let (directory, desk) = (ensemble.file(1, "data/version-2"), Desk::new());
    let logs = names(&verify(&desk, &directory.display().to_string()), "logs");
    copy(&directory, &desk.path("whole"));
    let says = || {
        let seen = verify(&desk, &directory.display().to_string());
        text(&seen["servers"][1]["does"]).to_owned()
    };
    // A byte of the last log: the server ends.
    let last = directory.join(logs.last().expect("a log"));
    let mut bytes = fs::read(&last).expect("a log");
    bytes[40] ^= 1;
    fs::write(&last, bytes).expect("a log");
    assert_eq!(says(), "refuses");
    ensemble.start_again(1);
    ensemble.wait_ended(1);
    // A log in the middle, and the snapshots after it: the server starts.
    copy(&desk.path("whole"), &directory);
    for entry in fs::read_dir(&directory).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name.starts_with("snapshot.") && name != "snapshot.0" || logs.get(1) == Some(&name) {
            fs::remove_file(path).expect("removed");
        }
    }
    assert_eq!(says(), "startsWithHole");
    ensemble.start_again(1);
    wait_until("the server to serve with a hole", PATIENCE, || ensemble.mode(1));
}

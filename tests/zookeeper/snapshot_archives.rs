//! Running servers are packed, and servers start with what was packed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::harness::{Builder, Ensemble};
use crate::show;
use crate::zkplan::{Desk, text};

/// Writes of one batch.
const BATCH: usize = 20;

/// Snapshots come often, and logs are small.
fn builder() -> Builder {
    Builder::rich().setting("preAllocSize", "64").setting("snapCount", "60")
}

fn number(hex: &str) -> Option<u64> {
    u64::from_str_radix(hex, 16).ok()
}

/// Removes what `PurgeTxnLog` removes, which keeps three snapshots and the logs from the oldest of them on.
fn purge(directory: &Path) {
    let entries = fs::read_dir(directory).expect("a data directory");
    let names: BTreeSet<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let zxids = |kind: &str| -> BTreeSet<u64> {
        names.iter().filter_map(|name| number(name.strip_prefix(kind)?)).collect()
    };
    let (snapshots, logs) = (zxids("snapshot."), zxids("log."));
    let Some(oldest) = snapshots.iter().rev().nth(2) else { return };
    let begins = logs.range(..=oldest).next_back().copied().unwrap_or_default();
    for zxid in snapshots.range(..oldest) {
        fs::remove_file(directory.join(format!("snapshot.{zxid:x}"))).expect("removed");
    }
    for zxid in logs.range(..begins) {
        fs::remove_file(directory.join(format!("log.{zxid:x}"))).expect("removed");
    }
}

/// Writes below `/load` and purges, while something is done that gets the count of acknowledged writes.
fn under_writes<T>(
    ensemble: &Ensemble,
    purged: &Path,
    something: impl FnOnce(&AtomicUsize) -> T,
) -> T {
    let (ends, acknowledged) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(Ordering::Relaxed) {
                ensemble.administrator().write_below("/load", BATCH);
                acknowledged.fetch_add(BATCH, Ordering::Relaxed);
                purge(purged);
            }
        });
        let _end = EndsOnDrop(&ends);
        something(&acknowledged)
    })
}

/// Ends the writes, also where what was done beside them panics.
struct EndsOnDrop<'a>(&'a AtomicBool);

impl Drop for EndsOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The znodes below `/load`, which were made one after the other: their names are their numbers.
fn loaded(ensemble: &Ensemble) -> Vec<String> {
    let mut tree = ensemble.administrator().tree("/load");
    tree.remove("/load");
    tree.into_keys().collect()
}

/// Packs of a leader under writes, while its old files are removed: each is whole. A server that starts
/// with the last one has every write that was acknowledged before, and none behind a missing one.
#[test]
fn a_running_server_is_packed_and_a_server_starts_with_it() {
    let ensemble = builder().start();
    ensemble.administrator().fill("/filled", 200, 5000);
    let (leader, desk) = (ensemble.wait_leader(), Desk::new());
    let (data, config) = (ensemble.file(leader, "data"), ensemble.file(leader, "zoo.cfg"));
    let config = config.display().to_string();
    let before = under_writes(&ensemble, &data.join("version-2"), |acknowledged| {
        for round in 0..8 {
            let before = acknowledged.load(Ordering::Relaxed);
            let out = format!("{round}.tar.gz");
            let words = ["snapshot", "pack", "--zoo-cfg", &config, "-n", "2", "-o", &out];
            desk.run(words).exits(0).says(["Whole up to zxid"]);
            desk.run(["snapshot", "verify", &out]).exits(0);
            if round == 7 {
                return before;
            }
        }
        unreachable!("the last round returns")
    });
    let all = loaded(&ensemble);
    let seen = desk.run(["snapshot", "inspect", "7.tar.gz", "--path", "/load", "--format", "json"]);
    let seen = seen.exits(0).json();
    // Another ensemble of one server, which starts with these files.
    let other = Builder::rich().servers(1).start();
    other.stop(1);
    other.wipe(1);
    let to = other.file(1, "data").display().to_string();
    desk.run(["snapshot", "unpack", "7.tar.gz", "-o", &to]).exits(0);
    other.start_again(1);
    other.wait_serving();
    let restored = loaded(&other);
    assert_eq!(seen["contents"]["znodes"], restored.len() + 1, "{seen:#}");
    assert_eq!(restored, all[..restored.len()]);
    // The leader may commit what the others have written down a moment before it has itself.
    assert!(restored.len() + 1 >= before, "{} of {before}", restored.len());
    show(&format!(
        "8 archives under {} writes; the last one up to {} has {} of them",
        all.len(),
        text(&seen["lastZxid"]),
        restored.len()
    ));
}

/// A joiner that begins with an archive gets the rest from the leader, and its files are whole then.
#[test]
fn a_joiner_that_begins_with_an_archive_catches_up() {
    let ensemble = builder().start();
    ensemble.administrator().write_below("/load", 150);
    let (leader, desk) = (ensemble.wait_leader(), Desk::new());
    let data = ensemble.file(leader, "data").display().to_string();
    desk.run(["snapshot", "pack", &data, "-o", "seed.tar.zst"]).exits(0);
    ensemble.administrator().write_below("/load", 30);
    ensemble.reserve(4);
    let to = ensemble.file(4, "data");
    fs::create_dir_all(&to).expect("a folder");
    let to = to.display().to_string();
    desk.run(["snapshot", "unpack", "seed.tar.zst", "-o", &to]).exits(0);
    ensemble.start_joiner(4);
    ensemble.wait_following(4);
    ensemble.administrator().write_below("/load", 10);
    let log = ensemble.log(4);
    let ways: Vec<&str> = ["DIFF", "SNAP"]
        .into_iter()
        .filter(|way| {
            let text = if *way == "DIFF" { "Getting a diff" } else { "Getting a snapshot" };
            log.contains(text)
        })
        .collect();
    assert_eq!(ways.len(), 1, "{log}");
    let written = loaded(&ensemble).len();
    ensemble.stop(4);
    let seen = desk.run(["snapshot", "inspect", &to, "--path", "/load", "--format", "json"]);
    let seen = seen.exits(0).json();
    assert_eq!(seen["verdict"], "whole", "{seen:#}");
    let znodes = seen["contents"]["znodes"].as_u64().expect("a number");
    assert!(znodes > 180 && usize::try_from(znodes).expect("a number") <= written + 1, "{seen:#}");
    show(&format!("the joiner got the rest by {}; {}", ways[0], text(&seen["summary"])));
}

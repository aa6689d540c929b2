//! A joiner that begins with a seed: packed on a running server, unpacked, checked against the leader, laid
//! down by install.sh.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble};
use crate::installing::{desk_with_token, said};
use crate::ledger::is_at;
use crate::zkplan::{Desk, text};

/// What a server logs when it gets only what it lacks (`Learner.syncWithLeader`).
pub(crate) const DIFF: &str = "Getting a diff from the leader";

/// The same when it gets everything.
pub(crate) const SNAP: &str = "Getting a snapshot from leader";

/// So often a client writes beside what is done.
const MOST_WRITES: usize = 80;

/// Packs a running server and unpacks that; returns the directory.
pub(crate) fn seed_of(desk: &Desk, ensemble: &Ensemble, server: u8, out: &str) -> String {
    let config = ensemble.file(server, "zoo.cfg").display().to_string();
    let (archive, accept) = (format!("{out}.tar.zst"), "--accept-not-provable");
    let pack = ["snapshot", "pack", "--zoo-cfg", &config, "-n", "3", "-o", &archive, accept];
    desk.run(pack).exits(0);
    desk.run(["snapshot", "unpack", &archive, "-o", out, accept]).exits(0);
    desk.path(out).display().to_string()
}

/// The check of a directory with the leader of an ensemble.
pub(crate) fn checked(desk: &Desk, seed: &str, ensemble: &Ensemble, code: i32) -> Value {
    let leader = ensemble.client_address(ensemble.wait_leader()).to_string();
    let words = ["joiner", "--check", seed, "--leader", &leader, "--format", "json"];
    desk.run(words).exits(code).json()
}

/// What `sh install.sh --seed` does for a server.
pub(crate) fn installed(desk: &Desk, ensemble: &Ensemble, id: u8, seed: &str) -> Output {
    let data = ensemble.file(id, "data");
    let conf = data.parent().expect("it is in the server's own directory");
    let script = desk.path(&format!("joiners/{id}/install.sh"));
    let mut command = Command::new("sh");
    command.arg(script).args(["--seed", seed]).args([conf, &data]);
    command.output().expect("there is a shell")
}

/// Does something while a client writes a little: with its sessions three transactions each time, and
/// fewer than a leader keeps in memory, however long it takes.
fn under_writes<T>(ensemble: &Ensemble, something: impl FnOnce() -> T) -> T {
    struct Ends<'a>(&'a AtomicBool);
    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..MOST_WRITES {
                if !ends.load(Ordering::Relaxed) {
                    ensemble.administrator().write_below("/load", 1);
                }
            }
        });
        let _end = Ends(&ends);
        something()
    })
}

/// Server 4 begins with 4 MB of data of a running server and gets only what was written since. `accepts` are
/// the findings without which it is not added: where a release has no digests, nothing is called a seed, and
/// all the rest holds. Returns the desk and the check before the start.
pub(crate) fn begins_with_a_seed(
    builder: Builder,
    accepts: &[&str],
    beside: impl FnOnce(&Desk, &Ensemble, &str),
) -> Value {
    let ensemble = builder.start();
    ensemble.administrator().fill("/filled", 800, 5000);
    ensemble.reserve(4);
    let desk = desk_with_token(&ensemble);
    let spec = wanting(&ensemble, 1..=4, 1..=3);
    let file = desk.write("spec.yaml", &spec.text());
    desk.run(["joiner", &file, "4", "-o", "joiners", "--token", "super.token"]).exits(0);
    let has_digests = !accepts.contains(&"ZKF20");
    let seen = under_writes(&ensemble, || {
        let seed = seed_of(&desk, &ensemble, ensemble.wait_leader(), "seed");
        ensemble.administrator().write_below("/later", 30);
        let seen = checked(&desk, &seed, &ensemble, if has_digests { 0 } else { 3 });
        let origin = &seen["origin"];
        if has_digests {
            assert_eq!((text(&seen["state"]), text(&origin["verdict"])), ("seed", "same"));
            assert_eq!(text(&seen["catchUp"]["way"]), "diff", "{seen:#}");
        } else {
            assert_eq!((text(&seen["state"]), text(&origin["verdict"])), ("unpacked", "unknown"));
        }
        beside(&desk, &ensemble, &seed);
        let output = installed(&desk, &ensemble, 4, &seed);
        assert!(output.status.success(), "{}", said(&output));
        ensemble.start_installed(4);
        ensemble.wait_following(4);
        seen
    });
    let log = ensemble.log(4);
    assert!(log.contains(DIFF) && !log.contains(SNAP), "{log}");
    let accepts: Vec<&str> = accepts.iter().flat_map(|code| ["--accept", *code]).collect();
    desk.apply_spec(&spec).with(&accepts).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
    let data = ensemble.file(4, "data").display().to_string();
    assert_eq!(text(&checked(&desk, &data, &ensemble, 3)["state"]), "used");
    seen
}

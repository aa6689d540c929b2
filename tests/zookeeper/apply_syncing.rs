//! Joiners that copy much data while writes commit and reconfigs are sent: none is called alien, and
//! none is left behind with an old configuration.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, Mode, PATIENCE, wait_until};
use crate::ledger::is_at;
use crate::spec::Spec;
use crate::zkplan::Desk;

/// As many znodes of so many bytes are more than what is under way between two servers can hold, and
/// take a while to be written.
const ZNODES: usize = 20_000;
const BYTES: usize = 2000;

/// So many writes commit while a joiner copies.
const WRITES: usize = 1000;

/// What a leader logs when it begins to send a snapshot (`LearnerHandler.run`).
const SENDING: &str = "Sending snapshot last zxid";

/// Three servers with data, which do not give a joiner up that stands still for a while.
fn heavy() -> Ensemble {
    let ensemble = Builder::rich().heap("256m").setting("initLimit", "300").start();
    ensemble.administrator().fill("/data", ZNODES, BYTES);
    ensemble
}

fn spec(ensemble: &Ensemble) -> Spec {
    wanting(ensemble, 1..=4, 1..=3)
}

/// The version of the configuration that a server runs with.
fn in_force(ensemble: &Ensemble, id: u8) -> u64 {
    let conf = ensemble.ask(id, "conf").expect("it serves");
    let version = conf.lines().find_map(|line| line.strip_prefix("version="));
    u64::from_str_radix(version.expect("a version"), 16).expect("a version is hex")
}

/// The digests that a server lists.
fn digests(ensemble: &Ensemble, id: u8) -> BTreeMap<u64, String> {
    let listed = ensemble.ask(id, "hash").expect("it serves");
    let pairs = listed.lines().filter_map(|line| line.split_once(':'));
    pairs
        .filter_map(|(zxid, digest)| {
            Some((u64::from_str_radix(zxid, 16).ok()?, digest.trim().to_owned()))
        })
        .collect()
}

/// The zxids of which both list a digest, with whether it is the same.
fn compared(ensemble: &Ensemble, id: u8) -> Vec<(u64, bool)> {
    let (leader, own) = (digests(ensemble, ensemble.wait_leader()), digests(ensemble, id));
    own.iter().filter_map(|(zxid, own)| Some((*zxid, leader.get(zxid)? == own))).collect()
}

/// Starts 4 on an empty disk, and has writes commit while the leader sends it a snapshot; returns how
/// many. The leader stands in the middle of it as long as 4 takes nothing.
fn copy_under_writes(ensemble: &Ensemble) -> usize {
    let leader = ensemble.wait_leader();
    let before = ensemble.log(leader).matches(SENDING).count();
    ensemble.start_joiner(4);
    ensemble.wait_logged(leader, SENDING, before);
    ensemble.freeze(4);
    let written = ensemble.administrator().overwrite("/data", ZNODES, WRITES);
    ensemble.thaw(4);
    ensemble.wait_following(4);
    written
}

/// The snapshot is fuzzy: what 4 lists of that time differs from what the leader lists, and its data
/// are right.
#[test]
fn a_joiner_that_copied_under_writes_is_no_alien() {
    let ensemble = heavy();
    assert!(copy_under_writes(&ensemble) >= 1000);
    let compared = compared(&ensemble, 4);
    assert!(compared.iter().any(|(_, same)| !same), "the snapshot was not fuzzy: {compared:?}");

    let desk = Desk::new();
    let plan = desk.plan(&spec(&ensemble), &[]).exits(2);
    assert!(!plan.stdout.contains("ZKF13"), "{plan}");
    desk.apply_spec(&spec(&ensemble)).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

/// The reply comes from the server of the session; the others hear of the commit in their own time.
fn comes_into_force(ensemble: &Ensemble, id: u8, version: u64) {
    let what = format!("server {id} to have version {version:x} in force");
    wait_until(what, PATIENCE, || (in_force(ensemble, id) == version).then_some(()));
}

/// What ZooKeeper does: a reconfig that commits between NEWLEADER and UPTODATE is in the znode of
/// the joiner and not in force there; the next one is.
#[test]
fn a_reconfig_that_commits_while_a_joiner_finishes_its_sync_is_not_in_force_there() {
    let ensemble = heavy();
    ensemble.start_joiner(4);
    ensemble.freeze_while_it_writes_what_it_got(4);
    ensemble.administrator().write_below("/more", 1);
    let config = ensemble.administrator().change_nothing();
    comes_into_force(&ensemble, 1, config.version);
    ensemble.thaw(4);
    ensemble.wait_following(4);
    assert!(in_force(&ensemble, 4) < config.version, "{config:?}");

    let desk = Desk::new();
    desk.plan(&spec(&ensemble), &[]).exits(2).says(["old config"]);
    let config = ensemble.administrator().change_nothing();
    comes_into_force(&ensemble, 4, config.version);
    desk.plan(&spec(&ensemble), &[]).exits(2).says(["no vote yet"]);
}

/// The joiner stands still when the fence is sent, so that nobody can see that it finishes its sync.
#[test]
fn a_joiner_that_the_fence_has_stranded_is_healed() {
    let ensemble = heavy();
    ensemble.start_joiner(4);
    ensemble.freeze_while_it_writes_what_it_got(4);
    let desk = Desk::new();
    let mut apply = desk.apply_spec(&spec(&ensemble)).start();
    apply.wait_for("waiting", "server 4");
    assert_eq!(apply.events().of("fenced").count(), 1);
    ensemble.thaw(4);
    let outcome = apply.ends().exits(0);
    assert_eq!(outcome.events.of("healing").count(), 1, "{outcome}");
    assert_eq!(outcome.events.of("fenced").count(), 2, "{outcome}");
    assert_eq!(ensemble.mode(4), Some(Mode::Follower));
    is_at(&ensemble, &[1, 2, 3, 4]);
}

/// Again and again a server is started on an empty disk and added while it copies and writes go on.
///
/// One round with little data where nothing is said. `ZKPLAN_JOINER_MB=200 ZKPLAN_JOINER_ROUNDS=10` is
/// the long form: then at least a thousand writes commit while it copies.
#[test]
fn a_joiner_is_added_under_writes_again_and_again() {
    const ZNODE_BYTES: usize = 10_000;
    let megabytes = asked("ZKPLAN_JOINER_MB", 20);
    let rounds = asked("ZKPLAN_JOINER_ROUNDS", 1);
    let znodes = megabytes * 1_000_000 / ZNODE_BYTES;
    let heap = format!("{}m", 256 + 4 * megabytes);
    let ensemble = Builder::rich().heap(&heap).setting("initLimit", "300").start();
    ensemble.administrator().fill("/data", znodes, ZNODE_BYTES);
    for round in 1..=rounds {
        let written = under_writes(&ensemble, znodes, |written| {
            let leader = ensemble.wait_leader();
            let sending = ensemble.log(leader).matches(SENDING).count();
            ensemble.start_joiner(4);
            ensemble.wait_logged(leader, SENDING, sending);
            let before = written.load(Ordering::SeqCst);
            let desk = Desk::new();
            let apply = desk.apply_spec(&spec(&ensemble)).start();
            ensemble.wait_following(4);
            let meanwhile = written.load(Ordering::SeqCst) - before;
            apply.ends().exits(0);
            meanwhile
        });
        is_at(&ensemble, &[1, 2, 3, 4]);
        crate::show(&format!("round {round}: {megabytes} MB, {written} writes while it copied"));
        assert!(written >= if megabytes < 200 { 1 } else { 1000 }, "only {written} writes");
        Desk::new().apply_spec(&wanting(&ensemble, 1..=3, 1..=3)).ends().exits(0);
        ensemble.stop(4);
        ensemble.wipe(4);
    }
}

/// A number from the environment; a test that was asked for something else must not look like one that
/// passed.
pub(crate) fn asked(name: &str, otherwise: usize) -> usize {
    let Ok(text) = std::env::var(name) else { return otherwise };
    let number = text.parse().ok().filter(|number| *number > 0);
    number.unwrap_or_else(|| panic!("{name} is no number of at least 1: {text}"))
}

/// Does something while writes commit one after the other; it is told how many have been
/// acknowledged.
fn under_writes<T>(
    ensemble: &Ensemble,
    znodes: usize,
    something: impl FnOnce(&AtomicUsize) -> T,
) -> T {
    const AT_ONCE: usize = 100;
    let (written, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                let more = ensemble.administrator().overwrite("/data", znodes, AT_ONCE);
                written.fetch_add(more, Ordering::SeqCst);
            }
        });
        let _ends = Ends(&is_over);
        something(&written)
    })
}

/// Says that it is over when it goes, also in a panic: a scope waits for its threads.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

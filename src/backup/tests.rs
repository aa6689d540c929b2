use std::collections::BTreeMap;

use super::*;
use crate::example::Example;
use crate::plan::StepId;
use crate::snapshot::Verification;

const END: u64 = 0x3_0000_0040;
const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;

fn trace(czxid: u64, mzxid: u64) -> ZnodeTrace {
    ZnodeTrace { czxid, mzxid, ctime_ms: 1_700_000_000_000 + i64::try_from(czxid & 0xff).unwrap() }
}

fn znodes(all: &[(&str, ZnodeTrace)]) -> BTreeMap<String, ZnodeTrace> {
    all.iter().map(|(path, trace)| ((*path).to_owned(), *trace)).collect()
}

/// An archive of an hour ago, whose ensemble was reconfigured once.
fn archive() -> DataTraces {
    let verification = Verification {
        verdict: DataVerdict::Whole,
        findings: Vec::new(),
        snapshots: Vec::new(),
        logs: Vec::new(),
        base: Some("snapshot.0".to_owned()),
        last_zxid: Some(END),
        proven: Some(END),
        replayed: 64,
        listed_digests: BTreeMap::new(),
        servers: Vec::new(),
    };
    DataTraces {
        verification,
        last_time_ms: Some(i64::try_from(NOW - HOUR).unwrap()),
        config_version: Some(0x3_0000_0007),
        znodes: znodes(&[
            ("/app", trace(0x2_0000_0005, 0x3_0000_0030)),
            ("/zkplan/id", trace(0x3_0000_0004, 0x3_0000_0004)),
        ]),
    }
}

/// The same ensemble, a little later: `/app` was written to, and `/new` is new.
fn live() -> LiveTraces {
    LiveTraces {
        leader_zxid: Some(END + 20),
        config_version: 0x3_0000_0007,
        znodes: znodes(&[
            ("/app", trace(0x2_0000_0005, END + 3)),
            ("/new", trace(END + 4, END + 4)),
            ("/zkplan/id", trace(0x3_0000_0004, 0x3_0000_0004)),
        ]),
    }
}

fn judged(archive: &DataTraces, live: &LiveTraces) -> Result<ProvenBackup, BackupFault> {
    judge(archive, live, Some(Millis(24 * HOUR)), NOW)
}

#[test]
fn an_archive_of_this_ensemble_passes_with_what_shows_it() {
    let passed = judged(&archive(), &live()).unwrap();
    assert_eq!((passed.zxid, passed.znodes), (END, 2));
}

#[test]
fn what_is_not_whole_never_passes() {
    for (verdict, fault) in [
        (DataVerdict::Damaged, BackupFault::Damaged),
        (DataVerdict::NotProvable, BackupFault::NotProvable),
    ] {
        let mut archive = archive();
        archive.verification.verdict = verdict;
        assert_eq!(judged(&archive, &live()), Err(fault));
    }
}

/// Each fact that another ensemble could have otherwise, with all others as they are here.
#[test]
fn one_znode_of_another_origin_is_enough_to_refuse() {
    let other = |change: fn(&mut ZnodeTrace)| {
        let mut archive = archive();
        change(archive.znodes.get_mut("/zkplan/id").unwrap());
        judged(&archive, &live())
    };
    let changes: [fn(&mut ZnodeTrace); 3] =
        [|znode| znode.czxid += 1, |znode| znode.ctime_ms += 1, |znode| znode.mzxid += 1];
    for (at, change) in changes.into_iter().enumerate() {
        let fault = other(change);
        let is_named =
            matches!(&fault, Err(BackupFault::OtherZnode { path, .. }) if path == "/zkplan/id");
        assert!(is_named, "{at}: {fault:?}");
    }
    let mut lacks = archive();
    lacks.znodes.remove("/app");
    let fault = judged(&lacks, &live());
    assert!(matches!(fault, Err(BackupFault::OtherZnode { archived: None, .. })), "{fault:?}");
}

/// A copy that was split off and started with members of its own: its znodes are the same.
#[test]
fn a_copy_with_another_configuration_is_no_backup() {
    let mut copy = archive();
    copy.config_version = Some(0x3_0000_0000);
    let fault = BackupFault::OtherConfig { archived: copy.config_version, live: 0x3_0000_0007 };
    assert_eq!(judged(&copy, &live()), Err(fault));
    // A version that no reconfig made is on no disk for sure, and a later one says nothing.
    for version in [0, 0x3_0000_0000, END + 8] {
        let live = LiveTraces { config_version: version, ..live() };
        assert!(judged(&copy, &live).is_ok(), "{version:#x}");
    }
}

#[test]
fn an_archive_ahead_of_the_leader_is_refused_and_an_unknown_zxid_is_no_proof() {
    let behind = LiveTraces { leader_zxid: Some(END - 1), ..live() };
    let fault = BackupFault::Ahead { archived: END, leader: END - 1 };
    assert_eq!(judged(&archive(), &behind), Err(fault));
    let silent = LiveTraces { leader_zxid: None, ..live() };
    assert_eq!(judged(&archive(), &silent), Err(BackupFault::LeaderUnknown));
    let even = LiveTraces { leader_zxid: Some(END), ..live() };
    assert!(judged(&archive(), &even).is_ok());
}

#[test]
fn without_a_znode_that_shows_it_no_archive_passes() {
    let mut young = live();
    young.znodes.retain(|path, _| path == "/new");
    assert_eq!(judged(&archive(), &young), Err(BackupFault::NotShown { archived: END }));
    young.znodes.clear();
    assert_eq!(judged(&archive(), &young), Err(BackupFault::NotShown { archived: END }));
}

#[test]
fn the_age_is_that_of_the_last_transaction() {
    let at = |ago_ms: i64| {
        let last_time_ms = Some(i64::try_from(NOW).unwrap() - ago_ms);
        judged(&DataTraces { last_time_ms, ..archive() }, &live()).map(drop)
    };
    let day = i64::try_from(24 * HOUR).unwrap();
    assert_eq!(at(day), Ok(()));
    let (age, most) = (Millis(24 * HOUR + 1), Millis(24 * HOUR));
    assert_eq!(at(day + 1), Err(BackupFault::TooOld { age, most }));
    assert_eq!(at(-300_000), Ok(()), "clocks differ");
    assert_eq!(at(-300_001), Err(BackupFault::Future { ahead: Millis(300_001) }));
    let none = DataTraces { last_time_ms: None, ..archive() };
    assert_eq!(judged(&none, &live()), Err(BackupFault::NoTime));
    assert_eq!(
        at(-i64::MAX / 4),
        Err(BackupFault::Future { ahead: Millis(u64::try_from(i64::MAX / 4).unwrap()) })
    );
    // Without a policy the age is not asked for.
    let old = DataTraces { last_time_ms: Some(0), ..archive() };
    assert!(judge(&old, &live(), None, NOW).is_ok());
}

fn policy(secs: Option<u64>) -> Policy {
    let backup = secs.map(|secs| BackupPolicy { max_age: Millis::from_secs(secs) });
    Policy { backup, ..Policy::default() }
}

/// What is asked for the plan of an example.
fn asked_of(base: &str, wanted: &str) -> bool {
    let planned = Example::new(base, wanted).planned();
    asked(planned.plan(), &Done::new(), &policy(Some(60))).is_some()
}

#[test]
fn only_changes_of_voters_ask_for_a_backup() {
    for (base, wanted) in [
        ("1 2 3", "1 2 3 4"),
        ("1 2 3 4", "1 2 3"),
        ("1 2 3", "4 5 6"),
        ("1 2 3 4o", "1 2 3 4"),
        ("1 2 3 4", "1 2 3 4o"),
        ("1 2 3", "1 2 3p"),
    ] {
        assert!(asked_of(base, wanted), "{base} to {wanted}");
    }
    for (base, wanted) in [("1 2 3", "1 2 3 4o"), ("1 2 3 4o", "1 2 3"), ("1 2 3", "1 2 3")] {
        assert!(!asked_of(base, wanted), "{base} to {wanted}");
    }
}

#[test]
fn the_stricter_policy_counts_and_only_for_what_is_left() {
    let example = Example::new("1 2 3", "1 2 3 4").policy(|own| *own = policy(Some(600)));
    let planned = example.planned();
    let plan = planned.plan();
    let age = |done: &Done, now: Option<u64>| Some(asked(plan, done, &policy(now))?.max_age);
    let none = Done::new();
    assert_eq!(age(&none, None), Some(Millis::from_secs(600)));
    assert_eq!(age(&none, Some(60)), Some(Millis::from_secs(60)));
    assert_eq!(age(&none, Some(6000)), Some(Millis::from_secs(600)));
    let mut done = Done::new();
    done.insert(StepId::new("join-4"));
    assert_eq!(age(&done, Some(60)), None, "nothing is left that changes voters");
    let back = Plan { takes_back: Some(3), ..plan.clone() };
    assert_eq!(asked(&back, &none, &policy(Some(60))), None);
    let without = Example::new("1 2 3", "1 2 3 4").planned();
    assert_eq!(asked(without.plan(), &none, &Policy::default()), None);
}

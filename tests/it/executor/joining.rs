//! Joiners that are not ready: their configuration, the one in force, and their data.

use std::collections::{BTreeMap, BTreeSet};

use zkplan::apply::executor::{Output, RequestPurpose};
use zkplan::apply::journal::{Entry, Run};
use zkplan::apply::{Missing, Outcome, Wait};
use zkplan::model::{ServerId, Zxid};
use zkplan::observe::{DataProof, FindingKind, NoDigests, ServerStatus};
use zkplan::plan::{Acceptance, StepId};
use zkplan::proposal::acceptance;

use super::fake::Fake;
use super::planned;
use crate::example::{Example, id};

/// Applies "1 2 3" to "1 2 3 4". `seen` receives every output.
fn join(
    prepare: impl FnOnce(&mut Fake),
    mut seen: impl FnMut(&Output, &mut Fake),
) -> (Outcome, Fake) {
    let checked = planned(&Example::new("1 2 3", "1 2 3 4"));
    let mut fake = Fake::of(&checked);
    prepare(&mut fake);
    let end = fake.apply(&checked, "one", &BTreeMap::new(), |_, output, fake| seen(output, fake));
    (end.expect("no fault falls on it"), fake)
}

const fn is_fence(output: &Output) -> bool {
    matches!(output, Output::Send { what: RequestPurpose::Fence, .. })
}

fn fences(fake: &Fake) -> usize {
    let records = fake.runs.iter().flat_map(|run| &run.records);
    records.filter(|record| matches!(record.entry, Entry::Fenced { .. })).count()
}

#[test]
fn the_fence_waits_for_a_server_that_finishes_its_sync() {
    let mut looks = 0;
    let (end, fake) = join(
        |fake| (fake.not_serving, fake.is_syncing) = (BTreeSet::from([id(4)]), true),
        |output, fake| {
            looks += usize::from(matches!(output, Output::Look(_)));
            if looks == 100 {
                (fake.not_serving, fake.is_syncing) = (BTreeSet::new(), false);
            }
            assert!(!is_fence(output) || looks >= 100, "a server was still finishing its sync");
            let intends = matches!(output, Output::Record(_, Entry::FenceIntent { .. }));
            assert!(!intends || looks >= 100);
        },
    );
    assert_eq!((end, fences(&fake)), (Outcome::Finished, 1));
}

/// A server that never finds a leader does not delay a run without end.
#[test]
fn the_fence_is_held_back_for_a_time_only() {
    let held = |is_syncing: bool| {
        let mut fenced_ms = None;
        let (end, _) = join(
            |fake| (fake.not_serving, fake.is_syncing) = (BTreeSet::from([id(4)]), is_syncing),
            |output, fake| {
                if is_fence(output) {
                    fenced_ms.get_or_insert(fake.now_ms);
                }
            },
        );
        assert_eq!(end, Outcome::Finished);
        fenced_ms.expect("it was sent")
    };
    assert!((9_000..12_000).contains(&held(false)), "{}", held(false));
    assert!((59_000..63_000).contains(&held(true)), "{}", held(true));
}

#[test]
fn a_server_that_missed_a_reconfig_is_healed_by_one_that_changes_nothing() {
    let mut is_missed = false;
    let (end, fake) = join(
        |_| {},
        |output, fake| {
            let is_fenced = fences(fake) > 0;
            if matches!(output, Output::Look(_)) && is_fenced && !is_missed {
                is_missed = true;
                fake.missed.insert(id(4), fake.config.version);
            }
        },
    );
    assert_eq!((end, fences(&fake)), (Outcome::Finished, 2), "{:#?}", fake.runs);
    // A member activates its configuration before the run is closed, although nothing else waits
    // for it.
    let mut is_missed = false;
    let (end, fake) = join(
        |_| {},
        |output, fake| {
            let has_joined = fake.members().contains(id(4));
            if matches!(output, Output::Look(_)) && has_joined && !is_missed {
                is_missed = true;
                fake.missed.insert(id(1), fake.config.version);
            }
        },
    );
    assert_eq!((end, fences(&fake)), (Outcome::Finished, 2), "{:#?}", fake.runs);
}

#[test]
fn healing_is_tried_a_few_times_and_its_wait_names_the_server() {
    let (end, fake) = join(
        |_| {},
        |output, fake| {
            if matches!(output, Output::Look(_)) && fences(fake) > 0 {
                fake.missed.insert(id(4), fake.config.version);
            }
        },
    );
    let Outcome::RanOut { waits, .. } = &end else { panic!("{end:?}") };
    assert!(
        matches!(
            waits.as_slice(),
            [Wait::Joiner {
                missing: Missing::Following { status: ServerStatus::ConfigNotInForce, .. },
                ..
            }]
        ),
        "{waits:?}"
    );
    assert_eq!(fences(&fake), 1 + 3);
}

/// While one server is healed, another that finishes its sync would miss that.
#[test]
fn healing_waits_for_a_server_that_finishes_its_sync() {
    let mut looks = 0;
    let (end, fake) = join(
        |_| {},
        |output, fake| {
            if matches!(output, Output::Look(_)) && fences(fake) > 0 {
                looks += 1;
                if looks == 1 {
                    fake.missed.insert(id(4), fake.config.version);
                }
                fake.is_syncing = looks < 20;
            }
            assert!(!is_fence(output) || fences(fake) == 0 || looks >= 20);
        },
    );
    assert_eq!((end, fences(&fake)), (Outcome::Finished, 2));
}

/// Accepts that counts cannot prove the content of data.
fn by_counts() -> Vec<Acceptance> {
    vec![Acceptance { code: FindingKind::BY_COUNTS.to_owned(), step: None }]
}

/// The codes for which an apply stopped, and the joiners concerned.
fn stopped_by(end: &Outcome) -> (Vec<String>, BTreeSet<ServerId>) {
    let Outcome::Unsafe(breaches, findings) = end else { panic!("{end:?}") };
    let codes = breaches.iter().map(|breach| acceptance(breach).code).collect();
    let joiners = findings.iter().flat_map(|finding| match &finding.kind {
        FindingKind::JudgedByCounts { joiners, .. } => joiners.clone(),
        _ => BTreeSet::new(),
    });
    (codes, joiners.collect())
}

/// If no mark produces a common digest, only counts are left, if they are accepted. No wait lasts
/// without end.
#[test]
fn marks_are_not_written_for_ever() {
    let nothing_common = |fake: &mut Fake| fake.data = Some(DataProof::NoCommonDigest);
    let (end, fake) = join(nothing_common, |_, _| {});
    assert_eq!(stopped_by(&end), (vec!["ZKF20".to_owned()], BTreeSet::from([id(4)])));
    assert_eq!((fake.marks, &fake.carried_out[..]), (512, &[][..]));
    let accepting = |fake: &mut Fake| {
        nothing_common(fake);
        fake.accepted = by_counts();
    };
    let (end, fake) = join(accepting, |_, _| {});
    assert_eq!((end, fake.marks), (Outcome::Finished, 512));
}

/// Without digests no mark is written for them, and no joiner is added unless that is accepted.
#[test]
fn data_that_only_counts_can_compare_are_accepted_or_the_joiner_is_not_added() {
    let none = |fake: &mut Fake| {
        fake.data =
            Some(DataProof::NoDigests { leader: Some(NoDigests::OldRelease), joiner: None });
    };
    let (end, fake) = join(none, |_, _| {});
    assert_eq!(stopped_by(&end), (vec!["ZKF20".to_owned()], BTreeSet::from([id(4)])));
    assert_eq!((fake.marks, &fake.carried_out[..]), (0, &[][..]));
    let accepting = |fake: &mut Fake| {
        none(fake);
        fake.accepted = by_counts();
    };
    let (end, fake) = join(accepting, |_, _| {});
    assert_eq!((end, fake.marks), (Outcome::Finished, 0));
}

/// The digest of an old zxid differs, and the joiner is far beyond it.
fn differs_at_first(fake: &mut Fake) {
    fake.data = Some(DataProof::DigestDiffers(Zxid::new(128)));
    fake.joiners_at = Some(Zxid::new(200));
}

/// Once the mark is written, the comparison at a newer zxid has this result.
fn after_the_mark(output: &Output, fake: &mut Fake, data: DataProof) {
    if matches!(output, Output::Mark(..)) {
        fake.data = Some(data);
        fake.joiners_at = Some(Zxid::new(256));
    }
}

/// Its snapshot was fuzzy: digests up to the zxid at which it first served prove nothing.
#[test]
fn an_old_digest_that_differs_is_outlived_by_a_newer_one() {
    let (end, fake) = join(differs_at_first, |output, fake| {
        after_the_mark(output, fake, DataProof::Digest(Zxid::new(256)));
    });
    assert_eq!((end, fake.marks), (Outcome::Finished, 128));
}

/// It served before, and the transactions that it has applied since produced other data.
#[test]
fn a_digest_that_differs_behind_the_first_service_convicts() {
    let (end, fake) = join(differs_at_first, |output, fake| {
        after_the_mark(output, fake, DataProof::DigestDiffers(Zxid::new(256)));
    });
    assert_eq!(end, Outcome::DataDiffer(BTreeSet::from([id(4)])));
    assert_eq!(fake.carried_out, [], "it got no vote");
}

/// What was observed of one process is not true of the next one.
#[test]
fn a_joiner_that_starts_anew_serves_anew() {
    let mut looks = 0;
    let (end, _) = join(
        |fake| {
            fake.data = Some(DataProof::DigestDiffers(Zxid::new(128)));
            fake.joiners_at = Some(Zxid::new(100));
            fake.down.insert(id(4));
        },
        |output, fake| {
            looks += usize::from(matches!(output, Output::Look(_)));
            if looks == 5 {
                fake.down.clear();
                fake.joiners_at = Some(Zxid::new(200));
            }
            if matches!(output, Output::Mark(..)) {
                fake.data = Some(DataProof::Digest(Zxid::new(256)));
            }
        },
    );
    assert_eq!(end, Outcome::Finished);
}

/// Where only a run without a leader change was approved, all else is done, and the leader stays.
#[test]
fn a_leader_that_would_have_to_hand_over_is_left_in_its_place() {
    let checked = planned(&Example::new("1 2 3", "2 3 4"));
    let mut fake = Fake::of(&checked);
    fake.keeps_leader = true;
    fake.leads = Some(id(1));
    let end = fake.apply(&checked, "one", &BTreeMap::new(), |_, _, _| {});
    let step = StepId::new("leave-1");
    assert_eq!(end, Some(Outcome::LeaderMoved { step, leader: id(1) }));
    assert_eq!(fake.carried_out, [StepId::new("join-4")]);
    assert!(fake.runs.last().is_some_and(Run::is_open), "the run can be resumed");
    // Another server leads again: the same approval is enough.
    fake.leads = Some(id(2));
    let end = fake.apply(&checked, "two", &BTreeMap::new(), |_, _, _| {});
    assert_eq!(end, Some(Outcome::Finished));
}

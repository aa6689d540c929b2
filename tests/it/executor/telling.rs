//! The events of a run are true, and an acceptance is valid only for the command that contains it.

use std::collections::BTreeMap;

use zkplan::apply::executor::{Output, RequestPurpose};
use zkplan::apply::journal::Entry;
use zkplan::apply::{Event, Outcome, Since};
use zkplan::model::Hooks;
use zkplan::observe::{Clients, FindingKind};
use zkplan::plan::{Acceptance, StepId};

use super::fake::{Fake, Fault};
use super::{planned, planned_with};
use crate::example::applying::options;
use crate::example::{Example, id};

/// Losing sight of the leader is no leader change.
#[test]
fn a_leader_out_of_sight_is_no_new_leader() {
    let checked = planned(&Example::new("1 2 3 4 5", "3 4 5"));
    let mut fake = Fake::of(&checked);
    let mut looks = 0;
    let end = fake.apply(&checked, "one", &BTreeMap::new(), |_, output, fake| {
        if matches!(output, Output::Look(_)) {
            looks += 1;
            fake.is_leader_hidden = looks % 2 == 0;
        }
    });
    assert_eq!(end, Some(Outcome::Finished));
    assert!(looks > 2, "{looks} looks");
    // Server 5 leads from the beginning to the end.
    let told: Vec<&Event> =
        fake.events.iter().filter(|event| matches!(event, Event::LeaderChanged { .. })).collect();
    assert!(told.is_empty(), "{told:?}");
}

/// Wherever the lock is removed: the run reports that nothing was sent since only if that is true.
#[test]
fn requests_after_the_loss_of_the_lock_are_reported() {
    let checked = planned(&Example::new("1 2 3", "1 2 3 4 5"));
    let mut outputs = Vec::new();
    Fake::of(&checked).apply(&checked, "clean", &BTreeMap::new(), |_, output, _| {
        outputs.push(output.clone());
    });
    let mut kinds = [0; 3];
    for (index, output) in outputs.iter().enumerate() {
        if matches!(output, Output::Permission | Output::Lock | Output::Close) {
            continue;
        }
        let mut fake = Fake::of(&checked);
        let mut sent = None;
        let end = fake.apply(&checked, "displaced", &BTreeMap::new(), |at, output, fake| {
            if at == index {
                fake.remove_lock();
            }
            match output {
                // Until then the lock was observed.
                Output::Record(..) | Output::Read | Output::Look(_) if at < index => sent = None,
                Output::Send { what, .. } => sent = Some(what.clone()),
                _ => {}
            }
        });
        let Some(Outcome::LockLost { unknown: None, since }) = end else {
            panic!("{end:?} after {} at {index}", output.name())
        };
        let (kind, expected) = match sent {
            None => (0, Since::Nothing),
            Some(RequestPurpose::Fence) => (1, Since::Committed(None)),
            Some(RequestPurpose::Step(step)) => (2, Since::Committed(Some(step))),
        };
        kinds[kind] += 1;
        assert_eq!(since, expected, "after {} at {index}", output.name());
    }
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
}

/// A session that ends before it had the lock has lost none.
#[test]
fn a_lock_that_was_never_taken_is_not_lost() {
    use zkplan::apply::executor::{Executor, Input};
    use zkplan::ensemble::RequestError;

    let checked = planned(&Example::new("1 2 3", "1 2 3 4"));
    let mut machine = Executor::new(checked.clone(), options(&checked, "plan", "one"));
    assert_eq!(machine.next(0, Input::Begin), Output::Permission);
    assert_eq!(machine.next(1, Input::Granted), Output::Lock);
    machine.next(2, Input::Failed(RequestError::SessionOver));
    let Output::End(end) = machine.next(3, Input::Done) else { panic!("it goes on") };
    assert_eq!(*end, Outcome::LockLost { unknown: None, since: Since::NeverTaken });
}

/// An unreachable machine that was replaced is reported, because it must never come back.
#[test]
fn a_replaced_server_that_is_unreachable_is_reported() {
    let told = |down: &str, hooks: Hooks| {
        let checked = planned_with(&Example::new("1 2 3", "1 2 4").down(down), hooks);
        let mut fake = Fake::of(&checked);
        fake.down = down.split_whitespace().filter_map(|word| word.parse().ok()).map(id).collect();
        let end = fake.apply(&checked, "one", &BTreeMap::new(), |_, _, _| {});
        assert_eq!(end, Some(Outcome::Finished));
        let of_stop = |event: &&Event| {
            matches!(
                event,
                Event::NoAnswer { .. } | Event::StopByHand { .. } | Event::NotNeeded { .. }
            )
        };
        let events: Vec<Event> = fake.events.iter().filter(of_stop).cloned().collect();
        (events, fake.commands)
    };
    let no_answer = Event::NoAnswer { step: StepId::new("stop-3"), server: id(3) };
    let stop = Some(vec!["stop".to_owned(), "{id}".to_owned()]);
    let hooks = Hooks { stop, ..Hooks::default() };
    assert_eq!(told("3", Hooks::default()), (vec![no_answer.clone()], Vec::new()));
    assert_eq!(told("3", hooks.clone()), (vec![no_answer], Vec::new()));
    // One that runs is to be stopped, or was stopped by the command.
    let by_hand = Event::StopByHand { server: id(3), clients: Some(Clients::default()) };
    assert_eq!(told("", Hooks::default()), (vec![by_hand], Vec::new()));
    assert_eq!(told("", hooks), (Vec::new(), vec![StepId::new("stop-3")]));
}

/// A finding that appears only later may be accepted in advance, or on a resume. Acceptances of an
/// earlier command do not count.
#[test]
fn a_finding_that_appears_later_is_accepted_by_the_command_alone() {
    let checked = planned(&Example::new("1 2 3", "1 2 3 4 5"));
    let written = FindingKind::ConfigWritten;
    let accept = vec![Acceptance { code: written.code().to_owned(), step: None }];
    let after_join = |output: &Output, fake: &mut Fake| {
        if matches!(output, Output::Send { what: RequestPurpose::Step(step), .. } if step.as_str() == "join-4")
        {
            fake.findings = vec![FindingKind::ConfigWritten];
        }
    };
    let apply = |fake: &mut Fake, nonce: &str, accepted: &[Acceptance]| {
        fake.accepted = accepted.to_vec();
        fake.apply(&checked, nonce, &BTreeMap::new(), |_, output, fake| after_join(output, fake))
    };
    let mut fake = Fake::of(&checked);
    assert_eq!(apply(&mut fake, "in advance", &accept), Some(Outcome::Finished));

    let mut fake = Fake::of(&checked);
    assert!(matches!(apply(&mut fake, "first", &[]), Some(Outcome::Unsafe(..))));
    assert_eq!(fake.carried_out, [StepId::new("join-4")]);
    assert!(matches!(apply(&mut fake, "again", &[]), Some(Outcome::Unsafe(..))));
    let mut unaware = fake.clone();
    assert_eq!(apply(&mut fake, "resumes", &accept), Some(Outcome::Finished));

    // The earlier command is no word of the later one.
    unaware.findings.clear();
    let mut interrupted = false;
    unaware.accepted.clone_from(&accept);
    unaware.apply(&checked, "dies", &BTreeMap::from([(9, Fault::DiesBefore)]), |_, _, _| {
        interrupted = true;
    });
    unaware.findings = vec![FindingKind::ConfigWritten];
    assert!(interrupted && matches!(apply(&mut unaware, "later", &[]), Some(Outcome::Unsafe(..))));
}

/// They are removed by an apply whose own run is over, and never before: what such an apply says of its run
/// is as true without it.
#[test]
fn old_runs_are_removed_behind_a_run_that_is_over_and_by_no_other() {
    let checked = planned(&Example::new("1 2 3", "1 2 3 4"));
    let full = || {
        let mut fake = Fake::of(&checked);
        fake.old_runs = 130;
        fake
    };
    let mut outputs = Vec::new();
    let mut fake = full();
    let none = BTreeMap::new();
    let end = fake.apply(&checked, "one", &none, |_, output, _| outputs.push(output.name()));
    assert_eq!(end, Some(Outcome::Finished));
    let first = outputs.iter().position(|name| name == "prune 1").expect("the first is removed");
    assert_eq!(outputs[first - 1], "record closed", "{outputs:?}");
    assert_eq!((outputs.len() - first, fake.old_runs), (21, 110), "20 runs, and the close");
    // What goes wrong there does not change how the apply ends.
    for (name, fault) in [("lost", Fault::LostBefore), ("not answered", Fault::LostAfter)] {
        let end = full().apply(&checked, name, &BTreeMap::from([(first, fault)]), |_, _, _| {});
        assert_eq!(end, Some(Outcome::Finished), "{name}");
    }
    // A run that stays open removes nothing.
    let mut fake = full();
    let end = fake.apply(&checked, "stopped", &none, |_, output, fake| {
        assert!(!output.name().starts_with("prune"), "the run is open");
        if matches!(output, Output::Record(_, Entry::Committed { .. })) {
            fake.down.insert(id(4));
        }
    });
    assert!(end.is_some_and(|end| end != Outcome::Finished), "it is not done");
    assert_eq!(fake.old_runs, 130);
}

//! Two who apply at the same time, and one who was away for too long.

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, PATIENCE, Role, wait_until};
use crate::ledger::{Ledger, is_at};
use crate::spec::Spec;
use crate::zkplan::{Desk, Outcome, text};

#[test]
fn one_applies_at_a_time() {
    let ensemble = Builder::rich().start_with([4]);
    ensemble.reserve(5);
    the_other_is_told_who_applies(&ensemble);
}

#[test]
fn ghosts_are_waited_for_or_unlocked() {
    let ensemble = Builder::rich().start();
    ensemble.reserve(5);
    a_ghost_is_waited_for(&ensemble);
    a_long_ghost_is_unlocked(&ensemble);
}

/// The ids that the first one wants; it waits for 5, which nobody has started.
fn waiting_for_five(ensemble: &Ensemble) -> Spec {
    wanting(ensemble, [1, 2, 3, 5], 1..=3)
}

fn the_other_is_told_who_applies(ensemble: &Ensemble) {
    let desks = [Desk::new(), Desk::new(), Desk::new()];
    let same = waiting_for_five(ensemble);
    let other = wanting(ensemble, 1..=4, 1..=3);
    let mut first = desks[0].apply_spec(&same).start();
    first.wait_for("waiting", "server 5");
    let ledger = Ledger::begin(ensemble);
    let holder = lock(ensemble);
    let (who, host, pid) = (text(&holder["who"]), text(&holder["host"]), &holder["pid"]);

    for (desk, spec) in [(&desks[1], &same), (&desks[2], &other)] {
        let second = desk.apply_spec(spec).with(&["--lock-timeout", "100ms"]).ends().exits(6);
        second.says([who, host, &pid.to_string()]);
    }
    let planned = Desk::new().plan(&same, &[]).exits(2);
    planned.says([&format!("{who}@{host} holds the lock"), "run 1, opened by", "resumes it"]);
    ledger.is_untouched();
    assert_eq!(lock(ensemble), holder, "the first still has it");

    ensemble.start_joiner(5);
    first.ends().exits(0);
    is_at(ensemble, &[1, 2, 3, 5]);
}

/// A crash leaves a lock until the session is over: the rerun waits for that, not for a person.
fn a_ghost_is_waited_for(ensemble: &Ensemble) {
    let spec = waiting_for_five(ensemble);
    let crashed = Desk::new();
    let mut apply = crashed.apply_spec(&spec).start();
    apply.wait_for("waiting", "server 5");
    apply.kill();
    let ghost = lock(ensemble);
    let elsewhere = Desk::new();
    let mut rerun = elsewhere.apply_spec(&spec).start();
    rerun.wait_for("waiting", "server 5");
    assert_ne!(lock(ensemble)["nonce"], ghost["nonce"], "the ghost is gone");
    ensemble.start_joiner(5);
    rerun.ends().exits(0);
    is_at(ensemble, &[1, 2, 3, 5]);
    back_to_three(ensemble).exits(0);
    ensemble.stop(5);
}

/// Who cannot wait for a long session to end names its nonce, and the dead are fenced off.
fn a_long_ghost_is_unlocked(ensemble: &Ensemble) {
    let spec = waiting_for_five(ensemble).session_timeout("20s");
    let desk = Desk::new();
    let mut apply = desk.apply_spec(&spec).start();
    apply.wait_for("waiting", "server 5");
    apply.kill();
    let ghost = lock(ensemble);
    let nonce = text(&ghost["nonce"]);

    let unlock = format!("zkplan unlock spec.yaml {nonce}");
    let impatient = desk.apply_spec(&spec).with(&["--lock-timeout", "100ms"]).ends();
    impatient.exits(6).says([nonce, &unlock]);
    let ledger = Ledger::begin(ensemble);
    desk.run_as_super(&["unlock", "spec.yaml", "0123456789abcdef"]).exits(6);
    assert_eq!(lock(ensemble), ghost, "another nonce unlocks nothing");
    desk.run_as_super(&["unlock", "spec.yaml", nonce]).exits(0);
    assert_eq!(ensemble.administrator().znode("/zkplan/lock"), None);
    assert_eq!((ledger.fences(), ledger.steps().len()), (1, 0), "what the dead sent is refused");

    ensemble.start_joiner(5);
    desk.apply_spec(&spec).with(&["--lock-timeout", "100ms"]).ends().exits(0);
    is_at(ensemble, &[1, 2, 3, 5]);
}

/// One that slept past its session finds that it holds nothing any more, and sends nothing;
/// whether or not somebody else came in between.
#[test]
fn one_that_slept_too_long_sends_nothing() {
    let ensemble = Builder::rich().start_with([4, 5]);
    let spec = wanting(&ensemble, 1..=4, 1..=5);

    let desk = Desk::new();
    let mut sleeper = desk.apply_spec(&spec).at("STOP", "send join-4").start();
    sleeper.wait_frozen();
    wait_until_unlocked(&ensemble);
    let ledger = Ledger::begin(&ensemble);
    sleeper.thaw();
    sleeper.ends().exits_with_one_of(&[6, 7]).says(["zkplan apply"]);
    ledger.is_untouched();

    // Once more, and meanwhile the work is done by another, and half of it undone by a third.
    let mut sleeper = desk.apply_spec(&spec).at("STOP", "send join-4").start();
    sleeper.wait_frozen();
    Desk::new().apply_spec(&spec).ends().exits(0);
    back_to_three(&ensemble).exits(0);
    let ledger = Ledger::begin(&ensemble);
    sleeper.thaw();
    sleeper.ends().exits_with_one_of(&[6, 7]);
    ledger.is_untouched();
    is_at(&ensemble, &[1, 2, 3]);
}

/// Between the look at the lock and the run that it opens the lock can be removed: nothing is made.
#[test]
fn a_run_is_not_opened_without_the_lock() {
    let ensemble = Builder::rich().start_with([4]);
    let spec = wanting(&ensemble, 1..=4, 1..=4);
    let desk = Desk::new();
    let mut apply = desk.apply_spec(&spec).at("STOP", "open-run").start();
    apply.wait_frozen();
    ensemble.administrator().delete("/zkplan/lock");
    let below = || ensemble.administrator().tree("/zkplan").into_keys().collect::<Vec<_>>();
    let before = below();
    apply.thaw();
    apply.ends().exits(7).says(["lock"]);
    assert_eq!(below(), before, "no run, and no identity");
}

/// Two at once where nobody waits: whoever is first, the end is one of the two wishes, whole.
#[test]
fn two_different_wishes_are_not_mixed() {
    let ensemble = Builder::rich().start_with([4, 5]);
    let desks = [Desk::new(), Desk::new()];
    let observing = wanting(&ensemble, [1, 2, 3, 5], 1..=5).role(5, Role::Observer);
    let specs = [wanting(&ensemble, 1..=4, 1..=5), observing];
    let ledger = Ledger::begin(&ensemble);
    let applies = [0, 1].map(|turn| {
        desks[turn].apply_spec(&specs[turn]).with(&["--lock-timeout", "100ms"]).start()
    });
    let outcomes = applies.map(|apply| apply.ends().exits_with_one_of(&[0, 5, 6]));
    let done = outcomes.iter().filter(|outcome| outcome.has_exited(0)).count();
    // The loser was locked out, or came so late that its plan was stale.
    assert_eq!(done, 1, "{}\n{}", outcomes[0], outcomes[1]);
    ledger.has_steps(1);
    let winner = usize::from(outcomes[1].has_exited(0));
    let expected = if winner == 0 { [1, 2, 3, 4] } else { [1, 2, 3, 5] };
    assert_eq!(ensemble.administrator().config().ids(), expected);
}

fn lock(ensemble: &Ensemble) -> serde_json::Value {
    let lock = ensemble.administrator().znode("/zkplan/lock").expect("somebody has the lock");
    serde_json::from_str(&lock).expect("a lock is JSON")
}

pub(crate) fn wait_until_unlocked(ensemble: &Ensemble) {
    wait_until("the lock to go with its session", PATIENCE, || {
        ensemble.administrator().znode("/zkplan/lock").is_none().then_some(())
    });
}

fn back_to_three(ensemble: &Ensemble) -> Outcome {
    Desk::new().apply_spec(&wanting(ensemble, 1..=3, 1..=3)).ends()
}

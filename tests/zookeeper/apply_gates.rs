//! What waits for a person: approval, the cutover, and a person who wants it to stop.

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, Witness};
use crate::ledger::{Ledger, is_at};
use crate::show;
use crate::zkplan::Desk;

#[test]
fn nothing_happens_without_approval_and_it_stops_when_asked_to() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let witness = Witness::of(&ensemble, 1..=6);

    no_terminal_and_no_approval(&ensemble);
    the_gate_is_not_open(&ensemble);
    interrupted_once(&ensemble);
    interrupted_twice(&ensemble);
    somebody_wants_to_be_asked(&ensemble);
    show(&witness.finish(&ensemble, 1..=6).to_string());
}

fn no_terminal_and_no_approval(ensemble: &Ensemble) {
    let ledger = Ledger::begin(ensemble);
    let desk = Desk::new();
    let outcome = desk.apply_spec(&wanting(ensemble, 1..=4, 1..=6)).unapproved().ends().exits(4);
    // What would be done is shown, and how to say yes.
    outcome.says(["join-4", "--auto-approve"]);
    ledger.is_untouched();
    assert_eq!(ensemble.administrator().znode("/zkplan"), None, "nothing of ours is left");
}

/// Clients are connected to the servers that would leave, and nobody has said that they may be cut.
fn the_gate_is_not_open(ensemble: &Ensemble) {
    let desk = Desk::new();
    let spec = wanting(ensemble, 4..=6, 1..=6);
    let ledger = Ledger::begin(ensemble);
    let outcome = desk.apply_spec(&spec).ends().exits(7).says(["--approve cutover"]);
    let stopped: Vec<_> = outcome.events.of("stopped").map(|event| &event["exitCode"]).collect();
    assert_eq!(stopped, [7], "{outcome}");
    // Nothing is held: the next one needs to wait for nobody.
    assert_eq!(ensemble.administrator().znode("/zkplan/lock"), None);
    assert!(ensemble.administrator().config().ids().starts_with(&[1, 2, 3]));
    let quick = ["--lock-timeout", "1ms", "--approve", "cutover"];
    desk.apply_spec(&spec).with(&quick).ends().exits(0);
    is_at(ensemble, &[4, 5, 6]);
    ledger.has_steps(6);
}

/// What is begun is finished, what is not begun is left for next time.
fn interrupted_once(ensemble: &Ensemble) {
    let desk = Desk::new();
    let spec = wanting(ensemble, 1..=3, 1..=6);
    let ledger = Ledger::begin(ensemble);
    let mut apply = desk.apply_spec(&spec).with(&["--approve", "cutover"]).start();
    apply.wait_for("sent", "join-1");
    apply.interrupt();
    let outcome = apply.ends().exits(7).says(["zkplan apply"]);
    let stopped_after = ledger.steps().len();
    assert_eq!(outcome.events.committed().len(), stopped_after, "{outcome}");
    assert!((1..6).contains(&stopped_after), "it stopped after {stopped_after}\n{outcome}");
    assert_eq!(ensemble.administrator().znode("/zkplan/lock"), None);

    desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    is_at(ensemble, &[1, 2, 3]);
    ledger.has_steps(6);
}

/// Twice is now: it says what is not known, and the next one finds out.
fn interrupted_twice(ensemble: &Ensemble) {
    let desk = Desk::new();
    let spec = wanting(ensemble, 4..=6, 1..=6);
    let ledger = Ledger::begin(ensemble);
    let approved = ["--approve", "cutover"];
    let mut apply = desk.apply_spec(&spec).with(&approved).at("STOP", "send join-4").start();
    apply.wait_frozen();
    // Nobody can say what becomes of the request: no safe place is near.
    let followers = ensemble.freeze_followers(1..=3);
    apply.thaw();
    apply.wait_for("sent", "join-4");
    apply.interrupt_until_it_ends();
    apply.ends().exits(7).says(["unknown", "join-4", "zkplan apply"]);
    for id in &followers {
        ensemble.thaw(*id);
    }
    ensemble.wait_serving();

    desk.apply_spec(&spec).with(&approved).ends().exits(0);
    is_at(ensemble, &[4, 5, 6]);
    ledger.has_steps(6);
}

/// One of three goes, which needs nobody's leave unless the spec says so.
fn somebody_wants_to_be_asked(ensemble: &Ensemble) {
    let desk = Desk::new();
    let spec = wanting(ensemble, [4, 5], 1..=6).policy("cutover", "manual");
    let ledger = Ledger::begin(ensemble);
    desk.apply_spec(&spec).ends().exits(7).says(["--approve cutover"]);
    ledger.membership_is_unchanged();
    desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    is_at(ensemble, &[4, 5]);
    ledger.has_steps(1);
}

//! Servers that freeze and die in the middle of a reconfig: what became of it is unknown at first,
//! and settled truthfully before anything else is sent.

use crate::applying::{Applying, wanting};
use crate::harness::{Builder, PATIENCE, Role, wait_until};
use crate::ledger::{Ledger, is_at};
use crate::show;
use crate::spec::Spec;
use crate::zkplan::Desk;

/// A killed apply's request, held by a frozen follower, must not come into force after somebody
/// else went on.
#[test]
fn a_request_held_by_a_frozen_follower_is_refused_for_ever() {
    // The leader shall not miss the follower while it is frozen: then the follower passes the
    // request on as if nothing had been.
    let ensemble = Builder::rich().setting("syncLimit", "200").start_with([4]);
    let leader = ensemble.wait_leader();
    let holder = (1..=3).find(|id| *id != leader).expect("there are two followers");
    let address = ensemble.client_address(holder).to_string();
    let observing = |contacts: Vec<u8>| wanting(&ensemble, 1..=4, contacts).role(4, Role::Observer);

    // Only through the follower can the first apply reach the ensemble.
    let first_spec = observing(vec![holder]);
    let desk = Desk::new();
    let mut killed = desk.apply_spec(&first_spec).at("STOP", "send join-4").start();
    killed.wait_frozen();
    let ledger = Ledger::begin(&ensemble);
    let attached = killed.events().attached().map(str::to_owned);
    // Ours only if it lies there: another server would pass it on at once.
    let held = attached.as_deref() == Some(&address);
    assert!(held, "the session is on {attached:?}, the only contact is {address}");
    ensemble.freeze(holder);
    killed.thaw();
    killed.wait_for("sent", "join-4");
    killed.kill();
    ledger.is_untouched();

    let others = (1..=3).filter(|id| *id != holder);
    Desk::new().apply_spec(&observing(others.collect())).ends().exits(0);
    ledger.has_steps(1);
    // Undone by hand, so that the old request, should it be granted, would be seen to be.
    let config = ensemble.administrator().remove(4);
    ensemble.thaw(holder);
    wait_until("the thawed follower to have all that was committed", PATIENCE, || {
        let leader = ensemble.zxid(ensemble.leader_id()?)?;
        (ensemble.zxid(holder)? >= leader).then_some(())
    });
    // Whatever it passed on was before this in the same channel.
    ensemble.zkcli(holder, &["create", "/after-the-thaw"]);
    assert_eq!(ensemble.administrator().config(), config, "the old request was granted");
    ledger.has_steps(2);
}

/// Ends with what is true: done, or stopped with the rest for next time; then the rest is done.
fn settles(apply: Applying<'_>, spec: &Spec, ledger: &Ledger<'_>) {
    let outcome = apply.ends().exits_with_one_of(&[0, 7, 9, 10]);
    let committed = outcome.events.committed().len();
    let steps = ledger.steps().len();
    show(&format!("exit 0 at once: {}, committed {committed}", outcome.has_exited(0)));
    // What it said was committed is; what it did not say may have come into force afterwards.
    assert!(committed <= steps, "{committed} said, {steps} in the logs\n{outcome}");
    if !outcome.has_exited(0) {
        outcome.says(["zkplan apply"]);
    }
    Desk::new().apply_spec(spec).ends().exits(0);
    ledger.has_steps(1);
}

#[test]
fn both_followers_freeze_during_a_reconfig() {
    let ensemble = Builder::rich().start_with([4]);
    let spec = wanting(&ensemble, 1..=4, 1..=4);
    let desk = Desk::new();
    let ledger = Ledger::begin(&ensemble);
    let mut apply = desk.apply_spec(&spec).at("STOP", "send join-4").start();
    apply.wait_frozen();
    let followers = ensemble.freeze_followers(1..=3);
    apply.thaw();
    apply.wait_for("sent", "join-4");
    // The leader gives up without its quorum.
    wait_until("the leader to step down", PATIENCE, || {
        ensemble.leader_id().is_none().then_some(())
    });
    for id in &followers {
        ensemble.thaw(*id);
    }
    ensemble.wait_serving();
    settles(apply, &spec, &ledger);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

#[test]
fn the_leader_dies_after_it_proposed() {
    let ensemble = Builder::rich().servers(5).start_with([6]);
    let spec = wanting(&ensemble, 1..=6, 1..=6);
    let desk = Desk::new();
    let ledger = Ledger::begin(&ensemble);
    let mut apply = desk.apply_spec(&spec).at("STOP", "send join-6").start();
    apply.wait_frozen();
    // The request comes to the leader by the server that the session is on; these two are no quorum.
    let leader = ensemble.wait_leader();
    let attached = apply.events().attached().map(str::to_owned).expect("it has a session");
    let is_on = |id: u8| attached.ends_with(&format!(":{}", ensemble.client_address(id).port()));
    let spared = (1..=5).find(|id| is_on(*id) && *id != leader).unwrap_or(leader % 5 + 1);
    let frozen: Vec<u8> = (1..=5).filter(|id| ![leader, spared].contains(id)).collect();
    for id in &frozen {
        ensemble.freeze(*id);
    }
    apply.thaw();
    wait_until("the proposal to be in a log", PATIENCE, || {
        (ledger.steps().len() == 1).then_some(())
    });
    ensemble.kill(leader);
    for id in &frozen {
        ensemble.thaw(*id);
    }
    wait_until("another leader", PATIENCE, || ensemble.leader_id().filter(|id| *id != leader));
    ensemble.start_again(leader);
    ensemble.wait_serving();
    settles(apply, &spec, &ledger);
    is_at(&ensemble, &[1, 2, 3, 4, 5, 6]);
}

/// Two servers came in and one of the new voters is lost: no order of what is left would leave as much
/// to spare as the plan promised, so that it stops before the removals until that one is back.
#[test]
fn a_spare_is_lost_and_healed() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let spec = wanting(&ensemble, 4..=6, 1..=6);
    let ledger = Ledger::begin(&ensemble);
    let desk = Desk::new();
    let flags = ["--approve", "cutover", "--timeout", "3s"];
    let mut apply = desk.apply_spec(&spec).with(&flags).at("STOP", "send join-5").start();
    apply.wait_frozen();
    ensemble.kill(4);
    apply.thaw();
    let end = apply.ends().exits(3).says(["server 4"]);
    assert_eq!(end.next_lines(), ["zkplan apply spec.yaml --timeout 3s --abandon 1"]);
    let done = ledger.steps().len();
    show(&format!("stopped after {done} steps"));
    assert!((1..6).contains(&done), "{done}");

    ensemble.start_again(4);
    ensemble.wait_following(4);
    desk.apply_spec(&spec).with(&flags[..2]).ends().exits(0);
    is_at(&ensemble, &[4, 5, 6]);
    ledger.has_steps(6);
}

/// From one to two there is no way back once the request is sent: the second must answer.
#[test]
fn the_second_of_two_freezes_when_it_is_needed() {
    let ensemble = Builder::rich().servers(1).start_with([2]);
    let spec = wanting(&ensemble, 1..=2, 1..=2);
    let ledger = Ledger::begin(&ensemble);
    let desk = Desk::new();
    desk.apply_spec(&spec).ends().exits(3).says(["--accept ZKQ2:join-2"]);
    ledger.is_untouched();

    let accept = ["--accept", "ZKQ2:join-2"];
    let mut apply = desk.apply_spec(&spec).with(&accept).at("STOP", "send join-2").start();
    apply.wait_frozen();
    ensemble.freeze(2);
    apply.thaw();
    apply.wait_for("sent", "join-2");
    // Which server must come back, and where it is looked for.
    let address = format!("{}:{}", ensemble.host(), ensemble.quorum_port(2));
    apply.wait_said(&["server 2", &address]);
    ensemble.thaw(2);
    apply.ends().exits(0);
    is_at(&ensemble, &[1, 2]);
    ledger.has_steps(1);
}

/// Somebody else changes the membership between two of our steps, and is not overwritten.
#[test]
fn a_foreign_reconfig_between_two_steps_stops_it() {
    let ensemble = Builder::rich().start_with([4, 5]);
    ensemble.reserve(9);
    let spec = wanting(&ensemble, 1..=5, 1..=5);
    let desk = Desk::new();
    let ledger = Ledger::begin(&ensemble);
    let mut apply = desk.apply_spec(&spec).at("STOP", "send join-5").start();
    apply.wait_frozen();
    let foreign = ensemble.administrator().add(&ensemble.server_line_as(9, Role::Observer));
    apply.thaw();
    let outcome = apply.ends().exits(5);
    // What came, in which version; nothing more is known about who did it.
    outcome.says(["server.9=", &format!("{:x}", foreign.version)]);
    ledger.has_steps(2);
    assert_eq!(ensemble.administrator().config().members, foreign.members);
}

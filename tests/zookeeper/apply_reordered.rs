//! A server dies, or comes back, between the plan and its last step: what is left goes in another
//! order that the plan grants, by the same command.

use serde_json::Value;

use crate::applying::{Events, wanting};
use crate::harness::{Builder, PATIENCE, Role, wait_until};
use crate::ledger::{Ledger, is_at};
use crate::zkplan::{Desk, Outcome};

const APPROVED: [&str; 2] = ["--approve", "cutover"];

fn steps(events: &Events) -> Vec<String> {
    events.committed().into_iter().map(|(step, _)| step.to_owned()).collect()
}

/// The steps that were said to be left, and why, before any of them was sent.
fn taken_anew(outcome: &Outcome) -> Value {
    let events = &outcome.events;
    let said = events.of("reordered").last().unwrap_or_else(|| panic!("no order\n{outcome}"));
    let first = said["order"][0].as_str().expect("a step");
    let sent = events.find("sent", first).expect("it was sent");
    assert!(said["sequence"].as_u64() < sent["sequence"].as_u64(), "{outcome}");
    said.clone()
}

/// The leader of the side that leaves dies after the first removal: it is taken out first, whether the
/// apply lives through it or dies as well, at its death or after the next removal.
#[test]
fn the_leader_of_the_leaving_side_dies_in_the_middle_of_the_removals() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let leader = ensemble.wait_leader();
    let followers: Vec<u8> = (1..=3).filter(|id| *id != leader).collect();
    let [first, second] = followers[..] else { panic!("three servers: {followers:?}") };
    let spec = wanting(&ensemble, 4..=6, 1..=6);
    let desk = Desk::new();
    let ledger = Ledger::begin(&ensemble);
    let committed = format!("record committed leave-{first}");
    let mut apply = desk.apply_spec(&spec).with(&APPROVED).at("STOP", &committed).start();
    apply.wait_frozen();
    ensemble.kill(leader);
    apply.thaw();
    let outcome = apply.ends().exits(0);
    let outcome = outcome.says([&format!("server {leader} does not answer"), "another order"]);
    let said = taken_anew(&outcome);
    assert_eq!(said["down"], serde_json::json!([leader]));
    let last = steps(&outcome.events).split_off(3);
    let wanted = [first, leader, second].map(|id| format!("leave-{id}"));
    assert_eq!(last, wanted);
    is_at(&ensemble, &[4, 5, 6]);
    ledger.has_steps(6);
}

#[test]
fn a_saved_plan_is_finished_in_another_order_by_whoever_is_next() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let leader = ensemble.wait_leader();
    let followers: Vec<u8> = (1..=3).filter(|id| *id != leader).collect();
    let [first, second] = followers[..] else { panic!("three servers: {followers:?}") };
    let desk = Desk::new();
    let ledger = Ledger::begin(&ensemble);
    desk.plan(&wanting(&ensemble, 4..=6, 1..=6), &["--out", "plan.json"]).exits(2);
    let apply = || desk.apply("plan.json").with(&APPROVED);
    apply().at("KILL", &format!("record committed leave-{first}")).ends().was_killed();
    ensemble.kill(leader);
    wait_until("another leader", PATIENCE, || ensemble.leader_id().filter(|id| *id != leader));
    let dies = apply().at("KILL", &format!("send leave-{second}")).ends().was_killed();
    assert_eq!(steps(&dies.events), [first, leader].map(|id| format!("leave-{id}")));
    let outcome = apply().ends().exits(0);
    assert_eq!(steps(&outcome.events), [format!("leave-{second}")]);
    is_at(&ensemble, &[4, 5, 6]);
    ledger.has_steps(6);
}

/// A plan made while a voter was down for a moment takes it out first; now it is back.
#[test]
fn a_voter_that_was_down_when_the_plan_was_made_is_back() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let leader = ensemble.wait_leader();
    let away = (1..=3).find(|id| *id != leader).expect("a follower");
    let desk = Desk::new();
    let spec = wanting(&ensemble, 4..=6, 1..=6);
    ensemble.kill(away);
    let plan = desk.planned(&spec, &["--out", "plan.json"]);
    let leaves = format!("leave-{away}");
    assert_eq!(plan.reconfigs()[0], leaves);
    ensemble.start_again(away);
    ensemble.wait_serving();

    let ledger = Ledger::begin(&ensemble);
    let outcome = desk.apply("plan.json").with(&APPROVED).ends().exits(0);
    let outcome = outcome.says([&format!("server {away} answers again"), "another order"]);
    assert_eq!(taken_anew(&outcome)["back"], serde_json::json!([away]));
    assert_eq!(steps(&outcome.events)[..3], ["join-4", "join-5", "join-6"]);
    is_at(&ensemble, &[4, 5, 6]);
    ledger.has_steps(6);
}

/// A voter that stays dies: only a lower tolerance would do, so the run stops and names the plan that
/// has it; the commands that it names work.
#[test]
fn a_voter_that_stays_dies_and_the_commands_that_are_named_finish_without_it() {
    let ensemble = Builder::rich().start_with([4]);
    let leader = ensemble.wait_leader();
    let stays = if leader == 1 { 2 } else { 1 };
    let goes = (1..=3).find(|id| ![leader, stays].contains(id)).expect("three servers");
    let wanted = [leader, stays, 4];
    let spec = wanting(&ensemble, wanted, 1..=4);
    let desk = Desk::new();
    let short = ["--timeout", "3s"];
    let mut apply =
        desk.apply_spec(&spec).with(&short).at("STOP", "record committed join-4").start();
    apply.wait_frozen();
    ensemble.kill(stays);
    apply.thaw();
    let outcome = apply.ends().exits(3);
    let outcome = outcome
        .says([&format!("server {stays}"), "zkplan apply spec.yaml --timeout 3s --abandon 1"]);
    assert_eq!(steps(&outcome.events), ["join-4"]);
    desk.apply("spec.yaml").with(&["--abandon", "1"]).ends().exits(0);
    let left = ensemble.administrator().config();
    assert!(!left.ids().contains(&goes), "{left:?}");
    assert_eq!(left.line(4).map(|line| line.contains(Role::Participant.name())), Some(true));
}

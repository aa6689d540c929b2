//! What a screen says is so: causes are named, and nothing is said that was not seen.

use std::fs;

use serde_json::Value;

use crate::applying::wanting;
use crate::harness::{Builder, SUPER_PASSWORD};
use crate::ledger::{Ledger, is_at};
use crate::zkplan::Desk;

/// What a hiccup of a voter would be to a run under way it is to the look before it.
#[test]
fn a_voters_hiccup_before_the_lock_is_waited_for() {
    let ensemble = Builder::rich().start_with([4]);
    let voter = (1..=3).find(|id| *id != ensemble.wait_leader()).expect("there are two followers");
    let address = ensemble.client_address(voter).to_string();
    let spec = wanting(&ensemble, 1..=4, (1..=3).filter(|id| *id != voter));
    let ledger = Ledger::begin(&ensemble);

    // It does not come back: named, with its address, the cause, and since when.
    ensemble.freeze(voter);
    let mut brief = spec.clone();
    brief.policy.retain(|(key, _)| *key != "stableFor");
    let brief = brief.policy("stableFor", "1s");
    Desk::new().apply_spec(&brief).ends().exits(3).says([
        format!(
            "server {voter} does not count now; checking again for up to 1 s (policy.stableFor)"
        ),
        format!("Server {voter} ({address}) does not count since 2"),
        "no answer, connected, but timed out: the server is frozen or overloaded".to_owned(),
        format!("(missing: {voter}; not counted: 4, the joiner)"),
    ]);
    ledger.is_untouched();

    // It does.
    let mut patient = spec.clone();
    patient.policy.retain(|(key, _)| *key != "stableFor");
    let patient = patient.policy("stableFor", "10s");
    let desk = Desk::new();
    let mut apply = desk.apply_spec(&patient).start();
    apply.wait_said(&[&format!("server {voter} does not count now")]);
    ensemble.thaw(voter);
    apply.ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

/// A terminal that goes away stops a run in a safe place, but not one that `nohup` started.
#[test]
fn a_hangup_stops_in_a_safe_place_unless_it_is_ignored() {
    let ensemble = Builder::rich().start();
    ensemble.reserve(4);
    let spec = wanting(&ensemble, 1..=4, 1..=3);
    let desk = Desk::new();
    // The tests themselves may run under nohup, and what is ignored is inherited.
    let heeding = desk.apply_spec(&spec).under(&["env", "--default-signal=HUP"]);
    let mut apply = heeding.start();
    apply.wait_for("waiting", "server 4");
    apply.hang_up();
    apply.ends().exits(7).says(["interrupted."]);

    let mut apply = desk.apply_spec(&spec).under(&["nohup"]).start();
    apply.wait_for("waiting", "server 4");
    apply.hang_up();
    ensemble.start_joiner(4);
    apply.ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

/// A saved plan finds the password where the spec has it, from any folder.
#[test]
fn a_saved_plan_is_applied_from_any_folder() {
    let ensemble = Builder::rich().start_with([4]);
    let desk = Desk::new();
    for folder in ["specs", "secrets", "out", "elsewhere"] {
        fs::create_dir(desk.path(folder)).expect("a folder");
    }
    desk.write("secrets/password", &format!("{SUPER_PASSWORD}\n"));
    let spec = wanting(&ensemble, 1..=4, 1..=3).text();
    let spec = spec.replace("{ env: ZKPLAN_PASSWORD }", "{ file: ../secrets/password }");
    desk.write("specs/spec.yaml", &spec);
    desk.run(["plan", "specs/spec.yaml", "--out", "out/plan.json"]).exits(0);
    desk.apply("../out/plan.json").in_folder("elsewhere").password("none").ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
    // The ensemble keeps the plan, and gives back what a reviewer approved.
    let kept = desk.run(["history", "specs/spec.yaml", "1", "--plan"]).exits(0).json();
    let saved: Value = serde_json::from_str(&desk.read("out/plan.json")).expect("a plan");
    for key in ["planId", "base", "phases", "changes", "steps", "findings", "summary"] {
        assert_eq!(kept[key], saved[key], "{key}");
    }
    desk.write("out/kept.json", &kept.to_string());
    desk.run(["show", "out/kept.json"]).exits(0).says(["1 join in 1 reconfig"]);
}

/// A dead machine that was replaced must never come back; a voter that is down is no match.
#[test]
fn a_dead_machine_is_no_match_and_once_replaced_it_is_warned_of() {
    let ensemble = Builder::rich().start_with([4]);
    let dead = (1..=3).find(|id| *id != ensemble.wait_leader()).expect("there are two followers");
    ensemble.kill(dead);
    let desk = Desk::new();
    let same = wanting(&ensemble, 1..=3, 1..=3);
    desk.plan(&same, &[]).exits(2).says([
        "No changes to plan.".to_owned(),
        format!("but server {dead} was not up and in sync"),
    ]);

    let stay: Vec<u8> = (1..=4).filter(|id| *id != dead).collect();
    let spec = wanting(&ensemble, stay.clone(), stay.clone());
    desk.plan(&spec, &[]).exits(2).says([
        format!("stop-{dead} make sure server {dead} is stopped"),
        "a removed server must never start again with its old data".to_owned(),
        "after 3 2 1".to_owned(),
    ]);
    let done = desk.apply_spec(&spec).ends().exits(0).says([
        format!(
            "stop-{dead} skipped: server {dead} does not answer. Make sure it never starts with its \
             old data"
        ),
        format!("Warning: server {dead} does not answer. Make sure it never starts"),
    ]);
    done.says_nowhere("still runs without a vote");
    is_at(&ensemble, &stay);
    desk.plan(&spec, &[]).exits(0).says(["No changes."]);
}

/// Contacts that are no members are named, with the line that names members.
#[test]
fn contacts_that_are_no_members_are_named() {
    let ensemble = Builder::rich().start_with([4]);
    ensemble.reserve(5);
    let [one, two, three, joiner, nobody] =
        [1, 2, 3, 4, 5].map(|id| ensemble.client_address(id).to_string());
    let desk = Desk::new();
    let spec = wanting(&ensemble, 1..=3, [4, 5]);
    desk.plan(&spec, &[]).exits(0).says([
        format!("ZKF17 {joiner} and {nobody} in connect.servers are not members of this ensemble"),
        format!("Replace that line with servers: [{one}, {two}, {three}]"),
    ]);
    // A joiner that the spec wants is no mistake, nor is a member.
    let spec = wanting(&ensemble, 1..=4, [1, 4]);
    desk.plan(&spec, &[]).exits(2).says_nowhere("ZKF17");
    // What does not answer may be another address of a member that is down.
    let down = (1..=3).find(|id| *id != ensemble.wait_leader()).expect("there are two followers");
    ensemble.kill(down);
    let spec = wanting(&ensemble, 1..=3, [1, 2, 3, 5]);
    desk.plan(&spec, &[]).exits(2).says_nowhere("ZKF17");
}

/// A run that is abandoned for what is there already is said to be abandoned. One that has changed
/// nothing would have closed itself.
#[test]
fn abandoning_a_run_for_what_is_there_says_so() {
    let ensemble = Builder::rich().start_with([4]);
    let desk = Desk::new();
    let spec = wanting(&ensemble, 2..=4, 1..=3).policy("cutover", "manual");
    desk.apply_spec(&spec).ends().exits(7).says(["--approve cutover"]);
    let same = wanting(&ensemble, 1..=4, 1..=4);
    desk.plan(&same, &[]).exits(2).says(["but run 1 is open"]);
    desk.apply_spec(&same)
        .with(&["--abandon", "1"])
        .ends()
        .exits(0)
        .says(["Run 1 was abandoned. There was nothing else to change."]);
    desk.plan(&same, &[]).exits(0).says(["No changes."]);
}

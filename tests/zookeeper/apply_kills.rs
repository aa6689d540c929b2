//! `kill -9` at every output boundary: whoever applies the same spec next, from an empty directory,
//! comes to the same end.

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, Witness};
use crate::ledger::{Ledger, is_at};
use crate::show;
use crate::zkplan::{Desk, Outcome};

/// Each takes every so-manieth boundary, on an ensemble of its own.
const SHARDS: usize = 3;

#[test]
fn killed_at_every_boundary_first_third() {
    killed_at_every_boundary(0);
}

#[test]
fn killed_at_every_boundary_second_third() {
    killed_at_every_boundary(1);
}

#[test]
fn killed_at_every_boundary_last_third() {
    killed_at_every_boundary(2);
}

const ALL: [u8; 6] = [1, 2, 3, 4, 5, 6];

/// Moves three servers onto three others and back, again and again: removed servers run on and
/// follow, and are as good as new ones.
fn killed_at_every_boundary(first: usize) {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let witness = Witness::of(&ensemble, ALL);
    let mut targets = [[4, 5, 6], [1, 2, 3]].into_iter().cycle();
    let mut killed_at = Vec::new();
    let mut outputs = Vec::new();
    for boundary in (first..).step_by(SHARDS) {
        let target = targets.next().expect("it goes round and round");
        outputs = is_killed_and_resumed(&ensemble, target, &boundary.to_string());
        if outputs.len() != boundary + 1 {
            break;
        }
        killed_at.push(outputs[boundary].clone());
    }
    // How often it looks and pauses differs from one time to the next, and with it the index of all
    // that follows. What comes once a run is found by its name.
    let once: Vec<String> = outputs.into_iter().filter(|name| is_once_a_run(name)).collect();
    for name in once.iter().skip(first).step_by(SHARDS) {
        if !killed_at.contains(name) {
            let target = targets.next().expect("it goes round and round");
            let outputs = is_killed_and_resumed(&ensemble, target, name);
            assert_eq!(outputs.last(), Some(name), "{outputs:?}");
            killed_at.push(name.clone());
        }
    }
    show(&format!("killed at {}: {}", killed_at.len(), killed_at.join(", ")));
    assert!(killed_at.len() > 6, "far fewer boundaries than steps: {killed_at:?}");
    show(&witness.finish(&ensemble, ALL).to_string());
}

/// Neither about one of many servers, nor done again and again.
fn is_once_a_run(output: &str) -> bool {
    let about_a_server = output.contains(|char: char| char.is_ascii_digit());
    !about_a_server && !["look", "move", "pause", "settle"].contains(&output)
}

/// One apply is killed at an output, and another one comes to the end. The outputs of the first are
/// returned, which are all if it was not killed.
fn is_killed_and_resumed(ensemble: &Ensemble, target: [u8; 3], boundary: &str) -> Vec<String> {
    // The shorter the session, the sooner its ghost is gone.
    let spec = wanting(ensemble, target, ALL).session_timeout("1s");
    let approved = ["--approve", "cutover"];
    let ledger = Ledger::begin(ensemble);
    let killed = Desk::new().apply_spec(&spec).with(&approved).at("KILL", boundary).ends();
    let desk = Desk::new();
    let outcome = desk.apply_spec(&spec).with(&approved).ends().exits(0);
    is_at(ensemble, &target);
    // Whatever was committed before the kill was not sent again after it.
    ledger.has_steps(6);
    fences_are_accounted_for(&ledger, [&killed, &outcome]);
    assert!(ledger.hand_overs() <= 1, "{} hand-overs\n{outcome}", ledger.hand_overs());
    journal_is_true(&desk, &ledger);
    killed.events.outputs().into_iter().map(str::to_owned).collect()
}

/// A reconfig that changes nothing is a fence that one of the applies told of. One more would be a
/// removal sent twice.
fn fences_are_accounted_for(ledger: &Ledger<'_>, outcomes: [&Outcome; 2]) {
    let names = outcomes.iter().flat_map(|outcome| outcome.events.outputs());
    let told = names.filter(|name| name.starts_with("fence") || name.starts_with("settle"));
    let (told, fences) = (told.count(), ledger.fences());
    assert!(fences <= told, "{fences} reconfigs without effect, {told} told of");
}

/// The run is closed, and its journal holds every version that the ensemble's own logs hold.
fn journal_is_true(desk: &Desk, ledger: &Ledger<'_>) {
    let runs = desk.run_as_super(&["history", "spec.yaml"]).exits(0);
    assert_eq!(runs.open_run(), None, "a run is left open\n{runs}");
    let run = runs.last_run();
    let journal = desk.run_as_super(&["history", "spec.yaml", &run]).exits(0);
    for step in ledger.steps() {
        let version = format!("{:x}", step.version);
        assert!(journal.stdout.contains(&version), "{version} is not in the journal\n{journal}");
    }
}

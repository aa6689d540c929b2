//! Servers that want to join and should not, or not yet: none of them is given a vote.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use crate::apply_locks::wait_until_unlocked;
use crate::applying::{Apply, wanting};
use crate::harness::{Builder, Ensemble, PATIENCE, Witness, wait_until};
use crate::ledger::{Ledger, is_at};
use crate::show;
use crate::spec::Spec;
use crate::zkplan::{Desk, Outcome};

/// Nobody waits for long here: what is missing does not come.
const BRIEF: [&str; 2] = ["--timeout", "3s"];

#[test]
fn a_joiner_that_is_not_fit_gets_no_vote() {
    let ensemble = Builder::rich().start_with([4]);
    ensemble.reserve(5);
    ensemble.reserve(7);

    not_running(&ensemble);
    at_another_election_port(&ensemble);
    with_a_port_that_another_has(&ensemble);
    dies_between_proof_and_naming(&ensemble);
    restarted_between_join_and_add(&ensemble);
}

fn spec(ensemble: &Ensemble, joiner: u8) -> Spec {
    wanting(ensemble, [1, 2, 3, joiner], 1..=3)
}

/// An apply, briefly; a run that the one before left open is given up first.
fn anew<'a>(desk: &'a Desk, spec: &Spec) -> Apply<'a> {
    let apply = desk.apply_spec(spec).with(&BRIEF);
    match desk.run_as_super(&["history", "spec.yaml"]).exits(0).open_run() {
        Some(run) => apply.with(&["--abandon", &run]),
        None => apply,
    }
}

/// What comes of an apply that must not change the membership.
fn refused(ensemble: &Ensemble, spec: &Spec) -> Outcome {
    let ledger = Ledger::begin(ensemble);
    let outcome = anew(&Desk::new(), spec).ends();
    ledger.membership_is_unchanged();
    outcome
}

fn not_running(ensemble: &Ensemble) {
    let ledger = Ledger::begin(ensemble);
    let address = ensemble.client_address(5).to_string();
    let desk = Desk::new();
    let apply = desk.apply_spec(&spec(ensemble, 5)).with(&BRIEF);
    apply.ends().exits(9).says(["server 5", &address]);
    ledger.membership_is_unchanged();
    // The run sent nothing but its fence: it has closed itself, and no other spec has to abandon it.
    let other = spec(ensemble, 4);
    let history = desk.run_as_super(&["history", "spec.yaml"]).exits(0);
    assert_eq!(history.says(["closed: no step was begun"]).open_run(), None);
    desk.apply_spec(&other).ends().exits(0);
    is_at(ensemble, &[1, 2, 3, 4]);
    desk.apply_spec(&wanting(ensemble, 1..=3, 1..=3)).ends().exits(0);
}

/// The spec says one election port, the server listens at another: once it had a vote, nobody could
/// hear it.
fn at_another_election_port(ensemble: &Ensemble) {
    let elsewhere = ensemble.election_port(7);
    let spec = spec(ensemble, 4).with(4, |server| server.election_port = elsewhere);
    let outcome = refused(ensemble, &spec).exits_with_one_of(&[3, 9]);
    outcome.says(["server 4", &ensemble.election_port(4).to_string()]);
}

/// Another process listens where the joiner would serve clients: it cannot start, and what answers
/// there is no ZooKeeper.
fn with_a_port_that_another_has(ensemble: &Ensemble) {
    let taken = TcpListener::bind(ensemble.client_address(5)).expect("5 is not started");
    let outcome = refused(ensemble, &spec(ensemble, 5)).exits_with_one_of(&[3, 9]);
    outcome.says(["server 5", &ensemble.client_address(5).to_string()]);
    drop(taken);
    // A port that a member has.
    let taken = ensemble.quorum_port(1);
    let spec = spec(ensemble, 4).with(4, |server| server.quorum_port = taken);
    let outcome = Desk::new().apply_spec(&spec).ends().exits(65);
    outcome.says([&taken.to_string(), "quorum port of server 1"]);
}

/// It was seen to follow, and it is gone when the time has come to name it.
fn dies_between_proof_and_naming(ensemble: &Ensemble) {
    let spec = spec(ensemble, 4);
    let desk = Desk::new();
    let run = anew(&desk, &spec).ends().exits(0);
    let outputs = run.events.outputs();
    let sending = outputs.iter().position(|name| *name == "send join-4").expect("it was sent");
    let last_look = outputs[..sending].iter().rposition(|name| *name == "look");
    let before = outputs[last_look.expect("it looked before it sent") - 1].to_owned();
    let nth = outputs.iter().position(|name| *name == before).expect("it is one of them");
    assert_eq!(nth + 1, last_look.expect("found above"), "`{before}` came before: {outputs:?}");
    desk.apply_spec(&wanting(ensemble, 1..=3, 1..=3)).ends().exits(0);

    let ledger = Ledger::begin(ensemble);
    let mut apply = desk.apply_spec(&spec).with(&BRIEF).at("STOP", &before).start();
    apply.wait_frozen();
    ensemble.kill(4);
    apply.thaw();
    apply.ends().exits_with_one_of(&[7, 9]).says(["server 4"]);
    ledger.membership_is_unchanged();
}

/// Another process listens at the port from which the joiner would lead: a follower leaves it free,
/// and notices when it is elected.
#[test]
fn a_joiner_that_could_never_lead_gets_no_vote() {
    let ensemble = Builder::rich().start_with([4]);
    let port = ensemble.quorum_port(4);
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a follower leaves it free");
    let outcome = refused(&ensemble, &spec(&ensemble, 4)).exits_with_one_of(&[3, 9]);
    outcome.says(["server 4", &port.to_string()]);
    drop(taken);
}

/// What was begun in vain is given up, and what is there is what is wanted: the run is closed, though
/// nothing is sent.
#[test]
fn a_run_is_given_up_where_nothing_is_to_do() {
    let ensemble = Builder::rich().start_with([4]);
    let desk = Desk::new();
    desk.apply_spec(&spec(&ensemble, 4)).at("KILL", "send join-4").ends().was_killed();
    wait_until_unlocked(&ensemble);
    let run = desk.run_as_super(&["history", "spec.yaml"]).exits(0).open_run();
    let run = run.expect("it was opened and not closed");
    let as_it_is = wanting(&ensemble, 1..=3, 1..=3);
    desk.apply_spec(&as_it_is).with(&["--abandon", &run]).ends().exits(0);
    assert_eq!(desk.run_as_super(&["history", "spec.yaml"]).exits(0).open_run(), None);
}

/// ZooKeeper has taken the joiner out of its own files: it ends when it is started again, and that
/// is no mystery to us.
fn restarted_between_join_and_add(ensemble: &Ensemble) {
    let spec = spec(ensemble, 4);
    ensemble.start_again(4);
    ensemble.wait_ended(4);
    refused(ensemble, &spec).exits(9).says(["server 4", "server.4="]);

    ensemble.restore_first_files(4);
    ensemble.start_again(4);
    Desk::new().apply_spec(&spec).ends().exits(0);
    is_at(ensemble, &[1, 2, 3, 4]);
}

/// Somebody copied the data directory of another ensemble, which is as far as ours: ZooKeeper sends
/// what is new on top of it and never notices.
#[test]
fn a_joiner_with_data_of_another_ensemble_gets_no_vote() {
    let ensemble = with_foreign_data();
    let ledger = Ledger::begin(&ensemble);
    let refused = Desk::new().apply_spec(&spec(&ensemble, 4)).with(&["--timeout", "10s"]).ends();
    refused.exits_with_one_of(&[3, 7, 9]).says(["server 4", "data"]);
    ledger.membership_is_unchanged();
}

/// Three servers, and a joiner 4 with the data of others.
fn with_foreign_data() -> Ensemble {
    let other = Builder::rich().participants([4]).start();
    let ensemble = Builder::rich().start_with([4]);
    ensemble.stop(4);
    // As far as ours is, and no further.
    let far = |ensemble: &Ensemble| {
        let leader = ensemble.wait_leader();
        wait_until("a leader with a zxid", PATIENCE, || ensemble.zxid(leader)) & 0xffff_ffff
    };
    other.administrator().write_below("/theirs", 10);
    while far(&ensemble) < far(&other) {
        ensemble.administrator().write_below("/ours", 1);
    }
    while far(&other) < far(&ensemble) {
        other.administrator().write_below("/theirs", 1);
    }
    other.stop(4);
    ensemble.wipe(4);
    copy(&other.file(4, "data/version-2"), &ensemble.file(4, "data/version-2"));
    ensemble.restore_first_files(4);
    ensemble.start_again(4);
    ensemble.wait_following(4);
    ensemble
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the temporary directory can be written to");
    for file in fs::read_dir(from).expect("a server that has run has data") {
        let file = file.expect("a directory entry");
        fs::copy(file.path(), to.join(file.file_name())).expect("the server is stopped");
    }
}

/// Joiners with lower ids than the members, started from the highest to the lowest, while none of them is
/// wanted yet: no order of starts or ids makes two leaders.
#[test]
fn joiners_with_lower_ids_that_are_started_in_the_wrong_order() {
    let ensemble = Builder::rich().participants([4, 5, 6]).start();
    for id in 1..=3 {
        ensemble.reserve(id);
    }
    let witness = Witness::of(&ensemble, 1..=6);
    for id in [3, 2, 1] {
        ensemble.start_joiner(id);
    }
    let epoch = ensemble.epoch();
    let spec = wanting(&ensemble, 1..=3, 4..=6);
    let desk = Desk::new();
    let ended = desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    let steps: Vec<&str> = ended.events.committed().into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps[..3], ["join-1", "join-2", "join-3"], "{ended}");
    is_at(&ensemble, &[1, 2, 3]);
    assert_eq!(ensemble.epoch(), epoch + 1, "the leader changes once, by its removal");
    show(&format!("the application {}", witness.finish(&ensemble, 1..=3)));
}

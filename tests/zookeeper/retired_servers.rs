//! Retired servers stay watched: configuration management puts the first files back, the servers
//! that were left behind elect a leader of their own, and a client writes to them.

use serde_json::Value;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, Mode, PATIENCE, Role, Witness, wait_until};
use crate::ledger::is_at;
use crate::show;
use crate::spec::Spec;
use crate::zkplan::{Desk, Outcome};

const CUTOVER: [&str; 2] = ["--approve", "cutover"];

/// Starts the old trio from its first files, and waits until it serves beside the new one.
fn resurrect(ensemble: &Ensemble) {
    (1..=3).for_each(|id| ensemble.restore_first_files(id));
    (1..=3).for_each(|id| ensemble.start_again(id));
    let serves = |id: u8| matches!(ensemble.mode(id), Some(Mode::Leader | Mode::Follower));
    let leads = |id: &u8| ensemble.mode(*id) == Some(Mode::Leader);
    wait_until("the old trio to serve again", PATIENCE, || {
        ((1..=3).all(serves) && (1..=3).any(|id| leads(&id))).then_some(())
    });
}

/// The contacts of a spec after a migration: the new side.
fn new_side(ensemble: &Ensemble) -> Spec {
    wanting(ensemble, 4..=6, 4..=6)
}

/// A spec that nobody has changed since before the migration.
fn old_side(ensemble: &Ensemble) -> Spec {
    wanting(ensemble, 1..=3, 1..=3)
}

/// What comes of a command that asks retired servers, once it ends with this exit code and says this.
/// They have half a second in all, and on a busy machine an answer can come too late for one look.
fn once_it_says<W: AsRef<str>>(code: i32, words: &[W], run: impl Fn() -> Outcome) -> Outcome {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    wait_until(format!("exit code {code} and {words:?}"), PATIENCE, || {
        let outcome = run();
        (outcome.has_exited(code) && outcome.has_said(&words)).then_some(outcome)
    })
}

/// More runs than those whose entries `plan` reads anyway, none of which retires a server.
fn run_three_times_more(ensemble: &Ensemble) {
    ensemble.start_joiner(7);
    for role in [Role::Observer, Role::Participant, Role::Observer] {
        let spec = wanting(ensemble, 4..=7, 4..=6).role(7, role);
        Desk::new().apply_spec(&spec).ends().exits(0);
    }
}

fn retired(desk: &Desk, spec: &Spec) -> Vec<Value> {
    let words = ["\"state\": \"serve\""];
    let plan = once_it_says(2, &words, || desk.plan(spec, &["--format", "json"])).json();
    let findings = plan["findings"].as_array().expect("findings");
    let kinds = findings.iter().map(|finding| &finding["details"]);
    kinds.filter(|kind| kind["kind"] == "retiredAnswers").cloned().collect()
}

#[test]
fn an_old_trio_that_serves_again_is_found_from_either_side() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let spec = wanting(&ensemble, 4..=6, 1..=6);
    Desk::new().apply_spec(&spec).with(&CUTOVER).ends().exits(0);
    is_at(&ensemble, &[4, 5, 6]);
    let new = new_side(&ensemble);

    // Not stopped yet: a note, and all is well.
    (1..=3).for_each(|id| ensemble.wait_following(id));
    let desk = Desk::new();
    let note = "ZKF19 run 1 retired servers 1, 2 and 3, and they still follow this ensemble";
    once_it_says(0, &["No changes. Ensemble", note], || desk.plan(&new, &[]));
    // Stopped: nothing is to be said, and nothing has to be attested.
    (1..=3).for_each(|id| ensemble.stop(id));
    desk.plan(&new, &[]).exits(0).says_nowhere("ZKF19");

    run_three_times_more(&ensemble);
    let new = wanting(&ensemble, 4..=7, 4..=6).role(7, Role::Observer);
    let (spec, old) = (wanting(&ensemble, 4..=6, 1..=6), old_side(&ensemble));
    resurrect(&ensemble);
    let client = Witness::of(&ensemble, 1..=3);
    let at = |id: u8| format!("server {id} at {}", ensemble.client_address(id));
    let warning = "ZKF19 run 1 retired servers 1, 2 and 3, and they serve clients outside \
                   this ensemble, with old data";
    let said = once_it_says(2, &[warning, "No changes to plan."], || desk.plan(&new, &[]));
    said.says([at(1), at(2), at(3)]).says(["disable the service, and move zoo.cfg and data away"]);
    let found = retired(&desk, &new);
    assert_eq!((&found[0]["run"], &found[0]["state"]), (&1.into(), &"serve".into()));

    // The old side knows of the new one by its own journal alone.
    let sides = ["two different ensembles", "retired by run 1", "run 1 (done, last entry at 2"];
    for spec in [&old, &wanting(&ensemble, 4..=6, 1..=3), &spec] {
        let refused = once_it_says(3, &sides, || desk.plan(spec, &[]));
        refused.says(["retired servers 1, 2 and 3 and moved the ensemble to servers 4, 5 and 6"]);
    }
    let why = ["\"code\": \"twoHistories\"", "retired by run 1"];
    once_it_says(3, &why, || desk.plan(&old, &["--format", "json"]));
    let logged = ensemble.reconfigs().len();
    for spec in [&spec, &old] {
        once_it_says(3, &sides, || desk.apply_spec(spec).ends());
    }
    assert_eq!(ensemble.reconfigs().len(), logged, "nothing is sent to either");
    show(&client.finish(&ensemble, 1..=3).to_string());
}

/// The last thing that the old trio has heard of the run is that it is at work.
#[test]
fn old_data_that_hold_the_run_open_name_it_too() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let spec = wanting(&ensemble, 4..=6, 1..=6);
    let apply = Desk::new();
    apply.apply_spec(&spec).with(&CUTOVER).at("KILL", "record closed").ends().was_killed();
    let reached = ensemble.zxid(4).expect("server 4 serves");
    for id in 1..=3 {
        wait_until(format!("server {id} to have all of it"), PATIENCE, || {
            (ensemble.zxid(id)? >= reached).then_some(())
        });
    }
    (1..=3).for_each(|id| ensemble.stop(id));
    Desk::new().apply_spec(&spec).with(&CUTOVER).ends().exits(0);
    is_at(&ensemble, &[4, 5, 6]);

    resurrect(&ensemble);
    let client = Witness::of(&ensemble, 1..=3);
    let (desk, old) = (Desk::new(), old_side(&ensemble));
    assert_eq!(retired(&desk, &new_side(&ensemble))[0]["state"], "serve");
    let sides = ["two different ensembles", "retired by run 1", "run 1 (done, last entry at 2"];
    once_it_says(3, &sides, || desk.plan(&old, &[]));

    // Nobody is left who could say that it is done.
    (4..=6).for_each(|id| ensemble.stop(id));
    let at = format!("server 4 at {}", ensemble.client_address(4));
    let said = [
        "run 1, opened by",
        "ZKF19 servers 1, 2 and 3 are in this ensemble, but run 1 retired them",
        &at,
        "servers 1, 2 and 3 were retired by run 1",
    ];
    once_it_says(2, &said, || desk.plan(&old, &[]));
    show(&client.finish(&ensemble, 1..=3).to_string());
}

/// Its units start the old trio again, as it is. Those that know that they are no members end. One that was
/// down when it was removed does not know it, and follows without a vote: it is named until it stops.
#[test]
fn an_old_trio_that_is_rebooted_changes_nothing() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let witness = Witness::of(&ensemble, 1..=6);
    let spec = wanting(&ensemble, 4..=6, 1..=6).policy("cutover", "manual");
    let desk = Desk::new();
    desk.apply_spec(&spec).ends().exits(7);
    let leader = ensemble.wait_leader();
    let away = (1..=3).find(|id| *id != leader).expect("two follow");
    ensemble.kill(away);
    desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    is_at(&ensemble, &[4, 5, 6]);
    let others: Vec<u8> = (1..=3).filter(|id| *id != away).collect();
    for id in &others {
        ensemble.stop(*id);
    }
    let (epoch, config) = (ensemble.epoch(), ensemble.administrator().config());

    for id in 1..=3 {
        ensemble.start_again(id);
    }
    for id in &others {
        ensemble.wait_ended(*id);
        assert!(ensemble.log(*id).contains(&format!("My id {id} not in the peer list")));
    }
    ensemble.wait_following(away);
    let new_side = wanting(&ensemble, 4..=6, 4..=6);
    desk.write("spec.yaml", &new_side.text());
    let names = [
        ("status", format!("Retired {away} at {}", ensemble.client_address(away))),
        ("plan", format!("ZKF19 run 1 retired server {away}, and it still follows this ensemble")),
    ];
    for (command, words) in &names {
        // Retired servers have half a second in all to answer, on a busy machine too.
        wait_until(format!("{command} to name it"), PATIENCE, || {
            let screen = desk.run([command, "spec.yaml"]).exits(0);
            screen.has_said(&[words, "still follows this ensemble"]).then_some(())
        });
    }
    assert_eq!((ensemble.epoch(), ensemble.administrator().config()), (epoch, config));
    ensemble.stop(away);
    desk.run(["plan", "spec.yaml"]).exits(0).says(["No changes"]).says_nowhere("ZKF19");
    show(&format!("the application {}", witness.finish(&ensemble, 4..=6)));
}

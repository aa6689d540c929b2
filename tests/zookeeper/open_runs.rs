//! An apply that died in the middle, and whoever plans next: the plan says whose run is open, and
//! what it says of the next apply is what the next apply does.

use serde_json::Value;

use crate::apply_locks::wait_until_unlocked;
use crate::applying::wanting;
use crate::harness::{Builder, Ensemble};
use crate::ledger::is_at;
use crate::spec::Spec;
use crate::zkplan::{Desk, Outcome, text};

/// What JSON tells of the run that is open.
fn open_run(desk: &Desk, spec: &Spec) -> Option<Value> {
    let plan = desk.planned(spec, &[]).0;
    let findings = plan["findings"].as_array().expect("findings");
    findings
        .iter()
        .map(|finding| &finding["details"])
        .find(|kind| kind["kind"] == "openRun")
        .cloned()
}

fn killed(spec: &Spec, output: &str) {
    let apply = Desk::new();
    apply.apply_spec(spec).at("KILL", output).ends().was_killed();
}

#[test]
fn a_plan_names_the_run_that_a_killed_apply_left_open() {
    let ensemble = Builder::rich().start_with([4]);
    let swap = wanting(&ensemble, 2..=4, 1..=4);
    Desk::new().plan(&swap, &[]).exits(2).says_nowhere("is open");
    killed(&swap, "send leave-1");
    the_same_spec_goes_on_with_it(&ensemble, &swap);
    the_same_plan_goes_on_with_it(&ensemble);
    what_cannot_be_read_is_not_known(&ensemble);
    what_was_abandoned_is_in_the_document(&ensemble);
}

/// One server has joined.
fn the_same_spec_goes_on_with_it(ensemble: &Ensemble, swap: &Spec) {
    let desk = Desk::new();
    let run = open_run(&desk, swap).expect("a run is open");
    assert_eq!((&run["run"], &run["goesOn"]), (&1.into(), &true.into()));
    let (by, at) = (text(&run["openedBy"]), text(&run["openedAt"]));
    let named = |outcome: Outcome| {
        outcome.says([&format!("run 1, opened by {by} at {at} for plan"), text(&run["planId"])])
    };
    wait_until_unlocked(ensemble);
    let saved = desk.plan(swap, &["--out", "plan.json"]).exits(2).says_nowhere("holds the lock");
    // What is left is shown, by the run's own plan, and it is that plan that is saved.
    named(saved).says([
        "run 1 of this plan is open and will be resumed; reconfigs done: join-4; left: leave-1",
        "an apply of this spec resumes it",
        &format!("Saved to plan.json, plan id {}", text(&run["planId"])),
        "Next: zkplan apply plan.json",
    ]);

    let other = wanting(ensemble, 1..=4, 1..=4);
    let said = named(Desk::new().plan(&other, &[]).exits(2));
    said.says(["No changes", "--abandon 1", "Next: zkplan history spec.yaml 1"]);
    Desk::new().apply_spec(&other).ends().exits(5).says(["run 1 is open", "--abandon 1"]);

    desk.apply_spec(swap).ends().exits(0).says(["run 1 of this plan is open and will be resumed"]);
    is_at(ensemble, &[2, 3, 4]);
    Desk::new().plan(swap, &[]).exits(0).says(["No changes"]).says_nowhere("is open");
}

/// Nothing has committed but the fence: the plan is the run's own, saved or not.
fn the_same_plan_goes_on_with_it(ensemble: &Ensemble) {
    let grow = wanting(ensemble, 1..=4, 1..=4);
    killed(&grow, "send join-1");
    let desk = Desk::new();
    let saved = desk.plan(&grow, &["--out", "plan.json"]).exits(2);
    saved.says(["run 2, opened by", "resumes it", "Next: zkplan apply plan.json"]);
    desk.apply("plan.json")
        .ends()
        .exits(0)
        .says(["run 2 of this plan is open and will be resumed"]);
    is_at(ensemble, &[1, 2, 3, 4]);
}

/// A run that this version does not understand may be open: it is named, and abandoned by its
/// number.
fn what_cannot_be_read_is_not_known(ensemble: &Ensemble) {
    let administrator = ensemble.administrator();
    let spec = wanting(ensemble, 1..=4, 1..=4);
    administrator.write("/zkplan/runs/0000000002", "garbled");
    // It was closed, and its entries say so.
    Desk::new().plan(&spec, &[]).exits(0).says(["No changes"]).says_nowhere("is open");

    let shrink = wanting(ensemble, 1..=3, 1..=4);
    killed(&shrink, "send leave-4");
    wait_until_unlocked(ensemble);
    for (header, why, next) in [
        ("garbled", "its header cannot be read", "Next: zkplan apply spec.yaml --abandon 3"),
        (
            r#"{"formatVersion":7}"#,
            "a newer zkplan wrote it (format 7)",
            "Next: zkplan history spec.yaml 3",
        ),
    ] {
        administrator.write("/zkplan/runs/0000000003", header);
        let planned = Desk::new().plan(&shrink, &[]);
        planned.says(["run 3", next]);
        Desk::new().apply_spec(&shrink).ends().exits(5).says([why, "--abandon 3"]);
    }
    Desk::new().apply_spec(&shrink).with(&["--abandon", "3"]).ends().exits(0);
    is_at(ensemble, &[1, 2, 3]);
}

/// An apply that abandons a run and loses its session before it has opened its own.
fn what_was_abandoned_is_in_the_document(ensemble: &Ensemble) {
    let grow = wanting(ensemble, 1..=4, 1..=4);
    killed(&grow, "send join-4");
    wait_until_unlocked(ensemble);
    let run = open_run(&Desk::new(), &grow).expect("a run is open")["run"].to_string();
    let swap = wanting(ensemble, 2..=4, 1..=4);
    let desk = Desk::new();
    let flags = ["--abandon", &run, "--format", "json"];
    let mut apply = desk.apply_spec(&swap).with(&flags).at("STOP", "open-run").start();
    apply.wait_frozen();
    // Its session expires, and the lock goes with it.
    wait_until_unlocked(ensemble);
    apply.thaw();
    let outcome = apply.ends().exits(7).says([&format!("run {run} is abandoned")]);
    let document = outcome.json();
    assert_eq!((&document["format"], &document["state"]), (&"zkplan/run".into(), &"none".into()));
    assert_eq!(document["abandonedRun"].to_string(), run, "{document:#}");
    assert_eq!(document["code"], "lockLost");
    is_at(ensemble, &[1, 2, 3]);
}

//! `zkplan drift`: nothing after an apply, and later whose change a difference is. Many specs in one
//! command, of which one ensemble is down.

use serde_json::Value;

use crate::applying::wanting;
use crate::harness::{Builder, PATIENCE, wait_until};
use crate::ledger::{Ledger, is_at};
use crate::spec::Spec;
use crate::zkplan::{Desk, Outcome, text};

/// The drift of a spec.
fn drift(desk: &Desk, spec: &Spec, further: &[&str]) -> Outcome {
    let file = desk.write("spec.yaml", &spec.text());
    desk.run(["drift", &file].iter().chain(further))
}

/// The differences of a kind, each with whose change it is.
fn whose(outcome: &Outcome, code: &str) -> Vec<(Value, String)> {
    let document = outcome.json();
    let all = document["differences"].as_array().expect("differences").clone();
    let of_it = all.into_iter().filter(|one| one["code"] == code);
    of_it.map(|one| (one["servers"].clone(), text(&one["changedBy"]).to_owned())).collect()
}

#[test]
fn drift_says_whose_change_a_difference_is() {
    let ensemble = Builder::rich().start_with([4]);
    let (three, four) = (wanting(&ensemble, 1..=3, 1..=4), wanting(&ensemble, 1..=4, 1..=4));
    let desk = Desk::new();
    let json = ["--format", "json"];

    let ledger = Ledger::begin(&ensemble);
    drift(&desk, &three, &[]).exits(0).says(["No drift.", "no completed run of zkplan"]);
    let before = drift(&desk, &four, &json).exits(2);
    assert_eq!(whose(&before, "member"), [(4.into(), "unknown".to_owned())].map(in_a_list));
    ledger.is_untouched();

    desk.apply_spec(&four).with(&["--reason", "OPS-7", "--by", "ann"]).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
    let after = drift(&desk, &four, &[]).exits(0).fit_to_show();
    after.says(["No drift.", "last applied: run 1 by ann (", "OPS-7"]);

    // The file was edited.
    let edited = drift(&desk, &three, &json).exits(2);
    assert_eq!(whose(&edited, "member"), [(4.into(), "spec".to_owned())].map(in_a_list));

    // A reconfig by hand, and the same undone by hand.
    let line = ensemble.administrator().config().line(4).expect("a member").to_owned();
    ensemble.administrator().remove(4);
    let foreign = drift(&desk, &four, &json).exits(2);
    assert_eq!(whose(&foreign, "member"), [(4.into(), "otherClient".to_owned())].map(in_a_list));
    let shown = drift(&desk, &four, &[]).exits(2).says(["not zkplan's", "run 1"]);
    assert_eq!(shown.next_lines(), ["zkplan plan spec.yaml"]);
    ensemble.administrator().add(&line);
    let undone = || {
        let undone = drift(&desk, &four, &json);
        undone.has_exited(0).then_some(undone)
    };
    let undone = wait_until("server 4 to be up as a member", PATIENCE, undone);
    let version = (Value::Array(Vec::new()), "otherClient".to_owned());
    assert_eq!(whose(&undone, "configVersion"), [version]);
    drift(&desk, &four, &["--fail-on", "warning"]).exits(2);

    // A voter is down.
    let down = if ensemble.wait_leader() == 2 { 3 } else { 2 };
    ensemble.kill(down);
    let found = drift(&desk, &four, &json).exits(2);
    let servers = Value::Array(vec![down.into()]);
    assert_eq!(whose(&found, "membersDown"), [(servers, "unknown".to_owned())]);
}

fn in_a_list((server, by): (Value, String)) -> (Value, String) {
    (Value::Array(vec![server]), by)
}

#[test]
fn drift_of_many_waits_for_none_and_has_the_worst_exit_code() {
    let ensemble = Builder::rich().start();
    let desk = Desk::new();
    let same = wanting(&ensemble, 1..=3, 1..=3);
    desk.write("same.yaml", &same.text());
    let gone = "apiVersion: zkplan/v1\nensemble: gone\nservers:\n  - { id: 1, host: 127.0.0.1, \
                quorumPort: 9, electionPort: 10, clientPort: 11 }\n";
    desk.write("gone.yaml", gone);
    desk.write("bad.yaml", "apiVersion: zkplan/v1\n");
    let all = desk.run(["drift", "same.yaml", "gone.yaml"]).exits(10);
    all.says(["No drift.", "not seen", "no drift"]);
    let words = ["drift", "same.yaml", "gone.yaml", "bad.yaml", "--format", "json"];
    let fleet = desk.run(words).exits(65).json();
    let codes: Vec<_> = fleet["ensembles"].as_array().expect("a list").iter().collect();
    let codes: Vec<_> = codes.iter().map(|one| one["exitCode"].as_u64()).collect();
    assert_eq!(codes, [Some(0), Some(10), Some(65)]);
    let summary = &fleet["summary"];
    let counts = ["unchanged", "drifted", "failed"].map(|of| summary[of].as_u64());
    assert_eq!(counts, [Some(1), Some(0), Some(2)]);
}

#[test]
fn status_and_preflight_of_many_wait_for_none_and_have_the_worst_exit_code() {
    let [up, down] = [(), ()].map(|()| Builder::rich().start());
    let desk = Desk::new();
    std::fs::create_dir(desk.path("specs")).expect("a folder");
    for (ensemble, name) in [(&up, "up"), (&down, "down")] {
        let text = wanting(ensemble, 1..=3, 1..=3).text();
        let label = |line: &str| match line.split_once("ensemble:") {
            Some(("", _)) => format!("ensemble: {name}\n"),
            _ => format!("{line}\n"),
        };
        desk.write(&format!("specs/{name}.yaml"), &text.lines().map(label).collect::<String>());
    }
    for id in 1..=3 {
        down.kill(id);
    }
    let ledger = Ledger::begin(&up);
    let all = desk.run(["status", "specs"]).exits(10).fit_to_show();
    all.says(["unreachable", "no changes", "possible", "3 of 3", "zkplan status SPEC"]);
    let status = desk.run(["status", "specs", "--format", "json"]).exits(10).json();
    ledger.is_untouched();
    let preflight = desk.run(["preflight", "specs", "--format", "json"]).json();
    for (fleet, formats) in [
        (status, ["zkplan/status", "zkplan/status"]),
        (preflight, ["zkplan/error", "zkplan/preflight"]),
    ] {
        let members = fleet["ensembles"].as_array().expect("a list");
        let expected: Vec<_> = ["down", "up"].into_iter().zip(formats).collect();
        let of =
            members.iter().map(|one| (text(&one["ensemble"]), text(&one["document"]["format"])));
        assert_eq!(of.collect::<Vec<_>>(), expected);
        assert_eq!(members[0]["exitCode"], 10);
        assert_eq!(fleet["exitCode"], 10);
        assert_eq!(fleet["summary"]["failed"], 1);
    }
    // What the table names, of the one that is up.
    desk.run(["status", "specs/up.yaml"]).exits(0).says(["3 in sync"]);
}

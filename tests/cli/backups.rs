//! A plan whose spec wants a backup says so wherever it is shown, and carries it to apply.

use serde_json::Value;

use crate::run::{Answer, Desk, LIVE, SPEC};

const POLICY: &str = "policy: { backup: { maxAge: 24h } }\n";

fn planned(desk: &Desk, words: &[&str]) -> Answer {
    let answer = desk.zkplan(&[&["plan", "prod.yaml", "--live", "live"], words].concat());
    assert_eq!(answer.code, 0, "{answer:?}");
    answer
}

#[test]
fn a_plan_that_wants_a_backup_says_so_wherever_it_is_shown() {
    let desk = Desk::new();
    desk.write("live", LIVE);
    desk.write("prod.yaml", SPEC);
    let without = planned(&desk, &["--format", "json"]);
    desk.write("prod.yaml", &format!("{SPEC}{POLICY}"));
    for format in ["text", "markdown", "html"] {
        let shown = planned(&desk, &["--format", format]);
        assert!(shown.out.contains("Apply asks for a backup"), "{format}: {shown:?}");
    }
    let saved = planned(&desk, &["--out", "plan.json"]);
    let next = saved.out.lines().last();
    assert_eq!(next, Some("Next: zkplan apply plan.json --backup backup.tar.gz"), "{saved:?}");
    let shown = desk.zkplan(&["show", "plan.json"]);
    assert!(shown.out.contains("Apply asks for a backup"), "{shown:?}");

    // It is part of the plan and of what was approved.
    let parsed = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let [without, saved] = [without.out, desk.read("plan.json")].map(|text| parsed(&text));
    assert_eq!(saved["policy"]["backup"]["maxAge"], "24h");
    assert_eq!(without["policy"]["backup"], Value::Null);
    assert_ne!(saved["planId"], without["planId"]);
}

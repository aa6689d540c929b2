//! What was not approved is not applied: another plan, a plan that is made only now, one that takes
//! something away. And who applied what, and why, stays in the ensemble.

use std::process::Command;

use zkplan::document::Document as _;
use zkplan::model::AcceptedRisk;
use zkplan::report::PlanDocument;
use zkplan::saved;

use crate::applying::wanting;
use crate::harness::Builder;
use crate::ledger::{Ledger, is_at};
use crate::zkplan::{Desk, text};

fn openssl(desk: &Desk, words: &str) {
    let mut openssl = Command::new("openssl");
    let ended = openssl.args(words.split(' ')).current_dir(desk.path(".")).output();
    let ended = ended.expect("openssl");
    assert!(ended.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn what_was_not_approved_is_not_applied() {
    let ensemble = Builder::rich().start_with([4]);
    let (grow, swap) = (wanting(&ensemble, 1..=4, 1..=4), wanting(&ensemble, 2..=4, 1..=4));
    let ledger = Ledger::begin(&ensemble);
    let desk = Desk::new();
    let plan = desk.planned(&grow, &[]);
    let id = text(&plan.0["planId"]).to_owned();

    let other = "0".repeat(64);
    let refused = desk.apply_spec(&grow).with(&["--expect-plan", &other]).ends().exits(5);
    refused.says(["not the expected one", &id, "Next: zkplan plan spec.yaml --out plan.json"]);

    let strict = grow.clone().policy("requireSavedPlan", "true");
    let refused = desk.apply_spec(&strict).ends().exits(4);
    let next = refused.says(["policy.requireSavedPlan", "zkplan apply plan.json"]);
    assert_eq!(next.next_lines(), ["zkplan plan spec.yaml --out plan.json"]);

    let additive = ["--auto-approve=additive"];
    let refused = desk.apply_spec(&swap).unapproved().with(&additive).ends().exits(4);
    refused.says(["the plan does more than --auto-approve=additive approves", "leave-1"]);
    ledger.is_untouched();
    assert_eq!(ensemble.administrator().znode("/zkplan"), None, "nothing of ours is left");

    // A saved plan that rests on a risk whose day is over.
    desk.plan(&grow, &["--out", "old.json"]).exits(2);
    let until = "2020-01-01".parse().expect("a day");
    let over =
        AcceptedRisk { code: "ZKF1".to_owned(), step: None, reason: "once".to_owned(), until };
    let checked = saved::read(&desk.read("old.json")).expect("a plan").accepting_until(vec![over]);
    desk.write("old.json", &PlanDocument::of(&checked).to_text());
    let refused = desk.apply("old.json").ends().exits(3);
    refused.says(["ZKF1 was accepted until 2020-01-01 (once): it counts again"]);
    ledger.is_untouched();

    // The commands that were named work, and what is approved is applied.
    let saved = desk.line("zkplan plan spec.yaml --out plan.json").ends();
    saved.exits(0);
    desk.plan(&strict, &["--out", "plan.json"]).exits(2);
    let id = desk.planned(&strict, &[]).0["planId"].clone();
    let approved = ["--auto-approve=additive", "--expect-plan", text(&id), "--by", "ann"];

    // A plan is signed with the commands of `zkplan explain signatures`.
    openssl(&desk, "genpkey -algorithm ed25519 -out approver.key");
    openssl(&desk, "pkey -in approver.key -pubout -out approvers.pem");
    let signed = ["--verify-key", "approvers.pem"];
    let refused =
        desk.apply("plan.json").unapproved().with(&approved).with(&signed).ends().exits(4);
    refused.says(["plan.json is not signed"]);
    ledger.is_untouched();
    openssl(&desk, "pkeyutl -sign -rawin -inkey approver.key -in plan.json -out plan.json.sig");
    let reason = ["--reason", "OPS-7 one more"];
    let approved = [&approved[..], &reason, &signed].concat();
    desk.apply("plan.json").unapproved().with(&approved).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
    let history = desk.run(["history", "plan.json"]).exits(0);
    history.says(["ann ("]);
    let run = desk.run(["history", "plan.json", "1", "--format", "json"]).exits(0).json();
    let opened = &run["runs"][0]["opened"];
    assert_eq!((&opened["actor"], &opened["reason"]), (&"ann".into(), &"OPS-7 one more".into()));
}

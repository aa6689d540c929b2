//! `zkplan plan --rebase`: a plan that is stale, what has changed since, and by whose run.

use serde_json::Value;

use crate::applying::wanting;
use crate::harness::Builder;
use crate::ledger::{Ledger, is_at};
use crate::zkplan::{Desk, text};

#[test]
fn a_stale_plan_is_held_against_what_is_there_now() {
    let ensemble = Builder::rich().start_with([4, 5]);
    let spec = wanting(&ensemble, 1..=4, 1..=5);
    let desk = Desk::new();
    desk.plan(&spec, &["--out", "old.json"]).exits(2);
    let rebase = ["plan", "spec.yaml", "--rebase", "old.json"];
    desk.run(rebase).exits(0).says(["old.json is not stale", "nothing that zkplan can see"]);

    let because = ["--by", "ann", "--reason", "OPS-7"];
    let other = wanting(&ensemble, [1, 2, 3, 5], 1..=5);
    Desk::new().apply_spec(&other).with(&because).ends().exits(0);
    let refused = desk.apply("old.json").ends().exits(5).says(["the plan is stale"]);
    assert_eq!(refused.next_lines(), ["zkplan plan spec.yaml --rebase old.json"]);

    let ledger = Ledger::begin(&ensemble);
    let words = rebase.iter().chain(&["--out", "new.json"]);
    let shown = desk.run(words).exits(0).says([
        "old.json is stale",
        "changed by run 1, opened by ann (",
        "OPS-7",
        "in the ensemble: server 5 is new",
        "still needed",
        "leave-5",
    ]);
    assert_eq!(shown.next_lines(), ["zkplan apply new.json"]);
    let document = desk.run(rebase.iter().chain(&["--format", "json"])).exits(0).json();
    assert_eq!(
        (&document["stale"], &document["document"]["format"]),
        (&true.into(), &"zkplan/plan".into())
    );
    let changed = document["changed"].as_array().expect("changes");
    let of = |code: &str| changed.iter().find(|one| one["code"] == code).expect(code);
    assert_eq!(of("version")["runs"][0]["run"], 1);
    assert_eq!(of("member")["servers"], Value::Array(vec![5.into()]));
    let steps = document["steps"].as_array().expect("steps");
    let join = steps.iter().find(|step| step["step"] == "join-4").expect("a join");
    assert_eq!(text(&join["fate"]), "holds");
    ledger.is_untouched();

    desk.apply("new.json").ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

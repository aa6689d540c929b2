//! `zkplan rollback` and `zkplan plan --rebase`, as far as they come without a server.

use serde_json::Value;

use crate::documents::desk;

#[test]
fn a_rollback_wants_a_file_for_its_plan_that_is_not_the_spec() {
    let desk = desk();
    let without = desk.zkplan(&["rollback", "3", "prod.yaml"]);
    assert_eq!(without.code, 64, "{without:?}");
    assert!(without.err.contains("--out"), "{without:?}");
    let spec = desk.zkplan(&["rollback", "3", "prod.yaml", "--out", "prod.yaml"]);
    assert_eq!(spec.code, 64, "{spec:?}");
    assert!(spec.err.contains("prod.yaml is the spec itself"), "{spec:?}");
    let words = ["rollback", "3", "bad.yaml", "--out", "back.json", "--format", "json"];
    let bad = desk.zkplan(&words);
    assert_eq!(bad.code, 65, "{bad:?}");
    let error: Value = serde_json::from_str(&bad.out).expect("JSON");
    assert_eq!(error["code"], "specInvalid");
    assert!(!desk.path("back.json").exists());
}

#[test]
fn a_rebase_wants_one_spec_and_a_saved_plan() {
    let desk = desk();
    let saved = desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--out", "old.json"]);
    assert_eq!(saved.code, 0, "{saved:?}");
    for (words, code, says) in [
        (&["prod.yaml", "small.yaml", "--rebase", "old.json"][..], 64, "only with one spec"),
        (&["prod.yaml", "--rebase", "old.json", "--format", "dot"][..], 64, "text or json"),
        (&["prod.yaml", "--rebase", "old.json", "--live", "live"][..], 64, "--live"),
        (&["prod.yaml", "--rebase", "small.yaml"][..], 65, "small.yaml is not a saved plan"),
    ] {
        let answer = desk.zkplan(&[&["plan"], words].concat());
        assert_eq!(answer.code, code, "{answer:?}");
        assert!(answer.err.contains(says), "{says}: {answer:?}");
    }
}

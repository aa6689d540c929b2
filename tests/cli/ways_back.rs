//! `zkplan rollback`, as far as it comes without a server.

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

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::apply::journal::{CommitEvidence, Entry, Header, Record, Run, Stamp};
use crate::document::Document as _;
use crate::render::fixture::{Scene, id, lines};
use crate::report::rebase::RebaseDocument;

/// Since a plan that adds 4 was made, run 2 added 5, and server 2 went down.
fn seen<T>(show: impl FnOnce(&RebaseScreen<'_>) -> T) -> T {
    let old = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3, 4])).plan();
    let mut now = Scene::new(&lines(&[1, 2, 3, 5]), &lines(&[1, 2, 3, 4, 5])).silent(&[2]);
    now.facts.synced.remove(&id(2));
    now.facts.base.version = "100000009".parse().expect("a version");
    let new = now.plan();
    let stamp = Stamp {
        nonce: "n".to_owned(),
        who: "ci".to_owned(),
        host: "ops1".to_owned(),
        pid: 7,
        at: "2026-11-29T03:00:00Z".to_owned(),
    };
    let mut header = Header::new("sha256:2".into(), "prod-eu".into(), 1, BTreeMap::new(), stamp);
    header.cause.actor = Some("ann".to_owned());
    header.cause.reason = Some("OPS-7".to_owned());
    let (step, version) = (StepId::new("join-5"), "100000009".to_owned());
    let entry = Entry::Committed { step, version, known: CommitEvidence::Reply };
    let records = vec![Record::new(entry, "n".to_owned(), "2026-11-29T03:00:09Z".to_owned())];
    let run = Run { number: 2, header: Ok(header), records, illegible: BTreeMap::new(), last: 1 };
    let since = crate::rebase::rebase(old.plan(), &now.facts, &[run], (new.plan(), true));
    show(&RebaseScreen { rebase: &since, old: "old.json", spec: "prod-eu.yaml", width: 100 })
}

#[test]
fn a_rebase_says_what_has_changed_by_whose_run_and_which_steps_are_still_needed() {
    let text = seen(|view| section(view).to_string_with(false));
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "old.json is stale: apply refuses it.",
        "config version 100000004 is 100000009 now; changed by run 2, opened by ann (ci@ops1) at \
         2026-11-29T03:00:00Z: OPS-7",
        "in the ensemble: server 5 is new, server.5=10.0.0.5:2888:3888:participant;0.0.0.0:2181",
        "server 2 is not up and in sync now",
        "in prod-eu.yaml: server 5 is new",
        "still needed await-4, join-4 and prove",
    ] {
        assert!(words.contains(said), "{said}: {text}");
    }
}

#[test]
fn the_document_of_a_rebase_has_the_same_as_data_and_fits_its_schema() {
    let new = json!({ "format": "zkplan/plan" });
    let document = seen(|view| RebaseDocument::of(view, new, 0).to_value());
    let validator = jsonschema::validator_for(&RebaseDocument::schema()).expect("a schema");
    assert!(validator.is_valid(&document), "{document:#}");
    assert_eq!(document["stale"], true);
    let changed = document["changed"].as_array().expect("a list");
    let of = |code: &str| changed.iter().find(|one| one["code"] == code).expect("a change");
    assert_eq!(of("version")["runs"][0]["run"], 2);
    let member = of("member");
    assert_eq!((&member["servers"], &member["then"]), (&json!([5]), &Value::Null));
    assert_eq!(member["now"]["host"], "10.0.0.5");
    assert_eq!(of("down")["servers"], json!([2]));
    let steps = document["steps"].as_array().expect("a list");
    assert!(steps.iter().any(|one| *one == json!({ "step": "join-4", "fate": "holds" })));
}

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::apply::journal::{Header, Stamp};
use crate::document::Document as _;
use crate::render::fixture::{Scene, lines};
use crate::report::rollback::RollbackDocument;
use crate::rollback::spec_edits;

/// A run has moved 1, 2 and 3 onto 4, 5 and 6; 1 and 2 still follow, 3 is away.
fn shown<T>(open: Option<u64>, live: &[i64], show: impl FnOnce(&RollbackScreen<'_>) -> T) -> T {
    let moved = Scene::new(&lines(&[1, 2, 3]), &lines(&[4, 5, 6])).plan();
    let back = Scene::new(&lines(live), &lines(&[1, 2, 3])).silent(&[3]);
    let by = Stamp {
        nonce: "n".to_owned(),
        who: "ci".to_owned(),
        host: "ops1".to_owned(),
        pid: 7,
        at: "2026-11-29T03:00:00Z".to_owned(),
    };
    let mut header = Header::new("sha256:1".into(), "prod-eu".into(), 1, BTreeMap::new(), by);
    header.cause.actor = Some("ann".to_owned());
    header.cause.reason = Some("OPS-7".to_owned());
    let checked = back.plan().taking_back(3);
    let spec = Scene::new(&lines(&[4, 5, 6]), &lines(&[4, 5, 6])).spec;
    let before = RunBefore { number: 3, header: &header, plan: moved.plan() };
    let target = before.target(&spec);
    let edits = spec_edits(&spec, &target, &checked.plan().target);
    let is_written = !checked.plan().is_empty() || open.is_some();
    let file = PlanFile { path: "back.json", plan_id: "sha256:7f3a91c2" };
    show(&RollbackScreen {
        rollback: Rollback { before, checked: &checked, taken_back: &[4, 5], open },
        spec: SpecFile { path: "prod-eu.yaml", spec: &spec },
        edits: &edits,
        file: is_written.then_some(file),
        observation: &back.seen,
        rehearsed: None,
        width: 100,
    })
}

#[test]
fn a_rollback_says_whose_run_it_takes_back_and_what_the_spec_is_to_say() {
    let text = shown(None, &[4, 5, 6], |view| screen(view).to_string_with(false));
    let above = &text[..text.find("prod-eu  config version").expect("the plan")];
    insta::assert_snapshot!(above, @r#"
    Rollback of run 3, opened by ann (ci@ops1) at 2026-11-29T03:00:00Z (OPS-7). The members before it,
    by its plan:
      server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181
      server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181
      server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181
      What runs 4 and 5 changed after it is taken back, too.

    Edit prod-eu.yaml in the same change
      It wants other members than those before run 3: its next plan would do that change again.
      under servers: add server 1
          - id: 1
            host: 10.0.0.1
      under servers: add server 2
          - id: 2
            host: 10.0.0.2
      under servers: add server 3
          - id: 3
            host: 10.0.0.3
      prod-eu.yaml:6: remove server 4
      prod-eu.yaml:7: remove server 5
      prod-eu.yaml:8: remove server 6
      With that, zkplan plan prod-eu.yaml says "No changes".
    "#);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "this plan takes run 3 back: it leads to the members before that run",
        "in the configuration before run 3, not in the ensemble",
        "in the ensemble, not in the configuration before run 3",
        "Way back: by reconfigs alone until stop-4, while servers 4, 5 and 6 follow",
    ] {
        assert!(words.contains(said), "{said}: {text}");
    }
    assert!(text.ends_with("Next: zkplan apply back.json\n"), "{text}");
}

#[test]
fn a_rollback_that_has_nothing_to_do_says_so_and_names_what_the_spec_still_wants() {
    let text = shown(None, &[1, 2, 3], |view| screen(view).to_string_with(false));
    assert!(text.contains("Nothing to roll back. The members are those before run 3"), "{text}");
    assert!(text.contains("prod-eu.yaml:") && text.contains("remove server 4"), "{text}");
    assert!(text.ends_with("Next: zkplan plan prod-eu.yaml\n"), "{text}");
    let open = shown(Some(4), &[1, 2, 3], |view| screen(view).to_string_with(false));
    assert!(open.contains("Run 4 is open. The apply of this plan abandons it"), "{open}");
}

#[test]
fn the_document_of_a_rollback_is_as_it_was_and_fits_its_schema() {
    let document = shown(None, &[4, 5, 6], |view| RollbackDocument::of(view, 2).to_value());
    let validator = jsonschema::validator_for(&RollbackDocument::schema()).expect("a schema");
    assert!(validator.is_valid(&document), "{document:#}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents/rollback.json");
    if std::env::var_os("ZKPLAN_UPDATE").is_some() {
        std::fs::write(path, format!("{document:#}\n")).expect("the file can be written");
    }
    let kept = std::fs::read_to_string(path).expect("a document");
    let kept: Value = serde_json::from_str(&kept).expect("JSON");
    assert_eq!(document, kept);
}

use serde_json::Value;

use super::*;
use crate::document::Document as _;
use crate::drift::differences;
use crate::model::{EnsembleConfig, ServerId};
use crate::render::fixture::{Scene, lines};
use crate::report::drift::DriftDocument;

/// The ensemble has servers 1, 2 and 3, as the last run left it; the spec has 4 for 3; 2 is down.
fn scene() -> (Scene, Applied) {
    let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 4])).silent(&[2]);
    scene.facts.synced.remove(&ServerId::new(2));
    let EnsembleConfig { version, membership } = scene.facts.base.clone();
    let last = LastApplied {
        run: 3,
        plan_id: "sha256:7f3a91c2".to_owned(),
        by: "ann (ci@ops1)".to_owned(),
        reason: Some("OPS-7".to_owned()),
        at: "2026-11-29T03:00:09Z".to_owned(),
        target: Some(membership),
    };
    let version = Some(version.to_string());
    (scene, Applied { last: Some(last), version, open: None, is_certain: true })
}

fn seen<T>(show: impl FnOnce(&DriftScreen<'_>) -> T) -> T {
    let (scene, applied) = scene();
    let differences = differences(&scene.spec.to_target(), &scene.facts, Some(&applied));
    show(&DriftScreen {
        ensemble: "prod-eu",
        spec: "prod-eu.yaml",
        seen: &scene.seen,
        facts: &scene.facts,
        applied: Some(&applied),
        differences: &differences,
        width: 100,
    })
}

#[test]
fn a_drift_says_what_differs_whose_change_it_is_and_what_comes_next() {
    let shown = seen(|view| screen(view).to_string_with(false));
    insta::assert_snapshot!(shown, @r#"
    prod-eu  config version 100000004, server 1 leads, 2 of 3 voters synced, not managed by zkplan yet
             (no apply so far), leader at zxid 0x100000080
    last applied: run 3 by ann (ci@ops1), completed 2026-11-29T03:00:09Z: OPS-7

    Drift
      - server 3 is a member and not in the spec; live
        server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181
        the spec was changed after run 3: the ensemble is as that run left it
      - server 4 is in the spec and no member; wanted
        server.4=10.0.0.4:2888:3888:participant;0.0.0.0:2181
        the spec was changed after run 3: the ensemble is as that run left it
      - server 2 is not up and in sync

    Drift. Ensemble prod-eu differs from prod-eu.yaml: 3 differences.
    Next: zkplan plan prod-eu.yaml
    "#);
}

#[test]
fn the_document_has_the_same_as_data() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents/drift.json");
    let document = seen(|view| DriftDocument::of(view, 2)).to_value();
    if std::env::var_os("ZKPLAN_UPDATE").is_some() {
        std::fs::write(path, format!("{document:#}\n")).expect("the file can be written");
    }
    let kept = std::fs::read_to_string(path).expect("a document");
    let kept: Value = serde_json::from_str(&kept).expect("JSON");
    assert_eq!(document, kept);
    let validator = jsonschema::validator_for(&DriftDocument::schema()).expect("a schema");
    assert!(validator.is_valid(&document), "{document:#}");
    let whose = document["differences"].as_array().expect("a list").iter();
    let whose: Vec<(&Value, &Value)> = whose.map(|one| (&one["code"], &one["changedBy"])).collect();
    let spec = (&Value::from("member"), &Value::from("spec"));
    assert_eq!(whose.iter().filter(|one| **one == spec).count(), 2, "{whose:?}");
}

#[test]
fn many_specs_have_a_line_each() {
    let table = seen(|view| {
        let row = |spec, differences, exit_code| DriftRow {
            ensemble: Some("prod-eu"),
            spec,
            differences,
            exit_code,
        };
        let rows = [
            row("prod-eu.yaml", Some(view.differences), 2),
            row("same.yaml", Some(&[][..]), 0),
            row("gone.yaml", None, 10),
        ];
        table(&rows, 100).to_string_with(false)
    });
    insta::assert_snapshot!(table, @r#"
    ensemble  spec          verdict   drift  warnings  exit
    prod-eu   prod-eu.yaml  drift         3         0     2
    prod-eu   same.yaml     no drift      0         0     0
    prod-eu   gone.yaml     not seen      -         -    10
    "#);
}

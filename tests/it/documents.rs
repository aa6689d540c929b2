//! Plans and refusals as documents: what a policy reads is what the checker found.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zkplan::apply::Differs;
use zkplan::apply::journal::{Header, Run, Stamp};
use zkplan::apply::resume::{ApplyRequest, resumed};
use zkplan::check::CheckedPlan;
use zkplan::document::Document as _;
use zkplan::model::{EnsembleConfig, MinTolerance, ReuseIds, ZonePolicy};
use zkplan::observe::Facts;
use zkplan::plan::StepId;
use zkplan::proposal::{Refusal, propose};
use zkplan::report::{PlanDocument, RefusalDocument, SCHEMAS, read_plan};
use zkplan::saved::{self, ReadError};

use crate::example::{Example, Zones};

/// Holds the document of a plan against its schema and against the plan that it reads back as.
pub(crate) fn of_plan(checked: &CheckedPlan) -> Value {
    let document = PlanDocument::of(checked);
    let (value, text) = (document.to_value(), document.to_text());
    fits("plan", &value);
    let read = read_plan(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(&read, checked, "{text}");
    let kept = saved::read_kept(&saved::write(checked)).expect("what the journal keeps");
    assert_eq!(&kept, checked, "{text}");
    value
}

/// Holds the document of a refusal against its schema and against the breaches.
pub(crate) fn of_refusal(refusal: &Refusal) -> Value {
    let value = RefusalDocument::of(refusal, "spec.yaml", 3).to_value();
    fits("refusal", &value);
    let breaches = value["breaches"].as_array().expect("breaches");
    assert_eq!(breaches.len(), refusal.breaches.len(), "{value:#}");
    for (at, breach) in breaches.iter().enumerate() {
        let Some(cause) = breach["cause"].as_u64() else { continue };
        let cause = usize::try_from(cause).expect("a place");
        assert!(cause < at && breaches[cause]["cause"].is_null(), "{value:#}");
    }
    let nothing_helps = value["remedies"] == json!([]);
    assert_eq!(value["hints"] != json!([]), nothing_helps, "{value:#}");
    value
}

fn fits(name: &str, document: &Value) {
    let (_, schema) = SCHEMAS.iter().find(|(known, _)| *known == name).expect("a schema");
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(document).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{document:#}");
}

fn refused(example: &Example) -> Value {
    of_refusal(&propose(&example.target(), &example.facts(), &[]).expect_err("a refusal"))
}

fn free(example: Example) -> Example {
    example.policy(|policy| {
        policy.min_tolerance = MinTolerance::AtLeast(0);
        policy.reuse_ids = ReuseIds::Blank;
    })
}

#[test]
fn plans_read_back_as_they_were_with_what_follows_from_them() {
    for example in [
        Example::new("1 2 3", "1 2 3"),
        Example::new("1 2 3", "4 5 6").zones(Zones::Three),
        Example::new("1", "1 2 3"),
        Example::new("1 2 3 4o", "1 2 3o 4").zones(Zones::One),
        Example::new("1 2 3 4 5", "1 2 3").down("4"),
        free(Example::new("1 2 3", "1p 2h 3m")),
        Example::new("1g1 2g1 3g1 4g2 5g2", "1g1 2g1 3g1 4g2 5g2 6g2w2"),
    ] {
        of_plan(&example.planned());
    }
}

#[test]
fn the_figures_of_a_document_are_those_of_the_check() {
    let checked = Example::new("1 2 3", "4 5 6").zones(Zones::Three).planned();
    let (document, report) = (of_plan(&checked), checked.report());
    let steps = document["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), report.rows.len());
    let schedule = checked.plan().schedule();
    for ((step, row), (phase, _)) in steps.iter().zip(&report.rows).zip(schedule) {
        assert_eq!(step["id"], row.step.as_str());
        assert_eq!(step["toleratesFailures"], row.spare);
        assert_eq!(step["after"]["toleratesFailures"], row.figures.votes.spare());
        assert_eq!(step["handsOver"], row.hands_over);
        let place = usize::try_from(step["phase"].as_u64().expect("a place")).expect("a place");
        assert_eq!(&checked.plan().phases[place], phase);
    }
    let summary = &document["summary"];
    assert_eq!(summary["toleratesFailures"], report.worst_spare);
    assert_eq!((&summary["leaderChanges"], &summary["reconfigs"]), (&json!(1), &json!(6)));
    let counts = ["serversAdded", "serversRemoved", "serversChanged"].map(|key| &summary[key]);
    assert_eq!(counts, [3, 3, 0]);
    let windows: Vec<&str> = summary["zoneWindows"]
        .as_array()
        .expect("windows")
        .iter()
        .map(|window| window["step"].as_str().expect("a step"))
        .collect();
    assert_eq!(windows, report.windows.keys().map(StepId::as_str).collect::<Vec<_>>());
    assert!(!windows.is_empty());
}

#[test]
fn a_refusal_has_its_numbers_and_its_remedies_as_data() {
    let scarce = refused(&Example::new("1 2 3", "1 2").policy(|policy| {
        policy.min_tolerance = MinTolerance::AtLeast(1);
    }));
    assert_eq!(scarce["breaches"][0]["details"]["kind"], "toleranceTooLow", "{scarce:#}");
    assert_eq!(scarce["breaches"][0]["details"]["required"], 1);
    assert_eq!(scarce["breaches"][0]["details"]["toleratesFailures"], 0);
    let remedy = &scarce["remedies"][0];
    assert_eq!((&remedy["kind"], &remedy["key"]), (&"spec".into(), &"policy.minTolerance".into()));
    assert_eq!((&remedy["value"], &remedy["exact"]), (&json!(0), &"policy.minTolerance: 0".into()));

    let zones = Example::new("1 2 3", "4 5 6").zones(Zones::Three);
    let zones = refused(&zones.policy(|policy| policy.zones = ZonePolicy::Strict));
    assert_eq!(zones["breaches"][0]["code"], "ZKQ4", "{zones:#}");
    let loss = &zones["breaches"][0]["details"];
    assert_eq!((&loss["kind"], &loss["toleratesFailures"]), (&"zoneLoss".into(), &json!(-1)));

    let shrunk = refused(&Example::new("1 2 3 4 5 6 7", "1 2 3"));
    let details = &shrunk["breaches"][0]["details"];
    let numbers = ["removed", "added", "allowed"].map(|key| &details[key]);
    assert_eq!((&details["kind"], numbers), (&"shrinks".into(), [&json!(4), &json!(0), &json!(2)]));

    let lost = refused(&Example::new("1 2 3", "1 2 3 4").down("2 3"));
    assert!(
        lost["breaches"].as_array().is_some_and(|all| all.iter().any(|breach| {
            breach["details"]["kind"] == "noLiveQuorum" && breach["servers"] == json!([2, 3])
        })),
        "{lost:#}"
    );
}

const FORMER: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents/former/plan-1.5.json"));

/// The spec of that plan.
const FORMER_SPEC: &str = "apiVersion: zkplan/v1\nensemble: prod\nservers:\n\
                           \x20 - { id: 1, host: 10.0.0.1, zone: az-1 }\n\
                           \x20 - { id: 2, host: 10.0.0.2, zone: az-2 }\n\
                           \x20 - { id: 4, host: 10.0.0.4, zone: az-3 }\n";

/// The plan that a former release kept for a run means what it meant, so that the run can end.
#[test]
fn a_run_of_a_former_release_is_resumed_with_its_spec() {
    assert!(matches!(read_plan(FORMER), Err(ReadError::Former(version)) if version == "1.5"));
    let kept = saved::read_kept(FORMER).expect("a plan");
    let facts = &kept.plan().facts;
    assert_eq!(facts.leader_zxid.map(|zxid| zxid.to_string()).as_deref(), Some("0x100000080"));
    assert_eq!(facts.synced.len(), 3);
    let opened: Stamp = serde_json::from_value(json!({
        "nonce": "n", "who": "ops", "host": "h", "pid": 1, "at": "2026-11-01T00:00:00Z",
    }))
    .expect("a stamp");
    // The id is that of the file: both releases name the plan alike.
    let id = serde_json::from_str::<Value>(FORMER).expect("JSON")["plan_id"].clone();
    let id = id.as_str().expect("an id").to_owned();
    let run = Run {
        number: 1,
        header: Ok(Header::new(id, "prod".to_owned(), 1, BTreeMap::new(), opened)),
        records: Vec::new(),
        illegible: BTreeMap::new(),
        last: 0,
    };
    let target = zkplan::spec::parse("prod.yaml", FORMER_SPEC).expect("a spec").to_target();
    let config: EnsembleConfig = facts.base.clone();
    let now = Facts::assumed(config, &target);
    let asked = ApplyRequest::Target(&target, &[]);
    let goes_on = resumed(asked, &run, Some(&kept), &now).expect("it goes on");
    assert_eq!(goes_on.plan().phases, kept.plan().phases);
    assert_eq!(resumed(asked, &run, None, &now), Err(Differs::PlanLost));
    let edited = FORMER.replace("\"min_tolerance\": 1", "\"min_tolerance\": 0");
    assert!(matches!(saved::read_kept(&edited), Err(ReadError::Edited)));
}

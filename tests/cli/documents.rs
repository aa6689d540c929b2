//! What commands print for programs. `tests/documents` has one of each, as pipelines read them, and
//! `schemas` their shapes. `ZKPLAN_UPDATE=1` writes both anew: a key that is gone from a document is a
//! major version.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use zkplan::report::SCHEMAS;

use crate::run::{Desk, LIVE, project_file};

const MOVED: &str = "apiVersion: zkplan/v1\nensemble: prod\nservers:\n\
                     \x20 - { id: 1, host: 10.0.0.1, zone: az-1 }\n\
                     \x20 - { id: 2, host: 10.0.9.2, zone: az-2 }\n\
                     \x20 - { id: 4, host: 10.0.0.4, zone: az-3 }\n\
                     policy: { reuseIds: blank, minTolerance: 0 }\n";

const GROWN: &str = "apiVersion: zkplan/v1\nensemble: small\nservers:\n\
                     \x20 - { id: 1, host: 10.0.1.1 }\n\
                     \x20 - { id: 2, host: 10.0.1.2 }\n\
                     \x20 - { id: 3, host: 10.0.1.3 }\n";

/// An ensemble to move, one that cannot grow as it is asked to, and a spec that is none.
pub(crate) fn desk() -> Desk {
    let desk = Desk::new();
    fs::create_dir(desk.path("live")).expect("a folder");
    desk.write("live/prod", LIVE);
    desk.write(
        "live/small",
        "server.1=10.0.1.1:2888:3888:participant;0.0.0.0:2181\nversion=100000000",
    );
    desk.write("prod.yaml", MOVED);
    desk.write("small.yaml", GROWN);
    desk.write("bad.yaml", "apiVersion: zkplan/v1\nensemble: bad\nservers: []\n");
    desk
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// The document that a plan of these specs prints.
fn printed(desk: &Desk, specs: &[&str], code: i32) -> Value {
    let words = [&["plan", "--live", "live", "--format", "json"], specs].concat();
    let answer = desk.zkplan(&words);
    assert_eq!(answer.code, code, "{answer:?}");
    answer.assert_clean();
    parsed(&answer.out)
}

pub(crate) fn is_update() -> bool {
    std::env::var_os("ZKPLAN_UPDATE").is_some()
}

fn fixture(name: &str) -> PathBuf {
    project_file("tests/documents").join(format!("{name}.json"))
}

/// Without what another release changes.
fn timeless(mut document: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.remove("toolVersion");
                map.remove("digest");
                map.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut document);
    document
}

pub(crate) fn fits(name: &str, document: &Value) {
    let (_, schema) = SCHEMAS.iter().find(|(known, _)| *known == name).expect("a schema");
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}");
}

#[test]
fn one_document_of_each_kind_is_as_it_was_and_fits_its_schema() {
    let desk = desk();
    let fleet = ["prod.yaml", "small.yaml", "bad.yaml"];
    for (name, specs, code) in [
        ("plan", &["prod.yaml"][..], 0),
        ("refusal", &["small.yaml"][..], 3),
        ("fleet", &fleet[..], 65),
    ] {
        let document = printed(&desk, specs, code);
        fits(name, &document);
        assert_eq!(document["format"], format!("zkplan/{name}"));
        if is_update() {
            fs::write(fixture(name), format!("{document:#}\n")).expect("the file can be written");
        }
        let kept = parsed(&fs::read_to_string(fixture(name)).expect("a document"));
        assert_eq!(timeless(document), timeless(kept), "{name}");
    }
}

#[test]
fn the_schemas_in_the_repository_are_those_that_are_printed() {
    let desk = Desk::new();
    let mut files = BTreeSet::new();
    for (name, _) in SCHEMAS {
        let printed = desk.zkplan(&["schema", name]);
        assert_eq!(printed.code, 0, "{printed:?}");
        let schema = parsed(&printed.out);
        let id = schema["$id"].as_str().expect("a name").to_owned();
        let (of, version) = id
            .strip_prefix("urn:zkplan:schema:")
            .and_then(|id| id.split_once(':'))
            .expect("a name");
        let file = format!("{of}.v{version}.schema.json");
        let path = project_file("schemas").join(&file);
        if is_update() {
            fs::write(&path, format!("{schema:#}\n")).expect("the schema can be written");
        }
        let kept = parsed(&fs::read_to_string(&path).expect("a schema"));
        assert_eq!(schema, kept, "{file}");
        files.insert(file);
    }
    let there = fs::read_dir(project_file("schemas")).expect("a folder");
    let there = there.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
    assert_eq!(there.collect::<BTreeSet<String>>(), files, "a schema of nothing");
    let unknown = desk.zkplan(&["schema", "nothing"]);
    assert_eq!(unknown.code, 64, "{unknown:?}");
    assert!(unknown.err.contains("fleet") && unknown.err.contains("refusal"), "{unknown:?}");
}

#[test]
fn one_spec_has_its_own_document_and_many_have_one_around_them() {
    let desk = desk();
    let [plan, refusal] =
        [("prod.yaml", 0), ("small.yaml", 3)].map(|(spec, code)| printed(&desk, &[spec], code));
    let fleet = printed(&desk, &["prod.yaml", "small.yaml", "bad.yaml"], 65);
    assert_eq!(fleet["exitCode"], 65);
    let [first, second, third] = [0, 1, 2].map(|at| &fleet["ensembles"][at]);
    assert_eq!((&first["document"], &second["document"]), (&plan, &refusal));
    assert_eq!((&first["exitCode"], &second["exitCode"]), (&json!(0), &json!(3)));
    assert_eq!((&second["ensemble"], &third["ensemble"]), (&json!("small"), &Value::Null));
    assert_eq!(third["document"]["format"], "zkplan/error");
    let counts = ["planned", "unchanged", "refused", "failed"].map(|key| &fleet["summary"][key]);
    assert_eq!(counts, [1, 0, 1, 1]);
}

/// A policy for findings does not ask which document it has.
#[test]
fn findings_have_one_shape_in_every_document() {
    let desk = desk();
    for (spec, code) in [("prod.yaml", 0), ("small.yaml", 3)] {
        let document = printed(&desk, &[spec], code);
        fits("findings", &document);
        let mut other = document;
        other["findings"] = json!([{ "code": "ZKF8" }]);
        let (_, schema) = SCHEMAS.iter().find(|(name, _)| *name == "findings").expect("a schema");
        assert!(!jsonschema::is_valid(&schema(), &other), "any list would do");
    }
    let schema_of = |wanted: &str| {
        let (_, schema) = SCHEMAS.iter().find(|(name, _)| *name == wanted).expect("a schema");
        schema()
    };
    let part = schema_of("findings");
    for name in ["plan", "refusal"] {
        let whole = schema_of(name);
        assert_eq!(whole["properties"]["findings"], part["properties"]["findings"], "{name}");
        for (of, shape) in part["definitions"].as_object().expect("shapes") {
            assert_eq!(whole["definitions"][of], *shape, "{of} of {name}");
        }
    }
}

/// What a policy asks, in the words of the document.
#[test]
fn a_policy_reads_hosts_figures_and_remedies_without_reading_a_server_line() {
    let desk = desk();
    let plan = printed(&desk, &["prod.yaml"], 0);
    let changes: Vec<_> = plan["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|change| {
            let host = |side: &str| change[side]["host"].as_str().unwrap_or("-").to_owned();
            (change["id"].as_i64(), change["action"].as_str(), host("before"), host("after"))
        })
        .collect();
    let change = |id, action, before: &str, after: &str| {
        (Some(id), Some(action), before.to_owned(), after.to_owned())
    };
    assert_eq!(
        changes,
        [
            change(2, "replace", "10.0.0.2", "10.0.9.2"),
            change(3, "leave", "10.0.0.3", "-"),
            change(4, "join", "-", "10.0.0.4"),
        ]
    );
    let summary = &plan["summary"];
    let counts = ["serversAdded", "serversRemoved", "serversChanged"].map(|key| &summary[key]);
    assert_eq!(counts, [1, 1, 1]);
    let lowest = plan["steps"].as_array().expect("steps").iter();
    let lowest = lowest.filter_map(|step| step["toleratesFailures"].as_i64()).min();
    // The summary is of every order that the plan allows, under any leader.
    assert!(summary["toleratesFailures"].as_i64() <= lowest && lowest.is_some(), "{plan:#}");
    assert_eq!(
        summary["end"],
        plan["steps"].as_array().expect("steps").last().expect("one")["after"]
    );

    let refusal = printed(&desk, &["small.yaml"], 3);
    let remedy = &refusal["remedies"][0];
    assert_eq!(
        (&remedy["kind"], &remedy["code"], &remedy["step"], &remedy["exact"]),
        (&json!("accept"), &json!("ZKQ2"), &json!("join-2"), &json!("--accept ZKQ2:join-2"))
    );
    let breach = &refusal["breaches"][0];
    assert_eq!(breach["isAcceptable"], true);
    assert_eq!(breach["details"]["kind"], "needsJoiners");
    assert_eq!(breach["details"]["joiners"], json!([2]));
    assert_eq!(breach["details"]["without"]["acknowledging"], json!([1]));
}

/// A policy that was asked about the file was asked about the plan that is applied.
#[test]
fn what_a_policy_reads_follows_from_the_plan_or_the_file_is_refused() {
    use zkplan::report::read_plan;
    use zkplan::saved::{ReadError, digest};

    let text = fs::read_to_string(fixture("plan")).expect("a document");
    assert!(read_plan(&text).is_ok(), "{:?}", read_plan(&text));
    let forged = |change: &dyn Fn(&mut Value)| {
        let mut plan = parsed(&text);
        change(&mut plan);
        plan["digest"] = digest(&plan).into();
        read_plan(&plan.to_string()).map(drop)
    };
    assert!(forged(&|_| ()).is_ok());
    let set = |path: &'static str, value: Value| {
        forged(&|plan| *plan.pointer_mut(path).expect(path) = value.clone())
    };
    for (path, value, place) in [
        ("/changes/1/after", json!({}), "changes[1].after"),
        ("/changes", json!([]), "changes"),
        ("/steps/0/after/quorum", json!(1), "steps[0].after.quorum"),
        ("/findings/0/severity", json!("blocks"), "findings[0].severity"),
        ("/summary/serversRemoved", json!(0), "summary.serversRemoved"),
    ] {
        match set(path, value) {
            Err(ReadError::NotDerived(at)) => assert_eq!(at, place),
            other => panic!("{path}: {other:?}"),
        }
    }
    let without = forged(&|plan| drop(plan["summary"].as_object_mut().expect("one").remove("now")));
    assert!(matches!(without, Err(ReadError::NotDerived(at)) if at == "summary.now"));
    for key in ["changes", "steps", "findings", "summary"] {
        let without = forged(&|plan| drop(plan.as_object_mut().expect("one").remove(key)));
        assert!(matches!(without, Err(ReadError::NotDerived(at)) if at == key));
    }
    // A minor version lacks what a later one has added, and nothing else.
    let of_before = |lacking: &'static str| {
        forged(&|plan| {
            plan["formatVersion"] = "2.0".into();
            let summary = plan["summary"].as_object_mut().expect("one");
            summary.remove("prediction");
            summary.remove(lacking);
            plan["base"].as_object_mut().expect("one").remove("data");
        })
    };
    assert!(of_before("prediction").is_ok(), "{:?}", of_before("prediction"));
    assert!(of_before("toleratesFailures").is_err());
    let without =
        forged(&|plan| drop(plan["summary"].as_object_mut().expect("one").remove("prediction")));
    assert!(matches!(without, Err(ReadError::NotDerived(at)) if at == "summary.prediction"));
    // A later minor version may know more, and never less; what is no version is none.
    for version in ["2.3", "2.2", "2.1", "2.0", "2.x", "2."] {
        let emptied = forged(&|plan| {
            plan["formatVersion"] = version.into();
            plan["summary"] = json!({});
        });
        assert!(emptied.is_err(), "{version}");
    }
    // A sentence may be worded anew, and a later minor version may know more.
    assert!(set("/summary/text", json!("another sentence")).is_ok());
    assert!(
        forged(&|plan| {
            plan["formatVersion"] = "2.9".into();
            plan["summary"]["more"] = json!(1);
        })
        .is_ok()
    );
}

#[test]
fn a_kept_plan_is_shown_and_a_former_one_is_refused_with_the_remedy() {
    let desk = Desk::new();
    let [plan, former] = ["plan", "former/plan-1.5"]
        .map(|name| fs::read_to_string(fixture(name)).expect("a document"));
    desk.write("plan.json", &plan);
    assert!(zkplan::saved::read(&plan).is_ok());
    let shown = desk.zkplan(&["show", "plan.json"]);
    assert_eq!(shown.code, 0, "{shown:?}");

    desk.write("former.json", &former);
    for command in [&["show", "former.json"][..], &["apply", "former.json"]] {
        let answer = desk.zkplan(command);
        assert_eq!((answer.code, answer.out.as_str()), (65, ""), "{answer:?}");
        let said = answer.err.split_whitespace().collect::<Vec<_>>().join(" ");
        let parts =
            ["format version 1.5", "zkplan plan SPEC --out FILE", "resumed by zkplan apply SPEC"];
        for part in parts {
            assert!(said.contains(part), "{said}");
        }
    }
}

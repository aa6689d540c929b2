//! What programs read of commands that fail, and of those that answer with more than a plan.

use serde_json::Value;
use zkplan::report::SCHEMAS;

use crate::run::{Answer, Desk, LIVE, SPEC};

/// Two mistakes, on lines 2 and 4.
const WRONG: &str =
    "apiVersion: zkplan/v1\nensmble: prod\nservers:\n  - { id: 1, host: 0.0.0.0 }\n";

fn schema(name: &str) -> Value {
    let (_, schema) = SCHEMAS.iter().find(|(known, _)| *known == name).expect("a schema");
    schema()
}

/// The document on stdout, which fits the schema of its name.
fn document(name: &str, answer: &Answer) -> Value {
    let document: Value = serde_json::from_str(&answer.out).unwrap_or_else(|why| {
        panic!("no document: {why}\n{answer:?}");
    });
    assert_eq!(document["format"], format!("zkplan/{name}"), "{document:#}");
    let validator = jsonschema::validator_for(&schema(name)).expect("a schema");
    let wrong: Vec<String> =
        validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{document:#}: {wrong:?}");
    document
}

/// The error on stdout, whose exit code is that of the command.
fn error(answer: &Answer) -> Value {
    answer.assert_clean();
    let error = document("error", answer);
    assert_eq!(error["exitCode"], answer.code, "{error:#}");
    assert!(!answer.err.is_empty(), "people read the same on stderr");
    error
}

#[test]
fn validate_names_every_place_of_every_file_and_is_silent_where_all_is_well() {
    let desk = Desk::new();
    desk.write("prod.yaml", SPEC);
    desk.write("wrong.yaml", WRONG);
    desk.write("other.yaml", &WRONG.replace("0.0.0.0", "10.0.0.1"));
    let well = desk.zkplan(&["validate", "prod.yaml", "--format", "json"]);
    assert_eq!((well.code, well.out.as_str(), well.err.as_str()), (0, "", ""));
    let specs = ["validate", "prod.yaml", "wrong.yaml", "other.yaml", "--format", "json"];
    let error = error(&desk.zkplan(&specs));
    assert_eq!((&error["code"], &error["kind"]), (&"specInvalid".into(), &"data".into()));
    let places = error["places"].as_array().expect("places").iter();
    let places: Vec<(&str, u64)> = places
        .map(|place| (place["file"].as_str().expect("a file"), place["line"].as_u64().unwrap_or(0)))
        .collect();
    assert!(places.contains(&("wrong.yaml", 2)), "{error:#}");
    assert!(places.contains(&("wrong.yaml", 4)), "{error:#}");
    assert!(places.contains(&("other.yaml", 2)), "{error:#}");
    assert_eq!(error["retryable"], false);
}

#[test]
fn a_file_that_is_missing_weighs_less_than_one_that_is_wrong() {
    let desk = Desk::new();
    desk.write("wrong.yaml", WRONG);
    let missing = error(&desk.zkplan(&["validate", "none.yaml", "--format", "json"]));
    assert_eq!((&missing["code"], &missing["exitCode"]), (&"ioFailed".into(), &1.into()));
    for specs in [["none.yaml", "wrong.yaml"], ["wrong.yaml", "none.yaml"]] {
        let both = desk.zkplan(&[&["validate"][..], &specs, &["--format", "json"]].concat());
        assert_eq!(error(&both)["code"], "specInvalid", "{both:?}");
    }
}

#[test]
fn each_command_with_a_format_answers_a_failure_with_a_document() {
    let desk = Desk::new();
    desk.write("live", LIVE);
    desk.write("wrong.yaml", WRONG);
    desk.write("prod.yaml", SPEC);
    let alone = LIVE.lines().next().expect("a line").to_owned() + "\nversion=100000004";
    desk.write("alone", &alone);
    desk.write("empty.json", "{ \"plan_id\": 1 }");
    let unreachable = SPEC.replace("10.0.0.", "127.0.0.").replace(" }", ", clientPort: 1 }");
    desk.write("down.yaml", &unreachable);
    for (words, code) in [
        (&["rehearse", "wrong.yaml"][..], "specInvalid"),
        (&["rehearse", "prod.yaml", "--live", "alone"], "planRefused"),
        (&["rehearse", "empty.json"], "planInvalid"),
        (&["show", "prod.yaml"], "fileNotUsable"),
        (&["show", "empty.json"], "planInvalid"),
        (&["show", "none.json"], "ioFailed"),
        (&["history", "wrong.yaml"], "specInvalid"),
        (&["history", "down.yaml"], "noAnswer"),
        (&["apply", "wrong.yaml"], "specInvalid"),
        (&["plan", "prod.yaml", "--out", "-"], "usage"),
    ] {
        let answer = desk.zkplan(&[words, &["--format", "json"]].concat());
        let error = error(&answer);
        assert_eq!(error["code"], code, "{words:?}: {error:#}");
        assert_eq!(error["retryable"], code == "noAnswer", "{words:?}");
        let text = desk.zkplan(words);
        assert_eq!((text.code, text.err), (answer.code, answer.err), "{words:?}");
    }
}

#[test]
fn a_rehearsal_is_data_with_sentences_beside_them() {
    let desk = Desk::new();
    desk.write("live", LIVE);
    desk.write("prod.yaml", SPEC);
    let words = ["rehearse", "prod.yaml", "--live", "live", "--format", "json"];
    let rehearsal = document("rehearsal", &desk.zkplan(&words));
    assert_eq!(
        (&rehearsal["formatVersion"], &rehearsal["ensemble"]),
        (&"2.1".into(), &"prod".into())
    );
    let failures = rehearsal["rehearsals"].as_array().expect("failures");
    assert!(failures.iter().any(|failure| failure["after"].is_null()), "{rehearsal:#}");
    let waits = failures.iter().filter_map(|failure| failure["apply"]["waits"].as_array());
    let kinds: Vec<&str> =
        waits.flatten().map(|wait| wait["kind"].as_str().expect("a kind")).collect();
    assert!(kinds.contains(&"joinerNotFollowing"), "{kinds:?}");
    assert!(rehearsal["text"].as_str().is_some_and(|text| text.starts_with("Simulated")));
}

/// A dashboard reads one shape, whatever is there.
#[test]
fn a_status_is_a_document_even_where_no_server_answers() {
    let desk = Desk::new();
    let unreachable = SPEC.replace("10.0.0.", "127.0.0.").replace(" }", ", clientPort: 1 }");
    desk.write("down.yaml", &unreachable);
    for words in [&["status", "down.yaml"][..], &["status", "--connect", "127.0.0.1:1"]] {
        let answer = desk.zkplan(&[words, &["--format", "json"]].concat());
        assert_eq!((answer.code, answer.err.as_str()), (10, ""), "{answer:?}");
        let status = document("status", &answer);
        assert_eq!(status["mayChange"], false);
        assert_eq!(status["reasons"][0]["code"], "noAnswer", "{status:#}");
        assert!(status["seen"].is_null() && status["rows"] == serde_json::json!([]));
        assert_eq!(status["next"], format!("zkplan {}", words.join(" ")));
        let text = desk.zkplan(words);
        assert_eq!((text.code, text.err.as_str()), (10, ""), "{text:?}");
        assert!(text.out.contains("No server answered.") && text.out.contains("\nNext: zkplan st"));
        text.assert_clean();
    }
    // An apply may have left a run open: its command is the one to be typed again.
    let apply = desk.zkplan(&["apply", "down.yaml", "--auto-approve", "--timeout", "5s"]);
    let next = "\nNext, when servers answer: zkplan apply down.yaml --timeout 5s\n";
    assert_eq!(apply.code, 10, "{apply:?}");
    assert!(apply.err.contains(next), "{apply:?}");
    desk.write("wrong.yaml", WRONG);
    let wrong = error(&desk.zkplan(&["status", "wrong.yaml", "--format", "json"]));
    assert_eq!(wrong["code"], "specInvalid");
}

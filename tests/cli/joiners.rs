//! `zkplan joiner`, as far as it needs no server: a data directory, and what cannot be typed.

use std::fs;

use serde_json::Value;
use zkplan::report::SCHEMAS;

use crate::run::{Answer, Desk, SPEC};

/// The document of a data directory, held against its schema.
pub(crate) fn directory(answer: &Answer) -> Value {
    let document: Value = serde_json::from_str(&answer.out).expect("JSON");
    let of = SCHEMAS.iter().find(|(name, _)| *name == "data-directory").expect("a schema");
    let validator = jsonschema::validator_for(&of.1()).expect("a schema");
    let wrong: Vec<String> =
        validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{document:#}: {wrong:?}");
    assert_eq!(
        (&document["format"], &document["exitCode"]),
        (&"zkplan/data-directory".into(), &answer.code.into())
    );
    document
}

#[test]
fn a_blank_data_directory_is_no_used_one() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("data/version-2")).expect("a folder");
    fs::create_dir_all(desk.path("logs")).expect("a folder");
    desk.write("data/myid", "4\n");
    let blank = desk.zkplan(&["joiner", "--check", "data"]);
    assert!(blank.code == 0 && blank.out.starts_with("data  Blank."), "{blank:?}");

    fs::create_dir_all(desk.path("logs/version-2")).expect("a folder");
    desk.write("logs/version-2/log.200000001", "");
    desk.write("data/version-2/acceptedEpoch", "3");
    let both = ["joiner", "--check", "data", "--check", "logs", "--format", "json"];
    let used = directory(&desk.zkplan(&both));
    assert_eq!((&used["state"], &used["myId"]), (&"used".into(), &4.into()));
    assert_eq!(used["newestLog"]["zxid"], "0x200000001");
    assert_eq!((&used["acceptedEpoch"], &used["epoch"]), (&3.into(), &"notKnown".into()));

    let epoch = |epoch: &str| {
        let words = ["joiner", "--check", "data/version-2", "--leader-epoch", epoch];
        let answer = desk.zkplan(&words);
        assert_eq!(answer.code, 3, "{answer:?}");
        answer.out.contains("It can never join: acceptedEpoch 3 is higher than")
    };
    assert_eq!((epoch("2"), epoch("3")), (true, false));
}

#[test]
fn a_directory_that_is_not_there_is_not_called_blank() {
    let answer = Desk::new().zkplan(&["joiner", "--check", "dta", "--format", "json"]);
    let document: Value = serde_json::from_str(&answer.out).expect("JSON");
    assert_eq!((answer.code, &document["code"]), (1, &"ioFailed".into()), "{answer:?}");
}

#[test]
fn what_does_not_go_together_is_a_mistake_of_the_command_line() {
    let desk = Desk::new();
    desk.write("prod.yaml", SPEC);
    for words in [
        &["joiner", "prod.yaml", "-o", "joiners"][..],
        &["joiner", "prod.yaml", "--all"],
        &["joiner", "prod.yaml", "4", "--all", "-o", "joiners"],
        &["joiner", "--check", "data", "-o", "joiners"],
        &["joiner", "--all", "-o", "joiners"],
        &["joiner", "prod.yaml", "4", "-o", "joiners", "--format", "json"],
    ] {
        let answer = desk.zkplan(words);
        assert_eq!(answer.code, 64, "{words:?}: {answer:?}");
    }
    assert!(!desk.path("joiners").exists());
}

/// A token is read before any server is asked.
#[test]
fn a_token_that_is_none_is_said_to_be_none() {
    let desk = Desk::new();
    desk.write("prod.yaml", &format!("{SPEC}connect: {{ servers: [\"127.0.0.1:1\"] }}\n"));
    for token in ["", "geheim", "geheim:", ":geheim", "geheim:a b"] {
        desk.write("token", token);
        let words = ["joiner", "prod.yaml", "--all", "-o", "joiners", "--token", "token"];
        let answer = desk.zkplan(&words);
        assert!(answer.code == 65 && answer.err.contains("no superDigest"), "{answer:?}");
        assert!(token.is_empty() || !answer.err.contains(token), "{answer:?}");
    }
}

//! Specs as files: the schema and the parser agree on them, and every complaint reads well.
//!
//! `tests/specs/good` both accept, `tests/specs/bad` both refuse, `tests/specs/bad-in-meaning` only
//! the parser can refuse. `ZKPLAN_UPDATE=1` rewrites the schema.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod properties;

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::Value;
use serde_saphyr::DuplicateKeyPolicy;
use zkplan::spec::{self, Spec};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The YAML files of a folder: name and text, by name.
fn files(folder: &str) -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no file in {folder}");
    paths
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn validator() -> Validator {
    jsonschema::validator_for(&spec::schema()).unwrap()
}

/// A file as an editor sees it; `None` where it is no YAML.
fn as_json(text: &str) -> Option<Value> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        leading_zero_numbers_as_strings: true,
    };
    serde_saphyr::from_str_with_options(text, options).ok()
}

fn schema_complaints(validator: &Validator, text: &str) -> Option<Vec<String>> {
    let json = as_json(text)?;
    Some(validator.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect())
}

fn parsed(name: &str, text: &str) -> Spec {
    spec::parse(name, text).unwrap_or_else(|errors| panic!("{}", errors.render()))
}

#[test]
fn the_checked_in_schema_is_the_generated_one() {
    let path = root().join("schemas/ensemble.v1.schema.json");
    let generated = format!("{:#}\n", spec::schema());
    if std::env::var_os("ZKPLAN_UPDATE").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == generated,
        "run the tests with ZKPLAN_UPDATE=1 and look at the difference"
    );
}

#[test]
fn every_object_of_the_schema_is_closed() {
    fn walk(value: &Value) {
        if value.get("properties").is_some() {
            assert_eq!(value.get("additionalProperties"), Some(&Value::Bool(false)), "{value:#}");
        }
        match value {
            Value::Object(map) => map.values().for_each(walk),
            Value::Array(items) => items.iter().for_each(walk),
            _ => {}
        }
    }
    walk(&spec::schema());
}

#[test]
fn schema_and_parser_accept_good_specs() {
    let validator = validator();
    for folder in ["tests/specs/good", "plans"] {
        for (name, text) in files(folder) {
            let complaints = schema_complaints(&validator, &text);
            assert_eq!(complaints, Some(Vec::new()), "{folder}/{name}");
            let spec = parsed(&name, &text);
            let written = spec::write(&spec, &["written by a test".to_owned()]);
            assert_eq!(unplaced(parsed(&name, &written)), unplaced(spec), "{written}");
        }
    }
}

/// A spec without the lines that its servers stand on.
fn unplaced(mut spec: Spec) -> Spec {
    spec.servers.values_mut().for_each(|wanted| wanted.line = 0);
    spec
}

#[test]
fn schema_and_parser_refuse_bad_specs() {
    let validator = validator();
    for (name, text) in files("tests/specs/bad") {
        assert_ne!(schema_complaints(&validator, &text), Some(Vec::new()), "{name}");
        refused("bad", &name, &text);
    }
}

#[test]
fn the_parser_sees_what_no_schema_can() {
    let validator = validator();
    for (name, text) in files("tests/specs/bad-in-meaning") {
        assert_eq!(schema_complaints(&validator, &text), Some(Vec::new()), "{name}");
        refused("bad-in-meaning", &name, &text);
    }
}

fn refused(folder: &str, name: &str, text: &str) {
    let errors = spec::parse(name, text).expect_err(name);
    assert!(!errors.complaints().is_empty(), "{name}");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("tests/specs").join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name.trim_end_matches(".yaml"), errors.render()));
}

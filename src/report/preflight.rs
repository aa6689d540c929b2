//! `zkplan/preflight`: the checks of an ensemble before a change.

use schemars::JsonSchema;
use serde::Serialize;

use crate::document::{Document, Format};
use crate::model::ServerId;
use crate::observe::Observation;
use crate::preflight::{Check, CheckKind, CheckRemedy, CheckVerdict, Evidence, is_blocked};
use crate::render::preflight::{words_for_evidence, words_for_remedy};
use crate::render::settings;
use crate::settings::{Edits, FileEdit};

/// The columns of text in a document.
const WIDTH: usize = 100;

/// The checks of an ensemble, and of the servers that are to join it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreflightDocument {
    /// The label of the ensemble.
    pub ensemble: String,
    /// The version of its configuration, in hexadecimal digits.
    pub config_version: String,
    /// The server that leads; `null` where that is not known.
    pub leader: Option<ServerId>,
    /// Whether nothing that was seen makes a change unsafe or impossible.
    pub may_change: bool,
    /// How many checks came out how.
    pub summary: CheckCounts,
    /// Every check, in the order of codes and then of ids.
    pub checks: Vec<CheckEntry>,
    /// What each `zoo.cfg` that was given needs.
    pub zoo_cfgs: Vec<ZooCfgEntry>,
    /// The servers whose `zoo.cfg` has to be edited, in the order of their restarts.
    pub restart_order: Vec<ServerId>,
}

impl Document for PreflightDocument {
    const FORMAT: Format = Format { name: "preflight", major: 1, minor: 0 };
}

/// How many checks came out how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckCounts {
    /// Passed.
    pub passed: usize,
    /// Failed, so that a change is unsafe or impossible.
    pub failed: usize,
    /// Failed, and a change is possible all the same.
    pub advised: usize,
    /// Not known.
    pub unknown: usize,
}

/// What the `zoo.cfg` of a server needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZooCfgEntry {
    /// The server.
    pub server: ServerId,
    /// The name of the file, as it was given.
    pub file: String,
    /// Whether the file has to be edited.
    pub needs_edit: bool,
    /// JVM flags that are needed beside it.
    pub jvm_flags: Vec<String>,
    /// The edit as a diff, for people; without secrets.
    pub text: String,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckEntry {
    /// The code that `zkplan explain` knows, like `ZKP17`.
    pub code: &'static str,
    /// What it is about.
    pub check: CheckKind,
    /// The server; `null` for the whole ensemble.
    pub server: Option<ServerId>,
    /// What came of it.
    pub verdict: CheckVerdict,
    /// Whether it makes a change unsafe or impossible.
    pub blocks: bool,
    /// What it rests on.
    pub evidence: Evidence,
    /// What to do, or what would make it known; `null` where it passed.
    pub remedy: Option<CheckRemedy>,
    /// What it rests on, for people.
    pub text: String,
    /// What to do, for people; `null` where it passed.
    pub remedy_text: Option<&'static str>,
}

impl PreflightDocument {
    /// The document of these checks and edits of an ensemble with this label.
    pub fn of((ensemble, seen): (&str, &Observation), checks: &[Check], edits: &Edits) -> Self {
        let count = |verdict: CheckVerdict, blocks: bool| {
            checks.iter().filter(|check| check.verdict == verdict && check.blocks == blocks).count()
        };
        Self {
            ensemble: ensemble.to_owned(),
            config_version: seen.config.version.to_string(),
            leader: seen.leader,
            may_change: !is_blocked(checks),
            summary: CheckCounts {
                passed: count(CheckVerdict::Pass, false),
                failed: count(CheckVerdict::Fail, true),
                advised: count(CheckVerdict::Fail, false),
                unknown: count(CheckVerdict::Unknown, false),
            },
            checks: checks.iter().map(CheckEntry::of).collect(),
            zoo_cfgs: edits.files.iter().map(ZooCfgEntry::of).collect(),
            restart_order: edits.order.iter().flat_map(|order| order.servers.clone()).collect(),
        }
    }
}

impl ZooCfgEntry {
    fn of(of: &FileEdit) -> Self {
        Self {
            server: of.server,
            file: of.file.clone(),
            needs_edit: !of.edit.is_empty(),
            jvm_flags: of.edit.jvm_flags.clone(),
            text: settings::edit(of.server, &of.file, &of.edit, WIDTH).to_string_with(false),
        }
    }
}

impl CheckEntry {
    fn of(check: &Check) -> Self {
        Self {
            code: check.kind.code(),
            check: check.kind,
            server: check.server,
            verdict: check.verdict,
            blocks: check.blocks,
            evidence: check.evidence.clone(),
            remedy: check.remedy,
            text: words_for_evidence(&check.evidence),
            remedy_text: check.remedy.map(words_for_remedy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::fixture::Scene;

    #[test]
    fn a_document_fits_its_schema_and_counts_its_checks() {
        let scene = Scene::new();
        let document =
            PreflightDocument::of(("prod", &scene.seen), &scene.checks(), &Edits::default());
        let document = document.to_value();
        let validator = jsonschema::validator_for(&PreflightDocument::schema()).expect("a schema");
        let errors: Vec<String> =
            validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let counts = &document["summary"];
        let sum: u64 = ["passed", "failed", "advised", "unknown"]
            .iter()
            .map(|key| counts[key].as_u64().expect("a number"))
            .sum();
        let checks = document["checks"].as_array().expect("a list");
        assert_eq!(usize::try_from(sum), Ok(checks.len()));
        insta::assert_snapshot!(crate::document::canonical(&checks[0], true));
    }
}

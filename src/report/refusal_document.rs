//! Why there is no plan, as a document.

use schemars::JsonSchema;
use serde::Serialize;

use super::breach::{BreachEntry, breaches};
use super::changes::{ChangeEntry, changes};
use super::findings::{FindingEntry, findings};
use super::remedy::{RemedyEntry, remedies};
use crate::document::{Document, Format};
use crate::proposal::Refusal;
use crate::render::{hints, refusal};

/// No plan for a spec is safe: the safety rules that the best one would break, and what would pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusalDocument {
    /// The path of the spec, as it was typed.
    pub spec: String,
    /// The label of the ensemble.
    pub ensemble: String,
    /// The exit code of the spec.
    pub exit_code: u8,
    /// What stands against the best plan, each cause before its consequences.
    pub breaches: Vec<BreachEntry>,
    /// Changes with which, all together, a plan was made and checked; empty where none was found.
    pub remedies: Vec<RemedyEntry>,
    /// What may help where no remedy was found, for people.
    pub hints: Vec<String>,
    /// What the spec asks to change, by server id.
    pub changes: Vec<ChangeEntry>,
    /// What was found, the weightiest first.
    pub findings: Vec<FindingEntry>,
    /// The refusal in one sentence, for people.
    pub text: String,
}

impl Document for RefusalDocument {
    const FORMAT: Format = Format { name: "refusal", major: 2, minor: 0 };
}

impl RefusalDocument {
    /// The document of a refusal of the spec at that path, whose exit code is this one.
    pub fn of(refused: &Refusal, spec: &str, exit_code: u8) -> Self {
        let Refusal { nearest, breaches: broken, remedies: _ } = refused;
        let found = &nearest.facts.findings;
        Self {
            spec: spec.to_owned(),
            ensemble: nearest.ensemble.clone(),
            exit_code,
            breaches: breaches(broken, found),
            remedies: remedies(refused),
            hints: hints::hints(refused),
            changes: changes(nearest),
            findings: findings(found, &nearest.accepted),
            text: refusal::in_short(broken, spec),
        }
    }
}

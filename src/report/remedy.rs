//! What would pass: changes that were tried.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::plan::StepId;
use crate::proposal::{Refusal, Remedy};
use crate::render::remedies;

/// A change with which, taken together with the other remedies, a plan was made and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemedyEntry {
    /// What is to be changed.
    #[serde(flatten)]
    pub change: RemedyChange,
    /// The flag or the line of the spec, as it is typed.
    pub exact: String,
    /// What it costs, for people.
    pub text: String,
}

/// What is to be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RemedyChange {
    /// A risk is accepted on the command line.
    Accept {
        /// The code of the safety rule or finding.
        code: String,
        /// The step, if the code is that of a safety rule.
        step: Option<StepId>,
    },
    /// A line of the spec gets another value.
    Spec {
        /// The key, like `policy.maxShrink`.
        key: String,
        /// The value.
        value: Value,
    },
}

/// The remedies of a refusal; empty where none was found.
pub(super) fn remedies(refused: &Refusal) -> Vec<RemedyEntry> {
    let entry = |remedy: &Remedy| {
        let (exact, text) = remedies::remedy(remedy, refused);
        RemedyEntry { change: remedy.into(), exact, text }
    };
    refused.remedies.iter().map(entry).collect()
}

impl From<&Remedy> for RemedyChange {
    fn from(remedy: &Remedy) -> Self {
        let spec = |key: &str, value: Value| Self::Spec { key: format!("policy.{key}"), value };
        match remedy {
            Remedy::Accept(risk) => {
                Self::Accept { code: risk.code.clone(), step: risk.step.clone() }
            }
            Remedy::MinTolerance(count) => spec("minTolerance", json!(count)),
            Remedy::MaxShrink(count) => spec("maxShrink", json!(count)),
            Remedy::StandaloneDisabled => spec("standaloneEnabled", json!(false)),
            Remedy::ZonesBest => spec("zones", json!("best")),
            Remedy::ReuseBlankIds => spec("reuseIds", json!("blank")),
            Remedy::WithoutOverlap => spec("changesPerStep", json!(0)),
        }
    }
}

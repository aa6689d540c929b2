//! Many specs in one document.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::document::{Document, Format};

/// What came of many specs, in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetDocument {
    /// One for each spec.
    ensembles: Vec<FleetMember>,
    /// How many came to what.
    summary: FleetSummary,
    /// The exit code of the command: the worst of all.
    exit_code: u8,
}

/// What came of one spec.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetMember {
    /// The path of the spec, as it was typed.
    pub spec: String,
    /// The label of the ensemble; `null` where the spec cannot be used.
    pub ensemble: Option<String>,
    /// The exit code that the spec would have alone.
    pub exit_code: u8,
    /// What is printed where the spec is alone: a plan, a refusal, a first quorum, a drift or an error.
    #[schemars(with = "Map<String, Value>")]
    pub document: Value,
}

/// How many specs came to what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetSummary {
    /// Specs with a plan that has steps, or with a standalone server that can become the first voter.
    planned: usize,
    /// Specs with a plan without steps, and those without drift.
    unchanged: usize,
    /// Specs whose ensemble differs from them, of `drift`.
    drifted: usize,
    /// Specs for which no plan is safe.
    refused: usize,
    /// Specs that cannot be used, and ensembles that cannot be planned for.
    failed: usize,
    /// The same for people.
    text: String,
}

impl Document for FleetDocument {
    const FORMAT: Format = Format { name: "fleet", major: 1, minor: 1 };
}

impl FleetDocument {
    /// The document of a command that ends with this exit code.
    pub fn of(ensembles: Vec<FleetMember>, exit_code: u8) -> Self {
        Self { summary: FleetSummary::of(&ensembles), ensembles, exit_code }
    }
}

impl FleetSummary {
    fn of(ensembles: &[FleetMember]) -> Self {
        let [mut planned, mut unchanged, mut drifted, mut refused, mut failed] = [0; 5];
        let mut is_drift = false;
        for FleetMember { document, .. } in ensembles {
            let has_steps = document["steps"].as_array().is_some_and(|steps| !steps.is_empty());
            match document["format"].as_str() {
                Some("zkplan/plan") if has_steps => planned += 1,
                Some("zkplan/first-quorum") if document["possible"] == true => planned += 1,
                Some("zkplan/plan") => unchanged += 1,
                Some("zkplan/drift") => {
                    is_drift = true;
                    *(if document["drift"] == true { &mut drifted } else { &mut unchanged }) += 1;
                }
                Some("zkplan/refusal") => refused += 1,
                _ => failed += 1,
            }
        }
        let specs = ensembles.len();
        let text = if is_drift {
            format!(
                "{specs} specs: {drifted} drifted, {unchanged} without drift, {failed} not seen."
            )
        } else {
            format!(
                "{specs} specs: {planned} planned, {unchanged} without changes, {refused} refused, \
                 {failed} failed."
            )
        };
        Self { planned, unchanged, drifted, refused, failed, text }
    }
}

//! Many specs in one document.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::document::{Document, Format};

/// The exit code of a status whose ensemble was not seen.
const UNREACHABLE: u8 = 10;

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
    /// The path of the spec, as it was typed; of `preflight`, it may be that of a saved plan.
    pub spec: String,
    /// The label of the ensemble; `null` where the spec cannot be used.
    pub ensemble: Option<String>,
    /// The exit code that the spec would have alone.
    pub exit_code: u8,
    /// What is printed where the spec is alone: a plan, a refusal, a first quorum, a drift, a status, a
    /// preflight or an error.
    #[schemars(with = "Map<String, Value>")]
    pub document: Value,
}

/// How many specs came to what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
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
    /// Ensembles that may be changed now, of `status` and `preflight`.
    ready: usize,
    /// Ensembles that were seen and may not be changed now, of `status` and `preflight`.
    blocked: usize,
    /// Specs that cannot be used, and ensembles that cannot be planned for or were not seen.
    failed: usize,
    /// The same for people.
    text: String,
}

impl Document for FleetDocument {
    const FORMAT: Format = Format { name: "fleet", major: 1, minor: 2 };
}

/// The command that a document of many specs is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetCommand {
    /// `zkplan plan`.
    Plan,
    /// `zkplan drift`.
    Drift,
    /// `zkplan status`.
    Status,
    /// `zkplan preflight`.
    Preflight,
}

impl FleetDocument {
    /// The document of this command, which ends with this exit code.
    pub fn of(command: FleetCommand, ensembles: Vec<FleetMember>, exit_code: u8) -> Self {
        Self { summary: FleetSummary::of(command, &ensembles), ensembles, exit_code }
    }
}

impl FleetSummary {
    fn of(command: FleetCommand, ensembles: &[FleetMember]) -> Self {
        let mut counts = Self::default();
        for one in ensembles {
            *counts.place_of(command, one) += 1;
        }
        let Self { planned, unchanged, drifted, refused, ready, blocked, failed, .. } = counts;
        let specs = match (command, ensembles.len()) {
            (FleetCommand::Preflight, files) => format!("{files} files"),
            (_, specs) => format!("{specs} specs"),
        };
        let text = match command {
            FleetCommand::Plan => format!(
                "{specs}: {planned} planned, {unchanged} without changes, {refused} refused, \
                 {failed} failed."
            ),
            FleetCommand::Drift => {
                format!("{specs}: {drifted} drifted, {unchanged} without drift, {failed} not seen.")
            }
            FleetCommand::Status | FleetCommand::Preflight => {
                format!("{specs}: {ready} may be changed, {blocked} may not, {failed} not seen.")
            }
        };
        Self { text, ..counts }
    }

    /// Where one is counted.
    fn place_of(&mut self, command: FleetCommand, one: &FleetMember) -> &mut usize {
        let document = &one.document;
        let has_steps = document["steps"].as_array().is_some_and(|steps| !steps.is_empty());
        let is_seen = one.exit_code != UNREACHABLE;
        match (document["format"].as_str(), command) {
            (Some("zkplan/plan"), _) if has_steps => &mut self.planned,
            (Some("zkplan/first-quorum"), FleetCommand::Preflight) => &mut self.blocked,
            (Some("zkplan/first-quorum"), _) if document["possible"] == true => &mut self.planned,
            (Some("zkplan/drift"), _) if document["drift"] == true => &mut self.drifted,
            (Some("zkplan/plan" | "zkplan/drift"), _) => &mut self.unchanged,
            (Some("zkplan/refusal"), _) => &mut self.refused,
            (Some("zkplan/status" | "zkplan/preflight"), _) if document["mayChange"] == true => {
                &mut self.ready
            }
            (Some("zkplan/status" | "zkplan/preflight"), _) if is_seen => &mut self.blocked,
            _ => &mut self.failed,
        }
    }
}

//! The steps of a plan in the order in which they go, with their figures.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::figures::PlanFigures;
use crate::check::{CheckedPlan, Row};
use crate::model::ServerId;
use crate::plan::{Action, GateKind, PhaseKind, Plan, Step, StepId};
use crate::render::words_for_step;

/// One step, with its figures if the present leader leads until its own change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepEntry {
    /// The name of the step.
    pub id: StepId,
    /// The place of its phase in `phases`, from 0.
    pub phase: usize,
    /// What the steps of that phase have in common.
    pub phase_kind: PhaseKind,
    /// What it does.
    pub action: StepAction,
    /// The servers that it concerns.
    pub servers: BTreeSet<ServerId>,
    /// What its reconfig changes, server by server; empty where it sends none.
    pub changes: Vec<StepChange>,
    /// What it waits for, if it is a gate.
    pub gate: Option<GateKind>,
    /// How many voters can fail during the step while writes continue: the fewest of before, under
    /// way and after.
    pub tolerates_failures: i64,
    /// The ensemble after the step.
    pub after: PlanFigures,
    /// Whether the present leader hands over the leadership in it.
    pub hands_over: bool,
    /// What it does, for people.
    pub text: String,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StepAction {
    /// Waits until a server follows without a vote.
    AwaitJoiner,
    /// Sends one reconfig request.
    Reconfig,
    /// Waits for clients or for a person.
    Gate,
    /// Runs `hooks.start`, if the server is not up.
    Start,
    /// Runs `hooks.stop`.
    Stop,
    /// Asks a person to stop the server.
    AskToStop,
    /// Asks a person to attest a blank data directory.
    AttestBlank,
    /// Has a member restarted, by `hooks.restart` or by a person.
    Restart,
    /// Proves that the last configuration is active.
    Prove,
}

/// The change of one server in a reconfig.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepChange {
    /// The server.
    pub server: ServerId,
    /// `join`, `leave`, `unlist`, `promote`, `demote` or `readdress`. `unlist`: an observer is removed
    /// for a moment and then joins as a participant.
    pub change: String,
}

/// The steps of a plan.
pub(super) fn steps(checked: &CheckedPlan) -> Vec<StepEntry> {
    let plan = checked.plan();
    checked.report().rows.iter().filter_map(|row| StepEntry::of(row, plan)).collect()
}

impl StepEntry {
    fn of(row: &Row, plan: &Plan) -> Option<Self> {
        let Row { step: id, figures, spare, hands_over } = row;
        let mut phases = plan.phases.iter().enumerate();
        let (phase, kind, step) = phases.find_map(|(at, phase)| {
            let step = phase.steps.iter().find(|step| step.id == *id)?;
            Some((at, phase.kind, step))
        })?;
        let Step { id, action } = step;
        let change = |part: &crate::plan::ServerChange| StepChange {
            server: part.server,
            change: part.change.word().to_owned(),
        };
        Some(Self {
            id: id.clone(),
            phase,
            phase_kind: kind,
            action: action.into(),
            servers: step.servers().collect(),
            changes: step.parts().iter().map(change).collect(),
            gate: match action {
                Action::Gate(gate) => Some(*gate),
                _ => None,
            },
            tolerates_failures: *spare,
            after: figures.into(),
            hands_over: *hands_over,
            text: words_for_step(plan, step),
        })
    }

    /// Whether the present leader hands over the leadership in it.
    pub(super) const fn hands_over(&self) -> bool {
        self.hands_over
    }

    /// The ensemble after the step.
    pub(super) const fn after(&self) -> &PlanFigures {
        &self.after
    }
}

impl From<&Action> for StepAction {
    fn from(action: &Action) -> Self {
        match action {
            Action::AwaitJoiner(_) => Self::AwaitJoiner,
            Action::Reconfig { .. } => Self::Reconfig,
            Action::Gate(_) => Self::Gate,
            Action::Start(_) => Self::Start,
            Action::Stop(_) => Self::Stop,
            Action::AskToStop(_) => Self::AskToStop,
            Action::AttestBlank(_) => Self::AttestBlank,
            Action::Restart(_) => Self::Restart,
            Action::Prove(_) => Self::Prove,
        }
    }
}

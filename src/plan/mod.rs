//! The plan: an immutable value with the state from which it starts and every step to the target.
//!
//! In: facts, the wanted membership, policy. Out: a [`Plan`] that leaves apply no choice beyond its
//! schedule: the steps of an unordered phase may be taken in any order, and the leader's own change
//! comes last in the whole plan. Nothing here proves that a plan is safe; `check` does.

mod graph;
mod planner;
mod reason;
mod schedule;
mod step;

pub use graph::{EdgeReason, PlanGraph, PlanNode};
pub use planner::{Goal, Prefer, best, is_within_reach, reorder};
pub use reason::StepReason;
pub use schedule::{Done, Positions, Schedule};
pub use step::{
    Action, ChangeVerb, GateKind, Phase, PhaseKind, ServerChange, Step, StepId, StepOrder,
};

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diff::Change;
use crate::model::{Connect, Hooks, Membership, Policy, Reach, ServerId};
use crate::observe::Facts;

/// All that lies between a base configuration and a target membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The label of the ensemble.
    pub ensemble: String,
    /// The facts when the plan was made, including the base configuration.
    pub facts: Facts,
    /// The membership at the end.
    pub target: Membership,
    /// The rules that the operator set.
    pub policy: Policy,
    /// Voter failures tolerated at every moment: `policy.minTolerance` as a number.
    pub min_tolerance: u32,
    /// How to reach the ensemble.
    pub connect: Connect,
    /// Where each wanted server is asked. The line of a statically configured server does not
    /// contain that.
    pub reach: BTreeMap<ServerId, Reach>,
    /// Commands that start and stop servers.
    pub hooks: Hooks,
    /// The changes, by server id.
    pub changes: Vec<Change>,
    /// The steps, in order.
    pub phases: Vec<Phase>,
    /// Risks that the operator accepted when the plan was made.
    pub accepted: Vec<Acceptance>,
    /// The path of the spec from which it was made, if it was read from a file. It has no effect on
    /// the meaning of the plan.
    pub spec: Option<PathBuf>,
}

/// A risk that the operator accepts by name: `--accept LAW:STEP`, or `--accept FINDING`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Acceptance {
    /// The code of the safety rule or finding.
    pub code: String,
    /// The step, if the code is that of a safety rule.
    pub step: Option<StepId>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.phases.is_empty()
    }

    /// All steps, phase by phase.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.phases.iter().flat_map(|phase| &phase.steps)
    }

    /// How many reconfig requests the plan sends.
    pub fn reconfigs(&self) -> usize {
        self.steps().filter(|step| step.reconfig().is_some()).count()
    }
}

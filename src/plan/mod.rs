//! The plan: an immutable value that names the state it starts from and every step of the way.
//!
//! In: facts, the wanted membership, policy. Out: a [`Plan`] whose phases leave apply no choice but
//! the granted one: within an unordered phase any step may be next, and whoever leads goes last,
//! over the whole plan. Nothing here says that a plan is safe; `check` does.

mod cost;
mod grant;
mod kinds;
mod lattice;
mod order;
mod removal;
mod reorder;
mod search;
mod step;
mod together;
mod votes;

pub use grant::{Done, Positions, Schedule};
pub use order::{Goal, Prefer, best};
pub use reorder::{is_within_reach, reorder};
pub use step::{Action, GateKind, Move, Part, Phase, PhaseKind, Rule, Step, StepId};

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diff::Change;
use crate::model::{Connect, Hooks, Membership, Policy, Reach, ServerId};
use crate::observe::Facts;

/// Everything between a base configuration and a target membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The label of the ensemble.
    pub ensemble: String,
    /// What was known when the plan was made, the base configuration included.
    pub facts: Facts,
    /// The membership to end at.
    pub target: Membership,
    /// What was asked of the way.
    pub policy: Policy,
    /// Voters that may fail at any moment; `policy.minTolerance` fixed to a number.
    pub min_tolerance: u32,
    /// How to reach the ensemble.
    pub connect: Connect,
    /// Where each wanted server is asked: a line of static origin does not tell.
    pub reach: BTreeMap<ServerId, Reach>,
    /// Commands that start and stop servers.
    pub hooks: Hooks,
    /// What changes, by server id.
    pub changes: Vec<Change>,
    /// How, in order.
    pub phases: Vec<Phase>,
    /// Risks that the operator accepted when the plan was made.
    pub accepted: Vec<Acceptance>,
    /// The path of the spec that it was made from, where a file tells it. It is no part of what the
    /// plan means.
    pub spec: Option<PathBuf>,
}

/// A risk that the operator accepts by name: `--accept LAW:STEP`, or `--accept FINDING`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Acceptance {
    /// The code of the law or finding.
    pub code: String,
    /// The step, where the code is that of a law.
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

    /// How many reconfig requests it sends.
    pub fn reconfigs(&self) -> usize {
        self.steps().filter(|step| step.reconfig().is_some()).count()
    }
}

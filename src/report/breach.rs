//! Breaches of safety rules, with their numbers as data.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::details::{self, BreachDetails};
use crate::check::Breach;
use crate::model::ServerId;
use crate::observe::Finding;
use crate::plan::StepId;
use crate::proposal::acceptance;
use crate::render::refusal;

/// A safety rule that the best plan would break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BreachEntry {
    /// The code that `zkplan explain` knows, like `ZKQ3`.
    pub code: String,
    /// The step at which it is broken; `null` where it is about the whole plan.
    pub step: Option<StepId>,
    /// The reconfigs done before, in order: the shortest way to the breach.
    pub after: Vec<StepId>,
    /// Where the same thing is behind an earlier breach: the place of that one in `breaches`, from 0.
    pub cause: Option<usize>,
    /// Whether the operator may accept it (`--accept CODE:STEP`).
    pub is_acceptable: bool,
    /// The servers that it is about.
    pub servers: BTreeSet<ServerId>,
    /// The numbers.
    pub details: BreachDetails,
    /// The same for people.
    pub text: String,
}

/// Breaches in the order of the screen: each cause, then what the same thing is behind.
pub(super) fn breaches(breaches: &[Breach], findings: &[Finding]) -> Vec<BreachEntry> {
    let entries = refusal::in_order(breaches, findings).into_iter();
    entries.map(|(breach, cause)| BreachEntry::of(breach, cause, findings)).collect()
}

impl BreachEntry {
    /// Of breaches: each cause, then what the same thing is behind.
    pub fn all(broken: &[Breach], findings: &[Finding]) -> Vec<Self> {
        breaches(broken, findings)
    }

    fn of(breach: &Breach, cause: Option<usize>, findings: &[Finding]) -> Self {
        let Breach { law: _, step, path, detail } = breach;
        Self {
            code: acceptance(breach).code,
            step: step.clone(),
            after: path.clone(),
            cause,
            is_acceptable: detail.is_acceptable(),
            servers: details::servers(detail, findings),
            details: detail.clone().into(),
            text: refusal::sentence(breach, findings),
        }
    }
}

//! One check and its verdict.

use schemars::JsonSchema;
use serde::Serialize;

use super::codes::CheckKind;
use super::evidence::{CheckRemedy, Evidence};
use crate::model::ServerId;

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CheckVerdict {
    /// It is as it has to be.
    Pass,
    /// It is not.
    Fail,
    /// Nothing that zkplan may ask shows it.
    Unknown,
}

/// One check, of one server or of the whole ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is about.
    pub kind: CheckKind,
    /// The server; `None` for the whole ensemble.
    pub server: Option<ServerId>,
    /// What came of it.
    pub verdict: CheckVerdict,
    /// Whether a change is unsafe or impossible while it fails. Otherwise it is an advice.
    pub blocks: bool,
    /// What it rests on.
    pub evidence: Evidence,
    /// What to do, or what would make it known.
    pub remedy: Option<CheckRemedy>,
}

impl Check {
    pub(super) const fn pass(
        kind: CheckKind,
        server: Option<ServerId>,
        evidence: Evidence,
    ) -> Self {
        Self { kind, server, verdict: CheckVerdict::Pass, blocks: false, evidence, remedy: None }
    }

    /// It fails, and a change is unsafe or impossible before it is mended.
    pub(super) const fn fail(
        kind: CheckKind,
        server: Option<ServerId>,
        evidence: Evidence,
        remedy: CheckRemedy,
    ) -> Self {
        let verdict = CheckVerdict::Fail;
        Self { kind, server, verdict, blocks: true, evidence, remedy: Some(remedy) }
    }

    /// It fails, and a change is possible all the same.
    pub(super) fn advise(
        kind: CheckKind,
        server: Option<ServerId>,
        evidence: Evidence,
        remedy: CheckRemedy,
    ) -> Self {
        Self { blocks: false, ..Self::fail(kind, server, evidence, remedy) }
    }

    pub(super) const fn unknown(
        kind: CheckKind,
        server: Option<ServerId>,
        evidence: Evidence,
        remedy: CheckRemedy,
    ) -> Self {
        let verdict = CheckVerdict::Unknown;
        Self { kind, server, verdict, blocks: false, evidence, remedy: Some(remedy) }
    }
}

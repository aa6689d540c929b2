//! Findings as data: the shape that every document has them in.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::document::{Format, schema_of_part};
use crate::model::ServerId;
use crate::observe::{Finding, FindingKind, Level};
use crate::plan::Acceptance;
use crate::render::words_for_finding;

/// What was found, as every document has it that says so. Other keys belong to the document.
///
/// One policy for findings holds plans, refusals and all others: this schema takes each of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindingsPart {
    /// What was found, the weightiest first.
    findings: Vec<FindingEntry>,
}

impl FindingsPart {
    /// No document is of this format: it names the part.
    const FORMAT: Format = Format { name: "findings", major: 1, minor: 0 };

    /// The JSON Schema of the part.
    pub fn schema() -> Value {
        schema_of_part::<Self>(Self::FORMAT)
    }
}

/// Something about the ensemble or the spec that no safety rule of a step covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindingEntry {
    /// The code that `zkplan explain` knows, like `ZKF8`.
    pub code: String,
    /// How much it weighs.
    pub severity: Severity,
    /// Whether the operator accepts it (`--accept CODE`).
    pub is_accepted: bool,
    /// The servers that it is about; empty where it is about the whole ensemble.
    pub servers: BTreeSet<ServerId>,
    /// What was found.
    pub details: FindingKind,
    /// The same for people.
    pub text: String,
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Worth mending.
    Warning,
    /// No plan is made until it is accepted.
    Blocks,
}

/// Findings, the weightiest first.
pub(super) fn findings(findings: &[Finding], accepted: &[Acceptance]) -> Vec<FindingEntry> {
    let mut findings: Vec<&Finding> = findings.iter().collect();
    findings.sort_by_key(|finding| (Reverse(finding.kind.level()), *finding));
    findings.into_iter().map(|finding| FindingEntry::of(finding, accepted)).collect()
}

impl FindingEntry {
    /// Of findings, the weightiest first; of some the operator accepts the risk.
    pub fn all(found: &[Finding], accepted: &[Acceptance]) -> Vec<Self> {
        findings(found, accepted)
    }

    fn of(finding: &Finding, accepted: &[Acceptance]) -> Self {
        let code = finding.kind.code();
        Self {
            code: code.to_owned(),
            severity: finding.kind.level().into(),
            is_accepted: accepted.iter().any(|risk| risk.code == code && risk.step.is_none()),
            servers: servers(finding),
            details: finding.kind.clone(),
            text: words_for_finding(finding),
        }
    }
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Note => Self::Note,
            Level::Warning => Self::Warning,
            Level::Accept => Self::Blocks,
        }
    }
}

/// The servers that a finding is about.
pub(super) fn servers(finding: &Finding) -> BTreeSet<ServerId> {
    let mut servers: BTreeSet<ServerId> = finding.server.into_iter().collect();
    match &finding.kind {
        FindingKind::JudgedByCounts { joiners: ids, .. }
        | FindingKind::MembersRetired { members: ids, .. }
        | FindingKind::ClientPartsMixed { without: ids, .. }
        | FindingKind::InitLimitTooLow { servers: ids, .. }
        | FindingKind::LocalSessions { servers: ids } => servers.extend(ids),
        FindingKind::RetiredAnswers { servers: asked, .. } => {
            servers.extend(asked.iter().map(|one| one.id));
        }
        FindingKind::SettingsDiffer { differences } => {
            servers.extend(differences.iter().flat_map(|one| &one.servers));
        }
        FindingKind::KnownBug { .. }
        | FindingKind::MixedVersions { .. }
        | FindingKind::HostileName { .. }
        | FindingKind::WildcardHost { .. }
        | FindingKind::ConfigWritten
        | FindingKind::QuorumPortUnreachable
        | FindingKind::ElectionPortClosed
        | FindingKind::MemberSilent
        | FindingKind::MemberNotAsked
        | FindingKind::MemberDisagrees
        | FindingKind::MemberKeepsItsFile
        | FindingKind::ConfigNotInForce
        | FindingKind::ZoneUnknown
        | FindingKind::EvenVoters { .. }
        | FindingKind::DigestMismatches { .. }
        | FindingKind::DataDiffers
        | FindingKind::UnwantableId
        | FindingKind::PortsDiffer { .. }
        | FindingKind::OpenRun { .. }
        | FindingKind::StaleContacts { .. }
        | FindingKind::FolderNotProven(_)
        | FindingKind::FileDiffers { .. }
        | FindingKind::MachineNotShown { .. }
        | FindingKind::ClientAddressUnusable { .. }
        | FindingKind::MemberClosesConnections => {}
    }
    servers
}

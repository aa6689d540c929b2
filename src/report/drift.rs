//! `zkplan/drift`: how an ensemble differs from its spec and from what zkplan applied last.

use schemars::JsonSchema;
use serde::Serialize;

use super::changes::{ChangeAction, ServerEntry};
use crate::document::{Document, Format};
use crate::drift::{Applied, ChangedBy, Difference, DriftKind, DriftSeverity, LastApplied};
use crate::model::{Server, ServerId};
use crate::render::drift::{self as words, DriftScreen};

/// How an ensemble differs from its spec.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftDocument {
    /// The label of the ensemble.
    pub ensemble: String,
    /// The spec, as it was typed.
    pub spec: String,
    /// Whether the ensemble is not as the spec wants it.
    pub drift: bool,
    /// The config version now, in hex as ZooKeeper prints it.
    pub config_version: String,
    /// The last run that was completed; `null` where none is on record, or the journal was not read.
    pub last_applied: Option<LastAppliedEntry>,
    /// What differs, the weightiest first.
    pub differences: Vec<DifferenceEntry>,
    /// The command that comes next; `null` where nothing is to be done.
    pub next: Option<String>,
    /// The exit code that the spec has alone.
    pub exit_code: u8,
    /// The same in one sentence, for people.
    pub text: String,
}

impl Document for DriftDocument {
    const FORMAT: Format = Format { name: "drift", major: 1, minor: 0 };
}

/// The last run that was completed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastAppliedEntry {
    /// Its number.
    pub run: u64,
    /// Its plan.
    pub plan_id: String,
    /// Who opened it, for people.
    pub by: String,
    /// Why, where that was said; else `null`.
    pub reason: Option<String>,
    /// When it was completed, as the clock of that host had it.
    pub at: String,
    /// The config version that a run of zkplan made last; `null` where none is on record.
    pub config_version: Option<String>,
    /// Whether an operator is proven to have written this, and it does not only look so.
    pub proven: bool,
}

/// One thing that is not as it is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DifferenceEntry {
    /// What it is: `member`, `configVersion`, `setting`, `membersDown`, `openRun`, `retiredServes`,
    /// `retiredRuns`, `membersRetired`, `journalUnread`, or the code of a finding. A minor version may
    /// add some.
    pub code: String,
    /// How much it weighs.
    pub severity: SeverityWord,
    /// Whose change it is, as far as the journal tells.
    pub changed_by: ChangedByWord,
    /// The servers that it is about.
    pub servers: Vec<ServerId>,
    /// What a plan would do to the server; `null` where it is no member's line that differs.
    pub action: Option<ChangeAction>,
    /// The server as the spec wants it; `null` where it wants none.
    pub wanted: Option<ServerEntry>,
    /// The server as it is; `null` where it is no member.
    pub live: Option<ServerEntry>,
    /// The server after the last run; `null` where it was no member, or that is not known.
    pub applied: Option<ServerEntry>,
    /// The run that it is about; `null` where it is about none.
    pub run: Option<u64>,
    /// What it is, for people.
    pub text: String,
    /// Whose change it is and what shows that, for people; may be empty.
    pub evidence: String,
}

/// How much a difference weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DriftSeverity")]
pub enum SeverityWord {
    /// The ensemble is not as it is wanted.
    Drift,
    /// It is, but this should be seen to.
    Warning,
}

/// Whose change a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ChangedBy")]
pub enum ChangedByWord {
    /// The spec was changed since the last run.
    Spec,
    /// Another client than zkplan changed the ensemble since the last run.
    OtherClient,
    /// Both were changed.
    Both,
    /// A run that is open has done a part.
    OpenRun,
    /// The journal does not tell.
    Unknown,
}

impl DriftDocument {
    /// Of what the screen shows, with the exit code that the spec has alone.
    pub fn of(screen: &DriftScreen<'_>, exit_code: u8) -> Self {
        let last = screen.applied.and_then(|applied| {
            let LastApplied { run, plan_id, by, reason, at, target: _ } = applied.last.clone()?;
            let (config_version, proven) = (applied.version.clone(), applied.is_certain);
            Some(LastAppliedEntry { run, plan_id, by, reason, at, config_version, proven })
        });
        let of = |one: &Difference| DifferenceEntry::of(one, screen.applied);
        Self {
            ensemble: screen.ensemble.to_owned(),
            spec: screen.spec.to_owned(),
            drift: words::has_drift(screen.differences),
            config_version: screen.facts.base.version.to_string(),
            last_applied: last,
            differences: screen.differences.iter().map(of).collect(),
            next: words::next(screen),
            exit_code,
            text: words::in_short(screen),
        }
    }
}

impl DifferenceEntry {
    fn of(difference: &Difference, applied: Option<&Applied>) -> Self {
        let Difference { kind, by } = difference;
        let entry = |server: &Option<Server>| server.as_ref().map(Into::into);
        let mut action = None;
        let [mut wanted, mut live, mut then] = [None, None, None];
        if let DriftKind::Member { change, applied } = kind {
            action = Some(change.kind.into());
            [wanted, live, then] = [&change.after, &change.before, applied].map(entry);
        }
        Self {
            code: code(kind).to_owned(),
            severity: match difference.severity() {
                DriftSeverity::Drift => SeverityWord::Drift,
                DriftSeverity::Warning => SeverityWord::Warning,
            },
            changed_by: match by {
                ChangedBy::Spec => ChangedByWord::Spec,
                ChangedBy::OtherClient => ChangedByWord::OtherClient,
                ChangedBy::Both => ChangedByWord::Both,
                ChangedBy::OpenRun => ChangedByWord::OpenRun,
                ChangedBy::Unknown => ChangedByWord::Unknown,
            },
            servers: servers(kind),
            action,
            wanted,
            live,
            applied: then,
            run: match kind {
                DriftKind::OpenRun(run)
                | DriftKind::RetiredRun { run, .. }
                | DriftKind::MembersRetired { run, .. } => Some(*run),
                _ => None,
            },
            text: words::what(difference),
            evidence: words::whose(difference, applied),
        }
    }
}

const fn code(kind: &DriftKind) -> &str {
    match kind {
        DriftKind::Member { .. } => "member",
        DriftKind::Version { .. } => "configVersion",
        DriftKind::Setting(_) => "setting",
        DriftKind::MembersDown(_) => "membersDown",
        DriftKind::OpenRun(_) => "openRun",
        DriftKind::RetiredRun { serve: true, .. } => "retiredServes",
        DriftKind::RetiredRun { serve: false, .. } => "retiredRuns",
        DriftKind::MembersRetired { .. } => "membersRetired",
        DriftKind::Finding(finding) => finding.kind.code(),
        DriftKind::JournalUnread => "journalUnread",
    }
}

fn servers(kind: &DriftKind) -> Vec<ServerId> {
    match kind {
        DriftKind::Member { change, .. } => vec![change.id],
        DriftKind::Setting(setting) => setting.servers.iter().copied().collect(),
        DriftKind::MembersDown(servers) | DriftKind::MembersRetired { members: servers, .. } => {
            servers.iter().copied().collect()
        }
        DriftKind::RetiredRun { servers, .. } => servers.clone(),
        DriftKind::Finding(finding) => finding.server.into_iter().collect(),
        DriftKind::Version { .. } | DriftKind::OpenRun(_) | DriftKind::JournalUnread => Vec::new(),
    }
}

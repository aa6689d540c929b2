//! Why nothing may be changed now.

use super::known::{Known, OpenRunSeen};
use crate::apply::journal::LockText;
use crate::check::{Breach, BreachKind, broken_now};
use crate::observe::{Finding, FindingKind, Level, Obstacle, RetiredState};

/// A reason why the next reconfig cannot be made safely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// ZKQ1: the ensemble is not healthy enough for any change.
    Unhealthy(Breach),
    /// A finding for which no plan is made until the operator accepts it.
    ToAccept(Finding),
    /// Retired servers serve clients outside the ensemble, or members are servers that were
    /// retired.
    Retired(Finding),
    /// There is no proof that only operators wrote the state of zkplan.
    FolderNotProven(Finding),
    /// Another apply holds the lock, as far as its text can be read.
    Locked(Option<LockText>),
    /// A run of this number is open, and no apply of the spec resumes it; or no spec is given.
    OpenRun(u64),
    /// No server accepts a session, or the journal cannot be read: a run may be open.
    JournalUnread,
}

impl Block {
    /// Its code: that of the finding, or the word that `zkplan/error` has for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unhealthy(breach) => match &breach.detail {
                BreachKind::Obstacle(Obstacle::ReconfigDisabled(_)) => "reconfigDisabled",
                BreachKind::Obstacle(Obstacle::NoCommit) => "noCommit",
                BreachKind::Obstacle(Obstacle::TakesOneConnection(..)) => "takesOneConnection",
                BreachKind::NoLiveQuorum(_) => "noQuorum",
                _ => breach.law.code(),
            },
            Self::ToAccept(finding) | Self::Retired(finding) => finding.kind.code(),
            Self::FolderNotProven(_) => "folderNotProven",
            Self::Locked(_) => "locked",
            Self::OpenRun(_) => "otherRun",
            Self::JournalUnread => "journalUnreadable",
        }
    }
}

/// Every reason, those of the ensemble itself first.
pub(super) fn blocks(
    known: &Known<'_>,
    run: Option<&OpenRunSeen>,
    findings: &[Finding],
) -> Vec<Block> {
    let unhealthy = broken_now(known.facts).into_iter().map(Block::Unhealthy);
    let accepted = known.wanted.map(|wanted| &wanted.plan().accepted[..]).unwrap_or_default();
    let is_accepted = |found: &&Finding| {
        accepted.iter().any(|risk| risk.code == found.kind.code() && risk.step.is_none())
    };
    let found = findings.iter().filter(|found| !is_accepted(found)).filter_map(of_finding);
    let lock = known.journal.and_then(|journal| journal.lock.as_ref());
    let lock = lock.map(|lock| Block::Locked(lock.text.clone()));
    let is_in_the_way = |run: &&OpenRunSeen| known.wanted.is_none() || run.not_resumed.is_some();
    let run = run.filter(is_in_the_way).map(|run| Block::OpenRun(run.number));
    let unread = known.journal.is_none().then_some(Block::JournalUnread);
    unhealthy.chain(found).chain(lock).chain(run).chain(unread).collect()
}

fn of_finding(finding: &Finding) -> Option<Block> {
    let found = finding.clone();
    match &finding.kind {
        FindingKind::FolderNotProven(_) => Some(Block::FolderNotProven(found)),
        FindingKind::RetiredAnswers { state: RetiredState::Serve, .. }
        | FindingKind::MembersRetired { .. } => Some(Block::Retired(found)),
        kind if kind.level() == Level::Accept => Some(Block::ToAccept(found)),
        _ => None,
    }
}

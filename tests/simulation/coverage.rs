//! Situations of interest: one that never occurs was never tested.

use std::collections::BTreeMap;

/// Something that a schedule may run into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Situation {
    UnknownThenApplied,
    UnknownThenFenced,
    UnknownForGood,
    LateRequestFenced,
    FenceOvertaken,
    InProgressRefused,
    NoQuorumRefused,
    HandOver,
    DiedBeforeSend,
    DiedBeforeOutcome,
    Resumed,
    WaitedThenSent,
    LockLost,
    LockAwaited,
    StuckReconfig,
    LagSeen,
    WithoutVoteUsed,
    FormerLeaderAsked,
    SessionMoved,
    SessionExpired,
    ElectionMidway,
    ProposalForgotten,
    ForeignChange,
    VersionMoved,
    ForceUnlocked,
    TwoAtOnce,
    HealedByResuming,
    AnotherOrder,
    ResumedInAnotherOrder,
}

const ALL: [Situation; 27] = [
    Situation::UnknownThenApplied,
    Situation::UnknownThenFenced,
    Situation::UnknownForGood,
    Situation::LateRequestFenced,
    Situation::FenceOvertaken,
    Situation::InProgressRefused,
    Situation::NoQuorumRefused,
    Situation::HandOver,
    Situation::DiedBeforeSend,
    Situation::DiedBeforeOutcome,
    Situation::Resumed,
    Situation::WaitedThenSent,
    Situation::LockLost,
    Situation::LockAwaited,
    Situation::StuckReconfig,
    Situation::LagSeen,
    Situation::WithoutVoteUsed,
    Situation::FormerLeaderAsked,
    Situation::SessionMoved,
    Situation::SessionExpired,
    Situation::ElectionMidway,
    Situation::ProposalForgotten,
    Situation::ForeignChange,
    Situation::VersionMoved,
    Situation::ForceUnlocked,
    Situation::TwoAtOnce,
    Situation::HealedByResuming,
];

/// Those in which schedules with failures must also end up.
const OF_DEATHS: [Situation; 2] = [Situation::AnotherOrder, Situation::ResumedInAnotherOrder];

/// In how many schedules each occurred.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coverage(BTreeMap<Situation, u64>);

impl Coverage {
    pub(crate) fn note(&mut self, situation: Situation) {
        self.0.insert(situation, 1);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (situation, count) in &other.0 {
            *self.0.entry(*situation).or_default() += count;
        }
    }

    pub(crate) fn missing(&self) -> Vec<Situation> {
        ALL.into_iter().filter(|situation| !self.0.contains_key(situation)).collect()
    }

    /// Those of failures that never occurred.
    pub(crate) fn missing_of_deaths(&self) -> Vec<Situation> {
        OF_DEATHS.into_iter().filter(|situation| !self.0.contains_key(situation)).collect()
    }

    pub(crate) fn table(&self) -> String {
        let row = |situation: &Situation| {
            let count = self.0.get(situation).copied().unwrap_or(0);
            format!("{count:>9}  {situation:?}\n")
        };
        ALL.iter().chain(&OF_DEATHS).map(row).collect()
    }
}

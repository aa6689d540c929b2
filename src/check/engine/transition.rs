//! One step from one moment, and what the safety rules read of it.

use super::quorum_verifier::QuorumVerifier;
use super::state::{Mark, State};
use super::step_table::{Entry, StepTable, majority_spare};
use crate::check::breach::Votes;

/// One step from one moment.
pub(in crate::check) struct Transition<'a> {
    pub(in crate::check) table: &'a StepTable<'a>,
    pub(in crate::check) position: usize,
    pub(in crate::check) entry: &'a Entry<'a>,
    pub(in crate::check) before: &'a State,
    pub(in crate::check) after: &'a State,
    /// How many voters may fail while it is under way.
    pub(in crate::check) during: i64,
}

impl<'a> Transition<'a> {
    pub(in crate::check) fn new(
        table: &'a StepTable<'a>,
        position: usize,
        [before, after]: [&'a State; 2],
    ) -> Self {
        let entry = &table.steps[position];
        let during = match &table.quorum {
            QuorumVerifier::Majority => {
                let during = before.during(&entry.changes);
                let away = away(entry).filter(|s| before.has(*s, Mark::VOTER | Mark::LIVE));
                majority_spare(during.voters, during.acking - usize::from(away.is_some()))
            }
            QuorumVerifier::Hierarchical(weighted) => {
                let [voters, acking] = during_sets([before, after], entry);
                weighted.spare(&voters, &acking)
            }
        };
        Self { table, position, entry, before, after, during }
    }

    /// How many voters may fail at the worst of before, under way and after.
    pub(in crate::check) fn spare(&self) -> i64 {
        self.during.min(self.table.spare(self.before)).min(self.table.spare(self.after))
    }

    /// Whether the quorum may change. Observers join, move and leave without changing it.
    pub(in crate::check) fn changes_votes(&self) -> bool {
        self.entry.changes.iter().any(|change| change.voted() || change.votes())
    }

    /// The votes of the next configuration while the step is under way.
    pub(in crate::check) fn votes_during(&self) -> Votes {
        let [voters, acking] = self.sets_during();
        self.table.votes_of(&voters, &acking)
    }

    /// The voters after the step, and those of them that can acknowledge it while it is under way.
    pub(in crate::check) fn sets_during(&self) -> [Vec<usize>; 2] {
        during_sets([self.before, self.after], self.entry)
    }
}

/// The server that a step restarts.
fn away(entry: &Entry<'_>) -> Option<usize> {
    entry.step.restart().and_then(|_| entry.servers.first().copied())
}

/// The voters after a step, and those of them that can acknowledge it while it is under way.
fn during_sets([before, after]: [&State; 2], entry: &Entry<'_>) -> [Vec<usize>; 2] {
    let voters = after.all(Mark::VOTER);
    let acks = |server: &usize| match entry.changes.iter().find(|change| change.server == *server) {
        Some(change) => before.acknowledges(change),
        None => before.has(*server, Mark::LIVE) && away(entry) != Some(*server),
    };
    let acking = voters.iter().copied().filter(acks).collect();
    [voters, acking]
}

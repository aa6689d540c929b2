//! What an ensemble is now, what a spec wants beyond that, and whether the next change is possible.
//!
//! In: an observation, the journal as far as it could be read, what came of planning for a spec, and
//! a measured rate of writes. Out: an [`EnsembleStatus`]. It decides nothing anew: [`check`](crate::check)
//! counts votes and knows what forbids a change now, `apply::resume` what becomes of an open run,
//! `proposal` what the spec comes to.
//!
//! In reading order: `known` (what all that follows from), `blocks` (why nothing may be changed now), `joiners` (what each joiner still
//! lacks), `migration` (the rows of a migration onto new servers), `writes` (writes a second).

mod blocks;
mod joiners;
mod known;
mod migration;
#[cfg(test)]
mod tests;
mod writes;

pub use blocks::Block;
pub use joiners::{JoinerLack, JoinerState};
pub use known::{JournalSeen, Known, OpenRunSeen, RunPosition, SpecVerdict};
pub use migration::{MigrationRow, RowEvidence, RowState};
pub use writes::{WriteRate, ZxidReading};

use crate::apply::past_runs::RetiredSeen;
use crate::check::{ToleranceNow, tolerance_now};
use crate::observe::{Finding, FindingKind};

/// The status of an ensemble.
#[derive(Debug, Clone)]
pub struct EnsembleStatus<'a> {
    /// What is known.
    pub known: Known<'a>,
    /// Voters, quorum and the failures that are tolerated.
    pub tolerance: ToleranceNow,
    /// The run that is open.
    pub run: Option<OpenRunSeen>,
    /// The wanted servers that are no members.
    pub joiners: Vec<JoinerState>,
    /// The rows of a migration that apply; none without a spec that adds or removes servers.
    pub rows: Vec<MigrationRow>,
    /// Things worth knowing, but for the open run, in canonical order.
    pub findings: Vec<Finding>,
    /// Why nothing may be changed now; empty where the next reconfig is possible.
    pub blocks: Vec<Block>,
}

impl<'a> EnsembleStatus<'a> {
    /// The status that follows from what is known.
    pub fn of(known: Known<'a>) -> Self {
        let of_journal = known.journal.iter().flat_map(|journal| &journal.findings);
        let mut findings: Vec<Finding> =
            known.facts.findings.iter().chain(of_journal).cloned().collect();
        findings.sort();
        findings.dedup();
        let run = findings.iter().find_map(OpenRunSeen::of);
        findings.retain(|finding| !matches!(finding.kind, FindingKind::OpenRun { .. }));
        Self {
            tolerance: tolerance_now(known.facts),
            joiners: joiners::joiners(&known),
            rows: migration::rows(&known, run.as_ref()),
            blocks: blocks::blocks(&known, run.as_ref(), &findings),
            run,
            findings,
            known,
        }
    }

    /// Whether the next reconfig could be made safely.
    pub fn may_change(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Retired servers that the table of servers does not show already.
    pub fn retired(&self) -> impl Iterator<Item = &RetiredSeen> {
        let all = self.known.journal.iter().flat_map(|journal| &journal.retired);
        all.filter(|one| !self.known.seen.servers.contains_key(&one.id))
    }
}

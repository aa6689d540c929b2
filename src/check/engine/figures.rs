//! The figures of a moment: its votes, how many voters may fail, and the loss of a zone.

use std::collections::BTreeSet;

use super::quorum_verifier::QuorumVerifier;
use super::state::{Mark, State};
use super::step_table::{StepTable, majority_spare};
use crate::check::breach::{Votes, Window};
use crate::model::ServerId;
use crate::observe::Facts;

/// What the ensemble tolerates now, before any step. Voters that were not seen in sync count as
/// failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToleranceNow {
    /// The votes.
    pub votes: Votes,
    /// The votes without each zone that has voters, by name. Empty where zones are unknown.
    pub without_zone: Vec<Window>,
}

/// The figures of the members as they are now.
pub fn tolerance_now(facts: &Facts) -> ToleranceNow {
    let base = &facts.base.membership;
    let voters = base.voters();
    let acking: BTreeSet<ServerId> = voters.intersection(&facts.synced).copied().collect();
    let zones: BTreeSet<&String> = voters.iter().filter_map(|id| facts.zones.get(id)).collect();
    let without = |zone: &String| {
        let left = acking.iter().filter(|id| facts.zones.get(id) != Some(zone)).copied();
        let votes = StepTable::votes_in(base, voters.clone(), left.collect());
        Window { zone: zone.clone(), votes }
    };
    let without_zone = zones.into_iter().map(without).collect();
    ToleranceNow { votes: StepTable::votes_in(base, voters.clone(), acking), without_zone }
}

impl StepTable<'_> {
    /// What is spare; negative where too few acknowledge.
    pub(in crate::check) fn spare(&self, state: &State) -> i64 {
        match &self.quorum {
            QuorumVerifier::Majority => majority_spare(state.voters, state.acking),
            QuorumVerifier::Hierarchical(weighted) => {
                weighted.spare(&state.all(Mark::VOTER), &state.all(Mark::VOTER | Mark::LIVE))
            }
        }
    }

    /// What is spare without one zone.
    pub(in crate::check) fn spare_without(&self, state: &State, zone: usize) -> i64 {
        match &self.quorum {
            QuorumVerifier::Majority => {
                let lost = state.acking_where(|server| self.zone_of[server] == Some(zone));
                majority_spare(state.voters, state.acking - lost)
            }
            QuorumVerifier::Hierarchical(weighted) => {
                let mut left = state.all(Mark::VOTER | Mark::LIVE);
                left.retain(|server| self.zone_of[*server] != Some(zone));
                weighted.spare(&state.all(Mark::VOTER), &left)
            }
        }
    }

    /// The zone whose loss would be worst.
    pub(in crate::check) fn worst_zone(&self, state: &State) -> Option<usize> {
        let voting = |zone: &usize| {
            state.any(|server, marks| marks.has(Mark::VOTER) && self.zone_of[server] == Some(*zone))
        };
        let zones = (0..self.zone_names.len()).filter(voting);
        zones.min_by_key(|zone| self.spare_without(state, *zone))
    }

    /// The votes as they stand.
    pub(in crate::check) fn votes(&self, state: &State) -> Votes {
        self.votes_of(&state.all(Mark::VOTER), &state.all(Mark::VOTER | Mark::LIVE))
    }

    /// The votes without one zone.
    pub(in crate::check) fn without(&self, state: &State, zone: usize) -> Window {
        let mut left = state.all(Mark::VOTER | Mark::LIVE);
        left.retain(|server| self.zone_of[*server] != Some(zone));
        let votes = self.votes_of(&state.all(Mark::VOTER), &left);
        Window { zone: self.zone_names[zone].to_owned(), votes }
    }
}

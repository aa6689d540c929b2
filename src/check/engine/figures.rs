//! The figures of a moment: its votes, how many voters may fail, and the loss of a zone.

use super::quorum_verifier::QuorumVerifier;
use super::state::{Mark, State};
use super::step_table::{StepTable, majority_spare};
use crate::check::breach::{Votes, Window};

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

//! Who votes, who can acknowledge, and how many failures that tolerates.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::check::{Figures, Votes, Window};
use crate::model::ServerId;

/// The votes at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VoteFigures {
    /// The servers that have a vote.
    pub voters: BTreeSet<ServerId>,
    /// The voters that can acknowledge.
    pub acknowledging: BTreeSet<ServerId>,
    /// How many voters must acknowledge. By groups and weights: this many are enough, whichever they
    /// are.
    pub quorum: usize,
    /// How many voters can fail while writes continue. Below 0 too few can acknowledge.
    pub tolerates_failures: i64,
}

/// The votes after the loss of the zone whose loss is worst.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZoneFigures {
    /// The zone that is lost.
    pub zone: String,
    /// The voters that can acknowledge without it.
    pub acknowledging: BTreeSet<ServerId>,
    /// How many voters must acknowledge.
    pub quorum: usize,
    /// How many more voters can then fail. Below 0 writes stop.
    pub tolerates_failures: i64,
}

/// The figures of the ensemble at one moment of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanFigures {
    /// The votes.
    #[serde(flatten)]
    pub votes: VoteFigures,
    /// The loss of the zone whose loss is worst; `null` where zones are unknown or are ignored.
    pub worst_zone: Option<ZoneFigures>,
}

impl From<&Votes> for VoteFigures {
    fn from(votes: &Votes) -> Self {
        let Votes { voters, acking, need } = votes;
        Self {
            voters: voters.clone(),
            acknowledging: acking.clone(),
            quorum: *need,
            tolerates_failures: votes.spare(),
        }
    }
}

impl From<&Window> for ZoneFigures {
    fn from(window: &Window) -> Self {
        let Window { zone, votes } = window;
        Self {
            zone: zone.clone(),
            acknowledging: votes.acking.clone(),
            quorum: votes.need,
            tolerates_failures: votes.spare(),
        }
    }
}

impl From<&Figures> for PlanFigures {
    fn from(figures: &Figures) -> Self {
        let Figures { votes, zone } = figures;
        Self { votes: votes.into(), worst_zone: zone.as_ref().map(Into::into) }
    }
}

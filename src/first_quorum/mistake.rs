//! What goes wrong with the restart.

use std::collections::BTreeSet;

use crate::model::ServerId;

/// Why a server that was restarted is no quorum of one, in the order of likelihood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestartMistake {
    /// It runs standalone again: `standaloneEnabled=false` or the server line is missing.
    StandaloneAgain,
    /// Its client port stays closed: its process does not start or ends at once.
    DoesNotStart,
    /// It leads, and `/zookeeper/config` is empty: `reconfigEnabled=true` is missing.
    ReconfigDisabled,
    /// It leads with a line that has no client part.
    NoClientPart,
    /// It looks for a leader for a long time: its membership has other voters.
    WaitsForOthers,
    /// It leads, and its membership has other servers.
    OtherMembers(BTreeSet<ServerId>),
    /// It leads with another id.
    OtherId(u8),
    /// Its data are not those that were noted.
    DataMissing,
    /// It follows another server, whose data it takes.
    Follows,
}

impl RestartMistake {
    /// One of each kind, in that order; for the table before the restart.
    pub fn all() -> [Self; 9] {
        [
            Self::StandaloneAgain,
            Self::DoesNotStart,
            Self::ReconfigDisabled,
            Self::NoClientPart,
            Self::WaitsForOthers,
            Self::OtherMembers(BTreeSet::new()),
            Self::OtherId(0),
            Self::DataMissing,
            Self::Follows,
        ]
    }
}

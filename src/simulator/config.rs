//! A configuration as servers hold it: read once, with its text at hand.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{ConfigVersion, EnsembleConfig, Membership, ServerId};

/// A configuration, its text and its voters.
#[derive(Debug, PartialEq, Eq)]
pub struct Config {
    /// Version and members.
    pub config: EnsembleConfig,
    /// The data of `/zookeeper/config`.
    pub text: Arc<[u8]>,
    /// The ids of the voters.
    pub voters: BTreeSet<ServerId>,
}

impl Config {
    /// The configuration that the transaction with that zxid makes (`QuorumVerifier.setVersion`).
    pub fn new(zxid: u64, membership: Membership) -> Arc<Self> {
        let config = EnsembleConfig { version: version(zxid), membership };
        let text = Arc::from(config.to_string().into_bytes());
        let voters = config.membership.voters();
        Arc::new(Self { config, text, voters })
    }

    /// Its version as a number.
    pub fn version(&self) -> u64 {
        self.config.version.as_zxid().get()
    }

    /// Whether it names that server, in whatever role.
    pub fn names(&self, id: ServerId) -> bool {
        self.config.membership.contains(id)
    }

    /// Whether elections may choose it. Servers do not vote for one whose weight is 0
    /// (`FastLeaderElection.totalOrderPredicate`), but a leader may hand over to one
    /// (`Leader.getDesignatedLeader`).
    pub fn is_electable(&self, id: ServerId) -> bool {
        self.config.membership.place(id).is_none_or(|place| place.weight != 0)
    }

    /// Whether these acknowledging servers are a quorum.
    pub fn is_quorum(&self, acknowledging: &BTreeSet<ServerId>) -> bool {
        self.config.membership.is_quorum(acknowledging)
    }
}

/// A zxid as a version.
fn version(zxid: u64) -> ConfigVersion {
    let Ok(version) = format!("{zxid:x}").parse() else {
        unreachable!("a simulated zxid is no negative number")
    };
    version
}

//! The new first voter, which the old servers cannot meet.

use std::collections::BTreeSet;

use thiserror::Error;

use super::assessment::Assessment;
use super::survivor::Survivor;
use crate::model::{Host, Membership, PeerAddress, Role, Server, ServerId};

/// How far epochs are apart: the new one begins a block that no old server has reached. An election
/// raises the epoch by one, and how many the missing servers held is not known.
const BLOCK: u64 = 1 << 16;

/// The highest epoch that a zxid of ZooKeeper, a signed number, has room for.
const HIGHEST_EPOCH: u64 = 0x7fff_ffff;

/// The server that begins the new ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstVoter {
    /// Its line.
    pub server: Server,
    /// What `currentEpoch` says: the epoch of the data.
    pub current_epoch: u64,
    /// What `acceptedEpoch` says: the server leads in the next one (`Leader.getEpochToPropose`).
    pub accepted_epoch: u64,
}

/// Why old servers could meet a new one, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MeetsOldServers {
    /// It has the id of an old server: those that have it in their files take its configuration.
    #[error(
        "server {0} was a member of the old ensemble: old servers that come back would take the new \
         configuration, or the new server theirs. Give an id above {1}"
    )]
    OldId(ServerId, ServerId),
    /// It listens for elections where an old server did, and old servers with a higher id talk to it.
    #[error(
        "server {0} has the election address {1} of an old server, and an id below {2}: old servers that \
         come back would reach it. Give another election port, or an id above {2}"
    )]
    OldAddress(ServerId, String, ServerId),
    /// There is no id above the old ones.
    #[error(
        "there is no id above {0}: give the new server's line with an unused id and another election port"
    )]
    NoId(ServerId),
    /// The old line cannot be taken over.
    #[error("the old line of server {0} has no address that other servers can use")]
    NoAddress(ServerId),
    /// The line has no client address.
    #[error("server {0} has no client port: clients and zkplan could not reach it")]
    NoClient(ServerId),
    /// The epochs are used up.
    #[error("epoch {0} leaves no room for a higher one")]
    NoEpoch(u64),
}

impl FirstVoter {
    /// The new server with that line; without one, at the addresses of the server whose data are taken,
    /// with the first free id. `former` are all lines of old servers that are known.
    ///
    /// What keeps old servers away was tried on 3.8.0: with an old id and address, old servers adopt the
    /// new configuration, or the new server theirs, whichever was up first. A server with a higher id
    /// closes the connection of a lower one before it reads a vote
    /// (`QuorumCnxManager.handleConnection`), and calls none but its own voters.
    ///
    /// # Errors
    ///
    /// Old servers could meet it.
    pub fn of(
        assessment: &Assessment,
        chosen: &Survivor,
        former: &[&Membership],
        line: Option<Server>,
    ) -> Result<Self, MeetsOldServers> {
        let ids: BTreeSet<ServerId> = former.iter().flat_map(|members| members.ids()).collect();
        let highest = ids.last().copied().unwrap_or(chosen.id);
        let server = match line {
            Some(line) => line,
            None => Self::beside(chosen.id, former, highest)?,
        };
        if ids.contains(&server.id) {
            return Err(MeetsOldServers::OldId(server.id, highest));
        }
        if server.id < highest {
            let old = former.iter().flat_map(|members| members.servers());
            let addresses: Vec<_> = old.flat_map(|old| &old.peers).map(address).collect();
            if let Some(at) = server.peers.iter().map(address).find(|at| addresses.contains(at)) {
                return Err(MeetsOldServers::OldAddress(server.id, at, highest));
            }
        }
        if server.client.is_none() {
            return Err(MeetsOldServers::NoClient(server.id));
        }
        let epochs = assessment.survivors.iter().map(|survivor| survivor.highest_epoch);
        let config = assessment.config.version.map(|version| version.as_zxid().epoch());
        let last = epochs.chain(config).max().unwrap_or_default();
        let accepted_epoch = (last / BLOCK + 2) * BLOCK - 1;
        if accepted_epoch >= HIGHEST_EPOCH {
            return Err(MeetsOldServers::NoEpoch(last));
        }
        let current_epoch = chosen.history.map_or(0, |history| history.epoch);
        let server = Server { role: Role::Participant, place: None, ..server };
        Ok(Self { server, current_epoch, accepted_epoch })
    }

    /// The epoch in which it leads.
    pub const fn epoch(&self) -> u64 {
        self.accepted_epoch + 1
    }

    /// The line of an old server under the next id.
    fn beside(
        id: ServerId,
        former: &[&Membership],
        highest: ServerId,
    ) -> Result<Server, MeetsOldServers> {
        let lines = || former.iter().filter_map(|members| members.get(id));
        let is_anywhere = |server: &&Server| server.peers.iter().any(|at| at.host.is_wildcard());
        let line = lines().find(|line| !is_anywhere(line)).ok_or(MeetsOldServers::NoAddress(id))?;
        let client = line.client.clone().or_else(|| lines().find_map(|line| line.client.clone()));
        let next = ServerId::new(highest.get().saturating_add(1));
        if !next.is_valid_in_spec() {
            return Err(MeetsOldServers::NoId(highest));
        }
        Ok(Server { id: next, client, ..line.clone() })
    }
}

/// Where a server listens for elections.
fn address(at: &PeerAddress) -> String {
    format!("{}:{}", Host::new(at.host.as_str()).canonical(), at.election_port)
}

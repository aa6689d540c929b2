//! One server process.

use std::net::IpAddr;
use std::sync::Arc;

use super::config::Config;
use super::server_file::ServerFile;
use super::tree::Tree;
use crate::model::{Endpoint, Role, Server, ServerId};

/// The index of a process, in the order in which processes were placed. Two processes may have one
/// id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub(super) usize);

/// Whether a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Condition {
    /// It runs.
    Up,
    /// It accepts connections and answers nothing, as after SIGSTOP or in a long pause.
    Frozen,
    /// It does not exist. Its machine refuses connections.
    Down,
}

/// The state of a process (`QuorumPeer.ServerState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// It looks for a leader, or is joining one.
    Looking,
    /// It leads, or has not noticed yet that it does not.
    Leading,
    /// It follows, with a vote or without.
    Following,
    /// It observes.
    Observing,
}

/// One server process.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its id, and the addresses where it listens.
    pub line: Server,
    /// The address of its machine.
    pub(super) address: IpAddr,
    /// Whether it runs.
    pub condition: Condition,
    /// Processes reach only those on the same side of the network.
    pub side: u8,
    /// Whether clients cannot reach it.
    pub hidden: bool,
    /// Whether its data directory came from another ensemble.
    pub alien: bool,
    /// The files on its disk.
    pub file: ServerFile,
    /// The files as it read them at its last start.
    pub runs: ServerFile,
    /// Its state.
    pub now: PeerState,
    /// The committed configuration that it knows (`QuorumPeer.getQuorumVerifier`).
    pub(super) config: Arc<Config>,
    /// The one that it saw proposed last (`QuorumPeer.getLastSeenQuorumVerifier`).
    pub(super) seen: Arc<Config>,
    /// The epoch of the leader that it followed last (`currentEpoch`).
    pub(super) epoch: u64,
    /// The last transaction in its log.
    pub(super) logged: u64,
    /// The last transaction that it has applied.
    pub(super) applied: u64,
    /// The tree that it shows while it receives no commits.
    pub(super) view: Option<Arc<Tree>>,
    /// Until when commits take to reach it.
    pub(super) lag_until: u64,
    /// When it changes to its next state: a leader is found, or lost.
    pub(super) turns_at: Option<u64>,
    /// Since when the leader and it have not heard from each other.
    pub(super) out_since: Option<u64>,
    /// When it ends because it cannot bind its configured address.
    pub(super) exits_at: Option<u64>,
    /// Goes up whenever it closes all its connections.
    pub(super) incarnation: u32,
    /// The zxid from which on it keeps digests.
    pub(super) digests_from: u64,
    /// Digests up to this zxid differ from the leader's, because it received a fuzzy snapshot.
    pub(super) fuzzy_to: u64,
    /// The configuration and the last zxid that the leader had sent when it began to write its
    /// snapshot.
    pub(super) syncing: Option<(Arc<Config>, u64)>,
    /// A configuration that committed while it wrote, and that it does not activate.
    pub(super) missed: Option<u64>,
}

impl Process {
    pub(super) fn new(line: Server, address: IpAddr, config: &Arc<Config>) -> Self {
        Self {
            line,
            address,
            condition: Condition::Up,
            side: 0,
            hidden: false,
            alien: false,
            file: ServerFile::default(),
            runs: ServerFile::default(),
            now: PeerState::Looking,
            config: Arc::clone(config),
            seen: Arc::clone(config),
            epoch: 0,
            logged: 0,
            applied: 0,
            view: None,
            lag_until: 0,
            turns_at: None,
            out_since: None,
            exits_at: None,
            incarnation: 0,
            digests_from: 0,
            fuzzy_to: 0,
            syncing: None,
            missed: None,
        }
    }

    /// Changes its files and has it run with them, as if it had started so.
    pub fn set_up(&mut self, change: impl FnOnce(&mut ServerFile)) {
        change(&mut self.file);
        self.runs = self.file.clone();
    }

    /// Its id.
    pub fn id(&self) -> ServerId {
        self.line.id
    }

    /// Where clients reach it.
    pub fn endpoint(&self) -> Option<Endpoint> {
        self.line.client_endpoint()
    }

    /// The committed configuration that it knows.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether it is a non-voting follower: it follows, and no configuration that it knows contains
    /// it (`QuorumPeer.updateLearnerType`).
    pub fn is_without_vote(&self) -> bool {
        self.now == PeerState::Following && !self.config.names(self.id())
    }

    /// Whether it is a learner.
    pub(super) fn learns(&self) -> bool {
        matches!(self.now, PeerState::Following | PeerState::Observing)
    }

    pub(super) fn is_up(&self) -> bool {
        self.condition == Condition::Up
    }

    /// Whether it votes in the configuration that it knows, or in the one that it saw proposed
    /// (`QuorumPeer.getCurrentAndNextConfigVoters`).
    pub(super) fn votes(&self) -> bool {
        self.config.voters.contains(&self.id()) || self.seen.voters.contains(&self.id())
    }

    /// Its learner type: an observer if its configuration says so; a participant if its
    /// configuration says so, or does not contain it (`QuorumPeer.updateLearnerType`).
    pub(super) fn learner(&self) -> PeerState {
        match self.config.config.membership.get(self.id()).map(|line| line.role) {
            Some(Role::Observer) => PeerState::Observing,
            Some(Role::Participant) | None => PeerState::Following,
        }
    }

    /// Closes all connections, as a server does that starts to look for a leader
    /// (`Learner.shutdown`, `closeAllConnections`).
    pub(super) fn look(&mut self) {
        self.now = PeerState::Looking;
        self.incarnation += 1;
        self.out_since = None;
        self.turns_at = None;
        self.lag_until = 0;
        self.syncing = None;
        self.missed = None;
    }
}

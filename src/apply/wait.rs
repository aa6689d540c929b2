//! What a run waits for.

use std::collections::BTreeMap;

use super::access::Asked;
use crate::check::Breach;
use crate::ensemble::ErrorCode;
use crate::model::{Millis, ServerId, Zxid};
use crate::observe::{Clients, DataProof, OwnPorts, ServerStatus};
use crate::plan::StepId;

/// Something that a run waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// A joiner does not follow yet.
    Joiner {
        /// The joiner.
        server: ServerId,
        /// What is missing.
        missing: Missing,
    },
    /// A wanted server is up but does not serve yet. A reconfig that commits while it finishes its
    /// sync would not come into force there.
    Syncing {
        /// The server.
        server: ServerId,
        /// Whether the leader has one more learner than serve. Otherwise the server may be looking
        /// for a leader.
        is_seen: bool,
        /// How long the fence is held back for it at most.
        left_ms: u64,
    },
    /// A member that is needed does not do its part.
    Down {
        /// The member.
        server: ServerId,
        /// Its status.
        status: ServerStatus,
    },
    /// A member that was added, moved or promoted has not proven yet that it has bound its ports.
    Bound {
        /// The member.
        server: ServerId,
        /// The kind of proof.
        by: BindProof,
    },
    /// A safety rule is broken at present, possibly only for a time.
    Law(Breach),
    /// There is no leader, or no write commits.
    Ensemble(String),
    /// A port that a server is to move to is taken.
    PortTaken {
        /// The server.
        server: ServerId,
        /// The port.
        port: u16,
    },
    /// The server refused for the moment.
    Refused(ErrorCode),
    /// The outcome of a request is unknown. These servers must acknowledge it.
    Stuck {
        /// The step; `None` for the fence.
        step: Option<StepId>,
        /// The voters that must come back, each with its address.
        voters: BTreeMap<ServerId, String>,
    },
    /// A server that leaves does not know yet that it has left.
    NamesItself {
        /// The server.
        server: ServerId,
    },
    /// A server that was stopped still answers.
    StillUp {
        /// The server.
        server: ServerId,
    },
    /// No client is on the servers that leave, but not for long enough.
    Quiet {
        /// How long it has been so.
        watched: Millis,
        /// How long it must still be so.
        left: Millis,
    },
    /// The clients of a server that has stopped may come to the next one that is to be stopped.
    Hops {
        /// The server that has stopped.
        from: ServerId,
        /// The next one.
        to: ServerId,
        /// For how long they may still come.
        left: Millis,
        /// How many clients are on that now, where it reports that.
        clients: Option<u64>,
    },
    /// The operator must stop a server before its id can move to another machine.
    StopByHand {
        /// The server.
        server: ServerId,
    },
    /// A restart of the plan is not done, or the next one has to wait.
    Restart {
        /// The server that it is about; `None` where it is the ensemble.
        server: Option<ServerId>,
        /// What is missing.
        missing: RestartMissing,
    },
    /// No server can be reached.
    Connection,
    /// A server could take the session, but the password would be sent without TLS to an address of
    /// another machine.
    InClear,
}

/// The proof that a server has bound its configured election port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindProof {
    /// It reports its own ports (`conf`): two surveys in a row find it there.
    OwnPorts,
    /// It is still up when all its tries to bind are over, after this many milliseconds, by the
    /// setting that its `AdminServer` reports.
    SettingSeen(u64),
    /// The same, by ZooKeeper's default: its setting cannot be seen.
    DefaultAssumed(u64),
    /// No proof is possible: it is set to try without end, and does not report its own ports.
    TriesForEver,
}

/// What is missing before the next server can be restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartMissing {
    /// A person is to restart it.
    ByHand,
    /// It is not back in its role, in sync.
    Role,
    /// No write was seen to commit through it.
    Commit,
    /// It has to be seen so once more.
    Again,
    /// There is no leader.
    Leader,
    /// Another apply runs commands that restart servers.
    Lock,
}

/// What is missing before a joiner can be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// It does not follow.
    Following {
        /// Its status.
        status: ServerStatus,
        /// Its zxid and the leader's, where it serves and both are known.
        zxids: Option<(Zxid, Zxid)>,
        /// Whether it followed before, in this run.
        followed_before: bool,
        /// Whether it has run for long without serving.
        for_long: bool,
    },
    /// It listens on other ports than it would be named at.
    Ports(OwnPorts),
    /// Its election port does not listen.
    ElectionPort(u16),
    /// Another process uses its configured quorum port: the joiner could never lead.
    QuorumPortTaken(u16),
    /// Its data are not proven to be the leader's.
    Data {
        /// The last result of the comparison. `None` if there is none yet.
        proof: Option<DataProof>,
        /// How many times the run's mark was written for a digest to compare, if that limit is
        /// reached.
        marked_in_vain: Option<usize>,
    },
    /// It is not known whether the user may change the configuration there. With its answer, if it
    /// was asked.
    Permission(Option<Asked>),
    /// It follows, but not for long enough.
    Stable {
        /// How long it must still follow.
        left_ms: u64,
    },
}

/// A server with clients on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupied {
    /// The server.
    pub server: ServerId,
    /// Its clients. `None` if it does not report them.
    pub clients: Option<Clients>,
    /// How many sessions came and went while no client was there.
    pub came: u64,
}

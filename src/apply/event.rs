//! What a run tells of itself while it goes; printing is somebody else's job.

use std::collections::{BTreeMap, BTreeSet};

use super::access::{Asked, Recipient, Signer};
use super::end::End;
use super::journal::{Entry, HookEnd, Known, LockText};
use super::reorder::Reordered;
use crate::check::Breach;
use crate::ensemble::Code;
use crate::model::{Endpoint, ServerId, Zxid};
use crate::observe::{Clients, DataProof, OwnPorts, Standing};
use crate::plan::StepId;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An output of the executor is about to be carried out; counted from 0.
    Output {
        /// Which one.
        index: u64,
        /// Its name.
        name: String,
    },
    /// The session is on that server now.
    Attached(Endpoint),
    /// A server does not let the user change the configuration; another one is tried.
    Refused {
        /// The server.
        by: Recipient,
        /// As whom.
        signer: Signer,
    },
    /// The run is open.
    Run {
        /// Its number.
        number: u64,
        /// Its plan.
        plan_id: String,
        /// Whether an earlier apply had begun it.
        resumed: bool,
    },
    /// A fence has committed.
    Fenced {
        /// The version that it made.
        version: String,
    },
    /// A joiner's data are taken for the leader's now, and why.
    DataProven {
        /// The joiner.
        server: ServerId,
        /// What comparing gave.
        proof: DataProof,
    },
    /// A reconfig that changes nothing is about to be sent, so that these servers activate the
    /// configuration that they hold.
    Healing {
        /// The servers.
        servers: BTreeSet<ServerId>,
    },
    /// A request goes out now.
    Sent {
        /// The step.
        step: StepId,
        /// The version that it starts from.
        version: String,
    },
    /// A reconfig has committed.
    Committed {
        /// The step.
        step: StepId,
        /// The version that it made.
        version: String,
        /// How that is known.
        known: Known,
    },
    /// A step without a request is done.
    Done {
        /// The step.
        step: StepId,
    },
    /// A step without a request needs no doing: what it is for is so already.
    NotNeeded {
        /// The step.
        step: StepId,
    },
    /// An entry stands in the journal.
    Recorded(Entry),
    /// The leader is another one than the last that was seen. That none is seen is no change.
    LeaderChanged {
        /// Who led when a leader was seen last.
        from: ServerId,
        /// Who leads.
        to: ServerId,
        /// The step whose hand-over it was; `None` where nobody planned it.
        step: Option<StepId>,
    },
    /// What is left goes in another order that the plan grants.
    Reordered(Reordered),
    /// The run waits.
    Waiting(Vec<Wait>),
    /// Another apply holds the lock.
    Locked(LockText),
    /// Nobody is sure of the outcome of a request.
    Settling {
        /// The step; `None` for the fence.
        step: Option<StepId>,
    },
    /// A command was started.
    HookStarted {
        /// The step.
        step: StepId,
        /// The command.
        argv: Vec<String>,
    },
    /// A command has come to an end.
    HookEnded {
        /// The step.
        step: StepId,
        /// How.
        how: HookEnd,
    },
    /// A person is to stop a server, now or later.
    StopByHand {
        /// The server.
        server: ServerId,
    },
    /// A retired server that is to be stopped does not answer, so that nothing is stopped. Nothing
    /// shows that it stays down.
    NoAnswer {
        /// The step.
        step: StepId,
        /// The server.
        server: ServerId,
    },
    /// An earlier run is given up where it stood.
    Abandoned {
        /// Its number.
        run: u64,
    },
    /// The configuration has versions that no run accounts for, and the members of the plan all the
    /// same.
    VersionMoved {
        /// The version that the plan was made from.
        from: String,
        /// The version now.
        to: String,
    },
    /// The run is over for this apply.
    Ended(End),
}

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
    /// A wanted server runs and does not serve yet: a reconfig that commits while it finishes its sync
    /// would not come into force there.
    Syncing {
        /// The server.
        server: ServerId,
        /// Whether the leader has a learner more than serve; else it may be looking for a leader.
        is_seen: bool,
        /// How long the fence is held back for it at most.
        left_ms: u64,
    },
    /// A member that is needed does not do its part.
    Down {
        /// The member.
        server: ServerId,
        /// What it does.
        standing: Standing,
    },
    /// A member that was named, moved or promoted has not proven yet that it is there.
    Bound {
        /// The member.
        server: ServerId,
        /// What proves it.
        by: BindProof,
    },
    /// A law stands against going on, and may not stand there for ever.
    Law(Breach),
    /// Nobody leads, or no write commits.
    Ensemble(String),
    /// A port that a server is to move to is taken.
    PortTaken {
        /// The server.
        server: ServerId,
        /// The port.
        port: u16,
    },
    /// The server refused for now.
    Refused(Code),
    /// A request is out of which nobody knows what came; these servers must acknowledge it.
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
    /// A person has to stop a server before its id can go to another machine.
    StopByHand {
        /// The server.
        server: ServerId,
    },
    /// No server can be reached.
    Connection,
    /// A server could take the session, but the password would go without TLS to an address that is
    /// not this machine's.
    InClear,
}

/// What proves that a server has bound the election port that it was named at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindProof {
    /// It tells its own ports (`conf`): two looks in a row that find it there.
    OwnPorts,
    /// That it is still there when its tries to bind are over, after so many milliseconds: as its
    /// `AdminServer` tells its setting.
    SettingSeen(u64),
    /// The same, by ZooKeeper's default: its setting cannot be seen.
    DefaultAssumed(u64),
    /// Nothing: it is set to try for ever, and does not tell its own ports.
    TriesForEver,
}

/// What is missing before a joiner may be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// It does not follow.
    Following {
        /// What it does.
        standing: Standing,
        /// Its zxid and the leader's, where it serves and both are known.
        zxids: Option<(Zxid, Zxid)>,
        /// Whether it followed before, in this run.
        followed_before: bool,
        /// Whether it has run for long without serving.
        for_long: bool,
    },
    /// It listens on other ports than it would be named at.
    Ports(OwnPorts),
    /// Nobody listens at its election port.
    ElectionPort(u16),
    /// Another process has the quorum port that it would be named at: it could never lead.
    QuorumPortTaken(u16),
    /// Its data are not proven to be the leader's.
    Data {
        /// What comparing gave last; `None` where that was not done yet.
        proof: Option<DataProof>,
        /// How often the run's mark was written for a digest to compare, where it is not written any
        /// more.
        marked_in_vain: Option<usize>,
    },
    /// It is not known to let the user change the configuration; what it said, where it was asked.
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
    /// Its clients; `None` where it does not tell.
    pub clients: Option<Clients>,
}

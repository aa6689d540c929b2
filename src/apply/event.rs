//! What a run tells of itself while it goes; printing is somebody else's job.

use std::collections::BTreeMap;

use super::end::End;
use super::journal::{Entry, HookEnd, Known, LockText};
use super::reorder::Reordered;
use crate::check::Breach;
use crate::ensemble::Code;
use crate::model::{Endpoint, ServerId, Zxid};
use crate::observe::{Clients, OwnPorts, Standing};
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
    /// The leader is another one than before.
    LeaderChanged {
        /// Who led.
        from: Option<ServerId>,
        /// Who leads.
        to: Option<ServerId>,
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
    },
    /// It listens on other ports than it would be named at.
    Ports(OwnPorts),
    /// Nobody listens at its election port.
    ElectionPort(u16),
    /// Another process has the quorum port that it would be named at: it could never lead.
    QuorumPortTaken(u16),
    /// Its data are not proven to be the leader's.
    Data,
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

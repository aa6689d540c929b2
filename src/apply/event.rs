//! The events of a run. The executor emits them; render and cli print them.

use std::collections::BTreeSet;

use super::access::{Recipient, Signer};
use super::connect_strings::ConnectStrings;
use super::end::Outcome;
use super::journal::{CommitEvidence, Entry, HookEnd, LockText};
use super::reorder::Reordered;
use super::wait::{Occupied, Wait};
use crate::model::{Endpoint, ServerId};
use crate::observe::{Clients, DataProof};
use crate::plan::StepId;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An output of the executor is about to be carried out. The number counts from 0.
    Output {
        /// Which one.
        index: u64,
        /// Its name.
        name: String,
    },
    /// The session is on that server now.
    Attached(Endpoint),
    /// A server does not let the user change the configuration. Another server is tried.
    Refused {
        /// The server.
        by: Recipient,
        /// The identity that was shown.
        signer: Signer,
    },
    /// The run is open.
    Run {
        /// Its number.
        number: u64,
        /// Its plan.
        plan_id: String,
        /// Whether an earlier apply began it.
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
        /// The result of the comparison.
        proof: DataProof,
    },
    /// A reconfig without changes is about to be sent, so that these servers activate the
    /// configuration in their znode.
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
        known: CommitEvidence,
    },
    /// A step without a request is done.
    Done {
        /// The step.
        step: StepId,
    },
    /// A step without a request is skipped, because its goal is already reached.
    NotNeeded {
        /// The step.
        step: StepId,
    },
    /// The journal contains a new entry.
    Recorded(Entry),
    /// The leader differs from the last one that was observed. Observing no leader is no change.
    LeaderChanged {
        /// The leader that was observed before.
        from: ServerId,
        /// The leader now.
        to: ServerId,
        /// The step that handed over. `None` if the change was not planned.
        step: Option<StepId>,
    },
    /// The rest of the plan continues in another order that the plan allows.
    Reordered(Reordered),
    /// The run waits.
    Waiting(Vec<Wait>),
    /// Another apply holds the lock.
    Locked(LockText),
    /// The outcome of a request is unknown and is being checked.
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
    /// A command still runs. This comes again and again, so that a slow command is not taken for a zkplan
    /// that died.
    HookRunning {
        /// The step.
        step: StepId,
        /// When it was started, by the clock of this machine (RFC 3339, UTC).
        since: String,
        /// For how long it has run, in milliseconds.
        running_ms: u64,
    },
    /// A command has ended.
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
        /// The clients on it. `None` if it does not report them.
        clients: Option<Clients>,
    },
    /// The addresses that clients need, when the clients of servers that leave are asked for.
    ConnectStrings(ConnectStrings),
    /// A gate that was passed is shut again, because clients came after that.
    GateShut {
        /// The gate.
        step: StepId,
        /// These.
        newcomers: Vec<Occupied>,
    },
    /// A retired server that should be stopped does not answer, so no command is run. There is no
    /// proof that it stays down.
    NoAnswer {
        /// The step.
        step: StepId,
        /// The server.
        server: ServerId,
    },
    /// An earlier run was abandoned where it was.
    Abandoned {
        /// Its number.
        run: u64,
    },
    /// The configuration has versions that no run recorded, but the members are those of the plan.
    VersionMoved {
        /// The version that the plan was made from.
        from: String,
        /// The version now.
        to: String,
    },
    /// The run is over for this apply.
    Ended(Outcome),
}

//! A record of everything that happened, independent of what any client saw.

use std::sync::Arc;

use super::config::Config;
use super::process::ProcessId;
use crate::ensemble::ErrorCode;
use crate::model::ServerId;

/// A configuration that has committed.
#[derive(Debug, Clone)]
pub struct CommittedConfig {
    /// The configuration.
    pub config: Arc<Config>,
    /// The version that its request started from; −1 for none.
    pub base: i64,
    /// The session that sent the request. `None` for the first configuration and for an
    /// administrator's.
    pub by: Option<i64>,
    /// When, in simulated milliseconds.
    pub at_ms: u64,
}

/// Something that happened, in small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SimEvent {
    /// An operation of a client began: the client, the kind, and the process.
    Operation(u32, super::chaos::Kind, Option<ProcessId>),
    /// Something was done to that operation.
    Struck(super::chaos::Fault),
    /// A transaction has committed.
    Committed(u64),
    /// A configuration has committed.
    Reconfigured(u64),
    /// The leader refused a request.
    Refused(ErrorCode),
    /// A request is held up.
    Held(ProcessId),
    /// A request that was held up has reached the leader.
    Arrived(ProcessId),
    /// A request that was held up is lost.
    Dropped(ProcessId),
    /// This many proposals without a quorum were discarded.
    Forgotten(usize),
    /// A process leads a new epoch.
    Elected(ProcessId, u64),
    /// The leader has handed over.
    HandedOver(ProcessId, ProcessId),
    /// The leader has lost its quorum, or the others have lost it.
    SteppedDown(ProcessId),
    /// A learner follows.
    Joined(ProcessId),
    /// A session expired.
    Expired(i64),
    /// A session went to another server.
    Moved(i64, ProcessId),
    /// A process was killed, frozen, thawed, started, or taken to another side.
    Turned(ProcessId, super::process::Condition, u8),
    /// A process ended because it could not bind its configured address.
    Unbound(ProcessId),
    /// An acknowledged transaction is not in the log of the present leader: it is lost.
    Lost(u64),
    /// Two leaders could commit at a time.
    TwoLeaders(ProcessId, ProcessId),
}

/// The record of everything that happened.
#[derive(Debug, Clone, Default)]
pub struct GroundTruth {
    /// The configurations that have committed, the first one first.
    pub configs: Vec<CommittedConfig>,
    /// Everything else, in order.
    pub log: Vec<SimEvent>,
    /// Acknowledged transactions that are lost, by zxid; empty unless quorums did not overlap.
    pub lost: Vec<u64>,
    /// Pairs of servers that led at the same time, each with a quorum. Empty unless the ensemble
    /// was deliberately split.
    pub rivals: Vec<(ServerId, ServerId)>,
}

//! What is on its way: requests, proposals and answers.

use std::sync::Arc;

use super::config::Config;
use super::held::Held;
use super::process::ProcessId;
use super::tree::Owned;
use crate::ensemble::{ErrorCode, RequestError};
use crate::model::Update;

/// A request that is not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(pub(super) u64);

/// The client that waits for an answer, and its server.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) place: ProcessId,
    pub(super) incarnation: u32,
    pub(super) answer: Option<Answer>,
}

/// An answer.
pub(super) type Answer = Result<Reply, RequestError>;

/// The content of an answer.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Done,
    Config(Arc<Config>),
    Session(i64),
}

/// The request of a client.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Open {
        timeout_ms: u64,
    },
    Ops(Vec<Owned>),
    Mark(Arc<str>, usize),
    Reconfig(Update, i64),
    /// A write to the configuration's znode at a version that it never has.
    ProbeWrite(Arc<str>),
    Close,
}

/// A request that has not reached the leader.
#[derive(Debug, Clone)]
pub(super) struct InFlight {
    pub(super) due_ms: u64,
    pub(super) place: ProcessId,
    pub(super) incarnation: u32,
    pub(super) session: i64,
    pub(super) request: Request,
    pub(super) ticket: Option<Ticket>,
}

/// The effect of a transaction.
#[derive(Debug, Clone)]
pub(super) enum Txn {
    Error(ErrorCode),
    Open(Held),
    Ops(i64, Vec<Owned>),
    Mark(Arc<str>, usize),
    Reconfig(Arc<Config>, i64, Option<i64>),
    Close(i64),
}

/// A transaction that has not committed.
#[derive(Debug, Clone)]
pub(super) struct Proposal {
    pub(super) zxid: u64,
    pub(super) txn: Txn,
    pub(super) ticket: Option<Ticket>,
}

impl Proposal {
    /// The configuration that it proposes.
    pub(super) fn config(&self) -> Option<&Arc<Config>> {
        match &self.txn {
            Txn::Reconfig(config, ..) => Some(config),
            _ => None,
        }
    }
}

/// The state of a request.
pub(super) enum Sent {
    /// It is answered.
    Answered(Answer),
    /// It is on its way.
    Waits(Ticket),
    /// There was no connection.
    Not,
}

/// Whether a server can take a request to the leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Direct,
    Waits,
    Lost,
}

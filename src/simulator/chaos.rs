//! Faults that can happen to an operation.

use super::process::ProcessId;
use crate::ensemble::FourLetterWord;

/// An operation of a client, before it is carried out.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// Which client.
    pub client: u32,
    /// The kind of operation.
    pub kind: Kind,
    /// The process that receives it.
    pub at: Option<ProcessId>,
}

/// The kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A four-letter word.
    Ask(FourLetterWord),
    /// A short session that reads.
    Look,
    /// A port check.
    PortCheck,
    /// Some time passes.
    Pause,
    /// A session is opened.
    Open,
    /// A session is attached to a server.
    Attach,
    /// A session reads.
    Read,
    /// A session writes.
    Write,
    /// A session writes many times.
    Mark,
    /// A session sends a reconfig.
    Reconfig,
    /// A session finds out its permissions.
    Probe,
    /// A session is closed.
    Close,
}

/// The fault that happens to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It is carried out.
    Proceed,
    /// It never arrives, and the connection is gone.
    LoseRequest,
    /// It is carried out; its answer and the connection are lost.
    LoseAnswer,
    /// It arrives this many milliseconds later, when the connection is already gone.
    Delay(u64),
    /// It is carried out. Its answer and the connection are lost, and it arrives again after this
    /// many milliseconds, as from a library that repeats unanswered requests. An answered request
    /// never arrives twice: one connection delivers it once.
    Duplicate(u64),
    /// The client dies before it.
    Die,
    /// It is carried out, and the client dies before it receives the answer.
    DieAfter,
}

impl Kind {
    /// Whether it is a write of a session. Only these can arrive late or twice.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Mark | Self::Reconfig)
    }
}

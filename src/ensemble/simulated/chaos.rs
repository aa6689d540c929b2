//! What can happen to an operation.

use super::process::Place;
use super::world::World;
use crate::ensemble::Word;

/// An operation of a client, before it is carried out.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// Which client.
    pub client: u32,
    /// What it is.
    pub kind: Kind,
    /// The process that is asked, where there is one.
    pub at: Option<Place>,
}

/// What an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A four-letter word.
    Ask(Word),
    /// A short session that reads.
    Look,
    /// A knock on a port.
    Knock,
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
    /// A session finds out what it may do.
    Probe,
    /// A session is closed.
    Close,
}

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It is carried out.
    Proceed,
    /// It never arrives, and the connection is gone.
    LoseRequest,
    /// It is carried out; its answer and the connection are lost.
    LoseAnswer,
    /// It arrives so many milliseconds later; the connection is gone before.
    Delay(u64),
    /// It is carried out; its answer and the connection are lost, and it arrives once more so many
    /// milliseconds later, as from a library that sends again what was not answered. No request
    /// that was answered comes twice: one connection carries it, once.
    Duplicate(u64),
    /// The client dies before it.
    Die,
    /// It is carried out, and the client dies before it hears of that.
    DieAfter,
}

/// Decides what becomes of each operation, and may do anything to the world at that moment.
pub type Chaos = Box<dyn FnMut(&mut World, &Operation) -> Fate>;

impl Kind {
    /// Whether it is a write that a session asks for: what can come late or twice.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Mark | Self::Reconfig)
    }
}

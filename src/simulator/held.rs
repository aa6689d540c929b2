//! What the leader knows of a session.

use super::process::ProcessId;

/// A session.
#[derive(Debug, Clone)]
pub struct Held {
    /// The server whose requests of it are taken (`SessionTrackerImpl.setOwner`).
    pub owner: ProcessId,
    /// The owner's incarnation when the client connected.
    pub(super) incarnation: u32,
    /// How long it lives unseen.
    pub timeout_ms: u64,
    /// When the leader last heard of it.
    pub(super) touched_ms: u64,
    /// Whether its client runs and pings.
    pub(super) kept: bool,
    /// Whether its client authenticates as the super user on every connection.
    pub(super) authenticates: bool,
    /// Whether its end is proposed already.
    pub(super) expires: bool,
}

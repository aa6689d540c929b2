//! What a client that wrote reports.

use std::io;

use thiserror::Error;

use crate::model::Endpoint;

/// What a [`super::Writer`] saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterReport {
    /// Writes that were acknowledged. One whose acknowledgement got lost with a connection was
    /// sent again and counts once.
    pub acknowledged: u64,
    /// Acknowledged writes that some server, asked at the end after a sync, did not have.
    pub lost: u64,
    /// The longest time from one acknowledgement to the next, in milliseconds.
    pub longest_gap_ms: u64,
    /// Sessions that the writer needed: 1 where its first one lived through everything.
    pub sessions: u32,
}

/// Why there is no report.
#[derive(Debug, Error)]
pub enum WriterError {
    /// No thread or event loop could be had.
    #[error("the writer could not be started: {0}")]
    NotStarted(io::Error),
    /// A server refused a write for a reason that sending it again does not change.
    #[error("a write was refused: {0}")]
    Refused(zookeeper_client::Error),
    /// The last write was not acknowledged.
    #[error("the last write was not acknowledged within {waited_s} s")]
    Stuck {
        /// How long it was given, in seconds.
        waited_s: u64,
    },
    /// A server did not let its znodes be read.
    #[error("the znodes at {at} could not be read within {waited_s} s")]
    Unread {
        /// Which.
        at: Endpoint,
        /// How long it was given, in seconds.
        waited_s: u64,
    },
    /// The writer's thread is gone, which is a bug.
    #[error("the writer is gone")]
    Gone,
}

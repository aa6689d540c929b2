//! The first quorum: a standalone server with data becomes the only voter of an ensemble.
//!
//! A standalone server has no membership, so no reconfig can add servers to it. One restart with a
//! server line, `standaloneEnabled=false` and `reconfigEnabled=true` makes it a leader without
//! followers: it keeps its data, its sessions and their ephemeral znodes. Then servers join it as they
//! join any ensemble. Empty servers that run with its future membership before that elect each other,
//! and the server with the data takes their empty data.
//!
//! In: what the servers of a spec answer. Out: whether that restart is possible, the files that it
//! needs, and, while a person does it, what is wrong or that it is done. A person does the restart:
//! nothing here changes anything.

mod answers;
mod files;
mod hindrance;
mod mistake;
mod noted;
mod offer;
#[cfg(test)]
mod tests;
mod watch;

pub use answers::{Answered, StandaloneServer, WantedState, look};
pub use files::{FileEdits, NamedFile};
pub use hindrance::{Hindrance, HindranceCode};
pub use mistake::RestartMistake;
pub use noted::Noted;
pub use offer::{FirstQuorum, FirstQuorumAnswer};
pub use watch::{
    Comparison, ConfigSeen, Proven, RestartSample, RestartState, RestartWatch, ServingServer,
};

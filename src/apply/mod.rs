//! Carrying a checked plan out: fenced, journalled, resumable.
//!
//! In: a [`CheckedPlan`](crate::check::CheckedPlan), the only thing that may be applied, and what the
//! operator approved. Out: [`Event`]s while it goes, and an [`End`].
//!
//! In reading order: [`resume`] (which plan an apply goes on with), [`stale`] and [`position`] (where the live configuration stands on the way of
//! the plan), [`sight`] (what a look shows), [`leaving`] (who is still on the servers that leave),
//! [`judge`] (whether a step may be taken now),
//! [`reorder`] (another order, where a server has died or come back),
//! [`classify`] (what an answer means), [`machine`] (the executor, without I/O), [`journal`] (what a
//! run leaves in the ensemble), [`paths`] (where), [`keeper`] (who writes it, under the lock),
//! [`archive`] (who reads it back, as far as it is proven), [`retired`] (which servers earlier runs
//! took out), [`access`] (as whom, and which servers
//! may be sent the password), [`command_line`] (what is run on this machine),
//! [`driver`] (the thin shell that does what the executor says),
//! [`report`] (what came of it),
//! [`unlock`] (how another gets the lock).

pub mod access;
pub mod archive;
pub mod classify;
pub mod command_line;
pub mod driver;
mod end;
mod event;
pub mod journal;
pub mod judge;
pub mod keeper;
pub mod leaving;
pub mod machine;
#[cfg(test)]
mod overtaken;
pub mod paths;
pub mod position;
pub mod reorder;
pub mod report;
pub mod resume;
pub mod retired;
pub mod sight;
pub mod stale;
pub mod unlock;

pub use end::{End, Since, Stale};
pub use event::{BindProof, Event, Missing, Occupied, Wait};
pub use reorder::Reordered;

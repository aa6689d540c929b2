//! Applies a checked plan: fenced, with a journal, resumable.
//!
//! In: a [`CheckedPlan`](crate::check::CheckedPlan), the only thing that can be applied, and the
//! operator's approvals. Out: [`Event`]s during the run, and an [`Outcome`].
//!
//! In reading order: [`resume`] (what an apply does about the runs of the journal), [`stale`] and
//! [`position`] (the position of the live configuration within the plan), [`run_view`] (the view of a
//! survey), [`leaving`] (the servers that leave, and their clients), [`client_watch`] (for how long they
//! have had none, and which the operator let pass), [`connect_strings`] (the addresses that clients
//! need), [`judge`] (whether a step may be
//! taken now, and how long it takes until a port is proven bound), `approval_scope` (which plans an
//! approval without a question covers), `wait` (what a run waits for, as
//! data), [`reorder`] (another order, if a server has failed or come back), [`classify`] (the
//! meaning of an answer), [`executor`] (without I/O), [`journal`] (the state of a run in
//! the ensemble), [`paths`] (its znodes), [`run_store`] (writes it, under the lock), [`journal_reader`] (reads
//! it back, as far as it is proven), [`old_runs`] (which runs are kept, and how the others are removed), [`retired`] (servers that earlier runs removed), [`past_runs`]
//! (what these servers do now), [`access`] (the identity of a run, and the servers that may receive
//! the password), [`command_line`] (commands on this machine), [`driver`] (the thin shell that does
//! what the executor orders), [`report`] (the result), [`unlock`] (how to take over the lock).

pub mod access;
mod approval_scope;
pub mod classify;
pub mod client_watch;
pub mod command_line;
pub mod connect_strings;
pub mod driver;
mod end;
mod event;
pub mod executor;
pub mod journal;
pub mod journal_reader;
pub mod judge;
pub mod leaving;
pub mod old_runs;
pub mod past_runs;
pub mod paths;
pub mod position;
pub mod reorder;
pub mod report;
pub mod resume;
pub mod retired;
pub mod run_store;
pub mod run_view;
pub mod stale;
mod stamp;
#[cfg(test)]
mod tests;
pub mod unlock;
mod wait;

pub use approval_scope::ApprovalScope;
pub use end::{Differs, Outcome, Since, Stale};
pub use event::Event;
pub use reorder::Reordered;
pub use wait::{BindProof, Missing, Occupied, RestartMissing, Wait};

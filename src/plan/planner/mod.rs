//! Finds the plan: which changes are made together, and in which order.
//!
//! In the order of use: [`goal`] (the input, and predicates on it), [`tally`] (the planner's own
//! quorum arithmetic), [`moments`] (the votes that no search decides), [`cost`] and [`state_graph`]
//! (a search and its best path), [`change_classes`] (changes that no safety rule distinguishes),
//! [`batching`] (changes of one request), [`removals`] and [`additions`] (the two searches),
//! [`builder`] (phases of steps), [`mod@restarts`] (a plan that only restarts members), [`mod@reorder`] (another order of a plan's rest). Each uses only those
//! before it.

mod additions;
mod batching;
mod builder;
mod change_classes;
mod cost;
#[cfg(test)]
pub(super) mod fixture;
mod goal;
mod moments;
mod removals;
mod reorder;
mod restarts;
mod state_graph;
mod tally;

pub use builder::best;
pub use goal::{Goal, Prefer};
pub use reorder::{is_within_reach, reorder};
pub use restarts::restarts;

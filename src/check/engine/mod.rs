//! Walks every order that a plan grants, one moment at a time, and counts.
//!
//! In the order of use: [`quorum_verifier`] (what is a quorum), [`step_table`] (what never changes
//! while a plan is walked), [`state`] (a moment), [`figures`] (its votes), [`server_classes`]
//! (servers that no rule distinguishes), [`transition`] (one step from one moment, which the rules
//! read), [`walk`] (all moments), [`recheck`] (the rest of a plan, on the facts of now), [`regrant`]
//! (another order of it).

pub(super) mod figures;
pub(super) mod quorum_verifier;
pub(super) mod recheck;
pub(super) mod regrant;
mod server_classes;
pub(super) mod state;
pub(super) mod step_table;
pub(super) mod transition;
pub(super) mod walk;

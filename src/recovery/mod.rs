//! An ensemble whose quorum is gone for good: what its surviving files are worth, and a new first voter.
//!
//! In: the data directories of survivors, read by [`snapshot`](crate::snapshot), and the configurations
//! that are known. Out: an [`Assessment`], which says whether the survivors are a quorum, which
//! directory has the latest data and what may be lost, and a [`FirstVoter`] that the old servers cannot
//! meet. Nothing is read or written here.
//!
//! `survivor` is one directory, `assessment` all of them beside the configuration in force, `first_voter`
//! the new server with its epoch, and `recovery_plan` all that would be written.

mod assessment;
mod first_voter;
mod recovery_plan;
mod survivor;
#[cfg(test)]
mod tests;

pub use assessment::{
    Assessment, ConfigSource, KnownConfig, LossBound, Losses, RecoveryRefusal, Standing, WayBack,
};
pub use first_voter::{FirstVoter, MeetsOldServers};
pub use recovery_plan::{CopiedFile, RecoveryPlan};
pub use survivor::{History, Survivor};

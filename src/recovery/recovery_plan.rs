//! All that is written for a new ensemble.

use super::first_voter::FirstVoter;
use crate::joiner::JoinerFiles;

/// A file of the chosen directory, as it is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedFile {
    /// Its name in `version-2`.
    pub name: String,
    /// Its length in the copy, in bytes.
    pub bytes: u64,
}

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryPlan {
    /// The new first voter.
    pub voter: FirstVoter,
    /// Its configuration and its script.
    pub files: JoinerFiles,
    /// The files of its data.
    pub copied: Vec<CopiedFile>,
    /// The folder above that of the new server, where one was given.
    pub folder: Option<String>,
    /// The name of the spec in that folder.
    pub spec: String,
}

//! The znodes in which zkplan keeps its state.

use crate::ensemble::IDENTITY_NAME;
use crate::model::Folder;

/// Where everything that a run keeps is, below the folder of its ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    folder: Folder,
}

impl Paths {
    /// The paths below that folder.
    pub const fn below(folder: Folder) -> Self {
        Self { folder }
    }

    /// The folder itself.
    pub fn folder(&self) -> &str {
        self.folder.as_str()
    }

    /// The znode that the folder is made in.
    pub fn parent(&self) -> &str {
        self.folder.parent()
    }

    /// The identity of the ensemble.
    pub fn identity(&self) -> String {
        self.folder.child(IDENTITY_NAME)
    }

    /// The state lock.
    pub fn lock(&self) -> String {
        self.folder.child("lock")
    }

    /// The runs.
    pub fn runs(&self) -> String {
        self.folder.child("runs")
    }

    /// A run.
    pub fn run(&self, number: u64) -> String {
        format!("{}/{number:010}", self.runs())
    }

    /// An entry.
    pub fn record(&self, run: u64, number: u64) -> String {
        format!("{}/{number:010}", self.run(run))
    }

    /// A piece of a run's plan.
    pub fn piece(&self, run: u64, piece: usize) -> String {
        format!("{}/plan-{piece}", self.run(run))
    }

    /// The znode that is written to when data are compared.
    pub fn mark(&self, run: u64) -> String {
        format!("{}/mark", self.run(run))
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self::below(Folder::default())
    }
}

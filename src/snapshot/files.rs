//! The files of a data directory, as this module asks for them.

use std::io::{self, Read};

/// In which directory a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataSide {
    /// In `version-2` of `dataDir`.
    Data,
    /// In `version-2` of `dataLogDir`, where that is another one.
    Logs,
}

/// A file as it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// In which directory.
    pub side: DataSide,
    /// Its name there.
    pub name: String,
    /// How long it was.
    pub length: u64,
    /// Whether it is a regular file.
    pub is_regular: bool,
}

/// What was listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataListing {
    /// The files of `version-2`, of both directories.
    pub files: Vec<ListedFile>,
    /// Whether logs are in a directory of their own.
    pub has_log_dir: bool,
    /// The text of `acceptedEpoch`.
    pub accepted_epoch: Option<String>,
    /// The text of `currentEpoch`.
    pub current_epoch: Option<String>,
    /// The text of `currentEpoch.tmp`.
    pub next_epoch: Option<String>,
}

/// Opens files for reading. Nothing here writes.
pub trait DataFiles {
    /// A file from its beginning.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::NotFound`] where it is gone.
    fn open(&self, file: &ListedFile) -> io::Result<Box<dyn Read + '_>>;

    /// Its last bytes, that many or all.
    ///
    /// # Errors
    /// What the system says.
    fn last_bytes(&self, file: &ListedFile, count: usize) -> io::Result<Vec<u8>>;

    /// How long it is now.
    ///
    /// # Errors
    /// What the system says.
    fn length(&self, file: &ListedFile) -> io::Result<u64>;

    /// Waits a moment for a server that may be writing; `false` where there is none to wait for.
    fn wait_for_writer(&self) -> bool {
        false
    }
}

//! Data directories of servers on this machine: small files of them, and what cannot be read.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::error::CommandError;
use crate::report::error::CommandFailure;

/// The folder that ZooKeeper makes in `dataDir` and in `dataLogDir` (`FileTxnSnapLog.version`).
pub(super) const VERSION: &str = "version-2";

/// What is read of a small file, in bytes.
const LONGEST: usize = 64;

/// The text of a small file that may be missing.
pub(super) fn small(path: &Path) -> io::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => {
            let bytes = bytes.get(..LONGEST).unwrap_or(&bytes);
            Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn unreadable(directory: &Path, error: &io::Error) -> CommandError {
    let hint = match error.kind() {
        ErrorKind::NotFound => {
            "check the path. A directory that does not exist yet is blank: install.sh makes it"
        }
        ErrorKind::PermissionDenied => "run it as the user that runs ZooKeeper, or as root",
        ErrorKind::NotADirectory => "give dataDir of zoo.cfg",
        _ => "",
    };
    let what = format!("{} cannot be read: {error}", directory.display());
    CommandError::new(CommandFailure::IoFailed, what).hint(hint)
}

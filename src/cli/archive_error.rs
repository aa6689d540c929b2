//! What is wrong with an archive, as an error of a command.

use super::error::CommandError;
use crate::render::archives::archive_fault;
use crate::report::error::CommandFailure;
use crate::snapshot::{ArchiveFailure, ArchiveFaultKind};

/// An archive that is wrong is a bad input file; what the system says is an error.
pub(super) fn archive_error(name: &str, failure: &ArchiveFailure) -> CommandError {
    match failure {
        ArchiveFailure::Io(error) => {
            CommandError::new(CommandFailure::IoFailed, format!("{name} cannot be read: {error}"))
        }
        ArchiveFailure::Fault(fault) => {
            let what = format!("{name}: {}", archive_fault(fault));
            let hint = match fault.kind {
                ArchiveFaultKind::NewerManifest(_) => {
                    "use the zkplan that packed it, or a later one"
                }
                ArchiveFaultKind::NoHeader | ArchiveFaultKind::NoData => {
                    "give an archive of zkplan snapshot pack, or a tar file of snapshot.* and log.*"
                }
                _ => "copy it again from where it was packed, or pack it again",
            };
            CommandError::new(CommandFailure::FileNotUsable, what).hint(hint)
        }
    }
}

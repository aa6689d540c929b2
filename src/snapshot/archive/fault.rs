//! What is wrong with an archive.

use std::io::{self, ErrorKind};

/// What is wrong with an archive, and with which member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveFault {
    /// The member, by its name in the archive; `None` where it is the archive as a whole.
    pub member: Option<String>,
    /// What is wrong.
    pub kind: ArchiveFaultKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveFaultKind {
    /// What stands where a member begins is no header of a tar archive.
    NoHeader,
    /// The archive ends before its end.
    Truncated,
    /// Bytes follow the end of the archive.
    Surplus,
    /// The compression is broken.
    Compression(String),
    /// The name leads out of the folder: it is absolute, or has `..` in it.
    Outside,
    /// The name is empty, or has bytes that no file of ZooKeeper's has in its name.
    BadName,
    /// A link.
    Link,
    /// A device, a pipe, or what else is neither file nor folder.
    NoFile,
    /// Two members are for one file.
    Twice,
    /// More members than any data directory has files.
    TooMany,
    /// A header says that it is longer than such a header is.
    LongHeader(u64),
    /// It unpacks to far more than data do.
    Bomb {
        /// Bytes that were unpacked.
        unpacked: u64,
        /// From how many.
        packed: u64,
    },
    /// There is no snapshot and no log in it.
    NoData,
    /// The manifest cannot be read.
    BadManifest(String),
    /// The manifest is of a later zkplan.
    NewerManifest(String),
    /// The manifest comes behind other members, which cannot be held against it.
    LateManifest,
    /// It is not in the manifest.
    NotInManifest,
    /// It is in the manifest and not in the archive.
    Missing,
    /// It has another size than the manifest says.
    OtherSize {
        /// The size in the manifest.
        manifest: u64,
        /// The size in the archive.
        archive: u64,
    },
    /// Its SHA-256 is not that of the manifest.
    OtherHash,
}

impl ArchiveFault {
    pub(super) fn of(member: &str, kind: ArchiveFaultKind) -> Self {
        Self { member: Some(member.to_owned()), kind }
    }

    pub(super) fn whole(kind: ArchiveFaultKind) -> Self {
        Self { member: None, kind }
    }
}

/// Why an archive was not read to its end.
#[derive(Debug)]
pub enum ArchiveFailure {
    /// A file or a stream could not be read or written: it says nothing of the archive.
    Io(io::Error),
    /// The archive is wrong.
    Fault(ArchiveFault),
}

impl From<ArchiveFault> for ArchiveFailure {
    fn from(fault: ArchiveFault) -> Self {
        Self::Fault(fault)
    }
}

impl ArchiveFailure {
    /// What a reader said. The system gives its errors a number, decompressors do not.
    pub(super) fn of_reading(error: io::Error) -> Self {
        match (error.raw_os_error(), error.kind()) {
            (Some(_), _) => Self::Io(error),
            (None, ErrorKind::UnexpectedEof) => {
                ArchiveFault::whole(ArchiveFaultKind::Truncated).into()
            }
            (None, _) => {
                ArchiveFault::whole(ArchiveFaultKind::Compression(error.to_string())).into()
            }
        }
    }
}

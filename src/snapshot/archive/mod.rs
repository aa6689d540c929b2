//! Archives of data files: one tar stream with a manifest, snapshots and logs, compressed or not.
//!
//! `parts` chooses the files of a data directory that are worth packing, `writing` packs them, and
//! `manifest` says what was packed. `members` takes a tar stream apart and trusts nothing in it,
//! `reading` holds it against its manifest, and `indexed` lets [`verify`](fn@super::verify) read an archive as
//! if it were a directory. `wrapping` is the compression around all; `plain` takes that of single snapshots away.
//!
//! An archive without a manifest, as other tools write them, is read too.

mod fault;
mod indexed;
mod manifest;
mod members;
mod parts;
mod plain;
mod reading;
#[cfg(test)]
mod tests;
mod wrapping;
mod writing;

pub use fault::{ArchiveFailure, ArchiveFault, ArchiveFaultKind};
pub use indexed::{ArchiveBytes, IndexedArchive};
pub use manifest::{
    ArchiveManifest, MANIFEST_NAME, PackedDigest, PackedFile, PackedKind, PackedVerdict,
    packed_verdict,
};
pub use parts::{ArchivePart, chosen, parts};
pub use plain::{plain_name, write_plain};
pub use reading::{ArchiveContents, ArchiveSink, ArchivedFile, read_archive, sha256_of};
pub use wrapping::{ArchiveEncoder, Wrapping, is_compressible};
pub use writing::{PackFailure, manifest_of, write_archive};

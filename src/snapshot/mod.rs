//! The files that ZooKeeper keeps its data in: reading them, and what they are worth.
//!
//! In: the names, lengths and bytes of a data directory, through [`DataFiles`]. Out: a [`Verification`].
//! Nothing is written, and no file is held in memory: what a file says about lengths is believed only as
//! far as its bytes reach. The formats are those of 3.5 to 3.9, and read without ZooKeeper.
//!
//! `source` and `fields` take bytes apart, `snapshot_file` reads one snapshot, `log_file` and
//! `transaction` one log, `tree` and `digest` are `DataTree` and its digest. `scan` reads every file,
//! `replay` applies transactions to a snapshot, `judge` says what that means, and `verify` joins them.
//! Memory grows with the znodes that the transactions behind a snapshot change, not with the snapshot:
//! `touched` says which those are before it is loaded.
//! `contents` counts what is in the tree then, and `difference` compares two trees, which it holds in memory.
//! `archive` packs files and reads what was packed. What servers would do is in `server_start`; `traces` has
//! by what data are distinguished from those of another ensemble.

mod archive;
mod compression;
mod contents;
mod damage;
mod difference;
mod digest;
mod fields;
mod files;
mod finding;
#[cfg(test)]
mod fixture;
mod judge;
mod log_file;
mod names;
mod replay;
mod scan;
mod server_start;
mod snapshot_file;
mod source;
#[cfg(test)]
mod tests;
mod touched;
mod traces;
mod transaction;
mod tree;
mod verify;

pub use archive::{
    ArchiveBytes, ArchiveContents, ArchiveEncoder, ArchiveFailure, ArchiveFault, ArchiveFaultKind,
    ArchiveManifest, ArchivePart, ArchiveSink, ArchivedFile, IndexedArchive, MANIFEST_NAME,
    PackFailure, PackedDigest, PackedFile, PackedKind, PackedVerdict, Wrapping, chosen,
    is_compressible, manifest_of, packed_verdict, parts, plain_name, read_archive, sha256_of,
    write_archive, write_plain,
};
pub use compression::Compression;
pub use contents::{ContentsWish, DataContents, OpenSession, Subtree, ZnodeContents, inspect};
pub use damage::{Damage, DamageKind};
pub use difference::{
    ChangedSubtree, ChangedZnode, DataDifference, DiffSide, LoadedData, ZnodeChange, difference,
    load_data,
};
pub use files::{DataFiles, DataListing, DataSide, ListedFile};
pub use finding::{FileFinding, FileFindingKind, FileSeverity};
pub use log_file::LogEnd;
pub use names::is_snapshot_name;
pub use replay::{DigestDifference, LoggedMembership, Misfit};
pub use scan::{FileState, LogFacts, RepeatedTransactions, ScannedLog, ScannedSnapshot};
pub use server_start::{RefusalToStart, ServerLine, ServerStart, StartVerdict};
pub use snapshot_file::{SnapshotFacts, StoredDigest};
pub use traces::{DataTraces, ZnodeTrace, traces};
pub use tree::ZnodeLifetime;
pub use verify::{DataVerdict, Verification, verify};

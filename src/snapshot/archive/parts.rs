//! Which files of a data directory are worth packing, and how much of each.

use std::collections::BTreeSet;

use super::super::files::{DataFiles, DataListing, DataSide, ListedFile};
use super::super::log_file::LogEnd;
use super::super::names::{FileRole, is_written_by_servers, role_of};
use super::super::scan::is_candidate;
use super::super::verify::Verification;

/// Zeros behind the last record of a packed log, where a server has written zeros ahead, too: a log
/// without them may have been cut, to all who read it. A server reads 12 of them as the end.
const ZEROS: u64 = 16;

/// A file of an archive: the beginning of a file of the server, and zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivePart {
    /// The file of the server.
    pub file: ListedFile,
    /// How many of its bytes are packed.
    pub keep: u64,
    /// How many zeros follow.
    pub zeros: u64,
}

impl ArchivePart {
    /// How long it is in the archive.
    pub fn length(&self) -> u64 {
        self.keep + self.zeros
    }
}

/// The files that make an archive with that many snapshots, by their names and ends: the newest
/// snapshots whose last seal is there, and the logs from the oldest of them on. `without` are snapshots
/// that were seen to be damaged. `None` where there is no snapshot.
pub fn chosen(
    listing: &DataListing,
    files: &impl DataFiles,
    count: usize,
    without: &BTreeSet<String>,
) -> Option<DataListing> {
    let log_side = if listing.has_log_dir { DataSide::Logs } else { DataSide::Data };
    let (mut snapshots, mut logs) = (Vec::new(), Vec::new());
    let regular = listing.files.iter().filter(|file| file.is_regular);
    for file in regular.filter(|file| is_written_by_servers(&file.name)) {
        match role_of(&file.name) {
            FileRole::Snapshot { zxid, compression } if file.side == DataSide::Data => {
                let is_whole = || is_candidate(file, compression, files);
                if !without.contains(&file.name) && is_whole() {
                    snapshots.push((zxid, file));
                }
            }
            // A server that has just made a log has written nothing to it.
            FileRole::Log { zxid } if file.side == log_side && file.length > 0 => {
                logs.push((zxid, file));
            }
            _ => {}
        }
    }
    snapshots.sort_by(|a, b| (b.0, &b.1.name).cmp(&(a.0, &a.1.name)));
    snapshots.truncate(count);
    let oldest = snapshots.last()?.0;
    let begins = logs.iter().map(|(zxid, _)| *zxid).filter(|zxid| *zxid <= oldest).max();
    logs.retain(|(zxid, _)| *zxid >= begins.unwrap_or_default());
    logs.sort_by_key(|(zxid, _)| *zxid);
    let files = logs.into_iter().chain(snapshots).map(|(_, file)| file.clone()).collect();
    Some(DataListing { files, ..listing.clone() })
}

/// How much of each chosen file is packed: logs first, as a reader wants them, each up to the end of its
/// last whole record.
pub fn parts(seen: &Verification) -> Vec<ArchivePart> {
    let logs = seen.logs.iter().map(|log| {
        let has_zeros = log.is_growing || log.facts.end == LogEnd::Padded;
        let zeros = if has_zeros { ZEROS } else { 0 };
        ArchivePart { file: log.file.clone(), keep: log.facts.end_offset, zeros }
    });
    let snapshots = seen.snapshots.iter().map(|snapshot| ArchivePart {
        file: snapshot.file.clone(),
        keep: snapshot.file.length,
        zeros: 0,
    });
    logs.chain(snapshots).collect()
}

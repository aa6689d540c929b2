//! What a server would do with a data directory (`FileTxnSnapLog.restore`, `QuorumPeer.loadDataBase`).

use super::compression::Compression;
use super::damage::{Damage, DamageKind};
use super::files::DataListing;
use super::finding::{FileFinding, FileFindingKind};
use super::judge::is_needed;
use super::log_file;
use super::scan::{FileState, Scan, ScannedLog, ScannedSnapshot};

use schemars::JsonSchema;
use serde::Serialize;

/// Releases that load files alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub enum ServerLine {
    /// 3.5: it knows no compressed snapshots.
    #[serde(rename = "3.5")]
    V35,
    /// 3.6 to 3.9.2.
    #[serde(rename = "3.6 to 3.9.2")]
    V36,
    /// 3.9.3: it removes an empty last log.
    #[serde(rename = "3.9.3")]
    V393,
    /// 3.9.4 and later ones: they also refuse a transaction that is not the next one
    /// (`ZKDatabase.addCommittedProposal`).
    #[serde(rename = "3.9.4 and later")]
    V394,
}

/// What it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "does", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum StartVerdict {
    /// It loads the snapshot and the logs behind it.
    Loads {
        /// The snapshot.
        snapshot: String,
    },
    /// It starts, and lacks transactions. It says so in its log at most.
    StartsWithHole {
        /// The snapshot.
        snapshot: String,
    },
    /// It starts with no data.
    StartsEmpty,
    /// It does not start.
    Refuses {
        /// Why.
        reason: RefusalToStart,
    },
}

/// Why a server does not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "reason", content = "file", rename_all = "camelCase")]
pub enum RefusalToStart {
    /// A file is in the other directory.
    WrongDirectory(String),
    /// No snapshot can be loaded.
    NoValidSnapshot,
    /// There are logs and no snapshot.
    LogsAlone,
    /// A log cannot be read.
    Log(String),
    /// In this log a transaction is not the next one behind the last one that was replayed.
    NotTheNext(String),
    /// The epoch files contradict each other or the data; only a member of an ensemble reads them.
    Epochs(String),
}

/// What servers of a line do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerStart {
    /// Which servers.
    pub releases: ServerLine,
    /// What they do.
    #[serde(flatten)]
    pub verdict: StartVerdict,
}

/// What servers of each line would do.
pub(super) fn server_starts(
    listing: &DataListing,
    scan: &Scan,
    findings: &[FileFinding],
) -> Vec<ServerStart> {
    let lines = [ServerLine::V35, ServerLine::V36, ServerLine::V393, ServerLine::V394];
    let start =
        |releases| ServerStart { releases, verdict: start(releases, listing, scan, findings) };
    lines.map(start).to_vec()
}

fn start(
    line: ServerLine,
    listing: &DataListing,
    scan: &Scan,
    findings: &[FileFinding],
) -> StartVerdict {
    let refuses = |reason| StartVerdict::Refuses { reason };
    let file_with = |is: fn(&FileFindingKind) -> bool| {
        findings.iter().find(|finding| is(&finding.kind)).and_then(|finding| finding.file.clone())
    };
    if let Some(file) = file_with(|kind| matches!(kind, FileFindingKind::WrongDirectory)) {
        return refuses(RefusalToStart::WrongDirectory(file));
    }
    let candidates: Vec<&ScannedSnapshot> =
        scan.snapshots.iter().filter(|snapshot| is_tried(snapshot, line)).take(100).collect();
    let Some(snapshot) = candidates.iter().find(|snapshot| is_loaded(snapshot, line)) else {
        return match (candidates.is_empty(), scan.logs.is_empty()) {
            (false, _) => refuses(RefusalToStart::NoValidSnapshot),
            (true, false) => refuses(RefusalToStart::LogsAlone),
            (true, true) => StartVerdict::StartsEmpty,
        };
    };
    let zxid = snapshot.zxid;
    let begins = scan.logs.iter().map(|log| log.zxid).filter(|begins| *begins <= zxid).max();
    let read = || scan.logs.iter().filter(|log| log.zxid >= begins.unwrap_or_default());
    let last = scan.logs.last().map(|log| log.file.name.as_str());
    if let Some(log) = read().find(|log| stops(log, line, last == Some(&log.file.name))) {
        return refuses(RefusalToStart::Log(log.file.name.clone()));
    }
    if let Some(log) = not_the_next(scan, zxid).filter(|_| line == ServerLine::V394) {
        return refuses(RefusalToStart::NotTheNext(log));
    }
    let is_epoch = |kind: &FileFindingKind| {
        let (garbled, behind) = (FileFindingKind::EpochGarbled, kind);
        *kind == garbled
            || matches!(
                behind,
                FileFindingKind::EpochBehind { .. } | FileFindingKind::AcceptedBehind { .. }
            )
    };
    let has_epochs = listing.accepted_epoch.is_some() || listing.current_epoch.is_some();
    if let Some(finding) = findings.iter().find(|finding| has_epochs && is_epoch(&finding.kind)) {
        return refuses(RefusalToStart::Epochs(finding.file.clone().unwrap_or_default()));
    }
    let snapshot = snapshot.file.name.clone();
    let is_hole = scan.jumps.iter().any(|jump| is_needed(*jump, zxid))
        || findings
            .iter()
            .any(|finding| matches!(finding.kind, FileFindingKind::NotCovered { .. }))
        || read().any(|log| matches!(log.state, FileState::Damaged(_)) && !log.facts.is_readable);
    if is_hole {
        StartVerdict::StartsWithHole { snapshot }
    } else {
        StartVerdict::Loads { snapshot }
    }
}

/// The log with the first transaction that is not the next one behind the highest that a server has replayed,
/// in the same epoch. It steps over lower ones, and compares nothing with what the snapshot has.
fn not_the_next(scan: &Scan, base: u64) -> Option<String> {
    let is_refused = |highest: u64, next: u64| {
        highest > base && next > highest && highest + 1 != next && next >> 32 == highest >> 32
    };
    let mut jumps = scan.jumps.iter();
    let jump =
        jumps.find(|jump| jump.highest.is_some_and(|highest| is_refused(highest, jump.next)))?;
    Some(scan.logs.get(jump.log)?.file.name.clone())
}

/// Whether a server tries to load it at all. 3.5 takes every snapshot for a plain one.
fn is_tried(snapshot: &ScannedSnapshot, line: ServerLine) -> bool {
    snapshot.is_candidate && (line != ServerLine::V35 || snapshot.compression == Compression::Plain)
}

/// Whether a server takes it: there are fields that none looks at, and 3.5 stops at the first seal.
fn is_loaded(snapshot: &ScannedSnapshot, line: ServerLine) -> bool {
    match &snapshot.state {
        FileState::Whole(_) => true,
        FileState::Damaged(Damage { field, kind, .. }) => {
            let later = ["seal 2", "seal 3", "trailer", "digest", "last zxid"];
            let is_later = later.iter().any(|begins| field.starts_with(begins));
            matches!(field.as_str(), "version" | "dbid")
                || field == "trailer" && *kind == DamageKind::Surplus
                || is_later && line == ServerLine::V35
        }
        FileState::Vanished | FileState::Unreadable(_) => false,
    }
}

/// Whether a server ends because of a log. What it takes for the end of the file is none: it continues with
/// the next one. Inside a record it looks at the checksum first, and then takes a field that the record does
/// not reach for the end, too (`FileTxnLog.FileTxnIterator.next` catches `EOFException`).
fn stops(log: &ScannedLog, line: ServerLine, is_last: bool) -> bool {
    match &log.state {
        FileState::Whole(()) => false,
        FileState::Vanished | FileState::Unreadable(_) => true,
        FileState::Damaged(Damage { field, kind, offset }) => match (field.as_str(), kind) {
            ("magic", _) if log.file.length == 0 => {
                !(is_last && matches!(line, ServerLine::V393 | ServerLine::V394))
            }
            (_, DamageKind::Truncated) if *offset < log_file::HEADER => true,
            ("version" | "dbid", _) => !log.facts.is_readable,
            ("checksum" | "magic", _) => true,
            // It does not look whether something is left of a record, nor at paths and flags.
            ("ephemeral" | "end of record", _)
            | (_, DamageKind::Truncated | DamageKind::Surplus | DamageKind::Path { .. }) => false,
            _ => true,
        },
    }
}

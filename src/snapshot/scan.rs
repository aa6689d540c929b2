//! Each file of a data directory by itself, and how the logs follow one another.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read as _};

use super::compression::Compression;
use super::damage::{Damage, ReadFailure};
use super::files::{DataFiles, DataListing, DataSide, ListedFile};
use super::log_file::{LogEnd, LogReader, LogRecord};
use super::names::{FileRole, role_of};
use super::snapshot_file::{SnapshotFacts, SnapshotSink, read_snapshot};
use super::touched::TouchedPaths;

/// Places where logs do not follow on: of more, the rest is not kept.
const MOST_JUMPS: usize = 1000;

/// A server lists the digest behind each transaction whose zxid is a multiple of this
/// (`DataTree.DIGEST_LOG_INTERVAL`).
const LISTED_EVERY: u64 = 128;

/// How often the end of the last log is looked at again, where a server may be writing it.
const LOOKS_AGAIN: usize = 5;

/// It keeps the newest of them, that many (`DataTree.DIGEST_LOG_LIMIT`).
const MOST_LISTED: usize = 1024;

/// Transactions that are remembered, to know them again: a learner that falls behind by more gets a snapshot,
/// as a rule.
const MOST_REMEMBERED: usize = 65_536;

/// What became of reading a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState<T> {
    /// It was read to its end, and is what a server writes.
    Whole(T),
    /// It is wrong at a place.
    Damaged(Damage),
    /// It was listed and is gone.
    Vanished,
    /// The system gives no bytes.
    Unreadable(String),
}

impl<T> FileState<T> {
    fn of(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::Damaged(damage) => Self::Damaged(damage),
            ReadFailure::Io(error) if error.kind() == ErrorKind::NotFound => Self::Vanished,
            ReadFailure::Io(error) => Self::Unreadable(error.to_string()),
        }
    }

    /// What is in it, where it is whole.
    pub fn whole(&self) -> Option<&T> {
        match self {
            Self::Whole(facts) => Some(facts),
            Self::Damaged(_) | Self::Vanished | Self::Unreadable(_) => None,
        }
    }
}

/// A snapshot of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedSnapshot {
    /// Which file.
    pub file: ListedFile,
    /// The zxid in its name.
    pub zxid: u64,
    /// How it is packed.
    pub compression: Compression,
    /// What became of reading it.
    pub state: FileState<SnapshotFacts>,
    /// Whether it passes the look that a server takes before it loads a snapshot.
    pub is_candidate: bool,
    /// Whether it changed while it was read: a server is writing it.
    pub is_growing: bool,
}

/// Transactions that a log, or one before it, has already. A learner that is cut off while it syncs gets the
/// same ones again from the leader, and logs them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepeatedTransactions {
    /// Where the first of them begins.
    pub offset: u64,
    /// The lowest.
    pub first: u64,
    /// The highest.
    pub last: u64,
    /// How many records there are of them.
    pub count: u64,
}

/// What a log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFacts {
    /// The first transaction.
    pub first: Option<u64>,
    /// The last one.
    pub last: Option<u64>,
    /// When the last one was, in milliseconds since 1970.
    pub last_time_ms: Option<i64>,
    /// How many there are.
    pub records: u64,
    /// How many of them have a digest.
    pub digests: u64,
    /// Those that are there again.
    pub repeated: Option<RepeatedTransactions>,
    /// How it ends.
    pub end: LogEnd,
    /// Where what is no record begins.
    pub end_offset: u64,
    /// Whether each record up to there can be read, whatever the header says.
    pub is_readable: bool,
}

/// A log of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedLog {
    /// Which file.
    pub file: ListedFile,
    /// The zxid in its name.
    pub zxid: u64,
    /// What it holds, up to where it is damaged.
    pub facts: LogFacts,
    /// What became of reading it.
    pub state: FileState<()>,
    /// Whether a server wrote to it while it was read.
    pub is_growing: bool,
}

/// A transaction that is not the next one behind the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Jump {
    /// The log of the later one.
    pub(super) log: usize,
    pub(super) offset: u64,
    /// The last one before it; `None` where it is the first of all.
    pub(super) after: Option<u64>,
    /// The highest one before it.
    pub(super) highest: Option<u64>,
    pub(super) next: u64,
}

/// Every file.
pub(super) struct Scan {
    /// Newest first, as a server tries them.
    pub(super) snapshots: Vec<ScannedSnapshot>,
    /// Oldest first, as a server reads them.
    pub(super) logs: Vec<ScannedLog>,
    pub(super) jumps: Vec<Jump>,
    /// The digests behind the transactions for which a snapshot is named.
    pub(super) digests: BTreeMap<u64, u64>,
    /// The digests that servers list, too.
    pub(super) listed_digests: BTreeMap<u64, u64>,
    /// The znodes that the transactions behind the newest whole snapshot can change.
    pub(super) touched: TouchedPaths,
}

impl Scan {
    /// The snapshot that the data begin with: the newest one that is whole.
    pub(super) fn base(&self) -> Option<(&ScannedSnapshot, &SnapshotFacts)> {
        base(&self.snapshots)
    }
}

fn base(snapshots: &[ScannedSnapshot]) -> Option<(&ScannedSnapshot, &SnapshotFacts)> {
    snapshots.iter().find_map(|snapshot| Some((snapshot, snapshot.state.whole()?)))
}

/// Whether one transaction can be the next behind another: its number is the next one, or the first of a
/// later epoch.
pub(super) fn follows(after: u64, next: u64) -> bool {
    let (epoch, counter) = (next >> 32, next & 0xffff_ffff);
    after.checked_add(1) == Some(next) || epoch > after >> 32 && counter == 1
}

/// Reads every file.
pub(super) fn scan(listing: &DataListing, files: &impl DataFiles) -> Scan {
    let log_side = if listing.has_log_dir { DataSide::Logs } else { DataSide::Data };
    let (mut snapshots, mut logs) = (Vec::new(), Vec::new());
    for file in &listing.files {
        match role_of(&file.name) {
            FileRole::Snapshot { zxid, compression } if file.side == DataSide::Data => {
                snapshots.push((zxid, compression, file));
            }
            FileRole::Log { zxid } if file.side == log_side => logs.push((zxid, file)),
            _ => {}
        }
    }
    snapshots.sort_by(|a, b| (b.0, &b.2.name).cmp(&(a.0, &a.2.name)));
    logs.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    let mut touched = TouchedPaths::of_logs(logs.iter().map(|(_, file)| file.length).sum());
    let snapshots: Vec<ScannedSnapshot> = snapshots
        .into_iter()
        .map(|(zxid, compression, file)| snapshot((zxid, compression), file, files, &mut touched))
        .collect();
    let mut of_logs = LogScan::new(&snapshots, touched);
    let newest = logs.len().saturating_sub(1);
    let logs = logs.into_iter().enumerate();
    let logs = logs.map(|(at, log)| of_logs.log(log, at == newest, files)).collect();
    let digests = of_logs.digests.into_iter();
    let digests = digests.filter_map(|(zxid, digest)| Some((zxid, digest?))).collect();
    let LogScan { jumps, listed_digests, touched, .. } = of_logs;
    Scan { snapshots, logs, jumps, digests, listed_digests, touched }
}

/// Reads a snapshot for what wants to know its znodes.
pub(super) fn read_into(
    of: (&ListedFile, Compression),
    files: &impl DataFiles,
    sink: &mut impl SnapshotSink,
) -> FileState<SnapshotFacts> {
    let opened = files.open(of.0).map_err(ReadFailure::Io);
    match opened.and_then(|file| read_snapshot(file, of.1, sink)) {
        Ok(facts) => FileState::Whole(facts),
        Err(failure) => FileState::of(failure),
    }
}

fn snapshot(
    (zxid, compression): (u64, Compression),
    file: &ListedFile,
    files: &impl DataFiles,
    touched: &mut TouchedPaths,
) -> ScannedSnapshot {
    let state = read_into((file, compression), files, touched);
    let is_growing = files.length(file).is_ok_and(|length| length != file.length);
    let is_candidate = is_candidate(file, compression, files);
    let file = file.clone();
    ScannedSnapshot { file, zxid, compression, state, is_candidate, is_growing }
}

/// The look that a server takes at the ends of a snapshot (`SnapStream.isValidSnapshot`).
pub(super) fn is_candidate(
    file: &ListedFile,
    compression: Compression,
    files: &impl DataFiles,
) -> bool {
    const SNAPPY: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
    let begins = |wanted: &[u8]| {
        let mut first = Vec::new();
        let opened = files.open(file);
        opened.is_ok_and(|file| file.take(8).read_to_end(&mut first).is_ok())
            && first.starts_with(wanted)
    };
    match compression {
        Compression::Plain => {
            let last = files.last_bytes(file, 10);
            last.is_ok_and(|last| last.len() == 10 && last.ends_with(&[0, 0, 0, 1, b'/']))
        }
        Compression::Gzip => begins(&[0x1f, 0x8b]),
        Compression::Snappy => begins(&SNAPPY),
    }
}

struct LogScan {
    /// The snapshot onto which transactions are replayed; `None` where none is whole.
    base: Option<u64>,
    last: Option<u64>,
    highest: Option<u64>,
    jumps: Vec<Jump>,
    digests: BTreeMap<u64, Option<u64>>,
    listed_digests: BTreeMap<u64, u64>,
    touched: TouchedPaths,
    /// The last transactions, in the order of their zxids.
    remembered: VecDeque<Remembered>,
    count: usize,
}

/// By what a transaction is known again.
struct Remembered {
    zxid: u64,
    time_ms: i64,
    checksum: u64,
}

impl LogScan {
    fn new(snapshots: &[ScannedSnapshot], touched: TouchedPaths) -> Self {
        Self {
            base: base(snapshots).map(|(snapshot, _)| snapshot.zxid),
            last: None,
            highest: None,
            jumps: Vec::new(),
            digests: snapshots.iter().map(|snapshot| (snapshot.zxid, None)).collect(),
            listed_digests: BTreeMap::new(),
            touched,
            remembered: VecDeque::new(),
            count: 0,
        }
    }

    /// Reads a log. A server may be writing to it: what ends inside a record is read once more, and has
    /// grown then. To the last log it may take a while: a record of many kilobytes comes in several writes.
    fn log(
        &mut self,
        (zxid, file): (u64, &ListedFile),
        is_last: bool,
        files: &impl DataFiles,
    ) -> ScannedLog {
        let before = (self.last, self.highest, self.jumps.len());
        let (mut facts, mut state) = self.read(file, files);
        let mut is_growing = files.length(file).is_ok_and(|length| length != file.length);
        let may_be_written = |facts: &LogFacts, state: &FileState<()>| {
            facts.end == LogEnd::Torn || matches!(state, FileState::Damaged(_))
        };
        let mut tries = if is_last { LOOKS_AGAIN } else { 1 };
        while may_be_written(&facts, &state) && tries > 0 {
            tries = if is_last && files.wait_for_writer() { tries - 1 } else { 0 };
            self.jumps.truncate(before.2);
            let first_end = facts.end_offset;
            (self.last, self.highest) = (before.0, before.1);
            while self.remembered.back().is_some_and(|last| Some(last.zxid) > self.highest) {
                self.remembered.pop_back();
            }
            (facts, state) = self.read(file, files);
            if facts.end_offset > first_end {
                is_growing = true;
                if may_be_written(&facts, &state) {
                    (facts.end, state) = (LogEnd::Padded, FileState::Whole(()));
                }
            }
        }
        self.count += 1;
        ScannedLog { file: file.clone(), zxid, facts, state, is_growing }
    }

    fn read(&mut self, file: &ListedFile, files: &impl DataFiles) -> (LogFacts, FileState<()>) {
        let mut facts = LogFacts {
            first: None,
            last: None,
            last_time_ms: None,
            records: 0,
            digests: 0,
            repeated: None,
            end: LogEnd::AtRecord,
            end_offset: 0,
            is_readable: false,
        };
        let opened = files.open(file).map_err(ReadFailure::Io);
        let read = opened.and_then(|file| self.records(LogReader::new(file)?, &mut facts));
        (facts, read.map_or_else(FileState::of, |()| FileState::Whole(())))
    }

    fn records<R: std::io::Read>(
        &mut self,
        mut reader: LogReader<R>,
        facts: &mut LogFacts,
    ) -> Result<(), ReadFailure> {
        loop {
            let record = match reader.next() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(failure) => {
                    facts.end_offset = reader.end().1;
                    let header = reader.header().cloned().map(ReadFailure::Damaged);
                    return Err(header.unwrap_or(failure));
                }
            };
            let next = record.transaction.header.zxid;
            if self.base.is_some_and(|base| next > base) {
                self.touched.mark(&record.transaction);
            }
            if let Some(known) = self.digests.get_mut(&next) {
                *known = record.transaction.digest;
            }
            if let Some(digest) = record.transaction.digest.filter(|_| next % LISTED_EVERY == 0) {
                self.listed_digests.insert(next, digest);
                if self.listed_digests.len() > MOST_LISTED {
                    self.listed_digests.pop_first();
                }
            }
            facts.first.get_or_insert(next);
            facts.records += 1;
            facts.digests += u64::from(record.transaction.digest.is_some());
            if self.is_repeated(&record) {
                facts.repeat(&record);
            } else {
                self.advance(&record);
                facts.last = Some(next);
                facts.last_time_ms = Some(record.transaction.header.time_ms);
            }
        }
        (facts.end, facts.end_offset) = reader.end();
        facts.is_readable = true;
        reader.header().map_or(Ok(()), |damage| Err(ReadFailure::Damaged(damage.clone())))
    }

    /// Whether it is the same transaction as an earlier one.
    fn is_repeated(&self, record: &LogRecord<'_>) -> bool {
        let header = &record.transaction.header;
        if Some(header.zxid) > self.highest {
            return false;
        }
        let known = self.remembered.binary_search_by_key(&header.zxid, |known| known.zxid);
        known.is_ok_and(|at| {
            let known = &self.remembered[at];
            (known.time_ms, known.checksum) == (header.time_ms, record.checksum)
        })
    }

    fn advance(&mut self, record: &LogRecord<'_>) {
        let (next, time_ms) = (record.transaction.header.zxid, record.transaction.header.time_ms);
        let is_next = self.last.is_some_and(|last| follows(last, next));
        if !is_next && self.jumps.len() < MOST_JUMPS {
            let (after, highest) = (self.last, self.highest);
            let (log, offset) = (self.count, record.offset);
            self.jumps.push(Jump { log, offset, after, highest, next });
        }
        self.last = Some(next);
        if Some(next) > self.highest {
            self.highest = Some(next);
            if self.remembered.len() == MOST_REMEMBERED {
                self.remembered.pop_front();
            }
            self.remembered.push_back(Remembered {
                zxid: next,
                time_ms,
                checksum: record.checksum,
            });
        }
    }
}

impl LogFacts {
    fn repeat(&mut self, record: &LogRecord<'_>) {
        let (offset, zxid) = (record.offset, record.transaction.header.zxid);
        let none = RepeatedTransactions { offset, first: zxid, last: zxid, count: 0 };
        let repeated = self.repeated.get_or_insert(none);
        repeated.first = repeated.first.min(zxid);
        repeated.last = repeated.last.max(zxid);
        repeated.count += 1;
    }
}

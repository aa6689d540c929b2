//! `zkplan/snapshot`: what the files of a data directory are worth, and what is in them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::document::{Document, Format};
use crate::model::Zxid;
use crate::render::Text;
use crate::render::archives::ArchiveFacts;
use crate::render::data_files::{FilesScreen, session_id, time, verdict};
use crate::render::file_findings::{file_finding, server_start};
use crate::snapshot::{
    ArchiveManifest, Damage, DataContents, DataVerdict, FileFinding, FileFindingKind, FileSeverity,
    FileState, LogEnd, ScannedLog, ScannedSnapshot, ServerStart, Wrapping, ZnodeContents,
    ZnodeLifetime,
};

/// What the files of a data directory are worth, and what is in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotDocument {
    /// The directories that were read or filled: `dataDir`, and `dataLogDir` where it was given. Empty
    /// where only an archive was read.
    pub directories: Vec<String>,
    /// The archive that the files are in, or were in; `null` where they are those of a directory.
    pub archive: Option<ArchiveEntry>,
    /// What the files are worth.
    pub verdict: VerdictWord,
    /// The verdict in one sentence, for people.
    pub summary: String,
    /// The snapshot that the data begin with; `null` where none can be loaded.
    pub base: Option<String>,
    /// The last transaction in the files.
    pub last_zxid: Option<String>,
    /// The transaction up to which the digest shows that the data are what they were on the server.
    pub proven_zxid: Option<String>,
    /// How many transactions were replayed onto the snapshot.
    pub replayed: u64,
    /// The snapshots, newest first.
    pub snapshots: Vec<SnapshotFileEntry>,
    /// The logs, oldest first.
    pub logs: Vec<LogFileEntry>,
    /// What was found, gravest first.
    pub findings: Vec<FileFindingEntry>,
    /// What servers would do with the directory.
    pub servers: Vec<ServerStartEntry>,
    /// What is in the files; `null` with `verify`.
    pub contents: Option<ContentsEntry>,
    /// What the command exits with.
    pub exit_code: u8,
    /// The screen, for people.
    pub text: String,
}

impl Document for SnapshotDocument {
    const FORMAT: Format = Format { name: "snapshot", major: 1, minor: 1 };
}

/// An archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchiveEntry {
    /// Its path; `-` for a pipe.
    pub path: String,
    /// Its length in bytes; `null` of one that was written to a pipe.
    pub bytes: Option<u64>,
    /// How it is compressed.
    pub compression: Wrapping,
    /// Its manifest, a zkplan/snapshot-archive without the head; `null` where another tool has made it.
    pub manifest: Option<ArchiveManifest>,
    /// Members that no server reads, by their names in the archive.
    pub others: Vec<String>,
}

/// What files are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum VerdictWord {
    /// They are whole, and the digest shows it.
    Whole,
    /// Nothing damaged was found, and the files do not show that nothing is missing.
    NotProvable,
    /// Something is damaged or missing.
    Damaged,
}

impl From<DataVerdict> for VerdictWord {
    fn from(verdict: DataVerdict) -> Self {
        match verdict {
            DataVerdict::Whole => Self::Whole,
            DataVerdict::NotProvable => Self::NotProvable,
            DataVerdict::Damaged => Self::Damaged,
        }
    }
}

/// What became of reading a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FileStateWord {
    /// It is what a server writes.
    Whole,
    /// It is damaged.
    Damaged,
    /// It was removed meanwhile.
    Vanished,
    /// It could not be read.
    Unreadable,
}

impl<T> From<&FileState<T>> for FileStateWord {
    fn from(state: &FileState<T>) -> Self {
        match state {
            FileState::Whole(_) => Self::Whole,
            FileState::Damaged(_) => Self::Damaged,
            FileState::Vanished => Self::Vanished,
            FileState::Unreadable(_) => Self::Unreadable,
        }
    }
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotFileEntry {
    /// The name of the file.
    pub file: String,
    /// The zxid in its name: that of the last transaction when it was begun.
    pub zxid: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// What became of reading it. The other figures are `null` where it is not whole.
    pub state: FileStateWord,
    /// Whether a server wrote to it while it was read.
    pub growing: bool,
    /// Its znodes, the root included.
    pub znodes: Option<u64>,
    /// Bytes of their data.
    pub data_bytes: Option<u64>,
    /// Its sessions.
    pub sessions: Option<u64>,
    /// How many seals it has: 1 in 3.5, 2 from 3.6 on, 3 from 3.9 on.
    pub seals: Option<u8>,
    /// The transaction up to which it was written, where the server wrote that.
    pub written_until: Option<String>,
    /// The digest of what is in it, in hex.
    pub digest: Option<String>,
}

/// A log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogFileEntry {
    /// The name of the file.
    pub file: String,
    /// The zxid in its name.
    pub zxid: String,
    /// Its length in bytes, the zeros that a server writes ahead included.
    pub bytes: u64,
    /// What became of reading it.
    pub state: FileStateWord,
    /// Whether a server wrote to it while it was read.
    pub growing: bool,
    /// Its first transaction.
    pub first_zxid: Option<String>,
    /// Its last transaction that is whole.
    pub last_zxid: Option<String>,
    /// When that was (UTC).
    pub last_at: Option<String>,
    /// How many transactions it has.
    pub transactions: u64,
    /// How many of them have a digest.
    pub digests: u64,
    /// How it ends.
    pub end: LogEndWord,
    /// Where what is no transaction begins, in bytes.
    pub end_offset: u64,
}

/// How a log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LogEndWord {
    /// Behind a record, with nothing after it.
    AtRecord,
    /// In the zeros that a server writes ahead.
    Padded,
    /// Inside a record.
    Torn,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileFindingEntry {
    /// What it is. A minor version may add codes.
    pub code: String,
    /// What it means for the verdict.
    pub severity: FileSeverity,
    /// The file.
    pub file: Option<String>,
    /// Where in the file, in bytes; of a compressed file in bytes of what is in it.
    pub offset: Option<u64>,
    /// What is damaged, where the code is `damaged`.
    pub damage: Option<Damage>,
    /// The same for people.
    pub text: String,
}

/// What servers do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerStartEntry {
    /// Which servers, and what they do.
    #[serde(flatten)]
    pub start: ServerStart,
    /// The same for people.
    pub text: String,
}

/// What is in the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContentsEntry {
    /// The subtree that the figures are of.
    pub path: String,
    /// Whether there is such a znode.
    pub exists: bool,
    /// Znodes, the top included.
    pub znodes: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
    /// Ephemeral znodes.
    pub ephemerals: u64,
    /// Containers.
    pub containers: u64,
    /// Znodes with a time to live.
    pub ttls: u64,
    /// When the last transaction was (UTC).
    pub last_at: Option<String>,
    /// The largest parts.
    pub subtrees: Vec<SubtreeEntry>,
    /// How many parts there are.
    pub subtree_count: usize,
    /// The znodes with most data.
    pub largest: Vec<ZnodeEntry>,
    /// Open sessions, those with most ephemeral znodes first.
    pub sessions: Vec<OpenSessionEntry>,
    /// How many sessions are open.
    pub session_count: usize,
    /// The text of `/zookeeper/config`.
    pub membership: Option<String>,
    /// The reconfigurations in the logs behind the snapshot, oldest first.
    pub memberships: Vec<MembershipEntry>,
}

/// A part of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubtreeEntry {
    /// The path of its top.
    pub path: String,
    /// Its znodes.
    pub znodes: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
}

/// A znode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZnodeEntry {
    /// Its path.
    pub path: String,
    /// Bytes of its data.
    pub data_bytes: u64,
    /// The transaction that created it.
    pub czxid: String,
    /// The transaction that set its data last.
    pub mzxid: String,
    /// When that was (UTC).
    pub set_at: Option<String>,
    /// How often its data were set.
    pub version: i32,
    /// The session that it ends with.
    pub session: Option<String>,
    /// Whether it is a container.
    pub container: bool,
    /// Its time to live.
    pub ttl_ms: Option<i64>,
}

/// An open session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenSessionEntry {
    /// Its id, in hex as ZooKeeper prints it.
    pub id: String,
    /// Its timeout; `null` where only ephemeral znodes of it are left.
    pub timeout_ms: Option<i32>,
    /// Its ephemeral znodes below the path.
    pub ephemerals: u64,
}

/// A reconfiguration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MembershipEntry {
    /// Its zxid, which is the version of the configuration in hex.
    pub zxid: String,
    /// When (UTC).
    pub at: Option<String>,
    /// The text of the membership.
    pub text: String,
}

fn zxid(number: u64) -> String {
    Zxid::new(number).to_string()
}

impl SnapshotDocument {
    /// Of what a screen shows.
    pub fn of(
        of: &FilesScreen<'_>,
        contents: Option<&DataContents>,
        screen: &Text,
        exit_code: u8,
    ) -> Self {
        let seen = of.verification;
        let start = |start: &ServerStart| ServerStartEntry {
            start: start.clone(),
            text: server_start(start),
        };
        Self {
            directories: of.directories().to_vec(),
            archive: of.archive.map(ArchiveEntry::of),
            verdict: seen.verdict.into(),
            summary: verdict(seen).plain_text(),
            base: seen.base.clone(),
            last_zxid: seen.last_zxid.map(zxid),
            proven_zxid: seen.proven.map(zxid),
            replayed: seen.replayed,
            snapshots: seen.snapshots.iter().map(SnapshotFileEntry::of).collect(),
            logs: seen.logs.iter().map(LogFileEntry::of).collect(),
            findings: seen.findings.iter().map(FileFindingEntry::of).collect(),
            servers: seen.servers.iter().map(start).collect(),
            contents: contents.map(ContentsEntry::of),
            exit_code,
            text: screen.to_string_with(false).trim_end().to_owned(),
        }
    }
}

impl ArchiveEntry {
    fn of(facts: &ArchiveFacts) -> Self {
        Self {
            path: facts.path.clone(),
            bytes: facts.bytes,
            compression: facts.wrapping,
            manifest: facts.manifest.clone(),
            others: facts.others.clone(),
        }
    }
}

impl SnapshotFileEntry {
    fn of(snapshot: &ScannedSnapshot) -> Self {
        let facts = snapshot.state.whole();
        let stored = facts.and_then(|facts| facts.stored_digest);
        Self {
            file: snapshot.file.name.clone(),
            zxid: zxid(snapshot.zxid),
            bytes: snapshot.file.length,
            state: (&snapshot.state).into(),
            growing: snapshot.is_growing,
            znodes: facts.map(|facts| facts.znodes),
            data_bytes: facts.map(|facts| facts.data_bytes),
            sessions: facts.map(|facts| facts.sessions),
            seals: facts.map(|facts| facts.seals),
            written_until: stored.filter(|stored| stored.zxid != 0).map(|stored| zxid(stored.zxid)),
            digest: facts.map(|facts| format!("{:x}", facts.digest)),
        }
    }
}

impl LogFileEntry {
    fn of(log: &ScannedLog) -> Self {
        Self {
            file: log.file.name.clone(),
            zxid: zxid(log.zxid),
            bytes: log.file.length,
            state: (&log.state).into(),
            growing: log.is_growing,
            first_zxid: log.facts.first.map(zxid),
            last_zxid: log.facts.last.map(zxid),
            last_at: log.facts.last_time_ms.and_then(time),
            transactions: log.facts.records,
            digests: log.facts.digests,
            end: match log.facts.end {
                LogEnd::AtRecord => LogEndWord::AtRecord,
                LogEnd::Padded => LogEndWord::Padded,
                LogEnd::Torn => LogEndWord::Torn,
            },
            end_offset: log.facts.end_offset,
        }
    }
}

impl FileFindingEntry {
    fn of(finding: &FileFinding) -> Self {
        let damage = match &finding.kind {
            FileFindingKind::Damaged(damage) => Some(damage.clone()),
            _ => None,
        };
        Self {
            code: code(&finding.kind).to_owned(),
            severity: finding.severity,
            file: finding.file.clone(),
            offset: finding.offset,
            damage,
            text: file_finding(finding),
        }
    }
}

/// The word for a kind of finding, which no later version changes.
fn code(kind: &FileFindingKind) -> &'static str {
    use FileFindingKind as Kind;
    match kind {
        Kind::Damaged(_) => "damaged",
        Kind::Vanished => "vanished",
        Kind::Unreadable(_) => "unreadable",
        Kind::Growing => "growing",
        Kind::Foreign => "foreign",
        Kind::Misnamed { .. } => "misnamed",
        Kind::WrongDirectory => "wrongDirectory",
        Kind::OtherFirst { .. } => "otherFirst",
        Kind::NoTransaction => "noTransaction",
        Kind::Torn => "torn",
        Kind::CutAtRecord => "cutAtRecord",
        Kind::Gap { .. } => "gap",
        Kind::Repeated { .. } => "repeated",
        Kind::Backwards { .. } => "backwards",
        Kind::EpochEnd { .. } => "epochEnd",
        Kind::NoSnapshot => "noSnapshot",
        Kind::Nothing => "nothing",
        Kind::NotCovered { .. } => "notCovered",
        Kind::MaybeFuzzy => "maybeFuzzy",
        Kind::OlderThanName { .. } => "olderThanName",
        Kind::NeedsDigestOff => "needsDigestOff",
        Kind::NoDigest { .. } => "noDigest",
        Kind::OtherTree(_) => "otherTree",
        Kind::LettersUnclear(_) => "lettersUnclear",
        Kind::OtherLog { .. } => "otherLog",
        Kind::DoesNotApply(_) => "doesNotApply",
        Kind::AclMissing => "aclMissing",
        Kind::EpochGarbled => "epochGarbled",
        Kind::EpochBehind { .. } => "epochBehind",
        Kind::AcceptedBehind { .. } => "acceptedBehind",
        Kind::EpochEmpty { .. } => "epochEmpty",
        Kind::NoLogs => "noLogs",
        Kind::PackedUnproven => "packedUnproven",
        Kind::LongField { .. } => "longField",
    }
}

impl ContentsEntry {
    fn of(contents: &DataContents) -> Self {
        let subtrees = contents.subtrees.iter().map(|part| SubtreeEntry {
            path: part.path.clone(),
            znodes: part.znodes,
            data_bytes: part.data_bytes,
        });
        let sessions = contents.sessions.iter().map(|session| OpenSessionEntry {
            id: session_id(session.id),
            timeout_ms: session.timeout_ms,
            ephemerals: session.ephemerals,
        });
        let memberships = contents.memberships.iter().map(|logged| MembershipEntry {
            zxid: zxid(logged.zxid),
            at: time(logged.time_ms),
            text: logged.text.clone(),
        });
        Self {
            path: contents.all.path.clone(),
            exists: contents.top.is_some(),
            znodes: contents.all.znodes,
            data_bytes: contents.all.data_bytes,
            ephemerals: contents.ephemerals,
            containers: contents.containers,
            ttls: contents.ttls,
            last_at: contents.last_time_ms.and_then(time),
            subtrees: subtrees.collect(),
            subtree_count: contents.subtree_count,
            largest: contents.largest.iter().map(ZnodeEntry::of).collect(),
            sessions: sessions.collect(),
            session_count: contents.session_count,
            membership: contents.membership.clone(),
            memberships: memberships.collect(),
        }
    }
}

impl ZnodeEntry {
    fn of(znode: &ZnodeContents) -> Self {
        let (session, ttl_ms) = match znode.lifetime {
            ZnodeLifetime::Ephemeral(session) => (Some(session_id(session)), None),
            ZnodeLifetime::Ttl(ms) => (None, Some(ms)),
            ZnodeLifetime::Persistent | ZnodeLifetime::Container => (None, None),
        };
        Self {
            path: znode.path.clone(),
            data_bytes: znode.data_bytes,
            czxid: zxid(znode.czxid),
            mzxid: zxid(znode.mzxid),
            set_at: time(znode.mtime_ms),
            version: znode.version,
            session,
            container: znode.lifetime == ZnodeLifetime::Container,
            ttl_ms,
        }
    }
}

//! What is found in a data directory.

use schemars::JsonSchema;
use serde::Serialize;

use super::damage::Damage;
use super::replay::{DigestDifference, Misfit};

/// What a finding means for the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FileSeverity {
    /// Worth knowing.
    Note,
    /// The files do not show that nothing is missing.
    NotProvable,
    /// Something is damaged or missing.
    Damaged,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFinding {
    /// What it means.
    pub severity: FileSeverity,
    /// In which file, by its name.
    pub file: Option<String>,
    /// Where in the file, in bytes from its beginning.
    pub offset: Option<u64>,
    /// What it is.
    pub kind: FileFindingKind,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFindingKind {
    /// A place is not what a server writes.
    Damaged(Damage),
    /// A file that was listed is gone.
    Vanished,
    /// A file cannot be read.
    Unreadable(String),
    /// A server is writing it.
    Growing,
    /// A server does not read it.
    Foreign,
    /// A server reads it, and no server gave it that name.
    Misnamed {
        /// The zxid that a server reads in it.
        zxid: u64,
    },
    /// A log in `dataDir` or a snapshot in `dataLogDir`, where both are set.
    WrongDirectory,
    /// The first transaction of a log is not that of its name.
    OtherFirst {
        /// The one in the name.
        named: u64,
        /// The first one.
        first: u64,
    },
    /// A log without a transaction.
    NoTransaction,
    /// A log ends inside a record.
    Torn,
    /// The last log ends behind a record, without the zeros that a server writes ahead.
    CutAtRecord,
    /// Transactions are missing.
    Gap {
        /// The last one before them; that of the snapshot where no log reaches back to it.
        after: u64,
        /// The first one behind them.
        next: u64,
        /// Whether a server needs them to load this directory.
        is_needed: bool,
    },
    /// Transactions are there again, the same ones.
    Repeated {
        /// The lowest.
        first: u64,
        /// The highest.
        last: u64,
        /// How many records there are of them.
        count: u64,
    },
    /// A transaction is out of order, or another one has its zxid.
    Backwards {
        /// The one before it.
        after: u64,
        /// The one that comes next.
        next: u64,
    },
    /// Whether transactions are missing at the end of an epoch cannot be seen.
    EpochEnd {
        /// The last one of the older epoch.
        after: u64,
        /// The first one of the newer one.
        next: u64,
    },
    /// There is no snapshot that a server could load.
    NoSnapshot,
    /// There is nothing in the directory.
    Nothing,
    /// The logs end before the snapshot does.
    NotCovered {
        /// The transaction that the snapshot was begun behind.
        begun: u64,
        /// The one that it reaches to.
        needs: u64,
        /// The last one that there is.
        reached: u64,
    },
    /// Nothing tells whether transactions after its name are in a snapshot.
    MaybeFuzzy,
    /// What is in a snapshot is older than its name says: it may be another one under this name.
    OlderThanName {
        /// The zxid in the name.
        named: u64,
        /// The last transaction of which the snapshot has anything.
        holds: u64,
    },
    /// Nothing shows that the tree is what it was on the server.
    NoDigest {
        /// The last transaction, whose digest is not there.
        zxid: u64,
    },
    /// The tree is not what it was on the server.
    OtherTree(DigestDifference),
    /// The same, where paths have letters whose digest depends on the JVM.
    LettersUnclear(DigestDifference),
    /// A snapshot and the log beside it are not of one server.
    OtherLog {
        /// The transaction of which both have the digest.
        zxid: u64,
    },
    /// A transaction that cannot have happened on the tree before it.
    DoesNotApply(Misfit),
    /// A snapshot has a last zxid and no digest: a server that wants a digest takes one for the other.
    NeedsDigestOff,
    /// A znode has an access control list that is not in the snapshot.
    AclMissing,
    /// An epoch file has no number.
    EpochGarbled,
    /// `currentEpoch` is lower than the epoch of the last transaction.
    EpochBehind {
        /// The epoch in the file.
        current: i64,
        /// That of the last transaction.
        needed: u64,
    },
    /// `acceptedEpoch` is lower than `currentEpoch`.
    AcceptedBehind {
        /// The accepted epoch.
        accepted: i64,
        /// The current one.
        current: i64,
    },
    /// `currentEpoch` is higher than the epoch of the last transaction: a log of it may be missing.
    EpochEmpty {
        /// The epoch in the file.
        current: i64,
        /// That of the last transaction.
        last: u64,
    },
    /// There is no log beside the snapshots.
    NoLogs,
    /// When an archive was packed, its files could not be proven.
    PackedUnproven,
    /// A field is longer than a server takes by default.
    LongField {
        /// Its length.
        length: u64,
    },
}

impl FileFinding {
    pub(super) fn new(severity: FileSeverity, file: Option<&str>, kind: FileFindingKind) -> Self {
        Self { severity, file: file.map(str::to_owned), offset: None, kind }
    }

    pub(super) fn at(self, offset: u64) -> Self {
        Self { offset: Some(offset), ..self }
    }
}

//! The data directory of a server that is left.

use std::collections::BTreeSet;

use crate::model::{EnsembleConfig, ServerId};
use crate::snapshot::{
    ArchivePart, ContentsWish, DataContents, DataFiles, DataListing, DataVerdict, FileFinding,
    FileFindingKind, Verification, chosen, inspect, parts,
};

/// How far a server's data go, in the order in which servers elect each other
/// (`FastLeaderElection.totalOrderPredicate`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct History {
    /// The epoch of the leader that it has followed last, or in which it has led: `currentEpoch`, or the
    /// epoch of its last transaction where there is no such file (`QuorumPeer.loadDataBase`).
    pub epoch: u64,
    /// Its last transaction.
    pub zxid: u64,
}

/// A data directory, and the server that used it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// The server, as the operator says.
    pub id: ServerId,
    /// The id in `myid`, where there is one.
    pub my_id: Option<ServerId>,
    /// The directories, for people.
    pub paths: Vec<String>,
    /// What the files are worth.
    pub verdict: DataVerdict,
    /// The gravest finding in the files.
    pub finding: Option<FileFinding>,
    /// Whether a server was writing the files.
    pub is_written: bool,
    /// How far the data go; `None` where there is no transaction and no snapshot.
    pub history: Option<History>,
    /// When its last transaction was, in milliseconds since 1970, where a log tells.
    pub last_time_ms: Option<i64>,
    /// The highest epoch in the files: accepted, current, or that of a transaction.
    pub highest_epoch: u64,
    /// The epoch that the server has accepted last.
    pub accepted_epoch: Option<u64>,
    /// The configuration in its data.
    pub config: Option<EnsembleConfig>,
    /// Damaged snapshots without which the rest is no longer damaged.
    pub left_out: BTreeSet<String>,
    /// The newest snapshot and the logs that make it whole.
    pub parts: Vec<ArchivePart>,
}

impl Survivor {
    /// Reads the files of a directory. A snapshot that is damaged is left out where an older one and the
    /// logs behind it are whole.
    pub fn read(
        (id, my_id): (ServerId, Option<ServerId>),
        paths: Vec<String>,
        listing: &DataListing,
        files: &impl DataFiles,
    ) -> Self {
        let wish = ContentsWish { path: "/zookeeper".to_owned(), depth: 0, most: 0 };
        let all = inspect(listing, files, &wish);
        let left_out = damaged_snapshots(&all.verification);
        let needed = chosen(listing, files, 1, &left_out);
        let (contents, left_out) = match &needed {
            Some(needed) if all.verification.verdict == DataVerdict::Damaged => {
                let rest = inspect(needed, files, &wish);
                let is_better = rest.verification.verdict != DataVerdict::Damaged
                    && rest.verification.last_zxid >= all.verification.last_zxid;
                if is_better { (rest, left_out) } else { (all, BTreeSet::new()) }
            }
            _ => (all, BTreeSet::new()),
        };
        let is_needed = |part: &ArchivePart| {
            needed.as_ref().is_some_and(|needed| needed.files.contains(&part.file))
        };
        let parts = parts(&contents.verification).into_iter().filter(is_needed).collect();
        Self { left_out, parts, ..Self::of((id, my_id), paths, listing, &contents) }
    }

    /// What a directory with these contents says.
    fn of(
        (id, my_id): (ServerId, Option<ServerId>),
        paths: Vec<String>,
        listing: &DataListing,
        contents: &DataContents,
    ) -> Self {
        let seen = &contents.verification;
        let epoch =
            |text: &Option<String>| text.as_deref().and_then(|text| text.trim().parse().ok());
        let current: Option<u64> = epoch(&listing.current_epoch);
        let accepted: Option<u64> = epoch(&listing.accepted_epoch);
        let of_zxid = seen.last_zxid.unwrap_or_default() >> 32;
        let history =
            seen.last_zxid.map(|zxid| History { epoch: current.unwrap_or(of_zxid), zxid });
        let is_growing = |finding: &FileFinding| finding.kind == FileFindingKind::Growing;
        let config = contents.membership.as_deref();
        let logged = contents.memberships.last().map(|logged| logged.text.as_str());
        let config = config.or(logged).and_then(|text| EnsembleConfig::parse(text).ok());
        let epochs = [current, accepted].map(Option::unwrap_or_default);
        Self {
            id,
            my_id,
            paths,
            verdict: seen.verdict,
            finding: seen.findings.first().cloned(),
            is_written: seen.findings.iter().any(is_growing),
            history,
            last_time_ms: contents.last_time_ms,
            highest_epoch: epochs.into_iter().fold(of_zxid, u64::max),
            accepted_epoch: accepted,
            config,
            left_out: BTreeSet::new(),
            parts: Vec::new(),
        }
    }

    /// Whether a new ensemble can begin with its data.
    pub fn is_usable(&self) -> bool {
        self.verdict != DataVerdict::Damaged && self.history.is_some()
    }
}

fn damaged_snapshots(seen: &Verification) -> BTreeSet<String> {
    let damaged = seen.snapshots.iter().filter(|snapshot| snapshot.state.whole().is_none());
    damaged.map(|snapshot| snapshot.file.name.clone()).collect()
}

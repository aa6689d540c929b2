//! The transactions behind a snapshot, applied to it, with the digest of each.

use std::collections::BTreeSet;

use super::damage::ReadFailure;
use super::files::{DataFiles, ListedFile};
use super::log_file::LogReader;
use super::snapshot_file::SnapshotFacts;
use super::transaction::{Operation, Transaction};
use super::tree::Tree;

/// A reconfiguration in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedMembership {
    /// Its zxid, which is the version of the membership.
    pub zxid: u64,
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
    /// The text of the membership.
    pub text: String,
}

/// A digest that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestDifference {
    /// Behind which transaction.
    pub zxid: u64,
    /// In which file the digest stands.
    pub file: String,
    /// Where in it; `None` where it is that of a snapshot.
    pub offset: Option<u64>,
    /// The digest in the file.
    pub stored: u64,
    /// The digest of the tree.
    pub computed: u64,
}

/// A transaction that cannot have happened on that tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Which one.
    pub zxid: u64,
    /// In which file.
    pub file: String,
    /// Where in it.
    pub offset: u64,
}

/// How far a snapshot reaches by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) zxid: u64,
    /// The last transaction of which something is in the snapshot, as far as it shows.
    pub(super) reaches: u64,
}

impl Base {
    /// Of a snapshot with that name. A server changes a znode before it counts the transaction: the
    /// newest znode can be newer than the digest that the snapshot ends with.
    pub(super) fn of(zxid: u64, facts: &SnapshotFacts) -> Self {
        let stored = facts.stored_digest.map_or(0, |stored| stored.zxid);
        Self { zxid, reaches: zxid.max(stored).max(facts.newest) }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Replayed {
    /// The last transaction that was applied.
    pub(super) last: Option<u64>,
    /// The last transaction whose digest is that of the tree.
    pub(super) proven: Option<u64>,
    /// The first digest that differs, and behind which none is right.
    pub(super) difference: Option<DigestDifference>,
    /// The first transaction that does not apply.
    pub(super) misfit: Option<Misfit>,
    /// How many transactions were applied.
    pub(super) transactions: u64,
    /// The transactions whose digests are right although an end of another log stands before them.
    pub(super) proven_of: BTreeSet<u64>,
    /// The last reconfigurations.
    pub(super) memberships: Vec<LoggedMembership>,
}

/// Memberships that are kept.
const MOST_MEMBERSHIPS: usize = 1000;

/// Carries out a replay.
pub(super) struct Replay<'a> {
    base: Base,
    /// How far the logs were read before: what a server has written since is left out.
    until: u64,
    /// Transactions whose digests are asked for.
    asked: &'a BTreeSet<u64>,
    /// The highest that was applied. What is in the logs a second time is applied a second time, as by a server.
    highest: u64,
    /// In which log it stands.
    highest_in: String,
    /// Its digest, and where it stands there.
    of_highest: Option<(u64, u64)>,
    done: Replayed,
}

impl<'a> Replay<'a> {
    pub(super) fn new(base: Base, until: u64, asked: &'a BTreeSet<u64>) -> Self {
        let (highest, highest_in, of_highest) = (base.zxid, String::new(), None);
        Self { base, until, asked, highest, highest_in, of_highest, done: Replayed::default() }
    }

    /// Applies what a log has.
    pub(super) fn log(
        &mut self,
        tree: &mut Tree,
        file: &ListedFile,
        files: &impl DataFiles,
    ) -> Result<(), ReadFailure> {
        let mut reader = LogReader::new(files.open(file).map_err(ReadFailure::Io)?)?;
        while let Some(record) = reader.next()? {
            let zxid = record.transaction.header.zxid;
            if zxid > self.until {
                break;
            }
            if zxid > self.base.zxid {
                self.record(tree, &record.transaction, (file, record.offset));
            }
        }
        Ok(())
    }

    fn record(
        &mut self,
        tree: &mut Tree,
        transaction: &Transaction<'_>,
        (file, offset): (&ListedFile, u64),
    ) {
        let zxid = transaction.header.zxid;
        let applied = tree.apply(transaction);
        self.done.last = Some(zxid);
        self.done.transactions += 1;
        self.membership(transaction);
        // Until a digest is right, transactions may find their own traces in the snapshot.
        let is_misfit = applied.is_err() && self.done.proven.is_some() && zxid > self.highest;
        if is_misfit && self.done.misfit.is_none() {
            self.done.misfit = Some(Misfit { zxid, file: file.name.clone(), offset });
        }
        if zxid < self.highest {
            // The tree has parts of what comes behind it, too.
            return;
        }
        if self.highest_in != file.name {
            self.highest_in.clone_from(&file.name);
        }
        self.highest = zxid;
        self.of_highest = transaction.digest.map(|stored| (stored, offset));
        let Some(stored) = transaction.digest.filter(|_| zxid >= self.base.reaches) else { return };
        let computed = tree.digest();
        if stored == computed {
            // The tree is what it was on the server, whatever came before.
            self.done.proven = Some(zxid);
            self.done.difference = None;
            if self.asked.contains(&zxid) {
                self.done.proven_of.insert(zxid);
            }
        } else if self.done.difference.is_none() {
            let (file, offset) = (file.name.clone(), Some(offset));
            self.done.difference = Some(DigestDifference { zxid, file, offset, stored, computed });
        }
    }

    fn membership(&mut self, transaction: &Transaction<'_>) {
        if let Operation::SetData { data: Some(data), is_reconfig: true, .. } =
            transaction.operation
        {
            if self.done.memberships.len() == MOST_MEMBERSHIPS {
                self.done.memberships.remove(0);
            }
            self.done.memberships.push(LoggedMembership {
                zxid: transaction.header.zxid,
                time_ms: transaction.header.time_ms,
                text: String::from_utf8_lossy(data).into_owned(),
            });
        }
    }

    /// What came of it. Where the logs end with the beginning of what they have already, the tree can have
    /// older data than it had behind the highest transaction.
    pub(super) fn end(mut self, tree: &Tree) -> Replayed {
        let zxid = self.highest;
        if self.done.last.is_some_and(|last| last < zxid) {
            self.done.last = Some(zxid);
            self.done.proven = None;
            self.done.difference = self.of_highest.and_then(|(stored, offset)| {
                let (file, offset, computed) = (self.highest_in, Some(offset), tree.digest());
                let other = DigestDifference { zxid, file, offset, stored, computed };
                (stored != computed).then_some(other)
            });
            if self.of_highest.is_some() && self.done.difference.is_none() {
                self.done.proven = Some(zxid);
            }
        }
        self.done
    }
}

//! The tree as a server has it behind a snapshot and the transactions after it (`DataTree.processTxn`).
//!
//! Data are not kept: their length and their part of the digest are. Of znodes that no transaction can change,
//! only the digest is.

use std::collections::{BTreeSet, HashMap};

use indexmap::IndexMap;

use super::digest::{TreeDigest, ZnodeStat, of_content, of_znode};
use super::snapshot_file::{CONFIG, ZnodeRecord};
use super::transaction::{CreatedAs, Operation, Transaction, TransactionHeader};

/// `EphemeralType.CONTAINER_EPHEMERAL_OWNER`.
const CONTAINER: i64 = i64::MIN;
/// The highest byte of the owner of a TTL znode (`EphemeralType.EXTENDED_MASK`).
const TTL: i64 = 0xff << 56;

/// How long a znode lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZnodeLifetime {
    /// Until it is deleted.
    Persistent,
    /// Until this session ends.
    Ephemeral(i64),
    /// Until its last child is gone.
    Container,
    /// Until this many milliseconds after its last change, where it has no children.
    Ttl(i64),
}

impl ZnodeLifetime {
    /// What the owner of a znode says. A session of server 255 looks like a TTL znode; no server may
    /// have that id where TTL znodes are switched on.
    pub(super) fn of(owner: i64) -> Self {
        match owner {
            0 => Self::Persistent,
            CONTAINER => Self::Container,
            _ if owner & TTL == TTL => Self::Ttl(owner & 0xff_ffff_ffff),
            _ => Self::Ephemeral(owner),
        }
    }
}

/// A znode without its data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Znode {
    content: u32,
    /// Its part of the tree digest.
    digest: u32,
    pub(super) data_length: u32,
    pub(super) stat: ZnodeStat,
}

impl Znode {
    /// A znode of a snapshot.
    pub(super) fn of(record: &ZnodeRecord<'_>) -> Self {
        let ZnodeRecord { content, digest, stat, .. } = *record;
        Self { content, digest, data_length: record.data_length.unwrap_or_default(), stat }
    }

    /// Whether both have the same data, as far as length and CRC-32 tell. The paths have to be the same.
    pub(super) fn has_data_of(&self, other: &Self) -> bool {
        (self.content, self.data_length) == (other.content, other.data_length)
    }
}

/// A transaction that finds no znode to change, or one in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DoesNotApply;

/// Znodes and sessions.
#[derive(Debug, Default)]
pub(super) struct Tree {
    znodes: IndexMap<Box<[u8]>, Znode>,
    sessions: HashMap<i64, i32>,
    ephemerals: HashMap<i64, BTreeSet<Box<[u8]>>>,
    digest: TreeDigest,
    /// How many znodes have a path that is not plain ASCII.
    other_letters: u64,
    membership: Vec<u8>,
}

impl Tree {
    /// Takes in a session of a snapshot.
    pub(super) fn session(&mut self, id: i64, timeout_ms: i32) {
        self.sessions.insert(id, timeout_ms);
    }

    /// Takes in a znode of a snapshot.
    pub(super) fn take_in(&mut self, record: &ZnodeRecord<'_>) {
        self.note_membership(record);
        self.put(record.path, Znode::of(record));
    }

    /// Counts a znode of a snapshot that no transaction changes, and does not keep it.
    pub(super) fn count_in(&mut self, record: &ZnodeRecord<'_>) {
        self.note_membership(record);
        self.digest.add(record.digest.into());
    }

    fn note_membership(&mut self, record: &ZnodeRecord<'_>) {
        if let Some(membership) = record.membership {
            self.membership = membership.to_vec();
        }
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest.value()
    }

    /// How many of the znodes that were kept have a path that is not plain ASCII.
    pub(super) fn other_letters(&self) -> u64 {
        self.other_letters
    }

    /// The znodes that were kept.
    pub(super) fn znodes(&self) -> impl Iterator<Item = (&[u8], &Znode)> {
        self.znodes.iter().map(|(path, znode)| (&**path, znode))
    }

    /// Open sessions with their timeouts in milliseconds.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (i64, i32)> {
        self.sessions.iter().map(|(id, timeout)| (*id, *timeout))
    }

    /// The text of `/zookeeper/config`.
    pub(super) fn membership(&self) -> &[u8] {
        &self.membership
    }

    /// Applies a transaction as a server does while it loads. Parts of it stay applied where another
    /// part does not apply.
    pub(super) fn apply(&mut self, transaction: &Transaction<'_>) -> Result<(), DoesNotApply> {
        self.carry_out(&transaction.operation, &transaction.header)
    }

    fn carry_out(
        &mut self,
        operation: &Operation<'_>,
        header: &TransactionHeader,
    ) -> Result<(), DoesNotApply> {
        match operation {
            Operation::Create { .. } => self.create(operation, header),
            Operation::Delete { path } => self.delete(path, header.zxid),
            Operation::SetData { path, data, version, .. } => {
                if *path == CONFIG {
                    self.membership = data.unwrap_or_default().to_vec();
                }
                let path = node_path(path);
                let content = of_content(path, *data);
                self.change(path, |znode| {
                    znode.content = content;
                    znode.data_length = length(*data);
                    znode.stat.mtime = header.time_ms;
                    znode.stat.mzxid = header.zxid;
                    znode.stat.version = *version;
                })
            }
            Operation::SetAcl { path, version } => {
                self.change(node_path(path), |znode| znode.stat.aversion = *version)
            }
            Operation::CreateSession { timeout_ms } => {
                self.sessions.insert(header.session, *timeout_ms);
                Ok(())
            }
            Operation::CloseSession { paths } => {
                self.close_session(header, paths);
                Ok(())
            }
            Operation::Nothing => Ok(()),
            Operation::Multi(parts) => {
                let mut all = Ok(());
                // Each of them is tried, as by a server.
                for part in parts {
                    all = self.carry_out(part, header).and(all);
                }
                all
            }
        }
    }

    fn create(
        &mut self,
        operation: &Operation<'_>,
        header: &TransactionHeader,
    ) -> Result<(), DoesNotApply> {
        let Operation::Create { path, data, kind, parent_cversion, counts_anyway } = operation
        else {
            return Err(DoesNotApply);
        };
        let TransactionHeader { zxid, time_ms, session, .. } = *header;
        let parent = parent_of(path);
        let count = |znode: &mut Znode| {
            let next = znode.stat.cversion.wrapping_add(1);
            let cversion = if *parent_cversion == -1 { next } else { *parent_cversion };
            if cversion > znode.stat.cversion {
                znode.stat.cversion = cversion;
                znode.stat.pzxid = zxid;
            }
        };
        if self.znodes.contains_key(node_path(path)) {
            if *counts_anyway {
                self.change(parent, count)?;
            }
            return Err(DoesNotApply);
        }
        self.change(parent, count)?;
        let owner = match kind {
            CreatedAs::Persistent => 0,
            CreatedAs::Ephemeral => session,
            CreatedAs::Container => CONTAINER,
            CreatedAs::Ttl(ttl) => TTL | ttl,
        };
        let stat = ZnodeStat {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time_ms,
            mtime: time_ms,
            owner,
            ..ZnodeStat::default()
        };
        if *path == CONFIG {
            self.membership = data.unwrap_or_default().to_vec();
        }
        let (content, data_length) = (of_content(path, *data), length(*data));
        let digest = of_znode(path, content, &stat);
        self.put(path, Znode { content, digest, data_length, stat });
        Ok(())
    }

    fn delete(&mut self, path: &[u8], zxid: u64) -> Result<(), DoesNotApply> {
        self.change(parent_of(path), |parent| {
            parent.stat.pzxid = parent.stat.pzxid.max(zxid);
        })?;
        let Some(gone) = self.znodes.swap_remove(path) else { return Err(DoesNotApply) };
        self.digest.remove(gone.digest.into());
        self.other_letters -= u64::from(!path.is_ascii());
        if let Some(of_session) = self.ephemerals.get_mut(&gone.stat.owner) {
            of_session.remove(path);
        }
        Ok(())
    }

    /// Znodes that are gone already are no matter there.
    fn close_session(&mut self, header: &TransactionHeader, paths: &[&[u8]]) {
        self.sessions.remove(&header.session);
        let left = self.ephemerals.remove(&header.session).unwrap_or_default();
        for path in paths {
            self.delete(path, header.zxid).ok();
        }
        for path in left.iter().filter(|path| !paths.contains(&&***path)) {
            self.delete(path, header.zxid).ok();
        }
    }

    fn put(&mut self, path: &[u8], znode: Znode) {
        self.digest.add(znode.digest.into());
        self.other_letters += u64::from(!path.is_ascii());
        if let ZnodeLifetime::Ephemeral(session) = ZnodeLifetime::of(znode.stat.owner) {
            self.ephemerals.entry(session).or_default().insert(path.into());
        }
        self.znodes.insert(path.into(), znode);
    }

    fn change(&mut self, path: &[u8], how: impl FnOnce(&mut Znode)) -> Result<(), DoesNotApply> {
        let Some(znode) = self.znodes.get_mut(path) else { return Err(DoesNotApply) };
        self.digest.remove(znode.digest.into());
        how(znode);
        znode.digest = of_znode(path, znode.content, &znode.stat);
        self.digest.add(znode.digest.into());
        Ok(())
    }
}

/// The root is `/` in a request and empty in a snapshot.
pub(super) fn node_path(path: &[u8]) -> &[u8] {
    if path == b"/" { b"" } else { path }
}

/// The path of the parent; that of the root is empty.
pub(super) fn parent_of(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    &path[..slash.unwrap_or_default()]
}

fn length(data: Option<&[u8]>) -> u32 {
    data.map_or(0, |data| u32::try_from(data.len()).unwrap_or(u32::MAX))
}

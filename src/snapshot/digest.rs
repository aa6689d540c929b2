//! The tree digest (`DigestCalculator`, version 2): the sum of one CRC-32 for each znode.

use crc32fast::Hasher;

use super::damage::ReadFailure;
use super::fields::Fields;

/// The version of the digest that 3.6 to 3.9 write.
pub(super) const DIGEST_VERSION: i32 = 2;

/// What is below it is in no digest; it itself is.
const OWN: &[u8] = b"/zookeeper/";

/// What a server keeps of a znode beside its data (`StatPersisted`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ZnodeStat {
    /// The transaction that created it.
    pub(super) czxid: u64,
    /// The transaction that set its data last.
    pub(super) mzxid: u64,
    /// When it was created, in milliseconds since 1970.
    pub(super) ctime: i64,
    /// When its data were set last.
    pub(super) mtime: i64,
    /// How often its data were set.
    pub(super) version: i32,
    /// How often its children changed.
    pub(super) cversion: i32,
    /// How often its access control list was set.
    pub(super) aversion: i32,
    /// The session that it ends with, or the mark of a container or a TTL; 0 of a persistent znode.
    pub(super) owner: i64,
    /// The transaction that changed its children last.
    pub(super) pzxid: u64,
}

impl ZnodeStat {
    /// The bytes of a stat in a snapshot.
    pub(super) const LENGTH: usize = 60;

    /// Reads what stands in a snapshot.
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, ReadFailure> {
        Ok(Self {
            czxid: fields.unsigned("czxid")?,
            mzxid: fields.unsigned("mzxid")?,
            ctime: fields.long("ctime")?,
            mtime: fields.long("mtime")?,
            version: fields.int("version")?,
            cversion: fields.int("cversion")?,
            aversion: fields.int("aversion")?,
            owner: fields.long("ephemeralOwner")?,
            pzxid: fields.unsigned("pzxid")?,
        })
    }

    /// The newest transaction of which it knows.
    pub(super) fn newest(&self) -> u64 {
        self.czxid.max(self.mzxid).max(self.pzxid)
    }
}

/// The sum of the digests of znodes. Znodes can be taken out of it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TreeDigest(u64);

impl TreeDigest {
    pub(super) fn add(&mut self, znode: u64) {
        self.0 = self.0.wrapping_add(znode);
    }

    pub(super) fn remove(&mut self, znode: u64) {
        self.0 = self.0.wrapping_sub(znode);
    }

    pub(super) fn value(self) -> u64 {
        self.0
    }
}

/// The part of a znode's digest that changes with its data only: that over path and data.
pub(super) fn of_content(path: &[u8], data: Option<&[u8]>) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(path);
    hasher.update(data.unwrap_or_default());
    hasher.finalize()
}

/// The digest of a znode, from that of its path and data. The order is the digest's own: pzxid comes
/// third here, and last on disk.
pub(super) fn of_znode(path: &[u8], content: u32, stat: &ZnodeStat) -> u32 {
    if path.starts_with(OWN) {
        return 0;
    }
    let mut bytes = [0; ZnodeStat::LENGTH];
    let longs = [stat.czxid, stat.mzxid, stat.pzxid].map(u64::to_be_bytes);
    let times = [stat.ctime, stat.mtime].map(i64::to_be_bytes);
    let versions = [stat.version, stat.cversion, stat.aversion].map(i32::to_be_bytes);
    bytes[..24].copy_from_slice(longs.as_flattened());
    bytes[24..40].copy_from_slice(times.as_flattened());
    bytes[40..52].copy_from_slice(versions.as_flattened());
    bytes[52..].copy_from_slice(&stat.owner.to_be_bytes());
    let mut hasher = Hasher::new_with_initial(content);
    hasher.update(&bytes);
    hasher.finalize()
}

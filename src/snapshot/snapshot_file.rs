//! One snapshot, read from its first byte to its last seal (`FileSnap`, `DataTree.serialize`).

use std::collections::HashSet;
use std::io::Read;

use super::compression::{Compression, opened};
use super::damage::{Damage, DamageKind, ReadFailure, shown};
use super::digest::{DIGEST_VERSION, TreeDigest, ZnodeStat, of_znode};
use super::fields::Fields;
use super::source::{Source, wide};

/// `ZKSN` and the version of the format.
const MAGIC: i32 = 0x5a4b_534e;
const VERSION: i32 = 2;
/// The database id of every snapshot (`FileSnap.dbId`).
const DATABASE: i64 = -1;

/// A path is shorter than a request, and requests of this size are sent nowhere.
const LONGEST_PATH: u32 = 4 * 1024 * 1024;
/// What is kept of a scheme or an id in an access control list while it is passed over.
const LONGEST_TEXT: u32 = 4 * 1024 * 1024;
/// A length in the format is an int.
const LONGEST_DATA: u32 = i32::MAX.unsigned_abs();

/// The znode with the membership. Its data are the only ones that are kept.
pub(super) const CONFIG: &[u8] = b"/zookeeper/config";
/// What a membership may be long.
const LONGEST_CONFIG: usize = 1024 * 1024;

/// Access control list of a znode that is open to everyone (`ReferenceCountedACLCache`).
const OPEN: i64 = -1;

/// The longest part behind the first seal: a digest in the old spelling, and the last zxid.
const LONGEST_REST: usize = 128;
const SEAL: usize = 13;

/// A znode in a snapshot.
#[derive(Debug)]
pub(super) struct ZnodeRecord<'a> {
    pub(super) path: &'a [u8],
    /// How long its data are; `None` where it has none.
    pub(super) data_length: Option<u32>,
    /// The CRC-32 of its path and data.
    pub(super) content: u32,
    /// Its part of the tree digest.
    pub(super) digest: u32,
    pub(super) stat: ZnodeStat,
    /// Its data, where it is the znode with the membership.
    pub(super) membership: Option<&'a [u8]>,
}

/// What wants to know of sessions and znodes while a snapshot is read.
pub(super) trait SnapshotSink {
    fn session(&mut self, id: i64, timeout_ms: i32);
    /// Gets a znode behind its parent.
    fn znode(&mut self, znode: &ZnodeRecord<'_>);
}

/// A tree digest in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredDigest {
    /// The last transaction in the tree when the digest was taken; 0 where the server knew of none.
    pub zxid: u64,
    /// The version of the digest.
    pub version: i32,
    /// The digest.
    pub value: u64,
}

/// What a whole snapshot says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SnapshotFacts {
    /// Open sessions.
    pub sessions: u64,
    /// Access control lists that are not the open one.
    pub acls: u64,
    /// Znodes, the root included.
    pub znodes: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
    /// The tree digest of what is in the file.
    pub digest: u64,
    /// How many znodes have a path that is not plain ASCII: what their digest is depends on the
    /// settings of the JVM that wrote it.
    pub other_letters: u64,
    /// The newest transaction that a znode knows of.
    pub newest: u64,
    /// Where the first znode stands whose access control list is not in the file.
    pub without_acl: Option<u64>,
    /// The longest field, in bytes: a server with a smaller `jute.maxbuffer` cannot load it.
    pub longest_field: u64,
    /// How many seals it has: 1 in 3.5, 2 from 3.6 on, 3 from 3.9 on.
    pub seals: u8,
    /// The digest that the server wrote behind the first seal.
    pub stored_digest: Option<StoredDigest>,
    /// The last zxid that the server wrote behind all else.
    pub last_zxid: Option<u64>,
    /// How long it is, unpacked.
    pub length: u64,
}

/// Reads a snapshot to its end.
pub(super) fn read_snapshot(
    file: impl Read,
    compression: Compression,
    sink: &mut impl SnapshotSink,
) -> Result<SnapshotFacts, ReadFailure> {
    let mut reading = Reading {
        source: Source::new(opened(file, compression)),
        facts: SnapshotFacts::default(),
        digest: TreeDigest::default(),
        acls: HashSet::new(),
    };
    let header = reading.header()?;
    reading.sessions(sink)?;
    reading.acls()?;
    reading.znodes(sink)?;
    reading.seal()?;
    reading.trailers()?;
    reading.facts.digest = reading.digest.value();
    reading.facts.length = reading.source.offset();
    header.map_or(Ok(reading.facts), |damage| Err(ReadFailure::Damaged(damage)))
}

struct Reading<R> {
    source: Source<R>,
    facts: SnapshotFacts,
    digest: TreeDigest,
    acls: HashSet<i64>,
}

impl<R: Read> Reading<R> {
    /// Reads the header. A server does not look at the version and the database id: what is wrong with
    /// them is no reason to stop.
    fn header(&mut self) -> Result<Option<Damage>, ReadFailure> {
        let magic = self.source.int("magic")?;
        if magic != MAGIC {
            let kind = DamageKind::Value { value: magic.into() };
            return Err(ReadFailure::new(0, "magic", kind));
        }
        let version = self.source.int("version")?.into();
        let database = self.source.long("dbid")?;
        let is_other = |offset, field: &str, found: i64, wanted: i64| {
            let kind = DamageKind::Value { value: found };
            (found != wanted).then(|| Damage { offset, field: field.to_owned(), kind })
        };
        let version = is_other(4, "version", version, VERSION.into());
        Ok(version.or_else(|| is_other(8, "dbid", database, DATABASE)))
    }

    fn sessions(&mut self, sink: &mut impl SnapshotSink) -> Result<(), ReadFailure> {
        let count = self.source.length("session count", LONGEST_DATA)?;
        for _ in 0..count {
            let id = self.source.long("session id")?;
            sink.session(id, self.source.int("session timeout")?);
        }
        self.facts.sessions = count.into();
        Ok(())
    }

    fn acls(&mut self) -> Result<(), ReadFailure> {
        let count = self.source.length("ACL count", LONGEST_DATA)?;
        for _ in 0..count {
            let key = self.source.long("ACL key")?;
            let entries = self.source.length("ACL entry count", LONGEST_DATA)?;
            for _ in 0..entries {
                self.source.int("ACL permissions")?;
                for field in ["ACL scheme", "ACL id"] {
                    let length = self.source.length(field, LONGEST_TEXT)?;
                    self.source.pieces(length, field, |_| {})?;
                }
            }
            self.acls.insert(key);
        }
        self.facts.acls = count.into();
        Ok(())
    }

    fn znodes(&mut self, sink: &mut impl SnapshotSink) -> Result<(), ReadFailure> {
        let (mut path, mut last, mut membership) = (Vec::new(), None::<Vec<u8>>, Vec::new());
        loop {
            let offset = self.source.offset();
            path.clear();
            let length = self.source.length("path", LONGEST_PATH)?;
            self.source.pieces(length, "path", |piece| path.extend_from_slice(piece))?;
            let is_end = path == b"/";
            let is_placed = match &last {
                None => !is_end && path.is_empty(),
                Some(last) => is_end || is_behind(last, &path),
            };
            if !is_placed {
                let kind = DamageKind::Path { path: shown(&path) };
                return Err(ReadFailure::new(offset, "path", kind));
            }
            if is_end {
                return Ok(());
            }
            membership.clear();
            sink.znode(&self.znode(&path, &mut membership)?);
            std::mem::swap(last.get_or_insert_default(), &mut path);
        }
    }

    /// The fields of a znode behind its path.
    fn znode<'a>(
        &mut self,
        path: &'a [u8],
        membership: &'a mut Vec<u8>,
    ) -> Result<ZnodeRecord<'a>, ReadFailure> {
        let offset = self.source.offset();
        let length = self.source.int("data")?;
        let mut content = crc32fast::Hasher::new();
        content.update(path);
        let is_config = path == CONFIG;
        let data_length = if length == -1 {
            None
        } else {
            let Ok(length) = u32::try_from(length) else {
                let kind = DamageKind::Length { length: length.into() };
                return Err(ReadFailure::new(offset, "data", kind));
            };
            self.source.pieces(length, "data", |piece| {
                content.update(piece);
                if is_config && membership.len() + piece.len() <= LONGEST_CONFIG {
                    membership.extend_from_slice(piece);
                }
            })?;
            Some(length)
        };
        let content = content.finalize();
        let at = self.source.offset();
        let acl = self.source.long("ACL key")?;
        let bytes = self.source.bytes::<{ ZnodeStat::LENGTH }>("stat")?;
        let stat = ZnodeStat::read(&mut Fields::new(&bytes, at + 8))?;
        if acl != OPEN && !self.acls.contains(&acl) {
            self.facts.without_acl.get_or_insert(at);
        }
        let digest = of_znode(path, content, &stat);
        self.digest.add(digest.into());
        let facts = &mut self.facts;
        facts.znodes += 1;
        facts.data_bytes += u64::from(data_length.unwrap_or_default());
        facts.other_letters += u64::from(!path.is_ascii());
        facts.newest = facts.newest.max(stat.newest());
        facts.longest_field =
            facts.longest_field.max(wide(path.len())).max(data_length.unwrap_or_default().into());
        let membership = is_config.then_some(membership.as_slice());
        Ok(ZnodeRecord { path, data_length, content, digest, stat, membership })
    }

    /// A checksum over all bytes before it, and the path `/`.
    fn seal(&mut self) -> Result<(), ReadFailure> {
        let computed = self.source.checksum();
        let offset = self.source.offset();
        let seal = format!("seal {}", self.facts.seals + 1);
        let stored = self.source.long(&seal)?.cast_unsigned();
        if stored != computed {
            let kind = DamageKind::Checksum { stored, computed };
            return Err(ReadFailure::new(offset, &seal, kind));
        }
        let offset = self.source.offset();
        let mark = self.source.bytes::<5>(&seal)?;
        if mark != [0, 0, 0, 1, b'/'] {
            let kind = DamageKind::Path { path: shown(&mark[4..]) };
            return Err(ReadFailure::new(offset, &seal, kind));
        }
        self.facts.seals += 1;
        Ok(())
    }

    /// What stands behind the first seal. What it is, its length says: each part is optional.
    fn trailers(&mut self) -> Result<(), ReadFailure> {
        const LAST_ZXID: usize = 8 + SEAL;
        let offset = self.source.offset();
        let rest = self.source.ahead(LONGEST_REST)?;
        let length = rest.len();
        // A digest of before version 2 is a text in hex.
        let of_digest = match Fields::new(rest, offset) {
            mut rest if length > LAST_ZXID => {
                rest.long("digest zxid")?;
                if rest.int("digest version")? < DIGEST_VERSION {
                    let text = usize::try_from(rest.int("digest")?).unwrap_or(LONGEST_REST);
                    16 + text.min(LONGEST_REST) + SEAL
                } else {
                    20 + SEAL
                }
            }
            _ => 0,
        };
        let (has_digest, has_last) = match length {
            0 => return Ok(()),
            LAST_ZXID => (false, true),
            _ if length == of_digest => (true, false),
            _ if length == of_digest + LAST_ZXID => (true, true),
            _ if length > of_digest.max(SEAL) + LAST_ZXID => {
                return Err(ReadFailure::new(offset, "trailer", DamageKind::Surplus));
            }
            _ => return Err(ReadFailure::new(offset, "trailer", DamageKind::Truncated)),
        };
        if has_digest {
            self.digest_part()?;
            self.seal()?;
        }
        if has_last {
            let last = self.source.long("last zxid")?.cast_unsigned();
            self.facts.last_zxid = Some(last);
            self.seal()?;
        }
        Ok(())
    }

    fn digest_part(&mut self) -> Result<(), ReadFailure> {
        let zxid = self.source.long("digest zxid")?.cast_unsigned();
        let version = self.source.int("digest version")?;
        let value = if version < DIGEST_VERSION {
            let offset = self.source.offset();
            let mut text = Vec::new();
            let length = self.source.length("digest", LONGEST_TEXT)?;
            self.source.pieces(length, "digest", |piece| text.extend_from_slice(piece))?;
            let text = String::from_utf8_lossy(&text);
            u64::from_str_radix(&text, 16).map_err(|_| {
                ReadFailure::new(offset, "digest", DamageKind::Path { path: text.into_owned() })
            })?
        } else {
            self.source.long("digest")?.cast_unsigned()
        };
        self.facts.stored_digest = Some(StoredDigest { zxid, version, value });
        Ok(())
    }
}

/// Whether a znode may stand behind that one: its parent is that one or one above it, for a server
/// writes depth first.
fn is_behind(last: &[u8], path: &[u8]) -> bool {
    let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else { return false };
    let (parent, name) = (&path[..slash], &path[slash + 1..]);
    let is_above = last == parent
        || last.strip_prefix(parent).is_some_and(|below| below.first() == Some(&b'/'));
    // The same path again would be its own neighbour.
    !name.is_empty() && is_above && last != path
}

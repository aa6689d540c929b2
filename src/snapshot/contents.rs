//! What is in a data directory: the tree that a server would have with it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::damage::shown;
use super::files::{DataFiles, DataListing};
use super::replay::LoggedMembership;
use super::tree::{Tree, Znode, ZnodeLifetime};
use super::verify::{Verification, load};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentsWish {
    /// The znode whose subtree is shown; `/` for all.
    pub path: String,
    /// How many levels below it have figures of their own.
    pub depth: usize,
    /// How many entries a list has at most.
    pub most: usize,
}

/// The figures of a subtree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subtree {
    /// The path of its top.
    pub path: String,
    /// How many znodes, its top included.
    pub znodes: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
}

/// An open session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Its id.
    pub id: i64,
    /// Its timeout in milliseconds; `None` where the files have ephemeral znodes of it alone.
    pub timeout_ms: Option<i32>,
    /// Its ephemeral znodes, below the path that was asked for.
    pub ephemerals: u64,
}

/// One znode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZnodeContents {
    /// Its path.
    pub path: String,
    /// Bytes of its data.
    pub data_bytes: u64,
    /// How long it lives.
    pub lifetime: ZnodeLifetime,
    /// The transaction that created it.
    pub czxid: u64,
    /// The transaction that set its data last.
    pub mzxid: u64,
    /// When its data were set last, in milliseconds since 1970.
    pub mtime_ms: i64,
    /// How often its data were set.
    pub version: i32,
}

/// What is in a data directory.
#[derive(Debug)]
pub struct DataContents {
    /// What the files are worth.
    pub verification: Verification,
    /// When the last transaction was, in milliseconds since 1970.
    pub last_time_ms: Option<i64>,
    /// The znode that was asked for; `None` where it does not exist.
    pub top: Option<ZnodeContents>,
    /// All of it.
    pub all: Subtree,
    /// Its parts, the largest first.
    pub subtrees: Vec<Subtree>,
    /// How many parts there are.
    pub subtree_count: usize,
    /// The znodes with most data, the largest first.
    pub largest: Vec<ZnodeContents>,
    /// Open sessions, those with most ephemeral znodes first.
    pub sessions: Vec<OpenSession>,
    /// How many sessions are open.
    pub session_count: usize,
    /// How many ephemeral znodes there are.
    pub ephemerals: u64,
    /// How many containers.
    pub containers: u64,
    /// How many znodes with a time to live.
    pub ttls: u64,
    /// The text of `/zookeeper/config`.
    pub membership: Option<String>,
    /// The reconfigurations in the logs behind the snapshot, oldest first.
    pub memberships: Vec<LoggedMembership>,
}

/// Loads a data directory and counts what is in it. Memory is that of [`super::verify()`], and a path for each
/// subtree that has figures of its own.
pub fn inspect(listing: &DataListing, files: &impl DataFiles, wish: &ContentsWish) -> DataContents {
    let mut counted = Counted::of(wish);
    let loaded = load(listing, files, Some(&mut |path, znode| counted.znode(path, znode)));
    if loaded.tree.is_none() {
        counted = Counted::of(wish);
    }
    let tree = loaded.tree.unwrap_or_default();
    let last_time_ms = loaded.verification.logs.iter().rev().find_map(|log| log.facts.last_time_ms);
    let membership = tree.membership();
    let membership =
        (!membership.is_empty()).then(|| String::from_utf8_lossy(membership).into_owned());
    let mut sessions = counted.sessions(&tree);
    let session_count = tree.sessions().count();
    sessions.truncate(wish.most);
    let Counted { top, all, subtrees, largest, ephemerals, containers, ttls, .. } = counted;
    let mut parts: Vec<Subtree> = subtrees
        .into_iter()
        .map(|(path, (znodes, data_bytes))| Subtree { path: shown(&path), znodes, data_bytes })
        .collect();
    parts.sort_by(|a, b| (b.data_bytes, b.znodes, &a.path).cmp(&(a.data_bytes, a.znodes, &b.path)));
    let subtree_count = parts.len();
    parts.truncate(wish.most);
    DataContents {
        verification: loaded.verification,
        last_time_ms,
        top,
        all,
        subtrees: parts,
        subtree_count,
        largest: largest.into_values().rev().collect(),
        sessions,
        session_count,
        ephemerals: ephemerals.values().sum(),
        containers,
        ttls,
        membership,
        memberships: loaded.replayed.memberships,
    }
}

/// Bytes of data; of as many, the path that comes first counts for more.
type ByData = (u32, Reverse<Box<[u8]>>);

struct Counted<'a> {
    wish: &'a ContentsWish,
    top: Option<ZnodeContents>,
    all: Subtree,
    subtrees: HashMap<Box<[u8]>, (u64, u64)>,
    largest: BTreeMap<ByData, ZnodeContents>,
    ephemerals: HashMap<i64, u64>,
    containers: u64,
    ttls: u64,
}

impl<'a> Counted<'a> {
    fn of(wish: &'a ContentsWish) -> Self {
        Self {
            wish,
            top: None,
            all: Subtree { path: wish.path.clone(), ..Subtree::default() },
            subtrees: HashMap::new(),
            largest: BTreeMap::new(),
            ephemerals: HashMap::new(),
            containers: 0,
            ttls: 0,
        }
    }

    fn znode(&mut self, path: &[u8], znode: &Znode) {
        let top = if self.wish.path == "/" { "" } else { &self.wish.path };
        let below = path.strip_prefix(top.as_bytes());
        if below.is_none_or(|below| below.first().is_some_and(|first| *first != b'/')) {
            return;
        }
        let bytes = u64::from(znode.data_length);
        self.all.znodes += 1;
        self.all.data_bytes += bytes;
        match ZnodeLifetime::of(znode.stat.owner) {
            ZnodeLifetime::Persistent => {}
            ZnodeLifetime::Ephemeral(session) => *self.ephemerals.entry(session).or_default() += 1,
            ZnodeLifetime::Container => self.containers += 1,
            ZnodeLifetime::Ttl(_) => self.ttls += 1,
        }
        if path.len() == top.len() {
            self.top = Some(contents(path, znode));
        } else if self.wish.depth > 0 {
            // The znode on the deepest level that has figures of its own.
            let slashes = path[top.len()..].iter().enumerate().filter(|(_, byte)| **byte == b'/');
            let end = slashes.map(|(at, _)| top.len() + at).nth(self.wish.depth);
            let part = &path[..end.unwrap_or(path.len())];
            if let Some(part) = self.subtrees.get_mut(part) {
                part.0 += 1;
                part.1 += bytes;
            } else {
                self.subtrees.insert(part.into(), (1, bytes));
            }
        }
        self.keep_if_large(path, znode);
    }

    fn keep_if_large(&mut self, path: &[u8], znode: &Znode) {
        let key = (znode.data_length, Reverse(path));
        let is_full = self.largest.len() == self.wish.most;
        let least =
            self.largest.first_key_value().map(|(least, _)| (least.0, Reverse(&*least.1.0)));
        let is_larger = least.is_some_and(|least| least < key);
        if self.wish.most > 0 && znode.data_length > 0 && (!is_full || is_larger) {
            if is_full {
                self.largest.pop_first();
            }
            self.largest.insert((znode.data_length, Reverse(path.into())), contents(path, znode));
        }
    }

    fn sessions(&self, tree: &Tree) -> Vec<OpenSession> {
        let mut open: BTreeMap<i64, OpenSession> = BTreeMap::new();
        for (id, timeout_ms) in tree.sessions() {
            open.insert(id, OpenSession { id, timeout_ms: Some(timeout_ms), ephemerals: 0 });
        }
        for (id, count) in &self.ephemerals {
            let none = OpenSession { id: *id, timeout_ms: None, ephemerals: 0 };
            open.entry(*id).or_insert(none).ephemerals = *count;
        }
        let mut open: Vec<OpenSession> = open.into_values().collect();
        open.sort_by_key(|session| Reverse(session.ephemerals));
        open
    }
}

fn contents(path: &[u8], znode: &Znode) -> ZnodeContents {
    let path = if path.is_empty() { "/".to_owned() } else { shown(path) };
    ZnodeContents {
        path,
        data_bytes: znode.data_length.into(),
        lifetime: ZnodeLifetime::of(znode.stat.owner),
        czxid: znode.stat.czxid,
        mzxid: znode.stat.mzxid,
        mtime_ms: znode.stat.mtime,
        version: znode.stat.version,
    }
}

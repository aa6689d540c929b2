//! What differs between the trees of two sets of data files: two times of one ensemble, or two servers.
//!
//! Both trees are in memory at once, without the data of znodes: about 200 bytes and its path for each
//! znode. What is kept of the differences is bounded by the wish.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::contents::ContentsWish;
use super::damage::shown;
use super::files::{DataFiles, DataListing};
use super::tree::{Znode, ZnodeLifetime};
use super::verify::{Verification, load};

/// Data files that were loaded.
#[derive(Debug)]
pub struct LoadedData {
    /// What the files are worth.
    pub verification: Verification,
    znodes: HashMap<Box<[u8]>, Znode>,
    sessions: BTreeSet<i64>,
}

/// What became of a znode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZnodeChange {
    /// It is only in the second.
    Created,
    /// It is only in the first.
    Deleted,
    /// It was deleted and created again: another transaction created it.
    Recreated,
    /// The same znode was changed.
    Changed {
        /// Whether its data were set, or are others.
        data: bool,
        /// Whether its access control list was set (`Stat.aversion`). The lists are not compared.
        acl: bool,
    },
}

/// A znode that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedZnode {
    /// Its path.
    pub path: String,
    /// What became of it.
    pub change: ZnodeChange,
    /// Bytes of its data in the first; `None` where it is not there.
    pub before_bytes: Option<u64>,
    /// Bytes of its data in the second; `None` where it is not there.
    pub after_bytes: Option<u64>,
    /// The transaction that set its data last, in the second where it is there.
    pub mzxid: u64,
}

/// What differs in a subtree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangedSubtree {
    /// The path of its top.
    pub path: String,
    /// Znodes that are only in the second.
    pub created: u64,
    /// Znodes that are only in the first.
    pub deleted: u64,
    /// Znodes that were deleted and created again.
    pub recreated: u64,
    /// Other znodes that were changed.
    pub changed: u64,
    /// Of these, those whose data were set, or are others.
    pub data: u64,
    /// Of these, those whose access control list was set.
    pub acl: u64,
    /// Bytes of data of the znodes that differ, in the first.
    pub before_bytes: u64,
    /// The same in the second.
    pub after_bytes: u64,
}

/// Figures of one side.
#[derive(Debug)]
pub struct DiffSide {
    /// What its files are worth.
    pub verification: Verification,
    /// Znodes below the path that was asked for, its top included.
    pub znodes: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
    /// How many of them are ephemeral.
    pub ephemerals: u64,
    /// Open sessions.
    pub sessions: u64,
}

/// What differs.
#[derive(Debug)]
pub struct DataDifference {
    /// The first.
    pub before: DiffSide,
    /// The second.
    pub after: DiffSide,
    /// All of it, below the path that was asked for.
    pub all: ChangedSubtree,
    /// Its parts, those with most differences first.
    pub subtrees: Vec<ChangedSubtree>,
    /// How many parts differ.
    pub subtree_count: usize,
    /// Znodes that differ, by path.
    pub znodes: Vec<ChangedZnode>,
    /// Sessions that are only open in the second; the first of them by id.
    pub opened: Vec<i64>,
    /// How many those are.
    pub opened_count: usize,
    /// Sessions that are only open in the first; the first of them by id.
    pub closed: Vec<i64>,
    /// How many those are.
    pub closed_count: usize,
}

/// Loads data files to compare them.
pub fn load_data(listing: &DataListing, files: &impl DataFiles) -> LoadedData {
    let mut znodes = HashMap::new();
    let loaded = load(
        listing,
        files,
        Some(&mut |path, znode| {
            znodes.insert(path.into(), *znode);
        }),
    );
    let mut sessions = BTreeSet::new();
    match loaded.tree {
        Some(tree) => sessions.extend(tree.sessions().map(|(id, _)| id)),
        None => znodes.clear(),
    }
    LoadedData { verification: loaded.verification, znodes, sessions }
}

/// Compares two sets of data files.
pub fn difference(before: LoadedData, after: LoadedData, wish: &ContentsWish) -> DataDifference {
    let top = if wish.path == "/" { "" } else { &wish.path };
    let mut found = Found::of(top.as_bytes(), wish);
    for (path, znode) in &after.znodes {
        found.pair(path, before.znodes.get(path), Some(znode));
    }
    for (path, znode) in &before.znodes {
        if !after.znodes.contains_key(path) {
            found.pair(path, Some(znode), None);
        }
    }
    let Found { all, parts, first, .. } = found;
    let znodes = first.into_iter().map(|(path, znode)| named(path, znode)).collect();
    let mut subtrees: Vec<ChangedSubtree> = parts
        .into_iter()
        .map(|(path, part)| ChangedSubtree { path: shown(path), ..part })
        .collect();
    subtrees.sort_by(|a, b| (b.count(), &a.path).cmp(&(a.count(), &b.path)));
    let subtree_count = subtrees.len();
    subtrees.truncate(wish.most);
    let (old, new) = (&before.sessions, &after.sessions);
    let some = |all: &BTreeSet<i64>, others: &BTreeSet<i64>| -> Vec<i64> {
        all.difference(others).take(wish.most).copied().collect()
    };
    let (opened, closed) = (some(new, old), some(old, new));
    let (opened_count, closed_count) = (new.difference(old).count(), old.difference(new).count());
    let sides = [before, after].map(|side| DiffSide::of(side, top.as_bytes()));
    let [before, after] = sides;
    DataDifference {
        before,
        after,
        all,
        subtrees,
        subtree_count,
        znodes,
        opened,
        opened_count,
        closed,
        closed_count,
    }
}

impl DataDifference {
    /// How many znodes differ that are not listed.
    pub fn left(&self) -> u64 {
        let listed = u64::try_from(self.znodes.len()).unwrap_or(u64::MAX);
        self.all.count().saturating_sub(listed)
    }
}

impl ChangedSubtree {
    /// How many znodes differ in it.
    pub fn count(&self) -> u64 {
        self.created + self.deleted + self.recreated + self.changed
    }

    fn add(&mut self, change: ZnodeChange, [before, after]: [u64; 2]) {
        match change {
            ZnodeChange::Created => self.created += 1,
            ZnodeChange::Deleted => self.deleted += 1,
            ZnodeChange::Recreated => self.recreated += 1,
            ZnodeChange::Changed { data, acl } => {
                self.changed += 1;
                self.data += u64::from(data);
                self.acl += u64::from(acl);
            }
        }
        self.before_bytes += before;
        self.after_bytes += after;
    }
}

impl DiffSide {
    fn of(data: LoadedData, top: &[u8]) -> Self {
        let mut side = Self {
            verification: data.verification,
            znodes: 0,
            data_bytes: 0,
            ephemerals: 0,
            sessions: u64::try_from(data.sessions.len()).unwrap_or(u64::MAX),
        };
        for znode in
            data.znodes.iter().filter(|(path, _)| is_below(path, top)).map(|(_, znode)| znode)
        {
            side.znodes += 1;
            side.data_bytes += u64::from(znode.data_length);
            let lifetime = ZnodeLifetime::of(znode.stat.owner);
            side.ephemerals += u64::from(matches!(lifetime, ZnodeLifetime::Ephemeral(_)));
        }
        side
    }
}

/// A znode that differs, without its path.
#[derive(Clone, Copy)]
struct Pair {
    change: ZnodeChange,
    before: Option<u64>,
    after: Option<u64>,
    mzxid: u64,
}

struct Found<'a> {
    top: &'a [u8],
    wish: &'a ContentsWish,
    all: ChangedSubtree,
    parts: HashMap<&'a [u8], ChangedSubtree>,
    first: BTreeMap<&'a [u8], Pair>,
}

impl<'a> Found<'a> {
    fn of(top: &'a [u8], wish: &'a ContentsWish) -> Self {
        let all = ChangedSubtree { path: wish.path.clone(), ..ChangedSubtree::default() };
        Self { top, wish, all, parts: HashMap::new(), first: BTreeMap::new() }
    }

    fn pair(&mut self, path: &'a [u8], before: Option<&Znode>, after: Option<&Znode>) {
        let Some(change) = change(before, after).filter(|_| is_below(path, self.top)) else {
            return;
        };
        let bytes = |znode: Option<&Znode>| znode.map(|znode| u64::from(znode.data_length));
        let (old, new) = (bytes(before), bytes(after));
        let figures = [old.unwrap_or_default(), new.unwrap_or_default()];
        self.all.add(change, figures);
        if path.len() > self.top.len() && self.wish.depth > 0 {
            let end = part_end(path, self.top.len(), self.wish.depth);
            self.parts.entry(&path[..end]).or_default().add(change, figures);
        }
        let mzxid = after.or(before).map(|znode| znode.stat.mzxid).unwrap_or_default();
        self.first.insert(path, Pair { change, before: old, after: new, mzxid });
        if self.first.len() > self.wish.most {
            self.first.pop_last();
        }
    }
}

/// Where the path of the znode ends that is on the deepest level with figures of its own.
fn part_end(path: &[u8], top: usize, depth: usize) -> usize {
    let slashes = path[top..].iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| top + at).nth(depth).unwrap_or(path.len())
}

fn is_below(path: &[u8], top: &[u8]) -> bool {
    let below = path.strip_prefix(top);
    below.is_some_and(|below| below.first().is_none_or(|first| *first == b'/'))
}

fn named(path: &[u8], Pair { change, before, after, mzxid }: Pair) -> ChangedZnode {
    let path = if path.is_empty() { "/".to_owned() } else { shown(path) };
    ChangedZnode { path, change, before_bytes: before, after_bytes: after, mzxid }
}

/// What became of a znode; `None` where nothing did, or its children alone are others.
fn change(before: Option<&Znode>, after: Option<&Znode>) -> Option<ZnodeChange> {
    match (before, after) {
        (None, None) => None,
        (None, Some(_)) => Some(ZnodeChange::Created),
        (Some(_), None) => Some(ZnodeChange::Deleted),
        (Some(old), Some(new)) if old.stat.czxid != new.stat.czxid => Some(ZnodeChange::Recreated),
        (Some(old), Some(new)) => {
            let data = old.stat.mzxid != new.stat.mzxid || !old.has_data_of(new);
            let acl = old.stat.aversion != new.stat.aversion;
            (data || acl).then_some(ZnodeChange::Changed { data, acl })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::World;
    use super::*;

    fn loaded(world: &World) -> LoadedData {
        load_data(&world.files.listing(), &world.files)
    }

    fn wish(path: &str, depth: usize, most: usize) -> ContentsWish {
        ContentsWish { path: path.to_owned(), depth, most }
    }

    /// Two moments of one world.
    fn moments() -> (World, World) {
        let mut world = World::new();
        world.create_session();
        for path in ["/app", "/app/a", "/app/b", "/app/c", "/app/d", "/other", "/same"] {
            world.create(1, path, b"12345", false);
        }
        let before = world.clone();
        world.set_data(5, "/app/a", b"1234567");
        world.set_acl("/app/b");
        world.delete(2, "/app/c");
        world.create(1, "/app/c", b"1", false);
        world.delete(2, "/app/d");
        world.create(1, "/app/e", b"", true);
        world.create(1, "/app/e2", b"22", false);
        world.set_data(5, "/other", b"12345");
        (before, world)
    }

    #[test]
    fn each_difference_is_counted_once_and_named() {
        let (before, after) = moments();
        let found = difference(loaded(&before), loaded(&after), &wish("/", 1, 100));
        let of: Vec<(&str, ZnodeChange)> =
            found.znodes.iter().map(|znode| (&*znode.path, znode.change)).collect();
        let data = ZnodeChange::Changed { data: true, acl: false };
        let acl = ZnodeChange::Changed { data: false, acl: true };
        assert_eq!(
            of,
            [
                ("/app/a", data),
                ("/app/b", acl),
                ("/app/c", ZnodeChange::Recreated),
                ("/app/d", ZnodeChange::Deleted),
                ("/app/e", ZnodeChange::Created),
                ("/app/e2", ZnodeChange::Created),
                ("/other", data),
            ]
        );
        let all = &found.all;
        let counts = [all.created, all.deleted, all.recreated, all.data, all.acl];
        assert_eq!(counts, [2, 1, 1, 2, 1]);
        assert_eq!((all.before_bytes, all.after_bytes), (25, 20));
        assert_eq!(
            found.subtrees.iter().map(|part| &*part.path).collect::<Vec<_>>(),
            ["/app", "/other"]
        );
        assert_eq!((found.before.znodes + 1, found.after.ephemerals), (found.after.znodes, 1));
    }

    #[test]
    fn the_same_files_do_not_differ() {
        let (_, world) = moments();
        let found = difference(loaded(&world), loaded(&world), &wish("/", 3, 100));
        assert_eq!((found.all.count(), found.znodes.len(), found.subtree_count), (0, 0, 0));
        assert_eq!((found.opened_count, found.closed_count), (0, 0));
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_counted_is_not() {
        let (before, after) = moments();
        let found = difference(loaded(&before), loaded(&after), &wish("/app", 1, 2));
        let paths: Vec<&str> = found.znodes.iter().map(|znode| &*znode.path).collect();
        assert_eq!(paths, ["/app/a", "/app/b"]);
        assert_eq!((found.all.count(), found.subtrees.len(), found.subtree_count), (6, 2, 6));
        let none = difference(loaded(&before), loaded(&after), &wish("/app", 0, 0));
        assert_eq!((none.all.count(), none.znodes.len(), none.subtree_count), (6, 0, 0));
        // A path that only begins like another one is not below it.
        let e = difference(loaded(&before), loaded(&after), &wish("/app/e", 1, 10));
        assert_eq!(e.all.count(), 1);
    }

    #[test]
    fn sessions_that_were_opened_and_closed_are_not_mixed_up() {
        let (before, mut after) = moments();
        after.close_session(true);
        let found = difference(loaded(&before), loaded(&after), &wish("/", 1, 10));
        assert_eq!((found.opened_count, found.closed_count, found.closed.len()), (0, 1, 1));
        let back = difference(loaded(&after), loaded(&before), &wish("/", 1, 10));
        assert_eq!((back.opened_count, back.closed_count), (1, 0));
    }
}

//! What data files say of some znodes and of their own time: by that they are distinguished from those of another
//! ensemble.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{DataFiles, DataListing};
use super::tree::Znode;
use super::verify::{Verification, load};

/// Where a znode comes from. No znode of another ensemble has the same transaction at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZnodeTrace {
    /// The transaction that created it.
    pub czxid: u64,
    /// The transaction that set its data last.
    pub mzxid: u64,
    /// When it was created, in milliseconds since 1970, as the clock of the leader had it.
    pub ctime_ms: i64,
}

/// What data files say of some znodes and of their own time.
#[derive(Debug)]
pub struct DataTraces {
    /// What the files are worth.
    pub verification: Verification,
    /// When the newest transaction was whose time is in the files, in milliseconds since 1970, as the clock
    /// of the leader had it.
    pub last_time_ms: Option<i64>,
    /// The version of the membership in `/zookeeper/config`; `None` where it has none.
    pub config_version: Option<u64>,
    /// The znodes that were asked for and are there, by path.
    pub znodes: BTreeMap<String, ZnodeTrace>,
}

/// Loads data files and looks up these znodes. Memory is that of [`super::verify()`].
pub fn traces(listing: &DataListing, files: &impl DataFiles, paths: &[String]) -> DataTraces {
    let mut newest = None;
    let mut znodes = BTreeMap::new();
    let wanted: BTreeSet<&str> = paths.iter().map(String::as_str).collect();
    let loaded = load(
        listing,
        files,
        Some(&mut |path, znode| {
            newest = newest.max(newest_of(path, znode));
            let path = str::from_utf8(path).map(|path| if path.is_empty() { "/" } else { path });
            if let Some(path) = path.ok().and_then(|path| wanted.get(path)) {
                let (czxid, mzxid, ctime_ms) =
                    (znode.stat.czxid, znode.stat.mzxid, znode.stat.ctime);
                znodes.insert((*path).to_owned(), ZnodeTrace { czxid, mzxid, ctime_ms });
            }
        }),
    );
    if loaded.tree.is_none() {
        (newest, znodes) = (None, BTreeMap::new());
    }
    let tree = loaded.tree.unwrap_or_default();
    let mut logs = loaded.verification.logs.iter().rev();
    let logged = logs.find_map(|log| Some((log.facts.last?, log.facts.last_time_ms?)));
    DataTraces {
        last_time_ms: logged.max(newest).map(|(_, time)| time),
        config_version: config_version(tree.membership()),
        znodes,
        verification: loaded.verification,
    }
}

/// The newest transaction that a znode tells the time of. Servers set those below `/zookeeper` without a
/// transaction.
fn newest_of(path: &[u8], Znode { stat, .. }: &Znode) -> Option<(u64, i64)> {
    if path == b"/zookeeper" || path.starts_with(b"/zookeeper/") {
        return None;
    }
    let times = [(stat.czxid, stat.ctime), (stat.mzxid, stat.mtime)];
    times.into_iter().filter(|(zxid, time)| *zxid > 0 && *time > 0).max()
}

/// The version in the text of a membership.
fn config_version(text: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(text);
    let hex = text.lines().find_map(|line| line.strip_prefix("version="))?;
    u64::from_str_radix(hex.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::World;
    use super::super::verify::DataVerdict;
    use super::*;

    fn of(world: &World) -> DataTraces {
        let paths = ["/app", "/none", "/"].map(str::to_owned);
        traces(&world.files.listing(), &world.files, &paths)
    }

    #[test]
    fn znodes_have_the_transactions_that_the_logs_gave_them() {
        let mut world = World::new();
        world.create_session();
        world.create(1, "/app", b"", false);
        let created = world.zxid;
        world.snapshot();
        world.set_data(5, "/app", b"x");
        let seen = of(&world);
        assert_eq!(seen.verification.verdict, DataVerdict::Whole);
        let app = seen.znodes["/app"];
        assert_eq!((app.czxid, app.mzxid), (created, world.zxid));
        assert_eq!(seen.znodes.keys().collect::<Vec<_>>(), ["/", "/app"]);
        let logged = seen.verification.logs.last().and_then(|log| log.facts.last_time_ms);
        assert!(seen.last_time_ms.is_some());
        assert_eq!(seen.last_time_ms, logged);
    }

    /// A snapshot without logs tells its time by its znodes.
    #[test]
    fn a_snapshot_alone_has_the_time_of_its_newest_znode() {
        let mut world = World::new();
        world.create_session();
        world.create(1, "/app", b"", false);
        let before = of(&world).last_time_ms;
        world.snapshot();
        world.files.files.retain(|name, _| name.starts_with("snapshot"));
        let alone = of(&world);
        assert_eq!(alone.verification.verdict, DataVerdict::Whole);
        assert_eq!((alone.last_time_ms, alone.verification.logs.len()), (before, 0));
    }

    #[test]
    fn the_version_of_a_membership_is_hex() {
        assert_eq!(config_version(b"server.1=a:1:2\nversion=100000a5\n"), Some(0x1000_00a5));
        assert_eq!(config_version(b"server.1=a:1:2\n"), None);
    }
}

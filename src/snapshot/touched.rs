//! Which znodes of a snapshot the transactions behind it can change: no other one has to be held in memory.

use std::hash::{BuildHasher as _, RandomState};

use super::snapshot_file::{SnapshotSink, ZnodeRecord};
use super::transaction::{Operation, Transaction};
use super::tree::{ZnodeLifetime, node_path, parent_of};

/// The fewest and the most bits: 8 KiB and 8 MiB.
const FEWEST_BITS: u64 = 1 << 16;
const MOST_BITS: u64 = 1 << 26;

/// Paths that are marked, and now and then one that is not: a Bloom filter with two bits for each path. A path
/// that was marked is always found.
///
/// A session that is closed takes its ephemeral znodes along, and the transaction need not name them:
/// those that a snapshot has are marked while it is read, with their parents.
pub(super) struct TouchedPaths {
    bits: Vec<u64>,
    hasher: RandomState,
}

impl TouchedPaths {
    /// For logs of that many bytes in all: with a bit for each of them one path in a hundred is found that was
    /// not marked, or fewer.
    pub(super) fn of_logs(bytes: u64) -> Self {
        let bits = bytes.clamp(FEWEST_BITS, MOST_BITS).next_power_of_two();
        let words = usize::try_from(bits / 64).expect("at most a million words");
        Self { bits: vec![0; words], hasher: RandomState::new() }
    }

    /// Marks what a transaction can change.
    pub(super) fn mark(&mut self, transaction: &Transaction<'_>) {
        self.operation(&transaction.operation);
    }

    /// Whether a path was marked. The root is empty.
    pub(super) fn may_have(&self, path: &[u8]) -> bool {
        self.places(path).into_iter().all(|(word, bit)| self.bits[word] & bit != 0)
    }

    fn operation(&mut self, operation: &Operation<'_>) {
        match operation {
            Operation::Create { path, .. } | Operation::Delete { path } => {
                self.path(node_path(path));
                self.path(parent_of(path));
            }
            Operation::SetData { path, .. } | Operation::SetAcl { path, .. } => {
                self.path(node_path(path));
            }
            Operation::CloseSession { paths } => {
                for path in paths {
                    self.path(path);
                    self.path(parent_of(path));
                }
            }
            Operation::Multi(parts) => parts.iter().for_each(|part| self.operation(part)),
            Operation::CreateSession { .. } | Operation::Nothing => {}
        }
    }

    fn path(&mut self, path: &[u8]) {
        for (word, bit) in self.places(path) {
            self.bits[word] |= bit;
        }
    }

    /// A word and a bit in it, for each half of the hash.
    fn places(&self, path: &[u8]) -> [(usize, u64); 2] {
        let hash = self.hasher.hash_one(path);
        [hash & u64::from(u32::MAX), hash >> 32].map(|half| {
            let word = usize::try_from(half / 64).expect("fewer than 2^26 words");
            (word % self.bits.len(), 1 << (half % 64))
        })
    }
}

impl SnapshotSink for TouchedPaths {
    fn session(&mut self, _: i64, _: i32) {}

    fn znode(&mut self, znode: &ZnodeRecord<'_>) {
        if matches!(ZnodeLifetime::of(znode.stat.owner), ZnodeLifetime::Ephemeral(_)) {
            self.path(znode.path);
            self.path(parent_of(znode.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::fixture::World;
    use super::super::verify::{DataVerdict, Loaded, load};

    /// What was loaded, and every path that was visited.
    fn visited(world: &World) -> (Loaded, BTreeSet<String>) {
        let mut paths = BTreeSet::new();
        let loaded = load(
            &world.files.listing(),
            &world.files,
            Some(&mut |path, _| {
                let path = String::from_utf8(path.to_vec()).unwrap();
                assert!(paths.insert(path.clone()), "{path} came twice");
            }),
        );
        (loaded, paths)
    }

    fn held(loaded: &Loaded) -> Vec<String> {
        let znodes = loaded.tree.as_ref().unwrap().znodes();
        let mut held: Vec<String> =
            znodes.map(|(path, _)| String::from_utf8_lossy(path).into_owned()).collect();
        held.sort();
        held
    }

    #[test]
    fn only_what_transactions_change_is_held_and_all_is_visited() {
        let mut world = World::new();
        world.create_session();
        world.create(1, "/app", b"", false);
        for number in 0..300 {
            world.create(1, &format!("/app/{number}"), b"12345", false);
        }
        world.create(1, "/gone", b"1", false);
        world.snapshot();
        world.set_data(5, "/app/7", b"others");
        world.set_acl("/app/8");
        world.delete(2, "/gone");
        world.create(1, "/app/9/new", b"2", false);
        let (loaded, paths) = visited(&world);
        let verification = &loaded.verification;
        assert_eq!(verification.verdict, DataVerdict::Whole, "{:#?}", verification.findings);
        assert_eq!(verification.proven, Some(world.zxid));
        // With five paths marked in 2^16 bits, another one is held once in ten million times.
        assert_eq!(held(&loaded), ["", "/app/7", "/app/8", "/app/9", "/app/9/new"]);
        assert!(!paths.contains("/gone") && paths.contains("/app/9/new"));
        assert_eq!(paths.len(), 4 + 1 + 300 + 1);
    }

    /// What is not named, the parents included, changes all the same.
    #[test]
    fn a_session_takes_znodes_along_that_its_transaction_does_not_name() {
        for with_paths in [true, false] {
            let mut world = World::new();
            world.create_session();
            world.create(1, "/locks", b"", false);
            world.create(1, "/locks/a", b"", false);
            world.create(1, "/locks/a/1", b"", true);
            world.snapshot();
            world.close_session(with_paths);
            let (loaded, paths) = visited(&world);
            let verification = &loaded.verification;
            assert_eq!(verification.verdict, DataVerdict::Whole, "{:#?}", verification.findings);
            assert!(paths.contains("/locks/a") && !paths.contains("/locks/a/1"));
        }
    }

    /// The newest snapshot is damaged: what stands between an older one and it changes znodes, too.
    #[test]
    fn an_older_snapshot_has_more_to_be_changed() {
        let mut world = World::new();
        world.create_session();
        world.create(1, "/app", b"", false);
        world.snapshot();
        world.set_data(5, "/app", b"1");
        world.create(1, "/other", b"", false);
        world.snapshot();
        let newest = format!("snapshot.{:x}", world.zxid);
        world.files.put(&newest, b"ZKSN".to_vec());
        let (loaded, paths) = visited(&world);
        assert_eq!(loaded.verification.proven, Some(world.zxid));
        assert_eq!(loaded.verification.replayed, 2);
        assert!(paths.contains("/other"));
    }
}

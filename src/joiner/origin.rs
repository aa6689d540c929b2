//! Whether the data in a directory are those of an ensemble, before a server is started with them.
//!
//! A server writes the digest of its tree behind each transaction of its log, and lists that of every
//! 128th zxid (`hash`). Where the leader lists the newest of those in the files with the same value, the
//! tree was the same there. The transactions behind it, less than 128 in one epoch, are not compared: two
//! ensembles that began with one copy can differ in them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::Zxid;
use crate::observe::{Digests, LeaderData, NoDigests};

/// How many transactions a leader keeps in memory by default (`ZKDatabase.commitLogCount`).
const KEPT_COMMITS: u64 = 500;

/// What a comparison with the leader shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataOrigin {
    /// The newest digest in the files that a leader can list is in its list, with the same value.
    Same {
        /// Its zxid.
        zxid: Zxid,
        /// How many transactions of the same epoch are in the files behind it; `None` where the files
        /// have transactions of a later epoch.
        not_compared: Option<u64>,
    },
    /// The digests of one zxid differ.
    Differs {
        /// The zxid.
        zxid: Zxid,
    },
    /// The last transaction of the files is after the leader's last one.
    Ahead {
        /// The last one of the files.
        zxid: Zxid,
    },
    /// That is not known.
    Unknown {
        /// Why.
        why: OriginUnknown,
    },
}

/// Why the origin of data is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OriginUnknown {
    /// The leader's release is older than 3.6, the first with digests.
    LeaderTooOld,
    /// The leader does not allow the word `hash`.
    HashNotAllowed,
    /// The leader writes no digests (`zookeeper.digest.enabled=false`).
    DigestsOff,
    /// The leader gave no answer to `hash`.
    NoAnswer,
    /// The files have no digest of a zxid that a leader lists: it lists one every 128 zxids.
    NoDigestInFiles,
    /// The leader does not list the zxid of the newest digest in the files.
    NotListed,
}

/// What a leader sends to a server that starts with the files now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "way", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum CatchUp {
    /// Only the transactions that are missing: a leader has them in memory (DIFF).
    Diff {
        /// How many are missing.
        missing: u64,
    },
    /// More are missing than a leader keeps in memory. It sends a whole snapshot (SNAP), unless its logs
    /// since then are small beside its snapshot (`LearnerHandler.syncFollower`).
    Snap {
        /// How many are missing.
        missing: u64,
    },
    /// The files end in an earlier epoch: how many are missing does not show.
    NotKnown,
}

impl DataOrigin {
    /// Compares digests by zxid and the last transaction of files with what the leader says.
    pub fn of(listed: &BTreeMap<u64, u64>, last: u64, leader: &LeaderData) -> Self {
        let last = Zxid::new(last);
        let unknown = |why| Self::Unknown { why };
        if last > leader.zxid {
            return Self::Ahead { zxid: last };
        }
        let theirs = match &leader.digests {
            Digests::Listed(theirs) => theirs,
            Digests::Lacking(NoDigests::OldRelease) => return unknown(OriginUnknown::LeaderTooOld),
            Digests::Lacking(NoDigests::NotAllowed) => {
                return unknown(OriginUnknown::HashNotAllowed);
            }
            Digests::Lacking(NoDigests::SwitchedOff) => return unknown(OriginUnknown::DigestsOff),
            Digests::Lacking(NoDigests::NoAnswer) | Digests::Unknown => {
                return unknown(OriginUnknown::NoAnswer);
            }
        };
        let newest_first = || listed.iter().rev().map(|(zxid, own)| (Zxid::new(*zxid), *own));
        let Some((newest, _)) = newest_first().next() else {
            return unknown(OriginUnknown::NoDigestInFiles);
        };
        let mut common =
            newest_first().filter_map(|(zxid, own)| Some((zxid, *theirs.get(&zxid)? == own)));
        match common.next() {
            Some((zxid, false)) => Self::Differs { zxid },
            Some((zxid, true)) if zxid == newest => {
                let is_one_epoch = zxid.epoch() == last.epoch();
                let not_compared = is_one_epoch.then(|| last.get() - zxid.get());
                Self::Same { zxid, not_compared }
            }
            // An older one alone does not show what came after.
            Some(_) | None => unknown(OriginUnknown::NotListed),
        }
    }

    /// Whether the data are not those of the ensemble.
    pub const fn is_alien(self) -> bool {
        matches!(self, Self::Differs { .. } | Self::Ahead { .. })
    }
}

impl CatchUp {
    /// From the last transaction of the files to the leader's last one.
    pub fn of(last: u64, leader: Zxid) -> Self {
        let last = Zxid::new(last);
        if last.epoch() != leader.epoch() {
            return Self::NotKnown;
        }
        match leader.get().saturating_sub(last.get()) {
            missing @ ..=KEPT_COMMITS => Self::Diff { missing },
            missing => Self::Snap { missing },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, Host};

    const EPOCH: u64 = 3 << 32;

    fn leader(digests: Digests) -> LeaderData {
        let at = Endpoint::plain(Host::new("10.0.0.1"), 2181);
        LeaderData { at, zxid: Zxid::new(EPOCH + 600), digests }
    }

    fn lists(pairs: &[(u64, u64)]) -> LeaderData {
        let listed = pairs.iter().map(|(counter, digest)| (Zxid::new(EPOCH + counter), *digest));
        leader(Digests::Listed(listed.collect()))
    }

    fn judged(own: &[(u64, u64)], last: u64, leader: &LeaderData) -> DataOrigin {
        let own = own.iter().map(|(counter, digest)| (EPOCH + counter, *digest)).collect();
        DataOrigin::of(&own, EPOCH + last, leader)
    }

    #[test]
    fn only_the_newest_digest_of_the_files_shows_that_they_are_of_the_ensemble() {
        let theirs = lists(&[(128, 1), (256, 2), (384, 3), (512, 4)]);
        let same = DataOrigin::Same { zxid: Zxid::new(EPOCH + 256), not_compared: Some(44) };
        assert_eq!(judged(&[(128, 1), (256, 2)], 300, &theirs), same);
        // What a copy under writes left in a list means nothing beside a newer one that is equal.
        assert_eq!(judged(&[(128, 9), (256, 2)], 300, &theirs), same);
        let differs = DataOrigin::Differs { zxid: Zxid::new(EPOCH + 256) };
        assert_eq!(judged(&[(128, 1), (256, 9)], 300, &theirs), differs);
        assert!(differs.is_alien() && !same.is_alien());
    }

    /// An ensemble that was copied and lives by itself has its old digests, and further ones.
    #[test]
    fn an_older_equal_digest_shows_nothing() {
        let theirs = lists(&[(128, 1), (512, 4)]);
        let unknown = DataOrigin::Unknown { why: OriginUnknown::NotListed };
        assert_eq!(judged(&[(128, 1), (256, 2)], 300, &theirs), unknown);
        assert_eq!(judged(&[(256, 2)], 300, &theirs), unknown);
        assert_eq!(
            judged(&[(128, 1), (640, 5)], 650, &theirs),
            DataOrigin::Ahead { zxid: Zxid::new(EPOCH + 650) }
        );
    }

    #[test]
    fn without_digests_nothing_is_known_but_what_is_ahead() {
        for (why, lacking) in [
            (OriginUnknown::LeaderTooOld, NoDigests::OldRelease),
            (OriginUnknown::HashNotAllowed, NoDigests::NotAllowed),
            (OriginUnknown::DigestsOff, NoDigests::SwitchedOff),
            (OriginUnknown::NoAnswer, NoDigests::NoAnswer),
        ] {
            let theirs = leader(Digests::Lacking(lacking));
            assert_eq!(judged(&[(128, 1)], 200, &theirs), DataOrigin::Unknown { why });
            assert!(judged(&[(128, 1)], 601, &theirs).is_alien());
        }
        let none = DataOrigin::Unknown { why: OriginUnknown::NoDigestInFiles };
        assert_eq!(judged(&[], 100, &lists(&[(128, 1)])), none);
    }

    #[test]
    fn a_leader_sends_what_it_has_in_memory() {
        let leader = Zxid::new(EPOCH + 600);
        assert_eq!(CatchUp::of(EPOCH + 100, leader), CatchUp::Diff { missing: 500 });
        assert_eq!(CatchUp::of(EPOCH + 99, leader), CatchUp::Snap { missing: 501 });
        assert_eq!(CatchUp::of(EPOCH - 1, leader), CatchUp::NotKnown);
    }
}

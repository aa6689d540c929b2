//! Whether a joiner's data are the leader's: equality proven, not assumed.
//!
//! An equal zxid is not enough: a data directory of another ensemble can be at any zxid, and a
//! leader then sends the difference on top of it (`LearnerHandler.syncFollower`).
//!
//! # The digest rule
//!
//! The newest digest that both list decides. A server that gets a snapshot while writes commit
//! gets a fuzzy one: it holds effects of transactions that are sent once more behind it. The digests
//! that the server records while it carries those out (`Learner.syncWithLeader`,
//! `DataTree.logZxidDigest`) differ from the leader's although nothing is wrong, and every later one
//! is equal. So an older digest that differs says nothing beside a newer one that is equal, and one
//! that differs convicts only if its zxid is behind the one at which the server was first seen
//! serving: by then it has carried out all that was fuzzy. `zk_digest_mismatches_count` counts none
//! of the fuzzy ones, so it confirms a difference.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;

use super::ServerSight;
use crate::ensemble::words::{Mntr, Srvr, parse_hash};
use crate::ensemble::{Ensemble, Word};
use crate::model::{Endpoint, ServerId, Zxid};

/// Pairs of answers that are compared at most until two are of one zxid.
const SAMPLES: usize = 128;

/// The same within one look, which is not to take much longer for it.
const SAMPLES_OF_A_LOOK: usize = 25;

/// So many pairs at one zxid, none of them equal, are no accident of counting.
const MISSES: usize = 5;

/// The time from one pair to the next.
const BETWEEN: Duration = Duration::from_millis(20);

/// What comparing a joiner with the leader gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataProof {
    /// The newest tree digests at a common zxid are equal (`DataTree.ZxidDigest`).
    Digest(Zxid),
    /// The same number of znodes, and of bytes where both tell, at one zxid, and what was written
    /// last on the leader is read on the joiner. The content cannot be proven so.
    Counts {
        /// The zxid.
        zxid: Zxid,
        /// How many znodes.
        znodes: u64,
    },
    /// The data differ: the server has counted digest mismatches, or its figures differ at one zxid.
    Differ,
    /// The newest tree digests at a common zxid, this one, differ. That convicts only where the
    /// server was seen serving before that zxid.
    DigestDiffers(Zxid),
    /// Digests are kept, and none is common yet: one is made every 128 zxids.
    NoCommonDigest,
    /// The marker is not read there: it may be behind, or hold other data.
    NoMarker,
    /// The leader keeps no digests, and no two answers were of one zxid.
    NeverMet,
}

impl DataProof {
    /// Whether the data are taken for equal.
    pub const fn is_equal(&self) -> bool {
        matches!(self, Self::Digest(_) | Self::Counts { .. })
    }

    /// Whether the data are known to differ, where the server was first seen serving at that zxid.
    pub fn convicts(&self, first_served: Option<Zxid>) -> bool {
        match self {
            Self::Differ => true,
            Self::DigestDiffers(zxid) => first_served.is_some_and(|served| *zxid > served),
            Self::Digest(_)
            | Self::Counts { .. }
            | Self::NoCommonDigest
            | Self::NoMarker
            | Self::NeverMet => false,
        }
    }

    /// Whether a newer digest would decide.
    pub const fn wants_newer_digest(&self) -> bool {
        matches!(self, Self::NoCommonDigest | Self::DigestDiffers(_))
    }
}

/// Compares joiners with the leader, side by side. `identity` is what `/zkplan/id` holds.
pub async fn prove_data<E: Ensemble>(
    port: &E,
    leader: &Endpoint,
    joiners: &BTreeMap<ServerId, Endpoint>,
    identity: Option<&str>,
) -> BTreeMap<ServerId, DataProof> {
    let theirs = digests(port, leader).await;
    let proofs = joiners.iter().map(|(id, at)| {
        let theirs = &theirs;
        async move { (*id, prove(port, leader, theirs.as_ref(), at, identity).await) }
    });
    join_all(proofs).await.into_iter().collect()
}

async fn prove<E: Ensemble>(
    port: &E,
    leader: &Endpoint,
    leaders: Option<&BTreeMap<Zxid, u64>>,
    joiner: &Endpoint,
    identity: Option<&str>,
) -> DataProof {
    let (own, mntr) = futures::join!(digests(port, joiner), port.ask(joiner, Word::Mntr));
    let mismatches = mntr.ok().and_then(|answer| Mntr::parse(&answer).digest_mismatches);
    match (leaders, own) {
        (Some(leaders), Some(own)) => by_digests(leaders, &own, mismatches),
        _ if mismatches.is_some_and(|count| count > 0) => DataProof::Differ,
        _ => by_counts(port, leader, joiner, identity).await,
    }
}

/// The digests that a server keeps; `None` where it keeps none that tell anything: with
/// `zookeeper.digest.enabled=false` it goes on listing zeros.
async fn digests<E: Ensemble>(port: &E, at: &Endpoint) -> Option<BTreeMap<Zxid, u64>> {
    telling(parse_hash(&port.ask(at, Word::Hash).await.ok()?))
}

fn telling(listed: BTreeMap<Zxid, u64>) -> Option<BTreeMap<Zxid, u64>> {
    let (zeros, told): (BTreeMap<Zxid, u64>, BTreeMap<Zxid, u64>) =
        listed.into_iter().partition(|(_, digest)| *digest == 0);
    (zeros.is_empty() || !told.is_empty()).then_some(told)
}

/// What the digests of the leader and of another server say, with the mismatches that the other has
/// counted.
fn by_digests(
    leaders: &BTreeMap<Zxid, u64>,
    own: &BTreeMap<Zxid, u64>,
    mismatches: Option<u64>,
) -> DataProof {
    let newest = own.iter().rev().find_map(|(zxid, own)| Some((*zxid, leaders.get(zxid)? == own)));
    match newest {
        Some((zxid, true)) => DataProof::Digest(zxid),
        Some(_) if mismatches.is_some_and(|count| count > 0) => DataProof::Differ,
        Some((zxid, false)) => DataProof::DigestDiffers(zxid),
        None => DataProof::NoCommonDigest,
    }
}

/// Compares figures that both tell at one zxid; a write in between only makes the pair useless.
async fn by_counts<E: Ensemble>(
    port: &E,
    leader: &Endpoint,
    joiner: &Endpoint,
    identity: Option<&str>,
) -> DataProof {
    let marked = port.read(joiner).await.ok().and_then(|r| r.folder.text().map(str::to_owned));
    if identity.is_none() || marked.as_deref() != identity {
        return DataProof::NoMarker;
    }
    match figures_at_one_zxid(port, leader, joiner, SAMPLES).await {
        Some(Met::Equal(figures)) => {
            DataProof::Counts { zxid: figures.zxid, znodes: figures.znodes }
        }
        Some(Met::Differ) => DataProof::Differ,
        None => DataProof::NeverMet,
    }
}

/// Compares the data of everybody who runs the leader's release with the leader's, as far as one look
/// can: digests that differ convict only where figures at one zxid do too, for no look knows when a
/// server first served. Releases may count digests in different ways
/// (`DigestCalculator.DIGEST_VERSION`).
pub(super) async fn compare<E: Ensemble>(
    port: &E,
    leader: &ServerSight,
    others: impl Iterator<Item = &mut ServerSight>,
) {
    let (Some(at), Some(theirs)) = (&leader.endpoint, telling(leader.data.digests.clone())) else {
        return;
    };
    let comparable = |sight: &&mut ServerSight| {
        sight.id != leader.id && sight.version == leader.version && sight.mode.is_some()
    };
    join_all(others.filter(comparable).map(|sight| async {
        let data = &sight.data;
        let Some(own) = telling(data.digests.clone()) else { return };
        let mut found = by_digests(&theirs, &own, data.digest_mismatches);
        if let (DataProof::DigestDiffers(_), Some(other)) = (&found, &sight.endpoint)
            && matches!(
                figures_at_one_zxid(port, at, other, SAMPLES_OF_A_LOOK).await,
                Some(Met::Differ)
            )
        {
            found = DataProof::Differ;
        }
        sight.data.compared = Some(found);
    }))
    .await;
}

/// What figures at one zxid said.
enum Met {
    Equal(Figures),
    Differ,
}

/// Asks two servers until they are at one zxid, at most so often; `None` where they never were, or
/// too seldom to tell a difference from a slip.
async fn figures_at_one_zxid<E: Ensemble>(
    port: &E,
    leader: &Endpoint,
    other: &Endpoint,
    samples: usize,
) -> Option<Met> {
    let mut misses = 0;
    for _ in 0..samples {
        let (one, two) = futures::join!(figures(port, leader), figures(port, other));
        if let (Some(one), Some(two)) = (one, two)
            && one.zxid == two.zxid
        {
            let bytes = one.bytes.zip(two.bytes).is_none_or(|(one, two)| one == two);
            if one.znodes == two.znodes && bytes {
                return Some(Met::Equal(one));
            }
            misses += 1;
            if misses >= MISSES {
                return Some(Met::Differ);
            }
        }
        port.pause(BETWEEN).await;
    }
    None
}

struct Figures {
    zxid: Zxid,
    znodes: u64,
    bytes: Option<u64>,
}

/// Figures that belong to one zxid: it was the same before and after.
async fn figures<E: Ensemble>(port: &E, at: &Endpoint) -> Option<Figures> {
    let srvr = Srvr::parse(&port.ask(at, Word::Srvr).await.ok()?);
    let (zxid, znodes) = (srvr.zxid?, srvr.znodes?);
    let mntr = port.ask(at, Word::Mntr).await.ok();
    let bytes = mntr.and_then(|answer| Mntr::parse(&answer).bytes);
    let after = Srvr::parse(&port.ask(at, Word::Srvr).await.ok()?);
    (after.zxid == Some(zxid)).then_some(Figures { zxid, znodes, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(pairs: &[(u64, u64)]) -> BTreeMap<Zxid, u64> {
        pairs.iter().map(|(zxid, digest)| (Zxid::new(*zxid), *digest)).collect()
    }

    /// A server that copied its data under writes lists wrong digests of that time: the newest one
    /// decides.
    #[test]
    fn the_newest_common_digest_decides() {
        let leader = digests(&[(128, 1), (256, 2), (384, 3)]);
        let proof = |own: &[(u64, u64)]| by_digests(&leader, &digests(own), Some(0));
        assert_eq!(proof(&[(128, 1), (256, 2)]), DataProof::Digest(Zxid::new(256)));
        assert_eq!(proof(&[(128, 9), (256, 2)]), DataProof::Digest(Zxid::new(256)));
        assert_eq!(proof(&[(128, 1), (256, 9)]), DataProof::DigestDiffers(Zxid::new(256)));
        assert_eq!(proof(&[(128, 9), (512, 4)]), DataProof::DigestDiffers(Zxid::new(128)));
        assert_eq!(proof(&[(512, 4)]), DataProof::NoCommonDigest);
        assert_eq!(proof(&[]), DataProof::NoCommonDigest);
    }

    #[test]
    fn a_difference_convicts_only_after_the_server_served() {
        let differs = DataProof::DigestDiffers(Zxid::new(256));
        assert!(differs.convicts(Some(Zxid::new(255))));
        assert!(!differs.convicts(Some(Zxid::new(256))));
        assert!(!differs.convicts(None), "it was never seen serving");
        assert!(DataProof::Differ.convicts(None));
    }

    #[test]
    fn counted_mismatches_confirm_a_difference_and_excuse_none() {
        let leader = digests(&[(128, 1), (256, 2)]);
        let proof = |own: &[(u64, u64)]| by_digests(&leader, &digests(own), Some(1));
        assert_eq!(proof(&[(128, 1), (256, 9)]), DataProof::Differ);
        assert_eq!(proof(&[(384, 9)]), DataProof::NoCommonDigest);
        assert_eq!(proof(&[(128, 9), (256, 2)]), DataProof::Digest(Zxid::new(256)));
    }
}

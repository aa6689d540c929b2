//! Whether a joiner's data are the leader's: equality proven, not assumed.
//!
//! An equal zxid is not enough: a data directory of another ensemble can be at any zxid, and a
//! leader then sends the difference on top of it (`LearnerHandler.syncFollower`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;

use crate::ensemble::words::{Mntr, Srvr, parse_hash};
use crate::ensemble::{Ensemble, Word};
use crate::model::{Endpoint, ServerId, Zxid};

/// Pairs of answers that are compared where there are no digests.
const SAMPLES: usize = 25;

/// So many pairs at one zxid, none of them equal, are no accident of counting.
const MISSES: usize = 5;

/// The time from one pair to the next.
const BETWEEN: Duration = Duration::from_millis(20);

/// What comparing a joiner with the leader gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataProof {
    /// The tree digests at a common zxid are equal (`DataTree.ZxidDigest`).
    Digest(Zxid),
    /// The same number of znodes, and of bytes where both tell, at one zxid, and what was written
    /// last on the leader is read on the joiner.
    Counts {
        /// The zxid.
        zxid: Zxid,
        /// How many znodes.
        znodes: u64,
    },
    /// The data differ.
    Differ,
    /// Digests are kept, and none is common yet: one is made every 128 zxids.
    NoCommonDigest,
    /// No pair of answers could be compared.
    Unproven,
}

impl DataProof {
    /// Whether the data are proven to be equal.
    pub const fn is_equal(&self) -> bool {
        matches!(self, Self::Digest(_) | Self::Counts { .. })
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
    if mismatches.is_some_and(|count| count > 0) {
        return DataProof::Differ;
    }
    match (leaders, own) {
        (Some(leaders), Some(own)) => by_digests(leaders, &own),
        _ => by_counts(port, leader, joiner, identity).await,
    }
}

/// The digests that a server keeps; `None` where it keeps none that tell anything: with
/// `zookeeper.digest.enabled=false` it goes on listing zeros.
async fn digests<E: Ensemble>(port: &E, at: &Endpoint) -> Option<BTreeMap<Zxid, u64>> {
    let listed = parse_hash(&port.ask(at, Word::Hash).await.ok()?);
    let (zeros, told): (BTreeMap<Zxid, u64>, BTreeMap<Zxid, u64>) =
        listed.into_iter().partition(|(_, digest)| *digest == 0);
    (zeros.is_empty() || !told.is_empty()).then_some(told)
}

fn by_digests(leaders: &BTreeMap<Zxid, u64>, own: &BTreeMap<Zxid, u64>) -> DataProof {
    let common: BTreeSet<&Zxid> = leaders.keys().filter(|zxid| own.contains_key(zxid)).collect();
    if common.iter().any(|zxid| leaders.get(zxid) != own.get(zxid)) {
        return DataProof::Differ;
    }
    common.last().map_or(DataProof::NoCommonDigest, |zxid| DataProof::Digest(**zxid))
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
        return DataProof::Unproven;
    }
    let mut misses = 0;
    for _ in 0..SAMPLES {
        let (one, other) = futures::join!(figures(port, leader), figures(port, joiner));
        if let (Some(one), Some(other)) = (one, other)
            && one.zxid == other.zxid
        {
            let bytes = one.bytes.zip(other.bytes).is_none_or(|(one, other)| one == other);
            if one.znodes == other.znodes && bytes {
                return DataProof::Counts { zxid: one.zxid, znodes: one.znodes };
            }
            misses += 1;
        }
        port.pause(BETWEEN).await;
    }
    if misses >= MISSES { DataProof::Differ } else { DataProof::Unproven }
}

struct Figures {
    zxid: Zxid,
    znodes: u64,
    bytes: Option<u64>,
}

/// Figures that belong to one zxid: where they take several answers, it was the same before and
/// after.
async fn figures<E: Ensemble>(port: &E, at: &Endpoint) -> Option<Figures> {
    let srvr = Srvr::parse(&port.ask(at, Word::Srvr).await.ok()?);
    let (zxid, znodes) = (srvr.zxid?, srvr.znodes?);
    let mntr = port.ask(at, Word::Mntr).await.ok();
    let Some(bytes) = mntr.and_then(|answer| Mntr::parse(&answer).bytes) else {
        return Some(Figures { zxid, znodes, bytes: None });
    };
    let after = Srvr::parse(&port.ask(at, Word::Srvr).await.ok()?);
    (after.zxid == Some(zxid)).then_some(Figures { zxid, znodes, bytes: Some(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(pairs: &[(u64, u64)]) -> BTreeMap<Zxid, u64> {
        pairs.iter().map(|(zxid, digest)| (Zxid::new(*zxid), *digest)).collect()
    }

    #[test]
    fn one_digest_that_differs_outweighs_all_that_agree() {
        let leader = digests(&[(128, 1), (256, 2), (384, 3)]);
        let proof = |own: &[(u64, u64)]| by_digests(&leader, &digests(own));
        assert_eq!(proof(&[(128, 1), (256, 2)]), DataProof::Digest(Zxid::new(256)));
        assert_eq!(proof(&[(128, 9), (256, 2)]), DataProof::Differ);
        assert_eq!(proof(&[(512, 4)]), DataProof::NoCommonDigest);
        assert_eq!(proof(&[]), DataProof::NoCommonDigest);
    }
}

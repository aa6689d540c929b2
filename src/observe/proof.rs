//! Proves that a joiner's data equal the leader's.
//!
//! An equal zxid is not enough: a data directory of another ensemble can be at any zxid, and a
//! leader then sends only the difference (`LearnerHandler.syncFollower`).
//!
//! # The digest rule
//!
//! The newest digest that both list decides. A server that gets a snapshot while writes commit gets
//! a fuzzy one: it contains effects of transactions that are sent again after it. The digests that
//! the server records while it applies those (`Learner.syncWithLeader`, `DataTree.logZxidDigest`)
//! differ from the leader's although the data are correct, and every later digest is equal. So an
//! older digest that differs means nothing beside a newer one that is equal. A newest digest that
//! differs proves different data only if its zxid is after the one at which the server was first
//! observed to serve: by then it has applied everything fuzzy. `zk_digest_mismatches_count` counts
//! none of the fuzzy ones, so it confirms a difference.
//!
//! # Without digests
//!
//! If one of the two has no digest (3.5, `hash` not allowed, digests switched off), only the counts
//! of znodes and bytes at one zxid and zkplan's marker can be compared. They do not prove the
//! content, so they are used only if the operator accepts that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;

use super::{Digests, NoDigests, ServerObservation};
use crate::ensemble::four_letter::{Mntr, Srvr, parse_hash};
use crate::ensemble::{Ensemble, FourLetterWord, NoAnswer, ServerVersion};
use crate::model::{Endpoint, ServerId, Zxid};

/// The limit on compared pairs of answers, until two have one zxid.
const SAMPLES: usize = 128;

/// The same limit within a survey, which must not take much longer.
const SAMPLES_OF_A_LOOK: usize = 25;

/// This many pairs at one zxid without an equal one are no accident.
const MISSES: usize = 5;

/// The time from one pair to the next.
const BETWEEN: Duration = Duration::from_millis(20);

/// The result of comparing a joiner with the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataProof {
    /// The newest tree digests at a common zxid are equal (`DataTree.ZxidDigest`).
    Digest(Zxid),
    /// The same number of znodes, and of bytes if both report it, at one zxid; and the last write
    /// on the leader was read on the joiner. This does not prove the content.
    Counts {
        /// The zxid.
        zxid: Zxid,
        /// How many znodes.
        znodes: u64,
    },
    /// The data differ: the server has counted digest mismatches, or its figures differ at one
    /// zxid.
    Differ,
    /// The newest tree digests at a common zxid, given here, differ. That proves different data
    /// only if the server was observed to serve before that zxid.
    DigestDiffers(Zxid),
    /// Digests are kept, but there is no common one yet: one is made every 128 zxids.
    NoCommonDigest,
    /// One of the two gave no answer, so it is unknown whether there are digests to compare.
    Unanswered,
    /// There are no digests to compare, and counts were not compared because the operator has not
    /// accepted that they do not prove the content.
    NoDigests {
        /// Why the leader gives none, where it does not.
        leader: Option<NoDigests>,
        /// Why the joiner gives none, where it does not.
        joiner: Option<NoDigests>,
    },
    /// The marker cannot be read there: the server may be behind, or have other data.
    NoMarker,
    /// There are no digests to compare, and no two answers had one zxid.
    NeverMet,
}

/// Of which joiners the counts are compared, and whether they may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ByCounts {
    /// Whether the operator accepts that counts cannot prove the content.
    pub is_accepted: bool,
    /// Joiners that list digests, but never one in common with the leader.
    pub given_up: BTreeSet<ServerId>,
}

impl DataProof {
    /// Whether the data are taken for equal.
    pub const fn is_equal(&self) -> bool {
        matches!(self, Self::Digest(_) | Self::Counts { .. })
    }

    /// Whether the data are proven to differ, if the server was first observed to serve at that
    /// zxid.
    pub fn convicts(&self, first_served: Option<Zxid>) -> bool {
        match self {
            Self::Differ => true,
            Self::DigestDiffers(zxid) => first_served.is_some_and(|served| *zxid > served),
            Self::Digest(_)
            | Self::Counts { .. }
            | Self::NoCommonDigest
            | Self::Unanswered
            | Self::NoDigests { .. }
            | Self::NoMarker
            | Self::NeverMet => false,
        }
    }

    /// Whether a newer digest would decide.
    pub const fn wants_newer_digest(&self) -> bool {
        matches!(self, Self::NoCommonDigest | Self::DigestDiffers(_))
    }
}

/// Compares joiners with the leader, concurrently. `identity` is the content of `/zkplan/id`.
pub async fn prove_data<E: Ensemble>(
    port: &E,
    leader: &Endpoint,
    joiners: &BTreeMap<ServerId, Endpoint>,
    counts: &ByCounts,
    identity: Option<&str>,
) -> BTreeMap<ServerId, DataProof> {
    let theirs = digests(port, leader).await;
    let proofs = joiners.iter().map(|(id, at)| {
        let theirs = &theirs;
        async move {
            let compared = by_digests_of(port, theirs, at).await;
            let given_up = compared == DataProof::NoCommonDigest && counts.given_up.contains(id);
            let proof = match compared {
                DataProof::NoDigests { .. } if counts.is_accepted => {
                    by_counts(port, leader, at, identity).await
                }
                _ if given_up && counts.is_accepted => by_counts(port, leader, at, identity).await,
                _ if given_up => DataProof::NoDigests { leader: None, joiner: None },
                compared => compared,
            };
            (*id, proof)
        }
    });
    join_all(proofs).await.into_iter().collect()
}

/// Compares the digests of a joiner with those of the leader.
async fn by_digests_of<E: Ensemble>(port: &E, leaders: &Digests, joiner: &Endpoint) -> DataProof {
    let (own, mntr) = futures::join!(digests(port, joiner), port.ask(joiner, FourLetterWord::Mntr));
    let mismatches = mntr.ok().and_then(|answer| Mntr::parse(&answer).digest_mismatches);
    let lacking = |digests: &Digests| match digests {
        Digests::Lacking(why) => Some(*why),
        Digests::Unknown | Digests::Listed(_) => None,
    };
    match (leaders, &own) {
        (Digests::Listed(leaders), Digests::Listed(own)) => by_digests(leaders, own, mismatches),
        (Digests::Unknown, _) | (_, Digests::Unknown) => DataProof::Unanswered,
        _ if mismatches.is_some_and(|count| count > 0) => DataProof::Differ,
        _ => DataProof::NoDigests { leader: lacking(leaders), joiner: lacking(&own) },
    }
}

/// The digests that a server reports now.
async fn digests<E: Ensemble>(port: &E, at: &Endpoint) -> Digests {
    let (srvr, hash) =
        futures::join!(port.ask(at, FourLetterWord::Srvr), port.ask(at, FourLetterWord::Hash));
    digests_of(srvr.ok().and_then(|answer| Srvr::parse(&answer).version), hash)
}

/// Reads the answer to `hash` of a server of that release.
///
/// Releases before 3.6 do not know the word and close the connection: their answer is empty, like
/// that of a later release without a digest yet. With `zookeeper.digest.enabled=false` a server
/// keeps listing zeros.
pub(super) fn digests_of(
    version: Option<ServerVersion>,
    hash: Result<String, NoAnswer>,
) -> Digests {
    const FIRST: ServerVersion = ServerVersion::new(3, 6, 0);
    if version.is_some_and(|version| version < FIRST) {
        return Digests::Lacking(NoDigests::OldRelease);
    }
    let listed = match hash {
        Ok(answer) => parse_hash(&answer),
        Err(NoAnswer::NotWhitelisted) => return Digests::Lacking(NoDigests::NotAllowed),
        Err(_) => return Digests::Unknown,
    };
    let (zeros, listed): (BTreeMap<Zxid, u64>, BTreeMap<Zxid, u64>) =
        listed.into_iter().partition(|(_, digest)| *digest == 0);
    match (zeros.is_empty(), listed.is_empty()) {
        (true, true) if version.is_none() => Digests::Lacking(NoDigests::NoAnswer),
        (false, true) => Digests::Lacking(NoDigests::SwitchedOff),
        _ => Digests::Listed(listed),
    }
}

/// Compares the digests of the leader and of another server, whose mismatches are given.
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

/// Compares the figures that both report at one zxid. A write in between only makes the pair
/// unusable.
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

/// Compares the data of all servers of the leader's release with the leader's, as far as one survey
/// can. Digests that differ are proof only if figures at one zxid differ too, because a survey does
/// not know when a server first served. Releases may compute digests in different ways
/// (`DigestCalculator.DIGEST_VERSION`).
pub(super) async fn compare<E: Ensemble>(
    port: &E,
    leader: &ServerObservation,
    others: impl Iterator<Item = &mut ServerObservation>,
) {
    let (Some(at), Digests::Listed(theirs)) = (&leader.endpoint, &leader.data.digests) else {
        return;
    };
    let comparable = |observed: &&mut ServerObservation| {
        observed.id != leader.id && observed.version == leader.version && observed.mode.is_some()
    };
    join_all(others.filter(comparable).map(|observed| async {
        let data = &observed.data;
        let Digests::Listed(own) = &data.digests else { return };
        let mut found = by_digests(theirs, own, data.digest_mismatches);
        if let (DataProof::DigestDiffers(_), Some(other)) = (&found, &observed.endpoint)
            && matches!(
                figures_at_one_zxid(port, at, other, SAMPLES_OF_A_LOOK).await,
                Some(Met::Differ)
            )
        {
            found = DataProof::Differ;
        }
        observed.data.compared = Some(found);
    }))
    .await;
}

/// The result of figures at one zxid.
enum Met {
    Equal(Figures),
    Differ,
}

/// Asks two servers until they are at one zxid, up to a limit. `None` if they never were, or too
/// rarely to distinguish a difference from an accident.
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
    let srvr = Srvr::parse(&port.ask(at, FourLetterWord::Srvr).await.ok()?);
    let (zxid, znodes) = (srvr.zxid?, srvr.znodes?);
    let mntr = port.ask(at, FourLetterWord::Mntr).await.ok();
    let bytes = mntr.and_then(|answer| Mntr::parse(&answer).bytes);
    let after = Srvr::parse(&port.ask(at, FourLetterWord::Srvr).await.ok()?);
    (after.zxid == Some(zxid)).then_some(Figures { zxid, znodes, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(pairs: &[(u64, u64)]) -> BTreeMap<Zxid, u64> {
        pairs.iter().map(|(zxid, digest)| (Zxid::new(*zxid), *digest)).collect()
    }

    /// A server that copied its data during writes lists wrong digests of that time. The newest
    /// digest decides.
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

    /// 3.5 does not know the word and closes the connection. That differs from a server without a
    /// digest yet.
    #[test]
    fn a_server_without_the_word_hash_gives_no_digests() {
        let release = |minor| Some(ServerVersion::new(3, minor, 1));
        let answer = |text: &str| Ok(text.to_owned());
        let lacks = |version, hash| match digests_of(version, hash) {
            Digests::Lacking(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(lacks(release(5), answer("")), NoDigests::OldRelease);
        assert_eq!(lacks(release(5), Err(NoAnswer::Closed)), NoDigests::OldRelease);
        assert_eq!(lacks(release(8), Err(NoAnswer::NotWhitelisted)), NoDigests::NotAllowed);
        assert_eq!(lacks(release(8), answer("100000080: 0\n")), NoDigests::SwitchedOff);
        assert_eq!(lacks(None, answer("")), NoDigests::NoAnswer);
        assert_eq!(digests_of(release(8), answer("")), Digests::Listed(BTreeMap::new()));
        assert_eq!(digests_of(release(8), Err(NoAnswer::AnswerTimedOut)), Digests::Unknown);
        let some = digests(&[(0x1_0000_0080, 5)]);
        assert_eq!(digests_of(release(6), answer("100000080: 5\n")), Digests::Listed(some));
    }
}

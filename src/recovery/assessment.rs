//! What the surviving directories mean for an ensemble.

use std::collections::BTreeSet;

use super::survivor::{History, Survivor};
use crate::model::{ConfigVersion, EnsembleConfig, Membership, ServerId};
use crate::snapshot::DataVerdict;

/// Where a configuration was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// In the data of that server: `/zookeeper/config`.
    Data(ServerId),
    /// In a `zoo.cfg` and its dynamic file.
    ZooCfg(String),
    /// In the spec: no file of a server has one.
    Spec,
}

/// A configuration of the old ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownConfig {
    /// Where it was read.
    pub source: ConfigSource,
    /// Its version; `None` where the source names none.
    pub version: Option<ConfigVersion>,
    /// Its members.
    pub members: Membership,
}

/// Dead servers, and how many of them would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayBack {
    /// The voters without a usable directory.
    pub missing: BTreeSet<ServerId>,
    /// Those of them each of which makes the survivors a quorum again.
    pub alone: BTreeSet<ServerId>,
    /// How many of them are enough, taken in the order of their ids.
    pub enough: usize,
}

/// How much was lost at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossBound {
    /// Nothing that was acknowledged: the missing voters alone were no quorum, so that each acknowledged
    /// write is in a whole directory, and with that in the highest one.
    NothingAcknowledged,
    /// The files do not show how far the missing servers went.
    Unknown,
}

/// What a new ensemble that begins with the chosen directory lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Losses {
    /// The last transaction that it has: what is lost lies above.
    pub after: History,
    /// When that was, in milliseconds since 1970, where a log tells.
    pub after_time_ms: Option<i64>,
    /// How much was lost at most.
    pub bound: LossBound,
    /// The highest epoch that a survivor has accepted, where it is later than that of the chosen data: a
    /// leader of it may have committed writes.
    pub later_epoch: Option<u64>,
    /// Damaged directories that go further, with their ends.
    pub beyond: Vec<(ServerId, History)>,
}

/// Whether the ensemble is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The survivors with usable files are a quorum: they are to be started.
    Quorum {
        /// The voters and observers to start.
        start: BTreeSet<ServerId>,
    },
    /// They are none.
    Lost {
        /// What would make them one.
        way_back: WayBack,
        /// The directory to begin with; `None` where none is usable.
        chosen: Option<ServerId>,
        /// What is not in it.
        losses: Option<Losses>,
    },
}

/// Why nothing can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoveryRefusal {
    /// Servers write to their files now.
    Running(BTreeSet<ServerId>),
    /// Two configurations of one version differ: the directories are of two ensembles.
    TwoEnsembles([ServerId; 2]),
    /// No directory is usable.
    NothingUsable,
    /// The highest directory is damaged, and no other one was asked for.
    HighestDamaged {
        /// Its server.
        damaged: ServerId,
        /// The highest usable one.
        usable: ServerId,
    },
    /// The directory that was asked for is damaged.
    TakenDamaged(ServerId),
    /// A directory that is usable goes further than the one that was asked for.
    TakenIsLower {
        /// The one that was asked for.
        taken: ServerId,
        /// The highest one.
        highest: ServerId,
    },
}

/// What the directories mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// The directories, by server.
    pub survivors: Vec<Survivor>,
    /// The configuration in force, as far as the survivors and the files know.
    pub config: KnownConfig,
    /// Whether the ensemble is lost.
    pub standing: Standing,
    /// Why nothing can be written; `None` where it can, or need not.
    pub refusal: Option<RecoveryRefusal>,
}

impl Assessment {
    /// Of all directories, with the configurations that are known beside those in the data. `taken` is
    /// the server whose directory the operator wants.
    pub fn of(
        mut survivors: Vec<Survivor>,
        given: Vec<KnownConfig>,
        spec: &Membership,
        taken: Option<ServerId>,
    ) -> Self {
        survivors.sort_by_key(|survivor| survivor.id);
        let all = known(&survivors, given);
        let config = in_force(&all, spec);
        let usable = |survivor: &&Survivor| survivor.is_usable();
        let usable: BTreeSet<ServerId> = survivors.iter().filter(usable).map(|s| s.id).collect();
        let running = survivors.iter().filter(|survivor| survivor.is_written);
        let running: BTreeSet<ServerId> = running.map(|survivor| survivor.id).collect();
        let (standing, refusal) = if config.members.is_quorum(&usable) {
            (Standing::Quorum { start: usable }, None)
        } else {
            let highest = highest(&survivors, Survivor::is_usable);
            let chosen = taken.or(highest);
            let way_back = way_back(&config.members, &usable);
            let losses = chosen.and_then(|id| losses(&survivors, id, &all, &config.members));
            let refusal = not_chosen(&survivors, highest, taken);
            (Standing::Lost { way_back, chosen, losses }, refusal)
        };
        let refusal =
            if running.is_empty() { refusal } else { Some(RecoveryRefusal::Running(running)) };
        let refusal = two_ensembles(&survivors).or(refusal);
        Self { survivors, config, standing, refusal }
    }

    /// The directory of a server.
    pub fn survivor(&self, id: ServerId) -> Option<&Survivor> {
        self.survivors.iter().find(|survivor| survivor.id == id)
    }
}

/// Every configuration that is known.
fn known(survivors: &[Survivor], given: Vec<KnownConfig>) -> Vec<KnownConfig> {
    let of_data = survivors.iter().filter_map(|survivor| {
        let config = survivor.config.clone()?;
        let (version, members) = (Some(config.version), config.membership);
        Some(KnownConfig { source: ConfigSource::Data(survivor.id), version, members })
    });
    of_data.chain(given).collect()
}

/// The one with the highest version. A reconfiguration commits with a quorum of the members before it,
/// too: survivors that are a quorum know the last one.
fn in_force(all: &[KnownConfig], spec: &Membership) -> KnownConfig {
    let spec = KnownConfig { source: ConfigSource::Spec, version: None, members: spec.clone() };
    let mut best = None;
    for config in all {
        if best.is_none_or(|best: &KnownConfig| config.version > best.version) {
            best = Some(config);
        }
    }
    best.cloned().unwrap_or(spec)
}

/// Two directories whose data have different members under one version of a reconfiguration.
fn two_ensembles(survivors: &[Survivor]) -> Option<RecoveryRefusal> {
    let versioned = |survivor: &Survivor| {
        let config = survivor.config.clone().filter(|config| !config.version.is_zero())?;
        Some((survivor.id, config))
    };
    let all: Vec<_> = survivors.iter().filter_map(versioned).collect();
    all.iter().enumerate().find_map(|(at, (id, config))| {
        let same = |other: &&(ServerId, EnsembleConfig)| {
            other.1.version == config.version && other.1.membership != config.membership
        };
        let other = all.get(at + 1..)?.iter().find(same)?;
        Some(RecoveryRefusal::TwoEnsembles([*id, other.0]))
    })
}

/// The survivor whose data go furthest. Of equals a whole one comes first, then the lowest id.
fn highest(survivors: &[Survivor], counts: impl Fn(&Survivor) -> bool) -> Option<ServerId> {
    let best = survivors.iter().filter(|survivor| counts(survivor)).max_by_key(|survivor| {
        let is_whole = survivor.verdict == DataVerdict::Whole;
        (survivor.history, is_whole, std::cmp::Reverse(survivor.id))
    });
    best.map(|survivor| survivor.id)
}

fn way_back(members: &Membership, usable: &BTreeSet<ServerId>) -> WayBack {
    let missing: BTreeSet<ServerId> = members.voters().difference(usable).copied().collect();
    let with =
        |more: &BTreeSet<ServerId>| members.is_quorum(&usable.union(more).copied().collect());
    let alone = missing.iter().filter(|id| with(&BTreeSet::from([**id]))).copied().collect();
    let mut back = BTreeSet::new();
    for id in &missing {
        if !with(&back) {
            back.insert(*id);
        }
    }
    WayBack { missing, alone, enough: back.len() }
}

fn losses(
    survivors: &[Survivor],
    chosen: ServerId,
    all: &[KnownConfig],
    in_force: &Membership,
) -> Option<Losses> {
    let survivor = survivors.iter().find(|survivor| survivor.id == chosen)?;
    let after = survivor.history?;
    let is_beyond = |other: &&Survivor| other.history > Some(after);
    let beyond = survivors.iter().filter(is_beyond);
    let beyond: Vec<_> = beyond.filter_map(|other| Some((other.id, other.history?))).collect();
    let accepted = survivors.iter().filter_map(|survivor| survivor.accepted_epoch).max();
    // A write commits with a quorum. Where those that are gone are none by themselves, one of these has it.
    let whole = survivors.iter().filter(|survivor| survivor.verdict == DataVerdict::Whole);
    let whole: BTreeSet<ServerId> = whole.map(|survivor| survivor.id).collect();
    let could_commit = |members: &Membership| {
        let gone = members.voters().difference(&whole).copied().collect();
        members.is_quorum(&gone)
    };
    let mut memberships = all.iter().map(|config| &config.members).chain([in_force]);
    let bound = if beyond.is_empty() && !memberships.any(could_commit) {
        LossBound::NothingAcknowledged
    } else {
        LossBound::Unknown
    };
    Some(Losses {
        after,
        after_time_ms: survivor.last_time_ms,
        bound,
        later_epoch: accepted.filter(|accepted| *accepted > after.epoch),
        beyond,
    })
}

/// Why the directory that would be taken is not.
fn not_chosen(
    survivors: &[Survivor],
    highest_usable: Option<ServerId>,
    taken: Option<ServerId>,
) -> Option<RecoveryRefusal> {
    let Some(usable) = highest_usable else { return Some(RecoveryRefusal::NothingUsable) };
    let find = |id: ServerId| survivors.iter().find(|survivor| survivor.id == id);
    if let Some(taken) = taken {
        return match (find(taken), find(usable)) {
            (Some(survivor), _) if !survivor.is_usable() => {
                Some(RecoveryRefusal::TakenDamaged(taken))
            }
            (Some(survivor), Some(best)) if survivor.history < best.history => {
                Some(RecoveryRefusal::TakenIsLower { taken, highest: usable })
            }
            _ => None,
        };
    }
    let of_all = highest(survivors, |_| true)?;
    let is_further = find(of_all)?.history > find(usable)?.history;
    is_further.then_some(RecoveryRefusal::HighestDamaged { damaged: of_all, usable })
}

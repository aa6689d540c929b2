//! Decides which ensemble is observed, and whether it is only one.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::clients::clients;
use super::endpoint_answers::EndpointAnswers;
use super::follows_by_write::following;
use super::survey::Survey;
use super::{Identity, Lineage, ObserveError, TargetEnsemble, Tried};
use crate::ensemble::four_letter::Srvr;
use crate::ensemble::{Ensemble, Mode, NoAnswer, ServerVersion};
use crate::model::{Endpoint, EnsembleConfig, Membership, Server, ServerId};

/// The one ensemble that answers.
pub(super) struct LiveEnsemble {
    /// Its configuration. Without reconfigs each server has its own file. Then this is the leader's
    /// file, with the hosts of the other files in place of wildcards.
    pub(super) config: EnsembleConfig,
    /// The leader and the address at which it was asked.
    pub(super) leader: Option<(ServerId, Endpoint)>,
    /// The configuration as the leader reports it.
    shown: EnsembleConfig,
    /// Where servers were seen to follow whose own files write it otherwise.
    own_files: BTreeSet<Endpoint>,
    /// Where servers without reconfigs were seen to follow a leader that has them.
    at_version_zero: BTreeSet<Endpoint>,
}

impl LiveEnsemble {
    /// Whether a server runs with the configuration of the ensemble.
    pub(super) fn is_of(&self, probe: &EndpointAnswers) -> bool {
        probe.runs_with(&self.shown) || self.own_files.contains(&probe.endpoint)
    }

    /// Whether a server was observed to follow although it takes no configuration from the leader.
    pub(super) fn keeps_its_file(&self, probe: &EndpointAnswers) -> bool {
        self.at_version_zero.contains(&probe.endpoint)
    }

    /// Whether a server has its own file, which may belong to this ensemble, and was not observed
    /// to follow.
    pub(super) fn may_have(&self, probe: &EndpointAnswers) -> bool {
        !self.is_of(probe) && probe.has_file_like(&self.shown)
    }
}

/// The one ensemble that answers, or the reason why there is none.
///
/// A server whose configuration cannot be one of this ensemble's by its text belongs to another
/// ensemble, unless it is observed to follow. A server whose file only writes the servers
/// differently must be observed to follow as well.
pub(super) async fn present<E: Ensemble>(
    port: &E,
    survey: &Survey,
) -> Result<LiveEnsemble, ObserveError> {
    too_old(survey)?;
    standalone(survey)?;
    let leaders = survey.leaders();
    let (mine, shown) = match leaders.as_slice() {
        [] => without_leader(survey)?,
        [(leader, config)] => (*leader, config.clone()),
        [(one, mine), (other, theirs), ..] => {
            let sides = [(*one, mine), (*other, theirs)];
            return Err(two_lineages(port, survey, sides).await);
        }
    };
    let leads = mine.mode() == Some(Mode::Leader);
    let id = survey.own_id(mine).filter(|_| leads);
    let mut strangers: Vec<(&EndpointAnswers, EnsembleConfig)> = Vec::new();
    let mut doubtful: Vec<&EndpointAnswers> = Vec::new();
    for probe in survey.counted().filter(|probe| probe.serves()) {
        let Some(theirs) = probe.config().filter(|theirs| theirs.value != shown) else { continue };
        let is_stranger = is_other_lineage(&theirs.value, &shown, id);
        let is_member = survey.own_id(probe).is_some_and(|id| shown.membership.contains(id));
        let keeps_its_file = is_member && is_undated(&theirs.value, &shown);
        if is_stranger || keeps_its_file || probe.has_file_like(&shown) {
            doubtful.push(probe);
        }
        if is_stranger {
            strangers.push((probe, theirs.value));
        }
    }
    let follow = following(port, survey, mine, &doubtful).await;
    for (probe, theirs) in &strangers {
        if !follow.contains(&probe.endpoint) {
            return Err(two_lineages(port, survey, [(mine, &shown), (*probe, theirs)]).await);
        }
    }
    doubtful.retain(|probe| follow.contains(&probe.endpoint));
    let is_undated = |probe: &&&EndpointAnswers| {
        probe.config().is_some_and(|theirs| is_undated(&theirs.value, &shown))
    };
    let at_version_zero =
        doubtful.iter().filter(is_undated).map(|probe| probe.endpoint.clone()).collect();
    doubtful.retain(|probe| probe.has_file_like(&shown));
    Ok(LiveEnsemble {
        config: EnsembleConfig { membership: named(&shown, &doubtful), ..shown.clone() },
        leader: id.map(|id| (id, mine.endpoint.clone())),
        own_files: doubtful.iter().map(|probe| probe.endpoint.clone()).collect(),
        at_version_zero,
        shown,
    })
}

/// Whether a server runs without reconfigs beside a leader that has them: its configuration has version
/// 0, and tells nothing of whom it follows.
pub(super) fn is_undated(theirs: &EnsembleConfig, ours: &EnsembleConfig) -> bool {
    theirs.version.is_zero() && !ours.version.is_zero()
}

/// The members, with a host in place of each wildcard if another file has one. A server's own line
/// often has `0.0.0.0` in its own file, but in no other.
fn named(shown: &EnsembleConfig, others: &[&EndpointAnswers]) -> Membership {
    let is_wildcard = |line: &Server| line.peers.iter().any(|peer| peer.host.is_wildcard());
    let mut members = shown.membership.clone();
    let files: Vec<EnsembleConfig> =
        others.iter().filter_map(|probe| Some(probe.config()?.value)).collect();
    for line in shown.membership.servers().filter(|line| is_wildcard(line)) {
        let theirs = files.iter().filter_map(|file| file.membership.get(line.id));
        if let Some(theirs) = theirs.into_iter().find(|theirs| !is_wildcard(theirs)) {
            members.put(Server { peers: theirs.peers.clone(), ..line.clone() });
        }
    }
    members
}

/// Whether a server's configuration cannot be an older one of this ensemble.
///
/// A version is the zxid of the reconfig that made it, so one version has one content. But every
/// new ensemble begins with the same version. A server cannot be ahead of its leader, and it cannot
/// follow a leader that its configuration does not list at the leader's address. Version 0 is that
/// of servers with `reconfigEnabled=false`, which never accept a newer one.
pub(super) fn is_other_lineage(
    theirs: &EnsembleConfig,
    ours: &EnsembleConfig,
    leader: Option<ServerId>,
) -> bool {
    if theirs == ours {
        return false;
    }
    let same_voter = |id: ServerId| {
        let peers = |config: &EnsembleConfig| {
            let server = config.membership.get(id).filter(|server| server.votes());
            server.map(|server| server.peers.clone())
        };
        peers(theirs).is_some() && peers(theirs) == peers(ours)
    };
    let stranger = match leader {
        Some(leader) => !same_voter(leader),
        None => !ours.membership.voters().into_iter().any(same_voter),
    };
    let dated = !theirs.version.is_zero() && !ours.version.is_zero();
    stranger || (dated && theirs.version >= ours.version)
}

/// Dynamic reconfiguration came with 3.5.0. Earlier releases have no configuration to read.
fn too_old(survey: &Survey) -> Result<(), ObserveError> {
    const FIRST: ServerVersion = ServerVersion::new(3, 5, 0);
    let old = |probe: &EndpointAnswers| {
        let version = probe.version().filter(|version| *version < FIRST)?;
        Some(ObserveError::TooOld { endpoint: probe.endpoint.clone(), version })
    };
    survey.counted().find_map(old).map_or(Ok(()), Err)
}

/// The present ensemble must not be a standalone server.
///
/// Servers without a znode of an application that name a standalone server with data as a member are
/// no ensemble of its: they elected each other with empty data, and it would take theirs.
fn standalone(survey: &Survey) -> Result<(), ObserveError> {
    let alone = |probe: &&EndpointAnswers| probe.mode() == Some(Mode::Standalone);
    let is_empty = |probe: &EndpointAnswers| probe.srvr.as_ref().is_ok_and(Srvr::is_empty);
    let has_data = survey.counted().filter(alone).any(|probe| !is_empty(probe));
    let named = |at: &Endpoint| {
        let serving = survey.counted().filter(|probe| probe.serves());
        let configs = serving
            .filter(|probe| !(has_data && is_empty(probe)))
            .filter_map(EndpointAnswers::config);
        configs
            .flat_map(|config| config.value.membership.servers().cloned().collect::<Vec<_>>())
            .any(|server| server.client_endpoint().as_ref() == Some(at))
    };
    let contact = survey
        .counted()
        .filter(alone)
        .find(|probe| survey.contacts.contains(&probe.endpoint) && !named(&probe.endpoint));
    let serves = |probe: &EndpointAnswers| probe.serves() && !(has_data && is_empty(probe));
    // Where no contact is given, a wanted server that looks for a leader is none of another ensemble.
    let looks = |probe: &EndpointAnswers| {
        !survey.contacts.is_empty() && probe.silence() == Some(NoAnswer::NotServing)
    };
    let is_only = !survey.counted().any(|probe| serves(probe) || looks(probe));
    let only = survey.counted().find(alone).filter(|_| is_only);
    match contact.or(only) {
        Some(probe) => Err(ObserveError::Standalone { endpoint: probe.endpoint.clone() }),
        None => Ok(()),
    }
}

/// If no server reports to lead, uses the newest configuration of the followers, because the leader
/// may be out of reach. A write must still prove that there is a leader.
fn without_leader(survey: &Survey) -> Result<(&EndpointAnswers, EnsembleConfig), ObserveError> {
    let follows = survey.counted().filter(|probe| probe.serves());
    let newest = follows
        .filter_map(|probe| Some((probe, probe.config()?.value)))
        .max_by(|(_, one), (_, other)| one.version.cmp(&other.version));
    if let Some(newest) = newest {
        return Ok(newest);
    }
    let unreadable =
        |probe: &EndpointAnswers| Some((probe.endpoint.clone(), probe.config_error()?));
    if let Some((endpoint, cause)) = survey.counted().find_map(unreadable) {
        return Err(ObserveError::UnreadableConfig { endpoint, cause });
    }
    Err(not_serving(survey))
}

/// The error if no server serves with a readable configuration.
fn not_serving(survey: &Survey) -> ObserveError {
    let tried = tried(survey);
    let id = |at: &Endpoint| {
        survey.counted().find(|probe| probe.endpoint == *at).and_then(|probe| survey.own_id(probe))
    };
    if let Some(error) = enforced(survey, (&tried, &tried), id) {
        return error;
    }
    let leads = |probe: &&EndpointAnswers| {
        probe.mode() == Some(Mode::Leader) && probe.session_silence().is_some()
    };
    if let Some(probe) = survey.counted().find(leads)
        && let Some(leader) = survey.own_id(probe).or_else(|| survey.meant_at(&probe.endpoint))
    {
        return ObserveError::NoCommit { leader, endpoint: probe.endpoint.clone(), tried };
    }
    let serves_nobody =
        |one: &Tried| matches!(one.silence, NoAnswer::NotServing | NoAnswer::NotWhitelisted);
    let mut answers = survey.counted().filter(|probe| probe.mode().is_some());
    if answers.next().is_some() || tried.iter().any(serves_nobody) {
        no_quorum(survey, tried)
    } else {
        ObserveError::Unreachable { tried }
    }
}

/// The error that a server enforces authentication. A server that refused a credential is preferred
/// to one that was shown none.
pub(super) fn enforced(
    survey: &Survey,
    (tried, by): (&[Tried], &[Tried]),
    id: impl Fn(&Endpoint) -> Option<ServerId>,
) -> Option<ObserveError> {
    let refused = by.iter().find(|one| one.silence == NoAnswer::AuthRefused);
    let one = refused.or_else(|| by.iter().find(|one| one.silence.is_for_want_of_auth()))?;
    Some(ObserveError::NeedsAuth {
        server: id(&one.endpoint).or_else(|| survey.meant_at(&one.endpoint)),
        endpoint: one.endpoint.clone(),
        why: one.silence,
        tried: tried.to_vec(),
    })
}

/// The servers whose votes are missing: by the configuration of a server that serves, else the
/// members in `connect`.
pub(super) fn no_quorum(survey: &Survey, tried: Vec<Tried>) -> ObserveError {
    let members = survey.members();
    let votes = |at: &Endpoint| {
        let is_there = |member: &&Server| match member.client_endpoint() {
            Some(own) => own == *at,
            None => survey.meant_at(at) == Some(member.id),
        };
        match members.iter().find(is_there) {
            Some(member) => Some(member.votes()),
            None if survey.contacts.contains(at) => Some(true),
            None if members.is_empty() => None,
            None => Some(false),
        }
    };
    let of = |wanted: Option<bool>| -> Vec<Endpoint> {
        let there = tried.iter().map(|one| &one.endpoint).filter(|at| votes(at) == wanted);
        there.cloned().collect()
    };
    let (voteless, unclear) = (of(Some(false)), of(None));
    ObserveError::NoQuorum { tried, voteless, unclear }
}

/// Everything that was tried in vain.
pub(super) fn tried(survey: &Survey) -> Vec<Tried> {
    let tried = survey.silent().into_iter();
    tried.map(|(endpoint, silence)| Tried { endpoint, silence }).collect()
}

async fn two_lineages<E: Ensemble>(
    port: &E,
    survey: &Survey,
    sides: [(&EndpointAnswers, &EnsembleConfig); 2],
) -> ObserveError {
    let [one, other] = sides.map(|(probe, config)| lineage(port, survey, probe, config));
    let (one, other) = futures::join!(one, other);
    if let Some(wanted) = before_the_merge(survey, &one, &other) {
        return target_runs(port, survey, one, other, wanted).await;
    }
    if let Some(wanted) = before_the_merge(survey, &other, &one) {
        return target_runs(port, survey, other, one, wanted).await;
    }
    ObserveError::TwoHistories { histories: Box::new([one, other]), retired: None }
}

/// The wanted servers that run an ensemble of their own, if that is the target of a merge. `None`
/// if it may be anything else.
///
/// The two ensembles must be unrelated: `connect` lists servers of one and none of the other, no
/// address is a member of both, and they do not have one identity, as an ensemble and its own
/// retired servers have. A target whose servers have the ids of the spec may be the ensemble that
/// the spec describes, unless it was never reconfigured: then its version is the first of its
/// epoch.
fn before_the_merge(
    survey: &Survey,
    present: &Lineage,
    target: &Lineage,
) -> Option<Vec<(ServerId, Endpoint)>> {
    let is_contact = |at: &Endpoint| survey.contacts.contains(at);
    let is_present = present.answered.iter().any(is_contact);
    let is_apart = !target.answered.iter().any(is_contact) && !share_members(present, target);
    let (Some(one), Some(other)) = (&present.identity, &target.identity) else { return None };
    let is_one = one == other && matches!(one, Identity::Known(_));
    let wanted: Vec<(ServerId, Endpoint)> =
        target.answered.iter().filter_map(|at| Some((survey.meant_at(at)?, at.clone()))).collect();
    let has_own_id = |(id, at): &(ServerId, Endpoint)| {
        let probe = survey.counted().find(|probe| probe.endpoint == *at);
        probe.and_then(|probe| survey.own_id(probe)) == Some(*id)
    };
    let was_reconfigured = target.config.version.as_zxid().get() & 0xffff_ffff != 0;
    let is_foreign = !was_reconfigured || !wanted.iter().all(has_own_id);
    let is_target = is_present && is_apart && !is_one && is_foreign && !wanted.is_empty();
    is_target.then_some(wanted)
}

/// Whether an address of one lineage is one of the other.
fn share_members(one: &Lineage, other: &Lineage) -> bool {
    let peers = |history: &Lineage| -> BTreeSet<(String, u16)> {
        let servers = history.config.membership.servers();
        let peers = servers.flat_map(|server| &server.peers);
        peers.map(|peer| (peer.host.canonical(), peer.quorum_port)).collect()
    };
    let names = |history: &Lineage, at: &Endpoint| {
        let mut servers = history.config.membership.servers();
        servers.any(|server| server.client_endpoint().as_ref() == Some(at))
    };
    !peers(one).is_disjoint(&peers(other))
        || other.answered.iter().any(|at| names(one, at))
        || one.answered.iter().any(|at| names(other, at))
}

/// The details of a target that runs an ensemble of its own.
async fn target_runs<E: Ensemble>(
    port: &E,
    survey: &Survey,
    present: Lineage,
    target: Lineage,
    wanted: Vec<(ServerId, Endpoint)>,
) -> ObserveError {
    let asked = join_all(target.answered.iter().map(|at| clients(port, at, None, None))).await;
    let counts = asked.into_iter().map(|clients| Some(clients?.value.count));
    let clients = counts.sum::<Option<u64>>();
    let side = survey.counted().filter(|probe| target.answered.contains(&probe.endpoint));
    let znodes = side.filter_map(|probe| probe.srvr.as_ref().ok()?.znodes).max();
    let target = Box::new(TargetEnsemble { history: target, wanted, znodes, clients });
    ObserveError::TargetRuns { present: Box::new(present), target }
}

/// The details of one lineage: the servers that run with its configuration.
async fn lineage<E: Ensemble>(
    port: &E,
    survey: &Survey,
    first: &EndpointAnswers,
    config: &EnsembleConfig,
) -> Lineage {
    let agrees = |probe: &&EndpointAnswers| probe.serves() && probe.runs_with(config);
    let side: Vec<&EndpointAnswers> = survey.counted().filter(agrees).collect();
    let leads = |probe: &&EndpointAnswers| probe.mode() == Some(Mode::Leader);
    let leader = Some(first).filter(leads).or_else(|| side.iter().copied().find(leads));
    let writer = leader.unwrap_or(first);
    let reading = match &writer.session {
        Some(session) => session.clone(),
        None => port.read(&writer.endpoint).await,
    };
    Lineage {
        leader: leader.map(|probe| (survey.own_id(probe), probe.endpoint.clone())),
        config: config.clone(),
        zxid: side.iter().filter_map(|probe| probe.zxid()).max(),
        answered: side.iter().map(|probe| probe.endpoint.clone()).collect(),
        commits: reading.is_ok(),
        identity: reading.ok().map(|r| {
            let identity = r.folder.text().map(str::to_owned);
            identity.map_or(Identity::NoneYet, Identity::Known)
        }),
    }
}

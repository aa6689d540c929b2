//! From answers to what follows from them: one observation a server, with its status. Which statuses
//! are healthy, [`ServerStatus::is_healthy`] says; which servers count as synced, `Facts::synced`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;

use super::endpoint_answers::EndpointAnswers;
use super::lineage::{LiveEnsemble, is_undated};
use super::proof::digests_of;
use super::survey::Survey;
use super::{
    DataFigures, Digests, ObservedSettings, Question, ServerObservation, ServerStatus, TargetProbe,
    Tried, Wanted,
};
use crate::ensemble::four_letter::{Mntr, keeps_local_sessions};
use crate::ensemble::{Ensemble, FourLetterWord, Mode, NoAnswer, PortState};
use crate::model::{Endpoint, Host, PeerAddress, Role, Server, ServerId, Zxid};

/// A server that the observation has to speak of: a member, a wanted server, or both.
struct Subject<'a> {
    id: ServerId,
    member: Option<&'a Server>,
    wanted: Option<&'a Wanted>,
    /// Which of the probes shows it.
    probe: Option<usize>,
}

impl Subject<'_> {
    /// Whether the spec has it where it is; who joins, leaves or goes to another host moves data.
    fn stays(&self) -> bool {
        let hosts =
            self.member.map(Server::peer).zip(self.wanted.map(|wanted| wanted.server.peer()));
        hosts.is_some_and(|(now, then)| now.host == then.host)
    }

    /// Whether its line is the one that the spec wants.
    fn is_as_wanted(&self) -> bool {
        self.member == self.wanted.map(|wanted| &wanted.server)
    }
}

/// What is asked of every subject beside who it is.
#[derive(Default)]
struct Details {
    data: DataFigures,
    quorum_port: Option<PortState>,
    election_port: Option<PortState>,
}

/// Everything that the details round gives.
#[derive(Default)]
pub(super) struct Round {
    details: BTreeMap<ServerId, Details>,
    pub(super) resolved: BTreeMap<String, Vec<String>>,
}

fn subjects<'a>(
    survey: &Survey,
    present: &'a LiveEnsemble,
    question: &'a Question,
) -> Vec<Subject<'a>> {
    let members = &present.config.membership;
    let ids: BTreeSet<ServerId> =
        members.ids().into_iter().chain(question.wanted.keys().copied()).collect();
    let subject = |id: ServerId| {
        let (member, wanted) = (members.get(id), question.wanted.get(&id));
        Subject { id, member, wanted, probe: probe_of(survey, present, id, member, wanted) }
    };
    ids.into_iter().map(subject).collect()
}

/// The probe that shows a server best: one where it answers with its own id and the ensemble's
/// configuration; else one where it answers with its own id; else whatever is at its address.
fn probe_of(
    survey: &Survey,
    present: &LiveEnsemble,
    id: ServerId,
    member: Option<&Server>,
    wanted: Option<&Wanted>,
) -> Option<usize> {
    let own = member.and_then(Server::client_endpoint);
    // Of a member whose clients are on its own machine nothing else answers for it: where the spec
    // wants it to be reached it may not be yet.
    let is_shut = member.is_some_and(Server::has_own_client_address);
    let wanted = wanted.and_then(|wanted| wanted.endpoint.as_ref()).filter(|_| !is_shut);
    let addresses = [own.as_ref(), wanted];
    let at_address = |at: Option<&Endpoint>| {
        survey.probes.iter().position(|p| p.guess_of.is_none() && Some(&p.endpoint) == at)
    };
    let there: Vec<usize> = addresses.into_iter().filter_map(at_address).collect();
    let everywhere = survey.probes.iter().enumerate().filter(|(_, p)| p.guess_of.is_none());
    let mut candidates: Vec<usize> =
        there.iter().copied().chain(everywhere.map(|(index, _)| index)).collect();
    // What is sent there later had better not travel in clear.
    candidates.sort_by_key(|index| !survey.probes[*index].endpoint.tls);
    let is_it = |index: &usize| survey.own_id(&survey.probes[*index]) == Some(id);
    let agrees = |index: &usize| present.is_of(&survey.probes[*index]);
    let best = candidates.iter().copied().find(|index| is_it(index) && agrees(index));
    best.or_else(|| candidates.iter().copied().find(is_it)).or_else(|| there.first().copied())
}

/// Asks for the details of every subject, side by side.
pub(super) async fn round<E: Ensemble>(
    port: &E,
    survey: &Survey,
    present: &LiveEnsemble,
    question: &Question,
) -> Round {
    let subjects = subjects(survey, present, question);
    // Where every server stays, no data move: that the ensemble matches is known without them.
    let all_stay = subjects.iter().all(Subject::stays);
    // Which sessions servers keep matters to who takes a lock.
    let any_changes = !subjects.iter().all(Subject::is_as_wanted);
    let leads = |id| present.leader.as_ref().is_some_and(|(leader, _)| *leader == id);
    let data = |subject: &Subject<'_>| match (question.skip_data, all_stay) {
        (false, false) => Data::Compared,
        (false, true) if leads(subject.id) => Data::Counted { with_sessions: any_changes },
        _ => Data::NotAsked,
    };
    let details = join_all(subjects.iter().map(|subject| {
        let peer = ports_to_check(survey, subject).filter(|_| question.ports.has(subject.id));
        details(port, survey, subject, (data(subject), peer))
    }));
    let (details, resolved) = futures::join!(details, resolve(port, survey, present, question));
    Round { details: subjects.iter().map(|s| s.id).zip(details).collect(), resolved }
}

/// What is asked about the data of a server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Data {
    /// Only what it reported by itself.
    NotAsked,
    /// How much there is; and which sessions the server keeps, where that is asked.
    Counted { with_sessions: bool },
    /// What they are compared by, too.
    Compared,
}

async fn details<E: Ensemble>(
    port: &E,
    survey: &Survey,
    subject: &Subject<'_>,
    (asked, peer): (Data, Option<PeerAddress>),
) -> Details {
    let probe = subject.probe.and_then(|index| survey.probes.get(index)).filter(|p| p.serves());
    let data = async {
        match probe {
            Some(probe) => data(port, probe, asked).await,
            None => DataFigures::default(),
        }
    };
    let ports = async {
        match peer {
            // One after the other: only one check of an election port at a time.
            Some(peer) => {
                let quorum = port.check_port(&peer.host, peer.quorum_port).await;
                (Some(quorum), Some(port.check_port(&peer.host, peer.election_port).await))
            }
            None => (None, None),
        }
    };
    let (data, (quorum_port, election_port)) = futures::join!(data, ports);
    Details { data, quorum_port, election_port }
}

/// The address on which it listens for the other servers: by its line, or where it answered with
/// its own id if the line names no host. A wildcard leads to the machine that connects to it.
fn ports_to_check(survey: &Survey, subject: &Subject<'_>) -> Option<PeerAddress> {
    let peer = peer(subject)?;
    if !peer.host.is_wildcard() {
        return Some(peer.clone());
    }
    let probe = subject.probe.and_then(|index| survey.probes.get(index));
    let probe = probe.filter(|probe| survey.own_id(probe) == Some(subject.id))?;
    Some(PeerAddress { host: probe.endpoint.host.clone(), ..peer.clone() })
}

/// Where the others reach it now, or shall reach it.
fn peer<'a>(subject: &Subject<'a>) -> Option<&'a PeerAddress> {
    subject.member.map(Server::peer).or_else(|| subject.wanted.map(|wanted| wanted.server.peer()))
}

async fn data<E: Ensemble>(port: &E, probe: &EndpointAnswers, asked: Data) -> DataFigures {
    let with_sessions = match asked {
        Data::NotAsked => return DataFigures::default(),
        Data::Counted { with_sessions } => with_sessions,
        Data::Compared => true,
    };
    let at = &probe.endpoint;
    // Which sessions a server keeps is a matter of all its sessions: it is asked of one server.
    let dump = async {
        let is_asked = with_sessions && probe.mode() == Some(Mode::Leader);
        is_asked
            && port
                .ask(at, FourLetterWord::Dump)
                .await
                .is_ok_and(|answer| keeps_local_sessions(&answer))
    };
    let digests = async {
        match asked {
            Data::Compared => digests_of(probe.version(), port.ask(at, FourLetterWord::Hash).await),
            Data::Counted { .. } | Data::NotAsked => Digests::default(),
        }
    };
    let mntr = port.ask(at, FourLetterWord::Mntr);
    let (mntr, digests, is_dumped) = futures::join!(mntr, digests, dump);
    let no_mntr = mntr.as_ref().err().copied();
    let mntr = mntr.map(|answer| Mntr::parse(&answer)).unwrap_or_default();
    let counts = counts(probe, &mntr);
    // Our own session may be the only one: it is there now and then.
    let has_local_sessions = with_sessions && (is_dumped || counts.has_local_sessions);
    DataFigures { no_mntr, digests, has_local_sessions, ..counts }
}

/// What a server counts of its data.
fn counts(probe: &EndpointAnswers, mntr: &Mntr) -> DataFigures {
    let srvr = probe.srvr.as_ref().ok();
    DataFigures {
        znodes: mntr.znodes.or(srvr.and_then(|srvr| srvr.znodes)),
        bytes: mntr.bytes,
        snapshot_ms: mntr.snapshot_ms,
        digest_mismatches: mntr.digest_mismatches,
        has_local_sessions: mntr.local_sessions.is_some_and(|count| count > 0),
        ..DataFigures::default()
    }
}

/// Resolves every host of the configuration, of the members' own files, of the spec and of the
/// contacts.
async fn resolve<E: Ensemble>(
    port: &E,
    survey: &Survey,
    present: &LiveEnsemble,
    question: &Question,
) -> BTreeMap<String, Vec<String>> {
    let mut hosts: BTreeSet<Host> = BTreeSet::new();
    let files =
        survey.counted().filter(|probe| present.is_of(probe)).filter_map(EndpointAnswers::config);
    let files: Vec<_> = files.map(|file| file.value).filter(|own| own.version.is_zero()).collect();
    let shown = files.iter().chain([&present.config]);
    for server in shown.flat_map(|config| config.membership.servers()) {
        hosts.extend(server.peers.iter().map(|peer| peer.host.clone()));
        hosts.extend(server.client.iter().map(|client| client.host.clone()));
    }
    for wanted in question.wanted.values() {
        hosts.insert(wanted.server.peer().host.clone());
        hosts.extend(wanted.endpoint.iter().map(|at| at.host.clone()));
    }
    hosts.extend(survey.contacts.iter().map(|at| at.host.clone()));
    let found = join_all(hosts.iter().filter(|host| !host.is_wildcard()).map(|host| async {
        let mut addresses: Vec<String> =
            port.resolve(host).await.iter().map(ToString::to_string).collect();
        addresses.sort_unstable();
        addresses.dedup();
        (host.canonical(), addresses)
    }));
    found.await.into_iter().collect()
}

/// Asks those who had not reached the leader's zxid again, until they have or two ticks are over.
///
/// A follower of a fresh leader shows its old zxid until the next write commits, so a write must
/// have been seen to commit before.
pub(super) async fn catch_up<E: Ensemble>(
    port: &E,
    survey: &mut Survey,
    present: &LiveEnsemble,
    leader_zxid: Option<Zxid>,
) {
    let Some(target) = leader_zxid else { return };
    let is_late = |probe: &EndpointAnswers| {
        probe.guess_of.is_none()
            && probe.serves()
            && (present.is_of(probe) || present.keeps_its_file(probe))
            && !has_reached(probe, target)
    };
    let mut left = survey.two_ticks();
    let mut pause = Duration::from_millis(5);
    loop {
        let late = survey.probes.iter_mut().filter(|probe| is_late(probe));
        join_all(late.map(|probe| probe.again(port))).await;
        if left.is_zero() || !survey.probes.iter().any(is_late) {
            return;
        }
        let time = pause.min(left);
        port.pause(time).await;
        left -= time;
        pause *= 2;
    }
}

/// Whether it has applied what the leader had, under the same leader.
fn has_reached(probe: &EndpointAnswers, target: Zxid) -> bool {
    probe.zxid().is_some_and(|zxid| zxid >= target && zxid.epoch() == target.epoch())
}

/// The status of all members and wanted servers.
pub(super) fn statuses(
    survey: &Survey,
    present: &LiveEnsemble,
    question: &Question,
    leader_zxid: Option<Zxid>,
    mut round: Round,
) -> BTreeMap<ServerId, ServerObservation> {
    let subjects = subjects(survey, present, question);
    let mut observe = |subject: &Subject<'_>| {
        let probe = subject.probe.and_then(|index| survey.probes.get(index));
        let asked_at = probe.map(|probe| probe.endpoint.clone());
        let status = match probe {
            Some(probe) => status(survey, present, subject, probe, leader_zxid),
            None => ServerStatus::NotAsked,
        };
        let Details { data, quorum_port, election_port } =
            round.details.remove(&subject.id).unwrap_or_default();
        let host = peer(subject).map(|peer| peer.host.canonical()).unwrap_or_default();
        let seen = probe.map(|probe| seen(survey, subject.id, probe));
        ServerObservation {
            endpoint: asked_at,
            reached_at: reached_at(survey, present, subject, leader_zxid),
            status,
            data,
            quorum_port,
            election_port,
            addresses: round.resolved.get(&host).cloned().unwrap_or_default(),
            ..seen.unwrap_or_else(|| ServerObservation::blank(subject.id, ServerStatus::NotAsked))
        }
    };
    subjects.iter().map(|subject| (subject.id, observe(subject))).collect()
}

/// The addresses at which a server was observed to take part. Each address is judged by its own
/// answer: at another address of the same id there may be another process.
fn reached_at(
    survey: &Survey,
    present: &LiveEnsemble,
    subject: &Subject<'_>,
    leader_zxid: Option<Zxid>,
) -> Vec<Endpoint> {
    let serves = |probe: &&EndpointAnswers| {
        survey.own_id(probe) == Some(subject.id)
            && status(survey, present, subject, probe, leader_zxid).is_healthy()
    };
    let mut at: Vec<Endpoint> =
        survey.counted().filter(serves).map(|probe| probe.endpoint.clone()).collect();
    at.sort_by_key(|at| !at.tls);
    at
}

/// What the answers of an endpoint contain about the server itself.
fn seen(survey: &Survey, id: ServerId, probe: &EndpointAnswers) -> ServerObservation {
    ServerObservation {
        own_id: probe.own_id(|| survey.known(probe)),
        version: probe.version(),
        mode: probe.mode(),
        zxid: probe.zxid(),
        config: probe.config(),
        own_ports: probe.own_ports(),
        bind_tries: probe.bind_tries(),
        tick_ms: probe.tick_ms(),
        init_limit: probe.init_limit(),
        max_client_connections: probe.max_client_connections(),
        settings: ObservedSettings::of_words(probe),
        ..ServerObservation::blank(id, ServerStatus::NotAsked)
    }
}

/// What follows from a server's answers; whatever is unknown is never healthy.
fn status(
    survey: &Survey,
    present: &LiveEnsemble,
    subject: &Subject<'_>,
    probe: &EndpointAnswers,
    leader_zxid: Option<Zxid>,
) -> ServerStatus {
    let Some(mode) = probe.mode() else {
        return match probe.silence() {
            Some(NoAnswer::NotServing) => ServerStatus::NotServing,
            Some(silence) => ServerStatus::Silent(silence),
            None => ServerStatus::Silent(NoAnswer::Unreadable),
        };
    };
    match mode {
        Mode::Standalone => return ServerStatus::Standalone,
        Mode::ReadOnly => return ServerStatus::ReadOnly,
        Mode::Leader | Mode::Follower | Mode::Observer => {}
    }
    match (survey.own_id(probe), probe.session_silence()) {
        (Some(id), _) if id == subject.id => {}
        (Some(other), _) => return ServerStatus::AnswersAs(other),
        (None, Some(silence)) => return ServerStatus::Silent(silence),
        (None, None) => return ServerStatus::IdUnknown,
    }
    match probe.config() {
        Some(_) if present.is_of(probe) => {}
        Some(_) if present.may_have(probe) => return ServerStatus::Behind,
        Some(_) if probe.znode.as_ref() == Some(&present.config) => {
            return ServerStatus::ConfigNotInForce;
        }
        // A learner with reconfigs takes the leader's version before it serves.
        Some(own) if subject.member.is_some() && is_undated(&own.value, &present.config) => {
            let has_reached = leader_zxid.is_some_and(|target| has_reached(probe, target));
            return if has_reached && present.keeps_its_file(probe) {
                ServerStatus::OwnFile
            } else {
                ServerStatus::Behind
            };
        }
        Some(_) => return ServerStatus::OtherConfiguration,
        None => {
            return ServerStatus::Silent(probe.config_silence().unwrap_or(NoAnswer::Unreadable));
        }
    }
    let leads = present.leader.as_ref().is_some_and(|(id, _)| *id == subject.id);
    let fresh = leader_zxid.is_some_and(|target| has_reached(probe, target));
    match (mode, subject.member.map(|member| member.role)) {
        (Mode::Leader, _) if leads => ServerStatus::Leading,
        (Mode::Follower | Mode::Observer, _) if !fresh => ServerStatus::Behind,
        (Mode::Follower, Some(Role::Participant)) => ServerStatus::Following,
        (Mode::Follower | Mode::Observer, Some(Role::Observer)) => ServerStatus::Observing,
        (Mode::Follower, None) => ServerStatus::FollowingWithoutVote,
        // An observer that has not yet become the voter that it is configured to be.
        _ => ServerStatus::OtherConfiguration,
    }
}

/// What answers where the spec wants each server.
pub(super) fn wanted_at(survey: &Survey, question: &Question) -> BTreeMap<ServerId, TargetProbe> {
    let asked = |(id, wanted): (&ServerId, &Wanted)| {
        let endpoint = wanted.endpoint.as_ref()?;
        let probe = survey.counted().find(|probe| probe.endpoint == *endpoint)?;
        let there = TargetProbe {
            endpoint: endpoint.clone(),
            silence: probe.silence(),
            own_id: survey.own_id(probe),
            mode: probe.mode(),
            plain_port: probe.plain_port(),
        };
        Some((*id, there))
    };
    question.wanted.iter().filter_map(asked).collect()
}

/// Contacts of which nothing is known. If statically configured lines hide the client ports, one of
/// them may be a member that is reported as not asked.
pub(super) fn silent_contacts(
    survey: &Survey,
    servers: &BTreeMap<ServerId, ServerObservation>,
) -> Vec<Tried> {
    let silent = |at: &Endpoint| {
        let probe = survey.counted().find(|probe| probe.endpoint == *at)?;
        let known = servers.values().any(|observed| observed.endpoint.as_ref() == Some(at));
        let silence = probe.silence().filter(|_| !known)?;
        Some(Tried { endpoint: at.clone(), silence })
    };
    survey.contacts.iter().filter_map(silent).collect()
}

/// Contacts that are known to be no member and no wanted server. Of one that does not answer that is
/// known only where every member is seen elsewhere, for it may be another address of one that is
/// down.
pub(super) fn elsewhere(
    survey: &Survey,
    present: &LiveEnsemble,
    question: &Question,
    servers: &BTreeMap<ServerId, ServerObservation>,
) -> Vec<Endpoint> {
    let members = &present.config.membership;
    let is_seen = |id: &ServerId| servers.get(id).is_some_and(|observed| observed.mode.is_some());
    let all_seen = members.ids().iter().all(is_seen);
    let is_known = |id: ServerId| members.contains(id) || question.wanted.contains_key(&id);
    let named = |at: &Endpoint| {
        let lines = members.servers().filter_map(Server::client_endpoint);
        let wanted = question.wanted.values().filter_map(|wanted| wanted.endpoint.clone());
        lines.chain(wanted).any(|line| line == *at)
    };
    let is_elsewhere = |at: &Endpoint| {
        let Some(probe) = survey.counted().find(|probe| probe.endpoint == *at) else {
            return false;
        };
        match (survey.own_id(probe), probe.silence()) {
            (Some(id), _) => !is_known(id),
            (None, None) => probe.mode() == Some(Mode::Standalone),
            (None, Some(_)) => all_seen && !named(at),
        }
    };
    survey.contacts.iter().filter(|at| is_elsewhere(at)).cloned().collect()
}

/// Servers that were asked and are neither members nor wanted.
pub(super) fn strangers(
    survey: &Survey,
    present: &LiveEnsemble,
    question: &Question,
    leader_zxid: Option<Zxid>,
) -> Vec<ServerObservation> {
    let mut strangers: Vec<ServerObservation> = Vec::new();
    for probe in survey.counted() {
        let Some(id) = survey.own_id(probe) else { continue };
        let known = present.config.membership.contains(id) || question.wanted.contains_key(&id);
        if known || strangers.iter().any(|stranger| stranger.id == id) {
            continue;
        }
        let subject = Subject { id, member: None, wanted: None, probe: None };
        strangers.push(ServerObservation {
            endpoint: Some(probe.endpoint.clone()),
            status: status(survey, present, &subject, probe, leader_zxid),
            ..seen(survey, id, probe)
        });
    }
    strangers
}

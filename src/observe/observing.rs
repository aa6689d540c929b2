//! The whole observation: ask, settle, see a write commit, ask for details, conclude.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, MaybeDone, join_all, maybe_done, select};
use tracing::debug;

use super::clients::clients;
use super::endpoint_answers::EndpointAnswers;
use super::findings::findings;
use super::lineage::{self, LiveEnsemble};
use super::proof::compare;
use super::server_status::Round;
use super::survey::Survey;
use super::{
    ClientsOf, Identity, Observation, ObserveError, Question, Tried, server_status, settings_seen,
};
use crate::ensemble::{ConfigRead, Ensemble, NoAnswer};
use crate::model::{Endpoint, EnsembleConfig, ServerId};
use crate::trust::FolderSeen;

/// How often the observation is repeated when a reconfig overtakes it.
const ATTEMPTS: usize = 3;

/// How long a member that was not seen up and in sync is given before it is asked once more.
const BEFORE_ASKING_AGAIN: Duration = Duration::from_millis(500);

/// What was read beside a survey, and the server that the session is on.
struct EarlyReading {
    at: Endpoint,
    reading: ConfigRead,
}

/// The survey and the ensemble on which an observation rests.
struct SurveyResult {
    present: LiveEnsemble,
    reading: ConfigRead,
    round: Round,
}

/// Observes an ensemble once.
///
/// The time is bounded: an ensemble that agrees is asked in two concurrent rounds. If servers
/// disagree, or there is no leader, they are asked again for up to two ticks, through
/// [`Ensemble::pause`].
pub async fn observe<E: Ensemble>(
    port: &E,
    question: &Question,
) -> Result<Observation, ObserveError> {
    // Which server leads is not known yet; what commits through another one is committed as well.
    let at = question.contacts.first();
    observe_beside(port, question, (at, async { port.read(at?).await.ok() })).await
}

/// The same. The write is seen to commit beside the survey, by what `early` reads behind it on a session
/// at that server. Where that server turns out to be none of the ensemble, it is not waited for.
pub async fn observe_beside<E: Ensemble>(
    port: &E,
    question: &Question,
    (at, early): (Option<&Endpoint>, impl Future<Output = Option<ConfigRead>>),
) -> Result<Observation, ObserveError> {
    let mut early = pin!(maybe_done(early));
    let mut survey = match select(pin!(Survey::at(port, question)), early.as_mut()).await {
        Either::Left((survey, _)) => survey,
        Either::Right(((), survey)) => survey.await,
    };
    // What was read before answers that count no more, or at a server that does not serve, is given
    // up: it has one of the connections that the next questions need.
    let serves = |probe: &EndpointAnswers| Some(&probe.endpoint) == at && probe.serves();
    let mut counts = survey.is_settled() && survey.counted().any(serves);
    let mut attempt = 1;
    let ground = loop {
        if !counts {
            early.set(MaybeDone::Gone);
        }
        survey.settle(port).await;
        let reading = async {
            if !counts {
                return None;
            }
            early.as_mut().await;
            let reading = early.as_mut().take_output().flatten();
            at.cloned().zip(reading).map(|(at, reading)| EarlyReading { at, reading })
        };
        let ground = ground(port, &survey, question, reading).await;
        counts = false;
        match ground {
            Ok(ground) if attempt < ATTEMPTS && is_overtaken(&ground) => {
                attempt += 1;
                survey.ask_again(port).await;
            }
            Ok(ground) => break ground,
            Err(error) => {
                if !may_pass(&error) || !survey.wait(port).await {
                    return Err(error);
                }
            }
        }
    };
    Ok(conclude(port, survey, question, ground).await)
}

/// Observes an ensemble, and where a member was not seen up and in sync, once more a moment later:
/// after a change of leader every follower is away for a moment.
pub async fn observe_confirmed<E: Ensemble>(
    port: &E,
    question: &Question,
) -> Result<Observation, ObserveError> {
    let seen = observe(port, question).await?;
    let members = seen.config.membership.ids();
    let is_up = |id: &ServerId| seen.servers.get(id).is_some_and(|s| s.status.is_healthy());
    if members.iter().all(is_up) {
        return Ok(seen);
    }
    port.pause(BEFORE_ASKING_AGAIN).await;
    observe(port, question).await
}

/// Which ensemble it is, a committed write, and the details of its servers.
async fn ground<E: Ensemble>(
    port: &E,
    survey: &Survey,
    question: &Question,
    early: impl Future<Output = Option<EarlyReading>>,
) -> Result<SurveyResult, ObserveError> {
    let present = lineage::present(port, survey).await?;
    let reading = async {
        match early.await.filter(|early| is_of_this(survey, &present, early)) {
            Some(early) => Ok(early.reading),
            None => committed(port, survey, &present).await,
        }
    };
    let (reading, round) =
        futures::join!(reading, server_status::round(port, survey, &present, question));
    Ok(SurveyResult { reading: reading?, present, round })
}

/// Whether an election or a hand-over could be behind it. A question that timed out was given its
/// time already.
fn may_pass(error: &ObserveError) -> bool {
    match error {
        ObserveError::NoQuorum { tried, .. } | ObserveError::NoCommit { tried, .. } => {
            !tried.iter().any(|one| one.silence == NoAnswer::AnswerTimedOut)
        }
        ObserveError::Unreachable { .. }
        | ObserveError::NeedsAuth { .. }
        | ObserveError::TooOld { .. }
        | ObserveError::Standalone { .. }
        | ObserveError::TwoHistories { .. }
        | ObserveError::TargetRuns { .. }
        | ObserveError::UnreadableConfig { .. } => false,
    }
}

async fn conclude<E: Ensemble>(
    port: &E,
    mut survey: Survey,
    question: &Question,
    ground: SurveyResult,
) -> Observation {
    let SurveyResult { present, reading, round } = ground;
    let leader_zxid = present.leader.as_ref().and_then(|(_, at)| {
        survey.counted().find(|probe| probe.endpoint == *at).and_then(EndpointAnswers::zxid)
    });
    survey.read_znodes(port, &present.config).await;
    server_status::catch_up(port, &mut survey, &present, leader_zxid).await;
    let resolved = round.resolved.clone();
    let mut servers = server_status::statuses(&survey, &present, question, leader_zxid, round);
    let leader = present.leader.as_ref().and_then(|(id, _)| servers.get(id)).cloned();
    if let Some(leader) = leader.filter(|_| !question.skip_data) {
        compare(port, &leader, servers.values_mut()).await;
    }
    let mut strangers = server_status::strangers(&survey, &present, question, leader_zxid);
    let silent_contacts = server_status::silent_contacts(&survey, &servers);
    let elsewhere = server_status::elsewhere(&survey, &present, question, &servers);
    // One that was removed and still follows may have clients too.
    let counted = servers.values_mut().chain(&mut strangers).filter(|observed| {
        observed.mode.is_some()
            && match question.clients {
                ClientsOf::NoServer => false,
                ClientsOf::Leaving => !question.wanted.contains_key(&observed.id),
                ClientsOf::EveryServer => true,
            }
    });
    join_all(counted.map(|observed| async {
        let admin = question.wanted.get(&observed.id).and_then(|wanted| wanted.admin.as_deref());
        if let Some(at) = &observed.endpoint {
            observed.clients = clients(port, at, admin, None).await;
        }
    }))
    .await;
    let leads = present.leader.as_ref().map(|(id, _)| *id);
    settings_seen::complete(port, question, &present.config, leads, &mut servers).await;
    for observed in servers.values_mut() {
        observed.takes_one_connection =
            observed.endpoint.as_ref().is_some_and(|at| port.takes_one_connection(at));
    }
    let reconfig_disabled = servers.iter().any(|(id, observed)| {
        present.config.membership.contains(*id)
            && observed.config.as_ref().is_some_and(|config| config.value.version.is_zero())
    });
    let folder = FolderSeen::of(&reading.folder);
    let mut observation = Observation {
        identity: folder.identity().map_or(Identity::NoneYet, |id| Identity::Known(id.to_owned())),
        folder,
        leader: leads,
        leader_zxid,
        servers,
        strangers,
        silent_contacts,
        elsewhere,
        shared_names: survey.of_shared_names.clone(),
        wanted_at: server_status::wanted_at(&survey, question),
        resolved,
        write_committed: true,
        reconfig_disabled,
        findings: Vec::new(),
        assumed: false,
        config: present.config,
    };
    observation.findings = findings(&observation, &reading);
    debug!(
        config_version = %observation.config.version,
        leader = observation.leader.map_or_else(|| "none".to_owned(), |id| id.to_string()),
        servers = states(&observation),
        "looked at the ensemble"
    );
    observation
}

/// The server ids and what each does, for the log.
fn states(seen: &Observation) -> String {
    let each = seen.servers.values().map(|server| format!("{} {:?}", server.id, server.status));
    each.collect::<Vec<_>>().join(", ")
}

/// Whether that was read at a server of this ensemble, and is no older than what the survey shows.
fn is_of_this(survey: &Survey, present: &LiveEnsemble, early: &EarlyReading) -> bool {
    let mut there = survey.counted().filter(|probe| probe.endpoint == early.at);
    let config = EnsembleConfig::parse(&early.reading.config);
    there.any(|probe| probe.serves() && present.is_of(probe))
        && config.is_ok_and(|config| config.version >= present.config.version)
}

/// A session on the leader on which a write committed; where the leader lets no session in, one on
/// a server that follows it.
async fn committed<E: Ensemble>(
    port: &E,
    survey: &Survey,
    present: &LiveEnsemble,
) -> Result<ConfigRead, ObserveError> {
    let leader = present.leader.as_ref().map(|(_, at)| at);
    let follows = survey.counted().filter(|probe| probe.serves() && present.is_of(probe));
    let follower = follows.map(|probe| &probe.endpoint).find(|at| Some(*at) != leader);
    let mut tried = lineage::tried(survey);
    let before = tried.len();
    for at in leader.into_iter().chain(follower) {
        match read(port, survey, at).await {
            Ok(reading) => return Ok(reading),
            Err(silence) => tried.push(Tried { endpoint: at.clone(), silence }),
        }
    }
    let lead = |at: &Endpoint| present.leader.as_ref().filter(|(_, leader)| leader == at);
    let id = |at: &Endpoint| lead(at).map(|(id, _)| *id);
    if let Some(error) = lineage::enforced(survey, (&tried, &tried[before..]), id) {
        return Err(error);
    }
    Err(match &present.leader {
        Some((leader, endpoint)) => {
            ObserveError::NoCommit { leader: *leader, endpoint: endpoint.clone(), tried }
        }
        None => lineage::no_quorum(survey, tried),
    })
}

/// What a session shows, opened only where none was yet.
async fn read<E: Ensemble>(
    port: &E,
    survey: &Survey,
    at: &Endpoint,
) -> Result<ConfigRead, NoAnswer> {
    match survey.counted().find(|probe| probe.endpoint == *at).and_then(|p| p.session.clone()) {
        Some(session) => session,
        None => port.read(at).await,
    }
}

/// Whether a newer configuration has committed since the servers were asked. Never so without
/// reconfigs: a leader with `reconfigEnabled=false` leaves in the znode what it found there.
fn is_overtaken(ground: &SurveyResult) -> bool {
    let SurveyResult { present, reading, .. } = ground;
    let committed = EnsembleConfig::parse(&reading.config);
    reading.config_data_version == -1
        && !present.config.version.is_zero()
        && committed.is_ok_and(|config| config.version > present.config.version)
}

//! Retired servers stay watched: the servers that earlier runs took out of the ensemble are asked
//! beside its members, and where two histories answer, the run is named that retired one side.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::join_all;

use super::journal::{self, Wanted};
use crate::apply::archive::{Archive, Journal, LATEST};
use crate::apply::journal::Run;
use crate::apply::retired::{self, Moved, Retired, claim, has, last_entry, retired};
use crate::check::CheckedPlan;
use crate::ensemble::{RequestError, Session, ZooKeeper};
use crate::model::{Endpoint, Membership, ServerId, Target};
use crate::observe::{
    AskedServer, Beside, Finding, FindingKind, Lineage, Observation, ObserveError, Question,
    RetiredBy, RetiredState, ServerStatus, ask_beside, observe,
};
use crate::saved;

/// This many runs before the latest are searched for servers that they retired.
const OLDER: usize = 100;

/// A refusal waits no longer than this for the name of a run.
const NAMING: Duration = Duration::from_secs(3);

/// The membership that runs are held against, and the operator's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch<'a> {
    members: &'a Membership,
    /// Since 1970.
    now: Duration,
}

/// What earlier runs say of retired servers.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Servers that are no members any more.
    retired: Vec<Retired>,
    /// The run that retired members of today.
    moved: Option<Moved>,
    /// Where the latest run brings the ensemble to, where that is to be asked.
    targets: Vec<(ServerId, Endpoint)>,
    /// The runs.
    runs: Vec<Run>,
}

/// What answers at the addresses that were asked.
type Answers = BTreeMap<(ServerId, Endpoint), Beside>;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    /// Where servers serve that an earlier run moved this ensemble to, and not this ensemble.
    pub(super) rivals: Vec<Endpoint>,
}

impl<'a> Watch<'a> {
    /// With the time of now.
    pub(super) fn of(members: &'a Membership) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { members, now }
    }

    /// Reads what the journal says; `stored` is the plan of the last run, where it is open.
    pub(super) async fn read<S: Session>(
        self,
        archive: &Archive<'_, S>,
        journal: &Journal,
        stored: Option<&CheckedPlan>,
    ) -> Result<Past, RequestError> {
        let Self { members, now } = self;
        let latest = &journal.runs.latest;
        let mut runs = archive.retiring(latest, OLDER).await?;
        runs.extend(latest.iter().cloned());
        let claim = claim(runs.iter(), members, now);
        let read = match claim {
            Some(claim) if stored.is_none() => archive.plan(claim.latest).await?,
            _ => None,
        };
        let read = read.and_then(|text| saved::read(&text).ok());
        let plan = stored.or(read.as_ref()).map(CheckedPlan::plan);
        let is_its = |run: &Run| plan.is_some_and(|plan| run.is_of(&saved::plan_id(plan)));
        let plan = plan.filter(|_| runs.iter().any(is_its));
        let moved = claim.zip(plan).and_then(|(claim, plan)| claim.moved(plan, members));
        let targets = plan.filter(|_| moved.is_some() || stored.is_some()).map(retired::target);
        let targets = targets.into_iter().flatten().filter_map(|(id, at)| Some((id, at?)));
        let targets = targets.collect();
        Ok(Past { retired: retired(runs.iter(), members, now), moved, targets, runs })
    }
}

impl Past {
    /// Asks the retired servers, and those that came in their place.
    pub(super) async fn ask(&self, port: &ZooKeeper, seen: &Observation) -> Found {
        let servers = self.retired.iter().filter_map(|one| Some((one.line.id, one.at.clone()?)));
        let servers: Vec<_> = servers.chain(self.targets.iter().cloned()).collect();
        if servers.is_empty() && self.moved.is_none() {
            return Found::default();
        }
        let answers = ask_beside(port, seen, &servers).await;
        let answer = |id: ServerId, at: &Endpoint| answers.get(&(id, at.clone())).copied();
        let serves = |(id, at): &(ServerId, Endpoint)| {
            matches!(answer(*id, at), Some(Beside::Serves(_))).then(|| at.clone())
        };
        let rivals: Vec<Endpoint> = self.targets.iter().filter_map(serves).collect();
        let mut findings = Vec::new();
        for one in &self.retired {
            let Some(at) = &one.at else { continue };
            let Some(answer) = answer(one.line.id, at) else { continue };
            add(&mut findings, one.run, (one.line.id, at), answer);
        }
        let moved = self.moved.iter().filter(|moved| !is_back(moved, seen, &answers));
        findings.extend(moved.map(members_retired));
        Found { findings, rivals }
    }

    /// The run that retired members of one of two histories; this journal is of the history `own`.
    fn claim(&self, histories: &[Lineage; 2], own: usize) -> Option<RetiredBy> {
        let by = |number: u64, side: usize, from, to| {
            let run = self.runs.iter().find(|run| run.number == number)?;
            let last_entry = last_entry(run).unwrap_or_default().to_owned();
            let is_closed = retired::is_closed(run);
            Some(RetiredBy { run: number, is_closed, last_entry, side, from, to })
        };
        if let Some(moved) = &self.moved {
            let to = moved.to.keys().copied().collect();
            return by(moved.run, own, moved.from.clone(), to);
        }
        let theirs = &histories[1 - own].config.membership;
        let theirs = self.retired.iter().filter(|one| has(theirs, &one.line));
        let latest = theirs.clone().map(|one| one.run).max()?;
        let from = theirs.filter(|one| one.run == latest).map(|one| one.line.id).collect();
        by(latest, 1 - own, from, BTreeSet::new())
    }
}

/// Adds a server to the finding about those that one run retired and that do the same.
fn add(findings: &mut Vec<Finding>, by: u64, (id, at): (ServerId, &Endpoint), answer: Beside) {
    let (now, mode) = match answer {
        Beside::Follows => (RetiredState::Follow, None),
        Beside::Serves(mode) => (RetiredState::Serve, Some(mode)),
        Beside::NotKnown(mode) => (RetiredState::NotKnown, Some(mode)),
    };
    let mode = mode.map(|mode| mode.word().to_owned());
    let one = AskedServer { id, at: Some(at.to_string()), mode };
    let same = findings.iter_mut().find_map(|finding| match &mut finding.kind {
        FindingKind::RetiredAnswers { run, state, servers } if *run == by && *state == now => {
            Some(servers)
        }
        _ => None,
    });
    match same {
        Some(servers) => servers.push(one),
        None => findings.push(Finding {
            kind: FindingKind::RetiredAnswers { run: by, state: now, servers: vec![one] },
            server: None,
        }),
    }
}

/// Members that a run retired.
fn members_retired(moved: &Moved) -> Finding {
    let moved_to = moved.to.iter().map(|(id, at)| AskedServer {
        id: *id,
        at: at.as_ref().map(ToString::to_string),
        mode: None,
    });
    let kind = FindingKind::MembersRetired {
        run: moved.run,
        members: moved.from.clone(),
        moved_to: moved_to.collect(),
    };
    Finding { kind, server: None }
}

/// Whether a server that a run moved the ensemble to follows this ensemble: then the members were
/// changed back without zkplan, and no old data serve.
fn is_back(moved: &Moved, seen: &Observation, answers: &Answers) -> bool {
    moved.to.iter().any(|(id, at)| {
        let answer = at.as_ref().and_then(|at| answers.get(&(*id, at.clone())));
        let wanted = seen.servers.get(id).map(|sight| &sight.standing);
        answer == Some(&Beside::Follows) || wanted == Some(&ServerStatus::FollowingWithoutVote)
    })
}

/// Looks again, with the servers that an earlier run moved the ensemble to and that serve something
/// else; the refusal, where two histories answer.
pub(super) async fn two_histories(
    port: &ZooKeeper,
    spec: &Target,
    rivals: Vec<Endpoint>,
) -> Option<ObserveError> {
    if rivals.is_empty() {
        return None;
    }
    let mut question = Question::of(spec);
    question.contacts.extend(rivals);
    let error = observe(port, &question).await.err()?;
    match error {
        ObserveError::TwoHistories { .. } => Some(named(port, spec, error).await),
        _ => None,
    }
}

/// The same error. Where two histories answer, with the run that has retired members of one, if a
/// proven one is known: both journals are read, without credentials.
pub(super) async fn named(port: &ZooKeeper, spec: &Target, error: ObserveError) -> ObserveError {
    let ObserveError::TwoHistories { histories, retired: None } = error else { return error };
    let read = histories.iter().map(|history| async {
        // A side that commits nothing opens no session, and takes its time to say so.
        let writer = history.leader.as_ref().map(|(_, at)| at).or(history.answered.first());
        let servers: Vec<Endpoint> =
            writer.filter(|_| history.commits).cloned().into_iter().collect();
        let members = Some(Watch::of(&history.config.membership));
        let wanted = Wanted { runs: LATEST, plan_of: None, watch: members };
        let read = tokio::time::timeout(NAMING, journal::read(port, &servers, spec, wanted));
        read.await.ok()?.ok()
    });
    let read = join_all(read).await;
    let identities = read.iter().flatten().filter_map(|earlier| earlier.journal.identity.as_ref());
    let mut identities: Vec<&String> = identities.collect();
    identities.dedup();
    let claims = read.iter().enumerate().filter_map(|(own, earlier)| {
        let earlier = earlier.as_ref().filter(|_| identities.len() == 1)?;
        earlier.past.claim(&histories, own)
    });
    let retired = agreed(claims.collect()).map(Box::new);
    ObserveError::TwoHistories { histories, retired }
}

/// The run that both journals name, or the one that can be read. Old data may hold a run open that is
/// closed by now; only the plan tells where it moved the ensemble to.
fn agreed(mut claims: Vec<RetiredBy>) -> Option<RetiredBy> {
    claims.sort_by_key(|claim| claim.to.is_empty());
    let (first, others) = claims.split_first_mut()?;
    for other in others.iter() {
        if other.side != first.side {
            return None;
        }
        if other.run == first.run && other.last_entry > first.last_entry {
            first.is_closed |= other.is_closed;
            first.last_entry.clone_from(&other.last_entry);
        }
    }
    Some(first.clone())
}

//! What the ensemble tells of earlier applies, before any password is asked for: `plan` says what
//! `apply` would meet, so both read it here.

use std::time::{SystemTime, UNIX_EPOCH};

use super::accepting::Accepts;
use super::anonymous::open_anonymous;
use super::error::CommandError;
use crate::apply::access;
use crate::apply::journal::{Entry, Run, Runs};
use crate::apply::journal_reader::{Archive, Journal, LATEST};
use crate::apply::past_runs::{PastRuns, RetiredFound, Watch};
use crate::apply::resume::{ApplyRequest, RunDecision, decide, resumed};
use crate::apply::retired::is_closed;
use crate::check::CheckedPlan;
use crate::drift::{Applied, LastApplied};
use crate::ensemble::{ErrorCode, HeldSession, RequestError, Session, ZooKeeper};
use crate::model::{Endpoint, Membership, Target};
use crate::observe::{Facts, Finding, FindingKind, Observation};
use crate::report::error::CommandFailure;
use crate::saved;
use crate::status::{JournalSeen, RunPosition};
use crate::trust::{FolderSeen, OwnIds};

/// What the ensemble tells of earlier applies.
pub(super) struct Earlier {
    pub(super) journal: Journal,
    /// The plan of the run that was asked for, as it stands there.
    pub(super) plan: Option<String>,
    /// The plan of the last run, where it is open.
    stored: Option<CheckedPlan>,
    /// The plan of the last run that was completed, where that was asked for.
    closed: Option<CheckedPlan>,
    /// What earlier runs say of retired servers, where that was asked for.
    pub(super) past: PastRuns,
}

/// How much of the journal is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// This many of the latest runs.
    pub(super) runs: usize,
    /// The run whose plan is asked for.
    pub(super) plan_of: Option<u64>,
    /// The membership that is held against what earlier runs retired.
    pub(super) watch: Option<Watch<'a>>,
}

impl Wanted<'_> {
    /// What shows where a plan stands.
    pub(super) const LATEST: Self = Self { runs: LATEST, plan_of: None, watch: None };
}

/// The watch on what earlier runs retired, at the time of now.
pub(super) fn watch(members: &Membership) -> Watch<'_> {
    Watch::of(members, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Why nothing is known of earlier applies.
pub(super) enum Unread {
    /// No server takes a session, or the connection was lost.
    NoSession,
    /// A server refused.
    Refused(ErrorCode),
}

/// Reads the journal on a session without credentials.
pub(super) async fn read(
    port: &ZooKeeper,
    servers: &[Endpoint],
    target: &Target,
    wanted: Wanted<'_>,
) -> Result<Earlier, Unread> {
    let session = open_anonymous(port, servers, &target.connect).await;
    let session = session.map_err(|_| Unread::NoSession)?;
    let read = async {
        let archive = Archive::as_far_as_seen(&session, &target.connect.folder).await?;
        earlier(&archive, wanted).await
    };
    let read = read.await;
    session.close().await;
    read.map_err(Unread::of)
}

/// Reads what is proven to be an operator's on a session, which has these ids. The session is closed.
pub(super) async fn read_proven(
    session: HeldSession,
    own: OwnIds,
    target: &Target,
    wanted: Wanted<'_>,
) -> Result<Earlier, Unread> {
    let read = async {
        let archive = Archive::proven(&session, &target.connect.folder, own).await?;
        earlier(&archive, wanted).await
    };
    let read = read.await;
    session.close().await;
    read.map_err(Unread::of)
}

async fn earlier<S: Session>(
    archive: &Archive<'_, S>,
    wanted: Wanted<'_>,
) -> Result<Earlier, RequestError> {
    let journal = archive.journal(wanted.runs).await?;
    let latest = &journal.runs.latest;
    let plan_of = async |run: Option<&Run>| match run {
        Some(run) => archive.plan(run).await,
        None => Ok(None),
    };
    let asked = latest.iter().find(|run| wanted.plan_of == Some(run.number));
    let plan = plan_of(asked).await?;
    let open = plan_of(latest.last().filter(|run| run.is_open())).await?;
    let stored = open.and_then(|text| saved::read_kept(&text).ok());
    let closed = latest.iter().rev().find(|run| is_closed(run));
    let closed = plan_of(closed.filter(|_| wanted.watch.is_some())).await?;
    let closed = closed.and_then(|text| saved::read_kept(&text).ok());
    // What is not proven is not listed either.
    let is_proven = journal.unproven().is_none();
    let past = match wanted.watch.filter(|_| is_proven) {
        Some(watch) => watch.read(archive, &journal, stored.as_ref()).await?,
        None => PastRuns::default(),
    };
    Ok(Earlier { journal, plan, stored, closed, past })
}

impl Unread {
    fn of(failure: RequestError) -> Self {
        match failure {
            RequestError::Refused(code) => Self::Refused(code),
            _ => Self::NoSession,
        }
    }
}

/// The error about a run that is not there, or not any more; `path` is that of the file, as a shell takes it.
pub(super) fn no_such_run(runs: &Runs, number: u64, path: &str) -> CommandError {
    let was_there = (1..=runs.highest).contains(&number) && runs.removed() > 0;
    let what = if was_there && runs.not_read == 0 {
        format!("run {number} is not kept any more")
    } else {
        format!("there is no run {number}")
    };
    CommandError::new(CommandFailure::NoSuchRun, what)
        .hint(format!("zkplan history {path} lists the runs"))
}

/// What is asked of the runs.
#[derive(Clone, Copy)]
pub(super) enum Asked<'a> {
    /// A saved plan.
    Plan(&'a CheckedPlan),
    /// A spec, with what is accepted.
    Spec(&'a Target, Accepts<'a>),
}

impl Earlier {
    /// The runs.
    pub(super) fn runs(&self) -> &Runs {
        &self.journal.runs
    }

    /// What was applied last.
    fn applied(&self) -> Applied {
        let runs = &self.runs().latest;
        let closed = runs.iter().rev().find(|run| is_closed(run));
        let last = closed.and_then(|run| {
            let header = run.header.as_ref().ok()?;
            let closed_by = run.records.iter().find(|record| record.entry == Entry::Closed)?;
            let plan = self.closed.as_ref().map(CheckedPlan::plan);
            let plan = plan.filter(|plan| saved::plan_id(plan) == header.plan_id);
            Some(LastApplied {
                run: run.number,
                plan_id: header.plan_id.clone(),
                by: header.opened.for_whom(&header.cause),
                reason: header.cause.reason.clone(),
                at: closed_by.at.clone(),
                target: plan.map(|plan| plan.target.clone()),
            })
        });
        let version = runs.iter().rev().find_map(Run::last_version).map(str::to_owned);
        let open = runs.last().filter(|run| run.is_open()).map(|run| run.number);
        Applied { last, version, open, is_certain: self.journal.is_certain }
    }

    /// What an apply does about the runs.
    pub(super) fn decide(
        &self,
        asked: Asked<'_>,
        facts: &Facts,
        abandon: Option<u64>,
    ) -> RunDecision<'_, CheckedPlan> {
        let stored = self.stored.as_ref();
        decide(self.runs(), abandon, |run| match asked {
            Asked::Plan(checked) => resumed(ApplyRequest::Plan(checked), run, stored, facts),
            Asked::Spec(target, accepts) => {
                let accepted = accepts.for_run(run);
                resumed(ApplyRequest::Target(target, &accepted), run, stored, facts)
            }
        })
    }
}

/// Where sessions can be had, members that stay first.
pub(super) fn sessions_at(seen: &Observation, target: &Target) -> Vec<Endpoint> {
    let members = seen.config.membership.ids().into_iter();
    let leaving = members.filter(|id| !target.servers.contains_key(id)).collect();
    access::serving(seen, &leaving).into_iter().map(|(_, at)| at).collect()
}

/// What the journal tells a plan.
#[derive(Default)]
pub(super) struct OpenRuns {
    /// What was seen.
    pub(super) journal: JournalSeen,
    /// What was applied last.
    pub(super) applied: Applied,
    /// The run that an apply resumes.
    pub(super) resumed: Option<RunPosition>,
    /// Where servers serve that an earlier run moved this ensemble to, and not this ensemble.
    pub(super) rivals: Vec<Endpoint>,
}

/// What of earlier applies a plan has to say: the run that is open, as an apply of this spec would
/// meet it, a folder that is not believed, and servers that earlier runs retired. Where there is no
/// folder, no journal is read.
///
/// Without risks that are accepted there is no spec: an apply of the run's own plan is what would
/// meet it then.
pub(super) async fn open_runs(
    port: &ZooKeeper,
    seen: &Observation,
    facts: &Facts,
    (target, accepted): (&Target, Option<Accepts<'_>>),
) -> Result<OpenRuns, Unread> {
    let finding = |kind| Finding { kind, server: None };
    if seen.folder == FolderSeen::Empty {
        return Ok(OpenRuns::default());
    }
    let watch = Some(watch(&seen.config.membership));
    let wanted = Wanted { watch, ..Wanted::LATEST };
    let earlier = read(port, &sessions_at(seen, target), target, wanted).await?;
    let folder = earlier.journal.unproven().into_iter();
    let below = folder.chain(&earlier.runs().unproven);
    let below = below.map(|unproven| finding(FindingKind::FolderNotProven(unproven.clone())));
    let by_spec = Asked::Spec(target, accepted.unwrap_or_default());
    let own = earlier.stored.as_ref().map(Asked::Plan);
    let asked = if accepted.is_some() { by_spec } else { own.unwrap_or(by_spec) };
    let open = earlier.decide(asked, facts, None).open();
    let kind = open.as_ref().map(|open| finding(open.finding(&earlier.journal, seen)));
    let RetiredFound { servers: retired, findings, rivals } = earlier.past.ask(port, seen).await;
    let findings = findings.into_iter().chain(below).chain(kind.clone()).collect();
    let position = |asked: Asked<'_>| {
        let open = earlier.decide(asked, facts, None).open()?;
        let done = open.done(&earlier.journal, seen).ok()?;
        let is_certain = earlier.journal.is_certain;
        Some(RunPosition { run: open.run.number, is_certain, checked: open.plan.ok()?, done })
    };
    let resumed = position(asked).zip(kind).map(|(position, kind)| {
        let checked = position.checked.with_warning(kind);
        RunPosition { checked, ..position }
    });
    let position = own.and_then(position);
    let journal = JournalSeen { findings, lock: earlier.journal.lock.clone(), retired, position };
    Ok(OpenRuns { journal, applied: earlier.applied(), resumed, rivals })
}

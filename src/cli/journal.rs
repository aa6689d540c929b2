//! What the ensemble tells of earlier applies, before any password is asked for: `plan` says what
//! `apply` would meet, so both read it here.

use super::secret;
use super::source::Source;
use crate::apply::archive::{LATEST, latest_runs, read_plan};
use crate::apply::journal::{LockText, Run};
use crate::apply::sight;
use crate::apply::unlock::read_lock;
use crate::check::CheckedPlan;
use crate::diff::diff;
use crate::ensemble::{Code, Failure, Session, ZooKeeper};
use crate::model::Endpoint;
use crate::observe::{Facts, Finding, FindingKind, Identity, Observation};
use crate::saved;
use crate::spec::Spec;

/// What the ensemble tells of earlier applies.
pub(super) struct Journal {
    pub(super) runs: Vec<Run>,
    /// The plan of the last run, where it is open.
    pub(super) stored: Option<CheckedPlan>,
    pub(super) lock: Option<LockText>,
}

/// Why nothing is known of earlier applies.
pub(super) enum Unread {
    /// No server takes a session, or the connection was lost.
    NoSession,
    /// A server said so, or what is there is not what this version writes.
    Refused(Code),
}

/// Reads the journal on a session that proves nobody.
pub(super) async fn read(
    port: &ZooKeeper,
    servers: &[Endpoint],
    spec: &Spec,
) -> Result<Journal, Unread> {
    let session = secret::open_as_nobody(port, servers, &spec.connect).await;
    let session = session.map_err(|_| Unread::NoSession)?;
    let read = async {
        let runs = latest_runs(&session, LATEST).await?;
        let plan = match runs.last().filter(|run| run.is_open()) {
            Some(run) => read_plan(&session, run).await?,
            None => None,
        };
        let lock = read_lock(&session).await?.and_then(|lock| lock.text);
        let stored = plan.and_then(|text| saved::read(&text).ok());
        Ok::<_, Failure>(Journal { runs, stored, lock })
    };
    let read = read.await;
    session.close().await;
    read.map_err(|failure| match failure {
        Failure::Refused(code) => Unread::Refused(code),
        _ => Unread::NoSession,
    })
}

/// Where sessions can be had, members that stay first.
pub(super) fn sessions_at(seen: &Observation, spec: &Spec) -> Vec<Endpoint> {
    let members = seen.config.membership.ids().into_iter();
    let leaving = members.filter(|id| !spec.servers.contains_key(id)).collect();
    sight::serving(seen, &leaving).into_iter().map(|(_, at)| at).collect()
}

/// Whether the open run is the one that is asked for: the same plan, or the same target.
pub(super) fn goes_on(
    source: &Source,
    run: &Run,
    stored: &CheckedPlan,
    facts: &Facts,
    spec: &Spec,
) -> bool {
    match source {
        Source::Plan(checked) => saved::plan_id(checked.plan()) == run.header.plan_id,
        Source::Spec(_) => wants_the_same(stored, facts, spec),
    }
}

fn wants_the_same(stored: &CheckedPlan, facts: &Facts, spec: &Spec) -> bool {
    let wanted = spec.membership();
    let part = spec.policy.client_part;
    let live = &facts.base.membership;
    let target = diff(live, &wanted, &facts.other_machine, part).target;
    // A gate that the spec asks for now is not passed over, and a command that stands in the
    // journal alone is nobody's who goes on.
    target == stored.plan().target
        && spec.hooks == stored.plan().hooks
        && spec.policy == stored.plan().policy
}

/// The run that is open, as an apply of this spec would meet it. Before the first apply has given
/// the ensemble an identity there is none, and nobody is asked.
pub(super) async fn open_run(
    port: &ZooKeeper,
    seen: &Observation,
    facts: &Facts,
    spec: &Spec,
) -> Result<Option<Finding>, Unread> {
    if facts.identity == Identity::NoneYet {
        return Ok(None);
    }
    let Journal { mut runs, stored, lock } = read(port, &sessions_at(seen, spec), spec).await?;
    let Some(run) = runs.pop().filter(Run::is_open) else { return Ok(None) };
    let goes_on = stored.is_some_and(|stored| wants_the_same(&stored, facts, spec));
    let by = run.header.opened;
    let kind = FindingKind::OpenRun {
        run: run.number,
        plan_id: run.header.plan_id,
        opened_by: format!("{}@{}", by.who, by.host),
        opened_at: by.at,
        locked_by: lock.map(|LockText { by, .. }| format!("{}@{}", by.who, by.host)),
        goes_on,
    };
    Ok(Some(Finding { kind, server: None }))
}

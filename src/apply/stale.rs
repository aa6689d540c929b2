//! Whether the live state is still a state of the plan.

use super::end::Stale;
use super::journal::Run;
use super::position::position;
use crate::model::{EnsembleConfig, Zxid};
use crate::observe::{Identity, Observation};
use crate::plan::{Done, Plan};

/// The live state.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    /// The plan's own id.
    pub plan_id: &'a str,
    /// The live configuration.
    pub config: &'a EnsembleConfig,
    /// The identity that the ensemble has.
    pub identity: &'a Identity,
    /// The leader's last zxid, if it was asked.
    pub zxid: Option<Zxid>,
    /// The latest runs.
    pub runs: &'a [Run],
}

impl<'a> Now<'a> {
    /// The state that an observation shows.
    pub const fn of(plan_id: &'a str, seen: &'a Observation, runs: &'a [Run]) -> Self {
        let Observation { config, identity, leader_zxid: zxid, .. } = seen;
        Self { plan_id, config, identity, zxid: *zxid, runs }
    }
}

/// A plan that is not stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumePoint {
    /// The reconfigs that are done.
    pub done: Done,
    /// Whether the version was raised by a client that no run recorded: the members were changed
    /// and changed back.
    pub version_moved: bool,
}

/// The position of the live configuration within a plan.
pub fn fresh(plan: &Plan, now: Now<'_>, strict_version: bool) -> Result<ResumePoint, Stale> {
    let Now { plan_id, config, identity, zxid, runs } = now;
    let ours = runs.iter().filter(|run| run.is_of(plan_id));
    if !is_same_ensemble(plan, identity, ours.clone()) {
        return Err(Stale::Identity { plan: plan.facts.identity.clone(), live: identity.clone() });
    }
    if let (Some(then), Some(now)) = (plan.facts.leader_zxid, zxid)
        && now < then
    {
        return Err(Stale::ZxidBack { plan: then, live: now });
    }
    let base = &plan.facts.base;
    let both = || (Box::new(base.clone()), Box::new(config.clone()));
    let recorded = ours.clone().flat_map(Run::committed).collect();
    let Some(done) = position(plan, &config.membership, &recorded) else {
        let (plan, live) = both();
        let by = made_by(config, runs).map(|run| run.number);
        return Err(Stale::Members { plan, live, by });
    };
    // The versions of an open run are its own, recorded or not.
    let is_open = ours.into_iter().any(Run::is_open);
    let version_moved = !is_open && !is_accounted(plan, config, runs);
    if version_moved && strict_version {
        let (plan, live) = both();
        return Err(Stale::Version { plan, live });
    }
    Ok(ResumePoint { done, version_moved })
}

/// The same identity; or one that a run of this very plan gave.
fn is_same_ensemble<'a>(
    plan: &Plan,
    live: &Identity,
    mut ours: impl Iterator<Item = &'a Run>,
) -> bool {
    match (&plan.facts.identity, live) {
        // No server was asked when the plan was made, and no status had an identity.
        (Identity::NoneYet, _) if plan.facts.assumed => true,
        (Identity::NoneYet, Identity::NoneYet) => true,
        (Identity::NoneYet, Identity::Known(_)) => ours.next().is_some(),
        (then, now) => then == now,
    }
}

/// Whether the version is that of the plan, or a run recorded how it was made. A plan that was made
/// from a file has no reliable version.
fn is_accounted(plan: &Plan, live: &EnsembleConfig, runs: &[Run]) -> bool {
    plan.facts.assumed || live.version == plan.facts.base.version || made_by(live, runs).is_some()
}

/// The run that made a configuration.
fn made_by<'a>(live: &EnsembleConfig, runs: &'a [Run]) -> Option<&'a Run> {
    let version = live.version.to_string();
    runs.iter().find(|run| run.versions().contains(version.as_str()))
}

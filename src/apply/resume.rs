//! What an apply does about the runs of the journal: the one decision of all who meet them.
//!
//! | the journal | the apply |
//! |---|---|
//! | no run is open | opens a new run |
//! | the open run carries out this plan | resumes it, if the live state is a state of the plan |
//! | the operator abandons the open run | closes it and opens a new one |
//! | the operator abandons any other run | ends ([`Outcome::NotOpen`]) |
//! | the open run carries out another plan | ends ([`Outcome::OtherRun`], [`Outcome::Locked`]) |
//!
//! The target of a run comes from the operator's file, on a resume too. A plan file is the plan.
//! With a spec, the plan that the run keeps in the ensemble is used if it has the target, policy,
//! commands and acceptances of the spec: it shows where the run began, and which servers it has
//! retired.

use super::end::{Differs, Outcome};
use super::journal::{Illegible, Run, Runs, Stamp};
use super::journal_reader::Journal;
use super::position::implied;
use super::stale::{Now, ResumePoint, fresh};
use crate::check::CheckedPlan;
use crate::diff::diff;
use crate::model::Target;
use crate::observe::{Facts, FindingKind, NotResumed, Observation};
use crate::plan::{Acceptance, Done, Plan};
use crate::saved;

/// What an apply does about the runs of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunDecision<'a, P> {
    /// No run is open: it opens a new one.
    OpensNew,
    /// A run is open. The apply resumes it, or the run is in its way.
    Meets(OpenRun<'a, P>),
    /// The operator abandons the open run: the apply closes it, and then opens a new one.
    Abandons(&'a Run),
    /// The run that the operator abandons is not open.
    NotOpen {
        /// The number that was given.
        number: u64,
    },
}

/// The run that is open, and whether an apply resumes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun<'a, P> {
    /// The run.
    pub run: &'a Run,
    /// The plan with which the apply resumes it, or why it does not.
    pub plan: Result<P, Differs>,
}

/// Decides what an apply does about the runs. `plan_of` finds the plan with which it would resume
/// the open one.
pub fn decide<'a, P>(
    runs: &'a Runs,
    abandon: Option<u64>,
    plan_of: impl FnOnce(&'a Run) -> Result<P, Differs>,
) -> RunDecision<'a, P> {
    let open = runs.latest.last().filter(|run| run.is_open());
    match (open, abandon) {
        (Some(run), Some(number)) if run.number == number => RunDecision::Abandons(run),
        (_, Some(number)) => RunDecision::NotOpen { number },
        (Some(run), None) => RunDecision::Meets(OpenRun { run, plan: plan_of(run) }),
        (None, None) => RunDecision::OpensNew,
    }
}

/// Whether a run carries out the plan of that id.
///
/// # Errors
///
/// It carries out another one, or does not show which.
pub fn carries_out(run: &Run, plan_id: &str) -> Result<(), Differs> {
    let header = run.header.as_ref().map_err(|why| Differs::Header(why.clone()))?;
    if header.plan_id == plan_id { Ok(()) } else { Err(Differs::OtherPlan) }
}

/// Whether the run of that number still keeps the plan of that id, proven.
pub fn is_kept(runs: &Runs, number: u64, plan_id: &str) -> bool {
    runs.latest.iter().any(|run| run.number == number && run.is_of(plan_id))
}

/// The position from which a plan is carried out, by a new run or by the one that it resumes.
///
/// # Errors
///
/// The live state is not a state of the plan.
pub fn starts_from(
    plan: &Plan,
    now: Now<'_>,
    strict_version: bool,
    resumed: Option<u64>,
) -> Result<ResumePoint, Box<Outcome>> {
    fresh(plan, now, strict_version).map_err(|stale| {
        Box::new(match resumed {
            Some(number) => Outcome::Overtaken { number, stale },
            None => Outcome::Stale(stale),
        })
    })
}

impl<'a, P> RunDecision<'a, P> {
    /// The run that is open and is not abandoned.
    pub fn open(self) -> Option<OpenRun<'a, P>> {
        match self {
            Self::Meets(open) => Some(open),
            Self::OpensNew | Self::Abandons(_) | Self::NotOpen { .. } => None,
        }
    }

    /// How an apply ends before it has asked for the lock; `None` where it goes ahead. The lock of
    /// the apply that works on the run is reported first.
    ///
    /// Where a session without credentials cannot prove that an operator opened the run, the run is
    /// in no apply's way yet: under the lock the executor decides again.
    pub fn refusal(&self, journal: &Journal) -> Option<Outcome> {
        let open = match self {
            Self::OpensNew | Self::Abandons(_) => return None,
            Self::NotOpen { number } => return Some(Outcome::NotOpen { number: *number }),
            Self::Meets(open) => open,
        };
        let why = open.plan.as_ref().err().filter(|_| journal.is_certain)?;
        Some(match &journal.lock {
            Some(lock) => Outcome::Locked(lock.text.clone()),
            None => Outcome::OtherRun { number: open.run.number, why: why.clone() },
        })
    }
}

impl OpenRun<'_, CheckedPlan> {
    /// The steps that are done of the plan with which an apply resumes it.
    ///
    /// # Errors
    ///
    /// Why no apply resumes it.
    pub fn done(&self, journal: &Journal, seen: &Observation) -> Result<Done, NotResumed> {
        let plan = match &self.plan {
            Ok(checked) => checked.plan(),
            Err(Differs::Header(Illegible::Newer(_))) => return Err(NotResumed::Newer),
            Err(Differs::Header(Illegible::Garbled) | Differs::PlanLost) => {
                return Err(NotResumed::NotUnderstood);
            }
            Err(Differs::OtherPlan | Differs::OtherSpec { .. }) => {
                return Err(NotResumed::OtherSpec);
            }
        };
        let plan_id = saved::plan_id(plan);
        let now = Now::of(&plan_id, seen, &journal.runs.latest);
        let from = starts_from(plan, now, false, Some(self.run.number));
        Ok(implied(plan, &from.map_err(|_| NotResumed::Overtaken)?.done))
    }

    /// What a plan reports about it.
    pub fn finding(&self, journal: &Journal, seen: &Observation) -> FindingKind {
        let who = |by: &Stamp| format!("{}@{}", by.who, by.host);
        let header = self.run.header.as_ref().ok();
        let lock = journal.lock.as_ref().and_then(|lock| lock.text.as_ref());
        let because = self.done(journal, seen).err();
        FindingKind::OpenRun {
            run: self.run.number,
            plan_id: header.map(|header| header.plan_id.clone()).unwrap_or_default(),
            opened_by: header.map(|header| who(&header.opened)).unwrap_or_default(),
            opened_at: header.map(|header| header.opened.at.clone()).unwrap_or_default(),
            locked_by: lock.map(|lock| who(&lock.by)),
            goes_on: because.is_none(),
            because,
            masked: !journal.is_certain,
        }
    }
}

/// The operator's request.
#[derive(Debug, Clone, Copy)]
pub enum ApplyRequest<'a> {
    /// A plan.
    Plan(&'a CheckedPlan),
    /// A target, with these risks accepted.
    Target(&'a Target, &'a [Acceptance]),
}

/// The plan with which an apply resumes a run, of which the journal keeps the plan `stored`.
///
/// # Errors
///
/// Why it does not resume it.
pub fn resumed(
    asked: ApplyRequest<'_>,
    run: &Run,
    stored: Option<&CheckedPlan>,
    now: &Facts,
) -> Result<CheckedPlan, Differs> {
    let (target, accepted) = match asked {
        ApplyRequest::Plan(checked) => {
            return carries_out(run, &saved::plan_id(checked.plan())).map(|()| checked.clone());
        }
        ApplyRequest::Target(target, accepted) => (target, accepted),
    };
    let header = run.header.as_ref().map_err(|why| Differs::Header(why.clone()))?;
    let stored = stored
        .filter(|stored| saved::plan_id(stored.plan()) == header.plan_id)
        .ok_or(Differs::PlanLost)?;
    let plan = stored.plan();
    let base = &now.base.membership;
    let wanted = target.membership_for(base);
    let wanted = diff(base, &wanted, &now.other_machine, target.policy.client_part);
    let missing = plan.accepted.iter().filter(|risk| !accepted.contains(risk));
    let servers = wanted.target != plan.target;
    let (policy, hooks) = (target.policy != plan.policy, target.hooks != plan.hooks);
    let accepted: Vec<Acceptance> = missing.cloned().collect();
    if servers || policy || hooks || !accepted.is_empty() {
        return Err(Differs::OtherSpec { servers, policy, hooks, accepted });
    }
    // How the ensemble is reached, and as which user, is the operator's business.
    Ok(stored.clone().reached_by(&target.connect, &target.reach()))
}

#[cfg(test)]
mod tests;

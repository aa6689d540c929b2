//! Decides whether an apply resumes the open run, once for all callers.
//!
//! The target of a run comes from the operator's file, on a resume too. A plan file is the plan.
//! With a spec, the plan that the run keeps in the ensemble is used if it has the target, policy,
//! commands and acceptances of the spec: it shows where the run began, and which servers it has
//! retired.

use super::journal::{Illegible, Run};
use crate::check::CheckedPlan;
use crate::diff::diff;
use crate::model::Target;
use crate::observe::Facts;
use crate::plan::Acceptance;
use crate::saved;

/// The operator's request.
#[derive(Debug, Clone, Copy)]
pub enum ApplyRequest<'a> {
    /// A plan.
    Plan(&'a CheckedPlan),
    /// A target, with these risks accepted.
    Target(&'a Target, &'a [Acceptance]),
}

/// Why an apply does not go on with a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Differs {
    /// Its header is not understood.
    Header(Illegible),
    /// The plan that it keeps is damaged, or not proven.
    PlanLost,
    /// It carries out another plan than the file's.
    OtherPlan,
    /// The run has another target than the target.
    OtherSpec {
        /// Whether that is other servers.
        servers: bool,
        /// Whether that is another policy.
        policy: bool,
        /// Whether that is other commands.
        hooks: bool,
        /// The risks that it accepts and the operator does not.
        accepted: Vec<Acceptance>,
    },
}

impl Differs {
    /// The risks that the run accepts and the operator does not, if nothing else differs.
    pub fn lacks_only(&self) -> Option<&[Acceptance]> {
        match self {
            Self::OtherSpec { servers: false, policy: false, hooks: false, accepted } => {
                Some(accepted)
            }
            Self::Header(_) | Self::PlanLost | Self::OtherPlan | Self::OtherSpec { .. } => None,
        }
    }
}

/// The plan with which an apply continues.
///
/// # Errors
///
/// Why it cannot resume.
pub fn resumed(
    asked: ApplyRequest<'_>,
    run: &Run,
    stored: Option<&CheckedPlan>,
    now: &Facts,
) -> Result<CheckedPlan, Differs> {
    let header = run.header.as_ref().map_err(|why| Differs::Header(why.clone()))?;
    let (target, accepted) = match asked {
        ApplyRequest::Plan(checked) if saved::plan_id(checked.plan()) == header.plan_id => {
            return Ok(checked.clone());
        }
        ApplyRequest::Plan(_) => return Err(Differs::OtherPlan),
        ApplyRequest::Target(target, accepted) => (target, accepted),
    };
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

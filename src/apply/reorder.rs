//! The order of the rest of a plan, if a server has failed or come back.

use std::collections::BTreeSet;

use crate::check::{self, CheckedPlan};
use crate::model::ServerId;
use crate::observe::Facts;
use crate::plan::{self, Acceptance, Done, Plan, StepId};

/// Another order of the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reordered {
    /// Members that do not answer, and that answered when the plan was made or joined since.
    pub down: BTreeSet<ServerId>,
    /// Members that answer and did not when the plan was made.
    pub back: BTreeSet<ServerId>,
    /// The remaining reconfigs in their order if the leader does not change.
    pub order: Vec<StepId>,
}

/// The plan in an order that the checker accepts at present: its own, else another one that the
/// plan allows. `None` if there is none. `accepted` are risks that the operator accepts in addition
/// to those in the plan.
pub fn accepted_order(
    granted: &CheckedPlan,
    done: &Done,
    now: &Facts,
    accepted: &[Acceptance],
) -> Option<CheckedPlan> {
    if check::recheck_accepting(granted, done, now, accepted).is_empty() {
        return Some(granted.clone());
    }
    let order = plan::reorder(granted.plan(), granted.report().worst_spare, done, now)?;
    check::regrant(granted, order, (done, now), accepted)
}

/// The report of an order: which servers failed or came back, and what is left.
pub fn reordered(plan: &Plan, done: &Done, now: &Facts) -> Reordered {
    let then = &plan.facts;
    let members = now.base.membership.ids();
    let answered = |id: &ServerId| !then.base.membership.contains(*id) || then.live.contains(id);
    let (live, silent): (BTreeSet<ServerId>, BTreeSet<ServerId>) =
        members.into_iter().partition(|id| now.live.contains(id));
    let mut done = done.clone();
    let mut order = Vec::new();
    while let Some(next) = plan.next_steps(&done, now.leader).first() {
        done.insert(next.id.clone());
        order.extend(next.reconfig().map(|_| next.id.clone()));
    }
    Reordered {
        down: silent.into_iter().filter(answered).collect(),
        back: live.into_iter().filter(|id| !answered(id)).collect(),
        order,
    }
}

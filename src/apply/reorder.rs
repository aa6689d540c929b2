//! The order in which what is left of a plan goes, where a server has died or come back.

use std::collections::BTreeSet;

use crate::check::{self, CheckedPlan};
use crate::model::ServerId;
use crate::observe::Facts;
use crate::plan::{self, Acceptance, Done, Plan, StepId};

/// Another order of what is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reordered {
    /// Members that do not answer and did when the plan was made, or have joined since.
    pub down: BTreeSet<ServerId>,
    /// Members that answer and did not when the plan was made.
    pub back: BTreeSet<ServerId>,
    /// The reconfigs that are left, in the order in which they go if the leader stays who it is.
    pub order: Vec<StepId>,
}

/// The plan in an order that the checker accepts as things are now: its own, else another one that
/// its grant allows; `None` where there is none. `accepted` are risks that the operator accepts beside
/// those of the plan.
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

/// What is said of an order: who died or came back, and what is left.
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

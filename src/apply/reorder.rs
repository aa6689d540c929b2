//! The order of the rest of a plan, if a server has failed or come back.

use std::collections::BTreeSet;

use crate::check::{self, Breach, CheckedPlan};
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

/// The order in which a new run would take the rest of a plan at present; `None` for the plan's own.
///
/// # Errors
///
/// The safety rules that the plan's own order breaks, where no other order keeps them either.
pub fn order_now(
    granted: &CheckedPlan,
    done: &Done,
    now: &Facts,
    accepted: &[Acceptance],
) -> Result<Option<Reordered>, Vec<Breach>> {
    let breaches = check::recheck_accepting(granted, done, now, accepted);
    if breaches.is_empty() {
        return Ok(None);
    }
    match accepted_order(granted, done, now, accepted) {
        Some(order) => Ok(Some(reordered(order.plan(), done, now))),
        None => Err(breaches),
    }
}

/// The report of an order: which servers failed or came back, and what is left.
pub fn reordered(plan: &Plan, done: &Done, now: &Facts) -> Reordered {
    let then = &plan.facts;
    let members = now.base.membership.ids();
    let answered = |id: &ServerId| !then.base.membership.contains(*id) || then.synced.contains(id);
    let (live, silent): (BTreeSet<ServerId>, BTreeSet<ServerId>) =
        members.into_iter().partition(|id| now.synced.contains(id));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Example;

    /// A plan is made at one time and applied at another.
    #[test]
    fn a_new_run_keeps_the_order_of_a_plan_or_is_refused_by_the_rules_that_it_breaks() {
        let example = Example::new("1 2 3", "1 2 3 4");
        let (checked, mut now) = (example.planned(), example.facts());
        assert_eq!(order_now(&checked, &Done::new(), &now, &[]), Ok(None));
        now.synced = [ServerId::new(1)].into();
        let breaches = order_now(&checked, &Done::new(), &now, &[]).expect_err("no quorum");
        assert!(!breaches.is_empty());
    }
}

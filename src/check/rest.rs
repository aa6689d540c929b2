//! What is left of a plan, held against the laws on the facts of now.

use std::collections::BTreeSet;

use super::breach::Breach;
use super::laws::Context;
use super::state::State;
use super::walk::{self, Start};
use super::{CheckedPlan, context, is_accepted, tolerance, whole};
use crate::model::ServerId;
use crate::observe::Facts;
use crate::plan::{Done, Plan};

/// Every law that stands against going on, where `done` says which steps are done.
///
/// The plan was checked as a whole when it was made; `now` is what a fresh look tells: its base is
/// the live configuration, in the middle of the way. Every order that is still granted is walked
/// again from there, with those that answer now. What must be able to fail is still what it was
/// when the plan was made.
pub fn recheck(checked: &CheckedPlan, done: &Done, now: &Facts) -> Vec<Breach> {
    let plan = checked.plan();
    let facts = Facts {
        base: plan.facts.base.clone(),
        live: live_then(plan, now),
        other_machine: plan.facts.other_machine.clone(),
        ..now.clone()
    };
    let base = State::base(&plan.facts);
    let context = Context { tolerance: tolerance(plan, &base), ..context(plan, &facts) };
    let start = start(plan, &context, done, now);
    let mut breaches = whole::now(now);
    breaches.extend(whole::findings(now));
    breaches.append(&mut walk::walk(&context, &start).breaches);
    breaches.retain(|breach| !is_accepted(plan, breach));
    breaches
}

/// Of the first members: who answers now, and those who have left since as they were.
fn live_then(plan: &Plan, now: &Facts) -> BTreeSet<ServerId> {
    let left = |id: &&ServerId| !now.base.membership.contains(**id);
    now.live.iter().chain(plan.facts.live.iter().filter(left)).copied().collect()
}

fn start(plan: &Plan, context: &Context<'_>, done: &Done, now: &Facts) -> Start {
    let steps: Vec<_> = plan.steps().collect();
    let mut state = State::base(context.facts);
    for step in steps.iter().filter(|step| done.contains(&step.id)) {
        state = state.after(step);
    }
    state.live.clone_from(&now.live);
    state.ready.retain(|id| now.following.contains(id));
    Start { state, done: steps.iter().map(|step| done.contains(&step.id)).collect() }
}

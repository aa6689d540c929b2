//! Checks the rest of a plan against the safety rules, on the facts of now.

use std::collections::BTreeSet;

use super::state::State;
use super::step_table::{StepTable, majority_spare};
use super::walk::{self, Start};
use crate::check::breach::{Breach, BreachKind, Law};
use crate::check::rules::{self, leader_last};
use crate::check::{CheckedPlan, is_accepted};
use crate::model::ServerId;
use crate::observe::Facts;
use crate::plan::{Acceptance, Action, Done, Plan, Positions, Schedule, Step};

/// Every rule that the rest of a plan breaks. `done` says which steps are done.
///
/// The plan was checked as a whole when it was made; `now` is what a fresh look tells: its base is
/// the live configuration, in the middle of the way. Every order that is still granted is walked
/// again from there, with those that answer now. What must be able to fail is still what it was
/// when the plan was made; in another order than its own it is moreover what the plan promised, and
/// a moment that is weaker already may only be mended.
pub fn recheck(checked: &CheckedPlan, done: &Done, now: &Facts) -> Vec<Breach> {
    let plan = checked.plan();
    let facts = Facts {
        base: plan.facts.base.clone(),
        synced: live_then(plan, now),
        other_machine: plan.facts.other_machine.clone(),
        ..now.clone()
    };
    let mut table = StepTable::new(plan, &facts);
    table.tolerance = tolerance_when_made(plan);
    table.lowest = checked.is_regranted.then_some(checked.report.worst_spare);
    let start = start(&table, done, now);
    let mut breaches = rules::now_of(plan, now);
    breaches.extend(rules::findings_of(plan, now));
    breaches.extend(not_granted(checked, done, now));
    breaches.append(&mut walk::walk(&table, &Schedule::of(plan), &start).breaches);
    breaches.retain(|breach| !is_accepted(&plan.accepted, breach));
    breaches
}

/// The same where the operator accepts more risks by name than the plan holds.
pub fn recheck_accepting(
    checked: &CheckedPlan,
    done: &Done,
    now: &Facts,
    accepted: &[Acceptance],
) -> Vec<Breach> {
    let mut breaches = recheck(checked, done, now);
    breaches.retain(|breach| !is_accepted(accepted, breach));
    breaches
}

/// ZKQ1 alone, which holds at any moment of any plan.
pub fn broken_now(now: &Facts) -> Vec<Breach> {
    rules::now(now)
}

/// What the plan did not grant, as things are now: a leader change that it does not have, and a
/// removal before its gate of a server that did not answer when the plan was made.
fn not_granted(checked: &CheckedPlan, done: &Done, now: &Facts) -> Vec<Breach> {
    let plan = &checked.plan;
    let breach = |law, (step, detail): (&Step, BreachKind)| Breach {
        law,
        step: Some(step.id.clone()),
        path: Vec::new(),
        detail,
    };
    let left = || plan.steps().filter(|step| !done.contains(&step.id));
    let mut found = Vec::new();
    if let (Some(leader), false) = (now.leader, checked.report.may_hand_over) {
        let further = leader_last::further_hand_overs(left(), leader);
        found.extend(further.map(|of_step| breach(Law::LeaderLast, of_step)));
    }
    let gate = left().position(|step| matches!(step.action, Action::Gate(_)));
    for step in left().take(gate.unwrap_or(0)).filter(|step| step.only_takes_out()) {
        let early = rules::before_gate(plan, step, now);
        found.extend(early.map(|detail| breach(Law::Order, (step, detail))));
    }
    found
}

/// Voters that must be able to fail: as many as when the plan was made.
fn tolerance_when_made(plan: &Plan) -> i64 {
    let base = &plan.facts.base.membership;
    if base.is_weighted() {
        return StepTable::new(plan, &plan.facts).tolerance;
    }
    let voters = base.servers().filter(|server| server.votes());
    let (up, down): (Vec<_>, Vec<_>) =
        voters.partition(|server| plan.facts.synced.contains(&server.id));
    i64::from(plan.min_tolerance).min(majority_spare(up.len() + down.len(), up.len()))
}

/// Of the first members: who answers now, and those who have left since as they were.
fn live_then(plan: &Plan, now: &Facts) -> BTreeSet<ServerId> {
    let left = |id: &&ServerId| !now.base.membership.contains(**id);
    now.synced.iter().chain(plan.facts.synced.iter().filter(left)).copied().collect()
}

fn start(table: &StepTable<'_>, done: &Done, now: &Facts) -> Start {
    let mut state = State::base(table);
    let mut positions = Positions::none(table.steps.len());
    for (at, entry) in table.steps.iter().enumerate() {
        if done.contains(&entry.step.id) {
            state = state.after(table, entry);
            positions.insert(at);
        }
    }
    let id = |server: usize| table.ids[server];
    state.seen(|s| now.synced.contains(&id(s)), |s| now.following.contains(&id(s)));
    Start { state, done: positions }
}

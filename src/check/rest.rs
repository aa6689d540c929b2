//! What is left of a plan, held against the laws on the facts of now.

use std::collections::BTreeSet;

use super::breach::Breach;
use super::state::State;
use super::table::{Table, majority_spare};
use super::walk::{self, Start};
use super::{CheckedPlan, is_accepted, regrant, whole};
use crate::model::ServerId;
use crate::observe::Facts;
use crate::plan::{Acceptance, Done, Plan, Positions, Schedule};

/// Every law that stands against going on, where `done` says which steps are done.
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
        live: live_then(plan, now),
        other_machine: plan.facts.other_machine.clone(),
        ..now.clone()
    };
    let mut table = Table::new(plan, &facts);
    table.tolerance = tolerance_when_made(plan);
    table.lowest = checked.is_regranted.then_some(checked.report.worst_spare);
    let start = start(&table, done, now);
    let mut breaches = whole::now(now);
    breaches.extend(whole::findings(now));
    breaches.extend(regrant::broken(checked, done, now));
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
    whole::now(now)
}

/// Voters that must be able to fail: as many as when the plan was made.
fn tolerance_when_made(plan: &Plan) -> i64 {
    let base = &plan.facts.base.membership;
    if base.is_weighted() {
        return Table::new(plan, &plan.facts).tolerance;
    }
    let voters = base.servers().filter(|server| server.votes());
    let (up, down): (Vec<_>, Vec<_>) =
        voters.partition(|server| plan.facts.live.contains(&server.id));
    i64::from(plan.min_tolerance).min(majority_spare(up.len() + down.len(), up.len()))
}

/// Of the first members: who answers now, and those who have left since as they were.
fn live_then(plan: &Plan, now: &Facts) -> BTreeSet<ServerId> {
    let left = |id: &&ServerId| !now.base.membership.contains(**id);
    now.live.iter().chain(plan.facts.live.iter().filter(left)).copied().collect()
}

fn start(table: &Table<'_>, done: &Done, now: &Facts) -> Start {
    let mut state = State::base(table);
    let mut positions = Positions::none(table.steps.len());
    for (at, entry) in table.steps.iter().enumerate() {
        if done.contains(&entry.step.id) {
            state = state.after(table, entry);
            positions.insert(at);
        }
    }
    let id = |server: usize| table.ids[server];
    state.seen(|s| now.live.contains(&id(s)), |s| now.following.contains(&id(s)));
    Start { state, done: positions }
}

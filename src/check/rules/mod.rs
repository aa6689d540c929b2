//! The safety rules, one file each. What a rule asks for, what helps where it is broken and its unit
//! tests are in the file, and its page of `zkplan explain` stands beside it.
//!
//! | code | [`Law`] | file |
//! |---|---|---|
//! | ZKQ1 | `Now` | `live_quorum` |
//! | ZKQ2 | `Next` | `next_quorum` |
//! | ZKQ3 | `Spare` | `spare` |
//! | ZKQ4 | `Zones` | `zones` |
//! | ZKQ5 | `Joiners` | `joiners` |
//! | ZKQ6 | `LeaderLast` | `leader_last` |
//! | ZKQ7 | `Order` | `join_order` |
//! | ZKQ8 | `Overlap` | `overlap` |
//! | ZKQ9 | `TwoParticipants` | `participants` |
//! | ZKQ10 | `Addresses` | `addresses` |
//! | ZKQ11 | `Identity` | `identity` |
//! | ZKQ12 | `WayBack` | `way_back` |
//! | ZKQ13 | `StopLast` | `stop_last` |
//! | ZKQ14 | `Shrink` | `shrink` |
//! | ZKQ15 | `Restarts` | `restarts` |
//! | ZKU1 | `Unsupported` | `unsupported` |
//! | ZKU2 | `Form` | `form` |
//!
//! Here the rules are only called. `zones` and `leader_last` depend on more than one step, so the
//! walk calls them.

pub(super) mod addresses;
pub(super) mod form;
mod hints;
mod identity;
mod join_order;
mod joiners;
pub(super) mod leader_last;
mod live_quorum;
mod next_quorum;
mod overlap;
mod participants;
mod restarts;
mod shared_hints;
mod shrink;
mod spare;
mod stop_last;
mod unsupported;
mod way_back;
pub(super) mod zones;

pub use hints::Hint;
pub(super) use join_order::before_gate;
use live_quorum::findings;
pub(super) use live_quorum::now;
pub use live_quorum::{ENABLE_RECONFIG, RAISE_THE_LIMIT};

use self::addresses::Addresses;
use super::breach::{Breach, BreachKind, Law};
use super::engine::step_table::StepTable;
use super::engine::transition::Transition;
use crate::observe::Facts;
use crate::plan::Plan;

/// Everything by which a request breaks a rule.
type RequestRule = fn(&Transition<'_>) -> Vec<BreachKind>;

/// How a step without a request breaks a rule.
type OtherStepRule = fn(&Transition<'_>) -> Option<BreachKind>;

/// The rules that a request must keep, whatever comes before and after it.
const OF_REQUEST: [(Law, RequestRule); 8] = [
    (Law::Next, next_quorum::broken),
    (Law::Spare, spare::broken),
    (Law::Joiners, joiners::broken),
    (Law::Order, join_order::broken),
    (Law::Overlap, overlap::broken),
    (Law::TwoParticipants, participants::broken),
    (Law::Identity, identity::broken),
    (Law::WayBack, way_back::broken),
];

/// The rules that a step without a request must keep.
const OF_OTHER_STEP: [(Law, OtherStepRule); 4] = [
    (Law::Form, form::waits_for_member),
    (Law::Identity, identity::broken_by_start),
    (Law::StopLast, stop_last::broken),
    (Law::Restarts, restarts::broken),
];

/// Every rule that one step breaks, apart from those that depend on more than it.
pub(super) fn broken_by_step(
    step: &Transition<'_>,
    addresses: &Addresses,
    is_done: &dyn Fn(usize) -> bool,
) -> Vec<(Law, BreachKind)> {
    if step.entry.changes.is_empty() {
        let found = OF_OTHER_STEP.iter().filter_map(|(law, rule)| Some((*law, rule(step)?)));
        return found.take(1).collect();
    }
    let of_rule = |(law, rule): &(Law, RequestRule)| {
        let law = *law;
        rule(step).into_iter().map(move |detail| (law, detail))
    };
    let mut found: Vec<(Law, BreachKind)> = OF_REQUEST.iter().flat_map(of_rule).collect();
    let taken = addresses.broken(step, is_done);
    found.extend(taken.into_iter().map(|detail| (Law::Addresses, detail)));
    found.extend(form::broken_by_request(step, is_done).map(|detail| (Law::Form, detail)));
    found
}

/// ZKQ1 for a plan, on the facts of now: without what its own restarts help against.
pub(super) fn now_of(plan: &Plan, facts: &Facts) -> Vec<Breach> {
    let mut found = now(facts);
    found.retain(|breach| !restarts::mends(plan, &breach.detail));
    found
}

/// The findings that a plan has to accept, on the facts of now: without what its own restarts help
/// against.
pub(super) fn findings_of(plan: &Plan, facts: &Facts) -> Vec<Breach> {
    let mut found = findings(facts);
    found.retain(|breach| !restarts::mends(plan, &breach.detail));
    found
}

/// Every rule that the plan breaks as a whole.
pub(super) fn broken_by_plan(table: &StepTable<'_>) -> Vec<Breach> {
    if table.plan.is_empty() {
        return live_quorum::mistaken(table.facts);
    }
    let law = |law| move |detail| Breach::of_plan(law, detail);
    let mut found = now_of(table.plan, table.facts);
    found.extend(restarts::broken_by_plan(table.plan).map(law(Law::Restarts)));
    found.extend(unsupported::broken(table).into_iter().map(law(Law::Unsupported)));
    found.extend(identity::broken_by_plan(table.plan).into_iter().map(law(Law::Identity)));
    found.extend(form::broken_by_plan(table).into_iter().map(law(Law::Form)));
    found.extend(shrink::broken(table.plan).map(law(Law::Shrink)));
    found.extend(findings_of(table.plan, table.facts));
    found
}

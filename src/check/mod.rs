//! The laws ZKQ1 to ZKQ14, written apart from the planner, and the only maker of what may be
//! applied.
//!
//! In: a [`Plan`] and the facts of now. Out: a [`CheckedPlan`] with the figures of every step, or
//! every breach. The checker believes nothing that the planner computed: it folds the requests over
//! the base, counts who can acknowledge, and walks every order that the plan grants under every
//! leader.

mod addresses;
mod breach;
mod laws;
mod rest;
mod state;
mod walk;
mod whole;

use std::collections::BTreeMap;

pub use breach::{Breach, Detail, Law, Votes, Window};
pub use rest::recheck;

use self::laws::Context;
use self::state::State;
use crate::model::{Connect, Reach, ServerId, ZonePolicy};
use crate::observe::Facts;
use crate::plan::{Action, Plan, StepId};

/// A plan that keeps the laws. There is no other way to make one than [`check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedPlan {
    plan: Plan,
    report: Report,
}

/// The figures of a checked plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The figures of each step, in the order in which they go under the present leader.
    pub rows: Vec<Row>,
    /// The figures of the base.
    pub base: Figures,
    /// The smallest number of voters that may fail, over every moment of every granted order.
    pub worst_spare: i64,
    /// The worst loss of one zone over every moment of every granted order.
    pub worst_zone: Option<Window>,
    /// Steps after which, in some granted order, the loss of one zone would stop writes.
    pub windows: BTreeMap<StepId, Window>,
    /// Breaches that the operator accepted by name.
    pub accepted: Vec<Breach>,
    /// Whether, under some leader, the plan hands the leadership over; never more than once.
    pub may_hand_over: bool,
    /// Moments that were visited.
    pub moments: usize,
}

/// The figures of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The step.
    pub step: StepId,
    /// The figures after it; while it is under way, spare may be smaller.
    pub figures: Figures,
    /// What is spare at the worse of before, under way and after.
    pub spare: i64,
    /// Whether the present leader hands over in it.
    pub hands_over: bool,
}

/// Voters, those that acknowledge, and what is spare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// The votes.
    pub votes: Votes,
    /// The worst loss of one zone, where zones are known.
    pub zone: Option<Window>,
}

impl CheckedPlan {
    /// The plan.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The same plan for somebody who reaches the ensemble in another way. How it is reached is no
    /// part of what a plan means, and no law speaks of it.
    #[must_use]
    pub fn reached_by(mut self, connect: &Connect, reach: &BTreeMap<ServerId, Reach>) -> Self {
        self.plan.connect.clone_from(connect);
        self.plan.reach.clone_from(reach);
        self
    }

    /// Its figures.
    pub const fn report(&self) -> &Report {
        &self.report
    }
}

/// Holds a plan against the laws, on the facts of now.
pub fn check(plan: Plan, facts: &Facts) -> Result<CheckedPlan, Vec<Breach>> {
    let context = context(&plan, facts);
    let mut breaches = whole::broken(&context);
    let walk = if whole::can_be_walked(&breaches) {
        let mut walk = walk::walk(&context, &walk::Start::of(&context));
        breaches.append(&mut walk.breaches);
        if !walk.ends_at_target {
            breaches.push(whole::of_plan(Law::Form, Detail::WrongEnd));
        }
        walk
    } else {
        walk::Walk::default()
    };
    let (accepted, refused): (Vec<Breach>, Vec<Breach>) =
        breaches.into_iter().partition(|breach| is_accepted(&plan, breach));
    if !refused.is_empty() {
        return Err(refused);
    }
    let rows = rows(&context);
    let mut windows = walk.windows;
    if context.base_survives_zones {
        // Of the order that is shown, every window is named.
        let lost = rows.iter().filter_map(|row| {
            let window = row.figures.zone.as_ref().filter(|window| window.votes.spare() < 0)?;
            let step = context.plan.steps().find(|step| step.id == row.step)?;
            step.reconfig().map(|_| (row.step.clone(), window.clone()))
        });
        let lost: Vec<_> = lost.filter(|(step, _)| !windows.contains_key(step)).collect();
        windows.extend(lost);
    }
    let report = Report {
        rows,
        base: figures(&context, &State::base(facts)),
        worst_spare: walk.worst_spare,
        worst_zone: walk.worst_zone,
        windows,
        accepted,
        may_hand_over: walk.hands_over,
        moments: walk.moments,
    };
    Ok(CheckedPlan { plan, report })
}

fn is_accepted(plan: &Plan, breach: &Breach) -> bool {
    let code = match breach.detail {
        Detail::Finding(code) => code,
        _ => breach.law.code(),
    };
    breach.detail.is_acceptable()
        && plan.accepted.iter().any(|risk| risk.code == code && risk.step == breach.step)
}

fn context<'a>(plan: &'a Plan, facts: &'a Facts) -> Context<'a> {
    let base = State::base(facts);
    let base_zone = base.worst_zone(&facts.zones).map(|window| window.votes.spare());
    let before = facts.base.membership.voters();
    Context {
        plan,
        facts,
        tolerance: tolerance(plan, &base),
        base_survives_zones: base_zone.is_some_and(|spare| spare >= 0),
        replaced: facts.other_machine.clone(),
        new_voters: plan.target.voters().difference(&before).copied().collect(),
    }
}

/// Voters that must be able to fail: a base that is weaker already is held to no more than it has.
fn tolerance(plan: &Plan, base: &State) -> i64 {
    i64::from(plan.min_tolerance).min(base.votes().spare())
}

fn figures(context: &Context<'_>, state: &State) -> Figures {
    let zone = match context.plan.policy.zones {
        ZonePolicy::Ignore => None,
        ZonePolicy::Best | ZonePolicy::Strict => state.worst_zone(&context.facts.zones),
    };
    Figures { votes: state.votes(), zone }
}

fn rows(context: &Context<'_>) -> Vec<Row> {
    let mut state = State::base(context.facts);
    let mut rows = Vec::new();
    for (_, step) in context.plan.schedule() {
        let after = state.after(step);
        let mut spare = after.votes().spare().min(state.votes().spare());
        if let Action::Reconfig { server, request, .. } = &step.action {
            spare = spare.min(state.votes_during(*server, request).spare());
        }
        rows.push(Row {
            step: step.id.clone(),
            figures: figures(context, &after),
            spare,
            hands_over: step.hands_over()
                && step.server().is_some()
                && step.server() == context.facts.leader,
        });
        state = after;
    }
    rows
}

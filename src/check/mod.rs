//! The safety rules ZKQ1 to ZKQ15, written apart from the planner, and the only maker of what may be
//! applied.
//!
//! In: a [`Plan`] and the facts of now. Out: a [`CheckedPlan`] with the figures of every step, or
//! every breach. The checker believes nothing that the planner computed: it folds the requests over
//! the base, counts who can acknowledge, and walks every order that the plan grants under every
//! leader. `rules` has one file a rule, `engine` walks.

mod breach;
mod engine;
#[cfg(test)]
mod fixture;
mod rules;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use breach::{Breach, BreachKind, Law, Votes, Window};
pub use engine::figures::{ToleranceNow, tolerance_now};
pub use engine::recheck::{broken_now, recheck, recheck_accepting};
pub use engine::regrant::regrant;
pub use rules::{ENABLE_RECONFIG, Hint, RAISE_THE_LIMIT};

use self::engine::state::State;
use self::engine::step_table::StepTable;
use self::engine::transition::Transition;
use self::engine::walk;
use self::rules::form;
use crate::model::{AcceptedRisk, Connect, Reach, ServerId, ZonePolicy};
use crate::observe::{Facts, Finding, Level};
use crate::plan::{Acceptance, Plan, Schedule, StepId};

/// A plan that keeps the safety rules. There is no other way to make one than [`check`], or [`regrant()`] from
/// one that has passed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedPlan {
    plan: Plan,
    /// Of one in another order: what the plan in its own order was promised to come to.
    report: Report,
    /// Whether it is in another order than that in which it was planned.
    is_regranted: bool,
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

    /// The same plan where the ensemble is reached in another way. How it is reached is no
    /// part of what a plan means, and no rule speaks of it.
    #[must_use]
    pub fn reached_by(mut self, connect: &Connect, reach: &BTreeMap<ServerId, Reach>) -> Self {
        self.plan.connect.clone_from(connect);
        self.plan.reach.clone_from(reach);
        self
    }

    /// The same plan, made from the spec at that path. No rule speaks of it.
    #[must_use]
    pub fn made_from(mut self, spec: Option<PathBuf>) -> Self {
        self.plan.spec = spec;
        self
    }

    /// The same plan, which takes that run back. No rule speaks of it.
    #[must_use]
    pub fn taking_back(mut self, run: u64) -> Self {
        self.plan.takes_back = Some(run);
        self
    }

    /// The same plan, with the reasons and days of risks that a spec accepts. No rule speaks of them.
    #[must_use]
    pub fn accepting_until(mut self, terms: Vec<AcceptedRisk>) -> Self {
        self.plan.terms = terms;
        self
    }

    /// The same plan, with a finding of now that is only said: no rule speaks of warnings, and they
    /// are no part of what a plan means.
    #[must_use]
    pub fn with_warning(mut self, warning: Finding) -> Self {
        if warning.kind.level() == Level::Warning && !self.plan.facts.findings.contains(&warning) {
            self.plan.facts.findings.push(warning);
            self.plan.facts.findings.sort();
        }
        self
    }

    /// Its figures; of one in another order, those of the order in which it was planned.
    pub const fn report(&self) -> &Report {
        &self.report
    }
}

/// A plan that breaks safety rules.
#[derive(Debug, Clone)]
pub struct RejectedPlan {
    /// The plan.
    pub plan: Plan,
    /// Every breach, acceptable ones too.
    pub breaches: Vec<Breach>,
}

/// Checks a plan against the safety rules, on the facts of now.
pub fn check(plan: Plan, facts: &Facts) -> Result<CheckedPlan, Vec<Breach>> {
    check_or_return(plan, facts).map_err(|rejected| rejected.breaches)
}

/// The same. A plan that breaks safety rules is returned.
pub fn check_or_return(plan: Plan, facts: &Facts) -> Result<CheckedPlan, Box<RejectedPlan>> {
    match run_checks(&plan, facts) {
        Ok(report) => Ok(CheckedPlan { plan, report, is_regranted: false }),
        Err(breaches) => Err(Box::new(RejectedPlan { plan, breaches })),
    }
}

fn run_checks(plan: &Plan, facts: &Facts) -> Result<Report, Vec<Breach>> {
    let table = StepTable::new(plan, facts);
    let schedule = Schedule::of(plan);
    let mut breaches = rules::broken_by_plan(&table);
    let walk = if form::can_be_walked(&breaches) {
        let mut walk = walk::walk(&table, &schedule, &walk::Start::of(&table));
        breaches.append(&mut walk.breaches);
        if !table.ends_at_target() {
            breaches.push(Breach::of_plan(Law::Form, BreachKind::WrongEnd));
        }
        walk
    } else {
        walk::Walk::default()
    };
    let (accepted, refused): (Vec<Breach>, Vec<Breach>) =
        breaches.into_iter().partition(|breach| is_accepted(&plan.accepted, breach));
    if !refused.is_empty() {
        return Err(refused);
    }
    let rows = rows(&table, &schedule);
    let mut windows = walk.windows;
    if table.base_survives_zones {
        // Of the order that is shown, every window is named.
        let changes =
            |row: &&Row| plan.steps().any(|step| step.id == row.step && step.reconfig().is_some());
        for row in &rows {
            let lost = row.figures.zone.as_ref().filter(|window| window.votes.spare() < 0);
            let Some(window) = lost else { continue };
            if !windows.contains_key(&row.step) && changes(&row) {
                windows.insert(row.step.clone(), window.clone());
            }
        }
    }
    Ok(Report {
        base: figures(&table, &State::base(&table)),
        rows,
        worst_spare: walk.worst_spare,
        worst_zone: walk.worst_zone,
        windows,
        accepted,
        may_hand_over: walk.hands_over,
        moments: walk.moments,
    })
}

fn is_accepted(accepted: &[Acceptance], breach: &Breach) -> bool {
    let code = match breach.detail {
        BreachKind::Finding(code) => code,
        _ => breach.law.code(),
    };
    breach.detail.is_acceptable()
        && accepted.iter().any(|risk| risk.code == code && risk.step == breach.step)
}

fn figures(table: &StepTable<'_>, state: &State) -> Figures {
    let zone = match table.plan.policy.zones {
        ZonePolicy::Ignore => None,
        ZonePolicy::Best | ZonePolicy::Strict => {
            table.worst_zone(state).map(|zone| table.without(state, zone))
        }
    };
    Figures { votes: table.votes(state), zone }
}

/// The figures of each step if the leader stays who it is.
fn rows(table: &StepTable<'_>, schedule: &Schedule<'_>) -> Vec<Row> {
    // It is not known who leads once that one has handed over.
    let mut leader = table.facts.leader;
    let mut state = State::base(table);
    let mut rows: Vec<Row> = Vec::with_capacity(table.steps.len());
    for at in schedule.order(table.facts.leader) {
        let entry = &table.steps[at];
        let hands_over = leader.take_if(|leader| entry.step.hands_over(*leader)).is_some();
        let after = state.after(table, entry);
        let known = rows.last().filter(|_| entry.changes.is_empty());
        let figures = known.map_or_else(|| figures(table, &after), |row| row.figures.clone());
        rows.push(Row {
            step: entry.step.id.clone(),
            figures,
            spare: Transition::new(table, at, [&state, &after]).spare(),
            hands_over,
        });
        state = after;
    }
    rows
}

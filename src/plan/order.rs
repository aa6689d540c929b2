//! The order of a plan: a few candidates, best first by rule of thumb, for `check` to judge.
//!
//! The plain order is: wait for joiners, take out the dead, bring in, promote, move addresses, let
//! clients move, take out observers, demote, take out voters, prove, retire. What the laws leave
//! open is tried both ways: whether observers are promoted directly or by way of a non-voting
//! follower, whether they are promoted before or after the joiners come in, and whether voters leave
//! in any order or zone by zone.

use std::collections::{BTreeMap, BTreeSet};

use super::{Acceptance, Action, GateKind, Move, Phase, PhaseKind, Plan, Rule, Step, StepId};
use crate::diff::{Change, ChangeKind, Diff};
use crate::model::{
    AddAs, Connect, Cutover, Hooks, Majority, Membership, MinTolerance, Policy, Reach, Reconfig,
    Role, Server, ServerId,
};
use crate::observe::Facts;

/// Everything that a plan is made from.
#[derive(Debug, Clone)]
pub struct Goal {
    /// The label of the ensemble.
    pub ensemble: String,
    /// What was seen.
    pub facts: Facts,
    /// What has to change.
    pub diff: Diff,
    /// What is asked of the way.
    pub policy: Policy,
    /// How to reach the ensemble.
    pub connect: Connect,
    /// Where each wanted server is asked.
    pub reach: BTreeMap<ServerId, Reach>,
    /// Commands that start and stop servers.
    pub hooks: Hooks,
    /// Risks accepted by name.
    pub accepted: Vec<Acceptance>,
}

/// The plans worth judging, in canonical order; never empty.
pub fn candidates(goal: &Goal) -> Vec<Plan> {
    let mut orders: Vec<Vec<Phase>> = Vec::new();
    for style in styles(goal) {
        let phases = phases(goal, &style);
        if !orders.contains(&phases) {
            orders.push(phases);
        }
    }
    orders.into_iter().map(|phases| plan_of(goal, phases)).collect()
}

/// The choices that the laws leave open.
#[derive(Debug, Clone)]
struct Style {
    promote_directly: bool,
    promote_first: bool,
    /// Voters that leave, one after the other; in any order where empty.
    removal: Vec<ServerId>,
}

fn styles(goal: &Goal) -> Vec<Style> {
    let mut removals = vec![Vec::new()];
    if !goal.facts.zones.is_empty() {
        removals.extend(removal_orders(goal));
    }
    let mut styles = Vec::new();
    for removal in removals {
        for promote_first in [false, true] {
            for promote_directly in [true, false] {
                styles.push(Style { promote_directly, promote_first, removal: removal.clone() });
            }
        }
    }
    styles
}

/// Orders in which voters can leave: every one where there are few, else the one that keeps the
/// zones most even.
fn removal_orders(goal: &Goal) -> Vec<Vec<ServerId>> {
    const FEW: usize = 4;
    let leaving: Vec<ServerId> = healthy_leaving_voters(goal).iter().map(|c| c.id).collect();
    if leaving.len() <= FEW {
        return permutations(&leaving);
    }
    let mut voters = goal.diff.target.voters();
    voters.extend(&leaving);
    let mut left = leaving;
    let mut order = Vec::new();
    while !left.is_empty() {
        let evenness = |id: &ServerId| {
            let mut rest = voters.clone();
            rest.remove(id);
            (fullest_zone(&rest, &goal.facts.zones), *id)
        };
        let Some(next) = left.iter().copied().min_by_key(|id| evenness(id)) else { break };
        voters.remove(&next);
        left.retain(|id| *id != next);
        order.push(next);
    }
    vec![order]
}

fn permutations(ids: &[ServerId]) -> Vec<Vec<ServerId>> {
    if ids.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (at, first) in ids.iter().enumerate() {
        let rest: Vec<ServerId> = [&ids[..at], &ids[at + 1..]].concat();
        for mut tail in permutations(&rest) {
            tail.insert(0, *first);
            all.push(tail);
        }
    }
    all
}

fn fullest_zone(voters: &BTreeSet<ServerId>, zones: &BTreeMap<ServerId, String>) -> usize {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for zone in voters.iter().filter_map(|id| zones.get(id)) {
        *counts.entry(zone).or_default() += 1;
    }
    counts.into_values().max().unwrap_or(0)
}

fn healthy_leaving_voters(goal: &Goal) -> Vec<&Change> {
    changes(goal, |change| {
        change.kind == ChangeKind::Leave
            && change.before.as_ref().is_some_and(Server::votes)
            && is_healthy(goal, change)
    })
}

fn is_healthy(goal: &Goal, change: &Change) -> bool {
    goal.facts.live.contains(&change.id)
}

fn changes(goal: &Goal, wanted: impl Fn(&Change) -> bool) -> Vec<&Change> {
    goal.diff.changes.iter().filter(|change| wanted(change)).collect()
}

fn phases(goal: &Goal, style: &Style) -> Vec<Phase> {
    if goal.diff.changes.is_empty() {
        return Vec::new();
    }
    let joins = [join_phase(goal), replace_phase(goal)];
    let promotion = promote_phase(goal, style);
    let before_gate: Vec<Phase> = if style.promote_first {
        std::iter::once(promotion).chain(joins).collect()
    } else {
        joins.into_iter().chain([promotion]).collect()
    };
    let mut phases = vec![await_phase(goal), dead_phase(goal)];
    phases.extend(before_gate);
    phases.push(readdress_phase(goal));
    phases.push(gate_phase(goal));
    phases.extend(removal_phases(goal, style));
    phases.push(Phase {
        kind: PhaseKind::Prove,
        rule: Rule::InOrder,
        steps: vec![Step::named(Action::Prove(None))],
    });
    phases.push(retire_phase(goal));
    phases.retain(|phase| !phase.steps.is_empty());
    phases
}

fn plan_of(goal: &Goal, phases: Vec<Phase>) -> Plan {
    Plan {
        ensemble: goal.ensemble.clone(),
        facts: goal.facts.clone(),
        target: goal.diff.target.clone(),
        policy: goal.policy.clone(),
        min_tolerance: fixed_tolerance(goal),
        connect: goal.connect.clone(),
        reach: goal.reach.clone(),
        hooks: goal.hooks.clone(),
        changes: goal.diff.changes.clone(),
        phases,
        accepted: goal.accepted.clone(),
    }
}

/// `auto` is the smaller of what the ensemble tolerates now and what the target will, with those
/// that are down now still down.
fn fixed_tolerance(goal: &Goal) -> u32 {
    if let MinTolerance::AtLeast(count) = goal.policy.min_tolerance {
        return count;
    }
    let spare = |members: &Membership| {
        let voters = members.voters();
        let down = |id: &&ServerId| {
            goal.facts.base.membership.contains(**id) && !goal.facts.live.contains(*id)
        };
        let dead = voters.iter().filter(down).count();
        Majority { voters: voters.len(), live: voters.len() - dead }.spare()
    };
    let smaller = spare(&goal.facts.base.membership).min(spare(&goal.diff.target));
    u32::try_from(smaller).unwrap_or(0)
}

fn reconfig(server: ServerId, change: Move, request: Reconfig) -> Step {
    Step::named(Action::Reconfig { server, change, request })
}

fn join_of(change: &Change, role: Option<Role>, meaning: Move) -> Option<Step> {
    let mut server = change.after.clone()?;
    server.role = role.unwrap_or(server.role);
    Some(reconfig(change.id, meaning, Reconfig::join(server)))
}

fn await_phase(goal: &Goal) -> Phase {
    let joining = changes(goal, |change| change.kind == ChangeKind::Join);
    let mut steps = Vec::new();
    for change in joining {
        if goal.hooks.start.is_some() {
            steps.push(Step::named(Action::Start(change.id)));
        }
        steps.push(Step::named(Action::AwaitJoiner(change.id)));
    }
    Phase { kind: PhaseKind::Await, rule: Rule::SideBySide, steps }
}

/// Those that do not answer give up their votes first: each only raises the quorum.
fn dead_phase(goal: &Goal) -> Phase {
    let step = |change: &Change| match change.kind {
        _ if is_healthy(goal, change) => None,
        ChangeKind::Leave | ChangeKind::Replace => {
            Some(reconfig(change.id, Move::Leave, Reconfig::leave(change.id)))
        }
        ChangeKind::Demote => join_of(change, None, Move::Demote),
        ChangeKind::Join
        | ChangeKind::Promote
        | ChangeKind::Readdress(_)
        | ChangeKind::RoleAndAddress => None,
    };
    let steps = goal.diff.changes.iter().filter_map(step).collect();
    Phase { kind: PhaseKind::Dead, rule: Rule::LeaderLast, steps }
}

/// Whether a joiner comes in as an observer first, to be promoted when all are in.
fn observes_first(goal: &Goal, change: &Change) -> bool {
    goal.policy.add_as == AddAs::Observer
        && change.kind == ChangeKind::Join
        && change.after.as_ref().is_some_and(Server::votes)
}

fn join_phase(goal: &Goal) -> Phase {
    let joining = changes(goal, |change| change.kind == ChangeKind::Join);
    let step = |change: &&Change| {
        let role = observes_first(goal, change).then_some(Role::Observer);
        join_of(change, role, Move::Join)
    };
    let steps = joining.iter().filter_map(step).collect();
    Phase { kind: PhaseKind::Join, rule: Rule::InOrder, steps }
}

fn promote_phase(goal: &Goal, style: &Style) -> Phase {
    let promoted =
        changes(goal, |change| change.kind == ChangeKind::Promote || observes_first(goal, change));
    let mut steps = Vec::new();
    for change in promoted {
        if !style.promote_directly {
            steps.push(reconfig(change.id, Move::Unlist, Reconfig::leave(change.id)));
            let mut back = Step::named(Action::AwaitJoiner(change.id));
            if observes_first(goal, change) {
                back.id = StepId::new(format!("await-{}-again", change.id));
            }
            steps.push(back);
        }
        steps.extend(join_of(change, None, Move::Promote));
    }
    Phase { kind: PhaseKind::Promote, rule: Rule::InOrder, steps }
}

fn replace_phase(goal: &Goal) -> Phase {
    let mut steps = Vec::new();
    for change in changes(goal, |change| change.kind == ChangeKind::Replace) {
        if is_healthy(goal, change) {
            steps.push(reconfig(change.id, Move::Leave, Reconfig::leave(change.id)));
        }
        // Two processes of one id are never up at once: acknowledgements are counted by id.
        steps.push(Step::named(Action::Prove(Some(change.id))));
        steps.push(stop_step(goal, change.id));
        steps.push(Step::named(Action::AttestBlank(change.id)));
        if goal.hooks.start.is_some() {
            steps.push(Step::named(Action::Start(change.id)));
        }
        steps.push(Step::named(Action::AwaitJoiner(change.id)));
        steps.extend(join_of(change, None, Move::Join));
    }
    Phase { kind: PhaseKind::Replace, rule: Rule::InOrder, steps }
}

fn readdress_phase(goal: &Goal) -> Phase {
    let step = |change: &Change| match change.kind {
        ChangeKind::Readdress(fields) => {
            join_of(change, None, Move::Readdress { quorum: fields.quorum })
        }
        _ => None,
    };
    let steps = goal.diff.changes.iter().filter_map(step).collect();
    Phase { kind: PhaseKind::Readdress, rule: Rule::LeaderLast, steps }
}

fn gate_phase(goal: &Goal) -> Phase {
    let removes = !changes(goal, |c| c.kind == ChangeKind::Leave && is_healthy(goal, c)).is_empty();
    let base = &goal.facts.base.membership;
    let none_stays = base.ids().iter().all(|id| !goal.diff.target.contains(*id));
    let gate = match goal.policy.cutover {
        Cutover::Auto if none_stays => Some(GateKind::CutoverAuto),
        Cutover::Manual => Some(GateKind::CutoverManual),
        Cutover::Drained => Some(GateKind::CutoverDrained),
        Cutover::Auto | Cutover::None => None,
    };
    let gate = gate.filter(|_| removes).map(|kind| Step::named(Action::Gate(kind)));
    Phase { kind: PhaseKind::Gate, rule: Rule::InOrder, steps: gate.into_iter().collect() }
}

fn removal_phases(goal: &Goal, style: &Style) -> [Phase; 3] {
    let leave = |id| reconfig(id, Move::Leave, Reconfig::leave(id));
    let observers = changes(goal, |change| {
        change.kind == ChangeKind::Leave
            && change.before.as_ref().is_some_and(|server| !server.votes())
            && is_healthy(goal, change)
    });
    let demoted =
        changes(goal, |change| change.kind == ChangeKind::Demote && is_healthy(goal, change));
    let in_any_order: Vec<ServerId> = healthy_leaving_voters(goal).iter().map(|c| c.id).collect();
    let (rule, voters) = if style.removal.is_empty() {
        (Rule::LeaderLast, in_any_order)
    } else {
        (Rule::InOrder, style.removal.clone())
    };
    [
        Phase {
            kind: PhaseKind::RemoveObservers,
            rule: Rule::LeaderLast,
            steps: observers.iter().map(|change| leave(change.id)).collect(),
        },
        Phase {
            kind: PhaseKind::Demote,
            rule: Rule::LeaderLast,
            steps: demoted.iter().filter_map(|c| join_of(c, None, Move::Demote)).collect(),
        },
        Phase { kind: PhaseKind::Remove, rule, steps: voters.into_iter().map(leave).collect() },
    ]
}

fn stop_step(goal: &Goal, id: ServerId) -> Step {
    Step::named(if goal.hooks.stop.is_some() { Action::Stop(id) } else { Action::AskToStop(id) })
}

fn retire_phase(goal: &Goal) -> Phase {
    let leaving = changes(goal, |change| change.kind == ChangeKind::Leave);
    let steps = leaving.iter().map(|change| stop_step(goal, change.id)).collect();
    Phase { kind: PhaseKind::Retire, rule: Rule::SideBySide, steps }
}

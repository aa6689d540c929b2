//! Turns changes into phases of steps.
//!
//! The order of phases is: await joiners, remove unreachable servers, add, change addresses, wait
//! for clients to move, remove observers, demote voters, remove voters, prove, retire. A search
//! finds the order of additions, and the way in which observers get a vote (`additions`). Another
//! one finds the order in which voters are removed, if zones or weights distinguish them
//! (`removals`).

use super::additions::{Addition, plan_additions};
use super::batching::in_chunks;
use super::goal::{
    Goal, batch_limit, changes, gains_vote_elsewhere, gets_client_part, is_healthy, is_interleaved,
    is_out, is_readdressed, observes_first,
};
use super::moments::fixed_tolerance;
use super::removals::Removal;
use crate::diff::{Change, ChangeKind};
use crate::model::{Cutover, Reconfig, Server, ServerId, WantedSettings};
use crate::plan::{
    Action, ChangeVerb, GateKind, Phase, PhaseKind, Plan, ServerChange, Step, StepId, StepOrder,
};

/// The best plan that the planner finds. `check` says whether it is safe.
pub fn best(goal: &Goal) -> Plan {
    plan_of(goal, phases(goal))
}

fn phases(goal: &Goal) -> Vec<Phase> {
    if goal.diff.changes.is_empty() {
        return Vec::new();
    }
    let mut phases = vec![
        await_phase(goal),
        unreachable_phase(goal),
        client_part_phase(goal),
        early_readdress_phase(goal),
    ];
    let additions = plan_additions(goal);
    phases.extend(addition_phases(goal, additions.steps));
    phases.push(gate_phase(goal));
    phases.extend(removal_phases(goal, additions.removal));
    phases.push(late_readdress_phase(goal));
    phases.push(Phase {
        kind: PhaseKind::Prove,
        rule: StepOrder::InOrder,
        steps: vec![Step::named(Action::Prove(None))],
    });
    phases.push(retire_phase(goal));
    phases.retain(|phase| !phase.steps.is_empty());
    phases
}

/// The additions in the order that was found best. Consecutive steps of one kind are one phase.
fn addition_phases(goal: &Goal, additions: Vec<Addition<'_>>) -> Vec<Phase> {
    let mut phases: Vec<Phase> = Vec::new();
    for addition in additions {
        let (kind, rule, steps) = match addition {
            Addition::Join(changes) => {
                let line = |change: &&Change| {
                    let line = change.after.clone()?;
                    Some(if observes_first(goal, change) { line.observing() } else { line })
                };
                let lines = changes.iter().filter_map(line).collect();
                (PhaseKind::Join, StepOrder::InOrder, vec![set(ChangeVerb::Join, lines)])
            }
            Addition::Promote(changes) => {
                let lines = changes.iter().filter_map(|change| change.after.clone()).collect();
                (PhaseKind::Promote, StepOrder::InOrder, vec![set(ChangeVerb::Promote, lines)])
            }
            Addition::PromoteViaFollower(changes) => {
                (PhaseKind::Promote, StepOrder::InOrder, promote_via_follower(goal, &changes))
            }
            Addition::Replace(change) => {
                (PhaseKind::Replace, StepOrder::InOrder, replacement(goal, change))
            }
            Addition::RemoveUnreachable(changes) => {
                (PhaseKind::Dead, StepOrder::InOrder, vec![remove_unreachable(&changes)])
            }
            Addition::Readdress => {
                let phase = readdress_phase(goal);
                (phase.kind, phase.rule, phase.steps)
            }
        };
        match phases.last_mut().filter(|last| last.kind == kind) {
            Some(last) => last.steps.extend(steps),
            None => phases.push(Phase { kind, rule, steps }),
        }
    }
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
        settings: WantedSettings::default(),
        changes: goal.diff.changes.clone(),
        phases,
        accepted: goal.accepted.clone(),
        terms: Vec::new(),
        spec: None,
        takes_back: None,
    }
}

/// One request that adds or updates these lines.
fn set(change: ChangeVerb, lines: Vec<Server>) -> Step {
    let parts = lines.iter().map(|line| ServerChange { server: line.id, change }).collect();
    let request = Reconfig { joining: lines, leaving: Vec::new() };
    Step::named(Action::Reconfig { parts, request })
}

/// One request that removes these servers.
fn take_out(change: ChangeVerb, ids: Vec<ServerId>) -> Step {
    let parts = ids.iter().map(|id| ServerChange { server: *id, change }).collect();
    let request = Reconfig { joining: Vec::new(), leaving: ids };
    Step::named(Action::Reconfig { parts, request })
}

fn set_wanted(change: &Change, meaning: ChangeVerb) -> Option<Step> {
    Some(set(meaning, vec![change.after.clone()?]))
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
    Phase { kind: PhaseKind::Await, rule: StepOrder::SideBySide, steps }
}

/// Unreachable voters lose their votes first, unless they are interleaved with additions. An
/// unreachable voter only raises the quorum.
fn unreachable_phase(goal: &Goal) -> Phase {
    let dead = |goes: fn(&Change) -> bool| {
        changes(goal, |change| {
            !is_healthy(goal, change) && !is_interleaved(goal, change) && goes(change)
        })
    };
    let groups = [dead(is_out), dead(|change| demotion(change).is_some())];
    let mut requests = in_chunks(&groups, batch_limit(goal));
    requests.sort_by_key(|request| request.first().map(|change| change.id));
    let steps = requests.iter().map(|request| remove_unreachable(request)).collect();
    Phase { kind: PhaseKind::Dead, rule: StepOrder::LeaderLast, steps }
}

/// One request that removes the votes of unreachable servers.
fn remove_unreachable(request: &[&Change]) -> Step {
    match request.first() {
        Some(first) if is_out(first) => take_out(ChangeVerb::Leave, ids(request)),
        _ => {
            set(ChangeVerb::Demote, request.iter().filter_map(|change| demotion(change)).collect())
        }
    }
}

fn ids(changes: &[&Change]) -> Vec<ServerId> {
    changes.iter().map(|change| change.id).collect()
}

/// Observers are removed, follow again as non-voting followers, and get their votes.
fn promote_via_follower(goal: &Goal, changes: &[&Change]) -> Vec<Step> {
    let mut steps = vec![take_out(ChangeVerb::Unlist, ids(changes))];
    for change in changes {
        let mut back = Step::named(Action::AwaitJoiner(change.id));
        if observes_first(goal, change) {
            back.id = StepId::new(format!("await-{}-again", change.id));
        }
        steps.push(back);
    }
    steps.push(set(ChangeVerb::Promote, changes.iter().filter_map(|c| c.after.clone()).collect()));
    steps
}

fn replacement(goal: &Goal, change: &Change) -> Vec<Step> {
    let mut steps = Vec::new();
    if is_healthy(goal, change) {
        steps.push(take_out(ChangeVerb::Leave, vec![change.id]));
    }
    // Two processes with one id must never be up at once: acknowledgements are counted by id.
    steps.push(Step::named(Action::Prove(Some(change.id))));
    steps.push(stop_step(goal, change.id));
    steps.push(Step::named(Action::AttestBlank(change.id)));
    if goal.hooks.start.is_some() {
        steps.push(Step::named(Action::Start(change.id)));
    }
    steps.push(Step::named(Action::AwaitJoiner(change.id)));
    steps.extend(set_wanted(change, ChangeVerb::Join));
    steps
}

/// Lines without a client part get it before any joiner is added: clients that read the configuration
/// keep to the servers whose lines have one (Curator's `EnsembleTracker`), and would know none but the
/// joiner.
fn client_part_phase(goal: &Goal) -> Phase {
    let written = goal.diff.changes.iter().filter(|change| gets_client_part(change));
    let meaning = ChangeVerb::Readdress { quorum: false };
    let steps = written.filter_map(|change| set_wanted(change, meaning)).collect();
    Phase { kind: PhaseKind::Readdress, rule: StepOrder::LeaderLast, steps }
}

/// An observer that gets a vote and a new address changes its address first, while it has no vote.
fn early_readdress_phase(goal: &Goal) -> Phase {
    let moves =
        |change: &Change| gains_vote_elsewhere(change).then(|| moved(change, true)).flatten();
    let steps = goal.diff.changes.iter().filter_map(moves).collect();
    Phase { kind: PhaseKind::Readdress, rule: StepOrder::LeaderLast, steps }
}

/// A voter that becomes an observer at a new address changes its address last, when it has no vote.
fn late_readdress_phase(goal: &Goal) -> Phase {
    let moves = |change: &Change| {
        let loses = change.kind == ChangeKind::RoleAndAddress && !gains_vote_elsewhere(change);
        loses.then(|| moved(change, false)).flatten()
    };
    let steps = goal.diff.changes.iter().filter_map(moves).collect();
    Phase { kind: PhaseKind::Readdress, rule: StepOrder::LeaderLast, steps }
}

/// The step that gives an observer its new address.
fn moved(change: &Change, keeps_role: bool) -> Option<Step> {
    let before = change.before.as_ref()?;
    let mut after = change.after.clone()?;
    if keeps_role && !before.votes() {
        after = after.observing();
    }
    let address = |line: &Server| {
        line.peers.iter().map(|p| (p.host.clone(), p.quorum_port)).collect::<Vec<_>>()
    };
    let quorum = address(before) != address(&after);
    Some(set(ChangeVerb::Readdress { quorum }, vec![after]))
}

fn readdress_phase(goal: &Goal) -> Phase {
    let step = |change: &Change| match change.kind {
        ChangeKind::Readdress(fields) if is_readdressed(change) => {
            set_wanted(change, ChangeVerb::Readdress { quorum: fields.quorum })
        }
        _ => None,
    };
    let steps = goal.diff.changes.iter().filter_map(step).collect();
    Phase { kind: PhaseKind::Readdress, rule: StepOrder::LeaderLast, steps }
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
    Phase { kind: PhaseKind::Gate, rule: StepOrder::InOrder, steps: gate.into_iter().collect() }
}

fn removal_phases(goal: &Goal, removal: Removal<'_>) -> Vec<Phase> {
    let leave = |request: &Vec<&Change>| take_out(ChangeVerb::Leave, ids(request));
    let observers = changes(goal, |change| {
        change.kind == ChangeKind::Leave
            && change.before.as_ref().is_some_and(|server| !server.votes())
            && is_healthy(goal, change)
    });
    let mut phases = vec![Phase {
        kind: PhaseKind::RemoveObservers,
        rule: StepOrder::LeaderLast,
        steps: in_chunks(&[observers], batch_limit(goal)).iter().map(leave).collect(),
    }];
    for request in removal.order {
        let Some(first) = request.first() else { continue };
        let (kind, steps) = match first.kind {
            ChangeKind::Replace => (PhaseKind::Replace, replacement(goal, first)),
            _ if first.after.is_some() => {
                let lines = request.iter().filter_map(|change| demotion(change)).collect();
                (PhaseKind::Demote, vec![set(ChangeVerb::Demote, lines)])
            }
            _ => (PhaseKind::Remove, vec![leave(&request)]),
        };
        match phases.last_mut().filter(|last| last.kind == kind) {
            Some(last) => last.steps.extend(steps),
            None => phases.push(Phase { kind, rule: removal.rule, steps }),
        }
    }
    phases
}

/// The line of a voter that becomes an observer at its present address.
fn demotion(change: &Change) -> Option<Server> {
    match change.kind {
        ChangeKind::Demote => change.after.clone(),
        ChangeKind::RoleAndAddress if !gains_vote_elsewhere(change) => {
            Some(change.before.clone()?.observing())
        }
        ChangeKind::Join
        | ChangeKind::Leave
        | ChangeKind::Promote
        | ChangeKind::Readdress(_)
        | ChangeKind::Replace
        | ChangeKind::RoleAndAddress
        | ChangeKind::Regroup => None,
    }
}

fn stop_step(goal: &Goal, id: ServerId) -> Step {
    Step::named(if goal.hooks.stop.is_some() { Action::Stop(id) } else { Action::AskToStop(id) })
}

fn retire_phase(goal: &Goal) -> Phase {
    let leaving = changes(goal, |change| change.kind == ChangeKind::Leave);
    let steps = leaving.iter().map(|change| stop_step(goal, change.id)).collect();
    Phase { kind: PhaseKind::Retire, rule: StepOrder::SideBySide, steps }
}

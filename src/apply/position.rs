//! Where a live membership stands on the way that a plan grants.
//!
//! The live configuration is the only authority on which reconfigs are done; a journal can name
//! them, but cannot move them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Membership, Server, ServerId};
use crate::plan::{Action, Done, Plan, Step, StepId};

/// The reconfigs of a plan that a membership shows as done; `None` where the membership is neither
/// the base nor a state that the grant can reach.
pub fn position(plan: &Plan, live: &Membership) -> Option<Done> {
    let base = &plan.facts.base.membership;
    let mut done = Done::new();
    let ids: BTreeSet<ServerId> = base.ids().union(&live.ids()).copied().collect();
    let chains = chains(plan);
    for id in ids {
        let steps = chains.get(&id).map_or(&[][..], Vec::as_slice);
        let count = taken(base.get(id), steps, live.get(id))?;
        done.extend(steps[..count].iter().map(|step| step.id.clone()));
    }
    let untouched = chains.keys().filter(|id| !base.contains(**id) && !live.contains(**id));
    for id in untouched {
        let steps = &chains[id];
        let count = taken(None, steps, None)?;
        done.extend(steps[..count].iter().map(|step| step.id.clone()));
    }
    is_granted(plan, &done).then_some(done)
}

/// The reconfigs of each server, in the order of the plan.
fn chains(plan: &Plan) -> BTreeMap<ServerId, Vec<&Step>> {
    let mut chains: BTreeMap<ServerId, Vec<&Step>> = BTreeMap::new();
    for step in plan.steps() {
        if let Action::Reconfig { server, .. } = step.action {
            chains.entry(server).or_default().push(step);
        }
    }
    chains
}

/// How many of a server's reconfigs lead from its line in the base to its line now.
fn taken(base: Option<&Server>, steps: &[&Step], now: Option<&Server>) -> Option<usize> {
    let mut line = base.cloned();
    for (count, step) in steps.iter().enumerate() {
        if line.as_ref() == now {
            return Some(count);
        }
        line = line_after(step);
    }
    (line.as_ref() == now).then_some(steps.len())
}

fn line_after(step: &Step) -> Option<Server> {
    step.reconfig()?.joining.iter().find(|line| Some(line.id) == step.server()).cloned()
}

/// Whether some order that the grant allows, under some leaders, takes just these reconfigs.
fn is_granted(plan: &Plan, wanted: &Done) -> bool {
    let leaders: Vec<Option<ServerId>> = std::iter::once(None)
        .chain(plan.facts.base.membership.ids().into_iter().map(Some))
        .chain(plan.target.ids().into_iter().map(Some))
        .collect();
    let mut done = Done::new();
    loop {
        let open = leaders.iter().flat_map(|leader| plan.next_steps(&done, *leader));
        let next = open
            .filter(|step| step.reconfig().is_none() || wanted.contains(&step.id))
            .map(|step| step.id.clone())
            .next();
        match next {
            Some(step) => drop(done.insert(step)),
            None => return wanted.iter().all(|step| done.contains(step)),
        }
    }
}

/// Steps that need no doing any more, because the reconfigs behind them are done: waits for joiners
/// that are members, gates that were passed.
pub fn implied(plan: &Plan, reconfigs: &Done) -> Done {
    let mut implied = reconfigs.clone();
    let last = plan
        .phases
        .iter()
        .rposition(|phase| phase.steps.iter().any(|step| reconfigs.contains(&step.id)));
    for (at, phase) in plan.phases.iter().enumerate() {
        let passed = last.is_some_and(|last| at < last);
        for (place, step) in phase.steps.iter().enumerate() {
            let later = || phase.steps[place + 1..].iter();
            let same = |other: &&Step| other.server() == step.server();
            let covered = match step.action {
                Action::AwaitJoiner(_) | Action::Start(_) => later()
                    .chain(plan.phases[at + 1..].iter().flat_map(|phase| &phase.steps))
                    .filter(same)
                    .any(|other| reconfigs.contains(&other.id)),
                Action::Gate(_) => passed,
                Action::AttestBlank(_) | Action::Prove(Some(_)) => {
                    later().filter(same).any(|other| reconfigs.contains(&other.id))
                }
                Action::Reconfig { .. }
                | Action::Stop(_)
                | Action::AskToStop(_)
                | Action::Prove(None) => {
                    later().filter(same).any(|other| reconfigs.contains(&other.id))
                }
            };
            if covered {
                implied.insert(step.id.clone());
            }
        }
    }
    implied
}

/// The step of that name.
pub fn step<'a>(plan: &'a Plan, id: &StepId) -> Option<&'a Step> {
    plan.steps().find(|step| step.id == *id)
}

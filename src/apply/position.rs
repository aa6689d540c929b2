//! The position of a live membership within a plan.
//!
//! Only the live configuration decides which reconfigs are done. A journal can name them, but
//! cannot change that.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Membership, Server, ServerId};
use crate::plan::{Action, Done, Plan, Positions, Schedule, Step, is_within_reach};

/// The limit on readings of a membership. A server that is added, removed and added again can be
/// read in two ways.
const MOST_READINGS: usize = 4096;

/// Whether no reconfig and no restart of a plan is left.
pub fn is_complete(plan: &Plan, done: &Done) -> bool {
    plan.steps().all(|step| !step.takes_a_turn() || done.contains(&step.id))
}

/// The reconfigs of a plan that are done by a membership. `None` if the membership is neither the
/// base nor a state that the plan can reach, in its own order or in one that a failure or a return
/// made necessary.
///
/// A joiner that was added and removed again looks like one that was never added. Of several
/// readings, the one that agrees best with `recorded` counts: these are the reconfigs that the
/// journal records as committed. Among equals, one that the order of the plan reaches is preferred,
/// and then the one with the fewest reconfigs.
pub fn position(plan: &Plan, live: &Membership, recorded: &Done) -> Option<Done> {
    let base = &plan.facts.base.membership;
    if !live.has_the_strangers_of(base) {
        return None;
    }
    let chains = chains(plan);
    let ids = base.ids().into_iter().chain(live.ids()).chain(chains.keys().copied());
    let ids: BTreeSet<ServerId> = ids.collect();
    let mut readings = vec![Done::new()];
    let mut counted: Vec<(&[&Step], Vec<usize>)> = Vec::new();
    for id in ids {
        let steps = chains.get(&id).map_or(&[][..], Vec::as_slice);
        let counts = taken(id, base.get(id), steps, live.get(id));
        let mut longer = Vec::new();
        for reading in &readings {
            for count in &counts {
                let mut reading = reading.clone();
                reading.extend(steps[..*count].iter().map(|step| step.id.clone()));
                longer.push(reading);
            }
        }
        longer.truncate(MOST_READINGS);
        readings = longer;
        counted.push((steps, counts));
    }
    // A request that changes several servers is done for all of them or for none.
    let is_one_state = |reading: &Done| {
        counted.iter().all(|(steps, counts)| {
            let of_them = steps.iter().filter(|step| reading.contains(&step.id)).count();
            let first = steps.iter().take(of_them);
            counts.contains(&of_them) && first.into_iter().all(|step| reading.contains(&step.id))
        })
    };
    let is_granted = |reading: &Done| is_within_reach(plan, reading) || is_in_order(plan, reading);
    readings.retain(|reading| is_one_state(reading) && is_granted(reading));
    let fit = |reading: &Done| {
        let agrees = reading.intersection(recorded).count();
        (std::cmp::Reverse(agrees), !is_in_order(plan, reading), reading.len())
    };
    readings.into_iter().min_by_key(fit)
}

/// The reconfigs of each server, in the order of the plan.
fn chains(plan: &Plan) -> BTreeMap<ServerId, Vec<&Step>> {
    let mut chains: BTreeMap<ServerId, Vec<&Step>> = BTreeMap::new();
    for step in plan.steps() {
        for part in step.parts() {
            chains.entry(part.server).or_default().push(step);
        }
    }
    chains
}

/// How many of a server's reconfigs can have led from its line in the base to its present line.
fn taken<'a>(
    id: ServerId,
    base: Option<&'a Server>,
    steps: &[&'a Step],
    now: Option<&Server>,
) -> Vec<usize> {
    let mut line = base;
    let mut counts = Vec::new();
    for (count, step) in steps.iter().enumerate() {
        if line == now {
            counts.push(count);
        }
        line = line_after(id, step);
    }
    if line == now {
        counts.push(steps.len());
    }
    counts
}

fn line_after(id: ServerId, step: &Step) -> Option<&Server> {
    step.reconfig()?.joining.iter().find(|line| line.id == id)
}

/// Whether the plan in its own order, under some leaders, takes exactly these reconfigs.
///
/// Without a leader no step is deferred. The leader is considered only if there is no progress
/// otherwise.
fn is_in_order(plan: &Plan, wanted: &Done) -> bool {
    let schedule = Schedule::of(plan);
    let steps = schedule.steps();
    let fits = |at: &usize| {
        let step = steps[*at].1;
        step.reconfig().is_none() || wanted.contains(&step.id)
    };
    let members = plan.facts.base.membership.ids().into_iter().chain(plan.target.ids());
    let leaders: Vec<Option<ServerId>> = std::iter::once(None).chain(members.map(Some)).collect();
    let mut done = Positions::none(steps.len());
    loop {
        let open = leaders.iter().map(|leader| schedule.ready_steps(&done, *leader));
        let taken = open.map(|open| open.into_iter().filter(fits).collect::<Vec<_>>());
        let Some(taken) = taken.into_iter().find(|taken| !taken.is_empty()) else { break };
        for at in taken {
            done.insert(at);
        }
    }
    let mut all = steps.iter().enumerate();
    all.all(|(at, (_, step))| done.contains(at) || !wanted.contains(&step.id))
}

/// Steps that are implied, because reconfigs after them are done: waits for joiners that are
/// members, and gates that were passed.
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
            let same = |other: &&Step| other.shares_server(step);
            let covered = match step.action {
                Action::AwaitJoiner(_) | Action::Start(_) => later()
                    .chain(plan.phases[at + 1..].iter().flat_map(|phase| &phase.steps))
                    .filter(same)
                    .any(|other| reconfigs.contains(&other.id)),
                Action::Gate(_) => passed,
                // No configuration shows it.
                Action::Restart(_) => false,
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

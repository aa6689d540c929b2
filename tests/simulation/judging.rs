//! The invariants of every schedule.

use std::collections::BTreeMap;

use zkplan::apply::journal::{Entry, Record, number};
use zkplan::apply::paths::Paths;
use zkplan::apply::position::position;
use zkplan::apply::{Event, Outcome, Wait};
use zkplan::check::BreachKind;
use zkplan::model::{Membership, quorum_of};
use zkplan::plan::{Action, ChangeVerb, Done, Plan, Step, StepId};
use zkplan::simulator::{CommittedConfig, Condition, PeerState, World};

use crate::faults::Befallen;
use crate::schedule::Applied;
use crate::shapes::Prepared;

/// An entry of the journal, and the transaction that wrote it.
struct Told {
    zxid: u64,
    entry: Entry,
}

/// A run: its number, its entries, and whether it is open.
type Journal = (u64, Vec<Told>, bool);

/// A committed configuration, read against the plan.
struct Taken<'a> {
    config: &'a CommittedConfig,
    step: Option<StepId>,
    changes: bool,
}

/// Every violation, and whether a foreign change kept the plan from its target.
pub(crate) fn judge(
    prepared: &Prepared,
    world: &World,
    befallen: &Befallen,
    applies: &[Applied],
) -> (Vec<String>, bool) {
    let mut wrong = Vec::new();
    let plan = prepared.checked.plan();
    let taken = taken(plan, world);
    histories(&mut wrong, prepared, &taken, befallen);
    let runs = runs(world);
    carried_out_as_intended(&mut wrong, &taken, &runs);
    for (number, told, is_open) in runs {
        truthful(&mut wrong, &taken, &told, number);
        if is_open && world.config().config.membership == plan.target {
            wrong.push(format!("run {number} is open at the target"));
        }
    }
    if !world.truth.lost.is_empty() {
        wrong.push(format!("acknowledged transactions are lost: {:?}", world.truth.lost));
    }
    if !world.truth.rivals.is_empty() {
        wrong.push(format!("two leaders at a time: {:?}", world.truth.rivals));
    }
    if befallen.endless {
        wrong.push("it does not come to an end".to_owned());
    }
    for applied in applies {
        let end = applied.events.iter().position(|(_, e)| matches!(e, Event::Ended(_)));
        if end.is_some_and(|end| end + 1 != applied.events.len()) {
            wrong.push(format!("{} goes on after its end", applied.nonce));
        }
    }
    let stale = is_not_granted(prepared, world, applies)
        || ending(&mut wrong, plan, world, befallen, applies);
    (wrong, stale)
}

fn taken<'a>(plan: &Plan, world: &'a World) -> Vec<Taken<'a>> {
    let configs = &world.truth.configs;
    let pairs = configs.iter().zip(configs.iter().skip(1));
    pairs
        .map(|(before, config)| {
            let (from, to) = (members(before), members(config));
            let does =
                |step: &&Step| step.reconfig().is_some_and(|request| from.with(request) == *to);
            let changes = from != to;
            let step = plan.steps().find(does).filter(|_| changes);
            Taken { config, step: step.map(|step| step.id.clone()), changes }
        })
        .collect()
}

fn members(config: &CommittedConfig) -> &Membership {
    &config.config.config.membership
}

/// The committed configurations are those of the plan, in an order that it allows, each step once,
/// and each by the apply that fenced last.
fn histories(
    wrong: &mut Vec<String>,
    prepared: &Prepared,
    taken: &[Taken<'_>],
    befallen: &Befallen,
) {
    let plan = prepared.checked.plan();
    let mut done = Done::new();
    let mut fenced_by = None;
    let mut foreign = false;
    for (at, taken) in taken.iter().enumerate() {
        let version = taken.config.config.config.version;
        let Some(by) = taken.config.by else {
            foreign |= taken.changes;
            continue;
        };
        let Some(step) = &taken.step else {
            if taken.changes {
                wrong.push(format!("version {version}: no step of the plan makes that"));
            } else {
                fenced_by = Some(by);
            }
            continue;
        };
        if !done.insert(step.clone()) && !foreign {
            wrong.push(format!("{step} was carried out twice"));
        }
        if fenced_by != Some(by) {
            wrong.push(format!("version {version}: {step} commits behind another's fence"));
        }
        if let (false, Some(before)) = (foreign, overtaken(plan, &done, step)) {
            wrong.push(format!("version {version}: {step} comes before {before}"));
        }
        let now = members(taken.config);
        if !foreign && position(plan, now, &done).is_none() {
            wrong.push(format!("version {version}: {step} leads to where nothing is granted"));
        }
        if befallen.untouched.is_none_or(|configs| at + 1 < configs) && !foreign {
            let is_there = |id: &&zkplan::model::ServerId| {
                let place = prepared.start.place_of(**id);
                place.is_some_and(|at| !prepared.is_down_from_the_beginning(at))
            };
            let voters = now.voters();
            let live = voters.iter().filter(is_there).count();
            let spare = i64::try_from(live).unwrap_or(0)
                - i64::try_from(quorum_of(voters.len())).unwrap_or(0);
            if spare < prepared.checked.report().worst_spare {
                wrong.push(format!("version {version}: {step} leaves {spare} to spare"));
            }
        }
    }
}

/// The step that a step must not overtake in any order: an earlier one of its own server, one of an
/// earlier joiner if it adds one, or, across a gate, one that removes no server.
fn overtaken(plan: &Plan, done: &Done, step: &StepId) -> Option<StepId> {
    let steps: Vec<&Step> = plan.steps().collect();
    let at = steps.iter().position(|known| known.id == *step)?;
    let gate = steps.iter().position(|step| matches!(step.action, Action::Gate(_)));
    let is =
        |step: &Step, change: ChangeVerb| step.parts().iter().any(|part| part.change == change);
    let left = steps[..at].iter().enumerate();
    let left = left.filter(|(_, step)| step.reconfig().is_some() && !done.contains(&step.id));
    let mut wrong = left.filter(|(before, earlier)| {
        let splits = gate.is_some_and(|gate| *before < gate && gate < at);
        let goes = is(earlier, ChangeVerb::Leave) || is(earlier, ChangeVerb::Demote);
        earlier.shares_server(steps[at])
            || is(earlier, ChangeVerb::Join) && is(steps[at], ChangeVerb::Join)
            || splits && !goes
    });
    wrong.next().map(|(_, earlier)| earlier.id.clone())
}

/// All runs.
fn runs(world: &World) -> Vec<Journal> {
    let paths = Paths::default();
    let names = world.children(&paths.runs());
    let numbers: Vec<u64> = names.iter().filter_map(|name| number(name)).collect();
    let run = |run: u64| {
        let names = world.children(&paths.run(run));
        let entries = names.iter().filter_map(|name| number(name));
        let told: Vec<Told> = entries
            .filter_map(|at| {
                let node = world.node(&paths.record(run, at))?;
                let record = Record::read(&node.data).ok()?;
                Some(Told { zxid: node.czxid.cast_unsigned(), entry: record.entry })
            })
            .collect();
        let closes = |told: &Told| {
            matches!(told.entry, Entry::Closed | Entry::Withdrawn | Entry::Abandoned { .. })
        };
        let is_open = !told.is_empty() && !told.iter().any(closes);
        (run, told, is_open)
    };
    numbers.into_iter().map(run).collect()
}

/// The journal never lies.
fn truthful(wrong: &mut Vec<String>, taken: &[Taken<'_>], told: &[Told], run: u64) {
    let mut versions: BTreeMap<String, &Taken<'_>> = BTreeMap::new();
    for taken in taken {
        versions.insert(taken.config.config.config.version.to_string(), taken);
    }
    let mut committed: BTreeMap<&StepId, usize> = BTreeMap::new();
    for entry in told {
        match &entry.entry {
            Entry::Committed { step, version, .. } => {
                // A step that an administrator has undone is carried out again.
                let times = committed.entry(step).or_default();
                *times += 1;
                let really = taken.iter().filter(|taken| taken.step.as_ref() == Some(step));
                if *times > really.count() {
                    wrong.push(format!("run {run} tells too often that {step} has committed"));
                }
                // The version may be a later one, under which the step was found. It is in the
                // past.
                let known = versions.get(version).is_some_and(|t| zxid_of(t) <= entry.zxid);
                let done = taken
                    .iter()
                    .any(|taken| taken.step.as_ref() == Some(step) && zxid_of(taken) <= entry.zxid);
                if !known || !done {
                    wrong.push(format!("run {run} says that {step} has committed: it has not"));
                }
            }
            Entry::Fenced { version, .. } if !versions.contains_key(version) => {
                wrong.push(format!("run {run} tells of a fence that never was: {version}"));
            }
            _ => {}
        }
    }
}

/// Every step that was carried out was intended by some run before, and abandoned by none.
fn carried_out_as_intended(wrong: &mut Vec<String>, taken: &[Taken<'_>], runs: &[Journal]) {
    // An administrator who does by hand what the plan would do does not make the journal wrong.
    for taken in taken.iter().filter(|taken| taken.config.by.is_some()) {
        let (Some(step), zxid) = (&taken.step, zxid_of(taken)) else { continue };
        let intends = |told: &Told| match &told.entry {
            Entry::Intent { step: s, version } => {
                told.zxid < zxid && s == step && base_of(version) == Some(taken.config.base)
            }
            _ => false,
        };
        let found = runs.iter().find_map(|(run, told, _)| {
            let at = told.iter().rposition(&intends)?;
            Some((run, &told[at + 1..]))
        });
        let Some((run, after)) = found else {
            wrong.push(format!("{step} was carried out, and nobody had intended that"));
            continue;
        };
        let outcome = after.iter().find_map(|told| match &told.entry {
            Entry::Committed { step: s, .. } if s == step => Some(true),
            Entry::NotApplied { step: s, .. } if s == step => Some(false),
            // It may have been before, and was undone.
            Entry::Disarmed { step: s } if s == step => Some(zxid < told.zxid),
            _ => None,
        });
        if outcome == Some(false) {
            wrong.push(format!("run {run} says that {step} never will be: it was carried out"));
        }
    }
}

fn zxid_of(taken: &Taken<'_>) -> u64 {
    taken.config.config.version()
}

fn base_of(version: &str) -> Option<i64> {
    i64::from_str_radix(version, 16).ok()
}

/// Whether a server that was down when the plan was made is back, leads, and is to be removed. The
/// plan has no leader change, so the run stops and asks for a new plan.
fn is_not_granted(prepared: &Prepared, world: &World, applies: &[Applied]) -> bool {
    let leads = world.leader().map(|at| world.process(at).id());
    let goes = leads.filter(|id| !prepared.checked.plan().target.has_voter(*id));
    let last = applies.last().and_then(|applied| applied.end.as_ref());
    let waits = match last {
        Some(Outcome::NotGranted(waits)) => waits.as_slice(),
        _ => &[],
    };
    let is_why = |wait: &Wait| {
        matches!(wait, Wait::Law(breach)
            if goes.is_some_and(|id| breach.detail == BreachKind::FurtherHandOver(id)))
    };
    !prepared.checked.report().may_hand_over && waits.iter().any(is_why)
}

/// The healed ensemble is at its target, and of one mind.
fn ending(
    wrong: &mut Vec<String>,
    plan: &Plan,
    world: &World,
    befallen: &Befallen,
    applies: &[Applied],
) -> bool {
    let Some(last) = applies.last() else { return false };
    let away = befallen.foreign
        && matches!(
            last.end,
            Some(
                Outcome::Stale(_)
                    | Outcome::Overtaken { .. }
                    | Outcome::Foreign { .. }
                    | Outcome::RanOut { .. }
            )
        );
    if away {
        return true;
    }
    if last.end != Some(Outcome::Finished) {
        wrong.push(format!("the healed ensemble is left with {:?}", last.end));
    } else if world.config().config.membership != plan.target {
        wrong.push("the healed ensemble is not at the target".to_owned());
    }
    let up = || world.processes().filter(|(_, process)| process.condition == Condition::Up);
    let leaders = up().filter(|(_, process)| process.now == PeerState::Leading).count();
    if leaders != 1 || world.leader().is_none() {
        wrong.push(format!("{leaders} servers lead in the end"));
    }
    for (_, process) in up().filter(|(_, process)| plan.target.contains(process.id())) {
        if process.config().version() != world.config().version() {
            wrong.push(format!("server {} has another configuration", process.id()));
        }
    }
    false
}

//! Simulates a plan with every server and every zone failing at every moment.
//!
//! In: a checked plan. Out: a [`Rehearsal`]. It covers the moment before the first step and the
//! moment after each reconfig or restart. For each it says which server or zone fails, whether writes
//! continue without it, how far apply gets, and whether a second apply reaches the target once the
//! server is back. No server is contacted.
//!
//! The ensemble is that of [`crate::simulator`], built from the plan's facts: members
//! that answered are up, other members are down, joiners follow without a vote. The driver is the
//! one that ships. Simulated people do what hooks would do, and approve gates and attestations. A
//! server fails by the end of its process. A zone fails by a network partition: its machines are
//! cut off from each other, from the rest and from zkplan. Both come back with what they had on
//! disk.
//!
//! Of a plan of restarts (`restart_roll`) the code that says which server is next is the one that
//! ships. A person edits the files of a server just before its restart. So a server that fails before
//! its turn comes back with its old file, and where `reconfigEnabled` is switched on that may keep it
//! away ([`StuckServer`]).
//!
//! The plan is applied once without a failure. The ensemble, with its journal, is kept at each
//! moment, and each rehearsal begins there. Servers that differ only in their id are rehearsed
//! once. If that is still too much work, an even sample is simulated, and the rest is counted
//! ([`Rehearsal::played`] of [`Rehearsal::failures`]). The limit is work, not time, so no clock is
//! needed.

mod restart_roll;
mod run;
mod simulated_plan;
mod who;

use std::collections::BTreeSet;

use tracing::subscriber::{NoSubscriber, with_default};

use crate::apply::position::{implied, position};
use crate::apply::{Outcome, Wait};
use crate::check::{Breach, CheckedPlan};
use crate::model::{Millis, ServerId};
use crate::plan::{Done, Plan, Step, StepId};
use crate::restarting::RestartRun;
pub use crate::simulator::Barred;
use crate::simulator::{AdminAction, ProcessId, Simulated, World};

use self::restart_roll::{RestartApply, Turn, is_rolled};
use self::run::{Applied, StopAt, apply, settle};
use self::simulated_plan::SimulatedPlan;
use self::who::{FailureMode, candidates};
pub use self::who::{FailureTarget, TargetKind};

/// How long the other servers need to give up a failed server and to elect, in simulated time.
const GIVEN_UP: Millis = Millis(2000);

/// The work before the first step of every apply (surveys, a session, the lock, the fence), in
/// steps.
const BEGINNING: usize = 8;

/// The work that a rehearsal may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RehearsalLimits {
    /// Moments to simulate.
    pub moments: usize,
    /// Work: servers times steps, summed over all failures.
    pub work: u64,
}

impl Default for RehearsalLimits {
    /// Every moment of a plan of 60 reconfigs. This takes a few seconds.
    fn default() -> Self {
        Self { moments: 61, work: 100_000 }
    }
}

/// The result of a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// The leader at the beginning.
    pub leader: Option<ServerId>,
    /// Whether the leader is assumed, because the plan does not name one.
    pub is_leader_assumed: bool,
    /// The moments that were simulated, in the order of the plan.
    pub moments: Vec<Moment>,
    /// How many moments the plan has.
    pub of_moments: usize,
    /// All possible failures: of each server and zone at each moment.
    pub failures: usize,
    /// Whether the plan restarts servers. It has no reconfigs then.
    pub is_of_restarts: bool,
}

/// A moment: just after a reconfig has committed or a restart was proven, or before the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The reconfig that has committed, or the restart; `None` before the first.
    pub after: Option<StepId>,
    /// The simulated failures.
    pub failures: Vec<Failure>,
}

/// The outcome of one failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The server or zone that fails.
    pub who: FailureTarget,
    /// Whether writes continue.
    pub writes: Writes,
    /// How far the running apply gets.
    pub apply_result: ApplyResult,
    /// What a second apply achieves once the server is back.
    pub recovery: Recovery,
    /// Servers that run again once it is back, and can never serve with the files that they have read.
    pub stuck: Vec<StuckServer>,
}

/// A server that looks for a leader for ever with the files that it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StuckServer {
    /// The server.
    pub server: ServerId,
    /// Why.
    pub why: Barred,
    /// Whether it serves after the restarts of the second apply.
    pub is_cured: bool,
}

/// Whether clients can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writes {
    /// Without a break.
    Uninterrupted,
    /// After an election.
    AfterElection,
    /// Only after the failed server is back.
    Stop,
}

/// How far an apply gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplyResult {
    /// To the end of the plan.
    Completes,
    /// It waits, until its time-out.
    Waits {
        /// The step that cannot be taken. `None` if the ensemble does not show it.
        at: Option<StepId>,
        /// What it waits for.
        waits: Vec<Wait>,
    },
    /// It stops.
    Stops {
        /// The step that was not taken. `None` if the ensemble does not show it.
        at: Option<StepId>,
        /// The reason.
        end: Box<Outcome>,
    },
}

/// What a second apply achieves once the failed server is back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing is left to do.
    AtTarget,
    /// It reaches the target.
    Resumed,
    /// It does not reach the target.
    Failed(ApplyResult),
}

/// Why a plan cannot be rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unrehearsed {
    /// The plan waits for servers that are down already.
    Awaits(BTreeSet<ServerId>),
    /// Even without a failure the plan does not complete in the simulator.
    Undisturbed(ApplyResult),
    /// The plan breaks the safety rules.
    BreaksRules(Vec<Breach>),
    /// It costs more work than the caller allows ([`summary`]).
    TooMuch,
}

impl Rehearsal {
    /// Every simulated failure, with its moment.
    pub fn all(&self) -> impl Iterator<Item = (&Moment, &Failure)> {
        self.moments.iter().flat_map(|moment| moment.failures.iter().map(move |f| (moment, f)))
    }

    /// Failures whose outcome is known: the simulated ones, and those of servers that differ from a
    /// simulated one only in their id.
    pub fn played(&self) -> usize {
        self.all().map(|(_, failure)| failure.who.count()).sum()
    }

    /// Whether the target is reached after every one of them.
    pub fn always_ends(&self) -> bool {
        self.all().all(|(_, failure)| !matches!(failure.recovery, Recovery::Failed(_)))
    }
}

/// Rehearses a plan within `limits`. A plan without a reconfig and without a restart has no moments.
pub fn rehearse(checked: &CheckedPlan, limits: RehearsalLimits) -> Result<Rehearsal, Unrehearsed> {
    // The code that is rehearsed logs what it does to servers; no server is there.
    with_default(NoSubscriber::new(), || Ok(baseline(checked, limits.moments)?.played(limits.work)))
}

/// Rehearses as much as `work` allows, counted as [`RehearsalLimits::work`]. The apply without a failure
/// counts too, and may take at most half of it.
pub fn summary(checked: &CheckedPlan, work: u64) -> Result<Rehearsal, Unrehearsed> {
    let plan = checked.plan();
    let joiners = plan.target.ids().difference(&plan.facts.base.membership.ids()).count();
    let servers = plan.facts.base.membership.len() + joiners;
    let restarts = plan.steps().filter(|step| step.restart().is_some()).count();
    let undisturbed = ((plan.reconfigs() + restarts + BEGINNING) * servers) as u64;
    if undisturbed > work / 2 {
        return Err(Unrehearsed::TooMuch);
    }
    rehearse(checked, RehearsalLimits { moments: usize::MAX, work: work - undisturbed })
}

/// An even sample of `kept` out of `of` positions, including the first and the last.
fn evenly(kept: usize, of: usize) -> Vec<usize> {
    match (kept.min(of), of) {
        (0, _) => Vec::new(),
        (1, _) => vec![0],
        (kept, of) => (0..kept).map(|n| n * (of - 1) / (kept - 1)).collect(),
    }
}

/// The plan, applied without a failure.
struct Baseline {
    simulated: SimulatedPlan,
    checkpoints: Vec<Checkpoint>,
    /// How many moments there are, including those that were skipped.
    moments: usize,
    failures: usize,
}

/// The ensemble at a moment.
struct Checkpoint {
    after: Option<StepId>,
    /// Reconfigs that have committed, or restarts that are done.
    committed: Vec<StepId>,
    /// Whether this is the last moment.
    is_last: bool,
    world: World,
    /// The apply, where it is one of restarts: it keeps nothing in the ensemble.
    roll: Option<RestartRun>,
    candidates: Vec<(FailureTarget, FailureMode)>,
}

impl Baseline {
    /// Simulates every failure, or as many as `work` allows.
    fn played(self, work: u64) -> Rehearsal {
        let mut scenes: Vec<(usize, &FailureTarget, &FailureMode)> = Vec::new();
        for (at, checkpoint) in self.checkpoints.iter().enumerate() {
            scenes.extend(checkpoint.candidates.iter().map(|(who, mode)| (at, who, mode)));
        }
        let kept = (scenes.len() as u64).saturating_mul(work) / self.work().max(1);
        let kept = usize::try_from(kept).unwrap_or(usize::MAX).clamp(1, scenes.len().max(1));
        let mut moments: Vec<Moment> = Vec::new();
        for index in evenly(kept, scenes.len()) {
            let (at, who, mode) = scenes[index];
            let checkpoint = &self.checkpoints[at];
            if moments.last().is_none_or(|moment| moment.after != checkpoint.after) {
                moments.push(Moment { after: checkpoint.after.clone(), failures: Vec::new() });
            }
            let failure = match &checkpoint.roll {
                Some(run) => play_roll(&self.simulated, (checkpoint, run), who.clone(), mode),
                None => play(&self.simulated, checkpoint, who.clone(), mode),
            };
            if let Some(moment) = moments.last_mut() {
                moment.failures.push(failure);
            }
        }
        Rehearsal {
            leader: self.simulated.leader,
            is_leader_assumed: self.simulated.plan().facts.leader != self.simulated.leader,
            moments,
            of_moments: self.moments,
            failures: self.failures,
            is_of_restarts: self.simulated.plan().restarts_servers(),
        }
    }

    /// The work of simulating every failure.
    fn work(&self) -> u64 {
        let steps = |checkpoint: &Checkpoint| self.moments - checkpoint.committed.len() + BEGINNING;
        let of = |checkpoint: &Checkpoint| {
            checkpoint.candidates.len() * steps(checkpoint) * checkpoint.world.processes().len()
        };
        self.checkpoints.iter().map(of).sum::<usize>() as u64
    }
}

fn baseline(checked: &CheckedPlan, most: usize) -> Result<Baseline, Unrehearsed> {
    let simulated = SimulatedPlan::of(checked).map_err(Unrehearsed::BreaksRules)?;
    if simulated.plan().restarts_servers() {
        return baseline_of_restarts(simulated, most);
    }
    let reconfigs = simulated.plan().reconfigs();
    if reconfigs == 0 {
        return Ok(Baseline { simulated, checkpoints: Vec::new(), moments: 0, failures: 0 });
    }
    let moments = reconfigs + 1;
    let kept = evenly(most, moments);
    let mut failures = 0;
    let mut checkpoints: Vec<Checkpoint> = Vec::new();
    let mut committed: Vec<StepId> = Vec::new();
    let mut take = |world: &World, committed: &[StepId]| {
        let candidates = candidates(&simulated, world, &BTreeSet::new());
        failures += candidates.iter().map(|(who, _)| who.count()).sum::<usize>();
        if kept.binary_search(&committed.len()).is_ok() {
            checkpoints.push(Checkpoint {
                after: committed.last().cloned(),
                committed: committed.to_vec(),
                is_last: committed.len() == reconfigs,
                world: left_alone(world),
                roll: None,
                candidates,
            });
        }
    };
    take(&simulated.world, &committed);
    let port = Simulated::new(simulated.world.clone());
    let mut camera = |world: &mut World, step: Option<&StepId>| {
        committed.extend(step.cloned());
        take(world, &committed);
    };
    let applied = apply(&simulated, &port, "r0", Some((StopAt::Committed, &mut camera)));
    let apply_result = apply_result(&simulated, &applied, &port.world(), &[]);
    if apply_result != ApplyResult::Completes {
        let down = awaited_down(&simulated, &apply_result);
        return Err(down.map_or(Unrehearsed::Undisturbed(apply_result), Unrehearsed::Awaits));
    }
    drop(port);
    Ok(Baseline { simulated, checkpoints, moments, failures })
}

/// The same of a plan of restarts.
fn baseline_of_restarts(simulated: SimulatedPlan, most: usize) -> Result<Baseline, Unrehearsed> {
    let plan = simulated.plan();
    let moments = plan.steps().count() + 1;
    let kept = evenly(most, moments);
    let port = Simulated::new(simulated.world.clone());
    let mut apply = RestartApply::new(&simulated, &port);
    apply.begin_to_look();
    let mut failures = 0;
    let mut checkpoints: Vec<Checkpoint> = Vec::new();
    let mut committed: Vec<StepId> = Vec::new();
    loop {
        let world = port.world().clone();
        let done = plan.steps().filter(|step| committed.contains(&step.id));
        let renewed = done.flat_map(Step::servers).collect();
        let candidates = candidates(&simulated, &world, &renewed);
        failures += candidates.iter().map(|(who, _)| who.count()).sum::<usize>();
        if kept.binary_search(&committed.len()).is_ok() {
            checkpoints.push(Checkpoint {
                after: committed.last().cloned(),
                committed: committed.clone(),
                is_last: committed.len() + 1 == moments,
                world,
                roll: Some(apply.run().clone()),
                candidates,
            });
        }
        match apply.goes_on() {
            Turn::Done(step) => committed.push(step),
            Turn::Ended(Outcome::Finished) => break,
            Turn::Ended(end) => {
                let result = result_of_roll(&simulated, &port, &apply, end);
                return Err(Unrehearsed::Undisturbed(result));
            }
        }
    }
    drop(apply);
    Ok(Baseline { moments: committed.len() + 1, simulated, checkpoints, failures })
}

/// The servers that a plan waits for, if they were already down when it was made.
fn awaited_down(
    simulated: &SimulatedPlan,
    apply_result: &ApplyResult,
) -> Option<BTreeSet<ServerId>> {
    let ApplyResult::Waits { waits, .. } = apply_result else { return None };
    let down = waits.iter().map(|wait| match wait {
        Wait::Down { server, .. } | Wait::Bound { server, .. } => {
            (!simulated.plan().facts.synced.contains(server)).then_some(*server)
        }
        _ => None,
    });
    down.collect()
}

/// The ensemble after the process of zkplan has ended.
fn left_alone(world: &World) -> World {
    let mut world = world.clone();
    world.truth.log.clear();
    let sessions: Vec<i64> = world.sessions().map(|(id, _)| id).collect();
    for session in sessions {
        world.end_session(session);
    }
    world
}

fn play(
    simulated: &SimulatedPlan,
    checkpoint: &Checkpoint,
    who: FailureTarget,
    mode: &FailureMode,
) -> Failure {
    let writes = writes(&checkpoint.world, mode);
    let port = Simulated::new(checkpoint.world.clone());
    let when = if checkpoint.is_last { StopAt::Open } else { StopAt::Fenced };
    let mut hook = |world: &mut World, _: Option<&StepId>| mode.inflict(world);
    let applied = apply(simulated, &port, "r1", Some((when, &mut hook)));
    let apply_result = apply_result(simulated, &applied, &port.world(), &checkpoint.committed);
    bring_back(&mut port.world(), simulated, mode);
    let recovery =
        if apply_result == ApplyResult::Completes && is_at_target(&mut port.world(), simulated) {
            Recovery::AtTarget
        } else {
            let again = apply(simulated, &port, "r2", None);
            let reported: Vec<StepId> =
                checkpoint.committed.iter().chain(&applied.committed).cloned().collect();
            let at_target = is_at_target(&mut port.world(), simulated);
            match self::apply_result(simulated, &again, &port.world(), &reported) {
                ApplyResult::Completes if at_target => Recovery::Resumed,
                other => Recovery::Failed(other),
            }
        };
    Failure { who, writes, apply_result, recovery, stuck: Vec::new() }
}

/// The same in the middle of restarts: the running apply goes on, and is typed again when it has ended.
fn play_roll(
    simulated: &SimulatedPlan,
    (checkpoint, run): (&Checkpoint, &RestartRun),
    who: FailureTarget,
    mode: &FailureMode,
) -> Failure {
    let writes = writes(&checkpoint.world, mode);
    let port = Simulated::new(checkpoint.world.clone());
    mode.inflict(&mut port.world());
    let mut running = RestartApply::of(simulated, &port, run.clone());
    // With the last restart the apply has ended.
    let end = if checkpoint.is_last { Outcome::Finished } else { running.ends() };
    let apply_result = result_of_roll(simulated, &port, &running, end);
    bring_back(&mut port.world(), simulated, mode);
    let barred: Vec<(ProcessId, ServerId, Barred)> = {
        let world = port.world();
        let all = world.processes().map(|(at, process)| (at, process.id()));
        all.filter_map(|(at, id)| Some((at, id, world.barred(at)?))).collect()
    };
    let is_done = |world: &mut World| is_at_target(world, simulated) && is_rolled(world, simulated);
    let recovery = if apply_result == ApplyResult::Completes && is_done(&mut port.world()) {
        Recovery::AtTarget
    } else {
        let mut again = RestartApply::new(simulated, &port);
        let end = again.ends();
        match result_of_roll(simulated, &port, &again, end) {
            ApplyResult::Completes if is_done(&mut port.world()) => Recovery::Resumed,
            other => Recovery::Failed(other),
        }
    };
    let stuck = barred.into_iter().map(|(at, server, why)| {
        let is_cured = port.world().barred(at).is_none();
        StuckServer { server, why, is_cured }
    });
    Failure { who, writes, apply_result, recovery, stuck: stuck.collect() }
}

fn result_of_roll(
    simulated: &SimulatedPlan,
    port: &Simulated,
    apply: &RestartApply<'_>,
    end: Outcome,
) -> ApplyResult {
    let leader = {
        let world = port.world();
        world.leader().map(|at| world.process(at).id())
    };
    let next = simulated.plan().next_steps(apply.run().done(), leader);
    let at = next.first().map(|step| step.id.clone());
    match end {
        Outcome::Finished => ApplyResult::Completes,
        Outcome::RanOut { waits, .. } => ApplyResult::Waits { at, waits },
        end => ApplyResult::Stops { at, end: Box::new(end) },
    }
}

fn writes(world: &World, mode: &FailureMode) -> Writes {
    let mut world = world.clone();
    let before = world.leader();
    mode.inflict(&mut world);
    settle(&mut world, GIVEN_UP);
    let after = world.leader();
    // A leader that is cut off alone leads no follower.
    let is_reached = after.is_some_and(|at| !world.process(at).hidden);
    if !is_reached || !world.commits() {
        Writes::Stop
    } else if before == after {
        Writes::Uninterrupted
    } else {
        Writes::AfterElection
    }
}

fn bring_back(world: &mut World, simulated: &SimulatedPlan, mode: &FailureMode) {
    match mode {
        FailureMode::Dies(at) => {
            let id = world.process(*at).id();
            // A server that was removed, or whose id is now on another machine, is not started
            // again.
            let is_newest = world.place_of(id) == Some(*at);
            let stays = world.config().names(id) || simulated.plan().target.contains(id);
            if is_newest && stays {
                world.does(AdminAction::Start(*at));
            }
        }
        FailureMode::CutOff(places) => world.cut(places, 0, false),
    }
    settle(world, GIVEN_UP);
}

fn is_at_target(world: &mut World, simulated: &SimulatedPlan) -> bool {
    world.config().config.membership == simulated.plan().target && world.commits()
}

fn apply_result(
    simulated: &SimulatedPlan,
    applied: &Applied,
    world: &World,
    before: &[StepId],
) -> ApplyResult {
    let reported: Done = before.iter().chain(&applied.committed).cloned().collect();
    let at = |waits: &[Wait]| next_step(simulated.plan(), applied, world, &reported, waits);
    match &applied.end {
        Outcome::Finished => ApplyResult::Completes,
        Outcome::RanOut { waits, .. } | Outcome::NotGranted(waits) => {
            ApplyResult::Waits { at: at(waits), waits: waits.clone() }
        }
        end => ApplyResult::Stops { at: at(&[]), end: Box::new(end.clone()) },
    }
}

/// The step that is not taken: of those that may be next, one whose server is awaited.
fn next_step(
    plan: &Plan,
    applied: &Applied,
    world: &World,
    reported: &Done,
    waits: &[Wait],
) -> Option<StepId> {
    let members = &world.config().config.membership;
    let mut done = implied(plan, &position(plan, members, reported)?);
    done.extend(applied.done.iter().cloned());
    let awaited: Vec<ServerId> = waits
        .iter()
        .filter_map(|wait| match wait {
            Wait::Joiner { server, .. } if !members.contains(*server) => Some(*server),
            _ => None,
        })
        .collect();
    // Joiners that are gone are awaited again.
    for step in plan.steps() {
        let is_wait = matches!(step.action, crate::plan::Action::AwaitJoiner(_));
        if is_wait && step.servers().any(|server| awaited.contains(&server)) {
            done.remove(&step.id);
        }
    }
    let next = plan.next_steps(&done, applied.leader);
    let of_awaited = next.iter().find(|s| s.servers().any(|id| awaited.contains(&id)));
    of_awaited.or(next.first()).map(|step| step.id.clone())
}

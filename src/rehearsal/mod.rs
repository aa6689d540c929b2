//! A plan played through in the simulator, every server and every zone failing at every moment.
//!
//! In: a checked plan. Out: a [`Rehearsal`]: for the moment before the first step and for the one
//! after each reconfig, who fails, whether writes go on without it, what apply makes of it, and
//! whether a second apply comes to the target once it is back. Nobody is asked.
//!
//! The ensemble is that of [`crate::ensemble::simulated`], as the plan's facts describe it: members
//! that answered run, others are down, joiners follow without a vote. What applies is the driver
//! that ships. Hooks are left to a person, who does their work; gates and attestations are
//! approved. A server fails by the end of its process, at once; a zone by all its machines being
//! cut off from each other, from the rest and from us. Both are back with what they had on disk.
//!
//! The plan is applied once without a failure, and the ensemble kept at each moment with the journal
//! that is in it, so that each rehearsal begins there. Servers that differ in nothing but their id
//! are rehearsed once. Where that is still too much, what is left out is chosen evenly and counted
//! ([`Rehearsal::played`] of [`Rehearsal::failures`]). No clock: work is counted, not timed.

mod run;
mod stage;
mod who;

use std::collections::BTreeSet;

use crate::apply::position::{implied, position};
use crate::apply::{End, Wait};
use crate::check::{Breach, CheckedPlan};
use crate::ensemble::simulated::{AdminAction, Simulated, World};
use crate::model::{Millis, ServerId};
use crate::plan::{Done, Plan, StepId};

use self::run::{Applied, StopAt, apply, settle};
use self::stage::SimulatedPlan;
use self::who::{FailureMode, candidates};
pub use self::who::{FailureTarget, TargetKind};

/// How long the rest needs to give up whoever is gone, and to elect, in simulated time.
const GIVEN_UP: Millis = Millis(2000);

/// What comes before the first step of every apply (looks, a session, the lock, the fence), in steps.
const BEGINNING: usize = 8;

/// What a rehearsal may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Moments that are looked at.
    pub moments: usize,
    /// Work: servers times steps, for each failure.
    pub work: u64,
}

impl Default for Limits {
    /// Every moment of a plan of 60 reconfigs; a few seconds.
    fn default() -> Self {
        Self { moments: 61, work: 100_000 }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// Who led at the beginning, and whether that is no more than assumed.
    pub leader: Option<ServerId>,
    /// Whether the plan does not tell who leads.
    pub is_leader_assumed: bool,
    /// The moments that were rehearsed, in the order of the plan.
    pub moments: Vec<Moment>,
    /// How many moments there are.
    pub of_moments: usize,
    /// Failures that can befall the plan: of each server and zone at each moment.
    pub failures: usize,
}

/// A moment: just after a reconfig has committed, or before the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The reconfig that has committed; `None` before the first.
    pub after: Option<StepId>,
    /// What was rehearsed.
    pub failures: Vec<Failure>,
}

/// What becomes of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Who fails.
    pub who: FailureTarget,
    /// Whether writes go on.
    pub writes: Writes,
    /// What apply makes of it.
    pub apply_result: ApplyResult,
    /// What comes when it is back.
    pub recovery: Recovery,
}

/// Whether clients can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writes {
    /// Without a break.
    Uninterrupted,
    /// As soon as another leads.
    AfterElection,
    /// Not before it is back.
    Stop,
}

/// How far an apply comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplyResult {
    /// To the end of the plan.
    Completes,
    /// It waits, until its time-out.
    Waits {
        /// The step that cannot be taken; `None` where the ensemble does not show it.
        at: Option<StepId>,
        /// What for.
        waits: Vec<Wait>,
    },
    /// It stops.
    Stops {
        /// The step that was not taken; `None` where the ensemble does not show it.
        at: Option<StepId>,
        /// Why.
        end: Box<End>,
    },
}

/// What comes when whoever failed is back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing is left to do.
    AtTarget,
    /// A second apply goes on to the target.
    Resumed,
    /// A second apply does not come to the target.
    Failed(ApplyResult),
}

/// Why a plan cannot be rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unrehearsed {
    /// The plan waits for servers that are down already.
    Awaits(BTreeSet<ServerId>),
    /// Even without any failure the plan does not come to its end in the simulator.
    Undisturbed(ApplyResult),
    /// It does not keep the laws.
    Unlawful(Vec<Breach>),
    /// It costs more than was granted ([`summary`]).
    TooMuch,
}

impl Rehearsal {
    /// What was rehearsed, with its moment.
    pub fn all(&self) -> impl Iterator<Item = (&Moment, &Failure)> {
        self.moments.iter().flat_map(|moment| moment.failures.iter().map(move |f| (moment, f)))
    }

    /// Failures whose outcome is known: those that were played, and those that differ in nothing but
    /// the id.
    pub fn played(&self) -> usize {
        self.all().map(|(_, failure)| failure.who.count()).sum()
    }

    /// Whether every one of them comes to the target in the end.
    pub fn always_ends(&self) -> bool {
        self.all().all(|(_, failure)| !matches!(failure.recovery, Recovery::Failed(_)))
    }
}

/// Rehearses a plan, as far as it may cost; one without a reconfig has no moments.
pub fn rehearse(checked: &CheckedPlan, limits: Limits) -> Result<Rehearsal, Unrehearsed> {
    Ok(baseline(checked, limits.moments)?.played(limits.work))
}

/// As much of a rehearsal as that much work allows, as [`Limits::work`] counts; the plan without a
/// failure counts too, and may take half of it at most.
pub fn summary(checked: &CheckedPlan, work: u64) -> Result<Rehearsal, Unrehearsed> {
    let plan = checked.plan();
    let joiners = plan.target.ids().difference(&plan.facts.base.membership.ids()).count();
    let servers = plan.facts.base.membership.len() + joiners;
    let undisturbed = ((plan.reconfigs() + BEGINNING) * servers) as u64;
    if undisturbed > work / 2 {
        return Err(Unrehearsed::TooMuch);
    }
    rehearse(checked, Limits { moments: usize::MAX, work: work - undisturbed })
}

/// So many of them, evenly, the first and the last among them.
fn evenly(kept: usize, of: usize) -> Vec<usize> {
    match (kept.min(of), of) {
        (0, _) => Vec::new(),
        (1, _) => vec![0],
        (kept, of) => (0..kept).map(|n| n * (of - 1) / (kept - 1)).collect(),
    }
}

/// The plan without a failure.
struct Baseline {
    simulated: SimulatedPlan,
    checkpoints: Vec<Checkpoint>,
    /// How many moments there are, looked at or not.
    moments: usize,
    failures: usize,
}

/// The ensemble at a moment.
struct Checkpoint {
    after: Option<StepId>,
    /// Reconfigs that have committed.
    committed: Vec<StepId>,
    /// Whether there are more.
    is_last: bool,
    world: World,
    candidates: Vec<(FailureTarget, FailureMode)>,
}

impl Baseline {
    /// Every scene, or as many as that much work allows.
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
            let failure = play(&self.simulated, checkpoint, who.clone(), mode);
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
        }
    }

    /// What playing all of it costs.
    fn work(&self) -> u64 {
        let steps = |checkpoint: &Checkpoint| self.moments - checkpoint.committed.len() + BEGINNING;
        let of = |checkpoint: &Checkpoint| {
            checkpoint.candidates.len() * steps(checkpoint) * checkpoint.world.processes().len()
        };
        self.checkpoints.iter().map(of).sum::<usize>() as u64
    }
}

fn baseline(checked: &CheckedPlan, most: usize) -> Result<Baseline, Unrehearsed> {
    let simulated = SimulatedPlan::of(checked)?;
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
        let candidates = candidates(&simulated, world);
        failures += candidates.iter().map(|(who, _)| who.count()).sum::<usize>();
        if kept.binary_search(&committed.len()).is_ok() {
            checkpoints.push(Checkpoint {
                after: committed.last().cloned(),
                committed: committed.to_vec(),
                is_last: committed.len() == reconfigs,
                world: left_alone(world),
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

/// Whom a plan waits for and for nobody else, where they were down when it was made.
fn awaited_down(
    simulated: &SimulatedPlan,
    apply_result: &ApplyResult,
) -> Option<BTreeSet<ServerId>> {
    let ApplyResult::Waits { waits, .. } = apply_result else { return None };
    let down = waits.iter().map(|wait| match wait {
        Wait::Down { server, .. } | Wait::Bound { server, .. } => {
            (!simulated.plan().facts.live.contains(server)).then_some(*server)
        }
        _ => None,
    });
    down.collect()
}

/// The ensemble without whoever applied: as if that process had just ended.
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
    Failure { who, writes, apply_result, recovery }
}

fn writes(world: &World, mode: &FailureMode) -> Writes {
    let mut world = world.clone();
    let before = world.leader();
    mode.inflict(&mut world);
    settle(&mut world, GIVEN_UP);
    let after = world.leader();
    // Who leads alone behind a cut leads nobody.
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
            // Nobody starts a server again that has left, or whose id is elsewhere by now.
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
        End::Finished => ApplyResult::Completes,
        End::RanOut { waits, .. } | End::NotGranted(waits) => {
            ApplyResult::Waits { at: at(waits), waits: waits.clone() }
        }
        end => ApplyResult::Stops { at: at(&[]), end: Box::new(end.clone()) },
    }
}

/// The step that is not taken: of those that may be next, one whose server is waited for.
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

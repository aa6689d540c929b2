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

use tracing::subscriber::{NoSubscriber, with_default};

use crate::apply::position::{implied, position};
use crate::apply::{End, Wait};
use crate::check::{Breach, CheckedPlan};
use crate::ensemble::simulated::{Deed, Simulated, World};
use crate::model::{Millis, ServerId};
use crate::plan::{Done, Plan, StepId};

use self::run::{Applied, When, apply, settle};
use self::stage::Stage;
use self::who::{Blow, candidates};
pub use self::who::{What, Who};

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
    pub who: Who,
    /// Whether writes go on.
    pub writes: Writes,
    /// What apply makes of it.
    pub course: Course,
    /// What comes when it is back.
    pub back: Back,
}

/// Whether clients can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writes {
    /// Without a break.
    GoOn,
    /// As soon as another leads.
    AfterElection,
    /// Not before it is back.
    Stop,
}

/// How far an apply comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Course {
    /// To the end of the plan.
    ToTheEnd,
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
pub enum Back {
    /// Nothing is left to do.
    AtTarget,
    /// A second apply goes on to the target.
    Resumed,
    /// A second apply does not come to the target.
    Not(Course),
}

/// Why a plan cannot be rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unrehearsed {
    /// The plan waits for servers that are down already.
    Awaits(BTreeSet<ServerId>),
    /// Even without any failure the plan does not come to its end in the simulator.
    Undisturbed(Course),
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
        self.all().all(|(_, failure)| !matches!(failure.back, Back::Not(_)))
    }
}

/// Rehearses a plan, as far as it may cost; one without a reconfig has no moments.
pub fn rehearse(checked: &CheckedPlan, limits: Limits) -> Result<Rehearsal, Unrehearsed> {
    // The code that is rehearsed logs what it does to servers; no server is there.
    with_default(NoSubscriber::new(), || Ok(film(checked, limits.moments)?.played(limits.work)))
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
struct Film {
    stage: Stage,
    shots: Vec<Shot>,
    /// How many moments there are, looked at or not.
    moments: usize,
    failures: usize,
}

/// The ensemble at a moment.
struct Shot {
    after: Option<StepId>,
    /// Reconfigs that have committed.
    committed: Vec<StepId>,
    /// Whether there are more.
    is_last: bool,
    world: World,
    candidates: Vec<(Who, Blow)>,
}

impl Film {
    /// Every scene, or as many as that much work allows.
    fn played(self, work: u64) -> Rehearsal {
        let mut scenes: Vec<(usize, &Who, &Blow)> = Vec::new();
        for (at, shot) in self.shots.iter().enumerate() {
            scenes.extend(shot.candidates.iter().map(|(who, blow)| (at, who, blow)));
        }
        let kept = (scenes.len() as u64).saturating_mul(work) / self.work().max(1);
        let kept = usize::try_from(kept).unwrap_or(usize::MAX).clamp(1, scenes.len().max(1));
        let mut moments: Vec<Moment> = Vec::new();
        for index in evenly(kept, scenes.len()) {
            let (at, who, blow) = scenes[index];
            let shot = &self.shots[at];
            if moments.last().is_none_or(|moment| moment.after != shot.after) {
                moments.push(Moment { after: shot.after.clone(), failures: Vec::new() });
            }
            let failure = play(&self.stage, shot, who.clone(), blow);
            if let Some(moment) = moments.last_mut() {
                moment.failures.push(failure);
            }
        }
        Rehearsal {
            leader: self.stage.leader,
            is_leader_assumed: self.stage.plan().facts.leader != self.stage.leader,
            moments,
            of_moments: self.moments,
            failures: self.failures,
        }
    }

    /// What playing all of it costs.
    fn work(&self) -> u64 {
        let steps = |shot: &Shot| self.moments - shot.committed.len() + BEGINNING;
        let of = |shot: &Shot| shot.candidates.len() * steps(shot) * shot.world.processes().len();
        self.shots.iter().map(of).sum::<usize>() as u64
    }
}

fn film(checked: &CheckedPlan, most: usize) -> Result<Film, Unrehearsed> {
    let stage = Stage::of(checked)?;
    let reconfigs = stage.plan().reconfigs();
    if reconfigs == 0 {
        return Ok(Film { stage, shots: Vec::new(), moments: 0, failures: 0 });
    }
    let moments = reconfigs + 1;
    let kept = evenly(most, moments);
    let mut failures = 0;
    let mut shots: Vec<Shot> = Vec::new();
    let mut committed: Vec<StepId> = Vec::new();
    let mut take = |world: &World, committed: &[StepId]| {
        let candidates = candidates(&stage, world);
        failures += candidates.iter().map(|(who, _)| who.count()).sum::<usize>();
        if kept.binary_search(&committed.len()).is_ok() {
            shots.push(Shot {
                after: committed.last().cloned(),
                committed: committed.to_vec(),
                is_last: committed.len() == reconfigs,
                world: left_alone(world),
                candidates,
            });
        }
    };
    take(&stage.world, &committed);
    let port = Simulated::new(stage.world.clone());
    let mut camera = |world: &mut World, step: Option<&StepId>| {
        committed.extend(step.cloned());
        take(world, &committed);
    };
    let applied = apply(&stage, &port, "r0", Some((When::Committed, &mut camera)));
    let course = course(&stage, &applied, &port.world(), &[]);
    if course != Course::ToTheEnd {
        let down = awaited_down(&stage, &course);
        return Err(down.map_or(Unrehearsed::Undisturbed(course), Unrehearsed::Awaits));
    }
    drop(port);
    Ok(Film { stage, shots, moments, failures })
}

/// Whom a plan waits for and for nobody else, where they were down when it was made.
fn awaited_down(stage: &Stage, course: &Course) -> Option<BTreeSet<ServerId>> {
    let Course::Waits { waits, .. } = course else { return None };
    let down = waits.iter().map(|wait| match wait {
        Wait::Down { server, .. } | Wait::Bound { server, .. } => {
            (!stage.plan().facts.live.contains(server)).then_some(*server)
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

fn play(stage: &Stage, shot: &Shot, who: Who, blow: &Blow) -> Failure {
    let writes = writes(&shot.world, blow);
    let port = Simulated::new(shot.world.clone());
    let when = if shot.is_last { When::Open } else { When::Fenced };
    let mut strike = |world: &mut World, _: Option<&StepId>| blow.fall(world);
    let applied = apply(stage, &port, "r1", Some((when, &mut strike)));
    let course = course(stage, &applied, &port.world(), &shot.committed);
    bring_back(&mut port.world(), stage, blow);
    let back = if course == Course::ToTheEnd && is_at_target(&mut port.world(), stage) {
        Back::AtTarget
    } else {
        let again = apply(stage, &port, "r2", None);
        let told: Vec<StepId> = shot.committed.iter().chain(&applied.committed).cloned().collect();
        let at_target = is_at_target(&mut port.world(), stage);
        match self::course(stage, &again, &port.world(), &told) {
            Course::ToTheEnd if at_target => Back::Resumed,
            other => Back::Not(other),
        }
    };
    Failure { who, writes, course, back }
}

fn writes(world: &World, blow: &Blow) -> Writes {
    let mut world = world.clone();
    let before = world.leader();
    blow.fall(&mut world);
    settle(&mut world, GIVEN_UP);
    let after = world.leader();
    // Who leads alone behind a cut leads nobody.
    let is_reached = after.is_some_and(|at| !world.process(at).hidden);
    if !is_reached || !world.commits() {
        Writes::Stop
    } else if before == after {
        Writes::GoOn
    } else {
        Writes::AfterElection
    }
}

fn bring_back(world: &mut World, stage: &Stage, blow: &Blow) {
    match blow {
        Blow::Dies(at) => {
            let id = world.process(*at).id();
            // Nobody starts a server again that has left, or whose id is elsewhere by now.
            let is_newest = world.place_of(id) == Some(*at);
            let stays = world.config().names(id) || stage.plan().target.contains(id);
            if is_newest && stays {
                world.does(Deed::Start(*at));
            }
        }
        Blow::CutOff(places) => world.cut(places, 0, false),
    }
    settle(world, GIVEN_UP);
}

fn is_at_target(world: &mut World, stage: &Stage) -> bool {
    world.config().config.membership == stage.plan().target && world.commits()
}

fn course(stage: &Stage, applied: &Applied, world: &World, before: &[StepId]) -> Course {
    let told: Done = before.iter().chain(&applied.committed).cloned().collect();
    let at = |waits: &[Wait]| next_step(stage.plan(), applied, world, &told, waits);
    match &applied.end {
        End::Finished => Course::ToTheEnd,
        End::RanOut { waits, .. } | End::NotGranted(waits) => {
            Course::Waits { at: at(waits), waits: waits.clone() }
        }
        end => Course::Stops { at: at(&[]), end: Box::new(end.clone()) },
    }
}

/// The step that is not taken: of those that may be next, one whose server is waited for.
fn next_step(
    plan: &Plan,
    applied: &Applied,
    world: &World,
    told: &Done,
    waits: &[Wait],
) -> Option<StepId> {
    let members = &world.config().config.membership;
    let mut done = implied(plan, &position(plan, members, told)?);
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

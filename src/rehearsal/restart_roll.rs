//! A plan of restarts on the simulated ensemble.
//!
//! The code that ships says which server is next, and when. A simulated person edits the files of that
//! server and restarts it. So a server that fails before its turn comes back with its old file.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::run::settle;
use super::simulated_plan::{SimulatedPlan, new_file};
use crate::apply::{Outcome, RestartMissing, Wait};
use crate::model::{Millis, ServerId};
use crate::observe::{Question, observe};
use crate::plan::{Step, StepId};
use crate::preflight::{AskedAs, GivenFiles, View, ask, checks};
use crate::restarting::{NextRestart, RestartLook, RestartRun};
use crate::simulator::{AdminAction, Condition, PeerState, Process, Simulated, World};

/// From the end of one look to the next.
const BETWEEN_MS: u64 = 500;

/// How long a server is away that is restarted.
const AWAY_MS: u64 = 700;

/// The time-out of every wait. It is longer than a restart, and than giving up a server that failed.
const TIMEOUT_MS: u64 = 8000;

/// How far an apply has gone on.
pub(super) enum Turn {
    /// One more of its restarts is done.
    Done(StepId),
    /// It has ended.
    Ended(Outcome),
}

/// An apply of a plan of restarts, and its operator.
pub(super) struct RestartApply<'a> {
    simulated: &'a SimulatedPlan,
    port: &'a Simulated,
    run: RestartRun,
    /// Servers whose client port has refused since the last look.
    refused: BTreeSet<ServerId>,
    since_ms: u64,
    last_waits: Vec<Wait>,
}

impl<'a> RestartApply<'a> {
    /// An apply that is typed now.
    pub(super) fn new(simulated: &'a SimulatedPlan, port: &'a Simulated) -> Self {
        Self::of(simulated, port, RestartRun::new(Arc::clone(&simulated.checked)))
    }

    /// An apply that has come as far as that.
    pub(super) fn of(simulated: &'a SimulatedPlan, port: &'a Simulated, run: RestartRun) -> Self {
        let since_ms = port.world().now_ms();
        Self { simulated, port, run, refused: BTreeSet::new(), since_ms, last_waits: Vec::new() }
    }

    /// What it has done so far.
    pub(super) const fn run(&self) -> &RestartRun {
        &self.run
    }

    /// Takes its first look, and does nothing yet.
    pub(super) fn begin_to_look(&mut self) {
        self.look();
    }

    /// Goes on until one more of its restarts is done, or to its end.
    pub(super) fn goes_on(&mut self) -> Turn {
        loop {
            let (is_first, before) = (!self.run.has_begun(), self.run.done().clone());
            let next = self.look();
            let mut done = self.run.done().difference(&before);
            if let Some(step) = done.next().filter(|_| !is_first) {
                let step = step.clone();
                self.since_ms = self.now_ms();
                return Turn::Done(step);
            }
            match next {
                Some(NextRestart::Finished) => return Turn::Ended(Outcome::Finished),
                Some(NextRestart::Begin { server, .. }) => self.begin(server),
                Some(NextRestart::Wait(waits)) => self.last_waits = waits,
                // As the driver that ships does while no server can be asked.
                None => {
                    let missing = RestartMissing::Leader;
                    self.last_waits = vec![Wait::Restart { server: None, missing }];
                }
                Some(NextRestart::OldSettings { server, settings }) => {
                    return Turn::Ended(Outcome::OldSettings { server, settings });
                }
                Some(NextRestart::Unsafe(breaches)) => {
                    return Turn::Ended(Outcome::Unsafe(breaches, Vec::new()));
                }
                Some(NextRestart::OtherMembers) => return Turn::Ended(Outcome::Unreachable),
            }
            if self.now_ms() - self.since_ms >= TIMEOUT_MS {
                let waits = self.last_waits.clone();
                return Turn::Ended(Outcome::RanOut { waits, unknown: None });
            }
            self.pause();
        }
    }

    /// Goes on to its end.
    pub(super) fn ends(&mut self) -> Outcome {
        loop {
            if let Turn::Ended(end) = self.goes_on() {
                return end;
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.port.world().now_ms()
    }

    fn look(&mut self) -> Option<NextRestart> {
        let (target, port) = (&self.simulated.target, self.port);
        let seen = port.run(observe(port, &Question::of(target)))?.ok()?;
        let answers = port.run(ask(port, port, target, &seen, AskedAs::NoUser))?;
        let files = GivenFiles::new();
        let view = View { target, seen: &seen, answers: &answers, files: &files };
        let refused = std::mem::take(&mut self.refused);
        let look = RestartLook { view, checks: &checks(view), refused: &refused };
        Some(self.run.next(look).1)
    }

    /// The person edits the files of a server and restarts it.
    fn begin(&mut self, server: ServerId) {
        self.since_ms = self.now_ms();
        self.run.begin(server);
        let mut world = self.port.world();
        let Some(at) = world.place_of(server) else { return };
        world.process_mut(at).file = new_file(self.simulated.plan(), server);
        world.kill(at);
        world.later(AWAY_MS, AdminAction::Start(at));
        self.refused.insert(server);
    }

    /// Time passes. The driver watches the client ports meanwhile.
    fn pause(&mut self) {
        let mut world = self.port.world();
        let down = |world: &World| -> Vec<ServerId> {
            let all = world.processes().map(|(_, process)| process);
            let down = all.filter(|process| process.condition == Condition::Down);
            down.map(Process::id).collect()
        };
        self.refused.extend(down(&world));
        settle(&mut world, Millis(BETWEEN_MS));
        self.refused.extend(down(&world));
    }
}

/// Whether every server of the plan runs with its new files, and all serve.
pub(super) fn is_rolled(world: &World, simulated: &SimulatedPlan) -> bool {
    let plan = simulated.plan();
    let restarted = |id: ServerId| plan.steps().filter_map(Step::restart).any(|r| r.server == id);
    world.processes().all(|(_, process)| {
        let id = process.id();
        let serves = process.condition == Condition::Up && process.now != PeerState::Looking;
        serves && (!restarted(id) || process.runs == new_file(plan, id))
    })
}

//! The apply, typed again whenever it ends, and the person who restarts what it asks for.

use std::collections::BTreeSet;
use std::sync::Arc;

use zkplan::check::CheckedPlan;
use zkplan::model::ServerId;
use zkplan::observe::{Observation, Question, observe};
use zkplan::plan::StepId;
use zkplan::preflight::{AskedAs, GivenFiles, View, ask, checks};
use zkplan::restarting::{NextRestart, RestartLook, RestartRun};
use zkplan::simulator::{AdminAction, Condition, ProcessId, Simulated};

use super::Trouble;
use super::scene::{Edits, Scene};

/// From one look to the next.
const BETWEEN_MS: u64 = 500;

/// How long a server is away that is restarted.
const AWAY_MS: u64 = 700;

/// How long one is away that dies.
const DEAD_MS: u64 = 4000;

/// How many looks without progress are an apply's time-out.
const PATIENCE: usize = 30;

/// What a person makes of what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Person {
    /// Edits the file of the server, and restarts it.
    DoesAsAsked,
    /// Begins with the leader.
    RestartsTheLeaderFirst,
    /// Restarts the next server without waiting for the last one.
    WaitsForNothing,
    /// When the ensemble has its first version, lays down the first file of each server that is asked
    /// for.
    GoesBack,
}

pub(super) struct Operator<'a> {
    pub(super) scene: &'a Scene,
    pub(super) port: Simulated,
    run: RestartRun,
    trouble: Trouble,
    person: Person,
    /// Servers whose client port has refused since the last look.
    refused: BTreeSet<ServerId>,
    looked: usize,
    /// Looks since something was done.
    idle: usize,
    /// Steps that were asked for.
    asked: BTreeSet<StepId>,
    pub(super) wrong: Vec<String>,
    /// What the last look came to.
    pub(super) last: String,
}

impl<'a> Operator<'a> {
    pub(super) fn new(scene: &'a Scene, trouble: Trouble, person: Person) -> Self {
        Self {
            scene,
            port: Simulated::new(scene.world.clone()),
            run: RestartRun::new(Arc::clone(&scene.checked)),
            trouble,
            person,
            refused: BTreeSet::new(),
            looked: 0,
            idle: 0,
            asked: BTreeSet::new(),
            wrong: Vec::new(),
            last: String::new(),
        }
    }

    /// One look and what follows from it. Whether everything is done.
    pub(super) fn looks(&mut self) -> bool {
        let next = self.next();
        self.last = format!("{next:?}");
        let before = self.idle;
        self.idle += 1;
        match next {
            Some(NextRestart::Finished) => match self.plan_left() {
                Some(plan) => self.run = RestartRun::new(plan),
                None => return true,
            },
            Some(NextRestart::Begin { step, server }) => self.begin(&step, server),
            Some(NextRestart::Wait { .. }) | None if self.person == Person::WaitsForNothing => {
                self.restart_another();
            }
            Some(NextRestart::Wait { .. }) | None => {}
            Some(NextRestart::OldSettings { .. } | NextRestart::Unsafe(_)) => self.type_again(),
            Some(NextRestart::OtherMembers) => self.wrong.push("other members".to_owned()),
        }
        if before >= PATIENCE {
            self.type_again();
        }
        self.strike();
        self.pause();
        false
    }

    fn seen(&self) -> Option<Observation> {
        let question = Question::of(&self.scene.target);
        self.port.run(observe(&self.port, &question)).expect("a client that lives").ok()
    }

    /// What the shipped code makes of a look.
    fn next(&mut self) -> Option<NextRestart> {
        let seen = self.seen()?;
        let target = &self.scene.target;
        let answers = ask(&self.port, &self.port, target, &seen, AskedAs::NoUser);
        let answers = self.port.run(answers).expect("a client that lives");
        let files = GivenFiles::new();
        let view = View { target, seen: &seen, answers: &answers, files: &files };
        let checks = checks(view);
        let refused = std::mem::take(&mut self.refused);
        let (_, next) = self.run.next(RestartLook { view, checks: &checks, refused: &refused });
        Some(next)
    }

    fn begin(&mut self, step: &StepId, server: ServerId) {
        self.idle = 0;
        self.run.begin(server);
        let mut at = self.place(server);
        let leader = self.port.world().leader();
        if self.person == Person::RestartsTheLeaderFirst && self.asked.is_empty() {
            at = leader.unwrap_or(at);
        }
        self.restart(at);
        if self.asked.insert(step.clone()) && self.trouble.is_killed {
            self.type_again();
        }
    }

    fn restart(&mut self, at: ProcessId) {
        let version = self.port.world().config().version();
        let goes_back = self.person == Person::GoesBack && version > 0;
        self.port.world().process_mut(at).file.reconfig_enabled = !goes_back;
        self.judge_restart(at);
        let id = self.port.world().process(at).id();
        let mut world = self.port.world();
        world.kill(at);
        if goes_back {
            world.lay_first_files(at);
        }
        world.later(AWAY_MS, AdminAction::Start(at));
        drop(world);
        self.refused.insert(id);
    }

    /// The next server that does not run with the new file, whatever is waited for.
    fn restart_another(&mut self) {
        let at = {
            let world = self.port.world();
            let mut old = world.processes().filter(|(_, process)| {
                process.condition == Condition::Up && !process.runs.reconfig_enabled
            });
            old.next().map(|(at, _)| at)
        };
        if let Some(at) = at {
            self.restart(at);
        }
    }

    /// A saved plan is typed again as it is, a spec is planned for again.
    fn type_again(&mut self) {
        self.idle = 0;
        let plan = self.plan_left().unwrap_or_else(|| Arc::clone(&self.scene.checked));
        self.run = RestartRun::new(plan);
    }

    fn plan_left(&self) -> Option<Arc<CheckedPlan>> {
        let is_spec = self.scene.edits == Edits::Late;
        is_spec.then(|| self.scene.plan_again(&self.port)).flatten()
    }

    fn strike(&mut self) {
        if let Some((server, _)) = self.trouble.death.filter(|(_, look)| *look == self.looked) {
            let at = self.place(ServerId::new(server));
            let mut world = self.port.world();
            world.kill(at);
            world.later(DEAD_MS, AdminAction::Start(at));
        }
        self.looked += 1;
    }

    /// Time passes, and zkplan watches the client ports.
    fn pause(&mut self) {
        for _ in 0..BETWEEN_MS / 100 {
            let mut world = self.port.world();
            let then = world.now_ms() + 100;
            world.advance(then);
            let down = world.processes().filter(|(_, one)| one.condition == Condition::Down);
            self.refused.extend(down.map(|(_, process)| process.id()));
        }
    }

    pub(super) fn place(&self, id: ServerId) -> ProcessId {
        self.port.world().place_of(id).expect("a member")
    }
}

//! The faults of a schedule: their kinds, how often each occurs, and when.

use std::cell::RefCell;
use std::rc::Rc;

use zkplan::apply::paths::Paths;
use zkplan::ensemble::Code;
use zkplan::ensemble::simulated::{
    AdminAction, Chaos, Condition, Fate, Kind, Operation, PeerState, Place, Process, World,
};
use zkplan::model::{Reconfig, Update};

use crate::chance::Chance;
use crate::coverage::{Coverage, Situation};

/// More operations than any schedule needs.
const MOST_OPERATIONS: u64 = 20_000;

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    LoseRequest,
    LoseAnswer,
    Delay,
    Duplicate,
    Die,
    DieAfter,
    Freeze,
    Kill,
    KillLeader,
    Cut,
    Lag,
    EndSession,
    StealLock,
    Foreign,
    FreezeForAWrite,
    FreezeNewcomer,
    KillLeaderForGood,
    Return,
}

const FAULTS: [Fault; 16] = [
    Fault::LoseRequest,
    Fault::LoseAnswer,
    Fault::Delay,
    Fault::Duplicate,
    Fault::Die,
    Fault::DieAfter,
    Fault::Freeze,
    Fault::Kill,
    Fault::KillLeader,
    Fault::Cut,
    Fault::Lag,
    Fault::EndSession,
    Fault::StealLock,
    Fault::Foreign,
    Fault::FreezeForAWrite,
    Fault::FreezeNewcomer,
];

/// The faults of schedules in which servers fail for good, or come back that were down from the
/// beginning.
const DEATHS: [Fault; 2] = [Fault::KillLeaderForGood, Fault::Return];

/// The faults of a schedule so far.
#[derive(Debug, Default)]
pub(crate) struct Befallen {
    pub(crate) operations: u64,
    pub(crate) faults: u64,
    pub(crate) foreign: bool,
    /// How many configurations had committed when the first server was touched.
    pub(crate) untouched: Option<usize>,
    pub(crate) endless: bool,
    pub(crate) coverage: Coverage,
}

struct Faults {
    chance: Chance,
    rates: Vec<(Fault, u64)>,
    left: u64,
    befallen: Rc<RefCell<Befallen>>,
    reconfigs: u64,
}

/// The faults of one schedule. Each kind is absent, rare or frequent.
pub(crate) fn chaos(mut chance: Chance, befallen: &Rc<RefCell<Befallen>>, deaths: bool) -> Chaos {
    let more = DEATHS.into_iter().filter(|_| deaths);
    let all = FAULTS.into_iter().chain(more);
    let rate_of = |fault: Fault| {
        let rare = match fault {
            Fault::Foreign | Fault::EndSession | Fault::StealLock => 4,
            // These faults affect only reconfigs and writes.
            Fault::Delay | Fault::Duplicate | Fault::FreezeForAWrite | Fault::FreezeNewcomer => 1,
            _ => 2,
        };
        let rate = if chance.once_in(3) {
            chance.of_slice(&[10, 30, 100]).map_or(0, |rate| rate * rare)
        } else {
            0
        };
        (fault, rate)
    };
    let rates = all.map(rate_of).collect();
    let left = 1 + chance.below(4);
    let befallen = Rc::clone(befallen);
    let mut faults = Faults { chance, rates, left, befallen, reconfigs: 0 };
    Box::new(move |world, operation| faults.befall(world, operation))
}

impl Faults {
    fn befall(&mut self, world: &mut World, operation: &Operation) -> Fate {
        self.see(world, operation);
        if self.befallen.borrow().endless {
            return Fate::Die;
        }
        if operation.kind == Kind::Reconfig {
            self.reconfigs += 1;
        }
        if self.left == 0 {
            return Fate::Proceed;
        }
        let important = operation.kind == Kind::Reconfig;
        for (fault, rate) in self.rates.clone() {
            if rate == 0 || !fits(fault, operation) {
                continue;
            }
            // Requests that change the ensemble are where it matters.
            let rate = if important { rate.div_ceil(8) } else { rate };
            if self.chance.once_in(rate)
                && let Some(fate) = self.strike(fault, world, operation)
            {
                self.left -= 1;
                self.befallen.borrow_mut().faults += 1;
                return fate;
            }
        }
        Fate::Proceed
    }

    /// Takes note of situations that an operation meets.
    fn see(&mut self, world: &mut World, operation: &Operation) {
        let mut befallen = self.befallen.borrow_mut();
        befallen.operations += 1;
        befallen.endless |= befallen.operations > MOST_OPERATIONS;
        let coverage = &mut befallen.coverage;
        if world.pending().is_some() {
            coverage.note(Situation::StuckReconfig);
            if self.chance.once_in(4) {
                // Another client tries at this moment. The refusal is a proposal behind the stuck
                // one.
                let change = Update::fence(&world.config().config.membership);
                world.administer(&change).ok();
            }
        }
        let Some(at) = operation.at else { return };
        if world.is_lagging(at) {
            coverage.note(Situation::LagSeen);
        }
        let process = world.process(at);
        let uses = operation.kind.writes() || operation.kind == Kind::Read;
        if uses && process.is_without_vote() {
            coverage.note(Situation::WithoutVoteUsed);
        }
        if process.now == PeerState::Leading
            && process.condition == Condition::Up
            && world.leader() != Some(at)
        {
            coverage.note(Situation::FormerLeaderAsked);
        }
    }

    fn strike(&mut self, fault: Fault, world: &mut World, operation: &Operation) -> Option<Fate> {
        let ms = 50 + self.chance.below(3000);
        // The first reconfig is a fence.
        let sends = operation.kind == Kind::Reconfig && self.reconfigs > 1;
        let mut befallen = self.befallen.borrow_mut();
        let fate = match fault {
            Fault::LoseRequest => Fate::LoseRequest,
            Fault::LoseAnswer => Fate::LoseAnswer,
            Fault::Delay => Fate::Delay(ms),
            Fault::Duplicate => Fate::Duplicate(ms),
            Fault::Die => {
                if sends {
                    befallen.coverage.note(Situation::DiedBeforeSend);
                }
                Fate::Die
            }
            Fault::DieAfter => {
                if sends {
                    befallen.coverage.note(Situation::DiedBeforeOutcome);
                }
                Fate::DieAfter
            }
            _ => {
                befallen.untouched.get_or_insert(world.truth.configs.len());
                drop(befallen);
                self.touch(fault, ms, world, operation)?;
                Fate::Proceed
            }
        };
        Some(fate)
    }

    /// Does something to the ensemble, where there is something to do it to.
    #[expect(clippy::too_many_lines, reason = "a line or three for each fault")]
    fn touch(
        &mut self,
        fault: Fault,
        ms: u64,
        world: &mut World,
        operation: &Operation,
    ) -> Option<()> {
        let up = |process: &Process| process.condition == Condition::Up;
        match fault {
            Fault::LoseRequest
            | Fault::LoseAnswer
            | Fault::Delay
            | Fault::Duplicate
            | Fault::Die
            | Fault::DieAfter => {}
            Fault::Freeze => {
                let at = self.any(world, up)?;
                world.freeze(at);
                world.later(ms, AdminAction::Thaw(at));
            }
            Fault::FreezeForAWrite => {
                let at = operation.at?;
                world.freeze(at);
                world.later(ms / 2, AdminAction::Thaw(at));
            }
            Fault::FreezeNewcomer => {
                let at = self.any(world, Process::is_without_vote)?;
                world.freeze(at);
                world.later(2 * ms, AdminAction::Thaw(at));
            }
            Fault::Kill => {
                let at = self.any(world, up)?;
                world.kill(at);
                world.later(ms, AdminAction::Start(at));
            }
            Fault::KillLeader => {
                let at = world.leader()?;
                world.kill(at);
                world.later(ms, AdminAction::Start(at));
            }
            Fault::KillLeaderForGood => {
                let at = world.leader()?;
                world.kill(at);
            }
            Fault::Return => {
                let at = self.any(world, |process| process.condition == Condition::Down)?;
                world.does(AdminAction::Start(at));
            }
            Fault::Cut => {
                let residue = self.chance.below(3);
                let hidden = self.chance.once_in(2);
                let zone: Vec<Place> = world
                    .processes()
                    .filter(|(_, p)| p.id().get().unsigned_abs() % 3 == residue)
                    .map(|(at, _)| at)
                    .collect();
                world.cut(&zone, 1, hidden);
                world.later(2 * ms, AdminAction::Join);
            }
            Fault::Lag => {
                let at = self.any(world, |process| process.now == PeerState::Following)?;
                world.lag(at, ms / 2);
            }
            Fault::EndSession => {
                let ids: Vec<i64> = world.sessions().map(|(id, _)| id).collect();
                let id = *self.chance.of_slice(&ids)?;
                world.end_session(id);
            }
            Fault::StealLock => {
                let lock = Paths::default().lock();
                if world.node(&lock).is_none() || !world.delete(&lock) {
                    return None;
                }
            }
            Fault::Foreign => {
                if self.befallen.borrow().foreign {
                    return None;
                }
                let change = self.foreign(world)?;
                // Without an answer it may still commit.
                let answer = world.administer(&change);
                let is_out = matches!(answer, Ok(()) | Err(Code::ConnectionLoss));
                self.befallen.borrow_mut().foreign |= is_out;
            }
        }
        Some(())
    }

    fn any(&mut self, world: &World, fits: impl Fn(&Process) -> bool) -> Option<Place> {
        let all: Vec<Place> =
            world.processes().filter(|(_, process)| fits(process)).map(|(at, _)| at).collect();
        self.chance.of_slice(&all).copied()
    }

    /// An administrator takes a member out, or only raises the version.
    fn foreign(&mut self, world: &World) -> Option<Update> {
        let members = &world.config().config.membership;
        if self.chance.once_in(2) {
            return Some(Update::fence(members));
        }
        let ids: Vec<_> = members.ids().into_iter().collect();
        let id = *self.chance.of_slice(&ids)?;
        (members.voters().len() > 2).then(|| Update::of(members, &Reconfig::leave(id)))
    }
}

fn fits(fault: Fault, operation: &Operation) -> bool {
    let kind = operation.kind;
    let holds = kind.writes() || matches!(kind, Kind::Read | Kind::Attach | Kind::Probe);
    match fault {
        Fault::Delay | Fault::Duplicate => kind.writes(),
        Fault::FreezeForAWrite | Fault::FreezeNewcomer => kind == Kind::Reconfig,
        Fault::LoseRequest | Fault::LoseAnswer | Fault::Die | Fault::DieAfter => holds,
        Fault::Freeze
        | Fault::Kill
        | Fault::KillLeader
        | Fault::KillLeaderForGood
        | Fault::Return
        | Fault::Cut
        | Fault::Lag
        | Fault::EndSession
        | Fault::StealLock
        | Fault::Foreign => holds || kind == Kind::Look,
    }
}

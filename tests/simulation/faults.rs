//! The faults of a schedule: their kinds, how often each occurs, and when.

use std::cell::RefCell;
use std::rc::Rc;

use zkplan::apply::paths::Paths;
use zkplan::ensemble::ErrorCode;
use zkplan::model::{Reconfig, Update};
use zkplan::simulator::{
    AdminAction, Condition, Fault, FaultInjector, Kind, Operation, PeerState, Process, ProcessId,
    World,
};

use crate::chance::Chance;
use crate::coverage::{Coverage, Situation};

/// More operations than any schedule needs.
const MOST_OPERATIONS: u64 = 20_000;

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FaultKind {
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

const FAULTS: [FaultKind; 16] = [
    FaultKind::LoseRequest,
    FaultKind::LoseAnswer,
    FaultKind::Delay,
    FaultKind::Duplicate,
    FaultKind::Die,
    FaultKind::DieAfter,
    FaultKind::Freeze,
    FaultKind::Kill,
    FaultKind::KillLeader,
    FaultKind::Cut,
    FaultKind::Lag,
    FaultKind::EndSession,
    FaultKind::StealLock,
    FaultKind::Foreign,
    FaultKind::FreezeForAWrite,
    FaultKind::FreezeNewcomer,
];

/// The faults of schedules in which servers fail for good, or come back that were down from the
/// beginning.
const DEATHS: [FaultKind; 2] = [FaultKind::KillLeaderForGood, FaultKind::Return];

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
    rates: Vec<(FaultKind, u64)>,
    left: u64,
    befallen: Rc<RefCell<Befallen>>,
    reconfigs: u64,
}

/// The faults of one schedule. Each kind is absent, rare or frequent.
pub(crate) fn chaos(
    mut chance: Chance,
    befallen: &Rc<RefCell<Befallen>>,
    deaths: bool,
) -> FaultInjector {
    let more = DEATHS.into_iter().filter(|_| deaths);
    let all = FAULTS.into_iter().chain(more);
    let rate_of = |fault: FaultKind| {
        let rare = match fault {
            FaultKind::Foreign | FaultKind::EndSession | FaultKind::StealLock => 4,
            // These faults affect only reconfigs and writes.
            FaultKind::Delay
            | FaultKind::Duplicate
            | FaultKind::FreezeForAWrite
            | FaultKind::FreezeNewcomer => 1,
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
    fn befall(&mut self, world: &mut World, operation: &Operation) -> Fault {
        self.see(world, operation);
        if self.befallen.borrow().endless {
            return Fault::Die;
        }
        if operation.kind == Kind::Reconfig {
            self.reconfigs += 1;
        }
        if self.left == 0 {
            return Fault::Proceed;
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
        Fault::Proceed
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

    fn strike(
        &mut self,
        fault: FaultKind,
        world: &mut World,
        operation: &Operation,
    ) -> Option<Fault> {
        let ms = 50 + self.chance.below(3000);
        // The first reconfig is a fence.
        let sends = operation.kind == Kind::Reconfig && self.reconfigs > 1;
        let mut befallen = self.befallen.borrow_mut();
        let fate = match fault {
            FaultKind::LoseRequest => Fault::LoseRequest,
            FaultKind::LoseAnswer => Fault::LoseAnswer,
            FaultKind::Delay => Fault::Delay(ms),
            FaultKind::Duplicate => Fault::Duplicate(ms),
            FaultKind::Die => {
                if sends {
                    befallen.coverage.note(Situation::DiedBeforeSend);
                }
                Fault::Die
            }
            FaultKind::DieAfter => {
                if sends {
                    befallen.coverage.note(Situation::DiedBeforeOutcome);
                }
                Fault::DieAfter
            }
            _ => {
                befallen.untouched.get_or_insert(world.truth.configs.len());
                drop(befallen);
                self.touch(fault, ms, world, operation)?;
                Fault::Proceed
            }
        };
        Some(fate)
    }

    /// Does something to the ensemble, where there is something to do it to.
    #[expect(clippy::too_many_lines, reason = "a line or three for each fault")]
    fn touch(
        &mut self,
        fault: FaultKind,
        ms: u64,
        world: &mut World,
        operation: &Operation,
    ) -> Option<()> {
        let up = |process: &Process| process.condition == Condition::Up;
        match fault {
            FaultKind::LoseRequest
            | FaultKind::LoseAnswer
            | FaultKind::Delay
            | FaultKind::Duplicate
            | FaultKind::Die
            | FaultKind::DieAfter => {}
            FaultKind::Freeze => {
                let at = self.any(world, up)?;
                world.freeze(at);
                world.later(ms, AdminAction::Thaw(at));
            }
            FaultKind::FreezeForAWrite => {
                let at = operation.at?;
                world.freeze(at);
                world.later(ms / 2, AdminAction::Thaw(at));
            }
            FaultKind::FreezeNewcomer => {
                let at = self.any(world, Process::is_without_vote)?;
                world.freeze(at);
                world.later(2 * ms, AdminAction::Thaw(at));
            }
            FaultKind::Kill => {
                let at = self.any(world, up)?;
                world.kill(at);
                world.later(ms, AdminAction::Start(at));
            }
            FaultKind::KillLeader => {
                let at = world.leader()?;
                world.kill(at);
                world.later(ms, AdminAction::Start(at));
            }
            FaultKind::KillLeaderForGood => {
                let at = world.leader()?;
                world.kill(at);
            }
            FaultKind::Return => {
                let at = self.any(world, |process| process.condition == Condition::Down)?;
                world.does(AdminAction::Start(at));
            }
            FaultKind::Cut => {
                let residue = self.chance.below(3);
                let hidden = self.chance.once_in(2);
                let zone: Vec<ProcessId> = world
                    .processes()
                    .filter(|(_, p)| p.id().get().unsigned_abs() % 3 == residue)
                    .map(|(at, _)| at)
                    .collect();
                world.cut(&zone, 1, hidden);
                world.later(2 * ms, AdminAction::Join);
            }
            FaultKind::Lag => {
                let at = self.any(world, |process| process.now == PeerState::Following)?;
                world.lag(at, ms / 2);
            }
            FaultKind::EndSession => {
                let ids: Vec<i64> = world.sessions().map(|(id, _)| id).collect();
                let id = *self.chance.of_slice(&ids)?;
                world.end_session(id);
            }
            FaultKind::StealLock => {
                let lock = Paths::default().lock();
                if world.node(&lock).is_none() || !world.delete(&lock) {
                    return None;
                }
            }
            FaultKind::Foreign => {
                if self.befallen.borrow().foreign {
                    return None;
                }
                let change = self.foreign(world)?;
                // Without an answer it may still commit.
                let answer = world.administer(&change);
                let is_out = matches!(answer, Ok(()) | Err(ErrorCode::ConnectionLoss));
                self.befallen.borrow_mut().foreign |= is_out;
            }
        }
        Some(())
    }

    fn any(&mut self, world: &World, fits: impl Fn(&Process) -> bool) -> Option<ProcessId> {
        let all: Vec<ProcessId> =
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

fn fits(fault: FaultKind, operation: &Operation) -> bool {
    let kind = operation.kind;
    let holds = kind.writes() || matches!(kind, Kind::Read | Kind::Attach | Kind::Probe);
    match fault {
        FaultKind::Delay | FaultKind::Duplicate => kind.writes(),
        FaultKind::FreezeForAWrite | FaultKind::FreezeNewcomer => kind == Kind::Reconfig,
        FaultKind::LoseRequest | FaultKind::LoseAnswer | FaultKind::Die | FaultKind::DieAfter => {
            holds
        }
        FaultKind::Freeze
        | FaultKind::Kill
        | FaultKind::KillLeader
        | FaultKind::KillLeaderForGood
        | FaultKind::Return
        | FaultKind::Cut
        | FaultKind::Lag
        | FaultKind::EndSession
        | FaultKind::StealLock
        | FaultKind::Foreign => holds || kind == Kind::Look,
    }
}

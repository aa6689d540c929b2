//! The shipped executor, as a table.
//!
//! [`Executor`] is deterministic: equal machines that get equal answers have equal outputs. So each
//! pair of a machine and an answer is given to the shipped code once, when the search first reaches
//! it, and remembered. Equal machines are one entry. A state of the model holds a number for each
//! executor, and hundreds of thousands of states share a few thousand machines.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zkplan::apply::executor::{Executor, Input, Output};
use zkplan::apply::{Event, Outcome};
use zkplan::ensemble::{ErrorCode, RequestError};

use crate::journals::{EntryId, Journal, Journals};
use crate::quick::QuickMap;
use crate::world::{Config, Request, View, World, counted};

/// An executor in one of its states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ExecutorId(u32);

/// An answer to an executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Granted,
    Done,
    /// The lock is ours.
    Locked(u8),
    /// The lock is another's.
    Held,
    Read(View),
    Runs(Journal),
    Replied(Config),
    Saw(View),
    /// The outcome is unknown.
    Unknown,
    SessionOver,
    /// The lock's check in the transaction failed, or the version of a request is not the
    /// configuration's.
    BadVersion,
    NoQuorum,
    /// The operator interrupts it. This is no answer to its output.
    Interrupt,
}

/// The output of an executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Asks {
    Permission,
    Lock,
    Read,
    ReadRuns,
    MakeIdentity,
    OpenRun(u64),
    Record(u64, EntryId),
    /// A reconfig with the number of its version. `None` for a version that the model never made.
    Send(Request, Option<u8>),
    Look,
    Settle,
    /// A pause, or something that makes no difference here.
    Nothing,
    Close,
    End(Ended),
}

/// How an apply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ended {
    Finished,
    /// It took the change for a foreign one.
    Stranger,
    /// Its lock is gone.
    LockLost,
    /// In a safe place, to be resumed.
    Resumable,
}

/// An executor after an answer, and the events that it emitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Next {
    pub(crate) executor: ExecutorId,
    /// The steps that it reported as committed: bit n for request n.
    pub(crate) said: u8,
}

/// Every executor that the search has reached.
#[derive(Debug)]
pub(crate) struct Executors {
    world: Arc<World>,
    journals: Arc<Journals>,
    tables: Mutex<Tables>,
    /// How many executors took an order anew.
    reordered: AtomicU64,
}

#[derive(Debug, Default)]
struct Tables {
    known: Vec<Known>,
    /// Machines by a hash of their next output.
    alike: HashMap<u64, Vec<ExecutorId>>,
    told: QuickMap<(ExecutorId, Answer), Next>,
}

#[derive(Debug)]
struct Known {
    machine: Executor,
    output: Output,
    asks: Asks,
}

impl Executors {
    pub(crate) fn new(world: Arc<World>, journals: Arc<Journals>) -> Self {
        Self { world, journals, tables: Mutex::default(), reordered: AtomicU64::new(0) }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An executor before its first output.
    pub(crate) fn fresh(&self) -> ExecutorId {
        let mut machine = Executor::new(Arc::clone(&self.world.checked), self.world.options());
        let output = machine.next(0, Input::Begin);
        self.number(&mut self.tables(), machine, output)
    }

    /// Its next output.
    pub(crate) fn asks(&self, executor: ExecutorId) -> Asks {
        self.tables().known[executor.0 as usize].asks
    }

    /// The name of its output.
    pub(crate) fn name(&self, executor: ExecutorId) -> String {
        self.tables().known[executor.0 as usize].output.name()
    }

    /// How many executors and answers were given to the shipped code.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let tables = self.tables();
        (tables.known.len(), tables.told.len())
    }

    /// How many executors reordered the rest of the plan.
    pub(crate) fn reordered(&self) -> u64 {
        self.reordered.load(Ordering::Relaxed)
    }

    /// Gives an answer to the shipped code, or returns the remembered result.
    pub(crate) fn tell(&self, executor: ExecutorId, answer: Answer) -> Next {
        let mut tables = self.tables();
        if let Some(next) = tables.told.get(&(executor, answer)) {
            return *next;
        }
        let known = &tables.known[executor.0 as usize];
        let (mut machine, output) = (known.machine.clone(), known.output.clone());
        let output = if let Some(input) = self.input(&output, answer) {
            machine.next(0, input)
        } else {
            machine.interrupt();
            output
        };
        let mut said = 0;
        for event in machine.take_events() {
            match event {
                Event::Committed { step, .. } => said |= 1 << self.world.step(&step),
                Event::Reordered(_) => {
                    self.reordered.fetch_add(1, Ordering::Relaxed);
                }
                _ => {}
            }
        }
        let next = Next { executor: self.number(&mut tables, machine, output), said };
        tables.told.insert((executor, answer), next);
        next
    }

    /// The answer as the driver would give it. `None` if it is no answer to this output.
    fn input(&self, output: &Output, answer: Answer) -> Option<Input> {
        let world = &self.world;
        Some(match answer {
            Answer::Granted => Input::Granted,
            Answer::Done => Input::Done,
            Answer::Locked(lock) => Input::Locked(i64::from(lock)),
            Answer::Held => Input::Held(None),
            Answer::Read(view) => Input::Read(Box::new(world.read(view))),
            Answer::Runs(journal) => Input::Runs(self.journals.runs(journal, &world.plan_id)),
            Answer::Replied(config) => Input::Replied(Box::new(world.config(config))),
            Answer::Saw(view) => {
                let Output::Look(question) = output else { return Some(Input::Done) };
                let seen = world.run_view(view, question);
                Input::Saw(Box::new(seen), Box::new(world.read(view)))
            }
            Answer::Unknown => Input::Failed(RequestError::Unknown),
            Answer::SessionOver => Input::Failed(RequestError::SessionOver),
            Answer::BadVersion => Input::Failed(RequestError::Refused(ErrorCode::BadVersion)),
            Answer::NoQuorum => Input::Failed(RequestError::Refused(ErrorCode::NewConfigNoQuorum)),
            Answer::Interrupt => return None,
        })
    }

    /// The number of a machine with this next output.
    fn number(&self, tables: &mut Tables, machine: Executor, output: Output) -> ExecutorId {
        let mut hasher = DefaultHasher::new();
        format!("{output:?}").hash(&mut hasher);
        let alike = tables.alike.entry(hasher.finish()).or_default();
        let known = &mut tables.known;
        let same = alike.iter().find(|known_as| {
            let known = &known[known_as.0 as usize];
            known.output == output && known.machine == machine
        });
        if let Some(same) = same {
            return *same;
        }
        let number = ExecutorId(u32::try_from(known.len()).expect("few machines"));
        let asks = self.asked(&output);
        known.push(Known { machine, output, asks });
        alike.push(number);
        number
    }

    fn asked(&self, output: &Output) -> Asks {
        match output {
            Output::Permission => Asks::Permission,
            Output::Lock => Asks::Lock,
            Output::Read => Asks::Read,
            Output::ReadRuns => Asks::ReadRuns,
            Output::MakeIdentity => Asks::MakeIdentity,
            Output::OpenRun(number) => Asks::OpenRun(*number),
            Output::Record(run, entry) => Asks::Record(*run, self.journals.entry(entry)),
            Output::Send { what, request, version } => {
                Asks::Send(self.world.request(what, request), counted(*version))
            }
            Output::Look(_) => Asks::Look,
            Output::Settle => Asks::Settle,
            Output::Pause(_) | Output::Mark(..) | Output::Move(_) => Asks::Nothing,
            Output::Close => Asks::Close,
            Output::End(end) => Asks::End(match **end {
                Outcome::Finished => Ended::Finished,
                Outcome::Foreign { .. }
                | Outcome::Stale(_)
                | Outcome::Overtaken { .. }
                | Outcome::OtherRun { .. } => Ended::Stranger,
                Outcome::LockLost { .. } => Ended::LockLost,
                _ => Ended::Resumable,
            }),
            Output::Hook(_) | Output::Ask(_) => unreachable!("a plan without commands and gates"),
            Output::Prune(_) => unreachable!("so few runs are kept"),
        }
    }
}

//! What the executor knows between two inputs, and how it waits and ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::messages::{Options, ReadBack, RequestPurpose, RunQuestion};
use crate::apply::connect_strings::ConnectStrings;
use crate::apply::end::{Outcome, Since};
use crate::apply::event::Event;
use crate::apply::journal::{CommitEvidence, Entry, UnresolvedRequest};
use crate::apply::judge::RunState;
use crate::apply::wait::{Missing, Wait};
use crate::check::CheckedPlan;
use crate::ensemble::ErrorCode;
use crate::model::{EnsembleConfig, Reconfig, ServerId};
use crate::observe::Identity;
use crate::plan::{Plan, StepId};

/// The longest pause between two surveys, in milliseconds.
const LONGEST_PAUSE_MS: u64 = 500;

/// The first pause, in milliseconds; each is twice as long as the one before. Servers elect another
/// leader within some tens of milliseconds.
const FIRST_PAUSE_MS: u64 = 5;

/// The shortest pause between two surveys that prove a bind, in milliseconds. A server shows its new
/// configuration just before it closes its old listener, and the second survey must not find that one.
const BIND_PAUSE_MS: u64 = 20;

/// The time after which a temporary refusal is retried: each reconfig is an entry of the journal,
/// and each password is sent once more.
const REFUSED_PAUSE_MS: u64 = 2000;

/// The stage of a run. It waits for the answer to the output that the stage produces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunStage {
    Begin,
    Permission,
    Lock,
    ReadAgain,
    ReadRuns,
    MakeIdentity,
    OpenRun,
    Record(u64, Entry, Continuation),
    Send(RequestPurpose),
    Look,
    Mark(usize),
    Move(StepId, BTreeSet<ServerId>),
    /// The connection is gone; then that again.
    Settle(Box<Self>),
    Pause(u64, Box<Self>),
    /// What came of a request is read.
    Settling(RequestPurpose),
    /// Just before a command is run.
    BeforeHook(StepId),
    Hook(StepId),
    Ask(Box<Outcome>),
    /// One old run is removed, and then the run ends so.
    Prune(u32, Box<Outcome>),
    Close(Box<Outcome>),
    Ended(Box<Outcome>),
}

impl RunStage {
    /// The request that has committed and that is about to be written down.
    pub(super) fn commits(&self) -> Option<RequestPurpose> {
        match self {
            Self::Record(_, Entry::Committed { step, known: CommitEvidence::Reply, .. }, _) => {
                Some(RequestPurpose::Step(step.clone()))
            }
            Self::Record(_, Entry::Fenced { .. }, _) => Some(RequestPurpose::Fence),
            Self::Settle(then) | Self::Pause(_, then) => then.commits(),
            _ => None,
        }
    }
}

/// What comes when an entry is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Continuation {
    ReadRuns,
    Begun,
    Send(RequestPurpose),
    Look,
    /// A refusal is not asked about again at once.
    Wait(ErrorCode),
    Hook(StepId),
    Stop(Box<Outcome>),
}

/// Since when the safety rules forbid the order, and which servers answered then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForbiddenOrder {
    pub(super) live: BTreeSet<ServerId>,
    pub(super) since_ms: u64,
}

/// The executor of one apply. Two that are equal go on alike.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Executor {
    /// The plan as it was granted.
    pub(super) granted: Arc<CheckedPlan>,
    /// The plan in the order in which it goes.
    pub(super) checked: Arc<CheckedPlan>,
    /// Since when the safety rules forbid the order, and which servers answered then.
    pub(super) forbidden: Option<ForbiddenOrder>,
    pub(super) options: Options,
    pub(super) stage: RunStage,
    pub(super) memory: RunState,
    /// The run that keeps the plan, where it is not the operator's file that does.
    pub(super) plan_of: Option<u64>,
    /// The number of the run, once it is open.
    pub(super) run: Option<u64>,
    /// Whether the ensemble keeps as many runs as it should, or more.
    pub(super) has_old_runs: bool,
    pub(super) resumes: bool,
    pub(super) identity: Identity,
    pub(super) lock: Option<i64>,
    /// The configuration that the next request starts from: that of the reply before, or of the
    /// fence.
    pub(super) config: Option<EnsembleConfig>,
    pub(super) fenced: bool,
    /// Whether anything but a fence was intended in this run, or a command.
    pub(super) has_acted: bool,
    /// Since when the fence is held back.
    pub(super) held_since: Option<u64>,
    /// How many reconfigs were sent for servers that run with an older configuration.
    pub(super) heals: u32,
    /// How often the run's mark was written.
    pub(super) marks: usize,
    /// The zxid that the last of these marks has made, at least.
    pub(super) marked_to: u64,
    /// Joiners whose digests none of all marks made common with one of the leader's.
    pub(super) given_up: BTreeSet<ServerId>,
    /// The request whose outcome is unknown.
    pub(super) out: Option<RequestPurpose>,
    /// Whether the operator asked to stop.
    pub(super) interrupted: bool,
    /// Since when the present wait has lasted.
    pub(super) waiting_since: Option<u64>,
    pub(super) pause_ms: u64,
    /// Who led when a leader was seen last.
    pub(super) leader: Option<ServerId>,
    pub(super) last_reconfig: Option<StepId>,
    pub(super) question: RunQuestion,
    /// Reconfigs that were sent, by this apply or an earlier one, and whose outcome the journal
    /// does not record.
    pub(super) doubtful: BTreeMap<StepId, UnresolvedRequest>,
    /// Hooks of which an earlier apply did not see the end.
    pub(super) doubtful_hooks: BTreeSet<StepId>,
    /// Steps without a request that were reported as done.
    pub(super) reported: BTreeSet<StepId>,
    /// The addresses for clients that were reported last.
    pub(super) strings: Option<ConnectStrings>,
    pub(super) events: Vec<Event>,
}

impl Executor {
    /// An executor that has not begun.
    pub fn new(checked: Arc<CheckedPlan>, options: Options) -> Self {
        Self {
            granted: Arc::clone(&checked),
            checked,
            forbidden: None,
            options,
            stage: RunStage::Begin,
            memory: RunState::default(),
            plan_of: None,
            run: None,
            has_old_runs: false,
            resumes: false,
            identity: Identity::NoneYet,
            lock: None,
            config: None,
            fenced: false,
            has_acted: false,
            held_since: None,
            heals: 0,
            marks: 0,
            marked_to: 0,
            given_up: BTreeSet::new(),
            out: None,
            interrupted: false,
            waiting_since: None,
            pause_ms: FIRST_PAUSE_MS,
            leader: None,
            last_reconfig: None,
            question: RunQuestion::default(),
            doubtful: BTreeMap::new(),
            doubtful_hooks: BTreeSet::new(),
            reported: BTreeSet::new(),
            strings: None,
            events: Vec::new(),
        }
    }

    /// With a plan that this run keeps, and not the operator's file. It was read before the lock was
    /// taken, and nothing is sent unless the run is there, and proven, when it is.
    #[must_use]
    pub fn with_plan_of(mut self, run: Option<u64>) -> Self {
        self.plan_of = run;
        self
    }

    /// Asks the run to stop at the next safe place.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// The step whose request has an unknown outcome.
    pub(super) fn unknown(&self) -> Option<StepId> {
        match &self.out {
            Some(RequestPurpose::Step(step)) => Some(step.clone()),
            Some(RequestPurpose::Fence) | None => self.doubtful.keys().next().cloned(),
        }
    }

    /// What happened since it was asked last.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(super) fn plan(&self) -> &Plan {
        self.checked.plan()
    }

    pub(super) fn reconfig(&self, id: &StepId) -> Option<&Reconfig> {
        self.plan().steps().find(|step| step.id == *id)?.reconfig()
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    /// The number of the run. Every step and every entry of the journal comes after [`RunStage::ReadRuns`],
    /// which finds it.
    pub(super) fn open_run(&self) -> u64 {
        self.run.expect("the runs were read")
    }

    /// There was progress, so no wait continues.
    pub(super) fn progress(&mut self) {
        self.waiting_since = None;
        self.pause_ms = FIRST_PAUSE_MS;
    }

    /// The end of a wait that has gone on for too long, or that the operator has cut short.
    pub(super) fn ran_out(&mut self, now_ms: u64, waits: &[Wait]) -> Option<RunStage> {
        let unknown = self.unknown();
        if self.interrupted {
            return Some(self.stop(Outcome::Interrupted { unknown }));
        }
        let since = *self.waiting_since.get_or_insert(now_ms);
        let is_over = now_ms.saturating_sub(since) >= self.options.timeout_ms;
        is_over.then(|| self.stop(Outcome::RanOut { waits: waits.to_vec(), unknown }))
    }

    /// Waits a little and then continues at that stage, or ends if the wait has timed out.
    pub(super) fn wait(&mut self, now_ms: u64, waits: Vec<Wait>, then: RunStage) -> RunStage {
        if let Some(end) = self.ran_out(now_ms, &waits) {
            return end;
        }
        let is_bind = |wait: &Wait| matches!(wait, Wait::Bound { .. });
        let bind = if waits.iter().any(is_bind) { BIND_PAUSE_MS } else { 0 };
        let shortest = if waits.iter().any(is_refusal) { REFUSED_PAUSE_MS } else { bind };
        self.tell(Event::Waiting(waits));
        let over = self.waiting_since.unwrap_or(now_ms) + self.options.timeout_ms;
        let pause = self.pause_ms.max(shortest).min(over.saturating_sub(now_ms));
        self.pause_ms = (self.pause_ms * 2).min(LONGEST_PAUSE_MS);
        RunStage::Pause(pause, Box::new(then))
    }

    /// Ends in the present safe state.
    pub(super) fn stop(&mut self, end: Outcome) -> RunStage {
        let end = Box::new(end);
        let nobody_could_write = self.lock.is_none() || matches!(*end, Outcome::LockLost { .. });
        match self.run {
            Some(run) if !nobody_could_write && end.unknown().is_none() => {
                let why = end.word().to_owned();
                let entry = if self.has_acted { Entry::Stopped { why } } else { Entry::Withdrawn };
                RunStage::Record(run, entry, Continuation::Stop(end))
            }
            _ => RunStage::Close(end),
        }
    }

    pub(super) fn is_locked(&self, read: &ReadBack) -> bool {
        self.lock.is_some() && read.lock == self.lock
    }

    /// The lock was seen not to be ours, when nothing was left to be written down.
    pub(super) fn lock_lost(&mut self) -> RunStage {
        self.lock_lost_at(None)
    }

    /// The same while an entry was being written, which may record a request that has committed
    /// since the lock was last known to be ours.
    pub(super) fn lock_lost_at(&mut self, writing: Option<&RunStage>) -> RunStage {
        let since = match (self.lock, writing.and_then(RunStage::commits), &self.out) {
            (None, _, _) => Since::NeverTaken,
            (Some(_), Some(what), _) => Since::Committed(what.step()),
            (Some(_), None, Some(what)) => Since::Sent(what.step()),
            (Some(_), None, None) => Since::Nothing,
        };
        let unknown = self.unknown();
        self.stop(Outcome::LockLost { unknown, since })
    }
}

/// Whether a server was asked and refused.
const fn is_refusal(wait: &Wait) -> bool {
    let is_asked = matches!(wait, Wait::Joiner { missing: Missing::Permission(Some(_)), .. });
    is_asked || matches!(wait, Wait::Refused(_))
}

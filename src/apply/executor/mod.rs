//! The executor: a state machine without I/O.
//!
//! Its input is an [`Input`] with the time, its output one [`Output`], which a driver carries out
//! and answers. So the code that runs in production is the code that a simulator and a model
//! checker run.
//!
//! The order of a run: permission, lock, read again, identity, run, fence; then for each step
//! survey, judge, intent, send, outcome. After an error nothing is trusted: the session is attached
//! again, and what is read on it while the lock exists decides. "Not applied" is written only after
//! a committed fence.

mod other_order;
mod request;
mod setup;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::other_order::Unlawful;
use super::end::{Outcome, Since};
use super::event::Event;
use super::journal::{CommitEvidence, Entry, HookEnd, LockText, Runs, UnresolvedRequest};
use super::judge::{Approved, RunState};
use super::run_view::RunView;
use super::wait::{Missing, Wait};
use crate::check::CheckedPlan;
use crate::ensemble::{ErrorCode, RequestError};
use crate::model::{ConfigVersion, EnsembleConfig, Reconfig, ServerId, Update};
use crate::observe::{ByCounts, Identity};
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

/// The fence is held back for so long at most, in milliseconds, for a server that runs without
/// serving, where the leader shows no sign that it gets its data.
const HOLD_MS: u64 = 10_000;

/// The limit on reconfigs without changes in one apply. They are sent to servers that hold the
/// configuration while an older one is in force.
const HEALS: u32 = 3;

/// How often it takes to write at most from one digest to the next (`DataTree.DIGEST_LOG_INTERVAL`).
const MARKS_PER_DIGEST: usize = 128;

/// How many digests more than one for each joiner that the plan awaits are made at most: one digest
/// serves all joiners that follow by then, and the first that is common decides nearly always.
const SPARE_DIGESTS: usize = 3;

/// What an operator asks of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The id of the plan, which names the run.
    pub plan_id: String,
    /// Who applies, as `user@host`.
    pub who: String,
    /// What was approved.
    pub approved: Approved,
    /// Whether an operator is present to be asked.
    pub interactive: bool,
    /// Whether commands are left to a person.
    pub no_hooks: bool,
    /// How long each wait may take, in milliseconds.
    pub timeout_ms: u64,
    /// How long another's lock is waited for, in milliseconds; `None` for twice what the session may
    /// live unseen.
    pub lock_timeout_ms: Option<u64>,
    /// The open run that is given up.
    pub abandon: Option<u64>,
    /// Whether versions that no run recorded are a reason to refuse.
    pub strict_version: bool,
}

/// What is to be done next. Each is a boundary at which the process may die.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Find out whether the session may do all this; change nothing.
    Permission,
    /// Take the lock.
    Lock,
    /// Read configuration, lock and identity on the session, after a sync.
    Read,
    /// Read the latest runs.
    ReadRuns,
    /// Give the ensemble its identity.
    MakeIdentity,
    /// Make the znodes of a new run.
    OpenRun(u64),
    /// Write an entry to a run.
    Record(u64, Entry),
    /// Send a reconfig; [`RequestPurpose::Fence`] changes nothing but the version.
    Send {
        /// What for.
        what: RequestPurpose,
        /// The request.
        request: Update,
        /// The version that it starts from.
        version: ConfigVersion,
    },
    /// Survey the whole ensemble, then read configuration and lock on the session.
    Look(RunQuestion),
    /// Write to the run's mark this many times.
    Mark(u64, usize),
    /// Take the session to a server that is none of these.
    Move(BTreeSet<ServerId>),
    /// Attach the session again, to whatever server takes it.
    Settle,
    /// Let time pass.
    Pause(u64),
    /// Run a command.
    Hook(StepId),
    /// Ask the operator.
    Ask(Box<Outcome>),
    /// Close the session, and with it the lock.
    Close,
    /// Nothing more.
    End(Box<Outcome>),
}

/// What a reconfig is sent for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestPurpose {
    /// To disarm whatever was sent before.
    Fence,
    /// To take a step.
    Step(StepId),
}

/// What a survey asks for in addition to the ensemble itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunQuestion {
    /// Joiners whose data are to be compared with the leader's.
    pub prove: BTreeSet<ServerId>,
    /// What is to be done where there are no digests to compare.
    pub counts: ByCounts,
    /// Joiners that are asked whether they take the user, once their data are proven.
    pub ask: BTreeSet<ServerId>,
    /// Whether clients of leaving servers are counted.
    pub clients: bool,
    /// Servers whose next ports are tried.
    pub moving: BTreeSet<ServerId>,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// The run begins.
    Begin,
    /// It was done.
    Done,
    /// It failed.
    Failed(RequestError),
    /// The session may do all this.
    Granted,
    /// It may not, or others may.
    Denied(Box<Outcome>),
    /// The lock is ours; its czxid.
    Locked(i64),
    /// The lock is another's.
    Held(Option<LockText>),
    /// What was read.
    Read(Box<ReadBack>),
    /// The latest runs.
    Runs(Runs),
    /// The configuration of the reply.
    Replied(Box<EnsembleConfig>),
    /// What was seen, and then read on the session.
    Saw(Box<RunView>, Box<ReadBack>),
    /// Why nothing was seen, and what was read on the session.
    SawNothing(String, Box<ReadBack>),
    /// How a command ended.
    HookEnded(HookEnd),
    /// What the operator answered.
    Answered(bool),
}

/// What was read on the session, after a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadBack {
    /// The configuration.
    pub config: EnsembleConfig,
    /// The czxid of the lock, where there is one.
    pub lock: Option<i64>,
    /// The identity that the ensemble has.
    pub identity: Identity,
}

/// The stage of a run. It waits for the answer to the output that the stage produces.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RunStage {
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
    Close(Box<Outcome>),
    Ended(Box<Outcome>),
}

impl RequestPurpose {
    /// The step; `None` for the fence.
    fn step(&self) -> Option<StepId> {
        match self {
            Self::Step(step) => Some(step.clone()),
            Self::Fence => None,
        }
    }
}

impl RunStage {
    /// The request that has committed and that is about to be written down.
    fn commits(&self) -> Option<RequestPurpose> {
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
enum Continuation {
    ReadRuns,
    Begun,
    Send(RequestPurpose),
    Look,
    /// A refusal is not asked about again at once.
    Wait(ErrorCode),
    Hook(StepId),
    Stop(Box<Outcome>),
}

/// The executor of one apply. Two that are equal go on alike.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Executor {
    /// The plan as it was granted.
    granted: Arc<CheckedPlan>,
    /// The plan in the order in which it goes.
    checked: Arc<CheckedPlan>,
    /// Since when the safety rules forbid the order, and which servers answered then.
    unlawful: Option<Unlawful>,
    options: Options,
    stage: RunStage,
    memory: RunState,
    /// The run that keeps the plan, where it is not the operator's file that does.
    plan_of: Option<u64>,
    /// The number of the run, once it is open.
    run: Option<u64>,
    resumes: bool,
    identity: Identity,
    lock: Option<i64>,
    /// The configuration that the next request starts from: that of the reply before, or of the
    /// fence.
    config: Option<EnsembleConfig>,
    fenced: bool,
    /// Whether anything but a fence was intended in this run, or a command.
    has_acted: bool,
    /// Since when the fence is held back.
    held_since: Option<u64>,
    /// How many reconfigs were sent for servers that run with an older configuration.
    heals: u32,
    /// How often the run's mark was written.
    marks: usize,
    /// The zxid that the last of these marks has made, at least.
    marked_to: u64,
    /// Joiners whose digests none of all marks made common with one of the leader's.
    given_up: BTreeSet<ServerId>,
    /// The request whose outcome is unknown.
    out: Option<RequestPurpose>,
    /// Whether the operator asked to stop.
    interrupted: bool,
    /// Since when the present wait has lasted.
    waiting_since: Option<u64>,
    pause_ms: u64,
    /// Who led when a leader was seen last.
    leader: Option<ServerId>,
    last_reconfig: Option<StepId>,
    question: RunQuestion,
    /// Reconfigs that were sent, by this apply or an earlier one, and whose outcome the journal
    /// does not record.
    doubtful: BTreeMap<StepId, UnresolvedRequest>,
    /// Hooks of which an earlier apply did not see the end.
    doubtful_hooks: BTreeSet<StepId>,
    /// Steps without a request that were reported as done.
    reported: BTreeSet<StepId>,
    events: Vec<Event>,
}

impl Executor {
    /// An executor that has not begun.
    pub fn new(checked: Arc<CheckedPlan>, options: Options) -> Self {
        Self {
            granted: Arc::clone(&checked),
            checked,
            unlawful: None,
            options,
            stage: RunStage::Begin,
            memory: RunState::default(),
            plan_of: None,
            run: None,
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
    fn unknown(&self) -> Option<StepId> {
        match &self.out {
            Some(RequestPurpose::Step(step)) => Some(step.clone()),
            Some(RequestPurpose::Fence) | None => self.doubtful.keys().next().cloned(),
        }
    }

    /// What happened since it was asked last.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Takes an input, and returns the next output. `now_ms` counts from the beginning of the run.
    pub fn next(&mut self, now_ms: u64, input: Input) -> Output {
        let stage = std::mem::replace(&mut self.stage, RunStage::Begin);
        self.stage = match (stage, input) {
            (RunStage::Begin, Input::Begin) => RunStage::Permission,
            (RunStage::Permission, Input::Granted) => RunStage::Lock,
            (RunStage::Permission | RunStage::Lock, Input::Denied(end)) => RunStage::Close(end),
            (RunStage::Settle(_) | RunStage::Move(..), Input::Denied(end)) => self.stop(*end),
            (RunStage::Lock, Input::Locked(czxid)) => {
                self.lock = Some(czxid);
                self.progress();
                RunStage::ReadAgain
            }
            (RunStage::Lock, Input::Held(by)) => self.held(now_ms, by),
            (RunStage::ReadAgain, Input::Read(read)) => self.read_again(*read),
            (RunStage::ReadRuns, Input::Runs(runs)) => self.read_runs(now_ms, &runs),
            (RunStage::OpenRun, Input::Done) => self.opened(),
            (RunStage::MakeIdentity, Input::Done) => self.begin_run(),
            (RunStage::Record(_, entry, after), Input::Done) => {
                self.recorded(now_ms, &entry, after)
            }
            (RunStage::Send(what), Input::Replied(config)) => self.replied(now_ms, what, *config),
            (RunStage::Send(what), Input::Failed(failure)) => {
                self.not_replied(now_ms, what, failure)
            }
            (RunStage::Settling(what), Input::Read(read)) => self.settled(what, now_ms, *read),
            (RunStage::Look, Input::Saw(sight, read)) => self.saw(now_ms, &sight, *read),
            (RunStage::Look, Input::SawNothing(why, read)) => self.saw_nothing(now_ms, why, *read),
            (RunStage::Mark(_), Input::Done) => RunStage::Look,
            (RunStage::Move(step, _), Input::Done) => self.intend(&step),
            (RunStage::Settle(then) | RunStage::Pause(_, then), Input::Done) => *then,
            (RunStage::BeforeHook(step), Input::Read(read)) => {
                self.before_hook(now_ms, step, *read)
            }
            (RunStage::Hook(step), Input::HookEnded(how)) => self.hook_ended(step, how),
            (RunStage::Ask(end), Input::Answered(yes)) => self.answered(*end, yes),
            (RunStage::Close(end) | RunStage::Ended(end), _) => RunStage::Ended(end),
            (stage, Input::Failed(failure)) => self.failed(now_ms, stage, failure),
            // A driver that answers what was not asked is asked again.
            (stage, _) => stage,
        };
        if let RunStage::Ended(end) = &self.stage {
            self.events.push(Event::Ended((**end).clone()));
        }
        self.output()
    }

    fn output(&self) -> Output {
        match &self.stage {
            RunStage::Begin | RunStage::Permission => Output::Permission,
            RunStage::Lock => Output::Lock,
            RunStage::ReadAgain | RunStage::Settling(_) | RunStage::BeforeHook(_) => Output::Read,
            RunStage::ReadRuns => Output::ReadRuns,
            RunStage::MakeIdentity => Output::MakeIdentity,
            RunStage::OpenRun => Output::OpenRun(self.open_run()),
            RunStage::Record(run, entry, _) => Output::Record(*run, entry.clone()),
            RunStage::Send(what) => self.sending(what),
            RunStage::Look => Output::Look(self.question.clone()),
            RunStage::Mark(count) => Output::Mark(self.open_run(), *count),
            RunStage::Move(_, away) => Output::Move(away.clone()),
            RunStage::Settle(_) => Output::Settle,
            RunStage::Pause(ms, _) => Output::Pause(*ms),
            RunStage::Hook(step) => Output::Hook(step.clone()),
            RunStage::Ask(end) => Output::Ask(end.clone()),
            RunStage::Close(_) => Output::Close,
            RunStage::Ended(end) => Output::End(end.clone()),
        }
    }

    fn sending(&self, what: &RequestPurpose) -> Output {
        let Some(config) = &self.config else { return Output::Read };
        let none = Reconfig { joining: Vec::new(), leaving: Vec::new() };
        let request = match what {
            RequestPurpose::Fence => Update::fence(&config.membership),
            RequestPurpose::Step(step) => {
                Update::of(&config.membership, self.reconfig(step).unwrap_or(&none))
            }
        };
        Output::Send { what: what.clone(), request, version: config.version }
    }

    fn plan(&self) -> &Plan {
        self.checked.plan()
    }

    fn reconfig(&self, id: &StepId) -> Option<&Reconfig> {
        self.plan().steps().find(|step| step.id == *id)?.reconfig()
    }

    fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    /// The number of the run. Every step and every entry of the journal comes after [`RunStage::ReadRuns`],
    /// which finds it.
    fn open_run(&self) -> u64 {
        self.run.expect("the runs were read")
    }

    /// There was progress, so no wait continues.
    fn progress(&mut self) {
        self.waiting_since = None;
        self.pause_ms = FIRST_PAUSE_MS;
    }

    /// The end of a wait that has gone on for too long, or that the operator has cut short.
    fn ran_out(&mut self, now_ms: u64, waits: &[Wait]) -> Option<RunStage> {
        let unknown = self.unknown();
        if self.interrupted {
            return Some(self.stop(Outcome::Interrupted { unknown }));
        }
        let since = *self.waiting_since.get_or_insert(now_ms);
        let is_over = now_ms.saturating_sub(since) >= self.options.timeout_ms;
        is_over.then(|| self.stop(Outcome::RanOut { waits: waits.to_vec(), unknown }))
    }

    /// Waits a little and then continues at that stage, or ends if the wait has timed out.
    fn wait(&mut self, now_ms: u64, waits: Vec<Wait>, then: RunStage) -> RunStage {
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
    fn stop(&mut self, end: Outcome) -> RunStage {
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

    fn is_locked(&self, read: &ReadBack) -> bool {
        self.lock.is_some() && read.lock == self.lock
    }

    /// The lock was seen not to be ours, when nothing was left to be written down.
    fn lock_lost(&mut self) -> RunStage {
        self.lock_lost_at(None)
    }

    /// The same while an entry was being written, which may record a request that has committed
    /// since the lock was last known to be ours.
    fn lock_lost_at(&mut self, writing: Option<&RunStage>) -> RunStage {
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

impl Output {
    /// Its name: what a boundary is called.
    pub fn name(&self) -> String {
        match self {
            Self::Permission => "permission".to_owned(),
            Self::Lock => "lock".to_owned(),
            Self::Read => "read".to_owned(),
            Self::ReadRuns => "read-runs".to_owned(),
            Self::MakeIdentity => "identity".to_owned(),
            Self::OpenRun(_) => "open-run".to_owned(),
            Self::Record(_, entry) => format!("record {}", entry.name()),
            Self::Send { what: RequestPurpose::Fence, .. } => "fence".to_owned(),
            Self::Send { what: RequestPurpose::Step(step), .. } => format!("send {step}"),
            Self::Look(_) => "look".to_owned(),
            Self::Mark(..) => "mark".to_owned(),
            Self::Move(_) => "move".to_owned(),
            Self::Settle => "settle".to_owned(),
            Self::Pause(_) => "pause".to_owned(),
            Self::Hook(step) => format!("hook {step}"),
            Self::Ask(_) => "ask".to_owned(),
            Self::Close => "close".to_owned(),
            Self::End(_) => "end".to_owned(),
        }
    }
}

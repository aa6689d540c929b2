//! What goes in and out of the executor.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::apply::end::Outcome;
use crate::apply::journal::{BackupNote, Entry, HookEnd, LockText, Runs};
use crate::apply::judge::Approved;
use crate::apply::run_view::RunView;
use crate::ensemble::RequestError;
use crate::model::{ConfigVersion, EnsembleConfig, ServerId, Update};
use crate::observe::{ByCounts, Identity};
use crate::plan::StepId;

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
    /// The folder that holds those of the files of joiners, for commands that name `{joinerDir}`.
    pub joiner_dir: Option<PathBuf>,
    /// How long each wait may take, in milliseconds.
    pub timeout_ms: u64,
    /// How long another's lock is waited for, in milliseconds; `None` for twice what the session may
    /// live unseen.
    pub lock_timeout_ms: Option<u64>,
    /// The open run that is given up.
    pub abandon: Option<u64>,
    /// Whether versions that no run recorded are a reason to refuse.
    pub strict_version: bool,
    /// The backup that passed, where one was given.
    pub backup: Option<BackupNote>,
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
    /// Remove one old run that nothing needs: the first, the second and so on.
    Prune(u32),
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
    /// Servers whose ports are tried: joiners, and those that have yet to bind the ports of their line.
    pub listening: BTreeSet<ServerId>,
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
    /// Whether an old run was removed.
    Pruned(bool),
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

impl RequestPurpose {
    /// The step; `None` for the fence.
    pub(super) fn step(&self) -> Option<StepId> {
        match self {
            Self::Step(step) => Some(step.clone()),
            Self::Fence => None,
        }
    }
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
            Self::Prune(count) => format!("prune {count}"),
            Self::Close => "close".to_owned(),
            Self::End(_) => "end".to_owned(),
        }
    }
}

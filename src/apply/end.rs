//! How a run ends for one apply.

use std::collections::BTreeSet;

use super::access::{Recipient, Signer};
use super::event::{Occupied, Wait};
use super::journal::{HookEnd, LockText, Run};
use super::resume::Differs;
use crate::check::Breach;
use crate::ensemble::Code;
use crate::model::{EnsembleConfig, ServerId, Zxid};
use crate::observe::{Finding, Identity};
use crate::plan::StepId;
use crate::trust::Unproven;

/// How a run ends for one apply. Everything but [`End::Finished`] leaves the ensemble at a place
/// where the plan may stop for ever, and the run open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Everything is done.
    Finished,
    /// The plan does not start from what is there.
    Stale(Stale),
    /// Another apply holds the lock.
    Locked(Option<LockText>),
    /// Another run is open.
    OtherRun {
        /// Its number.
        number: u64,
        /// Why this apply does not go on with it.
        why: Differs,
    },
    /// The run that is open does not come to what is there: the configuration was changed since.
    Overtaken {
        /// Its number.
        number: u64,
        /// Why its plan does not start from what is there.
        stale: Stale,
    },
    /// The run that is to be given up is not the one that is open.
    NotOpen {
        /// The number that was given.
        number: u64,
    },
    /// The run whose plan was to be carried out is not there any more, or is another.
    RunGone {
        /// Its number.
        number: u64,
    },
    /// The user may not change the configuration.
    NotAuthorized {
        /// The servers that said so, where it is known.
        by: Vec<Recipient>,
        /// As whom.
        signer: Signer,
    },
    /// The file names no server that may be sent the password.
    NoRecipient {
        /// Members that serve at addresses that the file does not name.
        unnamed: Vec<Recipient>,
    },
    /// The leader runs with `reconfigEnabled=false`.
    ReconfigDisabled,
    /// That what stands where zkplan keeps its state is an operator's is not proven.
    Unproven(Unproven),
    /// The folder of what zkplan keeps cannot be made, or not written to.
    FolderRefused {
        /// The znode that refuses: the folder, or the one that it is to be made in.
        path: String,
        /// Whether it is the folder.
        is_folder: bool,
        /// The answer.
        code: Code,
    },
    /// The session is known to its server alone, and that lets no ephemeral znode, such as the lock, be
    /// made on it (`localSessionsEnabled=true` without `localSessionsUpgradingEnabled=true`).
    LocalSession {
        /// The server that said so, where it is known which one the session is on.
        by: Option<Recipient>,
    },
    /// The server that has the session closes every connection beside it: a limit on connections.
    TakesOneConnection {
        /// That server, where it is known which one it is.
        by: Option<Recipient>,
    },
    /// A command of the plan is given a host that is no plain name or address.
    HostNotPlain {
        /// Whose host it is.
        server: ServerId,
    },
    /// The lock is not ours any more, or its session is over.
    LockLost {
        /// The request of which nobody knows what came.
        unknown: Option<StepId>,
        /// What this apply did after the lock was last seen to be ours.
        since: Since,
    },
    /// Somebody changed the configuration in the middle of the run.
    Foreign {
        /// What it was.
        before: Box<EnsembleConfig>,
        /// What it is.
        after: Box<EnsembleConfig>,
    },
    /// The operator asked to stop.
    Interrupted {
        /// The request of which nobody knows what came.
        unknown: Option<StepId>,
    },
    /// A gate is not open and nobody is there to be asked.
    Gate {
        /// The gate, or the stop that waits for its clients.
        step: StepId,
        /// What is given to `--approve`.
        approve: String,
        /// Who is still connected to the servers that leave.
        occupied: Vec<Occupied>,
    },
    /// A command did not do its work.
    Hook {
        /// The step.
        step: StepId,
        /// How it ended.
        how: HookEnd,
    },
    /// A wait ran out.
    RanOut {
        /// What was awaited.
        waits: Vec<Wait>,
        /// The request of which nobody knows what came.
        unknown: Option<StepId>,
    },
    /// The data of joiners are not the leader's.
    DataDiffer(BTreeSet<ServerId>),
    /// A server has died or come back since the plan was made, and no order that the plan grants
    /// keeps the laws: what stands against them, and who is down.
    NotGranted(Vec<Wait>),
    /// A finding has come up since that nobody accepted; beside it, what was found.
    Unsafe(Vec<Breach>, Vec<Finding>),
    /// A server refused a request that it should have taken.
    Refused {
        /// The step; `None` for what precedes them.
        step: Option<StepId>,
        /// The answer.
        code: Code,
    },
    /// No server could be reached.
    Unreachable,
}

/// What an apply did after its lock was last seen to be its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// The lock had never been taken: nothing but questions was sent.
    NeverTaken,
    /// Nothing was sent.
    Nothing,
    /// A request was sent whose answer did not come; `None` is the fence, which changes no member.
    Sent(Option<StepId>),
    /// A request was sent and committed, and the journal does not tell of it; `None` is the fence.
    Committed(Option<StepId>),
}

/// Why a plan does not start from what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stale {
    /// It is another ensemble, or lost its identity, or got one without a run that tells of it.
    Identity {
        /// What the plan holds.
        plan: Identity,
        /// What the ensemble has.
        live: Identity,
    },
    /// Its history is shorter than when the plan was made.
    ZxidBack {
        /// The leader's zxid then.
        plan: Zxid,
        /// The leader's zxid now.
        live: Zxid,
    },
    /// The members are neither those of the base nor a state on the way.
    Members {
        /// What the plan starts from.
        plan: Box<EnsembleConfig>,
        /// What is there.
        live: Box<EnsembleConfig>,
        /// The run that made it, where one tells.
        by: Option<u64>,
    },
    /// The members are those of the plan, and the version was moved by somebody that no run tells
    /// of.
    Version {
        /// What the plan starts from.
        plan: Box<EnsembleConfig>,
        /// What is there.
        live: Box<EnsembleConfig>,
    },
}

impl End {
    /// That a run of another plan is open.
    pub fn other_run(run: &Run) -> Self {
        let why = run
            .header
            .as_ref()
            .map_or_else(|illegible| Differs::Header(illegible.clone()), |_| Differs::OtherPlan);
        Self::OtherRun { number: run.number, why }
    }

    /// One word for it, for the journal.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Stale(_) => "stale",
            Self::Locked(_) => "locked",
            Self::OtherRun { .. } => "other-run",
            Self::Overtaken { .. } => "overtaken",
            Self::NotOpen { .. } => "not-open",
            Self::RunGone { .. } => "run-gone",
            Self::NotAuthorized { .. } => "not-authorized",
            Self::NoRecipient { .. } => "no-recipient",
            Self::ReconfigDisabled => "reconfig-disabled",
            Self::Unproven(_) => "folder-not-proven",
            Self::FolderRefused { .. } => "folder-refused",
            Self::LocalSession { .. } => "local-session",
            Self::TakesOneConnection { .. } => "takes-one-connection",
            Self::HostNotPlain { .. } => "host-not-plain",
            Self::LockLost { .. } => "lock-lost",
            Self::Foreign { .. } => "foreign-change",
            Self::Interrupted { .. } => "interrupted",
            Self::Gate { .. } => "gate-closed",
            Self::Hook { .. } => "hook-failed",
            Self::RanOut { .. } => "wait-ran-out",
            Self::DataDiffer(_) => "data-differ",
            Self::NotGranted(_) => "not-granted",
            Self::Unsafe(..) => "unsafe",
            Self::Refused { .. } => "refused",
            Self::Unreachable => "unreachable",
        }
    }

    /// The request of which nobody knows what came.
    pub const fn unknown(&self) -> Option<&StepId> {
        match self {
            Self::LockLost { unknown, .. }
            | Self::Interrupted { unknown }
            | Self::RanOut { unknown, .. } => unknown.as_ref(),
            _ => None,
        }
    }
}

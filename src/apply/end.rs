//! How a run ends for one apply.

use std::collections::BTreeSet;

use super::access::{Recipient, Signer};
use super::connect_strings::ConnectStrings;
use super::journal::{HookEnd, Illegible, LockText};
use super::wait::{Occupied, Wait};
use crate::check::Breach;
use crate::ensemble::ErrorCode;
use crate::model::{EnsembleConfig, ServerId, SettingName, Zxid};
use crate::observe::{Finding, Identity};
use crate::plan::{Acceptance, StepId};
use crate::trust::Unproven;

/// The outcome of one apply. Except after [`Outcome::Finished`], the ensemble is in a state in which
/// the plan may stop for any time, and the run stays open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is done.
    Finished,
    /// The live state is not a state of the plan.
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
    /// The open run cannot be resumed: the configuration was changed in the meantime.
    Overtaken {
        /// Its number.
        number: u64,
        /// Why the live state is not a state of its plan.
        stale: Stale,
    },
    /// The run to abandon is not the open one.
    NotOpen {
        /// The number that was given.
        number: u64,
    },
    /// The run whose plan was to be applied is gone, or another run has taken its place.
    RunGone {
        /// Its number.
        number: u64,
    },
    /// The user may not change the configuration.
    NotAuthorized {
        /// The servers that refused, if known.
        by: Vec<Recipient>,
        /// The identity that was shown.
        signer: Signer,
    },
    /// The file names no server that may be sent the password.
    NoRecipient {
        /// Members that serve at addresses that the file does not name.
        unnamed: Vec<Recipient>,
    },
    /// The leader runs with `reconfigEnabled=false`.
    ReconfigDisabled,
    /// There is no proof that an operator wrote the state of zkplan.
    Unproven(Unproven),
    /// The folder for the state of zkplan cannot be created or written to.
    FolderRefused {
        /// The znode that refuses: the folder or its parent.
        path: String,
        /// Whether it is the folder.
        is_folder: bool,
        /// The answer.
        code: ErrorCode,
    },
    /// The session is local to its server, which does not allow ephemeral znodes such as the lock
    /// on it (`localSessionsEnabled=true` without `localSessionsUpgradingEnabled=true`).
    LocalSession {
        /// The server that refused, if the server of the session is known.
        by: Option<Recipient>,
    },
    /// The server of the session closes every other connection: a connection limit.
    TakesOneConnection {
        /// That server, where it is known which one it is.
        by: Option<Recipient>,
    },
    /// A command of the plan would get a host that is no plain name or address.
    HostNotPlain {
        /// Whose host it is.
        server: ServerId,
    },
    /// The lock is not ours any more, or its session is over.
    LockLost {
        /// The request whose outcome is unknown.
        unknown: Option<StepId>,
        /// What this apply did after it last held the lock for certain.
        since: Since,
    },
    /// The configuration was changed by another client during the run.
    Foreign {
        /// The configuration before.
        before: Box<EnsembleConfig>,
        /// The configuration now.
        after: Box<EnsembleConfig>,
    },
    /// The operator interrupted the run.
    Interrupted {
        /// The request whose outcome is unknown.
        unknown: Option<StepId>,
    },
    /// A gate is closed and no operator is present to approve it.
    Gate {
        /// The gate, or the stop that waits for its clients.
        step: StepId,
        /// The value for `--approve`.
        approve: String,
        /// The leaving servers that still have clients.
        occupied: Vec<Occupied>,
        /// The addresses that clients need.
        strings: ConnectStrings,
    },
    /// The next step would make another server the leader, and only a run in which the leader stays
    /// was approved.
    LeaderMoved {
        /// The step.
        step: StepId,
        /// The server that leads now, and changes in that step.
        leader: ServerId,
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
        /// What the run waited for.
        waits: Vec<Wait>,
        /// The request whose outcome is unknown.
        unknown: Option<StepId>,
    },
    /// The data of joiners are not the leader's.
    DataDiffer(BTreeSet<ServerId>),
    /// A server was restarted and still runs with other settings than the plan is to bring.
    OldSettings {
        /// The server.
        server: ServerId,
        /// The settings that were seen to differ.
        settings: BTreeSet<SettingName>,
    },
    /// A server has failed or come back since the plan was made, and no order of the plan's steps
    /// keeps the safety rules. With the broken rules and the servers that are down.
    NotGranted(Vec<Wait>),
    /// The safety rules are broken, or there is a new finding that the operator has not accepted.
    Unsafe(Vec<Breach>, Vec<Finding>),
    /// A server refused a request that it should have taken.
    Refused {
        /// The step. `None` for the work before the steps.
        step: Option<StepId>,
        /// The answer.
        code: ErrorCode,
    },
    /// No server could be reached.
    Unreachable,
}

/// What an apply did after it last held its lock for certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// The lock had never been taken: nothing but questions was sent.
    NeverTaken,
    /// Nothing was sent.
    Nothing,
    /// It sent a request and got no answer. `None` is the fence, which changes no member.
    Sent(Option<StepId>),
    /// It sent a request that committed, and the journal does not record it. `None` is the fence.
    Committed(Option<StepId>),
}

/// Why the live state is not a state of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stale {
    /// It is another ensemble, or it lost its identity, or it has one that no run recorded.
    Identity {
        /// The identity in the plan.
        plan: Identity,
        /// The identity of the ensemble.
        live: Identity,
    },
    /// Its last zxid is lower than when the plan was made.
    ZxidBack {
        /// The leader's zxid then.
        plan: Zxid,
        /// The leader's zxid now.
        live: Zxid,
    },
    /// The members are neither those of the base nor a state of the plan.
    Members {
        /// The base of the plan.
        plan: Box<EnsembleConfig>,
        /// The live configuration.
        live: Box<EnsembleConfig>,
        /// The run that made it, if one recorded it.
        by: Option<u64>,
    },
    /// The members are those of the plan, but the version was raised by a client that no run
    /// recorded.
    Version {
        /// The base of the plan.
        plan: Box<EnsembleConfig>,
        /// The live configuration.
        live: Box<EnsembleConfig>,
    },
}

impl Outcome {
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
            Self::LeaderMoved { .. } => "leader-moved",
            Self::Hook { .. } => "hook-failed",
            Self::RanOut { .. } => "wait-ran-out",
            Self::DataDiffer(_) => "data-differ",
            Self::OldSettings { .. } => "old-settings",
            Self::NotGranted(_) => "not-granted",
            Self::Unsafe(..) => "unsafe",
            Self::Refused { .. } => "refused",
            Self::Unreachable => "unreachable",
        }
    }

    /// The request whose outcome is unknown.
    pub const fn unknown(&self) -> Option<&StepId> {
        match self {
            Self::LockLost { unknown, .. }
            | Self::Interrupted { unknown }
            | Self::RanOut { unknown, .. } => unknown.as_ref(),
            _ => None,
        }
    }
}

/// Why an apply does not go on with a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Differs {
    /// Its header is not understood.
    Header(Illegible),
    /// The plan that it keeps is damaged, or not proven.
    PlanLost,
    /// It carries out another plan than the file's.
    OtherPlan,
    /// The run has another target than the file.
    OtherSpec {
        /// Whether that is other servers.
        servers: bool,
        /// Whether that is another policy.
        policy: bool,
        /// Whether that is other commands.
        hooks: bool,
        /// The risks that it accepts and the operator does not.
        accepted: Vec<Acceptance>,
    },
}

impl Differs {
    /// The risks that the run accepts and the operator does not, if nothing else differs.
    pub fn lacks_only(&self) -> Option<&[Acceptance]> {
        match self {
            Self::OtherSpec { servers: false, policy: false, hooks: false, accepted } => {
                Some(accepted)
            }
            Self::Header(_) | Self::PlanLost | Self::OtherPlan | Self::OtherSpec { .. } => None,
        }
    }
}

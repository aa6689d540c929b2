//! `zkplan/error`: why a command did not do what was asked.

use schemars::JsonSchema;
use serde::Serialize;

use super::clients::ServerClients;
use crate::apply::journal::HookEnd;
use crate::apply::{Outcome, Stale};
use crate::document::{Document, Format};
use crate::ensemble::ErrorCode;
use crate::observe::ObserveError;
use crate::spec::{Complaint, SpecErrors};

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorDocument {
    /// What happened. `zkplan explain errors` lists the codes; a minor version may add some.
    #[schemars(with = "String")]
    pub code: CommandFailure,
    /// What it means for a caller. Each kind has one exit code.
    pub kind: ErrorKind,
    /// The same for people.
    pub text: String,
    /// The places in files that are wrong.
    pub places: Vec<FilePlace>,
    /// What to do, for people.
    pub hints: Vec<String>,
    /// The clients that hold a gate shut; empty where there is none.
    pub clients: Vec<ServerClients>,
    /// Whether the same command may succeed later although nothing in it or in its files changes.
    #[serde(rename = "retryable")]
    pub is_retryable: bool,
    /// The exit code of the command.
    pub exit_code: u8,
}

impl Document for ErrorDocument {
    const FORMAT: Format = Format { name: "error", major: 1, minor: 1 };
}

/// A place in a file, with what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilePlace {
    /// The file, as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
    /// What is wrong, for people.
    pub text: String,
    /// What to do about it, for people.
    pub hint: String,
}

/// Every place of a spec that is wrong.
pub fn places(errors: &SpecErrors) -> Vec<FilePlace> {
    let place = |complaint: &Complaint| FilePlace {
        file: errors.file_name().to_owned(),
        line: complaint.line,
        column: complaint.column,
        text: complaint.what.clone(),
        hint: complaint.remedy.clone(),
    };
    errors.complaints().iter().map(place).collect()
}

/// What an error means for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ErrorKind {
    /// None of the others.
    Error,
    /// A safety rule refuses, or what answers is no ensemble that zkplan changes.
    Unsafe,
    /// An approval or a backup is missing, or was refused.
    NotApproved,
    /// The plan does not start from what is there, or another run is open.
    Stale,
    /// Another apply holds the lock.
    Locked,
    /// Stopped in a safe place.
    Stopped,
    /// A wait ran out.
    TimedOut,
    /// No server answers, no quorum, or a server refuses what the command needs.
    Unreachable,
    /// The command line is wrong.
    Usage,
    /// A spec, a plan or another input is wrong.
    Data,
    /// A bug in zkplan.
    Bug,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Error,
        Self::Unsafe,
        Self::NotApproved,
        Self::Stale,
        Self::Locked,
        Self::Stopped,
        Self::TimedOut,
        Self::Unreachable,
        Self::Usage,
        Self::Data,
        Self::Bug,
    ];
}

/// What happened, as a word that no later version changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CommandFailure {
    /// A file or a stream cannot be read or written, or this machine lacks something.
    IoFailed,
    /// The journal has no run of that number.
    NoSuchRun,
    /// The plan that a run keeps is damaged or not proven.
    PlanLost,
    /// There is no lock to remove.
    NoLock,
    /// The lock is removed, but the fence did not commit or is not known to have.
    NotFenced,
    /// A server refused a request that it should have taken.
    RequestRefused,
    /// The demo could not be shown.
    DemoFailed,

    /// No plan keeps the safety rules, or the one at hand breaks them now.
    PlanRefused,
    /// The servers run a ZooKeeper without reconfig.
    TooOld,
    /// A server runs standalone.
    Standalone,
    /// Servers of two different ensembles answered.
    TwoHistories,
    /// The servers to move to run as an ensemble of their own.
    TargetRuns,
    /// The live configuration cannot be read.
    ConfigUnreadable,
    /// There is no proof that an operator wrote the state of zkplan.
    FolderNotProven,
    /// The folder for the state of zkplan cannot be created or written to.
    FolderRefused,
    /// Sessions of the server are local to it and cannot hold the lock.
    LocalSession,
    /// The server closes every connection beside the first.
    TakesOneConnection,
    /// A command of the plan would get a host that is no plain name or address.
    HostNotPlain,
    /// The data of joiners are not the leader's.
    DataDiffer,
    /// A server was restarted and still runs with the old settings.
    OldSettings,
    /// Servers failed or came back, and no order of the steps keeps the safety rules.
    NotGranted,
    /// The plan cannot be simulated.
    NotRehearsed,
    /// The archive does not show that it is whole, of this ensemble, or how old it is.
    BackupNotProven,

    /// Approval is required, and there is no terminal.
    ApprovalMissing,
    /// The operator did not approve.
    ApprovalRefused,
    /// The plan does more than `--auto-approve=WHAT` approves.
    BeyondApproval,
    /// The spec has only saved plans applied (`policy.requireSavedPlan`).
    PlanNotSaved,
    /// The plan has no signature by a key of `--verify-key`.
    PlanNotSigned,
    /// Voters change, the policy asks for a backup, and none was given.
    BackupMissing,
    /// The backup is older than the policy allows.
    BackupTooOld,

    /// The live ensemble is not in a state of the plan.
    Stale,
    /// The plan is not the one that was expected (`--expect-plan`).
    UnexpectedPlan,
    /// Another run is open.
    OtherRun,
    /// The run whose plan was to be applied is gone.
    RunGone,
    /// The open run cannot be resumed: the configuration was changed.
    Overtaken,
    /// The configuration was changed by another client during the run.
    ForeignChange,
    /// The backup is not of this ensemble.
    BackupOfOther,

    /// Another apply holds the lock.
    Locked,
    /// The lock has another nonce than the given one.
    OtherLock,

    /// The operator interrupted the command.
    Interrupted,
    /// The lock was lost during the run.
    LockLost,
    /// A gate is closed, and there is no terminal to approve it.
    GateClosed,
    /// The leader has changed, and only a run in which it stays was approved.
    LeaderMoved,
    /// A command of the plan failed.
    HookFailed,

    /// A command of the plan ran for too long.
    HookTimedOut,
    /// A wait ran out.
    TimedOut,

    /// No server answered.
    NoAnswer,
    /// Servers answer but have no leader, or the live voters are no quorum.
    NoQuorum,
    /// There is a leader, but no write commits.
    NoCommit,
    /// No server accepts a session.
    NoSession,
    /// The connection was lost.
    ConnectionLost,
    /// A server enforces authentication.
    NeedsAuth,
    /// The user may not change the configuration.
    NotAuthorized,
    /// The file names no server that may be sent the password.
    NoRecipient,
    /// There is no password, or an empty one.
    NoPassword,
    /// The leader runs with `reconfigEnabled=false`.
    ReconfigDisabled,
    /// The journal cannot be read.
    JournalUnreadable,

    /// The command line is wrong.
    Usage,
    /// A password would travel in clear.
    CleartextPassword,
    /// The run to abandon is not the open one.
    NotOpen,

    /// A spec is wrong. `places` says where.
    SpecInvalid,
    /// Two specs describe one ensemble.
    TwoSpecs,
    /// A file is no spec or plan, is too large, or is no text.
    FileNotUsable,
    /// A plan file is wrong, or was edited.
    PlanInvalid,
    /// A file with a configuration is wrong.
    ConfigInvalid,
    /// A certificate or key cannot be used.
    CertificateInvalid,
    /// A command of the plan gets the files of a joiner, and they are not there.
    JoinerFilesWanted,
    /// The backup is damaged or incomplete.
    BackupDamaged,

    /// A bug in zkplan.
    Bug,
}

impl CommandFailure {
    /// What a failed look at an ensemble means.
    pub const fn of_look(error: &ObserveError) -> Self {
        match error {
            ObserveError::Unreachable { .. } => Self::NoAnswer,
            ObserveError::NoQuorum { .. } => Self::NoQuorum,
            ObserveError::NeedsAuth { .. } => Self::NeedsAuth,
            ObserveError::NoCommit { .. } => Self::NoCommit,
            ObserveError::TooOld { .. } => Self::TooOld,
            ObserveError::Standalone { .. } => Self::Standalone,
            ObserveError::TwoHistories { .. } => Self::TwoHistories,
            ObserveError::TargetRuns { .. } => Self::TargetRuns,
            ObserveError::UnreadableConfig { .. } => Self::ConfigUnreadable,
        }
    }

    /// What the end of an apply means; `None` where everything is done.
    pub const fn of_end(end: &Outcome) -> Option<Self> {
        Some(match end {
            Outcome::Finished => return None,
            Outcome::Stale(
                Stale::Identity { .. }
                | Stale::ZxidBack { .. }
                | Stale::Members { .. }
                | Stale::Version { .. },
            ) => Self::Stale,
            Outcome::OtherRun { .. } => Self::OtherRun,
            Outcome::RunGone { .. } => Self::RunGone,
            Outcome::Overtaken { .. } => Self::Overtaken,
            Outcome::Foreign { .. } => Self::ForeignChange,
            Outcome::Locked(_) => Self::Locked,
            Outcome::NotOpen { .. } => Self::NotOpen,
            Outcome::NotAuthorized { .. }
            | Outcome::FolderRefused { code: ErrorCode::NoAuth, .. } => Self::NotAuthorized,
            Outcome::NoRecipient { .. } => Self::NoRecipient,
            Outcome::ReconfigDisabled => Self::ReconfigDisabled,
            Outcome::Unreachable => Self::NoSession,
            Outcome::Unproven(_) => Self::FolderNotProven,
            Outcome::FolderRefused { .. } => Self::FolderRefused,
            Outcome::LocalSession { .. } => Self::LocalSession,
            Outcome::TakesOneConnection { .. } => Self::TakesOneConnection,
            Outcome::HostNotPlain { .. } => Self::HostNotPlain,
            Outcome::DataDiffer(_) => Self::DataDiffer,
            Outcome::OldSettings { .. } => Self::OldSettings,
            Outcome::NotGranted(_) => Self::NotGranted,
            Outcome::Unsafe(..) => Self::PlanRefused,
            Outcome::LockLost { .. } => Self::LockLost,
            Outcome::Interrupted { .. } => Self::Interrupted,
            Outcome::Gate { .. } => Self::GateClosed,
            Outcome::LeaderMoved { .. } => Self::LeaderMoved,
            Outcome::Hook { how: HookEnd::TimedOut, .. } => Self::HookTimedOut,
            Outcome::Hook {
                how:
                    HookEnd::Failed(_) | HookEnd::NotStarted(_) | HookEnd::Unknown | HookEnd::Succeeded,
                ..
            } => Self::HookFailed,
            Outcome::RanOut { .. } => Self::TimedOut,
            Outcome::Refused { .. } => Self::RequestRefused,
        })
    }

    /// The word, as documents have it.
    pub fn word(self) -> String {
        let word = serde_json::to_value(self).ok();
        word.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// What it means for a caller.
    pub const fn kind(self) -> ErrorKind {
        match self {
            Self::IoFailed
            | Self::NoSuchRun
            | Self::PlanLost
            | Self::NoLock
            | Self::NotFenced
            | Self::RequestRefused
            | Self::DemoFailed => ErrorKind::Error,
            Self::PlanRefused
            | Self::TooOld
            | Self::Standalone
            | Self::TwoHistories
            | Self::TargetRuns
            | Self::ConfigUnreadable
            | Self::FolderNotProven
            | Self::FolderRefused
            | Self::LocalSession
            | Self::TakesOneConnection
            | Self::HostNotPlain
            | Self::DataDiffer
            | Self::OldSettings
            | Self::NotGranted
            | Self::NotRehearsed
            | Self::BackupNotProven => ErrorKind::Unsafe,
            Self::ApprovalMissing
            | Self::ApprovalRefused
            | Self::BeyondApproval
            | Self::PlanNotSaved
            | Self::PlanNotSigned
            | Self::BackupMissing
            | Self::BackupTooOld => ErrorKind::NotApproved,
            Self::Stale
            | Self::UnexpectedPlan
            | Self::OtherRun
            | Self::RunGone
            | Self::Overtaken
            | Self::ForeignChange
            | Self::BackupOfOther => ErrorKind::Stale,
            Self::Locked | Self::OtherLock => ErrorKind::Locked,
            Self::Interrupted
            | Self::LockLost
            | Self::GateClosed
            | Self::LeaderMoved
            | Self::HookFailed => ErrorKind::Stopped,
            Self::HookTimedOut | Self::TimedOut => ErrorKind::TimedOut,
            Self::NoAnswer
            | Self::NoQuorum
            | Self::NoCommit
            | Self::NoSession
            | Self::ConnectionLost
            | Self::NeedsAuth
            | Self::NotAuthorized
            | Self::NoRecipient
            | Self::NoPassword
            | Self::ReconfigDisabled
            | Self::JournalUnreadable => ErrorKind::Unreachable,
            Self::Usage | Self::CleartextPassword | Self::NotOpen => ErrorKind::Usage,
            Self::SpecInvalid
            | Self::TwoSpecs
            | Self::FileNotUsable
            | Self::PlanInvalid
            | Self::ConfigInvalid
            | Self::CertificateInvalid
            | Self::JoinerFilesWanted
            | Self::BackupDamaged => ErrorKind::Data,
            Self::Bug => ErrorKind::Bug,
        }
    }

    /// Whether the same command may succeed later although nothing in it or in its files changes:
    /// what stands in the way passes, or a person sees to it at the servers.
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::NoAnswer
                | Self::NoQuorum
                | Self::NoCommit
                | Self::NoSession
                | Self::ConnectionLost
                | Self::Locked
                | Self::LockLost
                | Self::NotGranted
                | Self::GateClosed
                | Self::Interrupted
                | Self::HookTimedOut
                | Self::TimedOut
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain;

    /// The words of every code, from the schema that holds them.
    fn codes() -> Vec<String> {
        let schema = schemars::schema_for!(CommandFailure).to_value();
        let variants = schema["oneOf"].as_array().expect("documented variants").clone();
        variants.iter().map(|one| one["const"].as_str().expect("a word").to_owned()).collect()
    }

    #[test]
    fn the_page_of_errors_lists_every_code() {
        let page = explain::page("errors").expect("a page");
        let listed: Vec<&str> = page.split([' ', '\n', ',']).collect();
        let missing: Vec<String> =
            codes().into_iter().filter(|code| !listed.contains(&code.as_str())).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn what_the_caller_has_to_change_is_not_retried() {
        for failure in [CommandFailure::SpecInvalid, CommandFailure::Stale, CommandFailure::Usage] {
            assert!(!failure.is_retryable(), "{failure:?}");
        }
        assert!(CommandFailure::NoAnswer.is_retryable());
    }

    #[test]
    fn every_complaint_about_a_spec_is_a_place() {
        let text = "apiVersion: zkplan/v1\nensmble: x\nservers:\n  - { id: 0, host: a }\n";
        let errors = crate::spec::parse("prod.yaml", text).expect_err("wrong");
        let places = places(&errors);
        assert_eq!(places.len(), errors.complaints().len());
        let first = &places[0];
        assert_eq!((first.file.as_str(), first.line, first.column), ("prod.yaml", 2, 1));
    }
}

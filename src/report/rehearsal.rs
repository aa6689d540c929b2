//! `zkplan/rehearsal`: a plan in the simulator, with every server and zone failing at every moment.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::error::CommandFailure;
use super::waits::WaitEntry;
use crate::check::CheckedPlan;
use crate::document::{Document, Format};
use crate::model::ServerId;
use crate::plan::StepId;
use crate::rehearsal::{
    ApplyResult, Barred, Failure, FailureTarget, Moment, Recovery, Rehearsal, StuckServer,
    TargetKind, Writes,
};
use crate::render::rehearse;
use crate::saved;

/// What came of a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RehearsalDocument {
    /// The label of the ensemble.
    pub ensemble: String,
    /// The plan.
    pub plan_id: String,
    /// The leader at the beginning.
    pub leader: Option<ServerId>,
    /// Whether the leader is assumed, because the plan names none.
    pub leader_assumed: bool,
    /// How many failures have a known outcome: the simulated ones, and those of servers that differ
    /// from a simulated one only in their id.
    pub rehearsed: usize,
    /// How many failures are possible.
    pub failures: usize,
    /// How many moments the plan has.
    pub moments: usize,
    /// Whether the target is reached after every failure.
    pub always_ends: bool,
    /// Every failure that was simulated.
    pub rehearsals: Vec<RehearsedFailure>,
    /// The result for people.
    pub text: String,
}

impl Document for RehearsalDocument {
    const FORMAT: Format = Format { name: "rehearsal", major: 2, minor: 1 };
}

/// One failure, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RehearsedFailure {
    /// The reconfig that has just committed, or the restart that was just proven; `null` before the first.
    pub after: Option<StepId>,
    /// What fails.
    pub who: FailedPart,
    /// Whether clients can write meanwhile.
    pub writes: WritesWord,
    /// How far the running apply gets.
    pub apply: RehearsedApply,
    /// What a second apply achieves once the failed servers are back.
    pub recovery: RehearsedRecovery,
    /// Servers that look for a leader for ever with the files that they have read, once what failed is
    /// back (since 2.1).
    pub stuck: Vec<StuckEntry>,
}

/// A server that looks for a leader for ever with the files that it has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StuckEntry {
    /// The server.
    pub server: ServerId,
    /// Why.
    pub why: StuckWord,
    /// Whether the restarts of the second apply bring it back.
    pub cured: bool,
}

/// Why a server looks for a leader for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StuckWord {
    /// Its config version is higher than that of the leader, which refuses it.
    Ahead,
    /// It has `reconfigEnabled=false` and cannot take on the configuration of the others.
    CannotAdopt,
}

/// What fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedPart {
    /// Of which kind.
    pub kind: PartKind,
    /// The zone, where a whole zone fails.
    pub zone: Option<String>,
    /// The servers that fail; of single servers, those whose failures come to the same.
    pub servers: BTreeSet<ServerId>,
    /// The same for people.
    pub text: String,
}

/// The kind of what fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PartKind {
    /// The leader.
    Leader,
    /// A follower.
    Follower,
    /// An observer.
    Observer,
    /// A server that is to be added.
    Joiner,
    /// A server that has left.
    Retired,
    /// A whole zone.
    Zone,
}

/// Whether clients can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WritesWord {
    /// Without a break.
    Uninterrupted,
    /// After an election.
    AfterElection,
    /// Only after what failed is back.
    Stop,
}

/// How far an apply gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RehearsedApply {
    /// Its result.
    pub result: RehearsedResult,
    /// The step that is not taken; `null` where it finishes, or where no step is concerned.
    pub at: Option<StepId>,
    /// What it waits for.
    pub waits: Vec<WaitEntry>,
    /// Why it stops, as in `zkplan/error`.
    #[schemars(with = "Option<String>")]
    pub code: Option<CommandFailure>,
    /// The same for people.
    pub text: String,
}

/// The result of an apply in a rehearsal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RehearsedResult {
    /// It comes to the end of the plan.
    Finishes,
    /// It waits, until its timeout.
    Waits,
    /// It stops.
    Stops,
}

/// What a second apply achieves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RehearsedRecovery {
    /// Its result.
    pub result: RecoveryWord,
    /// How far it gets, where it does not reach the target.
    pub apply: Option<RehearsedApply>,
}

/// The result of a second apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RecoveryWord {
    /// Nothing is left to do.
    AtTarget,
    /// It reaches the target.
    Resumed,
    /// It does not reach the target.
    Failed,
}

impl RehearsalDocument {
    /// Of a rehearsal of a plan.
    pub fn of(checked: &CheckedPlan, rehearsal: &Rehearsal) -> Self {
        let failures = rehearsal.all().map(|(moment, failure)| rehearsed(moment, failure));
        Self {
            ensemble: checked.plan().ensemble.clone(),
            plan_id: saved::plan_id(checked.plan()),
            leader: rehearsal.leader,
            leader_assumed: rehearsal.is_leader_assumed,
            rehearsed: rehearsal.played(),
            failures: rehearsal.failures,
            moments: rehearsal.of_moments,
            always_ends: rehearsal.always_ends(),
            rehearsals: failures.collect(),
            text: if rehearsal.moments.is_empty() {
                rehearse::NOTHING.to_owned()
            } else {
                rehearse::closing(rehearsal).plain_text()
            },
        }
    }
}

fn rehearsed(moment: &Moment, failure: &Failure) -> RehearsedFailure {
    RehearsedFailure {
        after: moment.after.clone(),
        who: part(&failure.who),
        writes: match failure.writes {
            Writes::Uninterrupted => WritesWord::Uninterrupted,
            Writes::AfterElection => WritesWord::AfterElection,
            Writes::Stop => WritesWord::Stop,
        },
        apply: applied(&failure.apply_result),
        recovery: match &failure.recovery {
            Recovery::AtTarget => RehearsedRecovery { result: RecoveryWord::AtTarget, apply: None },
            Recovery::Resumed => RehearsedRecovery { result: RecoveryWord::Resumed, apply: None },
            Recovery::Failed(course) => {
                RehearsedRecovery { result: RecoveryWord::Failed, apply: Some(applied(course)) }
            }
        },
        stuck: failure.stuck.iter().map(stuck).collect(),
    }
}

fn stuck(stuck: &StuckServer) -> StuckEntry {
    let why = match stuck.why {
        Barred::IsAhead => StuckWord::Ahead,
        Barred::CannotAdopt => StuckWord::CannotAdopt,
    };
    StuckEntry { server: stuck.server, why, cured: stuck.is_cured }
}

fn part(who: &FailureTarget) -> FailedPart {
    let (kind, zone) = match &who.what {
        TargetKind::Leader => (PartKind::Leader, None),
        TargetKind::Follower => (PartKind::Follower, None),
        TargetKind::Observer => (PartKind::Observer, None),
        TargetKind::Joiner => (PartKind::Joiner, None),
        TargetKind::Left => (PartKind::Retired, None),
        TargetKind::Zone(zone) => (PartKind::Zone, Some(zone.clone())),
    };
    let servers = who.servers.iter().copied().collect();
    FailedPart { kind, zone, servers, text: rehearse::who(who) }
}

fn applied(course: &ApplyResult) -> RehearsedApply {
    let (result, at, waits, code) = match course {
        ApplyResult::Completes => (RehearsedResult::Finishes, None, Vec::new(), None),
        ApplyResult::Waits { at, waits } => {
            let waits = waits.iter().map(WaitEntry::of).collect();
            (RehearsedResult::Waits, at.clone(), waits, None)
        }
        ApplyResult::Stops { at, end } => {
            (RehearsedResult::Stops, at.clone(), Vec::new(), CommandFailure::of_end(end))
        }
    };
    RehearsedApply { result, at, waits, code, text: rehearse::course(course, &[]).1 }
}

//! `zkplan/rebase`: what has changed since a saved plan was made, and the new plan.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::changes::ServerEntry;
use crate::diff::Change;
use crate::document::{Document, Format};
use crate::model::{Server, ServerId};
use crate::plan::StepId;
use crate::rebase::{RunSince, SincePlan, StepFate};
use crate::render::rebase::{self as words, RebaseScreen};

/// What has changed since a saved plan was made.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RebaseDocument {
    /// The file of the saved plan, as it was typed.
    old: String,
    /// The id of the saved plan.
    old_plan_id: String,
    /// Whether no apply takes the saved plan any more.
    stale: bool,
    /// What has changed since it was made.
    changed: Vec<SinceEntry>,
    /// Its steps, each with what has become of it.
    steps: Vec<FateEntry>,
    /// The steps of the new plan that it does not have.
    new_steps: Vec<StepId>,
    /// The new plan, as `plan --format json` prints it, or the refusal.
    document: Value,
    /// The exit code of the command.
    exit_code: u8,
    /// Whether the saved plan still holds, for people.
    text: String,
}

/// Something that has changed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SinceEntry {
    /// What it is: `identity`, `version`, `member`, `wanted`, `policy`, `hooks`, `leader`, `down`,
    /// `back`, `follows`, `followsNoMore`, `found`, `gone`. A minor version may add some.
    code: String,
    /// The servers that it is about.
    servers: Vec<ServerId>,
    /// The server then; `null` where it was none, or it is about something else.
    then: Option<ServerEntry>,
    /// The server now; `null` where it is none, or it is about something else.
    now: Option<ServerEntry>,
    /// The runs of zkplan that made versions since, of a changed version.
    runs: Vec<RunSinceEntry>,
    /// The same for people.
    text: String,
}

/// A run that made versions since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunSinceEntry {
    /// Its number.
    run: u64,
    /// Who opened it, for people.
    by: String,
    /// When, as the clock of that host had it.
    at: String,
    /// Why, where that was said; else `null`.
    reason: Option<String>,
}

/// What has become of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FateEntry {
    /// The step.
    step: StepId,
    /// What has become of it.
    fate: FateWord,
}

/// What has become of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "StepFate")]
pub enum FateWord {
    /// It is done.
    Done,
    /// The new plan has it, too.
    Holds,
    /// The new plan does not have it, or there is none.
    Dropped,
}

impl Document for RebaseDocument {
    const FORMAT: Format = Format { name: "rebase", major: 1, minor: 0 };
}

impl RebaseDocument {
    /// Of what the screen shows, around the document of the new plan.
    pub fn of(screen: &RebaseScreen<'_>, document: Value, exit_code: u8) -> Self {
        let RebaseScreen { rebase, old, spec, .. } = *screen;
        let fate = |(step, fate): &(StepId, StepFate)| FateEntry {
            step: step.clone(),
            fate: match fate {
                StepFate::Done => FateWord::Done,
                StepFate::Holds => FateWord::Holds,
                StepFate::Dropped => FateWord::Dropped,
            },
        };
        Self {
            old: old.to_owned(),
            old_plan_id: rebase.plan_id.clone(),
            stale: rebase.is_stale,
            changed: rebase.changes.iter().map(|one| SinceEntry::of(one, spec)).collect(),
            steps: rebase.steps.iter().map(fate).collect(),
            new_steps: rebase.new_steps.clone(),
            document,
            exit_code,
            text: words::verdict(rebase, old),
        }
    }
}

impl SinceEntry {
    fn of(change: &SincePlan, spec: &str) -> Self {
        let entry = |server: &Option<Server>| server.as_ref().map(Into::into);
        let of_server =
            |change: &Change| (vec![change.id], entry(&change.before), entry(&change.after));
        let about = |ids: Vec<ServerId>| (ids, None, None);
        let (code, (servers, then, now)) = match change {
            SincePlan::Identity { .. } => ("identity", about(Vec::new())),
            SincePlan::Version { .. } => ("version", about(Vec::new())),
            SincePlan::Member(change) => ("member", of_server(change)),
            SincePlan::Wanted(change) => ("wanted", of_server(change)),
            SincePlan::Policy => ("policy", about(Vec::new())),
            SincePlan::Hooks => ("hooks", about(Vec::new())),
            SincePlan::Leader { now, .. } => ("leader", about(now.iter().copied().collect())),
            SincePlan::Down(ids) => ("down", about(ids.iter().copied().collect())),
            SincePlan::Back(ids) => ("back", about(ids.iter().copied().collect())),
            SincePlan::Follow(ids) => ("follows", about(ids.iter().copied().collect())),
            SincePlan::FollowNoMore(ids) => ("followsNoMore", about(ids.iter().copied().collect())),
            SincePlan::Found(finding) => ("found", about(finding.server.into_iter().collect())),
            SincePlan::Gone(finding) => ("gone", about(finding.server.into_iter().collect())),
        };
        let run = |since: &RunSince| {
            let RunSince { run, by, at, reason } = since.clone();
            RunSinceEntry { run, by, at, reason }
        };
        let runs = match change {
            SincePlan::Version { runs, .. } => runs.iter().map(run).collect(),
            _ => Vec::new(),
        };
        Self { code: code.to_owned(), servers, then, now, runs, text: words::what(change, spec) }
    }
}

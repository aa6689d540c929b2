//! `zkplan/rollback`: a plan back to the members before a run, and what the spec has to say afterwards.

use schemars::JsonSchema;
use serde::Serialize;

use super::changes::{ChangeEntry, changes};
use super::no_return::NoReturnEntry;
use crate::document::{Document, Format};
use crate::model::ServerId;
use crate::render::rollback::{self as words, RollbackScreen};
use crate::rollback::SpecEdit;
use crate::saved;

/// A plan back to the members before a run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollbackDocument {
    /// The label of the ensemble.
    ensemble: String,
    /// The spec, as it was typed.
    spec: String,
    /// The run that is taken back.
    run: u64,
    /// The plan of that run.
    run_plan_id: String,
    /// The later runs whose changes are taken back with it.
    runs_after: Vec<u64>,
    /// The run that is open, which the apply of the plan abandons; `null` where none is.
    open_run: Option<u64>,
    /// The server lines before the run, as its plan has them.
    members: Vec<String>,
    /// The file that the plan was written to; `null` where there is nothing to roll back.
    out: Option<String>,
    /// The id of that plan; `null` where none was written.
    plan_id: Option<String>,
    /// What the plan changes, by server id.
    changes: Vec<ChangeEntry>,
    /// The first step of the plan after which reconfigs alone do not lead back; `null` where there is
    /// none.
    point_of_no_return: Option<NoReturnEntry>,
    /// What has to change in the spec, by server id, so that its next plan has no changes.
    spec_edits: Vec<SpecEditEntry>,
    /// What `connect.servers` of the spec is to list; `null` where it may stay.
    connect_servers: Option<Vec<String>>,
    /// The command that comes next; `null` where nothing is to be done.
    next: Option<String>,
    /// The exit code of the command.
    exit_code: u8,
    /// The same in one sentence, for people.
    text: String,
}

/// The edit of one server in the spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SpecEditEntry {
    /// The server.
    server: ServerId,
    /// What to do with its entry.
    action: SpecEditAction,
    /// The line on which it stands, from 1; `null` where it does not.
    line: Option<usize>,
    /// The entry that it is to have, in YAML; `null` where it is to go.
    entry: Option<String>,
    /// The same for people.
    text: String,
}

/// What to do with the entry of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SpecEditAction {
    /// The server is to be listed.
    Add,
    /// It is to be listed in another way.
    Replace,
    /// It is not to be listed.
    Remove,
}

impl Document for RollbackDocument {
    const FORMAT: Format = Format { name: "rollback", major: 1, minor: 0 };
}

impl RollbackDocument {
    /// Of what the screen shows, with the exit code of the command.
    pub fn of(screen: &RollbackScreen<'_>, exit_code: u8) -> Self {
        let RollbackScreen { rollback, spec, edits, file, .. } = screen;
        let (before, plan) = (rollback.before, rollback.checked.plan());
        Self {
            ensemble: plan.ensemble.clone(),
            spec: spec.path.to_owned(),
            run: before.number,
            run_plan_id: saved::plan_id(before.plan),
            runs_after: rollback.taken_back.to_vec(),
            open_run: rollback.open,
            members: before.members().to_string().lines().map(str::to_owned).collect(),
            out: file.map(|file| file.path.to_owned()),
            plan_id: file.map(|file| file.plan_id.to_owned()),
            changes: changes(plan),
            point_of_no_return: plan.no_return().as_ref().map(Into::into),
            spec_edits: edits
                .servers
                .iter()
                .map(|edit| SpecEditEntry::of(edit, spec.path))
                .collect(),
            connect_servers: edits.contacts.clone(),
            next: words::next(screen),
            exit_code,
            text: words::in_short(screen),
        }
    }
}

impl SpecEditEntry {
    fn of(edit: &SpecEdit, path: &str) -> Self {
        let SpecEdit { server, line, entry } = edit;
        Self {
            server: *server,
            action: match (line, entry) {
                (None, _) => SpecEditAction::Add,
                (Some(_), Some(_)) => SpecEditAction::Replace,
                (Some(_), None) => SpecEditAction::Remove,
            },
            line: *line,
            entry: entry.clone(),
            text: words::said(edit, path),
        }
    }
}

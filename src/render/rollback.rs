//! The way back to the members before a run, in words.

use super::files::{PlanFile, SpecFile};
use super::phrases;
use super::plan::{Origin, PlanScreen, screen as plan_screen};
use super::text::{Line, Style, Text};
use crate::check::CheckedPlan;
use crate::observe::Observation;
use crate::rehearsal::{Rehearsal, Unrehearsed};
use crate::rollback::{RunBefore, SpecEdit, SpecEdits};

/// A plan back to the members before a run.
#[derive(Debug, Clone, Copy)]
pub struct Rollback<'a> {
    /// The run.
    pub before: RunBefore<'a>,
    /// The plan.
    pub checked: &'a CheckedPlan,
    /// The later runs that are taken back with it.
    pub taken_back: &'a [u64],
    /// The run that is open.
    pub open: Option<u64>,
}

/// Everything that the screen of a rollback shows.
#[derive(Debug, Clone, Copy)]
pub struct RollbackScreen<'a> {
    /// The plan, and what it takes back.
    pub rollback: Rollback<'a>,
    /// The spec.
    pub spec: SpecFile<'a>,
    /// What has to change in it afterwards.
    pub edits: &'a SpecEdits,
    /// The file of the plan and its id; `None` where nothing was written.
    pub file: Option<PlanFile<'a>>,
    /// What was seen.
    pub observation: &'a Observation,
    /// What came of rehearsing the plan, where it does something.
    pub rehearsed: Option<&'a Result<Rehearsal, Unrehearsed>>,
    /// Columns of the terminal.
    pub width: usize,
}

/// The screen of a rollback.
pub fn screen(of: &RollbackScreen<'_>) -> Text {
    let RollbackScreen { rollback, spec, edits, file, observation, rehearsed, width } = *of;
    let mut text = Text::new();
    text.paragraph("", Line::new(Style::Bold, title(&rollback)), width);
    for line in rollback.before.members().to_string().lines() {
        text.line(format!("  {line}"));
    }
    for more in beside(&rollback) {
        text.paragraph("  ", Line::new(Style::Yellow, more), width);
    }
    text.section(edits_of(&rollback, spec.path, edits, width));
    let Some(file) = file else {
        text.gap();
        let lead = Line::new(Style::Green, "Nothing to roll back.");
        text.paragraph("", lead.then(Style::Plain, format!(" {}", in_short(of))), width);
        if let Some(next) = next(of) {
            text.line(Line::plain("Next: ").then(Style::Cyan, next));
        }
        return text;
    };
    text.section(plan_screen(&PlanScreen {
        origin: Origin::Made { spec, saved: Some(Ok(file)), flags: &[], rehearsed },
        observation: Some(observation),
        checked: rollback.checked,
        resumed: None,
        width,
    }));
    text
}

/// A refusal, with the run that is not taken back.
pub fn refused(run: u64, refusal: Text, width: usize) -> Text {
    let mut text = Text::new();
    let said = format!(
        "Rollback of run {run}: there is no safe plan to the members before it. No file was written."
    );
    text.paragraph("", Line::new(Style::Bold, said), width);
    text.section(refusal);
    text
}

/// Which run, whose, and where its members are known from.
fn title(rollback: &Rollback<'_>) -> String {
    let RunBefore { number, header, .. } = rollback.before;
    let reason = header.cause.reason.as_ref();
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!(
        "Rollback of run {number}, opened by {} at {}{reason}. The members before it, by its plan:",
        header.opened.for_whom(&header.cause),
        header.opened.at
    )
}

/// What happens beside that.
fn beside(rollback: &Rollback<'_>) -> Vec<String> {
    let later: Vec<&u64> =
        rollback.taken_back.iter().filter(|run| rollback.open != Some(**run)).collect();
    let also = match later.len() {
        0 => None,
        1 => Some(format!("What run {} changed after it is taken back, too.", later[0])),
        _ => {
            Some(format!("What runs {} changed after it is taken back, too.", phrases::list(later)))
        }
    };
    let open = rollback.open.map(|run| {
        format!("Run {run} is open. The apply of this plan abandons it: --abandon {run}.")
    });
    also.into_iter().chain(open).collect()
}

/// What has to change in the spec; nothing where it wants these members already.
fn edits_of(rollback: &Rollback<'_>, path: &str, edits: &SpecEdits, width: usize) -> Text {
    let mut text = Text::new();
    let SpecEdits { servers, contacts } = edits;
    if servers.is_empty() && contacts.is_none() {
        return text;
    }
    text.line(Line::new(Style::Bold, format!("Edit {path} in the same change")));
    let why = format!(
        "It wants other members than those before run {}: its next plan would do that change again.",
        rollback.before.number
    );
    text.paragraph("  ", why, width);
    for edit in servers {
        text.paragraph("  ", said(edit, path), width);
        for line in edit.entry.iter().flat_map(|entry| entry.lines()) {
            text.line(format!("      {line}"));
        }
    }
    if let Some(contacts) = contacts {
        let list = contacts.join(", ");
        text.paragraph("  ", format!("connect.servers: list [{list}]"), width);
    }
    let then = format!("With that, zkplan plan {} says \"No changes\".", phrases::shell(path));
    text.paragraph("  ", then, width);
    text
}

/// The edit of one server in a few words; its entry stands below.
pub fn said(edit: &SpecEdit, path: &str) -> String {
    let SpecEdit { server, line, entry } = edit;
    let at = line.map(|line| format!("{path}:{line}")).unwrap_or_default();
    match (line, entry) {
        (Some(_), Some(_)) => format!("{at}: replace the entry of server {server} by"),
        (Some(_), None) => format!("{at}: remove server {server}"),
        (None, _) => format!("under servers: add server {server}"),
    }
}

/// The rollback in one sentence.
pub fn in_short(of: &RollbackScreen<'_>) -> String {
    let number = of.rollback.before.number;
    let base = &of.rollback.checked.plan().facts.base;
    match of.file {
        Some(file) if of.rollback.checked.plan().is_empty() => format!(
            "The members are those before run {number} (config version {}); {} closes the open run.",
            base.version, file.path
        ),
        Some(file) => format!("{} leads to the members before run {number}.", file.path),
        None => format!(
            "The members are those before run {number} (config version {}). No file was written.",
            base.version
        ),
    }
}

/// The command that comes next; `None` where nothing is to be done.
pub fn next(of: &RollbackScreen<'_>) -> Option<String> {
    match of.file {
        Some(file) => Some(super::plan::applies_back(of.rollback.checked.plan(), file.path)),
        None if of.edits.servers.is_empty() => None,
        None => Some(format!("zkplan plan {}", phrases::shell(of.spec.path))),
    }
}

#[cfg(test)]
mod tests;

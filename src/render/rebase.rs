//! What has changed since a saved plan was made, and which of its steps still hold, in words.

use super::text::{Line, Style, Text};
use super::{changes, findings, phrases};
use crate::diff::{Change, ChangeKind};
use crate::model::ServerId;
use crate::plan::StepId;
use crate::rebase::{Rebase, RunSince, SincePlan, StepFate};

/// What is shown of a saved plan beside a new one.
#[derive(Debug, Clone, Copy)]
pub struct RebaseScreen<'a> {
    /// What has changed.
    pub rebase: &'a Rebase,
    /// The file of the saved plan, as it was typed.
    pub old: &'a str,
    /// The spec, as it was typed.
    pub spec: &'a str,
    /// Columns of the terminal.
    pub width: usize,
}

/// The section above the new plan.
pub fn section(of: &RebaseScreen<'_>) -> Text {
    let RebaseScreen { rebase, old, spec, width } = *of;
    let mut text = Text::new();
    let style = if rebase.is_stale { Style::Red } else { Style::Green };
    text.paragraph("", Line::new(style, verdict(rebase, old)), width);
    text.gap();
    text.line(Line::new(Style::Bold, "Changed since that plan was made"));
    if rebase.changes.is_empty() {
        text.line("  nothing that zkplan can see");
    }
    for change in &rebase.changes {
        text.paragraph("  - ", what(change, spec), width);
    }
    text.gap();
    text.line(Line::new(Style::Bold, format!("Steps of {old}")));
    for (fate, word) in [
        (StepFate::Done, "done"),
        (StepFate::Holds, "still needed"),
        (StepFate::Dropped, "not in the new plan"),
    ] {
        let steps = rebase.steps.iter().filter(|(_, own)| *own == fate).map(|(step, _)| step);
        row(&mut text, word, steps, width);
    }
    row(&mut text, "new", rebase.new_steps.iter(), width);
    text
}

fn row<'a>(text: &mut Text, word: &str, steps: impl Iterator<Item = &'a StepId>, width: usize) {
    let steps: Vec<&StepId> = steps.collect();
    if !steps.is_empty() {
        let lead = Line::plain(format!("  {word:<20}  "));
        text.paragraph(lead, phrases::list(steps), width);
    }
}

/// Whether an apply takes the saved plan.
pub fn verdict(rebase: &Rebase, old: &str) -> String {
    let plan_id = &rebase.plan_id;
    if rebase.is_stale {
        format!("{old} is stale: apply refuses it. Its plan id is {plan_id}.")
    } else {
        format!("{old} is not stale: apply takes it, or resumes it. Its plan id is {plan_id}.")
    }
}

/// One change, and whose it is as far as that is known.
pub fn what(change: &SincePlan, spec: &str) -> String {
    match change {
        SincePlan::Identity { then, now } => {
            format!("identity: {} then, {} now", phrases::identity(then), phrases::identity(now))
        }
        SincePlan::Version { then, now, runs, by_other } => {
            let mut by: Vec<String> = runs.iter().map(run).collect();
            if *by_other {
                by.push("another client than zkplan (ZooKeeper does not record who)".to_owned());
            }
            format!("config version {then} is {now} now; changed by {}", phrases::list(by))
        }
        SincePlan::Member(change) => format!("in the ensemble: {}", of_server(change)),
        SincePlan::Wanted(change) => format!("in {spec}: {}", of_server(change)),
        SincePlan::Policy => format!("in {spec}: the policy"),
        SincePlan::Hooks => format!("in {spec}: the hooks"),
        SincePlan::Leader { then, now } => {
            let who = |id: &Option<ServerId>| {
                id.map_or_else(|| "not known".to_owned(), |id| format!("server {id}"))
            };
            format!("leader: {} then, {} now", who(then), who(now))
        }
        SincePlan::Down(ids) => verb(ids.len(), &phrases::servers(ids), "not up and in sync now"),
        SincePlan::Back(ids) => verb(ids.len(), &phrases::servers(ids), "up and in sync again"),
        SincePlan::Follow(ids) => {
            verb(ids.len(), &phrases::servers(ids), "following without a vote now")
        }
        SincePlan::FollowNoMore(ids) => {
            verb(ids.len(), &phrases::servers(ids), "not following any more")
        }
        SincePlan::Found(finding) => {
            format!("new finding {}: {}", finding.kind.code(), findings::finding(finding))
        }
        SincePlan::Gone(finding) => {
            format!("no more {}: {}", finding.kind.code(), findings::finding(finding))
        }
    }
}

fn verb(count: usize, who: &str, what: &str) -> String {
    format!("{who} {} {what}", if count == 1 { "is" } else { "are" })
}

fn run(run: &RunSince) -> String {
    let RunSince { run, by, at, reason } = run;
    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("run {run}, opened by {by} at {at}{reason}")
}

fn of_server(change: &Change) -> String {
    let Change { id, before, after, kind } = change;
    let line = |server: &Option<crate::model::Server>| {
        server.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    match kind {
        ChangeKind::Join => format!("server {id} is new, {}", line(after)),
        ChangeKind::Leave => format!("server {id} is gone, {}", line(before)),
        _ => format!(
            "server {id} differs ({}): {} then, {} now",
            changes::kind(*kind).1,
            line(before),
            line(after)
        ),
    }
}

#[cfg(test)]
mod tests;

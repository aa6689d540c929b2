//! What a person does in the middle of restarts, and what came of them.

use super::text::{Line, Style, Text};
use super::{phrases, predicted};
use crate::apply::Outcome;
use crate::apply::report::RunReport;
use crate::model::ServerId;
use crate::plan::{Done, Plan, Step};
use crate::prediction::Prediction;

/// What a person is asked to do now.
pub fn by_hand(plan: &Plan, server: ServerId, leader: Option<ServerId>, width: usize) -> Text {
    let mut text = Text::new();
    let own = plan.steps().filter_map(Step::restart).find(|restart| restart.server == server);
    let has_new_files = own.is_some_and(|restart| !restart.brings.is_empty());
    let new = if has_new_files { ", with the edited files" } else { "" };
    let leads = if leader == Some(server) { " (it leads)" } else { "" };
    let at = plan.target.get(server).map(|line| format!(" on {}", line.peer().host));
    let says = format!(
        "restart server {server}{leads}{}{new}. Restart no other server. zkplan waits until it is \
         back.",
        at.unwrap_or_default()
    );
    text.paragraph(Line::new(Style::Cyan, "Now: "), says, width);
    text
}

/// What came of the restarts, beside what they were expected to cost. `plans` is the command that comes
/// next where all are done.
pub fn report(
    plan: &Plan,
    done: &Done,
    (report, prediction): (&RunReport, &Prediction),
    (end, plans): (&Outcome, &str),
    width: usize,
) -> Text {
    let mut text = Text::new();
    let finished = *end == Outcome::Finished;
    let (style, word) = if finished { (Style::Green, "done") } else { (Style::Yellow, "stopped") };
    let head =
        Line::new(Style::Bold, plan.ensemble.as_str()).then(Style::Plain, "  ").then(style, word);
    text.line(head);
    let all: Vec<&Step> = plan.steps().collect();
    let left: Vec<String> = all
        .iter()
        .filter(|step| !done.contains(&step.id))
        .map(|step| step.id.to_string())
        .collect();
    let said = if left.is_empty() {
        let what = phrases::count_of(all.len(), "server");
        format!("{what} restarted and back in sync, or as wanted before.")
    } else {
        let count = all.len() - left.len();
        format!("{count} of {} done; left: {}.", all.len(), phrases::list(left))
    };
    text.paragraph("", said, width);
    text.append(predicted::measured(report, prediction, width));
    if finished {
        text.line(Line::plain("Next: ").then(Style::Cyan, plans));
    }
    text
}

//! The steps in the order in which they go, with their figures and reasons.

use std::collections::BTreeSet;

use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use super::{phrases, why};
use crate::check::{CheckedPlan, Figures, Row};
use crate::model::ServerId;
use crate::observe::Observation;
use crate::plan::{Action, Done, Plan, PlanNode, Step, StepId, StepOrder, StepReason};

const COLUMNS: [Column; 8] = [
    Column::numbers("#"),
    Column::words("step"),
    Column::words("what"),
    Column::numbers("voters"),
    Column::numbers("quorum").tight(),
    Column::numbers("tolerates").tight(),
    Column::numbers("zone").tight(),
    Column::words("leader"),
];

/// From this many columns on, there is room for long words.
const WIDE: usize = 100;

/// The table of steps; `is_past` where the plan and its figures are of an earlier look, and without
/// those that are done where some are.
pub(super) fn steps(
    checked: &CheckedPlan,
    seen: Option<&Observation>,
    (is_past, done): (bool, Option<&Done>),
    width: usize,
) -> Text {
    let mut text = Text::new();
    let mut schedule = reasoned(checked);
    schedule.retain(|one| !done.is_some_and(|done| done.contains(&one.step.id)));
    if schedule.is_empty() {
        return text;
    }
    let mut table = Table::new(COLUMNS);
    let base = &checked.report().base;
    let leads = leader_before(checked);
    let at_first = if is_past { "then" } else { "now" };
    if done.is_none() {
        table.row(cells(["", at_first, ""], Some((base, base.votes.spare())), Line::plain(leads)));
    }
    let mut number = 0_usize;
    for group in schedule
        .chunk_by(|one, next| one.reason == next.reason && one.phase.kind == next.phase.kind)
    {
        table.across(BELOW, heading(checked.plan(), group));
        for PlanNode { step, .. } in group {
            number += 1;
            let row = checked.report().rows.iter().find(|row| row.step == step.id);
            let row = row.filter(|_| step.takes_a_turn());
            let figures = row.map(|row| (&row.figures, row.spare));
            let what = why::what(checked.plan(), step, width >= WIDE);
            let leader = row.map(|row| leader_cell(checked, step, row)).unwrap_or_default();
            table.row(cells([&number.to_string(), step.id.as_str(), &what], figures, leader));
            if let (Action::Gate(_), Some(seen)) = (&step.action, seen) {
                table.across(BELOW, on_leaving(checked, seen));
            }
        }
    }
    if let Some(last) = checked.report().rows.last() {
        let figures = Some((&last.figures, last.figures.votes.spare()));
        table.row(cells(["", "after", ""], figures, Line::plain(leader_after(checked))));
    }
    let title = if done.is_some() { "Remaining steps" } else { "Steps" };
    let title = Line::new(Style::Bold, title);
    text.line(if is_past {
        title.then(Style::Plain, ", with the figures from the time when the plan was made")
    } else {
        title
    });
    text.append(table.to_text(width));
    text.paragraph("  ", Line::new(Style::Dim, legend(checked)), width);
    if waives_overlap(checked) {
        text.paragraph("  ", Line::new(Style::Yellow, WAIVED), width);
    }
    text
}

/// What the columns mean, as far as they are there.
fn legend(checked: &CheckedPlan) -> String {
    let (plan, report) = (checked.plan(), checked.report());
    let mut said = vec!["voters, quorum: after the step."];
    if plan.facts.base.membership.is_weighted() {
        said.push("With groups and weights, quorum is a number of voters that is always enough.");
    }
    said.push("tolerates: how many voters can fail during the step without stopping writes.");
    if report.base.zone.is_some() {
        said.push(
            "zone: how many more can fail after the step if the worst zone is lost; below 0, that loss \
             stops writes.",
        );
    }
    let step_of = |row: &Row| plan.steps().find(|step| step.id == row.step);
    let may_change = |row: &Row| {
        step_of(row).is_some_and(|step| leader_in(checked, step, row.hands_over) == MAY_CHANGE)
    };
    if report.rows.iter().any(may_change) {
        said.push("may change: if this server leads. It happens in one step at most.");
    }
    said.join(" ")
}

const WAIVED: &str = "policy.changesPerStep is 0: one reconfig may change many voters, so that \
                      quorums before and after it may have no server in common (ZKQ8). ZooKeeper \
                      asks both quorums until the reconfig is active. Restart no server while a \
                      reconfig hangs.";

/// Whether quorums of neighbouring configurations may miss each other.
fn waives_overlap(checked: &CheckedPlan) -> bool {
    let plan = checked.plan();
    let is_weighted = plan.facts.base.membership.is_weighted();
    plan.policy.changes_per_step == 0
        && (is_weighted || plan.steps().any(|step| step.parts().len() > 1))
}

/// How far in the lines between rows stand: behind the number.
const BELOW: usize = 4;

/// The steps in their order, each with its reason.
pub fn reasoned(checked: &CheckedPlan) -> Vec<PlanNode<'_>> {
    let mut reasoned: Vec<PlanNode<'_>> = checked.plan().graph().node_weights().copied().collect();
    // Where they go side by side, all starts stand before all waits: each reason is said once.
    for side_by_side in reasoned.chunk_by_mut(|one, next| std::ptr::eq(one.phase, next.phase)) {
        if side_by_side.first().is_some_and(|first| first.phase.rule == StepOrder::SideBySide) {
            side_by_side.sort_by_key(|one| !matches!(one.step.action, Action::Start(_)));
        }
    }
    reasoned
}

/// The reason that steps in a row share, and what rule they follow where there is a choice.
fn heading(plan: &Plan, group: &[PlanNode<'_>]) -> Line {
    let Some(PlanNode { phase, reason, .. }) = group.first() else { return Line::default() };
    if let (StepReason::LeaderLast, [PlanNode { step, .. }]) = (reason, group) {
        let leads = plan.facts.leader.filter(|id| step.concerns(*id));
        if let Some(id) = leads {
            let said = format!("server {id} leads: its own change is the last reconfig");
            return Line::new(Style::Dim, said);
        }
    }
    let line = Line::new(Style::Dim, why::phrase_in(plan, *reason));
    let any_order = phase.rule == StepOrder::LeaderLast && phase.steps.len() > 1;
    // These say in which order, or there is none.
    let is_said = matches!(
        reason,
        StepReason::LeaderLast
            | StepReason::RestartLeaderLast
            | StepReason::Ascending
            | StepReason::StayDown
    );
    if is_said || (group.len() < 2 && !any_order) {
        return line;
    }
    line.then(Style::Dim, format!(" ({})", why::rule(phase)))
}

/// Who is still connected to servers that leave.
fn on_leaving(checked: &CheckedPlan, seen: &Observation) -> Line {
    let plan = checked.plan();
    let leaving = plan.facts.base.membership.ids();
    let target = plan.target.ids();
    let leaving: Vec<ServerId> = leaving.difference(&target).copied().collect();
    let clients = |id: &ServerId| Some((*id, seen.servers.get(id)?.clients.as_ref()?.value.count));
    let known: Vec<(ServerId, u64)> = leaving.iter().filter_map(clients).collect();
    if known.is_empty() {
        return Line::plain("now: it is not known how many clients are on servers that leave");
    }
    // The counts are what servers say, so their sum may be any number.
    let sum = known.iter().fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
    let sum = phrases::count(sum, "client");
    let each = phrases::list(known.iter().map(|(id, count)| format!("{count} on server {id}")));
    let unknown = match leaving.len() - known.len() {
        0 => String::new(),
        n => format!("; not known of {}", phrases::count_of(n, "other server")),
    };
    Line::plain(format!("now: {sum} on servers that leave ({each}){unknown}"))
}

fn cells(words: [&str; 3], figures: Option<(&Figures, i64)>, leader: Line) -> Vec<Line> {
    let mut cells: Vec<Line> = words.map(Line::plain).to_vec();
    match figures {
        None => cells.resize(7, Line::default()),
        Some((figures, spare)) => {
            cells.push(Line::plain(figures.votes.voters.len().to_string()));
            cells.push(Line::plain(figures.votes.need.to_string()));
            cells.push(figure(spare, 1));
            let zone = figures.zone.as_ref().map(|window| figure(window.votes.spare(), 0));
            cells.push(zone.unwrap_or_default());
        }
    }
    cells.push(leader);
    cells
}

/// A spare, coloured where it is below what is comfortable.
fn figure(spare: i64, comfortable: i64) -> Line {
    let style = match spare {
        ..0 => Style::Red,
        _ if spare < comfortable => Style::Yellow,
        _ => Style::Plain,
    };
    Line::new(style, spare.to_string())
}

fn leader_cell(checked: &CheckedPlan, step: &Step, row: &Row) -> Line {
    let word = leader_in(checked, step, row.hands_over);
    Line::new(if word == STAYS { Style::Plain } else { Style::Yellow }, word)
}

/// The leader that a step leaves in its place.
const STAYS: &str = "stays";

/// Of a step of a server that may lead, where it is not known which one does.
const MAY_CHANGE: &str = "may change";

/// What a step does to the leader, in a word or two; `hands_over` where the present one hands over.
pub fn leader_in(checked: &CheckedPlan, step: &Step, hands_over: bool) -> &'static str {
    if hands_over {
        return "changes";
    }
    let facts = &checked.plan().facts;
    let may_hand_over = |id: ServerId| step.hands_over(id) && facts.base.membership.has_voter(id);
    match facts.leader {
        None if step.servers().any(may_hand_over) => MAY_CHANGE,
        None | Some(_) => STAYS,
    }
}

/// Who leads before the first step.
pub fn leader_before(checked: &CheckedPlan) -> String {
    let leader = checked.plan().facts.leader;
    leader.map_or_else(|| "not known".to_owned(), |id| format!("{id} leads"))
}

/// Who leads when everything is done, if the present leader leads until its own change.
pub fn leader_after(checked: &CheckedPlan) -> String {
    let hands_over = checked.report().rows.iter().any(|row| row.hands_over);
    match checked.plan().facts.leader {
        None => "not known".to_owned(),
        Some(_) if hands_over => "new leader".to_owned(),
        Some(leader) => format!("{leader} leads"),
    }
}

/// The moments at which the loss of one zone would stop writes: those of the order that is shown,
/// then those of other orders that the plan grants.
pub fn windows(checked: &CheckedPlan, width: usize) -> Text {
    let mut text = Text::new();
    let report = checked.report();
    // The report names windows only where the base survives the loss of any zone.
    if report.windows.is_empty() {
        return text;
    }
    let title = "The loss of one zone would stop writes at these points";
    text.paragraph("", Line::new(Style::Yellow, title), width);
    let mut shown: BTreeSet<&StepId> = BTreeSet::new();
    let reconfigs: Vec<&Step> =
        checked.plan().steps().filter(|step| step.reconfig().is_some()).collect();
    for row in &report.rows {
        let window = row.figures.zone.as_ref().filter(|window| window.votes.spare() < 0);
        let is_reconfig = reconfigs.iter().any(|step| step.id == row.step);
        if let Some(window) = window.filter(|_| is_reconfig) {
            shown.insert(&row.step);
            let loss = phrases::zone_loss(window);
            text.paragraph("  ", format!("after {}, {loss}", row.step), width);
        }
    }
    for (step, window) in report.windows.iter().filter(|(step, _)| !shown.contains(step)) {
        let loss = phrases::zone_loss(window);
        text.paragraph(
            "  ",
            format!("in another order that apply may choose: after {step}, {loss}"),
            width,
        );
    }
    text
}

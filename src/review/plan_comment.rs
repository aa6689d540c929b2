//! What a comment says of a plan.

use std::collections::BTreeSet;

use super::PlanReview;
use super::budget::Part;
use super::escape::{code, prose};
use super::lists::{of_changes, of_findings};
use crate::model::ServerId;
use crate::plan::{Done, Plan, Step};
use crate::render::backup;
use crate::render::commands::commands;
use crate::render::mermaid::mermaid;
use crate::render::plan::accepted;
use crate::render::steps::{leader_after, leader_before, leader_in};
use crate::render::{
    AS_FAR_AS_SEEN, Text, changes, words_for_count, words_for_prediction, words_for_progress,
};
use crate::report::{StepAction, StepEntry, ZoneWindow};
use crate::saved;

/// Wide enough that no sentence is broken twice.
const WIDE: usize = 120;

/// What came of it, with the lowest tolerance.
pub(super) fn verdict(plan: &PlanReview<'_>) -> String {
    let document = &plan.document;
    if document.steps.is_empty() {
        return document.summary.text.trim_end_matches('.').to_owned();
    }
    let verdict = match plan.checked.report().accepted.len() {
        0 => "Safe".to_owned(),
        risks => format!("Safe but for {}", words_for_count(risks, "accepted risk")),
    };
    format!("{verdict}. Lowest tolerance: {}", failures(document.summary.tolerates_failures))
}

/// Failures that are tolerated.
fn failures(count: i64) -> String {
    match usize::try_from(count) {
        Ok(count) => words_for_count(count, "failure"),
        Err(_) => "none, too few voters can acknowledge".to_owned(),
    }
}

/// What stands above everything else: verdict, summary, what else must not be overlooked.
pub(super) fn head(plan: &PlanReview<'_>, file: &str) -> String {
    let PlanReview { checked, document, open_run, .. } = plan;
    let facts = &checked.plan().facts;
    let mut paragraphs = vec![format!("**{}.**", prose(&verdict(plan)))];
    if !document.steps.is_empty() {
        paragraphs.push(prose(&document.summary.text));
    }
    paragraphs.extend(predicted(plan).map(|said| prose(&said)));
    paragraphs.extend(backup::words(checked.plan(), &Done::new()).map(|said| prose(&said)));
    if let Some(run) = open_run {
        let seen = if run.is_certain { "" } else { AS_FAR_AS_SEEN };
        let progress = words_for_progress(checked.plan(), run.done);
        paragraphs
            .push(prose(&format!("{seen}run {} of this plan is open; {progress}.", run.number)));
    }
    let version = facts.base.version.to_string();
    let plan_id = saved::plan_id(checked.plan());
    let [file, version, plan_id] = [file, &version, &plan_id].map(code);
    paragraphs.push(format!("{file} from config version {version}, plan id {plan_id}."));
    paragraphs.join("\n\n") + "\n\n"
}

/// The time that it is expected to take, in one sentence; nothing where it is not predicted.
pub(super) fn predicted(plan: &PlanReview<'_>) -> Option<String> {
    let leader = plan.checked.plan().facts.leader;
    let text = words_for_prediction(&plan.document.summary.prediction, leader, WIDE);
    let text = text.to_string_with(false);
    let words: Vec<&str> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Everything else, in the order in which it gives way last.
pub(super) fn parts(plan: &PlanReview<'_>) -> Vec<Part> {
    let PlanReview { checked, document, findings, .. } = plan;
    let of_plan = checked.plan();
    let mut parts = Vec::new();
    let risks = lines(&accepted(checked, &of_plan.facts.findings, WIDE));
    if !risks.is_empty() {
        parts.push(Part::of_code("accepted risks", "text", risks));
    }
    let windows: Vec<String> = document.summary.zone_windows.iter().map(window).collect();
    if !windows.is_empty() {
        let title = "The loss of one zone would stop writes at these points:".to_owned();
        parts.push(
            Part::of_rows("zones whose loss would stop writes", "point", windows)
                .headed(vec![title, String::new()]),
        );
    }
    parts.extend(steps(plan));
    parts.extend(of_findings(findings));
    parts.extend(of_changes(&document.changes));
    let diff = lines(&changes::config_diff(of_plan));
    if diff.len() > 1 {
        parts.push(Part::of_code("Configuration", "diff", diff[1..].to_vec()).folded());
    }
    let run = lines(&commands(of_plan, WIDE));
    if !run.is_empty() {
        parts.push(Part::of_code("Commands that apply runs", "text", run).folded());
    }
    if !document.steps.is_empty() {
        let graph = lines(&mermaid(checked));
        parts.push(
            Part::of_code("Graph (also: --format mermaid)", "mermaid", graph).whole().folded(),
        );
    }
    parts
}

fn lines(text: &Text) -> Vec<String> {
    text.to_string_with(false).lines().map(str::to_owned).collect()
}

fn window(window: &ZoneWindow) -> String {
    let ZoneWindow { step, lost } = window;
    let left = words_for_count(lost.acknowledging.len(), "voter");
    let (step, zone) = (code(step.as_str()), code(&lost.zone));
    format!("- after {step}: without zone {zone} {left} can acknowledge, of {} needed", lost.quorum)
}

/// The steps as a table; nothing where there are none.
fn steps(plan: &PlanReview<'_>) -> Option<Part> {
    let PlanReview { checked, document, clients, open_run, .. } = plan;
    let has_clients = !clients.is_empty();
    let cells = |cells: [&str; 6]| {
        let shown = if has_clients { &cells[..] } else { &cells[..5] };
        format!("| {} |", shown.join(" | "))
    };
    let summary = &document.summary;
    let [now, end] = [&summary.now, &summary.end].map(|f| f.votes.tolerates_failures.to_string());
    let mut before = vec![
        cells(["#", "step", "what", "tolerates", "leader", "clients"]),
        cells(["--:", "---", "---", "--:", "---", "--:"]),
    ];
    before.push(cells(["", "", "now", &now, &leader_before(checked), ""]));
    let row = |(at, entry): (usize, &StepEntry)| {
        let step = step_of(checked.plan(), entry);
        let takes_a_turn = step.is_some_and(Step::takes_a_turn);
        let tolerates = entry.tolerates_failures.to_string();
        let figure = if takes_a_turn { tolerates.as_str() } else { "" };
        let leader = step.filter(|_| takes_a_turn);
        let leader = leader.map_or("", |step| leader_in(checked, step, entry.hands_over));
        let is_done = open_run.is_some_and(|run| run.done.contains(&entry.id));
        let done = if is_done { " done" } else { "" };
        let id = format!("{}{done}", code(entry.id.as_str()));
        let (number, clients) = ((at + 1).to_string(), clients_of(plan, entry));
        cells([&number, &id, &prose(&entry.text), figure, leader, &clients])
    };
    let rows: Vec<String> = document.steps.iter().enumerate().map(row).collect();
    let mut after = vec![cells(["", "", "after", &end, &leader_after(checked), ""]), String::new()];
    let legend = "tolerates: how many voters can fail during the step without stopping writes.";
    after.push(if has_clients {
        format!("{legend} clients: connections now that end with the step.")
    } else {
        legend.to_owned()
    });
    (!rows.is_empty())
        .then(|| Part::of_rows("the steps", "step", rows).headed(before).followed(after))
}

fn step_of<'a>(plan: &'a Plan, entry: &StepEntry) -> Option<&'a Step> {
    plan.steps().find(|step| step.id == entry.id)
}

/// How many clients are connected now where a step ends connections, as far as that was seen: where a
/// server is stopped, is restarted or gets another address. A leader change ends all of them. At a gate
/// those count that have to move.
pub(super) fn clients_of(plan: &PlanReview<'_>, entry: &StepEntry) -> String {
    let base = &plan.checked.plan().facts.base.membership;
    let moved = || entry.changes.iter().filter(|change| change.change == "readdress");
    let of: BTreeSet<ServerId> = match entry.action {
        StepAction::Reconfig | StepAction::Restart if entry.hands_over => base.ids(),
        StepAction::Reconfig => moved().map(|change| change.server).collect(),
        StepAction::Gate => {
            base.ids().difference(&plan.checked.plan().target.ids()).copied().collect()
        }
        StepAction::Restart | StepAction::Stop | StepAction::AskToStop => entry.servers.clone(),
        StepAction::AwaitJoiner
        | StepAction::Start
        | StepAction::AttestBlank
        | StepAction::Prove => BTreeSet::new(),
    };
    if of.is_empty() {
        return String::new();
    }
    let known: Vec<u64> = of.iter().filter_map(|id| plan.clients.get(id).copied()).collect();
    let sum = known.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
    match (known.len(), known.len() == of.len()) {
        (0, _) => "not known".to_owned(),
        (_, true) => sum.to_string(),
        (_, false) => format!("{sum} or more"),
    }
}

//! What a page says of a plan: verdict and figures first, then steps, pictures, and what else was seen.

use similar::ChangeTag;

use super::course::course;
use super::failures_picture::{failures_picture, recovery, words, writes};
use super::graph_picture::{GraphPicture, graph_picture};
use super::markup::{Element, Markup, cell, code, element, frame, table};
use super::sections::{Place, section, section_of_changes, section_of_findings, strip};
use super::votes_picture::votes_picture;
use crate::plan::{Acceptance, Done, PlanNode, Step};
use crate::render::backup;
use crate::render::changes::config_lines;
use crate::render::commands::command_lines;
use crate::render::steps::{leader_after, leader_before, leader_in, reasoned};
use crate::render::{
    AS_FAR_AS_SEEN, words_for_acceptance, words_for_count, words_for_progress, words_for_reason,
};
use crate::report::rehearsal::{RehearsalDocument, RehearsedFailure};
use crate::report::{BreachEntry, PlanFigures, StepEntry, ZoneWindow};
use crate::review::plan_comment::{clients_of, predicted, verdict};
use crate::review::{PlanReview, Reviewed};
use crate::saved;

/// More steps than this are a picture of the graph that is folded at first.
const OPEN_GRAPH: usize = 80;

/// Everything about a plan.
pub(super) fn of_plan(one: &Reviewed<'_>, plan: &PlanReview<'_>, at: &Place) -> Markup {
    let document = &plan.document;
    let mut all = head(plan);
    all.push(tiles(plan));
    all.push(warnings(plan));
    if !document.steps.is_empty() {
        all.push(on_the_way(plan, at));
        all.push(steps(plan, at));
        all.push(graph(plan, at));
        all.push(failures(plan, at));
    }
    all.push(section_of_findings(&plan.findings, at));
    all.push(section_of_changes(&document.changes, at));
    all.push(configuration(plan, at));
    all.push(commands(plan, at));
    all.push(about(one, plan, at));
    all
}

/// The verdict with the lowest tolerance, and the plan in one sentence.
fn head(plan: &PlanReview<'_>) -> Markup {
    let summary = &plan.document.summary;
    let class = match summary.tolerates_failures {
        _ if plan.document.steps.is_empty() => "plain",
        ..0 => "bad",
        1.. if plan.checked.report().accepted.is_empty() => "good",
        0.. => "warn",
    };
    let mut all = strip(class, &format!("{}.", verdict(plan)));
    if !plan.document.steps.is_empty() {
        all.push(element("p").class("lead").holding(summary.text.as_str()));
    }
    if let Some(run) = &plan.open_run {
        let seen = if run.is_certain { "" } else { AS_FAR_AS_SEEN };
        let progress = words_for_progress(plan.checked.plan(), run.done);
        let said = format!("{seen}run {} of this plan is open; {progress}.", run.number);
        all.push(strip("warn", &said));
    }
    all
}

/// The figures that a reviewer looks for.
fn tiles(plan: &PlanReview<'_>) -> Element {
    let summary = &plan.document.summary;
    let [now, end] = [&summary.now, &summary.end].map(|figures| &figures.votes);
    let voters = |count: usize| words_for_count(count, "voter");
    let tile = |name: &str, figure: String, more: String| {
        element("div")
            .holding(element("dt").holding(name))
            .holding(element("dd").class("large").holding(figure))
            .holding(element("dd").class("dim").holding(more))
    };
    let lowest = summary.tolerates_failures;
    let tolerance =
        format!("now {}, at the end {}", now.tolerates_failures, end.tolerates_failures);
    let counts = format!(
        "{} join, {} leave, {} change",
        summary.servers_added, summary.servers_removed, summary.servers_changed
    );
    let leader = leader_before(plan.checked);
    let leader_changes = match (summary.leader_changes, summary.may_change_leader) {
        (0, true) => "0 or 1".to_owned(),
        (count, _) => count.to_string(),
    };
    let sent = words_for_count(summary.steps, "step");
    let mut tiles = vec![
        tile("Failures tolerated on the way", lowest.to_string(), tolerance),
        tile(
            "Voters at the end",
            end.voters.len().to_string(),
            format!("{} now", voters(now.voters.len())),
        ),
        tile("Servers that change", plan.document.changes.len().to_string(), counts),
        tile("Reconfigs", summary.reconfigs.to_string(), format!("{sent} in all")),
        tile("Leader changes", leader_changes, format!("now: {leader}")),
    ];
    if let Some(zone) = &summary.worst_zone {
        let worst = format!("at the worst moment, without zone {}", zone.zone);
        tiles.push(tile("Tolerated without one zone", zone.tolerates_failures.to_string(), worst));
    }
    element("dl").class("tiles").holding_all(tiles)
}

/// What must not be overlooked: accepted risks, zones, the time without writes.
fn warnings(plan: &PlanReview<'_>) -> Markup {
    let mut all = accepted(plan);
    let windows = &plan.document.summary.zone_windows;
    if !windows.is_empty() {
        all.push(strip("warn", "The loss of one zone would stop writes at these points:"));
        all.push(element("ul").holding_all(windows.iter().map(window)));
    }
    let backup = backup::words(plan.checked.plan(), &Done::new());
    for said in predicted(plan).into_iter().chain(backup) {
        all.push(element("p").holding(said));
    }
    all
}

/// The risks that the operator accepts, found or in advance.
fn accepted(plan: &PlanReview<'_>) -> Markup {
    let of_plan = plan.checked.plan();
    let terms = |risk: &Acceptance| match of_plan.terms_of(risk) {
        Some(terms) => format!(" (in the spec until {}: {})", terms.until, terms.reason),
        None => String::new(),
    };
    let found = BreachEntry::all(&plan.checked.report().accepted, &of_plan.facts.findings);
    let mut all = Markup::default();
    for BreachEntry { code, step, text, .. } in &found {
        let at = step.as_ref().map(|step| format!(" at {step}")).unwrap_or_default();
        let terms = terms(&Acceptance { code: code.clone(), step: step.clone() });
        all.push(strip("warn", &format!("Accepted risk {code}{at}: {text}{terms}")));
    }
    let is_later = |risk: &&Acceptance| {
        risk.step.is_none() && !found.iter().any(|breach| breach.code == risk.code)
    };
    for risk in of_plan.accepted.iter().filter(is_later) {
        let (name, terms) = (words_for_acceptance(risk), terms(risk));
        let said = format!("Accepted in advance: {name}{terms}. It was not found now.");
        all.push(strip("plain", &said));
    }
    all
}

fn window(ZoneWindow { step, lost }: &ZoneWindow) -> Element {
    let left = words_for_count(lost.acknowledging.len(), "voter");
    let said =
        format!(": without zone {} {left} can acknowledge, of {} needed", lost.zone, lost.quorum);
    element("li").holding("after ").holding(code(step.as_str())).holding(said)
}

/// The pictures of the votes and of single failures, side by side where there is room.
fn on_the_way(plan: &PlanReview<'_>, at: &Place) -> Element {
    let document = &plan.document;
    let leader = plan.checked.plan().facts.leader;
    let votes = votes_picture(document, leader, &at.id("votes"));
    let many = votes_are_many(document);
    let mut keys = vec![("needed", "needed for the quorum"), ("free", "beyond the quorum")];
    let is_lost = |figures: &PlanFigures| figures.votes.voters != figures.votes.acknowledging;
    let (moments, _) = course(document);
    if moments.iter().any(|moment| is_lost(moment.figures)) {
        keys.push(("lost", "cannot acknowledge"));
    }
    if leader.is_some() && !many {
        keys.push(("leads", "leads"));
    }
    let note = "The line is the quorum. Beyond it stand as many voters as may fail after the step, \
                whichever they are; \"tolerates\" counts during the step.";
    let votes = element("figure")
        .holding(frame("Votes, step by step", votes))
        .holding(legend(&keys))
        .holding(element("figcaption").holding(note));
    let failures = plan.rehearsal.as_ref().and_then(|rehearsal| {
        let picture = failures_picture(document, rehearsal, &at.id("failures"))?;
        Some(figure_of_failures(picture, rehearsal))
    });
    let pictures = element("div").class("pictures").holding(votes).holding_all(failures);
    section(at, "way", "On the way").holding(pictures)
}

fn votes_are_many(document: &crate::report::PlanDocument) -> bool {
    let (moments, _) = course(document);
    moments.iter().any(|moment| moment.figures.votes.voters.len() > super::votes_picture::CIRCLES)
}

fn figure_of_failures(picture: Element, rehearsal: &RehearsalDocument) -> Element {
    let keys = [
        ("case good", "writes continue"),
        ("case warn", "after an election"),
        ("case bad", "writes stop until it is back"),
        ("waits", "apply waits meanwhile"),
    ];
    let mut keys = keys.to_vec();
    if !rehearsal.always_ends {
        keys.push(("case fails", "the next apply does not finish"));
    }
    let note =
        format!("Each server and each zone fails alone, after each step. {}", rehearsal.text);
    element("figure")
        .holding(frame("Single failures, step by step", picture))
        .holding(legend(&keys))
        .holding(element("figcaption").holding(note))
}

fn legend(keys: &[(&str, &str)]) -> Element {
    let key = |(class, word): &(&str, &str)| {
        let sign = element("span").class(&format!("key {class}")).with("aria-hidden", "true");
        element("li").holding(sign).holding(*word)
    };
    element("ul").class("legend").holding_all(keys.iter().map(key))
}

/// The steps with tolerance, leader and clients.
fn steps(plan: &PlanReview<'_>, at: &Place) -> Element {
    let document = &plan.document;
    let has_zones = document.summary.now.worst_zone.is_some();
    let has_clients = !plan.clients.is_empty();
    let mut heads = vec![
        ("number wide", "#"),
        ("", "step"),
        ("number wide", "voters"),
        ("number wide", "quorum"),
        ("number", "tolerates"),
    ];
    heads.extend(has_zones.then_some(("number wide", "zone")));
    heads.push(("", "leader"));
    heads.extend(has_clients.then_some(("number", "clients")));
    let edge = |name: &str, figures: &PlanFigures, leader: String| {
        let mut row = element("tr")
            .class("edge")
            .holding(cell("number wide", ""))
            .holding(element("th").with("scope", "row").holding(name))
            .holding_all(votes(figures, Some(figures.votes.tolerates_failures), has_zones))
            .holding(cell("", leader));
        row = row.holding_all(has_clients.then(|| cell("number", "")));
        row
    };
    let summary = &document.summary;
    let mut rows = Markup::from(edge("now", &summary.now, leader_before(plan.checked)));
    let mut above = None;
    for (number, PlanNode { step, reason, .. }) in reasoned(plan.checked).iter().enumerate() {
        let why = words_for_reason(plan.checked.plan(), *reason);
        if above != Some(why) {
            let head = element("th").with("scope", "colgroup").with("colspan", heads.len());
            rows.push(element("tr").class("why").holding(head.holding(why)));
            above = Some(why);
        }
        let entry = document.steps.iter().find(|entry| entry.id == step.id);
        let entry = entry.expect("the document has every step of the plan");
        rows.push(row(plan, (number + 1, entry, step), (has_zones, has_clients)));
    }
    rows.push(edge("after", &summary.end, leader_after(plan.checked)));
    let mut note =
        "tolerates: how many voters can fail during the step without stopping writes.".to_owned();
    if has_zones {
        note.push_str(" zone: how many more can fail after the step if the worst zone is lost.");
    }
    if has_clients {
        note.push_str(" clients: connections now that end with the step.");
    }
    section(at, "steps", "Steps")
        .holding(table("The steps of the plan", &heads, rows))
        .holding(element("p").class("dim").holding(note))
}

fn row(
    plan: &PlanReview<'_>,
    (number, entry, step): (usize, &StepEntry, &Step),
    (has_zones, has_clients): (bool, bool),
) -> Element {
    let turn = step.takes_a_turn().then_some(step);
    let leader = turn.map_or("", |step| leader_in(plan.checked, step, entry.hands_over));
    let is_done = plan.open_run.is_some_and(|run| run.done.contains(&entry.id));
    let done = is_done.then(|| element("span").class("tag").holding("done"));
    let name = element("th")
        .with("scope", "row")
        .holding(code(entry.id.as_str()))
        .holding(" ")
        .holding_all(done)
        .holding(element("span").class("what").holding(entry.text.as_str()));
    let tolerates = turn.map(|_| entry.tolerates_failures);
    element("tr")
        .holding(cell("number wide", number.to_string()))
        .holding(name)
        .holding_all(votes(&entry.after, tolerates, has_zones))
        .holding(cell("", leader))
        .holding_all(has_clients.then(|| cell("number", clients_of(plan, entry))))
}

/// The figures of a row; where nothing changes, none.
fn votes(figures: &PlanFigures, tolerates: Option<i64>, has_zones: bool) -> Vec<Element> {
    let [mut voters, mut quorum, mut zone] = [const { String::new() }; 3];
    if tolerates.is_some() {
        voters = figures.votes.voters.len().to_string();
        quorum = figures.votes.quorum.to_string();
        zone = figures
            .worst_zone
            .as_ref()
            .map(|z| z.tolerates_failures.to_string())
            .unwrap_or_default();
    }
    let class = match tolerates {
        Some(..0) => "number bad",
        Some(0) => "number warn",
        Some(_) | None => "number",
    };
    let shown = tolerates.map(|count| count.to_string()).unwrap_or_default();
    let mut cells =
        vec![cell("number wide", voters), cell("number wide", quorum), cell(class, shown)];
    cells.extend(has_zones.then(|| cell("number wide", zone)));
    cells
}

/// The graph, with what the letters at its arrows say.
fn graph(plan: &PlanReview<'_>, at: &Place) -> Element {
    let done = |id: &_| plan.open_run.is_some_and(|run| run.done.contains(id));
    let GraphPicture { picture, reasons } =
        graph_picture(plan.checked.plan(), done, &at.id("graph"));
    let reasons = reasons.into_iter().map(|(letter, why)| {
        let letter = element("b").holding(letter);
        element("li").holding(letter).holding(" ").holding(why)
    });
    let shown = element("figure")
        .holding(frame("The graph of the plan", picture))
        .holding(element("ul").class("reasons").holding_all(reasons));
    let head = section(at, "graph-of", "What waits for what");
    if plan.document.steps.len() <= OPEN_GRAPH {
        return head.holding(shown);
    }
    let name = format!("The graph of {}", words_for_count(plan.document.steps.len(), "step"));
    head.holding(folded(&name, shown))
}

fn folded(name: &str, inside: impl Into<Markup>) -> Element {
    element("details").holding(element("summary").holding(name)).holding(inside)
}

/// Every simulated failure as a table; where nothing was simulated, the command that does it.
fn failures(plan: &PlanReview<'_>, at: &Place) -> Element {
    let head = section(at, "failures-of", "Single failures");
    let Some(rehearsal) = &plan.rehearsal else {
        let said = "No failure was simulated for this page. ";
        let said = element("p").holding(said).holding(code("zkplan rehearse"));
        return head.holding(said.holding(" with the plan or the spec does it."));
    };
    let row = |failure: &RehearsedFailure| {
        let when = failure.after.as_ref().map_or("now".to_owned(), ToString::to_string);
        element("tr")
            .with("title", words(failure))
            .holding(cell("", when))
            .holding(element("th").with("scope", "row").holding(failure.who.text.as_str()))
            .holding(cell("", writes(failure)))
            .holding(cell("", failure.apply.text.as_str()))
            .holding(cell("", recovery(failure)))
    };
    let heads =
        [("", "after"), ("", "what fails"), ("", "writes"), ("", "apply"), ("", "once it is back")];
    let rows: Markup = rehearsal.rehearsals.iter().map(row).collect();
    let title = format!("All {} simulated failures", rehearsal.rehearsals.len());
    head.holding(element("p").holding(rehearsal.text.as_str()))
        .holding(folded(&title, table("Simulated failures", &heads, rows)))
}

/// The configuration's text before and after, line by line.
fn configuration(plan: &PlanReview<'_>, at: &Place) -> Markup {
    let of_plan = plan.checked.plan();
    if of_plan.facts.base.membership == of_plan.target {
        return Markup::default();
    }
    let line = |(tag, line): (ChangeTag, String)| match tag {
        ChangeTag::Equal => element("span").holding(format!("  {line}")),
        ChangeTag::Delete => element("del").holding(format!("- {line}")),
        ChangeTag::Insert => element("ins").holding(format!("+ {line}")),
    };
    let mut lines = Markup::default();
    for one in config_lines(of_plan) {
        lines.push(line(one));
        lines.push(Markup::line_end());
    }
    let version = &of_plan.facts.base.version;
    let said = format!("From config version {version} to what it is after the last step.");
    section(at, "configuration", "Configuration")
        .holding(element("p").class("dim").holding(said))
        .holding(frame("The configuration, line by line", element("pre").holding(lines)))
        .into()
}

/// The commands that apply runs.
fn commands(plan: &PlanReview<'_>, at: &Place) -> Markup {
    let commands = command_lines(plan.checked.plan());
    if commands.is_empty() {
        return Markup::default();
    }
    let row = |(step, argv): (&Step, String)| {
        let name = element("th").with("scope", "row").holding(code(step.id.as_str()));
        element("tr").holding(name).holding(cell("", code(&argv)))
    };
    let rows: Markup = commands.into_iter().map(row).collect();
    let said = "On the machine on which apply runs, without a shell; none with --no-hooks.";
    section(at, "commands", "Commands that apply runs")
        .holding(element("p").class("dim").holding(said))
        .holding(table("Commands", &[("", "step"), ("", "command")], rows))
        .into()
}

/// What names this plan, and what shows it again.
fn about(one: &Reviewed<'_>, plan: &PlanReview<'_>, at: &Place) -> Element {
    let plan_id = saved::plan_id(plan.checked.plan());
    let version = plan.checked.plan().facts.base.version.to_string();
    let entry = |name: &str, value: &str| {
        element("div")
            .holding(element("dt").holding(name))
            .holding(element("dd").holding(code(value)))
    };
    let entries = [
        entry("file", one.file),
        entry("from config version", &version),
        entry("plan id", &plan_id),
        entry("shown by", &one.again),
    ];
    let mut all = section(at, "about", "This plan")
        .holding(element("dl").class("about").holding_all(entries));
    if !plan.document.steps.is_empty() {
        let said = element("p")
            .class("dim")
            .holding(code(&format!("zkplan apply --expect-plan {plan_id}")))
            .holding(", with a file, refuses any other plan.");
        all = all.holding(said);
    }
    all
}

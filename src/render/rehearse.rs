//! What came of a rehearsal (`zkplan rehearse`).

use std::collections::BTreeSet;

use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use super::{phrases, run};
use crate::apply::{Missing, RestartMissing, Wait};
use crate::check::CheckedPlan;
use crate::model::ServerId;
use crate::plan::StepId;
use crate::rehearsal::{
    ApplyResult, Failure, FailureTarget, Moment, Recovery, Rehearsal, TargetKind, Unrehearsed,
    Writes,
};

/// This many servers are listed one by one; the rest is counted.
const NAMED: usize = 4;

/// This many moments at which writes stop are listed in the closing line.
const NAMED_STOPS: usize = 3;

/// What is said of a plan without a reconfig and without a restart.
pub const NOTHING: &str = "The plan has no reconfig and no restart: there is nothing to rehearse.";

/// The screen of a rehearsal.
pub fn screen(checked: &CheckedPlan, rehearsal: &Rehearsal, width: usize) -> Text {
    let mut text = Text::new();
    let plan = checked.plan();
    let leads = match rehearsal.leader {
        Some(id) if rehearsal.is_leader_assumed => format!(", with server {id} as leader"),
        Some(id) => format!(", server {id} leads"),
        None => String::new(),
    };
    let head = format!("simulated, from config version {}{leads}", plan.facts.base.version);
    text.paragraph(
        Line::new(Style::Bold, plan.ensemble.clone()).then(Style::Plain, "  "),
        head,
        width,
    );
    if rehearsal.moments.is_empty() {
        text.gap();
        text.line(Line::new(Style::Green, NOTHING));
        return text;
    }
    text.gap();
    text.append(table(rehearsal, width));
    text.gap();
    text.paragraph("", closing(rehearsal), width);
    text
}

fn table(rehearsal: &Rehearsal, width: usize) -> Text {
    let mut table = Table::new([
        Column::words("what fails"),
        Column::words("writes"),
        Column::words("apply"),
        Column::words("after its return"),
    ]);
    for moment in &rehearsal.moments {
        table.across(0, Line::new(Style::Bold, when(rehearsal, moment)));
        for (whos, failure) in alike(moment) {
            let (style, says) = writes(failure.writes);
            let (plan_style, plan) = course(&failure.apply_result, &failure.who.servers);
            let (back_style, back) = back(failure);
            table.row([
                Line::plain(whos.join("; ")),
                Line::new(style, says),
                Line::new(plan_style, plan),
                Line::new(back_style, back),
            ]);
        }
    }
    table.to_text(width)
}

/// The failures of a moment; those that come to the same in words stand together.
fn alike(moment: &Moment) -> Vec<(Vec<String>, &Failure)> {
    let mut rows: Vec<(Vec<String>, &Failure)> = Vec::new();
    let says = |failure: &Failure| {
        let course = course(&failure.apply_result, &failure.who.servers).1;
        (failure.writes, course, back(failure).1)
    };
    for failure in &moment.failures {
        let name = who(&failure.who);
        match rows.iter_mut().find(|(_, other)| says(other) == says(failure)) {
            Some((names, _)) => names.push(name),
            None => rows.push((vec![name], failure)),
        }
    }
    rows
}

fn when(rehearsal: &Rehearsal, moment: &Moment) -> String {
    let first = if rehearsal.is_of_restarts { "restart" } else { "step" };
    let before = || format!("before the first {first}");
    moment.after.as_ref().map_or_else(before, |step| format!("after {step}"))
}

/// What fails, in a few words.
pub fn who(who: &FailureTarget) -> String {
    let one_of = |kind: &str| format!("{kind} {}", any(&who.servers));
    match &who.what {
        TargetKind::Leader => one_of("leader"),
        TargetKind::Follower => one_of("follower"),
        TargetKind::Observer => one_of("observer"),
        TargetKind::Joiner => one_of("joiner"),
        TargetKind::Left => format!("{}, already removed", one_of("server")),
        TargetKind::Zone(zone) => {
            format!(
                "zone {zone} ({})",
                who.servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            )
        }
    }
}

/// Servers of which any one fails, like `1 or 2`.
fn any(servers: &[ServerId]) -> String {
    let named: Vec<String> = servers.iter().take(NAMED).map(ToString::to_string).collect();
    match (named.split_last(), servers.len().saturating_sub(NAMED)) {
        (None, _) => "none".to_owned(),
        (Some((last, [])), 0) => last.clone(),
        (Some((last, first)), 0) => format!("{} or {last}", first.join(", ")),
        (Some(_), more) => format!("{} or one of {more} equivalent servers", named.join(", ")),
    }
}

/// Whether clients can write, in a few words.
pub const fn writes(writes: Writes) -> (Style, &'static str) {
    match writes {
        Writes::Uninterrupted => (Style::Green, "continue"),
        Writes::AfterElection => (Style::Green, "continue after an election"),
        Writes::Stop => (Style::Red, "stop"),
    }
}

/// How far an apply comes, in a few words, where these servers are gone.
pub fn course(course: &ApplyResult, gone: &[ServerId]) -> (Style, String) {
    let step = |at: &Option<StepId>| at.as_ref().map_or(String::new(), |at| format!(" at {at}"));
    match course {
        ApplyResult::Completes => (Style::Green, "finishes".to_owned()),
        ApplyResult::Waits { at, waits } => {
            (Style::Yellow, format!("waits{}: {}", step(at), reason(waits, gone)))
        }
        ApplyResult::Stops { at, end } => {
            (Style::Yellow, format!("stops{}: {}", step(at), end.word()))
        }
    }
}

/// The first of what a run waits for that says most.
fn reason(waits: &[Wait], gone: &[ServerId]) -> String {
    let weight = |wait: &&Wait| match wait {
        Wait::Down { .. } => 0,
        Wait::Joiner { missing: Missing::Following { .. }, .. } => 1,
        Wait::Connection | Wait::Ensemble(_) => 2,
        _ => 3,
    };
    let it = |server: &ServerId| {
        if gone.contains(server) { "it".to_owned() } else { format!("server {server}") }
    };
    match waits.iter().min_by_key(weight) {
        Some(Wait::Down { server, .. }) => format!("{} is needed", it(server)),
        Some(Wait::Joiner { server, missing: Missing::Following { .. } }) => {
            format!("{} does not follow", it(server))
        }
        Some(Wait::Bound { server, .. }) => {
            format!("{} was just added and must answer", it(server))
        }
        Some(Wait::Restart { server: None, .. }) => "there is no leader".to_owned(),
        Some(Wait::Restart { server: Some(server), missing: RestartMissing::Role }) => {
            format!("{} must be back first", it(server))
        }
        Some(Wait::Connection) => "no server accepts the session of apply".to_owned(),
        Some(other) => run::wait(other),
        None => "no progress".to_owned(),
    }
}

/// What happens after the failed servers return, in a few words.
pub fn back(failure: &Failure) -> (Style, String) {
    let stuck: BTreeSet<ServerId> = failure.stuck.iter().map(|stuck| stuck.server).collect();
    match &failure.recovery {
        Recovery::Resumed if !stuck.is_empty() => {
            let who = phrases::servers(&stuck);
            let said = format!("{who} must be restarted with the new file; then apply finishes");
            (Style::Yellow, said)
        }
        Recovery::AtTarget => (Style::Green, "nothing left to do".to_owned()),
        Recovery::Resumed => (Style::Green, "resumes and finishes".to_owned()),
        Recovery::Failed(ApplyResult::Completes) => {
            (Style::Red, "done, but NOT at the target".to_owned())
        }
        Recovery::Failed(course) => {
            (Style::Red, format!("does NOT finish: {}", self::course(course, &[]).1))
        }
    }
}

/// A rehearsal in one line.
pub fn closing(rehearsal: &Rehearsal) -> Line {
    let count = |wanted: &dyn Fn(&Failure) -> bool| -> usize {
        rehearsal.all().filter(|(_, f)| wanted(f)).map(|(_, f)| f.who.count()).sum()
    };
    let played = rehearsal.played();
    let begin = if played < rehearsal.failures {
        format!(
            "Simulated {played} of {} failures, at {} of {} points of the plan, chosen evenly. ",
            rehearsal.failures,
            rehearsal.moments.len(),
            rehearsal.of_moments
        )
    } else {
        format!(
            "Simulated {} at {}. ",
            phrases::count_of(played, "failure"),
            phrases::count_of(rehearsal.moments.len(), "moment")
        )
    };
    let stops = count(&|failure| failure.writes == Writes::Stop);
    let writes = if stops == 0 {
        "Writes continue in all of them".to_owned()
    } else {
        format!(
            "Writes continue in {} and stop in {stops} until the failed servers are back ({})",
            played - stops,
            stopping(rehearsal)
        )
    };
    let lost = count(&|failure| matches!(failure.recovery, Recovery::Failed(_)));
    let (style, end) = match lost {
        0 => (Style::Plain, "apply finishes in all of them.".to_owned()),
        _ => (Style::Red, format!("apply does NOT finish in {lost} of them.")),
    };
    let line = format!("{begin}{writes}. When the failed servers are back, ");
    let line = Line::plain(line).then(style, end);
    match count(&|failure| !failure.stuck.is_empty()) {
        0 => line,
        stuck => line.then(Style::Yellow, format!(" {}", stuck_in(rehearsal, stuck))),
    }
}

/// What is to be known of servers that come back with their old files.
fn stuck_in(rehearsal: &Rehearsal, count: usize) -> String {
    let all: Vec<_> = rehearsal.all().flat_map(|(_, failure)| &failure.stuck).collect();
    let is_cured = all.iter().all(|stuck| stuck.is_cured);
    let servers: BTreeSet<ServerId> = all.iter().map(|stuck| stuck.server).collect();
    let who = phrases::servers(&servers);
    let cure = if is_cured {
        "A restart with the new file brings it back, and apply asks for it."
    } else {
        "A restart of that server does NOT bring it back: the server that leads refuses it. Restart \
         the others with the new file, the leader included."
    };
    format!(
        "In {count} of them a server comes back with its old file and looks for a leader for ever: \
         {who} (zkplan explain ZKQ15). {cure}"
    )
}

/// What a reader must not take from a rehearsal, where a step tolerates no failure.
const DURING_A_STEP: &str = " A failure during a step is not simulated: see column \"tolerates\".";

/// A rehearsal below its plan, in a sentence or two; `tolerates` is the lowest figure of that column, and
/// `command` shows all of the rehearsal.
pub(super) fn below(
    rehearsed: &Result<Rehearsal, Unrehearsed>,
    tolerates: i64,
    command: &str,
    width: usize,
) -> Text {
    let mut text = Text::new();
    match rehearsed {
        Ok(rehearsal) => {
            let mut said = in_short(rehearsal);
            if tolerates < 1 {
                said = said.then(Style::Plain, DURING_A_STEP);
            }
            text.paragraph("", said, width);
            text.together(Line::plain("To see each failure: ").then(Style::Cyan, command), width);
        }
        Err(why) => {
            let (what, remedy) = unrehearsed(why);
            let lead = Line::new(Style::Bold, "Not simulated:");
            text.paragraph("", lead.then(Style::Plain, format!(" {what}; {remedy}.")), width);
        }
    }
    text
}

fn in_short(rehearsal: &Rehearsal) -> Line {
    let count = |wanted: &dyn Fn(&Failure) -> bool| -> usize {
        rehearsal.all().filter(|(_, f)| wanted(f)).map(|(_, f)| f.who.count()).sum()
    };
    let played = rehearsal.played();
    let is_all = played == rehearsal.failures;
    let of = if is_all {
        format!("{} between the steps", phrases::count_of(played, "single failure"))
    } else {
        format!(
            "{played} of the {} single failures between the steps (an even sample)",
            rehearsal.failures
        )
    };
    let assumed = match rehearsal.leader {
        Some(id) if rehearsal.is_leader_assumed => format!(", with server {id} as leader"),
        _ => String::new(),
    };
    let writes = match count(&|failure| failure.writes == Writes::Stop) {
        _ if !is_all => "The column \"tolerates\" shows whether writes continue.".to_owned(),
        0 => "Writes continue in all of them.".to_owned(),
        stop => format!("Writes stop in {stop} of them, until what failed is back."),
    };
    let waits = count(&|failure| matches!(failure.apply_result, ApplyResult::Waits { .. }));
    let stops = count(&|failure| matches!(failure.apply_result, ApplyResult::Stops { .. }));
    let apply = match (waits, stops) {
        (0, 0) => "Apply finishes in all of them".to_owned(),
        (waits, 0) => {
            format!("In {} apply waits", cases(waits))
        }
        (0, stops) => format!("In {} apply stops", cases(stops)),
        (waits, stops) => format!("In {} apply waits, in {stops} it stops", cases(waits)),
    };
    let line = Line::new(Style::Bold, "Simulated:")
        .then(Style::Plain, format!(" {of}{assumed}. {writes} {apply}"));
    let stuck = match count(&|failure| !failure.stuck.is_empty()) {
        0 => String::new(),
        stuck => format!(" {}", stuck_in(rehearsal, stuck)),
    };
    match count(&|failure| matches!(failure.recovery, Recovery::Failed(_))) {
        0 if waits + stops == 0 => line.then(Style::Plain, format!(".{stuck}")),
        0 => line.then(
            Style::Plain,
            format!(
                ". When what failed is back, apply finishes; if apply has exited, run the same \
                 zkplan apply again.{stuck}"
            ),
        ),
        lost => line.then(Style::Plain, ". ").then(
            Style::Red,
            format!("In {} it does NOT finish, even when what failed is back.", cases(lost)),
        ),
    }
}

fn cases(count: usize) -> String {
    if count == 1 { "1 case".to_owned() } else { format!("{count} cases") }
}

fn stopping(rehearsal: &Rehearsal) -> String {
    let stop = |moment: &&Moment| moment.failures.iter().any(|f| f.writes == Writes::Stop);
    let moments: Vec<&Moment> = rehearsal.moments.iter().filter(stop).collect();
    let named = moments.iter().take(NAMED_STOPS).map(|moment| {
        let stops = moment.failures.iter().filter(|f| f.writes == Writes::Stop);
        let whos: Vec<String> = stops.map(|failure| who(&failure.who)).collect();
        format!("{}: {}", when(rehearsal, moment), whos.join(", "))
    });
    let named: Vec<String> = named.collect();
    match moments.len().saturating_sub(NAMED_STOPS) {
        0 => named.join("; "),
        more => format!("{}; and at {} more", named.join("; "), phrases::count_of(more, "moment")),
    }
}

/// Why there is no rehearsal, and what to do about it.
pub fn unrehearsed(why: &Unrehearsed) -> (String, &'static str) {
    match why {
        Unrehearsed::Awaits(down) => (
            format!(
                "the plan waits until {} answers at its new address, and it is down now",
                phrases::servers(down)
            ),
            "apply waits for it until --timeout",
        ),
        Unrehearsed::Undisturbed(course) => (
            format!(
                "even without a failure the plan does not finish in the simulator: it {}",
                self::course(course, &[]).1
            ),
            "this is a bug: checker and simulator disagree. Please report it with the plan file",
        ),
        Unrehearsed::TooMuch => (
            "the plan is too large to simulate as part of zkplan plan".to_owned(),
            "zkplan rehearse simulates a part of it",
        ),
        Unrehearsed::BreaksRules(_) => (
            "the plan breaks a safety rule when only the way to reach its ensemble changes"
                .to_owned(),
            "this is a bug. Please report it with the plan file",
        ),
    }
}

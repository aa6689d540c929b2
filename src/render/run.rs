//! A run while it goes, and what came of it.

use std::collections::BTreeSet;

use super::backup;
use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use super::waits::proven;
pub use super::waits::{proof_zxid, wait, waiting};
use super::{clients, phrases, predicted, signing_in};
use crate::apply::journal::{CommitEvidence, Entry, GateOpenedBy, HookEnd, LockText, PassedClient};
use crate::apply::report::{Gap, RunReport};
use crate::apply::{Event, Occupied, Reordered};
use crate::model::ServerId;
use crate::observe::Clients;
use crate::plan::StepId;
use crate::prediction::Prediction;

/// One line for something that happened; `None` for what only machines want to know.
pub fn line(event: &Event) -> Option<Line> {
    let plain = |text: String| Some(Line::plain(text));
    match event {
        Event::Output { .. }
        | Event::Recorded(_)
        | Event::ConnectStrings(_)
        | Event::Waiting(_)
        | Event::Ended(_) => None,
        Event::Attached(at) => Some(Line::new(Style::Dim, format!("session on {at}"))),
        Event::Refused { by, signer } => Some(Line::new(
            Style::Yellow,
            format!("{}; trying another server", signing_in::refused(by, signer)),
        )),
        Event::Run { number, resumed: false, .. } => plain(format!("run {number} started")),
        Event::Run { number, resumed: true, .. } => plain(format!("run {number} resumed")),
        Event::Fenced { version } => Some(Line::new(
            Style::Dim,
            format!("fenced at config version {version}: older requests cannot commit any more"),
        )),
        Event::DataProven { server, proof } => {
            Some(Line::new(Style::Dim, format!("server {server}: {}", proven(proof))))
        }
        Event::Healing { servers } => Some(Line::new(Style::Yellow, healing(servers))),
        Event::Sent { step, version } => {
            Some(Line::new(Style::Dim, format!("{step} sent, from config version {version}")))
        }
        Event::Committed { step, version, known } => Some(
            Line::new(Style::Green, step.to_string())
                .then(Style::Plain, format!(" committed, config version {version}{}", how(*known))),
        ),
        Event::Done { step } => {
            Some(Line::new(Style::Green, step.to_string()).then(Style::Plain, " done"))
        }
        Event::LeaderChanged { from, to, step } => {
            Some(leader_changed((*from, *to), step.as_ref()))
        }
        Event::Reordered(reordered) => {
            Some(Line::new(Style::Yellow, format!("{}.", another_order(reordered))))
        }
        Event::Locked(by) => Some(Line::new(Style::Yellow, format!("locked by {}", holder(by)))),
        Event::Settling { step } => {
            let what = step.as_ref().map_or("the fence".to_owned(), ToString::to_string);
            Some(Line::new(
                Style::Yellow,
                format!("no answer to {what}: checking whether it committed"),
            ))
        }
        Event::HookStarted { step, argv } => {
            plain(format!("{step} runs {}", phrases::command(argv)))
        }
        Event::HookRunning { step, running_ms, .. } => Some(still_runs(step, *running_ms)),
        Event::HookEnded { step, how } => {
            let style = if *how == HookEnd::Succeeded { Style::Green } else { Style::Red };
            Some(Line::new(style, format!("{step}: the command {}", hook_end(how))))
        }
        Event::NotNeeded { step } => Some(
            Line::new(Style::Green, step.to_string())
                .then(Style::Plain, " skipped: its server runs already, or --no-hooks is given"),
        ),
        Event::NoAnswer { step, server } => {
            Some(Line::new(Style::Yellow, step.to_string()).then(Style::Plain, no_answer(*server)))
        }
        Event::Abandoned { run } => plain(format!("run {run} is abandoned")),
        Event::StopByHand { server, .. } => plain(format!(
            "server {server} has left and still runs without a vote: stop it when no client uses it"
        )),
        Event::GateShut { step, newcomers } => {
            Some(Line::new(Style::Yellow, gate_shut(step, newcomers)))
        }
        Event::VersionMoved { from, to } => Some(Line::new(Style::Yellow, version_moved(from, to))),
    }
}

fn still_runs(step: &StepId, running_ms: u64) -> Line {
    let seconds = running_ms / 1000;
    Line::new(Style::Dim, format!("{step}: the command still runs, for {seconds} s so far"))
}

fn leader_changed((from, to): (ServerId, ServerId), step: Option<&StepId>) -> Line {
    let changed = format!("leader changed from server {from} to server {to}");
    match step {
        Some(step) => Line::plain(format!("{changed}, as planned with {step}")),
        None => Line::new(Style::Yellow, format!("{changed}; this was not planned")),
    }
}

fn version_moved(from: &str, to: &str) -> String {
    format!(
        "the config version changed from {from} to {to}, and no zkplan run made this change; the \
         members are those of the plan"
    )
}

fn no_answer(server: ServerId) -> String {
    format!(
        " skipped: server {server} does not answer. Make sure it never starts with its old data"
    )
}

/// Why a reconfig is sent that changes nothing.
fn healing(servers: &BTreeSet<ServerId>) -> String {
    format!(
        "{} received the configuration but runs with an older one. zkplan sends a reconfig that \
         changes nothing, to activate it",
        phrases::servers(servers)
    )
}

/// Why what is left goes in another order, and in which.
pub fn another_order(reordered: &Reordered) -> String {
    let Reordered { down, back, order } = reordered;
    let who = |ids: &BTreeSet<ServerId>, [one, many]: [&str; 2]| {
        let verb = if ids.len() == 1 { one } else { many };
        (!ids.is_empty()).then(|| format!("{} {verb}", phrases::servers(ids)))
    };
    let causes = [
        who(down, ["does not answer", "do not answer"]),
        who(back, ["answers again", "answer again"]),
    ];
    let causes: Vec<String> = causes.into_iter().flatten().collect();
    let why =
        if causes.is_empty() { "every member answers".to_owned() } else { phrases::list(causes) };
    format!(
        "{why}. The remaining steps run in another order that the plan allows: {}",
        order.iter().map(ToString::to_string).collect::<Vec<_>>().join(", then ")
    )
}

const fn how(known: CommitEvidence) -> &'static str {
    match known {
        CommitEvidence::Reply => "",
        CommitEvidence::ReadBack => ", read back",
        CommitEvidence::Found => ", found committed",
    }
}

/// How a command came to its end.
pub(super) fn hook_end(how: &HookEnd) -> String {
    match how {
        HookEnd::Succeeded => "succeeded".to_owned(),
        HookEnd::Failed(why) => format!("failed: {why}"),
        HookEnd::TimedOut => "timed out and was killed".to_owned(),
        HookEnd::NotStarted(why) => format!("could not be started: {why}"),
        HookEnd::Unknown => "was running when apply ended; its result is not known".to_owned(),
    }
}

/// A run that ended before its first step: at most its fence was sent, which changes no member.
pub(super) const WITHDRAWN: &str = "closed: no step was begun";

/// Who holds a lock, since when, and what for.
pub fn holder(by: &LockText) -> String {
    let LockText { by: stamp, operation, cause, .. } = by;
    let reason = cause.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!(
        "{}, process {}, since {}, for {operation}{reason}, nonce {}",
        stamp.for_whom(cause),
        stamp.pid,
        stamp.at,
        stamp.nonce
    )
}

/// What came of an apply, beside what its plan was expected to cost. `status` is the command that shows
/// who is still on servers that a person stops, as it is typed.
pub fn report(
    report: &RunReport,
    prediction: &Prediction,
    (ensemble, finished, status): (&str, bool, Option<&str>),
    width: usize,
) -> Text {
    let mut text = Text::new();
    let run = report.run.map_or_else(String::new, |(number, resumed)| {
        format!("run {number}{}", if resumed { ", started earlier" } else { "" })
    });
    let (style, word) = if finished { (Style::Green, "done") } else { (Style::Yellow, "stopped") };
    let head = Line::new(Style::Bold, ensemble)
        .then(Style::Plain, "  ")
        .then(style, word)
        .then(Style::Plain, if run.is_empty() { run } else { format!(", {run}") });
    text.line(head);
    if !report.commits.is_empty() {
        text.gap();
        text.append(commits(report, width));
    }
    text.gap();
    for (from, to, step) in &report.hand_overs {
        let said = match step {
            Some(step) => {
                format!("leader changed from server {from} to server {to}, planned with {step}")
            }
            None => {
                format!("leader changed from server {from} to server {to}; this was not planned")
            }
        };
        text.paragraph("", said, width);
    }
    if let Some((when, gap)) = report.longest_gap() {
        let when = match when {
            Gap::Around(step) => format!("around {step}"),
            Gap::Away => "while zkplan had no answer or sent no write".to_owned(),
            Gap::StillAway => "and still none at the end".to_owned(),
        };
        let said = format!("Longest pause between two committed test writes: {gap} ms, {when}");
        text.paragraph("", said, width);
    }
    text.append(predicted::measured(report, prediction, width));
    if let (Some(run), None) = (report.abandoned, report.run) {
        let more = if finished { " There was nothing else to change." } else { "" };
        let said = format!("Run {run} was abandoned.{more}");
        text.paragraph("", said, width);
    }
    if !report.silent_leavers.is_empty() {
        let who = phrases::servers(&report.silent_leavers);
        let (does, it, its) = match report.silent_leavers.len() {
            1 => ("does", "it never starts", "its"),
            _ => ("do", "they never start", "their"),
        };
        let said = format!(
            "Warning: {who} {does} not answer. Make sure {it} with {its} old data: disable the \
             service, and move zoo.cfg and data away."
        );
        text.paragraph("", Line::new(Style::Yellow, said), width);
    }
    if !report.stop_by_hand.is_empty() {
        text.append(stop_by_hand(report, status, width));
    }
    text
}

/// The servers that a person is to stop, and who is still on them.
fn stop_by_hand(report: &RunReport, status: Option<&str>, width: usize) -> Text {
    let mut text = Text::new();
    let servers: Vec<ServerId> = report.stop_by_hand.keys().copied().collect();
    let is_used = |clients: &Option<Clients>| clients.as_ref().is_none_or(|all| all.count > 0);
    let (who, is_one) = (phrases::servers(&servers), servers.len() == 1);
    let (them, it_follows) =
        if is_one { ("it", "it still follows") } else { ("them", "they still follow") };
    let used = report.stop_by_hand.iter().filter(|(_, clients)| is_used(clients));
    let used: Vec<_> = used.collect();
    if !used.is_empty() {
        let said = format!("Clients are connected to servers that were removed ({it_follows}):");
        text.paragraph("", Line::new(Style::Yellow, said), width);
        let used = used.into_iter().map(|(server, clients)| Occupied {
            server: *server,
            clients: clients.clone(),
            came: 0,
        });
        text.append(clients::occupied(&used.collect::<Vec<_>>(), width));
        text.append(clients::connect_strings(&report.strings, width));
        text.paragraph("", clients::no_way_back(&servers), width);
    }
    let said = format!(
        "When no client uses {who} any more, stop {them}, one server at a time, disable the service, \
         and move zoo.cfg, zoo.cfg.bak and data away. If the old zoo.cfg and data are restored, the \
         old servers could form a second ensemble."
    );
    text.paragraph("", said, width);
    if let Some(status) = status {
        text.line(Line::plain("Next: ").then(Style::Cyan, status));
    }
    text
}

/// A gate that is shut again.
fn gate_shut(step: &StepId, newcomers: &[Occupied]) -> String {
    let count = |on: &Occupied| on.clients.as_ref().map_or(1, |clients| clients.count);
    let count = newcomers.iter().map(count).sum::<u64>();
    let servers: Vec<ServerId> = newcomers.iter().map(|on| on.server).collect();
    format!(
        "{step} is shut again: {} connected to {} after it was passed",
        phrases::count(count, "client"),
        phrases::servers(&servers)
    )
}

/// A gate that an operator opened, with whom it let pass.
fn passed(step: &StepId, clients: &[PassedClient]) -> String {
    let each = clients.iter().map(|one| {
        let owns = one.owns.first().map_or_else(String::new, |path| format!(" ({path})"));
        format!("session {} from {} on server {}{owns}", one.session, one.from, one.server)
    });
    let each: Vec<String> = each.collect();
    if each.is_empty() {
        return format!("{step} passed: approved");
    }
    format!("{step} passed: approved, with {}", each.join(", "))
}

fn commits(report: &RunReport, width: usize) -> Text {
    let mut table = Table::new([
        Column::words("step"),
        Column::words("config version"),
        Column::words("known"),
        Column::numbers("took"),
        Column::numbers("gap"),
    ]);
    let ms = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    for commit in &report.commits {
        let known = match commit.known {
            CommitEvidence::Reply => "by reply",
            CommitEvidence::ReadBack => "read back",
            CommitEvidence::Found => "found",
        };
        table.row([
            Line::plain(commit.step.to_string()),
            Line::plain(commit.version.clone()),
            Line::plain(known),
            Line::plain(ms(commit.took_ms)),
            Line::plain(ms(commit.gap_ms)),
        ]);
    }
    table.to_text(width)
}

/// An entry of a run's journal as one line.
pub fn entry(entry: &Entry) -> String {
    match entry {
        Entry::Claimed { who, backup: None } => format!("started by {who}"),
        Entry::Claimed { who, backup: Some(note) } => {
            format!("started by {who}, with {}", backup::noted(note))
        }
        Entry::FenceIntent { version } => format!("fence sent, from config version {version}"),
        Entry::Fenced { version, .. } => format!("fenced, config version {version}"),
        Entry::Intent { step, version } => format!("{step} sent, from config version {version}"),
        Entry::Committed { step, version, known } => {
            format!("{step} committed, config version {version}{}", how(*known))
        }
        Entry::NotApplied { step, because } => format!("{step} did not commit: {because}"),
        Entry::Disarmed { step } => {
            format!(
                "{step} can no longer commit. It may have committed earlier and been undone since"
            )
        }
        Entry::Passed { step, how: GateOpenedBy::Drained, .. } => {
            format!("{step} passed: no client is connected any more")
        }
        Entry::Passed { step, how: GateOpenedBy::Approved, clients } => passed(step, clients),
        Entry::Attested { step } => {
            format!("{step}: a person confirmed that the data directory is blank")
        }
        Entry::HookIntent { step } => format!("{step}: the command starts"),
        Entry::HookEnded { step, how } => format!("{step}: the command {}", hook_end(how)),
        Entry::Gone { step } => format!("{step}: the server has stopped"),
        Entry::Stopped { why } => format!("stopped: {why}"),
        Entry::Closed => "closed: everything is done".to_owned(),
        Entry::Withdrawn => WITHDRAWN.to_owned(),
        Entry::Abandoned { who } => format!("abandoned by {who}"),
    }
}

//! The screen of a preflight: what fails, what would be better, what is unknown, what passed.

mod evidence;
pub mod watch;
mod what_to_do;

use std::collections::BTreeSet;

use super::phrases::{check_port, count_of, list, servers};
use super::settings;
use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use crate::model::ServerId;
use crate::observe::Observation;
use crate::preflight::{Check, CheckKind, CheckRemedy, CheckVerdict, Evidence};
use crate::settings::Edits;

/// What a screen is about.
#[derive(Debug, Clone, Copy)]
pub struct PreflightScreen<'a> {
    /// The label of the ensemble.
    pub ensemble: &'a str,
    /// What was observed.
    pub seen: &'a Observation,
    /// Every check.
    pub checks: &'a [Check],
    /// Whether checks that passed are listed too.
    pub all: bool,
    /// The edits of the files that were given.
    pub edits: &'a Edits,
    /// The command that comes next.
    pub next: &'a str,
    /// Whether that is this command again, which shows the same until what fails is fixed.
    pub is_again: bool,
    /// Columns of the terminal.
    pub width: usize,
}

/// Checks of one kind that say the same of several servers.
struct Group<'a> {
    kind: CheckKind,
    servers: BTreeSet<ServerId>,
    says: String,
    remedy: Option<CheckRemedy>,
    first: &'a Check,
}

/// The sentence that stands for what a check rests on.
pub fn words_for_evidence(evidence: &Evidence) -> String {
    evidence::sentence(evidence)
}

/// The sentence that says what to do.
pub const fn words_for_remedy(remedy: CheckRemedy) -> &'static str {
    what_to_do::remedy(remedy)
}

/// The screen.
pub fn screen(of: &PreflightScreen<'_>) -> Text {
    let mut text = head(of);
    text.section(ports(of));
    let fails = groups(of.checks, |check| check.verdict == CheckVerdict::Fail && check.blocks);
    let advice = groups(of.checks, |check| check.verdict == CheckVerdict::Fail && !check.blocks);
    let unknown = groups(of.checks, |check| {
        check.verdict == CheckVerdict::Unknown && not_yet(check).is_none()
    });
    let passed = groups(of.checks, |check| check.verdict == CheckVerdict::Pass);
    text.section(section("Fails", Style::Red, &fails, of.width));
    let title = "Advice: does not block a change";
    text.section(section(title, Style::Yellow, &advice, of.width));
    text.section(joiners(of, NotYet::Running));
    text.section(joiners(of, NotYet::Serving));
    text.section(section("Unknown", Style::Yellow, &unknown, of.width));
    if of.all {
        text.section(section("Passed", Style::Green, &passed, of.width));
    }
    for one in &of.edits.files {
        text.section(settings::edit(one.server, &one.file, &one.edit, of.width));
    }
    if let Some(order) = &of.edits.order {
        let mut restarts = Text::new();
        restarts.paragraph("", settings::restart_order(order), of.width);
        text.section(restarts);
    }
    text.section(end(of, &fails, &unknown));
    text
}

fn head(of: &PreflightScreen<'_>) -> Text {
    let members = &of.seen.config.membership;
    let leads = of
        .seen
        .leader
        .map_or_else(|| "leader not known".to_owned(), |leader| format!("server {leader} leads"));
    let voters = count_of(members.voters().len(), "voter");
    let line = format!("config version {}, {leads}, {voters}", of.seen.config.version);
    let mut text = Text::new();
    text.paragraph(Line::new(Style::Bold, of.ensemble).then(Style::Plain, "  "), line, of.width);
    text
}

/// Every server in order of ids, and what its ports answered to this machine.
fn ports(of: &PreflightScreen<'_>) -> Text {
    let mut table = Table::new([
        Column::numbers("id"),
        Column::words("client port"),
        Column::words("election port"),
        Column::words("quorum port"),
        Column::words("state"),
    ]);
    for id in of.seen.servers.keys() {
        let cell = |kind: CheckKind| {
            let own = |check: &&Check| check.kind == kind && check.server == Some(*id);
            let Some(check) = of.checks.iter().find(own) else { return Line::default() };
            let style = match check.verdict {
                CheckVerdict::Pass => Style::Green,
                CheckVerdict::Fail => Style::Red,
                CheckVerdict::Unknown => Style::Dim,
            };
            Line::new(style, short(check))
        };
        table.row([
            Line::plain(id.to_string()),
            cell(CheckKind::ClientPort),
            cell(CheckKind::ElectionPort),
            cell(CheckKind::QuorumPort),
            cell(CheckKind::InSync),
        ]);
    }
    let mut text = Text::new();
    text.line(Line::new(Style::Bold, "Ports, as this machine reaches them"));
    text.append(table.to_text(of.width));
    text
}

/// A few words for a cell.
fn short(check: &Check) -> String {
    match &check.evidence {
        Evidence::Answers { at, .. } => format!("{at} answers"),
        Evidence::Silent { at, .. } => format!("{at} no answer"),
        Evidence::NotAsked => "not asked".to_owned(),
        Evidence::NotRunning => "not running".to_owned(),
        Evidence::LooksForLeader => "not serving".to_owned(),
        Evidence::NotLeader { .. } => "not tested".to_owned(),
        Evidence::Port { at, state } => format!("{at} {}", check_port(*state)),
        evidence => evidence::sentence(evidence),
    }
}

fn groups(checks: &[Check], counts: impl Fn(&Check) -> bool) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for check in checks.iter().filter(|check| counts(check)) {
        let says = evidence::sentence(&check.evidence);
        let same = |group: &&mut Group<'_>| {
            group.kind == check.kind && group.says == says && group.remedy == check.remedy
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.servers.extend(check.server),
            None => groups.push(Group {
                kind: check.kind,
                servers: check.server.into_iter().collect(),
                says,
                remedy: check.remedy,
                first: check,
            }),
        }
    }
    groups
}

fn section(title: &str, style: Style, groups: &[Group<'_>], width: usize) -> Text {
    let mut text = Text::new();
    if groups.is_empty() {
        return text;
    }
    text.line(Line::new(style, title));
    for group in groups {
        let lead = Line::plain("  ")
            .then(Style::Cyan, format!("{:<6}", group.kind.code()))
            .then(Style::Plain, format!("{:<16}", group.kind.name()));
        let who = if group.servers.is_empty() {
            String::new()
        } else {
            format!("{}: ", servers(&group.servers))
        };
        text.paragraph(lead, format!("{who}{}", group.says), width);
        let remedy = group.remedy.filter(|_| group.first.verdict != CheckVerdict::Pass);
        if let Some(remedy) = remedy {
            let lead = Line::plain(" ".repeat(24));
            text.paragraph(lead, Line::new(Style::Dim, what_to_do::remedy(remedy)), width);
        }
    }
    text
}

/// Why most checks of a joiner cannot be made yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotYet {
    /// It does not run.
    Running,
    /// It runs and does not serve.
    Serving,
}

/// Whether a check waits for a joiner. That of the epoch has a remedy of its own.
fn not_yet(check: &Check) -> Option<NotYet> {
    match (&check.evidence, check.remedy) {
        (Evidence::NotRunning, _) => Some(NotYet::Running),
        (Evidence::LooksForLeader, Some(CheckRemedy::EmptyDataDirectory)) => None,
        (Evidence::LooksForLeader, _) => Some(NotYet::Serving),
        _ => None,
    }
}

/// The joiners of which most checks are unknown for that reason.
fn waits_for(checks: &[Check], why: NotYet) -> BTreeSet<ServerId> {
    let waiting = checks.iter().filter(|check| not_yet(check) == Some(why));
    waiting.filter_map(|check| check.server).collect()
}

fn joiners(of: &PreflightScreen<'_>, why: NotYet) -> Text {
    let mut text = Text::new();
    let ids = waits_for(of.checks, why);
    if ids.is_empty() {
        return text;
    }
    let waits = |check: &&Check| not_yet(check) == Some(why);
    let kinds: BTreeSet<CheckKind> =
        of.checks.iter().filter(waits).map(|check| check.kind).collect();
    let missed = count_of(kinds.len(), "check");
    let one = ids.len() == 1;
    let (title, does, remedy) = match why {
        NotYet::Running if one => ("Not running yet", "does not run yet", CheckRemedy::StartJoiner),
        NotYet::Running => ("Not running yet", "do not run yet", CheckRemedy::StartJoiner),
        NotYet::Serving if one => {
            ("Not serving yet", "runs and does not serve yet", CheckRemedy::AskAgain)
        }
        NotYet::Serving => ("Not serving yet", "run and do not serve yet", CheckRemedy::AskAgain),
    };
    text.line(Line::new(Style::Yellow, title));
    let says = format!("{} {does}: {missed} cannot be made. A plan is possible", servers(&ids));
    text.paragraph("  ", says, of.width);
    let remedy = what_to_do::remedy(remedy);
    text.paragraph("  ", Line::new(Style::Dim, remedy), of.width);
    text
}

/// The counts, what is unknown, and the next command.
fn end(of: &PreflightScreen<'_>, fails: &[Group<'_>], unknown: &[Group<'_>]) -> Text {
    let count = |verdict: CheckVerdict, blocks: bool| {
        let counts = |check: &&Check| check.verdict == verdict && check.blocks == blocks;
        of.checks.iter().filter(counts).count()
    };
    let passed = count(CheckVerdict::Pass, false);
    let failed = count(CheckVerdict::Fail, true);
    let mut text = Text::new();
    let hint = if of.all || passed == 0 { "" } else { " (--all lists them)" };
    text.line(format!("{} passed{hint}.", count_of(passed, "check")));
    let names: BTreeSet<&str> = unknown.iter().map(|group| group.kind.name()).collect();
    let joiners = [(NotYet::Running, "not running"), (NotYet::Serving, "not serving")];
    let joiners = joiners.into_iter().filter_map(|(why, word)| {
        let ids = waits_for(of.checks, why);
        (!ids.is_empty()).then(|| format!("{} ({word})", servers(&ids)))
    });
    let names: Vec<String> = names.into_iter().map(str::to_owned).chain(joiners).collect();
    let not_known =
        if names.is_empty() { String::new() } else { format!(" Not known: {}.", list(names)) };
    let line = if failed > 0 {
        // One entry stands for all servers of which the same is true.
        let of_entries = if failed > fails.len() {
            format!(" ({}, some of them on several servers)", entries(fails.len()))
        } else {
            String::new()
        };
        let said = format!(
            "{} failed{of_entries}. Do not change this ensemble yet: fix what is listed under \"Fails\".",
            count_of(failed, "check")
        );
        Line::new(Style::Red, said)
    } else {
        Line::new(Style::Green, "No check failed: you can plan a change.")
    };
    let lead = match (of.is_again, failed) {
        (false, _) => "Next: ",
        (true, 1) => "Next, after the fix: ",
        (true, _) => "Next, after the fixes: ",
    };
    text.paragraph("", line.then(Style::Plain, not_known), of.width);
    text.line(Line::plain(lead).then(Style::Cyan, of.next.to_owned()));
    text
}

fn entries(count: usize) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::preflight::CredentialWord;
    use crate::preflight::fixture::Scene;

    fn shown(scene: &Scene, all: bool) -> String {
        let checks = scene.checks();
        let is_against = |check: &Check| check.verdict == CheckVerdict::Fail && check.blocks;
        let next = if checks.iter().any(is_against) {
            "zkplan preflight prod.yaml"
        } else {
            "zkplan plan prod.yaml"
        };
        let text = screen(&PreflightScreen {
            ensemble: "prod",
            seen: &scene.seen,
            checks: &checks,
            all,
            edits: &Edits::default(),
            next,
            is_again: next.starts_with("zkplan preflight"),
            width: 100,
        });
        text.to_string_with(false)
    }

    #[test]
    fn a_healthy_ensemble_with_a_joiner_that_does_not_run_yet() {
        let mut scene = Scene::new();
        scene.not_started(4);
        assert_snapshot!(shown(&scene, false));
    }

    #[test]
    fn a_joiner_that_runs_and_does_not_serve_has_a_section_of_its_own() {
        let mut scene = Scene::new();
        scene.not_started(4);
        scene.observed(4).status = crate::observe::ServerStatus::NotServing;
        let shown = shown(&scene, false);
        assert!(
            shown.contains("Not serving yet\n  server 4 runs and does not serve yet"),
            "{shown}"
        );
        assert!(shown.contains("server 4 (not serving)"), "{shown}");
        assert!(!shown.contains("not run yet") && !shown.contains("not running"), "{shown}");
    }

    #[test]
    fn what_fails_comes_first_with_its_remedy() {
        let mut scene = Scene::new();
        for number in [1, 2] {
            scene.of(number).credential = CredentialWord::Refused;
            scene.of(number).local_sessions = None;
        }
        scene.of(3).reconfig = Some(Err(crate::ensemble::ErrorCode::ReconfigDisabled));
        scene.observed(2).election_port = Some(crate::ensemble::PortState::Unreachable);
        scene.shows(1, "zookeeper.DigestAuthenticationProvider.superDigest", "super:x");
        assert_snapshot!(shown(&scene, false));
    }

    #[test]
    fn everything_is_listed_where_that_is_asked() {
        assert_snapshot!(shown(&Scene::new(), true));
    }
}

//! The status of an ensemble on one screen.
//!
//! In this order: which ensemble, its servers, what it tolerates, its data, the run and the lock,
//! retired servers, whether it can be changed, findings, what the spec wants, the rows of a
//! migration, and the next command.

use std::collections::BTreeSet;

pub use super::status_rows::evidence;
use super::text::{Line, Style, Text};
use super::{
    changes, clients, findings, head, law, open_run, phrases, plan, present, refusal, retired,
    status_rows,
};
use crate::apply::Occupied;
use crate::check::{ToleranceNow, Votes, Window};
use crate::model::ServerId;
use crate::observe::{Beside, Finding, FindingKind, Level, RetiredState, ServerStatus};
use crate::render::run::holder;
use crate::status::{Block, EnsembleStatus, JoinerLack, SpecVerdict};

/// What a status is of, as it was typed.
#[derive(Debug, Clone, Copy)]
pub enum StatusOf<'a> {
    /// A spec at this path.
    Spec(&'a str),
    /// The flags that lead to the ensemble, like `--connect zk1:2181`.
    Flags(&'a str),
}

/// Everything that the status screen shows.
#[derive(Debug, Clone, Copy)]
pub struct StatusScreen<'a> {
    /// The label of the ensemble.
    pub ensemble: &'a str,
    /// What was typed.
    pub of: StatusOf<'a>,
    /// The status.
    pub status: &'a EnsembleStatus<'a>,
    /// Columns of the terminal.
    pub width: usize,
}

/// The status screen.
pub fn screen(screen: &StatusScreen<'_>) -> Text {
    let StatusScreen { ensemble, of, status, width } = *screen;
    let known = &status.known;
    let mut text = head::head(ensemble, known.facts, Some(known.seen), width);
    text.section(servers(status, width));
    text.gap();
    for (name, style, said) in lines(status, of) {
        text.paragraph(named(name), Line::new(style, said), width);
    }
    text.append(on_retired(status, width));
    match blocks(status).as_slice() {
        [] => text.paragraph(
            named("Change"),
            Line::new(Style::Green, "nothing blocks a reconfig now"),
            width,
        ),
        all => {
            for said in all {
                let said = Line::new(Style::Red, "not possible now: ").then(Style::Plain, said);
                text.paragraph(named("Change"), said, width);
            }
        }
    }
    if let (Some(wanted), StatusOf::Spec(path)) = (known.wanted, of) {
        text.paragraph(named("Spec"), spec(wanted, path), width);
    }
    text.section(found(status, width));
    text.section(status_rows::rows(&status.rows, width));
    if let Some(command) = next(screen) {
        text.gap();
        text.line(Line::plain("Next: ").then(Style::Cyan, command));
    }
    text
}

/// The command that comes next, as it is typed. `None` where nothing is to be done.
pub fn next(screen: &StatusScreen<'_>) -> Option<String> {
    let StatusScreen { ensemble, of, status, .. } = *screen;
    let is_locked = status.blocks.iter().any(|block| matches!(block, Block::Locked(_)));
    let path = match of {
        StatusOf::Flags(flags) if is_locked => {
            return Some(format!("zkplan status {flags} --watch"));
        }
        StatusOf::Flags(flags) => return by_flags(flags, ensemble, status),
        StatusOf::Spec(path) => phrases::shell(path),
    };
    if let Some(command) = open_run::unproven(&path, &status.findings) {
        return Some(command);
    }
    let watch = || format!("zkplan status {path} --watch");
    if is_locked {
        return Some(watch());
    }
    if let Some(run) = &status.run {
        return Some(open_run::command(&path, run, &accepts(status)));
    }
    if status.blocks.iter().any(|block| block.code() == "reconfigDisabled") {
        return Some(format!("zkplan preflight {path}"));
    }
    match status.known.wanted? {
        SpecVerdict::Planned(checked) if checked.plan().is_empty() => {
            let is_left = !checked.plan().facts.left_to_do().is_empty() || !status.may_change();
            let follows = status.retired().any(|one| one.answer == Some(Beside::Follows));
            if is_left || follows { Some(watch()) } else { by_findings(&path, &status.findings) }
        }
        SpecVerdict::Planned(_) | SpecVerdict::Resumes(_) => {
            Some(format!("zkplan plan {path} --out plan.json"))
        }
        SpecVerdict::Refused(_) => Some(format!("zkplan plan {path}")),
    }
}

/// The command that comes next where no spec was given. An open run has its spec already: another one
/// would be in its way. An import never has the name of a spec that may be there.
fn by_flags(flags: &str, ensemble: &str, status: &EnsembleStatus<'_>) -> Option<String> {
    if status.run.is_some() || !not_asked(status).is_empty() {
        return None;
    }
    let label = phrases::shell(ensemble);
    Some(format!("zkplan import {flags} --ensemble {label} > {label}.imported.yaml"))
}

/// The command that shows what to edit, where the members are those of the spec and files are not.
fn by_findings(path: &str, findings: &[Finding]) -> Option<String> {
    let kinds = || findings.iter().map(|finding| &finding.kind);
    let differs = |kind: &FindingKind| matches!(kind, FindingKind::SettingsDiffer { .. });
    if kinds().any(differs) {
        return Some(format!("zkplan preflight {path}"));
    }
    let stale = kinds().find(|kind| matches!(kind, FindingKind::StaleContacts { .. }));
    stale.map(|kind| format!("zkplan explain {}", kind.code()))
}

/// What an apply that resumes the run has to accept, as it is typed after others.
fn accepts(status: &EnsembleStatus<'_>) -> String {
    let Some(SpecVerdict::Resumes(position)) = status.known.wanted else { return String::new() };
    let resumed = plan::Resumed {
        run: position.run,
        is_certain: position.is_certain,
        done: &position.done,
        now: status.known.facts,
        accepted: &[],
    };
    let risks = resumed.accepts(position.checked.plan());
    let flags = risks.iter().map(|risk| format!(" --accept {}", phrases::acceptance(risk)));
    flags.collect::<Vec<_>>().concat()
}

/// The status in one line: what a reader of a log wants to see change.
pub fn one_line(status: &EnsembleStatus<'_>) -> String {
    let seen = status.known.seen;
    let does = seen
        .servers
        .values()
        .map(|observed| format!("{} {}", observed.id, phrases::status(&observed.status).0));
    let mut parts = vec![
        format!("config version {}", seen.config.version),
        does.collect::<Vec<_>>().join(", "),
        format!("tolerates {}", phrases::count(status.tolerance.votes.spare(), "failure")),
    ];
    parts.extend(status.run.as_ref().map(|_| run(status)));
    parts.extend(status.blocks.iter().map(|block| format!("no change: {}", block.code())));
    parts.join("; ")
}

fn named(name: &str) -> Line {
    Line::new(Style::Bold, format!("{name:<7} "))
}

fn servers(status: &EnsembleStatus<'_>, width: usize) -> Text {
    let joiners: BTreeSet<ServerId> = status.joiners.iter().map(|joiner| joiner.id).collect();
    let is_well = |status: &ServerStatus| status.is_healthy();
    let unwell = status.known.seen.servers.values().filter(|observed| !is_well(&observed.status));
    let shown = unwell.map(|observed| observed.id).chain(joiners).collect();
    let lacks = |id: ServerId| {
        let joiner = status.joiners.iter().find(|joiner| joiner.id == id)?;
        match joiner.lacks.as_slice() {
            // The line above says why, or shows what it has.
            [] | [JoinerLack::Answer] => None,
            all => Some(format!("not ready: {}", phrases::list(all.iter().map(lack)))),
        }
    };
    present::with_lag(status.known.facts, status.known.seen, (&shown, &lacks), width)
}

/// What a joiner lacks, in a few words.
pub fn lack(lack: &JoinerLack) -> String {
    match lack {
        JoinerLack::Answer => "does not answer".to_owned(),
        JoinerLack::OwnId(other) => format!("answers with id {other}"),
        JoinerLack::Ensemble => "runs in another ensemble, or alone".to_owned(),
        JoinerLack::Leader => "follows no leader".to_owned(),
        JoinerLack::KnownId => "does not show its id".to_owned(),
        JoinerLack::Transactions(Some(behind)) => {
            format!("is {} behind", phrases::count(*behind, "transaction"))
        }
        JoinerLack::Transactions(None) => "is behind (how far is not known)".to_owned(),
        JoinerLack::SameData => "has data that differ from the leader's".to_owned(),
        JoinerLack::DataProof => "its data are not proven equal to the leader's".to_owned(),
        JoinerLack::WantedPorts => "listens on other ports than those of the spec".to_owned(),
        JoinerLack::ElectionPort => "its election port cannot be reached".to_owned(),
    }
}

/// The lines between the servers and what is possible.
fn lines(status: &EnsembleStatus<'_>, of: StatusOf<'_>) -> Vec<(&'static str, Style, String)> {
    let ToleranceNow { votes, without_zone } = &status.tolerance;
    let style = match votes.spare() {
        1.. => Style::Plain,
        0 => Style::Yellow,
        _ => Style::Red,
    };
    let not_asked = not_asked(status);
    let commits = status.known.seen.write_committed;
    let mut lines = vec![("Quorum", style, quorum(votes, &not_asked, commits))];
    if !not_asked.is_empty() {
        let place = match of {
            StatusOf::Spec(path) => format!("connect.servers of {path}"),
            StatusOf::Flags(_) => "--connect".to_owned(),
        };
        let their = if not_asked.len() == 1 {
            "its client address is"
        } else {
            "their client addresses are"
        };
        let said = format!(
            "{}: {their} not known. Name every server in {place}",
            phrases::servers(&not_asked)
        );
        lines.push(("Not asked", Style::Yellow, said));
    }
    if !without_zone.is_empty() {
        let (may, not): (Vec<_>, Vec<_>) =
            without_zone.iter().partition(|window| window.votes.spare() >= 0);
        let style = if not.is_empty() { Style::Plain } else { Style::Yellow };
        let names = |all: &[&Window]| {
            all.iter().map(|one| one.zone.as_str()).collect::<Vec<_>>().join(" or ")
        };
        let said = match (may.as_slice(), not.as_slice()) {
            (_, []) => "tolerates the loss of any one zone".to_owned(),
            ([], _) => "the loss of any one zone stops writes".to_owned(),
            (may, not) => {
                format!("tolerates the loss of {}, not of {}", names(may), names(not))
            }
        };
        lines.push(("Zones", style, said));
    }
    lines.push(("Data", Style::Plain, data(status)));
    let is_open = status.run.is_some() || status.known.journal.is_none();
    let style = if is_open { Style::Yellow } else { Style::Plain };
    lines.push(("Run", style, run(status)));
    if let Some(lock) = status.known.journal.and_then(|journal| journal.lock.as_ref()) {
        let by = lock
            .text
            .as_ref()
            .map_or_else(|| "a client whose text this version cannot read".to_owned(), holder);
        lines.push(("Lock", Style::Yellow, format!("held by {by}")));
    } else if status.run.is_some() {
        lines.push(("Lock", Style::Plain, "free: no apply runs now".to_owned()));
    }
    lines.extend(retired_servers(status).map(|said| ("Retired", Style::Plain, said)));
    lines
}

/// Members whose client addresses are not known.
fn not_asked(status: &EnsembleStatus<'_>) -> BTreeSet<ServerId> {
    let seen = status.known.seen;
    let members = seen.servers.values().filter(|s| seen.config.membership.contains(s.id));
    let not_asked = members.filter(|observed| observed.status == ServerStatus::NotAsked);
    not_asked.map(|observed| observed.id).collect()
}

/// `commits`: whether a write was seen to commit. A server can acknowledge writes that zkplan does not
/// count for a change, since it was not asked, or runs with another configuration.
fn quorum(votes: &Votes, not_asked: &BTreeSet<ServerId>, commits: bool) -> String {
    let Votes { voters, acking, need } = votes;
    let away: BTreeSet<ServerId> = voters.difference(acking).copied().collect();
    let (unasked, missing): (BTreeSet<ServerId>, BTreeSet<ServerId>) =
        away.into_iter().partition(|id| not_asked.contains(id));
    let is_all_unasked = missing.is_empty() && !unasked.is_empty();
    let parts = [("missing", missing), ("not asked", unasked)].into_iter();
    let parts = parts.filter(|(_, ids)| !ids.is_empty());
    let parts: Vec<String> =
        parts.map(|(word, ids)| format!("{word}: {}", phrases::list(&ids))).collect();
    let missing = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) };
    let then = match votes.spare() {
        ..0 if commits && is_all_unasked => {
            "writes commit; whether the others are in sync is not known".to_owned()
        }
        ..0 if commits => "writes commit, but too few are known to be in sync".to_owned(),
        ..0 => "too few for writes".to_owned(),
        spare => format!("tolerates {} now", phrases::count(spare, "failure")),
    };
    format!(
        "{need} of {} needed, {} in sync{missing}: {then}",
        phrases::count_of(voters.len(), "voter"),
        acking.len()
    )
}

fn data(status: &EnsembleStatus<'_>) -> String {
    let seen = status.known.seen;
    let leader = seen.leader.and_then(|id| seen.servers.get(&id));
    let figures = leader.map(|leader| &leader.data);
    let znodes = figures.and_then(|data| data.znodes);
    let znodes = znodes.map_or_else(
        || "number of znodes not known".to_owned(),
        |znodes| phrases::count(znodes, "znode"),
    );
    let size = figures
        .and_then(|data| data.bytes)
        .map_or_else(|| "size not known (the leader does not answer mntr)".to_owned(), bytes);
    let writes = status.known.writes.map_or_else(
        || "writes a second not measured".to_owned(),
        |rate| {
            let seconds = format!("{}.{}", rate.over_ms / 1000, rate.over_ms % 1000 / 100);
            format!("{} a second over {seconds} s", phrases::count(rate.per_second(), "write"))
        },
    );
    format!("{znodes}, {size}, {writes}")
}

/// A size, in the largest unit of which there is one.
fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)];
    UNITS.iter().find(|(_, size)| bytes >= *size).map_or_else(
        || phrases::count(bytes, "byte"),
        |(unit, size)| format!("{}.{} {unit}", bytes / size, bytes % size * 10 / size),
    )
}

/// The run that is open, and what is left of it.
pub fn run(status: &EnsembleStatus<'_>) -> String {
    let Some(journal) = status.known.journal else {
        return "not known: the journal could not be read".to_owned();
    };
    let Some(run) = &status.run else { return "none is open".to_owned() };
    let seen = if run.is_masked { phrases::AS_FAR_AS_SEEN } else { "" };
    let opened = if run.opened_by.is_empty() {
        String::new()
    } else {
        format!(", opened by {} at {}", run.opened_by, run.opened_at)
    };
    let left = journal.position.as_ref().map_or_else(
        || "its plan cannot be read, or no longer fits the present members".to_owned(),
        |position| open_run::progress(position.checked.plan(), &position.done),
    );
    format!("{seen}run {} is open{opened}; {left}", run.number)
}

/// Retired servers, those that do the same together.
fn retired_servers<'a>(status: &'a EnsembleStatus<'_>) -> impl Iterator<Item = String> + use<'a> {
    let does = |answer: Option<Beside>| match answer {
        None => "stopped, as far as zkplan sees: no server with this id answers there",
        Some(Beside::Follows) => retired::STILL_FOLLOWS,
        Some(Beside::Serves(_)) => "SERVES OLD DATA outside this ensemble",
        Some(Beside::NotKnown(_)) => "a server answers; not known whether it is the old one",
    };
    let mut kinds: Vec<&'static str> = status.retired().map(|one| does(one.answer)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.into_iter().map(move |kind| {
        let same = status.retired().filter(|one| does(one.answer) == kind);
        let servers = same.map(|one| {
            let at = one.at.as_ref().map_or_else(String::new, |at| format!(" at {at}"));
            let clients = one.clients.as_ref().map_or_else(String::new, |all| {
                format!(", {}", phrases::count(all.count, "client"))
            });
            format!("{}{at} (run {}{clients})", one.id, one.run)
        });
        format!("{}: {kind}", phrases::list(servers))
    })
}

/// The clients of retired servers that still follow, where the servers show more than their number.
fn on_retired(status: &EnsembleStatus<'_>, width: usize) -> Text {
    let shown = status.retired().filter_map(|one| {
        let clients = one.clients.clone().filter(|all| !all.sessions.is_empty());
        clients.map(|clients| Occupied { server: one.id, clients: Some(clients), came: 0 })
    });
    clients::occupied(&shown.collect::<Vec<_>>(), width)
}

/// Why nothing can be changed now, a sentence for each reason.
pub fn blocks(status: &EnsembleStatus<'_>) -> Vec<String> {
    status.blocks.iter().map(|one| block(one, status)).collect()
}

/// Whether writes commit, and every voter that was not seen in sync was not asked.
fn is_for_want_of_asking(status: &EnsembleStatus<'_>) -> bool {
    let Votes { voters, acking, .. } = &status.tolerance.votes;
    let not_asked = not_asked(status);
    status.known.seen.write_committed && voters.difference(acking).all(|id| not_asked.contains(id))
}

/// A reason why nothing can be changed now.
pub fn block(block: &Block, status: &EnsembleStatus<'_>) -> String {
    match block {
        Block::Unhealthy(breach) if block.code() == "noQuorum" && is_for_want_of_asking(status) => {
            format!(
                "{}: too few voters were asked to know whether a reconfig would commit",
                law::code(breach)
            )
        }
        Block::Unhealthy(breach) => {
            format!("{}: {}", law::code(breach), refusal::sentence(breach, &status.findings))
        }
        Block::ToAccept(finding) => {
            let code = finding.kind.code();
            format!("{code} must be accepted first: {}", findings::finding(finding))
        }
        Block::Retired(finding) | Block::FolderNotProven(finding) => {
            format!("{}: {}", finding.kind.code(), findings::finding(finding))
        }
        Block::Locked(by) => {
            let by = by.as_ref().map(|by| format!(": {}", holder(by)));
            format!("another apply holds the lock{}", by.unwrap_or_default())
        }
        Block::OpenRun(number) => match status.known.wanted {
            Some(_) => {
                format!("run {number} is open, and an apply of this spec does not resume it")
            }
            None => format!(
                "run {number} is open. Finish it with the spec or the plan that it was started from, \
                 or abandon it: zkplan status with that spec has the next command"
            ),
        },
        Block::JournalUnread => {
            "it is not known whether a run is open: no server accepts a session, or the journal \
             cannot be read"
                .to_owned()
        }
    }
}

/// What the spec wants beyond what is there.
pub fn spec(wanted: &SpecVerdict, path: &str) -> String {
    match wanted {
        SpecVerdict::Resumes(position) => {
            format!("{path}: an apply resumes run {}", position.run)
        }
        SpecVerdict::Planned(checked) => format!("{path}: {}", plan::in_short(checked)),
        SpecVerdict::Refused(refusal) => {
            // Restarts alone change no member.
            let changes = changes::tally(&refusal.nearest);
            let changes = if changes.is_empty() { changes } else { format!("{changes}; ") };
            let codes = phrases::list(law::codes(&refusal.breaches));
            format!("{path}: {changes}no safe plan now ({codes})")
        }
    }
}

/// Findings that no other part of the screen shows.
fn found(status: &EnsembleStatus<'_>, width: usize) -> Text {
    let blocked = status.blocks.iter().filter_map(|block| match block {
        Block::ToAccept(finding) | Block::Retired(finding) | Block::FolderNotProven(finding) => {
            Some(finding)
        }
        _ => None,
    });
    let blocked: Vec<_> = blocked.collect();
    let is_shown = |kind: &FindingKind| {
        matches!(
            kind,
            FindingKind::MemberSilent
                | FindingKind::MemberNotAsked
                | FindingKind::MemberDisagrees
                | FindingKind::MemberKeepsItsFile
                | FindingKind::ConfigNotInForce
                | FindingKind::MemberClosesConnections
                | FindingKind::RetiredAnswers {
                    state: RetiredState::Follow | RetiredState::NotKnown,
                    ..
                }
        )
    };
    let others = status.findings.iter().filter(|one| !is_shown(&one.kind));
    let others = others.filter(|one| !blocked.contains(one));
    let (bugs, others): (Vec<&Finding>, Vec<&Finding>) =
        others.partition(|one| matches!(one.kind, FindingKind::KnownBug { .. }));
    let mut text = present::of_findings(others, &[], width);
    if let Some(said) = known_bugs(&bugs) {
        if text.is_empty() {
            text.line(Line::new(Style::Bold, "Findings"));
        }
        let (word, style) = phrases::level(Level::Warning);
        let lead = Line::new(style, format!("  {word:<9}  ")).then(Style::Plain, "ZKF1   ");
        text.paragraph(lead, said, width);
    }
    text
}

/// The bugs of the releases that run, by name: what each does is on the screen of a plan.
fn known_bugs(bugs: &[&Finding]) -> Option<String> {
    let mut releases = BTreeSet::new();
    let mut issues = BTreeSet::new();
    for bug in bugs {
        if let FindingKind::KnownBug { version, issue } = bug.kind {
            releases.insert(version);
            issues.insert(issue.name());
        }
    }
    (!issues.is_empty())
        .then(|| format!("known bugs of {}: {}", phrases::list(releases), phrases::list(issues)))
}

#[cfg(test)]
mod tests;

//! How an ensemble differs from its spec, in words.

use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use super::{findings, head, phrases};
use crate::diff::{Change, ChangeKind};
use crate::drift::{Applied, ChangedBy, Difference, DriftKind, DriftSeverity, LastApplied};
use crate::observe::{Facts, Observation};

/// What came of one spec.
#[derive(Debug, Clone, Copy)]
pub struct DriftScreen<'a> {
    /// The label of the ensemble.
    pub ensemble: &'a str,
    /// The spec, as it was typed.
    pub spec: &'a str,
    /// What was seen.
    pub seen: &'a Observation,
    /// The facts that follow.
    pub facts: &'a Facts,
    /// What the journal says; `None` where it could not be read.
    pub applied: Option<&'a Applied>,
    /// What differs.
    pub differences: &'a [Difference],
    /// Columns of the terminal.
    pub width: usize,
}

/// The screen of one spec.
pub fn screen(of: &DriftScreen<'_>) -> Text {
    let DriftScreen { ensemble, seen, facts, applied, differences, width, .. } = *of;
    let mut text = head::head(ensemble, facts, Some(seen), width);
    text.paragraph("", Line::new(Style::Dim, last_applied(applied)), width);
    for severity in [DriftSeverity::Drift, DriftSeverity::Warning] {
        let of_it: Vec<&Difference> =
            differences.iter().filter(|one| one.severity() == severity).collect();
        let Some(first) = of_it.first() else { continue };
        let (title, style) = match first.severity() {
            DriftSeverity::Drift => ("Drift", Style::Red),
            DriftSeverity::Warning => ("Warnings", Style::Yellow),
        };
        text.gap();
        text.line(Line::new(Style::Bold, title));
        for one in of_it {
            text.paragraph(Line::new(style, "  - "), what(one), width);
            let by = whose(one, applied);
            if !by.is_empty() {
                text.paragraph("    ", Line::new(Style::Dim, by), width);
            }
        }
    }
    text.gap();
    let lead = if has_drift(differences) {
        Line::new(Style::Yellow, "Drift.")
    } else {
        Line::new(Style::Green, "No drift.")
    };
    text.paragraph("", lead.then(Style::Plain, format!(" {}", in_short(of))), width);
    if let Some(next) = next(of) {
        text.line(Line::plain("Next: ").then(Style::Cyan, next));
    }
    text
}

/// Whether the ensemble is not as it is wanted.
pub fn has_drift(differences: &[Difference]) -> bool {
    differences.iter().any(|one| one.severity() == DriftSeverity::Drift)
}

/// One sentence for all of it.
pub fn in_short(of: &DriftScreen<'_>) -> String {
    let count = |severity| of.differences.iter().filter(|one| one.severity() == severity).count();
    let (drift, warnings) = (count(DriftSeverity::Drift), count(DriftSeverity::Warning));
    let warned = match warnings {
        0 => String::new(),
        n => format!(", {}", phrases::count_of(n, "warning")),
    };
    match drift {
        0 => format!("Ensemble {} is as {} wants it{warned}.", of.ensemble, of.spec),
        n => format!(
            "Ensemble {} differs from {}: {}{warned}.",
            of.ensemble,
            of.spec,
            phrases::count_of(n, "difference")
        ),
    }
}

/// The command that comes next; `None` where nothing is to be done.
pub fn next(of: &DriftScreen<'_>) -> Option<String> {
    let spec = phrases::shell(of.spec);
    let has = |test: fn(&DriftKind) -> bool| of.differences.iter().any(|one| test(&one.kind));
    if has(|kind| matches!(kind, DriftKind::OpenRun(_))) {
        return Some(format!("zkplan status {spec}"));
    }
    if has(|kind| matches!(kind, DriftKind::Member { .. } | DriftKind::Setting(_))) {
        return Some(format!("zkplan plan {spec}"));
    }
    if has(|kind| matches!(kind, DriftKind::Version { .. })) && !has_drift(of.differences) {
        return Some(format!("zkplan history {spec}"));
    }
    (!of.differences.is_empty()).then(|| format!("zkplan status {spec}"))
}

/// The last run that was completed.
fn last_applied(applied: Option<&Applied>) -> String {
    let Some(Applied { last, is_certain, .. }) = applied else {
        return "the journal of zkplan could not be read".to_owned();
    };
    let Some(LastApplied { run, by, reason, at, .. }) = last else {
        return "no completed run of zkplan is on record here".to_owned();
    };
    let seen = if *is_certain { "" } else { phrases::AS_FAR_AS_SEEN };
    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{seen}last applied: run {run} by {by}, completed {at}{reason}")
}

/// What differs.
pub fn what(difference: &Difference) -> String {
    match &difference.kind {
        DriftKind::Member { change, .. } => member(change),
        DriftKind::Version { applied, live } => format!(
            "the config version is {live}, the last run of zkplan made {applied}; the members are \
             as they were"
        ),
        DriftKind::Setting(setting) => format!(
            "setting {} on {}: wanted {}, seen {}",
            setting.setting,
            phrases::servers(&setting.servers),
            setting.wanted,
            setting.seen
        ),
        DriftKind::MembersDown(down) => {
            let verb = if down.len() == 1 { "is" } else { "are" };
            format!("{} {verb} not up and in sync", phrases::servers(down))
        }
        DriftKind::OpenRun(run) => format!("run {run} is open"),
        DriftKind::RetiredRun { run, servers, serve } => {
            let (one, verb) = (servers.len() == 1, if *serve { "serve" } else { "run" });
            let still = if *serve { "clients outside the ensemble" } else { "without a vote" };
            let verb = if one { format!("{verb}s") } else { verb.to_owned() };
            format!("{}, retired by run {run}, still {verb} {still}", phrases::servers(servers))
        }
        DriftKind::MembersRetired { run, members } => {
            let verb = if members.len() == 1 { "is a member" } else { "are members" };
            format!("{}, retired by run {run}, {verb} again", phrases::servers(members))
        }
        DriftKind::Finding(finding) => {
            format!("{}: {}", finding.kind.code(), findings::finding(finding))
        }
        DriftKind::JournalUnread => {
            "the journal could not be read: whether a run is open, and whose a change is, is not \
             known"
                .to_owned()
        }
    }
}

fn member(change: &Change) -> String {
    let Change { id, before, after, kind } = change;
    let line = |server: &Option<crate::model::Server>| {
        server.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    match kind {
        ChangeKind::Join => {
            format!("server {id} is in the spec and no member; wanted {}", line(after))
        }
        ChangeKind::Leave => {
            format!("server {id} is a member and not in the spec; live {}", line(before))
        }
        ChangeKind::Promote
        | ChangeKind::Demote
        | ChangeKind::Readdress(_)
        | ChangeKind::Replace
        | ChangeKind::RoleAndAddress
        | ChangeKind::Regroup => {
            format!("server {id} differs: live {}, wanted {}", line(before), line(after))
        }
    }
}

/// Whose change it is, and what shows that; empty where nothing is to be said.
pub fn whose(difference: &Difference, applied: Option<&Applied>) -> String {
    let last = applied.and_then(|applied| applied.last.as_ref());
    let run = last.map(|last| format!("run {}", last.run)).unwrap_or_default();
    let is_member = matches!(difference.kind, DriftKind::Member { .. });
    match (difference.by, &difference.kind) {
        (ChangedBy::Spec, _) => {
            format!("the spec was changed after {run}: the ensemble is as that run left it")
        }
        (ChangedBy::OtherClient, DriftKind::Version { .. }) => {
            "another client than zkplan has sent a reconfig, or an unlock a fence; ZooKeeper does \
             not record who"
                .to_owned()
        }
        (ChangedBy::OtherClient, _) => format!(
            "not zkplan's: changed by another client after {run}; ZooKeeper does not record who"
        ),
        (ChangedBy::Both, _) => {
            format!("both the spec and, by another client, the ensemble were changed after {run}")
        }
        (ChangedBy::OpenRun, DriftKind::OpenRun(_)) => String::new(),
        (ChangedBy::OpenRun, _) => "a run of zkplan is open and may be bringing it".to_owned(),
        (ChangedBy::Unknown, _) if is_member && last.is_none() => {
            "whose change it is is not known: no completed run is on record".to_owned()
        }
        (ChangedBy::Unknown, _) if is_member => {
            format!("whose change it is is not known: the plan of {run} cannot be read")
        }
        (ChangedBy::Unknown, _) => String::new(),
    }
}

/// One spec of many.
#[derive(Debug, Clone)]
pub struct DriftRow<'a> {
    /// The label of the ensemble; `None` where the spec cannot be read.
    pub ensemble: Option<&'a str>,
    /// The spec, as it was typed.
    pub spec: &'a str,
    /// What came of it; `None` where the ensemble was not seen.
    pub differences: Option<&'a [Difference]>,
    /// The exit code that it would have alone.
    pub exit_code: u8,
}

/// One table for many specs, a line each.
pub fn table(rows: &[DriftRow<'_>], width: usize) -> Text {
    let mut table = Table::new([
        Column::words("ensemble"),
        Column::paths("spec"),
        Column::words("verdict"),
        Column::numbers("drift"),
        Column::numbers("warnings"),
        Column::numbers("exit"),
    ]);
    for DriftRow { ensemble, spec, differences, exit_code } in rows {
        let count = |severity| {
            let counted = differences
                .map(|all| all.iter().filter(|one| one.severity() == severity).count().to_string());
            Line::plain(counted.unwrap_or_else(|| "-".to_owned()))
        };
        let verdict = match differences {
            None => Line::new(Style::Red, "not seen"),
            Some(all) if has_drift(all) => Line::new(Style::Yellow, "drift"),
            Some(_) => Line::new(Style::Green, "no drift"),
        };
        table.row([
            Line::plain(ensemble.unwrap_or("-")),
            Line::plain(*spec),
            verdict,
            count(DriftSeverity::Drift),
            count(DriftSeverity::Warning),
            Line::plain(exit_code.to_string()),
        ]);
    }
    table.to_text(width)
}

#[cfg(test)]
mod tests;

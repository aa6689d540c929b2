//! The rows of a migration onto new servers, a line each.

use std::collections::{BTreeMap, BTreeSet};

use super::phrases;
use super::text::{Line, Style, Text};
use crate::model::ServerId;
use crate::status::{MigrationRow, RowEvidence, RowState};

/// The rows; nothing where none applies.
pub(super) fn rows(rows: &[MigrationRow], width: usize) -> Text {
    let mut text = Text::new();
    if rows.is_empty() {
        return text;
    }
    text.line(Line::new(Style::Bold, "Migration"));
    for row in rows {
        let (word, style) = state(row.state);
        let lead = Line::plain(format!("  M{:<2}  ", row.number))
            .then(style, format!("{word:<7}"))
            .then(Style::Plain, format!("  {:<13}  ", name(row.number)));
        text.paragraph(lead, evidence(row), width);
    }
    text
}

const fn state(state: RowState) -> (&'static str, Style) {
    match state {
        RowState::Done => ("done", Style::Green),
        RowState::Waiting => ("waiting", Style::Yellow),
        RowState::NotYet => ("not yet", Style::Yellow),
        RowState::Unknown => ("unknown", Style::Dim),
    }
}

/// What a row is about, in a word or two.
const fn name(number: u8) -> &'static str {
    match number {
        1 => "versions",
        2 => "addresses",
        3 => "ports",
        4 => "run",
        5 => "super user",
        6 => "settings",
        7 => "archive",
        8 => "joiners",
        9 => "configuration",
        10 => "signed in",
        11 => "added",
        12 => "data in sync",
        13 => "clients",
        14 => "removed",
        _ => "stopped",
    }
}

/// What shows how far a row is.
pub fn evidence(row: &MigrationRow) -> String {
    let servers = phrases::servers;
    let some = |what: &str, ids: &BTreeSet<_>| match ids.len() {
        0 => String::new(),
        _ => format!("{what} {}", phrases::list(ids)),
    };
    let joined = |parts: [String; 2]| {
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join("; ") }
    };
    match &row.evidence {
        RowEvidence::Versions { releases, unknown } => {
            let releases =
                if releases.is_empty() { String::new() } else { phrases::list(releases) };
            joined([releases, unknown_of(unknown)])
        }
        RowEvidence::Configuration { version: _, without_address } if row.number == 2 => {
            addresses(without_address)
        }
        RowEvidence::Configuration { version, without_address: _ } => {
            format!("configuration {version} was read")
        }
        RowEvidence::Ports { open, closed, untried } => {
            let closed = some("closed on", closed);
            let untried = some("not running yet, or not tried:", untried);
            joined([joined_some(some("open, tried from this machine:", open), closed), untried])
        }
        RowEvidence::Run(Some(run)) => format!("run {run} is open"),
        RowEvidence::Run(None) => "no run is open; zkplan apply opens it".to_owned(),
        RowEvidence::Credential => {
            "status sends no password; zkplan preflight tries it on every server".to_owned()
        }
        RowEvidence::Settings(disabled) if disabled.is_empty() => {
            "reconfigEnabled is true; zkplan preflight checks superDigest and limits".to_owned()
        }
        RowEvidence::Settings(disabled) => {
            format!("reconfigEnabled=false on {}", servers(disabled))
        }
        RowEvidence::Archive(have) if row.state == RowState::Done => {
            format!("not needed: the data are on {}", servers(have))
        }
        RowEvidence::Archive(_) => {
            "optional: new servers copy the data from the leader; for much data: zkplan explain \
             archives"
                .to_owned()
        }
        RowEvidence::Joining { yes, no } => {
            let [is, is_not] = match row.number {
                8 => ["follow:", "do not follow yet:"],
                11 => ["members:", "not members yet:"],
                _ => ["proven:", "not proven yet:"],
            };
            joined([some(is, yes), some(is_not, no)])
        }
        RowEvidence::Committed(by) => committed(*by),
        RowEvidence::Clients { on, unknown } if on.is_empty() && unknown.is_empty() => {
            "no server that leaves answers".to_owned()
        }
        RowEvidence::Clients { on, unknown } => {
            joined([clients(on), some("not known on", unknown)])
        }
        RowEvidence::Removed { removed, left } => {
            joined([some("removed:", removed), some("still members:", left)])
        }
        RowEvidence::Stopped { answering, silent, members } => {
            let first = joined_some(some("still answer:", answering), some("no answer:", silent));
            joined([first, some("still members:", members)])
        }
    }
}

/// Servers whose release is not known.
fn unknown_of(unknown: &BTreeSet<ServerId>) -> String {
    if unknown.is_empty() {
        return String::new();
    }
    format!("that of {} is not known", phrases::servers(unknown))
}

/// Whether the client addresses of all members are known.
fn addresses(without: &BTreeSet<ServerId>) -> String {
    if without.is_empty() {
        return "the client address of every member is known".to_owned();
    }
    format!("the client address of {} is not known", phrases::servers(without))
}

/// Which run has shown that its user is accepted, with how many reconfigs.
fn committed(by: Option<(u64, usize)>) -> String {
    by.map_or_else(
        || "status sends no password; the first reconfig of a run shows it".to_owned(),
        |(run, reconfigs)| {
            format!("run {run} has committed {}", phrases::count_of(reconfigs, "reconfig"))
        },
    )
}

/// How many clients are on each server.
fn clients(on: &BTreeMap<ServerId, u64>) -> String {
    let on = on.iter().map(|(id, count)| format!("{} on {id}", phrases::count(*count, "client")));
    let on: Vec<String> = on.collect();
    if on.is_empty() { String::new() } else { phrases::list(on) }
}

/// Two parts, where there are any.
fn joined_some(one: String, other: String) -> String {
    let parts: Vec<String> = [one, other].into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_its_line_on_the_page_of_status() {
        let page = crate::explain::page("status").expect("a page");
        for number in 1..=15 {
            let row = format!("    M{number:<2} {:<13}  ", name(number));
            assert_eq!(page.lines().filter(|line| line.starts_with(&row)).count(), 1, "{row}");
        }
    }
}

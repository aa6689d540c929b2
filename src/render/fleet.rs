//! The status or the checks of many ensembles in one table.

use super::preflight::{PreflightScreen, words_for_evidence};
use super::status::{self, StatusScreen};
use super::summary;
use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use super::{changes, law, phrases};
use crate::check::Votes;
use crate::observe::ObserveError;
use crate::preflight::{Check, CheckVerdict};
use crate::status::{EnsembleStatus, SpecVerdict};

/// What a table of many ensembles is about.
#[derive(Debug, Clone, Copy)]
pub struct FleetTable {
    /// What stands above the paths.
    head: &'static str,
    /// The command that shows one of them in full.
    details: &'static str,
}

impl FleetTable {
    /// The table of `zkplan status`.
    pub const STATUS: Self = Self { head: "spec", details: "zkplan status SPEC" };
    /// The table of `zkplan preflight`.
    pub const PREFLIGHT: Self = Self { head: "file", details: "zkplan preflight FILE" };
}

/// One ensemble of many.
#[derive(Debug, Clone, Copy)]
pub struct FleetRow<'a> {
    /// The label of the ensemble; `None` where the file cannot be used.
    pub ensemble: Option<&'a str>,
    /// The path of the file, as it was typed.
    pub file: &'a str,
    /// What came of it.
    pub cells: &'a FleetCells,
    /// The exit code that it would have alone.
    pub exit_code: u8,
}

/// The columns between the path and the exit code.
const COLUMNS: [Column; CELLS] = [
    Column::words("verdict"),
    Column::words("change"),
    Column::numbers("failed"),
    Column::numbers("advice"),
    Column::numbers("unknown"),
    Column::numbers("in sync"),
    Column::numbers("tolerates"),
];
const CELLS: usize = 7;

/// How far what stands below a row is indented.
const BELOW: usize = 4;

/// What the row of one ensemble says.
#[derive(Debug, Clone)]
pub struct FleetCells {
    cells: [Line; CELLS],
    below: Option<Below>,
}

/// What stands below a row; nothing where nothing is to be done.
#[derive(Debug, Clone)]
enum Below {
    /// The first reason why not.
    Reason(String),
    /// The command that comes next.
    Next(String),
}

impl FleetCells {
    /// The status of an ensemble.
    pub fn of_status(screen: &StatusScreen<'_>) -> Self {
        let status = screen.status;
        let (change, below) = match status.blocks.first() {
            Some(block) => (
                Line::new(Style::Red, "not now"),
                Some(Below::Reason(status::block(block, status))),
            ),
            None => (Line::new(Style::Green, "possible"), status::next(screen).map(Below::Next)),
        };
        let [in_sync, tolerates] = of_votes(&status.tolerance.votes);
        let none = Line::default;
        let cells = [wanted(status), change, none(), none(), none(), in_sync, tolerates];
        Self { cells, below }
    }

    /// The checks of an ensemble that has these votes.
    pub fn of_preflight(screen: &PreflightScreen<'_>, votes: &Votes) -> Self {
        let of = |verdict: CheckVerdict, blocks: bool| {
            let is_one = move |check: &&Check| check.verdict == verdict && check.blocks == blocks;
            screen.checks.iter().filter(is_one)
        };
        let counts = [(CheckVerdict::Fail, true), (CheckVerdict::Fail, false)];
        let [failed, advised] = counts.map(|(verdict, blocks)| of(verdict, blocks).count());
        let unknown = of(CheckVerdict::Unknown, false).count();
        let first = of(CheckVerdict::Fail, true).next().map(check);
        let style = if first.is_some() { Style::Red } else { Style::Plain };
        let verdict = if first.is_some() {
            Line::new(Style::Red, "not ready")
        } else {
            Line::new(Style::Green, "ready")
        };
        let next = || Below::Next(screen.next.to_owned());
        let below = Some(first.map_or_else(next, Below::Reason));
        let failed = Line::new(style, failed.to_string());
        let [advised, unknown] = [advised, unknown].map(|n| Line::plain(n.to_string()));
        let [in_sync, tolerates] = of_votes(votes);
        let cells = [verdict, Line::default(), failed, advised, unknown, in_sync, tolerates];
        Self { cells, below }
    }

    /// There is no ensemble to look at.
    pub fn not_seen(error: &ObserveError) -> Self {
        let why = match error {
            ObserveError::Unreachable { tried } => tried.first().map_or_else(
                || error.to_string(),
                |one| format!("{}: {}", one.endpoint, phrases::silence(one.silence)),
            ),
            _ => error.to_string(),
        };
        Self::failed(summary::unreachable(error), why)
    }

    /// Something else is in the way: in a few words, and in a sentence.
    pub fn failed(verdict: &str, why: String) -> Self {
        let mut cells = std::array::from_fn(|_| Line::default());
        cells[0] = Line::new(Style::Red, verdict);
        Self { cells, below: Some(Below::Reason(why)) }
    }
}

/// What the spec wants beyond what is there, in a few words.
fn wanted(status: &EnsembleStatus<'_>) -> Line {
    let is_open = |run: u64| Line::new(Style::Yellow, format!("run {run} is open"));
    if let Some(run) = &status.run {
        return is_open(run.number);
    }
    match status.known.wanted {
        None => Line::default(),
        Some(SpecVerdict::Resumes(position)) => is_open(position.run),
        Some(SpecVerdict::Refused(refusal)) => {
            let codes = phrases::list(law::codes(&refusal.breaches));
            Line::new(Style::Red, format!("refused: {codes}"))
        }
        Some(SpecVerdict::Planned(checked)) if checked.plan().is_empty() => {
            summary::without_changes(checked.plan())
        }
        Some(SpecVerdict::Planned(checked)) => {
            let tally = changes::tally(checked.plan());
            // Restarts change no member.
            Line::plain(if tally.is_empty() { "restarts".to_owned() } else { tally })
        }
    }
}

/// Voters in sync, of all voters; and the failures that are tolerated, if writes commit at all.
fn of_votes(votes: &Votes) -> [Line; 2] {
    let in_sync = format!("{} of {}", votes.acking.len(), votes.voters.len());
    let tolerates = match votes.spare() {
        spare @ 1.. => Line::plain(spare.to_string()),
        0 => Line::new(Style::Yellow, "0"),
        _ => Line::new(Style::Red, "-"),
    };
    [Line::plain(in_sync), tolerates]
}

/// A check that failed.
fn check(check: &Check) -> String {
    let of = check.server.map_or_else(String::new, |id| format!("server {id}: "));
    let says = words_for_evidence(&check.evidence);
    format!("{} {}: {of}{says}", check.kind.code(), check.kind.name())
}

/// One table for many ensembles, in the order given: a line each, and below it the first reason or the
/// command that comes next.
pub fn table(of: &FleetTable, rows: &[FleetRow<'_>], width: usize) -> Text {
    let ends = [Column::words("ensemble"), Column::paths(of.head), Column::numbers("exit")];
    let [ensemble, path, exit] = ends;
    let mut table = Table::new([ensemble, path].into_iter().chain(COLUMNS).chain([exit]));
    let is_used: [bool; CELLS] =
        std::array::from_fn(|at| rows.iter().any(|row| row.cells.cells[at].width() > 0));
    for FleetRow { ensemble, file, cells: FleetCells { cells, below }, exit_code } in rows {
        let cells = cells.iter().zip(is_used).map(|(cell, is_used)| {
            if is_used && cell.width() == 0 { Line::plain("-") } else { cell.clone() }
        });
        let ends = [Line::plain(ensemble.unwrap_or("-")), Line::plain(*file)];
        table.row(ends.into_iter().chain(cells).chain([Line::plain(exit_code.to_string())]));
        match below {
            Some(Below::Reason(why)) => table.across(BELOW, Line::new(Style::Dim, why)),
            Some(Below::Next(command)) => {
                table.whole(BELOW, Line::plain("Next: ").then(Style::Cyan, command));
            }
            None => {}
        }
    }
    let mut text = table.to_text(width);
    text.gap();
    text.line(Line::plain("Details of one: ").then(Style::Cyan, of.details));
    text
}

#[cfg(test)]
mod tests;

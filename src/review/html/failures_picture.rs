//! The picture of single failures: a row for each moment, a column for each server and zone, and in each
//! cell whether clients can write while it is down.

use std::collections::BTreeSet;

use super::course::{CourseMoment, LABEL, LABEL_WIDTH, ROW, course};
use super::markup::{Element, Markup, element};
use super::svg::{hint, label, path, picture, rect, short};
use crate::model::ServerId;
use crate::report::PlanDocument;
use crate::report::rehearsal::{
    PartKind, RecoveryWord, RehearsalDocument, RehearsedFailure, RehearsedResult, WritesWord,
};

/// A picture with more columns is no help: the table has every failure.
const MOST: usize = 60;

/// The width of a column.
const COLUMN: usize = 29;

/// What can fail.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Server(ServerId),
    Zone(&'a str),
}

/// What fails in that failure: each of the servers alone, or the zone.
fn parts(failure: &RehearsedFailure) -> Vec<Part<'_>> {
    match (failure.who.kind, &failure.who.zone) {
        (PartKind::Zone, Some(zone)) => vec![Part::Zone(zone)],
        _ => failure.who.servers.iter().map(|id| Part::Server(*id)).collect(),
    }
}

/// Every failure that was simulated; nothing where none was, or where there are too many columns.
pub(super) fn failures_picture(
    document: &PlanDocument,
    rehearsal: &RehearsalDocument,
    id: &str,
) -> Option<Element> {
    let columns: BTreeSet<Part<'_>> = rehearsal.rehearsals.iter().flat_map(parts).collect();
    let columns: Vec<Part<'_>> = columns.into_iter().collect();
    if columns.is_empty() || columns.len() > MOST {
        return None;
    }
    let (moments, height) = course(document);
    let longest = columns.iter().map(|part| name(part).len()).max().unwrap_or(0);
    let is_upright = longest <= 3;
    // Upright ids need a line; names of zones stand on end.
    let head = if is_upright { 26 } else { 14 + longest * 7 };
    let width = LABEL_WIDTH + columns.len() * COLUMN + 4;
    let mut all = Markup::default();
    all.push(label("head", [0, head - 12], "start", "after step"));
    for (at, part) in columns.iter().enumerate() {
        all.push(column_head(part, LABEL_WIDTH + at * COLUMN + COLUMN / 2, head, is_upright));
    }
    let mut said = Vec::new();
    for moment in &moments {
        let of_moment = rehearsal.rehearsals.iter();
        let of_moment = of_moment.filter(|failure| failure.after.as_ref() == moment.step());
        let of_moment: Vec<&RehearsedFailure> = of_moment.collect();
        all.push(row(moment, (&columns, &of_moment), [width, head]));
        said.extend(of_moment.into_iter().map(|failure| format!("{}.", words(failure))));
    }
    let title = "What stops when one server or zone fails, step by step";
    Some(picture(id, [width, head + height + 2], [title, &said.join(" ")], all))
}

/// The name of a column.
fn name(part: &Part<'_>) -> String {
    match part {
        Part::Server(id) => id.to_string(),
        Part::Zone(zone) => short(zone, LABEL),
    }
}

fn column_head(part: &Part<'_>, x: usize, head: usize, is_upright: bool) -> Element {
    let said = match part {
        Part::Server(id) => format!("server {id}"),
        Part::Zone(zone) => format!("zone {zone}"),
    };
    let name = name(part);
    let shown = match part {
        Part::Zone(_) if !is_upright => label("head", [x + 4, head - 8], "start", &name)
            .with("transform", format!("rotate(-90 {} {})", x + 4, head - 8)),
        _ => label("head", [x, head - 12], "middle", &name),
    };
    shown.holding(hint(&said))
}

fn row(
    moment: &CourseMoment<'_>,
    (columns, failures): (&[Part<'_>], &[&RehearsedFailure]),
    [width, head]: [usize; 2],
) -> Markup {
    let top = head + moment.top;
    let mut all = Markup::default();
    if moment.is_behind_gate {
        all.push(path("gate-line", &format!("M0 {} H{width}", top - 11)));
        all.push(label("gate-word", [0, top - 14], "start", "gate"));
    }
    let name = short(moment.label(), LABEL);
    all.push(label("step", [0, top + ROW / 2 + 4], "start", &name));
    for (at, column) in columns.iter().enumerate() {
        let place = [LABEL_WIDTH + at * COLUMN + 1, top + 4];
        match failures.iter().find(|failure| parts(failure).contains(column)) {
            Some(failure) => all.push(shown(failure, place)),
            None => all.push(rect("no-case", [place[0] + 11, place[1] + 11], [5, 4])),
        }
    }
    all
}

/// A cell: colour and sign say whether writes continue, a dot that the apply does not finish meanwhile,
/// a thick frame that it does not finish afterwards either.
fn shown(failure: &RehearsedFailure, [x, y]: [usize; 2]) -> Element {
    let (class, sign) = match failure.writes {
        WritesWord::Uninterrupted => ("good", format!("M{} {} l5 5 l9 -10", x + 6, y + 13)),
        WritesWord::AfterElection => ("warn", format!("M{} {} q4 -9 8 0 t8 0", x + 5, y + 13)),
        WritesWord::Stop => ("bad", format!("M{} {} l10 10 m0 -10 l-10 10", x + 8, y + 8)),
    };
    let fails = if failure.recovery.result == RecoveryWord::Failed { " fails" } else { "" };
    let mut cell = element("g")
        .holding(hint(&words(failure)))
        .holding(rect(&format!("case {class}{fails}"), [x, y], [26, 26]))
        .holding(path(&format!("sign {class}"), &sign));
    if failure.apply.result != RehearsedResult::Finishes {
        let corner = format!("M{} {} h7 v7 z", x + 19, y);
        cell = cell.holding(path(&format!("waits {class}"), &corner));
    }
    cell
}

/// A failure in one sentence.
pub(super) fn words(failure: &RehearsedFailure) -> String {
    let RehearsedFailure { after, who, writes: _, apply, recovery: _, stuck: _ } = failure;
    let when = after.as_ref().map_or("now".to_owned(), |step| format!("after {step}"));
    let (writes, back) = (writes(failure), recovery(failure));
    format!("{}, {when}: {writes}; apply {}; then {back}", who.text, apply.text)
}

/// Whether clients can write meanwhile.
pub(super) const fn writes(failure: &RehearsedFailure) -> &'static str {
    match failure.writes {
        WritesWord::Uninterrupted => "writes continue",
        WritesWord::AfterElection => "writes continue after an election",
        WritesWord::Stop => "writes stop until it is back",
    }
}

/// What a second apply achieves.
pub(super) fn recovery(failure: &RehearsedFailure) -> String {
    let RehearsedFailure { recovery, stuck, .. } = failure;
    match (&recovery.result, &recovery.apply) {
        (RecoveryWord::AtTarget, _) => "nothing is left to do".to_owned(),
        (RecoveryWord::Resumed, _) if !stuck.is_empty() => {
            let stuck: BTreeSet<ServerId> = stuck.iter().map(|one| one.server).collect();
            let who = crate::render::words_for_servers(&stuck);
            format!("{who} must be restarted with the new file; then apply finishes")
        }
        (RecoveryWord::Resumed, _) => "the next apply finishes".to_owned(),
        (RecoveryWord::Failed, Some(apply)) => {
            format!("the next apply does not finish: {}", apply.text)
        }
        (RecoveryWord::Failed, None) => "the next apply does not reach the target".to_owned(),
    }
}

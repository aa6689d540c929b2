//! The comment of many specs: one table, the worst first, and below it what there is room for.

use std::cmp::Reverse;

use super::body::{body, verdict};
use super::budget::{LONGEST, Part, fit};
use super::escape::{code, html, prose};
use super::{ReviewVerdict, Reviewed};
use crate::render::words_for_count;

/// The table takes at most this much, so that the worst can be shown below it.
const TABLE: usize = LONGEST / 2;

/// No spec is shown in less than this.
const LEAST: usize = 900;

/// The comment of these specs.
pub(super) fn comment(reviewed: &[Reviewed<'_>]) -> String {
    let mut worst_first: Vec<&Reviewed<'_>> = reviewed.iter().collect();
    worst_first.sort_by_key(|one| (Reverse(one.verdict()), one.lowest_tolerance()));
    let mut out = format!("<!-- zkplan -->\n### zkplan: {}\n\n", title(&worst_first));
    let rows = worst_first.iter().map(|one| row(one)).collect();
    let header = "| ensemble | spec | verdict | changes | exit |\n|---|---|---|---|--:|";
    let table = Part::of_rows("specs", "spec", rows).headed(vec![header.to_owned()]);
    out.push_str(&fit(&[table], TABLE, "Give fewer specs at once."));
    let said = worst_first.iter().filter(|one| one.verdict() != ReviewVerdict::Unchanged);
    let mut left: Vec<&&Reviewed<'_>> = said.collect();
    while let Some(one) = left.first() {
        let room = LONGEST.saturating_sub(out.len() + LEAST / 4) / left.len().min(4);
        let below = below(one, room);
        if room < LEAST || below.len() > room {
            break;
        }
        out.push_str(&below);
        left.remove(0);
    }
    if !left.is_empty() {
        let count = words_for_count(left.len(), "spec");
        out.extend(["Not shown in detail: ", &count, ". Give them one by one.\n"]);
    }
    out
}

/// The list of these files in Markdown, each with the link to its own, the worst first.
pub fn markdown_index(files: &[(&Reviewed<'_>, String)]) -> String {
    let mut worst_first: Vec<&(&Reviewed<'_>, String)> = files.iter().collect();
    worst_first.sort_by_key(|(one, _)| (Reverse(one.verdict()), one.lowest_tolerance()));
    let all: Vec<&Reviewed<'_>> = worst_first.iter().map(|(one, _)| *one).collect();
    let head = "| ensemble | spec | verdict | changes | exit |\n|---|---|---|---|--:|";
    let rows = worst_first
        .iter()
        .map(|(one, link)| row_named(one, &format!("[{}]({link})", prose(&one.name))));
    let rows: Vec<String> = rows.collect();
    format!("<!-- zkplan -->\n### zkplan: {}\n\n{head}\n{}\n", title(&all), rows.join("\n"))
}

/// How many came to what, the worst first.
fn title(worst_first: &[&Reviewed<'_>]) -> String {
    let counts = worst_first.chunk_by(|one, next| one.verdict() == next.verdict());
    let counts: Vec<String> =
        counts.map(|alike| format!("{} {}", alike.len(), alike[0].verdict().word())).collect();
    format!("{} of {}", counts.join(", "), words_for_count(worst_first.len(), "spec"))
}

fn row(one: &Reviewed<'_>) -> String {
    row_named(one, &code(&one.name))
}

fn row_named(one: &Reviewed<'_>, name: &str) -> String {
    let changes = one.changes().map(|count| count.to_string()).unwrap_or_default();
    let file = code(one.file);
    let verdict = prose(&verdict(one));
    format!("| {name} | {file} | {verdict} | {changes} | {} |", one.exit_code)
}

/// One spec, folded; what must not be overlooked is open.
fn below(one: &Reviewed<'_>, room: usize) -> String {
    let is_bad = one.verdict() >= ReviewVerdict::Drifted;
    let open = if is_bad { " open" } else { "" };
    let (name, word) = (html(&one.name), one.verdict().word());
    let head = format!("<details{open}><summary><b>{name}</b>: {word}</summary>\n\n");
    let end = "</details>\n\n";
    let body = body(one, room.saturating_sub(head.len() + end.len()));
    head + &body + end
}

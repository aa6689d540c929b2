//! A page to review: one file, complete without scripts and without anything from elsewhere.

mod course;
mod failures_picture;
mod graph_picture;
mod markup;
mod plan_sections;
mod sections;
mod svg;
mod votes_picture;

use std::cmp::Reverse;

use self::markup::{Element, Markup, cell, code, element, table};
use self::sections::{Place, strip};
use super::body::verdict;
use super::{ReviewOutcome, ReviewVerdict, Reviewed};
use crate::render::words_for_count;

/// The style of every page: no picture, no font and no import in it is from elsewhere.
const STYLE: &str = include_str!("style.css");

/// The page of what came of these files; that of several begins with a table, the worst first.
pub fn html(reviewed: &[Reviewed<'_>]) -> String {
    if let [one] = reviewed {
        let at = Place { prefix: String::new(), heading: "h2" };
        let title = format!("zkplan: {}", one.name);
        return page(&title, heading("h1", one).holding(body(one, &at)));
    }
    let worst_first = worst_first(reviewed);
    let links = worst_first.iter().map(|(at, one)| (*one, format!("#{}", anchor(*at))));
    let mut all = overview(&links.collect::<Vec<_>>());
    for (at, one) in &worst_first {
        let place = Place { prefix: format!("{}-", anchor(*at)), heading: "h3" };
        let whole = heading("h2", one).with("id", anchor(*at)).holding(body(one, &place));
        all = all.holding(whole.class("spec"));
    }
    page(&format!("zkplan: {}", words_for_count(reviewed.len(), "spec")), all)
}

/// The page that leads to the pages of these files, each at its link, the worst first.
pub fn html_index(pages: &[(&Reviewed<'_>, String)]) -> String {
    let mut worst_first: Vec<(&Reviewed<'_>, String)> = pages.to_vec();
    worst_first.sort_by_key(|(one, _)| (Reverse(one.verdict()), one.lowest_tolerance()));
    page(&format!("zkplan: {}", words_for_count(pages.len(), "spec")), overview(&worst_first))
}

/// The files with their places, the worst first.
fn worst_first<'a>(reviewed: &'a [Reviewed<'a>]) -> Vec<(usize, &'a Reviewed<'a>)> {
    let mut all: Vec<(usize, &Reviewed<'_>)> = reviewed.iter().enumerate().collect();
    all.sort_by_key(|(_, one)| (Reverse(one.verdict()), one.lowest_tolerance()));
    all
}

fn anchor(at: usize) -> String {
    format!("spec-{}", at + 1)
}

/// A document of HTML that is one of XML too.
fn page(title: &str, inside: Element) -> String {
    let meta =
        |name: &str, content: &str| element("meta").with("name", name).with("content", content);
    let head = element("head")
        .holding(element("meta").with("charset", "utf-8"))
        .holding(element("title").holding(title))
        .holding(meta("viewport", "width=device-width, initial-scale=1"))
        .holding(meta("color-scheme", "light dark"))
        .holding(meta("generator", "zkplan"))
        .holding(element("style").holding(Markup::of_style(STYLE)));
    let page = element("html")
        .with("xmlns", "http://www.w3.org/1999/xhtml")
        .with("lang", "en")
        .holding(head)
        .holding(element("body").holding(inside));
    Markup::from(page).into_page()
}

/// What a page is about, as the first thing on it.
fn heading(level: &'static str, one: &Reviewed<'_>) -> Element {
    let element_of_page = if level == "h1" { "main" } else { "article" };
    element(element_of_page)
        .holding(element("p").class("kicker").holding("zkplan ").holding(code(one.file)))
        .holding(element(level).holding(one.name.as_str()))
}

fn body(one: &Reviewed<'_>, at: &Place) -> Markup {
    match &one.outcome {
        ReviewOutcome::Valid => strip("good", "Valid."),
        ReviewOutcome::Plan(plan) => plan_sections::of_plan(one, plan, at),
        ReviewOutcome::Refusal(refused) => sections::of_refusal(refused, at),
        ReviewOutcome::FirstQuorum(first) => sections::of_first_quorum(first),
        ReviewOutcome::Drift(drift) => sections::of_drift(drift),
        ReviewOutcome::Error(error) => sections::of_error(error, one.file, at),
    }
}

/// How many came to what, and a table that leads to each.
fn overview(worst_first: &[(&Reviewed<'_>, String)]) -> Element {
    let row = |(one, link): &(&Reviewed<'_>, String)| {
        let changes = one.changes().map(|count| count.to_string()).unwrap_or_default();
        let tolerates = match &one.outcome {
            ReviewOutcome::Plan(plan) => plan.document.summary.tolerates_failures.to_string(),
            _ => String::new(),
        };
        let name = element("a").with("href", link).holding(one.name.as_str());
        let tag = format!("tag {}", class(one.verdict()));
        let word = element("span").class(&tag).holding(one.verdict().word());
        element("tr")
            .holding(element("th").with("scope", "row").holding(name))
            .holding(cell("", word))
            .holding(cell("", format!("{}.", verdict(one))))
            .holding(cell("number", tolerates))
            .holding(cell("number", changes))
            .holding(cell("wide", code(one.file)))
            .holding(cell("number wide", one.exit_code.to_string()))
    };
    let heads = [
        ("", "ensemble"),
        ("", "result"),
        ("", "verdict"),
        ("number", "tolerates"),
        ("number", "changes"),
        ("wide", "spec"),
        ("number wide", "exit"),
    ];
    let counts = worst_first.chunk_by(|(one, _), (next, _)| one.verdict() == next.verdict());
    let counts: Vec<String> =
        counts.map(|alike| format!("{} {}", alike.len(), alike[0].0.verdict().word())).collect();
    let worst = worst_first.first().map_or(ReviewVerdict::Unchanged, |(one, _)| one.verdict());
    let rows: Markup = worst_first.iter().map(row).collect();
    element("main")
        .holding(element("p").class("kicker").holding("zkplan"))
        .holding(element("h1").holding(words_for_count(worst_first.len(), "spec")))
        .holding(strip(class(worst), &format!("{}.", counts.join(", "))))
        .holding(table("What came of each spec", &heads, rows))
}

/// The class of the style sheet for a verdict.
const fn class(verdict: ReviewVerdict) -> &'static str {
    match verdict {
        ReviewVerdict::Unchanged => "plain",
        ReviewVerdict::Planned => "good",
        ReviewVerdict::Drifted | ReviewVerdict::Refused | ReviewVerdict::Failed => "bad",
    }
}

//! Sections that plans and refusals share, and what stands on the page of what is no plan.

use super::markup::{Element, Markup, cell, code, element, table};
use crate::report::drift::{DifferenceEntry, DriftDocument, SeverityWord};
use crate::report::error::ErrorDocument;
use crate::report::first_quorum::FirstQuorumDocument;
use crate::report::{
    BreachEntry, ChangeEntry, FindingEntry, RefusalDocument, RemedyEntry, Severity,
};
use crate::review::drifted::verdict;

/// Where something stands: the ids of a page with many specs have one beginning for each of them.
pub(super) struct Place {
    /// The beginning of every id.
    pub(super) prefix: String,
    /// The element of its headings.
    pub(super) heading: &'static str,
}

impl Place {
    /// An id of that page.
    pub(super) fn id(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// A part of a page below its heading.
pub(super) fn section(at: &Place, id: &str, title: &str) -> Element {
    let id = at.id(id);
    let heading = element(at.heading).with("id", &id).holding(title);
    element("section").with("aria-labelledby", id).holding(heading)
}

/// A sentence that must not be overlooked.
pub(super) fn strip(class: &str, said: &str) -> Markup {
    let class = format!("strip {class}");
    element("p").class(&class).holding(element("strong").holding(said)).into()
}

/// The findings, the weightiest first; nothing where there are none.
pub(super) fn section_of_findings(findings: &[FindingEntry], at: &Place) -> Markup {
    let row = |finding: &FindingEntry| {
        let (class, weight) = match (finding.severity, finding.is_accepted) {
            (Severity::Blocks, true) => ("warn", "accepted"),
            (Severity::Blocks, false) => ("bad", "to accept"),
            (Severity::Warning, _) => ("warn", "warning"),
            (Severity::Note, _) => ("plain", "note"),
        };
        let tag = element("span").class(&format!("tag {class}")).holding(weight);
        element("tr")
            .holding(cell("", tag))
            .holding(element("th").with("scope", "row").holding(finding.code.as_str()))
            .holding(cell("", finding.text.as_str()))
    };
    if findings.is_empty() {
        return Markup::default();
    }
    let heads = [("", "weight"), ("", "code"), ("", "what was found")];
    let rows: Markup = findings.iter().map(row).collect();
    section(at, "findings", "Findings").holding(table("Findings", &heads, rows)).into()
}

/// The changes, by server id; nothing where there are none.
pub(super) fn section_of_changes(changes: &[ChangeEntry], at: &Place) -> Markup {
    if changes.is_empty() {
        return Markup::default();
    }
    let has_zones = changes.iter().any(|change| change.zone.is_some());
    let row = |change: &ChangeEntry| {
        let address = |of: &Option<crate::report::ServerEntry>| {
            of.as_ref().map(|server| element("div").holding(code(&server.in_short())))
        };
        let addresses: Markup =
            [&change.before, &change.after].into_iter().filter_map(address).collect();
        let zone = change.zone.as_deref().unwrap_or_default();
        element("tr")
            .holding(
                element("th").with("scope", "row").class("number").holding(change.id.to_string()),
            )
            .holding(cell("", change.text.as_str()))
            .holding(cell("", addresses))
            .holding_all(has_zones.then(|| cell("", zone)))
    };
    let mut heads = vec![("number", "server"), ("", "change"), ("", "now, and after")];
    heads.extend(has_zones.then_some(("", "zone")));
    let rows: Markup = changes.iter().map(row).collect();
    section(at, "changes", "Changes").holding(table("Changes", &heads, rows)).into()
}

/// Why no plan is safe, and what would pass.
pub(super) fn of_refusal(refused: &RefusalDocument, at: &Place) -> Markup {
    let RefusalDocument { breaches, remedies, hints, changes, findings, text, .. } = refused;
    let mut all = strip("bad", text);
    let rows: Markup = breaches.iter().map(breach).collect();
    let heads = [("", "rule"), ("", "at step"), ("", "what it breaks")];
    let broken = section(at, "rules", "Broken safety rules");
    all.push(broken.holding(table("Broken safety rules", &heads, rows)));
    if !remedies.is_empty() {
        let said = "All of these together: zkplan made and checked a plan with them.";
        let remedy = |remedy: &RemedyEntry| {
            let said = format!(": {}", remedy.text);
            element("li").holding(code(&remedy.exact)).holding(said)
        };
        let list = element("ul").holding_all(remedies.iter().map(remedy));
        let passing = section(at, "remedies", "What would pass");
        all.push(passing.holding(element("p").holding(said)).holding(list));
    }
    all.push(list_of("What may help", hints, "hints", at));
    all.push(section_of_findings(findings, at));
    all.push(section_of_changes(changes, at));
    all
}

fn breach(breach: &BreachEntry) -> Element {
    let step = breach.step.as_ref().map(|step| code(step.as_str()));
    element("tr")
        .holding(element("th").with("scope", "row").holding(breach.code.as_str()))
        .holding(cell("", step.into_iter().collect::<Markup>()))
        .holding(cell("", breach.text.as_str()))
}

fn list_of(title: &str, lines: &[String], id: &str, at: &Place) -> Markup {
    if lines.is_empty() {
        return Markup::default();
    }
    let items = lines.iter().map(|line| element("li").holding(line.as_str()));
    section(at, id, title).holding(element("ul").holding_all(items)).into()
}

/// A standalone server.
pub(super) fn of_first_quorum(first: &FirstQuorumDocument) -> Markup {
    let mut all = if first.possible {
        strip("warn", "The server is standalone. One restart makes it the first voter.")
    } else {
        strip("bad", "Refused: the server is standalone and cannot become the first voter now.")
    };
    all.push(message(&first.text));
    all
}

/// How an ensemble differs from its spec.
pub(super) fn of_drift(drift: &DriftDocument) -> Markup {
    let class = if drift.drift { "bad" } else { "good" };
    let mut all = strip(class, &format!("{}. {}", verdict(drift), drift.text));
    let row = |difference: &DifferenceEntry| {
        let (class, word) = match difference.severity {
            SeverityWord::Drift => ("tag bad", "drift"),
            SeverityWord::Warning => ("tag warn", "warning"),
        };
        element("tr")
            .holding(cell("", element("span").class(class).holding(word)))
            .holding(cell("", difference.text.as_str()))
            .holding(cell("", difference.evidence.as_str()))
    };
    if !drift.differences.is_empty() {
        let rows: Markup = drift.differences.iter().map(row).collect();
        let heads = [("", "weight"), ("", "what differs"), ("", "whose change it is")];
        all.push(table("What differs", &heads, rows));
    }
    if let Some(next) = &drift.next {
        all.push(element("p").holding("Next: ").holding(code(next)));
    }
    all
}

/// Why there is nothing to show.
pub(super) fn of_error(error: &ErrorDocument, file: &str, at: &Place) -> Markup {
    let mut all = strip("bad", &format!("Failed: {}, for {file}.", error.code.word()));
    if error.places.is_empty() {
        all.push(message(&error.text));
    } else {
        let place = |place: &crate::report::error::FilePlace| {
            let said = match place.hint.as_str() {
                "" => place.text.clone(),
                hint => format!("{}. {hint}", place.text),
            };
            let line = format!("{}:{}:{}", place.file, place.line, place.column);
            element("tr")
                .holding(element("th").with("scope", "row").holding(code(&line)))
                .holding(cell("", said))
        };
        let rows: Markup = error.places.iter().map(place).collect();
        all.push(table("What is wrong in the file", &[("", "place"), ("", "what is wrong")], rows));
    }
    let hints: Vec<String> =
        error.hints.iter().filter(|hint| !error.text.contains(hint.as_str())).cloned().collect();
    all.push(list_of("What helps", &hints, "hints", at));
    all
}

/// A message that keeps its lines.
fn message(text: &str) -> Markup {
    super::markup::frame("The message", element("pre").holding(Markup::lines(text)))
}

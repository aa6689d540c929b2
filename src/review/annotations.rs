//! Workflow commands of GitHub Actions: what stands beside the lines of a change, and the outputs of a
//! step.

use std::collections::BTreeSet;

use super::drifted::sentences;
use super::plan_comment::verdict as verdict_of_plan;
use super::{PlanReview, ReviewOutcome, ReviewVerdict, Reviewed};
use crate::model::ServerId;
use crate::render::escape;
use crate::report::drift::{DifferenceEntry, DriftDocument, SeverityWord};
use crate::report::error::ErrorDocument;
use crate::report::{FindingEntry, RefusalDocument, Severity};
use crate::saved;

/// How much an annotation weighs, in the words of GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Error,
    Warning,
    Notice,
}

/// One annotation.
struct Annotation {
    weight: Weight,
    line: Option<usize>,
    column: Option<usize>,
    title: String,
    text: String,
}

/// The annotations of these files, the weightiest first, a line each.
pub fn annotations(reviewed: &[Reviewed<'_>]) -> String {
    let all = reviewed.iter().flat_map(|one| of(one).into_iter().map(move |note| (one.file, note)));
    let mut all: Vec<(&str, Annotation)> = all.collect();
    all.sort_by_key(|(_, note)| note.weight);
    all.iter().map(|(file, note)| command(file, note) + "\n").collect()
}

/// What a step hands to later ones, a line each: `verdict`, `changes`, `plan_id` where there is one
/// plan, and `exit`.
pub fn outputs(reviewed: &[Reviewed<'_>], exit_code: u8) -> String {
    let worst = reviewed.iter().map(Reviewed::verdict).max();
    let word = worst.unwrap_or(ReviewVerdict::Unchanged).word();
    let changes: usize = reviewed.iter().filter_map(Reviewed::changes).sum();
    let plan_id = match reviewed {
        [Reviewed { outcome: ReviewOutcome::Plan(plan), .. }] => {
            saved::plan_id(plan.checked.plan())
        }
        _ => String::new(),
    };
    format!("verdict={word}\nchanges={changes}\nplan_id={plan_id}\nexit={exit_code}\n")
}

fn of(one: &Reviewed<'_>) -> Vec<Annotation> {
    match &one.outcome {
        ReviewOutcome::Valid => Vec::new(),
        ReviewOutcome::Plan(plan) => of_plan(one, plan),
        ReviewOutcome::Refusal(refused) => of_refusal(one, refused),
        ReviewOutcome::FirstQuorum(first) => {
            let weight = if first.possible { Weight::Notice } else { Weight::Error };
            vec![whole(weight, format!("zkplan {}: standalone", one.name), &first.text)]
        }
        ReviewOutcome::Drift(drift) => of_drift(one, drift),
        ReviewOutcome::Error(error) => of_error(one, error),
    }
}

/// About a file as a whole.
fn whole(weight: Weight, title: String, text: &str) -> Annotation {
    Annotation { weight, line: None, column: None, title, text: text.to_owned() }
}

/// The line of the first of these servers that the spec has.
fn line(one: &Reviewed<'_>, servers: &BTreeSet<ServerId>) -> Option<usize> {
    servers.iter().find_map(|id| one.lines.get(id).copied())
}

fn of_plan(one: &Reviewed<'_>, plan: &PlanReview<'_>) -> Vec<Annotation> {
    let title = format!("zkplan {}: {}", one.name, verdict_of_plan(plan));
    let said = whole(Weight::Notice, title, &plan.document.summary.text);
    std::iter::once(said).chain(of_findings(one, &plan.findings)).collect()
}

fn of_refusal(one: &Reviewed<'_>, refused: &RefusalDocument) -> Vec<Annotation> {
    let said = whole(Weight::Error, format!("zkplan {}: refused", one.name), &refused.text);
    let broken = refused.breaches.iter().map(|breach| {
        let at = breach.step.as_ref().map(|step| format!(" at {step}")).unwrap_or_default();
        Annotation {
            weight: Weight::Error,
            line: line(one, &breach.servers),
            column: None,
            title: format!("{}{at}", breach.code),
            text: breach.text.clone(),
        }
    });
    let broken: Vec<Annotation> = broken.collect();
    std::iter::once(said).chain(broken).chain(of_findings(one, &refused.findings)).collect()
}

/// What differs, each at the line of its server. A warning weighs less, whatever counts for the exit code.
fn of_drift(one: &Reviewed<'_>, drift: &DriftDocument) -> Vec<Annotation> {
    let note = |difference: &DifferenceEntry| {
        let (weight, word) = match difference.severity {
            SeverityWord::Drift => (Weight::Error, "drift"),
            SeverityWord::Warning => (Weight::Warning, "warning"),
        };
        Annotation {
            weight,
            line: line(one, &difference.servers.iter().copied().collect()),
            column: None,
            title: format!("zkplan {}: {word}", one.name),
            text: sentences(difference),
        }
    };
    let said = whole(Weight::Notice, format!("zkplan {}", one.name), &drift.text);
    std::iter::once(said).chain(drift.differences.iter().map(note)).collect()
}

fn of_findings(one: &Reviewed<'_>, findings: &[FindingEntry]) -> Vec<Annotation> {
    let note = |finding: &FindingEntry| Annotation {
        weight: match finding.severity {
            Severity::Blocks if !finding.is_accepted => Weight::Error,
            Severity::Blocks | Severity::Warning => Weight::Warning,
            Severity::Note => Weight::Notice,
        },
        line: line(one, &finding.servers),
        column: None,
        title: finding.code.clone(),
        text: finding.text.clone(),
    };
    findings.iter().map(note).collect()
}

fn of_error(one: &Reviewed<'_>, error: &ErrorDocument) -> Vec<Annotation> {
    let title = || format!("zkplan {}: {}", one.name, error.code.word());
    if error.places.is_empty() {
        return vec![whole(Weight::Error, title(), &error.text)];
    }
    let note = |place: &crate::report::error::FilePlace| Annotation {
        weight: Weight::Error,
        line: Some(place.line),
        column: Some(place.column),
        title: title(),
        text: match place.hint.as_str() {
            "" => place.text.clone(),
            hint => format!("{}\nhelp: {hint}", place.text),
        },
    };
    error.places.iter().map(note).collect()
}

/// The workflow command of an annotation.
fn command(file: &str, note: &Annotation) -> String {
    let Annotation { weight, line, column, title, text } = note;
    let word = match weight {
        Weight::Error => "error",
        Weight::Warning => "warning",
        Weight::Notice => "notice",
    };
    let line = line.map(|line| format!(",line={line}")).unwrap_or_default();
    let column = column.map(|column| format!(",col={column}")).unwrap_or_default();
    let (file, title) = (property(file), property(title));
    format!("::{word} file={file}{line}{column},title={title}::{}", message(text))
}

/// Text behind the last `::`: printable ASCII, its line ends kept as the runner reads them.
fn message(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| escape(line).replace('%', "%25")).collect();
    lines.join("%0A")
}

/// The value of a property, which ends at a comma or a colon.
fn property(text: &str) -> String {
    escape(text).replace('%', "%25").replace(':', "%3A").replace(',', "%2C")
}

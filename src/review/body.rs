//! What a comment says of one file: verdict first, what is long below, folded.

use super::budget::{Part, fit};
use super::escape::{code, prose};
use super::lists::{of_changes, of_findings};
use super::{ReviewOutcome, Reviewed, drifted, plan_comment};
use crate::report::error::ErrorDocument;
use crate::report::first_quorum::FirstQuorumDocument;
use crate::report::{BreachEntry, RefusalDocument, RemedyEntry};

/// What a comment says of one file, in at most this many bytes where that can be.
pub(super) fn body(one: &Reviewed<'_>, room: usize) -> String {
    let (head, parts) = match &one.outcome {
        ReviewOutcome::Plan(plan) => {
            (plan_comment::head(plan, one.file), plan_comment::parts(plan))
        }
        ReviewOutcome::Refusal(refused) => refusal(refused),
        ReviewOutcome::FirstQuorum(first) => first_quorum(first),
        ReviewOutcome::Drift(drift) => drifted::comment(drift),
        ReviewOutcome::Error(error) => failure(error, one.file),
        ReviewOutcome::Valid => ("**Valid.**\n\n".to_owned(), Vec::new()),
    };
    let more = format!("Shown by {}", code(&one.again));
    let rest = fit(&parts, room.saturating_sub(head.len()), &more);
    head + &rest
}

/// What came of a file, in a few words.
pub(super) fn verdict(one: &Reviewed<'_>) -> String {
    match &one.outcome {
        ReviewOutcome::Plan(plan) => plan_comment::verdict(plan),
        ReviewOutcome::Refusal(refused) => format!("Refused: {}", codes(&refused.breaches)),
        ReviewOutcome::FirstQuorum(first) if first.possible => {
            "Standalone: one restart makes it the first voter".to_owned()
        }
        ReviewOutcome::FirstQuorum(_) => {
            "Standalone: it cannot become the first voter now".to_owned()
        }
        ReviewOutcome::Drift(drift) => drifted::verdict(drift),
        ReviewOutcome::Valid => "Valid".to_owned(),
        ReviewOutcome::Error(error) => format!("Failed: {}", error.code.word()),
    }
}

/// The codes of the rules that are broken, each once.
fn codes(breaches: &[BreachEntry]) -> String {
    let mut codes: Vec<&str> = Vec::new();
    for breach in breaches {
        if !codes.contains(&breach.code.as_str()) {
            codes.push(&breach.code);
        }
    }
    codes.join(", ")
}

fn refusal(refused: &RefusalDocument) -> (String, Vec<Part>) {
    let RefusalDocument { breaches, remedies, hints, changes, findings, text, .. } = refused;
    let head = format!("**Refused: {}.**\n\n{}\n\n", codes(breaches), prose(text));
    let broken: Vec<String> = breaches.iter().map(breach).collect();
    let mut parts = vec![Part::of_rows("broken rules", "rule", broken)];
    if !remedies.is_empty() {
        let rows = remedies.iter().map(remedy).collect();
        let title = "What would pass, all together (zkplan made and checked a plan with it):";
        parts.push(
            Part::of_rows("what would pass", "change", rows)
                .headed(vec![title.to_owned(), String::new()]),
        );
    }
    if !hints.is_empty() {
        let rows = hints.iter().map(|hint| format!("- {}", prose(hint))).collect();
        parts.push(
            Part::of_rows("what may help", "hint", rows)
                .headed(vec!["What may help:".to_owned(), String::new()]),
        );
    }
    parts.extend(of_findings(findings));
    parts.extend(of_changes(changes));
    (head, parts)
}

fn breach(breach: &BreachEntry) -> String {
    let at = breach.step.as_ref().map(|step| format!(" at {}", code(step.as_str())));
    format!("- **{}**{}: {}", prose(&breach.code), at.unwrap_or_default(), prose(&breach.text))
}

fn remedy(remedy: &RemedyEntry) -> String {
    format!("- {}: {}", code(&remedy.exact), prose(&remedy.text))
}

fn first_quorum(first: &FirstQuorumDocument) -> (String, Vec<Part>) {
    let head = if first.possible {
        "**The server is standalone. One restart makes it the first voter.**\n\n"
    } else {
        "**Refused: the server is standalone and cannot become the first voter now.**\n\n"
    };
    (head.to_owned(), vec![screen(&first.text)])
}

fn failure(error: &ErrorDocument, file: &str) -> (String, Vec<Part>) {
    let head = format!("**Failed: {}**, for {}.\n\n", error.code.word(), code(file));
    let shown = screen(&error.text);
    let hints = error.hints.iter().filter(|hint| !error.text.contains(hint.as_str()));
    let hints: Vec<String> = hints.map(|hint| format!("- {}", prose(hint))).collect();
    let help = (!hints.is_empty()).then(|| Part::of_rows("what helps", "hint", hints));
    (head, std::iter::once(shown).chain(help).collect())
}

/// A screen as it is on a terminal.
fn screen(text: &str) -> Part {
    let lines = text.lines().map(crate::render::escape).collect();
    Part::of_code("the message", "text", lines)
}

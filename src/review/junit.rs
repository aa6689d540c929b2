//! A test report as `JUnit` writes it: one case for each file.

use super::drifted::sentences;
use super::escape::xml;
use super::{ReviewOutcome, ReviewVerdict, Reviewed};
use crate::report::error::ErrorDocument;

/// The report of a command on these files.
pub fn junit(command: &str, reviewed: &[Reviewed<'_>]) -> String {
    let cases: Vec<String> = reviewed.iter().map(|one| case(command, one)).collect();
    let of = |verdict| reviewed.iter().filter(|one| one.verdict() == verdict).count();
    let failures = of(ReviewVerdict::Refused) + of(ReviewVerdict::Drifted);
    let errors = of(ReviewVerdict::Failed);
    let counts = format!("tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\"", cases.len());
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"zkplan\" {counts}>\n\
         \x20 <testsuite name=\"zkplan {command}\" {counts}>\n{}  </testsuite>\n</testsuites>\n",
        cases.concat()
    )
}

fn case(command: &str, one: &Reviewed<'_>) -> String {
    let head = format!(
        "    <testcase classname=\"zkplan.{command}\" name=\"{}\" file=\"{}\"",
        xml(&one.name),
        xml(one.file)
    );
    let (element, kind, said) = match &one.outcome {
        ReviewOutcome::Valid => return head + "/>\n",
        ReviewOutcome::Plan(plan) => {
            let text = xml(&plan.document.summary.text);
            return format!("{head}>\n      <system-out>{text}</system-out>\n    </testcase>\n");
        }
        ReviewOutcome::FirstQuorum(first) if first.possible => {
            let text = lines(&first.text);
            return format!("{head}>\n      <system-out>{text}</system-out>\n    </testcase>\n");
        }
        ReviewOutcome::Drift(drift) => {
            let said = drift.differences.iter().map(sentences);
            let said: Vec<String> = std::iter::once(drift.text.clone()).chain(said).collect();
            if one.verdict() == ReviewVerdict::Unchanged {
                let text = lines(&said.join("\n"));
                return format!(
                    "{head}>\n      <system-out>{text}</system-out>\n    </testcase>\n"
                );
            }
            ("failure", "drift".to_owned(), said)
        }
        ReviewOutcome::Refusal(refused) => {
            let broken = refused.breaches.iter().map(|one| format!("{}: {}", one.code, one.text));
            let broken: Vec<String> = broken.collect();
            ("failure", "refused".to_owned(), [vec![refused.text.clone()], broken].concat())
        }
        ReviewOutcome::FirstQuorum(first) => {
            let said = first.text.lines().map(str::to_owned).collect();
            ("error", "standalone".to_owned(), said)
        }
        ReviewOutcome::Error(error) => ("error", error.code.word(), said(error)),
    };
    let first = said.first().map(|line| xml(line)).unwrap_or_default();
    let text = lines(&said.join("\n"));
    format!(
        "{head}>\n      <{element} type=\"{kind}\" message=\"{first}\">{text}</{element}>\n    \
         </testcase>\n"
    )
}

/// An error: its places, else its text.
fn said(error: &ErrorDocument) -> Vec<String> {
    let place = |place: &crate::report::error::FilePlace| {
        format!("{}:{}:{}: {}: {}", place.file, place.line, place.column, place.text, place.hint)
    };
    if error.places.is_empty() {
        error.text.lines().map(str::to_owned).collect()
    } else {
        error.places.iter().map(place).collect()
    }
}

/// Text that keeps its lines.
fn lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(xml).collect();
    lines.join("\n")
}

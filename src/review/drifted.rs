//! What a comment says of an ensemble that was held against its spec.

use super::budget::Part;
use super::escape::{code, prose};
use crate::report::drift::{DifferenceEntry, DriftDocument, LastAppliedEntry, SeverityWord};

/// What came of it, in a few words.
pub(super) fn verdict(drift: &DriftDocument) -> String {
    let warnings = drift.differences.iter().filter(|one| one.severity == SeverityWord::Warning);
    match (drift.drift, warnings.count()) {
        (true, _) => "Drift".to_owned(),
        (false, 0) => "No drift".to_owned(),
        (false, _) => "No drift, but warnings".to_owned(),
    }
}

/// What differs, and whose change it is as far as that is known.
pub(super) fn sentences(difference: &DifferenceEntry) -> String {
    let DifferenceEntry { text, evidence, .. } = difference;
    if evidence.is_empty() { text.clone() } else { format!("{text}; {evidence}") }
}

/// Verdict and next command, and below them what differs.
pub(super) fn comment(drift: &DriftDocument) -> (String, Vec<Part>) {
    let mut head = vec![format!("**{}.** {}", verdict(drift), prose(&drift.text))];
    let version = code(&drift.config_version);
    head.push(format!("Config version {version}. {}", last_applied(drift.last_applied.as_ref())));
    head.extend(drift.next.as_deref().map(|next| format!("Next: {}", code(next))));
    let row = |difference: &DifferenceEntry| {
        let word = match difference.severity {
            SeverityWord::Drift => "drift",
            SeverityWord::Warning => "warning",
        };
        format!("- **{word}** {}", prose(&sentences(difference)))
    };
    let rows: Vec<String> = drift.differences.iter().map(row).collect();
    let listed = (!rows.is_empty()).then(|| Part::of_rows("what differs", "difference", rows));
    (head.join("\n\n") + "\n\n", listed.into_iter().collect())
}

fn last_applied(last: Option<&LastAppliedEntry>) -> String {
    let Some(LastAppliedEntry { run, by, reason, at, proven, .. }) = last else {
        return "No completed run of zkplan is known.".to_owned();
    };
    let seen = if *proven { "Last" } else { "As far as seen, last" };
    let reason = reason.as_ref().map(|reason| format!(": {}", prose(reason))).unwrap_or_default();
    format!("{seen} applied: run {run} by {}, completed {}{reason}.", code(by), code(at))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::ServerId;
    use crate::report::drift::ChangedByWord;
    use crate::review::{ReviewOutcome, Reviewed, annotations, comment, html, junit, outputs};

    /// One difference and one warning, with names that would be markup.
    fn reviewed(exit_code: u8, severities: &[SeverityWord]) -> Reviewed<'static> {
        let difference = |severity: &SeverityWord| DifferenceEntry {
            code: "member".to_owned(),
            severity: *severity,
            changed_by: ChangedByWord::OtherClient,
            servers: vec![ServerId::new(4)],
            action: None,
            wanted: None,
            live: None,
            applied: None,
            run: None,
            text: "server 4 is at <b>&`x`%0A::error".to_owned(),
            evidence: "not zkplan's".to_owned(),
        };
        let last_applied = LastAppliedEntry {
            run: 3,
            plan_id: "sha256:1".to_owned(),
            by: "ann|<i>".to_owned(),
            reason: Some("OPS-7 </testcase>".to_owned()),
            at: "2026-11-29T03:00:00Z".to_owned(),
            config_version: Some("100000004".to_owned()),
            proven: true,
        };
        let document = DriftDocument {
            ensemble: "prod".to_owned(),
            spec: "prod.yaml".to_owned(),
            drift: severities.contains(&SeverityWord::Drift),
            config_version: "100000005".to_owned(),
            last_applied: Some(last_applied),
            differences: severities.iter().map(difference).collect(),
            next: Some("zkplan plan prod.yaml".to_owned()),
            exit_code,
            text: "Ensemble prod differs from prod.yaml.".to_owned(),
        };
        Reviewed {
            file: "prod.yaml",
            name: "prod".to_owned(),
            ensemble: Some("prod"),
            exit_code,
            again: "zkplan drift prod.yaml".to_owned(),
            lines: BTreeMap::from([(ServerId::new(4), 6)]),
            outcome: ReviewOutcome::Drift(Box::new(document)),
        }
    }

    #[test]
    fn drift_is_an_issue_a_failed_case_and_an_annotation_at_the_line_of_its_server() {
        let drift = [reviewed(2, &[SeverityWord::Drift, SeverityWord::Warning])];
        let said = comment(&drift);
        assert!(said.starts_with("<!-- zkplan prod -->\n"), "{said}");
        assert!(said.contains("**Drift.** Ensemble prod differs"), "{said}");
        assert!(said.contains("Last applied: run 3 by ann\\|&lt;i&gt;, completed"), "{said}");
        assert!(said.contains("- **drift** server 4 is at &lt;b&gt;&amp;\\`x\\`"), "{said}");
        assert!(said.contains("Next: `zkplan plan prod.yaml`"), "{said}");
        let report = junit("drift", &drift);
        assert!(report.contains("tests=\"1\" failures=\"1\" errors=\"0\""), "{report}");
        assert!(report.contains("<failure type=\"drift\"") && !report.contains("<b>"), "{report}");
        let lines = annotations(&drift);
        assert!(
            lines.starts_with("::error file=prod.yaml,line=6,title=zkplan prod%3A drift::"),
            "{lines}"
        );
        assert!(lines.contains("\n::warning file=prod.yaml,line=6,"), "{lines}");
        assert!(lines.contains("%250A::error") && !lines.contains("%0A::error"), "{lines}");
        assert_eq!(outputs(&drift, 2), "verdict=drifted\nchanges=2\nplan_id=\nexit=2\n");
        let page = html(&drift);
        assert!(page.contains("server 4 is at &lt;b&gt;&amp;`x`"), "{page}");
    }

    #[test]
    fn warnings_fail_a_case_only_where_they_count() {
        let calm = [reviewed(0, &[SeverityWord::Warning])];
        assert!(comment(&calm).contains("**No drift, but warnings.**"));
        assert!(junit("drift", &calm).contains("failures=\"0\""));
        assert_eq!(outputs(&calm, 0), "verdict=unchanged\nchanges=1\nplan_id=\nexit=0\n");
        let strict = [reviewed(2, &[SeverityWord::Warning])];
        assert!(junit("drift", &strict).contains("failures=\"1\""));
    }
}

//! Findings and changes as lists.

use super::budget::Part;
use super::escape::{code, prose};
use crate::report::{ChangeEntry, FindingEntry, Severity};

/// The findings, folded, with how many of each weight there are; nothing where there are none.
pub(super) fn of_findings(findings: &[FindingEntry]) -> Option<Part> {
    let words =
        [(Severity::Blocks, "to accept"), (Severity::Warning, "warning"), (Severity::Note, "note")];
    let counts = words.iter().filter_map(|(severity, word)| {
        let count = findings.iter().filter(|finding| finding.severity == *severity).count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    let title = format!("Findings: {}", counts.collect::<Vec<_>>().join(", "));
    let row = |finding: &FindingEntry| {
        let weight = match (finding.severity, finding.is_accepted) {
            (Severity::Blocks, true) => "accepted",
            (Severity::Blocks, false) => "to accept",
            (Severity::Warning, _) => "warning",
            (Severity::Note, _) => "note",
        };
        format!("- **{weight}** {}: {}", prose(&finding.code), prose(&finding.text))
    };
    let rows: Vec<String> = findings.iter().map(row).collect();
    (!rows.is_empty()).then(|| Part::of_rows(title, "finding", rows).folded())
}

/// The changes, folded; nothing where there are none.
pub(super) fn of_changes(changes: &[ChangeEntry]) -> Option<Part> {
    let row = |change: &ChangeEntry| {
        let zone = change.zone.as_ref().map(|zone| format!(" in zone {}", code(zone)));
        let id = change.id;
        format!("- server {id}{}: {}", zone.unwrap_or_default(), prose(&change.text))
    };
    let rows: Vec<String> = changes.iter().map(row).collect();
    let title = format!("Changes: {}", rows.len());
    (!rows.is_empty()).then(|| Part::of_rows(title, "change", rows).folded())
}

//! Many specs in one table.

use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use super::{changes, law, phrases, plan};
use crate::check::CheckedPlan;
use crate::observe::ObserveError;
use crate::plan::Plan;
use crate::proposal::Refusal;

/// What came of one spec.
#[derive(Debug, Clone, Copy)]
pub enum FleetVerdict<'a> {
    /// A plan, with or without changes.
    Planned(&'a CheckedPlan),
    /// A safety rule refuses.
    Refused(&'a Refusal),
    /// A standalone server that one restart makes the first voter.
    FirstQuorum,
    /// There is no ensemble to plan for.
    Unreachable(&'a ObserveError),
    /// Something else went wrong, in a few words.
    Failed(&'a str),
}

/// One spec of many.
#[derive(Debug, Clone, Copy)]
pub struct FleetEntry<'a> {
    /// The label of the ensemble; `None` where the spec could not be read.
    pub ensemble: Option<&'a str>,
    /// The path of the spec, as the person gave it.
    pub spec: &'a str,
    /// What came of it.
    pub verdict: FleetVerdict<'a>,
    /// The exit code that it would have alone.
    pub exit_code: u8,
}

const COLUMNS: [Column; 7] = [
    Column::words("ensemble"),
    Column::paths("spec"),
    Column::words("verdict"),
    Column::words("changes"),
    Column::numbers("reconfigs"),
    Column::numbers("tolerates"),
    Column::numbers("exit"),
];

/// One table for many specs, one line each, in the order given.
pub fn table(entries: &[FleetEntry<'_>], width: usize) -> Text {
    let mut table = Table::new(COLUMNS);
    for FleetEntry { ensemble, spec, verdict, exit_code } in entries {
        let [verdict, changes, reconfigs, spare] = of_verdict(verdict);
        table.row([
            Line::plain(ensemble.unwrap_or("-")),
            Line::plain(*spec),
            verdict,
            changes,
            reconfigs,
            spare,
            Line::plain(exit_code.to_string()),
        ]);
    }
    table.to_text(width)
}

fn of_verdict(verdict: &FleetVerdict<'_>) -> [Line; 4] {
    let none = || Line::plain("-");
    match verdict {
        FleetVerdict::Planned(checked) if checked.plan().is_empty() => {
            [without_changes(checked.plan()), none(), none(), none()]
        }
        FleetVerdict::Planned(checked) => {
            let plan = checked.plan();
            let spare = checked.report().worst_spare;
            let style = if spare > 0 { Style::Plain } else { Style::Yellow };
            let risks = checked.report().accepted.len();
            let verdict = match risks {
                0 => Line::new(Style::Green, "planned"),
                n => Line::new(Style::Bold, format!("planned, {}", accepted(n))),
            };
            [
                verdict,
                Line::plain(changes::tally(plan)),
                Line::plain(plan.reconfigs().to_string()),
                Line::new(style, spare.to_string()),
            ]
        }
        FleetVerdict::Refused(refusal) => {
            let codes = phrases::list(law::codes(&refusal.breaches));
            let verdict = format!("refused: {codes}");
            let tally = changes::tally(&refusal.nearest);
            [Line::new(Style::Red, verdict), Line::plain(tally), none(), none()]
        }
        FleetVerdict::FirstQuorum => {
            [Line::new(Style::Yellow, "standalone, first quorum"), none(), none(), none()]
        }
        FleetVerdict::Unreachable(error) => {
            [Line::new(Style::Red, unreachable(error)), none(), none(), none()]
        }
        FleetVerdict::Failed(what) => [Line::new(Style::Red, *what), none(), none(), none()],
    }
}

/// The verdict of a plan without changes.
pub(super) fn without_changes(plan: &Plan) -> Line {
    let open = plan::still_to_do(&plan.facts);
    if open.is_empty() {
        Line::new(Style::Green, "no changes")
    } else {
        Line::new(Style::Yellow, format!("no changes, but {}", phrases::list(open)))
    }
}

fn accepted(risks: usize) -> String {
    phrases::count_of(risks, "risk") + " accepted"
}

/// Why there is no ensemble to look at, in a few words.
pub(super) const fn unreachable(error: &ObserveError) -> &'static str {
    match error {
        ObserveError::Unreachable { .. } => "unreachable",
        ObserveError::NoQuorum { .. } => "no quorum",
        ObserveError::NoCommit { .. } => "no write commits",
        ObserveError::NeedsAuth { .. } => "authentication is enforced",
        ObserveError::TooOld { .. } => "too old",
        ObserveError::Standalone { .. } => "standalone",
        ObserveError::TwoHistories { .. } => "two ensembles",
        ObserveError::TargetRuns { .. } => "target runs its own ensemble",
        ObserveError::UnreadableConfig { .. } => "unreadable config",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture::{Scene, lines};

    #[test]
    fn one_line_for_each_spec() {
        let planned = Scene::new(&lines(&[1, 2, 3]), &lines(&[4, 5, 6])).plan();
        let risky = Scene::new(&lines(&[1]), &lines(&[1, 2, 3]));
        let refused = risky.refusal();
        let risky = risky.accepting("ZKQ2", Some("join-2")).plan();
        let same = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3])).plan();
        let silent = ObserveError::Unreachable { tried: Vec::new() };
        let rows = [
            ("prod-eu", "specs/prod-eu.yaml", FleetVerdict::Planned(&planned), 0),
            ("prod-us", "specs/prod-us.yaml", FleetVerdict::Planned(&risky), 0),
            ("stage", "specs/stage.yaml", FleetVerdict::Refused(&refused), 3),
            ("test", "specs/test.yaml", FleetVerdict::Planned(&same), 0),
            ("lab", "specs/lab.yaml", FleetVerdict::Unreachable(&silent), 10),
        ];
        let mut entries: Vec<FleetEntry<'_>> = rows
            .into_iter()
            .map(|(ensemble, spec, verdict, exit_code)| FleetEntry {
                ensemble: Some(ensemble),
                spec,
                verdict,
                exit_code,
            })
            .collect();
        entries.push(FleetEntry {
            ensemble: None,
            spec: "specs/broken.yaml",
            verdict: FleetVerdict::Failed("bad spec, 2 errors"),
            exit_code: 65,
        });
        insta::assert_snapshot!(table(&entries, 120).to_string_with(false), @r#"
        ensemble  spec                verdict                   changes          reconfigs  tolerates  exit
        prod-eu   specs/prod-eu.yaml  planned                   3 join, 3 leave          6          1     0
        prod-us   specs/prod-us.yaml  planned, 1 risk accepted  2 join                   2          0     0
        stage     specs/stage.yaml    refused: ZKQ2             2 join                   -          -     3
        test      specs/test.yaml     no changes                -                        -          -     0
        lab       specs/lab.yaml      unreachable               -                        -          -    10
        -         specs/broken.yaml   bad spec, 2 errors        -                        -          -    65
        "#);
    }
}

//! The table of common changes (`tests/common-changes.md`): what zkplan does with each.
//!
//! The first four columns of a row are its input. The others are the result of the planner and the
//! checker. `ZKPLAN_UPDATE=1` rewrites the table, which a person must read before it is committed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use zkplan::plan::Acceptance;
use zkplan::proposal::{Refusal, Remedy, propose};
use zkplan::render::remedies;

use crate::example::{Example, Zones, policy_of};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common-changes.md");

#[test]
#[expect(clippy::print_stdout, reason = "the figures of the table are its result")]
fn the_table_of_common_changes_holds() {
    let table = fs::read_to_string(TABLE).expect("the table");
    let mut now = String::new();
    let mut rows = 0;
    for line in table.lines() {
        match row(line) {
            Some(input) => {
                rows += 1;
                writeln!(now, "{}", judged(&input)).expect("a string");
            }
            None => writeln!(now, "{line}").expect("a string"),
        }
    }
    println!("{rows} common changes, each without zones, in one zone and in three");
    assert!(rows >= 20, "{rows} rows");
    if std::env::var_os("ZKPLAN_UPDATE").is_some() {
        fs::write(Path::new(TABLE), &now).expect("the table can be written");
    }
    let differs = table.lines().zip(now.lines()).find(|(was, is)| was != is);
    assert_eq!(differs, None, "the table says the first, zkplan does the second");
}

/// The input columns of a row, unless the line is no row.
fn row(line: &str) -> Option<Vec<String>> {
    let cells: Vec<String> =
        line.strip_prefix("| ")?.split(" | ").map(|cell| cell.trim().to_owned()).collect();
    let heading = cells.first().is_some_and(|cell| cell == "change" || cell.starts_with('-'));
    (!heading && cells.len() >= 4)
        .then(|| cells[..4].iter().map(|cell| cell.trim_end_matches(" |").to_owned()).collect())
}

fn judged(input: &[String]) -> String {
    let [plain, one, three] = [Zones::None, Zones::One, Zones::Three].map(|zones| {
        let (base, wanted) = input[1].split_once("->").expect("`base -> wanted`");
        let example =
            Example::new(base, wanted).down(input[2].trim_start_matches("none")).zones(zones);
        outcome(&example.policy(|policy| *policy = policy_of(&input[3])))
    });
    assert_eq!(plain.cells, one.cells, "one zone asks nothing: {}", input[0]);
    let windows = if three.cells == plain.cells { three.windows } else { three.cells.join("; ") };
    format!("| {} | {} | {} |", input.join(" | "), plain.cells.join(" | "), windows)
}

struct Outcome {
    cells: Vec<String>,
    windows: String,
}

fn outcome(example: &Example) -> Outcome {
    let (target, facts) = (example.target(), example.facts());
    match propose(&target, &facts, &[]) {
        Ok(checked) => planned("planned", &checked),
        Err(refusal) => match only_acceptances(&refusal) {
            Some(risks) => {
                let checked = propose(&target, &facts, &risks).expect("accepted");
                let names: Vec<String> = risks.iter().map(name).collect();
                planned(&format!("acceptance of {}", names.join(" and ")), &checked)
            }
            None => refused(&refusal),
        },
    }
}

fn planned(verdict: &str, checked: &zkplan::check::CheckedPlan) -> Outcome {
    let steps: Vec<&str> = checked
        .plan()
        .schedule()
        .iter()
        .filter(|(_, step)| step.reconfig().is_some())
        .map(|(_, step)| step.id.as_str())
        .collect();
    let report = checked.report();
    let windows: Vec<&str> = report
        .rows
        .iter()
        .filter(|row| report.windows.contains_key(&row.step))
        .filter(|row| row.figures.zone.as_ref().is_some_and(|zone| zone.votes.spare() < 0))
        .map(|row| row.step.as_str())
        .collect();
    Outcome {
        cells: vec![verdict.to_owned(), steps.join(" "), report.worst_spare.to_string()],
        windows: if windows.is_empty() {
            "no window".to_owned()
        } else {
            format!("after {}", windows.join(", "))
        },
    }
}

fn refused(refusal: &Refusal) -> Outcome {
    let grave = refusal.breaches.iter().find(|breach| !breach.detail.is_acceptable());
    let law = grave.map_or("", |breach| breach.law.code());
    let remedies: Vec<String> =
        refusal.remedies.iter().map(|r| format!("`{}`", remedies::remedy(r, refusal).0)).collect();
    let would_pass = if remedies.is_empty() {
        "-".to_owned()
    } else {
        format!("passes with {}", remedies.join(" and "))
    };
    Outcome {
        cells: vec![format!("refused by {law}"), would_pass, "-".to_owned()],
        windows: "-".to_owned(),
    }
}

fn only_acceptances(refusal: &Refusal) -> Option<Vec<Acceptance>> {
    let accept = |remedy: &Remedy| match remedy {
        Remedy::Accept(risk) => Some(risk.clone()),
        _ => None,
    };
    let risks: Option<Vec<Acceptance>> = refusal.remedies.iter().map(accept).collect();
    risks.filter(|risks| !risks.is_empty())
}

fn name(risk: &Acceptance) -> String {
    risk.step.as_ref().map_or_else(|| risk.code.clone(), |step| format!("{}:{step}", risk.code))
}

//! Other plans beside the one that is shown: what they would cost, and what speaks against them.

use super::text::{Line, Style, Text};
use super::{law, phrases, refusal};
use crate::check::{CheckedPlan, Report};
use crate::plan::Prefer;
use crate::whynot::{OrderAnswer, Wish};

/// The price of each preference, side by side; the chosen one is marked.
pub fn prices(all: &[(Prefer, CheckedPlan)], chosen: Prefer) -> Text {
    let mut text = Text::new();
    text.line(Line::new(
        Style::Bold,
        "Preferences             reconfigs  tolerates  zone  leader changes",
    ));
    for (prefer, checked) in all {
        let report = checked.report();
        let zone = report.worst_zone.as_ref().map(|zone| zone.votes.spare().to_string());
        let mark = if *prefer == chosen { '*' } else { ' ' };
        text.line(Line::plain(format!(
            "{mark} {:<21} {:>10}  {:>9}  {:>4}  {:>14}",
            name(*prefer),
            checked.plan().reconfigs(),
            report.worst_spare,
            zone.unwrap_or_else(|| "-".to_owned()),
            usize::from(report.may_hand_over),
        )));
    }
    let hands_over = all.iter().all(|(_, checked)| checked.report().may_hand_over);
    if chosen == Prefer::NoLeaderChange && hands_over {
        text.line(Line::plain(
            "  A leader change is unavoidable: every present voter changes.".to_owned(),
        ));
    }
    text
}

fn name(prefer: Prefer) -> &'static str {
    match prefer {
        Prefer::Safest => "safest",
        Prefer::Fewest => "fewest",
        Prefer::NoLeaderChange => "no-leader-change",
    }
}

/// Why the plan is not in the order that was asked for.
pub fn why_not(wish: &Wish, planned: &CheckedPlan, answer: &OrderAnswer, width: usize) -> Text {
    let mut text = Text::new();
    let title = Line::new(Style::Bold, format!("Why not {wish}?"));
    match answer {
        OrderAnswer::NotInPlan => {
            text.paragraph(
                "",
                title.then(Style::Plain, " The plan does not have such a step."),
                width,
            );
        }
        OrderAnswer::AsPlanned => {
            text.paragraph("", title.then(Style::Plain, " The plan already does this."), width);
        }
        OrderAnswer::Breaks(breaches) => {
            let many = phrases::count_of(law::codes(breaches).len(), "safety rule");
            let why = format!(" {many} would be broken.");
            text.paragraph("", title.then(Style::Plain, why), width);
            text.append(refusal::breaches(breaches, &[], width));
        }
        OrderAnswer::Keeps(other) => {
            let said = format!(" This order keeps the safety rules. {}.", compared(planned, other));
            text.paragraph("", title.then(Style::Plain, said), width);
        }
    }
    text
}

/// What is said of a wish where there is no plan.
pub fn no_plan(wish: &Wish, width: usize) -> Text {
    let mut text = Text::new();
    let title = Line::new(Style::Bold, format!("Why not {wish}?"));
    let said = " There is no plan to compare with. See the remedies above first.";
    text.paragraph("", title.then(Style::Plain, said), width);
    text
}

fn compared(planned: &CheckedPlan, other: &CheckedPlan) -> String {
    let zone = |report: &Report| report.worst_zone.as_ref().map(|zone| zone.votes.spare());
    let [ours, theirs] = [planned.report(), other.report()];
    let reconfigs = [planned, other].map(|checked| checked.plan().reconfigs());
    let mut differs = Vec::new();
    if ours.worst_spare != theirs.worst_spare {
        let [ours, theirs] = [ours.worst_spare, theirs.worst_spare];
        differs.push(format!("lowest tolerance {theirs} instead of {ours}"));
    }
    if zone(ours) != zone(theirs) {
        let said = |zone: Option<i64>| zone.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let [ours, theirs] = [zone(ours), zone(theirs)].map(said);
        differs.push(format!("tolerance with the worst zone lost {theirs} instead of {ours}"));
    }
    if ours.windows.len() != theirs.windows.len() {
        let [ours, theirs] = [ours.windows.len(), theirs.windows.len()];
        differs.push(format!(
            "the loss of one zone would stop writes after {theirs} steps instead of {ours}"
        ));
    }
    if reconfigs[0] != reconfigs[1] {
        differs.push(format!("{} reconfigs instead of {}", reconfigs[1], reconfigs[0]));
    }
    if differs.is_empty() {
        "It is as good as the plan, which takes the lower ids first".to_owned()
    } else {
        format!("Compared with the plan: {}", differs.join(", "))
    }
}

//! What would pass instead of a refused plan, and what may help where nothing does.

use super::files::SpecFile;
use super::text::{Line, Style, Text};
use super::{hints, law, phrases};
use crate::check::{Breach, BreachKind, Law};
use crate::diff::ChangeKind;
use crate::proposal::{Refusal, Remedy};

/// The exact line of the spec, or the flag, of a remedy, and what it costs.
pub fn remedy(remedy: &Remedy, refusal: &Refusal) -> (String, String) {
    let (exact, _, costs) = of_remedy(remedy, refusal);
    (exact, costs)
}

/// What would pass, or what may help; `again` is the command that was refused.
pub(super) fn remedies(
    refusal: &Refusal,
    (spec, again): (&SpecFile<'_>, &str),
    width: usize,
) -> Text {
    let mut text = Text::new();
    if refusal.remedies.is_empty() {
        let title = "What to do (zkplan found no policy and no --accept with which a plan passes)";
        text.paragraph("", Line::new(Style::Bold, title), width);
        for hint in hints::hints(refusal) {
            text.paragraph("  - ", hint, width);
        }
        return text;
    }
    // What takes no risk is read first.
    text.append(cures(refusal, width));
    let title = if refusal.remedies.len() > 1 {
        "What would pass, all together (zkplan made and checked a plan with them)"
    } else {
        "What would pass (zkplan made and checked a plan with it)"
    };
    text.paragraph("", Line::new(Style::Bold, title), width);
    let mut flags = Vec::new();
    for remedy in &refusal.remedies {
        let (exact, place, costs) = of_remedy(remedy, refusal);
        match place {
            Place::Spec => {
                let place = format!("  in {}", phrases::shell(spec.path));
                text.line(Line::new(Style::Cyan, format!("  {exact}")).then(Style::Dim, place));
                text.paragraph("    ", costs, width);
            }
            Place::Flag => flags.push((exact, costs)),
        }
    }
    if !flags.is_empty() {
        let all: Vec<&str> = flags.iter().map(|(flag, _)| flag.as_str()).collect();
        text.line(Line::new(Style::Cyan, format!("  {again} {}", all.join(" "))));
    }
    if flags.is_empty() {
        let path = phrases::shell(spec.path);
        text.paragraph("", format!("If you accept that, change {path}, and plan again."), width);
        text.line(Line::plain("Next: ").then(Style::Cyan, again));
    }
    let is_one = flags.len() == 1;
    for (flag, costs) in flags {
        let of = if is_one { String::new() } else { flag.replacen("--accept ", "", 1) + ": " };
        text.paragraph(format!("    {of}").as_str(), costs, width);
    }
    text
}

/// What takes no risk at all, where the same breach has a cause outside the spec.
fn cures(refusal: &Refusal, width: usize) -> Text {
    let facts = &refusal.nearest.facts;
    let mut text = Text::new();
    let scarce = |breach: &Breach| matches!(breach.law, Law::Next | Law::Spare);
    let voters = facts.base.membership.voters();
    let down: Vec<_> = voters.difference(&facts.synced).collect();
    if refusal.breaches.iter().any(scarce) && !down.is_empty() {
        let cure = format!("start {} again, and plan again", phrases::servers(down));
        text.paragraph(Line::new(Style::Bold, "Better: "), cure, width);
    }
    if refusal.breaches.iter().any(|breach| breach.law == Law::Shrink) {
        let leave =
            refusal.nearest.changes.iter().filter(|change| change.kind == ChangeKind::Leave);
        let leave: Vec<_> = leave.map(|change| change.id).collect();
        let them = if leave.len() == 1 { "it" } else { "them" };
        let (who, is) = (phrases::servers(&leave), if leave.len() == 1 { "is" } else { "are" });
        let cure = format!("if {who} {is} missing from the spec by mistake, put {them} back");
        text.paragraph(Line::new(Style::Bold, "Better: "), cure, width);
    }
    let moved = |breach: &Breach| match breach.detail {
        BreachKind::OtherMachine(id) => Some(id),
        _ => None,
    };
    for id in refusal.breaches.iter().filter_map(moved) {
        let same = if facts.assumed {
            " If it is the same machine with a new address, plan without --live: zkplan then asks the \
             servers."
        } else {
            ""
        };
        let cure = format!(
            "if the new host of server {id} is a mistake, correct it in the spec. If the move is \
             wanted, give the new machine a new id.{same}"
        );
        text.paragraph(Line::new(Style::Bold, "Better: "), cure, width);
    }
    text
}

enum Place {
    Spec,
    Flag,
}

/// The exact line or flag, where it goes, and what it costs.
fn of_remedy(remedy: &Remedy, refusal: &Refusal) -> (String, Place, String) {
    match remedy {
        Remedy::Accept(risk) => {
            let step = risk.step.as_ref().map(|step| format!(":{step}")).unwrap_or_default();
            let code = &risk.code;
            let breach =
                refusal.breaches.iter().find(|b| law::code(b) == code && b.step == risk.step);
            let costs = breach.map_or_else(
                || "The plan then includes this risk.".to_owned(),
                |breach| accepted(breach, refusal),
            );
            (format!("--accept {code}{step}"), Place::Flag, costs)
        }
        Remedy::MinTolerance(count) => (
            format!("policy.minTolerance: {count}"),
            Place::Spec,
            match count {
                0 => tolerates_none(refusal),
                n => {
                    format!(
                        "At every step the ensemble tolerates {}.",
                        phrases::count(*n, "failure")
                    )
                }
            },
        ),
        Remedy::MaxShrink(count) => (
            format!("policy.maxShrink: {count}"),
            Place::Spec,
            format!("{} may then leave without a replacement.", phrases::count(*count, "server")),
        ),
        Remedy::StandaloneDisabled => (
            "policy.standaloneEnabled: false".to_owned(),
            Place::Spec,
            "Set this only if zoo.cfg of every server already has standaloneEnabled=false and the \
             servers were restarted with it. The policy changes no server, and zkplan cannot check \
             zoo.cfg. One voter tolerates 0 failures."
                .to_owned(),
        ),
        Remedy::ZonesBest => (
            "policy.zones: best".to_owned(),
            Place::Spec,
            "The plan then shows after which steps the loss of one zone would stop writes."
                .to_owned(),
        ),
        Remedy::WithoutOverlap => (
            "policy.changesPerStep: 0".to_owned(),
            Place::Spec,
            "Quorums before and after a step may then have no server in common. Only ZooKeeper's \
             own commit by both quorums protects the step."
                .to_owned(),
        ),
        Remedy::ReuseBlankIds => (
            "policy.reuseIds: blank".to_owned(),
            Place::Spec,
            "A person then confirms that the data directory of the new machine is blank."
                .to_owned(),
        ),
    }
}

/// What it means that a plan may tolerate no failure: for a while, or from then on.
fn tolerates_none(refusal: &Refusal) -> String {
    let target = &refusal.nearest.target;
    let voters = target.voters().len();
    // One or two voters never tolerate a failure.
    if voters <= 2 && !target.is_weighted() {
        return format!(
            "The ensemble then ends with {} and tolerates 0 failures: if one fails, writes stop.",
            phrases::count_of(voters, "voter")
        );
    }
    "At the steps above the ensemble then tolerates 0 failures: if a voter fails there, writes stop."
        .to_owned()
}

fn accepted(breach: &Breach, refusal: &Refusal) -> String {
    match &breach.detail {
        BreachKind::NeedsJoiners { joiners, .. } => {
            let (it, fails) =
                if joiners.len() == 1 { ("it", "it fails") } else { ("them", "they fail") };
            format!(
                "From this step on the quorum needs {}. Keep {it} running until more voters have \
                 joined; if {fails}, writes stop.",
                phrases::servers(joiners)
            )
        }
        _ => law::cost(breach, &refusal.nearest.facts.findings),
    }
}

//! ZKQ1: the ensemble is healthy before the plan starts.

use std::collections::BTreeSet;

use crate::check::breach::{Breach, BreachKind, Law};
use crate::check::engine::step_table::StepTable;
use crate::model::ServerId;
use crate::observe::{Facts, FindingKind, Level, Obstacle};

/// The rule, on the facts of now.
pub(in crate::check) fn now(facts: &Facts) -> Vec<Breach> {
    let base = &facts.base.membership;
    let voters = base.voters();
    let acking: BTreeSet<ServerId> = voters.intersection(&facts.live).copied().collect();
    let votes = StepTable::votes_in(base, voters, acking);
    let law = |detail| Breach::of_plan(Law::Now, detail);
    let mut found: Vec<Breach> =
        facts.obstacles.iter().cloned().map(|o| law(BreachKind::Obstacle(o))).collect();
    let disagreeing = facts.findings.iter().filter_map(|finding| match finding.kind {
        FindingKind::MemberDisagrees => finding.server,
        _ => None,
    });
    found.extend(disagreeing.map(|id| law(BreachKind::MemberDisagrees(id))));
    if votes.spare() < 0 {
        found.push(law(BreachKind::NoLiveQuorum(votes)));
    }
    found
}

/// Obstacles that count even for a plan without steps.
///
/// Such a plan says that the ensemble is as the spec wants it. That is wrong if another server
/// answers at an address of the spec. The live line of a statically configured server has no client
/// part that could differ, so no change would show it.
pub(super) fn mistaken(facts: &Facts) -> Vec<Breach> {
    let obstacles = facts.obstacles.iter().filter(|obstacle| match obstacle {
        Obstacle::WantedStandalone(_)
        | Obstacle::WantedAnswersAs(..)
        | Obstacle::WantedElsewhere(_)
        | Obstacle::MemberAnswersAs(..)
        | Obstacle::WantedDataDiffer(_)
        | Obstacle::NoPlainPort(_) => true,
        Obstacle::ReconfigDisabled(_) | Obstacle::NoCommit | Obstacle::TakesOneConnection(..) => {
            false
        }
    });
    let breach = |obstacle| Breach::of_plan(Law::Now, BreachKind::Obstacle(obstacle));
    obstacles.cloned().map(breach).collect()
}

/// Findings that must be accepted.
pub(in crate::check) fn findings(facts: &Facts) -> Vec<Breach> {
    let weighty = facts.findings.iter().filter(|f| f.kind.level() == Level::Accept);
    let codes: BTreeSet<&'static str> = weighty.map(|finding| finding.kind.code()).collect();
    codes.into_iter().map(|code| Breach::of_plan(Law::Now, BreachKind::Finding(code))).collect()
}

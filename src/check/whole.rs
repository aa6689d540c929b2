//! The laws of a plan as a whole: where it starts, where it ends, what it may contain.

use std::collections::BTreeSet;

use super::breach::{Breach, Detail, Law};
use super::table::Table;
use crate::diff::{Change, ChangeKind};
use crate::model::{Membership, MinTolerance, ReuseIds, Server, ServerId};
use crate::observe::{Facts, FindingKind, Level, Obstacle};
use crate::plan::{Action, ChangeVerb, Phase, Plan, ServerChange, Step, StepOrder};

/// A breach that is about the whole plan.
pub(super) fn of_plan(law: Law, detail: Detail) -> Breach {
    Breach { law, step: None, path: Vec::new(), detail }
}

/// Whether the steps can be folded over the base at all.
pub(super) fn can_be_walked(breaches: &[Breach]) -> bool {
    !breaches.iter().any(|breach| {
        matches!(
            breach.detail,
            Detail::NoLiveQuorum(_)
                | Detail::UnlikeSteps
                | Detail::OddPlaces
                | Detail::TooManyWeights
                | Detail::NoGroup(_)
                | Detail::OtherPlace(_)
                | Detail::GroupsOfMajority(_)
        )
    })
}

/// What is wrong with the plan as a whole.
pub(super) fn broken(table: &Table<'_>) -> Vec<Breach> {
    let plan = table.plan;
    if plan.is_empty() {
        return mistaken(table);
    }
    let mut found = now(table.facts);
    found.extend(unsupported(table).into_iter().map(|d| of_plan(Law::Unsupported, d)));
    found.extend(identity(table).into_iter().map(|d| of_plan(Law::Identity, d)));
    found.extend(form(table).map(|detail| of_plan(Law::Form, detail)));
    found.extend(shrink(plan).map(|detail| of_plan(Law::Shrink, detail)));
    found.extend(findings(table.facts));
    found
}

/// What not even a plan without steps may pass over: it says that the ensemble is as the spec wants
/// it, and where another server answers at an address of the spec, it is not. A live line of static
/// origin has no client part that could differ, so that no change would show it.
fn mistaken(table: &Table<'_>) -> Vec<Breach> {
    let obstacles = table.facts.obstacles.iter().filter(|obstacle| match obstacle {
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
    obstacles.cloned().map(|obstacle| of_plan(Law::Now, Detail::Obstacle(obstacle))).collect()
}

/// ZKQ1, on the facts of now.
pub(super) fn now(facts: &Facts) -> Vec<Breach> {
    let base = &facts.base.membership;
    let voters = base.voters();
    let acking: BTreeSet<ServerId> = voters.intersection(&facts.live).copied().collect();
    let votes = Table::votes_in(base, voters, acking);
    let law = |detail| of_plan(Law::Now, detail);
    let mut found: Vec<Breach> =
        facts.obstacles.iter().cloned().map(|o| law(Detail::Obstacle(o))).collect();
    let disagreeing = facts.findings.iter().filter_map(|finding| match finding.kind {
        FindingKind::MemberDisagrees => finding.server,
        _ => None,
    });
    found.extend(disagreeing.map(|id| law(Detail::MemberDisagrees(id))));
    if votes.spare() < 0 {
        found.push(law(Detail::NoLiveQuorum(votes)));
    }
    found
}

fn unsupported(table: &Table<'_>) -> Vec<Detail> {
    let plan = table.plan;
    let mut found = places(table);
    let odd = |server: &Option<Server>| {
        server.as_ref().is_some_and(|s| s.peers.len() > 1 || s.secure_client.is_some())
    };
    // Where every member's line tells its secure client port, all servers take such lines.
    let are_secure =
        plan.facts.base.membership.servers().all(|server| server.secure_client.is_some());
    let joins = |change: &Change| {
        let one_address = change.after.as_ref().is_some_and(|after| after.peers.len() == 1);
        change.kind == ChangeKind::Join && are_secure && one_address
    };
    for change in &plan.changes {
        let stays_odd = change.kind != ChangeKind::Leave && !joins(change);
        if stays_odd && (odd(&change.before) || odd(&change.after)) {
            found.push(Detail::SeveralAddresses(change.id));
        }
    }
    found
}

/// Groups and weights that cannot be counted, or that no reconfig of one server leads to.
fn places(table: &Table<'_>) -> Vec<Detail> {
    let (base, target) = (&table.plan.facts.base.membership, &table.plan.target);
    let voters = |wrong: &dyn Fn(ServerId) -> bool| -> Option<BTreeSet<ServerId>> {
        let voters = target.servers().filter(|server| server.votes() && wrong(server.id));
        let ids: BTreeSet<ServerId> = voters.map(|server| server.id).collect();
        (!ids.is_empty()).then_some(ids)
    };
    if !base.is_weighted() {
        let grouped = voters(&|id| target.place(id).is_some());
        return grouped.map(Detail::GroupsOfMajority).into_iter().collect();
    }
    if base.has_odd_places() {
        return vec![Detail::OddPlaces];
    }
    let unplaced = voters(&|id| target.place(id).is_none());
    let moved = voters(&|id| {
        let [was, is] = [base, target].map(|members| members.place(id));
        was.is_some() && is.is_some() && was != is
    });
    let found = unplaced.map(Detail::NoGroup).into_iter().chain(moved.map(Detail::OtherPlace));
    found.chain((!table.is_countable()).then_some(Detail::TooManyWeights)).collect()
}

/// ZKQ11, as far as ids go.
fn identity(table: &Table<'_>) -> Vec<Detail> {
    let plan = table.plan;
    let new = plan.changes.iter().filter(|change| change.kind == ChangeKind::Join);
    let mut found: Vec<Detail> = new
        .filter(|change| !change.id.is_valid_in_spec())
        .map(|change| Detail::UnwantableId(change.id))
        .collect();
    if plan.policy.reuse_ids == ReuseIds::Never {
        let replaced = plan.changes.iter().filter(|change| change.kind == ChangeKind::Replace);
        found.extend(replaced.map(|change| Detail::OtherMachine(change.id)));
    }
    found
}

/// What a plan is before it is judged: unordered phases hold like steps, so that their order is
/// not checked, and the tolerance is that of the policy.
fn form(table: &Table<'_>) -> impl Iterator<Item = Detail> + use<> {
    let plan = table.plan;
    let unlike = plan.phases.iter().any(|phase| !is_alike(phase)).then_some(Detail::UnlikeSteps);
    let policy = tolerance(table);
    let other = Detail::OtherTolerance { says: plan.min_tolerance, policy };
    unlike.into_iter().chain((plan.min_tolerance != policy).then_some(other))
}

pub(super) fn is_alike(phase: &Phase) -> bool {
    let all = |test: fn(&Action) -> bool| phase.steps.iter().all(|step| test(&step.action));
    match phase.rule {
        StepOrder::InOrder => true,
        StepOrder::SideBySide => {
            all(|action| matches!(action, Action::Start(_) | Action::AwaitJoiner(_)))
                || all(|action| matches!(action, Action::Stop(_) | Action::AskToStop(_)))
        }
        StepOrder::LeaderLast => {
            let servers: Vec<ServerId> = phase.steps.iter().flat_map(Step::servers).collect();
            let once: BTreeSet<&ServerId> = servers.iter().collect();
            let kept_apart = |part: &ServerChange| {
                matches!(
                    part.change,
                    ChangeVerb::Leave | ChangeVerb::Demote | ChangeVerb::Readdress { .. }
                )
            };
            once.len() == servers.len()
                && phase
                    .steps
                    .iter()
                    .all(|step| step.reconfig().is_some() && step.parts().iter().all(kept_apart))
        }
    }
}

/// What the policy asks for: `auto` is the smaller of now and target, where those that are down now
/// still are.
fn tolerance(table: &Table<'_>) -> u32 {
    let plan = table.plan;
    if let MinTolerance::AtLeast(count) = plan.policy.min_tolerance {
        return count;
    }
    let base = &plan.facts.base.membership;
    let up = |id: &ServerId| !base.contains(*id) || plan.facts.live.contains(id);
    let spare = |members: &Membership| {
        let voters = members.voters();
        let acking = voters.iter().copied().filter(up).collect();
        table.spare_of(&voters, &acking)
    };
    u32::try_from(spare(base).min(spare(&plan.target)).max(0)).unwrap_or(u32::MAX)
}

/// ZKQ14.
fn shrink(plan: &Plan) -> Option<Detail> {
    let (base, target) = (&plan.facts.base.membership, &plan.target);
    let removed = base.servers().filter(|server| !target.contains(server.id)).count();
    let added = target.servers().filter(|server| !base.contains(server.id)).count();
    let max = plan.policy.max_shrink;
    let beyond = removed.saturating_sub(added) > usize::try_from(max).unwrap_or(usize::MAX);
    beyond.then_some(Detail::Shrinks { removed, added, max })
}

/// Findings that must be accepted.
pub(super) fn findings(facts: &Facts) -> Vec<Breach> {
    let weighty = facts.findings.iter().filter(|f| f.kind.level() == Level::Accept);
    let codes: BTreeSet<&'static str> = weighty.map(|finding| finding.kind.code()).collect();
    codes.into_iter().map(|code| of_plan(Law::Now, Detail::Finding(code))).collect()
}

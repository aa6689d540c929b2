//! From a target and the facts of now to a plan that may be shown: diff, plan, check, choose.
//!
//! The planner's best plan is shown where it keeps the safety rules. Where it does not, no order does: the
//! refusal names its breaches and a change of policy under which a plan was made and checked.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{Breach, BreachKind, CheckedPlan, Law, RejectedPlan, check, check_or_return};
use crate::diff::diff;
use crate::model::{
    MinTolerance, Policy, ReuseIds, ServerId, SettingName, StandaloneEnabled, Target, ZonePolicy,
};
use crate::observe::{Facts, FindingKind, Obstacle};
use crate::plan::{Acceptance, Goal, Plan, Prefer, Restart, best, restarts};

/// Why no plan may be shown, and what would pass.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The best plan that the planner knows.
    pub nearest: Plan,
    /// Its breaches; acceptable ones too. Those of the change as a whole are first, since what breaks
    /// at a step may only follow from them.
    pub breaches: Vec<Breach>,
    /// The smallest changes, taken together, under which a plan was made and checked; empty where
    /// none was found.
    pub remedies: Vec<Remedy>,
}

/// A change of policy, or an acceptance, that helps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// Accept a risk by name.
    Accept(Acceptance),
    /// Set `policy.minTolerance`.
    MinTolerance(u32),
    /// Set `policy.maxShrink`.
    MaxShrink(u32),
    /// Assert `policy.standaloneEnabled: false`.
    StandaloneDisabled,
    /// Set `policy.zones: best`.
    ZonesBest,
    /// Set `policy.reuseIds: blank`.
    ReuseBlankIds,
    /// Set `policy.changesPerStep: 0`.
    WithoutOverlap,
}

/// Makes the plan from the live ensemble to the target.
pub fn propose(
    target: &Target,
    facts: &Facts,
    accepted: &[Acceptance],
) -> Result<CheckedPlan, Box<Refusal>> {
    propose_preferring(target, facts, accepted, Prefer::default())
}

/// The same where something else counts most.
///
/// Settings come before membership: where members were seen to lack wanted ones, it is the plan that
/// restarts them.
pub fn propose_preferring(
    target: &Target,
    facts: &Facts,
    accepted: &[Acceptance],
    prefer: Prefer,
) -> Result<CheckedPlan, Box<Refusal>> {
    if let Some(proposed) = propose_restarts(target, facts, accepted, &BTreeSet::new()) {
        return proposed;
    }
    let goal = Goal { prefer, ..goal(target, facts, accepted) };
    match choose(&goal) {
        Ok(checked) => Ok(without_idle_acceptances(checked)),
        Err(nearest) => {
            let remedies = remedies(&goal, &nearest.breaches);
            Err(Box::new(refusal(*nearest, remedies)))
        }
    }
}

/// The plan that restarts the members that were seen to lack wanted settings, and those that are
/// asked for; `None` where there are none.
pub fn propose_restarts(
    target: &Target,
    facts: &Facts,
    accepted: &[Acceptance],
    asked: &BTreeSet<ServerId>,
) -> Option<Result<CheckedPlan, Box<Refusal>>> {
    let servers = to_restart(target, facts, asked);
    if servers.is_empty() {
        return None;
    }
    let plan = restarts(&goal(target, facts, accepted), &target.settings, servers);
    Some(match check_or_return(plan, facts) {
        Ok(checked) => Ok(without_idle_acceptances(checked)),
        Err(nearest) => {
            let accepts = nearest.breaches.iter().all(|breach| breach.detail.is_acceptable());
            let remedies = nearest.breaches.iter().filter(|_| accepts).filter_map(suggested);
            let remedies = remedies.collect();
            Err(Box::new(refusal(*nearest, remedies)))
        }
    })
}

fn refusal(nearest: RejectedPlan, remedies: Vec<Remedy>) -> Refusal {
    let RejectedPlan { plan, mut breaches } = nearest;
    breaches.sort_by_key(|breach| !breach.is_of_the_whole());
    Refusal { nearest: plan, breaches, remedies }
}

/// The members to restart. Where the leader runs without `reconfigEnabled`, that of no other member
/// shows, and a member that is left out could never rejoin later: so it is all of them.
fn to_restart(
    target: &Target,
    facts: &Facts,
    asked: &BTreeSet<ServerId>,
) -> BTreeMap<ServerId, Restart> {
    let members = facts.base.membership.ids();
    let mut lacking: BTreeMap<ServerId, BTreeSet<SettingName>> = BTreeMap::new();
    for finding in &facts.findings {
        let FindingKind::SettingsDiffer { differences } = &finding.kind else { continue };
        for difference in differences {
            for server in difference.servers.intersection(&members) {
                lacking.entry(*server).or_default().insert(difference.setting);
            }
        }
    }
    for obstacle in facts.obstacles.iter().filter(|_| target.settings.reconfig_enabled) {
        let Obstacle::ReconfigDisabled(on) = obstacle else { continue };
        let leads = facts.leader.is_none_or(|leader| on.contains(&leader));
        let on = if leads { &members } else { on };
        for server in on.intersection(&members) {
            lacking.entry(*server).or_default().insert(SettingName::ReconfigEnabled);
        }
    }
    let restart = |server: &ServerId| {
        let brings = lacking.get(server).cloned().unwrap_or_default();
        (*server, Restart { server: *server, brings, is_asked: asked.contains(server) })
    };
    lacking.keys().chain(asked.intersection(&members)).map(restart).collect()
}

fn goal(target: &Target, facts: &Facts, accepted: &[Acceptance]) -> Goal {
    Goal {
        ensemble: target.ensemble.clone(),
        diff: diff(
            &facts.base.membership,
            &target.membership_for(&facts.base.membership),
            &facts.other_machine,
            target.policy.client_part,
        ),
        facts: facts.clone(),
        policy: target.policy.clone(),
        connect: target.connect.clone(),
        reach: target.reach(),
        hooks: target.hooks.clone(),
        accepted: accepted.to_vec(),
        prefer: Prefer::default(),
    }
}

fn choose(goal: &Goal) -> Result<CheckedPlan, Box<RejectedPlan>> {
    check_or_return(best(goal), &goal.facts)
}

/// An acceptance that the plan does not need is no part of it, but for that of a finding: it may come
/// up on the way, and accepting it for a plan accepts it for all of its run.
fn without_idle_acceptances(checked: CheckedPlan) -> CheckedPlan {
    let plan = checked.plan();
    let in_advance = plan.accepted.iter().filter(|risk| {
        risk.step.is_none() && FindingKind::ACCEPTED.contains(&&*risk.code) && !plan.is_empty()
    });
    let used: BTreeSet<Acceptance> =
        checked.report().accepted.iter().map(acceptance).chain(in_advance.cloned()).collect();
    let used: Vec<Acceptance> = used.into_iter().collect();
    if used == checked.plan().accepted {
        return checked;
    }
    let mut plan = checked.plan().clone();
    plan.accepted = used;
    let facts = plan.facts.clone();
    check(plan, &facts).unwrap_or(checked)
}

/// The acceptance that a breach asks for.
pub fn acceptance(breach: &Breach) -> Acceptance {
    let code = match breach.detail {
        BreachKind::Finding(code) => code,
        _ => breach.law.code(),
    };
    Acceptance { code: code.to_owned(), step: breach.step.clone() }
}

/// Tries everything that the broken rules suggest at once, then drops what is not needed.
fn remedies(goal: &Goal, breaches: &[Breach]) -> Vec<Remedy> {
    const ROUNDS: usize = 4;
    let mut tried: BTreeSet<Remedy> = BTreeSet::new();
    let mut breaches = breaches.to_vec();
    for _ in 0..ROUNDS {
        // A plan that cannot be looked at to the end would not be with another policy either.
        if breaches.iter().any(|breach| matches!(breach.detail, BreachKind::TooManyOrders(_))) {
            return Vec::new();
        }
        let known = tried.len();
        tried.extend(breaches.iter().filter_map(suggested));
        if tried.len() == known {
            return Vec::new();
        }
        match choose(&remedied(goal, &tried)) {
            Ok(_) => return smallest(goal, tried),
            Err(nearest) => breaches = nearest.breaches,
        }
    }
    Vec::new()
}

fn smallest(goal: &Goal, mut remedies: BTreeSet<Remedy>) -> Vec<Remedy> {
    for remedy in remedies.clone() {
        let mut fewer = remedies.clone();
        fewer.remove(&remedy);
        // With none at all, it was refused.
        if !fewer.is_empty() && choose(&remedied(goal, &fewer)).is_ok() {
            remedies = fewer;
        }
    }
    remedies.into_iter().collect()
}

fn remedied(goal: &Goal, remedies: &BTreeSet<Remedy>) -> Goal {
    let mut goal = goal.clone();
    for remedy in remedies {
        let policy: &mut Policy = &mut goal.policy;
        match remedy {
            Remedy::Accept(risk) => goal.accepted.push(risk.clone()),
            Remedy::MinTolerance(count) => {
                policy.min_tolerance = smaller(policy.min_tolerance, *count);
            }
            Remedy::MaxShrink(count) => policy.max_shrink = *count,
            Remedy::StandaloneDisabled => {
                policy.standalone_enabled = StandaloneEnabled::False;
                goal.facts.standalone_disabled = true;
            }
            Remedy::ZonesBest => policy.zones = ZonePolicy::Best,
            Remedy::ReuseBlankIds => policy.reuse_ids = ReuseIds::Blank,
            Remedy::WithoutOverlap => policy.changes_per_step = 0,
        }
    }
    goal
}

fn smaller(known: MinTolerance, count: u32) -> MinTolerance {
    match known {
        MinTolerance::AtLeast(less) => MinTolerance::AtLeast(less.min(count)),
        MinTolerance::Auto => MinTolerance::AtLeast(count),
    }
}

fn suggested(breach: &Breach) -> Option<Remedy> {
    if breach.detail.is_acceptable() {
        return Some(Remedy::Accept(acceptance(breach)));
    }
    match (breach.law, &breach.detail) {
        (Law::Spare, BreachKind::SpareTooSmall { votes, .. }) => {
            u32::try_from(votes.spare()).ok().map(Remedy::MinTolerance)
        }
        (Law::Shrink, BreachKind::Shrinks { removed, added, .. }) => {
            u32::try_from(removed - added).ok().map(Remedy::MaxShrink)
        }
        (Law::TwoParticipants, BreachKind::TooFewParticipants { left: 1 }) => {
            Some(Remedy::StandaloneDisabled)
        }
        (Law::Zones, _) => Some(Remedy::ZonesBest),
        (Law::Identity, BreachKind::OtherMachine(_)) => Some(Remedy::ReuseBlankIds),
        (Law::Overlap, BreachKind::NoOverlap { .. }) => Some(Remedy::WithoutOverlap),
        _ => None,
    }
}

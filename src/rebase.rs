//! What has changed since a saved plan was made, by whose change as far as the journal tells, and which
//! of its steps still hold beside a plan that is made now.

use std::collections::BTreeSet;

use crate::apply::journal::Run;
use crate::apply::position::implied;
use crate::apply::stale::{Now, fresh};
use crate::diff::{Change, diff};
use crate::model::{ConfigVersion, ServerId};
use crate::observe::{Facts, Finding, Identity, Level};
use crate::plan::{Plan, Step, StepId};
use crate::saved;

/// A saved plan beside what is there now.
#[derive(Debug, Clone)]
pub struct Rebase {
    /// The id of the saved plan.
    pub plan_id: String,
    /// Whether no apply takes it any more.
    pub is_stale: bool,
    /// What has changed since it was made.
    pub changes: Vec<SincePlan>,
    /// Its steps, each with what has become of it.
    pub steps: Vec<(StepId, StepFate)>,
    /// The steps of the new plan that it does not have.
    pub new_steps: Vec<StepId>,
}

/// Something that has changed since a plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SincePlan {
    /// The ensemble has another identity.
    Identity {
        /// That of the plan.
        then: Identity,
        /// The present one.
        now: Identity,
    },
    /// The config version.
    Version {
        /// That of the plan.
        then: ConfigVersion,
        /// The present one.
        now: ConfigVersion,
        /// The runs of zkplan that made versions since, oldest first.
        runs: Vec<RunSince>,
        /// Whether no run made the present version: another client did.
        by_other: bool,
    },
    /// A member.
    Member(Change),
    /// A server as the spec wants it.
    Wanted(Change),
    /// The policy of the spec.
    Policy,
    /// The hooks of the spec.
    Hooks,
    /// Who leads.
    Leader {
        /// Then.
        then: Option<ServerId>,
        /// Now.
        now: Option<ServerId>,
    },
    /// Members that were up and in sync, and are not now.
    Down(BTreeSet<ServerId>),
    /// Members that were not up and in sync, and are now.
    Back(BTreeSet<ServerId>),
    /// New servers that follow now, and did not then.
    Follow(BTreeSet<ServerId>),
    /// New servers that followed then, and do not now.
    FollowNoMore(BTreeSet<ServerId>),
    /// A warning or a risk that was not there then.
    Found(Finding),
    /// A warning or a risk that is not there any more.
    Gone(Finding),
}

/// A run that made config versions after a plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSince {
    /// Its number.
    pub run: u64,
    /// Who opened it, for people.
    pub by: String,
    /// When, as the clock of that host had it.
    pub at: String,
    /// Why, where that was said.
    pub reason: Option<String>,
}

/// What has become of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepFate {
    /// It is done.
    Done,
    /// The new plan has it, too.
    Holds,
    /// The new plan does not have it.
    Dropped,
}

/// Holds a saved plan against what is there now, and against the plan that is made now; `wanted` is the
/// same plan, or the best one where none is safe.
pub fn rebase(old: &Plan, now: &Facts, runs: &[Run], (wanted, is_safe): (&Plan, bool)) -> Rebase {
    let plan_id = saved::plan_id(old);
    let state = Now {
        plan_id: &plan_id,
        config: &now.base,
        identity: &now.identity,
        zxid: now.leader_zxid,
        runs,
    };
    let position = fresh(old, state, false).ok();
    let done = position.as_ref().map(|point| implied(old, &point.done)).unwrap_or_default();
    let new = is_safe.then_some(wanted);
    let is_in = |plan: &Plan, step: &Step| plan.steps().any(|other| other == step);
    let fate = |step: &Step| match new {
        _ if done.contains(&step.id) => StepFate::Done,
        Some(new) if is_in(new, step) => StepFate::Holds,
        Some(_) | None => StepFate::Dropped,
    };
    let new_steps = new.into_iter().flat_map(Plan::steps).filter(|step| !is_in(old, step));
    Rebase {
        is_stale: position.is_none(),
        changes: changes(old, now, runs, wanted),
        steps: old.steps().map(|step| (step.id.clone(), fate(step))).collect(),
        new_steps: new_steps.map(|step| step.id.clone()).collect(),
        plan_id,
    }
}

/// Everything that differs, the ensemble first.
fn changes(old: &Plan, now: &Facts, runs: &[Run], wanted: &Plan) -> Vec<SincePlan> {
    let then = &old.facts;
    let mut all = Vec::new();
    if then.identity != now.identity && !then.assumed {
        all.push(SincePlan::Identity { then: then.identity.clone(), now: now.identity.clone() });
    }
    all.extend(version(then, now, runs));
    let none = BTreeSet::new();
    let (live, part) = (&now.base.membership, wanted.policy.client_part);
    let members = diff(&then.base.membership, live, &none, part);
    all.extend(members.changes.into_iter().map(SincePlan::Member));
    if then.leader != now.leader && !then.assumed {
        all.push(SincePlan::Leader { then: then.leader, now: now.leader });
    }
    let stays = |ids: &BTreeSet<ServerId>| -> BTreeSet<ServerId> {
        let both = |id: &&ServerId| then.base.membership.contains(**id) && live.contains(**id);
        ids.iter().filter(both).copied().collect()
    };
    let [were, are] = [&then.synced, &now.synced].map(stays);
    let joins = |id: &&ServerId| !live.contains(**id);
    let lost = |one: &BTreeSet<ServerId>, other: &BTreeSet<ServerId>| -> BTreeSet<ServerId> {
        one.difference(other).copied().collect()
    };
    let [followed, follow] = [&then.following, &now.following]
        .map(|ids| ids.iter().filter(joins).copied().collect::<BTreeSet<ServerId>>());
    let sets = [
        SincePlan::Down(lost(&were, &are)),
        SincePlan::Back(lost(&are, &were)),
        SincePlan::Follow(lost(&follow, &followed)),
        SincePlan::FollowNoMore(lost(&followed, &follow)),
    ];
    all.extend(sets.into_iter().filter(|set| !set.is_empty()));
    let differing = diff(&old.target, &wanted.target, &none, part);
    all.extend(differing.changes.into_iter().map(SincePlan::Wanted));
    if old.policy != wanted.policy {
        all.push(SincePlan::Policy);
    }
    if old.hooks != wanted.hooks {
        all.push(SincePlan::Hooks);
    }
    let weighs = |one: &&Finding| one.kind.level() != Level::Note;
    let missing = |from: &[Finding], of: &[Finding]| -> Vec<Finding> {
        of.iter().filter(weighs).filter(|one| !from.contains(one)).cloned().collect()
    };
    all.extend(missing(&then.findings, &now.findings).into_iter().map(SincePlan::Found));
    all.extend(missing(&now.findings, &then.findings).into_iter().map(SincePlan::Gone));
    all
}

impl SincePlan {
    /// Whether it is about servers, and about none.
    fn is_empty(&self) -> bool {
        match self {
            Self::Down(ids) | Self::Back(ids) | Self::Follow(ids) | Self::FollowNoMore(ids) => {
                ids.is_empty()
            }
            _ => false,
        }
    }
}

/// The config version, and the runs that made versions since.
fn version(then: &Facts, now: &Facts, runs: &[Run]) -> Option<SincePlan> {
    let (old, new) = (then.base.version, now.base.version);
    if old == new || then.assumed {
        return None;
    }
    let is_since = |text: &&str| text.parse::<ConfigVersion>().is_ok_and(|made| made > old);
    let made_any = |run: &&Run| run.versions().into_iter().any(|text| is_since(&text));
    let since = runs.iter().filter(made_any);
    let since = since.filter_map(|run| {
        let header = run.header.as_ref().ok()?;
        Some(RunSince {
            run: run.number,
            by: header.opened.for_whom(&header.cause),
            at: header.opened.at.clone(),
            reason: header.cause.reason.clone(),
        })
    });
    let live = new.to_string();
    let by_other = !runs.iter().any(|run| run.versions().contains(live.as_str()));
    Some(SincePlan::Version { then: old, now: new, runs: since.collect(), by_other })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Example;

    /// The fates of the steps of a plan from `old` to `wanted`, where the ensemble is `now` and the spec
    /// wants `anew`.
    fn fates(old: [&str; 2], [live, anew]: [&str; 2]) -> (bool, Vec<String>, Vec<String>) {
        let plan = |[base, wanted]: [&str; 2]| {
            let example = Example::new(base, wanted);
            crate::example::planned(&example.target(), &example.facts()).plan().clone()
        };
        let (old, new) = (plan(old), plan([live, anew]));
        let found = rebase(&old, &new.facts, &[], (&new, true));
        let fate = |(step, fate): &(StepId, StepFate)| match fate {
            StepFate::Done => format!("{step} done"),
            StepFate::Holds => step.to_string(),
            StepFate::Dropped => format!("{step} dropped"),
        };
        let steps = found.steps.iter().filter(|(step, _)| !step.as_str().starts_with("await"));
        let steps = steps.map(fate).collect();
        let new = found.new_steps.iter().map(ToString::to_string).collect();
        (found.is_stale, steps, new)
    }

    #[test]
    fn steps_are_done_hold_or_are_dropped() {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let (is_stale, steps, new) = fates(["1 2 3", "1 2 3 4 5"], ["1 2 3 4", "1 2 3 4 5"]);
        assert!(!is_stale);
        assert_eq!(steps, words(&["join-4 done", "join-5", "prove"]));
        assert_eq!(new, words(&[]));
        // Another client added 6; the spec does not want it.
        let (is_stale, steps, new) = fates(["1 2 3", "1 2 3 4"], ["1 2 3 6", "1 2 3 4"]);
        assert!(is_stale);
        assert_eq!(steps, words(&["join-4", "prove"]));
        assert!(new.contains(&"leave-6".to_owned()), "{new:?}");
        let (_, steps, _) = fates(["1 2 3", "1 2 3 4"], ["1 2 3", "1 2 3 5"]);
        assert_eq!(steps[0], "join-4 dropped");
    }

    #[test]
    fn what_has_changed_is_told_apart() {
        let example = Example::new("1 2 3", "1 2 3 4");
        let old = crate::example::planned(&example.target(), &example.facts()).plan().clone();
        let same = rebase(&old, &old.facts, &[], (&old, true));
        assert_eq!((same.is_stale, same.changes), (false, Vec::new()));
        let now = Example::new("1 2 3 5", "1 2 3 4 5").down("2");
        let mut facts = now.facts();
        facts.base.version = "100000007".parse().expect("a version");
        let new = crate::example::planned(&now.target(), &facts).plan().clone();
        let found = rebase(&old, &facts, &[], (&new, true)).changes;
        let is = |test: fn(&SincePlan) -> bool| found.iter().any(test);
        assert!(is(|one| matches!(one, SincePlan::Version { by_other: true, .. })), "{found:?}");
        assert!(is(|one| matches!(one, SincePlan::Member(change) if change.id.get() == 5)));
        assert!(is(|one| matches!(one, SincePlan::Wanted(change) if change.id.get() == 5)));
        assert!(is(|one| matches!(one, SincePlan::Down(ids) if ids.len() == 1)), "{found:?}");
    }
}

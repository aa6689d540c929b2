//! Properties of plans: what is left of one is planned again, and the checker refuses every plan that was
//! tampered with.

use std::collections::BTreeSet;

use proptest::prelude::*;
use zkplan::check::{BreachKind, Law, check};
use zkplan::model::{MinTolerance, Reconfig, ServerId};
use zkplan::observe::Obstacle;
use zkplan::plan::{Action, ChangeVerb, GateKind, PhaseKind, Plan, Step, StepId};
use zkplan::proposal::propose;

use crate::example::fates::{FATES, of_fates};
use crate::example::{Example, Zones, ids};

fn any_example() -> impl Strategy<Value = Example> {
    let zones = prop_oneof![Just(Zones::None), Just(Zones::One), Just(Zones::Three)];
    (proptest::collection::vec(0..FATES.len(), 1..8), zones, 0..4_u32).prop_filter_map(
        "an ensemble with a voter",
        |(fates, zones, most)| {
            let example = of_fates(&fates).zones(zones);
            let example = example.policy(|policy| policy.changes_per_step = most);
            let has_voter = !example.facts().base.membership.voters().is_empty();
            has_voter.then_some(example)
        },
    )
}

fn planned(example: &Example) -> Option<Plan> {
    let plan = propose(&example.target(), &example.facts(), &[]).ok()?.plan().clone();
    (!plan.is_empty()).then_some(plan)
}

fn laws_broken(plan: Plan) -> BTreeSet<Law> {
    let facts = plan.facts.clone();
    match check(plan, &facts) {
        Ok(_) => BTreeSet::new(),
        Err(breaches) => breaches.into_iter().map(|breach| breach.law).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn planning_again_from_any_moment_continues(example in any_example()) {
        let Some(plan) = planned(&example) else { return Ok(()) };
        let mut facts = plan.facts.clone();
        for (_, step) in plan.schedule() {
            let Some(request) = step.reconfig() else { continue };
            facts.base.membership = facts.base.membership.with(request);
            for server in step.servers() {
                if facts.base.membership.contains(server) {
                    facts.synced.insert(server);
                } else {
                    facts.synced.remove(&server);
                }
            }
            if let Err(refusal) = propose(&example.target(), &facts, &[]) {
                prop_assert!(
                    !refusal.remedies.is_empty(),
                    "after {} the rest is refused: {:?}", step.id, refusal.breaches
                );
            }
        }
    }

    #[test]
    fn a_plan_without_one_of_its_reconfigs_is_refused(example in any_example(), at in any::<prop::sample::Index>()) {
        let Some(mut plan) = planned(&example) else { return Ok(()) };
        // A promotion may be legal without the detour, at the price of one tolerated failure.
        let needed = |step: &&Step| {
            step.parts().iter().any(|part| part.change != ChangeVerb::Unlist)
        };
        let reconfigs: Vec<StepId> = plan.steps().filter(needed).map(|s| s.id.clone()).collect();
        let dropped = at.get(&reconfigs).clone();
        for phase in &mut plan.phases {
            phase.steps.retain(|step| step.id != dropped);
        }
        prop_assert!(!laws_broken(plan).is_empty(), "without {dropped}");
    }

    #[test]
    fn a_joiner_that_no_step_awaits_is_refused(example in any_example()) {
        let Some(mut plan) = planned(&example) else { return Ok(()) };
        let awaited = plan.steps().any(|step| matches!(step.action, Action::AwaitJoiner(_)));
        for phase in &mut plan.phases {
            phase.steps.retain(|step| !matches!(step.action, Action::AwaitJoiner(_)));
        }
        prop_assert_eq!(laws_broken(plan).contains(&Law::Joiners), awaited);
    }

    #[test]
    fn stopping_before_the_proof_is_refused(example in any_example()) {
        let Some(mut plan) = planned(&example) else { return Ok(()) };
        let stops = plan.steps().any(|step| matches!(step.action, Action::AskToStop(_)));
        plan.phases.retain(|phase| phase.kind != PhaseKind::Prove);
        prop_assert_eq!(laws_broken(plan).contains(&Law::StopLast), stops);
    }

    #[test]
    fn equal_input_gives_an_equal_plan_and_liveness_of_others_no_other_order(example in any_example()) {
        let (once, again) = (planned(&example), planned(&example));
        prop_assert_eq!(&once, &again);
        let Some(plan) = once else { return Ok(()) };
        for leader in plan.facts.base.membership.voters() {
            let mut facts = plan.facts.clone();
            facts.leader = Some(leader);
            let other = propose(&example.target(), &facts, &[]).expect("planned under another leader");
            prop_assert_eq!(&other.plan().phases, &plan.phases, "under leader {}", leader);
        }
    }
}

#[test]
fn the_leader_goes_last_over_the_whole_plan() {
    let example = Example::new("1 2 3 4 5", "1p 2 3 6");
    let mut facts = example.facts();
    facts.leader = Some(ServerId::new(1));
    let plan = propose(&example.target(), &facts, &[]).expect("planned").plan().clone();
    let order: Vec<String> = plan
        .schedule()
        .iter()
        .filter(|(_, step)| step.reconfig().is_some())
        .map(|(_, step)| step.id.to_string())
        .collect();
    assert_eq!(order, ["join-6", "leave-4", "leave-5", "readdress-1"]);
}

#[test]
fn a_gate_comes_before_the_first_removal_if_no_server_stays() {
    let gates = |base, wanted| -> Vec<GateKind> {
        let example = Example::new(base, wanted);
        let plan =
            propose(&example.target(), &example.facts(), &[]).expect("planned").plan().clone();
        let gate = |step: &Step| match step.action {
            Action::Gate(kind) => Some(kind),
            _ => None,
        };
        plan.steps().filter_map(gate).collect()
    };
    assert_eq!(gates("1 2 3", "4 5 6"), [GateKind::CutoverAuto]);
    assert_eq!(gates("1 2 3", "3 4 5"), []);
}

/// Static lines have no client address: the spec may contain another server's without any
/// difference.
#[test]
fn nothing_to_change_is_no_answer_where_another_server_is_at_the_wanted_address() {
    let example = Example::new("1 2 3", "1 2 3");
    let mut facts = example.facts();
    // Of no account where nothing is sent.
    facts.obstacles = vec![Obstacle::ReconfigDisabled(BTreeSet::new())];
    assert!(propose(&example.target(), &facts, &[]).expect("planned").plan().is_empty());
    let [one, other] = [1, 2].map(ServerId::new);
    for obstacle in [
        Obstacle::WantedAnswersAs(one, other),
        Obstacle::MemberAnswersAs(one, other),
        Obstacle::WantedStandalone(one),
    ] {
        facts.obstacles = vec![obstacle.clone()];
        let refusal = propose(&example.target(), &facts, &[]).expect_err("another server");
        let breaches: Vec<_> = refusal.breaches.iter().map(|b| (b.law, &b.detail)).collect();
        assert_eq!(breaches, [(Law::Now, &BreachKind::Obstacle(obstacle))]);
    }
}

/// The requests of a plan in which one request may change up to `most` servers.
fn requests_of(example: Example, most: u32) -> Vec<String> {
    let example = example.policy(|policy| {
        policy.min_tolerance = MinTolerance::AtLeast(0);
        policy.changes_per_step = most;
        policy.max_shrink = 9;
    });
    let steps = planned(&example).expect("a plan").phases.into_iter().flat_map(|p| p.steps);
    let reconfigs = steps.filter(|step| step.reconfig().is_some());
    reconfigs.map(|step| step.id.as_str().to_owned()).collect()
}

/// Unreachable servers never lead, so they may be removed in any order that keeps the rules.
#[test]
fn unreachable_servers_share_requests_if_the_number_of_voters_allows() {
    let requests = |base, wanted, down| requests_of(Example::new(base, wanted).down(down), 2);
    assert_eq!(requests("1 2 3 4o", "1 2", "3 4"), ["leave-3,4"]);
    let seven = "1 2 3 4 5 6 7";
    assert_eq!(requests(seven, "1 2 4 6", "3 5 7"), ["leave-3", "leave-5,7"]);
    assert_eq!(requests(seven, "1 2 3o 4 6", "3 5 7"), ["demote-3", "leave-5,7"]);
    // With one more there are eight, so two may be removed at a time.
    let joined_first = ["join-8", "leave-2,3", "leave-1,5"];
    assert_eq!(requests(seven, "4 6 7 8", "2 3"), joined_first);
}

#[test]
fn those_that_go_together_are_of_zones_that_can_spare_them() {
    let ten = "1 2 3 4 5 6 7 8 9 10";
    let example = Example::new(ten, "2 3 7 8 9 10").zones(Zones::Three);
    // 1 and 4 are in the fullest zone: while both stay and 5 and 6 are gone, its loss stops writes.
    assert_eq!(requests_of(example, 2), ["leave-1,5", "leave-4,6"]);
}

#[test]
fn where_the_next_quorum_needs_several_joiners_all_are_named() {
    let example = Example::new("1 2", "1 2 3 4").policy(|policy| policy.changes_per_step = 0);
    let facts = example.facts();
    let mut plan =
        propose(&example.target(), &facts, &[]).expect("one after the other").plan().clone();
    let is_join = |step: &Step| step.reconfig().is_some();
    let phase = plan.phases.iter_mut().find(|phase| phase.steps.iter().any(is_join));
    let phase = phase.expect("joins");
    let (mut parts, mut request) = (Vec::new(), Reconfig { joining: vec![], leaving: vec![] });
    for step in &phase.steps {
        if let Action::Reconfig { parts: own, request: sent } = &step.action {
            parts.extend(own.iter().copied());
            request.joining.extend(sent.joining.iter().cloned());
        }
    }
    phase.steps = vec![Step::named(Action::Reconfig { parts, request })];
    let breaches = check(plan, &facts).expect_err("both at once");
    let joiners = breaches.iter().find_map(|breach| match &breach.detail {
        BreachKind::NeedsJoiners { joiners, .. } => Some(joiners),
        _ => None,
    });
    assert_eq!(joiners, Some(&ids("3 4")), "{breaches:?}");
}

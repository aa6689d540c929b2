//! Plans that were changed by hand, with correct digests: the checker trusts none of them.

use std::collections::BTreeSet;

use zkplan::check::{Breach, BreachKind, Law, check};
use zkplan::model::{
    MinTolerance, Reconfig, ReuseIds, Server, ServerId, StandaloneEnabled, VoteWeight,
};
use zkplan::plan::{
    Action, ChangeVerb, Phase, PhaseKind, Plan, ServerChange, Step, StepId, StepOrder,
};
use zkplan::proposal::propose;

use crate::example::{Example, id, lines};

fn planned(example: &Example) -> Plan {
    propose(&example.target(), &example.facts(), &[]).expect("planned").plan().clone()
}

fn breaches(plan: Plan) -> Vec<Breach> {
    let facts = plan.facts.clone();
    check(plan, &facts).err().unwrap_or_default()
}

fn laws(plan: Plan) -> BTreeSet<Law> {
    breaches(plan).into_iter().map(|breach| breach.law).collect()
}

fn phase_mut(plan: &mut Plan, kind: PhaseKind) -> &mut Phase {
    plan.phases.iter_mut().find(|phase| phase.kind == kind).expect("a phase of that kind")
}

#[test]
fn steps_without_a_change_are_judged_too() {
    let mut plan = planned(&Example::new("1 2 3", "1 2 3"));
    let stop = Step::named(Action::AskToStop(id(1)));
    plan.phases =
        vec![Phase { kind: PhaseKind::Retire, rule: StepOrder::SideBySide, steps: vec![stop] }];
    assert!(!plan.is_empty());
    assert_eq!(laws(plan), BTreeSet::from([Law::StopLast]));
}

#[test]
fn joiners_go_in_order_and_not_side_by_side_with_their_waits() {
    let plan = planned(&Example::new("1 2 3", "1 2 3 4 5"));
    let mut any_order = plan.clone();
    phase_mut(&mut any_order, PhaseKind::Join).rule = StepOrder::LeaderLast;
    assert_eq!(laws(any_order), BTreeSet::from([Law::Form]));
    let mut side_by_side = plan;
    let joins = std::mem::take(&mut phase_mut(&mut side_by_side, PhaseKind::Join).steps);
    phase_mut(&mut side_by_side, PhaseKind::Await).steps.extend(joins);
    assert_eq!(laws(side_by_side), BTreeSet::from([Law::Form]));
}

#[test]
fn a_stop_does_not_stand_beside_its_proof() {
    let mut plan = planned(&Example::new("1 2 3 4", "1 2 3"));
    let proof = phase_mut(&mut plan, PhaseKind::Prove).steps.clone();
    plan.phases.retain(|phase| phase.kind != PhaseKind::Prove);
    phase_mut(&mut plan, PhaseKind::Retire).steps.splice(0..0, proof);
    assert_eq!(laws(plan), BTreeSet::from([Law::Form]));
}

#[test]
fn a_voter_that_leaves_cannot_be_called_an_observer_that_is_unlisted() {
    let mut plan = planned(&Example::new("1 2 3 4 5", "1 2 3 4 6"));
    for phase in &mut plan.phases {
        for step in &mut phase.steps {
            if let Action::Reconfig { parts, .. } = &mut step.action {
                for part in parts.iter_mut().filter(|part| part.change == ChangeVerb::Leave) {
                    part.change = ChangeVerb::Unlist;
                }
            }
        }
        if phase.kind == PhaseKind::Remove {
            phase.rule = StepOrder::InOrder;
        }
    }
    assert_eq!(laws(plan), BTreeSet::from([Law::Form]));
}

#[test]
fn a_step_gives_a_vote_no_other_place_than_the_target() {
    let example = Example::new("1g1 2g1 3g2 4g3", "1g1 2g1 3g2 4g3 5g2");
    let tampered = |place: Option<VoteWeight>| {
        let mut plan = planned(&example);
        let step = &mut phase_mut(&mut plan, PhaseKind::Join).steps[0];
        let Action::Reconfig { request, .. } = &mut step.action else { panic!("a reconfig") };
        request.joining[0].place = place;
        laws(plan)
    };
    assert_eq!(tampered(Some(VoteWeight { group: 2, weight: 1 })), BTreeSet::new());
    for other in
        [None, Some(VoteWeight { group: 1, weight: 1 }), Some(VoteWeight { group: 2, weight: 9 })]
    {
        assert_eq!(tampered(other), BTreeSet::from([Law::Form]));
    }
}

#[test]
fn the_tolerance_follows_from_the_policy() {
    let mut plan = planned(&Example::new("1 2 3 4 5", "1 2 3 4 6"));
    assert_eq!(plan.min_tolerance, 2);
    plan.min_tolerance = 0;
    let detail = BreachKind::OtherTolerance { says: 0, policy: 2 };
    assert_eq!(breaches(plan).into_iter().map(|b| b.detail).collect::<Vec<_>>(), [detail]);
}

/// Server 3 of five goes to another machine.
fn replacement() -> Plan {
    planned(&Example::new("1 2 3 4 5", "1 2 3m 4 5").policy(|policy| {
        policy.reuse_ids = ReuseIds::Blank;
        policy.min_tolerance = MinTolerance::AtLeast(1);
    }))
}

#[test]
fn the_same_id_on_another_machine_is_no_readdress() {
    let mut plan = replacement();
    let after = plan.target.get(id(3)).expect("server 3").clone();
    let change = ChangeVerb::Readdress { quorum: true };
    let parts = vec![ServerChange { server: id(3), change }];
    let action = Action::Reconfig { parts, request: Reconfig::join(after) };
    let phase = Phase {
        kind: PhaseKind::Readdress,
        rule: StepOrder::LeaderLast,
        steps: vec![Step::named(action)],
    };
    plan.phases = vec![phase];
    assert_eq!(laws(plan), BTreeSet::from([Law::Identity]));
}

#[test]
fn an_id_comes_back_only_after_its_old_process_stopped_and_the_new_is_blank() {
    for dropped in ["stop-3", "attest-3"] {
        let mut plan = replacement();
        for phase in &mut plan.phases {
            phase.steps.retain(|step| step.id != StepId::new(dropped));
        }
        assert_eq!(laws(plan), BTreeSet::from([Law::Identity]), "without {dropped}");
    }
    assert_eq!(laws(replacement()), BTreeSet::new());
}

#[test]
fn a_member_cannot_be_awaited_as_a_joiner() {
    let example = Example::new("1o 2 3", "1 3").down("1");
    let mut plan = planned(&example);
    for phase in &mut plan.phases {
        phase.steps.retain(|step| step.id != StepId::new("unlist-1"));
    }
    assert!(plan.steps().any(|step| step.id == StepId::new("await-1")));
    assert!(laws(plan).contains(&Law::Form));
}

#[test]
fn a_promotion_moves_nothing() {
    let mut plan = planned(&Example::new("1 2 3 4 5o", "1 2 3 4 5"));
    let elsewhere = "server.5=elsewhere:2888:3888:participant;2181";
    for step in plan.phases.iter_mut().flat_map(|phase| &mut phase.steps) {
        let promotes = step.parts().iter().any(|part| part.change == ChangeVerb::Promote);
        if let (true, Action::Reconfig { request, .. }) = (promotes, &mut step.action) {
            request.joining = vec![Server::parse_line(elsewhere).expect("a line")];
        }
    }
    assert!(laws(plan).contains(&Law::Form));
}

#[test]
fn more_orders_than_can_be_looked_at_are_refused_and_not_looked_at() {
    // Voters and observers, up and down, with four kinds of change in one phase.
    let many: Vec<String> = (1..=128).map(|n| format!("server.{n}=h{n}:2888:3888;2181")).collect();
    let base = many.join("\n");
    let wanted: Vec<String> = many
        .iter()
        .enumerate()
        .map(|(at, line)| match at % 4 {
            0 => line.clone(),
            1 => line.replace("3888", "3889"),
            2 => line.replace("2888", "2889"),
            _ => line.replace(":2888:3888", ":2888:3888:observer"),
        })
        .collect();
    let (mut target, mut facts) = lines(&base, &wanted.join("\n"));
    target.policy.standalone_enabled = StandaloneEnabled::False;
    facts.synced.retain(|id| id.get() > 32);
    let refusal = propose(&target, &facts, &[]).expect_err("too many orders");
    let too_many = |breach: &Breach| matches!(breach.detail, BreachKind::TooManyOrders(_));
    assert!(refusal.breaches.iter().any(too_many), "{:?}", refusal.breaches);
}

/// A server that is neither a member nor wanted has no step: nothing that a reviewer reads of changes
/// would name it.
#[test]
fn a_step_is_about_a_server_of_the_plan() {
    let mut plan = planned(&Example::new("1 2 3", "1 2 3 4"));
    let awaits = |step: &Step| matches!(step.action, Action::AwaitJoiner(_));
    let phase = plan.phases.iter_mut().find(|phase| phase.steps.iter().all(awaits));
    let stray = Step { id: StepId::new("await-9"), action: Action::AwaitJoiner(ServerId::new(9)) };
    phase.expect("a joiner is awaited").steps.push(stray);
    assert!(laws(plan).contains(&Law::Form));
}

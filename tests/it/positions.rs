//! The position of a membership within a plan: every state that the schedule can reach is
//! recognised, and no other.

use std::collections::BTreeSet;

use zkplan::apply::position::position;
use zkplan::model::{AddAs, Membership, MinTolerance, Reconfig, ServerId, StandaloneEnabled};
use zkplan::plan::{Done, Plan};
use zkplan::proposal::propose;

use crate::example::{Example, id};

fn plan(example: &Example) -> Plan {
    let example = example.clone().policy(|policy| {
        policy.max_shrink = 9;
        policy.min_tolerance = MinTolerance::AtLeast(0);
        policy.standalone_enabled = StandaloneEnabled::False;
    });
    let checked = propose(&example.target(), &example.facts(), &[]);
    checked.map_err(|refusal| refusal.breaches).expect("a plan").plan().clone()
}

/// Walks every order of the schedule under every leader, and checks every state.
fn is_known_everywhere(plan: &Plan) -> usize {
    let mut asked = 0;
    let mut seen: BTreeSet<Done> = BTreeSet::new();
    let mut left: Vec<(Done, Done, Membership)> =
        vec![(Done::new(), Done::new(), plan.facts.base.membership.clone())];
    while let Some((done, reconfigs, members)) = left.pop() {
        if !seen.insert(done.clone()) {
            continue;
        }
        // A recorded commit distinguishes a joiner that was removed again from one that was never
        // added.
        assert_eq!(position(plan, &members, &reconfigs), Some(reconfigs.clone()), "{members}");
        asked += 1;
        for leader in members.voters().into_iter().map(Some).chain([None]) {
            for step in plan.next_steps(&done, leader) {
                let mut next = (done.clone(), reconfigs.clone(), members.clone());
                next.0.insert(step.id.clone());
                if let Some(request) = step.reconfig() {
                    next.1.insert(step.id.clone());
                    next.2 = next.2.with(request);
                }
                left.push(next);
            }
        }
    }
    asked
}

#[test]
fn every_state_that_the_grant_can_reach_is_known_again() {
    let worlds = [
        Example::new("1 2 3", "4 5 6"),
        Example::new("1 2 3 4 5", "1 2 3"),
        Example::new("1 2 3 4o 5o", "1 2 3 4 5"),
        Example::new("1 2 3 4 5", "1o 2o 3 4 5"),
        Example::new("1 2 3 4 5", "1 2 3 6 7").down("4 5"),
        Example::new("1 2 3", "1p 2 3p"),
        Example::new("1 2 3 4", "5 6 7 8o"),
        Example::new("1 2 3", "1 2 3 4 5").policy(|policy| policy.add_as = AddAs::Observer),
        together("1 2 3", "4 5 6"),
        together("1 2 3 4o 5o 6o", "1 2 3 4 5 6"),
        together("1 2 3 4 5 6o 7o", "1 2 3 4o 5o 8"),
        together("1 2 3 4 5", "1 2op 3op 4op 5"),
        Example::new("1 2 3 4", "1 2op 3op 4").policy(|policy| policy.changes_per_step = 2),
    ];
    let asked: usize = worlds.iter().map(|example| is_known_everywhere(&plan(example))).sum();
    assert!(asked > 80, "{asked}");
}

fn together(base: &str, wanted: &str) -> Example {
    Example::new(base, wanted).policy(|policy| policy.changes_per_step = 0)
}

#[test]
fn a_group_entry_without_a_vote_is_part_of_the_position() {
    let plan = plan(&Example::new("1g1 2g1 3g1 4g1 5o", "1g1 2g1 3g1 5o"));
    let base = &plan.facts.base.membership;
    assert_eq!(position(&plan, base, &Done::new()), Some(Done::new()));
    let heavier = base.to_string().replace("group.1=1:2:3:4", "group.1=1:2:3:4:5");
    let heavier = Membership::parse(&heavier).expect("members");
    assert_eq!(position(&plan, &heavier, &Done::new()), None, "5 weighs without a vote");
}

#[test]
fn half_of_a_request_is_no_place_on_the_way() {
    let plan = plan(&together("1 2 3", "1 2 3 4 5"));
    let base = &plan.facts.base.membership;
    let join = |number: i64| {
        Reconfig::join(plan.target.get(ServerId::new(number)).expect("a joiner").clone())
    };
    for half in [4, 5] {
        assert_eq!(position(&plan, &base.with(&join(half)), &Done::new()), None);
    }
    let both = base.with(&join(4)).with(&join(5));
    assert_eq!(position(&plan, &both, &Done::new()).map(|done| done.len()), Some(1));
}

#[test]
fn what_no_order_reaches_is_no_place_on_the_way() {
    let plan = plan(&Example::new("1 2 3", "4 5 6"));
    let base = &plan.facts.base.membership;
    let with = |requests: &[Reconfig]| requests.iter().fold(base.clone(), |all, r| all.with(r));
    let join = |number: i64| {
        let line = plan.target.get(ServerId::new(number)).expect("a joiner");
        Reconfig::join(line.clone())
    };
    let leave = |number: i64| Reconfig::leave(id(number));
    for stranger in [
        // No server is removed before all are added, and 4 comes first.
        with(&[leave(1)]),
        with(&[join(5)]),
        with(&[join(4), leave(1)]),
        with(&[join(4), join(5), leave(3)]),
        // The plan adds no server in another role.
        with(&[join(4), join(5), join(6), leave(1), leave(2), leave(3), leave(4)]),
    ] {
        assert_eq!(position(&plan, &stranger, &Done::new()), None, "{stranger}");
    }
}

#[test]
fn a_large_plan_is_placed_at_once() {
    let ids = |range: std::ops::RangeInclusive<u8>| {
        range.map(|id| id.to_string()).collect::<Vec<_>>().join(" ")
    };
    let plan = plan(&Example::new(&ids(1..=30), &ids(31..=60)));
    let base = &plan.facts.base.membership;
    assert_eq!(position(&plan, base, &Done::new()), Some(Done::new()));
    let all: Done =
        plan.steps().filter(|step| step.reconfig().is_some()).map(|s| s.id.clone()).collect();
    assert_eq!(position(&plan, &plan.target, &Done::new()), Some(all));
}

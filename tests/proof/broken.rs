//! Tests of the proof itself: what is broken on purpose is found.

use zkplan::model::Reconfig;
use zkplan::plan::{Acceptance, Action, ChangeVerb, Phase, PhaseKind, Plan, Step, StepOrder};
use zkplan::proposal::propose;

use crate::ground::Ground;
use crate::judge::Judge;
use crate::walk::Walker;
use crate::world::{Case, Fate, Is, MACHINES, MOVERS, Moves, Rules, Seat};

const JOINS: Fate = Fate { was: Is::Out, wanted: Is::Voter, live: true, moves: Moves::Stays };
const STAYS: Fate = Fate { was: Is::Voter, ..JOINS };
const LEAVES: Fate = Fate { wanted: Is::Out, ..STAYS };
const IS_DEMOTED: Fate = Fate { wanted: Is::Observer, ..STAYS };
const IS_PROMOTED: Fate = Fate { was: Is::Observer, ..JOINS };

const fn dead(fate: Fate) -> Fate {
    Fate { live: false, ..fate }
}

fn case(fates: &[Fate]) -> Case {
    let seats =
        fates.iter().zip(1..).map(|(fate, id)| Seat { fate: *fate, zone: 0, place: (0, 0), id });
    Case { seats: seats.collect(), rules: Rules::DEFAULT }
}

fn zoned(fates: &[(Fate, u8)], rules: Rules) -> Case {
    let seats = fates.iter().zip(1..).map(|((fate, zone), id)| Seat {
        fate: *fate,
        zone: *zone,
        place: (0, 0),
        id,
    });
    Case { seats: seats.collect(), rules }
}

fn planned(case: &Case) -> Plan {
    let answer = propose(&case.target(), &case.facts(None), &[]);
    answer.map_err(|refusal| refusal.breaches).expect("planned").plan().clone()
}

/// The law that a plan is found to break.
fn found(case: &Case, plan: &Plan) -> String {
    let ground = Ground::of(case);
    let wrong = Walker::default().walk(case, &ground, plan).expect_err("found");
    wrong.law.split(':').next().expect("a code").to_owned()
}

fn without(plan: &Plan, drops: impl Fn(&Step) -> bool) -> Plan {
    let mut plan = plan.clone();
    for phase in &mut plan.phases {
        phase.steps.retain(|step| !drops(step));
    }
    plan
}

fn one_by_one(plan: &Plan, steps: Vec<Step>) -> Plan {
    let phase = |step| Phase { kind: PhaseKind::Join, rule: StepOrder::InOrder, steps: vec![step] };
    Plan { phases: steps.into_iter().map(phase).collect(), ..plan.clone() }
}

fn changes(step: &Step, change: ChangeVerb) -> bool {
    step.parts().iter().any(|part| part.change == change)
}

fn takes_out(step: &Step) -> bool {
    changes(step, ChangeVerb::Leave)
}

fn brings_in(step: &Step) -> bool {
    changes(step, ChangeVerb::Join)
}

#[test]
fn what_is_not_broken_passes() {
    for fates in [
        vec![STAYS, STAYS, STAYS, JOINS, JOINS],
        vec![LEAVES, LEAVES, LEAVES, JOINS, JOINS, JOINS],
        vec![STAYS, STAYS, dead(LEAVES), JOINS],
        vec![STAYS, STAYS, STAYS, IS_PROMOTED],
        vec![MOVERS[0], STAYS, STAYS],
    ] {
        let case = case(&fates);
        Judge::default().is_best(&case, &planned(&case)).unwrap_or_else(|what| panic!("{what}"));
    }
}

#[test]
fn a_leader_that_does_not_go_last_is_found() {
    let case = case(&[LEAVES, LEAVES, STAYS, STAYS, STAYS]);
    let plan = planned(&case);
    let ground = Ground::of(&case);
    assert!(Walker::default().walk(&case, &ground, &plan).is_ok());
    let wrong = Walker::default().walk_unheld(&case, &ground, &plan).expect_err("found");
    assert_eq!(wrong.law, "ZKQ6");
}

#[test]
fn a_hand_over_that_is_not_called_one_is_found() {
    let case = case(&[MOVERS[0], STAYS, STAYS]);
    let mut plan = planned(&case);
    for step in plan.phases.iter_mut().flat_map(|phase| &mut phase.steps) {
        if let Action::Reconfig { parts, .. } = &mut step.action {
            parts[0].change = ChangeVerb::Readdress { quorum: false };
        }
    }
    assert!(found(&case, &plan).contains("says that it hands over"));
}

#[test]
fn an_unreachable_voter_that_was_counted_is_found() {
    let mut hoped = case(&[STAYS, STAYS, STAYS, STAYS, LEAVES]);
    hoped.rules.tolerance = Some(0);
    let plan = planned(&hoped);
    let mut seen = hoped.clone();
    seen.seats[2].fate.live = false;
    let spare =
        |case: &Case| Walker::default().walk(case, &Ground::of(case), &plan).map(|sum| sum.spare);
    assert_eq!((spare(&hoped), spare(&seen)), (Ok(1), Ok(0)));
    seen.seats[3].fate.live = false;
    assert_eq!(found(&seen, &plan), "ZKQ2");
}

#[test]
fn a_promotion_in_place_that_cannot_be_acknowledged_is_found() {
    let case = case(&[STAYS, STAYS, dead(STAYS), IS_PROMOTED]);
    // Three of four must acknowledge, and the promoted server does not.
    let plan = Plan {
        min_tolerance: u32::try_from(Ground::of(&case).asked).expect("a count"),
        ..planned(&self::case(&[STAYS, STAYS, STAYS, IS_PROMOTED]))
    };
    let in_place = without(&plan, |step| {
        matches!(step.action, Action::AwaitJoiner(_)) || changes(step, ChangeVerb::Unlist)
    });
    assert_eq!(found(&case, &in_place), "ZKQ2");
}

/// Weak on purpose, so that no other rule refuses it.
fn exchange() -> Case {
    let mut exchange = case(&[LEAVES, STAYS, STAYS, JOINS]);
    exchange.rules.tolerance = Some(0);
    exchange
}

#[test]
fn what_is_missing_is_found() {
    let exchange = exchange();
    let plan = planned(&exchange);
    let awaits = |step: &Step| matches!(step.action, Action::AwaitJoiner(_));
    let proves = |step: &Step| matches!(step.action, Action::Prove(_));
    assert_eq!(found(&exchange, &without(&plan, awaits)), "ZKQ5");
    assert_eq!(found(&exchange, &without(&plan, proves)), "ZKQ13");
    assert_eq!(found(&exchange, &without(&plan, takes_out)), "ZKQ13");
    assert_eq!(found(&exchange, &without(&plan, brings_in)), "ZKQ7");
    let shrinks = case(&[STAYS, STAYS, STAYS, LEAVES]);
    let none = Plan { phases: Vec::new(), ..planned(&shrinks) };
    assert_eq!(found(&shrinks, &none), "the target is not reached");
}

#[test]
fn another_order_is_found() {
    let grows = case(&[STAYS, STAYS, STAYS, JOINS, JOINS]);
    let plan = planned(&grows);
    let mut steps: Vec<Step> = plan.steps().cloned().collect();
    let joins: Vec<usize> = (0..steps.len()).filter(|at| brings_in(&steps[*at])).collect();
    steps.swap(joins[0], joins[1]);
    assert_eq!(found(&grows, &one_by_one(&plan, steps)), "ZKQ7");

    let exchange = exchange();
    let plan = planned(&exchange);
    let mut steps: Vec<Step> = plan.steps().cloned().collect();
    steps.sort_by_key(|step| !takes_out(step));
    assert_eq!(found(&exchange, &one_by_one(&plan, steps)), "ZKQ7");
}

#[test]
fn a_single_vote_for_the_way_back_is_too_few() {
    let mut alone = case(&[STAYS, LEAVES]);
    alone.rules.one_voter = true;
    let plan = planned(&alone);
    alone.rules.one_voter = false;
    assert_eq!(found(&alone, &plan), "ZKQ9");
}

#[test]
fn a_request_that_does_more_than_its_step_is_found() {
    let case = case(&[LEAVES, LEAVES, STAYS, STAYS, STAYS]);
    let mut plan = planned(&case);
    for step in plan.phases.iter_mut().flat_map(|phase| &mut phase.steps) {
        if let Action::Reconfig { request, .. } = &mut step.action {
            *request = Reconfig { joining: Vec::new(), leaving: vec![case.id(0), case.id(1)] };
        }
    }
    assert!(found(&case, &plan).contains("asks for other changes than it says"));
}

/// All reconfigs by one request, whose risk is accepted.
fn at_once(plan: &Plan) -> Plan {
    let mut all = Vec::new();
    let mut asked = Reconfig { joining: Vec::new(), leaving: Vec::new() };
    for step in plan.steps() {
        if let Action::Reconfig { parts, request } = &step.action {
            all.extend(parts);
            asked.joining.extend(request.joining.iter().cloned());
            asked.leaving.extend(&request.leaving);
        }
    }
    all.sort_unstable();
    let first = plan.steps().position(|step| step.reconfig().is_some()).expect("a reconfig");
    let rest = plan.steps().filter(|step| step.reconfig().is_none()).cloned();
    let mut steps: Vec<Step> = rest.collect();
    let step = Step::named(Action::Reconfig { parts: all, request: asked });
    let risk = Acceptance { code: "ZKQ2".to_owned(), step: Some(step.id.clone()) };
    steps.insert(first, step);
    Plan { accepted: vec![risk], ..one_by_one(plan, steps) }
}

fn bounded(case: &Case, changes_per_step: u32) -> Case {
    Case { rules: Rules { changes_per_step, ..case.rules }, ..case.clone() }
}

fn law(case: &Case, plan: &Plan) -> String {
    Walker::default().walk(case, &Ground::of(case), plan).expect_err("found").law
}

#[test]
fn too_much_by_one_request_is_found() {
    let grows = bounded(&case(&[STAYS, STAYS, STAYS, STAYS, JOINS, JOINS, JOINS]), 0);
    let plan = planned(&grows);
    assert_eq!(plan.reconfigs(), 1);
    assert_eq!(law(&bounded(&grows, 2), &plan), "ZKQ8: too many changes by one request");
    assert_eq!(law(&bounded(&grows, 3), &plan), "ZKQ8: quorums miss each other");
    let overrun = bounded(&case(&[STAYS, STAYS, JOINS, JOINS, JOINS]), 0);
    assert_eq!(law(&overrun, &at_once(&planned(&overrun))), "ZKQ11: newcomers are a quorum");
    let exchange = bounded(&exchange(), 0);
    let plan = at_once(&planned(&exchange));
    assert_eq!(law(&exchange, &plan), "ZKQ7: an old voter leaves before the new ones vote");
    let unlike = bounded(&case(&[STAYS, STAYS, STAYS, LEAVES, IS_DEMOTED]), 0);
    let plan = at_once(&planned(&unlike));
    assert_eq!(law(&unlike, &plan), "form: unlike changes by one request");
}

#[test]
fn an_id_on_a_machine_that_is_not_blank_is_found() {
    let case = case(&[STAYS, STAYS, STAYS, STAYS, MACHINES[1]]);
    let plan = planned(&case);
    let attests = |step: &Step| matches!(step.action, Action::AttestBlank(_));
    assert_eq!(found(&case, &without(&plan, attests)), "ZKQ11");
}

#[test]
fn a_window_of_a_strict_plan_is_found() {
    // A newcomer beside two of its zone: three of six.
    let crowded = [(STAYS, 1), (STAYS, 1), (STAYS, 2), (STAYS, 2), (STAYS, 3), (JOINS, 1)];
    let best = zoned(&crowded, Rules { tolerance: Some(0), ..Rules::DEFAULT });
    let plan = planned(&best);
    let strict = zoned(&crowded, Rules { tolerance: Some(0), strict: true, ..Rules::DEFAULT });
    assert_eq!(found(&strict, &plan), "ZKQ4");
}

#[test]
fn a_plan_that_is_worse_than_another_is_found() {
    let mut case = case(&[STAYS, STAYS, STAYS, IS_PROMOTED]);
    case.rules.tolerance = Some(0);
    let plan = planned(&case);
    let mut judge = Judge::default();
    judge.is_best(&case, &plan).unwrap_or_else(|what| panic!("{what}"));
    // Legal, but one spare less than there could be.
    let detour = |step: &Step| {
        matches!(step.action, Action::AwaitJoiner(_)) || changes(step, ChangeVerb::Unlist)
    };
    let worse = judge.is_best(&case, &without(&plan, detour)).expect_err("found");
    assert!(worse.contains("spare: 0") && worse.contains("spare: 1"), "{worse}");
}

#[test]
fn a_refusal_that_is_not_right_is_found() {
    let mut judge = Judge::default();
    let legal = case(&[STAYS, STAYS, STAYS, JOINS]);
    judge.is_right_to_refuse(&legal).expect_err("found");
    let illegal = case(&[STAYS, dead(STAYS), STAYS, JOINS]);
    judge.is_right_to_refuse(&illegal).unwrap_or_else(|what| panic!("{what}"));
}

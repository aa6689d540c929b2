//! A server fails or comes back at any moment of a plan. The order that `apply` then takes is
//! checked against the rules and against the plan's promise, by code that shares nothing with the
//! planner, the checker or the search for that order.
//!
//! For each class of ensemble, each state that the plan's schedule reaches and each member, the
//! member is toggled: down if it was up, up if it was down. The order that `apply` takes is walked
//! to all its ends, with any leader at any moment.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use zkplan::apply::reorder::accepted_order;
use zkplan::check::{CheckedPlan, broken_now, recheck, regrant};
use zkplan::model::{Membership, Role, ServerId};
use zkplan::observe::Facts;
use zkplan::plan::{Action, Done, Phase, PhaseKind, Plan, StepOrder, reorder};
use zkplan::proposal::propose;

use crate::classes::{Kind, classes, seated};
use crate::ground::{Ground, Seats};
use crate::random::Random;
use crate::script::{Steps, bits, seats};
use crate::tally::Tally;
use crate::walk::{Moment, Promise, Sum, Walker};
use crate::world::{Case, Fate, Is, MACHINES, MOVERS, OBSERVERS, Rules, VOTERS};

/// Classes that a thread takes at once.
const BATCH: usize = 16;

/// A part of the proof.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    kinds: Vec<Kind>,
    servers: usize,
    rules: Vec<Rules>,
}

pub(crate) fn parts() -> Vec<Part> {
    let least = Rules { tolerance: Some(0), ..Rules::DEFAULT };
    let rules = || vec![Rules::DEFAULT, least];
    let plain = |fates: &[Fate]| fates.iter().map(|fate| (*fate, 0, (0, 0))).collect();
    let part = |name, kinds, servers, rules| Part { name, kinds, servers, rules };
    let zoned = VOTERS.iter().flat_map(|fate| (1..=3).map(move |zone| (*fate, zone, (0, 0))));
    let grouped = VOTERS.iter().flat_map(|fate| (1..=2).map(move |group| (*fate, 0, (group, 1))));
    let strict = Rules { strict: true, ..Rules::DEFAULT };
    vec![
        part("deaths: voters", plain(&VOTERS), 6, rules()),
        part("deaths: roles", plain(&[&VOTERS[..], &OBSERVERS].concat()), 4, rules()),
        part("deaths: addresses", plain(&[&VOTERS[..], &MOVERS, &MACHINES].concat()), 4, rules()),
        part("deaths: zones", zoned.collect(), 4, vec![Rules::DEFAULT, strict]),
        part("deaths: groups", grouped.collect(), 4, rules()),
        part(
            "deaths: together",
            plain(&VOTERS),
            5,
            vec![Rules { changes_per_step: 0, ..Rules::DEFAULT }],
        ),
    ]
}

impl Part {
    pub(crate) fn run(&self, seed: u64) -> Tally {
        let began = Instant::now();
        let classes = classes(&self.kinds, self.servers);
        let next = AtomicUsize::new(0);
        let look = || {
            let mut judge = Deaths::default();
            let mut tally = Tally::new(self.name);
            loop {
                let from = next.fetch_add(BATCH, Ordering::Relaxed).min(classes.len());
                let batch = &classes[from..(from + BATCH).min(classes.len())];
                if batch.is_empty() {
                    return tally;
                }
                for (at, class) in batch.iter().enumerate() {
                    let mut random = Random::new(seed ^ (from + at) as u64);
                    for rules in &self.rules {
                        let case = seated(class, &self.kinds, *rules, &mut random);
                        judge.judge(&case, &mut tally);
                    }
                }
            }
        };
        let mut tally = Tally::new(self.name);
        std::thread::scope(|scope| {
            for thread in [scope.spawn(look), scope.spawn(look)] {
                tally.add(thread.join().expect("a thread that counts"));
            }
        });
        tally.took = began.elapsed();
        tally
    }
}

/// How an order is taken.
type Takes = fn(&CheckedPlan, &Done, &Facts) -> Option<Plan>;

/// As `apply` takes it.
fn shipped(checked: &CheckedPlan, done: &Done, now: &Facts) -> Option<Plan> {
    accepted_order(checked, done, now, &[]).map(|order| order.plan().clone())
}

/// A pair of eyes of one thread.
struct Deaths {
    walker: Walker,
    takes: Takes,
    /// The laws that were found broken.
    laws: BTreeSet<String>,
}

impl Default for Deaths {
    fn default() -> Self {
        Self { walker: Walker::default(), takes: shipped, laws: BTreeSet::new() }
    }
}

/// A state in the middle of a plan, in which a server has failed or come back.
struct Turned {
    ground: Ground,
    done: Done,
    moment: Moment,
}

impl Deaths {
    fn judge(&mut self, case: &Case, tally: &mut Tally) {
        tally.classes += 1;
        let ground = Ground::of(case);
        if !ground.commits() || !ground.changes() {
            return;
        }
        let Ok(checked) = propose(&case.target(), &case.facts(None), &[]) else { return };
        self.walker.rests = Some(Vec::new());
        let sum = match self.walker.walk(case, &ground, checked.plan()) {
            Ok(sum) => sum,
            Err(wrong) => return tally.violation("unsafe", case, &wrong.to_string()),
        };
        let rests = self.walker.rests.take().unwrap_or_default();
        for rest in rests {
            for seat in seats(rest.1.members) {
                let turned = turned(case, &ground, checked.plan(), rest, seat);
                self.judge_one(case, (&checked, &sum), &turned, tally);
            }
        }
    }

    fn judge_one(
        &mut self,
        case: &Case,
        (checked, sum): (&CheckedPlan, &Sum),
        turned: &Turned,
        tally: &mut Tally,
    ) {
        let moment = &turned.moment;
        // All leaders, if that makes a difference: the plan has no leader change.
        let leaders: Vec<Option<usize>> = if sum.hands_over {
            vec![None]
        } else {
            seats(moment.voters & moment.live).map(Some).collect()
        };
        for leader in leaders {
            tally.asked += 1;
            let now = facts(case, checked.plan(), moment, leader);
            let Some(order) = (self.takes)(checked, &turned.done, &now) else {
                tally.refusals += 1;
                continue;
            };
            // An order beyond the plan's promise may be the plan's own.
            let is_own =
                order == *checked.plan() && recheck(checked, &turned.done, &now).is_empty();
            tally.plans += usize::from(!is_own);
            tally.best += usize::from(is_own);
            let hands_over = |leader: ServerId| {
                let mut left = order.steps().filter(|step| !turned.done.contains(&step.id));
                left.any(|step| step.hands_over(leader))
            };
            let who = leader.map(|leader| case.id(leader));
            if !sum.hands_over && who.is_some_and(hands_over) {
                tally.violation("grant", case, &format!("{who:?} hands over: {}", told(&now)));
                continue;
            }
            let promise = Promise { plan: checked.plan(), lowest: (!is_own).then_some(sum.spare) };
            let from = (&turned.done, *moment);
            match self.walker.walk_on((case, &turned.ground), &order, promise, from) {
                Ok(states) => tally.states += states,
                Err(wrong) => {
                    self.laws.insert(wrong.law.clone());
                    let what = format!("{wrong}, done {:?}, {}", turned.done, told(&now));
                    tally.violation("anew", case, &what);
                }
            }
        }
    }
}

fn told(now: &Facts) -> String {
    format!("live {:?}, leader {:?}", now.synced, now.leader)
}

/// The middle of the way, with the life of one member turned.
fn turned(
    case: &Case,
    ground: &Ground,
    plan: &Plan,
    (done, moment): (Steps, Moment),
    seat: usize,
) -> Turned {
    let bit: Seats = 1 << seat;
    let live = moment.live ^ bit;
    let up = if live & bit == 0 { moment.up & !bit } else { moment.up | bit };
    let (mut turned, mut ground) = (moment, ground.clone());
    (turned.live, turned.up) = (live, up);
    let moment = turned;
    // Servers that were removed since then keep their state.
    ground.live = moment.live & moment.members | ground.live & !moment.members;
    // A joiner is awaited at every survey.
    let is_open = |action: &Action| match action {
        Action::AwaitJoiner(id) => {
            case.seat(*id).is_some_and(|seat| moment.members & 1 << seat == 0)
        }
        _ => false,
    };
    let steps: Vec<_> = plan.steps().collect();
    let done = bits(done).map(|at| steps[at]).filter(|step| !is_open(&step.action));
    Turned { ground, done: done.map(|step| step.id.clone()).collect(), moment }
}

/// The facts of a survey there.
fn facts(case: &Case, plan: &Plan, moment: &Moment, leader: Option<usize>) -> Facts {
    let line = |seat: usize| {
        let votes = moment.voters & 1 << seat != 0;
        let role = if votes { Role::Participant } else { Role::Observer };
        case.line(seat, role, moment.moved & 1 << seat != 0)
    };
    let ids = |set: Seats| seats(set).map(|seat| case.id(seat)).collect();
    let all: Seats = (1 << case.seats.len()) - 1;
    let mut now = Facts {
        synced: ids(moment.live & moment.members),
        following: ids(all & !moment.members),
        leader: leader.map(|seat| case.id(seat)),
        ..plan.facts.clone()
    };
    now.base.membership = Membership::of(seats(moment.members).map(line));
    now
}

fn small() -> Vec<Kind> {
    VOTERS.iter().map(|fate| (*fate, 0, (0, 0))).collect()
}

/// The violations if orders are chosen in another way than the shipped one.
fn found(takes: Takes, rules: Rules) -> BTreeSet<String> {
    let mut judge = Deaths { takes, ..Deaths::default() };
    let mut tally = Tally::new("ablation");
    let mut random = Random::new(1);
    for class in classes(&small(), 6) {
        judge.judge(&seated(&class, &small(), rules, &mut random), &mut tally);
    }
    judge.laws
}

#[test]
fn without_the_promised_tolerance_an_order_is_found_that_goes_below_it() {
    // The order is searched without the promise, and not checked against it.
    let takes: Takes = |checked, done, now| {
        let is_own = recheck(checked, done, now).is_empty();
        if is_own || !broken_now(now).is_empty() {
            return None;
        }
        let mut plan = checked.plan().clone();
        plan.min_tolerance = 0;
        let min_tolerance = checked.plan().min_tolerance;
        reorder(&plan, i64::MIN, done, now).map(|order| Plan { min_tolerance, ..order })
    };
    let found = found(takes, Rules::DEFAULT);
    assert!(found.contains("grant: a lower tolerance"), "{found:#?}");
}

/// Every order of the remaining requests, with the gate anywhere: what the checker allows passes
/// the walk, and if it allows any, `apply` finds one, under every leader.
#[test]
fn of_all_orders_those_are_granted_that_the_walk_lets_pass_and_none_is_missed() {
    let (mut orders, mut granted, mut refused_by_gate) = (0, 0, 0);
    for class in classes(&small(), 6) {
        let mut random = Random::new(7);
        let case = seated(&class, &small(), Rules::DEFAULT, &mut random);
        let changes = case.seats.iter().filter(|seat| seat.fate.was != seat.fate.wanted).count();
        let any_joins = case.seats.iter().any(|seat| seat.fate.was == Is::Out);
        if !(2..=5).contains(&changes) || changes == 5 && !any_joins {
            continue;
        }
        let ground = Ground::of(&case);
        let Ok(checked) = propose(&case.target(), &case.facts(None), &[]) else { continue };
        let mut walker = Walker::default();
        walker.rests = Some(Vec::new());
        let sum = walker.walk(&case, &ground, checked.plan()).expect("a safe plan");
        let rests = walker.rests.take().unwrap_or_default();
        let all = all_orders(checked.plan());
        let base = rests.iter().filter(|(done, _)| *done == 0);
        for (rest, seat) in base.flat_map(|rest| seats(rest.1.members).map(move |s| (rest, s))) {
            let turned = turned(&case, &ground, checked.plan(), *rest, seat);
            let Turned { done, moment, .. } = &turned;
            let leads = seats(moment.live & moment.voters).map(Some);
            for leader in leads.chain([None]) {
                let now = facts(&case, checked.plan(), moment, leader);
                let grants = |order: &Plan| regrant(&checked, order.clone(), (done, &now), &[]);
                let found = accepted_order(&checked, done, &now, &[]).is_some();
                assert!(
                    found || !all.iter().any(|order| grants(order).is_some()),
                    "{case}, {}: an order was missed",
                    told(&now)
                );
            }
            let now = facts(&case, checked.plan(), moment, None);
            for order in &all {
                orders += 1;
                let promise = Promise { plan: checked.plan(), lowest: Some(sum.spare) };
                let taken = regrant(&checked, order.clone(), (done, &now), &[]);
                let taken_or_not = taken.as_ref().map_or(order, CheckedPlan::plan);
                let from = (done, *moment);
                let walked = walker.walk_on((&case, &turned.ground), taken_or_not, promise, from);
                match &taken {
                    Some(_) => {
                        granted += 1;
                        assert!(walked.is_ok(), "{case}: {walked:?}");
                    }
                    None => {
                        refused_by_gate +=
                            usize::from(walked.is_err_and(|wrong| wrong.law.contains("gate")));
                    }
                }
            }
        }
    }
    assert!(
        orders > 10_000 && granted > 500 && refused_by_gate > 1000,
        "{orders} {granted} {refused_by_gate}"
    );
}

/// All orders of a plan's requests and its gate, with the waits first and the proof last.
fn all_orders(plan: &Plan) -> Vec<Plan> {
    let fixed =
        |kind: PhaseKind| matches!(kind, PhaseKind::Await | PhaseKind::Prove | PhaseKind::Retire);
    let of = |kind: PhaseKind| plan.phases.iter().filter(move |phase| phase.kind == kind).cloned();
    let free = plan.phases.iter().filter(|phase| !fixed(phase.kind));
    let free: Vec<Phase> = free
        .flat_map(|phase| {
            phase.steps.iter().map(|step| Phase {
                kind: phase.kind,
                rule: StepOrder::InOrder,
                steps: vec![step.clone()],
            })
        })
        .collect();
    let mut orders = Vec::new();
    permute(&free, &mut Vec::new(), &mut |order: &[Phase]| {
        let ends = of(PhaseKind::Prove).chain(of(PhaseKind::Retire));
        let phases = of(PhaseKind::Await).chain(order.iter().cloned()).chain(ends).collect();
        orders.push(Plan { phases, ..plan.clone() });
    });
    orders
}

fn permute(left: &[Phase], order: &mut Vec<Phase>, take: &mut dyn FnMut(&[Phase])) {
    if left.is_empty() {
        return take(order);
    }
    for at in 0..left.len() {
        let mut rest = left.to_vec();
        order.push(rest.remove(at));
        permute(&rest, order, take);
        order.pop();
    }
}

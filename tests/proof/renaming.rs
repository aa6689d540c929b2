//! The same ensemble under other names: the plan is renamed with it.
//!
//! Under a map of ids that keeps their order, everything is exactly the same: phases, rules, steps,
//! requests, figures, breaches with their paths, remedies. Under any other map that keeps the order
//! of joiners, on which the rules themselves depend, the figures are the same. Without zones the
//! phases are the same too, except for the order of equivalent servers. Ids that move to other
//! machines are ordered by id if zones count, and if several changes share a request; those are not
//! compared.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use zkplan::check::{CheckedPlan, Law};
use zkplan::model::{Server, ServerId};
use zkplan::plan::{PhaseKind, Plan, Step, StepId, StepOrder};
use zkplan::proposal::{Refusal, Remedy, propose};

use crate::ground::Ground;
use crate::judge::Judge;
use crate::random::Random;
use crate::tally::Tally;
use crate::world::{Case, Fate, Is, MACHINES, MOVERS, Moves, OBSERVERS, Rules, Seat, VOTERS};

const SERVERS: usize = 9;

/// Plans random cases three times each, and judges the results.
pub(crate) fn run(seed: u64, cases: usize) -> Tally {
    let began = Instant::now();
    let next = AtomicUsize::new(0);
    let look = || {
        let (mut judge, mut tally) = (Judge::default(), Tally::new(NAME));
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= cases {
                return tally;
            }
            rename(&mut Random::new(seed ^ (at as u64) << 20), &mut judge, &mut tally);
        }
    };
    let mut tally = Tally::new(NAME);
    std::thread::scope(|scope| {
        for thread in [scope.spawn(look), scope.spawn(look)] {
            tally.add(thread.join().expect("a thread that counts"));
        }
    });
    tally.took = began.elapsed();
    tally
}

pub(crate) const NAME: &str = "renamings";

fn rename(random: &mut Random, judge: &mut Judge, tally: &mut Tally) {
    let case = any_case(random);
    let leaders = case.leaders();
    let leader = random.pick(&leaders);
    let answer = |case: &Case| propose(&case.target(), &case.facts(leader), &[]);
    let ours = answer(&case);
    tally.classes += 1;
    tally.asked += 3;
    judge.answered(&case, &Ground::of(&case), &ours, tally);
    let monotone = in_order(&case, random);
    let same = match (&ours, &answer(&monotone)) {
        (Ok(one), Ok(other)) => whole(&case, one) == whole(&monotone, other),
        (Err(one), Err(other)) => refused(&case, one) == refused(&monotone, other),
        _ => false,
    };
    if !same {
        tally.violation("renamed", &case, &format!("otherwise as [{monotone}]"));
    }
    let other = shuffled(&case, random);
    let theirs = answer(&other);
    let same = match (&ours, &theirs) {
        (Ok(one), Ok(theirs)) => {
            let zoned = case.seats.iter().any(|seat| seat.zone > 0);
            // Ids that move to other machines are ordered by id, if zones count.
            let by_ids = case.groups_machines();
            let machines = case.seats.iter().any(|seat| seat.fate.moves == Moves::Machine);
            let mixed = case.together() > 1 && machines;
            (by_ids || mixed || figures(one) == figures(theirs))
                && (zoned
                    || mixed
                    || unordered(&case, one.plan()) == unordered(&other, theirs.plan()))
        }
        (Err(one), Err(theirs)) => case.groups_machines() || laws(one) == laws(theirs),
        _ => false,
    };
    if !same {
        let told = [&ours, &theirs].map(|answer| {
            answer.as_ref().ok().map(|checked| (figures(checked), phases(checked.plan())))
        });
        tally.violation("alike", &case, &format!("not alike as [{other}]: {told:?}"));
    }
}

fn any_case(random: &mut Random) -> Case {
    loop {
        let count = 1 + random.below(SERVERS);
        let zones = random.pick(&[0, 0, 1, 2, 3]);
        let observers = !random.one_in(3);
        let moves = random.one_in(3);
        let machines = random.one_in(8);
        let mut fates: Vec<Fate> = [VOTERS.as_slice(), &[VOTERS[0], VOTERS[1], VOTERS[3]]].concat();
        for (asked, more) in
            [(observers, OBSERVERS.as_slice()), (moves, &MOVERS), (machines, &MACHINES)]
        {
            if asked {
                fates.extend(more);
            }
        }
        let mut ids: Vec<u8> = (1..=16).take(count).collect();
        random.shuffle(&mut ids);
        let seats = ids.into_iter().map(|id| {
            // One of eight is in an unknown zone.
            let known = zones > 0 && !random.one_in(8);
            let zone = if known { 1 + random.below(zones) } else { 0 };
            Seat {
                fate: random.pick(&fates),
                zone: u8::try_from(zone).expect("a zone"),
                place: (0, 0),
                id,
            }
        });
        let seats: Vec<Seat> = seats.collect();
        let rules = Rules {
            tolerance: random.pick(&[None, Some(0), Some(0), Some(1)]),
            observers_first: random.one_in(4),
            one_voter: random.one_in(2),
            strict: zones > 0 && random.one_in(3),
            max_shrink: if random.one_in(4) { 2 } else { Rules::DEFAULT.max_shrink },
            changes_per_step: random.pick(&[1, 1, 1, 1, 0, 2, 3, 4]),
        };
        if seats.iter().any(|seat| seat.fate.was == Is::Voter) {
            return Case { seats, rules };
        }
    }
}

/// Other ids in the same order.
fn in_order(case: &Case, random: &mut Random) -> Case {
    let mut ids: Vec<u8> = (1..=254).collect();
    random.shuffle(&mut ids);
    ids.truncate(case.seats.len());
    ids.sort_unstable();
    let mut other = case.clone();
    for seat in &mut other.seats {
        seat.id = ids[usize::from(seat.id) - 1];
    }
    other
}

/// Other ids in another order, except for joiners.
fn shuffled(case: &Case, random: &mut Random) -> Case {
    let mut ids: Vec<u8> = (1..=254).collect();
    random.shuffle(&mut ids);
    let mut other = case.clone();
    for (seat, id) in other.seats.iter_mut().zip(ids) {
        seat.id = id;
    }
    let joins = |seat: &Seat| seat.fate.was == Is::Out;
    let mut news: Vec<u8> = other.seats.iter().filter(|seat| joins(seat)).map(|s| s.id).collect();
    news.sort_unstable();
    let mut places: Vec<usize> =
        (0..case.seats.len()).filter(|at| joins(&case.seats[*at])).collect();
    places.sort_by_key(|at| case.seats[*at].id);
    for (at, id) in places.into_iter().zip(news) {
        other.seats[at].id = id;
    }
    other
}

/// A step without ids: what its name says, whose it is, what it asks for.
type Shape = (Name, Vec<Option<usize>>, Vec<Server>, Vec<Option<usize>>);

fn shape(case: &Case, step: &Step) -> Shape {
    let (mut lines, mut leaving) = (Vec::new(), Vec::new());
    if let Some(request) = step.reconfig() {
        lines.extend(request.joining.iter().cloned());
        leaving.extend(request.leaving.iter().map(|id| case.seat(*id)));
    }
    for line in &mut lines {
        line.id = ServerId::new(0);
    }
    let seats = step.servers().map(|id| case.seat(id)).collect();
    (named(case, &step.id), seats, lines, leaving)
}

/// A name without its ids, and whose it is.
fn named(case: &Case, name: &StepId) -> Name {
    let mut seats = Vec::new();
    let words = name.as_str().split('-').map(|word| match ids(word) {
        Some(ids) => {
            seats.extend(ids.into_iter().map(|id| case.seat(ServerId::new(id))));
            "ids"
        }
        None => word,
    });
    (words.collect::<Vec<_>>().join("-"), seats)
}

/// Ids like `4,6..8`.
fn ids(word: &str) -> Option<Vec<i64>> {
    let mut ids = Vec::new();
    for run in word.split(',') {
        let (first, last) = run.split_once("..").unwrap_or((run, run));
        let (first, last): (i64, i64) = (first.parse().ok()?, last.parse().ok()?);
        ids.extend(first..=last);
    }
    Some(ids)
}

type Shapes = Vec<(PhaseKind, StepOrder, Vec<Shape>)>;

fn shapes(case: &Case, plan: &Plan) -> Shapes {
    let phases = plan.phases.iter().map(|phase| {
        let steps = phase.steps.iter().map(|step| shape(case, step));
        (phase.kind, phase.rule, steps.collect())
    });
    phases.collect()
}

type Figures = (i64, Option<i64>, usize, usize, bool);

fn figures(checked: &CheckedPlan) -> Figures {
    let report = checked.report();
    let zone = report.worst_zone.as_ref().map(|window| window.votes.spare());
    let windows = report.windows.len();
    (report.worst_spare, zone, windows, checked.plan().reconfigs(), report.may_hand_over)
}

type Name = (String, Vec<Option<usize>>);

type Whole = (Shapes, Figures, Vec<(Name, i64, bool)>, BTreeSet<Name>);

/// All of a plan and its figures.
fn whole(case: &Case, checked: &CheckedPlan) -> Whole {
    let report = checked.report();
    let rows = report.rows.iter().map(|row| (named(case, &row.step), row.spare, row.hands_over));
    let windows = report.windows.keys().map(|step| named(case, step)).collect();
    (shapes(case, checked.plan()), figures(checked), rows.collect(), windows)
}

type Broken = (Law, Option<Name>, Vec<Name>);

type Refused = (Shapes, BTreeSet<Broken>, BTreeSet<(String, Option<Name>)>);

/// All of a refusal.
fn refused(case: &Case, refusal: &Refusal) -> Refused {
    let name = |step: &StepId| named(case, step);
    let breaches = refusal.breaches.iter().map(|breach| {
        let path = breach.path.iter().map(name).collect();
        (breach.law, breach.step.as_ref().map(name), path)
    });
    let remedies = refusal.remedies.iter().map(|remedy| match remedy {
        Remedy::Accept(risk) => (risk.code.clone(), risk.step.as_ref().map(name)),
        other => (format!("{other:?}"), None),
    });
    (shapes(case, &refusal.nearest), breaches.collect(), remedies.collect())
}

fn laws(refusal: &Refusal) -> BTreeSet<Law> {
    refusal.breaches.iter().map(|breach| breach.law).collect()
}

type Unordered = Vec<(PhaseKind, StepOrder, Vec<(String, Vec<Option<Fate>>)>)>;

/// Phase by phase, the changes to servers of each fate.
fn unordered(case: &Case, plan: &Plan) -> Unordered {
    let phases = plan.phases.iter().map(|phase| {
        let steps = phase.steps.iter().map(|step| {
            let (verb, seats) = named(case, &step.id);
            let fates = seats.into_iter().map(|seat| Some(case.seats[seat?].fate));
            let mut fates: Vec<Option<Fate>> = fates.collect();
            fates.sort_unstable();
            (verb, fates)
        });
        let mut steps: Vec<_> = steps.collect();
        steps.sort_unstable();
        (phase.kind, phase.rule, steps)
    });
    phases.collect()
}

/// How many steps each phase has.
fn phases(plan: &Plan) -> Vec<(PhaseKind, usize)> {
    plan.phases.iter().map(|phase| (phase.kind, phase.steps.len())).collect()
}

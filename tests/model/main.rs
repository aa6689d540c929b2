//! Several shipped executors against a model of the ensemble: every schedule within bounds, searched
//! by stateright.
//!
//! Run with `cargo test --profile proof --test model -- --nocapture`. It prints what was searched,
//! how often each moment of interest occurred, and for each mechanism that was taken away the
//! shortest schedule that does harm.
//!
//! # What is modelled
//!
//! * [`Executor`](zkplan::apply::executor::Machine), exactly the one that `zkplan apply` runs, driven
//!   by inputs as the driver gives them ([`executors`]). At most two of them live at the same time,
//!   all with one plan. The second may be started at any moment, before or after the first has died,
//!   lost its lock or finished.
//! * The ensemble ([`ensemble`]): configuration and version, lock, identity, journal. A reconfig is
//!   carried out if it starts from the present version. The lock disappears with its session. An
//!   entry of the journal is written in one transaction with the check that the lock is still the
//!   writer's.
//! * The network ([`schedule`]): a reconfig that has left its sender stays on its way without end. It
//!   may arrive at once, later, again or never, whatever has happened to its sender and to the lock,
//!   and whatever answer the sender got meanwhile. Every answer can get lost.
//! * Faults, at every place where they make a difference: a reconfig without an answer; one that
//!   arrives twice, so that the answer is a refusal; a lost answer; a temporary refusal; a reply of a
//!   server that lags; a process that dies with its request on the way and its lock still there; a
//!   session that expires under a paused process; a lock that an operator removes while its holder
//!   lives, with the fence that `zkplan unlock` sends, at any later time or never; an interrupt.
//!   `zkplan unlock` holds the lock itself until its fence has committed. The model has its worst
//!   case, in which its session expires with the fence on its way.
//!
//! # What is not modelled
//!
//! * Servers: the ensemble is one register with a log. The simulator covers elections, activation and
//!   synced servers. A reconfig that waits for a quorum counts as on its way.
//! * Surveys: every server is always healthy, except for one at a time in the runs with failures, and
//!   joiners are ready. The tests of the judge cover the decisions of a survey. A survey that leads
//!   to another one is repeated at the same moment.
//! * Time: it stands still. Time-outs only lead to stopping, at the places where an interrupt, which
//!   is modelled, does the same. An apply that waits for a lock keeps waiting.
//! * Late journal writes: they go to a fixed path, under the check of the writer's lock, so a late
//!   one was either written before or never is.
//! * A request other than a reconfig that got lost without effect: it counts as not answered yet.
//!
//! # What must hold
//!
//! [`state::Broken`] lists the properties. Each is checked at every transition. In addition, from
//! every state of the runs that heal, without further faults and with one apply after the other, the
//! plan reaches its target ([`healed`]). One case is allowed that an operator may find odd: an apply
//! that took the lock after an operator removed it, and before the operator's fence, is stopped by
//! that fence as by a foreign request. It stops in a safe state and can be resumed. The case needs an
//! unlock whose session expired before its fence had committed.
//!
//! # Bounds
//!
//! Each run names the number of applies and the number of faults, of any kind and in any order. Plans
//! have two reconfigs. Nothing else is bounded: neither the number of requests on their way nor the
//! length of a schedule. `ZKPLAN_MODEL_FAULTS` adds faults to every run.

#![expect(clippy::print_stdout, reason = "the figures of a proof are what it is for")]

mod ensemble;
#[path = "../example/mod.rs"]
#[expect(dead_code, reason = "what other suites take from the examples")]
mod example;
mod executors;
mod healed;
mod journals;
mod quick;
mod schedule;
mod state;
mod world;

use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model};

use crate::ensemble::{Ablation, Moment};
use crate::schedule::{Bounds, Schedules};
use crate::state::Broken;
use crate::world::World;

/// The time limit of a search, after which it fails: it must not use up the machine.
const LONGEST: Duration = Duration::from_secs(600);

/// More states than a search may generate.
const MOST_STATES: usize = 100_000_000;

/// A plan: the voters before and after, and how many of them a request may change, 0 for any.
#[derive(Debug, Clone, Copy)]
struct Change(&'static [i64], &'static [i64], u32);

/// 3 voters become 5, one by one.
const GROW: Change = Change(&[1, 2, 3], &[1, 2, 3, 4, 5], 1);

/// One of 3 voters is replaced: 3 become 4 become 3.
const REPLACE: Change = Change(&[1, 2, 3], &[1, 2, 4], 1);

/// 2 of 5 voters leave, in whatever order.
const SHRINK: Change = Change(&[1, 2, 3, 4, 5], &[1, 2, 3], 1);

/// Others take the place of 3 voters, several by one request.
const TOGETHER: Change = Change(&[1, 2, 3], &[4, 5, 6], 0);

fn search(
    change: Change,
    ablation: Ablation,
    bounds: Bounds,
    watched: Broken,
) -> impl Checker<Schedules> {
    let Change(base, wanted, per_step) = change;
    let world = World::new(base, wanted, per_step);
    let world = if bounds.deaths { world.with_deaths() } else { world };
    let model = Schedules::new(world, ablation, bounds, watched, LONGEST);
    model
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(MOST_STATES)
        .spawn_bfs()
        .join()
}

/// The shortest path to a violation: the property that it breaks, and what happens, in words.
fn counterexample(checker: &impl Checker<Schedules>) -> Option<(String, Vec<String>)> {
    let model = checker.model();
    let (property, path) = checker.discoveries().into_iter().min_by_key(|(name, _)| *name)?;
    let broken = path.last_state().broken;
    let property = if broken.is_nothing() { property.to_owned() } else { broken.says() };
    let words = path.into_vec().into_iter();
    let words = words.map(|(state, action)| action.map(|action| model.words(&state, action)));
    Some((property, words.flatten().collect()))
}

/// Every schedule of one run: every property holds, and every moment of interest occurs. Returns
/// how many executors reordered the rest.
fn holds(name: &str, change: Change, bounds: Bounds) -> u64 {
    let more = std::env::var("ZKPLAN_MODEL_FAULTS").ok().and_then(|text| text.parse().ok());
    let bounds = Bounds { faults: bounds.faults + more.unwrap_or(0), ..bounds };
    let began = Instant::now();
    let checker = search(change, Ablation::Nothing, bounds, Broken::ALL);
    let seconds = began.elapsed().as_secs_f64();
    let model = checker.model();
    if let Some((property, words)) = counterexample(&checker) {
        panic!("{name}: `{property}` is broken:\n  {}", words.join("\n  "));
    }
    let is_exhaustive = !model.was_cut() && checker.state_count() < MOST_STATES;
    let (executors, answers) = model.rules.executors.counts();
    let mut figures = vec![format!(
        "{name}, {bounds}: {} states, {} of them unique, up to {} actions deep, {seconds:.1} s; the \
         executor in {executors} states, asked {answers} times; 0 violations",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth() - 1,
    )];
    if bounds.heals {
        let (healed, longest) = model.healings();
        figures.push(format!("healed from each: {healed} states, at most {longest} answers"));
    }
    let moments = Moment::ALL.map(|(moment, name)| (model.rules.count(moment), name));
    figures.extend(moments.map(|(count, name)| format!("{count:>8} x {name}")));
    println!("{}\n", figures.join("\n  "));
    assert!(is_exhaustive, "{name}: the search was cut");
    for (count, name) in moments {
        assert!(count > 0, "never: {name}");
    }
    model.rules.executors.reordered()
}

#[test]
fn four_faults_on_two_applies_break_nothing() {
    holds("3 to 5 voters", GROW, Bounds { applies: 2, faults: 4, heals: false, deaths: false });
}

#[test]
fn three_faults_on_three_applies_break_nothing() {
    holds(
        "one of 3 voters replaced",
        REPLACE,
        Bounds { applies: 3, faults: 3, heals: false, deaths: false },
    );
}

#[test]
fn requests_that_change_several_servers_break_nothing() {
    holds(
        "3 voters replaced together",
        TOGETHER,
        Bounds { applies: 2, faults: 3, heals: false, deaths: false },
    );
}

#[test]
fn from_wherever_faults_led_the_plan_comes_to_its_target() {
    holds("3 to 5 voters", GROW, Bounds { applies: 2, faults: 3, heals: true, deaths: false });
    holds(
        "one of 3 voters replaced",
        REPLACE,
        Bounds { applies: 3, faults: 2, heals: true, deaths: false },
    );
}

#[test]
fn an_order_that_is_taken_anew_breaks_nothing_and_is_resumed() {
    for (name, change) in [("2 of 5 voters leave", SHRINK), ("one of 3 voters replaced", REPLACE)] {
        let bounds = Bounds { applies: 2, faults: 3, heals: true, deaths: true };
        let reordered = holds(name, change, bounds);
        println!("{name}: {reordered} executors took what was left in another order");
        assert!(reordered > 0, "no order was taken anew");
    }
}

/// An executor that believes every server is up keeps the plan's own order, below its promised
/// tolerance.
#[test]
fn without_a_survey_of_failures_a_step_goes_below_the_promise() {
    let checker = search(SHRINK, Ablation::Deaths, Bounds { deaths: true, ..SMALL }, Broken::LOWER);
    let found = counterexample(&checker);
    let Some((broken, words)) = found else { panic!("it holds without a look") };
    println!(
        "Without a look at who answers it does not hold that {broken}:\n  {}\n",
        words.join("\n  ")
    );
}

/// The purpose of a mechanism: a property that does not hold without it.
struct Need(&'static str, Ablation, Broken);

const NEEDS: [Need; 10] = [
    Need("version on every request", Ablation::Version, Broken::TWICE),
    Need("version on every request", Ablation::Version, Broken::LATE_STEP),
    Need("fence", Ablation::Fence, Broken::LATE_STEP),
    Need("fence", Ablation::Fence, Broken::FALSE_DENIED),
    Need("lock, checked when reading", Ablation::LockWhenReading, Broken::STRANGER),
    Need("lock, checked when writing", Ablation::LockWhenWriting, Broken::GAP),
    Need("lock, checked at all", Ablation::Lock, Broken::LATE_STEP),
    Need("`not applied` never from a read", Ablation::FenceBeforeDenial, Broken::FALSE_DENIED),
    Need("intent before send", Ablation::Intent, Broken::STRANGER),
    Need("intent before send", Ablation::Intent, Broken::GAP),
];

/// The bounds that are enough to see the harm that each mechanism prevents.
const SMALL: Bounds = Bounds { applies: 2, faults: 2, heals: false, deaths: false };

#[test]
fn without_any_of_the_mechanisms_something_breaks() {
    let mut table = Vec::new();
    for Need(mechanism, ablation, property) in NEEDS {
        let began = Instant::now();
        let checker = search(GROW, ablation, SMALL, property);
        let ms = began.elapsed().as_millis();
        let found = counterexample(&checker);
        let Some((broken, words)) = found else { panic!("it holds without \"{mechanism}\"") };
        println!(
            "Without \"{mechanism}\" it does not hold that {broken}:\n  {}\n",
            words.join("\n  ")
        );
        let actions = words.len();
        table.push(format!("{mechanism:<32}{broken:<64}{actions:>3} actions {ms:>5} ms"));
    }
    println!("{}\n", table.join("\n"));
}

/// A sender has read the lock and then written an intent, so a sender that lost its lock is stopped
/// by either. What only one of them prevents is a wrong journal, or a wrong report to the operator.
#[test]
fn either_check_of_the_lock_keeps_the_ensemble_safe() {
    let harm = Broken::OFF_PLAN.and(Broken::LATE_STEP).and(Broken::TWICE);
    for ablation in [Ablation::LockWhenReading, Ablation::LockWhenWriting] {
        let checker = search(GROW, ablation, SMALL, harm);
        assert_eq!(counterexample(&checker), None, "{ablation:?}");
        assert!(!checker.model().was_cut(), "the search was cut");
        let states = checker.unique_state_count();
        println!("without {ablation:?}: no late, second or unplanned step in {states} states");
    }
}

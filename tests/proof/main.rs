//! The proof: the function behind `plan`, over every class of ensemble up to nine servers.
//!
//! A class says for each server whether it votes or observes now and at the end, whether it is up,
//! and whether its address changes. A plan is requested for each class and each class of leader.
//! Every state that its schedule reaches, under any leader at any moment, is checked against the
//! rules by code that shares nothing with the planner or the checker. Its figures are compared with
//! the best of all orders, and a refusal with all of them. Run it with
//!
//! ```text
//! cargo test --profile proof --test proof -- --nocapture
//! ```
//!
//! `ZKPLAN_PROOF_SEED` chooses other ids and renamings. `ZKPLAN_PROOF_SERVERS` makes every part
//! smaller, `ZKPLAN_PROOF_RENAMINGS` sets the number of renamings, `ZKPLAN_PROOF_ONLY` selects a part.

mod broken;
mod classes;
mod deaths;
#[path = "../example/mod.rs"]
#[expect(dead_code, reason = "what other suites take from the examples")]
mod example;
mod ground;
mod judge;
mod oracle;
mod random;
mod refusals;
mod renaming;
mod script;
mod tally;
mod walk;
mod world;

use std::time::Instant;

use classes::{Kind, Part};
use tally::Tally;
use world::{Fate, MACHINES, MOVERS, OBSERVERS, Rules, VOTERS};

/// Plans are made of many small pieces, which come and go millions of times.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SEED: u64 = 20_261_124;

/// Renamings of a whole run.
const RENAMINGS: usize = 100_000;

/// Servers of a class whose grant is compared, state by state, with what `apply` is granted.
const COMPARED: usize = 4;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

fn count(name: &str) -> Option<usize> {
    number(name).map(|number| usize::try_from(number).expect("a small number"))
}

/// Policies under which plans are asked for.
fn rules() -> Vec<Rules> {
    let least = Rules { tolerance: Some(0), ..Rules::DEFAULT };
    vec![
        Rules::DEFAULT,
        Rules { one_voter: true, ..least },
        Rules { observers_first: true, ..Rules::DEFAULT },
    ]
}

fn every_rule() -> Vec<Rules> {
    let mut all = Vec::new();
    for tolerance in [None, Some(0), Some(1)] {
        for observers_first in [false, true] {
            for one_voter in [false, true] {
                for max_shrink in [2, Rules::DEFAULT.max_shrink] {
                    all.push(Rules {
                        tolerance,
                        observers_first,
                        one_voter,
                        max_shrink,
                        ..Rules::DEFAULT
                    });
                }
            }
        }
    }
    all
}

fn zone_rules() -> Vec<Rules> {
    let strict = Rules { strict: true, ..Rules::DEFAULT };
    vec![
        Rules::DEFAULT,
        strict,
        Rules { tolerance: Some(0), one_voter: true, ..strict },
        Rules { tolerance: Some(0), ..Rules::DEFAULT },
    ]
}

fn group_rules() -> Vec<Rules> {
    vec![Rules::DEFAULT, Rules { tolerance: Some(0), one_voter: true, ..Rules::DEFAULT }]
}

/// The same where one request may change several servers: with a bound, and without.
fn together(rules: &[Rules]) -> Vec<Rules> {
    let bounds = [2, 3, 0].into_iter();
    bounds
        .flat_map(|bound| {
            rules.iter().map(move |rules| Rules { changes_per_step: bound, ..*rules })
        })
        .collect()
}

fn without_zones(fates: &[&[Fate]]) -> Vec<Kind> {
    fates.concat().into_iter().map(|fate| (fate, 0, (0, 0))).collect()
}

fn with_zones(fates: &[Fate], zones: u8) -> Vec<Kind> {
    let kinds = fates.iter().flat_map(|fate| (1..=zones).map(move |zone| (*fate, zone, (0, 0))));
    kinds.collect()
}

fn in_groups(fates: &[Fate], groups: u8, weights: &[u8]) -> Vec<Kind> {
    let places = (1..=groups).flat_map(|group| weights.iter().map(move |weight| (group, *weight)));
    let places: Vec<(u8, u8)> = places.collect();
    let kinds = fates.iter().flat_map(|fate| places.iter().map(|place| (*fate, 0, *place)));
    kinds.collect()
}

fn parts() -> Vec<Part> {
    let most = count("ZKPLAN_PROOF_SERVERS").unwrap_or(usize::MAX);
    let observers = [OBSERVERS[0], OBSERVERS[1], OBSERVERS[7]];
    let roles = [&VOTERS[..], &observers].concat();
    let part = |name, kinds, servers: usize, rules| Part {
        name,
        kinds,
        servers: servers.min(most),
        rules,
        every_leader: false,
    };
    vec![
        Part { every_leader: true, ..part("voters", without_zones(&[&VOTERS]), 9, every_rule()) },
        part("voters and observers", without_zones(&[&VOTERS, &OBSERVERS]), 7, rules()),
        part("addresses", without_zones(&[&VOTERS, &OBSERVERS, &MOVERS]), 5, rules()),
        part("machines", without_zones(&[&VOTERS, &MOVERS, &MACHINES]), 5, rules()),
        part("voters in three zones", with_zones(&VOTERS, 3), 6, zone_rules()),
        part(
            "roles in two zones",
            with_zones(&[&VOTERS[..], &observers].concat(), 2),
            5,
            zone_rules(),
        ),
        part(
            "roles in three zones",
            with_zones(&[&VOTERS[..], &observers].concat(), 3),
            5,
            zone_rules(),
        ),
        part("weights in three groups", in_groups(&VOTERS, 3, &[0, 1, 2]), 4, group_rules()),
        part("voters in three groups", in_groups(&VOTERS, 3, &[1]), 5, group_rules()),
        part("roles in two groups", in_groups(&roles, 2, &[1, 2]), 3, group_rules()),
        part("voters together", without_zones(&[&VOTERS]), 7, together(&every_rule())),
        part("roles together", without_zones(&[&VOTERS, &OBSERVERS]), 5, together(&rules())),
        part(
            "addresses together",
            without_zones(&[&VOTERS, &OBSERVERS, &MOVERS]),
            4,
            together(&rules()),
        ),
        part("voters in three zones together", with_zones(&VOTERS, 3), 5, together(&zone_rules())),
    ]
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures of the proof are its result")]
fn every_plan_keeps_the_laws_and_is_the_best_and_every_refusal_is_right() {
    let seed = number("ZKPLAN_PROOF_SEED").unwrap_or(SEED);
    println!("ZKPLAN_PROOF_SEED={seed}\n{}", Tally::HEAD);
    let began = Instant::now();
    let mut all = Tally::new("all");
    let mut take = |tally: Tally| {
        println!("{}", tally.line());
        all.add(tally);
    };
    let only = std::env::var("ZKPLAN_PROOF_ONLY").ok();
    let is_asked = |name: &str| only.as_ref().is_none_or(|only| only == name);
    for part in parts().iter().filter(|part| is_asked(part.name)) {
        take(part.run(seed, COMPARED));
    }
    for part in deaths::parts() {
        if is_asked(part.name) {
            take(part.run(seed));
        }
    }
    if is_asked(renaming::NAME) {
        take(renaming::run(seed, count("ZKPLAN_PROOF_RENAMINGS").unwrap_or(RENAMINGS)));
    }
    all.took = began.elapsed();
    println!("{}", all.line());
    println!("{} plans would survive a zone better if fewer could fail", all.dearer_zones);
    println!("{} plans would survive a zone better if ids took turns on new machines", all.grouped);
    assert!(all.classes > 0, "no part is named {only:?}");
    assert!(all.violations == 0, "{} violations{}", all.violations, all.faults());
    if only.is_none() && count("ZKPLAN_PROOF_SERVERS").is_none() {
        assert!(all.plans > 100_000 && all.refusals > 100_000, "{}", all.line());
        assert!(all.states > all.plans && all.acceptances > 1000, "{}", all.line());
    }
}

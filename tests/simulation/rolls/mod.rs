//! Plans of restarts that switch `reconfigEnabled` on, by the code that ships, under each single death
//! and each interruption.
//!
//! A roll is played look by look. After each look one server may die, which comes back by itself four
//! seconds later with the files that lie there. An apply may be killed after each restart that it asks
//! for, and is typed again. A person edits files and restarts the server that is asked for. What
//! happens is judged by what is true in the simulated ensemble, not by what was seen of it.

mod judged;
mod operator;
mod scene;

use std::time::Instant;

use operator::{Operator, Person};
use scene::{Edits, Scene};

/// More looks than any roll takes.
const MOST_LOOKS: usize = 400;

/// How many mistakes are shown.
const SHOWN: usize = 40;

/// What happens to a roll beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The server that dies, and after which look.
    death: Option<(i64, usize)>,
    /// Whether the apply is killed each time it has asked for a restart.
    is_killed: bool,
}

const NONE: Trouble = Trouble { death: None, is_killed: false };

/// Plays a roll to its end: the looks that it took, and what was wrong.
fn play(scene: &Scene, trouble: Trouble, person: Person) -> (usize, Vec<String>) {
    let mut operator = Operator::new(scene, trouble, person);
    for looks in 1..=MOST_LOOKS {
        if operator.looks() {
            operator.judge_the_end();
            return (looks, operator.wrong);
        }
    }
    let last = &operator.last;
    operator.wrong.push(format!("not at its end after {MOST_LOOKS} looks, at last {last}"));
    (MOST_LOOKS, operator.wrong)
}

#[derive(Default)]
struct Sum {
    rolls: usize,
    looks: usize,
    /// Rolls with files that are edited late and that a person has to finish: two of three servers are
    /// away at once, and the one with the new file leads both others with their old ones, which count as
    /// out of sync then.
    left: Vec<String>,
    wrong: Vec<String>,
}

impl Sum {
    fn play(&mut self, scene: &Scene, trouble: Trouble) -> usize {
        let (looks, wrong) = play(scene, trouble, Person::DoesAsAsked);
        self.rolls += 1;
        self.looks += looks;
        for what in wrong {
            let is_left = scene.edits == Edits::Late && what.contains("not at its end");
            let to = if is_left { &mut self.left } else { &mut self.wrong };
            to.push(format!("{scene}, {trouble:?}: {what}"));
        }
        looks
    }
}

fn all_of(servers: i64) {
    let began = Instant::now();
    let mut sum = Sum::default();
    for scene in Scene::all(servers) {
        for is_killed in [false, true] {
            let looks = sum.play(&scene, Trouble { is_killed, ..NONE });
            for (server, look) in (1..=servers).flat_map(|id| (0..looks).map(move |at| (id, at))) {
                sum.play(&scene, Trouble { death: Some((server, look)), is_killed });
            }
        }
    }
    let Sum { rolls, looks, left, wrong } = sum;
    crate::say(&format!(
        "{rolls} rolls of {servers} servers, {looks} looks, {} wrong, {} left to a person, {:.1} s",
        wrong.len(),
        left.len(),
        began.elapsed().as_secs_f64()
    ));
    for what in wrong.iter().chain(&left).take(SHOWN) {
        crate::say(what);
    }
    assert!(wrong.is_empty(), "{} rolls are wrong", wrong.len());
}

#[test]
fn three_servers_are_rolled_forward_whatever_happens() {
    all_of(3);
}

#[test]
fn five_servers_are_rolled_forward_whatever_happens() {
    all_of(5);
}

/// Each way to get it wrong is found.
#[test]
fn a_person_or_a_build_that_gets_it_wrong_is_found() {
    for (person, shows) in [
        (Person::RestartsTheLeaderFirst, "leads and is not the last"),
        (Person::WaitsForNothing, "takes the quorum"),
        (Person::GoesBack, "with its old file"),
        (Person::GoesBack, "not at its end"),
    ] {
        let mut found = 0;
        for scene in Scene::all(3).filter(|scene| scene.edits == Edits::Before).take(4) {
            for look in (0..20).step_by(3) {
                let deaths = (1..=3).map(|server| Some((server, look)));
                for death in deaths.chain([None]) {
                    let (_, wrong) = play(&scene, Trouble { death, ..NONE }, person);
                    found += usize::from(wrong.iter().any(|what| what.contains(shows)));
                }
            }
        }
        crate::say(&format!("{person:?}: `{shows}` in {found} rolls"));
        assert!(found > 0, "{person:?} is not found");
    }
}

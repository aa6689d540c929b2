//! The rules of the simulated ensemble, replayed on real ZooKeeper.
//!
//! One list of cases is played on both, through the port. What has to be the same is what they
//! answer, the membership and whether its version was raised, and one look at all servers: who
//! leads, who follows with a vote and without, who observes, and where each listens. What ZooKeeper
//! leaves to chance follows from a number in the simulated world: one of its values has to do what
//! ZooKeeper did.

mod case;
mod cases;
mod mixed_files;
mod play;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use zkplan::model::{Endpoint, Server, ServerId, VoteWeight};
use zkplan::simulator::World;

use case::{Case, Told};
use play::{Answer, Knowledge, play};
use stage::{Imagined, Real};

use crate::harness::{Builder, Ensemble};
use crate::show;

/// So many outcomes of chance are tried.
const CHANCES: u64 = 64;

#[test]
fn eight_servers_answer_as_simulated() {
    let ensemble = Builder::rich().observers([6, 7, 8]).start_with([4, 5]);
    let cast = Cast {
        voters: &[1, 2, 3],
        observers: &[6, 7, 8],
        joiners: &[4, 5],
        dead: &[9, 11, 12],
        ..Cast::default()
    };
    agree(&ensemble, &cast, false, &cases::of_eight());
}

#[test]
fn three_servers_that_may_be_standalone_answer_as_simulated() {
    let ensemble = Builder::rich().setting("standaloneEnabled", "true").start();
    let cast = Cast { voters: &[1, 2, 3], dead: &[9], ..Cast::default() };
    agree(&ensemble, &cast, true, &cases::of_three_with_standalone());
}

#[test]
fn one_server_and_a_joiner_answer_as_simulated() {
    let ensemble = Builder::rich().servers(1).start_with([2]);
    let cast = Cast { voters: &[1], joiners: &[2], ..Cast::default() };
    agree(&ensemble, &cast, false, &cases::of_one_and_a_joiner());
}

#[test]
fn groups_answer_as_simulated() {
    const PLACES: [&str; 4] = ["group.1=1:2:3", "group.2=4", "group.3=5", "weight.1=1"];
    let ensemble = Builder::rich().servers(5).places(PLACES).start_with([6, 7]);
    let cast = Cast {
        voters: &[1, 2, 3, 4, 5],
        groups: &[(1, 1), (2, 1), (3, 1), (4, 2), (5, 3)],
        joiners: &[6, 7],
        dead: &[9, 11],
        ..Cast::default()
    };
    agree(&ensemble, &cast, false, &cases::of_groups());
}

/// Server 1 was started without the super user's digest.
#[test]
fn a_server_without_the_super_user_answers_as_simulated() {
    let ensemble = Builder::rich().without_super_user([1]).start();
    let cast = Cast { voters: &[1, 2, 3], without_super_user: &[1], ..Cast::default() };
    agree(&ensemble, &cast, false, &cases::of_three_without_super_user_on_the_first());
}

/// Rules R1 of restarts with other files, and the way out.
#[test]
fn a_server_that_is_ahead_of_its_leader_answers_as_simulated() {
    let ensemble = Builder::rich().reconfig_enabled(false).start();
    let cast = Cast { voters: &[1, 2, 3], without_reconfigs: true, ..Cast::default() };
    agree(&ensemble, &cast, false, &mixed_files::with_one_text());
}

/// Rule R2, likewise. Every word is allowed. The ticks are long: a server that the leader gives up for a
/// moment looks for one again, and is kept out then.
#[test]
fn a_server_that_cannot_take_a_text_on_answers_as_simulated() {
    let ensemble = Builder::plain().host("127.0.0.1").reconfig_enabled(false);
    let ensemble = ensemble.setting("4lw.commands.whitelist", "*");
    let cast = Cast { voters: &[1, 2, 3], without_reconfigs: true, ..Cast::default() };
    agree(&ensemble.start(), &cast, false, &mixed_files::with_own_ports());
}

/// Who plays.
#[derive(Default)]
struct Cast {
    voters: &'static [u8],
    observers: &'static [u8],
    /// The group of each voter, where quorums are by groups.
    groups: &'static [(u8, i64)],
    joiners: &'static [u8],
    dead: &'static [u8],
    /// Servers that do not know the super user.
    without_super_user: &'static [u8],
    /// Whether no server takes reconfigs.
    without_reconfigs: bool,
}

/// Somebody whose ports are free.
const SPARE: u8 = 13;

/// Plays every case on both stages, and shows what came of it.
fn agree(ensemble: &Ensemble, cast: &Cast, standalone_enabled: bool, cases: &[Case]) {
    for id in cast.dead.iter().chain([&SPARE]) {
        ensemble.reserve(*id);
    }
    let real = Real::of(ensemble);
    let running = [cast.voters, cast.observers, cast.joiners].concat();
    let line = |id: &u8| {
        let of = cast.groups.iter().find(|(own, _)| own == id);
        let place = of.map(|(_, group)| VoteWeight { group: *group, weight: 1 });
        (ServerId::new((*id).into()), Server { place, ..real.line(*id) })
    };
    let lines: BTreeMap<ServerId, Server> = running.iter().chain(cast.dead).map(line).collect();
    let up: BTreeSet<ServerId> = running.iter().map(|id| ServerId::new((*id).into())).collect();
    let port = |id: &u8| (ServerId::new((*id).into()), ensemble.client_address(*id).port());
    let ports: BTreeMap<ServerId, u16> = running.iter().map(port).collect();
    let asked_at = ports.iter().map(|(id, port)| {
        let host = lines[id].peer().host.clone();
        (*id, Endpoint::plain(host, *port))
    });
    let known = Knowledge::new(lines.clone(), real.line(SPARE), up);
    let mut known = known.asking(asked_at.collect());
    let fresh = known.clone();
    let mut imagined: Option<(World, Knowledge)> = None;
    let (mut table, mut wrong, mut agreed) = (String::new(), String::new(), 0);
    for case in cases {
        let told = real.run(play(&real, &mut known, case));
        let (world, knowledge) = imagined.take().unwrap_or_else(|| {
            let members = [cast.voters, cast.observers].concat();
            let mut world =
                stage::world(&lines, &members, cast.joiners, known.leader(), standalone_enabled);
            if cast.without_reconfigs {
                world = stage::without_reconfigs(world, &ports);
            }
            for id in cast.without_super_user {
                let place = world.place_of(ServerId::new((*id).into())).expect("it was placed");
                world.process_mut(place).set_up(|file| file.knows_super = false);
            }
            (world, fresh.clone())
        });
        let (next, simulated) = simulate(&world, &knowledge, case, &told);
        imagined = Some(next);
        let (one, other) = (in_words(&told), in_words(&simulated));
        writeln!(table, "{:<78} {one:<44} {other}", case.name).expect("a String takes all text");
        let difference = difference(case, &told, &simulated);
        if difference.is_empty() {
            agreed += 1;
        } else {
            writeln!(wrong, "\n{}:{difference}", case.name).expect("a String takes all text");
        }
    }
    show(&format!("{:<78} {:<44} simulated\n{table}{agreed} rules agree", "", "ZooKeeper"));
    assert!(wrong.is_empty(), "{wrong}");
}

/// Plays a case on the simulated stage: as chance had it on the real one, where it can.
fn simulate(
    world: &World,
    knowledge: &Knowledge,
    case: &Case,
    told: &[Answer],
) -> ((World, Knowledge), Vec<Answer>) {
    let mut first = None;
    for chance in 0..CHANCES {
        let mut world = world.clone();
        world.bias = world.bias.wrapping_add(chance);
        let (stage, mut knowledge) = (Imagined::of(world), knowledge.clone());
        let simulated = stage.run(play(&stage, &mut knowledge, case));
        let ended = ((stage.world(), knowledge), simulated);
        if ended.1 == told {
            return ended;
        }
        first.get_or_insert(ended);
    }
    first.expect("one chance at least")
}

/// What came of each step.
fn in_words(answers: &[Answer]) -> String {
    let mut words: Vec<String> = answers.iter().map(|answer| answer.told.to_string()).collect();
    words.dedup();
    words.join(", ")
}

/// Where the stages differ from each other, or from what the case says.
fn difference(case: &Case, real: &[Answer], simulated: &[Answer]) -> String {
    let mut text = String::new();
    let mut says = |line: &str| write!(text, "\n  {line}").expect("a String takes all text");
    for (at, step) in case.steps.iter().enumerate() {
        let (one, other) = (&real[at], &simulated[at]);
        for (who, answer) in [("ZooKeeper", one), ("simulated", other)] {
            if answer.told != step.told {
                says(&format!("step {at}, {who}: {}, expected {}", answer.told, step.told));
            }
        }
        for line in one.detail.iter().filter(|line| !other.detail.contains(line)) {
            says(&format!("step {at}, ZooKeeper: {line}"));
        }
        for line in other.detail.iter().filter(|line| !one.detail.contains(line)) {
            says(&format!("step {at}, simulated: {line}"));
        }
    }
    text
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Refused(code) => f.write_str(code.name()),
            Self::DoneOrLost => f.write_str("done, or lost"),
            Self::Silent => f.write_str("no answer"),
            Self::Over => f.write_str("session over"),
            Self::Never => f.write_str("never"),
        }
    }
}

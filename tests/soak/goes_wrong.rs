//! What goes wrong between machines in the middle of a migration, on a fixed schedule: zkplan stops in a
//! safe place, what it says is true, and once all is healed the command that it names comes to the end.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use crate::administrator;
use crate::far::addresses;
use crate::harness::{PATIENCE, Witness, wait_until};
use crate::lab::Lab;
use crate::members::Members;
use crate::operator::{Ended, Running, run, start, start_apply, write_spec};
use crate::sandbox::inside;
use crate::say;
use crate::schedule::{ELECTION_PORT, QUORUM_PORT, Round, Seat, members_of};
use crate::server::{Server, Setting};

const LIMIT: Duration = Duration::from_secs(300);

/// Longer than zkplan looks at a joiner before it says what may be wrong.
const LONGER: &str = "60s";

/// Long enough for what is there.
const BRIEF: &str = "2s";

/// What is said of a joiner that does not follow for that long.
const LONG: &str = "This takes unusually long; its log says why";

/// An application at work on an ensemble, and servers that are to come.
struct Story {
    // Before the servers that it writes to.
    witness: Witness,
    lab: Lab,
    round: Round,
    spec: String,
}

impl Story {
    fn begin(base: &[u8], target: &[u8]) -> Self {
        Self::with(Setting::of_tick(200), base, target)
    }

    fn with(setting: Setting, base: &[u8], target: &[u8]) -> Self {
        let seat = |id: &u8| Seat { id: *id, host: usize::from(*id) - 1, shift: 0, votes: true };
        let base: Vec<Seat> = base.iter().map(seat).collect();
        let target: Vec<Seat> = target.iter().map(seat).collect();
        let policy = vec![("stableFor", "0s")];
        let (zones, faults) = (false, Vec::new());
        let round = Round { number: 1, base, target, zones, policy, session: "6s", faults };
        let lab = Lab::new(setting);
        lab.begin(&round.base);
        let witness = Witness::at(&addresses(&round.base), "");
        let spec = write_spec(&lab, &round, &addresses(&round.base));
        Self { witness, lab, round, spec }
    }

    fn leader(&self) -> Arc<Server> {
        self.lab.wait("a leader", || self.lab.leader())
    }

    /// The members, as the leader has written them down.
    fn members(&self) -> Members {
        self.leader().on_disk().members
    }

    fn joiner(&self) -> &Seat {
        self.round.joiners().next().expect("one joins")
    }

    fn starts_joiner(&self) {
        self.lab.join(&self.round.base, self.round.joiners());
    }

    /// Waits until a server runs and does not serve.
    fn looks_for_a_leader(&self, server: &Server) {
        self.lab.wait("a server to look for a leader", || {
            let answer = server.ask("srvr").ok()?;
            answer.contains("not currently serving").then_some(())
        });
    }

    /// What a command shows that only looks.
    fn looks(&self, command: &str) -> Ended {
        shown(run(&self.lab, &[command, &self.spec]))
    }

    fn apply(&self, timeout: &str, signal: Option<&str>) -> Running {
        start_apply(&self.lab, &self.spec, &[], timeout, signal)
    }

    /// An apply that runs out in a safe place, with the members as before.
    fn stops(&self, timeout: &str) -> Ended {
        let before = self.members();
        let ended = shown(self.apply(timeout, None).ends());
        assert_eq!(ended.code, Some(9), "{}", ended.said);
        says(&ended, &["It is safe to leave the ensemble as it is"]);
        assert_eq!(self.members(), before, "{}", ended.said);
        ended
    }

    /// An apply that waits for a joiner until it says what may be wrong; then the operator stops it, with the
    /// members as before.
    fn waits_until_it_says(&self, joiner: u8, cause: &str) -> Ended {
        let before = self.members();
        let apply = self.apply(LONGER, None);
        let not_yet = format!("server {joiner} does not follow yet");
        wait_until("an apply to say what may be wrong", PATIENCE, || {
            assert!(!apply.has_ended(), "it ended before it said so: {:#?}", apply.ends());
            let said = one_line(&apply.said());
            [not_yet.as_str(), LONG, cause].iter().all(|words| said.contains(words)).then_some(())
        });
        apply.signal(Signal::INT);
        let ended = shown(apply.ends());
        assert_eq!(ended.code, Some(7), "{}", ended.said);
        assert_eq!(self.members(), before, "{}", ended.said);
        ended
    }

    /// Types the command that a screen names.
    fn types(&self, next: &str) -> Ended {
        let words = next.split_whitespace();
        let approval = next.starts_with("apply ").then_some("--auto-approve");
        let words: Vec<&str> = words.chain(approval).collect();
        shown(start(&self.lab, &words, None).ends())
    }

    /// Healed, the command that the screen names comes to the end, and nothing was lost on the way.
    fn goes_on(self, stopped: &Ended) {
        let done = self.types(stopped.next());
        assert_eq!(done.code, Some(0), "{}", done.said);
        assert_eq!(self.members(), members_of(&self.round.target));
        let at = |seat: &Seat| (seat.id, self.lab.server(seat.id).client_address());
        let servers: Vec<(u8, SocketAddr)> = self.round.target.iter().map(at).collect();
        say(&format!("the application {}", self.witness.finish_at(servers)));
    }
}

/// Shows how a command ended.
fn shown(ended: Ended) -> Ended {
    let Ended { words, code, said, took, .. } = &ended;
    say(&format!("$ zkplan {words}\n{said}--- exit {code:?} after {took:?}"));
    ended
}

/// Whether a screen has these words, wherever lines were broken.
fn has(ended: &Ended, words: &str) -> bool {
    one_line(&ended.said).contains(&one_line(words))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn says(ended: &Ended, all: &[&str]) {
    for words in all {
        assert!(has(ended, words), "it does not say `{words}`\n{}", ended.said);
    }
}

/// Waits until an apply stands still before an output.
fn wait_frozen(apply: &Running) {
    wait_until("an apply to stand still", PATIENCE, || {
        assert!(!apply.has_ended(), "it ended before it stood still: {:#?}", apply.ends());
        apply.is_frozen().then_some(())
    });
}

/// Client and election ports work, so that it finds the leader and can never copy its data. No screen
/// calls it a server that does not run.
#[test]
fn a_joiner_that_cannot_reach_the_quorum_port_of_the_leader() {
    inside(LIMIT, || {
        let story = Story::begin(&[1, 2, 3], &[1, 2, 3, 4]);
        for server in story.lab.servers() {
            server.host().close_port(QUORUM_PORT, story.joiner().address());
        }
        story.starts_joiner();
        let joiner = story.lab.server(4);
        story.looks_for_a_leader(&joiner);
        let has_found_it = || joiner.log().contains("following - discovery").then_some(());
        story.lab.wait("the joiner to find the leader", has_found_it);
        let runs =
            "it runs but serves no clients: it looks for a leader, or copies the leader's data";
        let status = story.looks("status");
        says(&status, &["not serving", runs, "open, tried from this machine: 1, 2, 3 and 4"]);
        says(&story.looks("plan"), &[runs, "It runs: wait until it follows"]);
        let preflight = story.looks("preflight");
        says(&preflight, &["Not serving yet", "server 4 runs and does not serve yet"]);
        for screen in [&status, &preflight] {
            assert!(!has(screen, "not running"), "{}", screen.said);
        }
        let ended = story.waits_until_it_says(4, "the leader's quorum port");
        story.lab.heal_links();
        story.goes_on(&ended);
    });
}

/// A voter with a higher id closes the connection of a lower one and makes its own. Where it cannot, the
/// joiner never hears who leads.
#[test]
fn a_joiner_with_a_lower_id_whose_election_port_the_members_cannot_reach() {
    inside(LIMIT, || {
        let story = Story::begin(&[4, 5, 6], &[1, 4, 5, 6]);
        let machine = story.lab.machine(story.joiner());
        for server in story.lab.servers() {
            machine.close_port(ELECTION_PORT, server.address());
        }
        story.starts_joiner();
        let joiner = story.lab.server(1);
        story.looks_for_a_leader(&joiner);
        let ended = story.waits_until_it_says(1, "they cannot reach its election port");
        says(&ended, &["it can take a minute to ask for the leader again"]);
        story.lab.heal_links();
        // Started again it asks at once.
        joiner.kill();
        joiner.start();
        story.goes_on(&ended);
    });
}

/// Between joiner and leader, in either direction, and then between a member and the leader, when the
/// request is about to be sent.
#[test]
fn a_link_between_two_servers_that_works_one_way() {
    inside(LIMIT, || {
        let story = Story::begin(&[1, 2, 3], &[1, 2, 3, 4]);
        story.starts_joiner();
        story.lab.wait_serving();
        let (leader, joiner) = (story.leader(), story.lab.server(4));
        for (from, to) in [(&joiner, &leader), (&leader, &joiner)] {
            to.host().cut_from([from.address()]);
            story.looks_for_a_leader(&joiner);
            says(&story.stops(BRIEF), &["server 4 does not follow yet"]);
            story.lab.heal_links();
            story.lab.wait_serving();
        }
        let member = story.lab.followers().into_iter().find(|server| server.id <= 3);
        let member = member.expect("two members follow");
        let apply = story.apply(BRIEF, Some("STOP@send join-4"));
        wait_frozen(&apply);
        member.host().cut_from([leader.address()]);
        story.looks_for_a_leader(&member);
        apply.signal(Signal::CONT);
        let ended = shown(apply.ends());
        // The session was on the member, or the request was committed by the others.
        assert_eq!(ended.code, Some(9), "{}", ended.said);
        says(&ended, &[&format!("server {} is a member and must be in sync first", member.id)]);
        assert!(!has(&ended, "the ensemble did not answer"), "the others did: {}", ended.said);
        story.lab.heal_links();
        story.goes_on(&ended);
    });
}

/// It has followed, and cannot write any more; started again, it cannot even begin.
#[test]
fn a_joiner_whose_disk_is_full() {
    inside(LIMIT, || {
        let story = Story::begin(&[1, 2, 3], &[1, 2, 3, 4]);
        story.starts_joiner();
        story.lab.wait_serving();
        let joiner = story.lab.server(4);
        joiner.fill_disk();
        let is_full = || joiner.log().contains("No space left on device").then_some(());
        story.lab.wait("the joiner to notice", is_full);
        story.looks_for_a_leader(&joiner);
        let preflight = story.looks("preflight");
        says(&preflight, &["zkplan cannot see its heap and the free space of its disk"]);
        let ended = story.waits_until_it_says(4, "its disk is full");
        joiner.kill();
        joiner.start();
        story.stops(BRIEF);
        joiner.free_disk();
        joiner.kill();
        joiner.start();
        story.goes_on(&ended);
    });
}

/// A leader gives a joiner up that takes longer than `tickTime * initLimit` to write what it copied: it
/// begins anew, again and again.
#[test]
fn an_init_limit_that_is_too_short_for_the_copy() {
    const MEGABYTES: usize = 16;
    inside(LIMIT, || {
        let setting = Setting { init_limit: 3, ..Setting::of_tick(200) };
        let story = Story::with(setting, &[1, 2, 3], &[1, 2, 3, 4]);
        administrator::fill(&story.lab, 2 * MEGABYTES, 500_000).expect("writes commit");
        story.starts_joiner();
        let joiner = story.lab.server(4);
        let _slow = joiner.slow_disk(Duration::from_millis(800));
        story.looks_for_a_leader(&joiner);
        let preflight = story.looks("preflight");
        assert_eq!(preflight.code, Some(3), "{}", preflight.said);
        says(
            &preflight,
            &["ZKP25", "tickTime x initLimit = 600 ms", "raise initLimit on every server"],
        );
        let ended = story.waits_until_it_says(4, "ZKP25");
        let gives_up = story.leader().log().contains("Read timed out");
        assert!(gives_up, "the leader has another reason: {}", story.leader().log());

        // As preflight says: on every server, followers first, the leader last.
        let mut order = story.lab.followers();
        order.retain(|server| server.id <= 3);
        order.push(story.leader());
        for server in order {
            let file = server.file("zoo.cfg");
            let text = fs::read_to_string(&file).expect("its zoo.cfg");
            assert!(text.contains("initLimit=3\n"), "{text}");
            let raised = text.replace("initLimit=3\n", "initLimit=50\n");
            fs::write(&file, raised).expect("memory takes files");
            server.kill();
            server.start();
            story.lab.wait("it to serve", || server.mode());
        }
        story.goes_on(&ended);
    });
}

/// Its answers are lost, then everything. What was sent has arrived, and is not sent again.
#[test]
fn the_network_of_the_operator_is_lost() {
    inside(LIMIT, || {
        let story = Story::begin(&[1, 2, 3], &[1, 2, 4]);
        story.starts_joiner();
        story.lab.wait_serving();
        let lab = &story.lab;
        let apply = story.apply(BRIEF, Some("STOP@send join-4"));
        wait_frozen(&apply);
        lab.isolate(&lab.operator, true, false);
        apply.signal(Signal::CONT);
        lab.wait("the request to arrive", || story.members().contains_key(&4).then_some(()));
        let ended = shown(apply.ends());
        assert_eq!(ended.code, Some(9), "{}", ended.said);
        says(&ended, &["join-4 was sent and is not acknowledged", "the network of this machine"]);
        assert!(!has(&ended, "It is safe to leave"), "{}", ended.said);
        lab.isolate(&lab.operator, true, true);
        let looked = story.looks("status");
        let again = story.types(ended.next());
        for screen in [&looked, &again] {
            assert_eq!(screen.code, Some(10), "{}", screen.said);
            says(screen, &["No server answered", "check the network of this machine first"]);
        }
        let reconfigs = story.leader().reconfigs().len();
        lab.heal_links();
        let joins =
            |(_, members): &(u64, Members)| members.contains_key(&3) && members.contains_key(&4);
        let before = story.leader();
        story.goes_on(&again);
        let later = before.reconfigs().split_off(reconfigs);
        assert!(later.iter().filter(|one| joins(one)).count() <= 1, "sent again: {later:#?}");
    });
}

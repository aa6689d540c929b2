//! Links that fail in the middle of a rolling restart, on a fixed schedule: what zkplan says then is
//! true, it has no other server restarted, it stops in a safe place when it is asked to, and once all is
//! healed the command that it names comes to the end.

use std::fmt;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{PATIENCE, wait_until};
use crate::lab::Lab;
use crate::operator::{Ended, Running, start};
use crate::sandbox::inside;
use crate::say;
use crate::schedule::{CLIENT_PORT, Seat};
use crate::server::{Server, Setting};
use crate::writer::{Writer, read_back};

const LIMIT: Duration = Duration::from_secs(300);

const SETTING: Setting =
    Setting { tick_ms: 200, init_limit: 50, sync_limit: 10, force_sync: false };

/// As `write_first_files` has it, and what the spec wants.
const LIMITS: [&str; 2] = ["initLimit=50", "initLimit=60"];

#[test]
fn a_roll_waits_while_links_are_cut_and_goes_on_when_they_are_healed() {
    inside(LIMIT, || {
        let story = Story::begin();
        let [first, second, leader] = story.order();
        let apply = story.applies();
        story.is_cut_one_way_after_its_restart(&apply, &first, &leader, &second);
        let ended = story.leader_is_cut_off(&apply, &second, &leader);
        story.goes_on(&ended, &leader);
    });
}

/// What was waited for, and what was said.
struct Unsaid<'a> {
    words: &'a str,
    apply: &'a Running,
}

impl fmt::Display for Unsaid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` to be said by\n{}", self.words, self.apply.said())
    }
}

/// Three servers with an application at work, and a spec that wants another `initLimit`.
struct Story {
    // Before the servers that it writes to.
    writer: Writer,
    lab: Lab,
    seats: Vec<Seat>,
}

impl Story {
    fn begin() -> Self {
        let seat = |id: u8| Seat { id, host: usize::from(id) - 1, shift: 0, votes: true };
        let seats: Vec<Seat> = (1..=3).map(seat).collect();
        let lab = Lab::new(SETTING);
        lab.begin(&seats);
        let addresses: Vec<String> =
            seats.iter().map(|seat| format!("{}:{CLIENT_PORT}", seat.address())).collect();
        let servers: Vec<String> =
            seats.iter().map(|seat| format!("  - {}", seat.wanted(false))).collect();
        let servers = servers.join(
            "
",
        );
        let spec = format!(
            "apiVersion: zkplan/v1\nensemble: soak\nconnect:\n  servers: [{}]\nservers:\n{servers}\n\
             settings: {{ initLimit: \">=60\" }}\n",
            addresses.join(", ")
        );
        fs::write(lab.file("spec.yaml"), spec).expect("memory takes files");
        for server in lab.servers() {
            let file = server.file("zoo.cfg");
            let text = fs::read_to_string(&file).expect("its zoo.cfg");
            assert!(text.contains(LIMITS[0]), "{text}");
            fs::write(&file, text.replace(LIMITS[0], LIMITS[1])).expect("memory takes files");
        }
        Self { writer: Writer::begin(addresses), lab, seats }
    }

    /// The followers in order of ids, and the leader.
    fn order(&self) -> [Arc<Server>; 3] {
        let leader = self.lab.wait("a leader", || self.lab.leader());
        let mut followers = self.lab.followers();
        followers.push(leader);
        followers.try_into().unwrap_or_else(|_| panic!("three servers"))
    }

    fn applies(&self) -> Running {
        start(&self.lab, &["apply", "spec.yaml", "--auto-approve"], None)
    }

    /// What the first server sends does not arrive at the leader: it cannot follow. Then it follows, and
    /// what it sends does not arrive at the operator.
    fn is_cut_one_way_after_its_restart(
        &self,
        apply: &Running,
        first: &Server,
        leader: &Server,
        next: &Server,
    ) {
        asks_for(apply, first);
        leader.host().cut_from([first.address()]);
        first.kill();
        first.start();
        wait_said(apply, &format!("server {} runs and serves no clients", first.id));
        asks_for_no_other(apply, first);
        self.lab.heal_links();
        self.lab.operator.cut_from([first.address()]);
        self.lab
            .wait("the first server to follow", || first.mode().filter(|mode| mode == "follower"));
        wait_said(apply, &format!("server {} does not answer", first.id));
        asks_for_no_other(apply, first);
        self.lab.heal_links();
        asks_for(apply, next);
    }

    /// The leader is cut off while the second server is away; when that is back, the two of them elect
    /// another leader.
    fn leader_is_cut_off(&self, apply: &Running, second: &Server, leader: &Server) -> Ended {
        second.kill();
        self.lab.isolate(leader.host(), true, true);
        second.start();
        let count = self.writer.count();
        self.lab
            .wait("writes to be acknowledged", || (self.writer.count() > count + 3).then_some(()));
        wait_said(apply, &format!("restart-{} done", second.id));
        asks_for_no_other(apply, second);
        apply.signal(Signal::INT);
        let ended = apply.ends();
        assert_eq!(ended.code, Some(7), "a safe place: {}", ended.said);
        ended
    }

    /// Healed, the command that the screen names comes to the end.
    fn goes_on(&self, ended: &Ended, leader: &Server) {
        let next = ended.next();
        self.lab.heal_links();
        self.lab.wait_serving();
        let words: Vec<&str> = next.split_whitespace().chain(["--auto-approve"]).collect();
        let apply = start(&self.lab, &words, None);
        asks_for(&apply, leader);
        leader.kill();
        leader.start();
        let ended = apply.ends();
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        assert!(!ended.said.contains("not proven"), "{}", ended.said);
        say(&format!("a roll of three with cut links: {} writes", self.writer.count()));
        let written = self.writer.acknowledged();
        for seat in &self.seats {
            let at = format!("{}:{CLIENT_PORT}", seat.address());
            let read = read_back(&at, &written, PATIENCE).expect("it answers");
            assert!(read.missing.is_empty(), "server {} lacks {:?}", seat.id, read.missing);
        }
    }
}

fn wait_said(apply: &Running, words: &str) {
    wait_until(Unsaid { words, apply }, PATIENCE, || {
        assert!(!apply.has_ended(), "it ended without `{words}`: {:#?}", apply.ends());
        apply.said().contains(words).then_some(())
    });
}

fn asks_for(apply: &Running, server: &Server) {
    wait_said(apply, &format!("Now: restart server {}", server.id));
}

/// The last restart that was asked for is that of this server, after zkplan has looked again.
fn asks_for_no_other(apply: &Running, server: &Server) {
    let said = apply.said();
    let last = said.rsplit("Now: restart server ").next().expect("a text");
    assert!(last.starts_with(&server.id.to_string()), "{said}");
}

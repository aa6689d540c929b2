//! How each fault is brought about, and undone. One counts only if it was seen to happen: packets
//! were dropped, a process got its signal, a server wrote that its disk is full.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::administrator;
use crate::harness::lock;
use crate::lab::Lab;
use crate::operator::{Running, STANDS_STILL, start_apply};
use crate::schedule::{Fault, Kind, Round};
use crate::server::Server;

/// The lock of an apply.
const LOCK: &str = "/zkplan/lock";

/// The number of a server that no schedule has, at an address that no machine has.
pub(crate) const STRANGER: u8 = 250;

/// A full disk is noticed at the next write; the application makes one all the time.
const DISK_NOTICED_WITHIN: Duration = Duration::from_secs(20);

/// Added where the operator is cut off for longer than a session lasts.
const LONGER: Duration = Duration::from_secs(6);

/// What servers on a full disk write to their logs.
const DISK_IS_FULL: &str = "No space left on device";

/// An apply to which faults happen.
pub(crate) struct Scene<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) round: &'a Round,
    pub(crate) plan: &'a str,
    pub(crate) apply: Arc<Running>,
    /// How many outputs are expected of it.
    pub(crate) outputs: u64,
    /// Applies that were started beside it.
    pub(crate) others: Mutex<Vec<Arc<Running>>>,
    /// Versions that another client has made.
    pub(crate) foreign: Mutex<Vec<u64>>,
    /// The server that has a clock of its own.
    pub(crate) own_clock: Option<Arc<Server>>,
}

impl Scene<'_> {
    /// Waits for a fault's moment, brings it about, undoes it; whether it happened.
    pub(crate) fn bring(&self, fault: &Fault) -> bool {
        self.wait_for(fault.at_percent) && self.strike(fault)
    }

    /// Waits until the apply has come so far, and has begun at all; whether it still runs then.
    fn wait_for(&self, percent: u64) -> bool {
        let wanted = u64::max(1, self.outputs * percent / 100);
        while !self.apply.has_ended() {
            let events = self.apply.events();
            let outputs = events.iter().filter(|event| event["event"] == "output").count();
            if outputs as u64 >= wanted {
                return true;
            }
            thread::sleep(Duration::from_millis(3));
        }
        false
    }

    fn strike(&self, fault: &Fault) -> bool {
        let long = Duration::from_millis(fault.long_ms);
        match fault.kind {
            // Done before the plan was made.
            Kind::VoterDeadBefore => true,
            Kind::FollowerKilled
            | Kind::LeaderKilled
            | Kind::MemberFrozen
            | Kind::LeaderFrozen
            | Kind::JoinerRestarted => self.process_fault(fault, long),
            Kind::OneWayCut
            | Kind::PairCut
            | Kind::MemberIsolated
            | Kind::LeaderCutFromFollowers
            | Kind::LeaderDeaf
            | Kind::JoinerCutFromLeader
            | Kind::PacketsLost
            | Kind::OperatorCut
            | Kind::OperatorCutForLong
            | Kind::OperatorLinkFlaps => self.link_fault(fault, long),
            Kind::DiskFullLeader | Kind::DiskFullFollower | Kind::DiskFullJoiner => {
                self.victim(fault).is_some_and(|server| fills_up(&server))
            }
            Kind::ClockJumps => {
                let server = self.own_clock.as_ref();
                server.is_some_and(|server| clock_jumps(server, fault.pick, long))
            }
            Kind::ApplyKilled
            | Kind::ApplyFrozen
            | Kind::ApplyTerminated
            | Kind::TwoApplies
            | Kind::LockDeleted
            | Kind::ForeignNoOp
            | Kind::ForeignChange => self.operator_fault(fault.kind, long),
        }
    }

    /// The server that a fault happens to.
    fn victim(&self, fault: &Fault) -> Option<Arc<Server>> {
        let pick = |servers: Vec<Arc<Server>>| {
            let count = u64::try_from(servers.len()).ok().filter(|count| *count > 0)?;
            servers.get(usize::try_from(fault.pick % count).ok()?).cloned()
        };
        match fault.kind {
            Kind::LeaderKilled
            | Kind::LeaderFrozen
            | Kind::LeaderCutFromFollowers
            | Kind::LeaderDeaf
            | Kind::DiskFullLeader => self.lab.leader(),
            Kind::JoinerRestarted | Kind::JoinerCutFromLeader | Kind::DiskFullJoiner => {
                pick(self.round.joiners().map(|seat| self.lab.server(seat.id)).collect())
            }
            Kind::FollowerKilled | Kind::DiskFullFollower => {
                let is_old =
                    |server: &Arc<Server>| self.round.base.iter().any(|seat| seat.id == server.id);
                pick(self.lab.followers().into_iter().filter(is_old).collect())
            }
            _ => pick(self.lab.servers()),
        }
    }

    fn process_fault(&self, fault: &Fault, long: Duration) -> bool {
        let Some(server) = self.victim(fault) else { return false };
        match fault.kind {
            Kind::MemberFrozen | Kind::LeaderFrozen => {
                let frozen = server.signal(Signal::STOP);
                thread::sleep(long);
                server.signal(Signal::CONT);
                frozen
            }
            _ => {
                let ran = server.is_running();
                server.kill();
                thread::sleep(long / 3);
                server.start();
                ran
            }
        }
    }

    fn link_fault(&self, fault: &Fault, long: Duration) -> bool {
        let before = self.lab.dropped();
        if fault.kind == Kind::OperatorLinkFlaps {
            for _ in 0..4 {
                self.lab.isolate(&self.lab.operator, true, true);
                thread::sleep(long / 4);
                self.lab.heal_links();
                thread::sleep(long / 4);
            }
        } else if self.cut(fault) {
            let is_long = fault.kind == Kind::OperatorCutForLong;
            thread::sleep(if is_long { long + LONGER } else { long });
        }
        let dropped = self.lab.dropped() > before;
        self.lab.heal_links();
        dropped
    }

    /// Cuts; whether there was something to cut.
    fn cut(&self, fault: &Fault) -> bool {
        let lab = self.lab;
        // Both ways, or one of them.
        let (incoming, outgoing) = (fault.pick % 3 != 1, fault.pick % 3 != 2);
        match fault.kind {
            Kind::OperatorCut => lab.isolate(&lab.operator, true, true),
            Kind::OperatorCutForLong => lab.isolate(&lab.operator, incoming, outgoing),
            Kind::PacketsLost => lab.everywhere().for_each(|host| host.lose(5)),
            _ => {
                let Some(server) = self.victim(fault) else { return false };
                let others = lab.servers();
                let others: Vec<_> = others.iter().filter(|other| other.id != server.id).collect();
                let other = others[usize::try_from(fault.pick / 64 % others.len() as u64)
                    .expect("less than a length")];
                match fault.kind {
                    Kind::OneWayCut => server.host().cut_from([other.address()]),
                    Kind::PairCut => {
                        server.host().cut_from([other.address()]);
                        other.host().cut_from([server.address()]);
                    }
                    Kind::JoinerCutFromLeader => {
                        let Some(leader) = lab.leader() else { return false };
                        server.host().cut_from([leader.address()]);
                        leader.host().cut_from([server.address()]);
                    }
                    Kind::LeaderCutFromFollowers => lab.isolate(server.host(), true, true),
                    Kind::LeaderDeaf => lab.isolate(server.host(), true, false),
                    _ => lab.isolate(server.host(), incoming, outgoing),
                }
            }
        }
        true
    }

    fn operator_fault(&self, kind: Kind, long: Duration) -> bool {
        match kind {
            Kind::ApplyKilled => self.apply.signal(Signal::KILL),
            Kind::ApplyTerminated => self.apply.signal(Signal::TERM),
            Kind::ApplyFrozen => {
                let frozen = self.apply.signal(Signal::STOP);
                thread::sleep(long + long / 2);
                self.apply.signal(Signal::CONT);
                frozen
            }
            Kind::TwoApplies => {
                let other = start_apply(self.lab, self.plan, &[], STANDS_STILL, None);
                lock(&self.others).push(Arc::new(other));
                true
            }
            Kind::LockDeleted => administrator::delete(self.lab, LOCK) == Ok(true),
            Kind::ForeignNoOp => self.reconfigure(&[], &["251"]),
            _ => {
                let line = format!("server.{STRANGER}=10.77.0.{STRANGER}:2888:3888:observer;2181");
                self.reconfigure(&[&line], &[])
            }
        }
    }

    fn reconfigure(&self, joining: &[&str], leaving: &[&str]) -> bool {
        let made = administrator::reconfig(self.lab, joining, leaving);
        made.is_ok_and(|config| {
            lock(&self.foreign).push(config.version);
            true
        })
    }
}

/// Waits for a text in what a server writes to its log from now on; whether it came.
fn writes(server: &Server, from: usize, within: Duration, is_it: impl Fn(&str) -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < within {
        if server.log().get(from..).is_some_and(&is_it) {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

/// Fills a server's disk, and gives the room back once the server has run out of it; then an
/// operator starts the server again.
fn fills_up(server: &Server) -> bool {
    let from = server.log().len();
    server.fill_disk();
    let noticed = writes(server, from, DISK_NOTICED_WITHIN, |log| log.contains(DISK_IS_FULL));
    server.free_disk();
    server.kill();
    server.start();
    noticed
}

/// Has a server's clock jump by five hours and back; whether the server took it for the time.
fn clock_jumps(server: &Server, pick: u64, long: Duration) -> bool {
    let from = server.log().len();
    let hour = |log: &str| {
        let mut hours = log.lines().filter_map(|line| {
            let (hour, rest) = line.split_once(':')?;
            rest.get(2..3).filter(|colon| *colon == ":")?;
            hour.parse::<u32>().ok().filter(|hour| *hour < 24)
        });
        hours.next_back()
    };
    let Some(before) = hour(&server.log()) else { return false };
    server.set_clock(if pick.is_multiple_of(2) { "+5h" } else { "-5h" });
    // Each word that it is asked goes to its log, with the time.
    let jumped = writes(server, from, Duration::from_secs(10), |log| {
        server.ask("srvr").ok();
        hour(log).is_some_and(|now| (now + 24 - before) % 24 > 1)
    });
    thread::sleep(long);
    server.set_clock("+0");
    jumped
}

//! A request that was sent, is held back on its way to the leader, and arrives after another apply
//! has begun.
//!
//! The same schedule is played twice. Behind another apply's fence the request is refused for its
//! version, and what the journal says of it, "not applied", is true. Without one it is carried out:
//! nothing else in ZooKeeper would have refused it. A build that does not fence therefore fails
//! here.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::administrator;
use crate::chance::Chance;
use crate::harness::transactions::{self, Bytes};
use crate::harness::{PATIENCE, wait_until};
use crate::lab::Lab;
use crate::members::Config;
use crate::operator::{Running, history, start_apply, write_spec};
use crate::sandbox::inside;
use crate::schedule::{CLIENT_PORT, Round, Seat, members_of};
use crate::server::{Server, Setting};
use crate::{number, say};

/// The leader does not miss the server that holds the request back for 80 seconds.
const SETTING: Setting =
    Setting { tick_ms: 200, init_limit: 50, sync_limit: 400, force_sync: false };

/// Longer than the request is held back: its sender's session lives, and is no reason to refuse it. A
/// packet that a cut link lost goes out again after twice the time of before, up to 51 s after the first.
const SESSION: &str = "60s";

/// `ZooDefs.OpCode.error`: a request that the leader refused.
const ERROR: i32 = -1;

/// `KeeperException.ErrorCode.BADVERSION`.
const BAD_VERSION: i32 = -103;

/// `KeeperException.Code.SESSIONEXPIRED`.
const SESSION_EXPIRED: i32 = -112;

/// A reconfig is longer than that, a ping of the session is not.
const REQUEST_BYTES: u64 = 40;

/// What `--timeout` is: what the leader sends through a cut link comes again as late as [`SESSION`]
/// says, and until then the holder has an older configuration, for which an apply waits.
const LONGER: &str = "120s";

/// How long a packet that a cut link lost may take after the link is back.
const COMES_AGAIN: Duration = Duration::from_secs(120);

const LIMIT: Duration = Duration::from_secs(600);

/// How the request is held back.
#[derive(Clone, Copy, Debug)]
enum Hold {
    /// The server that has it does not run.
    ServerFrozen,
    /// What that server sends does not arrive at the leader.
    LinkCut,
}

#[test]
fn a_request_held_back_is_refused_behind_the_fence_of_a_later_apply() {
    inside(LIMIT, || {
        for hold in [Hold::ServerFrozen, Hold::LinkCut] {
            Story::begin(hold).with_a_later_apply();
        }
    });
}

#[test]
fn a_request_held_back_is_carried_out_where_nothing_was_fenced() {
    inside(LIMIT, || {
        for hold in [Hold::ServerFrozen, Hold::LinkCut] {
            Story::begin(hold).with_nothing_in_between();
        }
    });
}

/// An ensemble of five whose one follower has a request of a killed apply, and keeps it.
struct Story {
    lab: Lab,
    hold: Hold,
    /// The step that was sent, like `join-6`.
    step: String,
    holder: Arc<Server>,
    leader: Arc<Server>,
    /// Before the request.
    before: Config,
    round: Round,
}

impl Story {
    /// Has an apply send a step to the server that it has its session on, which keeps it, and kills
    /// the apply.
    fn begin(hold: Hold) -> Self {
        let seed = number("ZKPLAN_SOAK_SEED", 1);
        let mut chance = Chance::of(seed);
        let lab = Lab::new(SETTING);
        let round = round(&mut chance);
        lab.begin(&round.base);
        lab.join(&round.base, round.joiners());
        lab.wait_serving();
        let joiners: Vec<u8> = round.joiners().map(|seat| seat.id).collect();
        let step = format!("join-{}", chance.of_slice(&joiners).expect("some join"));
        let spec = write_spec(&lab, &round, &contacts(&round, |_| true));
        let apply = start_apply(&lab, &spec, &[], LONGER, Some(&format!("STOP@send {step}")));
        wait_frozen(&apply);

        let leader = lab.wait("a leader", || lab.leader());
        let attached = apply.events().into_iter().rfind(|event| event["event"] == "attached");
        let attached = attached.map(|event| event["address"].as_str().unwrap_or("").to_owned());
        let is_it = |server: &Arc<Server>| Some(server.client_address().to_string()) == attached;
        let holder = lab.servers().into_iter().find(is_it).expect("it has a session");
        assert_ne!(holder.id, leader.id, "where there are followers, a session is on one of them");
        say(&format!("ZKPLAN_SOAK_SEED={seed}: server {} holds {step} back, {hold:?}", holder.id));
        let before = leader.on_disk();
        match hold {
            Hold::ServerFrozen => assert!(holder.signal(Signal::STOP)),
            Hold::LinkCut => leader.host().cut_from([holder.address()]),
        }
        let received = lab.received_from_operator(&holder);
        apply.signal(Signal::CONT);
        // Killed at the event alone, the apply may not have sent it yet.
        wait_until("the request to be sent", PATIENCE, || {
            let is_it = |event: &Value| event["event"] == "sent" && event["step"] == step.as_str();
            apply.events().iter().any(is_it).then_some(())
        });
        wait_until("the request to be with the holder", PATIENCE, || {
            (lab.received_from_operator(&holder) >= received + REQUEST_BYTES).then_some(())
        });
        apply.kill();
        assert_eq!(leader.on_disk(), before, "the request was not held back");
        Self { lab, hold, step, holder, leader, before, round }
    }

    /// Lets the request go on, and returns when the leader has it.
    fn release(&self) {
        match self.hold {
            Hold::ServerFrozen => assert!(self.holder.signal(Signal::CONT)),
            Hold::LinkCut => self.lab.heal_links(),
        }
    }

    /// How the leader refused what came from sessions of the holder, in its transaction log.
    fn refusals(&self) -> Vec<i32> {
        let of_holder = |(session, _): &(i64, i32)| session >> 56 == i64::from(self.holder.id);
        let refused = transactions::logged(&self.leader.data(), refusal).into_iter();
        refused.filter(of_holder).map(|(_, code)| code).collect()
    }

    fn with_a_later_apply(self) {
        // The administrator takes the lock away; the session that had it lives on.
        assert_eq!(administrator::delete(&self.lab, "/zkplan/lock"), Ok(true));
        let others = contacts(&self.round, |seat| seat.id != self.holder.id);
        let spec = write_spec(&self.lab, &self.round, &others);
        let signal = format!("STOP@send {}", self.step);
        let later = start_apply(&self.lab, &spec, &[], LONGER, Some(&signal));
        // Before it sends anything itself it stops, or waits for the holder.
        wait_until("a later apply to stand still", PATIENCE, || {
            assert!(!later.has_ended(), "it ended before it stood still: {:#?}", later.ends());
            let waits = || later.events().iter().any(|event| event["event"] == "waiting");
            (later.is_frozen() || waits() && !self.said(&spec).is_empty()).then_some(())
        });
        let fenced = self.leader.on_disk();
        let said = self.said(&spec);
        assert_eq!(
            said,
            [("not-applied".to_owned(), self.before.version)],
            "{:#?}",
            later.events()
        );

        let refused = self.refusals();
        self.release();
        wait_until("the leader to refuse the request", COMES_AGAIN, || {
            let made = self.leader.reconfigs().into_iter().find(|(at, _)| *at > fenced.version);
            assert_eq!(made, None, "the request was carried out, and the journal says {said:?}");
            self.refusals()[refused.len()..].contains(&BAD_VERSION).then_some(())
        });
        // A look sends its whole session at once: of one that the holder kept, the rest comes when its
        // session is over.
        let codes = self.refusals().split_off(refused.len());
        let others: Vec<i32> = codes.into_iter().filter(|code| *code != SESSION_EXPIRED).collect();
        assert_eq!(others, [BAD_VERSION], "not for its version");
        // With the holder back, the later one comes to the same step.
        wait_frozen(&later);
        later.signal(Signal::CONT);
        let ended = later.ends();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(self.leader.on_disk().members, members_of(&self.round.target));
    }

    /// What the journal says of the step: what came of each request, and from which version it was
    /// sent.
    fn said(&self, spec: &str) -> Vec<(String, u64)> {
        let runs = history(&self.lab, spec).expect("the journal can be read");
        let records = runs.iter().flat_map(|run| run["records"].as_array().into_iter().flatten());
        let (mut said, mut sent) = (Vec::new(), 0);
        for record in records.filter(|record| record["step"] == self.step.as_str()) {
            match record["entry"].as_str().unwrap_or_default() {
                "intent" => {
                    let version = record["version"].as_str().unwrap_or_default();
                    sent = u64::from_str_radix(version, 16).expect("a version");
                }
                entry => said.push((entry.to_owned(), sent)),
            }
        }
        said
    }

    fn with_nothing_in_between(self) {
        self.release();
        let mut reconfigs = self.leader.reconfigs();
        wait_until("the request to be carried out", COMES_AGAIN, || {
            reconfigs = self.leader.reconfigs();
            reconfigs.retain(|(version, _)| *version > self.before.version);
            (!reconfigs.is_empty()).then_some(())
        });
        let joined = self.step.trim_start_matches("join-").parse().expect("the number of a server");
        assert!(reconfigs[0].1.contains_key(&joined), "{reconfigs:?}");
    }
}

/// A `TxnHeader`, and an `ErrorTxn` if it is a request that was refused: the session that asked,
/// and why.
fn refusal(mut transaction: Bytes<'_>) -> Option<(i64, i32)> {
    let session = transaction.long()?;
    let _cxid = transaction.int()?;
    let _zxid = transaction.long()?;
    let _time = transaction.long()?;
    let is_error = transaction.int()? == ERROR;
    transaction.int().filter(|_| is_error).map(|code| (session, code))
}

/// Client addresses of some of the members.
fn contacts(round: &Round, which: impl Fn(&Seat) -> bool) -> Vec<String> {
    let chosen = round.base.iter().filter(|seat| which(seat));
    chosen.map(|seat| format!("{}:{CLIENT_PORT}", seat.address())).collect()
}

fn wait_frozen(apply: &Running) {
    wait_until("an apply to stand still", COMES_AGAIN, || {
        assert!(!apply.has_ended(), "it ended before it stood still: {:#?}", apply.ends());
        apply.is_frozen().then_some(())
    });
}

/// Five voters, to which two to four observers are added: with one server frozen, every step is
/// still safe.
fn round(chance: &mut Chance) -> Round {
    let seat = |id: u8, votes| Seat { id, host: usize::from(id) - 1, shift: 0, votes };
    let base: Vec<Seat> = (1..=5).map(|id| seat(id, true)).collect();
    let last = 7 + u8::try_from(chance.below(3)).expect("a small number");
    let target = base.iter().cloned().chain((6..=last).map(|id| seat(id, false))).collect();
    let policy = vec![("stableFor", "0s")];
    Round { number: 1, base, target, zones: false, policy, session: SESSION, faults: Vec::new() }
}

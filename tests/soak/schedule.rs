//! What a seed stands for: the ensemble of the beginning, and for each round a target and the
//! faults that happen on the way to it.
//!
//! Nothing here knows how a round went. A round ends at its target or is wrong, so the next one
//! begins there. What depends on the servers' timing is named by its part (the leader, a joiner).

use std::net::Ipv4Addr;

use crate::chance::Chance;
use crate::members::Members;

/// How many machines there are.
pub(crate) const HOSTS: usize = 9;

/// Numbers of retired servers come back, on other machines.
const IDS: u8 = 60;

pub(crate) const CLIENT_PORT: u16 = 2181;
pub(crate) const QUORUM_PORT: u16 = 2888;
pub(crate) const ELECTION_PORT: u16 = 3888;

/// A server's place in a membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) id: u8,
    /// On which machine.
    pub(crate) host: usize,
    /// Added to its quorum and election port.
    pub(crate) shift: u16,
    pub(crate) votes: bool,
}

impl Seat {
    pub(crate) fn address(&self) -> Ipv4Addr {
        address(self.host)
    }

    fn role(&self) -> &'static str {
        if self.votes { "participant" } else { "observer" }
    }

    /// As a membership has it, without its id.
    pub(crate) fn text(&self) -> String {
        let (quorum, election) = (QUORUM_PORT + self.shift, ELECTION_PORT + self.shift);
        format!("{}:{quorum}:{election}:{};{CLIENT_PORT}", self.address(), self.role())
    }

    /// As a server's first files have it.
    pub(crate) fn line(&self) -> String {
        format!("server.{}={}", self.id, self.text())
    }

    /// As a spec has it.
    pub(crate) fn wanted(&self, zones: bool) -> String {
        let Self { id, host, shift, .. } = self;
        let (quorum, election) = (QUORUM_PORT + shift, ELECTION_PORT + shift);
        let zone = if zones { format!(", zone: z{}", host % 3) } else { String::new() };
        format!(
            "{{ id: {id}, host: {}, quorumPort: {quorum}, electionPort: {election}, clientPort: \
             {CLIENT_PORT}, role: {}{zone} }}",
            self.address(),
            self.role()
        )
    }
}

/// Where a machine is on the bridge.
pub(crate) fn address(host: usize) -> Ipv4Addr {
    let last = u8::try_from(host + 10).expect("there are few machines");
    [10, 77, 0, last].into()
}

/// The members that seats make.
pub(crate) fn members_of(seats: &[Seat]) -> Members {
    seats.iter().map(|seat| (seat.id, seat.text())).collect()
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    FollowerKilled,
    LeaderKilled,
    MemberFrozen,
    LeaderFrozen,
    JoinerRestarted,
    VoterDeadBefore,
    OneWayCut,
    PairCut,
    MemberIsolated,
    LeaderCutFromFollowers,
    LeaderDeaf,
    JoinerCutFromLeader,
    PacketsLost,
    OperatorCut,
    OperatorCutForLong,
    OperatorLinkFlaps,
    DiskFullLeader,
    DiskFullFollower,
    DiskFullJoiner,
    ClockJumps,
    ApplyKilled,
    ApplyFrozen,
    ApplyTerminated,
    TwoApplies,
    LockDeleted,
    ForeignNoOp,
    ForeignChange,
}

use Kind::{
    ApplyFrozen, ApplyKilled, ApplyTerminated, ClockJumps, DiskFullFollower, DiskFullJoiner,
    DiskFullLeader, FollowerKilled, ForeignChange, ForeignNoOp, JoinerCutFromLeader,
    JoinerRestarted, LeaderCutFromFollowers, LeaderDeaf, LeaderFrozen, LeaderKilled, LockDeleted,
    MemberFrozen, MemberIsolated, OneWayCut, OperatorCut, OperatorCutForLong, OperatorLinkFlaps,
    PacketsLost, PairCut, TwoApplies, VoterDeadBefore,
};

/// Every kind.
pub(crate) const KINDS: [Kind; 27] = [
    FollowerKilled,
    LeaderKilled,
    MemberFrozen,
    LeaderFrozen,
    JoinerRestarted,
    VoterDeadBefore,
    OneWayCut,
    PairCut,
    MemberIsolated,
    LeaderCutFromFollowers,
    LeaderDeaf,
    JoinerCutFromLeader,
    PacketsLost,
    OperatorCut,
    OperatorCutForLong,
    OperatorLinkFlaps,
    DiskFullLeader,
    DiskFullFollower,
    DiskFullJoiner,
    ClockJumps,
    ApplyKilled,
    ApplyFrozen,
    ApplyTerminated,
    TwoApplies,
    LockDeleted,
    ForeignNoOp,
    ForeignChange,
];

impl Kind {
    /// Whether it happens to a server that joins.
    fn needs_joiner(self) -> bool {
        matches!(self, JoinerRestarted | JoinerCutFromLeader | DiskFullJoiner)
    }

    /// Whether a second fault beside it could cost data, as no ensemble survives it: a disk that is
    /// replaced counts on the quorum of the others.
    fn comes_alone(self) -> bool {
        matches!(self, DiskFullLeader | DiskFullFollower | DiskFullJoiner | VoterDeadBefore)
    }

    /// Whether servers, or the links between them, do not work as they should meanwhile.
    pub(crate) fn strikes_servers(self) -> bool {
        match self {
            FollowerKilled
            | LeaderKilled
            | MemberFrozen
            | LeaderFrozen
            | JoinerRestarted
            | VoterDeadBefore
            | OneWayCut
            | PairCut
            | MemberIsolated
            | LeaderCutFromFollowers
            | LeaderDeaf
            | JoinerCutFromLeader
            | PacketsLost
            | DiskFullLeader
            | DiskFullFollower
            | DiskFullJoiner => true,
            OperatorCut | OperatorCutForLong | OperatorLinkFlaps | ClockJumps | ApplyKilled
            | ApplyFrozen | ApplyTerminated | TwoApplies | LockDeleted | ForeignNoOp
            | ForeignChange => false,
        }
    }

    /// Exit codes of an apply that meets it; 0 always fits.
    pub(crate) fn fitting_exits(self) -> &'static [i32] {
        match self {
            ClockJumps => &[],
            LockDeleted | ApplyTerminated => &[7],
            ApplyKilled => &[KILLED],
            ApplyFrozen => &[7, 10],
            // The later one waits for the lock, and then finds the work done, or gives up.
            TwoApplies => &[5, 6],
            ForeignNoOp | ForeignChange => &[5],
            OperatorCut | OperatorCutForLong | OperatorLinkFlaps => &[7, 9, 10],
            FollowerKilled
            | LeaderKilled
            | MemberFrozen
            | LeaderFrozen
            | JoinerRestarted
            | VoterDeadBefore
            | OneWayCut
            | PairCut
            | MemberIsolated
            | LeaderCutFromFollowers
            | LeaderDeaf
            | JoinerCutFromLeader
            | PacketsLost
            | DiskFullLeader
            | DiskFullFollower
            | DiskFullJoiner => &[3, 7, 9, 10],
        }
    }
}

/// Stands for an end by SIGKILL.
pub(crate) const KILLED: i32 = -9;

/// A fault of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// How far the apply has come when it begins, in percent of what it is expected to do.
    pub(crate) at_percent: u64,
    pub(crate) long_ms: u64,
    /// For choices among those whom it may happen to.
    pub(crate) pick: u64,
}

/// A round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    /// Counted from 1.
    pub(crate) number: u64,
    pub(crate) base: Vec<Seat>,
    pub(crate) target: Vec<Seat>,
    pub(crate) zones: bool,
    pub(crate) policy: Vec<(&'static str, &'static str)>,
    pub(crate) session: &'static str,
    pub(crate) faults: Vec<Fault>,
}

impl Round {
    /// Those of the target who are no members yet.
    pub(crate) fn joiners(&self) -> impl Iterator<Item = &Seat> {
        self.target.iter().filter(|seat| self.base.iter().all(|old| old.id != seat.id))
    }

    /// Whether a fault of this kind is among its faults.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.faults.iter().any(|fault| fault.kind == kind)
    }

    /// What it is like, on one line.
    pub(crate) fn label(&self) -> String {
        let voters = |seats: &[Seat]| seats.iter().filter(|seat| seat.votes).count();
        let faults: Vec<String> =
            self.faults.iter().map(|fault| format!("{:?}", fault.kind)).collect();
        let faults = if faults.is_empty() { "no fault".to_owned() } else { faults.join("+") };
        format!(
            "round {}: {} to {} voters, {faults}",
            self.number,
            voters(&self.base),
            voters(&self.target)
        )
    }
}

/// The rounds of a seed, without end.
pub(crate) struct Schedule {
    chance: Chance,
    /// How long a tick of the servers is, in milliseconds.
    pub(crate) tick_ms: u64,
    /// The ensemble as it is before the next round.
    pub(crate) seats: Vec<Seat>,
    number: u64,
    last_id: u8,
    /// Kinds of faults that have not come since all had come.
    deck: Vec<Kind>,
}

impl Schedule {
    pub(crate) fn of(seed: u64) -> Self {
        let mut chance = Chance::of(seed);
        let tick_ms = *chance.of_slice(&[200, 500, 500, 1000]).expect("a choice");
        let count = *chance.of_slice(&[3, 3, 4, 5]).expect("a choice");
        let seats = (1..=count).map(|id| {
            let host = usize::from(id) - 1;
            Seat { id, host, shift: 0, votes: true }
        });
        let seats = seats.collect();
        Self { chance, tick_ms, seats, number: 0, last_id: count, deck: Vec::new() }
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in (1..all.len()).rev() {
            let other = self.chance.below(at as u64 + 1);
            all.swap(at, usize::try_from(other).expect("not above an index"));
        }
    }

    /// A number that no server has.
    fn fresh_id(&mut self, taken: &[Seat]) -> u8 {
        loop {
            self.last_id = self.last_id % IDS + 1;
            let id = self.last_id;
            if taken.iter().chain(&self.seats).all(|seat| seat.id != id) {
                return id;
            }
        }
    }

    /// Another ensemble of 3 to 7 voters, on these machines and on those that are free.
    fn target(&mut self) -> Vec<Seat> {
        let base = self.seats.clone();
        let mut free: Vec<usize> =
            (0..HOSTS).filter(|host| base.iter().all(|seat| seat.host != *host)).collect();
        self.shuffle(&mut free);
        let (mut staying, observers): (Vec<Seat>, Vec<Seat>) =
            base.into_iter().partition(|seat| seat.votes);
        let count = *self.chance.of_slice(&[3, 3, 4, 5, 5, 6, 7]).expect("a choice");
        let least = usize::max(1, usize::saturating_sub(count, free.len()));
        self.shuffle(&mut staying);
        let most = usize::min(staying.len(), count);
        let spread = (most.saturating_sub(least) + 1) as u64;
        let kept = least + usize::try_from(self.chance.below(spread)).expect("a small number");
        staying.truncate(kept);
        let mut target = staying;
        while target.len() < count {
            let Some(host) = free.pop() else { break };
            target.push(Seat { id: self.fresh_id(&target), host, shift: 0, votes: true });
        }
        for seat in observers {
            match self.chance.below(10) {
                0..4 => target.push(seat),
                4..7 if voters(&target) < 7 => target.push(Seat { votes: true, ..seat }),
                _ => {}
            }
        }
        if self.chance.once_in(4)
            && let Some(host) = free.pop()
        {
            target.push(Seat { id: self.fresh_id(&target), host, shift: 0, votes: false });
        }
        if kept > 3 && self.chance.once_in(5) {
            target[0].votes = false;
        }
        if kept > 1 && self.chance.once_in(5) {
            target[1].shift += 1;
        }
        target.sort_by_key(|seat| seat.id);
        target
    }

    fn faults(&mut self, has_joiners: bool) -> Vec<Fault> {
        let count = *self.chance.of_slice(&[0, 1, 1, 2, 2, 3]).expect("a choice");
        let mut faults: Vec<Fault> = Vec::new();
        while faults.len() < count {
            if self.deck.len() < 6 {
                let mut fresh = KINDS.to_vec();
                self.shuffle(&mut fresh);
                self.deck.splice(0..0, fresh);
            }
            let fits = |kind: &Kind| {
                (has_joiners || !kind.needs_joiner()) && (faults.is_empty() || !kind.comes_alone())
            };
            let Some(at) = self.deck.iter().rposition(fits) else { break };
            let kind = self.deck.remove(at);
            faults.push(Fault {
                kind,
                at_percent: self.chance.below(100),
                long_ms: 500 + self.chance.below(4000),
                pick: self.chance.next(),
            });
            if kind.comes_alone() {
                break;
            }
        }
        faults
    }
}

fn voters(seats: &[Seat]) -> usize {
    seats.iter().filter(|seat| seat.votes).count()
}

impl Iterator for Schedule {
    type Item = Round;

    fn next(&mut self) -> Option<Round> {
        let base = self.seats.clone();
        let target = loop {
            let target = self.target();
            if target != base && voters(&target) >= 3 {
                break target;
            }
        };
        self.number += 1;
        let has_joiners = target.iter().any(|seat| base.iter().all(|old| old.id != seat.id));
        let mut policy = vec![("maxShrink", "9")];
        policy.push(("stableFor", self.chance.of_slice(&["0s", "500ms", "1s"]).expect("a choice")));
        if self.chance.once_in(3) {
            let most = self.chance.of_slice(&["1", "2", "0"]).expect("a choice");
            policy.push(("changesPerStep", most));
        }
        if self.chance.once_in(5) {
            policy.push(("addAs", "observer"));
        }
        let round = Round {
            number: self.number,
            base,
            zones: self.chance.once_in(3),
            policy,
            session: self.chance.of_slice(&["2s", "3s", "4s"]).expect("a choice"),
            faults: self.faults(has_joiners),
            target: target.clone(),
        };
        self.seats = target;
        Some(round)
    }
}

#[test]
fn the_same_seed_gives_the_same_schedule() {
    let rounds = |seed| Schedule::of(seed).take(200).collect::<Vec<_>>();
    assert_eq!(rounds(7), rounds(7));
    assert_ne!(rounds(7), rounds(8));
}

#[test]
fn every_kind_of_fault_comes_soon() {
    for seed in 1..=5 {
        let rounds: Vec<Round> = Schedule::of(seed).take(40).collect();
        for kind in KINDS {
            assert!(rounds.iter().any(|round| round.has(kind)), "seed {seed} has no {kind:?}");
        }
    }
}

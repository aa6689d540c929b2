//! Artificial ensembles: the fate of each server, and the input of zkplan.

use std::collections::BTreeSet;
use std::fmt;

use zkplan::model::{
    AddAs, ClientAddress, EnsembleConfig, Host, Membership, MinTolerance, PeerAddress, Policy,
    ReuseIds, Role, Server, ServerId, StandaloneEnabled, Target, VoteWeight, ZonePolicy,
};
use zkplan::observe::Facts;

use crate::example::{FIRST_VERSION, healthy};

/// The role of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Is {
    Out,
    Voter,
    Observer,
}

/// The address change of a member that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Moves {
    Stays,
    /// Another client port: no election is needed for it.
    Client,
    /// Another quorum port.
    Ports,
    /// Another machine.
    Machine,
}

/// Everything that the rules depend on for one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Fate {
    pub(crate) was: Is,
    pub(crate) wanted: Is,
    /// Without meaning for a server that is no member now: it is awaited before it joins.
    pub(crate) live: bool,
    pub(crate) moves: Moves,
}

const fn up(was: Is, wanted: Is) -> Fate {
    Fate { was, wanted, live: true, moves: Moves::Stays }
}

const fn down(was: Is, wanted: Is) -> Fate {
    Fate { was, wanted, live: false, moves: Moves::Stays }
}

const fn moved(is: Is, live: bool, moves: Moves) -> Fate {
    Fate { was: is, wanted: is, live, moves }
}

/// Every class of (in V, in V', live).
pub(crate) const VOTERS: [Fate; 5] = [
    up(Is::Out, Is::Voter),
    up(Is::Voter, Is::Out),
    down(Is::Voter, Is::Out),
    up(Is::Voter, Is::Voter),
    down(Is::Voter, Is::Voter),
];

/// Every class with an observer now or later.
pub(crate) const OBSERVERS: [Fate; 9] = [
    up(Is::Out, Is::Observer),
    up(Is::Voter, Is::Observer),
    down(Is::Voter, Is::Observer),
    up(Is::Observer, Is::Out),
    down(Is::Observer, Is::Out),
    up(Is::Observer, Is::Observer),
    down(Is::Observer, Is::Observer),
    up(Is::Observer, Is::Voter),
    down(Is::Observer, Is::Voter),
];

/// Members that stay at other addresses.
pub(crate) const MOVERS: [Fate; 4] = [
    moved(Is::Voter, true, Moves::Ports),
    moved(Is::Voter, false, Moves::Ports),
    moved(Is::Voter, true, Moves::Client),
    moved(Is::Observer, true, Moves::Ports),
];

/// Ids that go to another machine.
pub(crate) const MACHINES: [Fate; 3] = [
    moved(Is::Voter, true, Moves::Machine),
    moved(Is::Voter, false, Moves::Machine),
    moved(Is::Observer, true, Moves::Machine),
];

/// One server: its fate, its zone from 1, or 0 for none, and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seat {
    pub(crate) fate: Fate,
    pub(crate) zone: u8,
    /// Its group from 1, or 0 where quorums are majorities, and its weight.
    pub(crate) place: (u8, u8),
    pub(crate) id: u8,
}

/// The policy, as far as it differs between cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// `policy.minTolerance`; `auto` where absent.
    pub(crate) tolerance: Option<u32>,
    pub(crate) observers_first: bool,
    /// Whether `standaloneEnabled: false` is asserted.
    pub(crate) one_voter: bool,
    pub(crate) strict: bool,
    pub(crate) max_shrink: u32,
    /// How many servers one request may change; 0 where there is no bound.
    pub(crate) changes_per_step: u32,
}

impl Rules {
    /// The defaults, but without ZKQ14, which would hide the results of other rules.
    pub(crate) const DEFAULT: Self = Self {
        tolerance: None,
        observers_first: false,
        one_voter: false,
        strict: false,
        max_shrink: 99,
        changes_per_step: 1,
    };
}

/// An ensemble, its target, and the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) seats: Vec<Seat>,
    pub(crate) rules: Rules,
}

pub(crate) const ZONES: [&str; 3] = ["a", "b", "c"];

impl Case {
    /// Whether an id goes to another machine where zones count.
    pub(crate) fn groups_machines(&self) -> bool {
        let mut moves = self.seats.iter().map(|seat| seat.fate.moves);
        moves.any(|moves| moves == Moves::Machine) && self.seats.iter().any(|seat| seat.zone > 0)
    }

    /// How many servers one request may change.
    pub(crate) fn together(&self) -> usize {
        match self.rules.changes_per_step {
            0 => usize::MAX,
            most => usize::try_from(most).expect("a small number"),
        }
    }

    pub(crate) fn id(&self, seat: usize) -> ServerId {
        ServerId::new(i64::from(self.seats[seat].id))
    }

    /// The seat of an id.
    pub(crate) fn seat(&self, id: ServerId) -> Option<usize> {
        self.seats.iter().position(|seat| i64::from(seat.id) == id.get())
    }

    /// Where its vote counts.
    fn place(&self, seat: usize) -> Option<VoteWeight> {
        let (group, weight) = self.seats[seat].place;
        (group > 0).then(|| VoteWeight { group: group.into(), weight: weight.into() })
    }

    /// The line of a server. Its hosts and ports depend on the server, not on its id.
    pub(crate) fn line(&self, seat: usize, role: Role, moved: bool) -> Server {
        let moves = if moved { self.seats[seat].fate.moves } else { Moves::Stays };
        let machine = if moves == Moves::Machine { 'm' } else { 'h' };
        let ports = if moves == Moves::Ports { (2889, 3889) } else { (2888, 3888) };
        let client = if moves == Moves::Client { 2182 } else { 2181 };
        Server {
            id: self.id(seat),
            peers: vec![PeerAddress {
                host: Host::new(&format!("{machine}{seat}")),
                quorum_port: ports.0,
                election_port: ports.1,
            }],
            role,
            client: Some(ClientAddress::on_all_addresses(client)),
            secure_client: None,
            place: self.place(seat).filter(|_| role == Role::Participant),
        }
    }

    fn lines(&self, wanted: bool) -> impl Iterator<Item = Server> + '_ {
        self.seats.iter().enumerate().filter_map(move |(at, seat)| {
            let role = match if wanted { seat.fate.wanted } else { seat.fate.was } {
                Is::Out => return None,
                Is::Voter => Role::Participant,
                Is::Observer => Role::Observer,
            };
            Some(self.line(at, role, wanted))
        })
    }

    fn ids_where(&self, holds: impl Fn(&Fate) -> bool) -> BTreeSet<ServerId> {
        let seats = self.seats.iter().filter(|seat| holds(&seat.fate));
        seats.map(|seat| ServerId::new(i64::from(seat.id))).collect()
    }

    /// The facts of the ensemble.
    pub(crate) fn facts(&self, leader: Option<usize>) -> Facts {
        let zone = |seat: &Seat| {
            let zone = usize::from(seat.zone).checked_sub(1)?;
            Some((ServerId::new(i64::from(seat.id)), ZONES[zone].to_owned()))
        };
        let base = healthy(EnsembleConfig {
            version: FIRST_VERSION.parse().expect("a config version"),
            membership: Membership::of(self.lines(false)),
        });
        Facts {
            leader: leader.map(|seat| self.id(seat)),
            synced: self.ids_where(|fate| fate.was != Is::Out && fate.live),
            zones: self.seats.iter().filter_map(zone).collect(),
            standalone_disabled: self.rules.one_voter || base.standalone_disabled,
            other_machine: self.ids_where(|fate| fate.moves == Moves::Machine),
            ..base
        }
    }

    /// The target.
    pub(crate) fn target(&self) -> Target {
        Target { policy: self.policy(), ..Target::of("proof", self.lines(true)) }
    }

    fn policy(&self) -> Policy {
        let rules = self.rules;
        Policy {
            min_tolerance: rules.tolerance.map_or(MinTolerance::Auto, MinTolerance::AtLeast),
            zones: if rules.strict { ZonePolicy::Strict } else { ZonePolicy::Best },
            add_as: if rules.observers_first { AddAs::Observer } else { AddAs::Participant },
            max_shrink: rules.max_shrink,
            changes_per_step: rules.changes_per_step,
            standalone_enabled: if rules.one_voter {
                StandaloneEnabled::False
            } else {
                StandaloneEnabled::Unknown
            },
            reuse_ids: ReuseIds::Blank,
            ..Policy::default()
        }
    }

    /// One leader of each class, and one that is not known.
    pub(crate) fn leaders(&self) -> Vec<Option<usize>> {
        let mut known: Vec<(Fate, u8, (u8, u8))> = Vec::new();
        let mut leaders = vec![None];
        for (at, seat) in self.seats.iter().enumerate() {
            let class = (seat.fate, seat.zone, seat.place);
            if seat.fate.was == Is::Voter && seat.fate.live && !known.contains(&class) {
                known.push(class);
                leaders.push(Some(at));
            }
        }
        leaders
    }
}

/// A short form: `1 2 3o -> 1 4p, down 2, zones 1a 2b`. `o` is an observer, `p` has another quorum
/// port, `c` another client port, `m` another machine.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut seats = self.seats.clone();
        seats.sort_by_key(|seat| seat.id);
        let words = |word: &dyn Fn(&Seat) -> Option<String>| {
            seats.iter().filter_map(word).collect::<Vec<_>>().join(" ")
        };
        let role = |seat: &Seat, is: Is, mark: &str| match is {
            Is::Out => None,
            Is::Voter => Some(format!("{}{mark}", seat.id)),
            Is::Observer => Some(format!("{}o{mark}", seat.id)),
        };
        let mark = |moves: Moves| match moves {
            Moves::Stays => "",
            Moves::Client => "c",
            Moves::Ports => "p",
            Moves::Machine => "m",
        };
        let base = words(&|seat| role(seat, seat.fate.was, ""));
        let wanted = words(&|seat| role(seat, seat.fate.wanted, mark(seat.fate.moves)));
        write!(f, "{base} -> {wanted}")?;
        let down = words(&|seat| {
            let down = seat.fate.was != Is::Out && !seat.fate.live;
            down.then(|| seat.id.to_string())
        });
        if !down.is_empty() {
            write!(f, ", down {down}")?;
        }
        let zones = words(&|seat| {
            let zone = usize::from(seat.zone).checked_sub(1)?;
            Some(format!("{}{}", seat.id, ZONES[zone]))
        });
        if !zones.is_empty() {
            write!(f, ", zones {zones}")?;
        }
        let places = words(&|seat| {
            let (group, weight) = seat.place;
            (group > 0).then(|| format!("{}g{group}w{weight}", seat.id))
        });
        if !places.is_empty() {
            write!(f, ", groups {places}")?;
        }
        let rules = self.rules;
        if let Some(count) = rules.tolerance {
            write!(f, ", minTolerance {count}")?;
        }
        for (holds, word) in [
            (rules.observers_first, "addAs observer"),
            (rules.one_voter, "standaloneEnabled false"),
            (rules.strict, "zones strict"),
            (rules.max_shrink != Rules::DEFAULT.max_shrink, "maxShrink as it is"),
        ] {
            if holds {
                write!(f, ", {word}")?;
            }
        }
        if rules.changes_per_step != 1 {
            write!(f, ", changesPerStep {}", rules.changes_per_step)?;
        }
        Ok(())
    }
}

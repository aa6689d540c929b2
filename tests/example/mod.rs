//! Example ensembles: the one builder of all tests, those of `tests` and the unit tests of `src`.
//!
//! ```text
//! let example = Example::new("1 2 3", "4 5 6").down("2").zones(Zones::Three);
//! propose(&example.target(), &example.facts(), &[])
//! ```
//!
//! [`Example`] says what an ensemble is like and what is wanted. `seen` has observations, `applying` what
//! an apply is given, `fates` the ensembles that are small enough to have all of them tried. Each file that runs tests includes this folder as a module of its own.

pub(crate) mod applying;
pub(crate) mod fates;
pub(crate) mod seen;

use std::collections::{BTreeMap, BTreeSet};

use zkplan::check::CheckedPlan;
use zkplan::model::{
    Endpoint, EnsembleConfig, Host, Membership, Policy, Server, ServerId, StandaloneEnabled,
    Target, VoteWeight,
};
use zkplan::observe::{DataSeen, Facts, Identity};
use zkplan::proposal::{acceptance, propose};

/// The first config version of every ensemble.
pub(crate) const FIRST_VERSION: &str = "100000000";

/// An ensemble, its target and the servers that are down.
///
/// Servers are written in a short form: `1 2 3o 4p 5h 6m 7@1 8a`. `o` is an observer, `p` has other
/// ports, `h` another name of the same host, `m` another machine, `@1` the machine of server 1, `a` a
/// second address, `g2` a vote in group 2, and `g2w3` one with weight 3 there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Example {
    pub(crate) base: String,
    pub(crate) wanted: String,
    pub(crate) down: String,
    pub(crate) zones: Zones,
    pub(crate) policy: Policy,
}

/// How servers are spread over zones, by their ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Zones {
    #[default]
    None,
    One,
    Three,
}

pub(crate) fn id(number: i64) -> ServerId {
    ServerId::new(number)
}

pub(crate) fn ids(text: &str) -> BTreeSet<ServerId> {
    text.split_whitespace().map(|word| split(word).0).collect()
}

/// These ids in the short form: participants.
pub(crate) fn participants(numbers: &[i64]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The client address of a server, as [`servers`] has it.
pub(crate) fn at(number: i64) -> Endpoint {
    Endpoint::plain(Host::new(&format!("10.0.0.{number}")), 2181)
}

/// The line of a participant.
pub(crate) fn line(number: i64) -> String {
    format!("server.{number}=10.0.0.{number}:2888:3888:participant;0.0.0.0:2181")
}

fn split(word: &str) -> (ServerId, &str) {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    (id(word[..digits].parse().expect("a server id")), &word[digits..])
}

fn server(word: &str) -> Server {
    let (id, marks) = split(word);
    let role = if marks.contains('o') { "observer" } else { "participant" };
    let host = match marks.split_once('@') {
        Some((_, other)) => format!("10.0.0.{}", split(other).0),
        None if marks.contains('h') => format!("alias-{id}"),
        None if marks.contains('m') => format!("10.0.1.{id}"),
        None => format!("10.0.0.{id}"),
    };
    let ports = if marks.contains('p') { "2889:3889" } else { "2888:3888" };
    let second = if marks.contains('a') { format!("|alias-{id}:2888:3888") } else { String::new() };
    let line = format!("server.{id}={host}:{ports}{second}:{role};2181");
    Server { place: place(marks), ..Server::parse_line(&line).expect("a server line") }
}

fn place(marks: &str) -> Option<VoteWeight> {
    let (_, text) = marks.split_once('g')?;
    let (group, weight) = text.split_once('w').unwrap_or((text, "1"));
    let number = |text: &str| text.parse().expect("a number");
    Some(VoteWeight { group: number(group), weight: number(weight) })
}

/// Servers in the short form of [`Example`].
pub(crate) fn servers(text: &str) -> Vec<Server> {
    text.split_whitespace().map(server).collect()
}

/// A configuration of such servers.
pub(crate) fn config(servers: &str) -> EnsembleConfig {
    let version = FIRST_VERSION.parse().expect("a config version");
    EnsembleConfig { version, membership: Membership::of(self::servers(servers)) }
}

/// What a survey finds where every member is up, no leader is known and nothing is out of order.
pub(crate) fn healthy(config: EnsembleConfig) -> Facts {
    Facts {
        identity: Identity::NoneYet,
        leader: None,
        leader_zxid: None,
        synced: config.membership.ids(),
        following: BTreeSet::new(),
        zones: BTreeMap::new(),
        standalone_disabled: config.membership.voters().len() == 1,
        other_machine: BTreeSet::new(),
        client_confirmed: BTreeSet::new(),
        resolved: BTreeMap::new(),
        obstacles: Vec::new(),
        findings: Vec::new(),
        assumed: false,
        data: DataSeen::not_asked(),
        base: config,
    }
}

/// A target and the facts of an ensemble that is assumed to be up, from server lines.
pub(crate) fn lines(base: &str, wanted: &str) -> (Target, Facts) {
    let wanted = Membership::parse(wanted).expect("lines");
    let target = Target::of("test", wanted.servers().cloned());
    let config = EnsembleConfig::parse(&format!("{base}\nversion={FIRST_VERSION}"));
    let facts = Facts::assumed(config.expect("lines"), &target);
    (target, facts)
}

/// The plan; where there is none without risks, every risk is accepted.
pub(crate) fn planned(target: &Target, facts: &Facts) -> CheckedPlan {
    let checked = propose(target, facts, &[]).or_else(|refusal| {
        let risks: Vec<_> = refusal.breaches.iter().map(acceptance).collect();
        propose(target, facts, &risks)
    });
    checked.map_err(|refusal| refusal.breaches).expect("a plan")
}

/// A policy from lines of a spec, like `reuseIds: blank, minTolerance: 0`. `defaults` stands for no
/// line.
pub(crate) fn policy_of(lines: &str) -> Policy {
    let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| text.into());
    let fields: serde_json::Map<String, serde_json::Value> = lines
        .split(", ")
        .filter_map(|line| line.split_once(": "))
        .map(|(name, text)| (name.to_owned(), value(text)))
        .collect();
    serde_json::from_value(fields.into()).expect("a policy")
}

impl Example {
    pub(crate) fn new(base: &str, wanted: &str) -> Self {
        Self { base: base.to_owned(), wanted: wanted.to_owned(), ..Self::default() }
    }

    pub(crate) fn down(self, down: &str) -> Self {
        Self { down: down.to_owned(), ..self }
    }

    pub(crate) fn zones(self, zones: Zones) -> Self {
        Self { zones, ..self }
    }

    pub(crate) fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    fn zone_map(&self) -> BTreeMap<ServerId, String> {
        let all = servers(&self.base).into_iter().chain(servers(&self.wanted));
        all.filter_map(|server| Some((server.id, self.zones.of(server.id)?))).collect()
    }

    /// The members that are not down answer; the one with the highest id leads.
    pub(crate) fn facts(&self) -> Facts {
        let facts = healthy(config(&self.base));
        let down = ids(&self.down);
        let synced: BTreeSet<ServerId> = facts.synced.difference(&down).copied().collect();
        let moved = self.wanted.split_whitespace().filter(|word| word.contains('m'));
        Facts {
            leader: facts.base.membership.voters().intersection(&synced).last().copied(),
            synced,
            zones: self.zone_map(),
            standalone_disabled: facts.standalone_disabled
                || self.policy.standalone_enabled == StandaloneEnabled::False,
            other_machine: moved.map(|word| split(word).0).collect(),
            ..facts
        }
    }

    pub(crate) fn target(&self) -> Target {
        Target { policy: self.policy.clone(), ..Target::of("test", servers(&self.wanted)) }
    }

    /// [`planned`] of this example.
    pub(crate) fn planned(&self) -> CheckedPlan {
        planned(&self.target(), &self.facts())
    }
}

impl Zones {
    /// The zone of a server.
    pub(crate) fn of(self, id: ServerId) -> Option<String> {
        match self {
            Self::None => None,
            Self::One => Some("a".to_owned()),
            Self::Three => Some(["c", "a", "b"][usize::try_from(id.get() % 3).ok()?].to_owned()),
        }
    }
}

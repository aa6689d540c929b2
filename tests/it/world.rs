//! Small artificial ensembles: members, target and unreachable servers.

use std::collections::{BTreeMap, BTreeSet};

use zkplan::model::{
    ConfigVersion, EnsembleConfig, Membership, Policy, Server, ServerId, Target, VoteWeight,
};
use zkplan::observe::{DataSeen, Facts, Identity};

/// Servers in a short form: `1 2 3o 4p 5h 6m 7@1 8a`. `o` is an observer, `p` has other ports, `h`
/// another name of the same host, `m` another machine, `@1` the machine of server 1, `a` a second
/// address, `g2` a vote in group 2, and `g2w3` one with weight 3 there.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
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

fn split(word: &str) -> (ServerId, &str) {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    (id(word[..digits].parse().expect("a server id")), &word[digits..])
}

fn server(word: &str) -> Server {
    let (id, marks) = split(word);
    let role = if marks.contains('o') { "observer" } else { "participant" };
    let host = match marks.split_once('@') {
        Some((_, other)) => format!("zk-{}", split(other).0),
        None if marks.contains('h') => format!("alias-{id}"),
        None if marks.contains('m') => format!("other-{id}"),
        None => format!("zk-{id}"),
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

pub(crate) fn servers(text: &str) -> Vec<Server> {
    text.split_whitespace().map(server).collect()
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

impl World {
    pub(crate) fn new(base: &str, wanted: &str) -> Self {
        Self { base: base.to_owned(), wanted: wanted.to_owned(), ..Self::default() }
    }

    pub(crate) fn down(self, down: &str) -> Self {
        Self { down: down.to_owned(), ..self }
    }

    pub(crate) fn zones(self, zones: Zones) -> Self {
        Self { zones, ..self }
    }

    pub(crate) fn policy(self, change: impl FnOnce(&mut Policy)) -> Self {
        let mut world = self;
        change(&mut world.policy);
        world
    }

    fn zone_map(&self) -> BTreeMap<ServerId, String> {
        let all = servers(&self.base).into_iter().chain(servers(&self.wanted));
        let zone = |id: ServerId| match self.zones {
            Zones::None => None,
            Zones::One => Some("a".to_owned()),
            Zones::Three => Some(["c", "a", "b"][usize::try_from(id.get() % 3).ok()?].to_owned()),
        };
        all.filter_map(|server| Some((server.id, zone(server.id)?))).collect()
    }

    pub(crate) fn facts(&self) -> Facts {
        let membership = Membership::of(servers(&self.base));
        let down = ids(&self.down);
        let live: BTreeSet<ServerId> = membership.ids().difference(&down).copied().collect();
        let alone = membership.voters().len() == 1;
        Facts {
            leader_zxid: None,
            leader: membership.voters().intersection(&live).last().copied(),
            base: EnsembleConfig { version: version(), membership },
            identity: Identity::NoneYet,
            live,
            following: BTreeSet::new(),
            zones: self.zone_map(),
            standalone_disabled: alone
                || self.policy.standalone_enabled == zkplan::model::StandaloneEnabled::False,
            other_machine: self
                .wanted
                .split_whitespace()
                .filter(|word| word.contains('m'))
                .map(|word| split(word).0)
                .collect(),
            client_confirmed: BTreeSet::new(),
            resolved: BTreeMap::new(),
            obstacles: Vec::new(),
            findings: Vec::new(),
            assumed: false,
            data: DataSeen::not_asked(),
        }
    }

    pub(crate) fn target(&self) -> Target {
        Target { policy: self.policy.clone(), ..Target::of("test", servers(&self.wanted)) }
    }
}

fn version() -> ConfigVersion {
    "100000000".parse().expect("a config version")
}

/// A target and the facts of an ensemble that is assumed to be up, from server lines.
pub(crate) fn lines(base: &str, wanted: &str) -> (Target, Facts) {
    let wanted = Membership::parse(wanted).expect("lines");
    let target = Target::of("test", wanted.servers().cloned());
    let config = EnsembleConfig::parse(&format!("{base}\nversion=100000000")).expect("lines");
    let facts = Facts::assumed(config, &target);
    (target, facts)
}

//! The members of an ensemble, the weight of their votes, and which sets of them are a quorum.
//!
//! A hierarchical quorum is written in lines of its own (`group.G`, `weight.N`). The entries of a
//! voter are kept with the server, as its weight. All other entries are kept apart, so that every
//! text that a server prints can be printed back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::{MalformedEscape, Property, Server, ServerId, ServerLineError, VoteWeight, properties};

/// Longer lists are refused. Session ids distinguish only 256 servers
/// (`SessionTrackerImpl.initializeNextSessionId`).
const MAX_SERVERS: usize = 1024;

/// The members of an ensemble, with groups and weights where its quorum is hierarchical.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    /// Shared between memberships: a plan holds hundreds of them that differ in one server.
    servers: BTreeMap<ServerId, Arc<Server>>,
    /// `group` and `weight` entries that do not belong to a voter.
    strangers: Entries,
}

/// The content of `group` and `weight` lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Entries {
    groups: BTreeMap<i64, BTreeSet<ServerId>>,
    weights: BTreeMap<ServerId, i64>,
}

impl Entries {
    fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.weights.is_empty()
    }

    /// Removes and returns the entry of one voter: its group, and its weight, which is 1 by default
    /// (`QuorumHierarchical.parse`).
    fn take(&mut self, id: ServerId) -> Option<VoteWeight> {
        let (group, ids) = self.groups.iter_mut().find(|(_, ids)| ids.contains(&id))?;
        let group = *group;
        ids.remove(&id);
        if ids.is_empty() {
            self.groups.remove(&group);
        }
        Some(VoteWeight { group, weight: self.weights.remove(&id).unwrap_or(1) })
    }
}

impl Membership {
    /// A membership of these servers. Quorums are majorities unless the servers have weights.
    pub fn of(servers: impl IntoIterator<Item = Server>) -> Self {
        let servers = servers.into_iter().map(|server| (server.id, Arc::new(server))).collect();
        Self { servers, ..Self::default() }
    }

    /// Reads `server.N`, `group.G` and `weight.N` lines as ZooKeeper reads them
    /// (`QuorumPeer.configFromString`): they are `java.util.Properties`.
    pub fn parse(text: &str) -> Result<Self, MembershipParseError> {
        Self::of_properties(&properties(text)?)
    }

    /// The same as [`Membership::parse`], for properties that are already read.
    pub(super) fn of_properties(all: &[Property]) -> Result<Self, MembershipParseError> {
        let mut members = Self::default();
        for property in all {
            members.take_property(property)?;
        }
        if members.servers.is_empty() {
            return Err(MembershipParseError::NoServer);
        }
        if !members.strangers.is_empty() {
            for server in members.servers.values_mut().filter(|server| server.votes()) {
                Arc::make_mut(server).place = members.strangers.take(server.id);
            }
        }
        Ok(members)
    }

    fn take_property(&mut self, property: &Property) -> Result<(), MembershipParseError> {
        let (key, value) = (property.key.trim(), property.value.trim());
        let line = || if value.is_empty() { key.to_owned() } else { format!("{key}={value}") };
        let unreadable = || MembershipParseError::Line(line());
        let (kind, number) = key.split_once('.').ok_or_else(unreadable)?;
        // A value that came from an escape sequence would not be read back as it is printed.
        if value.contains(['\n', '\r', '\\']) {
            return Err(unreadable());
        }
        match kind {
            "server" => {
                let server = Server::parse_property(key, value)
                    .map_err(|cause| MembershipParseError::Server { line: line(), cause })?;
                let id = server.id;
                if self.servers.insert(id, Arc::new(server)).is_some() {
                    return Err(MembershipParseError::Twice(id));
                }
                if self.servers.len() > MAX_SERVERS {
                    return Err(MembershipParseError::TooMany);
                }
            }
            "group" => {
                let group = number.parse().map_err(|_| unreadable())?;
                let ids: Result<_, _> =
                    value.split(':').map(|id| id.trim().parse().map(ServerId::new)).collect();
                self.strangers.groups.insert(group, ids.map_err(|_| unreadable())?);
            }
            "weight" => {
                let id = number.parse().map(ServerId::new).map_err(|_| unreadable())?;
                self.strangers.weights.insert(id, value.parse().map_err(|_| unreadable())?);
            }
            _ => return Err(unreadable()),
        }
        Ok(())
    }

    /// Whether its quorum is by groups and weights (`QuorumHierarchical`), not by majority.
    pub fn is_weighted(&self) -> bool {
        !self.strangers.is_empty() || self.servers().any(|server| server.place.is_some())
    }

    /// The group and weight of a voter in a hierarchical quorum. `None` if quorums are majorities
    /// or if the server has no vote.
    pub fn place(&self, id: ServerId) -> Option<VoteWeight> {
        self.get(id)?.place
    }

    /// Whether the group and weight entries differ from what a spec can express: an entry for a
    /// server without a vote, a voter in no group, or numbers that are out of range.
    ///
    /// ZooKeeper starts with some of these and counts them.
    pub fn has_odd_places(&self) -> bool {
        let is_odd = |server: &Server| match server.place {
            Some(place) => !server.votes() || !place.is_valid_in_spec(),
            None => server.votes(),
        };
        self.is_weighted() && (!self.strangers.is_empty() || self.servers().any(is_odd))
    }

    /// Whether both have the same group and weight entries for servers without a vote.
    pub fn has_the_strangers_of(&self, other: &Self) -> bool {
        self.strangers == other.strangers
    }

    /// Whether both have the same servers with the same roles, groups and weights. Addresses may
    /// differ. Such memberships have the same quorums.
    pub fn has_the_votes_of(&self, other: &Self) -> bool {
        let votes = |server: &Server| (server.id, server.role, server.place);
        self.has_the_strangers_of(other) && self.servers().map(votes).eq(other.servers().map(votes))
    }

    /// Whether a server would accept it. In a hierarchical quorum every voter must be in a group,
    /// and every server in a group must have a weight (`QuorumHierarchical.parse`).
    pub fn is_complete(&self) -> bool {
        let Entries { groups, weights } = &self.strangers;
        let placed = || self.servers().all(|server| !server.votes() || self.is_grouped(server));
        let weighed = || groups.values().flatten().all(|id| weights.contains_key(id));
        !self.is_weighted() || placed() && weighed()
    }

    fn is_grouped(&self, server: &Server) -> bool {
        server.place.is_some() || self.strangers.groups.values().any(|ids| ids.contains(&server.id))
    }

    /// The server with that id.
    pub fn get(&self, id: ServerId) -> Option<&Server> {
        self.servers.get(&id).map(Arc::as_ref)
    }

    /// Whether it has a server with that id.
    pub fn contains(&self, id: ServerId) -> bool {
        self.servers.contains_key(&id)
    }

    /// All servers, by id.
    pub fn servers(&self) -> impl DoubleEndedIterator<Item = &Server> + ExactSizeIterator {
        self.servers.values().map(Arc::as_ref)
    }

    /// The ids of all servers.
    pub fn ids(&self) -> BTreeSet<ServerId> {
        self.servers.keys().copied().collect()
    }

    /// The ids of those with a vote.
    pub fn voters(&self) -> BTreeSet<ServerId> {
        self.servers().filter(|server| server.votes()).map(|server| server.id).collect()
    }

    /// Whether that id is a member with a vote.
    pub fn has_voter(&self, id: ServerId) -> bool {
        self.get(id).is_some_and(Server::votes)
    }

    /// How many servers it has.
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// Whether it has no server.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// Adds a server, or replaces the server that has its id.
    pub fn put(&mut self, server: Server) {
        self.servers.insert(server.id, Arc::new(server));
    }

    /// Removes a server.
    pub fn remove(&mut self, id: ServerId) {
        self.servers.remove(&id);
    }

    /// Whether a set of acknowledging servers is a quorum by ZooKeeper's own rule
    /// (`QuorumMaj.containsQuorum`, `QuorumHierarchical.containsQuorum`).
    pub fn is_quorum(&self, acknowledging: &BTreeSet<ServerId>) -> bool {
        if !self.is_weighted() {
            let voters = self.voters();
            return acknowledging.intersection(&voters).count() >= super::quorum_of(voters.len());
        }
        // A live configuration may hold any weights, and their sum may not fit in an `i64`.
        let mut groups: BTreeMap<i64, Sum> = BTreeMap::new();
        for server in self.servers() {
            let Some(VoteWeight { group, weight }) = server.place else { continue };
            let acks = server.votes() && acknowledging.contains(&server.id);
            groups.entry(group).or_default().add(weight, acks);
        }
        // Every server in a group adds to the weight of the group. Only voters acknowledge.
        for (group, ids) in &self.strangers.groups {
            for id in ids {
                let weight = self.strangers.weights.get(id).copied().unwrap_or(0);
                let acks = self.has_voter(*id) && acknowledging.contains(id);
                groups.entry(*group).or_default().add(weight, acks);
            }
        }
        let counting = groups.values().filter(|sum| sum.all != 0).count();
        groups.values().filter(|sum| sum.is_won()).count() > counting / 2
    }
}

/// The weight of a whole group, and of its servers that acknowledge.
#[derive(Default)]
struct Sum {
    all: i128,
    acked: Option<i128>,
}

impl Sum {
    fn add(&mut self, weight: i64, acks: bool) {
        self.all += i128::from(weight);
        if acks {
            self.acked = Some(self.acked.unwrap_or(0) + i128::from(weight));
        }
    }

    /// A group without any acknowledgement does not count.
    fn is_won(&self) -> bool {
        self.acked.is_some_and(|acked| acked > self.all / 2)
    }
}

impl fmt::Display for Membership {
    /// Writes every line with its line end: servers by id, then groups and weights.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for server in self.servers() {
            writeln!(f, "{server}")?;
        }
        let Entries { mut groups, mut weights } = self.strangers.clone();
        for server in self.servers() {
            if let Some(VoteWeight { group, weight }) = server.place {
                groups.entry(group).or_default().insert(server.id);
                weights.insert(server.id, weight);
            }
        }
        for (group, ids) in groups {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            writeln!(f, "group.{group}={}", ids.join(":"))?;
        }
        for (id, weight) in weights {
            writeln!(f, "weight.{id}={weight}")?;
        }
        Ok(())
    }
}

/// Why the member lines of a configuration cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MembershipParseError {
    /// No `server.N` line at all.
    #[error("no `server.N` line")]
    NoServer,
    /// A line that is none of `server.N`, `group.G`, `weight.N`.
    #[error("line `{0}` does not begin with `server.N=`, `group.G=` or `weight.N=`")]
    Line(String),
    /// A server line that cannot be read.
    #[error("line `{line}`: {cause}")]
    Server {
        /// The line.
        line: String,
        /// What is wrong with it.
        cause: ServerLineError,
    },
    /// An escape that `java.util.Properties` does not take.
    #[error(transparent)]
    Escape(#[from] MalformedEscape),
    /// More servers than any ensemble has.
    #[error("more than {MAX_SERVERS} servers")]
    TooMany,
    /// The same id on two lines.
    #[error("server id {0} is on two lines")]
    Twice(ServerId),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reconfig;

    fn ids(numbers: &[i64]) -> BTreeSet<ServerId> {
        numbers.iter().copied().map(ServerId::new).collect()
    }

    #[test]
    fn removals_come_before_additions() {
        let base = Membership::parse("server.1=a:1:2\nserver.2=b:1:2").unwrap();
        let moved = Server::parse_line("server.1=c:1:2;3").unwrap();
        let reconfig = Reconfig { joining: vec![moved.clone()], leaving: vec![ServerId::new(1)] };
        assert_eq!(base.with(&reconfig).get(ServerId::new(1)), Some(&moved));
    }

    #[test]
    fn observers_do_not_make_a_quorum() {
        let members =
            Membership::parse("server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2:observer").unwrap();
        assert!(!members.is_quorum(&ids(&[1, 3])));
        assert!(members.is_quorum(&ids(&[1, 2])));
    }

    #[test]
    fn no_more_servers_are_read_than_an_ensemble_can_have() {
        let lines = |count: usize| -> String {
            (1..=count).map(|id| format!("server.{id}=h:1:2\n")).collect::<Vec<_>>().concat()
        };
        assert_eq!(Membership::parse(&lines(MAX_SERVERS)).unwrap().len(), MAX_SERVERS);
        let error = Membership::parse(&lines(MAX_SERVERS + 1)).unwrap_err();
        assert_eq!(error, MembershipParseError::TooMany);
    }

    #[test]
    fn weights_of_any_size_are_summed() {
        let text = format!(
            "server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1:2\nweight.1={0}\nweight.2={0}",
            i64::MAX
        );
        let members = Membership::parse(&text).unwrap();
        assert!(members.is_quorum(&ids(&[1, 2])));
        assert!(!members.is_quorum(&ids(&[1])));
    }

    #[test]
    fn groups_and_weights_decide_where_they_are_given() {
        let text = "server.1=a:1:2\nserver.2=a:3:4\nserver.3=b:1:2\nserver.4=b:3:4\nserver.5=c:1:2\n\
                    group.1=1:2\ngroup.2=3:4\ngroup.3=5\n\
                    weight.1=1\nweight.2=1\nweight.3=1\nweight.4=1\nweight.5=1";
        let members = Membership::parse(text).unwrap();
        assert!(members.is_weighted());
        assert!(!members.is_quorum(&ids(&[1, 2, 3])));
        assert!(members.is_quorum(&ids(&[1, 2, 5])));
        assert_eq!(Membership::parse(&members.to_string()).unwrap(), members);
    }

    /// Two groups of one voter each, and entries for servers without a vote.
    const STRANGERS: &str = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\n\
        server.3=c:1:2:observer\nserver.4=d:1:2:participant\n\
        group.1=1:3\ngroup.2=2:9\nweight.1=1\nweight.2=1\nweight.3=1\nweight.7=2\nweight.9=0\n";

    #[test]
    fn entries_without_a_vote_are_kept_and_add_weight() {
        let members = Membership::parse(STRANGERS).unwrap();
        assert_eq!(members.to_string(), STRANGERS);
        assert!(members.has_odd_places());
        assert!(!members.is_complete());
        assert_eq!(members.place(ServerId::new(2)), Some(VoteWeight { group: 2, weight: 1 }));
        assert_eq!(members.place(ServerId::new(3)), None);
        // Server 3 doubles the weight of its group, and no acknowledgement of its own is counted.
        assert!(!members.is_quorum(&ids(&[1, 2, 3])));
        let lighter = Membership::parse(&STRANGERS.replace("weight.3=1", "weight.3=0")).unwrap();
        assert!(lighter.is_quorum(&ids(&[1, 2])));
        assert!(!lighter.is_quorum(&ids(&[1, 3, 4])));
    }

    #[test]
    fn the_default_weight_of_a_voter_in_a_group_is_1() {
        let text =
            "server.1=a:1:2:participant\nserver.2=b:1:2:participant\ngroup.5=1:2\nweight.2=3\n";
        let members = Membership::parse(text).unwrap();
        let whole = text.replace("weight.2", "weight.1=1\nweight.2");
        assert_eq!(members.to_string(), whole);
        assert!(!members.has_odd_places());
        assert_eq!(members, Membership::parse(&whole).unwrap());
    }

    #[test]
    fn a_group_that_weighs_nothing_is_not_counted() {
        let text = "server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1\ngroup.2=2\nweight.1=1\nweight.2=0";
        let members = Membership::parse(text).unwrap();
        assert!(members.is_quorum(&ids(&[1])));
        assert!(!members.is_quorum(&ids(&[2])));
    }

    #[test]
    fn the_place_of_a_voter_comes_and_goes_with_it() {
        let text = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2:observer\ngroup.1=1\ngroup.2=2";
        let members = Membership::parse(text).unwrap();
        let voter = Server {
            role: crate::model::Role::Participant,
            ..members.get(ServerId::new(3)).unwrap().clone()
        };
        let placed = Server { place: Some(VoteWeight { group: 2, weight: 0 }), ..voter };
        let next =
            members.with(&Reconfig { joining: vec![placed], leaving: vec![ServerId::new(1)] });
        assert_eq!(
            next.to_string(),
            "server.2=b:1:2:participant\nserver.3=c:1:2:participant\n\
             group.2=2:3\nweight.2=1\nweight.3=0\n"
        );
        assert!(!next.has_odd_places());
    }
}

//! Who is in an ensemble, and the one way to get from one membership to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::{Server, ServerId, ServerLineError};

/// More servers than this are not read. Session ids tell apart no more than 256
/// (`SessionTrackerImpl.initializeNextSessionId`).
const MAX_SERVERS: usize = 1024;

/// The members of an ensemble, with groups and weights where its quorum is hierarchical.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    /// Shared between memberships: a plan has hundreds of them that differ in one server.
    servers: BTreeMap<ServerId, Arc<Server>>,
    groups: BTreeMap<i64, BTreeSet<ServerId>>,
    weights: BTreeMap<ServerId, i64>,
}

impl Membership {
    /// A membership with majority quorums.
    pub fn of(servers: impl IntoIterator<Item = Server>) -> Self {
        let servers = servers.into_iter().map(|server| (server.id, Arc::new(server))).collect();
        Self { servers, ..Self::default() }
    }

    /// Reads `server.N`, `group.G` and `weight.N` lines; blank lines and comments are passed over.
    pub fn parse(text: &str) -> Result<Self, MembershipParseError> {
        let mut members = Self::default();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            members.read_line(line)?;
        }
        if members.servers.is_empty() {
            return Err(MembershipParseError::NoServer);
        }
        Ok(members)
    }

    fn read_line(&mut self, line: &str) -> Result<(), MembershipParseError> {
        let unreadable = || MembershipParseError::Line(line.to_owned());
        let (key, value) = line.split_once('=').ok_or_else(unreadable)?;
        let (kind, number) = key.trim().split_once('.').ok_or_else(unreadable)?;
        match kind {
            "server" => {
                let server = Server::parse_line(line).map_err(|cause| {
                    MembershipParseError::Server { line: line.to_owned(), cause }
                })?;
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
                self.groups.insert(group, ids.map_err(|_| unreadable())?);
            }
            "weight" => {
                let id = number.parse().map(ServerId::new).map_err(|_| unreadable())?;
                self.weights.insert(id, value.trim().parse().map_err(|_| unreadable())?);
            }
            _ => return Err(unreadable()),
        }
        Ok(())
    }

    /// Whether its quorum is by groups and weights (`QuorumHierarchical`), not by majority.
    pub fn is_weighted(&self) -> bool {
        !self.groups.is_empty() || !self.weights.is_empty()
    }

    /// Where a voter counts in a hierarchical quorum; `None` where quorums are majorities or the
    /// server is in no group.
    pub fn place(&self, id: ServerId) -> Option<Place> {
        let (group, _) = self.groups.iter().find(|(_, ids)| ids.contains(&id))?;
        Some(Place { group: *group, weight: self.weights.get(&id).copied().unwrap_or(1) })
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

    /// The membership after a reconfig: removals first, then additions
    /// (`PrepRequestProcessor`, `case OpCode.reconfig`).
    #[must_use]
    pub fn with(&self, reconfig: &Reconfig) -> Self {
        let mut next = self.clone();
        for id in &reconfig.leaving {
            next.servers.remove(id);
        }
        for server in &reconfig.joining {
            next.servers.insert(server.id, Arc::new(server.clone()));
        }
        next
    }

    /// Whether a set of servers that acknowledge is a quorum, by ZooKeeper's own rule
    /// (`QuorumMaj.containsQuorum`, `QuorumHierarchical.containsQuorum`).
    pub fn is_quorum(&self, acknowledging: &BTreeSet<ServerId>) -> bool {
        if !self.is_weighted() {
            let voters = self.voters();
            return acknowledging.intersection(&voters).count() >= super::quorum_of(voters.len());
        }
        let weight = |id: &ServerId| {
            let own =
                if self.has_voter(*id) { self.weights.get(id).copied().unwrap_or(1) } else { 0 };
            i128::from(own)
        };
        let sums = self.groups.values().map(|group| {
            // A live configuration may hold any weights, which sum up to more than it could.
            let all: i128 = group.iter().map(weight).sum();
            let acked: i128 = group.intersection(acknowledging).map(weight).sum();
            (all, acked)
        });
        let (mut counting, mut won) = (0_usize, 0_usize);
        for (all, acked) in sums.filter(|(all, _)| *all > 0) {
            counting += 1;
            won += usize::from(acked > all / 2);
        }
        won > counting / 2
    }
}

impl fmt::Display for Membership {
    /// Writes every line with its line end, servers by id, then groups and weights.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for server in self.servers() {
            writeln!(f, "{server}")?;
        }
        for (group, ids) in &self.groups {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            writeln!(f, "group.{group}={}", ids.join(":"))?;
        }
        for (id, weight) in &self.weights {
            writeln!(f, "weight.{id}={weight}")?;
        }
        Ok(())
    }
}

/// The group and the weight of a voter (`group.G`, `weight.N`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The number of its group.
    pub group: i64,
    /// What its vote weighs in the group; 1 unless it is said otherwise.
    pub weight: i64,
}

/// What one incremental reconfig request asks for (`ReconfigRequest`).
///
/// A server that only changes its role or address stands in `joining`: ZooKeeper updates it in
/// place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconfig {
    /// Server lines that are added or replaced, by id.
    pub joining: Vec<Server>,
    /// Ids that are removed, ascending.
    pub leaving: Vec<ServerId>,
}

impl Reconfig {
    /// A request that adds or updates one server.
    pub fn join(server: Server) -> Self {
        Self { joining: vec![server], leaving: Vec::new() }
    }

    /// A request that changes nothing but the config version: the removal of an id that is no
    /// member's (`PrepRequestProcessor` passes over such ids).
    pub fn fence(members: &Membership) -> Self {
        // A request that comes too late must name no id that somebody was given since.
        let mut ids = (Self::HIGHEST_GIVEN + 1..i64::MAX).map(ServerId::new);
        let free = ids.find(|id| !members.contains(*id));
        Self::leave(free.unwrap_or(ServerId::new(i64::MAX)))
    }

    /// No spec asks for an id above it.
    const HIGHEST_GIVEN: i64 = 254;

    /// A request that removes one server.
    pub fn leave(id: ServerId) -> Self {
        Self { joining: Vec::new(), leaving: vec![id] }
    }
}

/// Why the member lines of a configuration cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MembershipParseError {
    /// No `server.N` line at all.
    #[error("no `server.N` line")]
    NoServer,
    /// A line that is none of `server.N`, `group.G`, `weight.N`.
    #[error("line `{0}` is none of `server.N=`, `group.G=`, `weight.N=`")]
    Line(String),
    /// A server line that cannot be read.
    #[error("line `{line}`: {cause}")]
    Server {
        /// The line.
        line: String,
        /// What is wrong with it.
        cause: ServerLineError,
    },
    /// More servers than any ensemble has.
    #[error("more than {MAX_SERVERS} servers")]
    TooMany,
    /// The same id on two lines.
    #[error("server id {0} stands on two lines")]
    Twice(ServerId),
}

#[cfg(test)]
mod tests {
    use super::*;

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
}

//! One server of an ensemble and its `server.N=` line.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Endpoint, Host};

/// A server id (`myid`, `sid`).
///
/// ZooKeeper's parser accepts any signed 64-bit number (`Long.parseLong` in
/// `QuorumPeerConfig.parseDynamicConfig`). A live ensemble may therefore show any number, and a
/// spec may keep it. The range for new servers is narrower: see [`ServerId::is_valid_in_spec`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct ServerId(i64);

impl ServerId {
    /// An id as the ensemble shows it.
    pub const fn new(id: i64) -> Self {
        Self(id)
    }

    /// The number itself.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whether a new server may have it: 1 to 254.
    ///
    /// Session ids carry only the low 8 bits (`SessionTrackerImpl.initializeNextSessionId`), TTL
    /// nodes refuse ids above 254 (`EphemeralType.validateServerId`), and 0 confuses other tools.
    pub const fn is_valid_in_spec(self) -> bool {
        self.0 >= 1 && self.0 <= 254
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The configured role of a server (`QuorumPeer.LearnerType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Votes in elections and acknowledges writes.
    Participant,
    /// Follows without a vote.
    Observer,
}

impl Role {
    /// ZooKeeper's word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Participant => "participant",
            Self::Observer => "observer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The address at which the other servers reach a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddress {
    /// The host of both ports.
    pub host: Host,
    /// Followers connect to it on the leader. Only the leader listens on it.
    pub quorum_port: u16,
    /// The port of leader election. Every server listens on it.
    pub election_port: u16,
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.host, self.quorum_port, self.election_port)
    }
}

/// The address at which clients reach a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientAddress {
    /// The address that the server binds; `0.0.0.0` for all.
    pub host: Host,
    /// The port.
    pub port: u16,
}

impl ClientAddress {
    /// The client address of a line that names only a port: ZooKeeper binds every address and
    /// prints `0.0.0.0` (`QuorumPeer.QuorumServer`).
    pub fn on_all_addresses(port: u16) -> Self {
        Self { host: Host::new("0.0.0.0"), port }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The group and the weight of a voter in a hierarchical quorum (`group.G`, `weight.N`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VoteWeight {
    /// The number of its group.
    pub group: i64,
    /// The weight of its vote in the group. The default is 1.
    pub weight: i64,
}

impl VoteWeight {
    /// Whether a spec may use it: both numbers fit in 32 bits without a sign. ZooKeeper accepts any
    /// number and does not check for overflow when it adds weights.
    pub fn is_valid_in_spec(self) -> bool {
        [self.group, self.weight].iter().all(|number| u32::try_from(*number).is_ok())
    }
}

/// One server line, read (`QuorumPeer.QuorumServer.initializeWithAddressString`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Server {
    /// Its id.
    pub id: ServerId,
    /// Its addresses. More than one only with `zookeeper.multiAddress.enabled` (3.6 and later).
    /// Never empty.
    pub peers: Vec<PeerAddress>,
    /// Its role.
    pub role: Role,
    /// The address for clients. Absent in statically configured ensembles: there the client port is
    /// only in each server's own `zoo.cfg`.
    pub client: Option<ClientAddress>,
    /// The text after the client address: the secure client address of ZooKeeper 3.10
    /// (ZOOKEEPER-4276). It is kept unchanged; a port alone is kept as ZooKeeper prints it.
    pub secure_client: Option<String>,
    /// The group and weight of its vote. It is no part of the line. `None` for observers, and if
    /// quorums are majorities.
    pub place: Option<VoteWeight>,
}

impl Server {
    /// The first address, which is the only one unless the server has several.
    pub fn peer(&self) -> &PeerAddress {
        &self.peers[0]
    }

    /// The address to use as a client. If the client address is a wildcard, its host is the quorum
    /// host. `None` without a client address, and if no other machine can use it: a wildcard, or a
    /// loopback address of a server that the others reach under another address.
    pub fn client_endpoint(&self) -> Option<Endpoint> {
        let client = self.client.as_ref()?;
        let host = if client.host.is_wildcard() { &self.peer().host } else { &client.host };
        let is_own = host.is_wildcard() || self.has_own_client_address();
        (!is_own).then(|| Endpoint::plain(host.clone(), client.port))
    }

    /// Whether only clients on its own machine reach it: its client address is a loopback address,
    /// and none of its quorum hosts is.
    pub fn has_own_client_address(&self) -> bool {
        let is_loopback = self.client.as_ref().is_some_and(|client| client.host.is_loopback());
        is_loopback && !self.peers.iter().any(|peer| peer.host.is_loopback())
    }

    /// Whether its line has several addresses, which clients do not read (`zookeeper.multiAddress.enabled`
    /// is off in them by default).
    pub fn has_several_addresses(&self) -> bool {
        self.peers.len() > 1
    }

    /// Whether clients that read the configuration make an address of its line that lacks the brackets:
    /// a wildcard as client address, and an IPv6 address as quorum host (Curator's `EnsembleTracker`).
    pub fn makes_ipv6_without_brackets(&self) -> bool {
        let is_v6 = |host: &Host| host.literal().is_some_and(|ip| ip.is_ipv6());
        self.client.as_ref().is_some_and(|client| client.host.is_wildcard())
            && self.peers.iter().any(|peer| is_v6(&peer.host))
    }

    /// Whether that other line of the same server is this one with a client part, and no more.
    pub fn gets_only_a_client_part(&self, other: &Self) -> bool {
        let with_part = Self { client: other.client.clone(), ..self.clone() };
        self.client.is_none() && other.client.is_some() && with_part == *other
    }

    /// Whether it has a vote.
    pub fn votes(&self) -> bool {
        self.role == Role::Participant
    }

    /// The same server without a vote.
    #[must_use]
    pub fn observing(self) -> Self {
        Self { role: Role::Observer, place: None, ..self }
    }

    /// Reads the text right of `server.N=`.
    pub fn parse(id: ServerId, value: &str) -> Result<Self, ServerLineError> {
        let mut parts = value.split(';');
        let addresses = parts.next().unwrap_or_default();
        let client = parts.next().map(str::trim).filter(|part| !part.is_empty());
        let rest: Vec<&str> = parts.collect();
        let mut role = None;
        let mut peers = Vec::new();
        for address in addresses.split('|') {
            let (peer, given) = parse_peer(address.trim())?;
            if let (Some(before), Some(now)) = (role, given)
                && before != now
            {
                return Err(ServerLineError::RolesDisagree);
            }
            role = role.or(given);
            peers.push(peer);
        }
        let secure_client = rest.join(";");
        // As for the client address, a port alone means all addresses.
        let secure_client = match parse_port(&secure_client) {
            Ok(port) => ClientAddress::on_all_addresses(port).to_string(),
            Err(_) => secure_client,
        };
        Ok(Self {
            id,
            peers,
            role: role.unwrap_or(Role::Participant),
            client: client.map(parse_client).transpose()?,
            secure_client: (!secure_client.is_empty()).then_some(secure_client),
            place: None,
        })
    }

    /// Reads a whole line, `server.N=…`.
    pub fn parse_line(line: &str) -> Result<Self, ServerLineError> {
        let (key, value) = line.split_once('=').ok_or(ServerLineError::NotAServerLine)?;
        Self::parse_property(key, value)
    }

    /// Reads a key and its value.
    pub fn parse_property(key: &str, value: &str) -> Result<Self, ServerLineError> {
        let id = key.trim().strip_prefix("server.").ok_or(ServerLineError::NotAServerLine)?;
        let id = id.parse().map_err(|_| ServerLineError::Id(id.to_owned()))?;
        Self::parse(ServerId::new(id), value.trim())
    }

    /// The text right of `server.N=`, as ZooKeeper prints it (`QuorumServer.toString`).
    pub fn value(&self) -> String {
        let peers: Vec<String> = self.peers.iter().map(ToString::to_string).collect();
        let mut text = format!("{}:{}", peers.join("|"), self.role);
        if let Some(client) = &self.client {
            text.push(';');
            text.push_str(&client.to_string());
        }
        if let Some(secure) = &self.secure_client {
            text.push_str(if self.client.is_some() { ";" } else { ";;" });
            text.push_str(secure);
        }
        text
    }
}

impl fmt::Display for Server {
    /// Writes the whole line, `server.N=…`, as ZooKeeper prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server.{}={}", self.id, self.value())
    }
}

/// Why a server line cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ServerLineError {
    /// The key is not `server.N`.
    #[error("not of the form `server.N=host:quorumPort:electionPort[:role][;client]`")]
    NotAServerLine,
    /// The id is not a number.
    #[error("server id `{0}` is not a number")]
    Id(String),
    /// The address has too few or too many parts.
    #[error("address `{0}` is not of the form `host:quorumPort:electionPort[:role]`")]
    Address(String),
    /// A port is not a number from 1 to 65535.
    #[error("port `{0}` is not a number from 1 to 65535")]
    Port(String),
    /// The role is neither participant nor observer.
    #[error("role `{0}` is neither `participant` nor `observer`")]
    Role(String),
    /// Several addresses of one server name different roles.
    #[error("the addresses of one server name different roles")]
    RolesDisagree,
}

/// Splits `host:rest` where the host may be a bracketed IPv6 literal.
fn split_host(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return Some((host, rest.strip_prefix(':')?));
    }
    text.split_once(':')
}

fn parse_port(text: &str) -> Result<u16, ServerLineError> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(ServerLineError::Port(text.to_owned())),
    }
}

fn parse_role(text: &str) -> Result<Role, ServerLineError> {
    match text.trim().to_ascii_lowercase().as_str() {
        "participant" => Ok(Role::Participant),
        "observer" => Ok(Role::Observer),
        _ => Err(ServerLineError::Role(text.to_owned())),
    }
}

fn parse_peer(text: &str) -> Result<(PeerAddress, Option<Role>), ServerLineError> {
    let wrong = || ServerLineError::Address(text.to_owned());
    let (host, rest) = split_host(text).ok_or_else(wrong)?;
    let parts: Vec<&str> = rest.split(':').collect();
    let (quorum, election, role) = match parts.as_slice() {
        [quorum, election] => (*quorum, *election, None),
        [quorum, election, role] => (*quorum, *election, Some(parse_role(role)?)),
        _ => return Err(wrong()),
    };
    if host.is_empty() {
        return Err(wrong());
    }
    let peer = PeerAddress {
        host: Host::new(host),
        quorum_port: parse_port(quorum)?,
        election_port: parse_port(election)?,
    };
    Ok((peer, role))
}

fn parse_client(text: &str) -> Result<ClientAddress, ServerLineError> {
    match split_host(text) {
        Some((host, port)) => Ok(ClientAddress { host: Host::new(host), port: parse_port(port)? }),
        None => Ok(ClientAddress::on_all_addresses(parse_port(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(line: &str) -> String {
        Server::parse_line(line).unwrap().to_string()
    }

    #[test]
    fn prints_what_zookeeper_prints() {
        assert_eq!(printed("server.1=zk1:2888:3888"), "server.1=zk1:2888:3888:participant");
        assert_eq!(
            printed("server.1=zk1:2888:3888:OBSERVER;2181"),
            "server.1=zk1:2888:3888:observer;0.0.0.0:2181"
        );
        let v6 = "server.2=[::1]:1:2:participant;[::1]:3";
        assert_eq!(printed(v6), v6);
        let several = "server.3=a:1:2|b:1:2:participant;0.0.0.0:3";
        assert_eq!(printed(several), several);
        let secure = "server.4=a:1:2:participant;0.0.0.0:3;0.0.0.0:4";
        assert_eq!(printed(secure), secure);
        assert_eq!(
            printed("server.4=a:1:2:participant;;2281"),
            "server.4=a:1:2:participant;;0.0.0.0:2281"
        );
    }

    #[test]
    fn an_address_of_every_machine_is_no_address_of_a_server() {
        let at = |line: &str| {
            let endpoint = Server::parse_line(line).unwrap().client_endpoint();
            endpoint.map(|at| at.to_string())
        };
        assert_eq!(at("server.1=zk1:1:2;3").as_deref(), Some("zk1:3"));
        assert_eq!(at("server.1=0.0.0.0:1:2;10.0.0.1:3").as_deref(), Some("10.0.0.1:3"));
        assert_eq!(at("server.1=127.0.0.1:1:2;127.0.0.1:3").as_deref(), Some("127.0.0.1:3"));
        for line in ["0.0.0.0:1:2;3", "[::]:1:2;[::]:3", "10.0.0.1:1:2;127.0.0.1:3"] {
            assert_eq!(at(&format!("server.1={line}")), None, "{line}");
        }
    }

    #[test]
    fn refuses_what_zookeeper_refuses() {
        use ServerLineError as E;
        let error = |line: &str| Server::parse_line(line).unwrap_err();
        assert_eq!(error("server.1=zk1:2888"), E::Address("zk1:2888".into()));
        assert_eq!(error("server.x=zk1:1:2"), E::Id("x".into()));
        assert_eq!(error("server.1=zk1:1:2:learner"), E::Role("learner".into()));
        assert_eq!(error("server.1=zk1:1:70000"), E::Port("70000".into()));
        assert_eq!(error("server.1=zk1:1:2; 2181x"), E::Port("2181x".into()));
        assert_eq!(error("server.1=a:1:2:observer|b:1:2:participant"), E::RolesDisagree);
        assert_eq!(error("weight.1=2"), E::NotAServerLine);
    }
}

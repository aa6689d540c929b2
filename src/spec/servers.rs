//! The servers of a spec: each by itself here, all of them together in [`super::addresses`].

use std::collections::{BTreeMap, HashMap};

use super::WantedServer;
use super::claims::{Claim, Entry, Port};
use super::place::Place;
use super::read::{Fields, Reader};
use super::sections::{host_and_port, port};
use super::shown::quoted;
use super::tree::{Node, Value};
use crate::model::{
    ClientAddress, Host, PeerAddress, Role, Server, ServerId, ServerLineError, VoteWeight as Vote,
};

/// The keys of a server.
/// In the place of a plain client port, where a server has none.
pub(super) const NO_CLIENT_PORT: &str = "none";

/// What is said at a server line that names no port for clients.
pub const NO_CLIENT_PART: &str = "no client port";

const KEYS: [&str; 12] = [
    "id",
    "host",
    "quorumPort",
    "electionPort",
    "clientPort",
    "clientHost",
    "secureClientPort",
    "role",
    "group",
    "weight",
    "zone",
    "admin",
];

/// ZooKeeper's customary ports, which its own documents use throughout.
pub(super) const QUORUM_PORT: u16 = 2888;
pub(super) const ELECTION_PORT: u16 = 3888;
pub(super) const CLIENT_PORT: u16 = 2181;

/// A zone's name, as the schema says it; [`Reader::zone_name`] says the same.
pub(super) const ZONE_PATTERN: &str = "^[A-Za-z0-9._-]{1,63}$";

/// Addresses of one server. One for each network that it is in; a server has few of them.
const MAX_ADDRESSES: usize = 8;

/// Ids that a spec may list: those of servers that exist, too. New ones are narrower; see
/// [`ServerId::is_valid_in_spec`].
const IDS: std::ops::RangeInclusive<u32> = 0..=u32::MAX;

/// Numbers of groups and weights, as the schema says them.
pub(super) const PLACES: std::ops::RangeInclusive<u32> = 0..=u32::MAX;

const ROLES: [(&str, Role); 2] = [("participant", Role::Participant), ("observer", Role::Observer)];

impl Reader {
    /// Reads the list of servers and holds them against each other.
    pub(super) fn servers(&mut self, node: &Node) -> Vec<Entry> {
        let Some(items) = self.list(node, "`servers`", "a list of servers") else {
            return Vec::new();
        };
        if items.is_empty() {
            let remedy = "list every server of the ensemble";
            self.complain(node.place, "the spec has no server", "empty", remedy);
        }
        let entries: Vec<Entry> = items.iter().map(|item| self.server(item)).collect();
        self.ids_are_unique(&entries);
        self.addresses_are_unique(&entries);
        self.loopback_is_all_or_none(&entries);
        let observes = |entry: &Entry| entry.role == Some(Role::Observer);
        if !entries.is_empty() && entries.iter().all(observes) {
            let remedy = "make at least one server a participant";
            self.complain(node.place, "no server has a vote", "observers only", remedy);
        }
        entries
    }

    fn ids_are_unique(&mut self, entries: &[Entry]) {
        let mut seen: HashMap<ServerId, Place> = HashMap::new();
        for (id, place) in entries.iter().filter_map(|entry| entry.id) {
            match seen.get(&id) {
                Some(first) => self.twice(place, &format!("server id {id}"), *first),
                None => drop(seen.insert(id, place)),
            }
        }
    }

    fn server(&mut self, node: &Node) -> Entry {
        match &node.value {
            Value::Text(line) => self.server_line(line, node.place),
            Value::Map(_) => self
                .fields(node, "a server", &KEYS)
                .map(|map| self.server_map(&map))
                .unwrap_or_default(),
            _ => {
                self.wrong_type(
                    node,
                    "a server",
                    "a map, or a text like `server.1=host:2888:3888;2181`",
                );
                Entry::default()
            }
        }
    }

    fn server_map(&mut self, map: &Fields<'_>) -> Entry {
        let id_node = self.needed(map, "id", "a server", "give it an id from 1 to 254");
        let id = id_node.and_then(|node| {
            let number = self.whole(node, "`id`", IDS)?;
            Some((ServerId::new(number.into()), node.place))
        });
        let host_node = self.needed(
            map,
            "host",
            "a server",
            "give the host at which the other servers reach it",
        );
        let host = host_node.and_then(|node| self.quorum_host(node));
        let quorum = self.port_or(map, "quorumPort", Some(QUORUM_PORT));
        let election = self.port_or(map, "electionPort", Some(ELECTION_PORT));
        let secure = self.port_or(map, "secureClientPort", None);
        let client_host = match map.get("clientHost") {
            None => Some(Host::new("0.0.0.0")),
            Some(node) => self
                .text(node, "`clientHost`")
                .and_then(|text| self.host(node.place, "`clientHost`", text)),
        };
        let client = self.client_port(map, secure, client_host.is_some());
        let role = match map.get("role") {
            None => Some(Role::Participant),
            Some(node) => self.choice(node, "`role`", &ROLES),
        };
        let place = self.place_of(map, role);
        let zone = map.get("zone").map(|node| self.zone_name(node));
        let admin = map.get("admin").map(|node| self.admin_url(node));
        let mut entry = Entry { id, role, ..Entry::default() };
        if let Some(host) = &host {
            let reached = client_host.as_ref().filter(|bound| is_at(bound, [host])).unwrap_or(host);
            let claims: [(_, _, &[&str], _); 4] = [
                (host, quorum.flatten(), &["quorumPort"], Port::Quorum),
                (host, election.flatten(), &["electionPort"], Port::Election),
                (reached, client.flatten(), &["clientPort", "clientHost"], Port::Client),
                (host, secure.flatten(), &["secureClientPort"], Port::SecureClient),
            ];
            for (host, port, keys, kind) in claims {
                entry.claims.extend(port.map(|port| claim(map, keys, (host, port, kind))));
            }
        }
        if let Some(Some((admin_host, port, _))) = &admin {
            entry.claims.push(claim(map, &["admin"], (admin_host, *port, Port::Admin)));
        }
        entry.wanted = (|| {
            let peer =
                PeerAddress { host: host?, quorum_port: quorum??, election_port: election?? };
            Some(WantedServer {
                server: Server {
                    id: id?.0,
                    peers: vec![peer],
                    role: role?,
                    client: client?
                        .zip(client_host)
                        .map(|(port, host)| ClientAddress { host, port }),
                    secure_client: None,
                    place: place?,
                },
                secure_client_port: secure?,
                zone: transpose(zone)?,
                admin: transpose(admin)?.map(|(.., url)| url),
                line: map.place.line,
            })
        })();
        entry
    }

    /// Where its vote counts, where quorums are by groups; the outer `None` where it is wrong.
    #[expect(clippy::option_option, reason = "wrong, absent and given are three things")]
    fn place_of(&mut self, map: &Fields<'_>, role: Option<Role>) -> Option<Option<Vote>> {
        let (group, weight) = (map.get("group"), map.get("weight"));
        let number = |reader: &mut Self, node, what| {
            reader.whole(node, what, PLACES).map(|number| Some(i64::from(number)))
        };
        if let (Some(node), Some(Role::Observer)) = (group.or(weight), role) {
            let remedy = "remove group and weight; only voters have them";
            self.complain(node.place, "an observer has a group or a weight", "no vote", remedy);
            return None;
        }
        if let (None, Some(node)) = (group, weight) {
            let remedy = "give its group";
            self.complain(node.place, "a server has a weight and no group", "no group", remedy);
            return None;
        }
        let read_group = group.map_or(Some(None), |node| number(self, node, "`group`"));
        let read_weight = weight.map_or(Some(None), |node| number(self, node, "`weight`"));
        let (group, weight) = (read_group?, read_weight?);
        Some(group.map(|group| Vote { group, weight: weight.unwrap_or(1) }))
    }

    /// A port, or what it is by default; `None` where it is wrong.
    #[expect(clippy::option_option, reason = "wrong, absent and given are three things")]
    fn port_or(
        &mut self,
        map: &Fields<'_>,
        key: &str,
        default: Option<u16>,
    ) -> Option<Option<u16>> {
        match map.get(key) {
            None => Some(default),
            Some(node) => self.port(node, &format!("`{key}`")).map(Some),
        }
    }

    /// The plain client port; the inner `None` where only the secure one is there. Where its host is
    /// wrong, it is too.
    #[expect(clippy::option_option, reason = "wrong, absent and given are three things")]
    fn client_port(
        &mut self,
        map: &Fields<'_>,
        secure: Option<Option<u16>>,
        has_host: bool,
    ) -> Option<Option<u16>> {
        let none = map
            .get("clientPort")
            .filter(|node| matches!(&node.value, Value::Text(text) if text == NO_CLIENT_PORT));
        let Some(node) = none else {
            return self.port_or(map, "clientPort", Some(CLIENT_PORT)).filter(|_| has_host);
        };
        let complaint = match (secure, map.get("clientHost")) {
            (Some(None), _) => {
                ("there is no `secureClientPort`", "no client port", "give `secureClientPort`")
            }
            (_, Some(_)) => ("it has a `clientHost`", "its port is none", "remove one of them"),
            (None | Some(Some(_)), None) => return Some(None),
        };
        let (what, label, remedy) = complaint;
        self.complain(node.place, format!("`clientPort` is none, and {what}"), label, remedy);
        None
    }

    fn quorum_host(&mut self, node: &Node) -> Option<Host> {
        let text = self.text(node, "`host`")?;
        let host = self.host(node.place, "`host`", text)?;
        self.no_wildcard(&host, node.place).then_some(host)
    }

    fn no_wildcard(&mut self, host: &Host, place: Place) -> bool {
        let fine = !host.is_wildcard();
        if !fine {
            // Every other server would connect to itself (field guide, H9).
            let remedy = "give the host at which the other servers reach it; with \
                          `quorumListenOnAllIPs` a server listens on all addresses";
            self.complain(
                place,
                format!("the quorum host is the wildcard `{host}`"),
                "not a host",
                remedy,
            );
        }
        fine
    }

    /// Reads the name of a failure domain.
    pub(super) fn zone_name(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node, "a zone")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if text.len() <= 63 && text.bytes().all(plain) {
            return Some(text.to_owned());
        }
        let remedy = "a zone is 1 to 63 of the characters A-Z a-z 0-9 . _ -";
        self.complain(node.place, format!("zone `{}`", quoted(text)), "not a zone name", remedy);
        None
    }

    fn admin_url(&mut self, node: &Node) -> Option<(Host, u16, String)> {
        let text = self.text(node, "`admin`")?;
        let parts = text.strip_prefix("http://").and_then(host_and_port);
        if let Some((host, port)) = parts {
            let host = self.host(node.place, "the host of `admin`", host)?;
            return Some((host, port, text.to_owned()));
        }
        let remedy = "write http://host:port, with the port, without TLS and without a path";
        self.complain(
            node.place,
            format!("`admin` is `{}`", quoted(text)),
            "not http://host:port",
            remedy,
        );
        None
    }

    fn server_line(&mut self, line: &str, place: Place) -> Entry {
        const FORM: &str = "write server.N=host:quorumPort:electionPort[:role];clientPort";
        let mut entry = Entry { is_line: true, ..Entry::default() };
        let server = match Server::parse_line(line) {
            Ok(server) => server,
            Err(reason) => {
                let what = format!("server line `{}`", quoted(line));
                self.complain(place, what, reason_of(&reason), FORM);
                return entry;
            }
        };
        if server.peers.len() > MAX_ADDRESSES {
            let what = format!("server {} has {} addresses", server.id, server.peers.len());
            let remedy = "give one address for each network";
            self.complain(place, what, format!("more than {MAX_ADDRESSES}"), remedy);
            return entry;
        }
        entry.role = Some(server.role);
        let has_id = u32::try_from(server.id.get()).is_ok_and(|id| IDS.contains(&id));
        if has_id {
            entry.id = Some((server.id, place));
        } else {
            let what = format!("server id is {}", server.id);
            let label = format!("not from {} to {}", IDS.start(), IDS.end());
            self.complain(place, what, label, "give a new server an id from 1 to 254");
        }
        let mut fine = has_id & self.line_hosts(&server, place);
        entry.claims = line_claims(&server, place);
        let secure = server.secure_client.as_deref().map(secure_port);
        if secure == Some(None) {
            let what = "the secure client part is not a port or host:port";
            self.complain(place, what, "after the second `;`", FORM);
            fine = false;
        }
        match &server.client {
            // ZooKeeper 3.10's line of a server that has a secure client port alone.
            None if server.secure_client.is_some() => {}
            None => {
                let remedy = "give the client port: add `;2181` to the line, or `;;2281` if there \
                              is only a secure one";
                self.complain(place, "the server line has no client part", NO_CLIENT_PART, remedy);
                fine = false;
            }
            Some(client) => {
                fine &= self.host(place, "the client host", client.host.as_str()).is_some();
            }
        }
        entry.wanted = fine.then(|| WantedServer {
            secure_client_port: secure.flatten(),
            zone: None,
            admin: None,
            line: place.line,
            server,
        });
        entry
    }

    /// Checks the hosts of a server line.
    fn line_hosts(&mut self, server: &Server, place: Place) -> bool {
        let mut fine = true;
        for (at, peer) in server.peers.iter().enumerate() {
            fine &= self.host(place, "a quorum host", peer.host.as_str()).is_some()
                && self.no_wildcard(&peer.host, place);
            if server.peers[..at].iter().any(|other| other.host == peer.host) {
                // ZooKeeper prints ports and hosts sorted apart and can mix them up (field guide, 1.1).
                let what =
                    format!("the addresses of server {} share the host `{}`", server.id, peer.host);
                self.complain(place, what, "twice in one line", "give every address its own host");
                fine = false;
            }
        }
        fine
    }

    /// Reads the zones of servers that the spec no longer lists, and of server lines, which have
    /// no place for one.
    pub(super) fn leaving_zones(
        &mut self,
        node: &Node,
        entries: &mut [Entry],
    ) -> BTreeMap<ServerId, String> {
        let Value::Map(pairs) = &node.value else {
            self.wrong_type(node, "`zones`", "a map of server ids to zones");
            return BTreeMap::new();
        };
        let mut places: HashMap<ServerId, Place> = HashMap::new();
        let mut zones = BTreeMap::new();
        for (key, value) in pairs {
            let Some(id) = self.whole(key, "a server id", IDS) else { continue };
            let id = ServerId::new(id.into());
            if let Some(first) = places.insert(id, key.place) {
                self.twice(key.place, &format!("the zone of server {id}"), first);
                continue;
            }
            let Some(zone) = self.zone_name(value) else { continue };
            match entries.iter_mut().find(|entry| entry.id.is_some_and(|(known, _)| known == id)) {
                None => drop(zones.insert(id, zone)),
                Some(entry) => self.zone_of_listed(entry, id, zone, value.place),
            }
        }
        zones
    }

    fn zone_of_listed(&mut self, entry: &mut Entry, id: ServerId, zone: String, place: Place) {
        let Some(wanted) = &mut entry.wanted else { return };
        if entry.is_line {
            wanted.zone = Some(zone);
        } else if wanted.zone.as_ref() != Some(&zone) {
            let label = wanted
                .zone
                .as_ref()
                .map_or_else(|| "it has no zone there".to_owned(), |own| format!("`{own}` there"));
            let what = format!("server {id} is listed under `servers` with another zone");
            self.complain(
                place,
                what,
                label,
                "`zones` is only for servers that are not under `servers`",
            );
        }
    }
}

/// Why a server line cannot be read, short enough for a label.
fn reason_of(error: &ServerLineError) -> String {
    match error {
        ServerLineError::NotAServerLine => "not a server line".to_owned(),
        ServerLineError::Id(_) => "the id is not a number".to_owned(),
        ServerLineError::Address(_) => "not host:quorumPort:electionPort[:role]".to_owned(),
        ServerLineError::Port(port) => format!("`{}` is not a port", quoted(port)),
        ServerLineError::Role(role) => {
            format!("`{}` is not participant or observer", quoted(role))
        }
        ServerLineError::RolesDisagree => "two roles in one line".to_owned(),
    }
}

/// The third part of a server line of ZooKeeper 3.10: a port, or a host and a port.
fn secure_port(text: &str) -> Option<u16> {
    if !text.contains(':') {
        return port(text);
    }
    host_and_port(text).filter(|(host, _)| Host::new(host).is_plain()).map(|(_, port)| port)
}

/// Whether a client host is an address of its own: a wildcard stands for the quorum host, and so does
/// the loopback of a server that the others reach elsewhere. Each machine has one.
fn is_at<'a>(client: &Host, hosts: impl IntoIterator<Item = &'a Host>) -> bool {
    let is_shut = client.is_loopback() && !hosts.into_iter().any(Host::is_loopback);
    !client.is_wildcard() && !is_shut
}

/// An address that one of these keys says, or that stands by default: that is complained about where
/// the host stands.
fn claim(map: &Fields<'_>, keys: &[&str], (host, port, kind): (&Host, u16, Port)) -> Claim {
    let given = keys.iter().chain(&["host"]).find_map(|key| map.get(key));
    let place = given.map_or(map.place, |node| node.place);
    let is_default = keys.first().is_some_and(|key| map.get(key).is_none());
    Claim::new(host, port, kind, place).by_default(is_default)
}

fn line_claims(server: &Server, place: Place) -> Vec<Claim> {
    let mut claims = Vec::new();
    let client = server.client.as_ref();
    let hosts = || server.peers.iter().map(|peer| &peer.host);
    let bound = client.filter(|client| is_at(&client.host, hosts())).map(|client| &client.host);
    for peer in &server.peers {
        claims.push(Claim::new(&peer.host, peer.quorum_port, Port::Quorum, place));
        claims.push(Claim::new(&peer.host, peer.election_port, Port::Election, place));
        if let (Some(client), None) = (client, bound) {
            claims.push(Claim::new(&peer.host, client.port, Port::Client, place));
        }
        if let Some(port) = server.secure_client.as_deref().and_then(secure_port) {
            claims.push(Claim::new(&peer.host, port, Port::SecureClient, place));
        }
    }
    if let (Some(client), Some(host)) = (client, bound) {
        claims.push(Claim::new(host, client.port, Port::Client, place));
    }
    claims
}

/// Given and right, or not given: `Some`; given and wrong: `None`.
#[expect(clippy::option_option, reason = "wrong, absent and given are three things")]
fn transpose<T>(given: Option<Option<T>>) -> Option<Option<T>> {
    given.map_or(Some(None), |right| right.map(Some))
}

//! Server lines as ZooKeeper 3.8.0 reads them (`QuorumServer.initializeWithAddressString`), down to
//! the blanks: what it refuses there keeps a server from starting.

use super::refusal::ImportRefusal;
use crate::model::{ClientAddress, Host, PeerAddress, Role, Server, ServerId};

/// A line that ZooKeeper takes.
#[derive(Debug)]
pub(super) struct Line {
    /// The server.
    pub(super) server: Server,
    /// Whether it has several addresses, for which servers need a flag.
    pub(super) needs_flag: bool,
    /// Whether it has a secure client part, which ZooKeeper 3.10 was first to take.
    pub(super) needs_3_10: bool,
}

/// Why a line is of no use.
#[derive(Debug)]
pub(super) enum Fault {
    /// ZooKeeper refuses it.
    Refused(ImportRefusal),
    /// ZooKeeper takes it, and it names no place.
    NoPlace(&'static str),
}

impl From<ImportRefusal> for Fault {
    fn from(refusal: ImportRefusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Reads the value of `server.N`, with every blank that stands in it.
pub(super) fn read(id: ServerId, value: &str) -> Result<Line, Fault> {
    let form = || ImportRefusal::Form(value.to_owned());
    let parts = java_split(value, ';');
    let (addresses, client, secure) = match parts.as_slice() {
        [addresses] => (*addresses, None, None),
        [addresses, client] => (*addresses, Some(*client), None),
        [addresses, client, secure] => (*addresses, Some(*client), Some(*secure)),
        _ => return Err(form().into()),
    };
    // Only where a secure part follows may the plain one be empty.
    let client = client.filter(|text| secure.is_none() || !text.is_empty());
    let client = client.map(|text| client_address(value, text)).transpose()?;
    let secure_part = secure.map(|text| client_address(value, text)).transpose()?;
    let mut role = None;
    let mut peers = Vec::new();
    let addresses = java_split(addresses, '|');
    for address in &addresses {
        let (peer, given) = peer(id, value, address)?;
        if let (Some(before), Some(now)) = (role, given)
            && before != now
        {
            let (before, now): (Role, Role) = (before, now);
            return Err(ImportRefusal::RolesDisagree(shouted(before), shouted(now)).into());
        }
        role = role.or(given);
        peers.push(peer);
    }
    if peers.is_empty() {
        return Err(Fault::NoPlace("has no address in its line"));
    }
    Ok(Line {
        needs_flag: peers.len() > 1,
        needs_3_10: secure.is_some(),
        server: Server {
            id,
            peers,
            role: role.unwrap_or(Role::Participant),
            client,
            secure_client: secure_part.map(|at| at.to_string()),
            place: None,
        },
    })
}

/// A role as Java's enum prints it.
const fn shouted(role: Role) -> &'static str {
    match role {
        Role::Participant => "PARTICIPANT",
        Role::Observer => "OBSERVER",
    }
}

fn peer(id: ServerId, value: &str, text: &str) -> Result<(PeerAddress, Option<Role>), Fault> {
    let parts = host_and_ports(text)?;
    let (host, quorum, election, role) = match parts.as_slice() {
        [host, quorum, election] => (*host, *quorum, *election, None),
        [host, quorum, election, role] => (*host, *quorum, *election, Some(*role)),
        _ => return Err(ImportRefusal::Form(value.to_owned()).into()),
    };
    let (quorum, election) = (port(host, quorum)?, port(host, election)?);
    if quorum == election {
        return Err(ImportRefusal::SamePort(id).into());
    }
    let role = role.map(self::role).transpose()?;
    let peer = PeerAddress {
        host: place(host)?,
        quorum_port: there(quorum)?,
        election_port: there(election)?,
    };
    Ok((peer, role))
}

/// A client part: a port, or a host and a port.
fn client_address(value: &str, text: &str) -> Result<ClientAddress, Fault> {
    let parts = host_and_ports(text)?;
    match parts.as_slice() {
        // The host of the server is not known yet where ZooKeeper says this.
        [number] => Ok(ClientAddress::on_all_addresses(there(port("null", number)?)?)),
        [host, number] => {
            let number = port("null", number)?;
            Ok(ClientAddress { host: place(host)?, port: there(number)? })
        }
        _ => Err(ImportRefusal::Form(value.to_owned()).into()),
    }
}

fn role(text: &str) -> Result<Role, ImportRefusal> {
    match text.trim().to_lowercase().as_str() {
        "observer" => Ok(Role::Observer),
        "participant" => Ok(Role::Participant),
        _ => Err(ImportRefusal::PeerType(text.to_owned())),
    }
}

fn port(host: &str, text: &str) -> Result<u16, ImportRefusal> {
    let number: i32 = text
        .parse()
        .map_err(|_| ImportRefusal::Unresolved { host: host.to_owned(), port: text.to_owned() })?;
    u16::try_from(number).map_err(|_| ImportRefusal::PortRange(number))
}

const fn there(port: u16) -> Result<u16, Fault> {
    if port == 0 { Err(Fault::NoPlace("has port 0, which cannot be reached")) } else { Ok(port) }
}

fn place(host: &str) -> Result<Host, Fault> {
    // An empty one is the loopback address to Java, for each server its own.
    let no_host = Fault::NoPlace("has no host in its line");
    if host.is_empty() { Err(no_host) } else { Ok(Host::new(host)) }
}

/// `ConfigUtils.getHostAndPort`: a host, which may be an IPv6 address in brackets, and what follows
/// it between colons.
fn host_and_ports(text: &str) -> Result<Vec<&str>, ImportRefusal> {
    let Some(inside) = text.strip_prefix('[') else { return Ok(java_split(text, ':')) };
    let Some((host, rest)) = inside.split_once(']') else {
        return Err(ImportRefusal::Bracket(text.to_owned()));
    };
    let mut behind = rest.chars();
    match (behind.next(), behind.as_str()) {
        (None, _) => Ok(vec![host]),
        (Some(_), "") => Err(ImportRefusal::NoPort(text.to_owned())),
        (Some(_), ports) => Ok([vec![host], java_split(ports, ':')].concat()),
    }
}

/// `String.split`: empty parts at the end are none, but a text in which nothing is split is whole.
fn java_split(text: &str, by: char) -> Vec<&str> {
    let mut parts: Vec<&str> = text.split(by).collect();
    while text.contains(by) && parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(value: &str) -> String {
        match read(ServerId::new(1), value) {
            Ok(line) => line.server.value(),
            Err(Fault::Refused(refusal)) => refusal.to_string(),
            Err(Fault::NoPlace(what)) => what.to_owned(),
        }
    }

    #[test]
    fn lines_are_taken_and_refused_as_zookeeper_does() {
        for (value, what) in [
            ("a:1:2", "a:1:2:participant"),
            ("a:1:2:", "a:1:2:participant"),
            ("a:1:2;", "a:1:2:participant"),
            ("a:1:2: Observer ;3", "a:1:2:observer;0.0.0.0:3"),
            ("[::1]:1:2;[::1]:3", "[::1]:1:2:participant;[::1]:3"),
            ("a:1:2;;3", "a:1:2:participant;;0.0.0.0:3"),
            ("a:1:2 ", "Address unresolved: a:2 "),
            ("a:1:2; 3", "Address unresolved: null: 3"),
            ("a:1:2 ;3", "Address unresolved: a:2 "),
            (
                "a:1:1",
                "Client and election port must be different! Please update the configuration file on server.1",
            ),
            ("a:1:70000", "port out of range:70000"),
            ("a:1:2:learner", "Unrecognised peertype: learner"),
            (
                "a:1:2:observer|b:1:2:participant",
                "Multiple addresses should have similar roles: OBSERVER vs PARTICIPANT",
            ),
            ("[::1:1:2", "[::1:1:2 starts with '[' but has no matching ']':"),
            ("a:0:2", "has port 0, which cannot be reached"),
            (":1:2", "has no host in its line"),
        ] {
            assert_eq!(said(value), what, "{value}");
        }
        for value in ["a:1", "", ";", "::1:1:2:3", "a:1:2;b:c:3", "a:1:2;3;4;5"] {
            assert!(said(value).contains("does not have the form"), "{value}: {}", said(value));
        }
    }
}

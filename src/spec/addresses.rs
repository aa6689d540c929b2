//! Who claims which address. ZooKeeper checks this in incremental reconfigs only, and there passes
//! over loopback, over names that do not resolve and over the ports of one server (field guide, 1.4).

use std::collections::HashMap;

use super::read::Reader;
use super::servers::Entry;
use super::tree::Place;
use crate::model::Host;

/// What a port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Port {
    Quorum,
    Election,
    Client,
    SecureClient,
    Admin,
}

impl Port {
    const fn word(self) -> &'static str {
        match self {
            Self::Quorum => "quorum port",
            Self::Election => "election port",
            Self::Client => "client port",
            Self::SecureClient => "secure client port",
            Self::Admin => "AdminServer",
        }
    }
}

/// An address that a server claims for itself.
#[derive(Debug)]
pub(super) struct Claim {
    host: Host,
    port: u16,
    kind: Port,
    place: Place,
    /// Whether the file says nothing of it.
    is_default: bool,
}

impl Claim {
    /// A claim that stands at that place. The host is the one where the address is reached.
    pub(super) fn new(host: &Host, port: u16, kind: Port, place: Place) -> Self {
        Self { host: host.clone(), port, kind, place, is_default: false }
    }

    /// Whether both are the one port on which a server serves clients with and without TLS
    /// (`client.portUnification`), as the file says.
    fn serves_with(&self, other: &Self) -> bool {
        let kinds = [self.kind, other.kind];
        if self.is_default || other.is_default {
            return false;
        }
        kinds == [Port::Client, Port::SecureClient] || kinds == [Port::SecureClient, Port::Client]
    }

    /// The same where the file says nothing of it.
    pub(super) const fn by_default(mut self, is_default: bool) -> Self {
        self.is_default = is_default;
        self
    }
}

impl Reader {
    /// Complains about every address that is claimed twice; once for two servers that share
    /// several.
    pub(super) fn addresses_are_unique(&mut self, entries: &[Entry]) {
        let mut taken: HashMap<(String, u16), (&Entry, &Claim)> = HashMap::new();
        for entry in entries {
            let mut shared: Vec<(&Claim, &Entry, &Claim)> = Vec::new();
            for claim in &entry.claims {
                let key = (claim.host.canonical(), claim.port);
                match taken.get(&key) {
                    Some((other, first))
                        if std::ptr::eq(*other, entry) && first.serves_with(claim) => {}
                    Some((other, first)) => shared.push((claim, other, first)),
                    None => drop(taken.insert(key, (entry, claim))),
                }
            }
            while let Some((claim, other, first)) = shared.first().copied() {
                let alike = |(next, with, _): &(&Claim, &Entry, &Claim)| {
                    next.place == claim.place && std::ptr::eq(*with, other)
                };
                let ports: Vec<String> = shared
                    .iter()
                    .filter(|one| alike(one))
                    .map(|(one, ..)| one.port.to_string())
                    .collect();
                shared.retain(|one| !alike(one));
                if ports.len() == 1 {
                    self.shared_address(entry, claim, other, first);
                } else {
                    let ports = ports.join(", ");
                    let what = format!("ports {ports} of `{}` are used twice", claim.host);
                    let line = first.place.line;
                    let remedy = format!(
                        "{} on line {line} has the same ports; perhaps the line was copied",
                        named(other)
                    );
                    let label = named(entry);
                    self.complain(claim.place, what, label, remedy);
                }
            }
        }
    }

    fn shared_address(&mut self, entry: &Entry, claim: &Claim, other: &Entry, first: &Claim) {
        let what = format!("address `{}:{}` is used twice", claim.host, claim.port);
        let label = format!("{}{}", claim.kind.word(), of(entry));
        let remedy = format!(
            "it is also the {}{} on line {}; give one of them another port",
            first.kind.word(),
            of(other),
            first.place.line
        );
        self.complain(claim.place, what, label, remedy);
    }

    /// Complains about loopback quorum hosts beside others: only a server on the same machine
    /// would reach them.
    pub(super) fn loopback_is_all_or_none(&mut self, entries: &[Entry]) {
        let hosts = || {
            let claims = entries.iter().flat_map(|entry| &entry.claims);
            claims.filter(|claim| claim.kind == Port::Quorum)
        };
        if hosts().all(|claim| claim.host.is_loopback()) {
            return;
        }
        for claim in hosts().filter(|claim| claim.host.is_loopback()) {
            let what = format!("quorum host `{}` is the machine itself", claim.host);
            let remedy = "give the host at which the other servers reach it";
            self.complain(claim.place, what, "the other servers cannot reach this", remedy);
        }
    }
}

/// Whose an address is, as far as the id can be read.
fn of(entry: &Entry) -> String {
    entry.id.map_or_else(String::new, |(id, _)| format!(" of server {id}"))
}

/// A server as a message names it.
fn named(entry: &Entry) -> String {
    entry.id.map_or_else(|| "a server".to_owned(), |(id, _)| format!("server {id}"))
}

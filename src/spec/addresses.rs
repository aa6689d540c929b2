//! Who claims which address. ZooKeeper checks this in incremental reconfigs only, and there passes
//! over loopback, over names that do not resolve and over the ports of one server (field guide, 1.4).

use std::collections::HashMap;

use super::claims::{Claim, Entry, Port};
use super::read::Reader;

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

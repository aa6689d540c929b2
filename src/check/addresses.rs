//! ZKQ10: the addresses of a server that comes or moves, against everybody that may still listen.

use std::collections::HashMap;
use std::net::IpAddr;

use super::breach::Detail;
use super::state::{Mark, State};
use super::table::{Change, Table};
use crate::model::{Host, Server};
use crate::observe::Facts;
use crate::plan::Rule;

/// Who else may listen where a step gives a place to somebody, over the whole plan.
pub(super) struct Addresses {
    /// By step and server; most have no rivals.
    rivals: HashMap<(usize, usize), Vec<Rival>>,
}

/// A line of another server that has a place which a step gives away.
struct Rival {
    server: usize,
    /// The step that gives it that line; `None` for the base.
    given: Option<usize>,
    port: u16,
}

/// A host and a port at which a server listens.
type Place<'a> = (&'a Host, u16);

impl Addresses {
    pub(super) fn of(table: &Table<'_>) -> Self {
        let mut lines: Vec<(usize, Option<usize>, &Server)> = Vec::new();
        for (server, line) in table.base.iter().enumerate() {
            lines.extend(line.map(|line| (server, None, line)));
        }
        for (at, entry) in table.steps.iter().enumerate() {
            let given = entry.changes.iter().filter(|change| change.before != change.after);
            lines.extend(given.filter_map(|c| Some((c.server, Some(at), c.after?))));
        }
        let mut hosts = Hosts { facts: table.facts, known: HashMap::new() };
        let mut at: HashMap<(String, u16), Vec<usize>> = HashMap::new();
        for (number, (_, _, line)) in lines.iter().enumerate() {
            for (host, port) in listens(line) {
                for name in hosts.names(host) {
                    at.entry((name.clone(), port)).or_default().push(number);
                }
            }
        }
        let mut rivals: HashMap<(usize, usize), Vec<Rival>> = HashMap::new();
        for (position, entry) in table.steps.iter().enumerate() {
            for change in &entry.changes {
                for (host, port) in new_places(change) {
                    let there =
                        hosts.names(host).iter().filter_map(|name| at.get(&(name.clone(), port)));
                    for number in there.flatten() {
                        let (server, given, _) = lines[*number];
                        if server != change.server {
                            let of = rivals.entry((position, change.server)).or_default();
                            of.push(Rival { server, given, port });
                        }
                    }
                }
            }
        }
        Self { rivals }
    }

    /// What is wrong with the new line of a server; what was wrong with its old one already is not
    /// the step's. `is_done` tells which steps are done before it.
    pub(super) fn broken(
        &self,
        table: &Table<'_>,
        (position, change): (usize, &Change<'_>),
        after: &State,
        is_done: &dyn Fn(usize) -> bool,
    ) -> Vec<Detail> {
        let entry = &table.steps[position];
        let Some(server) = change.after else { return Vec::new() };
        if change.before == Some(server) {
            return Vec::new();
        }
        let id = server.id;
        let mut found = Vec::new();
        if !new_places(change).is_empty() {
            found.extend(taken_within(table.facts, server));
        }
        let listens_now = |rival: &Rival| {
            // One that the same request changes has both its lines while that is under way.
            let last = table.reconfigs[rival.server].iter().rev().find(|at| is_done(**at)).copied();
            let is_given = entry.servers.contains(&rival.server) && rival.given == Some(position);
            let is_member = after.has(rival.server, Mark::MEMBER);
            let keeps_ports = rival.given.is_none()
                && !is_member
                && table.facts.live.contains(&table.ids[rival.server]);
            // Any of an unordered phase may come first or later: each may have any of its lines.
            let any_time = entry.rule != Rule::InOrder
                && table.steps.iter().any(|other| {
                    other.phase == entry.phase && other.servers.contains(&rival.server)
                });
            is_member && last == rival.given || is_given || keeps_ports || any_time
        };
        let rivals = self.rivals.get(&(position, change.server)).into_iter().flatten();
        found.extend(rivals.filter(|rival| listens_now(rival)).map(|rival| Detail::AddressTaken {
            server: id,
            other: table.ids[rival.server],
            port: rival.port,
        }));
        if change.before.is_none_or(|before| before.peers != server.peers) {
            found.extend(host_broken(table, (position, change), server, after, is_done));
        }
        match change.before.map(|before| (&before.client, &server.client)) {
            Some((Some(_), None)) => found.push(Detail::ClientLost(id)),
            Some((None, Some(_))) if !table.facts.client_confirmed.contains(&id) => {
                found.push(Detail::ClientUnproven(id));
            }
            _ => {}
        }
        found
    }
}

/// The places that a change gives to its server and that it did not have.
fn new_places<'a>(change: &Change<'a>) -> Vec<Place<'a>> {
    let old = change.before.map(listens).unwrap_or_default();
    let new = change.after.filter(|_| change.before != change.after).map(listens);
    new.unwrap_or_default().into_iter().filter(|place| !old.contains(place)).collect()
}

fn host_broken(
    table: &Table<'_>,
    (position, change): (usize, &Change<'_>),
    server: &Server,
    after: &State,
    is_done: &dyn Fn(usize) -> bool,
) -> Option<Detail> {
    let is_loopback = |server: &Server| {
        server.peers.iter().any(|peer| {
            let addresses = table.facts.resolved.get(&peer.host.canonical());
            let literal = |text: &String| text.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
            peer.host.is_loopback() || addresses.is_some_and(|all| all.iter().any(literal))
        })
    };
    if server.peers.iter().any(|peer| peer.host.is_wildcard()) {
        return Some(Detail::WildcardHost(server.id));
    }
    if !is_loopback(server) {
        return None;
    }
    let line = |other: usize| {
        let changed = |at: &&usize| is_done(**at) || **at == position;
        match table.reconfigs[other].iter().rev().find(changed) {
            None => table.base[other],
            Some(at) => table.steps[*at].changes.iter().find(|c| c.server == other)?.after,
        }
    };
    let others_are_not = after
        .all(Mark::MEMBER)
        .into_iter()
        .any(|other| other != change.server && line(other).is_some_and(|line| !is_loopback(line)));
    others_are_not.then_some(Detail::LoopbackHost(server.id))
}

/// Every place where a server listens.
fn listens(server: &Server) -> Vec<Place<'_>> {
    let peers = server.peers.iter();
    let mut places: Vec<(&Host, u16)> =
        peers.flat_map(|p| [(&p.host, p.quorum_port), (&p.host, p.election_port)]).collect();
    if let Some(client) = &server.client {
        let host = if client.host.is_wildcard() { &server.peer().host } else { &client.host };
        places.push((host, client.port));
    }
    places
}

fn taken_within(facts: &Facts, server: &Server) -> Option<Detail> {
    let places = listens(server);
    let mut hosts = Hosts { facts, known: HashMap::new() };
    for (at, (host, port)) in places.iter().enumerate() {
        for (other, _) in places[at + 1..].iter().filter(|(_, other)| other == port) {
            let names = hosts.names(host).to_vec();
            if hosts.names(other).iter().any(|name| names.contains(name)) {
                return Some(Detail::AddressTaken {
                    server: server.id,
                    other: server.id,
                    port: *port,
                });
            }
        }
    }
    None
}

/// What hosts are known by: two that share a name are one.
struct Hosts<'a> {
    facts: &'a Facts,
    known: HashMap<&'a str, Vec<String>>,
}

impl<'a> Hosts<'a> {
    /// The spelling that equal hosts share, and every address that it resolves to.
    fn names(&mut self, host: &'a Host) -> &[String] {
        self.known.entry(host.as_str()).or_insert_with(|| {
            let canonical = host.canonical();
            let addresses = self.facts.resolved.get(&canonical).into_iter().flatten();
            let mut names: Vec<String> = addresses.map(|address| format!("@{address}")).collect();
            names.push(canonical);
            names
        })
    }
}

//! ZKQ10: the new address of a server is free, and others can reach it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::check::breach::BreachKind;
use crate::check::engine::state::{Mark, State};
use crate::check::engine::step_table::{Change, StepTable};
use crate::check::engine::transition::Transition;
use crate::model::{Host, Server};
use crate::observe::Facts;
use crate::plan::StepOrder;

/// What the rule asks for.
pub(super) const ASKS: &str = "every address must be usable and belong to one server";

/// What helps where an address is taken.
pub(super) const FREE_PORT: &str = "give the server a free port or another host";

/// What helps where other servers cannot use the quorum host.
pub(super) const REACHABLE_HOST: &str =
    "give a host name or address at which the other servers reach it";

/// What helps where clients cannot use the client host.
pub(super) const REACHABLE_CLIENT: &str = "set its clientHost to the host at which clients reach it; without clientHost the server listens on \
     all addresses";

/// What helps where a server would lose its client address.
pub(super) const CLIENT_PORT: &str = "give the server its client port in the spec";

/// What helps where no server answered at the new client address.
pub(super) const PROVE_CLIENT: &str =
    "make sure that the server answers at its clientPort of the spec, or accept the risk";

/// The new address of each server at each step. It does not depend on the order of steps.
pub(in crate::check) struct Addresses {
    /// By step and server.
    given: BTreeMap<(usize, usize), NewAddress>,
    /// Whether the base line of a server names the loopback, or a wildcard.
    base_is_loopback: Vec<bool>,
}

/// The new line of one server.
struct NewAddress {
    /// Whether it moves, or comes.
    moves: bool,
    is_wildcard: bool,
    is_loopback: bool,
    /// A port that two of its own places share, where it gets new ones.
    shared: Option<u16>,
    /// Most have none.
    conflicts: Vec<Conflict>,
}

/// A line of another server that has a place which a step gives away.
struct Conflict {
    server: usize,
    /// The step that gives it that line; `None` for the base.
    given: Option<usize>,
    port: u16,
}

/// A host and a port at which a server listens.
type ListenAddress<'a> = (&'a Host, u16);

impl Addresses {
    pub(in crate::check) fn of(table: &StepTable<'_>) -> Self {
        let mut lines = Lines::of(table);
        let mut given = BTreeMap::new();
        for (position, entry) in table.steps.iter().enumerate() {
            for change in &entry.changes {
                let Some(line) = change.after.filter(|_| change.before != change.after) else {
                    continue;
                };
                let new_places = new_places(change);
                let own = NewAddress {
                    moves: change.before.is_none_or(|before| before.peers != line.peers),
                    is_wildcard: line.peers.iter().any(|peer| peer.host.is_wildcard()),
                    is_loopback: is_loopback(table.facts, line),
                    shared: if new_places.is_empty() { None } else { lines.hosts.shared(line) },
                    conflicts: lines.conflicts(change.server, &new_places),
                };
                given.insert((position, change.server), own);
            }
        }
        // A wildcard says nothing of where the others are.
        let is_wildcard = |line: &Server| line.peers.iter().any(|peer| peer.host.is_wildcard());
        let is_local = |line: &Server| is_wildcard(line) || is_loopback(table.facts, line);
        let base_is_loopback = table.base.iter().map(|line| line.is_some_and(is_local)).collect();
        Self { given, base_is_loopback }
    }

    /// The rule for a request. `is_done` says which steps are done before it.
    pub(super) fn broken(
        &self,
        step: &Transition<'_>,
        is_done: &dyn Fn(usize) -> bool,
    ) -> Vec<BreachKind> {
        let of_change = |change: &Change<'_>| {
            self.broken_by_change(step.table, (step.position, change), step.after, is_done)
        };
        step.entry.changes.iter().flat_map(of_change).collect()
    }

    /// What is wrong with the new line of a server. What was wrong with its old line already does not
    /// count.
    fn broken_by_change(
        &self,
        table: &StepTable<'_>,
        (position, change): (usize, &Change<'_>),
        after: &State,
        is_done: &dyn Fn(usize) -> bool,
    ) -> Vec<BreachKind> {
        let entry = &table.steps[position];
        let step = (position, change.server);
        let (Some(server), Some(own)) = (change.after, self.given.get(&step)) else {
            return Vec::new();
        };
        let id = server.id;
        let mut found = Vec::new();
        let taken = |other, port| BreachKind::AddressTaken { server: id, other, port };
        found.extend(own.shared.map(|port| taken(id, port)));
        let listens_now = |conflict: &&Conflict| {
            // One that the same request changes has both its lines while that is under way.
            let last =
                table.reconfigs[conflict.server].iter().rev().find(|at| is_done(**at)).copied();
            let is_given =
                entry.servers.contains(&conflict.server) && conflict.given == Some(position);
            let is_member = after.has(conflict.server, Mark::MEMBER);
            let keeps_ports = conflict.given.is_none()
                && !is_member
                && table.facts.synced.contains(&table.ids[conflict.server]);
            // Any of an unordered phase may come first or later: each may have any of its lines.
            let any_time = entry.rule != StepOrder::InOrder
                && table.steps.iter().any(|other| {
                    other.phase == entry.phase && other.servers.contains(&conflict.server)
                });
            is_member && last == conflict.given || is_given || keeps_ports || any_time
        };
        let conflicts = own.conflicts.iter().filter(listens_now);
        found.extend(conflicts.map(|conflict| taken(table.ids[conflict.server], conflict.port)));
        if own.moves && own.is_wildcard {
            found.push(BreachKind::WildcardHost(id));
        } else if own.moves && own.is_loopback && !self.all_loopback(table, step, after, is_done) {
            found.push(BreachKind::LoopbackHost(id));
        }
        let is_new = change.before.is_none_or(|before| before.client != server.client);
        if is_new && server.has_own_client_address() {
            found.push(BreachKind::LoopbackClient(id));
        }
        match change.before.map(|before| (&before.client, &server.client)) {
            Some((Some(_), None)) => found.push(BreachKind::ClientLost(id)),
            Some((None, Some(_))) if !table.facts.client_confirmed.contains(&id) => {
                found.push(BreachKind::ClientUnproven(id));
            }
            _ => {}
        }
        found
    }

    /// Whether every other member names the loopback once a step is done.
    fn all_loopback(
        &self,
        table: &StepTable<'_>,
        (position, server): (usize, usize),
        after: &State,
        is_done: &dyn Fn(usize) -> bool,
    ) -> bool {
        let is_loopback = |other: usize| {
            let changed = table.reconfigs[other].iter().rev();
            let mut given = changed.filter(|at| is_done(**at) || **at == position);
            let last = given.find_map(|at| self.given.get(&(*at, other)));
            last.map_or(self.base_is_loopback[other], |given| given.is_loopback)
        };
        after.all(Mark::MEMBER).into_iter().all(|other| other == server || is_loopback(other))
    }
}

/// Every line that a server has at some time, and where it listens by it.
struct Lines<'a> {
    hosts: Hosts<'a>,
    /// Whose each is, and which step gives it; `None` for the base.
    given: Vec<(usize, Option<usize>)>,
    /// A name of a host and a port, with each of the lines that listen there; ascending.
    places: Vec<((usize, u16), usize)>,
}

impl<'a> Lines<'a> {
    fn of(table: &StepTable<'a>) -> Self {
        let hosts = Hosts { facts: table.facts, numbers: BTreeMap::new(), known: BTreeMap::new() };
        let mut all = Self { hosts, given: Vec::new(), places: Vec::new() };
        for (server, line) in table.base.iter().enumerate() {
            if let Some(line) = line {
                all.add((server, None), line);
            }
        }
        for (at, entry) in table.steps.iter().enumerate() {
            for change in entry.changes.iter().filter(|change| change.before != change.after) {
                if let Some(line) = change.after {
                    all.add((change.server, Some(at)), line);
                }
            }
        }
        all.places.sort_unstable();
        all
    }

    fn add(&mut self, of: (usize, Option<usize>), line: &'a Server) {
        let number = self.given.len();
        self.given.push(of);
        for (host, port) in listens(line) {
            let names = self.hosts.names(host).iter();
            self.places.extend(names.map(|name| ((*name, port), number)));
        }
    }

    /// The lines of others that listen at places which a server gets.
    fn conflicts(&mut self, own: usize, new_places: &[ListenAddress<'a>]) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for (host, port) in new_places {
            for name in self.hosts.names(host) {
                let place = (*name, *port);
                let from = self.places.partition_point(|(other, _)| *other < place);
                let there = self.places[from..].iter().take_while(|(other, _)| *other == place);
                let lines = there.map(|(_, number)| self.given[*number]);
                let others = lines.filter(|(server, _)| *server != own);
                conflicts.extend(others.map(|(server, given)| Conflict {
                    server,
                    given,
                    port: *port,
                }));
            }
        }
        conflicts
    }
}

fn is_loopback(facts: &Facts, server: &Server) -> bool {
    server.peers.iter().any(|peer| {
        let addresses = facts.resolved.get(&peer.host.canonical());
        let literal = |text: &String| text.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        peer.host.is_loopback() || addresses.is_some_and(|all| all.iter().any(literal))
    })
}

/// The places that a change gives to its server and that it did not have.
fn new_places<'a>(change: &Change<'a>) -> Vec<ListenAddress<'a>> {
    let old = change.before.map(listens).unwrap_or_default();
    let new = change.after.filter(|_| change.before != change.after).map(listens);
    new.unwrap_or_default().into_iter().filter(|place| !old.contains(place)).collect()
}

/// Every place where a server listens.
fn listens(server: &Server) -> Vec<ListenAddress<'_>> {
    let peers = server.peers.iter();
    let mut places: Vec<(&Host, u16)> =
        peers.flat_map(|p| [(&p.host, p.quorum_port), (&p.host, p.election_port)]).collect();
    if let Some(client) = &server.client {
        // The loopback of each machine is another one.
        let is_own = client.host.is_wildcard() || server.has_own_client_address();
        let host = if is_own { &server.peer().host } else { &client.host };
        places.push((host, client.port));
    }
    // The third part of a line of ZooKeeper 3.10: a port, or a host and a port.
    let secure = server.secure_client.as_deref().and_then(|part| part.rsplit(':').next());
    let secure = secure.and_then(|port| port.parse().ok());
    places.extend(secure.map(|port| (&server.peer().host, port)));
    places
}

/// What hosts are known by, as numbers: two that share one are one.
struct Hosts<'a> {
    facts: &'a Facts,
    numbers: BTreeMap<String, usize>,
    known: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Hosts<'a> {
    /// The spelling that equal hosts share, and every address that it resolves to.
    fn names(&mut self, host: &'a Host) -> &[usize] {
        let Self { facts, numbers, known } = self;
        known.entry(host.as_str()).or_insert_with(|| {
            let canonical = host.canonical();
            let addresses = facts.resolved.get(&canonical).into_iter().flatten();
            let mut names: Vec<String> = addresses.map(|address| format!("@{address}")).collect();
            names.push(canonical);
            let mut number = |name| {
                let next = numbers.len();
                *numbers.entry(name).or_insert(next)
            };
            names.into_iter().map(&mut number).collect()
        })
    }

    /// The first port of a server that is that of two of its places on one host.
    fn shared(&mut self, server: &'a Server) -> Option<u16> {
        let places = listens(server);
        for (at, (host, port)) in places.iter().enumerate() {
            for (other, _) in places[at + 1..].iter().filter(|(_, other)| other == port) {
                let names = self.names(host).to_vec();
                if self.names(other).iter().any(|name| names.contains(name)) {
                    return Some(*port);
                }
            }
        }
        None
    }
}

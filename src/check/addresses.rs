//! ZKQ10: the addresses of a server that comes or moves, against everybody that may still listen.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::breach::Detail;
use super::laws::{Context, Transition};
use crate::model::{Host, Server, ServerId};
use crate::observe::Facts;
use crate::plan::{Rule, Step};

/// What is wrong with the new line of the step's server; what was wrong with its old one already is
/// not the step's.
pub(super) fn broken(context: &Context<'_>, step: &Transition<'_>) -> Vec<Detail> {
    let Some(server) = step.after.members.get(step.server) else { return Vec::new() };
    let before = step.before.members.get(step.server);
    if before == Some(server) {
        return Vec::new();
    }
    let facts = context.facts;
    let mut found = Vec::new();
    let old = before.map(listens).unwrap_or_default();
    let new: Vec<_> = listens(server).into_iter().filter(|place| !old.contains(place)).collect();
    if !new.is_empty() {
        found.extend(taken_within(facts, server));
        for other in may_listen(context, step) {
            found.extend(taken_by(facts, server.id, &new, other));
        }
    }
    if before.is_none_or(|before| before.peers != server.peers) {
        found.extend(host_broken(context, step, server));
    }
    match before.map(|before| (&before.client, &server.client)) {
        Some((Some(_), None)) => found.push(Detail::ClientLost(server.id)),
        Some((None, Some(_))) if !facts.client_confirmed.contains(&server.id) => {
            found.push(Detail::ClientUnproven(server.id));
        }
        _ => {}
    }
    found
}

/// The lines of all other servers that may listen while the step is taken.
fn may_listen<'a>(context: &'a Context<'_>, step: &'a Transition<'_>) -> Vec<&'a Server> {
    let base = &context.facts.base.membership;
    let mut lines: Vec<&Server> = step.after.members.servers().collect();
    // A live server that was taken out keeps its ports until it is stopped.
    lines.extend(base.servers().filter(|other| {
        context.facts.live.contains(&other.id) && !step.after.members.contains(other.id)
    }));
    if step.phase.rule != Rule::InOrder {
        // Any of the others may come first or later: each may have the line it has at any time.
        let others: BTreeSet<ServerId> = step.phase.steps.iter().filter_map(Step::server).collect();
        lines.extend(base.servers().filter(|line| others.contains(&line.id)));
        let requests = context.plan.steps().filter_map(|other| other.reconfig());
        let given = requests.flat_map(|request| &request.joining);
        lines.extend(given.filter(|line| others.contains(&line.id)));
    }
    lines.retain(|line| line.id != step.server);
    lines
}

fn host_broken(context: &Context<'_>, step: &Transition<'_>, server: &Server) -> Option<Detail> {
    let loopback = |server: &Server| {
        server.peers.iter().any(|peer| {
            peer.host.is_loopback()
                || addresses_of(context.facts, &peer.host).iter().any(|a| is_loopback(a))
        })
    };
    if server.peers.iter().any(|peer| peer.host.is_wildcard()) {
        return Some(Detail::WildcardHost(server.id));
    }
    let others_are_not = step.after.members.servers().any(|other| !loopback(other));
    (loopback(server) && others_are_not).then_some(Detail::LoopbackHost(server.id))
}

fn is_loopback(address: &str) -> bool {
    address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A host and a port at which a server listens.
type Place<'a> = (&'a Host, u16);

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
    for (at, (host, port)) in places.iter().enumerate() {
        let again = places[at + 1..].iter().any(|(h, p)| p == port && same_host(facts, host, h));
        if again {
            return Some(Detail::AddressTaken { server: server.id, other: server.id, port: *port });
        }
    }
    None
}

fn taken_by(facts: &Facts, id: ServerId, new: &[Place<'_>], other: &Server) -> Option<Detail> {
    for (host, port) in new {
        let mut theirs = listens(other).into_iter();
        if theirs.any(|(h, p)| p == *port && same_host(facts, host, h)) {
            return Some(Detail::AddressTaken { server: id, other: other.id, port: *port });
        }
    }
    None
}

fn addresses_of<'a>(facts: &'a Facts, host: &Host) -> &'a [String] {
    facts.resolved.get(&host.canonical()).map_or(&[], Vec::as_slice)
}

fn same_host(facts: &Facts, one: &Host, other: &Host) -> bool {
    one == other || {
        let theirs = addresses_of(facts, other);
        addresses_of(facts, one).iter().any(|address| theirs.contains(address))
    }
}

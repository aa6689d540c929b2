//! Membership against membership: what has to change, server by server, and why.
//!
//! In: the live membership, the wanted one, what was seen. Out: one [`Change`] for each server that
//! differs, and the membership to end at, in which every server that stays keeps its live line word
//! for word. No order, no opinion on safety.

use std::collections::BTreeSet;

use crate::model::{ClientPart, Membership, Role, Server, ServerId};

/// What happens to one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The server.
    pub id: ServerId,
    /// Its line now; `None` for a joiner.
    pub before: Option<Server>,
    /// Its line then; `None` for one that leaves.
    pub after: Option<Server>,
    /// What kind of change it is.
    pub kind: ChangeKind,
}

/// The kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// The spec lists it and the ensemble does not.
    Join,
    /// The ensemble lists it and the spec does not.
    Leave,
    /// An observer gets a vote.
    Promote,
    /// A voter loses its vote and observes.
    Demote,
    /// The same process gets other addresses.
    Readdress(Fields),
    /// Another machine takes over the id.
    Replace,
    /// Role and address change at once.
    RoleAndAddress,
    /// Its vote is to count in another group or with another weight.
    Regroup,
}

/// Which parts of an address differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fields {
    /// The host or the quorum port: a leader hands over when its own change
    /// (`Leader.getDesignatedLeader`).
    pub quorum: bool,
    /// The election port.
    pub election: bool,
    /// The client address.
    pub client: bool,
}

/// What [`diff`] finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// The membership to end at.
    pub target: Membership,
    /// The changes, by server id.
    pub changes: Vec<Change>,
}

/// Compares the live membership with the wanted one.
///
/// `other_machine` names members whose wanted address belongs to another process than the one that
/// holds the vote now.
pub fn diff(
    live: &Membership,
    wanted: &Membership,
    other_machine: &BTreeSet<ServerId>,
    client_part: ClientPart,
) -> Diff {
    let mut target = live.clone();
    let mut changes = Vec::new();
    for id in live.ids().union(&wanted.ids()).copied() {
        let before = live.get(id);
        let after = wanted.get(id).map(|after| placed(after, before));
        let Some(kind) = kind_of(before, after.as_ref(), other_machine.contains(&id), client_part)
        else {
            continue;
        };
        match &after {
            Some(server) => target.put(server.clone()),
            None => target.remove(id),
        }
        changes.push(Change { id, before: before.cloned(), after, kind });
    }
    Diff { target, changes }
}

/// A voter that stays keeps its place where none is asked for.
fn placed(wanted: &Server, before: Option<&Server>) -> Server {
    let kept = before.filter(|_| wanted.votes()).and_then(|before| before.place);
    Server { place: wanted.place.or(kept), ..wanted.clone() }
}

fn kind_of(
    before: Option<&Server>,
    after: Option<&Server>,
    other_machine: bool,
    client_part: ClientPart,
) -> Option<ChangeKind> {
    let (before, after) = match (before, after) {
        (None, None) => return None,
        (None, Some(_)) => return Some(ChangeKind::Join),
        (Some(_), None) => return Some(ChangeKind::Leave),
        (Some(before), Some(after)) => (before, after),
    };
    let fields = differing_fields(before, after, client_part);
    let moved = fields.quorum || fields.election || fields.client;
    match (before.role, after.role) {
        _ if other_machine => Some(ChangeKind::Replace),
        (Role::Observer, Role::Participant) if !moved => Some(ChangeKind::Promote),
        (Role::Participant, Role::Observer) if !moved => Some(ChangeKind::Demote),
        (was, is) if was != is => Some(ChangeKind::RoleAndAddress),
        _ if moved => Some(ChangeKind::Readdress(fields)),
        _ if before.place != after.place => Some(ChangeKind::Regroup),
        _ => None,
    }
}

/// A live line without a client part is of static origin: its client port stands in the server's
/// own `zoo.cfg`, so under `clientPart: keep` there is nothing to differ.
fn differing_fields(before: &Server, after: &Server, client_part: ClientPart) -> Fields {
    let ports = |server: &Server, pick: fn(&crate::model::PeerAddress) -> u16| -> Vec<_> {
        server.peers.iter().map(|peer| (peer.host.clone(), pick(peer))).collect()
    };
    let client_differs = match (&before.client, client_part) {
        (None, ClientPart::Keep) => false,
        _ => before.client != after.client,
    };
    Fields {
        quorum: ports(before, |p| p.quorum_port) != ports(after, |p| p.quorum_port),
        election: ports(before, |p| p.election_port) != ports(after, |p| p.election_port),
        client: client_differs,
    }
}

#[cfg(test)]
mod tests {
    use super::ChangeKind::{Demote, Join, Leave, Promote};
    use super::*;

    fn members(text: &str) -> Membership {
        Membership::parse(text).unwrap()
    }

    fn kinds(live: &str, wanted: &str) -> Vec<(i64, ChangeKind)> {
        let diff = diff(&members(live), &members(wanted), &BTreeSet::new(), ClientPart::Keep);
        diff.changes.iter().map(|change| (change.id.get(), change.kind)).collect()
    }

    #[test]
    fn spelling_is_no_change() {
        assert_eq!(
            kinds("server.1=ZK1:1:2:participant;0.0.0.0:3", "server.1=zk1:1:2;3"),
            Vec::new()
        );
    }

    #[test]
    fn a_line_of_static_origin_equals_any_client_part_unless_it_is_to_be_written() {
        let live = members("server.1=zk1:1:2:participant");
        let wanted = members("server.1=zk1:1:2;3");
        let keep = diff(&live, &wanted, &BTreeSet::new(), ClientPart::Keep);
        assert_eq!(keep.target, live);
        let write = diff(&live, &wanted, &BTreeSet::new(), ClientPart::Write);
        assert_eq!(write.target, wanted);
    }

    #[test]
    fn an_election_port_is_no_quorum_address() {
        let kinds = kinds("server.1=a:1:2;3", "server.1=a:1:9;3");
        let fields = Fields { quorum: false, election: true, client: false };
        assert_eq!(kinds, [(1, ChangeKind::Readdress(fields))]);
    }

    #[test]
    fn a_voter_keeps_its_place_unless_another_is_wanted() {
        let live = "server.1=a:1:2;3\nserver.2=b:1:2;3\ngroup.1=1:2\nweight.1=2";
        let wanted = "server.1=c:1:2;3\nserver.2=b:1:2;3";
        let moved = diff(&members(live), &members(wanted), &BTreeSet::new(), ClientPart::Keep);
        let text = "server.1=c:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:participant;0.0.0.0:3\n\
                    group.1=1:2\nweight.1=2\nweight.2=1\n";
        assert_eq!(moved.target.to_string(), text);
        let other = format!("{wanted}\ngroup.2=1:2").replace("=c", "=a");
        assert_eq!(kinds(live, &other), [(1, ChangeKind::Regroup), (2, ChangeKind::Regroup)]);
        let observed = "server.1=a:1:2:observer;3\nserver.2=b:1:2;3";
        let left = diff(&members(live), &members(observed), &BTreeSet::new(), ClientPart::Keep);
        assert_eq!(left.changes[0].kind, Demote);
        assert!(!left.target.has_odd_places());
    }

    #[test]
    fn every_kind_is_told_apart() {
        let live = "server.1=a:1:2;3\nserver.2=b:1:2:observer;3\nserver.3=c:1:2;3";
        let wanted = "server.1=a:1:2:observer;3\nserver.2=b:1:2;3\nserver.4=d:1:2;3";
        assert_eq!(kinds(live, wanted), [(1, Demote), (2, Promote), (3, Leave), (4, Join)]);
    }
}

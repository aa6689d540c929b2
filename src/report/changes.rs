//! What changes, server by server, with both addresses as data.

use schemars::JsonSchema;
use serde::Serialize;

use crate::diff::{Change, ChangeKind};
use crate::model::{PeerAddress, Role, Server, ServerId};
use crate::plan::Plan;
use crate::render::changes::sentence;

/// The change of one server between the base and the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeEntry {
    /// The server.
    pub id: ServerId,
    /// What happens to it.
    pub action: ChangeAction,
    /// The server in the present configuration; `null` for one that joins.
    pub before: Option<ServerEntry>,
    /// The server in the configuration at the end; `null` for one that leaves.
    pub after: Option<ServerEntry>,
    /// The failure domain that the spec gives it.
    pub zone: Option<String>,
    /// The same for people.
    pub text: String,
}

/// What happens to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ChangeAction {
    /// The spec lists it and the ensemble does not.
    Join,
    /// The ensemble lists it and the spec does not.
    Leave,
    /// An observer gets a vote.
    Promote,
    /// A voter loses its vote and observes.
    Demote,
    /// The same process gets other addresses.
    Readdress,
    /// Another machine takes over the id.
    Replace,
    /// Role and address change at once.
    Remake,
    /// Its vote is to count in another group or with another weight.
    Regroup,
}

/// A server of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerEntry {
    /// The host of its quorum address and its election address.
    host: String,
    /// Followers connect to it on the leader.
    quorum_port: u16,
    /// The port of leader election.
    election_port: u16,
    /// Addresses beyond the first (`zookeeper.multiAddress.enabled`).
    further_addresses: Vec<AddressEntry>,
    /// `participant` or `observer`.
    role: RoleWord,
    /// The address that it binds for clients; `null` where its line has no client part.
    client_host: Option<String>,
    /// The port for clients; `null` where its line has no client part.
    client_port: Option<u16>,
    /// The secure client address of its line (ZooKeeper 3.10), as text.
    secure_client: Option<String>,
    /// The group of its vote, where quorums are by groups and weights.
    group: Option<i64>,
    /// The weight of its vote, where quorums are by groups and weights.
    weight: Option<i64>,
}

/// The role of a server, in ZooKeeper's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Role")]
enum RoleWord {
    /// Votes in elections and acknowledges writes.
    Participant,
    /// Follows without a vote.
    Observer,
}

/// An address at which the other servers reach a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddressEntry {
    /// The host of both ports.
    host: String,
    /// Followers connect to it on the leader.
    quorum_port: u16,
    /// The port of leader election.
    election_port: u16,
}

/// The changes of a plan, by server id.
pub(super) fn changes(plan: &Plan) -> Vec<ChangeEntry> {
    plan.changes.iter().map(|change| ChangeEntry::of(change, plan)).collect()
}

impl ChangeEntry {
    fn of(change: &Change, plan: &Plan) -> Self {
        let Change { id, before, after, kind } = change;
        Self {
            id: *id,
            action: (*kind).into(),
            before: before.as_ref().map(Into::into),
            after: after.as_ref().map(Into::into),
            zone: plan.facts.zones.get(id).cloned(),
            text: sentence(change, plan),
        }
    }

    /// What happens to the server.
    pub(super) const fn action(&self) -> ChangeAction {
        self.action
    }
}

impl From<ChangeKind> for ChangeAction {
    fn from(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Join => Self::Join,
            ChangeKind::Leave => Self::Leave,
            ChangeKind::Promote => Self::Promote,
            ChangeKind::Demote => Self::Demote,
            ChangeKind::Readdress(_) => Self::Readdress,
            ChangeKind::Replace => Self::Replace,
            ChangeKind::RoleAndAddress => Self::Remake,
            ChangeKind::Regroup => Self::Regroup,
        }
    }
}

impl ServerEntry {
    /// Its role and its addresses, in a few words.
    pub fn in_short(&self) -> String {
        let role = match self.role {
            RoleWord::Participant => Role::Participant,
            RoleWord::Observer => Role::Observer,
        };
        let Self { host, quorum_port, election_port, .. } = self;
        let clients = self.client_port.map(|port| format!(", clients at {port}"));
        format!("{role} {host}:{quorum_port}:{election_port}{}", clients.unwrap_or_default())
    }
}

impl From<&Server> for ServerEntry {
    fn from(server: &Server) -> Self {
        let Server { id: _, peers, role, client, secure_client, place } = server;
        let AddressEntry { host, quorum_port, election_port } = server.peer().into();
        Self {
            host,
            quorum_port,
            election_port,
            further_addresses: peers.iter().skip(1).map(Into::into).collect(),
            role: match role {
                Role::Participant => RoleWord::Participant,
                Role::Observer => RoleWord::Observer,
            },
            client_host: client.as_ref().map(|client| client.host.to_string()),
            client_port: client.as_ref().map(|client| client.port),
            secure_client: secure_client.clone(),
            group: place.map(|place| place.group),
            weight: place.map(|place| place.weight),
        }
    }
}

impl From<&PeerAddress> for AddressEntry {
    fn from(address: &PeerAddress) -> Self {
        let PeerAddress { host, quorum_port, election_port } = address;
        Self { host: host.to_string(), quorum_port: *quorum_port, election_port: *election_port }
    }
}

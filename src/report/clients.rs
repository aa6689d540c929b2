//! Clients of servers that leave, and the addresses that they need, as data.

use schemars::JsonSchema;
use serde::Serialize;

use crate::apply::connect_strings::ConnectStrings;
use crate::apply::{Occupied, Outcome};
use crate::model::{Endpoint, ServerId};
use crate::observe::{ClientSession, Clients};

/// The clients on a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerClients {
    /// The server.
    pub server: ServerId,
    /// How many; `null` if it does not report that.
    pub count: Option<u64>,
    /// How many sessions came and went while no client was there.
    pub came_and_went: u64,
    /// Each of them, where the server shows more than the number.
    pub sessions: Vec<SessionEntry>,
}

/// A client's session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionEntry {
    /// The client's address, `address:port`.
    pub from: String,
    /// The session's id, in hex.
    pub session: String,
    /// Its timeout.
    pub timeout_ms: Option<u64>,
    /// Its ephemeral znodes, where the server lists them.
    pub owns: Vec<String>,
}

/// Addresses for the connect strings of clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientStrings {
    /// What works while the old servers still run: these, and those of `afterwards`.
    pub now: Vec<String>,
    /// What works from now on, and when the old servers have stopped.
    pub afterwards: Vec<String>,
    /// Wanted servers whose client address is not known.
    pub unknown: Vec<ServerId>,
}

impl ServerClients {
    /// Those that hold a gate shut, where an apply ended at one.
    pub fn at_gate(end: &Outcome) -> Vec<Self> {
        match end {
            Outcome::Gate { occupied, .. } => occupied.iter().map(Self::from).collect(),
            _ => Vec::new(),
        }
    }

    /// Those on a server.
    pub fn of(server: ServerId, clients: Option<&Clients>, came_and_went: u64) -> Self {
        let sessions = clients.into_iter().flat_map(|clients| &clients.sessions);
        Self {
            server,
            count: clients.map(|clients| clients.count),
            came_and_went,
            sessions: sessions.map(SessionEntry::from).collect(),
        }
    }
}

impl From<&Occupied> for ServerClients {
    fn from(on: &Occupied) -> Self {
        Self::of(on.server, on.clients.as_ref(), on.came)
    }
}

impl From<&ClientSession> for SessionEntry {
    fn from(one: &ClientSession) -> Self {
        let ClientSession { from, id, timeout_ms, owns } = one;
        let session = format!("0x{id:x}");
        Self { from: from.clone(), session, timeout_ms: *timeout_ms, owns: owns.clone() }
    }
}

impl From<&ConnectStrings> for ClientStrings {
    fn from(strings: &ConnectStrings) -> Self {
        let ConnectStrings { afterwards, leaving, unknown } = strings;
        let now = leaving.iter().chain(afterwards).map(Endpoint::to_string).collect();
        let afterwards = afterwards.iter().map(Endpoint::to_string).collect();
        Self { now, afterwards, unknown: unknown.clone() }
    }
}

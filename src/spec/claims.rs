//! What could be read of one server of a spec, and the addresses that it claims.

use super::WantedServer;
use super::place::Place;
use crate::model::{Host, Role, ServerId};

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
    pub(super) const fn word(self) -> &'static str {
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
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) kind: Port,
    pub(super) place: Place,
    /// Whether the file says nothing of it.
    pub(super) is_default: bool,
}

impl Claim {
    /// A claim that stands at that place. The host is the one where the address is reached.
    pub(super) fn new(host: &Host, port: u16, kind: Port, place: Place) -> Self {
        Self { host: host.clone(), port, kind, place, is_default: false }
    }

    /// Whether both are the one port on which a server serves clients with and without TLS
    /// (`client.portUnification`), as the file says.
    pub(super) fn serves_with(&self, other: &Self) -> bool {
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

/// What could be read of one server.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Its id and where it stands.
    pub(super) id: Option<(ServerId, Place)>,
    /// Its role; `None` where it is not known.
    pub(super) role: Option<Role>,
    /// The addresses that it claims.
    pub(super) claims: Vec<Claim>,
    /// The server, where nothing about it is wrong.
    pub(super) wanted: Option<WantedServer>,
    /// Whether it is a line of ZooKeeper's own, which has no place for a zone.
    pub(super) is_line: bool,
}

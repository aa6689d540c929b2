//! The servers to observe.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Endpoint, Host, Server, ServerId, Target, WantedSettings};

/// The servers to observe, and how closely.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Where the present ensemble is reached.
    pub contacts: Vec<Endpoint>,
    /// The servers that are wanted; empty where there is no target.
    pub wanted: BTreeMap<ServerId, Wanted>,
    /// Whose clients are counted.
    pub clients: ClientsOf,
    /// The settings of the wanted servers that are looked for beyond what the usual questions tell.
    pub settings: WantedSettings,
    /// Whether figures of the servers' data are left out. In the middle of a run they were seen
    /// before, and a joiner's are compared by themselves.
    pub skip_data: bool,
    /// Whose quorum and election ports are tried.
    pub ports: PortsOf,
}

/// Where a server is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where clients shall reach it.
    pub endpoint: Option<Endpoint>,
    /// Its server line.
    pub server: Server,
    /// The base URL of its AdminServer.
    pub admin: Option<String>,
}

/// Whose clients are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientsOf {
    /// No server's.
    #[default]
    NoServer,
    /// Those of members that are not wanted.
    Leaving,
    /// Every server's.
    EveryServer,
}

/// Whose quorum and election ports are tried. Each try is a connection that a server takes for another
/// server's, and writes to its log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PortsOf {
    /// Every server's.
    #[default]
    EveryServer,
    /// Theirs.
    These(BTreeSet<ServerId>),
}

impl PortsOf {
    /// Whether those of this server are tried.
    pub(super) fn has(&self, id: ServerId) -> bool {
        match self {
            Self::EveryServer => true,
            Self::These(ids) => ids.contains(&id),
        }
    }
}

impl Question {
    /// What planning for a target needs to know. Contacts that are no `host:port` are left out; a
    /// spec that was read has none.
    pub fn of(target: &Target) -> Self {
        let tls = target.connect.tls.is_some();
        let wanted = target.servers.iter().map(|(id, wanted)| {
            let place = Wanted {
                endpoint: wanted.endpoint(tls),
                server: wanted.server.clone(),
                admin: wanted.admin.clone(),
            };
            (*id, place)
        });
        Self {
            contacts: target.connect.servers.iter().filter_map(|at| contact(at, tls)).collect(),
            wanted: wanted.collect(),
            clients: ClientsOf::Leaving,
            settings: target.settings.clone(),
            skip_data: false,
            ports: PortsOf::EveryServer,
        }
    }

    /// The same servers, and no more than who is there: no figures of data, no clients, settings or ports.
    #[must_use]
    pub fn brief(self) -> Self {
        Self {
            clients: ClientsOf::NoServer,
            settings: WantedSettings::default(),
            skip_data: true,
            ports: PortsOf::These(BTreeSet::new()),
            ..self
        }
    }

    /// A survey of a present ensemble without a target.
    pub fn of_contacts(contacts: Vec<Endpoint>) -> Self {
        Self { contacts, ..Self::default() }
    }
}

/// Reads one address of a connect string: `host:port`, IPv6 literals in brackets, 2181 where no
/// port is given. `None` where it is not one, or where it has a chroot.
pub fn contact(text: &str, tls: bool) -> Option<Endpoint> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => digits.parse().ok().filter(|port| *port > 0)?,
        None if port.is_empty() => 2181,
        None => return None,
    };
    let host = Host::new(host);
    host.is_plain().then_some(Endpoint { host, port, tls })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_read() {
        let read = |text| contact(text, false).map(|at| at.to_string());
        assert_eq!(read("zk1:2182").as_deref(), Some("zk1:2182"));
        assert_eq!(read("zk1").as_deref(), Some("zk1:2181"));
        assert_eq!(read("[::1]:5").as_deref(), Some("[::1]:5"));
        for wrong in ["", "zk1:", "zk1:0", "zk1:70000", "zk1:2181/app", "::1:5", "[::1", "a,b"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}

//! The target of a change: what a spec and a plan both want of an ensemble.

use std::collections::BTreeMap;

use super::{
    ClientPart, Connect, Endpoint, Hooks, Membership, Policy, Reach, Server, ServerId,
    WantedSettings,
};

/// What is wanted of an ensemble, and how it is reached. A spec has one, and so has a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The label of the ensemble.
    pub ensemble: String,
    /// How to reach the present ensemble.
    pub connect: Connect,
    /// The servers wanted, by id.
    pub servers: BTreeMap<ServerId, TargetServer>,
    /// Failure domains of servers that are wanted, and of those that leave, where they are known.
    pub zones: BTreeMap<ServerId, String>,
    /// The settings that every wanted server must run with. A plan has none: they are no part of its
    /// steps.
    pub settings: WantedSettings,
    /// What is asked of the way there.
    pub policy: Policy,
    /// Commands that start and stop servers.
    pub hooks: Hooks,
}

/// A server that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetServer {
    /// Its server line, with its client port where that is known.
    pub server: Server,
    /// Its secure client port. Lines of ZooKeeper before 3.10 do not contain it.
    pub secure_client_port: Option<u16>,
    /// The base URL of its AdminServer.
    pub admin: Option<String>,
}

impl Target {
    /// A target of these servers under the default policy, without an address to reach the present
    /// ensemble.
    pub fn of(ensemble: &str, servers: impl IntoIterator<Item = Server>) -> Self {
        let wanted = |server: Server| {
            (server.id, TargetServer { server, secure_client_port: None, admin: None })
        };
        Self {
            ensemble: ensemble.to_owned(),
            connect: Connect::default(),
            servers: servers.into_iter().map(wanted).collect(),
            zones: BTreeMap::new(),
            settings: WantedSettings::default(),
            policy: Policy::default(),
            hooks: Hooks::default(),
        }
    }

    /// The wanted line of a server.
    pub fn line(&self, id: ServerId) -> Option<&Server> {
        self.servers.get(&id).map(|wanted| &wanted.server)
    }

    /// The wanted membership.
    pub fn membership(&self) -> Membership {
        Membership::of(self.servers.values().map(|wanted| wanted.server.clone()))
    }

    /// The membership that is wanted of an ensemble, in lines of the form that this has.
    ///
    /// Where the line of each member tells its secure client port, as lines of ZooKeeper 3.10 can
    /// (ZOOKEEPER-4276), that of a newcomer does; no older server takes such a line. Where no member
    /// has a plain client port beside it, a newcomer gets none under `clientPart: keep`.
    pub fn membership_for(&self, live: &Membership) -> Membership {
        let are_secure = live.servers().all(|line| line.secure_client.is_some());
        let are_shut = are_secure
            && self.policy.client_part == ClientPart::Keep
            && live.servers().all(|line| line.client.is_none());
        Membership::of(self.servers.values().map(|wanted| {
            let mut server = wanted.server.clone();
            if let Some(now) = live.get(server.id) {
                server.secure_client.clone_from(&now.secure_client);
                return server;
            }
            server.secure_client = wanted.secure_part().filter(|_| are_secure);
            if are_shut && server.secure_client.is_some() {
                server.client = None;
            }
            server
        }))
    }

    /// Where each wanted server is asked.
    pub fn reach(&self) -> BTreeMap<ServerId, Reach> {
        let tls = self.connect.tls.is_some();
        let reach = |(id, wanted): (&ServerId, &TargetServer)| {
            let client = wanted.endpoint(tls)?;
            Some((*id, Reach { client, admin: wanted.admin.clone() }))
        };
        self.servers.iter().filter_map(reach).collect()
    }
}

impl TargetServer {
    /// Its secure client address as ZooKeeper 3.10 prints it in a line.
    fn secure_part(&self) -> Option<String> {
        let given = self.server.secure_client.clone().filter(|part| part.contains(':'));
        given.or(Some(format!("0.0.0.0:{}", self.secure_client_port?)))
    }

    /// Where to ask this server, by its secure client port where TLS is configured and it has one.
    pub fn endpoint(&self, tls: bool) -> Option<Endpoint> {
        if let (true, Some(port)) = (tls, self.secure_client_port) {
            let host = self.server.peer().host.clone();
            return Some(Endpoint { host, port, tls: true });
        }
        self.server.client_endpoint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Membership {
        Membership::parse(text).expect("server lines")
    }

    fn target(lines: &str) -> Target {
        Target::of("test", members(lines).servers().cloned())
    }

    #[test]
    fn a_server_is_asked_by_tls_where_that_is_configured() {
        let mut target = target("server.1=a:2888:3888;2181\nserver.2=b:2888:3888;2181");
        let one = target.servers.get_mut(&ServerId::new(1)).expect("server 1");
        one.secure_client_port = Some(2281);
        let asked = |target: &Target| -> Vec<(String, bool)> {
            let reach = target.reach().into_values();
            reach.map(|reach| (reach.client.to_string(), reach.client.tls)).collect()
        };
        let plain = |at: &str| (at.to_owned(), false);
        assert_eq!(asked(&target), [plain("a:2181"), plain("b:2181")]);
        target.connect.tls = Some(crate::model::Tls { ca: "ca.pem".into(), cert: None, key: None });
        assert_eq!(asked(&target), [("a:2281".to_owned(), true), plain("b:2181")]);
    }

    /// No server before 3.10 takes a line with a secure client port.
    #[test]
    fn a_newcomer_gets_a_line_of_the_form_that_members_have() {
        let mut target = target("server.1=a:2888:3888;2181\nserver.2=b:2888:3888;2181");
        let two = target.servers.get_mut(&ServerId::new(2)).expect("server 2");
        two.secure_client_port = Some(2281);
        let newcomer = |target: &Target, live: &str| {
            let wanted = target.membership_for(&members(live));
            wanted.get(ServerId::new(2)).expect("server 2").to_string()
        };
        let plain = "server.2=b:2888:3888:participant;0.0.0.0:2181";
        assert_eq!(newcomer(&target, "server.1=a:2888:3888;2181"), plain);
        let secure = "server.1=a:2888:3888;2181;0.0.0.0:2281";
        assert_eq!(newcomer(&target, secure), format!("{plain};0.0.0.0:2281"));
    }
}

//! From the template to the ensemble of a demo: the spec, and the server lines behind it.

use super::DemoError;
use super::password::USER;
use crate::model::{
    ClientAddress, Endpoint, Host, Membership, PeerAddress, Role, Server, ServerId,
};
use crate::spec::{self, Spec, WantedServer};

/// The demo's spec, with example ports.
const TEMPLATE: &str = include_str!("../../plans/demo.yaml");

/// The servers that are there to begin with. The template names the joiners.
const PRESENT: [i64; 3] = [1, 2, 3];

/// Ports of one server: client, quorum, election.
const PORTS_EACH: usize = 3;

/// Where everything is, and what is wanted.
#[derive(Debug)]
pub(super) struct DemoLayout {
    /// The members to begin with.
    pub(super) present: Membership,
    /// The servers that are to take over.
    pub(super) joiners: Membership,
    /// The spec that asks for it, as a file.
    pub(super) spec: String,
}

impl DemoLayout {
    /// How many ports [`DemoLayout::with_ports`] is to be given.
    pub(super) fn ports() -> Result<usize, DemoError> {
        Ok((PRESENT.len() + template()?.servers.len()) * PORTS_EACH)
    }

    /// Puts these ports in the place of the template's.
    pub(super) fn with_ports(ports: &[u16]) -> Result<Self, DemoError> {
        let wanted = ports.len() / PORTS_EACH;
        let mut spec = template()?;
        let ids = PRESENT.map(ServerId::new).into_iter().chain(spec.servers.keys().copied());
        // Those of one kind stand in a row, for the reader of the screen.
        let (client, rest) = ports.split_at(wanted);
        let (quorum, election) = rest.split_at(wanted);
        let ports = client.iter().zip(quorum).zip(election);
        let servers: Vec<Server> = ids
            .zip(ports)
            .map(|(id, ((client, quorum), election))| server(id, *client, *quorum, *election))
            .collect();
        let (present, joiners): (Vec<_>, Vec<_>) =
            servers.into_iter().partition(|server| PRESENT.contains(&server.id.get()));
        let (present, joiners) = (Membership::of(present), Membership::of(joiners));
        spec.connect.servers = endpoints(&present).iter().map(ToString::to_string).collect();
        for WantedServer { server, .. } in spec.servers.values_mut() {
            if let Some(real) = joiners.get(server.id) {
                server.clone_from(real);
            }
        }
        let remarks = [
            "The spec of a running `zkplan demo`: plans/demo.yaml with the ports that were free."
                .to_owned(),
            format!("The password of the user {USER} is new for each demo."),
        ];
        Ok(Self { present, joiners, spec: spec::write(&spec, &remarks) })
    }

    /// The first membership of a joiner: the members that are there, and every joiner as an observer.
    ///
    /// So it can join the ensemble and never form one with the other joiners. It does not become an
    /// observer: once it follows, it takes over the ensemble's own configuration, which does not
    /// name it, and follows without a vote (`QuorumPeer.updateLearnerType`).
    pub(super) fn first_lines_of_joiners(&self) -> Membership {
        let joiners = self.joiners.servers().cloned();
        let observers = joiners.map(|joiner| Server { role: Role::Observer, ..joiner });
        Membership::of(self.present.servers().cloned().chain(observers))
    }
}

/// Where clients reach these servers, by id.
pub(super) fn endpoints(of: &Membership) -> Vec<Endpoint> {
    of.servers().filter_map(Server::client_endpoint).collect()
}

fn template() -> Result<Spec, DemoError> {
    spec::parse("plans/demo.yaml", TEMPLATE).map_err(DemoError::Template)
}

/// A voter that is reached through loopback alone.
fn server(id: ServerId, client: u16, quorum_port: u16, election_port: u16) -> Server {
    let host = Host::new("127.0.0.1");
    Server {
        id,
        peers: vec![PeerAddress { host: host.clone(), quorum_port, election_port }],
        role: Role::Participant,
        client: Some(ClientAddress { host, port: client }),
        secure_client: None,
        place: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PasswordSource;

    fn layout() -> DemoLayout {
        let count = u16::try_from(DemoLayout::ports().unwrap()).unwrap();
        assert_eq!(count, 18);
        DemoLayout::with_ports(&(20_001..20_001 + count).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_spec_is_valid_and_has_the_ports() {
        let layout = layout();
        let spec = spec::parse("demo.yaml", &layout.spec).unwrap();
        assert_eq!(spec.connect.servers, ["127.0.0.1:20001", "127.0.0.1:20002", "127.0.0.1:20003"]);
        assert_eq!(spec.membership(), layout.joiners);
        assert_eq!(
            layout.joiners.to_string(),
            "server.4=127.0.0.1:20010:20016:participant;127.0.0.1:20004\n\
             server.5=127.0.0.1:20011:20017:participant;127.0.0.1:20005\n\
             server.6=127.0.0.1:20012:20018:participant;127.0.0.1:20006\n"
        );
    }

    #[test]
    fn the_spec_differs_from_the_template_in_nothing_but_addresses() {
        let (real, mut template) =
            (spec::parse("demo.yaml", &layout().spec).unwrap(), template().unwrap());
        template.connect.servers.clone_from(&real.connect.servers);
        template.servers.clone_from(&real.servers);
        assert_eq!(real, template);
        let auth = real.connect.auth.unwrap();
        let source = PasswordSource::Env("ZKPLAN_PASSWORD".to_owned());
        assert_eq!(auth.user(), Some((&USER.to_owned(), &source)));
    }

    #[test]
    fn spares_can_only_ever_join() {
        let first = layout().first_lines_of_joiners();
        assert_eq!(first.voters(), PRESENT.map(ServerId::new).into_iter().collect());
        assert_eq!(first.len(), 6);
    }
}

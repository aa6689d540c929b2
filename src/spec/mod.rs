//! The desired ensemble: YAML in, a [`Spec`] out, or every complaint about the file at once.
//!
//! Strict where `model` is tolerant: unknown and duplicate keys, wildcard quorum hosts and shared
//! addresses are errors with a place in the file. No I/O: callers pass the text.

mod acceptances;
mod addresses;
mod claims;
mod complaint;
mod place;
mod read;
mod schema;
mod sections;
mod servers;
mod settings_section;
mod shown;
mod tree;
mod write;

use std::collections::BTreeMap;
use std::path::Path;

pub use complaint::{Complaint, SpecErrors};
pub use schema::schema;
pub use sections::{LABEL_FORM, is_label};
pub use servers::NO_CLIENT_PART as NO_CLIENT_PORT;
pub use write::{entry, write};

use crate::model::{
    AcceptedRisk, Connect, Endpoint, Hooks, Membership, Policy, Server, ServerId, Target,
    TargetServer, WantedSettings,
};

/// The desired ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Its label.
    pub ensemble: String,
    /// How to reach the present ensemble.
    pub connect: Connect,
    /// The servers wanted, by id.
    pub servers: BTreeMap<ServerId, WantedServer>,
    /// Zones of present servers that the spec no longer lists.
    pub leaving_zones: BTreeMap<ServerId, String>,
    /// The settings that every listed server must run with.
    pub settings: WantedSettings,
    /// What is asked of the way there.
    pub policy: Policy,
    /// Risks that it accepts, each until a day.
    pub accept: Vec<AcceptedRisk>,
    /// Commands that start and stop servers.
    pub hooks: Hooks,
}

/// A server that the spec wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedServer {
    /// Its server line; always with one address and a client part, unless given as a line of
    /// ZooKeeper's own.
    pub server: Server,
    /// Its secure client port, for probing.
    pub secure_client_port: Option<u16>,
    /// Its failure domain.
    pub zone: Option<String>,
    /// The base URL of its AdminServer.
    pub admin: Option<String>,
    /// The line of the file that it stands on, from 1.
    pub line: usize,
}

/// Reads a spec.
///
/// `file_name` only appears in complaints. Every complaint of the file comes in one run, except
/// where the text is no YAML at all or breaks the limits of size, depth and aliases.
///
/// # Errors
///
/// Everything that is wrong with the file, each with its place.
pub fn parse(file_name: &str, text: &str) -> Result<Spec, SpecErrors> {
    let mut reader = read::Reader::default();
    let spec = tree::read(text, &mut reader.complaints).and_then(|tree| walk(&mut reader, &tree));
    match spec {
        Some(spec) if reader.complaints.is_empty() => Ok(spec),
        _ => {
            // Of a file that was not read, nothing is shown.
            let shown = if text.len() > tree::MAX_BYTES { "" } else { text };
            Err(SpecErrors::new(file_name, shown, reader.complaints))
        }
    }
}

fn walk(reader: &mut read::Reader, tree: &tree::Node) -> Option<Spec> {
    if matches!(tree.value, tree::Value::Null) {
        let remedy = "`zkplan import` writes the spec of an existing ensemble";
        reader.complain(place::Place::START, "the spec is empty", "nothing here", remedy);
        return None;
    }
    let known = [
        "apiVersion",
        "ensemble",
        "connect",
        "servers",
        "settings",
        "policy",
        "accept",
        "hooks",
        "zones",
    ];
    let file = reader.fields(tree, "the spec", &known)?;
    let version = format!("begin with `apiVersion: {}`", sections::API_VERSION);
    if let Some(node) = reader.needed(&file, "apiVersion", "the spec", &version) {
        reader.api_version(node);
    }
    let ensemble = reader
        .needed(&file, "ensemble", "the spec", "give the ensemble a label, like prod-eu")
        .and_then(|node| reader.label(node));
    let connect = file.get("connect").map(|node| reader.connect(node)).unwrap_or_default();
    let wanted = "list every server of the ensemble";
    let listed = reader.needed(&file, "servers", "the spec", wanted);
    let mut entries = listed.map(|node| reader.servers(node)).unwrap_or_default();
    let zones = file.get("zones").map(|node| reader.leaving_zones(node, &mut entries));
    let settings = file.get("settings").map(|node| reader.settings(node)).unwrap_or_default();
    let policy = file.get("policy").map(|node| reader.policy(node)).unwrap_or_default();
    let accept = file.get("accept").map(|node| reader.acceptances(node)).unwrap_or_default();
    let hooks = file.get("hooks").map(|node| reader.hooks(node)).unwrap_or_default();
    let servers = entries.into_iter().filter_map(|entry| entry.wanted);
    Some(Spec {
        ensemble: ensemble?,
        connect,
        servers: servers.map(|wanted| (wanted.server.id, wanted)).collect(),
        leaving_zones: zones.unwrap_or_default(),
        settings,
        policy,
        accept,
        hooks,
    })
}

impl Spec {
    /// Makes relative paths count from the folder that the spec stands in.
    pub fn rooted_at(&mut self, dir: &Path) {
        // `join` leaves absolute paths as they are.
        for path in self.connect.files_mut() {
            *path = dir.join(&*path);
        }
    }

    /// The membership that the spec asks for.
    pub fn membership(&self) -> Membership {
        Membership::of(self.servers.values().map(|wanted| wanted.server.clone()))
    }

    /// What the spec wants.
    pub fn to_target(&self) -> Target {
        Target {
            ensemble: self.ensemble.clone(),
            connect: self.connect.clone(),
            servers: self.servers.iter().map(|(id, wanted)| (*id, wanted.to_target())).collect(),
            zones: self.zones(),
            settings: self.settings.clone(),
            policy: self.policy.clone(),
            hooks: self.hooks.clone(),
        }
    }

    /// The zones of all servers that the spec speaks of.
    pub fn zones(&self) -> BTreeMap<ServerId, String> {
        let wanted = self.servers.iter().filter_map(|(id, w)| Some((*id, w.zone.clone()?)));
        self.leaving_zones.clone().into_iter().chain(wanted).collect()
    }
}

impl Spec {
    /// What is right for a server that exists and would be wrong for a new one: to be said, not to
    /// be refused, since no ensemble was asked.
    pub fn remarks(&self) -> Vec<String> {
        let odd = |id: &&ServerId| !id.is_valid_in_spec();
        let ids = self.servers.keys().filter(odd).map(|id| {
            format!(
                "server id {id} is outside 1 to 254: a present server can keep it, but a plan \
                 that adds it is refused"
            )
        });
        let local = self.servers.values().filter(|wanted| wanted.server.has_own_client_address());
        let local = local.map(|wanted| {
            format!(
                "server {}: its client address can be reached only from its own machine; zkplan \
                 must run there, or use its secureClientPort",
                wanted.server.id
            )
        });
        let servers = || self.servers.values().map(|wanted| &wanted.server);
        let ipv6 = servers().filter(|server| server.makes_ipv6_without_brackets());
        let ipv6 = ipv6.map(|server| {
            format!(
                "server {}: Curator clients cannot use an IPv6 address of the configuration (zkplan \
                 explain ZKF28); give it a host name",
                server.id
            )
        });
        let several = servers().filter(|server| server.has_several_addresses());
        let several = several.map(|server| {
            format!(
                "server {}: clients that read the configuration do not understand a line with several \
                 addresses (zkplan explain ZKF28)",
                server.id
            )
        });
        ids.chain(local).chain(ipv6).chain(several).collect()
    }
}

impl WantedServer {
    /// Whether it has no port for clients at all.
    pub fn is_without_port(&self) -> bool {
        let server = &self.server;
        server.client.is_none()
            && server.secure_client.is_none()
            && self.secure_client_port.is_none()
    }

    /// What is wanted of it.
    fn to_target(&self) -> TargetServer {
        TargetServer {
            server: self.server.clone(),
            secure_client_port: self.secure_client_port,
            admin: self.admin.clone(),
        }
    }

    /// Where to ask this server, by its secure client port where TLS is configured and it has one.
    pub fn endpoint(&self, tls: bool) -> Option<Endpoint> {
        self.to_target().endpoint(tls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "apiVersion: zkplan/v1\nensemble: prod-eu\nservers:\n";

    fn whats(text: &str) -> Vec<(usize, String)> {
        let errors = parse("f.yaml", text).unwrap_err();
        errors.complaints().iter().map(|found| (found.line, found.what.clone())).collect()
    }

    #[test]
    fn a_server_without_a_plain_client_port_needs_a_secure_one() {
        let spec = |ports: &str| format!("{PLAIN}  - {{ id: 1, host: a, {ports} }}\n");
        let none = parse("f.yaml", &spec("clientPort: none, secureClientPort: 2281")).unwrap();
        let server = &none.servers[&ServerId::new(1)];
        assert_eq!(
            (server.server.client_endpoint(), server.secure_client_port),
            (None, Some(2281))
        );
        for (ports, what) in [
            ("clientPort: none", "`clientPort` is none, and there is no `secureClientPort`"),
            (
                "clientPort: none, secureClientPort: 2281, clientHost: a",
                "`clientPort` is none, and it has a `clientHost`",
            ),
        ] {
            assert_eq!(whats(&spec(ports)), [(4, what.to_owned())]);
        }
    }

    #[test]
    fn both_forms_of_a_server_are_read() {
        let text = format!(
            "{PLAIN}  - {{ id: 4, host: '::1', zone: az-1 }}\n\
             \x20 - server.5=[::1]:2889:3889:observer;2182\n\
             zones: {{ 1: az-2, 5: az-3 }}\n"
        );
        let spec = parse("f.yaml", &text).unwrap();
        assert_eq!(
            spec.membership().to_string(),
            "server.4=[::1]:2888:3888:participant;0.0.0.0:2181\n\
             server.5=[::1]:2889:3889:observer;0.0.0.0:2182\n"
        );
        let zones: Vec<_> = spec.zones().into_iter().map(|(id, zone)| (id.get(), zone)).collect();
        let zone = |text: &str| text.to_owned();
        assert_eq!(zones, [(1, zone("az-2")), (4, zone("az-1")), (5, zone("az-3"))]);
        assert_eq!(spec.leaving_zones.len(), 1);
        assert_eq!(spec.servers.values().map(|wanted| wanted.line).collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn every_complaint_comes_in_one_run() {
        let text = format!(
            "{PLAIN}  - {{ id: -1, host: 0.0.0.0, rol: observer }}\n\
             \x20 - {{ id: 5, host: a, clientPort: 2888 }}\npolicy: {{ zones: bst }}\nhooks: []\n"
        );
        let lines: Vec<usize> = whats(&text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [4, 4, 4, 5, 6, 7]);
    }

    #[test]
    fn a_secret_in_the_spec_is_not_repeated() {
        let text = format!(
            "{PLAIN}  - {{ id: 1, host: a }}\nconnect:\n  auth:\n    scheme: digest\n    user: super\n\
             \x20   password: hunter2\n"
        );
        let errors = parse("f.yaml", &text).unwrap_err();
        let said: Vec<_> = errors.complaints().iter().map(|c| format!("{c:?}")).collect();
        assert_eq!(said.len(), 1);
        assert!(!said[0].contains("hunter2"));
        for text in [text.clone(), text.replace(": hunter2", ": |\n     hunter2"), text + "x: ]"] {
            let shown = parse("f.yaml", &text).unwrap_err().render();
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn relative_paths_count_from_the_file() {
        let text = format!(
            "{PLAIN}  - {{ id: 1, host: a }}\nconnect:\n  tls: {{ ca: ca.pem, cert: /etc/c.pem, key: k.pem }}\n\
             \x20 auth: {{ scheme: digest, user: super, password: {{ file: secret }} }}\n"
        );
        let mut spec = parse("f.yaml", &text).unwrap();
        spec.rooted_at(Path::new("/specs"));
        let tls = spec.connect.tls.unwrap();
        assert_eq!(tls.ca, Path::new("/specs/ca.pem"));
        assert_eq!(tls.cert.as_deref(), Some(Path::new("/etc/c.pem")));
        let auth = spec.connect.auth.unwrap();
        let (_, password) = auth.user().unwrap();
        assert_eq!(*password, crate::model::PasswordSource::File("/specs/secret".into()));
    }

    #[test]
    fn a_password_without_a_source_comes_from_the_usual_variable() {
        for scheme in ["digest", "sasl, mechanism: DIGEST-MD5"] {
            let auth = format!("connect: {{ auth: {{ scheme: {scheme}, user: super }} }}\n");
            let text = format!("{PLAIN}  - {{ id: 1, host: a }}\n{auth}");
            let auth = parse("f.yaml", &text).unwrap().connect.auth.unwrap();
            let (_, password) = auth.user().unwrap();
            assert_eq!(*password, crate::model::PasswordSource::Env("ZKPLAN_PASSWORD".into()));
        }
    }

    #[test]
    fn rendering_is_for_terminals_of_any_temper() {
        let text = format!("{PLAIN}  - {{ id: 1, host: \"a\u{202e}\u{9b}1m\\e\" }}\n");
        let shown = parse("f\u{1b}.yaml", &text).unwrap_err().render();
        assert!(!shown.chars().any(|c| c != '\n' && shown::is_hidden(c)), "{shown}");
    }
}

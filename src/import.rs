//! The spec of an ensemble that exists: from its `zoo.cfg`, or from one look at it.
//!
//! In: the text of the files, or an [`Observation`]. Out: the servers with what is known of them,
//! and notes on everything that was assumed or that a spec cannot say. No I/O: callers read the
//! files. Ports are told apart by where they stand, never by their numbers.

mod properties;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use self::properties::Property;
use crate::model::{
    ClientAddress, Connect, Endpoint, Hooks, Host, Membership, PeerAddress, Policy, Server,
    ServerId, ServerLineError, StandaloneEnabled,
};
use crate::observe::{Finding, FindingKind, Observation, ServerSight};
use crate::spec::{self, Spec, WantedServer};

/// What could be learned of an ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Its label.
    pub ensemble: String,
    /// Its servers, by id.
    pub servers: BTreeMap<ServerId, WantedServer>,
    /// Where clients reach it.
    pub connect: Vec<Endpoint>,
    /// What is known of its servers' `standaloneEnabled`.
    pub standalone_enabled: StandaloneEnabled,
    /// What was assumed, what matters, and what a spec cannot say.
    pub notes: Vec<Note>,
}

/// Something to know about an import.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Note {
    /// The file does not enable reconfigs.
    #[error("`reconfigEnabled` is not true: zkplan can change nothing until every server has it")]
    ReconfigDisabled,
    /// The file leaves `standaloneEnabled` at true: with one voter the servers stop being an
    /// ensemble.
    #[error(
        "`standaloneEnabled` is not false in this file: fewer than two voters are out of reach"
    )]
    StandaloneEnabled,
    /// The client port of these servers was taken from the file of one of them.
    #[error("client port {port} of {} is the one of this file; every server has its own file", list(.ids))]
    ClientPortAssumed {
        /// The port.
        port: u16,
        /// The servers.
        ids: Vec<ServerId>,
    },
    /// The secure client port of these servers was taken from the file of one of them.
    #[error("secure client port {port} of {} is the one of this file; every server has its own file", list(.ids))]
    SecureClientPortAssumed {
        /// The port.
        port: u16,
        /// The servers.
        ids: Vec<ServerId>,
    },
    /// The file binds its client port to an address of one machine, which says nothing about the
    /// others.
    #[error(
        "client address `{0}` of this file belongs to one machine; all addresses are assumed for the others"
    )]
    ClientAddressOfOne(Host),
    /// The client port was found where the server answered with its own id.
    #[error("the client port of {} is where it answered; the configuration does not name it", list(.0))]
    ClientPortFound(Vec<ServerId>),
    /// The configuration has wildcards for the quorum hosts of these servers.
    #[error(
        "the configuration has a wildcard as quorum host of {}; the host here is where it answered", list(.0)
    )]
    WildcardHost(Vec<ServerId>),
    /// A server without reconfigs has a file that differs from what is imported.
    #[error("the file of server {0} writes some servers otherwise; zkplan plan says which")]
    FileDiffers(ServerId),
    /// Nothing is known of these servers' client ports.
    #[error("the client port of {} is not known: put it behind the server line, as in `;2181`", list(.0))]
    ClientPortUnknown(Vec<ServerId>),
    /// Groups and weights are not just those of the voters.
    #[error(
        "some group or weight is of nobody's vote, or is missing, which a spec cannot say: zkplan \
         changes no ensemble that has such"
    )]
    OddPlaces,
    /// An id that a spec cannot want.
    #[error("server id {0} is outside 1 to 254: a spec cannot want it")]
    UnwantableId(ServerId),
    /// A client address at which only its own machine reaches a server.
    #[error(
        "clients reach server {id} at {client} from its own machine alone, and so does zkplan: give its \
         `secureClientPort` and `connect.tls`"
    )]
    OwnClientAddress {
        /// The server.
        id: ServerId,
        /// Its client address.
        client: String,
    },
    /// A host that a spec cannot want.
    #[error("host `{}` of server {id} cannot stand in a spec", .host.as_str().escape_debug())]
    UnwantableHost {
        /// The server.
        id: ServerId,
        /// Its host.
        host: Host,
    },
    /// A key stands in the file more than once; ZooKeeper takes the last.
    #[error("`{}` stands on lines {first} and {last}: ZooKeeper takes the last", .key.escape_debug())]
    Repeated {
        /// The key.
        key: String,
        /// A line that does not count.
        first: usize,
        /// The line that counts.
        last: usize,
    },
}

fn list(ids: &[ServerId]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    match ids.as_slice() {
        [one] => format!("server {one}"),
        _ => format!("servers {}", ids.join(", ")),
    }
}

/// Why a `zoo.cfg` cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImportError {
    /// It names a dynamic file, whose text is needed too.
    #[error("line {line}: the members stand in `{}`; read that file too", .name.escape_debug())]
    DynamicFileNeeded {
        /// The line.
        line: usize,
        /// The file that `dynamicConfigFile` names.
        name: String,
    },
    /// Members stand in the static file although it names a dynamic one; ZooKeeper refuses that
    /// (`QuorumPeerConfig.parseProperties`).
    #[error("line {line}: `{}` must stand in the dynamic file", .key.escape_debug())]
    MemberInStaticFile {
        /// The line.
        line: usize,
        /// The key.
        key: String,
    },
    /// A key that a dynamic file cannot have (`QuorumPeerConfig.parseDynamicConfig`).
    #[error("line {line} of the dynamic file: `{}` is unknown", .key.escape_debug())]
    UnknownMemberKey {
        /// The line.
        line: usize,
        /// The key.
        key: String,
    },
    /// A server line that cannot be read.
    #[error("line {line}: {cause}")]
    Server {
        /// The line, of the dynamic file where there is one.
        line: usize,
        /// What is wrong with it.
        cause: ServerLineError,
    },
    /// A group or a weight that cannot be read.
    #[error("line {line}: `{}` is neither a group of ids nor a weight", .key.escape_debug())]
    Place {
        /// The line.
        line: usize,
        /// The key.
        key: String,
    },
    /// A port that is none.
    #[error("line {line}: `{key}` is not a port")]
    Port {
        /// The line.
        line: usize,
        /// The key.
        key: &'static str,
    },
    /// No server line at all: a standalone server's file, or none of a server.
    #[error("no `server.N` line: the file of a standalone server, or no zoo.cfg")]
    NoServer,
}

/// The dynamic file that a `zoo.cfg` names, relative to ZooKeeper's working directory if relative.
pub fn dynamic_file_name(zoo_cfg: &str) -> Option<String> {
    Settings::read(zoo_cfg).value("dynamicConfigFile").map(str::to_owned)
}

/// Reads a `zoo.cfg`, and the dynamic file that it names.
///
/// Server lines without client part get the port of the file (`clientPort`,
/// `clientPortAddress`), since the servers of an ensemble normally use the same one; a note says so.
pub fn from_zoo_cfg(
    ensemble: &str,
    zoo_cfg: &str,
    dynamic: Option<&str>,
) -> Result<Imported, ImportError> {
    let mut settings = Settings::read(zoo_cfg);
    let members = settings.members(dynamic)?;
    let mut notes = std::mem::take(&mut settings.repeated);
    let mut servers = BTreeMap::new();
    for property in members.iter().filter(|property| property.key.starts_with("server.")) {
        let line = property.line;
        let server = Server::parse_line(&format!("{}={}", property.key, property.value))
            .map_err(|cause| ImportError::Server { line, cause })?;
        servers.insert(server.id, bare(server, line));
    }
    if servers.is_empty() {
        return Err(ImportError::NoServer);
    }
    fill_places(&members, &mut servers, &mut notes)?;
    fill_client_parts(&settings, &mut servers, &mut notes)?;
    fill_secure_ports(&settings, &mut servers, &mut notes)?;
    if settings.flag("reconfigEnabled") != Some(true) {
        notes.push(Note::ReconfigDisabled);
    }
    let standalone = settings.flag("standaloneEnabled") != Some(false);
    if standalone {
        notes.push(Note::StandaloneEnabled);
    }
    let known = if standalone { StandaloneEnabled::True } else { StandaloneEnabled::False };
    Ok(Imported::of(ensemble, servers, known, notes))
}

/// Takes over what one look at an ensemble showed.
///
/// A member without client part gets the endpoint at which it answered with its own id.
pub fn from_observation(ensemble: &str, observation: &Observation) -> Imported {
    let membership = &observation.config.membership;
    let mut notes = Vec::new();
    let mut found = Vec::new();
    let mut connect = Vec::new();
    let mut servers = BTreeMap::new();
    let mut wildcards = Vec::new();
    for server in membership.servers() {
        let mut wanted = bare(server.clone(), 0);
        let answered = observation.servers.get(&server.id);
        let answered = answered.and_then(|sight| answered_at(server, sight));
        connect.extend(answered.cloned());
        if let (true, Some(endpoint)) = (server.peer().host.is_wildcard(), answered) {
            let own = |peer: &PeerAddress| PeerAddress { host: endpoint.host.clone(), ..*peer };
            wanted.server.peers = vec![own(server.peer())];
            wildcards.push(server.id);
        }
        let server = &wanted.server.clone();
        match answered {
            Some(endpoint) if endpoint.tls => wanted.secure_client_port = Some(endpoint.port),
            Some(endpoint) if wanted.server.client.is_none() => {
                wanted.server.client = Some(client_at(observation, endpoint, server));
                found.push(server.id);
            }
            _ => {}
        }
        servers.insert(server.id, wanted);
    }
    if !wildcards.is_empty() {
        notes.push(Note::WildcardHost(wildcards));
    }
    if !found.is_empty() {
        notes.push(Note::ClientPortFound(found));
    }
    notes.extend(files_that_differ(observation).map(Note::FileDiffers));
    if membership.has_odd_places() {
        forget_places(&mut servers);
        notes.push(Note::OddPlaces);
    }
    if observation.reconfig_disabled {
        notes.push(Note::ReconfigDisabled);
    }
    let imported = Imported::of(ensemble, servers, StandaloneEnabled::Unknown, notes);
    // Where nobody was asked, the addresses of the configuration have to do.
    if connect.is_empty() { imported } else { Imported { connect, ..imported } }
}

/// Where a server answered with its own id. Where its line does not tell its client port, at its
/// quorum host if it did: a contact may be an address of one of a service's names.
fn answered_at<'a>(server: &Server, sight: &'a ServerSight) -> Option<&'a Endpoint> {
    let own = sight.own_id.is_some_and(|told| told.value == sight.id);
    let first = sight.endpoint.as_ref().filter(|_| own);
    let mut reached = sight.reached_at.iter().filter(|_| server.client.is_none());
    reached.find(|at| at.host == server.peer().host).or(first)
}

/// Whether a host is a server's own: written alike, or all that it resolves to are addresses of it.
fn leads_to(observation: &Observation, host: &Host, own: &Host) -> bool {
    let addresses = |host: &Host| observation.resolved.get(&host.canonical());
    let is_part = |some: &Vec<String>, all: &Vec<String>| {
        !some.is_empty() && some.iter().all(|address| all.contains(address))
    };
    host == own || addresses(host).zip(addresses(own)).is_some_and(|(a, b)| is_part(a, b))
}

/// The client address that leads to the same endpoint again. A name of several machines is none of
/// them.
fn client_at(observation: &Observation, endpoint: &Endpoint, server: &Server) -> ClientAddress {
    let resolved = observation.resolved.get(&endpoint.host.canonical());
    let is_shared = resolved.is_some_and(|addresses| addresses.len() > 1);
    if is_shared || leads_to(observation, &endpoint.host, &server.peer().host) {
        ClientAddress::on_all_addresses(endpoint.port)
    } else {
        ClientAddress { host: endpoint.host.clone(), port: endpoint.port }
    }
}

/// The members whose own files write servers otherwise than what was imported.
fn files_that_differ(observation: &Observation) -> impl Iterator<Item = ServerId> {
    let is_file = |finding: &&Finding| matches!(finding.kind, FindingKind::FileDiffers { .. });
    observation.findings.iter().filter(is_file).filter_map(|finding| finding.server)
}

fn bare(server: Server, line: usize) -> WantedServer {
    WantedServer { server, secure_client_port: None, zone: None, admin: None, line }
}

impl Imported {
    /// Puts an import together: endpoints, and notes on what a spec cannot want.
    fn of(
        ensemble: &str,
        servers: BTreeMap<ServerId, WantedServer>,
        standalone_enabled: StandaloneEnabled,
        mut notes: Vec<Note>,
    ) -> Self {
        let unknown: Vec<ServerId> = servers
            .values()
            .filter(|wanted| wanted.server.client.is_none() && wanted.secure_client_port.is_none())
            .map(|wanted| wanted.server.id)
            .collect();
        if !unknown.is_empty() {
            notes.push(Note::ClientPortUnknown(unknown));
        }
        for wanted in servers.values() {
            let server = &wanted.server;
            if !server.id.is_wantable() {
                notes.push(Note::UnwantableId(server.id));
            }
            let quorum = server.peers.iter().map(|peer| &peer.host);
            let unfit = |host: &&Host| !host.is_plain() || host.is_wildcard();
            let hosts: BTreeSet<&Host> = quorum.filter(unfit).collect();
            if let Some(client) = server.client.as_ref().filter(|_| server.has_own_client_address())
            {
                let client = client.to_string();
                notes.push(Note::OwnClientAddress { id: server.id, client });
            }
            notes.extend(
                hosts
                    .into_iter()
                    .map(|host| Note::UnwantableHost { id: server.id, host: host.clone() }),
            );
        }
        let connect = servers
            .values()
            .filter_map(|wanted| wanted.server.client_endpoint())
            .filter(|endpoint| endpoint.host.is_plain())
            .collect();
        Self { ensemble: ensemble.to_owned(), servers, connect, standalone_enabled, notes }
    }

    /// The spec that wants exactly what is there.
    pub fn to_spec(&self) -> Spec {
        // What is true by default needs no line.
        let standalone_enabled = match self.standalone_enabled {
            StandaloneEnabled::False => StandaloneEnabled::False,
            StandaloneEnabled::True | StandaloneEnabled::Unknown => StandaloneEnabled::Unknown,
        };
        Spec {
            ensemble: self.ensemble.clone(),
            connect: Connect {
                servers: self.connect.iter().map(ToString::to_string).collect(),
                ..Connect::default()
            },
            servers: self.servers.clone(),
            former_zones: BTreeMap::new(),
            policy: Policy { standalone_enabled, ..Policy::default() },
            hooks: Hooks::default(),
        }
    }

    /// The text of that spec, with the notes as comments.
    pub fn to_yaml(&self) -> String {
        let mut remarks = vec!["The ensemble as it is, written by `zkplan import`.".to_owned()];
        remarks.extend(self.notes.iter().map(|note| format!("- {note}")));
        spec::write(&self.to_spec(), &remarks)
    }
}

/// The settings of a `zoo.cfg`, the last of each key.
struct Settings {
    last: BTreeMap<String, Property>,
    repeated: Vec<Note>,
}

impl Settings {
    fn read(text: &str) -> Self {
        let mut settings = Self { last: BTreeMap::new(), repeated: Vec::new() };
        for property in properties::read(text) {
            let (key, last) = (property.key.clone(), property.line);
            if let Some(before) = settings.last.insert(key.clone(), property) {
                settings.repeated.push(Note::Repeated { key, first: before.line, last });
            }
        }
        settings
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.last.get(key).map(|property| property.value.as_str())
    }

    /// A yes or no; ZooKeeper takes it in any case.
    fn flag(&self, key: &str) -> Option<bool> {
        self.value(key)?.to_ascii_lowercase().parse().ok()
    }

    fn port(&self, key: &'static str) -> Result<Option<u16>, ImportError> {
        let Some(property) = self.last.get(key) else { return Ok(None) };
        match property.value.parse::<u16>() {
            Ok(0) => Ok(None),
            Ok(port) => Ok(Some(port)),
            Err(_) => Err(ImportError::Port { line: property.line, key }),
        }
    }

    /// The lines that say who is a member: of this file, or of the dynamic one that it names.
    fn members(&mut self, dynamic: Option<&str>) -> Result<Vec<Property>, ImportError> {
        let is_member = |key: &str| {
            key.starts_with("server.") || key.starts_with("group") || key.starts_with("weight")
        };
        let named = self.last.get("dynamicConfigFile");
        let own = self.last.values().filter(|property| is_member(&property.key));
        let mut members: Vec<Property> = match (named, dynamic) {
            (None, _) => own.cloned().collect(),
            (Some(named), None) => {
                let (line, name) = (named.line, named.value.clone());
                return Err(ImportError::DynamicFileNeeded { line, name });
            }
            (Some(_), Some(text)) => {
                if let Some(property) = own.min_by_key(|property| property.line) {
                    let (line, key) = (property.line, property.key.clone());
                    return Err(ImportError::MemberInStaticFile { line, key });
                }
                let settings = Self::read(text);
                self.repeated.extend(settings.repeated);
                settings.last.into_values().collect()
            }
        };
        members.sort_by_key(|property| property.line);
        // A file that a server wrote for its next configuration holds the version, too.
        members.retain(|property| property.key != "version");
        match members.iter().find(|property| !is_member(&property.key)) {
            Some(property) => {
                let (line, key) = (property.line, property.key.clone());
                Err(ImportError::UnknownMemberKey { line, key })
            }
            None => Ok(members),
        }
    }
}

/// Gives voters the group and the weight that lines of their own say.
fn fill_places(
    members: &[Property],
    servers: &mut BTreeMap<ServerId, WantedServer>,
    notes: &mut Vec<Note>,
) -> Result<(), ImportError> {
    let said = members.iter().filter(|property| !property.key.starts_with("server."));
    let known = servers.values().map(|wanted| wanted.server.clone());
    let mut text = Membership::of(known).to_string();
    for Property { line, key, value } in said {
        let own = format!("{key}={value}\n");
        let alone = format!("server.1=a:1:1\n{own}");
        if Membership::parse(&alone).is_err() {
            return Err(ImportError::Place { line: *line, key: key.clone() });
        }
        text.push_str(&own);
    }
    let Ok(whole) = Membership::parse(&text) else { return Ok(()) };
    for (id, wanted) in servers.iter_mut() {
        wanted.server.place = whole.place(*id);
    }
    if whole.has_odd_places() {
        forget_places(servers);
        notes.push(Note::OddPlaces);
    }
    Ok(())
}

fn forget_places(servers: &mut BTreeMap<ServerId, WantedServer>) {
    for wanted in servers.values_mut() {
        wanted.server.place = None;
    }
}

/// Gives servers without client part the one of the file.
fn fill_client_parts(
    settings: &Settings,
    servers: &mut BTreeMap<ServerId, WantedServer>,
    notes: &mut Vec<Note>,
) -> Result<(), ImportError> {
    let Some(port) = settings.port("clientPort")? else { return Ok(()) };
    let address =
        settings.value("clientPortAddress").filter(|text| !text.is_empty()).map(Host::new);
    let bare = servers.values_mut().filter(|wanted| wanted.server.client.is_none());
    let mut ids = Vec::new();
    let mut of_one = false;
    for wanted in bare {
        let server = &mut wanted.server;
        let host = match &address {
            Some(host) if host.is_wildcard() || host.is_loopback() => Some(host),
            Some(host) => {
                of_one = true;
                Some(host).filter(|host| server.peers.iter().any(|peer| peer.host == **host))
            }
            None => None,
        };
        server.client = Some(match host {
            Some(host) => ClientAddress { host: host.clone(), port },
            None => ClientAddress::on_all_addresses(port),
        });
        ids.push(server.id);
    }
    if let (true, Some(host)) = (of_one, address) {
        notes.push(Note::ClientAddressOfOne(host));
    }
    if !ids.is_empty() {
        notes.push(Note::ClientPortAssumed { port, ids });
    }
    Ok(())
}

/// Gives every server the secure client port of the file.
fn fill_secure_ports(
    settings: &Settings,
    servers: &mut BTreeMap<ServerId, WantedServer>,
    notes: &mut Vec<Note>,
) -> Result<(), ImportError> {
    let Some(port) = settings.port("secureClientPort")? else { return Ok(()) };
    let bare = servers.values_mut().filter(|wanted| wanted.server.secure_client.is_none());
    let mut ids = Vec::new();
    for wanted in bare {
        wanted.secure_client_port = Some(port);
        ids.push(wanted.server.id);
    }
    if !ids.is_empty() {
        notes.push(Note::SecureClientPortAssumed { port, ids });
    }
    Ok(())
}

#[cfg(test)]
mod tests;

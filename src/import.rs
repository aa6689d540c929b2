//! The spec of an ensemble that exists: from the `zoo.cfg` of its servers, or from one look at it.
//!
//! In: the bytes of the files, or an [`Observation`]. Out: the servers with what is known of them,
//! and notes on everything that was assumed or that a spec cannot say. What ZooKeeper refuses to
//! start with is refused here, in its words ([`ImportRefusal`]). No I/O: callers read the files. Ports are
//! recognised by where they stand, never by their numbers.

mod files;
mod line;
mod note;
mod refusal;
mod settings;
mod zoo_cfg;

use std::collections::{BTreeMap, BTreeSet};

pub use files::from_zoo_cfgs;
pub use note::Note;
pub use refusal::{ImportError, ImportRefusal, Spot};
pub use zoo_cfg::{File, ServerFiles, dynamic_file_name};

use crate::model::{
    Auth, ClientAddress, Connect, Endpoint, Hooks, Host, PeerAddress, Policy, Server, ServerId,
    StandaloneEnabled, Tls, WantedSettings,
};
use crate::observe::{Finding, FindingKind, Observation, ServerObservation};
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
    /// The certificates that it was reached with.
    pub tls: Option<Tls>,
    /// As whom it is changed.
    pub auth: Option<Auth>,
    /// What is known of its servers' `standaloneEnabled`.
    pub standalone_enabled: StandaloneEnabled,
    /// What was assumed, what matters, and what a spec cannot say.
    pub notes: Vec<Note>,
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
        let answered = answered.and_then(|observed| answered_at(server, observed));
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
    let disagreeing = members_that_disagree(observation);
    if !disagreeing.is_empty() {
        notes.push(Note::Disagree(disagreeing));
    }
    if membership.has_odd_places() {
        forget_places(&mut servers);
        notes.push(Note::OddPlaces);
    }
    if observation.reconfig_disabled {
        notes.push(Note::ReconfigDisabled);
    }
    let imported = Imported::of(ensemble, servers, StandaloneEnabled::Unknown, notes);
    let mut seen = BTreeSet::new();
    connect.retain(|at: &Endpoint| !at.host.is_wildcard() && seen.insert(at.clone()));
    // Where no server was asked, the addresses of the configuration have to do.
    if connect.is_empty() { imported } else { Imported { connect, ..imported } }
}

/// Where a server answered with its own id. Where its line does not tell its client port, at its
/// quorum host if it did: a contact may be an address of one of a service's names.
fn answered_at<'a>(server: &Server, observed: &'a ServerObservation) -> Option<&'a Endpoint> {
    let own = observed.own_id.is_some_and(|own| own.value == observed.id);
    let first = observed.endpoint.as_ref().filter(|_| own);
    let mut reached = observed.reached_at.iter().filter(|_| server.client.is_none());
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

/// The members that run with another list of servers than what was imported.
fn members_that_disagree(observation: &Observation) -> Vec<ServerId> {
    let disagrees = |finding: &&Finding| matches!(finding.kind, FindingKind::MemberDisagrees);
    observation.findings.iter().filter(disagrees).filter_map(|finding| finding.server).collect()
}

/// Where clients reach the servers: by plain ports where there are any. A wildcard is no address,
/// and loopback is one only where the others reach the server there, too.
fn contacts(servers: &BTreeMap<ServerId, WantedServer>) -> Vec<Endpoint> {
    let reachable = |wanted: &&WantedServer, at: &Endpoint| {
        let host = &at.host;
        let is_elsewhere = host.is_loopback() && !wanted.server.peer().host.is_loopback();
        host.is_plain() && !host.is_wildcard() && !is_elsewhere
    };
    let by = |tls: bool| {
        let endpoint = move |wanted: &&WantedServer| {
            if tls {
                wanted.endpoint(true).filter(|at| at.tls)
            } else {
                wanted.server.client_endpoint()
            }
        };
        let all = servers
            .values()
            .filter_map(move |wanted| endpoint(&wanted).filter(|at| reachable(&wanted, at)));
        let mut seen = BTreeSet::new();
        all.filter(|at| seen.insert(at.clone())).collect::<Vec<_>>()
    };
    let plain = by(false);
    if plain.is_empty() { by(true) } else { plain }
}

/// A remedy without numbers of lines: the notes that stand above the spec move its lines.
fn without_lines(remedy: &str) -> String {
    let mut parts = remedy.split(" on line ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| text += part.trim_start_matches(|c: char| c.is_ascii_digit()));
    text
}

/// The server that a line of a written spec begins.
fn server_of(line: &str) -> Option<ServerId> {
    let entry = line.trim_start().strip_prefix("- ")?.trim_start_matches('"');
    let (id, end) = match entry.strip_prefix("id: ") {
        Some(id) => (id, id.len()),
        None => entry.strip_prefix("server.").map(|id| (id, id.find('=').unwrap_or(id.len())))?,
    };
    id[..end].parse().ok().map(ServerId::new)
}

fn bare(server: Server, line: usize) -> WantedServer {
    let secure = server.secure_client.as_deref().and_then(|text| text.rsplit(':').next());
    let secure_client_port = secure.and_then(|port| port.parse().ok());
    WantedServer { server, secure_client_port, zone: None, admin: None, line }
}

impl Imported {
    /// Puts an import together: endpoints, and what `zkplan validate` would say of it.
    fn of(
        ensemble: &str,
        servers: BTreeMap<ServerId, WantedServer>,
        standalone_enabled: StandaloneEnabled,
        mut notes: Vec<Note>,
    ) -> Self {
        let unknown: Vec<ServerId> = servers
            .values()
            .filter(|wanted| wanted.server.client.is_none() && wanted.is_without_port())
            .map(|wanted| wanted.server.id)
            .collect();
        if !unknown.is_empty() {
            notes.push(Note::ClientPortUnknown(unknown));
        }
        let odd = servers.keys().copied().filter(|id| !id.is_valid_in_spec()).collect::<Vec<_>>();
        if !odd.is_empty() {
            notes.push(Note::UnwantableIds(odd));
        }
        for Server { id, client, .. } in servers.values().map(|wanted| &wanted.server) {
            let own = servers[id].server.has_own_client_address();
            let client = client.iter().filter(|_| own).map(ToString::to_string);
            notes.extend(client.map(|client| Note::OwnClientAddress { id: *id, client }));
        }
        let connect = contacts(&servers);
        if connect.first().is_some_and(|at| at.tls) {
            notes.push(Note::TlsOnly);
        }
        let mut imported = Self {
            ensemble: ensemble.to_owned(),
            servers,
            connect,
            tls: None,
            auth: None,
            standalone_enabled,
            notes,
        };
        let complaints = imported.complaints();
        imported.notes.extend(complaints);
        imported
    }

    /// What the parser says of the spec, but what a note says already.
    fn complaints(&self) -> Vec<Note> {
        let text = spec::write(&self.to_spec(), &[]);
        let Err(errors) = spec::parse("the spec", &text) else { return Vec::new() };
        let lines: Vec<&str> = text.lines().collect();
        let of_line = |line: usize| {
            let above = lines.iter().take(line).rev();
            above.take_while(|text| text.starts_with(' ')).find_map(|text| server_of(text))
        };
        let unknown = |id: Option<ServerId>| {
            id.and_then(|id| self.servers.get(&id)).is_some_and(WantedServer::is_without_port)
        };
        let complaints = errors.complaints().iter().map(|one| (of_line(one.line), one));
        let fresh =
            complaints.filter(|(id, one)| one.label != spec::NO_CLIENT_PORT || !unknown(*id));
        fresh
            .map(|(id, one)| Note::NotValid {
                id,
                what: one.what.clone(),
                remedy: without_lines(&one.remedy),
            })
            .collect()
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
                tls: self.tls.clone(),
                auth: self.auth.clone(),
                ..Connect::default()
            },
            servers: self.servers.clone(),
            leaving_zones: BTreeMap::new(),
            settings: WantedSettings::default(),
            policy: Policy { standalone_enabled, ..Policy::default() },
            accept: Vec::new(),
            hooks: Hooks::default(),
        }
    }

    /// The text of that spec, with the notes as comments.
    pub fn to_yaml(&self) -> String {
        let mut remarks = vec!["The present ensemble, written by `zkplan import`.".to_owned()];
        remarks.extend(self.notes.iter().map(|note| format!("- {note}")));
        spec::write(&self.to_spec(), &remarks)
    }
}

fn forget_places(servers: &mut BTreeMap<ServerId, WantedServer>) {
    for wanted in servers.values_mut() {
        wanted.server.place = None;
    }
}

#[cfg(test)]
mod tests;

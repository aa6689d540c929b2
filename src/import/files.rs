//! What the files of several servers say together.
//!
//! Each file is its server's own: no other file says which client port it has, and its own line may
//! name no host at all (`0.0.0.0`). How the others reach it is what their files say.

use std::collections::{BTreeMap, BTreeSet};

use super::note::Note;
use super::refusal::{ImportError, Spot};
use super::zoo_cfg::{ServerFiles, ZooCfg};
use super::{Imported, bare, forget_places};
use crate::model::{ClientAddress, Host, Server, ServerId, StandaloneEnabled};
use crate::spec::WantedServer;

/// Reads the files of one or of several servers.
///
/// Of one file it need not be known whose it is: server lines without client part then get the port
/// of the file, since the servers of an ensemble normally use the same one; a note says so.
///
/// # Errors
///
/// What ZooKeeper refuses to start with, and what tells no ensemble.
pub fn from_zoo_cfgs(ensemble: &str, files: &[ServerFiles]) -> Result<Imported, ImportError> {
    let mut notes = Vec::new();
    let mut cfgs = Vec::new();
    for files in files {
        cfgs.push(ZooCfg::read(files, &mut notes)?);
    }
    owners(&cfgs)?;
    let Some(chosen) = chosen(&cfgs, &mut notes) else {
        let at = Spot { file: String::new(), line: None };
        return Err(ImportError::NoServer(at));
    };
    let mut servers = BTreeMap::new();
    for id in chosen.members.keys() {
        let (server, line) = line_of(*id, chosen, &cfgs, &mut notes);
        servers.insert(*id, bare(server, line));
    }
    let is_unknown = |wanted: &&WantedServer| has_wildcard(&wanted.server);
    let unknown: Vec<ServerId> =
        servers.values().filter(is_unknown).map(|wanted| wanted.server.id).collect();
    if !unknown.is_empty() {
        notes.push(Note::HostUnknown(unknown));
    }
    if chosen.has_odd_places {
        forget_places(&mut servers);
        notes.push(Note::OddPlaces);
    }
    fill_own(&cfgs, &mut servers);
    fill_client_parts(&cfgs, &mut servers, &mut notes);
    fill_secure_ports(&cfgs, &mut servers, &mut notes);
    let standalone = say_settings(&cfgs, &servers, &mut notes);
    Ok(Imported::of(ensemble, servers, standalone, notes))
}

/// That it is known whose each of several files is, and that no two are of one server.
fn owners(cfgs: &[ZooCfg]) -> Result<(), ImportError> {
    let mut seen = BTreeSet::new();
    for cfg in cfgs {
        match cfg.id {
            None if cfgs.len() > 1 => return Err(ImportError::WhoseFile(cfg.at.clone())),
            Some(id) if !seen.insert(id) => {
                return Err(ImportError::SameServer { at: cfg.at.clone(), id });
            }
            _ => {}
        }
    }
    Ok(())
}

/// The file whose list of servers is taken: the newest version; at one version the list that most
/// files have, and of those the longest.
fn chosen<'a>(cfgs: &'a [ZooCfg], notes: &mut Vec<Note>) -> Option<&'a ZooCfg> {
    let ids = |cfg: &ZooCfg| cfg.members.keys().copied().collect::<Vec<_>>();
    let alike = |cfg: &ZooCfg| cfgs.iter().filter(|other| ids(other) == ids(cfg)).count();
    let chosen =
        cfgs.iter().rev().max_by_key(|cfg| (cfg.version, alike(cfg), cfg.members.len()))?;
    let owners = |list: &[ServerId]| -> Vec<ServerId> {
        cfgs.iter().filter(|cfg| ids(cfg) == list).filter_map(|cfg| cfg.id).collect()
    };
    let taken = ids(chosen);
    let others: BTreeSet<Vec<ServerId>> =
        cfgs.iter().map(ids).filter(|list| *list != taken).collect();
    notes.extend(others.into_iter().map(|list| Note::MembersDiffer {
        by: owners(&list),
        ids: list,
        taken: owners(&taken),
    }));
    Some(chosen)
}

/// How a server is reached by the others, and its role: what most of their files say, its own
/// counting last and not at all where it says nothing. Its client part is that of its own file.
fn line_of(
    id: ServerId,
    chosen: &ZooCfg,
    cfgs: &[ZooCfg],
    notes: &mut Vec<Note>,
) -> (Server, usize) {
    let line = chosen.members[&id].line;
    let mut said: Vec<(Server, Vec<ServerId>)> = Vec::new();
    let current = cfgs.iter().filter(|cfg| cfg.version == chosen.version);
    for cfg in current.clone() {
        let Some(listed) = cfg.members.get(&id) else { continue };
        let outside =
            Server { client: None, secure_client: None, place: None, ..listed.server.clone() };
        match said.iter_mut().find(|(server, _)| *server == outside) {
            Some((_, by)) => by.extend(cfg.id),
            None => said.push((outside, cfg.id.into_iter().collect())),
        }
    }
    let own = current.clone().find(|cfg| cfg.id == Some(id)).and_then(|cfg| cfg.members.get(&id));
    let rank = |said: &&(Server, Vec<ServerId>)| {
        let (server, by) = *said;
        (!has_wildcard(server), by.iter().filter(|of| **of != id).count(), by.len())
    };
    let Some((best, by)) = said.iter().rev().max_by_key(rank).cloned() else {
        return (chosen.members[&id].server.clone(), line);
    };
    for (other, otherwise) in said.into_iter().filter(|(server, _)| *server != best) {
        let (by, host) = (by.clone(), other.peer().host.clone());
        notes.push(if otherwise == [id] && has_wildcard(&other) {
            Note::OwnWildcard { id, host, by }
        } else {
            Note::LinesDiffer { id, taken: best.value(), by, other: other.value(), otherwise }
        });
    }
    let with_client = own.map_or(&chosen.members[&id].server, |listed| &listed.server);
    let Server { client, secure_client, .. } = with_client.clone();
    let place = chosen.members[&id].server.place;
    (Server { client, secure_client, place, ..best }, line)
}

fn has_wildcard(server: &Server) -> bool {
    server.peers.iter().any(|peer| peer.host.is_wildcard())
}

/// Gives servers whose own files are there the ports of those.
fn fill_own(cfgs: &[ZooCfg], servers: &mut BTreeMap<ServerId, WantedServer>) {
    for cfg in cfgs {
        let Some(wanted) = cfg.id.and_then(|id| servers.get_mut(&id)) else { continue };
        if wanted.server.client.is_none() && wanted.server.secure_client.is_none() {
            wanted.server.client.clone_from(&cfg.client);
        }
        if wanted.server.secure_client.is_none() {
            wanted.secure_client_port = cfg.secure_port;
        }
    }
}

/// Whether a server's own file is among those that were given.
fn has_file(cfgs: &[ZooCfg], id: ServerId) -> bool {
    cfgs.iter().any(|cfg| cfg.id == Some(id))
}

/// What all files have, where they have one and the same.
fn common<T: PartialEq>(values: impl IntoIterator<Item = Option<T>>) -> Option<T> {
    let mut values = values.into_iter();
    let first = values.next()??;
    values.all(|value| value.as_ref() == Some(&first)).then_some(first)
}

/// Gives servers without client part, whose own files are not there, the one of the files.
fn fill_client_parts(
    cfgs: &[ZooCfg],
    servers: &mut BTreeMap<ServerId, WantedServer>,
    notes: &mut Vec<Note>,
) {
    let Some(port) = common(cfgs.iter().map(|cfg| cfg.client.as_ref().map(|at| at.port))) else {
        return;
    };
    let address = common(cfgs.iter().map(|cfg| cfg.client.as_ref().map(|at| at.host.clone())));
    let address = address.unwrap_or_else(|| ClientAddress::on_all_addresses(port).host);
    let is_bare = |wanted: &WantedServer| {
        let server = &wanted.server;
        server.client.is_none() && server.secure_client.is_none() && !has_file(cfgs, server.id)
    };
    // Servers of one host cannot share the port. Where they share the other ports, too, a line was
    // copied.
    let on_host = |host: &Host| {
        let there = servers.values().filter(|wanted| wanted.server.peer().host == *host);
        let by_port = there.map(|wanted| (wanted.server.peer().quorum_port, wanted.server.id));
        by_port.collect::<BTreeMap<_, _>>().into_values().collect::<BTreeSet<_>>()
    };
    let mut crowds: BTreeSet<BTreeSet<ServerId>> = BTreeSet::new();
    for wanted in servers.values().filter(|wanted| is_bare(wanted)) {
        crowds.insert(on_host(&wanted.server.peer().host));
    }
    crowds.retain(|ids| ids.len() > 1 && ids.iter().any(|id| is_bare(&servers[id])));
    let crowded: BTreeSet<ServerId> = crowds.iter().flatten().copied().collect();
    let (mut assumed, mut is_of_one) = (Vec::new(), false);
    for wanted in servers.values_mut().filter(|wanted| is_bare(wanted)) {
        let server = &mut wanted.server;
        if crowded.contains(&server.id) {
            continue;
        }
        let for_all = address.is_wildcard() || address.is_loopback();
        let is_its_own = server.peers.iter().any(|peer| peer.host == address);
        is_of_one |= !for_all && !is_its_own;
        server.client = Some(if for_all || is_its_own {
            ClientAddress { host: address.clone(), port }
        } else {
            ClientAddress::on_all_addresses(port)
        });
        assumed.push(server.id);
    }
    if is_of_one {
        notes.push(Note::ClientAddressOfOne(address));
    }
    notes.extend(
        crowds
            .into_iter()
            .map(|ids| Note::ClientPortOfOne { port, ids: ids.into_iter().collect() }),
    );
    if !assumed.is_empty() {
        notes.push(Note::ClientPortAssumed { port, ids: assumed });
    }
}

/// Gives servers whose own files are not there the secure client port of the files.
fn fill_secure_ports(
    cfgs: &[ZooCfg],
    servers: &mut BTreeMap<ServerId, WantedServer>,
    notes: &mut Vec<Note>,
) {
    let Some(port) = common(cfgs.iter().map(|cfg| cfg.secure_port)) else { return };
    let mut ids = Vec::new();
    for wanted in servers.values_mut() {
        if wanted.server.secure_client.is_none() && !has_file(cfgs, wanted.server.id) {
            wanted.secure_client_port = Some(port);
            ids.push(wanted.server.id);
        }
    }
    if !ids.is_empty() {
        notes.push(Note::SecureClientPortAssumed { port, ids });
    }
}

/// Says what the settings of the files mean for changes.
fn say_settings(
    cfgs: &[ZooCfg],
    servers: &BTreeMap<ServerId, WantedServer>,
    notes: &mut Vec<Note>,
) -> StandaloneEnabled {
    let without: Vec<&ZooCfg> = cfgs.iter().filter(|cfg| !cfg.reconfig_enabled).collect();
    if without.len() == cfgs.len() {
        notes.push(Note::ReconfigDisabled);
    } else if !without.is_empty() {
        notes.push(Note::ReconfigDisabledOn(without.iter().filter_map(|cfg| cfg.id).collect()));
    }
    if !cfgs.iter().any(|cfg| cfg.standalone_enabled) {
        return StandaloneEnabled::False;
    }
    notes.push(match servers.keys().collect::<Vec<_>>().as_slice() {
        [only] => Note::Standalone(**only),
        _ => Note::StandaloneEnabled,
    });
    StandaloneEnabled::True
}

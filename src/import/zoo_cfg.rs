//! One server's `zoo.cfg` with its dynamic file, read and refused as `QuorumPeerConfig.parse` does.

use std::collections::BTreeMap;

use super::line::{self, Fault, Line};
use super::note::Note;
use super::refusal::{ImportError, ImportRefusal, Spot};
use super::settings::{Settings, is_member};
use crate::model::{
    ClientAddress, ConfigVersion, EnsembleConfig, Host, Membership, Property, Server, ServerId,
    trimmed,
};

/// A file: how messages call it, and its bytes.
#[derive(Debug, Clone)]
pub struct File {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// The files of one server.
#[derive(Debug, Clone)]
pub struct ServerFiles {
    /// The server, where it is known.
    pub id: Option<ServerId>,
    /// Its `zoo.cfg`.
    pub zoo_cfg: File,
    /// The dynamic file that it names; see [`dynamic_file_name`].
    pub dynamic: Option<File>,
    /// The name of a `zoo.cfg.dynamic.next` that lies beside it.
    pub next: Option<String>,
}

/// The dynamic file that a `zoo.cfg` names, relative to ZooKeeper's working directory if relative.
pub fn dynamic_file_name(zoo_cfg: &[u8]) -> Option<String> {
    let settings = Settings::read("", zoo_cfg, &mut Vec::new()).ok()?;
    settings.value("dynamicConfigFile").map(str::to_owned)
}

/// What the files of one server say.
#[derive(Debug)]
pub(super) struct ZooCfg {
    /// The server, where it is known.
    pub(super) id: Option<ServerId>,
    /// The static file.
    pub(super) at: Spot,
    /// The servers that it lists.
    pub(super) members: BTreeMap<ServerId, Listed>,
    /// The version of that list; `None` for a static one.
    pub(super) version: Option<ConfigVersion>,
    /// The server's own client address, from `clientPort` and `clientPortAddress`.
    pub(super) client: Option<ClientAddress>,
    /// The server's own `secureClientPort`.
    pub(super) secure_port: Option<u16>,
    /// Whether `reconfigEnabled` is true.
    pub(super) reconfig_enabled: bool,
    /// Whether `standaloneEnabled` is not false.
    pub(super) standalone_enabled: bool,
    /// Whether groups and weights are not just those of voters.
    pub(super) has_odd_places: bool,
}

/// A server and the line of the file that lists it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) server: Server,
    pub(super) line: usize,
}

impl ZooCfg {
    /// Reads the files; what ZooKeeper refuses is an error.
    pub(super) fn read(files: &ServerFiles, notes: &mut Vec<Note>) -> Result<Self, ImportError> {
        let fixed = Settings::read(&files.zoo_cfg.name, &files.zoo_cfg.bytes, notes)?;
        let has_server = !fixed.in_order(|key| key.starts_with("server.")).is_empty();
        if !has_server && fixed.line("dynamicConfigFile").is_none() {
            return Err(ImportError::NoServer(fixed.at(None)));
        }
        fixed.check()?;
        let named = fixed.value("dynamicConfigFile").map(str::to_owned);
        let dynamic = match (&named, &files.dynamic) {
            (None, _) => None,
            (Some(_), Some(file)) => Some(Settings::read(&file.name, &file.bytes, notes)?),
            (Some(name), None) => {
                let at = fixed.at(fixed.line("dynamicConfigFile"));
                return Err(ImportError::DynamicFileNeeded { at, name: name.clone() });
            }
        };
        let lists = dynamic.as_ref().unwrap_or(&fixed);
        check_keys(lists, dynamic.is_some())?;
        let mut members = read_members(lists, notes)?;
        let standalone_enabled = fixed.flag("standaloneEnabled") != Some(false);
        // An oracle counts majorities, whatever stands in the lists (`createQuorumVerifier`).
        let has_oracle = fixed.value("oraclePath").is_some();
        let has_odd_places = !has_oracle && fill_places(lists, &mut members)?;
        check_count(lists, &members, standalone_enabled)?;
        let voters = members.values().filter(|listed| listed.server.votes()).count();
        let cfg = Self {
            id: files.id,
            at: fixed.at(None),
            version: named.and_then(|name| EnsembleConfig::version_of_file(&name)),
            client: own_client(&fixed),
            secure_port: fixed.port("secureClientPort"),
            reconfig_enabled: fixed.flag("reconfigEnabled") == Some(true),
            standalone_enabled,
            has_odd_places,
            members,
        };
        cfg.check_own(lists, notes)?;
        if voters > 1 || !standalone_enabled {
            fixed.check_limits()?;
        }
        notes.extend(files.next.clone().map(Note::NextFile));
        Ok(cfg)
    }

    /// That the server is listed, and that its static client address is the one of its line
    /// (`setupClientPort`). Where it is not known whose file it is, that some server has both.
    fn check_own(&self, lists: &Settings, notes: &mut Vec<Note>) -> Result<(), ImportError> {
        if let Some(id) = self.id
            && !self.members.contains_key(&id)
        {
            return Err(ImportError::NotListed { at: lists.at(None), id });
        }
        let Some(fixed) = &self.client else { return Ok(()) };
        let mine = |listed: &&Listed| self.id.is_none_or(|id| listed.server.id == id);
        let listed: Vec<&Listed> = self.members.values().filter(mine).collect();
        let wrong: Vec<(&Listed, ImportRefusal)> = listed
            .iter()
            .filter_map(|listed| Some((*listed, differs(fixed, &listed.server)?)))
            .collect();
        match wrong.into_iter().collect::<Vec<_>>().as_slice() {
            [(first, why), ..]
                if listed.iter().all(|one| differs(fixed, &one.server).is_some()) =>
            {
                Err(ImportError::Refused { at: lists.at(Some(first.line)), why: why.clone() })
            }
            some => {
                let on = |(listed, why): &(&Listed, ImportRefusal)| Note::NotOn {
                    id: listed.server.id,
                    why: why.clone(),
                };
                notes.extend(some.iter().map(on));
                Ok(())
            }
        }
    }
}

/// Whether ZooKeeper refuses the static client address beside that of the line. Names are not
/// resolved: that they differ is not known.
fn differs(fixed: &ClientAddress, server: &Server) -> Option<ImportRefusal> {
    let dynamic = server.client.as_ref()?;
    let both_literal = fixed.host.literal().is_some() && dynamic.host.literal().is_some();
    let other_host = !fixed.host.is_wildcard() && both_literal && fixed.host != dynamic.host;
    (fixed.port != dynamic.port || other_host).then(|| ImportRefusal::ClientAddress {
        id: server.id,
        fixed: fixed.to_string(),
        dynamic: dynamic.to_string(),
    })
}

/// The client address of the static file. An empty `clientPortAddress` is the loopback address
/// (`InetAddress.getByName`).
fn own_client(fixed: &Settings) -> Option<ClientAddress> {
    let port = fixed.port("clientPort")?;
    Some(match fixed.value("clientPortAddress") {
        None => ClientAddress::on_all_addresses(port),
        Some("") => ClientAddress { host: Host::new("127.0.0.1"), port },
        Some(host) => ClientAddress { host: Host::new(host), port },
    })
}

fn refused(lists: &Settings, line: Option<usize>, why: ImportRefusal) -> ImportError {
    ImportError::Refused { at: lists.at(line), why }
}

/// That a dynamic file holds members alone; a static one may hold a version, in hex.
fn check_keys(lists: &Settings, is_dynamic: bool) -> Result<(), ImportError> {
    if let (true, Some(line)) = (is_dynamic, lists.line("version")) {
        return Err(refused(lists, Some(line), ImportRefusal::VersionInside));
    }
    if is_dynamic {
        let unknown = lists.in_order(|key| !is_member(trimmed(key)));
        return match unknown.first() {
            None => Ok(()),
            Some(property) => {
                let why = ImportRefusal::UnknownParameter(trimmed(&property.key).to_owned());
                Err(refused(lists, Some(property.line), why))
            }
        };
    }
    match lists.in_order(|key| key == "version").first() {
        Some(property) if i64::from_str_radix(&property.value, 16).is_err() => {
            let why = ImportRefusal::NotANumber(property.value.clone());
            Err(refused(lists, Some(property.line), why))
        }
        _ => Ok(()),
    }
}

fn read_members(
    lists: &Settings,
    notes: &mut Vec<Note>,
) -> Result<BTreeMap<ServerId, Listed>, ImportError> {
    let mut members: BTreeMap<ServerId, Listed> = BTreeMap::new();
    for Property { key, value, line } in lists.in_order(|key| key.starts_with("server.")) {
        let at = || lists.at(Some(*line));
        let id = ServerId::new(number(lists, key, *line)?);
        let read = line::read(id, value).map_err(|fault| match fault {
            Fault::Refused(why) => ImportError::Refused { at: at(), why },
            Fault::NoPlace(what) => ImportError::Line { at: at(), id, what },
        })?;
        let Line { server, needs_flag, needs_3_10 } = read;
        if needs_flag {
            notes.push(Note::NeedsFlag { at: at(), id });
        }
        if needs_3_10 {
            notes.push(Note::Needs310 { at: at(), id });
        }
        if let Some(first) = members.insert(id, Listed { server, line: *line }) {
            let key = key.clone();
            return Err(ImportError::TwoSpellings { again: at(), key, first: first.line, id });
        }
    }
    Ok(members)
}

/// The number behind the first dot of a key.
fn number(lists: &Settings, key: &str, line: usize) -> Result<i64, ImportError> {
    let text = key.split_once('.').map_or(key, |(_, number)| number);
    text.parse().map_err(|_| refused(lists, Some(line), ImportRefusal::NotANumber(text.to_owned())))
}

/// Gives voters the group and the weight that lines of their own say (`QuorumHierarchical.parse`);
/// says whether there is more in them than that.
fn fill_places(
    lists: &Settings,
    members: &mut BTreeMap<ServerId, Listed>,
) -> Result<bool, ImportError> {
    let said: Vec<&Property> =
        lists.members().into_iter().filter(|p| !p.key.starts_with("server.")).collect();
    if said.is_empty() {
        return Ok(false);
    }
    let mut grouped: BTreeMap<ServerId, usize> = BTreeMap::new();
    let mut groups: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    let mut weights: BTreeMap<ServerId, i64> = BTreeMap::new();
    for Property { key, value, line } in &said {
        let refuse = |why| refused(lists, Some(*line), why);
        let to_number = |text: &str| {
            text.parse::<i64>().map_err(|_| refuse(ImportRefusal::NotANumber(text.to_owned())))
        };
        let owner = number(lists, key, *line)?;
        if key.starts_with("weight") {
            weights.insert(ServerId::new(owner), to_number(value)?);
            continue;
        }
        let ids = value.trim_end_matches(':').split(':').map(to_number);
        let ids = ids.collect::<Result<Vec<i64>, ImportError>>()?;
        for id in ids.iter().copied().map(ServerId::new) {
            if grouped.insert(id, *line).is_some() {
                return Err(refuse(ImportRefusal::ManyGroups(id)));
            }
        }
        groups.entry(owner).or_default().extend(ids.iter().map(ToString::to_string));
    }
    let votes = |id: &ServerId| members.get(id).is_some_and(|listed| listed.server.votes());
    let last = said.last().map(|property| property.line);
    if let Some(id) = members.keys().find(|id| votes(id) && !grouped.contains_key(*id)) {
        return Err(refused(lists, last, ImportRefusal::NoGroup(*id)));
    }
    if let Some((id, line)) =
        grouped.iter().find(|(id, _)| !votes(id) && !weights.contains_key(*id))
    {
        return Err(refused(lists, Some(*line), ImportRefusal::NoWeight(*id)));
    }
    let servers = members.values().map(|listed| format!("{}\n", listed.server));
    let groups = groups.iter().map(|(group, ids)| format!("group.{group}={}\n", ids.join(":")));
    let weights = weights.iter().map(|(id, weight)| format!("weight.{id}={weight}\n"));
    let text: String = servers.chain(groups).chain(weights).collect();
    let Ok(whole) = Membership::parse(&text) else { return Ok(true) };
    let is_odd = whole.has_odd_places();
    for (id, listed) in members.iter_mut().filter(|_| !is_odd) {
        listed.server.place = whole.place(*id);
    }
    Ok(is_odd)
}

/// How many voters ZooKeeper wants to see (`parseDynamicConfig`).
fn check_count(
    lists: &Settings,
    members: &BTreeMap<ServerId, Listed>,
    standalone_enabled: bool,
) -> Result<(), ImportError> {
    let at = || lists.at(None);
    if members.is_empty() {
        return Err(ImportError::EmptyDynamicFile(at()));
    }
    let voters = members.values().filter(|listed| listed.server.votes()).count();
    let why = match (voters, standalone_enabled) {
        (0, false) => ImportRefusal::NoParticipant,
        (0, true) => ImportRefusal::OnlyObservers,
        (1, true) if members.len() > 1 => ImportRefusal::ObserversOfOne,
        _ => return Ok(()),
    };
    Err(ImportError::Refused { at: at(), why })
}

//! What one look at an ensemble holds.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{DataProof, Finding};
use crate::ensemble::{Knock, Mode, ServerVersion, Silence};
use crate::model::{Endpoint, EnsembleConfig, ServerId, Zxid};
use crate::trust::FolderSeen;

/// One look at an ensemble, already somewhat in the past.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The one configuration of the ensemble.
    pub config: EnsembleConfig,
    /// Which ensemble it is.
    pub identity: Identity,
    /// What stands where zkplan keeps its state.
    pub folder: FolderSeen,
    /// Who leads; unknown where the configuration came from a file.
    pub leader: Option<ServerId>,
    /// The leader's last zxid.
    pub leader_zxid: Option<Zxid>,
    /// Every member and every wanted server.
    pub servers: BTreeMap<ServerId, ServerSight>,
    /// What was asked beside them, and answered as somebody who is neither member nor wanted.
    pub strangers: Vec<ServerSight>,
    /// Contacts that gave no answer, and are not known to be the address of any server above.
    pub silent_contacts: Vec<Tried>,
    /// Contacts that are known to be no member and no wanted server: another server answers there, or
    /// nothing does while every member is seen elsewhere.
    pub elsewhere: Vec<Endpoint>,
    /// Addresses that were asked in the place of a contact whose name several servers share, with that
    /// contact.
    pub shared_names: BTreeMap<Endpoint, Endpoint>,
    /// What answers where the spec wants each server, which need not be where it is now.
    pub wanted_at: BTreeMap<ServerId, WantedSight>,
    /// What each host of the configuration and of the spec resolves to, by its canonical spelling;
    /// addresses as text, sorted; none where a name leads nowhere.
    pub resolved: BTreeMap<String, Vec<String>>,
    /// Whether a committed write was seen.
    pub write_committed: bool,
    /// Whether some member runs with `reconfigEnabled=false`.
    pub reconfig_disabled: bool,
    /// Things worth knowing, in canonical order.
    pub findings: Vec<Finding>,
    /// Whether nobody was asked and everybody is assumed to answer (`--live FILE`).
    pub assumed: bool,
}

impl Observation {
    /// How far the leader has come by all that was seen: it was asked first, and what a server has
    /// applied that follows it, it has proposed.
    pub fn leader_reached(&self) -> Option<Zxid> {
        let told = self.leader_zxid?;
        let follows = |sight: &&ServerSight| {
            sight.standing.is_healthy() || sight.standing == Standing::ConfigNotInForce
        };
        let reached = self.servers.values().filter(follows).filter_map(|sight| sight.zxid);
        reached.filter(|zxid| zxid.epoch() == told.epoch()).chain([told]).max()
    }

    /// The members that were seen to run with `reconfigEnabled=false`: their configuration is of
    /// version 0 for ever.
    pub fn reconfig_disabled_on(&self) -> BTreeSet<ServerId> {
        let is_disabled = |sight: &&ServerSight| {
            let config = sight.config.as_ref();
            self.config.membership.contains(sight.id)
                && config.is_some_and(|told| told.value.version.is_zero())
        };
        self.servers.values().filter(is_disabled).map(|sight| sight.id).collect()
    }
}

/// Which ensemble it is: the content of `/zkplan/id`, made at the first apply.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// No apply has ever run on it.
    NoneYet,
    /// The identity that the first apply gave it.
    Known(String),
}

/// A fact with the best source that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told<T> {
    /// The fact.
    pub value: T,
    /// Who said so.
    pub source: Source,
}

/// Who said so, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The four-letter word `conf`.
    Conf,
    /// The four-letter word `srvr`.
    Srvr,
    /// The four-letter word `mntr`.
    Mntr,
    /// The four-letter word `cons`.
    Cons,
    /// The AdminServer.
    AdminServer,
    /// A session on that very server.
    Session,
}

/// What one server showed.
#[derive(Debug, Clone)]
pub struct ServerSight {
    /// The id it goes by in the configuration or in the spec.
    pub id: ServerId,
    /// Where it was asked; `None` where no client address is known.
    pub endpoint: Option<Endpoint>,
    /// Every address at which it was seen to lead, follow or observe this ensemble under its own
    /// id; those with TLS first.
    pub reached_at: Vec<Endpoint>,
    /// What follows from its answers.
    pub standing: Standing,
    /// The id that it gives itself.
    pub own_id: Option<Told<ServerId>>,
    /// Its software.
    pub version: Option<ServerVersion>,
    /// What it says it does.
    pub mode: Option<Mode>,
    /// Its last zxid.
    pub zxid: Option<Zxid>,
    /// The configuration it runs with.
    pub config: Option<Told<EnsembleConfig>>,
    /// Clients connected to it, zkplan's own left out.
    pub clients: Option<Told<Clients>>,
    /// Figures of its data.
    pub data: DataFigures,
    /// Whether somebody listens on its quorum port.
    pub quorum_port: Option<Knock>,
    /// Whether somebody listens on its election port.
    pub election_port: Option<Knock>,
    /// Its own quorum and election ports, where it tells them; several of each where it has several
    /// addresses.
    pub own_ports: Option<OwnPorts>,
    /// How often it tries to bind its election port, a second apart, where its `AdminServer` tells
    /// (`zookeeper.electionPortBindRetry`); 0 is for ever.
    pub bind_tries: Option<u64>,
    /// The addresses its host resolves to, as text, sorted.
    pub addresses: Vec<String>,
    /// Its tick in milliseconds.
    pub tick_ms: Option<u64>,
    /// How many connections it takes from one address, where it tells (`maxClientCnxns`); 0 is any
    /// number.
    pub max_client_connections: Option<u32>,
    /// Whether it was seen to close a second connection of ours at once while it took one.
    pub takes_one_connection: bool,
}

impl ServerSight {
    /// A server of which nothing is known but what follows from that.
    pub(crate) fn blank(id: ServerId, standing: Standing) -> Self {
        Self {
            id,
            endpoint: None,
            reached_at: Vec::new(),
            standing,
            own_id: None,
            version: None,
            mode: None,
            zxid: None,
            config: None,
            clients: None,
            data: DataFigures::default(),
            quorum_port: None,
            election_port: None,
            own_ports: None,
            bind_tries: None,
            addresses: Vec::new(),
            tick_ms: None,
            max_client_connections: None,
            takes_one_connection: false,
        }
    }
}

/// The ports that a server itself listens on for others (`conf`).
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct OwnPorts {
    /// For what the leader tells its followers; only the leader listens.
    pub quorum: Vec<u16>,
    /// For votes.
    pub election: Vec<u16>,
}

/// What answers at the client address at which a spec wants a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedSight {
    /// That address.
    pub endpoint: Endpoint,
    /// Why nothing is known of it; `None` where something is.
    pub silence: Option<Silence>,
    /// The id that it gives itself.
    pub own_id: Option<ServerId>,
    /// What it says it does.
    pub mode: Option<Mode>,
    /// Its own plain client port.
    pub plain_port: PlainPort,
}

/// The client port without TLS that a server itself has (`conf`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PlainPort {
    /// It does not tell.
    #[default]
    Unknown,
    /// It has none: clients reach it in TLS alone.
    Nowhere,
    /// It is this one.
    At(u16),
}

/// How many clients are on a server, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clients {
    /// How many connections.
    pub count: u64,
    /// Their addresses, where the source names them.
    pub addresses: Vec<String>,
}

/// What a server says of its data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataFigures {
    /// Number of znodes.
    pub znodes: Option<u64>,
    /// Approximate size in bytes.
    pub bytes: Option<u64>,
    /// What it tells of the digests of its data.
    pub digests: Digests,
    /// Digest mismatches that the server has counted.
    pub digest_mismatches: Option<u64>,
    /// Whether it was seen to keep sessions that it alone knows (`localSessionsEnabled`).
    pub has_local_sessions: bool,
    /// What comparing its digests with the leader's gave; `None` where one of both lists none, where
    /// they run different releases, and for the leader itself.
    pub compared: Option<DataProof>,
}

/// What a server tells of the digests of its data (`HashCommand`, `DataTree.ZxidDigest`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Digests {
    /// It was not asked, or it gave no answer from which anything follows.
    #[default]
    Unknown,
    /// It gives none that could be compared.
    Lacking(NoDigests),
    /// Those that it lists, by zxid. It may list none yet: one is made every 128 zxids.
    Listed(BTreeMap<Zxid, u64>),
}

/// Why a server gives no digests of its data.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum NoDigests {
    /// Its release is older than 3.6, which has the first: it closes the connection at the word
    /// `hash`.
    OldRelease,
    /// The word `hash` is not in its `4lw.commands.whitelist`.
    NotAllowed,
    /// It lists zeros (`zookeeper.digest.enabled=false`).
    SwitchedOff,
    /// It answers `hash` with nothing, and does not tell its release.
    NoAnswer,
}

/// What follows from a server's answers; only the first four count as healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The one leader, in broadcast.
    Leading,
    /// A member with a vote that follows, with the ensemble's configuration and up to date.
    Following,
    /// A member without a vote that observes, up to date.
    Observing,
    /// No member, but it follows: a joiner that can be named.
    FollowingWithoutVote,
    /// It follows, but has not reached the zxid that the leader had before.
    Behind,
    /// It serves with another configuration than the ensemble's, or in another role than that gives
    /// it.
    OtherConfiguration,
    /// Its znode holds the ensemble's configuration, and an older one is in force: a reconfig that
    /// commits between NEWLEADER and UPTODATE is not activated on the learner
    /// (`Learner.syncWithLeader`). The next reconfig heals it.
    ConfigNotInForce,
    /// It answers with another id than its own.
    AnswersAs(ServerId),
    /// It does not say which id it has, so that it cannot be counted.
    IdUnknown,
    /// It runs standalone.
    Standalone,
    /// It serves reads only.
    ReadOnly,
    /// It runs and serves nobody.
    NotServing,
    /// It gave no answer, or none to the question that would have told who it is.
    Silent(Silence),
    /// No client address of it is known.
    NotAsked,
    /// Nobody was asked; it is assumed to do what its role says.
    Assumed,
}

impl Standing {
    /// Whether it is one of the first four: a server of this ensemble, in sync.
    pub const fn is_healthy(&self) -> bool {
        match self {
            Self::Leading | Self::Following | Self::Observing | Self::FollowingWithoutVote => true,
            Self::Behind
            | Self::ConfigNotInForce
            | Self::OtherConfiguration
            | Self::AnswersAs(_)
            | Self::IdUnknown
            | Self::Standalone
            | Self::ReadOnly
            | Self::NotServing
            | Self::Silent(_)
            | Self::NotAsked
            | Self::Assumed => false,
        }
    }
}

/// Why there is no ensemble to plan for.
#[derive(Debug, Clone, Error)]
pub enum ObserveError {
    /// Nobody answered.
    #[error("no server answered")]
    Unreachable {
        /// Everything that was tried.
        tried: Vec<Tried>,
    },
    /// Somebody answered, but no quorum serves.
    #[error("servers answer, but they have no leader")]
    NoQuorum {
        /// Everything that was tried.
        tried: Vec<Tried>,
        /// Where no voter is: there a joiner or an observer is meant.
        voteless: Vec<Endpoint>,
        /// Where the spec alone wants a server, and no configuration tells whether that is a voter
        /// or a joiner.
        unclear: Vec<Endpoint>,
    },
    /// There is a leader, but no write commits.
    #[error("server {leader} leads, but no write commits")]
    NoCommit {
        /// Who says that it leads.
        leader: ServerId,
        /// Where it was asked.
        endpoint: Endpoint,
        /// Everything that was tried in vain, sessions included.
        tried: Vec<Tried>,
    },
    /// Servers take no session without authentication, and what zkplan may show them was not enough.
    #[error("the server at `{endpoint}` enforces authentication")]
    NeedsAuth {
        /// Its id, where it is known.
        server: Option<ServerId>,
        /// Where it was asked.
        endpoint: Endpoint,
        /// What was wanting.
        why: Silence,
        /// Everything that was tried in vain, sessions included.
        tried: Vec<Tried>,
    },
    /// A server's release has no dynamic reconfiguration, which came with 3.5.0.
    #[error("the server at `{endpoint}` runs ZooKeeper {version}")]
    TooOld {
        /// Where it was asked.
        endpoint: Endpoint,
        /// What it runs.
        version: ServerVersion,
    },
    /// The ensemble is one standalone server.
    #[error("the server at `{endpoint}` runs standalone")]
    Standalone {
        /// Where it was asked.
        endpoint: Endpoint,
    },
    /// Servers of two histories answered.
    #[error("servers of two different ensembles answered{}", by_run(retired.as_deref()))]
    TwoHistories {
        /// One, and the other.
        histories: Box<[History; 2]>,
        /// The run that has retired the members of one, where a proven one is known. It decides
        /// nothing.
        retired: Option<Box<RetiredBy>>,
    },
    /// A server that the spec wants still runs an ensemble of its own: the target before the merge.
    #[error("{}", target_runs(target))]
    TargetRuns {
        /// The ensemble that is present.
        present: Box<History>,
        /// The one of the wanted server.
        target: Box<TargetEnsemble>,
    },
    /// The configuration znode cannot be read.
    #[error("the configuration of the server at `{endpoint}` cannot be read: {cause}")]
    UnreadableConfig {
        /// Where it was read.
        endpoint: Endpoint,
        /// What is wrong with it.
        cause: crate::model::ConfigParseError,
    },
}

fn target_runs(target: &TargetEnsemble) -> String {
    let named: Vec<String> =
        target.wanted.iter().map(|(id, at)| format!("server {id} at {at}")).collect();
    format!("another ensemble runs on {}", named.join(", "))
}

/// An ensemble that runs where a spec wants servers to join another one.
#[derive(Debug, Clone)]
pub struct TargetEnsemble {
    /// What is known of it.
    pub history: History,
    /// The wanted servers that are part of it, and where.
    pub wanted: Vec<(ServerId, Endpoint)>,
    /// How many znodes it has, where that is known.
    pub znodes: Option<u64>,
    /// How many clients are connected to those of it that answered; `None` where one of them does not
    /// tell.
    pub clients: Option<u64>,
}

/// Something that was tried, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Where.
    pub endpoint: Endpoint,
    /// What came of it.
    pub silence: Silence,
}

/// One of two histories.
#[derive(Debug, Clone)]
pub struct History {
    /// Who leads it, and where it was asked.
    pub leader: Option<(Option<ServerId>, Endpoint)>,
    /// Its configuration.
    pub config: EnsembleConfig,
    /// Its highest zxid.
    pub zxid: Option<Zxid>,
    /// Who answered from it.
    pub answered: Vec<Endpoint>,
    /// Whether a write committed in it.
    pub commits: bool,
    /// The identity that the first apply gave it; `None` where it could not be read.
    pub identity: Option<Identity>,
}

/// A proven run of an earlier apply that has retired members of one of two histories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredBy {
    /// Its number.
    pub run: u64,
    /// Whether it has done everything; else it is open or was abandoned.
    pub is_closed: bool,
    /// When its last entry was written, as the clock of that host had it.
    pub last_entry: String,
    /// Which of the two histories has the members that it retired.
    pub side: usize,
    /// Those members.
    pub from: BTreeSet<ServerId>,
    /// The servers that it moved the ensemble to; empty where its plan could not be read.
    pub to: BTreeSet<ServerId>,
}

fn by_run(retired: Option<&RetiredBy>) -> String {
    retired
        .map_or_else(String::new, |by| format!("; run {} retired members of one of them", by.run))
}

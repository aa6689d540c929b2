//! The content of an observation.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{DataProof, Finding, ObservedSettings};
use crate::ensemble::{Mode, NoAnswer, PortState, ServerVersion};
use crate::model::{Endpoint, EnsembleConfig, ServerId, Zxid};
use crate::trust::FolderSeen;

/// One observation of an ensemble. It is already slightly old.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The one configuration of the ensemble.
    pub config: EnsembleConfig,
    /// Which ensemble it is.
    pub identity: Identity,
    /// The state that zkplan keeps in the ensemble.
    pub folder: FolderSeen,
    /// The leader. Unknown if the configuration came from a file.
    pub leader: Option<ServerId>,
    /// The leader's last zxid.
    pub leader_zxid: Option<Zxid>,
    /// Every member and every wanted server.
    pub servers: BTreeMap<ServerId, ServerObservation>,
    /// Other servers that were asked and are neither members nor wanted.
    pub strangers: Vec<ServerObservation>,
    /// Contacts that did not answer and are not known to be the address of any server above.
    pub silent_contacts: Vec<Tried>,
    /// Contacts that are neither members nor wanted servers: another server answers there, or none
    /// does while every member is observed elsewhere.
    pub elsewhere: Vec<Endpoint>,
    /// Addresses that were asked instead of a contact whose name several servers share, with that
    /// contact.
    pub shared_names: BTreeMap<Endpoint, Endpoint>,
    /// The answers at the address at which the spec wants each server. That may differ from its
    /// present address.
    pub wanted_at: BTreeMap<ServerId, TargetProbe>,
    /// The addresses of each host of the configuration and of the spec, by its canonical spelling;
    /// as text, sorted. Empty if a name does not resolve.
    pub resolved: BTreeMap<String, Vec<String>>,
    /// Whether a committed write was seen.
    pub write_committed: bool,
    /// Whether some member runs with `reconfigEnabled=false`.
    pub reconfig_disabled: bool,
    /// Things worth knowing, in canonical order.
    pub findings: Vec<Finding>,
    /// Whether no server was asked and every member is assumed to be up (`--live FILE`).
    pub assumed: bool,
}

impl Observation {
    /// The highest zxid of the leader that follows from all answers. The leader is asked first, and
    /// everything that a follower has applied was proposed by the leader.
    pub fn leader_reached(&self) -> Option<Zxid> {
        let own = self.leader_zxid?;
        let follows = |observed: &&ServerObservation| {
            observed.status.is_healthy() || observed.status == ServerStatus::ConfigNotInForce
        };
        let reached = self.servers.values().filter(follows).filter_map(|observed| observed.zxid);
        reached.filter(|zxid| zxid.epoch() == own.epoch()).chain([own]).max()
    }

    /// How far a server's data are behind the leader's. `None` if one of both zxids is unknown.
    pub fn lag(&self, observed: &ServerObservation) -> Option<Lag> {
        let (own, leader) = (observed.zxid?, self.leader_zxid?);
        Some(if own >= leader {
            Lag::Transactions(0)
        } else if own.epoch() == leader.epoch() {
            Lag::Transactions(leader.get() - own.get())
        } else {
            Lag::EarlierEpoch
        })
    }

    /// The members that run with `reconfigEnabled=false`, as far as that shows: their configuration
    /// always has version 0. While the leader has it off, so has that of every other server, whatever
    /// its own file says.
    pub fn reconfig_disabled_on(&self) -> BTreeSet<ServerId> {
        let is_disabled = |observed: &&ServerObservation| {
            let config = observed.config.as_ref();
            self.config.membership.contains(observed.id)
                && config.is_some_and(|own| own.value.version.is_zero())
        };
        let disabled: BTreeSet<ServerId> =
            self.servers.values().filter(is_disabled).map(|observed| observed.id).collect();
        match self.leader {
            Some(leader) if disabled.contains(&leader) => [leader].into(),
            _ => disabled,
        }
    }
}

/// How far a server is behind the leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    /// This many transactions.
    Transactions(u64),
    /// Its last transaction is of an earlier epoch: how many it lacks is unknown.
    EarlierEpoch,
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
pub struct Sourced<T> {
    /// The fact.
    pub value: T,
    /// The source of the value.
    pub source: Source,
}

/// The source of a value, best first.
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
    /// A four-letter word that was sent to see whether it is answered.
    Word,
}

/// The observation of one server.
#[derive(Debug, Clone)]
pub struct ServerObservation {
    /// The id it goes by in the configuration or in the spec.
    pub id: ServerId,
    /// Where it was asked. `None` if no client address is known.
    pub endpoint: Option<Endpoint>,
    /// Every address at which it was observed to lead, follow or observe this ensemble under its
    /// own id; those with TLS first.
    pub reached_at: Vec<Endpoint>,
    /// The status that follows from its answers.
    pub status: ServerStatus,
    /// The id that it gives itself.
    pub own_id: Option<Sourced<ServerId>>,
    /// Its software.
    pub version: Option<ServerVersion>,
    /// The state that it reports.
    pub mode: Option<Mode>,
    /// Its last zxid.
    pub zxid: Option<Zxid>,
    /// The configuration it runs with.
    pub config: Option<Sourced<EnsembleConfig>>,
    /// Clients connected to it, zkplan's own left out.
    pub clients: Option<Sourced<Clients>>,
    /// Figures of its data.
    pub data: DataFigures,
    /// Whether its quorum port listens.
    pub quorum_port: Option<PortState>,
    /// Whether its election port listens.
    pub election_port: Option<PortState>,
    /// Its own quorum and election ports, if it reports them; several of each if it has several
    /// addresses.
    pub own_ports: Option<OwnPorts>,
    /// How often it tries to bind its election port, a second apart, if its `AdminServer` reports
    /// that (`zookeeper.electionPortBindRetry`). 0 means without end.
    pub bind_tries: Option<u64>,
    /// The addresses its host resolves to, as text, sorted.
    pub addresses: Vec<String>,
    /// Its tick in milliseconds.
    pub tick_ms: Option<u64>,
    /// Ticks that it gives a learner to get its data (`initLimit`).
    pub init_limit: Option<u64>,
    /// How many connections it accepts from one address, if it reports that (`maxClientCnxns`). 0
    /// means any number.
    pub max_client_connections: Option<u32>,
    /// Whether it once closed a second connection of ours at once while it accepted one.
    pub takes_one_connection: bool,
    /// Its settings, as far as they were asked for.
    pub settings: ObservedSettings,
}

impl ServerObservation {
    /// A server of which only the status is known.
    pub fn blank(id: ServerId, status: ServerStatus) -> Self {
        Self {
            id,
            endpoint: None,
            reached_at: Vec::new(),
            status,
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
            init_limit: None,
            max_client_connections: None,
            takes_one_connection: false,
            settings: ObservedSettings::default(),
        }
    }
}

/// The ports that a server itself listens on for others (`conf`).
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct OwnPorts {
    /// The ports for followers. Only the leader listens on them.
    pub quorum: Vec<u16>,
    /// For votes.
    pub election: Vec<u16>,
}

/// The answers at the client address at which a spec wants a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetProbe {
    /// That address.
    pub endpoint: Endpoint,
    /// Why nothing is known of it; `None` where something is.
    pub silence: Option<NoAnswer>,
    /// The id that it gives itself.
    pub own_id: Option<ServerId>,
    /// The state that it reports.
    pub mode: Option<Mode>,
    /// Its own plain client port.
    pub plain_port: PlainPort,
}

/// The client port without TLS that a server itself has (`conf`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PlainPort {
    /// It does not report one.
    #[default]
    Unknown,
    /// It has none: clients reach it only in TLS.
    Nowhere,
    /// It is this one.
    At(u16),
}

/// The clients on a server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clients {
    /// How many connections.
    pub count: u64,
    /// Their sessions, where the source has more than the number.
    pub sessions: Vec<ClientSession>,
}

/// A client's session, and the connection that it has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientSession {
    /// The client's address, `address:port`.
    pub from: String,
    /// The session's id.
    pub id: u64,
    /// Its time-out in milliseconds, where the server reports it.
    pub timeout_ms: Option<u64>,
    /// Its ephemeral znodes, where the server lists them (`dump`).
    pub owns: Vec<String>,
}

impl Clients {
    /// This number, of which no more is known.
    pub const fn counted(count: u64) -> Self {
        Self { count, sessions: Vec::new() }
    }

    /// The clients that have these sessions.
    pub fn of(mut sessions: Vec<ClientSession>) -> Self {
        sessions.sort_unstable();
        Self { count: sessions.len() as u64, sessions }
    }
}

impl ClientSession {
    /// The client's address without its port.
    pub fn host(&self) -> Option<IpAddr> {
        let (host, _) = self.from.rsplit_once(':')?;
        host.trim_matches(['[', ']']).parse().ok()
    }
}

/// The figures that a server reports about its data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataFigures {
    /// Number of znodes.
    pub znodes: Option<u64>,
    /// Approximate size in bytes.
    pub bytes: Option<u64>,
    /// The longest time that writing a snapshot took it since it was started, in milliseconds. 0 if
    /// it has written none.
    pub snapshot_ms: Option<u64>,
    /// Why it did not answer `mntr`, where it was asked.
    pub no_mntr: Option<NoAnswer>,
    /// The digests that it reports.
    pub digests: Digests,
    /// Digest mismatches that the server has counted.
    pub digest_mismatches: Option<u64>,
    /// Whether it was observed to keep local sessions (`localSessionsEnabled`).
    pub has_local_sessions: bool,
    /// The result of comparing its digests with the leader's. `None` if one of the two lists none,
    /// if they run different releases, and for the leader itself.
    pub compared: Option<DataProof>,
}

/// The digests that a server reports (`HashCommand`, `DataTree.ZxidDigest`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Digests {
    /// It was not asked, or its answer was inconclusive.
    #[default]
    Unknown,
    /// It gives none that could be compared.
    Lacking(NoDigests),
    /// The listed digests by zxid. The list may still be empty: one is made every 128 zxids.
    Listed(BTreeMap<Zxid, u64>),
}

/// Why a server gives no digests of its data.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum NoDigests {
    /// Its release is older than 3.6, the first with digests: it closes the connection at the word
    /// `hash`.
    OldRelease,
    /// The word `hash` is not in its `4lw.commands.whitelist`.
    NotAllowed,
    /// It lists zeros (`zookeeper.digest.enabled=false`).
    SwitchedOff,
    /// Its answer to `hash` is empty, and it does not report its release.
    NoAnswer,
}

/// The status that follows from a server's answers. Only the first four are healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerStatus {
    /// The one leader, in broadcast.
    Leading,
    /// A member with a vote that follows, up to date, with the ensemble's configuration.
    Following,
    /// A member without a vote that observes, up to date.
    Observing,
    /// No member, but it follows: a joiner that can be named.
    FollowingWithoutVote,
    /// It follows, but has not reached the zxid that the leader had before.
    Behind,
    /// It serves with another configuration than the ensemble's, or in another role than its
    /// configured one.
    OtherConfiguration,
    /// A member that follows, up to date, with the server lines of its own file: it runs with
    /// `reconfigEnabled=false` under a leader that runs with `true`. It acknowledges writes, and no
    /// reconfig changes its configuration, which stays at version 0
    /// (`QuorumPeer.processReconfig`).
    OwnFile,
    /// Its znode holds the ensemble's configuration, but an older one is in force: a learner does
    /// not activate a reconfig that commits between NEWLEADER and UPTODATE
    /// (`Learner.syncWithLeader`). The next reconfig repairs it.
    ConfigNotInForce,
    /// It answers with another server's id.
    AnswersAs(ServerId),
    /// It does not report its id, so it cannot be counted.
    IdUnknown,
    /// It runs standalone.
    Standalone,
    /// It serves reads only.
    ReadOnly,
    /// It runs, but does not serve.
    NotServing,
    /// It did not answer, or not to the question that would have identified it.
    Silent(NoAnswer),
    /// No client address of it is known.
    NotAsked,
    /// It was not asked. It is assumed to be up in its role.
    Assumed,
}

impl ServerStatus {
    /// Whether it is one of the first four: a server of this ensemble, in sync.
    pub const fn is_healthy(&self) -> bool {
        match self {
            Self::Leading | Self::Following | Self::Observing | Self::FollowingWithoutVote => true,
            Self::Behind
            | Self::OwnFile
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

    /// Whether a member with this status acknowledges what the leader proposes, if it votes.
    pub const fn acknowledges(&self) -> bool {
        matches!(self, Self::Leading | Self::Following | Self::Observing | Self::OwnFile)
    }
}

/// Why there is no ensemble to plan for.
#[derive(Debug, Clone, Error)]
pub enum ObserveError {
    /// No server answered.
    #[error("no server answered")]
    Unreachable {
        /// Everything that was tried.
        tried: Vec<Tried>,
    },
    /// Servers answer, but there is no quorum.
    #[error("servers answer, but they have no leader")]
    NoQuorum {
        /// Everything that was tried.
        tried: Vec<Tried>,
        /// Where no voter is: there a joiner or an observer is meant.
        voteless: Vec<Endpoint>,
        /// Wanted servers whose role is unknown: only the spec lists them, and no configuration
        /// shows whether each is a voter or a joiner.
        unclear: Vec<Endpoint>,
    },
    /// There is a leader, but no write commits.
    #[error("server {leader} leads, but no write commits")]
    NoCommit {
        /// The server that reports to lead.
        leader: ServerId,
        /// The address at which it was asked.
        endpoint: Endpoint,
        /// Everything that was tried in vain, sessions included.
        tried: Vec<Tried>,
    },
    /// Servers accept no session without authentication, and the credentials that zkplan may show
    /// were not enough.
    #[error("the server at `{endpoint}` enforces authentication")]
    NeedsAuth {
        /// Its id, where it is known.
        server: Option<ServerId>,
        /// The address at which it was asked.
        endpoint: Endpoint,
        /// What was missing.
        why: NoAnswer,
        /// Everything that was tried in vain, sessions included.
        tried: Vec<Tried>,
    },
    /// The release of a server has no dynamic reconfiguration, which came with 3.5.0.
    #[error("the server at `{endpoint}` runs ZooKeeper {version}")]
    TooOld {
        /// The address at which it was asked.
        endpoint: Endpoint,
        /// Its release.
        version: ServerVersion,
    },
    /// The ensemble is one standalone server.
    #[error("the server at `{endpoint}` runs standalone")]
    Standalone {
        /// The address at which it was asked.
        endpoint: Endpoint,
    },
    /// Servers of two histories answered.
    #[error("servers of two different ensembles answered{}", by_run(retired.as_deref()))]
    TwoHistories {
        /// One, and the other.
        histories: Box<[Lineage; 2]>,
        /// The run that retired the members of one of them, if a proven one is known. It decides
        /// nothing.
        retired: Option<Box<RetiredBy>>,
    },
    /// A server that the spec wants still runs an ensemble of its own: the target before a merge.
    #[error("{}", target_runs(target))]
    TargetRuns {
        /// The ensemble that is present.
        present: Box<Lineage>,
        /// The one of the wanted server.
        target: Box<TargetEnsemble>,
    },
    /// The configuration znode cannot be read.
    #[error("the configuration of the server at `{endpoint}` cannot be read: {cause}")]
    UnreadableConfig {
        /// Where it was read.
        endpoint: Endpoint,
        /// The error.
        cause: crate::model::ConfigParseError,
    },
}

impl ObserveError {
    /// Whether an election, a restart or a slow machine can be behind it, so that the next
    /// observation may succeed.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NoQuorum { .. } | Self::NoCommit { .. } => true,
            Self::NeedsAuth { .. }
            | Self::TooOld { .. }
            | Self::Standalone { .. }
            | Self::TwoHistories { .. }
            | Self::TargetRuns { .. }
            | Self::UnreadableConfig { .. } => false,
        }
    }
}

fn target_runs(target: &TargetEnsemble) -> String {
    let named: Vec<String> =
        target.wanted.iter().map(|(id, at)| format!("server {id} at {at}")).collect();
    format!("another ensemble runs on {}", named.join(", "))
}

/// An ensemble that runs where a spec wants servers to join another one.
#[derive(Debug, Clone)]
pub struct TargetEnsemble {
    /// Its details.
    pub history: Lineage,
    /// The wanted servers that are part of it, and where.
    pub wanted: Vec<(ServerId, Endpoint)>,
    /// How many znodes it has, where that is known.
    pub znodes: Option<u64>,
    /// How many clients are connected to its servers that answered. `None` if one of them does not
    /// report that.
    pub clients: Option<u64>,
}

/// An address that was tried, and the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Where.
    pub endpoint: Endpoint,
    /// The result.
    pub silence: NoAnswer,
}

/// One of two lineages of data.
#[derive(Debug, Clone)]
pub struct Lineage {
    /// Its leader, and the address at which it was asked.
    pub leader: Option<(Option<ServerId>, Endpoint)>,
    /// Its configuration.
    pub config: EnsembleConfig,
    /// Its highest zxid.
    pub zxid: Option<Zxid>,
    /// The addresses that answered with its configuration.
    pub answered: Vec<Endpoint>,
    /// Whether a write committed in it.
    pub commits: bool,
    /// The identity that the first apply gave it. `None` if it could not be read.
    pub identity: Option<Identity>,
}

/// A proven run of an earlier apply that retired members of one of two lineages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredBy {
    /// Its number.
    pub run: u64,
    /// Whether it has done everything; else it is open or was abandoned.
    pub is_closed: bool,
    /// The time of its last entry, by the clock of that host.
    pub last_entry: String,
    /// The index of the lineage whose members it retired.
    pub side: usize,
    /// The members.
    pub from: BTreeSet<ServerId>,
    /// The servers to which it moved the ensemble. Empty if its plan could not be read.
    pub to: BTreeSet<ServerId>,
}

fn by_run(retired: Option<&RetiredBy>) -> String {
    retired
        .map_or_else(String::new, |by| format!("; run {} retired members of one of them", by.run))
}

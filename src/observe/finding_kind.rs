//! Things worth knowing that no safety rule of a step covers.
//!
//! What finds them, all in `observe` but where another module is named:
//!
//! | codes | found in |
//! |---|---|
//! | ZKF1 | `bugs` |
//! | ZKF9 | `server_status` (`statuses`), reported by `findings` |
//! | ZKF10, ZKF11, ZKF15, ZKF17 | `facts` |
//! | ZKF13 | `findings`, from `proof`; `facts` leaves out that of a joiner, where it is an obstacle |
//! | ZKF16 | `apply::resume` |
//! | ZKF18 | `apply::journal_reader` (`Archive::ground`), by the proof of [`trust`](crate::trust); the journal's reader in `cli` makes the finding of it |
//! | ZKF19 | `apply::past_runs` |
//! | ZKF24 | `facts`, from `machines` |
//! | ZKF25 | `settings_compared` |
//! | ZKF27, ZKF28 | `client_lines` |
//! | every other | `findings` |

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NoDigests, OwnPorts};
use crate::ensemble::ServerVersion;
use crate::model::{Host, ServerId, SettingName};
use crate::trust::Unproven;

/// A finding about the ensemble or the spec.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// The server it is about, where it is about one.
    pub server: Option<ServerId>,
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Worth mending.
    Warning,
    /// A plan is refused until the risk is accepted.
    Accept,
}

/// The kind of a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FindingKind {
    /// A release with a known bug that loses data or blocks membership changes.
    KnownBug {
        /// The release.
        version: ServerVersion,
        /// The bug.
        issue: Issue,
    },
    /// Members, and servers that are to join them, run different minor versions.
    MixedVersions {
        /// The lowest.
        lowest: ServerVersion,
        /// The highest.
        highest: ServerVersion,
        /// The releases of the joiners, beside the members.
        #[serde(default, skip_serializing_if = "JoinersRun::is_as_members")]
        joiners: JoinersRun,
    },
    /// The data of these joiners cannot be compared with the leader's by digests, only by counts.
    JudgedByCounts {
        /// The joiners.
        joiners: BTreeSet<ServerId>,
        /// The leader and joiners that give no digests.
        without: Vec<WithoutDigests>,
    },
    /// A live host holds characters that no host name has.
    HostileName {
        /// The host as written in the configuration.
        host: Host,
    },
    /// A live quorum host is a wildcard: the other servers connect to themselves.
    WildcardHost {
        /// The host.
        host: Host,
    },
    /// `/zookeeper/config` was written by hand, and its content is not the membership.
    ConfigWritten,
    /// A quorum port cannot be reached, not even to be refused.
    QuorumPortUnreachable,
    /// An election port does not listen.
    ElectionPortClosed,
    /// A member does not answer.
    MemberSilent,
    /// A member was not asked, since its client address is not known. It counts as down.
    MemberNotAsked,
    /// A member follows another configuration, so it counts as down.
    MemberDisagrees,
    /// A member follows and acknowledges, but runs with `reconfigEnabled=false` under a leader that
    /// runs with `true`: no reconfig changes its configuration, and after a restart it may find no
    /// leader (`FastLeaderElection.WorkerReceiver`).
    MemberKeepsItsFile,
    /// A member's znode holds the ensemble's configuration, but an older one is in force there. The
    /// member counts as down until the next reconfig.
    ConfigNotInForce,
    /// The zone of a present server is unknown. It counts as a zone of its own.
    ZoneUnknown,
    /// An even number of voters needs one more acknowledgement and tolerates no more failures.
    EvenVoters {
        /// The number in the spec.
        voters: usize,
    },
    /// A server has counted digest mismatches: its data may differ.
    DigestMismatches {
        /// How many.
        count: u64,
    },
    /// A server's data differs from the leader's at the same zxid.
    DataDiffers,
    /// A live id cannot be used in a spec.
    UnwantableId,
    /// A joiner listens on other ports than the spec gives it. If it were added with the spec's
    /// ports, it would try to bind them and exit (`QuorumCnxManager.Listener`).
    PortsDiffer {
        /// The ports on which it listens.
        own: OwnPorts,
    },
    /// A run of an earlier apply is neither complete nor abandoned. Apply resumes it, or refuses.
    OpenRun {
        /// Its number.
        run: u64,
        /// The plan that it carries out.
        plan_id: String,
        /// The user who opened it, as `user@host`.
        opened_by: String,
        /// The time, as the clock of that host had it.
        opened_at: String,
        /// The user who held the lock, as `user@host`: the run is in progress, or was until just
        /// now.
        locked_by: Option<String>,
        /// Whether an apply of the present spec resumes it.
        goes_on: bool,
        /// Why not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<NotResumed>,
        /// Whether servers mask who may write the folder. Whether an operator opened the run can
        /// then be checked only as far as possible without credentials. An apply checks it fully.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        masked: bool,
    },
    /// Addresses in `connect.servers` are no members. Without the other addresses of the spec, no
    /// server or another ensemble would answer there.
    StaleContacts {
        /// The addresses, as the spec has them.
        contacts: Vec<String>,
        /// The addresses of members, preferably of those that stay.
        instead: Vec<String>,
    },
    /// There is no proof that only operators wrote the state of zkplan.
    FolderNotProven(Unproven),
    /// Servers answer that a proven run retired, or that may be those servers.
    RetiredAnswers {
        /// The run.
        run: u64,
        /// Their state.
        state: RetiredState,
        /// The servers and their addresses.
        servers: Vec<AskedServer>,
    },
    /// Members of this ensemble are servers that a proven run retired, and no server of the
    /// ensemble to which it moved serves.
    MembersRetired {
        /// The run.
        run: u64,
        /// The members.
        members: BTreeSet<ServerId>,
        /// Where the run moved the ensemble to.
        moved_to: Vec<AskedServer>,
    },
    /// A member without reconfigs has a file that differs from the displayed configuration, which
    /// is the leader's.
    FileDiffers {
        /// The servers.
        lines: BTreeSet<ServerId>,
        /// Whether both lead to the same addresses: a wildcard in its own line, or other names.
        is_alike: bool,
    },
    /// A member is wanted at another host, and there is no evidence that this is the machine that
    /// holds the vote. On another machine its data would be missing.
    MachineNotShown {
        /// The host at which it is wanted.
        host: Host,
        /// Why it was not seen.
        because: NotShown,
    },
    /// Some lines would have a client part and some not. Clients that read the configuration take the
    /// servers that have one for the whole ensemble (Curator's `EnsembleTracker`).
    ClientPartsMixed {
        /// The members without one.
        without: BTreeSet<ServerId>,
        /// The servers with one.
        with: BTreeSet<ServerId>,
    },
    /// Clients that read the configuration cannot use the address that they make of a line.
    ClientAddressUnusable {
        /// Why.
        because: UnusableBecause,
    },
    /// Servers keep local sessions (`localSessionsEnabled`). Whether the lock can be created on one
    /// is unknown before it is tried (`localSessionsUpgradingEnabled`).
    LocalSessions {
        /// The servers that were observed to do so.
        servers: BTreeSet<ServerId>,
    },
    /// Servers give a learner less time than it may need to load a snapshot and to write it. Elections
    /// then fail again and again, at a hand-over and at a restart of the leader.
    InitLimitTooLow {
        /// The servers.
        servers: BTreeSet<ServerId>,
        /// Their `initLimit`, in ticks.
        init_limit: u64,
        /// Their tick in milliseconds.
        tick_ms: u64,
        /// The ticks that would be enough, rounded up to a multiple of 5: the size of the data
        /// changes with every write.
        needed: u64,
    },
    /// A member closes every connection at once, as servers do over a connection limit. It does not
    /// count as synced, and it is not known to be down.
    MemberClosesConnections,
    /// Servers were seen to run with other settings than the spec wants.
    SettingsDiffer {
        /// The differences.
        differences: Vec<SettingDifference>,
    },
}

/// A setting that differs from the spec in the same way on some servers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingDifference {
    /// The setting.
    pub setting: SettingName,
    /// What the spec wants, as it writes it.
    pub wanted: String,
    /// What the servers show; of four-letter words, those that they refuse.
    pub seen: String,
    /// The servers.
    pub servers: BTreeSet<ServerId>,
}

/// Why it is not known whether two hosts are one machine.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum NotShown {
    /// The present host does not resolve where zkplan runs.
    PresentHost,
    /// The wanted host does not resolve where zkplan runs.
    WantedHost,
    /// No server answers as this member there.
    NoAnswer,
}

/// The releases of the joiners, beside the members.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum JoinersRun {
    /// Minor versions that members run too, as far as they are known.
    #[default]
    AsMembers,
    /// Some run a newer minor version than every member.
    Newer,
    /// Some run an older minor version than every member: a downgrade.
    Older,
    /// Some run a newer and some an older one.
    Both,
}

impl JoinersRun {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    const fn is_as_members(&self) -> bool {
        matches!(self, Self::AsMembers)
    }
}

/// A server that gives no digests of its data.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct WithoutDigests {
    /// Its id.
    pub id: ServerId,
    /// Why.
    pub why: NoDigests,
}

/// The state of servers at the addresses of retired servers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum RetiredState {
    /// They serve this ensemble's data beside the ensemble, as after a restart from their first
    /// files.
    Serve,
    /// They follow this ensemble without a vote, as they do until they are stopped.
    Follow,
    /// They serve, and whether they are the retired servers is not known.
    NotKnown,
}

/// A server that was asked because of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AskedServer {
    /// Its id.
    pub id: ServerId,
    /// Where, `host:port`; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The state that it reports, in ZooKeeper's word. Absent if it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// Why an apply of a spec does not resume the open run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum NotResumed {
    /// The run has another target than the spec.
    OtherSpec,
    /// The configuration was changed since, and not by the run.
    Overtaken,
    /// Its header or its plan is not understood.
    NotUnderstood,
    /// A newer zkplan wrote it.
    Newer,
}

/// Bugs of ZooKeeper that bear on changes of membership.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Issue {
    /// Every client that reaches a client port may change the members.
    #[serde(rename = "ZOOKEEPER-2014")]
    Zk2014,
    /// A reconfig and an election wait for each other's locks.
    #[serde(rename = "ZOOKEEPER-2080")]
    Zk2080,
    /// A learner that receives a reconfig while it gets a snapshot does not activate it, and exits.
    #[serde(rename = "ZOOKEEPER-2172")]
    Zk2172,
    /// A server that activates a new configuration and another one that connects to it wait for
    /// each other's locks.
    #[serde(rename = "ZOOKEEPER-2778")]
    Zk2778,
    /// A server whose client port is only in `zoo.cfg` tries to bind it a second time, and fails.
    #[serde(rename = "ZOOKEEPER-2847")]
    Zk2847,
    /// The same with Netty, wherever the client port is configured.
    #[serde(rename = "ZOOKEEPER-3540")]
    Zk3540,
    /// A learner that loses its leader during a snapshot can apply a DIFF on top of the partial
    /// snapshot.
    #[serde(rename = "ZOOKEEPER-3642")]
    Zk3642,
    /// An unreachable peer delays every connection of an election by the connection time-out.
    #[serde(rename = "ZOOKEEPER-3756")]
    Zk3756,
    /// Half a vote ends the thread that receives votes.
    #[serde(rename = "ZOOKEEPER-3769")]
    Zk3769,
    /// After rolling restarts with changed members, a leader may commit nothing, or keep connecting
    /// to removed servers.
    #[serde(rename = "ZOOKEEPER-3829")]
    Zk3829,
    /// A learner that was sent a DIFF logs and serves uncommitted transactions: acknowledged writes
    /// are lost.
    #[serde(rename = "ZOOKEEPER-3911")]
    Zk3911,
    /// A learner that syncs while writes commit can fail, make the leader step down, or lose
    /// acknowledged writes if it crashes (with 3023, 4643, 4646, 4685).
    #[serde(rename = "ZOOKEEPER-4394")]
    Zk4394,
    /// The ACLs of znodes that are written while a snapshot is sent can get lost.
    #[serde(rename = "ZOOKEEPER-4689")]
    Zk4689,
    /// A leader elected while its own name does not resolve never commits.
    #[serde(rename = "ZOOKEEPER-4708")]
    Zk4708,
    /// A learner that changes its leader is shut down only partly: transactions that it had not
    /// logged yet can be logged later.
    #[serde(rename = "ZOOKEEPER-4712")]
    Zk4712,
    /// A learner that crashes during a sync can lose acknowledged writes.
    #[serde(rename = "ZOOKEEPER-4785")]
    Zk4785,
    /// A server cannot load its data because an ACL is missing to which a fuzzy snapshot refers.
    #[serde(rename = "ZOOKEEPER-4846")]
    Zk4846,
    /// A joiner or a stale follower gets a transaction log with a gap, and spreads it when it
    /// leads.
    #[serde(rename = "ZOOKEEPER-4925")]
    Zk4925,
    /// The same bug in another place: an observer keeps its commits without zxids. Once it votes
    /// and leads, it sends only a part of the data to a server that comes back.
    #[serde(rename = "ZOOKEEPER-4925-observer")]
    Zk4925Observer,
}

/// Why clients cannot use an address.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum UnusableBecause {
    /// The quorum host is an IPv6 address and the client address a wildcard: Curator writes the
    /// address without brackets.
    Ipv6,
    /// The line has several addresses: Curator reads none of it, unless
    /// `zookeeper.multiAddress.enabled` is set in the client.
    SeveralAddresses,
}

impl Issue {
    /// Its name in ZooKeeper's tracker.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zk2014 => "ZOOKEEPER-2014",
            Self::Zk2080 => "ZOOKEEPER-2080",
            Self::Zk2172 => "ZOOKEEPER-2172",
            Self::Zk2778 => "ZOOKEEPER-2778",
            Self::Zk2847 => "ZOOKEEPER-2847",
            Self::Zk3540 => "ZOOKEEPER-3540",
            Self::Zk3642 => "ZOOKEEPER-3642",
            Self::Zk3756 => "ZOOKEEPER-3756",
            Self::Zk3769 => "ZOOKEEPER-3769",
            Self::Zk3829 => "ZOOKEEPER-3829",
            Self::Zk3911 => "ZOOKEEPER-3911",
            Self::Zk4394 => "ZOOKEEPER-4394",
            Self::Zk4689 => "ZOOKEEPER-4689",
            Self::Zk4708 => "ZOOKEEPER-4708",
            Self::Zk4712 => "ZOOKEEPER-4712",
            Self::Zk4785 => "ZOOKEEPER-4785",
            Self::Zk4846 => "ZOOKEEPER-4846",
            Self::Zk4925 | Self::Zk4925Observer => "ZOOKEEPER-4925",
        }
    }
}

impl FindingKind {
    /// The code that `zkplan explain` knows.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::KnownBug { .. } => "ZKF1",
            Self::MixedVersions { .. } => Self::MIXED_VERSIONS,
            Self::HostileName { .. } => "ZKF3",
            Self::WildcardHost { .. } => "ZKF4",
            Self::ConfigWritten => "ZKF5",
            Self::QuorumPortUnreachable => "ZKF6",
            Self::ElectionPortClosed => "ZKF7",
            Self::MemberSilent | Self::MemberNotAsked => "ZKF8",
            Self::MemberDisagrees | Self::MemberKeepsItsFile | Self::ConfigNotInForce => "ZKF9",
            Self::ZoneUnknown => "ZKF10",
            Self::EvenVoters { .. } => "ZKF11",
            Self::DigestMismatches { .. } => "ZKF12",
            Self::DataDiffers => "ZKF13",
            Self::UnwantableId => "ZKF14",
            Self::PortsDiffer { .. } => "ZKF15",
            Self::OpenRun { .. } => "ZKF16",
            Self::StaleContacts { .. } => "ZKF17",
            Self::FolderNotProven(_) => "ZKF18",
            Self::RetiredAnswers { .. } | Self::MembersRetired { .. } => "ZKF19",
            Self::JudgedByCounts { .. } => Self::BY_COUNTS,
            Self::FileDiffers { .. } => "ZKF23",
            Self::MachineNotShown { .. } => "ZKF24",
            Self::ClientPartsMixed { .. } => "ZKF27",
            Self::ClientAddressUnusable { .. } => "ZKF28",
            Self::LocalSessions { .. } => "ZKF21",
            Self::MemberClosesConnections => "ZKF22",
            Self::SettingsDiffer { .. } => "ZKF25",
            Self::InitLimitTooLow { .. } => "ZKF26",
        }
    }

    /// The codes of findings that may need acceptance; see [`Self::level`].
    pub const ACCEPTED: [&str; 6] =
        ["ZKF1", Self::MIXED_VERSIONS, "ZKF5", "ZKF13", Self::BY_COUNTS, "ZKF24"];

    /// The code of [`Self::MixedVersions`], which restarts that bring a release help against.
    pub const MIXED_VERSIONS: &str = "ZKF2";

    /// The code of [`Self::JudgedByCounts`], for which a run asks separately.
    pub const BY_COUNTS: &str = "ZKF20";

    /// How much it weighs.
    pub const fn level(&self) -> Level {
        match self {
            Self::KnownBug {
                issue:
                    Issue::Zk2080
                    | Issue::Zk2172
                    | Issue::Zk2778
                    | Issue::Zk3769
                    | Issue::Zk3911
                    | Issue::Zk4925,
                ..
            }
            | Self::MixedVersions { .. }
            | Self::JudgedByCounts { .. }
            | Self::DataDiffers
            | Self::MachineNotShown { .. }
            | Self::ConfigWritten => Level::Accept,
            // No fixed release exists, and no action is possible.
            Self::KnownBug { issue: Issue::Zk4689, .. }
            | Self::ZoneUnknown
            | Self::EvenVoters { .. }
            | Self::FileDiffers { is_alike: true, .. }
            | Self::LocalSessions { .. }
            | Self::RetiredAnswers {
                state: RetiredState::Follow | RetiredState::NotKnown, ..
            } => Level::Note,
            Self::KnownBug { .. }
            | Self::HostileName { .. }
            | Self::WildcardHost { .. }
            | Self::QuorumPortUnreachable
            | Self::ElectionPortClosed
            | Self::MemberSilent
            | Self::MemberNotAsked
            | Self::MemberDisagrees
            | Self::MemberKeepsItsFile
            | Self::ConfigNotInForce
            | Self::DigestMismatches { .. }
            | Self::UnwantableId
            | Self::PortsDiffer { .. }
            | Self::OpenRun { .. }
            | Self::StaleContacts { .. }
            | Self::FolderNotProven(_)
            | Self::RetiredAnswers { state: RetiredState::Serve, .. }
            | Self::FileDiffers { is_alike: false, .. }
            | Self::InitLimitTooLow { .. }
            | Self::MemberClosesConnections
            | Self::MembersRetired { .. }
            | Self::ClientPartsMixed { .. }
            | Self::ClientAddressUnusable { .. }
            | Self::SettingsDiffer { .. } => Level::Warning,
        }
    }
}

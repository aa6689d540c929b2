//! Things worth knowing that no law of a step covers.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NoDigests, OwnPorts};
use crate::ensemble::ServerVersion;
use crate::model::{Host, ServerId};
use crate::trust::Unproven;

/// Something that the observation or the spec gave reason to say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What it is.
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

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FindingKind {
    /// A release with a known bug that loses data or jams during membership changes.
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
        /// What those that are to join run, beside the members.
        #[serde(default, skip_serializing_if = "JoinersRun::is_as_members")]
        joiners: JoinersRun,
    },
    /// There are no digests by which the data of these joiners could be compared with the leader's:
    /// counts alone can be.
    JudgedByCounts {
        /// Those joiners.
        joiners: BTreeSet<ServerId>,
        /// The leader and joiners that give no digests.
        without: Vec<WithoutDigests>,
    },
    /// A live host holds characters that no host name has.
    HostileName {
        /// The host as it stands in the configuration.
        host: Host,
    },
    /// A live quorum host is a wildcard: the other servers connect to themselves.
    WildcardHost {
        /// The host.
        host: Host,
    },
    /// Somebody wrote to `/zookeeper/config` by hand; its content is not the membership.
    ConfigWritten,
    /// A quorum port cannot be reached, not even to be refused.
    QuorumPortUnreachable,
    /// Nobody listens on an election port.
    ElectionPortClosed,
    /// A member does not answer.
    MemberSilent,
    /// A member follows another configuration, so it counts as down.
    MemberDisagrees,
    /// A member's znode holds the ensemble's configuration and an older one is in force there, so it
    /// counts as down until the next reconfig.
    ConfigNotInForce,
    /// The zone of a present server is not known; it is taken for a zone of its own.
    ZoneUnknown,
    /// An even number of voters costs one more acknowledgement and tolerates no more failures.
    EvenVoters {
        /// How many the spec asks for.
        voters: usize,
    },
    /// A server has counted digest mismatches: its data may differ.
    DigestMismatches {
        /// How many.
        count: u64,
    },
    /// A server's data differs from the leader's at the same zxid.
    DataDiffers,
    /// A live id cannot be asked for in a spec.
    UnwantableId,
    /// A server that wants to join listens on other ports than the spec gives it: named at those, it
    /// would try to bind them and end (`QuorumCnxManager.Listener`).
    PortsDiffer {
        /// What it listens on.
        own: OwnPorts,
    },
    /// A run of an earlier apply has neither done everything nor been given up: apply goes on with
    /// it, or refuses.
    OpenRun {
        /// Its number.
        run: u64,
        /// The plan that it carries out.
        plan_id: String,
        /// Who opened it, as `user@host`.
        opened_by: String,
        /// The time, as the clock of that host had it.
        opened_at: String,
        /// Who held the lock, as `user@host`: then somebody is at work on it, or was until just now.
        locked_by: Option<String>,
        /// Whether an apply of the spec that was planned for goes on with it.
        goes_on: bool,
        /// Why not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<NotResumed>,
        /// Whether servers mask who may write the folder: that it is an operator's is then only as
        /// far as can be told without credentials; an apply finds out.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        masked: bool,
    },
    /// Addresses in `connect.servers` are no members. Without the other addresses of the spec nothing
    /// would answer there, or another ensemble.
    StaleContacts {
        /// The addresses, as the spec has them.
        contacts: Vec<String>,
        /// Where members are reached, those that stay if there are any.
        instead: Vec<String>,
    },
    /// It is not proven that only operators wrote what stands where zkplan keeps its state.
    FolderNotProven(Unproven),
    /// Servers answer that a proven run retired, or that may be those.
    RetiredAnswers {
        /// The run.
        run: u64,
        /// What they do.
        state: RetiredState,
        /// Who, and where.
        servers: Vec<AskedServer>,
    },
    /// Members of this ensemble are servers that a proven run retired, and none of the servers that it
    /// moved the ensemble to serves.
    MembersRetired {
        /// The run.
        run: u64,
        /// Those members.
        members: BTreeSet<ServerId>,
        /// Where the run moved the ensemble to.
        moved_to: Vec<AskedServer>,
    },
    /// A member without reconfigs has a file that writes servers otherwise than the configuration
    /// that is shown, which is the leader's.
    FileDiffers {
        /// The servers.
        lines: BTreeSet<ServerId>,
        /// Whether that leads to the same addresses: a wildcard in its own line, or other names.
        is_alike: bool,
    },
    /// A member is wanted at another host, and whether that is the machine that holds the vote was not
    /// seen. On any other machine its data would be missing.
    MachineNotShown {
        /// The host at which it is wanted.
        host: Host,
        /// Why it was not seen.
        because: NotShown,
    },
    /// Servers keep sessions that they alone know (`localSessionsEnabled`). Whether the lock can be
    /// made on one is not known before it is tried (`localSessionsUpgradingEnabled`).
    LocalSessions {
        /// Those that were seen to.
        servers: BTreeSet<ServerId>,
    },
    /// A member closes every connection at once, as servers do beyond a limit on connections. It is
    /// not counted, and not known to be down.
    MemberClosesConnections,
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

/// What servers run that are to join, beside the members.
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

/// What answers at the addresses of retired servers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum RetiredState {
    /// They serve this ensemble's data beside the ensemble, as restored first files bring about.
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
    /// What it says it does, in ZooKeeper's word; absent where it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// Why an apply of a spec does not go on with the run that is open.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum NotResumed {
    /// It wants something else than the spec.
    OtherSpec,
    /// The configuration was changed since, and not by the run.
    Overtaken,
    /// Its header or its plan is not understood.
    NotUnderstood,
}

/// Bugs of ZooKeeper that bear on changes of membership.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Issue {
    /// Whoever reaches a client port may change the members.
    #[serde(rename = "ZOOKEEPER-2014")]
    Zk2014,
    /// A reconfig and an election wait for each other's locks.
    #[serde(rename = "ZOOKEEPER-2080")]
    Zk2080,
    /// A learner that follows a reconfig while it gets a snapshot forgets to activate it, and ends.
    #[serde(rename = "ZOOKEEPER-2172")]
    Zk2172,
    /// A server that takes up a new configuration and the one that connects to it wait for each
    /// other's locks.
    #[serde(rename = "ZOOKEEPER-2778")]
    Zk2778,
    /// A server whose client port stands in `zoo.cfg` alone binds it a second time, in vain.
    #[serde(rename = "ZOOKEEPER-2847")]
    Zk2847,
    /// The same with Netty, wherever the client port stands.
    #[serde(rename = "ZOOKEEPER-3540")]
    Zk3540,
    /// A learner that loses its leader in the middle of a snapshot can take a DIFF on top of what it
    /// got.
    #[serde(rename = "ZOOKEEPER-3642")]
    Zk3642,
    /// A dead peer holds up every connection of an election for the time that connecting may take.
    #[serde(rename = "ZOOKEEPER-3756")]
    Zk3756,
    /// Half a vote ends the thread that receives votes.
    #[serde(rename = "ZOOKEEPER-3769")]
    Zk3769,
    /// Members that were changed by rolling restarts leave a leader that commits nothing, or one
    /// that goes on dialling whoever is gone.
    #[serde(rename = "ZOOKEEPER-3829")]
    Zk3829,
    /// A learner that was sent a DIFF logs what was not committed, and serves it: acknowledged
    /// writes are lost.
    #[serde(rename = "ZOOKEEPER-3911")]
    Zk3911,
    /// A learner that syncs while writes commit can fail, make the leader step down, or lose what was
    /// acknowledged if it crashes (with 3023, 4643, 4646, 4685).
    #[serde(rename = "ZOOKEEPER-4394")]
    Zk4394,
    /// The ACLs of znodes that are written while a snapshot is sent can get lost.
    #[serde(rename = "ZOOKEEPER-4689")]
    Zk4689,
    /// A leader elected while its own name does not resolve never commits.
    #[serde(rename = "ZOOKEEPER-4708")]
    Zk4708,
    /// A learner that changes its leader is shut down in part: what it had yet to log can come later.
    #[serde(rename = "ZOOKEEPER-4712")]
    Zk4712,
    /// A learner that crashes in the middle of a sync can lose what it acknowledged.
    #[serde(rename = "ZOOKEEPER-4785")]
    Zk4785,
    /// A server cannot load its data because an ACL is missing that a fuzzy snapshot refers to.
    #[serde(rename = "ZOOKEEPER-4846")]
    Zk4846,
    /// A joiner or stale follower gets a history with a hole, and spreads it when it leads.
    #[serde(rename = "ZOOKEEPER-4925")]
    Zk4925,
    /// The same in another place: what a server committed while it observed, it keeps without zxids.
    /// Once it votes and leads, it sends a server that comes back a part of the data only.
    #[serde(rename = "ZOOKEEPER-4925-observer")]
    Zk4925Observer,
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
            Self::MixedVersions { .. } => "ZKF2",
            Self::HostileName { .. } => "ZKF3",
            Self::WildcardHost { .. } => "ZKF4",
            Self::ConfigWritten => "ZKF5",
            Self::QuorumPortUnreachable => "ZKF6",
            Self::ElectionPortClosed => "ZKF7",
            Self::MemberSilent => "ZKF8",
            Self::MemberDisagrees | Self::ConfigNotInForce => "ZKF9",
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
            Self::LocalSessions { .. } => "ZKF21",
            Self::MemberClosesConnections => "ZKF22",
        }
    }

    /// The codes of those that may have to be accepted; see [`Self::level`].
    pub const ACCEPTED: [&str; 6] = ["ZKF1", "ZKF2", "ZKF5", "ZKF13", Self::BY_COUNTS, "ZKF24"];

    /// The code of [`Self::JudgedByCounts`], which a run asks about by itself.
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
            // There is no release to go to, and nothing to do but to know it.
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
            | Self::MemberDisagrees
            | Self::ConfigNotInForce
            | Self::DigestMismatches { .. }
            | Self::UnwantableId
            | Self::PortsDiffer { .. }
            | Self::OpenRun { .. }
            | Self::StaleContacts { .. }
            | Self::FolderNotProven(_)
            | Self::RetiredAnswers { state: RetiredState::Serve, .. }
            | Self::FileDiffers { is_alike: false, .. }
            | Self::MemberClosesConnections
            | Self::MembersRetired { .. } => Level::Warning,
        }
    }
}

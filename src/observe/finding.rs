//! Things worth knowing that no law of a step covers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OwnPorts;
use crate::ensemble::ServerVersion;
use crate::model::{Host, ServerId};

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
    /// Members run different minor versions.
    MixedVersions {
        /// The lowest.
        lowest: ServerVersion,
        /// The highest.
        highest: ServerVersion,
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
}

/// Bugs of ZooKeeper that bear on changes of membership.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Issue {
    /// A learner that was sent a DIFF logs what was not committed, and serves it: acknowledged
    /// writes are lost.
    #[serde(rename = "ZOOKEEPER-3911")]
    Zk3911,
    /// A leader elected while its own name does not resolve never commits.
    #[serde(rename = "ZOOKEEPER-4708")]
    Zk4708,
    /// A learner that crashes in the middle of a sync can lose what it acknowledged.
    #[serde(rename = "ZOOKEEPER-4785")]
    Zk4785,
    /// A joiner or stale follower gets a history with a hole, and spreads it when it leads.
    #[serde(rename = "ZOOKEEPER-4925")]
    Zk4925,
}

impl Issue {
    /// Its name in ZooKeeper's tracker.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zk3911 => "ZOOKEEPER-3911",
            Self::Zk4708 => "ZOOKEEPER-4708",
            Self::Zk4785 => "ZOOKEEPER-4785",
            Self::Zk4925 => "ZOOKEEPER-4925",
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
            Self::MemberDisagrees => "ZKF9",
            Self::ZoneUnknown => "ZKF10",
            Self::EvenVoters { .. } => "ZKF11",
            Self::DigestMismatches { .. } => "ZKF12",
            Self::DataDiffers => "ZKF13",
            Self::UnwantableId => "ZKF14",
            Self::PortsDiffer { .. } => "ZKF15",
        }
    }

    /// How much it weighs.
    pub const fn level(&self) -> Level {
        match self {
            Self::KnownBug { issue: Issue::Zk3911 | Issue::Zk4925, .. }
            | Self::MixedVersions { .. }
            | Self::DataDiffers
            | Self::ConfigWritten => Level::Accept,
            Self::KnownBug { .. }
            | Self::HostileName { .. }
            | Self::WildcardHost { .. }
            | Self::QuorumPortUnreachable
            | Self::ElectionPortClosed
            | Self::MemberSilent
            | Self::MemberDisagrees
            | Self::DigestMismatches { .. }
            | Self::UnwantableId
            | Self::PortsDiffer { .. } => Level::Warning,
            Self::ZoneUnknown | Self::EvenVoters { .. } => Level::Note,
        }
    }
}

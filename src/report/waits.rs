//! What a run waits for, as data.

use std::collections::BTreeSet;
use std::mem::{Discriminant, discriminant};

use schemars::JsonSchema;
use serde::Serialize;

use super::details;
use crate::apply::access::Permission;
use crate::apply::{BindProof, Missing, RestartMissing, Wait};
use crate::model::ServerId;
use crate::observe::{DataProof, ServerStatus};
use crate::plan::StepId;
use crate::render::run;

/// Something that a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WaitEntry {
    /// What it is.
    #[serde(flatten)]
    pub what: WaitKind,
    /// The same for people.
    pub text: String,
}

/// What a run waits for, by `kind`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum WaitKind {
    /// A joiner does not follow yet.
    JoinerNotFollowing {
        /// The joiner.
        server: ServerId,
        /// What it does instead.
        status: StatusWord,
        /// The last transaction that it has, where it is known.
        zxid: Option<String>,
        /// The last transaction of the leader, where both are known.
        leader_zxid: Option<String>,
        /// Whether it followed before, in this run.
        followed_before: bool,
        /// Whether it has run for long without serving.
        for_long: bool,
    },
    /// A joiner listens on other ports than the plan has.
    JoinerOnOtherPorts {
        /// The joiner.
        server: ServerId,
        /// Its quorum ports.
        quorum_ports: Vec<u16>,
        /// Its election ports.
        election_ports: Vec<u16>,
    },
    /// The election port of a joiner is closed.
    JoinerElectionPortClosed {
        /// The joiner.
        server: ServerId,
        /// The port.
        port: u16,
    },
    /// Another process uses the quorum port of a joiner.
    JoinerQuorumPortTaken {
        /// The joiner.
        server: ServerId,
        /// The port.
        port: u16,
    },
    /// The data of a joiner are not yet proven equal to the leader's.
    JoinerDataNotProven {
        /// The joiner.
        server: ServerId,
        /// What the last comparison found; `null` if there was none.
        proof: Option<ProofWord>,
    },
    /// It is not known whether the user may change the configuration on a joiner.
    JoinerPermissionNotKnown {
        /// The joiner.
        server: ServerId,
        /// What it said; `null` if it was not asked.
        permission: Option<PermissionWord>,
    },
    /// A joiner follows, but not for long enough.
    JoinerNotStable {
        /// The joiner.
        server: ServerId,
        /// How long it must still follow.
        left_ms: u64,
    },
    /// A wanted server is up and does not serve yet.
    MemberSyncing {
        /// The server.
        server: ServerId,
        /// Whether the leader was observed to send it data.
        seen: bool,
        /// How long the fence is held back for it at most.
        left_ms: u64,
    },
    /// A member that is needed does not do its part.
    MemberDown {
        /// The member.
        server: ServerId,
        /// What it does instead.
        status: StatusWord,
    },
    /// A member has not proven yet that it has bound its ports.
    MemberNotBound {
        /// The member.
        server: ServerId,
        /// What would prove it.
        by: BindWord,
        /// The time after which its tries are over, where that proves it.
        after_ms: Option<u64>,
    },
    /// A safety rule is broken at present.
    SafetyRule {
        /// Its code, like `ZKQ2`.
        code: String,
        /// The step that it stands against.
        step: Option<StepId>,
        /// The servers that it is about.
        servers: BTreeSet<ServerId>,
    },
    /// No client is on the servers that leave, but not for long enough.
    NoClients {
        /// How long it has been so.
        watched_ms: u64,
        /// How long it must still be so.
        left_ms: u64,
    },
    /// The clients of a server that has stopped may come to the next one.
    ClientsMayMove {
        /// The server that has stopped.
        from: ServerId,
        /// The next one.
        to: ServerId,
        /// For how long they may come.
        left_ms: u64,
        /// How many clients are on that now; `null` if it does not report that.
        clients: Option<u64>,
    },
    /// There is no leader, or no write commits.
    NoLeader,
    /// A port that a server is to move to is taken.
    PortTaken {
        /// The server.
        server: ServerId,
        /// The port.
        port: u16,
    },
    /// The leader refused the request for now.
    RequestRefused {
        /// The name of ZooKeeper's error code.
        error: String,
        /// Its number.
        number: i32,
    },
    /// The outcome of a request is unknown.
    RequestUnknown {
        /// The step; `null` for the fence.
        step: Option<StepId>,
        /// The voters that must come back.
        voters: BTreeSet<ServerId>,
    },
    /// A server that leaves does not know yet that it has left.
    LeaverNotInformed {
        /// The server.
        server: ServerId,
    },
    /// A server that was stopped still answers.
    ServerStillUp {
        /// The server.
        server: ServerId,
    },
    /// The operator must stop a server.
    StopByHand {
        /// The server.
        server: ServerId,
    },
    /// A person is to restart a server.
    RestartByHand {
        /// The server.
        server: ServerId,
    },
    /// A server that was restarted is not proven to be back, or no server leads.
    Restarting {
        /// The server; `null` where none leads.
        server: Option<ServerId>,
        /// What is missing.
        missing: RestartWord,
    },
    /// No server accepts the session.
    NoSession,
    /// The password would be sent without TLS to another machine.
    CleartextPassword,
}

/// What is missing before the next server is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RestartWord {
    /// The server is not back in its role, in sync.
    Role,
    /// No write was seen to commit through it.
    Commit,
    /// It has to be seen so once more.
    Again,
    /// No server leads.
    Leader,
    /// Another apply runs commands that restart servers.
    Lock,
}

impl From<RestartMissing> for RestartWord {
    fn from(missing: RestartMissing) -> Self {
        match missing {
            RestartMissing::Commit => Self::Commit,
            RestartMissing::Again => Self::Again,
            RestartMissing::Leader => Self::Leader,
            RestartMissing::Lock => Self::Lock,
            RestartMissing::ByHand | RestartMissing::Role => Self::Role,
        }
    }
}

/// What a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StatusWord {
    /// It leads.
    Leading,
    /// It follows, with a vote.
    Following,
    /// It observes.
    Observing,
    /// It follows and is no member.
    FollowingWithoutVote,
    /// It serves and is behind.
    Behind,
    /// It serves with another configuration.
    OtherConfiguration,
    /// It follows, with the server lines of its own file: `reconfigEnabled=false` there.
    OwnFile,
    /// It has the configuration and runs with an older one.
    ConfigNotInForce,
    /// Another server answers at its address.
    OtherServer,
    /// Its id is not known.
    IdUnknown,
    /// It runs standalone.
    Standalone,
    /// It is read-only.
    ReadOnly,
    /// It is up and does not serve.
    NotServing,
    /// It does not answer.
    NoAnswer,
    /// It was not asked.
    NotAsked,
    /// It is assumed to be up.
    Assumed,
}

impl From<&ServerStatus> for StatusWord {
    fn from(status: &ServerStatus) -> Self {
        match status {
            ServerStatus::Leading => Self::Leading,
            ServerStatus::Following => Self::Following,
            ServerStatus::Observing => Self::Observing,
            ServerStatus::FollowingWithoutVote => Self::FollowingWithoutVote,
            ServerStatus::Behind => Self::Behind,
            ServerStatus::OtherConfiguration => Self::OtherConfiguration,
            ServerStatus::OwnFile => Self::OwnFile,
            ServerStatus::ConfigNotInForce => Self::ConfigNotInForce,
            ServerStatus::AnswersAs(_) => Self::OtherServer,
            ServerStatus::IdUnknown => Self::IdUnknown,
            ServerStatus::Standalone => Self::Standalone,
            ServerStatus::ReadOnly => Self::ReadOnly,
            ServerStatus::NotServing => Self::NotServing,
            ServerStatus::Silent(_) => Self::NoAnswer,
            ServerStatus::NotAsked => Self::NotAsked,
            ServerStatus::Assumed => Self::Assumed,
        }
    }
}

/// What a comparison of data found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ProofWord {
    /// The digests are equal.
    Digest,
    /// The counts are equal, which does not prove the content.
    Counts,
    /// The data differ.
    Differ,
    /// The digests differ.
    DigestDiffers,
    /// There is no digest in common yet.
    NoCommonDigest,
    /// One of the two gave no answer.
    NoAnswer,
    /// There are no digests.
    NoDigests,
    /// The marker cannot be read.
    NoMarker,
    /// No two answers had one zxid.
    NeverMet,
}

impl From<&DataProof> for ProofWord {
    fn from(proof: &DataProof) -> Self {
        match proof {
            DataProof::Digest(_) => Self::Digest,
            DataProof::Counts { .. } => Self::Counts,
            DataProof::Differ => Self::Differ,
            DataProof::DigestDiffers(_) => Self::DigestDiffers,
            DataProof::NoCommonDigest => Self::NoCommonDigest,
            DataProof::Unanswered => Self::NoAnswer,
            DataProof::NoDigests { .. } => Self::NoDigests,
            DataProof::NoMarker => Self::NoMarker,
            DataProof::NeverMet => Self::NeverMet,
        }
    }
}

/// Whether a server lets the user change the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PermissionWord {
    /// It does.
    Granted,
    /// It refuses.
    Refused,
    /// It was not asked: the password would have travelled in clear.
    Cleartext,
    /// It gave no answer.
    NoAnswer,
}

impl From<Permission> for PermissionWord {
    fn from(permission: Permission) -> Self {
        match permission {
            Permission::Granted => Self::Granted,
            Permission::Refused => Self::Refused,
            Permission::InClear => Self::Cleartext,
            Permission::Unknown => Self::NoAnswer,
        }
    }
}

/// What proves that a server has bound its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BindWord {
    /// It reports its own ports.
    OwnPorts,
    /// It is still up when its tries are over, by the setting that it reports.
    SettingSeen,
    /// The same, by ZooKeeper's default.
    DefaultAssumed,
    /// No proof is possible.
    TriesForEver,
}

impl WaitEntry {
    /// Of a wait.
    pub fn of(wait: &Wait) -> Self {
        Self { what: kind(wait), text: run::wait(wait) }
    }

    /// What stays the same while the numbers of a wait change.
    pub(super) fn subject(&self) -> WaitSubject<'_> {
        let mut subject = WaitSubject::of(&self.what);
        match &self.what {
            WaitKind::JoinerNotFollowing { server, .. }
            | WaitKind::JoinerOnOtherPorts { server, .. }
            | WaitKind::JoinerElectionPortClosed { server, .. }
            | WaitKind::JoinerQuorumPortTaken { server, .. }
            | WaitKind::JoinerDataNotProven { server, .. }
            | WaitKind::JoinerPermissionNotKnown { server, .. }
            | WaitKind::JoinerNotStable { server, .. }
            | WaitKind::MemberSyncing { server, .. }
            | WaitKind::MemberDown { server, .. }
            | WaitKind::MemberNotBound { server, .. }
            | WaitKind::LeaverNotInformed { server }
            | WaitKind::ServerStillUp { server }
            | WaitKind::StopByHand { server } => subject.servers = BTreeSet::from([*server]),
            WaitKind::PortTaken { server, port } => {
                (subject.servers, subject.port) = (BTreeSet::from([*server]), Some(*port));
            }
            WaitKind::SafetyRule { code, step, servers } => {
                (subject.code, subject.step) = (Some(code.as_str()), step.as_ref());
                subject.servers.clone_from(servers);
            }
            WaitKind::RequestRefused { error, number: _ } => subject.code = Some(error),
            // Voters come back one by one.
            WaitKind::RequestUnknown { step, voters: _ } => subject.step = step.as_ref(),
            WaitKind::RestartByHand { server } => {
                subject.servers = BTreeSet::from([*server]);
            }
            // What is missing changes from look to look.
            WaitKind::Restarting { server, missing: _ } => subject.servers.extend(*server),
            WaitKind::ClientsMayMove { from, to, left_ms: _, clients: _ } => {
                subject.servers = BTreeSet::from([*from, *to]);
            }
            WaitKind::NoLeader
            | WaitKind::NoSession
            | WaitKind::NoClients { .. }
            | WaitKind::CleartextPassword => {}
        }
        subject
    }
}

/// What two waits have in common that are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WaitSubject<'a> {
    kind: Discriminant<WaitKind>,
    servers: BTreeSet<ServerId>,
    step: Option<&'a StepId>,
    /// The code of a safety rule, or the name of ZooKeeper's error.
    code: Option<&'a str>,
    port: Option<u16>,
}

impl WaitSubject<'_> {
    fn of(what: &WaitKind) -> Self {
        let (kind, servers) = (discriminant(what), BTreeSet::new());
        Self { kind, servers, step: None, code: None, port: None }
    }
}

fn kind(wait: &Wait) -> WaitKind {
    match wait {
        Wait::Joiner { server, missing } => joiner(*server, missing),
        Wait::Syncing { server, is_seen, left_ms } => {
            WaitKind::MemberSyncing { server: *server, seen: *is_seen, left_ms: *left_ms }
        }
        Wait::Down { server, status } => {
            WaitKind::MemberDown { server: *server, status: status.into() }
        }
        Wait::Bound { server, by } => {
            let (by, after_ms) = match by {
                BindProof::OwnPorts => (BindWord::OwnPorts, None),
                BindProof::SettingSeen(ms) => (BindWord::SettingSeen, Some(*ms)),
                BindProof::DefaultAssumed(ms) => (BindWord::DefaultAssumed, Some(*ms)),
                BindProof::TriesForEver => (BindWord::TriesForEver, None),
            };
            WaitKind::MemberNotBound { server: *server, by, after_ms }
        }
        Wait::Law(breach) => WaitKind::SafetyRule {
            code: breach.law.code().to_owned(),
            step: breach.step.clone(),
            servers: details::servers(&breach.detail, &[]),
        },
        Wait::Ensemble(_) => WaitKind::NoLeader,
        Wait::PortTaken { server, port } => WaitKind::PortTaken { server: *server, port: *port },
        Wait::Refused(code) => {
            WaitKind::RequestRefused { error: code.name().to_owned(), number: code.number() }
        }
        Wait::Stuck { step, voters } => WaitKind::RequestUnknown {
            step: step.clone(),
            voters: voters.keys().copied().collect(),
        },
        Wait::Quiet { watched, left } => {
            WaitKind::NoClients { watched_ms: watched.0, left_ms: left.0 }
        }
        Wait::Hops { from, to, left, clients } => {
            WaitKind::ClientsMayMove { from: *from, to: *to, left_ms: left.0, clients: *clients }
        }
        Wait::NamesItself { server } => WaitKind::LeaverNotInformed { server: *server },
        Wait::StillUp { server } => WaitKind::ServerStillUp { server: *server },
        Wait::StopByHand { server } => WaitKind::StopByHand { server: *server },
        Wait::Restart { server: Some(server), missing: RestartMissing::ByHand } => {
            WaitKind::RestartByHand { server: *server }
        }
        Wait::Restart { server, missing } => {
            WaitKind::Restarting { server: *server, missing: (*missing).into() }
        }
        Wait::Connection => WaitKind::NoSession,
        Wait::InClear => WaitKind::CleartextPassword,
    }
}

fn joiner(server: ServerId, missing: &Missing) -> WaitKind {
    match missing {
        Missing::Following { status, zxids, followed_before, for_long } => {
            let (zxid, leader_zxid) =
                zxids.map(|(own, leaders)| (own.to_string(), leaders.to_string())).unzip();
            WaitKind::JoinerNotFollowing {
                server,
                status: status.into(),
                zxid,
                leader_zxid,
                followed_before: *followed_before,
                for_long: *for_long,
            }
        }
        Missing::Ports(own) => WaitKind::JoinerOnOtherPorts {
            server,
            quorum_ports: own.quorum.clone(),
            election_ports: own.election.clone(),
        },
        Missing::ElectionPort(port) => WaitKind::JoinerElectionPortClosed { server, port: *port },
        Missing::QuorumPortTaken(port) => WaitKind::JoinerQuorumPortTaken { server, port: *port },
        Missing::Data { proof, .. } => {
            WaitKind::JoinerDataNotProven { server, proof: proof.as_ref().map(ProofWord::from) }
        }
        Missing::Permission(asked) => WaitKind::JoinerPermissionNotKnown {
            server,
            permission: asked.as_ref().map(|asked| asked.permission.into()),
        },
        Missing::Stable { left_ms } => WaitKind::JoinerNotStable { server, left_ms: *left_ms },
    }
}

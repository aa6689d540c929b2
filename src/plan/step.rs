//! Steps and phases.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Reconfig, ServerId};

/// The name of a step, made from what it does and to whom, like `join-4`.
///
/// It does not depend on who leads, so that an approval of the step survives an election.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct StepId(String);

impl StepId {
    /// A step id from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name, unique in the plan.
    pub id: StepId,
    /// What it does.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Waits until a server follows without a vote, with its data and addresses proven.
    AwaitJoiner(ServerId),
    /// Sends one reconfig request for one server, with the version it starts from.
    Reconfig {
        /// The server that changes.
        server: ServerId,
        /// What the request means for it.
        change: Move,
        /// The request.
        request: Reconfig,
    },
    /// Waits for clients or for a person.
    Gate(GateKind),
    /// Runs `hooks.start` for a server, if it is not up when the step is reached.
    Start(ServerId),
    /// Runs `hooks.stop` for a server that is no member any more.
    Stop(ServerId),
    /// Asks a person to stop a server that is no member any more.
    AskToStop(ServerId),
    /// Asks a person to attest that a server's data directory is blank.
    AttestBlank(ServerId),
    /// Proves that the last configuration is active: a write commits in it, and every server that
    /// answers shows it. Where a server is named, the proof is that of its own leaving.
    Prove(Option<ServerId>),
}

/// What a reconfig request means for its server.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Move {
    /// It becomes a member.
    Join,
    /// It stops being a member.
    Leave,
    /// An observer stops being a member for a moment, so that it comes back as a follower that can
    /// acknowledge (ZooKeeper's guide, "Changing an observer into a follower").
    Unlist,
    /// It gets a vote.
    Promote,
    /// It loses its vote and observes.
    Demote,
    /// It keeps its role and gets other addresses.
    Readdress {
        /// Whether its quorum address is among them.
        quorum: bool,
    },
}

/// What a gate waits for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum GateKind {
    /// Drained or approved, before the first removal.
    CutoverAuto,
    /// Approved, before the first removal.
    CutoverManual,
    /// Drained, before the first removal.
    CutoverDrained,
}

/// Like steps that stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// What its steps have in common.
    pub kind: PhaseKind,
    /// In which order they go.
    pub rule: Rule,
    /// The steps, in canonical order.
    pub steps: Vec<Step>,
}

/// What the steps of a phase have in common; in the order of a whole plan.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum PhaseKind {
    /// Joiners are started and awaited.
    Await,
    /// Members that do not answer lose their votes.
    Dead,
    /// Servers come in.
    Join,
    /// Observers get a vote.
    Promote,
    /// Ids go to other machines.
    Replace,
    /// Servers get other addresses.
    Readdress,
    /// Clients move, or a person says that they have.
    Gate,
    /// Observers are taken out.
    RemoveObservers,
    /// Voters become observers.
    Demote,
    /// Voters are taken out.
    Remove,
    /// The last configuration is proven active.
    Prove,
    /// Processes that no configuration names are stopped.
    Retire,
}

/// In which order the steps of a phase go.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Rule {
    /// All at once.
    SideBySide,
    /// One after the other, as listed; what a server has begun is finished before another begins,
    /// even where an election came between.
    InOrder,
    /// One after the other, in any order; whoever leads goes last.
    LeaderLast,
}

impl Step {
    /// The server it is about.
    pub fn server(&self) -> Option<ServerId> {
        match self.action {
            Action::AwaitJoiner(server)
            | Action::Reconfig { server, .. }
            | Action::Start(server)
            | Action::Stop(server)
            | Action::AskToStop(server)
            | Action::AttestBlank(server) => Some(server),
            Action::Prove(server) => server,
            Action::Gate(_) => None,
        }
    }

    /// The request it sends, where it sends one.
    pub fn reconfig(&self) -> Option<&Reconfig> {
        match &self.action {
            Action::Reconfig { request, .. } => Some(request),
            Action::AwaitJoiner(_)
            | Action::Gate(_)
            | Action::Start(_)
            | Action::Stop(_)
            | Action::AskToStop(_)
            | Action::AttestBlank(_)
            | Action::Prove(_) => None,
        }
    }

    /// Whether its server hands over the leadership, should it lead
    /// (`Leader.getDesignatedLeader`).
    pub fn hands_over(&self) -> bool {
        match self.action {
            Action::Reconfig { change, .. } => {
                matches!(change, Move::Leave | Move::Demote | Move::Readdress { quorum: true })
            }
            _ => false,
        }
    }

    /// The canonical name of an action.
    pub fn named(action: Action) -> Self {
        let id = match &action {
            Action::AwaitJoiner(id) => format!("await-{id}"),
            Action::Reconfig { server, change, .. } => format!("{}-{server}", change.word()),
            Action::Gate(_) => "gate".to_owned(),
            Action::Start(id) => format!("start-{id}"),
            Action::Stop(id) | Action::AskToStop(id) => format!("stop-{id}"),
            Action::AttestBlank(id) => format!("attest-{id}"),
            Action::Prove(None) => "prove".to_owned(),
            Action::Prove(Some(id)) => format!("prove-{id}"),
        };
        Self { id: StepId(id), action }
    }
}

impl Move {
    /// One word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Unlist => "unlist",
            Self::Promote => "promote",
            Self::Demote => "demote",
            Self::Readdress { .. } => "readdress",
        }
    }
}

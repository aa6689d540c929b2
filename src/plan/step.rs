//! Steps and phases.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Reconfig, ServerId, SettingName};

/// The name of a step, made from its action and its servers, like `join-4`.
///
/// It does not depend on the leader, so an approval of the step remains valid after an election.
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
    /// Waits until a server follows without a vote, and its data and addresses are proven.
    AwaitJoiner(ServerId),
    /// Sends one reconfig request, with the version from which it starts.
    Reconfig {
        /// What the request changes for each server, by id. Never empty.
        parts: Vec<ServerChange>,
        /// The request.
        request: Reconfig,
    },
    /// Waits for clients or for a person.
    Gate(GateKind),
    /// Runs `hooks.start` for a server, unless it is already up.
    Start(ServerId),
    /// Runs `hooks.stop` for a server that is no longer a member.
    Stop(ServerId),
    /// Asks the operator to stop a server that is no longer a member.
    AskToStop(ServerId),
    /// Asks the operator to attest that a server's data directory is blank.
    AttestBlank(ServerId),
    /// Has a member restarted, by `hooks.restart` or by a person, and proves that it is back.
    Restart(Restart),
    /// Proves that the last configuration is active: a write commits in it, and every server that
    /// answers reports it. With a server, proves that the configuration without it is active.
    Prove(Option<ServerId>),
}

/// The restart of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restart {
    /// The server.
    pub server: ServerId,
    /// The wanted settings that it is to come back with, as far as it was seen to lack them.
    pub brings: BTreeSet<SettingName>,
    /// Whether the operator asked for it, whatever its settings are.
    pub is_asked: bool,
}

/// The change of one server in a reconfig request.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct ServerChange {
    /// The server that changes.
    pub server: ServerId,
    /// The kind of change.
    pub change: ChangeVerb,
}

/// The kind of change that a reconfig request makes to a server.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ChangeVerb {
    /// It becomes a member.
    Join,
    /// It is removed from the members.
    Leave,
    /// An observer is removed for a moment, so that it returns as a follower that can acknowledge
    /// (ZooKeeper's guide, "Changing an observer into a follower").
    Unlist,
    /// It gets a vote.
    Promote,
    /// It loses its vote and observes.
    Demote,
    /// It keeps its role and gets a new address.
    Readdress {
        /// Whether its quorum address changes.
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

/// Consecutive steps of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// The kind of its steps.
    pub kind: PhaseKind,
    /// The order of its steps.
    pub rule: StepOrder,
    /// The steps, in canonical order.
    pub steps: Vec<Step>,
}

/// The kind of the steps of a phase, in the order of a whole plan.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum PhaseKind {
    /// Members are restarted. Such a plan has no phases of other kinds.
    Restart,
    /// Joiners are started and awaited.
    Await,
    /// Unreachable members lose their votes.
    Dead,
    /// Servers are added.
    Join,
    /// Observers get a vote.
    Promote,
    /// Ids move to other machines.
    Replace,
    /// Servers get new addresses.
    Readdress,
    /// Clients move, or the operator confirms that they have.
    Gate,
    /// Observers are removed.
    RemoveObservers,
    /// Voters become observers.
    Demote,
    /// Voters are removed.
    Remove,
    /// The last configuration is proven active.
    Prove,
    /// Processes of servers that are no longer members are stopped.
    Retire,
}

/// The order of the steps of a phase.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum StepOrder {
    /// All at once.
    SideBySide,
    /// One after the other, as listed. The steps of one server are finished before those of the
    /// next begin, even after an election.
    InOrder,
    /// One after the other, in any order. The leader is last.
    LeaderLast,
}

impl Step {
    /// The servers that it concerns.
    pub fn servers(&self) -> impl Iterator<Item = ServerId> {
        let (one, parts) = match &self.action {
            Action::AwaitJoiner(server)
            | Action::Start(server)
            | Action::Stop(server)
            | Action::AskToStop(server)
            | Action::AttestBlank(server)
            | Action::Restart(Restart { server, .. }) => (Some(*server), [].as_slice()),
            Action::Prove(server) => (*server, [].as_slice()),
            Action::Reconfig { parts, .. } => (None, parts.as_slice()),
            Action::Gate(_) => (None, [].as_slice()),
        };
        one.into_iter().chain(parts.iter().map(|part| part.server))
    }

    /// Whether it concerns that server.
    pub fn concerns(&self, server: ServerId) -> bool {
        self.servers().any(|own| own == server)
    }

    /// Whether both concern one server.
    pub fn shares_server(&self, other: &Self) -> bool {
        self.servers().any(|server| other.concerns(server))
    }

    /// The request that it sends.
    pub fn reconfig(&self) -> Option<&Reconfig> {
        match &self.action {
            Action::Reconfig { request, .. } => Some(request),
            Action::AwaitJoiner(_)
            | Action::Gate(_)
            | Action::Start(_)
            | Action::Stop(_)
            | Action::AskToStop(_)
            | Action::AttestBlank(_)
            | Action::Restart(_)
            | Action::Prove(_) => None,
        }
    }

    /// The restart that it is.
    pub const fn restart(&self) -> Option<&Restart> {
        match &self.action {
            Action::Restart(restart) => Some(restart),
            _ => None,
        }
    }

    /// Whether its turn counts: the leader's own such step comes after those of all others.
    pub fn takes_a_turn(&self) -> bool {
        self.reconfig().is_some() || self.restart().is_some()
    }

    /// The change of each server in its request.
    pub fn parts(&self) -> &[ServerChange] {
        match &self.action {
            Action::Reconfig { parts, .. } => parts,
            _ => &[],
        }
    }

    /// Whether the server hands over the leadership in this step, if it leads.
    pub fn hands_over(&self, leader: ServerId) -> bool {
        let restarts = self.restart().is_some_and(|restart| restart.server == leader);
        restarts
            || self.parts().iter().any(|part| part.server == leader && part.change.hands_over())
    }

    /// Whether it sends a request by which servers only leave or lose their votes. Such requests
    /// wait for the gate.
    pub fn only_takes_out(&self) -> bool {
        let goes =
            |part: &ServerChange| matches!(part.change, ChangeVerb::Leave | ChangeVerb::Demote);
        matches!(self.action, Action::Reconfig { .. }) && self.parts().iter().all(goes)
    }

    /// The canonical name of an action.
    pub fn named(action: Action) -> Self {
        let id = match &action {
            Action::AwaitJoiner(id) => format!("await-{id}"),
            Action::Reconfig { parts, .. } => {
                let word = parts.first().map_or("reconfig", |part| part.change.word());
                format!("{word}-{}", runs(parts.iter().map(|part| part.server.get())))
            }
            Action::Gate(_) => "gate".to_owned(),
            Action::Start(id) => format!("start-{id}"),
            Action::Stop(id) | Action::AskToStop(id) => format!("stop-{id}"),
            Action::AttestBlank(id) => format!("attest-{id}"),
            Action::Restart(restart) => format!("restart-{}", restart.server),
            Action::Prove(None) => "prove".to_owned(),
            Action::Prove(Some(id)) => format!("prove-{id}"),
        };
        Self { id: StepId(id), action }
    }
}

/// Ascending numbers, three or more in a row as `4..6`.
fn runs(numbers: impl Iterator<Item = i64>) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let run = |(first, last): (i64, i64)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}..{last}"),
    };
    runs.into_iter().map(run).collect::<Vec<_>>().join(",")
}

impl ChangeVerb {
    /// The word for it in step names.
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

    /// Whether its server hands over the leadership, if it leads (`Leader.getDesignatedLeader`).
    pub const fn hands_over(self) -> bool {
        matches!(self, Self::Leave | Self::Demote | Self::Readdress { quorum: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_step_contains_its_servers() {
        for (ids, name) in [
            (vec![4], "leave-4"),
            (vec![4, 5], "leave-4,5"),
            (vec![1, 4, 5, 6, 7, 9, 10], "leave-1,4..7,9,10"),
            (vec![-1, 0, i64::MAX], "leave--1,0,9223372036854775807"),
        ] {
            let part =
                |id: &i64| ServerChange { server: ServerId::new(*id), change: ChangeVerb::Leave };
            let request = Reconfig { joining: Vec::new(), leaving: Vec::new() };
            let parts = ids.iter().map(part).collect();
            assert_eq!(Step::named(Action::Reconfig { parts, request }).id.as_str(), name);
        }
    }
}

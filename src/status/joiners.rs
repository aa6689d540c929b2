//! What each joiner still lacks before it can be added.

use super::known::Known;
use crate::ensemble::{Mode, PortState};
use crate::model::ServerId;
use crate::observe::{DataProof, FindingKind, Lag, ServerObservation, ServerStatus};

/// A wanted server that is no member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinerState {
    /// Its id.
    pub id: ServerId,
    /// What it still lacks, as far as that is seen without credentials; empty where nothing.
    pub lacks: Vec<JoinerLack>,
}

/// What a joiner lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JoinerLack {
    /// An answer: it was not reached.
    Answer,
    /// Another id: it answers with this one.
    OwnId(ServerId),
    /// A place in this ensemble: it runs outside it, standalone or with another configuration.
    Ensemble,
    /// A leader: it runs and does not follow.
    Leader,
    /// An answer that shows its id.
    KnownId,
    /// This many transactions; `None` if their number is unknown.
    Transactions(Option<u64>),
    /// The leader's data: its own differ.
    SameData,
    /// A proof that its data equal the leader's.
    DataProof,
    /// The ports of the spec: it listens on others.
    WantedPorts,
    /// An election port that others reach.
    ElectionPort,
}

/// The joiners of a spec.
pub(super) fn joiners(known: &Known<'_>) -> Vec<JoinerState> {
    let Known { seen, wanted, .. } = known;
    let Some(wanted) = wanted else { return Vec::new() };
    let target = &wanted.plan().target;
    let new = target.ids().into_iter().filter(|id| !seen.config.membership.contains(*id));
    new.map(|id| JoinerState { id, lacks: lacks(known, id) }).collect()
}

fn lacks(known: &Known<'_>, id: ServerId) -> Vec<JoinerLack> {
    let Some(observed) = known.seen.servers.get(&id) else { return vec![JoinerLack::Answer] };
    let follows = match &observed.status {
        ServerStatus::FollowingWithoutVote
        | ServerStatus::Following
        | ServerStatus::Observing
        | ServerStatus::Leading
        | ServerStatus::Behind
        | ServerStatus::OwnFile
        | ServerStatus::ConfigNotInForce => true,
        ServerStatus::Silent(_) | ServerStatus::NotAsked | ServerStatus::Assumed => {
            return vec![JoinerLack::Answer];
        }
        ServerStatus::AnswersAs(other) => return vec![JoinerLack::OwnId(*other)],
        ServerStatus::IdUnknown => return vec![JoinerLack::KnownId],
        ServerStatus::Standalone | ServerStatus::OtherConfiguration => {
            return vec![JoinerLack::Ensemble];
        }
        ServerStatus::ReadOnly | ServerStatus::NotServing => false,
    };
    if !follows || !observed.mode.is_some_and(Mode::in_ensemble) {
        return vec![JoinerLack::Leader];
    }
    let ports = known.facts.findings.iter().any(|finding| {
        finding.server == Some(id) && matches!(finding.kind, FindingKind::PortsDiffer { .. })
    });
    let port = observed.election_port.is_some_and(|port| port != PortState::Open);
    let transactions = match known.seen.lag(observed) {
        Some(Lag::Transactions(0)) => None,
        Some(Lag::Transactions(behind)) => Some(JoinerLack::Transactions(Some(behind))),
        Some(Lag::EarlierEpoch) | None => Some(JoinerLack::Transactions(None)),
    };
    let ports = ports.then_some(JoinerLack::WantedPorts);
    let port = port.then_some(JoinerLack::ElectionPort);
    transactions.into_iter().chain(data(observed)).chain(ports).chain(port).collect()
}

fn data(observed: &ServerObservation) -> Option<JoinerLack> {
    match &observed.data.compared {
        Some(DataProof::Digest(_)) => None,
        Some(DataProof::Differ) => Some(JoinerLack::SameData),
        _ => Some(JoinerLack::DataProof),
    }
}

//! What each rule asks for and what helps where it is broken, put together from the files of the
//! rules. No sentence is made here of who is down: that is data.

use std::collections::BTreeSet;

use super::{
    addresses, form, identity, join_order, joiners, leader_last, live_quorum, next_quorum, overlap,
    participants, restarts, shared_hints, shrink, spare, stop_last, unsupported, way_back, zones,
};
use crate::check::breach::{BreachKind, Law};
use crate::model::ServerId;
use crate::plan::Plan;

/// What helps against a breach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// These voters do not count: start those that are down.
    Start(BTreeSet<ServerId>),
    /// Something else, in words.
    Other(String),
}

impl Law {
    /// What the rule asks for.
    pub const fn asks(self) -> &'static str {
        match self {
            Self::Now => live_quorum::ASKS,
            Self::Next => next_quorum::ASKS,
            Self::Spare => spare::ASKS,
            Self::Zones => zones::ASKS,
            Self::Joiners => joiners::ASKS,
            Self::LeaderLast => leader_last::ASKS,
            Self::Order => join_order::ASKS,
            Self::Overlap => overlap::ASKS,
            Self::TwoParticipants => participants::ASKS,
            Self::Addresses => addresses::ASKS,
            Self::Identity => identity::ASKS,
            Self::WayBack => way_back::ASKS,
            Self::StopLast => stop_last::ASKS,
            Self::Shrink => shrink::ASKS,
            Self::Restarts => restarts::ASKS,
            Self::Unsupported => unsupported::ASKS,
            Self::Form => form::ASKS,
        }
    }
}

impl BreachKind {
    /// What helps against it in that plan, the most important first.
    pub fn hints(&self, plan: &Plan) -> Vec<Hint> {
        let facts = &plan.facts;
        let only = match self {
            Self::TooFewAcknowledge(_) | Self::SpareTooSmall { .. } | Self::NoWayBack(_) => {
                let voters = facts.base.membership.voters();
                let down: BTreeSet<ServerId> = voters.difference(&facts.synced).copied().collect();
                let start = (!down.is_empty()).then_some(Hint::Start(down));
                let split = match plan.changes.len() {
                    1 => shared_hints::ADD_FIRST,
                    _ => shared_hints::FEWER_AT_A_TIME,
                };
                return start.into_iter().chain([Hint::Other(split.to_owned())]).collect();
            }
            Self::Obstacle(obstacle) => live_quorum::against_obstacle(obstacle),
            Self::NoGroup(ids) => of_servers(ids, unsupported::GIVE_GROUP),
            Self::OtherPlace(ids) => of_servers(ids, unsupported::NEW_ID),
            // A quorum follows: with none there would be no configuration to plan from.
            Self::NoLiveQuorum(_) if facts.leader.is_none() && !facts.assumed => {
                live_quorum::FIND_LEADER.to_owned()
            }
            _ => self.fixed_hint().to_owned(),
        };
        vec![Hint::Other(only)]
    }

    /// What helps against it, whatever is there.
    const fn fixed_hint(&self) -> &'static str {
        match self {
            Self::MemberDisagrees(_) => live_quorum::RESTART,
            Self::NoLiveQuorum(_) => live_quorum::START_VOTERS,
            Self::TooFewAcknowledge(_) | Self::SpareTooSmall { .. } | Self::NoWayBack(_) => {
                shared_hints::ADD_FIRST
            }
            Self::Obstacle(_) | Self::NeedsJoiners { .. } | Self::Finding(_) => {
                shared_hints::ACCEPT
            }
            Self::ZoneLoss(_) => zones::HINT,
            Self::NotAwaited(_)
            | Self::LeaderNotLast(_)
            | Self::LeavesTooEarly { .. }
            | Self::NoOverlap { .. }
            | Self::BlankQuorum { .. }
            | Self::StopsMember(_)
            | Self::StopsUnproven(_)
            | Self::NotBlank(_)
            | Self::TooManyOrders(_) => shared_hints::SPLIT,
            Self::RestartTakesQuorum(_) => restarts::START_OTHERS,
            Self::WrongEnd
            | Self::RestartsNotAlone
            | Self::Mislabelled
            | Self::OutOfTurn
            | Self::TooManyTogether { .. }
            | Self::UnlikeSteps
            | Self::OtherTolerance { .. } => form::REPORT,
            Self::FurtherHandOver(_) | Self::BeforeGate(_) => shared_hints::PLAN_AGAIN,
            Self::NotAscending { .. } => join_order::HIGHER_IDS,
            Self::TooFewParticipants { .. } => participants::HINT,
            Self::AddressTaken { .. } => addresses::FREE_PORT,
            Self::WildcardHost(_) | Self::LoopbackHost(_) => addresses::REACHABLE_HOST,
            Self::LoopbackClient(_) => addresses::REACHABLE_CLIENT,
            Self::ClientUnproven(_) => addresses::PROVE_CLIENT,
            Self::ClientLost(_) => addresses::CLIENT_PORT,
            Self::UnwantableId(_) => identity::OTHER_ID,
            Self::OtherMachine(_) => identity::ID_FOR_MACHINE,
            Self::Shrinks { .. } => shrink::HINT,
            Self::NoGroup(_) => unsupported::GIVE_GROUP,
            Self::OtherPlace(_) => unsupported::NEW_ID,
            Self::GroupsOfMajority(_) => unsupported::NO_GROUPS,
            Self::TooManyWeights => unsupported::EQUAL_WEIGHTS,
            Self::OddPlaces => unsupported::GROUPS_BY_HAND,
            Self::SeveralAddresses(_) => unsupported::LINE_BY_HAND,
        }
    }
}

/// What helps, behind the servers for which it is meant.
fn of_servers(ids: &BTreeSet<ServerId>, helps: &str) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let who = if ids.len() == 1 { "server" } else { "each of servers" };
    format!("{who} {}: {helps}", ids.join(", "))
}

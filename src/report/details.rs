//! The numbers of a breach, by the names that they have in a document.

use std::collections::BTreeSet;

use super::breach::BreachDetails;
use super::findings;
use crate::check::Detail;
use crate::model::ServerId;
use crate::observe::{Finding, Level, Obstacle};

impl From<Detail> for BreachDetails {
    fn from(detail: Detail) -> Self {
        match detail {
            Detail::Obstacle(obstacle) => Self::Obstacle { obstacle },
            Detail::MemberDisagrees(server) => Self::MemberDisagrees { server },
            Detail::NoLiveQuorum(votes) => Self::NoLiveQuorum((&votes).into()),
            Detail::TooFewAcknowledge(votes) => Self::TooFewAcknowledge((&votes).into()),
            Detail::NeedsJoiners { joiners, without } => {
                Self::NeedsJoiners { joiners, without: (&without).into() }
            }
            Detail::SpareTooSmall { votes, tolerance } => {
                Self::ToleranceTooLow { votes: (&votes).into(), required: tolerance }
            }
            Detail::ZoneLoss(window) => Self::ZoneLoss((&window).into()),
            Detail::NotAwaited(server) => Self::NotAwaited { server },
            Detail::LeaderNotLast(server) => Self::LeaderNotLast { server },
            Detail::FurtherHandOver(server) => Self::FurtherLeaderChange { server },
            Detail::BeforeGate(server) => Self::BeforeGate { server },
            Detail::NotAscending { joins, after } => Self::NotAscending { joins, after },
            Detail::LeavesTooEarly { leaves, waiting } => Self::LeavesTooEarly { leaves, waiting },
            Detail::NoOverlap { before, after } => Self::NoOverlap { before, after },
            Detail::TooFewParticipants { left } => Self::TooFewParticipants { left },
            Detail::AddressTaken { server, other, port } => {
                Self::AddressTaken { server, other, port }
            }
            Detail::WildcardHost(server) => Self::WildcardHost { server },
            Detail::LoopbackHost(server) => Self::LoopbackHost { server },
            Detail::LoopbackClient(server) => Self::LoopbackClient { server },
            Detail::ClientLost(server) => Self::ClientLost { server },
            Detail::UnwantableId(server) => Self::UnwantableId { server },
            Detail::OtherMachine(server) => Self::OtherMachine { server },
            Detail::BlankQuorum { newcomers, need: quorum } => {
                Self::BlankQuorum { newcomers, quorum }
            }
            Detail::NoWayBack(votes) => Self::NoWayBack((&votes).into()),
            Detail::StopsMember(server) => Self::StopsMember { server },
            Detail::StopsUnproven(server) => Self::StopsUnproven { server },
            Detail::Shrinks { removed, added, max: allowed } => {
                Self::Shrinks { removed, added, allowed }
            }
            Detail::WrongEnd => Self::WrongEnd,
            Detail::Mislabelled => Self::Mislabelled,
            Detail::OutOfTurn => Self::OutOfTurn,
            Detail::OddPlaces => Self::OddPlaces,
            Detail::TooManyWeights => Self::TooManyWeights,
            Detail::NoGroup(servers) => Self::NoGroup { servers },
            Detail::OtherPlace(servers) => Self::OtherPlace { servers },
            Detail::GroupsOfMajority(servers) => Self::GroupsOfMajority { servers },
            Detail::SeveralAddresses(server) => Self::SeveralAddresses { server },
            Detail::TooManyTogether { changed, most } => {
                Self::TooManyTogether { changed, allowed: most }
            }
            Detail::ClientUnproven(server) => Self::ClientUnproven { server },
            Detail::NotBlank(server) => Self::NotBlank { server },
            Detail::UnlikeSteps => Self::UnlikeSteps,
            Detail::OtherTolerance { says, policy } => Self::OtherTolerance { plan: says, policy },
            Detail::TooManyOrders(moments) => Self::TooManyOrders { moments },
            Detail::Finding(code) => Self::Finding { code: code.to_owned() },
        }
    }
}

/// The servers that a breach is about: those that a person would look at first.
pub(super) fn servers(detail: &Detail, found: &[Finding]) -> BTreeSet<ServerId> {
    match detail {
        Detail::Obstacle(obstacle) => of_obstacle(obstacle),
        // The voters that are missing.
        Detail::NoLiveQuorum(votes)
        | Detail::TooFewAcknowledge(votes)
        | Detail::SpareTooSmall { votes, .. }
        | Detail::NoWayBack(votes) => votes.voters.difference(&votes.acking).copied().collect(),
        Detail::ZoneLoss(window) => {
            window.votes.voters.difference(&window.votes.acking).copied().collect()
        }
        Detail::NeedsJoiners { joiners: ids, .. }
        | Detail::BlankQuorum { newcomers: ids, .. }
        | Detail::NoGroup(ids)
        | Detail::OtherPlace(ids)
        | Detail::GroupsOfMajority(ids) => ids.clone(),
        Detail::NoOverlap { before, after } => {
            before.symmetric_difference(after).copied().collect()
        }
        Detail::NotAscending { joins: one, after: other }
        | Detail::AddressTaken { server: one, other, .. } => BTreeSet::from([*one, *other]),
        Detail::LeavesTooEarly { leaves: id, .. }
        | Detail::MemberDisagrees(id)
        | Detail::NotAwaited(id)
        | Detail::LeaderNotLast(id)
        | Detail::FurtherHandOver(id)
        | Detail::BeforeGate(id)
        | Detail::WildcardHost(id)
        | Detail::LoopbackHost(id)
        | Detail::LoopbackClient(id)
        | Detail::ClientLost(id)
        | Detail::UnwantableId(id)
        | Detail::OtherMachine(id)
        | Detail::StopsMember(id)
        | Detail::StopsUnproven(id)
        | Detail::SeveralAddresses(id)
        | Detail::ClientUnproven(id)
        | Detail::NotBlank(id) => BTreeSet::from([*id]),
        Detail::Finding(code) => {
            let meant =
                |one: &&Finding| one.kind.code() == *code && one.kind.level() == Level::Accept;
            found.iter().filter(meant).flat_map(findings::servers).collect()
        }
        Detail::TooFewParticipants { .. }
        | Detail::Shrinks { .. }
        | Detail::WrongEnd
        | Detail::Mislabelled
        | Detail::OutOfTurn
        | Detail::OddPlaces
        | Detail::TooManyWeights
        | Detail::TooManyTogether { .. }
        | Detail::UnlikeSteps
        | Detail::OtherTolerance { .. }
        | Detail::TooManyOrders(_) => BTreeSet::new(),
    }
}

fn of_obstacle(obstacle: &Obstacle) -> BTreeSet<ServerId> {
    match obstacle {
        Obstacle::ReconfigDisabled(ids) => ids.clone(),
        Obstacle::NoCommit => BTreeSet::new(),
        Obstacle::WantedStandalone(id)
        | Obstacle::NoPlainPort(id)
        | Obstacle::WantedAnswersAs(id, _)
        | Obstacle::WantedElsewhere(id)
        | Obstacle::TakesOneConnection(id, _)
        | Obstacle::MemberAnswersAs(id, _)
        | Obstacle::WantedDataDiffer(id) => BTreeSet::from([*id]),
    }
}

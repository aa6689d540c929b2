//! The numbers of a breach, by the names that they have in a document.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::figures::{VoteFigures, ZoneFigures};
use super::findings;
use crate::check::BreachKind;
use crate::model::ServerId;
use crate::observe::{Finding, Level, Obstacle};

/// The numbers of a breach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum BreachDetails {
    /// Something stands in the way of any plan.
    Obstacle {
        /// What.
        obstacle: Obstacle,
    },
    /// A member runs with another configuration.
    MemberDisagrees {
        /// The member.
        server: ServerId,
    },
    /// Too few voters are up and in sync to begin with.
    NoLiveQuorum(VoteFigures),
    /// Too few of the next voters can acknowledge.
    TooFewAcknowledge(VoteFigures),
    /// The next quorum needs the joiners: once the request is sent, it cannot be aborted.
    NeedsJoiners {
        /// The joiners of the request that can acknowledge.
        joiners: BTreeSet<ServerId>,
        /// The votes without them.
        without: VoteFigures,
    },
    /// The ensemble would tolerate too few failures.
    ToleranceTooLow {
        /// The worse of both sides of the step.
        #[serde(flatten)]
        votes: VoteFigures,
        /// How many failures it must tolerate.
        required: i64,
    },
    /// The loss of a zone would stop writes.
    ZoneLoss(ZoneFigures),
    /// A joiner is added without a step that waits for it.
    NotAwaited {
        /// The joiner.
        server: ServerId,
    },
    /// The leader's own change comes before another server's.
    LeaderNotLast {
        /// The server that may lead.
        server: ServerId,
    },
    /// That server leads, its change is still to come, and the plan has no leader change.
    FurtherLeaderChange {
        /// The leader.
        server: ServerId,
    },
    /// The server answers again and would be removed before the gate that removals wait for.
    BeforeGate {
        /// The server.
        server: ServerId,
    },
    /// A lower id joins after a higher one.
    NotAscending {
        /// The one that joins.
        joins: ServerId,
        /// The higher one before it.
        after: ServerId,
    },
    /// A healthy voter gives up its vote while new ones still wait for theirs.
    LeavesTooEarly {
        /// The old voter.
        leaves: ServerId,
        /// New voters that do not vote yet.
        waiting: BTreeSet<ServerId>,
    },
    /// A quorum of the voters before and one of those after could have no server in common.
    NoOverlap {
        /// Voters before.
        before: BTreeSet<ServerId>,
        /// Voters after.
        after: BTreeSet<ServerId>,
    },
    /// Fewer than two participants.
    TooFewParticipants {
        /// How many would be left.
        left: usize,
    },
    /// Two servers share an address.
    AddressTaken {
        /// The server that changes.
        server: ServerId,
        /// The other one, which may be the same.
        other: ServerId,
        /// The port.
        port: u16,
    },
    /// A quorum host is a wildcard.
    WildcardHost {
        /// The server.
        server: ServerId,
    },
    /// A quorum host is a loopback address, and those of others are not.
    LoopbackHost {
        /// The server.
        server: ServerId,
    },
    /// The client host is a loopback address, and the quorum host is not.
    LoopbackClient {
        /// The server.
        server: ServerId,
    },
    /// A server would lose its client address.
    ClientLost {
        /// The server.
        server: ServerId,
    },
    /// A new id is outside 1 to 254.
    UnwantableId {
        /// The id.
        server: ServerId,
    },
    /// The id is wanted on another machine.
    OtherMachine {
        /// The id.
        server: ServerId,
    },
    /// Newcomers could form a quorum of their own.
    BlankQuorum {
        /// The newcomers.
        newcomers: BTreeSet<ServerId>,
        /// How many of them would be one.
        quorum: usize,
    },
    /// The step could not be taken back.
    NoWayBack(VoteFigures),
    /// Without the server that is restarted, too few voters would acknowledge.
    RestartTakesQuorum(VoteFigures),
    /// Servers are restarted in a plan that does something else too, or one twice, or side by side.
    RestartsNotAlone,
    /// A server would be stopped that is still a member.
    StopsMember {
        /// The server.
        server: ServerId,
    },
    /// A server would be stopped before a write commits in the last configuration.
    StopsUnproven {
        /// The server.
        server: ServerId,
    },
    /// The ensemble would shrink too much.
    Shrinks {
        /// Servers removed.
        removed: usize,
        /// Servers added.
        added: usize,
        /// How many more may be removed than added: `policy.maxShrink`.
        allowed: u32,
    },
    /// The steps do not end at the target.
    WrongEnd,
    /// A step does not do what its name says.
    Mislabelled,
    /// A step may come before an earlier one of the same server.
    OutOfTurn,
    /// Some groups or weights belong to no voter, or are missing.
    OddPlaces,
    /// Quorums are by weights of more kinds than can be looked at.
    TooManyWeights,
    /// Quorums are by groups, and new voters are in none.
    NoGroup {
        /// The new voters.
        servers: BTreeSet<ServerId>,
    },
    /// Voters would count in another group or with another weight than now.
    OtherPlace {
        /// The voters.
        servers: BTreeSet<ServerId>,
    },
    /// Quorums are majorities, and voters are wanted in a group.
    GroupsOfMajority {
        /// The voters.
        servers: BTreeSet<ServerId>,
    },
    /// The server has several addresses or a secure client part.
    SeveralAddresses {
        /// The server.
        server: ServerId,
    },
    /// One request changes more servers than the policy allows.
    TooManyTogether {
        /// How many it changes.
        changed: usize,
        /// How many it may change: `policy.changesPerStep`.
        allowed: usize,
    },
    /// A line would get a client address at which no server answered with that id.
    ClientUnproven {
        /// The server.
        server: ServerId,
    },
    /// An id goes to another machine too early.
    NotBlank {
        /// The id.
        server: ServerId,
    },
    /// An unordered phase has steps of different kinds.
    UnlikeSteps,
    /// The tolerance of the plan is not the one of its policy.
    OtherTolerance {
        /// What the plan says.
        plan: u32,
        /// What follows from the policy.
        policy: u32,
    },
    /// The steps can go in more orders than can be looked at.
    TooManyOrders {
        /// The moments that were looked at.
        moments: usize,
    },
    /// A finding has to be accepted.
    Finding {
        /// Its code.
        code: String,
    },
}

impl From<BreachKind> for BreachDetails {
    fn from(detail: BreachKind) -> Self {
        match detail {
            BreachKind::Obstacle(obstacle) => Self::Obstacle { obstacle },
            BreachKind::MemberDisagrees(server) => Self::MemberDisagrees { server },
            BreachKind::NoLiveQuorum(votes) => Self::NoLiveQuorum((&votes).into()),
            BreachKind::TooFewAcknowledge(votes) => Self::TooFewAcknowledge((&votes).into()),
            BreachKind::NeedsJoiners { joiners, without } => {
                Self::NeedsJoiners { joiners, without: (&without).into() }
            }
            BreachKind::SpareTooSmall { votes, tolerance } => {
                Self::ToleranceTooLow { votes: (&votes).into(), required: tolerance }
            }
            BreachKind::ZoneLoss(window) => Self::ZoneLoss((&window).into()),
            BreachKind::NotAwaited(server) => Self::NotAwaited { server },
            BreachKind::LeaderNotLast(server) => Self::LeaderNotLast { server },
            BreachKind::FurtherHandOver(server) => Self::FurtherLeaderChange { server },
            BreachKind::BeforeGate(server) => Self::BeforeGate { server },
            BreachKind::NotAscending { joins, after } => Self::NotAscending { joins, after },
            BreachKind::LeavesTooEarly { leaves, waiting } => {
                Self::LeavesTooEarly { leaves, waiting }
            }
            BreachKind::NoOverlap { before, after } => Self::NoOverlap { before, after },
            BreachKind::TooFewParticipants { left } => Self::TooFewParticipants { left },
            BreachKind::AddressTaken { server, other, port } => {
                Self::AddressTaken { server, other, port }
            }
            BreachKind::WildcardHost(server) => Self::WildcardHost { server },
            BreachKind::LoopbackHost(server) => Self::LoopbackHost { server },
            BreachKind::LoopbackClient(server) => Self::LoopbackClient { server },
            BreachKind::ClientLost(server) => Self::ClientLost { server },
            BreachKind::UnwantableId(server) => Self::UnwantableId { server },
            BreachKind::OtherMachine(server) => Self::OtherMachine { server },
            BreachKind::BlankQuorum { newcomers, need: quorum } => {
                Self::BlankQuorum { newcomers, quorum }
            }
            BreachKind::NoWayBack(votes) => Self::NoWayBack((&votes).into()),
            BreachKind::RestartTakesQuorum(votes) => Self::RestartTakesQuorum((&votes).into()),
            BreachKind::RestartsNotAlone => Self::RestartsNotAlone,
            BreachKind::StopsMember(server) => Self::StopsMember { server },
            BreachKind::StopsUnproven(server) => Self::StopsUnproven { server },
            BreachKind::Shrinks { removed, added, max: allowed } => {
                Self::Shrinks { removed, added, allowed }
            }
            BreachKind::WrongEnd => Self::WrongEnd,
            BreachKind::Mislabelled => Self::Mislabelled,
            BreachKind::OutOfTurn => Self::OutOfTurn,
            BreachKind::OddPlaces => Self::OddPlaces,
            BreachKind::TooManyWeights => Self::TooManyWeights,
            BreachKind::NoGroup(servers) => Self::NoGroup { servers },
            BreachKind::OtherPlace(servers) => Self::OtherPlace { servers },
            BreachKind::GroupsOfMajority(servers) => Self::GroupsOfMajority { servers },
            BreachKind::SeveralAddresses(server) => Self::SeveralAddresses { server },
            BreachKind::TooManyTogether { changed, most } => {
                Self::TooManyTogether { changed, allowed: most }
            }
            BreachKind::ClientUnproven(server) => Self::ClientUnproven { server },
            BreachKind::NotBlank(server) => Self::NotBlank { server },
            BreachKind::UnlikeSteps => Self::UnlikeSteps,
            BreachKind::OtherTolerance { says, policy } => {
                Self::OtherTolerance { plan: says, policy }
            }
            BreachKind::TooManyOrders(moments) => Self::TooManyOrders { moments },
            BreachKind::Finding(code) => Self::Finding { code: code.to_owned() },
        }
    }
}

/// The servers that a breach is about: those that a person would look at first.
pub(super) fn servers(detail: &BreachKind, found: &[Finding]) -> BTreeSet<ServerId> {
    match detail {
        BreachKind::Obstacle(obstacle) => of_obstacle(obstacle),
        // The voters that are missing.
        BreachKind::NoLiveQuorum(votes)
        | BreachKind::TooFewAcknowledge(votes)
        | BreachKind::SpareTooSmall { votes, .. }
        | BreachKind::RestartTakesQuorum(votes)
        | BreachKind::NoWayBack(votes) => votes.voters.difference(&votes.acking).copied().collect(),
        BreachKind::ZoneLoss(window) => {
            window.votes.voters.difference(&window.votes.acking).copied().collect()
        }
        BreachKind::NeedsJoiners { joiners: ids, .. }
        | BreachKind::BlankQuorum { newcomers: ids, .. }
        | BreachKind::NoGroup(ids)
        | BreachKind::OtherPlace(ids)
        | BreachKind::GroupsOfMajority(ids) => ids.clone(),
        BreachKind::NoOverlap { before, after } => {
            before.symmetric_difference(after).copied().collect()
        }
        BreachKind::NotAscending { joins: one, after: other }
        | BreachKind::AddressTaken { server: one, other, .. } => BTreeSet::from([*one, *other]),
        BreachKind::LeavesTooEarly { leaves: id, .. }
        | BreachKind::MemberDisagrees(id)
        | BreachKind::NotAwaited(id)
        | BreachKind::LeaderNotLast(id)
        | BreachKind::FurtherHandOver(id)
        | BreachKind::BeforeGate(id)
        | BreachKind::WildcardHost(id)
        | BreachKind::LoopbackHost(id)
        | BreachKind::LoopbackClient(id)
        | BreachKind::ClientLost(id)
        | BreachKind::UnwantableId(id)
        | BreachKind::OtherMachine(id)
        | BreachKind::StopsMember(id)
        | BreachKind::StopsUnproven(id)
        | BreachKind::SeveralAddresses(id)
        | BreachKind::ClientUnproven(id)
        | BreachKind::NotBlank(id) => BTreeSet::from([*id]),
        BreachKind::Finding(code) => {
            let meant =
                |one: &&Finding| one.kind.code() == *code && one.kind.level() == Level::Accept;
            found.iter().filter(meant).flat_map(findings::servers).collect()
        }
        BreachKind::TooFewParticipants { .. }
        | BreachKind::Shrinks { .. }
        | BreachKind::RestartsNotAlone
        | BreachKind::WrongEnd
        | BreachKind::Mislabelled
        | BreachKind::OutOfTurn
        | BreachKind::OddPlaces
        | BreachKind::TooManyWeights
        | BreachKind::TooManyTogether { .. }
        | BreachKind::UnlikeSteps
        | BreachKind::OtherTolerance { .. }
        | BreachKind::TooManyOrders(_) => BTreeSet::new(),
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

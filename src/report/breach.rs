//! Breaches of safety rules, with their numbers as data.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::details;
use super::figures::{VoteFigures, ZoneFigures};
use crate::check::Breach;
use crate::model::ServerId;
use crate::observe::{Finding, Obstacle};
use crate::plan::StepId;
use crate::proposal::acceptance;
use crate::render::refusal;

/// A safety rule that the best plan would break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BreachEntry {
    /// The code that `zkplan explain` knows, like `ZKQ3`.
    code: String,
    /// The step at which it is broken; `null` where it is about the whole plan.
    step: Option<StepId>,
    /// The reconfigs done before, in order: the shortest way to the breach.
    after: Vec<StepId>,
    /// Where the same thing is behind an earlier breach: the place of that one in `breaches`, from 0.
    cause: Option<usize>,
    /// Whether the operator may accept it (`--accept CODE:STEP`).
    is_acceptable: bool,
    /// The servers that it is about.
    servers: BTreeSet<ServerId>,
    /// The numbers.
    details: BreachDetails,
    /// The same for people.
    text: String,
}

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

/// Breaches in the order of the screen: each cause, then what the same thing is behind.
pub(super) fn breaches(breaches: &[Breach], findings: &[Finding]) -> Vec<BreachEntry> {
    let entries = refusal::in_order(breaches, findings).into_iter();
    entries.map(|(breach, cause)| BreachEntry::of(breach, cause, findings)).collect()
}

impl BreachEntry {
    fn of(breach: &Breach, cause: Option<usize>, findings: &[Finding]) -> Self {
        let Breach { law: _, step, path, detail } = breach;
        Self {
            code: acceptance(breach).code,
            step: step.clone(),
            after: path.clone(),
            cause,
            is_acceptable: detail.is_acceptable(),
            servers: details::servers(detail, findings),
            details: detail.clone().into(),
            text: refusal::sentence(breach, findings),
        }
    }
}

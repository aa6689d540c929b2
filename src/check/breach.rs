//! The safety rules by name, and what a breach of one looks like: numbers and names, no sentences.

use std::collections::BTreeSet;

use crate::model::ServerId;
use crate::observe::Obstacle;
use crate::plan::StepId;

/// The safety rules that every plan keeps, and the things that no plan can do yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Law {
    /// Now: one leader, a live quorum, a write that commits, one configuration.
    Now,
    /// Next: those of the next voters that can acknowledge form a quorum of them.
    Next,
    /// Spare voters never below the tolerance.
    Spare,
    /// The loss of one zone.
    Zones,
    /// Joiners are proven before they are named.
    Joiners,
    /// The leader's own change last.
    LeaderLast,
    /// Ids join ascending; new voters vote before old ones leave.
    Order,
    /// Quorums of neighbouring configurations share a server.
    Overlap,
    /// Two participants, unless one is known to be possible.
    TwoParticipants,
    /// Addresses.
    Addresses,
    /// Identity.
    Identity,
    /// A way back from everywhere.
    WayBack,
    /// Processes stop last.
    StopLast,
    /// Bounded shrinking.
    Shrink,
    /// Restarts: one at a time, each without taking the quorum, and before any other change.
    Restarts,
    /// No safety rule: what this version cannot change.
    Unsupported,
    /// A plan does what it says and ends where it says.
    Form,
}

impl Law {
    /// Every rule, in the order of their codes.
    pub const ALL: [Self; 17] = [
        Self::Now,
        Self::Next,
        Self::Spare,
        Self::Zones,
        Self::Joiners,
        Self::LeaderLast,
        Self::Order,
        Self::Overlap,
        Self::TwoParticipants,
        Self::Addresses,
        Self::Identity,
        Self::WayBack,
        Self::StopLast,
        Self::Shrink,
        Self::Restarts,
        Self::Unsupported,
        Self::Form,
    ];

    /// The code that `zkplan explain` knows.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Now => "ZKQ1",
            Self::Next => "ZKQ2",
            Self::Spare => "ZKQ3",
            Self::Zones => "ZKQ4",
            Self::Joiners => "ZKQ5",
            Self::LeaderLast => "ZKQ6",
            Self::Order => "ZKQ7",
            Self::Overlap => "ZKQ8",
            Self::TwoParticipants => "ZKQ9",
            Self::Addresses => "ZKQ10",
            Self::Identity => "ZKQ11",
            Self::WayBack => "ZKQ12",
            Self::StopLast => "ZKQ13",
            Self::Shrink => "ZKQ14",
            Self::Restarts => "ZKQ15",
            Self::Unsupported => "ZKU1",
            Self::Form => "ZKU2",
        }
    }
}

/// A safety rule broken: where, after which steps, and how.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breach {
    /// Which rule.
    pub law: Law,
    /// At which step; `None` where it is about the whole plan.
    pub step: Option<StepId>,
    /// The reconfigs done before, in order: the shortest way to the breach.
    pub path: Vec<StepId>,
    /// The numbers.
    pub detail: BreachKind,
}

impl Breach {
    /// A breach that is about the whole plan.
    pub(super) const fn of_plan(law: Law, detail: BreachKind) -> Self {
        Self { law, step: None, path: Vec::new(), detail }
    }
}

/// The numbers of a breach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreachKind {
    /// Something stands in the way of any plan.
    Obstacle(Obstacle),
    /// A member runs with another configuration.
    MemberDisagrees(ServerId),
    /// Too few voters are live to begin with.
    NoLiveQuorum(Votes),
    /// Too few of the next voters can acknowledge.
    TooFewAcknowledge(Votes),
    /// The next quorum needs the joiners: once the request is sent, it cannot be aborted.
    NeedsJoiners {
        /// The joiners of the request that can acknowledge.
        joiners: BTreeSet<ServerId>,
        /// The votes without them.
        without: Votes,
    },
    /// Too few voters could fail.
    SpareTooSmall {
        /// The worse of both sides of the step.
        votes: Votes,
        /// How many must be able to fail.
        tolerance: i64,
    },
    /// The loss of a zone would stop writes.
    ZoneLoss(Window),
    /// A joiner is added without a step that waits for it.
    NotAwaited(ServerId),
    /// The leader's own change comes before another server's.
    LeaderNotLast(ServerId),
    /// That server leads, its change is still to come, and the plan has no leader change.
    FurtherHandOver(ServerId),
    /// The server answers again and would be taken out before the gate that removals wait for.
    BeforeGate(ServerId),
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
    /// A quorum of the voters before and one of those after could miss each other.
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
    WildcardHost(ServerId),
    /// A quorum host is the loopback while others are not.
    LoopbackHost(ServerId),
    /// The client address of a line is the loopback, and its quorum host is not: clients elsewhere
    /// are sent to their own machine.
    LoopbackClient(ServerId),
    /// A server would lose its client address.
    ClientLost(ServerId),
    /// The id cannot be wanted.
    UnwantableId(ServerId),
    /// The id is wanted on another machine.
    OtherMachine(ServerId),
    /// Newcomers could form a quorum of their own.
    BlankQuorum {
        /// The newcomers.
        newcomers: BTreeSet<ServerId>,
        /// How many would be one.
        need: usize,
    },
    /// The step could not be taken back.
    NoWayBack(Votes),
    /// A process would be stopped that a configuration names.
    StopsMember(ServerId),
    /// A process would be stopped before a write in the last configuration.
    StopsUnproven(ServerId),
    /// More removals than additions and policy allow.
    Shrinks {
        /// Servers removed.
        removed: usize,
        /// Servers added.
        added: usize,
        /// What the policy allows beyond.
        max: u32,
    },
    /// Without the server that is restarted, too few voters would acknowledge.
    RestartTakesQuorum(Votes),
    /// Servers are restarted in a plan that does something else too, or one twice, or side by side.
    RestartsNotAlone,
    /// The steps do not end at the target.
    WrongEnd,
    /// A step does not do what it says.
    Mislabelled,
    /// A step may come before an earlier one of the same server.
    OutOfTurn,
    /// Quorums are by groups and weights, some of which belong to no voter, or are missing.
    OddPlaces,
    /// Quorums are by groups and weights, of more kinds than can be looked at.
    TooManyWeights,
    /// Quorums are by groups, and these new voters are in none.
    NoGroup(BTreeSet<ServerId>),
    /// Voters would count in another group or with another weight than now.
    OtherPlace(BTreeSet<ServerId>),
    /// Quorums are majorities, and these voters are wanted in a group.
    GroupsOfMajority(BTreeSet<ServerId>),
    /// The server has several addresses or a secure client part.
    SeveralAddresses(ServerId),
    /// One request changes more servers than the policy allows.
    TooManyTogether {
        /// How many it changes.
        changed: usize,
        /// How many the policy allows.
        most: usize,
    },
    /// The line of a server would get a client address at which no server answered with that id.
    ClientUnproven(ServerId),
    /// An id goes to another machine before its old process is stopped and the new data directory
    /// is attested blank.
    NotBlank(ServerId),
    /// An unordered phase holds steps that are not alike.
    UnlikeSteps,
    /// The tolerance of the plan is not what its policy asks for.
    OtherTolerance {
        /// What the plan says.
        says: u32,
        /// What follows from the policy.
        policy: u32,
    },
    /// The steps can go in more orders than can be looked at.
    TooManyOrders(usize),
    /// A finding has to be accepted.
    Finding(&'static str),
}

/// Who votes, who can acknowledge, and how many must.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Votes {
    /// The voters.
    pub voters: BTreeSet<ServerId>,
    /// Those that can acknowledge.
    pub acking: BTreeSet<ServerId>,
    /// How many must.
    pub need: usize,
}

/// A moment at which the loss of one zone would stop writes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// The zone.
    pub zone: String,
    /// Who votes, who is left without the zone, how many must acknowledge.
    pub votes: Votes,
}

impl Votes {
    /// How many of those that acknowledge may fail; negative where too few acknowledge.
    pub fn spare(&self) -> i64 {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        count(self.acking.len()) - count(self.need)
    }
}

impl Breach {
    /// Whether it is about the change as a whole, or about what is there, whichever steps are taken.
    /// What breaks at a step beside it may only follow from it.
    pub const fn is_of_the_whole(&self) -> bool {
        self.step.is_none() && !self.detail.is_acceptable()
    }
}

impl Law {
    /// Whether some breach of it may be accepted, at its step; see [`BreachKind::is_acceptable`].
    pub const fn is_acceptable(self) -> bool {
        matches!(self, Self::Next | Self::Addresses)
    }
}

impl BreachKind {
    /// Whether the operator may accept it by name.
    pub const fn is_acceptable(&self) -> bool {
        matches!(self, Self::NeedsJoiners { .. } | Self::ClientUnproven(_) | Self::Finding(_))
    }
}

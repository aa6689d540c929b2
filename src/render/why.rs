//! Why a step stands where it stands.

use super::words;
use crate::check::CheckedPlan;
use crate::model::{Place, Reconfig, Role, ServerId};
use crate::plan::{Action, GateKind, Move, Phase, PhaseKind, Plan, Rule, Step};

/// Why a step stands where it stands in its plan; one reason, the most telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// A joiner is started before it is awaited.
    StartFirst,
    /// A joiner is seen before it is named.
    SeenFirst,
    /// Dead members cost quorum and give nothing.
    DeadFirst,
    /// A dead member leaves before its id goes to another machine.
    DeadMakesRoom,
    /// Ids join ascending, and new voters vote before old ones leave.
    Ascending,
    /// Joiners come in without a vote, as policy asks.
    WithoutVoteFirst,
    /// New observers touch no quorum.
    ObserversIn,
    /// An observer cannot acknowledge its own promotion.
    UnlistBeforePromotion,
    /// It comes back as a follower.
    BackAsFollower,
    /// New votes come before old ones go.
    PromoteBeforeLeaving,
    /// An id leaves one machine before it goes to another.
    IdOutFirst,
    /// A machine with old data may not take over an id.
    BlankFirst,
    /// The id comes back before the next one goes.
    IdBackIn,
    /// One server at a time moves.
    MoveOneByOne,
    /// The leader's own change is the last.
    LeaderLast,
    /// Clients move before servers leave.
    ClientsFirst,
    /// Observers leave without touching a quorum.
    ObserversOut,
    /// Votes go when all new ones are there.
    DemoteAfterJoins,
    /// Old voters go when all new ones are there.
    LeaveAfterJoins,
    /// Nobody comes in; voters go one at a time.
    LeaveOneByOne,
    /// This order is best against the loss of a zone.
    ZoneOrder,
    /// Nothing is stopped before a write commits.
    ProveFirst,
    /// A removed server keeps running until it is stopped.
    StopLast,
    /// Two processes of one id are never up at once.
    OneProcess,
}

impl Why {
    /// The reason of a step.
    pub fn of(checked: &CheckedPlan, phase: &Phase, step: &Step) -> Self {
        let plan = checked.plan();
        let leads = step.server().is_some() && step.server() == plan.facts.leader;
        if leads && step.hands_over() && plan.reconfigs() > 1 {
            return Self::LeaderLast;
        }
        match (&step.action, phase.kind) {
            (Action::Start(_), _) => Self::StartFirst,
            (Action::AwaitJoiner(_), PhaseKind::Promote) => Self::BackAsFollower,
            (Action::AwaitJoiner(_), _) => Self::SeenFirst,
            (Action::AttestBlank(_), _) => Self::BlankFirst,
            (Action::Gate(_), _) => Self::ClientsFirst,
            (Action::Prove(_), _) => Self::ProveFirst,
            (Action::Stop(_) | Action::AskToStop(_), PhaseKind::Replace) => Self::OneProcess,
            (Action::Stop(_) | Action::AskToStop(_), _) => Self::StopLast,
            (Action::Reconfig { server, change, .. }, kind) => {
                of_reconfig(plan, (kind, phase.rule), *server, *change)
            }
        }
    }

    /// The reason as a phrase.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::StartFirst => "a joiner is started before it is awaited",
            Self::SeenFirst => "a joiner is named only after it was seen following",
            Self::DeadFirst => "dead members first: they only cost quorum",
            Self::DeadMakesRoom => "a dead member leaves before its id goes to another machine",
            Self::Ascending => "ids join ascending; new voters vote before old ones leave",
            Self::WithoutVoteFirst => "joiners observe first, as policy.addAs asks",
            Self::ObserversIn => "observers come in without touching the quorum",
            Self::UnlistBeforePromotion => {
                "an observer cannot acknowledge its own promotion: it leaves for a moment"
            }
            Self::BackAsFollower => "it comes back as a follower that can acknowledge",
            Self::PromoteBeforeLeaving => "new votes come before old ones go",
            Self::IdOutFirst => "an id leaves one machine before it goes to another",
            Self::BlankFirst => "a machine with old data must not take over an id",
            Self::IdBackIn => "an id comes back in before the next one goes",
            Self::MoveOneByOne => "one server at a time moves, so that at most one is away",
            Self::LeaderLast => "it leads: the leader's own change is the last reconfig",
            Self::ClientsFirst => "clients move before servers leave",
            Self::ObserversOut => "observers leave without touching the quorum",
            Self::DemoteAfterJoins => "votes go only when all new voters vote",
            Self::LeaveAfterJoins => "old voters leave once new ones vote",
            Self::LeaveOneByOne => "voters leave one at a time",
            Self::ZoneOrder => "the order that is best against the loss of a zone",
            Self::ProveFirst => {
                "a write must commit in the last configuration before anything stops"
            }
            Self::OneProcess => "two processes of one id must never be up at once",
            Self::StopLast => "a removed server runs on without a vote until it is stopped",
        }
    }
}

fn of_reconfig(plan: &Plan, at: (PhaseKind, Rule), server: ServerId, change: Move) -> Why {
    let adds_voters = !plan.target.voters().is_subset(&plan.facts.base.membership.voters());
    let wants_vote = plan.target.has_voter(server);
    let replaced = plan.facts.other_machine.contains(&server);
    match (at.0, change) {
        (PhaseKind::Dead, _) if replaced => Why::DeadMakesRoom,
        (PhaseKind::Dead, _) => Why::DeadFirst,
        (PhaseKind::Replace, Move::Leave) => Why::IdOutFirst,
        (PhaseKind::Replace, _) => Why::IdBackIn,
        (_, Move::Unlist) => Why::UnlistBeforePromotion,
        (_, Move::Promote) => Why::PromoteBeforeLeaving,
        (_, Move::Join) if joins_to_observe(plan, server) && wants_vote => Why::WithoutVoteFirst,
        (_, Move::Join) if !wants_vote => Why::ObserversIn,
        (_, Move::Join) => Why::Ascending,
        (_, Move::Readdress { .. }) => Why::MoveOneByOne,
        (_, Move::Demote) if adds_voters => Why::DemoteAfterJoins,
        (PhaseKind::RemoveObservers, Move::Leave) => Why::ObserversOut,
        (_, Move::Demote | Move::Leave) if at.1 == Rule::InOrder => Why::ZoneOrder,
        (_, Move::Leave) if adds_voters => Why::LeaveAfterJoins,
        (_, Move::Demote | Move::Leave) => Why::LeaveOneByOne,
    }
}

/// Whether its join names it as an observer.
fn joins_to_observe(plan: &Plan, server: ServerId) -> bool {
    plan.steps().any(|step| match &step.action {
        Action::Reconfig { server: id, change: Move::Join, request } if *id == server => {
            request.joining.iter().any(|line| line.role == Role::Observer)
        }
        _ => false,
    })
}

/// What a step does, in words: the long form where there is room, else one that fits 25 columns.
pub(super) fn what(step: &Step, wide: bool) -> String {
    match &step.action {
        Action::AwaitJoiner(id) if wide => format!("wait until server {id} follows"),
        Action::AwaitJoiner(id) => format!("wait: server {id} follows"),
        Action::Reconfig { server, change, request } => {
            let sent = if wide { "reconfig: " } else { "" };
            format!("{sent}{}", what_changes(*server, *change, request, wide))
        }
        Action::Gate(kind) => format!("gate: {}", gate(*kind)),
        Action::Start(id) if wide => format!("run hooks.start for server {id}"),
        Action::Start(id) => format!("hooks.start, server {id}"),
        Action::Stop(id) if wide => format!("run hooks.stop for server {id}"),
        Action::Stop(id) => format!("hooks.stop, server {id}"),
        Action::AskToStop(id) => format!("a person stops server {id}"),
        Action::AttestBlank(id) if wide => format!("a person attests server {id} blank"),
        Action::AttestBlank(id) => format!("attest server {id} blank"),
        Action::Prove(_) => "prove: a write commits".to_owned(),
    }
}

fn what_changes(server: ServerId, change: Move, request: &Reconfig, wide: bool) -> String {
    let role = request.joining.first().map_or(Role::Participant, |line| line.role);
    let place = request.joining.first().and_then(|line| line.place);
    match (change, place) {
        (Move::Join, Some(place)) if wide => {
            return format!("add server {server}, {}", words::place(place));
        }
        (Move::Promote, Some(place)) if wide => {
            return format!("promote server {server}, {}", words::place(place));
        }
        (Move::Join, Some(place)) => return format!("add {server}, {}", short(place)),
        (Move::Promote, Some(place)) => return format!("promote {server}, {}", short(place)),
        _ => {}
    }
    match change {
        Move::Join if wide => format!("add server {server} as {role}"),
        Move::Join => format!("add {role} {server}"),
        Move::Leave => format!("remove server {server}"),
        Move::Unlist => format!("unlist server {server}"),
        Move::Promote => format!("promote server {server}"),
        Move::Demote => format!("demote server {server}"),
        Move::Readdress { .. } => format!("re-address server {server}"),
    }
}

/// Where a vote counts, for the narrowest screen.
fn short(place: Place) -> String {
    let Place { group, weight } = place;
    if weight == 1 { format!("group {group}") } else { format!("group {group} x{weight}") }
}

/// What a gate waits for.
pub(super) const fn gate(kind: GateKind) -> &'static str {
    match kind {
        GateKind::CutoverAuto => "drained or approved",
        GateKind::CutoverManual => "waits for approval",
        GateKind::CutoverDrained => "waits until drained",
    }
}

/// The rule of a phase.
pub(super) const fn rule(rule: Rule) -> &'static str {
    match rule {
        Rule::SideBySide => "side by side",
        Rule::InOrder => "in this order",
        Rule::LeaderLast => "any order, whoever leads goes last",
    }
}

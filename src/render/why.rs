//! Why a step stands where it stands.

use super::words;
use crate::check::CheckedPlan;
use crate::model::{Reconfig, Role, Server, ServerId, VoteWeight};
use crate::observe::{Finding, FindingKind};
use crate::plan::{
    Action, ChangeVerb, GateKind, Phase, PhaseKind, Plan, ServerChange, Step, StepOrder,
};

/// Why a step stands where it stands in its plan; one reason, the most telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// A joiner is started before it is awaited.
    StartFirst,
    /// A joiner is seen before it is named.
    SeenFirst,
    /// Dead members cost quorum and give nothing.
    DeadFirst,
    /// A dead member goes when that lets a request take more.
    DeadInTurn,
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
    /// No server is added; voters leave one at a time.
    LeaveOneByOne,
    /// No server is added; voters leave together, as the policy allows.
    LeaveTogether,
    /// This order is best against the loss of a zone.
    ZoneOrder,
    /// This order is best where votes have weights.
    WeightOrder,
    /// Nothing is stopped before a write commits.
    ProveFirst,
    /// A removed server keeps running until it is stopped.
    StopLast,
    /// A removed server that does not answer may start again with its old data.
    StayDown,
    /// Two processes of one id are never up at once.
    OneProcess,
}

impl Why {
    /// The reason of a step.
    pub fn of(checked: &CheckedPlan, phase: &Phase, step: &Step) -> Self {
        let plan = checked.plan();
        let hands_over = plan.facts.leader.is_some_and(|leader| step.hands_over(leader));
        if hands_over && plan.reconfigs() > 1 {
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
            (Action::AskToStop(id), _) if is_silent(plan, *id) => Self::StayDown,
            (Action::Stop(_) | Action::AskToStop(_), _) => Self::StopLast,
            (Action::Reconfig { parts, .. }, kind) => of_reconfig(plan, (kind, phase.rule), parts),
        }
    }

    /// The reason as a phrase.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::StartFirst => "a joiner must be started before zkplan can wait for it",
            Self::SeenFirst => "a new server is added only after it has copied the data",
            Self::DeadFirst => {
                "unreachable members first: they raise the quorum and acknowledge nothing"
            }
            Self::DeadInTurn => {
                "an unreachable member leaves when one reconfig can then change more servers"
            }
            Self::DeadMakesRoom => {
                "an unreachable member leaves before its id moves to another machine"
            }
            Self::Ascending => {
                "servers join in order of ids; new voters vote before old ones leave"
            }
            Self::WithoutVoteFirst => "new servers join as observers first (policy.addAs)",
            Self::ObserversIn => "new observers do not change the quorum",
            Self::UnlistBeforePromotion => {
                "an observer cannot acknowledge its own promotion: it is removed and added again"
            }
            Self::BackAsFollower => "it follows again as a server that can acknowledge",
            Self::PromoteBeforeLeaving => "new voters vote before old ones leave",
            Self::IdOutFirst => "an id leaves one machine before it moves to another",
            Self::BlankFirst => "a machine with old data must not get an id that was used before",
            Self::IdBackIn => "an id joins again before the next one leaves",
            Self::MoveOneByOne => "one server at a time changes its address: at most one is away",
            Self::LeaderLast => "it leads, and the leader's own change is the last reconfig",
            Self::ClientsFirst => "clients move before servers leave",
            Self::ObserversOut => "removing observers does not change the quorum",
            Self::DemoteAfterJoins => "servers lose their votes only after all new voters vote",
            Self::LeaveAfterJoins => "old voters leave after all new voters vote",
            Self::LeaveOneByOne => "voters leave one at a time",
            Self::LeaveTogether => "several voters leave by one reconfig (policy.changesPerStep)",
            Self::WeightOrder => "the best order for groups and weights",
            Self::ZoneOrder => "the best order in case a zone is lost",
            Self::ProveFirst => {
                "a write must commit in the last configuration before a server is stopped"
            }
            Self::OneProcess => "two servers with the same id must never run at once",
            Self::StopLast => "a removed server keeps running without a vote until it is stopped",
            Self::StayDown => "a removed server that is down must never start with its old data",
        }
    }
}

/// Whether a member gave no answer when the plan was made.
fn is_silent(plan: &Plan, id: ServerId) -> bool {
    let silent = |finding: &Finding| {
        let kind = &finding.kind;
        finding.server == Some(id)
            && matches!(kind, FindingKind::MemberSilent | FindingKind::MemberClosesConnections)
    };
    plan.facts.findings.iter().any(silent)
}

/// Whether others come in before that server goes.
fn follows_others(plan: &Plan, server: ServerId) -> bool {
    let requests = plan.phases.iter().flat_map(|phase| {
        let reconfigs = phase.steps.iter().filter(|step| step.reconfig().is_some());
        reconfigs.map(|step| (phase.kind, step))
    });
    let mut before = requests.take_while(|(_, step)| step.servers().all(|id| id != server));
    let comes_in = |kind| matches!(kind, PhaseKind::Join | PhaseKind::Promote | PhaseKind::Replace);
    before.any(|(kind, _)| comes_in(kind))
}

/// The servers of one request are alike: the first tells.
fn of_reconfig(plan: &Plan, at: (PhaseKind, StepOrder), parts: &[ServerChange]) -> Why {
    let Some(ServerChange { server, change }) = parts.first().copied() else {
        return Why::LeaveOneByOne;
    };
    let adds_voters = !plan.target.voters().is_subset(&plan.facts.base.membership.voters());
    let wants_vote = plan.target.has_voter(server);
    let replaced = plan.facts.other_machine.contains(&server);
    let is_weighted = plan.facts.base.membership.is_weighted();
    match (at.0, change) {
        (PhaseKind::Dead, _) | (_, ChangeVerb::Demote | ChangeVerb::Leave)
            if is_weighted && !replaced && at.1 == StepOrder::InOrder =>
        {
            Why::WeightOrder
        }
        (PhaseKind::Dead, _) if replaced => Why::DeadMakesRoom,
        (PhaseKind::Dead, _) if follows_others(plan, server) => Why::DeadInTurn,
        (PhaseKind::Dead, _) => Why::DeadFirst,
        (PhaseKind::Replace, ChangeVerb::Leave) => Why::IdOutFirst,
        (PhaseKind::Replace, _) => Why::IdBackIn,
        (_, ChangeVerb::Unlist) => Why::UnlistBeforePromotion,
        (_, ChangeVerb::Promote) => Why::PromoteBeforeLeaving,
        (_, ChangeVerb::Join) if joins_to_observe(plan, server) && wants_vote => {
            Why::WithoutVoteFirst
        }
        (_, ChangeVerb::Join) if !wants_vote => Why::ObserversIn,
        (_, ChangeVerb::Join) => Why::Ascending,
        (_, ChangeVerb::Readdress { .. }) => Why::MoveOneByOne,
        (_, ChangeVerb::Demote) if adds_voters => Why::DemoteAfterJoins,
        (PhaseKind::RemoveObservers, ChangeVerb::Leave) => Why::ObserversOut,
        (_, ChangeVerb::Demote | ChangeVerb::Leave) if at.1 == StepOrder::InOrder => Why::ZoneOrder,
        (_, ChangeVerb::Leave) if adds_voters => Why::LeaveAfterJoins,
        (_, ChangeVerb::Demote | ChangeVerb::Leave) if parts.len() > 1 => Why::LeaveTogether,
        (_, ChangeVerb::Demote | ChangeVerb::Leave) => Why::LeaveOneByOne,
    }
}

/// Whether its join names it as an observer.
fn joins_to_observe(plan: &Plan, server: ServerId) -> bool {
    let joins = ServerChange { server, change: ChangeVerb::Join };
    let observes = |line: &Server| line.id == server && line.role == Role::Observer;
    plan.steps()
        .filter(|step| step.parts().contains(&joins))
        .any(|step| step.reconfig().is_some_and(|request| request.joining.iter().any(observes)))
}

/// What a step does, as a phrase.
pub fn step(plan: &Plan, step: &Step) -> String {
    what(plan, step, true)
}

/// What a step does, in words: the long form where there is room, else one that fits 25 columns.
pub(super) fn what(plan: &Plan, step: &Step, wide: bool) -> String {
    match &step.action {
        Action::AwaitJoiner(id) if wide => format!("wait until server {id} follows"),
        Action::AwaitJoiner(id) => format!("wait: server {id} follows"),
        Action::Reconfig { parts, request } => {
            let sent = if wide { "reconfig: " } else { "" };
            format!("{sent}{}", what_changes(parts, request, wide))
        }
        Action::Gate(kind) => format!("gate: {}", gate(*kind)),
        Action::Start(id) if wide => format!("run hooks.start for server {id}"),
        Action::Start(id) => format!("hooks.start, server {id}"),
        Action::Stop(id) if wide => format!("run hooks.stop for server {id}"),
        Action::Stop(id) => format!("hooks.stop, server {id}"),
        Action::AskToStop(id) if is_silent(plan, *id) => format!("keep server {id} stopped"),
        Action::AskToStop(id) => format!("stop server {id} by hand"),
        Action::AttestBlank(id) if wide => format!("a person confirms that server {id} is blank"),
        Action::AttestBlank(id) => format!("confirm server {id} is blank"),
        Action::Prove(_) => "check: a write commits".to_owned(),
    }
}

/// What a request does; where it changes several servers, short words leave out which: the name of
/// the step tells.
fn what_changes(parts: &[ServerChange], request: &Reconfig, wide: bool) -> String {
    let Some(ServerChange { change, .. }) = parts.first() else { return "nothing".to_owned() };
    let ids: Vec<String> = parts.iter().map(|part| part.server.to_string()).collect();
    let servers = match ids.as_slice() {
        [one] => format!("server {one}"),
        several if wide && several.len() <= MOST_NAMED => {
            format!("servers {}", words::list(several.iter().cloned()))
        }
        several => format!("{} servers", several.len()),
    };
    let role = request.joining.first().map_or(Role::Participant, |line| line.role);
    let all_alike = request.joining.iter().all(|line| line.role == role);
    let place = request.joining.first().and_then(|line| line.place).filter(|_| ids.len() == 1);
    match (change, place) {
        (ChangeVerb::Join, Some(place)) if wide => {
            return format!("add {servers}, {}", words::place(place));
        }
        (ChangeVerb::Promote, Some(place)) if wide => {
            return format!("promote {servers}, {}", words::place(place));
        }
        (ChangeVerb::Join, Some(place)) => return format!("add {}, {}", ids[0], short(place)),
        (ChangeVerb::Promote, Some(place)) => {
            return format!("promote {}, {}", ids[0], short(place));
        }
        _ => {}
    }
    match (change, ids.as_slice()) {
        (ChangeVerb::Join, [one]) if !wide => format!("add {role} {one}"),
        (ChangeVerb::Join, [_]) => format!("add {servers} as {role}"),
        (ChangeVerb::Join, _) if wide && all_alike => format!("add {servers} as {role}s"),
        (ChangeVerb::Join, _) => format!("add {servers}"),
        (ChangeVerb::Leave, _) => format!("remove {servers}"),
        (ChangeVerb::Unlist, _) => format!("remove {servers} for now"),
        (ChangeVerb::Promote, _) => format!("promote {servers}"),
        (ChangeVerb::Demote, _) => format!("demote {servers}"),
        (ChangeVerb::Readdress { .. }, _) => format!("re-address {servers}"),
    }
}

/// More servers than this are counted.
const MOST_NAMED: usize = 6;

/// Where a vote counts, for the narrowest screen.
fn short(place: VoteWeight) -> String {
    let VoteWeight { group, weight } = place;
    if weight == 1 { format!("group {group}") } else { format!("group {group} x{weight}") }
}

/// What a gate waits for.
pub(super) const fn gate(kind: GateKind) -> &'static str {
    match kind {
        GateKind::CutoverAuto => "drained or approved",
        GateKind::CutoverManual => "wait for approval",
        GateKind::CutoverDrained => "wait until drained",
    }
}

/// The rule of a phase.
pub(super) const fn rule(rule: StepOrder) -> &'static str {
    match rule {
        StepOrder::SideBySide => "in parallel",
        StepOrder::InOrder => "in this order",
        StepOrder::LeaderLast => "any order, the leader last",
    }
}

//! Why a step stands where it stands in its plan, as data. `render` makes sentences of it.
//!
//! A plan file contains no reasons. They follow from the plan alone, so a plan that was read from a
//! file has the reasons of the plan that was saved.

use super::{Action, ChangeVerb, Phase, PhaseKind, Plan, ServerChange, Step, StepOrder};
use crate::model::{Role, Server, ServerId};
use crate::observe::{Finding, FindingKind};

/// Why a step stands where it stands in its plan. If several reasons apply, the most telling one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepReason {
    /// A joiner is started before apply waits for it.
    StartFirst,
    /// A joiner has copied the data before it is added.
    DataFirst,
    /// Unreachable members raise the quorum and acknowledge nothing.
    UnreachableFirst,
    /// An unreachable member leaves when one request can then change more servers.
    UnreachableBetween,
    /// An unreachable member leaves before its id moves to another machine.
    UnreachableBeforeReplacement,
    /// Ids join in ascending order, and new voters vote before old ones leave.
    Ascending,
    /// Joiners are added without a vote first (`policy.addAs`).
    WithoutVoteFirst,
    /// New observers do not change the quorum.
    ObserversIn,
    /// An observer cannot acknowledge its own promotion.
    UnlistBeforePromotion,
    /// A server returns as a follower that can acknowledge.
    BackAsFollower,
    /// New voters vote before old ones leave.
    PromoteBeforeLeaving,
    /// An id leaves one machine before it moves to another.
    IdOutFirst,
    /// A machine with old data must not get an id that was used before.
    BlankFirst,
    /// An id joins again before the next one leaves.
    IdBackIn,
    /// Lines get their client parts before clients can learn of servers that have one.
    ClientPartsFirst,
    /// One server at a time changes its address.
    MoveOneByOne,
    /// The leader's own change is the last reconfig.
    LeaderLast,
    /// Clients move before servers leave.
    ClientsFirst,
    /// Removing observers does not change the quorum.
    ObserversOut,
    /// Servers lose their votes after all new voters vote.
    DemoteAfterJoins,
    /// Old voters leave after all new voters vote.
    LeaveAfterJoins,
    /// No voter is added. Voters leave one at a time.
    LeaveOneByOne,
    /// No voter is added. Several voters leave by one request, as the policy allows.
    LeaveTogether,
    /// The best order in case a zone is lost.
    ZoneOrder,
    /// The best order for groups and weights.
    WeightOrder,
    /// A write commits in the last configuration before a server is stopped.
    ProveFirst,
    /// A removed server keeps running without a vote until it is stopped.
    StopLast,
    /// A removed server that is down must never start with its old data.
    StayDown,
    /// Two servers with one id never run at once.
    OneProcess,
    /// A member that is down takes no further vote away while it is restarted.
    DownFirst,
    /// One member at a time is restarted, and the next only when it is proven to be back.
    RestartOneByOne,
    /// The restart of the leader is an election; after all others there is one.
    RestartLeaderLast,
}

impl StepReason {
    /// The reason of a step of this phase.
    pub(super) fn of(plan: &Plan, phase: &Phase, step: &Step) -> Self {
        if let Some(restart) = step.restart() {
            return match phase.rule {
                StepOrder::InOrder | StepOrder::SideBySide => Self::DownFirst,
                StepOrder::LeaderLast if plan.facts.leader == Some(restart.server) => {
                    Self::RestartLeaderLast
                }
                StepOrder::LeaderLast => Self::RestartOneByOne,
            };
        }
        let hands_over = plan.facts.leader.is_some_and(|leader| step.hands_over(leader));
        if hands_over && plan.reconfigs() > 1 {
            return Self::LeaderLast;
        }
        match (&step.action, phase.kind) {
            (Action::Start(_), _) => Self::StartFirst,
            (Action::AwaitJoiner(_), PhaseKind::Promote) => Self::BackAsFollower,
            (Action::AwaitJoiner(_), _) => Self::DataFirst,
            (Action::AttestBlank(_), _) => Self::BlankFirst,
            (Action::Gate(_), _) => Self::ClientsFirst,
            (Action::Prove(_), _) => Self::ProveFirst,
            (Action::Stop(_) | Action::AskToStop(_), PhaseKind::Replace) => Self::OneProcess,
            (Action::AskToStop(id), _) if plan.has_no_answer_from(*id) => Self::StayDown,
            (Action::Stop(_) | Action::AskToStop(_), _) => Self::StopLast,
            (Action::Reconfig { parts, .. }, _) => of_reconfig(plan, phase, parts),
            (Action::Restart(_), _) => Self::RestartOneByOne,
        }
    }
}

impl Plan {
    /// Whether a member gave no answer when the plan was made.
    pub fn has_no_answer_from(&self, member: ServerId) -> bool {
        let is_silent = |finding: &Finding| {
            let kind = &finding.kind;
            finding.server == Some(member)
                && matches!(
                    kind,
                    FindingKind::MemberSilent
                        | FindingKind::MemberNotAsked
                        | FindingKind::MemberClosesConnections
                )
        };
        self.facts.findings.iter().any(is_silent)
    }
}

/// The reason of a request. The servers of one request are alike, so the first one decides.
fn of_reconfig(plan: &Plan, phase: &Phase, parts: &[ServerChange]) -> StepReason {
    let Some(ServerChange { server, change }) = parts.first().copied() else {
        return StepReason::LeaveOneByOne;
    };
    let adds_voters = !plan.target.voters().is_subset(&plan.facts.base.membership.voters());
    let wants_vote = plan.target.has_voter(server);
    let replaced = plan.facts.other_machine.contains(&server);
    let is_weighted = plan.facts.base.membership.is_weighted();
    let is_ordered = phase.rule == StepOrder::InOrder;
    match (phase.kind, change) {
        (PhaseKind::Dead, _) | (_, ChangeVerb::Demote | ChangeVerb::Leave)
            if is_weighted && !replaced && is_ordered =>
        {
            StepReason::WeightOrder
        }
        (PhaseKind::Dead, _) if replaced => StepReason::UnreachableBeforeReplacement,
        (PhaseKind::Dead, _) if follows_additions(plan, server) => StepReason::UnreachableBetween,
        (PhaseKind::Dead, _) => StepReason::UnreachableFirst,
        (PhaseKind::Replace, ChangeVerb::Leave) => StepReason::IdOutFirst,
        (PhaseKind::Replace, _) => StepReason::IdBackIn,
        (_, ChangeVerb::Unlist) => StepReason::UnlistBeforePromotion,
        (_, ChangeVerb::Promote) => StepReason::PromoteBeforeLeaving,
        (_, ChangeVerb::Join) if wants_vote && joins_as_observer(plan, server) => {
            StepReason::WithoutVoteFirst
        }
        (_, ChangeVerb::Join) if !wants_vote => StepReason::ObserversIn,
        (_, ChangeVerb::Join) => StepReason::Ascending,
        (_, ChangeVerb::Readdress { .. }) if gets_client_part(plan, server) => {
            StepReason::ClientPartsFirst
        }
        (_, ChangeVerb::Readdress { .. }) => StepReason::MoveOneByOne,
        (_, ChangeVerb::Demote) if adds_voters => StepReason::DemoteAfterJoins,
        (PhaseKind::RemoveObservers, ChangeVerb::Leave) => StepReason::ObserversOut,
        (_, ChangeVerb::Demote | ChangeVerb::Leave) if is_ordered => StepReason::ZoneOrder,
        (_, ChangeVerb::Leave) if adds_voters => StepReason::LeaveAfterJoins,
        (_, ChangeVerb::Demote | ChangeVerb::Leave) if parts.len() > 1 => StepReason::LeaveTogether,
        (_, ChangeVerb::Demote | ChangeVerb::Leave) => StepReason::LeaveOneByOne,
    }
}

/// Whether all that changes of a member is that its line gets a client part.
fn gets_client_part(plan: &Plan, server: ServerId) -> bool {
    let lines = plan.facts.base.membership.get(server).zip(plan.target.get(server));
    lines.is_some_and(|(before, after)| before.gets_only_a_client_part(after))
}

/// Whether a request that adds servers comes before the first request that changes this one.
fn follows_additions(plan: &Plan, server: ServerId) -> bool {
    let requests = plan.phases.iter().flat_map(|phase| {
        let reconfigs = phase.steps.iter().filter(|step| step.reconfig().is_some());
        reconfigs.map(|step| (phase.kind, step))
    });
    let mut before = requests.take_while(|(_, step)| !step.concerns(server));
    before
        .any(|(kind, _)| matches!(kind, PhaseKind::Join | PhaseKind::Promote | PhaseKind::Replace))
}

/// Whether a server is added as an observer.
fn joins_as_observer(plan: &Plan, server: ServerId) -> bool {
    let joins = ServerChange { server, change: ChangeVerb::Join };
    let observes = |line: &Server| line.id == server && line.role == Role::Observer;
    plan.steps()
        .filter(|step| step.parts().contains(&joins))
        .any(|step| step.reconfig().is_some_and(|request| request.joining.iter().any(observes)))
}

//! Steps and the reasons of a plan, in words.

use super::phrases;
use crate::diff::ChangeKind;
use crate::model::{Reconfig, Role, VoteWeight};
use crate::plan::{
    Action, ChangeVerb, EdgeReason, GateKind, Phase, PhaseKind, Plan, Restart, ServerChange, Step,
    StepOrder, StepReason,
};

/// The phrase of a reason.
pub(super) const fn phrase(reason: StepReason) -> &'static str {
    match reason {
        StepReason::StartFirst => "start the new servers",
        StepReason::DataFirst => "wait until the new servers have copied the data",
        StepReason::UnreachableFirst => {
            "members that were not seen in sync first: they raise the quorum and may acknowledge nothing"
        }
        StepReason::UnreachableBetween => {
            "the unreachable member is removed here: after that, one reconfig can change more servers"
        }
        StepReason::UnreachableBeforeReplacement => {
            "an unreachable member is removed before its id moves to another machine"
        }
        StepReason::Ascending => {
            "new voters are added before old ones are removed (in order of ids)"
        }
        StepReason::WithoutVoteFirst => "new servers join as observers first (policy.addAs)",
        StepReason::ObserversIn => "new observers do not change the quorum",
        StepReason::UnlistBeforePromotion => {
            "an observer does not acknowledge its own promotion. Where its vote is needed for the \
             quorum or the tolerance, it is removed first (its process keeps running) and then added \
             as a voter"
        }
        StepReason::BackAsFollower => "it keeps running and follows again, now able to acknowledge",
        StepReason::PromoteBeforeLeaving => "observers become voters",
        StepReason::IdOutFirst => "an id is removed from one machine before it moves to another",
        StepReason::BlankFirst => "a machine with old data must not get an id that was used before",
        StepReason::IdBackIn => "an id joins again before the next one leaves",
        StepReason::ClientPartsFirst => {
            "each server line gets its client port, so that clients that read the configuration \
             keep all servers in their list"
        }
        StepReason::MoveOneByOne => {
            "addresses change one server at a time; the plan counts that server as down meanwhile, \
             though it keeps running"
        }
        StepReason::LeaderLast => "the leader's own change is the last reconfig",
        StepReason::ClientsFirst => "you move the clients before servers are removed",
        StepReason::ObserversOut => "removing observers does not change the quorum",
        StepReason::DemoteAfterJoins => "servers lose their votes only after all new voters vote",
        StepReason::LeaveAfterJoins => "old voters are removed after all new voters vote",
        StepReason::LeaveOneByOne => "voters are removed one at a time",
        StepReason::LeaveTogether => "one reconfig removes several voters (policy.changesPerStep)",
        StepReason::WeightOrder => "the best order for groups and weights",
        StepReason::ZoneOrder => "the best order in case a zone is lost",
        StepReason::ProveFirst => {
            "a write must commit in the new configuration before a server is stopped"
        }
        StepReason::OneProcess => "two servers with the same id must never run at once",
        StepReason::StopLast => "removed servers run without a vote until they are stopped",
        StepReason::StayDown => "a removed server must never start again with its old data",
        StepReason::DownFirst => "it is down: its restart takes no further vote away",
        StepReason::RestartOneByOne => {
            "one server at a time; the next only when the last one is proven to be back"
        }
        StepReason::RestartLeaderLast => "it leads: its restart is the only election",
    }
}

/// The phrase of a reason in that plan: it names no kind of step that the plan does not have.
pub fn phrase_in(plan: &Plan, reason: StepReason) -> &'static str {
    let stops = |step: &Step| matches!(step.action, Action::Stop(_) | Action::AskToStop(_));
    let only_joins = |kind: ChangeKind| matches!(kind, ChangeKind::Join | ChangeKind::Promote);
    let is_left = plan.changes.iter().any(|change| !only_joins(change.kind));
    match reason {
        StepReason::ProveFirst if !plan.steps().any(stops) => {
            "a write must commit in the new configuration"
        }
        StepReason::Ascending if !is_left => "servers are added in order of ids",
        StepReason::PromoteBeforeLeaving if !is_left => "observers become voters",
        _ => phrase(reason),
    }
}

/// The phrase of the reason why one step waits for another.
pub const fn edge_phrase(reason: EdgeReason) -> &'static str {
    match reason {
        EdgeReason::ConfigVersion => {
            "each reconfig starts from the config version of the one before"
        }
        EdgeReason::Step(reason) => phrase(reason),
    }
}

/// What a step does, as a phrase.
pub fn step(plan: &Plan, step: &Step) -> String {
    what(plan, step, true)
}

/// A step in a graph: its name, and what it does.
pub(super) fn label(plan: &Plan, step: &Step) -> String {
    let what = what(plan, step, true);
    match step.action {
        // Their names say no more than their words.
        Action::Gate(_) | Action::Prove(_) => what,
        _ => format!("{}: {what}", step.id),
    }
}

/// What a step does, in words: the long form where there is room, else one that fits 25 columns.
pub(super) fn what(plan: &Plan, step: &Step, wide: bool) -> String {
    match &step.action {
        Action::AwaitJoiner(id) if wide => format!("wait until server {id} follows"),
        Action::AwaitJoiner(id) => format!("wait for server {id}"),
        Action::Reconfig { parts, request } => {
            let sent = if wide { "reconfig: " } else { "" };
            format!("{sent}{}", what_changes(parts, request, wide))
        }
        Action::Gate(kind) => format!("gate: {}", gate(*kind)),
        Action::Start(id) if wide => format!("run hooks.start for server {id}"),
        Action::Start(id) => format!("start server {id} (hook)"),
        Action::Stop(id) if wide => format!("run hooks.stop for server {id}"),
        Action::Stop(id) => format!("stop server {id} (hook)"),
        Action::AskToStop(id) if plan.has_no_answer_from(*id) => {
            format!("make sure server {id} is stopped")
        }
        Action::AskToStop(id) => format!("stop server {id} by hand"),
        Action::AttestBlank(id) if wide => format!("a person confirms that server {id} is blank"),
        Action::AttestBlank(id) => format!("confirm server {id} is blank"),
        Action::Restart(Restart { server, .. }) => match (plan.hooks.restart.is_some(), wide) {
            (true, true) => format!("run hooks.restart for server {server}"),
            (true, false) => format!("restart server {server} (hook)"),
            (false, _) => format!("restart server {server} by hand"),
        },
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
            format!("servers {}", phrases::list(several.iter().cloned()))
        }
        several => format!("{} servers", several.len()),
    };
    let role = request.joining.first().map_or(Role::Participant, |line| line.role);
    let all_alike = request.joining.iter().all(|line| line.role == role);
    let place = request.joining.first().and_then(|line| line.place).filter(|_| ids.len() == 1);
    match (change, place) {
        (ChangeVerb::Join, Some(place)) if wide => {
            return format!("add {servers}, {}", phrases::place(place));
        }
        (ChangeVerb::Promote, Some(place)) if wide => {
            return format!("promote {servers}, {}", phrases::place(place));
        }
        (ChangeVerb::Join, Some(place)) => return format!("add {}, {}", ids[0], short(place)),
        (ChangeVerb::Promote, Some(place)) => {
            return format!("promote {}, {}", ids[0], short(place));
        }
        _ => {}
    }
    match (change, ids.as_slice()) {
        (ChangeVerb::Join, [_]) if !wide && role == Role::Observer => {
            format!("add {servers}, {role}")
        }
        (ChangeVerb::Join, [_]) if !wide => format!("add {servers}"),
        (ChangeVerb::Join, [_]) => format!("add {servers} as {role}"),
        (ChangeVerb::Join, _) if wide && all_alike => format!("add {servers} as {role}s"),
        (ChangeVerb::Join, _) => format!("add {servers}"),
        (ChangeVerb::Leave, _) => format!("remove {servers}"),
        (ChangeVerb::Unlist, [id]) if wide => format!("remove {servers} until promote-{id}"),
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
        GateKind::CutoverAuto => "no clients left, or approved",
        GateKind::CutoverManual => "wait for approval",
        GateKind::CutoverDrained => "wait until no clients are left",
    }
}

/// The rule of a phase. The leader is last where its own step ends its lead, and there alone. Where the
/// clients of servers that are stopped can move between two stops, they are stopped one at a time.
pub(super) fn rule(phase: &Phase) -> &'static str {
    let ends_a_lead = |step: &Step| step.servers().any(|server| step.hands_over(server));
    match phase.rule {
        StepOrder::SideBySide if phase.kind == PhaseKind::Retire => "one at a time",
        StepOrder::SideBySide => "in parallel",
        StepOrder::InOrder => "in this order",
        StepOrder::LeaderLast if phase.steps.iter().any(ends_a_lead) => {
            "any order, the current leader last"
        }
        StepOrder::LeaderLast => "in any order",
    }
}

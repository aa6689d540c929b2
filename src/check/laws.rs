//! The laws of one reconfig: what it may introduce, from which moment.

use std::collections::BTreeSet;

use super::addresses;
use super::breach::{Detail, Law, Votes};
use super::state::{Effect, State};
use crate::model::{Reconfig, ServerId};
use crate::observe::Facts;
use crate::plan::{Action, Phase, Plan, Step};

/// What stays the same over the whole plan.
pub(super) struct Context<'a> {
    pub(super) plan: &'a Plan,
    pub(super) facts: &'a Facts,
    /// Voters that must be able to fail, the base's own weakness taken into account.
    pub(super) tolerance: i64,
    /// Whether the base survives the loss of any one zone.
    pub(super) base_survives_zones: bool,
    /// Members whose id goes to another machine.
    pub(super) replaced: BTreeSet<ServerId>,
    /// Voters of the target that are none of the base.
    pub(super) new_voters: BTreeSet<ServerId>,
}

/// One reconfig from one moment.
pub(super) struct Transition<'a> {
    pub(super) before: &'a State,
    pub(super) after: &'a State,
    pub(super) phase: &'a Phase,
    pub(super) server: ServerId,
    effect: Effect,
    was: Votes,
    /// The votes while it is under way.
    pub(super) during: Votes,
    /// The votes when it is done.
    pub(super) is: Votes,
}

type Found = Option<(Law, Detail)>;

/// Every law that the reconfig breaks, but that of zones.
pub(super) fn broken(context: &Context<'_>, step: &Transition<'_>) -> Vec<(Law, Detail)> {
    let mut found: Vec<(Law, Detail)> = [
        next(step),
        spare(context, step),
        joiners(step),
        ascending(context, step),
        new_voters_first(context, step),
        overlap(step),
        two_participants(context, step),
        blank_newcomers(step),
        same_machine(context, step),
        way_back(step),
    ]
    .into_iter()
    .flatten()
    .collect();
    found.extend(addresses::broken(context, step).into_iter().map(|d| (Law::Addresses, d)));
    found
}

/// Every law that a step breaks which sends no request.
pub(super) fn broken_by_other(
    context: &Context<'_>,
    before: &State,
    step: &Step,
) -> Vec<(Law, Detail)> {
    let found = match &step.action {
        Action::AwaitJoiner(id) if before.members.contains(*id) => {
            Some((Law::Form, Detail::Mislabelled))
        }
        Action::Start(id) | Action::AwaitJoiner(id) => {
            not_blank(context, before, *id).map(|detail| (Law::Identity, detail))
        }
        // ZKQ13.
        Action::Stop(id) | Action::AskToStop(id) if before.members.contains(*id) => {
            Some((Law::StopLast, Detail::StopsMember(*id)))
        }
        Action::Stop(id) | Action::AskToStop(id) => {
            let proven = before.proven_gone.contains(id);
            (!proven).then_some((Law::StopLast, Detail::StopsUnproven(*id)))
        }
        Action::Reconfig { .. } | Action::Gate(_) | Action::AttestBlank(_) | Action::Prove(_) => {
            None
        }
    };
    found.into_iter().collect()
}

/// ZKQ11: an id may be wanted on another machine only where its old process is stopped and the new
/// machine has no data of its own.
fn not_blank(context: &Context<'_>, before: &State, id: ServerId) -> Option<Detail> {
    let sure = before.stopped.contains(&id) && before.blank.contains(&id);
    (context.replaced.contains(&id) && !sure).then_some(Detail::NotBlank(id))
}

impl<'a> Transition<'a> {
    pub(super) fn new(
        [before, after]: [&'a State; 2],
        phase: &'a Phase,
        server: ServerId,
        request: &Reconfig,
    ) -> Self {
        Self {
            before,
            after,
            phase,
            server,
            effect: before.effect(server, request),
            was: before.votes(),
            during: before.votes_during(server, request),
            is: after.votes(),
        }
    }

    /// Whether a vote is at stake: observers come, move and go without touching the quorum.
    fn changes_votes(&self) -> bool {
        self.before.members.has_voter(self.server) || self.after.members.has_voter(self.server)
    }
}

/// ZKQ2.
fn next(step: &Transition<'_>) -> Found {
    let during = &step.during;
    if !step.changes_votes() {
        return None;
    }
    if during.spare() < 0 {
        return Some((Law::Next, Detail::TooFewAcknowledge(during.clone())));
    }
    let mut without = during.clone();
    let counted = without.acking.remove(&step.server);
    let needs = counted && step.effect == Effect::Joins && without.spare() < 0;
    needs.then_some((Law::Next, Detail::NeedsJoiner { joiner: step.server, without }))
}

/// ZKQ3. A re-address in place may spend one spare for its own step.
fn spare(context: &Context<'_>, step: &Transition<'_>) -> Found {
    if !step.changes_votes() {
        return None;
    }
    let (before, during) = (&step.was, &step.during);
    let worse = if before.spare() < during.spare() { before } else { during };
    let spent = i64::from(step.effect == Effect::Moves);
    let tolerance = context.tolerance - spent;
    (worse.spare() < tolerance)
        .then(|| (Law::Spare, Detail::SpareTooSmall { votes: worse.clone(), tolerance }))
}

/// ZKQ5. An observer that gets a vote where it stands was seen too, or it would only cost quorum.
fn joiners(step: &Transition<'_>) -> Found {
    let named_blindly = match step.effect {
        Effect::Joins => !step.before.ready.contains(&step.server),
        Effect::GainsVote => !step.before.live.contains(&step.server),
        _ => false,
    };
    named_blindly.then_some((Law::Joiners, Detail::NotAwaited(step.server)))
}

/// ZKQ7, first half. An observer that comes back with a vote, and an id on a new machine, are no
/// newcomers.
fn ascending(context: &Context<'_>, step: &Transition<'_>) -> Found {
    let known = context.facts.base.membership.contains(step.server);
    let again = step.before.highest_joined.is_some_and(|highest| highest == step.server);
    if step.effect != Effect::Joins || known || again {
        return None;
    }
    let after = step.before.highest_joined.filter(|highest| *highest > step.server)?;
    let returning = context.plan.steps().any(|other| {
        other.server() == Some(step.server)
            && other.reconfig().is_some_and(|request| request.leaving.contains(&step.server))
    });
    (!returning).then_some((Law::Order, Detail::NotAscending { joins: step.server, after }))
}

/// ZKQ7, second half.
fn new_voters_first(context: &Context<'_>, step: &Transition<'_>) -> Found {
    let gives_up = matches!(step.effect, Effect::Leaves | Effect::LosesVote)
        && step.before.members.has_voter(step.server)
        && context.facts.live.contains(&step.server)
        && !context.replaced.contains(&step.server);
    let waiting: BTreeSet<ServerId> = context
        .new_voters
        .iter()
        .filter(|id| !step.before.members.has_voter(**id))
        .copied()
        .collect();
    (gives_up && !waiting.is_empty())
        .then_some((Law::Order, Detail::LeavesTooEarly { leaves: step.server, waiting }))
}

/// ZKQ8.
fn overlap(step: &Transition<'_>) -> Found {
    let (before, after) = (&step.was, &step.is);
    let together = before.voters.union(&after.voters).count();
    (before.need + after.need <= together).then(|| {
        let [before, after] = [before, after].map(|votes| votes.voters.clone());
        (Law::Overlap, Detail::NoOverlap { before, after })
    })
}

/// ZKQ9.
fn two_participants(context: &Context<'_>, step: &Transition<'_>) -> Found {
    let left = step.is.voters.len();
    let shrinks = left < step.was.voters.len();
    let floor = if context.facts.one_voter_possible { 1 } else { 2 };
    (shrinks && left < floor).then_some((Law::TwoParticipants, Detail::TooFewParticipants { left }))
}

/// ZKQ11: the servers that one request brings in are no quorum of what comes out.
fn blank_newcomers(step: &Transition<'_>) -> Found {
    let after = &step.is;
    let newcomers: BTreeSet<ServerId> =
        after.voters.difference(&step.was.voters).copied().collect();
    (newcomers.len() >= after.need)
        .then_some((Law::Identity, Detail::BlankQuorum { newcomers, need: after.need }))
}

/// ZKQ11: an id that is wanted on another machine is never re-addressed to it, and comes back only
/// to one that is attested blank.
fn same_machine(context: &Context<'_>, step: &Transition<'_>) -> Found {
    let hosts = |state: &State| {
        let peers = state.members.get(step.server).into_iter().flat_map(|line| &line.peers);
        peers.map(|peer| peer.host.clone()).collect::<Vec<_>>()
    };
    let detail = match step.effect {
        Effect::Joins => not_blank(context, step.before, step.server),
        Effect::Leaves => None,
        _ => (context.replaced.contains(&step.server) && hosts(step.before) != hosts(step.after))
            .then_some(Detail::OtherMachine(step.server)),
    };
    detail.map(|detail| (Law::Identity, detail))
}

/// ZKQ12: back to where the step came from, less what was dead there.
fn way_back(step: &Transition<'_>) -> Found {
    let mut still_up = step.after.live.clone();
    if step.effect == Effect::Leaves && step.was.acking.contains(&step.server) {
        // A server that left keeps following without a vote.
        still_up.insert(step.server);
    }
    let back = step.was.acking.clone();
    let acking: BTreeSet<ServerId> = back.intersection(&still_up).copied().collect();
    let need = back.len() / 2 + 1;
    let votes = Votes { voters: back, acking, need };
    (votes.spare() < 0).then_some((Law::WayBack, Detail::NoWayBack(votes)))
}

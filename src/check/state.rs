//! A moment of a plan as the checker sees it, and what one reconfig makes of it.
//!
//! Own arithmetic on purpose: nothing here is shared with the planner.

use std::collections::{BTreeMap, BTreeSet};

use super::breach::{Votes, Window};
use crate::model::{Membership, Reconfig, ServerId};
use crate::observe::Facts;
use crate::plan::{Action, Move, Step};

/// A moment of a plan.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) members: Membership,
    /// Members that are up and in sync.
    pub(super) live: BTreeSet<ServerId>,
    /// Servers that were awaited: they follow without a vote.
    pub(super) ready: BTreeSet<ServerId>,
    /// The highest id that has joined so far.
    pub(super) highest_joined: Option<ServerId>,
    /// Servers that were taken out and are no members.
    gone: BTreeSet<ServerId>,
    /// Those of them without which a configuration was proven active.
    pub(super) proven_gone: BTreeSet<ServerId>,
    /// Servers whose process was stopped.
    pub(super) stopped: BTreeSet<ServerId>,
    /// Servers whose data directory was attested blank.
    pub(super) blank: BTreeSet<ServerId>,
}

/// What a request does to one server, read off the memberships.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Joins,
    Leaves,
    GainsVote,
    LosesVote,
    Moves,
    Nothing,
}

impl State {
    pub(super) fn base(facts: &Facts) -> Self {
        Self {
            members: facts.base.membership.clone(),
            live: facts.live.clone(),
            ready: BTreeSet::new(),
            highest_joined: None,
            gone: BTreeSet::new(),
            proven_gone: BTreeSet::new(),
            stopped: BTreeSet::new(),
            blank: BTreeSet::new(),
        }
    }

    /// The moment after a step.
    pub(super) fn after(&self, step: &Step) -> Self {
        let mut next = self.clone();
        match &step.action {
            // A member cannot be seen following without a vote.
            Action::AwaitJoiner(id) if self.members.contains(*id) => {}
            Action::AwaitJoiner(id) => {
                next.ready.insert(*id);
            }
            Action::Reconfig { server, request, .. } => next.reconfigure(*server, request),
            Action::Prove(_) => next.proven_gone.clone_from(&self.gone),
            Action::Stop(id) | Action::AskToStop(id) => {
                next.stopped.insert(*id);
            }
            Action::AttestBlank(id) => {
                next.blank.insert(*id);
            }
            Action::Gate(_) | Action::Start(_) => {}
        }
        next
    }

    fn reconfigure(&mut self, server: ServerId, request: &Reconfig) {
        let joined = !self.members.contains(server);
        self.members = self.members.with(request);
        if !self.members.contains(server) {
            self.live.remove(&server);
            self.gone.insert(server);
        } else if joined && self.ready.remove(&server) {
            self.live.insert(server);
        }
        if joined && self.members.contains(server) {
            self.gone.remove(&server);
            self.proven_gone.remove(&server);
            self.highest_joined = self.highest_joined.max(Some(server));
        }
    }

    pub(super) fn effect(&self, server: ServerId, request: &Reconfig) -> Effect {
        let joining = request.joining.iter().rev().find(|line| line.id == server);
        let stays = !request.leaving.contains(&server);
        let before = self.members.get(server);
        match (before, joining.or(before.filter(|_| stays))) {
            (None, Some(_)) => Effect::Joins,
            (Some(_), None) => Effect::Leaves,
            (Some(was), Some(is)) if was == is => Effect::Nothing,
            (Some(was), Some(is)) if !was.votes() && is.votes() => Effect::GainsVote,
            (Some(was), Some(is)) if was.votes() && !is.votes() => Effect::LosesVote,
            (Some(_), Some(_)) => Effect::Moves,
            (None, None) => Effect::Nothing,
        }
    }

    /// Whether a request changes that server and no other, in the way that its step says. What the
    /// plan grants follows from what its steps say.
    pub(super) fn does_what_it_says(
        &self,
        server: ServerId,
        says: Move,
        request: &Reconfig,
    ) -> bool {
        let touched = request.joining.iter().map(|line| line.id).chain(request.leaving.clone());
        let alone = touched.into_iter().all(|id| id == server);
        let next = self.members.with(request);
        let quorum_address = |members: &Membership| {
            let peers = members.get(server).into_iter().flat_map(|line| &line.peers);
            peers.map(|peer| (peer.host.clone(), peer.quorum_port)).collect::<Vec<_>>()
        };
        let peers = |members: &Membership| members.get(server).map(|line| line.peers.clone());
        let stays_there = peers(&self.members) == peers(&next);
        alone
            && match (says, self.effect(server, request)) {
                (Move::Join | Move::Promote, Effect::Joins) | (Move::Leave, Effect::Leaves) => true,
                (Move::Promote, Effect::GainsVote) | (Move::Demote, Effect::LosesVote) => {
                    stays_there
                }
                // A voter that leads would hand over, and an unlisting is not held back for it.
                (Move::Unlist, Effect::Leaves) => !self.members.has_voter(server),
                (Move::Readdress { quorum }, Effect::Moves) => {
                    quorum == (quorum_address(&self.members) != quorum_address(&next))
                }
                _ => false,
            }
    }

    /// The votes as they stand.
    pub(super) fn votes(&self) -> Votes {
        votes(&self.members, &self.live)
    }

    /// The votes of the next configuration while the step is under way: an observer that is being
    /// promoted does not acknowledge (`Leader.isQuorumSynced`), and a server that moves may be
    /// away for a moment.
    pub(super) fn votes_during(&self, server: ServerId, request: &Reconfig) -> Votes {
        let mut acking: BTreeSet<ServerId> = self.live.union(&self.ready).copied().collect();
        if matches!(self.effect(server, request), Effect::GainsVote | Effect::Moves) {
            acking.remove(&server);
        }
        votes(&self.members.with(request), &acking)
    }

    /// The worst loss of one zone, by what is spare without it.
    pub(super) fn worst_zone(&self, zones: &BTreeMap<ServerId, String>) -> Option<Window> {
        let now = self.votes();
        let names: BTreeSet<&String> = now.voters.iter().filter_map(|id| zones.get(id)).collect();
        let worst = names.into_iter().min_by_key(|zone| self.spare_without(zones, zone))?;
        Some(self.without(zones, worst))
    }

    /// The votes without one zone.
    pub(super) fn without(&self, zones: &BTreeMap<ServerId, String>, zone: &str) -> Window {
        let mut votes = self.votes();
        votes.acking.retain(|id| zones.get(id).is_none_or(|theirs| theirs != zone));
        Window { zone: zone.to_owned(), votes }
    }

    /// What is spare without one zone.
    pub(super) fn spare_without(&self, zones: &BTreeMap<ServerId, String>, zone: &str) -> i64 {
        let (mut voters, mut left) = (0_i64, 0_i64);
        for server in self.members.servers().filter(|server| server.votes()) {
            voters += 1;
            let up = self.live.contains(&server.id);
            left += i64::from(up && zones.get(&server.id).is_none_or(|theirs| theirs != zone));
        }
        left - (voters / 2 + 1)
    }
}

fn votes(members: &Membership, up: &BTreeSet<ServerId>) -> Votes {
    let voters = members.voters();
    let acking = voters.intersection(up).copied().collect();
    let need = voters.len() / 2 + 1;
    Votes { voters, acking, need }
}

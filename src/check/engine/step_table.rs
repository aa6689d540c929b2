//! What never changes while a plan is walked: its servers and steps by number, and what each step
//! does to whom.
//!
//! What becomes of one server depends on its own steps alone, and those are taken in one order. So
//! the line that it has before and after each of them is known before any order is looked at, and a
//! moment is no more than a few marks on each server.

use std::collections::{BTreeMap, BTreeSet};

use super::quorum_verifier::QuorumVerifier;
use crate::check::breach::Votes;
use crate::model::{Membership, Reconfig, Server, ServerId};
use crate::observe::Facts;
use crate::plan::{Action, ChangeVerb, Plan, ServerChange, Step, StepOrder};

/// A plan as the checker sees it.
pub(in crate::check) struct StepTable<'a> {
    pub(in crate::check) plan: &'a Plan,
    pub(in crate::check) facts: &'a Facts,
    /// Every server of the base and of any step, ascending; its number is its place.
    pub(in crate::check) ids: Vec<ServerId>,
    /// The line of each server in the base.
    pub(in crate::check) base: Vec<Option<&'a Server>>,
    /// Every step, by position.
    pub(in crate::check) steps: Vec<Entry<'a>>,
    /// The positions of each server's reconfigs.
    pub(in crate::check) reconfigs: Vec<Vec<usize>>,
    /// The zone of each server, by its place in `zone_names`.
    pub(in crate::check) zone_of: Vec<Option<usize>>,
    pub(in crate::check) zone_names: Vec<&'a str>,
    /// Servers whose id goes to another machine.
    pub(in crate::check) replaced: Vec<bool>,
    /// Voters of the target that are none of the base.
    pub(in crate::check) new_voters: Vec<bool>,
    /// Voters that must be able to fail, the base's own weakness taken into account.
    pub(in crate::check) tolerance: i64,
    /// Of steps in another order than that of the plan: the lowest tolerance that the plan promised.
    pub(in crate::check) lowest: Option<i64>,
    /// Whether the base survives the loss of any one zone.
    pub(in crate::check) base_survives_zones: bool,
    pub(in crate::check) quorum: QuorumVerifier,
}

/// One step.
pub(in crate::check) struct Entry<'a> {
    pub(in crate::check) step: &'a Step,
    pub(in crate::check) phase: usize,
    pub(in crate::check) rule: StepOrder,
    /// The servers that it is about.
    pub(in crate::check) servers: Vec<usize>,
    /// What it does to each server that its request changes; empty where it sends none.
    pub(in crate::check) changes: Vec<Change<'a>>,
    /// Whether its request touches others than it says, or does something else to them.
    pub(in crate::check) is_mislabelled: bool,
}

/// What a request does to one server.
#[derive(Clone, Copy)]
pub(in crate::check) struct Change<'a> {
    pub(in crate::check) server: usize,
    pub(in crate::check) effect: Effect,
    pub(in crate::check) before: Option<&'a Server>,
    pub(in crate::check) after: Option<&'a Server>,
}

/// What a request does to one server, read off its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::check) enum Effect {
    Joins,
    Leaves,
    GainsVote,
    LosesVote,
    Moves,
    /// Its line gets a client part and nothing else: it goes on serving at its ports, and no leader
    /// changes (`QuorumPeer.processReconfig`).
    GetsClientPart,
    Nothing,
}

impl Change<'_> {
    pub(in crate::check) fn voted(&self) -> bool {
        self.before.is_some_and(Server::votes)
    }

    pub(in crate::check) fn votes(&self) -> bool {
        self.after.is_some_and(Server::votes)
    }
}

impl<'a> StepTable<'a> {
    pub(in crate::check) fn new(plan: &'a Plan, facts: &'a Facts) -> Self {
        let members = &facts.base.membership;
        let ids = ids(plan, members);
        let number: BTreeMap<ServerId, usize> = ids.iter().copied().zip(0..).collect();
        let base: Vec<Option<&Server>> = ids.iter().map(|id| members.get(*id)).collect();
        let names: BTreeSet<&str> = facts.zones.values().map(String::as_str).collect();
        let zone_names: Vec<&str> = names.into_iter().collect();
        let zone_of = |id: &ServerId| {
            let zone = facts.zones.get(id)?;
            zone_names.binary_search(&zone.as_str()).ok()
        };
        let mut table = Self {
            plan,
            facts,
            zone_of: ids.iter().map(zone_of).collect(),
            replaced: ids.iter().map(|id| facts.other_machine.contains(id)).collect(),
            new_voters: ids
                .iter()
                .map(|id| plan.target.has_voter(*id) && !members.has_voter(*id))
                .collect(),
            steps: Vec::new(),
            reconfigs: vec![Vec::new(); ids.len()],
            tolerance: 0,
            lowest: None,
            base_survives_zones: false,
            quorum: QuorumVerifier::of(members, &plan.target, &ids),
            zone_names,
            base,
            ids,
        };
        table.read_steps(&number);
        // A base that is weaker already is held to no more than it has.
        let (voters, acking) = table.base_votes();
        let spare = table.spare_of(&voters, &acking);
        table.tolerance = i64::from(plan.min_tolerance).min(spare);
        table.base_survives_zones = table.survives_zones(&voters, &acking);
        table
    }

    /// The voters of the base, and those that answer.
    fn base_votes(&self) -> (BTreeSet<ServerId>, BTreeSet<ServerId>) {
        let voters = self.facts.base.membership.voters();
        let acking = voters.intersection(&self.facts.synced).copied().collect();
        (voters, acking)
    }

    /// Whether a zone has a vote, and the loss of any one zone would leave a quorum.
    fn survives_zones(&self, voters: &BTreeSet<ServerId>, acking: &BTreeSet<ServerId>) -> bool {
        let zone = |id: &ServerId| self.facts.zones.get(id);
        let zones: BTreeSet<&String> = voters.iter().filter_map(zone).collect();
        let survives = |lost: &&String| {
            let left = acking.iter().filter(|id| zone(id) != Some(*lost)).copied().collect();
            self.spare_of(voters, &left) >= 0
        };
        !zones.is_empty() && zones.iter().all(survives)
    }

    fn read_steps(&mut self, number: &BTreeMap<ServerId, usize>) {
        let mut lines = self.base.clone();
        let phases = &self.plan.phases;
        for (phase, of) in phases.iter().enumerate() {
            for step in &of.steps {
                let at = self.steps.len();
                let (changes, is_mislabelled) = match &step.action {
                    Action::Reconfig { parts, request } => {
                        let changes: Vec<Change<'a>> = parts
                            .iter()
                            .map(|part| (number[&part.server], part.server))
                            .map(|(server, id)| change_of(server, id, &mut lines, request))
                            .collect();
                        let wrong = is_mislabelled(parts, &changes, request)
                            || request.joining.iter().any(|line| self.is_misplaced(line));
                        (changes, wrong)
                    }
                    _ => (Vec::new(), false),
                };
                for change in &changes {
                    self.reconfigs[change.server].push(at);
                }
                self.steps.push(Entry {
                    step,
                    phase,
                    rule: of.rule,
                    servers: step.servers().map(|id| number[&id]).collect(),
                    changes,
                    is_mislabelled,
                });
            }
        }
    }

    /// Whether a line has another place than the one that its vote is counted at.
    fn is_misplaced(&self, line: &Server) -> bool {
        let members = [&self.facts.base.membership, &self.plan.target];
        let counted = members.iter().find_map(|members| members.place(line.id));
        line.place != counted.filter(|_| line.votes())
    }

    /// Whether all steps together lead to the target, word for word.
    pub(in crate::check) fn ends_at_target(&self) -> bool {
        let last = |server: usize| match self.reconfigs[server].last() {
            None => self.base[server],
            Some(at) => {
                self.steps[*at].changes.iter().find(|c| c.server == server).and_then(|c| c.after)
            }
        };
        let lines = (0..self.ids.len()).filter_map(last);
        let (base, target) = (&self.facts.base.membership, &self.plan.target);
        lines.eq(target.servers()) && target.has_the_strangers_of(base)
    }

    /// Whether quorums can be counted at all.
    pub(in crate::check) fn is_countable(&self) -> bool {
        match &self.quorum {
            QuorumVerifier::Majority => true,
            QuorumVerifier::Hierarchical(weighted) => weighted.is_bounded(),
        }
    }

    /// The votes of some members by themselves.
    pub(in crate::check) fn votes_in(
        members: &Membership,
        voters: BTreeSet<ServerId>,
        acking: BTreeSet<ServerId>,
    ) -> Votes {
        let ids: Vec<ServerId> = members.ids().into_iter().collect();
        let rule = QuorumVerifier::of(members, members, &ids);
        let need = need(&rule, &numbers(&ids, &voters), &numbers(&ids, &acking));
        Votes { voters, acking, need }
    }

    /// What is spare where those vote and these acknowledge.
    pub(in crate::check) fn spare_of(
        &self,
        voters: &BTreeSet<ServerId>,
        acking: &BTreeSet<ServerId>,
    ) -> i64 {
        match &self.quorum {
            QuorumVerifier::Majority => majority_spare(voters.len(), acking.len()),
            QuorumVerifier::Hierarchical(weighted) => {
                weighted.spare(&numbers(&self.ids, voters), &numbers(&self.ids, acking))
            }
        }
    }

    /// The votes where those are voters and these acknowledge.
    pub(in crate::check) fn votes_of(&self, voters: &[usize], acking: &[usize]) -> Votes {
        let need = need(&self.quorum, voters, acking);
        let named = |servers: &[usize]| servers.iter().map(|server| self.ids[*server]).collect();
        Votes { voters: named(voters), acking: named(acking), need }
    }
}

/// How many must acknowledge; by groups and weights, as many as must be left of those that do,
/// whichever fails.
fn need(rule: &QuorumVerifier, voters: &[usize], acking: &[usize]) -> usize {
    match rule {
        QuorumVerifier::Majority => voters.len() / 2 + 1,
        QuorumVerifier::Hierarchical(weighted) => {
            let spare = weighted.spare(voters, acking);
            let need = i64::try_from(acking.len()).unwrap_or(i64::MAX) - spare;
            usize::try_from(need).unwrap_or(0)
        }
    }
}

/// Servers by number.
fn numbers(ids: &[ServerId], of: &BTreeSet<ServerId>) -> Vec<usize> {
    of.iter().filter_map(|id| ids.binary_search(id).ok()).collect()
}

pub(in crate::check) fn majority_spare(voters: usize, acking: usize) -> i64 {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    count(acking) - count(voters / 2 + 1)
}

fn ids(plan: &Plan, members: &Membership) -> Vec<ServerId> {
    let mut ids: Vec<ServerId> = members.servers().map(|server| server.id).collect();
    for step in plan.steps() {
        ids.extend(step.servers());
        if let Some(request) = step.reconfig() {
            ids.extend(request.joining.iter().map(|line| line.id));
            ids.extend(&request.leaving);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// What a request makes of one server's line: removals come first, then additions, the last of
/// which counts (`PrepRequestProcessor`, `case OpCode.reconfig`).
fn change_of<'a>(
    server: usize,
    id: ServerId,
    lines: &mut [Option<&'a Server>],
    request: &'a Reconfig,
) -> Change<'a> {
    let before = lines[server];
    let given = request.joining.iter().rev().find(|line| line.id == id);
    let after = given.or(before.filter(|_| !request.leaving.contains(&id)));
    lines[server] = after;
    let effect = match (before, after) {
        (None, Some(_)) => Effect::Joins,
        (Some(_), None) => Effect::Leaves,
        (Some(was), Some(is)) if was == is => Effect::Nothing,
        (Some(was), Some(is)) if !was.votes() && is.votes() => Effect::GainsVote,
        (Some(was), Some(is)) if was.votes() && !is.votes() => Effect::LosesVote,
        (Some(was), Some(is)) if was.gets_only_a_client_part(is) => Effect::GetsClientPart,
        (Some(_), Some(_)) => Effect::Moves,
        (None, None) => Effect::Nothing,
    };
    Change { server, effect, before, after }
}

/// Whether a request changes others than it says, or in another way. What the plan grants follows
/// from what its steps say.
fn is_mislabelled(parts: &[ServerChange], changes: &[Change<'_>], request: &Reconfig) -> bool {
    let mut touched = request.joining.iter().map(|line| &line.id).chain(&request.leaving);
    let alone = touched.all(|id| parts.iter().any(|part| part.server == *id));
    let ascending = parts.is_sorted_by(|one, next| one.server < next.server);
    let does = |(part, change): (&ServerChange, &Change<'_>)| does(part.change, change);
    !(alone && ascending && !parts.is_empty() && parts.iter().zip(changes).all(does))
}

fn does(says: ChangeVerb, change: &Change<'_>) -> bool {
    let peers = |line: Option<&Server>| line.map(|line| line.peers.clone());
    let quorum_address = |line: Option<&Server>| {
        let peers = line.into_iter().flat_map(|line| &line.peers);
        peers.map(|peer| (peer.host.clone(), peer.quorum_port)).collect::<Vec<_>>()
    };
    match (says, change.effect) {
        (ChangeVerb::Join | ChangeVerb::Promote, Effect::Joins)
        | (ChangeVerb::Leave, Effect::Leaves) => true,
        (ChangeVerb::Promote, Effect::GainsVote) | (ChangeVerb::Demote, Effect::LosesVote) => {
            peers(change.before) == peers(change.after)
        }
        // A voter that leads would hand over, and an unlisting is not held back for it.
        (ChangeVerb::Unlist, Effect::Leaves) => !change.voted(),
        (ChangeVerb::Readdress { quorum }, Effect::Moves) => {
            quorum == (quorum_address(change.before) != quorum_address(change.after))
        }
        (ChangeVerb::Readdress { quorum }, Effect::GetsClientPart) => !quorum,
        _ => false,
    }
}

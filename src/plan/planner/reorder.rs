//! Reorders the rest of a plan after a server has failed or come back.
//!
//! The steps stay exactly as in the plan. Steps of one phase that share a server stay together, the
//! steps of each server keep their order, and joiners keep theirs. Waits, gate, proof and stops
//! keep their places. Only the requests between them may move. `check` says whether an order is
//! safe and within what the plan allows.

use std::collections::BTreeMap;

use super::cost::Cost;
use super::state_graph::{Edge, EdgeCost, StateGraph, digits, stride};
use super::tally::{Vote, VoterSet};
use crate::model::{Reconfig, Server, ServerId, VoteWeight};
use crate::observe::Facts;
use crate::plan::{ChangeVerb, Done, Phase, PhaseKind, Plan, ServerChange, Step, StepOrder};

/// The limit on nodes of the search. With more, changes of unreachable servers come first and those
/// of healthy ones last.
const MAX_NODES: usize = 50_000;

/// Puts the rest of a plan into the best order for the present facts. `None` if no order keeps the
/// safety rules, as far as the planner knows.
///
/// `lowest` is the tolerance that the plan promised. No step of the order may go below it. If the
/// present tolerance is already lower, steps may only improve it.
pub fn reorder(plan: &Plan, lowest: i64, done: &Done, now: &Facts) -> Option<Plan> {
    let left = Remaining::of(plan, lowest, done, now);
    let order = left.order()?;
    Some(Plan { phases: left.phases(&order), ..plan.clone() })
}

/// Whether some order of the plan's steps reaches a moment at which exactly these reconfigs are
/// done. The steps of each server keep their order, joiners are added by ascending id, and no step
/// moves from behind the gate to before it.
pub fn is_within_reach(plan: &Plan, wanted: &Done) -> bool {
    let gate = gate(plan);
    let steps = plan.phases.iter().enumerate();
    let steps = steps.flat_map(|(at, phase)| phase.steps.iter().map(move |step| (at, step)));
    let reconfigs: Vec<(usize, &Step)> =
        steps.filter(|(_, step)| step.reconfig().is_some()).collect();
    let is_first = |(phase, step): (usize, &Step), (later, next): (usize, &Step)| {
        let splits = gate.is_some_and(|gate| phase < gate && gate < later);
        step.shares_server(next)
            || joins(plan, step) && joins(plan, next)
            || splits && !step.only_takes_out()
    };
    reconfigs.iter().enumerate().all(|(at, next)| {
        let is_ready =
            |before: &&(usize, &Step)| wanted.contains(&before.1.id) || !is_first(**before, *next);
        !wanted.contains(&next.1.id) || reconfigs[..at].iter().all(|before| is_ready(&before))
    })
}

/// The phase of the gate.
fn gate(plan: &Plan) -> Option<usize> {
    plan.phases.iter().position(|phase| phase.kind == PhaseKind::Gate)
}

/// Whether a step adds a server that was no member when the plan was made.
fn joins(plan: &Plan, step: &Step) -> bool {
    let is_new = |part: &ServerChange| !plan.facts.base.membership.contains(part.server);
    step.parts().iter().any(|part| part.change == ChangeVerb::Join && is_new(part))
}

/// Steps of one phase that stay together.
struct Unit<'a> {
    phase: usize,
    steps: Vec<&'a Step>,
}

impl Unit<'_> {
    fn shares_server(&self, other: &Self) -> bool {
        self.steps.iter().any(|step| other.steps.iter().any(|its| its.shares_server(step)))
    }
}

/// The state of a server at a moment.
#[derive(Clone, Copy)]
struct MemberState {
    is_member: bool,
    vote: Vote,
}

/// The effect of a step on one server: the change, whether the server votes afterwards, whether it
/// answers now, and the zone, group and weight of its vote.
type PartEffect = (ChangeVerb, bool, bool, (Option<usize>, Option<VoteWeight>));

/// A class of units that no safety rule distinguishes. They belong to one phase, stand on one side
/// of the gate, all or none hand over the leadership, and their requests have the same effects on
/// equivalent servers.
type UnitClass = (usize, [bool; 2], Vec<Vec<PartEffect>>);

/// The rest of a plan, and the servers that answer now.
struct Remaining<'a> {
    plan: &'a Plan,
    done: &'a Done,
    now: &'a Facts,
    lowest: i64,
    voter_set: VoterSet,
    /// By index of the voter set, after the units that have begun are finished.
    states: Vec<MemberState>,
    /// All units that may move, in the order of the plan: finished, begun, and not begun.
    finished: Vec<Unit<'a>>,
    begun: Vec<Unit<'a>>,
    units: Vec<Unit<'a>>,
    /// For each unit that has not begun, whether it must wait for a gate that is still closed.
    is_gated: Vec<bool>,
    survives_zones: bool,
}

impl<'a> Remaining<'a> {
    fn of(plan: &'a Plan, lowest: i64, done: &'a Done, now: &'a Facts) -> Self {
        let voter_set = VoterSet::new(&plan.facts, &plan.target, &plan.policy);
        let members = &now.base.membership;
        let state = |id: &ServerId| MemberState {
            is_member: members.contains(*id),
            vote: Vote { votes: members.has_voter(*id), up: now.synced.contains(id) },
        };
        let states: Vec<MemberState> = voter_set.ids.iter().map(state).collect();
        let survives_zones =
            voter_set.has_zones() && voter_set.tolerance(&votes(&states)).with_zone_lost >= 0;
        let is_done = |step: &&Step| done.contains(&step.id);
        let (finished, left): (Vec<_>, Vec<_>) =
            units(plan).into_iter().partition(|unit| unit.steps.iter().all(is_done));
        let (begun, units): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|unit| unit.steps.iter().any(is_done));
        let gate = gate(plan).filter(|gate| !plan.phases[*gate].steps.iter().all(|s| is_done(&s)));
        let answers = |step: &Step| step.servers().any(|server| now.synced.contains(&server));
        // A server that answers is not removed before the gate.
        let is_gated = |unit: &Unit<'_>| {
            let goes = |step: &&Step| step.only_takes_out();
            let falls = unit.steps.iter().all(goes) && unit.steps.iter().any(|step| answers(step));
            gate.is_some_and(|gate| gate < unit.phase || falls)
        };
        let is_gated = units.iter().map(is_gated).collect();
        let mut left = Self {
            plan,
            done,
            now,
            lowest,
            voter_set,
            states,
            finished,
            begun,
            units,
            is_gated,
            survives_zones,
        };
        let mut states = left.states.clone();
        for unit in &left.begun {
            left.take(&mut states, unit);
        }
        left.states = states;
        left
    }

    /// The units that have not begun, in the best order.
    fn order(&self) -> Option<Vec<usize>> {
        let kinds = self.kinds();
        let sizes: Vec<usize> = kinds.iter().map(Vec::len).collect();
        let product =
            sizes.iter().try_fold(1_usize, |all, size| all.checked_mul(size + 1)).unwrap_or(0);
        if !(1..=MAX_NODES).contains(&product) {
            return Some(self.by_health());
        }
        let mut graph = self.graph(&kinds, product);
        graph.keep_legal();
        graph.shortest(|edge_cost| edge_cost.risks);
        graph.widest(self.lowest.max(self.tolerance()), |edge_cost| edge_cost.failures);
        graph.widest(0, |edge_cost| edge_cost.with_zone_lost);
        graph.shortest(|edge_cost| edge_cost.windows);
        let mut cost = Cost::NONE;
        let mut order = Vec::with_capacity(self.units.len());
        for (unit, edge_cost) in graph.path() {
            cost = cost.and(edge_cost.cost());
            order.push(unit);
        }
        (order.len() == self.units.len() && cost.is_legal).then_some(order)
    }

    fn tolerance(&self) -> i64 {
        i64::from(self.plan.min_tolerance)
    }

    /// The order if there are too many units to search: removals of unreachable servers first, then
    /// additions, then removals of healthy servers, and the leader last.
    fn by_health(&self) -> Vec<usize> {
        let rank = |at: &usize| {
            let unit = &self.units[*at];
            let takes_out = unit.steps.iter().all(|step| step.only_takes_out());
            let answers = |server: ServerId| self.now.synced.contains(&server);
            let any_answers = unit.steps.iter().any(|step| step.servers().any(answers));
            let health = u8::from(!takes_out) + 2 * u8::from(takes_out && any_answers);
            (self.is_gated[*at], self.hands_over(unit), health)
        };
        let mut order: Vec<usize> = (0..self.units.len()).collect();
        order.sort_by_key(rank);
        order
    }

    /// The units in classes that no safety rule distinguishes, each class in the order of the plan.
    fn kinds(&self) -> Vec<Vec<usize>> {
        let does = |part: &ServerChange, request: &Reconfig| -> PartEffect {
            let server = self.voter_set.number(part.server);
            let votes = line(request, part.server).is_some_and(Server::votes);
            (part.change, votes, self.states[server].vote.up, self.voter_set.place(server))
        };
        let mut kinds: BTreeMap<UnitClass, Vec<usize>> = BTreeMap::new();
        for (at, unit) in self.units.iter().enumerate() {
            let requests = unit.steps.iter().filter_map(|step| Some((step, step.reconfig()?)));
            let does = |(step, request): (&&Step, &Reconfig)| {
                step.parts().iter().map(|part| does(part, request)).collect()
            };
            let sides = [self.is_gated[at], self.hands_over(unit)];
            let kind = (unit.phase, sides, requests.map(does).collect());
            kinds.entry(kind).or_default().push(at);
        }
        kinds.into_values().collect()
    }

    fn graph(&self, kinds: &[Vec<usize>], product: usize) -> StateGraph<usize> {
        let sizes: Vec<usize> = kinds.iter().map(Vec::len).collect();
        let mut edges = Vec::new();
        for node in 0..product {
            let done = digits(node, &sizes);
            let mut taken = vec![false; self.units.len()];
            let mut states = self.states.clone();
            for at in kinds.iter().zip(&done).flat_map(|(kind, done)| &kind[..*done]) {
                taken[*at] = true;
                self.take(&mut states, &self.units[*at]);
            }
            let next = kinds.iter().zip(&done).enumerate();
            let next = next.filter_map(|(kind, (all, done))| Some((kind, *all.get(*done)?)));
            let mut next: Vec<(usize, usize)> =
                next.filter(|(_, at)| self.may_be_next(*at, &taken)).collect();
            next.sort_unstable_by_key(|(_, at)| *at);
            for (kind, at) in next {
                let to = node + stride(&sizes, kind);
                let edge_cost = self.edge_cost(&states, &self.units[at]);
                edges.push(Edge { from: node, to, what: at, cost: edge_cost });
            }
        }
        StateGraph::new(product, edges)
    }

    /// Whether a unit takes the leadership from the present leader.
    fn hands_over(&self, unit: &Unit<'_>) -> bool {
        let leader = self.now.leader;
        leader.is_some_and(|leader| unit.steps.iter().any(|step| step.hands_over(leader)))
    }

    /// Whether everything that must come before a unit is done.
    fn may_be_next(&self, at: usize, taken: &[bool]) -> bool {
        let unit = &self.units[at];
        let newcomer = |unit: &Unit<'_>| unit.steps.iter().any(|step| joins(self.plan, step));
        let hands_over = self.hands_over(unit);
        let left = (0..self.units.len()).filter(|other| *other != at && !taken[*other]);
        left.into_iter().all(|other| {
            let before = &self.units[other];
            let shares = before.shares_server(unit);
            let comes_first = other < at && (shares || newcomer(before) && newcomer(unit))
                || !self.is_gated[other] && self.is_gated[at] && !self.hands_over(before);
            // The leader's own change is last.
            !comes_first && (!hands_over || shares)
        })
    }

    /// Applies the unfinished steps of a unit.
    fn take(&self, states: &mut [MemberState], unit: &Unit<'_>) {
        for step in unit.steps.iter().filter(|step| !self.done.contains(&step.id)) {
            self.change(states, step);
        }
    }

    fn change(&self, states: &mut [MemberState], step: &Step) {
        let Some(request) = step.reconfig() else { return };
        for part in step.parts() {
            let state = &mut states[self.voter_set.number(part.server)];
            match line(request, part.server) {
                None => {
                    *state =
                        MemberState { is_member: false, vote: Vote { votes: false, up: false } }
                }
                Some(line) => {
                    // A server that is added has been observed as a follower.
                    state.vote.up |= !state.is_member;
                    (state.is_member, state.vote.votes) = (true, line.votes());
                }
            }
        }
    }

    fn edge_cost(&self, states: &[MemberState], unit: &Unit<'_>) -> EdgeCost {
        let none = EdgeCost {
            is_legal: true,
            risks: 0,
            failures: i64::MAX,
            with_zone_lost: i64::MAX,
            windows: 0,
            reconfigs: 0,
        };
        let mut states = states.to_vec();
        let mut all = none;
        for step in unit.steps.iter().filter(|step| !self.done.contains(&step.id)) {
            let before = states.clone();
            self.change(&mut states, step);
            if step.reconfig().is_some() {
                let edge_cost = self.request_cost(step, [&before, &states]);
                all = EdgeCost {
                    is_legal: all.is_legal && edge_cost.is_legal,
                    risks: all.risks + edge_cost.risks,
                    failures: all.failures.min(edge_cost.failures),
                    with_zone_lost: all.with_zone_lost.min(edge_cost.with_zone_lost),
                    windows: all.windows + edge_cost.windows,
                    reconfigs: all.reconfigs + 1,
                };
            }
        }
        all
    }

    /// The cost of one request, from the moment before to the moment after.
    fn request_cost(&self, step: &Step, [before, after]: [&[MemberState]; 2]) -> EdgeCost {
        let (mut during, mut without) = (votes(after), votes(after));
        let (mut changes_votes, mut moves) = (false, false);
        let (mut takes_vote, mut gives_up) = (false, false);
        for ServerChange { server, change } in step.parts().iter().copied() {
            let at = self.voter_set.number(server);
            changes_votes |= before[at].vote.votes || after[at].vote.votes;
            let joins = after[at].is_member && !before[at].is_member;
            let in_place = matches!(change, ChangeVerb::Promote) && !joins;
            let readdressed = matches!(change, ChangeVerb::Readdress { .. });
            moves |= readdressed;
            // It observes until the change is active, or is away for a moment.
            during[at].up &= !in_place && !readdressed;
            without[at].up = during[at].up && !joins;
            let gives = before[at].vote.votes && before[at].vote.up && !after[at].vote.votes;
            takes_vote |= gives;
            gives_up |= gives && !self.now.other_machine.contains(&server);
        }
        let (was, is) = (votes(before), votes(after));
        let tolerance = self.voter_set.tolerance(&is);
        let during = self.voter_set.tolerated_failures(&during);
        let promised = (self.tolerance() - i64::from(moves)).max(self.lowest);
        let (had, worst) =
            (self.voter_set.tolerated_failures(&was), during.min(tolerance.failures));
        // If the tolerance is already below the promise, steps may only improve it.
        let keeps_spare = worst >= promised || worst > had || worst == had && !takes_vote;
        let overlaps = self.plan.policy.changes_per_step == 0 || self.voter_set.overlaps(&was, &is);
        let keeps_order = !gives_up || self.has_all_new_voters(after);
        let is_legal = !changes_votes || during >= 0 && keeps_spare && overlaps && keeps_order;
        EdgeCost {
            is_legal,
            risks: usize::from(changes_votes && self.voter_set.tolerated_failures(&without) < 0),
            failures: worst,
            with_zone_lost: tolerance.with_zone_lost,
            windows: usize::from(self.survives_zones && tolerance.with_zone_lost < 0),
            reconfigs: 1,
        }
    }

    /// Whether all voters that the plan adds have their votes.
    fn has_all_new_voters(&self, states: &[MemberState]) -> bool {
        let base = &self.plan.facts.base.membership;
        let mut new = self.plan.target.servers().filter(|s| s.votes() && !base.has_voter(s.id));
        new.all(|server| states[self.voter_set.number(server.id)].vote.votes)
    }

    /// All phases: waits for joiners, units that are finished or begun, the rest in the given order
    /// with the gate in its place, proof, stops.
    fn phases(&self, order: &[usize]) -> Vec<Phase> {
        let of_kind = |kinds: &'a [PhaseKind]| {
            self.plan.phases.iter().filter(move |phase| kinds.contains(&phase.kind)).cloned()
        };
        let mut phases: Vec<Phase> = of_kind(&[PhaseKind::Await]).collect();
        let gate = gate(self.plan).unwrap_or(usize::MAX);
        let is_passed = self
            .plan
            .phases
            .get(gate)
            .is_some_and(|phase| phase.steps.iter().all(|step| self.done.contains(&step.id)));
        let (early, late): (Vec<_>, Vec<_>) =
            self.finished.iter().partition(|unit| !is_passed || unit.phase < gate);
        self.extend(&mut phases, early);
        if is_passed {
            phases.extend(of_kind(&[PhaseKind::Gate]));
        }
        self.extend(&mut phases, late);
        self.extend(&mut phases, self.begun.iter());
        let (gated, free): (Vec<usize>, Vec<usize>) =
            order.iter().partition(|at| self.is_gated[**at]);
        self.extend(&mut phases, free.iter().map(|at| &self.units[*at]));
        if !is_passed {
            phases.extend(of_kind(&[PhaseKind::Gate]));
        }
        self.extend(&mut phases, gated.iter().map(|at| &self.units[*at]));
        phases.extend(of_kind(&[PhaseKind::Prove]));
        phases.extend(of_kind(&[PhaseKind::Retire]));
        phases
    }

    /// Appends units one after the other. Consecutive ones of one kind are one phase.
    fn extend<'u>(&self, phases: &mut Vec<Phase>, units: impl IntoIterator<Item = &'u Unit<'a>>)
    where
        'a: 'u,
    {
        let mut of_run: Vec<Phase> = Vec::new();
        for unit in units {
            let kind = self.plan.phases[unit.phase].kind;
            let steps = unit.steps.iter().map(|step| (*step).clone());
            match of_run.last_mut().filter(|last| last.kind == kind) {
                Some(last) => last.steps.extend(steps),
                None => {
                    of_run.push(Phase { kind, rule: StepOrder::InOrder, steps: steps.collect() });
                }
            }
        }
        phases.append(&mut of_run);
    }
}

/// All units that may move, in the order of the plan.
fn units(plan: &Plan) -> Vec<Unit<'_>> {
    let mut units: Vec<Unit<'_>> = Vec::new();
    for (at, phase) in plan.phases.iter().enumerate() {
        match phase.kind {
            PhaseKind::Await | PhaseKind::Gate | PhaseKind::Prove | PhaseKind::Retire => continue,
            PhaseKind::Restart
            | PhaseKind::Dead
            | PhaseKind::Join
            | PhaseKind::Promote
            | PhaseKind::Replace
            | PhaseKind::Readdress
            | PhaseKind::RemoveObservers
            | PhaseKind::Demote
            | PhaseKind::Remove => {}
        }
        for step in &phase.steps {
            let begun = units.last_mut().filter(|unit| {
                unit.phase == at && unit.steps.iter().any(|other| other.shares_server(step))
            });
            match begun {
                Some(unit) => unit.steps.push(step),
                None => units.push(Unit { phase: at, steps: vec![step] }),
            }
        }
    }
    units
}

fn votes(states: &[MemberState]) -> Vec<Vote> {
    states.iter().map(|state| state.vote).collect()
}

/// The line that a request gives to a server.
fn line(request: &Reconfig, server: ServerId) -> Option<&Server> {
    request.joining.iter().rev().find(|line| line.id == server)
}

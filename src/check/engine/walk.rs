//! Every order that the plan grants, under every leader, one moment at a time.
//!
//! Steps that no rule distinguishes are one class, so that hundreds of them are looked at in
//! moments that grow with their number and not with the number of their orders. The loss of a zone
//! tells servers in it from servers outside, so each zone is looked at in a walk of its own.

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::server_classes::server_classes;
use super::state::{Mark, State};
use super::step_table::{Effect, StepTable};
use super::transition::Transition;
use crate::check::breach::{Breach, BreachKind, Law, Window};
use crate::check::rules::addresses::Addresses;
use crate::check::rules::{broken_by_step, leader_last, zones};
use crate::model::ZonePolicy;
use crate::plan::{Action, Positions, Schedule, StepId, StepOrder};

/// Moments that one walk looks at before the plan is refused for having too many orders. An exchange
/// of 127 voters needs some ten thousand.
const MAX_MOMENTS: usize = 20_000;

/// The same for all walks of a plan together.
const MAX_MOMENTS_IN_ALL: usize = 100_000;

/// What the walk saw.
#[derive(Debug, Default)]
pub(in crate::check) struct Walk {
    /// Breaches, each with the shortest way to it; one for each rule and step.
    pub(in crate::check) breaches: Vec<Breach>,
    /// Moments visited.
    pub(in crate::check) moments: usize,
    /// The smallest spare at any moment.
    pub(in crate::check) worst_spare: i64,
    /// The worst zone at any moment, where zones count.
    pub(in crate::check) worst_zone: Option<Window>,
    /// Steps after which, in some order, the loss of one zone would stop writes.
    pub(in crate::check) windows: BTreeMap<StepId, Window>,
    /// Whether some leader hands over.
    pub(in crate::check) hands_over: bool,
}

/// Where a walk begins.
pub(in crate::check) struct Start {
    pub(in crate::check) state: State,
    /// The steps that are done.
    pub(in crate::check) done: Positions,
}

impl Start {
    /// At the base, with nothing done.
    pub(in crate::check) fn of(table: &StepTable<'_>) -> Self {
        Self { state: State::base(table), done: Positions::none(table.steps.len()) }
    }
}

/// Walks every order that the plan grants from there on. Its unordered phases hold like steps.
pub(in crate::check) fn walk(
    table: &StepTable<'_>,
    schedule: &Schedule<'_>,
    start: &Start,
) -> Walk {
    let addresses = Addresses::of(table);
    let base = &start.state;
    let mut walk = Walk { worst_spare: table.spare(base), ..Walk::default() };
    walk.explore(&Explorer::new(table, schedule, &addresses, None), start);
    if table.plan.policy.zones != ZonePolicy::Ignore {
        walk.worst_zone = table.worst_zone(base).map(|zone| table.without(base, zone));
        for zone in zones::with_votes(table) {
            if walk.breaches.iter().any(|b| matches!(b.detail, BreachKind::TooManyOrders(_))) {
                break;
            }
            walk.explore(&Explorer::new(table, schedule, &addresses, Some(zone)), start);
        }
    }
    walk.breaches.sort();
    walk
}

/// One walk: by all rules but that of zones, or by that of one zone.
struct Explorer<'a> {
    table: &'a StepTable<'a>,
    schedule: &'a Schedule<'a>,
    addresses: &'a Addresses,
    zone: Option<usize>,
    /// The class of each server.
    servers: Vec<usize>,
    /// The class of each step, by position.
    classes: Vec<usize>,
    /// How many classes of steps there are.
    count: usize,
}

/// A moment on the way.
struct Node {
    state: State,
    done: Positions,
    signature: Signature,
    /// Where in the trail its last step stands.
    trail: usize,
}

/// What is done, as far as rules can tell: how many steps of each class, and how many servers of
/// each class are proven gone.
type Signature = Vec<u16>;

/// How a moment came about: the trail before, and the step.
type Path = Vec<(usize, Option<usize>)>;

/// A step that may be next, by position, and which of its own servers leads then, if one does.
#[derive(Clone, Copy)]
struct Candidate {
    at: usize,
    leader: Option<usize>,
}

impl<'a> Explorer<'a> {
    fn new(
        table: &'a StepTable<'a>,
        schedule: &'a Schedule<'a>,
        addresses: &'a Addresses,
        zone: Option<usize>,
    ) -> Self {
        let servers = server_classes(table, zone);
        let (classes, count) = classes(table, &servers);
        Self { table, schedule, addresses, zone, servers, classes, count }
    }

    fn first(&self, start: &Start) -> Node {
        let size = self.count + self.servers.len();
        let mut signature = vec![0; size];
        for at in (0..self.classes.len()).filter(|at| start.done.contains(*at)) {
            signature[self.classes[at]] += 1;
        }
        let (state, done) = (start.state.clone(), start.done.clone());
        let mut first = Node { state, done, signature, trail: 0 };
        self.sign_proven(&mut first);
        first
    }

    fn sign_proven(&self, moment: &mut Node) {
        moment.signature[self.count..].fill(0);
        for server in moment.state.all(Mark::PROVEN_GONE) {
            moment.signature[self.count + self.servers[server]] += 1;
        }
    }

    /// The moment after a step.
    fn after(&self, moment: &Node, at: usize) -> Node {
        let entry = &self.table.steps[at];
        let mut done = moment.done.clone();
        done.insert(at);
        let mut signature = moment.signature.clone();
        signature[self.classes[at]] += 1;
        let state = moment.state.after(self.table, entry);
        let mut next = Node { state, done, signature, trail: moment.trail };
        let proves = matches!(entry.step.action, Action::Prove(_));
        if proves || entry.changes.iter().any(|change| change.effect == Effect::Joins) {
            self.sign_proven(&mut next);
        }
        next
    }

    /// The steps that may be next under any leader, one of each class.
    ///
    /// A leader that owns none of the steps that would be open under no leader at all holds none of
    /// them back, so that one such leader stands for all; of those that own one, one for each class.
    fn candidates(&self, moment: &Node) -> Vec<Candidate> {
        let free = self.schedule.ready_steps(&moment.done, None);
        let Some(first) = free.first() else { return Vec::new() };
        if self.table.steps[*first].rule == StepOrder::SideBySide {
            // Waits and stops change nothing for each other, and no leader holds them back for good.
            let open = self.unheld(moment, &free);
            return open.map(|at| vec![Candidate { at, leader: None }]).unwrap_or_default();
        }
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut add = |candidate: Candidate| {
            let class = |candidate: &Candidate| {
                (candidate.leader.map(|leader| self.servers[leader]), self.classes[candidate.at])
            };
            if !candidates.iter().any(|known| class(known) == class(&candidate)) {
                candidates.push(candidate);
            }
        };
        let acks = |server: usize| moment.state.has(server, Mark::VOTER | Mark::LIVE);
        let owners_of = |at: usize| {
            self.table.steps[at].servers.iter().copied().filter(move |server| acks(*server))
        };
        let mut owns = vec![false; self.servers.len()];
        free.iter().flat_map(|at| owners_of(*at)).for_each(|server| owns[server] = true);
        if moment.state.acking > owns.into_iter().filter(|owns| *owns).count() {
            for at in &free {
                add(Candidate { at: *at, leader: None });
            }
        }
        let mut leaders: Vec<(usize, usize)> = Vec::new();
        for at in &free {
            for server in owners_of(*at) {
                let class = (self.classes[*at], self.servers[server]);
                if leaders.contains(&class) {
                    continue;
                }
                leaders.push(class);
                for at in self.schedule.ready_steps(&moment.done, Some(self.table.ids[server])) {
                    let leads = self.table.steps[at].servers.contains(&server);
                    add(Candidate { at, leader: leads.then_some(server) });
                }
            }
        }
        candidates
    }

    /// One of the open steps that go side by side.
    fn unheld(&self, moment: &Node, free: &[usize]) -> Option<usize> {
        let held = |at: &&usize| {
            let servers = self.table.steps[**at].servers.iter();
            let mut leaders = servers.filter(|s| moment.state.has(**s, Mark::VOTER | Mark::LIVE));
            leaders.any(|s| {
                !self.schedule.ready_steps(&moment.done, Some(self.table.ids[*s])).contains(*at)
            })
        };
        free.iter().find(|at| !held(at)).or(free.first()).copied()
    }

    /// The first step that is not done.
    fn first_open(&self, moment: &Node) -> usize {
        let open = |at: &usize| !moment.done.contains(*at);
        (0..self.table.steps.len()).find(open).unwrap_or(0)
    }

    /// The reconfigs on the way to a moment.
    fn path(&self, trail: &Path, mut end: usize) -> Vec<StepId> {
        let mut path = Vec::new();
        while let (before, Some(at)) = trail[end] {
            let step = self.table.steps[at].step;
            path.extend(step.reconfig().map(|_| step.id.clone()));
            end = before;
        }
        path.reverse();
        path
    }
}

impl Walk {
    fn explore(&mut self, explorer: &Explorer<'_>, start: &Start) {
        let mut trail: Path = vec![(0, None)];
        let base = explorer.first(start);
        let mut seen = HashSet::from([base.signature.clone()]);
        let mut queue = VecDeque::from([base]);
        let most = (self.moments + MAX_MOMENTS).min(MAX_MOMENTS_IN_ALL);
        while let Some(moment) = queue.pop_front() {
            self.moments += 1;
            if self.moments > most {
                let detail = BreachKind::TooManyOrders(self.moments);
                self.report(Breach { law: Law::Form, step: None, path: Vec::new(), detail });
                return;
            }
            for candidate in explorer.candidates(&moment) {
                let mut next = explorer.after(&moment, candidate.at);
                let found = match explorer.zone {
                    Some(zone) => self
                        .zone_lost(explorer, [&moment, &next], zone, candidate.at)
                        .into_iter()
                        .collect(),
                    None => self.judged(explorer, [&moment, &next], candidate),
                };
                for (law, detail) in found {
                    let step = Some(explorer.table.steps[candidate.at].step.id.clone());
                    let path = explorer.path(&trail, moment.trail);
                    self.report(Breach { law, step, path, detail });
                }
                if !seen.contains(&next.signature) {
                    seen.insert(next.signature.clone());
                    trail.push((moment.trail, Some(candidate.at)));
                    next.trail = trail.len() - 1;
                    queue.push_back(next);
                }
            }
        }
    }

    /// Every rule but that of zones.
    fn judged(
        &mut self,
        explorer: &Explorer<'_>,
        [moment, next]: [&Node; 2],
        candidate: Candidate,
    ) -> Vec<(Law, BreachKind)> {
        let entry = &explorer.table.steps[candidate.at];
        let step = Transition::new(explorer.table, candidate.at, [&moment.state, &next.state]);
        let is_done = |at: usize| moment.done.contains(at);
        let mut found = broken_by_step(&step, explorer.addresses, &is_done);
        if !entry.step.takes_a_turn() {
            return found;
        }
        if let Some(leader) = candidate.leader {
            let id = explorer.table.ids[leader];
            if entry.step.hands_over(id) {
                self.hands_over = true;
                let early = leader_last::broken(explorer.table, leader, is_done);
                found.extend(early.map(|detail| (Law::LeaderLast, detail)));
            }
        }
        self.worst_spare = self.worst_spare.min(step.spare());
        found
    }

    /// ZKQ4: what the loss of one zone would leave after a step.
    fn zone_lost(
        &mut self,
        explorer: &Explorer<'_>,
        [moment, next]: [&Node; 2],
        zone: usize,
        at: usize,
    ) -> Option<(Law, BreachKind)> {
        let (table, state) = (explorer.table, &next.state);
        let entry = &table.steps[at];
        let votes =
            |s: usize, marks: Mark| marks.has(Mark::VOTER) && table.zone_of[s] == Some(zone);
        if entry.changes.is_empty() || !state.any(votes) {
            return None;
        }
        let spare = table.spare_without(state, zone);
        let worse = |known: &Window| spare < known.votes.spare();
        if self.worst_zone.as_ref().is_none_or(worse) {
            self.worst_zone = Some(table.without(state, zone));
        }
        if !zones::is_window(table, spare) {
            return None;
        }
        // Each that no rule distinguishes from it could have come at this moment; in order, one that was
        // held back before, or the next one while this one is. No two are held back at once.
        let first = explorer.first_open(moment);
        for (other, like) in table.steps.iter().enumerate() {
            let at_this_moment =
                entry.rule != StepOrder::InOrder || at == first && other <= first + 1;
            let alike = explorer.classes[other] == explorer.classes[at];
            let could = other == at || alike && at_this_moment;
            if could && self.windows.get(&like.step.id).is_none_or(worse) {
                self.windows.insert(like.step.id.clone(), table.without(state, zone));
            }
        }
        zones::broken(table, state, zone).map(|detail| (Law::Zones, detail))
    }

    fn report(&mut self, breach: Breach) {
        let known = |other: &Breach| {
            other.law == breach.law
                && other.step == breach.step
                && other.detail.is_acceptable() == breach.detail.is_acceptable()
        };
        if !self.breaches.iter().any(known) {
            self.breaches.push(breach);
        }
    }
}

/// The class of each step by position, as numbers, and how many there are.
///
/// Steps of like servers in one phase are one class. In a phase that goes in order they are so only
/// where no server joins and none moves: there, what is left after the one is to what is left after
/// the other as the one server is to the other.
fn classes(table: &StepTable<'_>, servers: &[usize]) -> (Vec<usize>, usize) {
    let goes = |phase: usize| {
        table.steps.iter().filter(|entry| entry.phase == phase).all(|entry| {
            !entry.changes.is_empty()
                && entry
                    .changes
                    .iter()
                    .all(|change| matches!(change.effect, Effect::Leaves | Effect::LosesVote))
        })
    };
    let only_go: Vec<bool> = (0..table.plan.phases.len()).map(goes).collect();
    let mut known: BTreeMap<(usize, Vec<usize>, usize), usize> = BTreeMap::new();
    let mut classes = Vec::with_capacity(table.steps.len());
    for (at, entry) in table.steps.iter().enumerate() {
        let alone = entry.rule == StepOrder::InOrder && !only_go[entry.phase];
        let class = if alone || entry.servers.is_empty() {
            (entry.phase, Vec::new(), at)
        } else {
            // Start and wait for one joiner are two steps of one phase.
            let kind = usize::from(matches!(entry.step.action, Action::Start(_)));
            let mut own: Vec<usize> = entry.servers.iter().map(|s| servers[*s]).collect();
            own.sort_unstable();
            (entry.phase, own, kind)
        };
        let next = known.len();
        classes.push(*known.entry(class).or_insert(next));
    }
    (classes, known.len())
}

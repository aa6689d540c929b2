//! Every order that the plan grants, under every leader, one moment at a time.
//!
//! Steps that no law can tell apart are one class, so that hundreds of them are looked at in
//! moments that grow with their number and not with the number of their orders. The loss of a zone
//! tells servers in it from servers outside, so each zone is looked at in a walk of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::breach::{Breach, Detail, Law, Window};
use super::laws::{self, Context, Transition};
use super::state::State;
use crate::model::{ServerId, ZonePolicy};
use crate::plan::{Action, Grant, Move, Phase, Rule, Step, StepId};

/// Moments that one walk looks at before the plan is refused for having too many orders. An exchange
/// of 127 voters needs some ten thousand.
const MAX_MOMENTS: usize = 20_000;

/// The same for all walks of a plan together.
const MAX_MOMENTS_IN_ALL: usize = 100_000;

/// What the walk saw.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Breaches, each with the shortest way to it; one for each law and step.
    pub(super) breaches: Vec<Breach>,
    /// Moments visited.
    pub(super) moments: usize,
    /// The smallest spare at any moment.
    pub(super) worst_spare: i64,
    /// The worst zone at any moment, where zones count.
    pub(super) worst_zone: Option<Window>,
    /// Steps after which, in some order, the loss of one zone would stop writes.
    pub(super) windows: BTreeMap<StepId, Window>,
    /// Whether some leader hands over.
    pub(super) hands_over: bool,
    /// Whether the steps end at the target, whatever the order.
    pub(super) ends_at_target: bool,
}

/// Where a walk begins.
pub(super) struct Start {
    pub(super) state: State,
    /// The steps that are done, by position.
    pub(super) done: Vec<bool>,
}

impl Start {
    /// At the base, with nothing done.
    pub(super) fn of(context: &Context<'_>) -> Self {
        let steps = context.plan.steps().count();
        Self { state: State::base(context.facts), done: vec![false; steps] }
    }
}

/// Walks every order that the plan grants from there on. Its unordered phases hold like steps.
pub(super) fn walk(context: &Context<'_>, start: &Start) -> Walk {
    let base = &start.state;
    let mut walk =
        Walk { ends_at_target: true, worst_spare: base.votes().spare(), ..Walk::default() };
    let grant = Grant::of(context.plan);
    walk.explore(&Explorer::new(context, &grant, None), start);
    if context.plan.policy.zones != ZonePolicy::Ignore {
        walk.worst_zone = base.worst_zone(&context.facts.zones);
        let zones = zones(context);
        for zone in zones {
            if walk.breaches.iter().any(|b| matches!(b.detail, Detail::TooManyOrders(_))) {
                break;
            }
            walk.explore(&Explorer::new(context, &grant, Some(zone)), start);
        }
    }
    walk.breaches.sort();
    walk
}

/// The zones in which a server may have a vote at some moment.
fn zones<'a>(context: &Context<'a>) -> BTreeSet<&'a String> {
    let base = context.facts.base.membership.voters();
    let requests = context.plan.steps().filter_map(Step::reconfig);
    let given = requests.flat_map(|request| &request.joining).map(|line| line.id);
    base.into_iter().chain(given).filter_map(|id| context.facts.zones.get(&id)).collect()
}

/// One walk: by all laws but that of zones, or by that of one zone.
struct Explorer<'a> {
    context: &'a Context<'a>,
    grant: &'a Grant<'a>,
    /// The class of each step, by position.
    classes: Vec<usize>,
    zone: Option<&'a str>,
}

/// A moment on the way.
struct Moment {
    state: State,
    done: Vec<bool>,
    /// Where in the trail its last step stands.
    trail: usize,
}

/// How a moment came about: the trail before, and the step.
type Trail = Vec<(usize, Option<usize>)>;

/// A step that may be next, by position, and one of those under whom it may.
struct Turn {
    leader: ServerId,
    at: usize,
}

impl<'a> Explorer<'a> {
    fn new(context: &'a Context<'a>, grant: &'a Grant<'a>, zone: Option<&'a str>) -> Self {
        Self { context, grant, classes: classes(context, grant, zone), zone }
    }

    fn step(&self, at: usize) -> &'a Step {
        self.grant.steps()[at].1
    }

    /// What is done, as far as laws can tell: how many of each class, and who is proven gone.
    fn signature(&self, moment: &Moment) -> (Vec<usize>, BTreeSet<ServerId>) {
        let mut counts = vec![0; self.classes.len()];
        for at in (0..moment.done.len()).filter(|at| moment.done[*at]) {
            counts[self.classes[at]] += 1;
        }
        (counts, moment.state.proven_gone.clone())
    }

    /// The steps that may be next under any leader, one of each class.
    ///
    /// A leader that owns none of the steps that would be open under no leader at all holds none of
    /// them back, so that one such leader stands for all.
    fn turns(&self, moment: &Moment) -> Vec<Turn> {
        let free = self.grant.next(&moment.done, None);
        let owned = |leader: ServerId| {
            let own = |at: &&usize| self.step(**at).server() == Some(leader);
            free.iter().find(own).map(|at| self.classes[*at])
        };
        let mut alike = HashSet::new();
        let mut taken = HashSet::new();
        let mut turns = Vec::new();
        for leader in moment.state.votes().acking {
            if !alike.insert(owned(leader)) {
                continue;
            }
            for at in self.grant.next(&moment.done, Some(leader)) {
                let step = self.step(at);
                let own = step.server() == Some(leader) && step.hands_over();
                if taken.insert((self.classes[at], own)) {
                    turns.push(Turn { leader, at });
                }
                if self.grant.steps()[at].0.rule == Rule::SideBySide {
                    // Waits and stops change nothing for each other.
                    break;
                }
            }
        }
        turns
    }

    /// Whether the leader's own change hands over while another server's change is still to come.
    fn leader_moves_early(&self, moment: &Moment, step: &Step) -> bool {
        let pending = self.grant.steps().iter().zip(&moment.done).filter(|(_, done)| !**done);
        pending
            .map(|((_, other), _)| other)
            .any(|other| other.reconfig().is_some() && other.server() != step.server())
    }

    /// The reconfigs on the way to a moment.
    fn path(&self, trail: &Trail, mut end: usize) -> Vec<StepId> {
        let mut path = Vec::new();
        while let (before, Some(at)) = trail[end] {
            let step = self.step(at);
            path.extend(step.reconfig().map(|_| step.id.clone()));
            end = before;
        }
        path.reverse();
        path
    }
}

impl Walk {
    fn explore(&mut self, explorer: &Explorer<'_>, start: &Start) {
        let mut trail: Trail = vec![(0, None)];
        let base = Moment { state: start.state.clone(), done: start.done.clone(), trail: 0 };
        let mut seen = HashSet::from([explorer.signature(&base)]);
        let mut queue = VecDeque::from([base]);
        let most = (self.moments + MAX_MOMENTS).min(MAX_MOMENTS_IN_ALL);
        while let Some(moment) = queue.pop_front() {
            self.moments += 1;
            if self.moments > most {
                let detail = Detail::TooManyOrders(self.moments);
                self.report(Breach { law: Law::Form, step: None, path: Vec::new(), detail });
                return;
            }
            let turns = explorer.turns(&moment);
            if turns.is_empty() && moment.state.members != explorer.context.plan.target {
                self.ends_at_target = false;
            }
            for turn in turns {
                let mut next = self.take(explorer, &trail, &moment, &turn);
                if seen.insert(explorer.signature(&next)) {
                    trail.push((moment.trail, Some(turn.at)));
                    next.trail = trail.len() - 1;
                    queue.push_back(next);
                }
            }
        }
    }

    fn take(
        &mut self,
        explorer: &Explorer<'_>,
        trail: &Trail,
        moment: &Moment,
        turn: &Turn,
    ) -> Moment {
        let (phase, step) = explorer.grant.steps()[turn.at];
        let mut done = moment.done.clone();
        done[turn.at] = true;
        let next = Moment { state: moment.state.after(step), done, trail: moment.trail };
        let found = match explorer.zone {
            Some(zone) => {
                self.zone_lost(explorer, &next.state, zone, turn.at).into_iter().collect()
            }
            None => self.judged(explorer, [moment, &next], turn.leader, (phase, step)),
        };
        for (law, detail) in found {
            let path = explorer.path(trail, moment.trail);
            self.report(Breach { law, step: Some(step.id.clone()), path, detail });
        }
        next
    }

    /// Every law but that of zones.
    fn judged(
        &mut self,
        explorer: &Explorer<'_>,
        [moment, next]: [&Moment; 2],
        leader: ServerId,
        (phase, step): (&Phase, &Step),
    ) -> Vec<(Law, Detail)> {
        let context = explorer.context;
        let Action::Reconfig { server, change, request } = &step.action else {
            return laws::broken_by_other(context, &moment.state, step);
        };
        let step_taken = Transition::new([&moment.state, &next.state], phase, *server, request);
        let mut found = laws::broken(context, &step_taken);
        if leader == *server && step.hands_over() {
            self.hands_over = true;
            if explorer.leader_moves_early(moment, step) {
                found.push((Law::LeaderLast, Detail::LeaderNotLast(*server)));
            }
        }
        if !moment.state.does_what_it_says(*server, *change, request) {
            found.push((Law::Form, Detail::Mislabelled));
        }
        let under_way = step_taken.during.spare().min(step_taken.is.spare());
        self.worst_spare = self.worst_spare.min(under_way);
        found
    }

    /// ZKQ4: what the loss of one zone would leave after a step.
    fn zone_lost(
        &mut self,
        explorer: &Explorer<'_>,
        state: &State,
        zone: &str,
        at: usize,
    ) -> Option<(Law, Detail)> {
        let context = explorer.context;
        explorer.step(at).reconfig()?;
        let spare = state.spare_without(&context.facts.zones, zone);
        let worse = |known: &Window| spare < known.votes.spare();
        let window = || state.without(&context.facts.zones, zone);
        if self.worst_zone.as_ref().is_none_or(worse) {
            self.worst_zone = Some(window());
        }
        if spare >= 0 || !context.base_survives_zones {
            return None;
        }
        // Each that no law can tell from it could have come at this moment.
        for like in
            (0..explorer.classes.len()).filter(|o| explorer.classes[*o] == explorer.classes[at])
        {
            let step = &explorer.step(like).id;
            if self.windows.get(step).is_none_or(worse) {
                self.windows.insert(step.clone(), window());
            }
        }
        let strict = context.plan.policy.zones == ZonePolicy::Strict;
        strict.then(|| (Law::Zones, Detail::ZoneLoss(window())))
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

/// What two steps of an unordered phase have in common when no law can tell them apart. A step of a
/// phase that goes in order is like no other.
#[derive(PartialEq, Eq, Hash)]
enum Class {
    Alone(usize),
    Like {
        phase: usize,
        does: Option<Move>,
        voted: bool,
        live: bool,
        in_zone: bool,
        /// What else happens to the server, and when.
        rest: Vec<(usize, Move)>,
    },
}

/// The class of each step by position, as numbers below the number of steps.
fn classes(context: &Context<'_>, grant: &Grant<'_>, zone: Option<&str>) -> Vec<usize> {
    let mut changes: HashMap<ServerId, Vec<(usize, Move)>> = HashMap::new();
    for (at, phase) in context.plan.phases.iter().enumerate() {
        for step in &phase.steps {
            if let Action::Reconfig { server, change, .. } = step.action {
                changes.entry(server).or_default().push((at, change));
            }
        }
    }
    let mut state = State::base(context.facts);
    let mut known: HashMap<Class, usize> = HashMap::new();
    let mut classes = Vec::with_capacity(grant.steps().len());
    for (at, phase) in context.plan.phases.iter().enumerate() {
        let before = state.clone();
        for step in &phase.steps {
            let server = step.server();
            let holds = |test: &dyn Fn(ServerId) -> bool| server.is_some_and(test);
            let voted = holds(&|id| {
                before.members.has_voter(id) || context.facts.base.membership.has_voter(id)
            });
            let class = match phase.rule {
                Rule::InOrder => Class::Alone(classes.len()),
                Rule::SideBySide | Rule::LeaderLast => Class::Like {
                    phase: at,
                    does: match step.action {
                        Action::Reconfig { change, .. } => Some(change),
                        _ => None,
                    },
                    voted,
                    live: holds(&|id| before.live.contains(&id)),
                    in_zone: voted
                        && holds(&|id| {
                            zone.is_some()
                                && context.facts.zones.get(&id).map(String::as_str) == zone
                        }),
                    rest: server.and_then(|id| changes.get(&id).cloned()).unwrap_or_default(),
                },
            };
            let number = known.len();
            classes.push(*known.entry(class).or_insert(number));
            state = state.after(step);
        }
    }
    classes
}

//! The order of the steps of a plan: which steps may be next, given the finished steps and the
//! leader.
//!
//! Render shows the order for the present leader. Check walks every order that is possible under
//! any leader. Apply takes no step that the schedule does not allow.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{Phase, Plan, Step, StepId, StepOrder};
use crate::model::ServerId;

/// The steps that are done.
pub type Done = BTreeSet<StepId>;

/// A set of steps by position. The first step of the first phase is 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Positions(Vec<u64>);

impl Positions {
    /// An empty set for `of` steps.
    pub fn none(of: usize) -> Self {
        Self(vec![0; of.div_ceil(64)])
    }

    /// Whether it contains a position.
    pub fn contains(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Adds a position.
    pub fn insert(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    /// The positions of `from..end` that are not in it.
    fn missing(&self, from: usize, end: usize) -> impl Iterator<Item = usize> {
        let words = from / 64..end.div_ceil(64);
        words.flat_map(move |at| {
            let mut word = self.0.get(at).map_or(0, |word| !word & within(at * 64, from..end));
            std::iter::from_fn(move || {
                let next = (word != 0).then(|| at * 64 + word.trailing_zeros() as usize)?;
                word &= word - 1;
                Some(next)
            })
        })
    }

    /// How many positions of `of` are not in it.
    fn count_missing(&self, of: &Self) -> usize {
        let missing = of.0.iter().zip(&self.0).map(|(of, done)| (of & !done).count_ones() as usize);
        missing.sum()
    }
}

/// A mask of the positions of `range` in the word that begins at position `first`. The range must
/// overlap the word.
fn within(first: usize, range: Range<usize>) -> u64 {
    let from = u64::MAX << range.start.saturating_sub(first);
    match range.end - first {
        end @ 0..64 => from & !(u64::MAX << end),
        _ => from,
    }
}

/// The schedule of one plan.
#[derive(Debug, Clone)]
pub struct Schedule<'a> {
    steps: Vec<(&'a Phase, &'a Step)>,
    /// The order rule of each phase, and where its steps end.
    phases: Vec<(StepOrder, usize)>,
    /// The reconfigs and the restarts: among them the leader's own comes last.
    turns: Positions,
    /// For each step, the earlier steps of its phase that concern one of its servers.
    begun_by: Vec<Vec<usize>>,
    /// For each server that would hand over the leadership in some step: its steps, each with all
    /// steps that are deferred until that one is done.
    deferred_for: BTreeMap<ServerId, Vec<(usize, Vec<usize>)>>,
}

impl Plan {
    /// The steps that may be next. Empty when all are done.
    ///
    /// The leader's own change is the last one of the plan. The leader's steps are deferred while a
    /// hand-over is among them and a reconfig of another server is left. Later steps of servers
    /// that share a request with the leader are deferred too, so that the steps of each server keep
    /// their order.
    pub fn next_steps(&self, done: &Done, leader: Option<ServerId>) -> Vec<&Step> {
        let schedule = Schedule::of(self);
        let mut positions = Positions::none(schedule.steps.len());
        for (at, (_, step)) in schedule.steps.iter().enumerate() {
            if done.contains(&step.id) {
                positions.insert(at);
            }
        }
        schedule
            .ready_steps(&positions, leader)
            .into_iter()
            .map(|at| schedule.steps[at].1)
            .collect()
    }

    /// All steps in their order if the leader does not change, each with its phase.
    pub fn schedule(&self) -> Vec<(&Phase, &Step)> {
        let schedule = Schedule::of(self);
        schedule.order(self.facts.leader).into_iter().map(|at| schedule.steps[at]).collect()
    }
}

impl<'a> Schedule<'a> {
    /// The schedule of a plan.
    pub fn of(plan: &'a Plan) -> Self {
        let steps = |phase: &'a Phase| phase.steps.iter().map(move |step| (phase, step));
        let steps: Vec<_> = plan.phases.iter().flat_map(steps).collect();
        let mut end = 0;
        let phases = plan.phases.iter().map(|phase| {
            end += phase.steps.len();
            (phase.rule, end)
        });
        let phases: Vec<(StepOrder, usize)> = phases.collect();
        let mut turns = Positions::none(steps.len());
        let mut of_server: BTreeMap<ServerId, Vec<usize>> = BTreeMap::new();
        for (at, (_, step)) in steps.iter().enumerate() {
            if step.takes_a_turn() {
                turns.insert(at);
            }
            for server in step.servers() {
                of_server.entry(server).or_default().push(at);
            }
        }
        let begun_by = begun_by(&phases, &of_server, steps.len());
        let hands_over = |server: &ServerId, own: &[usize]| {
            own.iter().any(|at| steps[*at].1.hands_over(*server))
        };
        let deferred_for = of_server.iter().filter(|(server, own)| hands_over(server, own)).map(
            |(server, own)| {
                let deferred = |nth: usize| with_followers(&own[nth..], &steps, &of_server);
                (
                    *server,
                    own.iter().copied().enumerate().map(|(nth, at)| (at, deferred(nth))).collect(),
                )
            },
        );
        let deferred_for = deferred_for.collect();
        Self { steps, phases, turns, begun_by, deferred_for }
    }

    /// All steps by position, each with its phase.
    pub fn steps(&self) -> &[(&'a Phase, &'a Step)] {
        &self.steps
    }

    /// All positions in their order if `leader` leads throughout.
    pub fn order(&self, leader: Option<ServerId>) -> Vec<usize> {
        let mut done = Positions::none(self.steps.len());
        let mut order = Vec::with_capacity(self.steps.len());
        while let Some(at) = self.ready_steps(&done, leader).first().copied() {
            done.insert(at);
            order.push(at);
        }
        order
    }

    /// The positions of the steps that may be next. Like [`Plan::next_steps`], but cheap to call
    /// many times for one plan.
    pub fn ready_steps(&self, done: &Positions, leader: Option<ServerId>) -> Vec<usize> {
        let deferred: &[usize] =
            leader.and_then(|leader| self.deferred(done, leader)).map_or(&[], Vec::as_slice);
        let mut from = 0;
        for (rule, end) in &self.phases {
            let mut open = done.missing(from, *end).filter(|at| !deferred.contains(at)).peekable();
            match (rule, open.peek().copied()) {
                (_, None) => from = *end,
                (StepOrder::SideBySide | StepOrder::LeaderLast, Some(_)) => return open.collect(),
                (StepOrder::InOrder, Some(first)) => {
                    let is_begun =
                        |at: &usize| self.begun_by[*at].iter().any(|other| done.contains(*other));
                    return vec![open.find(is_begun).unwrap_or(first)];
                }
            }
        }
        Vec::new()
    }

    /// The steps that are deferred while `leader` leads.
    fn deferred(&self, done: &Positions, leader: ServerId) -> Option<&Vec<usize>> {
        let (_, deferred) =
            self.deferred_for.get(&leader)?.iter().find(|(at, _)| !done.contains(*at))?;
        let left = || deferred.iter().filter(|at| !done.contains(**at));
        let hands_over = left().any(|at| self.steps[*at].1.hands_over(leader));
        let turns = left().filter(|at| self.turns.contains(**at)).count();
        (hands_over && done.count_missing(&self.turns) > turns).then_some(deferred)
    }
}

/// These steps, and all later ones of servers that share a step with them, ascending.
fn with_followers(
    own: &[usize],
    steps: &[(&Phase, &Step)],
    of_server: &BTreeMap<ServerId, Vec<usize>>,
) -> Vec<usize> {
    let mut deferred: BTreeSet<usize> = own.iter().copied().collect();
    let mut new = own.to_vec();
    while let Some(at) = new.pop() {
        let of_servers = steps[at].1.servers().filter_map(|server| of_server.get(&server));
        for later in of_servers.flatten().filter(|later| **later > at) {
            if deferred.insert(*later) {
                new.push(*later);
            }
        }
    }
    deferred.into_iter().collect()
}

fn begun_by(
    phases: &[(StepOrder, usize)],
    of_server: &BTreeMap<ServerId, Vec<usize>>,
    steps: usize,
) -> Vec<Vec<usize>> {
    let phase = |at: usize| phases.iter().position(|(_, end)| at < *end);
    let mut begun_by = vec![Vec::new(); steps];
    for own in of_server.values() {
        for (nth, at) in own.iter().enumerate() {
            begun_by[*at].extend(own[..nth].iter().filter(|other| phase(**other) == phase(*at)));
        }
    }
    begun_by
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::best;
    use crate::plan::planner::fixture::goal;

    #[test]
    fn the_change_of_any_leader_is_the_last_one() {
        let plan = best(&goal("1 2 3 4 5", "4 5 6 7 8"));
        let joins = ["await-6", "await-7", "await-8", "join-6", "join-7", "join-8"];
        let mut done: Done = joins.iter().map(|id| StepId::new(*id)).collect();
        let mut next = |leader: i64, then: &str| {
            let ready = plan.next_steps(&done, Some(ServerId::new(leader)));
            let ready: Vec<String> = ready.iter().map(|step| step.id.to_string()).collect();
            done.insert(StepId::new(then));
            ready
        };
        assert_eq!(next(1, "leave-2"), ["leave-2", "leave-3"]);
        // Server 3 was elected.
        assert_eq!(next(3, "leave-1"), ["leave-1"]);
        assert_eq!(next(3, "leave-3"), ["leave-3"]);
        assert_eq!(next(6, "prove"), ["prove"]);
    }
}

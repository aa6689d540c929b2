//! The order in which voters are removed. Any order will do, unless zones or weights distinguish
//! voters and one order is better than the others.
//!
//! The leader is removed last. So the tolerance of an order is its tolerance if any one of the
//! removals is deferred.

use std::collections::{BTreeMap, BTreeSet};

use super::batching::{Batching, batchings};
use super::cost::Cost;
use super::goal::{Goal, batch_limit, departing_voters, is_healthy, is_readdressed};
use super::moments::{votes_now, votes_wanted, without_unreachable};
use super::state_graph::{
    Edge, EdgeCost, MAX_NODES, MAX_NODES_BATCHED, StateGraph, digits, stride,
};
use super::tally::{Tolerance, Vote, VoterSet};
use crate::diff::{Change, ChangeKind};
use crate::model::Server;
use crate::plan::StepOrder;

/// Requests that remove voters, and whether their order matters.
pub(super) struct Removal<'a> {
    pub(super) order: Batching<'a>,
    pub(super) rule: StepOrder,
    /// The cost of all of them, whichever server is deferred.
    pub(super) cost: Cost,
}

/// Healthy voters that leave or become observers, together with the `deferred` replacements: every
/// candidate that may be a part of the best plan.
pub(super) fn removals<'a>(goal: &'a Goal, deferred: &[&'a Change]) -> Vec<Removal<'a>> {
    let mut any = departing_voters(goal);
    any.extend(deferred);
    any.sort_by_key(|change| (leaves(change), change.id));
    let voter_set = VoterSet::new(&goal.facts, &goal.diff.target, &goal.policy);
    let votes = votes_before(goal, &voter_set, deferred);
    let voters = votes.iter().filter(|vote| vote.votes).count();
    let least = least_cost(goal, &voter_set, !any.is_empty());
    let mut best: Vec<Removal<'_>> = Vec::new();
    for requests in batchings(goal, &voter_set, voters, any) {
        let least = Cost { reconfigs: requests.len(), ..least };
        if best.iter().any(|known| known.cost.dominates(&least)) {
            break;
        }
        let going = RemovalSearch::new(goal, &voter_set, &votes, &requests);
        let next = going.best(requests);
        if !best.iter().any(|known| known.cost.dominates(&next.cost)) {
            best.retain(|known| !next.cost.dominates(&known.cost));
            best.push(next);
        }
    }
    best
}

/// A lower bound of the cost: no order of removals is better than the target itself.
fn least_cost(goal: &Goal, voter_set: &VoterSet, any: bool) -> Cost {
    let worst = voter_set.tolerance(&votes_wanted(goal, voter_set));
    Cost { worst, windows: usize::from(any && worst.with_zone_lost < 0), ..Cost::NONE }
}

fn removal_kind(goal: &Goal, change: &Change) -> RemovalKind {
    match change.kind {
        ChangeKind::Replace if is_healthy(goal, change) => RemovalKind::Return,
        ChangeKind::Replace => RemovalKind::Come,
        _ if leaves(change) => RemovalKind::Leave,
        _ => RemovalKind::Demote,
    }
}

fn leaves(change: &Change) -> bool {
    change.after.is_none()
}

/// The votes after all additions. Unreachable servers whose replacement is deferred do not vote
/// yet.
fn votes_before(goal: &Goal, voter_set: &VoterSet, deferred: &[&Change]) -> Vec<Vote> {
    let mut votes = without_unreachable(goal, voter_set, votes_now(goal, voter_set));
    for change in &goal.diff.changes {
        if change.after.as_ref().is_some_and(Server::votes) {
            let moves = is_readdressed(change);
            let vote = &mut votes[voter_set.number(change.id)];
            *vote = Vote { votes: true, up: vote.up || !moves };
        }
    }
    for change in deferred.iter().filter(|change| !is_healthy(goal, change)) {
        votes[voter_set.number(change.id)] = Vote::default();
    }
    votes
}

/// The effect of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum RemovalKind {
    Demote,
    Leave,
    /// The server leaves, and returns on another machine.
    Return,
    /// The server returns on another machine. The old one was removed before.
    Come,
}

/// The requests that remove voters, grouped into classes of equivalent ones.
struct RemovalSearch<'e, 'a> {
    goal: &'a Goal,
    voter_set: &'e VoterSet,
    votes: &'e [Vote],
    /// The effect of each class.
    kinds: Vec<RemovalKind>,
    classes: Vec<Batching<'a>>,
    sizes: Vec<usize>,
}

impl<'e, 'a> RemovalSearch<'e, 'a> {
    fn new(
        goal: &'a Goal,
        voter_set: &'e VoterSet,
        votes: &'e [Vote],
        requests: &[Vec<&'a Change>],
    ) -> Self {
        let mut classes: BTreeMap<_, Batching<'_>> = BTreeMap::new();
        for request in requests {
            let place = |change: &&Change| voter_set.place(voter_set.number(change.id));
            let mut places: Vec<_> = request.iter().map(place).collect();
            places.sort_unstable();
            let class = (removal_kind(goal, request[0]), places);
            classes.entry(class).or_default().push(request.clone());
        }
        let kinds = classes.keys().map(|(kind, _)| *kind).collect();
        let classes: Vec<Batching<'_>> = classes.into_values().collect();
        let sizes = classes.iter().map(Vec::len).collect();
        Self { goal, voter_set, votes, kinds, classes, sizes }
    }

    /// Any order, unless the best order costs less.
    fn best(&self, requests: Batching<'a>) -> Removal<'a> {
        let any_returns = self.kinds.iter().any(|kind| *kind >= RemovalKind::Return);
        let tells_apart = requests.len() > 1 && self.voter_set.distinguishes_voters();
        let ordered = (tells_apart || any_returns).then(|| {
            let order = self.best_order();
            let cost = self.cost_in_order(&order);
            (order, cost)
        });
        let unordered = if any_returns { None } else { self.unordered() };
        let rank_key = |cost: &Cost| cost.rank_key(self.goal.prefer);
        match (ordered, unordered) {
            (Some((order, cost)), other)
                if other.is_none_or(|o| rank_key(&cost) > rank_key(&o)) =>
            {
                let mut queues: Vec<_> = self.classes.iter().map(|class| class.iter()).collect();
                let order = order.into_iter().filter_map(|class| queues[class].next().cloned());
                Removal { order: order.collect(), rule: StepOrder::InOrder, cost }
            }
            (_, other) => {
                let cost = other.unwrap_or(Cost { is_legal: false, ..Cost::NONE });
                Removal { order: requests, rule: StepOrder::LeaderLast, cost }
            }
        }
    }

    /// The cost in the worst order. `None` if quorums would not overlap in some order.
    fn unordered(&self) -> Option<Cost> {
        let is_alone = |class: &Batching<'_>| class[0].len() == 1;
        let is_weighted = self.goal.facts.base.membership.is_weighted();
        let is_small = self.nodes().is_some() && !self.classes.iter().all(is_alone);
        if is_weighted || is_small {
            self.cost_at_any_node()
        } else {
            Some(self.cost_in_any_order())
        }
    }

    /// Whether its servers leave and return on another machine.
    fn returns(&self, class: usize) -> bool {
        self.kinds[class] == RemovalKind::Return
    }

    /// Whether a finished request of this class may have been deferred, because its server led.
    fn may_be_deferred(&self, class: usize, gone: &[usize]) -> bool {
        gone[class] > 0 && self.kinds[class] != RemovalKind::Come
    }

    /// The votes when the first `gone[class]` requests of each class are done.
    fn votes(&self, gone: &[usize]) -> Vec<Vote> {
        let mut votes = self.votes.to_vec();
        for class in (0..gone.len()).filter(|class| !self.returns(*class)) {
            for change in self.classes[class].iter().take(gone[class]).flatten() {
                let comes = self.kinds[class] == RemovalKind::Come;
                let vote = &mut votes[self.voter_set.number(change.id)];
                *vote = Vote { votes: comes, up: vote.up || comes };
            }
        }
        votes
    }

    /// The lowest tolerance after a request of `class`, if any one of the finished requests may be
    /// deferred.
    fn tolerance(&self, class: usize, gone: &[usize]) -> Tolerance {
        let mut worst = self.tolerance_without(gone, self.returns(class).then_some(class));
        let mut deferred = gone.to_vec();
        for other in (0..gone.len()).filter(|other| self.may_be_deferred(*other, gone)) {
            if self.returns(other) {
                // The server led when it was its turn, and leaves only now.
                worst = worst.min(self.tolerance_without(gone, Some(other)));
                continue;
            }
            deferred[other] -= 1;
            let away = self.returns(class).then_some(class);
            worst = worst.min(self.tolerance_without(&deferred, away));
            deferred[other] += 1;
        }
        worst
    }

    /// The tolerance when the given requests are done. The server of `away` has left and not
    /// returned yet.
    fn tolerance_without(&self, gone: &[usize], away: Option<usize>) -> Tolerance {
        let mut votes = self.votes(gone);
        if let Some(class) = away {
            votes[self.voter_set.number(self.classes[class][0][0].id)].votes = false;
        }
        self.voter_set.tolerance(&votes)
    }

    /// The lowest tolerance at the end, when a server that returns leads and therefore is last.
    fn worst_with_leader_last(&self) -> Tolerance {
        let returning = (0..self.classes.len()).filter(|class| self.returns(*class));
        let worths = returning.map(|class| self.tolerance(class, &self.sizes));
        worths.fold(Tolerance::MAX, Tolerance::min)
    }

    /// 1 if the quorum depends on the server that returns.
    fn risks(&self, class: usize, gone: &[usize]) -> usize {
        let mut votes = self.votes(gone);
        votes[self.voter_set.number(self.classes[class][0][0].id)].up = false;
        usize::from(
            self.kinds[class] >= RemovalKind::Return
                && self.voter_set.tolerated_failures(&votes) < 0,
        )
    }

    fn nodes(&self) -> Option<usize> {
        let product = self.sizes.iter().try_fold(1_usize, |all, size| all.checked_mul(size + 1))?;
        let most = if batch_limit(self.goal) > 1 { MAX_NODES_BATCHED } else { MAX_NODES };
        (product <= most).then_some(product)
    }

    /// The best order: the class of each request.
    fn best_order(&self) -> Vec<usize> {
        let Some(nodes) = self.nodes() else { return self.greedy_order() };
        let mut edges = Vec::new();
        for from in 0..nodes {
            let mut gone = digits(from, &self.sizes);
            for class in 0..self.sizes.len() {
                if gone[class] == self.sizes[class] {
                    continue;
                }
                gone[class] += 1;
                let tolerance = self.tolerance(class, &gone);
                let edge_cost = EdgeCost {
                    is_legal: self.quorums_overlap(class, &gone),
                    risks: self.risks(class, &gone),
                    failures: tolerance.failures,
                    with_zone_lost: tolerance.with_zone_lost,
                    windows: usize::from(tolerance.with_zone_lost < 0),
                    reconfigs: 1,
                };
                let to = from + stride(&self.sizes, class);
                edges.push(Edge { from, to, what: class, cost: edge_cost });
                gone[class] -= 1;
            }
        }
        let mut graph = StateGraph::new(nodes, edges);
        graph.keep_legal();
        graph.shortest(|edge_cost| edge_cost.risks);
        let end = self.worst_with_leader_last();
        graph.widest(end.failures, |edge_cost| edge_cost.failures);
        graph.widest(end.with_zone_lost, |edge_cost| edge_cost.with_zone_lost);
        graph.shortest(|edge_cost| edge_cost.windows);
        graph.path().into_iter().map(|(class, _)| class).collect()
    }

    /// Whether quorums before and after a request of `class` overlap, even if any other request was
    /// deferred and comes only later or only now.
    fn quorums_overlap(&self, class: usize, gone: &[usize]) -> bool {
        if !self.voter_set.is_weighted() {
            return true;
        }
        let without = |gone: &[usize], class: usize| {
            let mut fewer = gone.to_vec();
            fewer[class] -= 1;
            fewer
        };
        let meet = |class: usize, gone: &[usize]| {
            let before = without(gone, class);
            self.voter_set.overlaps(&self.votes(&before), &self.votes(gone))
        };
        if self.goal.policy.changes_per_step == 0 {
            return true;
        }
        let may_be_deferred = |other: &usize| {
            gone[*other] > usize::from(*other == class) && self.may_be_deferred(*other, gone)
        };
        meet(class, gone)
            && (0..gone.len())
                .filter(may_be_deferred)
                .all(|other| meet(class, &without(gone, other)) && meet(other, gone))
    }

    /// At each step, the class that leaves the highest tolerance. Among equals, the one with the
    /// most requests left.
    ///
    /// If voters differ only in their zones, this is optimal: the tolerance is limited only by the
    /// fullest zone.
    fn greedy_order(&self) -> Vec<usize> {
        let mut gone = vec![0; self.sizes.len()];
        let mut order = Vec::new();
        loop {
            let left = (0..gone.len()).filter(|class| gone[*class] < self.sizes[*class]);
            let best = left.max_by_key(|class| {
                let mut next = gone.clone();
                next[*class] += 1;
                let tolerance = self.tolerance(*class, &next);
                let full = self.sizes[*class] - gone[*class];
                (tolerance.failures, tolerance.with_zone_lost, full, std::cmp::Reverse(*class))
            });
            let Some(best) = best else { return order };
            gone[best] += 1;
            order.push(best);
        }
    }

    fn cost_in_order(&self, order: &[usize]) -> Cost {
        let mut gone = vec![0; self.sizes.len()];
        let mut all = Cost::NONE;
        for class in order {
            gone[*class] += 1;
            let next = Self::cost(self.tolerance(*class, &gone));
            all = all.and(Cost {
                is_legal: self.quorums_overlap(*class, &gone),
                risks: self.risks(*class, &gone),
                reconfigs: 1 + usize::from(self.returns(*class)),
                ..next
            });
        }
        all
    }

    /// The cost of one request.
    fn cost(worst: Tolerance) -> Cost {
        Cost { worst, reconfigs: 1, windows: usize::from(worst.with_zone_lost < 0), ..Cost::NONE }
    }

    /// For each number of finished requests, the lowest tolerance. The worst order removes the
    /// voters of all other zones first, for each zone in turn. Demotions come before removals.
    fn cost_in_any_order(&self) -> Cost {
        let total: usize = self.sizes.iter().sum();
        let mut worst: Vec<Option<Tolerance>> = vec![None; total];
        let zone = |change: &&Change| self.voter_set.zone(self.voter_set.number(change.id));
        let zones: BTreeSet<_> =
            self.classes.iter().flat_map(|class| class[0].iter()).map(zone).collect();
        for last in zones {
            let mut order: Vec<usize> = (0..self.classes.len()).collect();
            order.sort_by_key(|class| {
                let request = &self.classes[*class][0];
                let count = request.iter().filter(|change| zone(change) == last).count();
                (leaves(request[0]), count)
            });
            let mut gone = vec![0; self.sizes.len()];
            let mut count = 0;
            for class in order {
                for _ in 0..self.sizes[class] {
                    gone[class] += 1;
                    let tolerance = self.tolerance(class, &gone);
                    worst[count] =
                        Some(worst[count].map_or(tolerance, |known| known.min(tolerance)));
                    count += 1;
                }
            }
        }
        worst
            .into_iter()
            .flatten()
            .fold(Cost::NONE, |all, tolerance| all.and(Self::cost(tolerance)))
    }

    /// The same if no order of classes is known to be the worst: every set of finished requests is
    /// tried.
    fn cost_at_any_node(&self) -> Option<Cost> {
        let total: usize = self.sizes.iter().sum();
        let mut worst: Vec<Option<Tolerance>> = vec![None; total + 1];
        for node in 1..self.nodes()? {
            let gone = digits(node, &self.sizes);
            let count: usize = gone.iter().sum();
            for class in (0..gone.len()).filter(|class| gone[*class] > 0) {
                if !self.quorums_overlap(class, &gone) {
                    return None;
                }
                let tolerance = self.tolerance(class, &gone);
                worst[count] = Some(worst[count].map_or(tolerance, |known| known.min(tolerance)));
            }
        }
        Some(
            worst
                .into_iter()
                .flatten()
                .fold(Cost::NONE, |all, tolerance| all.and(Self::cost(tolerance))),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::planner::fixture::{goal, with_zones};

    fn order(goal: &Goal) -> (Vec<i64>, StepOrder) {
        let best = removals(goal, &[]).into_iter().next().expect("an order");
        (best.order.iter().flatten().map(|change| change.id.get()).collect(), best.rule)
    }

    #[test]
    fn zones_decide_the_order_and_without_them_any_order_will_do() {
        let goal = goal("1 2 3 4 5 6 7", "1 4 6");
        assert_eq!(order(&goal), (vec![2, 3, 5, 7], StepOrder::LeaderLast));
        // The fullest zone is emptied first.
        let zones: [(&str, &[i64]); 3] = [("a", &[1, 4]), ("b", &[2, 6]), ("c", &[3, 5, 7])];
        let (removed, rule) = order(&with_zones(goal, &zones));
        assert_eq!((removed[0], rule), (3, StepOrder::InOrder));
    }
}

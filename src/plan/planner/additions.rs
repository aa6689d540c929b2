//! The order of additions. Of all parts of a plan this one can be ordered in the most ways.
//!
//! Unreachable voters are removed first, or interleaved with additions (`goal` decides). Healthy
//! voters are removed after every new voter votes (ZKQ7). In between, joiners, promoted observers,
//! replaced servers and address changes may be interleaved. Each observer is promoted in place or
//! by way of a non-voting follower.

use std::ops::Range;

use super::batching::{choices, is_lawful_batch};
use super::change_classes::{ChangeClass, ClassKind, change_classes, deferred_replacements};
use super::cost::Cost;
use super::goal::{
    Goal, Prefer, batch_limit, departing_voters, is_healthy, is_live_replacement, loses_vote,
    observes_first, readdressed, unreachable_are_interleaved,
};
use super::moments::{fixed_tolerance, votes_now, votes_wanted, without_unreachable};
use super::removals::{Removal, removals};
use super::state_graph::{
    Edge, EdgeCost, MAX_NODES, MAX_NODES_BATCHED, StateGraph, digits, stride,
};
use super::tally::{Tolerance, Vote, VoterSet};
use crate::diff::{Change, ChangeKind};
use crate::model::Server;

/// The servers that one request adds, or the moment at which addresses change.
#[derive(Debug, Clone)]
pub(super) enum Addition<'a> {
    Join(Vec<&'a Change>),
    /// Promoted at their present addresses.
    Promote(Vec<&'a Change>),
    /// Promoted by way of non-voting followers.
    PromoteViaFollower(Vec<&'a Change>),
    Replace(&'a Change),
    Readdress,
    /// Unreachable servers lose their votes, or are removed.
    RemoveUnreachable(Vec<&'a Change>),
}

/// All additions, in the best order.
pub(super) struct AdditionPlan<'a> {
    pub(super) steps: Vec<Addition<'a>>,
    /// The removals that follow.
    pub(super) removal: Removal<'a>,
    /// The cost of both.
    cost: Cost,
}

/// The best order of additions.
///
/// The removals are a part of the choice: some replaced voters may be handled among the removals,
/// and with several changes per request, which servers leave together affects the tolerance and the
/// number of requests.
pub(super) fn plan_additions(goal: &Goal) -> AdditionPlan<'_> {
    let voter_set = VoterSet::new(&goal.facts, &goal.diff.target, &goal.policy);
    let [now, wanted] = [votes_now, votes_wanted].map(|votes| votes(goal, &voter_set));
    let most = voter_set.tolerance(&now).min(voter_set.tolerance(&wanted));
    let mut best: Option<AdditionPlan<'_>> = None;
    for deferred in deferred_replacements(goal, &voter_set) {
        let cannot_gain = |known: &AdditionPlan<'_>| {
            known.cost.is_legal && known.cost.risks == 0 && known.cost.worst.min(most) == most
        };
        if best.as_ref().is_some_and(cannot_gain) {
            break;
        }
        for removal in removals(goal, &deferred) {
            let next = addition_plan(goal, &deferred, removal);
            let rank_key = |way: &AdditionPlan<'_>| way.cost.rank_key(goal.prefer);
            if best.as_ref().is_none_or(|known| rank_key(&next) > rank_key(known)) {
                best = Some(next);
            }
        }
    }
    best.unwrap_or_else(|| unreachable!("servers go in some way"))
}

fn addition_plan<'a>(
    goal: &'a Goal,
    deferred: &[&'a Change],
    removal: Removal<'a>,
) -> AdditionPlan<'a> {
    let search = Search::new(goal, deferred, removal.cost.worst);
    let mut graph = search.graph();
    graph.keep_legal();
    graph.shortest(|edge_cost| edge_cost.risks);
    let rest = search.rest;
    if goal.prefer == Prefer::Fewest {
        graph.shortest(|edge_cost| edge_cost.reconfigs);
    }
    graph.widest(rest.failures, |edge_cost| edge_cost.failures);
    graph.widest(rest.with_zone_lost, |edge_cost| edge_cost.with_zone_lost);
    graph.shortest(|edge_cost| edge_cost.reconfigs);
    graph.shortest(|edge_cost| edge_cost.windows);
    let mut cost = Cost { worst: rest, ..Cost::NONE }.and(removal.cost);
    let steps = graph.path().into_iter().map(|(step, edge_cost)| {
        cost = cost.and(edge_cost.cost());
        step
    });
    let steps: Vec<Addition<'_>> = steps.collect();
    cost.worst = cost.worst.min(search.worst_with_leader_deferred(&steps, &removal));
    AdditionPlan { steps, removal, cost }
}

struct Search<'a> {
    goal: &'a Goal,
    voter_set: VoterSet,
    /// The votes after the unreachable voters are removed, if they are removed first.
    base: Vec<Vote>,
    /// Whether the base survives the loss of a zone.
    survives_zones: bool,
    tolerance: i64,
    classes: Vec<ChangeClass<'a>>,
    /// The lowest tolerance of all moments on which this search has no influence.
    rest: Tolerance,
}

impl<'a> Search<'a> {
    fn new(goal: &'a Goal, deferred: &[&'a Change], removal: Tolerance) -> Self {
        let voter_set = VoterSet::new(&goal.facts, &goal.diff.target, &goal.policy);
        let first = votes_now(goal, &voter_set);
        let now = voter_set.tolerance(&first);
        let base = if unreachable_are_interleaved(goal) {
            first
        } else {
            without_unreachable(goal, &voter_set, first)
        };
        let mut search = Self {
            classes: change_classes(goal, &voter_set, deferred),
            survives_zones: voter_set.has_zones() && now.with_zone_lost >= 0,
            tolerance: i64::from(fixed_tolerance(goal)).min(now.failures),
            goal,
            voter_set,
            base,
            rest: now,
        };
        search.rest = search.worst_outside_search(deferred, now.min(removal));
        search
    }

    /// The lowest tolerance of the base, of the removals, and of the leader's own change at the
    /// end.
    fn worst_outside_search(&self, deferred: &[&Change], now: Tolerance) -> Tolerance {
        let mut votes = self.base.clone();
        for class in &self.classes {
            for change in &class.servers {
                self.apply(&mut votes, class.kind, change);
            }
        }
        let mut worst = now.min(self.voter_set.tolerance(&votes));
        for change in departing_voters(self.goal) {
            self.take(&mut votes, change);
        }
        self.apply_all(&mut votes, ClassKind::Replace, deferred);
        // The leader's own change is last.
        for change in &self.goal.diff.changes {
            let mut away = votes.clone();
            match change.kind {
                ChangeKind::Readdress(fields) if fields.quorum && is_healthy(self.goal, change) => {
                    self.leave(&mut away, ClassKind::Readdress, change);
                    worst.failures = worst.failures.min(self.voter_set.tolerated_failures(&away));
                }
                ChangeKind::Replace if is_live_replacement(self.goal, change) => {
                    self.leave(&mut away, ClassKind::Replace, change);
                    worst = worst.min(self.voter_set.tolerance(&away));
                }
                _ => {}
            }
        }
        worst
    }

    /// The lowest tolerance if a replaced voter leads at its turn. It may then be replaced at any
    /// later moment, as soon as another server is elected.
    fn worst_with_leader_deferred(
        &self,
        steps: &[Addition<'_>],
        removal: &Removal<'_>,
    ) -> Tolerance {
        let mut votes = self.base.clone();
        let mut worst = self.rest;
        let mut held: Vec<&Change> = Vec::new();
        let mut look = |votes: &[Vote], held: &[&Change]| {
            for change in held {
                let mut away = votes.to_vec();
                self.leave(&mut away, ClassKind::Replace, change);
                worst = worst.min(self.voter_set.tolerance(&away));
            }
        };
        for step in steps {
            match step {
                Addition::Join(changes) => self.apply_all(&mut votes, ClassKind::Join, changes),
                Addition::Promote(changes) | Addition::PromoteViaFollower(changes) => {
                    self.apply_all(&mut votes, ClassKind::Promote, changes);
                }
                Addition::Replace(change) => {
                    self.apply(&mut votes, ClassKind::Replace, change);
                    held.extend(is_live_replacement(self.goal, change).then_some(*change));
                }
                Addition::Readdress => {}
                Addition::RemoveUnreachable(changes) => {
                    self.apply_all(
                        &mut votes,
                        ClassKind::RemoveUnreachable { leave: true },
                        changes,
                    );
                }
            }
            look(&votes, &held);
        }
        for request in &removal.order {
            for change in request {
                if change.kind == ChangeKind::Replace {
                    self.apply(&mut votes, ClassKind::Replace, change);
                } else {
                    self.take(&mut votes, change);
                }
            }
            look(&votes, &held);
        }
        worst
    }

    fn take(&self, votes: &mut [Vote], change: &Change) {
        votes[self.voter_set.number(change.id)].votes = false;
    }

    /// A server that changes its address does not answer for a moment. A replaced server leaves.
    fn leave(&self, votes: &mut [Vote], what: ClassKind, change: &Change) {
        let vote = &mut votes[self.voter_set.number(change.id)];
        vote.up = false;
        if what == ClassKind::Replace {
            vote.votes = false;
        }
    }

    fn apply_all(&self, votes: &mut [Vote], what: ClassKind, changes: &[&Change]) {
        for change in changes {
            self.apply(votes, what, change);
        }
    }

    fn apply(&self, votes: &mut [Vote], what: ClassKind, change: &Change) {
        let vote = &mut votes[self.voter_set.number(change.id)];
        match what {
            ClassKind::Join => {
                let votes = change.after.as_ref().is_some_and(Server::votes);
                *vote = Vote { votes: votes && !observes_first(self.goal, change), up: true };
            }
            ClassKind::Replace | ClassKind::Promote => {
                let votes = change.after.as_ref().is_some_and(Server::votes);
                *vote = Vote { votes, up: true };
            }
            ClassKind::Readdress => {}
            ClassKind::RemoveUnreachable { .. } => vote.votes = false,
        }
    }

    fn graph(&self) -> StateGraph<Addition<'a>> {
        let sizes: Vec<usize> = self.classes.iter().map(ChangeClass::steps).collect();
        let product = sizes
            .iter()
            .try_fold(1_usize, |all, size| all.checked_mul(size + 1))
            .unwrap_or(usize::MAX);
        let most_nodes = if batch_limit(self.goal) > 1 { MAX_NODES_BATCHED } else { MAX_NODES };
        let mut edges = Vec::new();
        if product <= most_nodes {
            for node in 0..product {
                let done = digits(node, &sizes);
                let votes = self.votes_at(&done);
                for choice in self.choices(&done, 0..sizes.len()) {
                    let step = |at: usize| choice[at] * stride(&sizes, at);
                    let to = node + (0..sizes.len()).map(step).sum::<usize>();
                    self.add_edges(&mut edges, [node, to], &votes, (&done, &choice));
                }
            }
            return StateGraph::new(product, edges);
        }
        let mut done = vec![0; sizes.len()];
        let mut node = 0;
        for at in 0..sizes.len() {
            while done[at] < sizes[at] {
                let votes = self.votes_at(&done);
                for choice in self.choices(&done, at..at + 1) {
                    let to = node + choice[at];
                    self.add_edges(&mut edges, [node, to], &votes, (&done, &choice));
                }
                done[at] += 1;
                node += 1;
            }
        }
        StateGraph::new(node + 1, edges)
    }

    /// How many of each class one request may take next. All must be of the same kind.
    fn choices(&self, done: &[usize], of: Range<usize>) -> Vec<Vec<usize>> {
        let mut all = Vec::new();
        let mut at = of.start;
        while at < of.end {
            let what = self.classes[at].kind;
            let like =
                self.classes[at..of.end].iter().take_while(|class| class.kind == what).count();
            let left = |class: usize| self.classes[class].steps() - done[class];
            let left: Vec<usize> = (at..at + like).map(left).collect();
            let most = match what {
                ClassKind::Join | ClassKind::Promote | ClassKind::RemoveUnreachable { .. } => {
                    batch_limit(self.goal)
                }
                ClassKind::Replace | ClassKind::Readdress => 1,
            };
            for some in choices(&left, most) {
                let mut choice = vec![0; done.len()];
                choice[at..at + like].copy_from_slice(&some);
                all.push(choice);
            }
            at += like;
        }
        all
    }

    fn votes_at(&self, done: &[usize]) -> Vec<Vote> {
        let mut votes = self.base.clone();
        for (class, done) in self.classes.iter().zip(done) {
            for change in class.servers.iter().take(*done) {
                self.apply(&mut votes, class.kind, change);
            }
        }
        votes
    }

    fn add_edges(
        &self,
        edges: &mut Vec<Edge<Addition<'a>>>,
        [from, to]: [usize; 2],
        votes: &[Vote],
        (done, choice): (&[usize], &[usize]),
    ) {
        let Some(first) = choice.iter().position(|count| *count > 0) else { return };
        let what = self.classes[first].kind;
        let of_kind = |at: usize| self.classes[at].servers.iter().skip(done[at]).take(choice[at]);
        let mut changes: Vec<&Change> = (first..choice.len()).flat_map(of_kind).copied().collect();
        changes.sort_by_key(|change| change.id);
        // A joiner that is added as an observer is promoted when all joiners have been added.
        let is_in = |change: &&Change| votes[self.voter_set.number(change.id)].up;
        let observes_first = |change: &&Change| observes_first(self.goal, change);
        if what == ClassKind::Promote && changes.iter().any(observes_first) {
            let mut joins = self.classes.iter().filter(|class| class.kind == ClassKind::Join);
            if !joins.all(|class| class.servers.iter().all(is_in)) {
                return;
            }
        }
        let mut add = |what, edge_cost| edges.push(Edge { from, to, what, cost: edge_cost });
        match (what, changes.as_slice()) {
            (ClassKind::Join, all) => {
                let edge_cost = self.joins(votes, ClassKind::Join, all);
                add(Addition::Join(changes), edge_cost);
            }
            (ClassKind::Promote, all) => {
                add(Addition::Promote(all.to_vec()), self.promotes_in_place(votes, all));
                let mut edge_cost = self.joins(votes, ClassKind::Promote, all);
                edge_cost.reconfigs += 1;
                edge_cost.windows += self.window(self.voter_set.tolerance(votes).with_zone_lost);
                add(Addition::PromoteViaFollower(changes), edge_cost);
            }
            (ClassKind::Replace, all) => {
                for change in all.iter().filter(|change| !self.is_removed_later(change, done)) {
                    add(Addition::Replace(change), self.replaces(votes, change));
                }
            }
            (ClassKind::Readdress, _) => add(Addition::Readdress, self.moves(votes)),
            (ClassKind::RemoveUnreachable { .. }, all) => {
                let edge_cost = self.removes_unreachable(votes, all);
                add(Addition::RemoveUnreachable(changes), edge_cost);
            }
        }
    }

    /// Whether an unreachable server must still leave before it returns.
    fn is_removed_later(&self, change: &Change, done: &[usize]) -> bool {
        self.classes.iter().zip(done).any(|(class, done)| {
            matches!(class.kind, ClassKind::RemoveUnreachable { .. })
                && class.servers.iter().skip(*done).any(|other| other.id == change.id)
        })
    }

    /// Non-voting followers get their votes, or become observers.
    fn joins(&self, votes: &[Vote], what: ClassKind, changes: &[&Change]) -> EdgeCost {
        let mut after = votes.to_vec();
        self.apply_all(&mut after, what, changes);
        let mut without = after.clone();
        let mut any_votes = false;
        for change in changes {
            let server = self.voter_set.number(change.id);
            any_votes |= after[server].votes;
            without[server].up &= !after[server].votes;
        }
        let is_needed = any_votes && self.voter_set.tolerated_failures(&without) < 0;
        let mut edge_cost =
            self.edge_cost(votes, [&after, &after], any_votes, usize::from(is_needed));
        edge_cost.is_legal &= is_lawful_batch(self.goal, &self.voter_set, [votes, &after]);
        edge_cost
    }

    /// An observer does not acknowledge its own promotion (`Leader.isQuorumSynced`).
    fn promotes_in_place(&self, votes: &[Vote], changes: &[&Change]) -> EdgeCost {
        let mut after = votes.to_vec();
        self.apply_all(&mut after, ClassKind::Promote, changes);
        let mut during = after.clone();
        let servers = changes.iter().map(|change| self.voter_set.number(change.id));
        servers.clone().for_each(|server| during[server].up = false);
        let mut edge_cost = self.edge_cost(votes, [&during, &after], true, 0);
        edge_cost.is_legal &= servers.into_iter().all(|server| votes[server].up);
        edge_cost.is_legal &= is_lawful_batch(self.goal, &self.voter_set, [votes, &after]);
        edge_cost
    }

    /// Unreachable voters are removed.
    fn removes_unreachable(&self, votes: &[Vote], changes: &[&Change]) -> EdgeCost {
        let mut after = votes.to_vec();
        self.apply_all(&mut after, ClassKind::RemoveUnreachable { leave: true }, changes);
        let changes_votes = changes.iter().any(|change| loses_vote(change));
        let mut edge_cost = self.edge_cost(votes, [&after, &after], changes_votes, 0);
        let least = if self.goal.facts.standalone_disabled { 1 } else { 2 };
        edge_cost.is_legal &= after.iter().filter(|vote| vote.votes).count() >= least;
        edge_cost.is_legal &= is_lawful_batch(self.goal, &self.voter_set, [votes, &after]);
        edge_cost
    }

    fn replaces(&self, votes: &[Vote], change: &Change) -> EdgeCost {
        let mut left = votes.to_vec();
        self.leave(&mut left, ClassKind::Replace, change);
        let back = self.joins(&left, ClassKind::Replace, &[change]);
        if !is_healthy(self.goal, change) {
            return back;
        }
        let voted = votes[self.voter_set.number(change.id)].votes;
        let leaving = self.edge_cost(votes, [&left, &left], voted, 0);
        EdgeCost {
            is_legal: leaving.is_legal && back.is_legal,
            risks: back.risks,
            failures: leaving.failures.min(back.failures),
            with_zone_lost: leaving.with_zone_lost.min(back.with_zone_lost),
            windows: leaving.windows + back.windows,
            reconfigs: 2,
        }
    }

    /// All addresses change in one phase. Each server is away for a moment.
    fn moves(&self, votes: &[Vote]) -> EdgeCost {
        let mut all = self.edge_cost(votes, [votes, votes], false, 0);
        all.reconfigs = 0;
        for change in readdressed(self.goal) {
            let mut away = votes.to_vec();
            self.leave(&mut away, ClassKind::Readdress, change);
            let voted = votes[self.voter_set.number(change.id)].votes;
            let spare = self.voter_set.tolerated_failures(&away);
            all.is_legal &= !voted || spare >= 0 && spare + 1 >= self.tolerance;
            all.failures = all.failures.min(spare);
            all.reconfigs += 1;
            all.windows += self.window(all.with_zone_lost);
        }
        all
    }

    fn edge_cost(
        &self,
        before: &[Vote],
        [during, after]: [&[Vote]; 2],
        changes_votes: bool,
        risks: usize,
    ) -> EdgeCost {
        let overlaps = self.goal.policy.changes_per_step == 0
            || !changes_votes
            || self.voter_set.overlaps(before, after);
        let [was, during] = [before, during].map(|votes| self.voter_set.tolerated_failures(votes));
        let after = self.voter_set.tolerance(after);
        let is_legal =
            !changes_votes || overlaps && during >= 0 && was.min(during) >= self.tolerance;
        let failures = was.min(during).min(after.failures);
        let windows = self.window(after.with_zone_lost);
        EdgeCost {
            is_legal,
            risks,
            failures,
            with_zone_lost: after.with_zone_lost,
            windows,
            reconfigs: 1,
        }
    }

    fn window(&self, with_zone_lost: i64) -> usize {
        usize::from(self.survives_zones && with_zone_lost < 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::planner::fixture::{goal, with_down};

    fn names(goal: &Goal) -> Vec<String> {
        let ids = |changes: &[&Change]| {
            changes.iter().map(|change| change.id.to_string()).collect::<Vec<_>>().join(",")
        };
        let name = |addition: &Addition<'_>| match addition {
            Addition::Join(changes) => format!("join {}", ids(changes)),
            Addition::Promote(changes) => format!("promote {}", ids(changes)),
            Addition::PromoteViaFollower(changes) => {
                format!("by way of a follower {}", ids(changes))
            }
            Addition::Replace(change) => format!("replace {}", change.id),
            Addition::Readdress => "readdress".to_owned(),
            Addition::RemoveUnreachable(changes) => format!("remove {}", ids(changes)),
        };
        plan_additions(goal).steps.iter().map(name).collect()
    }

    #[test]
    fn an_observer_is_promoted_in_place_only_if_that_costs_no_tolerance() {
        assert_eq!(names(&goal("1 2 o3", "1 2 3")), ["promote 3"]);
        // It does not acknowledge its own promotion: 3 of 4 would have to, and none could fail.
        let four = goal("1 2 3 o4", "1 2 3 4");
        assert_eq!(names(&four), ["by way of a follower 4"]);
        assert_eq!(names(&with_down(four, &[3])), ["by way of a follower 4"]);
    }

    #[test]
    fn a_limit_on_changes_decides_how_many_join_at_once() {
        let mut goal = goal("1 2 3 4", "1 2 3 4 5 6");
        assert_eq!(names(&goal), ["join 5", "join 6"]);
        goal.policy.changes_per_step = 2;
        assert_eq!(names(&goal), ["join 5,6"]);
    }
}

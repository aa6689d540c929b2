//! The best way through everything that can be brought in in more than one order.
//!
//! A node is how much of each kind is done, an edge is one more. What counts most is settled first:
//! each pass leaves only the edges that the best ways use, and the next pass chooses among those.

use super::cost::Cost;
use super::votes::Tolerance;

/// One way to take one step more.
#[derive(Debug, Clone)]
pub(super) struct Edge<T> {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) what: T,
    pub(super) edge_cost: EdgeCost,
}

/// What a step costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct EdgeCost {
    /// Whether the laws allow it, as far as the planner knows.
    pub(super) is_legal: bool,
    /// Risks to be accepted.
    pub(super) risks: usize,
    /// Voters that may fail at its worst moment.
    pub(super) failures: i64,
    /// The same with the worst zone lost, after it.
    pub(super) with_zone_lost: i64,
    /// Moments in which the loss of a zone would stop writes.
    pub(super) windows: usize,
    pub(super) reconfigs: usize,
}

impl EdgeCost {
    pub(super) fn cost(&self) -> Cost {
        let Self { is_legal, risks, failures, with_zone_lost, windows, reconfigs } = *self;
        Cost { is_legal, risks, worst: Tolerance { failures, with_zone_lost }, reconfigs, windows }
    }
}

/// All steps between nothing and everything, in an order in which every node comes before those that
/// its edges lead to.
pub(super) struct StateGraph<T> {
    nodes: usize,
    edges: Vec<Edge<T>>,
}

impl<T> StateGraph<T> {
    /// A lattice from node 0 to the last one; its edges are sorted by where they come from.
    pub(super) fn new(nodes: usize, edges: Vec<Edge<T>>) -> Self {
        Self { nodes, edges }
    }

    /// Leaves legal edges alone, unless they lead nowhere.
    pub(super) fn keep_legal(&mut self) {
        let mut reached = vec![false; self.nodes];
        reached[0] = true;
        for edge in self.edges.iter().filter(|edge| edge.edge_cost.is_legal) {
            reached[edge.to] |= reached[edge.from];
        }
        if reached[self.nodes - 1] {
            self.edges.retain(|edge| edge.edge_cost.is_legal);
        }
    }

    /// Leaves the edges whose value is no smaller than that of the worst edge of the best way, or
    /// than `enough`.
    pub(super) fn widest(&mut self, enough: i64, value: impl Fn(&EdgeCost) -> i64) {
        let mut best = vec![i64::MIN; self.nodes];
        best[0] = i64::MAX;
        for edge in &self.edges {
            best[edge.to] = best[edge.to].max(best[edge.from].min(value(&edge.edge_cost)));
        }
        let least = best[self.nodes - 1].min(enough);
        self.edges.retain(|edge| value(&edge.edge_cost) >= least);
    }

    /// Leaves the edges of the ways with the smallest sum.
    pub(super) fn shortest(&mut self, cost: impl Fn(&EdgeCost) -> usize) {
        const FAR: usize = usize::MAX / 4;
        let (mut before, mut after) = (vec![FAR; self.nodes], vec![FAR; self.nodes]);
        before[0] = 0;
        after[self.nodes - 1] = 0;
        for edge in &self.edges {
            before[edge.to] = before[edge.to].min(before[edge.from] + cost(&edge.edge_cost));
        }
        for edge in self.edges.iter().rev() {
            after[edge.from] = after[edge.from].min(after[edge.to] + cost(&edge.edge_cost));
        }
        let least = before[self.nodes - 1];
        self.edges
            .retain(|edge| before[edge.from] + cost(&edge.edge_cost) + after[edge.to] == least);
    }

    /// The first way that is left, with its prices: at each node the first edge.
    pub(super) fn way(self) -> Vec<(T, EdgeCost)> {
        let mut way = Vec::new();
        let mut at = 0;
        for edge in self.edges {
            if edge.from == at {
                at = edge.to;
                way.push((edge.what, edge.edge_cost));
            }
        }
        way
    }
}

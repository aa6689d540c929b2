//! The state graph of a search, and the best path through it.
//!
//! A node says how many changes of each class are done. An edge is one more request. The measures
//! are applied in the order of their importance: each pass keeps only the edges of the best paths,
//! and the next pass chooses among those.

use super::cost::Cost;
use super::votes::Tolerance;

/// One way to take one more step.
#[derive(Debug, Clone)]
pub(super) struct Edge<T> {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) what: T,
    pub(super) cost: EdgeCost,
}

/// The cost of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct EdgeCost {
    /// Whether the safety rules allow it, as far as the planner knows.
    pub(super) is_legal: bool,
    /// Risks that the operator must accept.
    pub(super) risks: usize,
    /// Voter failures tolerated at its worst moment.
    pub(super) failures: i64,
    /// Voter failures tolerated after it if the worst zone is lost as well.
    pub(super) with_zone_lost: i64,
    /// Moments at which the loss of a zone would stop writes.
    pub(super) windows: usize,
    pub(super) reconfigs: usize,
}

impl EdgeCost {
    pub(super) fn cost(&self) -> Cost {
        let Self { is_legal, risks, failures, with_zone_lost, windows, reconfigs } = *self;
        Cost { is_legal, risks, worst: Tolerance { failures, with_zone_lost }, reconfigs, windows }
    }
}

/// All steps between nothing and everything. The order of the nodes is topological: every edge
/// leads to a later node.
pub(super) struct StateGraph<T> {
    nodes: usize,
    edges: Vec<Edge<T>>,
}

impl<T> StateGraph<T> {
    /// A graph from node 0 to the last node. The edges must be sorted by their source.
    pub(super) fn new(nodes: usize, edges: Vec<Edge<T>>) -> Self {
        Self { nodes, edges }
    }

    /// Keeps only legal edges, if these reach the last node.
    pub(super) fn keep_legal(&mut self) {
        let mut reached = vec![false; self.nodes];
        reached[0] = true;
        for edge in self.edges.iter().filter(|edge| edge.cost.is_legal) {
            reached[edge.to] |= reached[edge.from];
        }
        if reached[self.nodes - 1] {
            self.edges.retain(|edge| edge.cost.is_legal);
        }
    }

    /// Keeps the edges whose value is at least the bottleneck of the widest path, or `enough`,
    /// whichever is smaller.
    pub(super) fn widest(&mut self, enough: i64, value: impl Fn(&EdgeCost) -> i64) {
        let mut best = vec![i64::MIN; self.nodes];
        best[0] = i64::MAX;
        for edge in &self.edges {
            best[edge.to] = best[edge.to].max(best[edge.from].min(value(&edge.cost)));
        }
        let least = best[self.nodes - 1].min(enough);
        self.edges.retain(|edge| value(&edge.cost) >= least);
    }

    /// Keeps the edges of the paths with the smallest sum.
    pub(super) fn shortest(&mut self, cost: impl Fn(&EdgeCost) -> usize) {
        const FAR: usize = usize::MAX / 4;
        let (mut before, mut after) = (vec![FAR; self.nodes], vec![FAR; self.nodes]);
        before[0] = 0;
        after[self.nodes - 1] = 0;
        for edge in &self.edges {
            before[edge.to] = before[edge.to].min(before[edge.from] + cost(&edge.cost));
        }
        for edge in self.edges.iter().rev() {
            after[edge.from] = after[edge.from].min(after[edge.to] + cost(&edge.cost));
        }
        let least = before[self.nodes - 1];
        self.edges.retain(|edge| before[edge.from] + cost(&edge.cost) + after[edge.to] == least);
    }

    /// The first path that is left, with its costs: the first edge at each node.
    pub(super) fn path(self) -> Vec<(T, EdgeCost)> {
        let mut path = Vec::new();
        let mut at = 0;
        for edge in self.edges {
            if edge.from == at {
                at = edge.to;
                path.push((edge.what, edge.cost));
            }
        }
        path
    }
}

//! The state graph of a search, and the best path through it.
//!
//! A node says how many changes of each class are done. An edge is one more request. The measures
//! are applied in the order of their importance: each pass keeps only the edges of the best paths,
//! and the next pass chooses among those.

use super::cost::Cost;
use super::tally::Tolerance;

/// The limit on nodes of the search. With more, observers are promoted after all additions, one
/// zone after the other.
pub(super) const MAX_NODES: usize = 20_000;

/// The limit if one request may make several changes, so that each node has more edges.
pub(super) const MAX_NODES_BATCHED: usize = 1000;

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

/// How many of each class are done at a node.
pub(super) fn digits(mut node: usize, sizes: &[usize]) -> Vec<usize> {
    let mut digits = vec![0; sizes.len()];
    for (digit, size) in digits.iter_mut().zip(sizes).rev() {
        *digit = node % (size + 1);
        node /= size + 1;
    }
    digits
}

pub(super) fn stride(sizes: &[usize], at: usize) -> usize {
    sizes[at + 1..].iter().map(|size| size + 1).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A graph with four nodes and two paths, by way of node 1 and of node 2.
    fn diamond(costs: [(bool, i64, usize); 4]) -> StateGraph<usize> {
        let ends = [(0, 1), (0, 2), (1, 3), (2, 3)];
        let edge = |(number, ((from, to), (is_legal, failures, reconfigs)))| Edge {
            from,
            to,
            what: number,
            cost: EdgeCost {
                is_legal,
                risks: 0,
                failures,
                with_zone_lost: 0,
                windows: 0,
                reconfigs,
            },
        };
        StateGraph::new(4, ends.into_iter().zip(costs).enumerate().map(edge).collect())
    }

    fn path(graph: StateGraph<usize>) -> Vec<usize> {
        graph.path().into_iter().map(|(edge, _)| edge).collect()
    }

    #[test]
    fn the_worst_moment_decides_before_the_sum() {
        let mut graph = diamond([(true, 2, 1), (true, 1, 1), (true, 0, 1), (true, 1, 3)]);
        graph.widest(i64::MAX, |cost| cost.failures);
        graph.shortest(|cost| cost.reconfigs);
        assert_eq!(path(graph), [1, 3]);
        // A tolerance that is enough is not bought with reconfigs.
        let mut graph = diamond([(true, 2, 1), (true, 1, 1), (true, 0, 1), (true, 1, 3)]);
        graph.widest(0, |cost| cost.failures);
        graph.shortest(|cost| cost.reconfigs);
        assert_eq!(path(graph), [0, 2]);
    }

    #[test]
    fn an_illegal_edge_is_left_only_where_no_legal_path_reaches_the_end() {
        let costs = [(true, 0, 1), (true, 0, 1), (false, 0, 1), (true, 0, 1)];
        let mut graph = diamond(costs);
        graph.keep_legal();
        graph.shortest(|cost| cost.reconfigs);
        assert_eq!(path(graph), [1, 3]);
        let mut graph = diamond([costs[0], costs[1], costs[2], (false, 0, 1)]);
        graph.keep_legal();
        assert_eq!(path(graph).len(), 2);
    }

    #[test]
    fn the_number_of_a_node_says_how_many_of_each_class_are_done() {
        let sizes = [2, 1, 3];
        for node in 0..3 * 2 * 4 {
            let sum: usize =
                digits(node, &sizes).iter().enumerate().map(|(at, n)| n * stride(&sizes, at)).sum();
            assert_eq!(sum, node);
        }
        assert_eq!(digits(3 * 2 * 4 - 1, &sizes), sizes);
    }
}

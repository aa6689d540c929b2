//! The plan as a directed graph without circles: which steps must be done before which, and why.

use petgraph::graph::{DiGraph, NodeIndex};

use super::reason::StepReason;
use super::{Action, Phase, Plan, Step};
use crate::model::ServerId;

/// The steps of a plan in their order if the leader does not change. An edge leads to a step that
/// waits for the other.
pub type PlanGraph<'a> = DiGraph<PlanNode<'a>, EdgeReason>;

/// One step of a plan.
#[derive(Debug, Clone, Copy)]
pub struct PlanNode<'a> {
    /// Its phase.
    pub phase: &'a Phase,
    /// The step.
    pub step: &'a Step,
    /// Why it stands where it stands.
    pub reason: StepReason,
}

/// Why one step waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EdgeReason {
    /// Each reconfig starts from the config version that the one before made.
    ConfigVersion,
    /// The reason of one of the two steps.
    Step(StepReason),
}

impl Plan {
    /// The graph of its steps. Waits for joiners and stops have no order among each other.
    /// Reconfigs, the gate and proofs are a chain.
    pub fn graph(&self) -> PlanGraph<'_> {
        let mut graph = PlanGraph::new();
        // The last step of the chain.
        let mut last: Option<NodeIndex> = None;
        for (phase, step) in self.schedule() {
            let reason = StepReason::of(self, phase, step);
            let before = latest(&graph, |other| other.shares_server(step));
            let node = graph.add_node(PlanNode { phase, step, reason });
            match &step.action {
                Action::Reconfig { parts, .. } => {
                    let waits = parts.iter().filter_map(|part| awaited(&graph, node, part.server));
                    for wait in waits.collect::<Vec<_>>() {
                        graph.add_edge(wait, node, EdgeReason::Step(StepReason::DataFirst));
                    }
                    if let Some(last) = last {
                        let why = chained(graph[last].step, reason);
                        graph.add_edge(last, node, why);
                    }
                    last = Some(node);
                }
                Action::Gate(_) | Action::Prove(_) | Action::Restart(_) => {
                    if let Some(last) = last {
                        graph.add_edge(last, node, EdgeReason::Step(reason));
                    }
                    last = Some(node);
                }
                Action::Stop(_) | Action::AskToStop(_) => {
                    if let Some(last) = last {
                        graph.add_edge(last, node, EdgeReason::Step(reason));
                    }
                }
                Action::AwaitJoiner(_) | Action::Start(_) | Action::AttestBlank(_) => {
                    if let Some(before) = before {
                        let why = prepared(graph[before].step, reason);
                        graph.add_edge(before, node, EdgeReason::Step(why));
                    }
                }
            }
        }
        graph
    }
}

/// The latest step so far that meets a condition.
fn latest(graph: &PlanGraph<'_>, test: impl Fn(&Step) -> bool) -> Option<NodeIndex> {
    graph.node_indices().rev().find(|at| test(graph[*at].step))
}

/// The wait for a server, unless a later step before this one concerns the server.
fn awaited(graph: &PlanGraph<'_>, before: NodeIndex, server: ServerId) -> Option<NodeIndex> {
    let mut earlier = graph.node_indices().rev().filter(|at| *at != before);
    let at = earlier.find(|at| graph[*at].step.concerns(server))?;
    matches!(graph[at].step.action, Action::AwaitJoiner(_)).then_some(at)
}

/// Why a step that prepares a join waits for an earlier step of its server.
const fn prepared(earlier: &Step, reason: StepReason) -> StepReason {
    match earlier.action {
        Action::Start(_) => StepReason::StartFirst,
        Action::AttestBlank(_) => StepReason::BlankFirst,
        Action::AwaitJoiner(_)
        | Action::Reconfig { .. }
        | Action::Gate(_)
        | Action::Stop(_)
        | Action::AskToStop(_)
        | Action::Restart(_)
        | Action::Prove(_) => reason,
    }
}

/// Why a reconfig waits for the step before it in the chain: its own reason if that is about the
/// order of reconfigs.
const fn chained(before: &Step, reason: StepReason) -> EdgeReason {
    match before.action {
        Action::Gate(_) => EdgeReason::Step(StepReason::ClientsFirst),
        _ if reason.orders_reconfigs() => EdgeReason::Step(reason),
        _ => EdgeReason::ConfigVersion,
    }
}

impl StepReason {
    /// Whether it is about the order of reconfigs.
    const fn orders_reconfigs(self) -> bool {
        match self {
            Self::Ascending
            | Self::LeaderLast
            | Self::LeaveAfterJoins
            | Self::DemoteAfterJoins
            | Self::PromoteBeforeLeaving
            | Self::IdBackIn
            | Self::ZoneOrder
            | Self::WeightOrder => true,
            Self::StartFirst
            | Self::DataFirst
            | Self::UnreachableFirst
            | Self::UnreachableBetween
            | Self::UnreachableBeforeReplacement
            | Self::WithoutVoteFirst
            | Self::ObserversIn
            | Self::UnlistBeforePromotion
            | Self::BackAsFollower
            | Self::IdOutFirst
            | Self::BlankFirst
            | Self::ClientPartsFirst
            | Self::MoveOneByOne
            | Self::DownFirst
            | Self::RestartOneByOne
            | Self::RestartLeaderLast
            | Self::ClientsFirst
            | Self::ObserversOut
            | Self::LeaveOneByOne
            | Self::LeaveTogether
            | Self::ProveFirst
            | Self::StopLast
            | Self::StayDown
            | Self::OneProcess => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::plan::best;
    use crate::plan::planner::fixture::{goal, with_down, with_zones};

    /// Every edge as `from -> to`, with its reason.
    fn edges(plan: &Plan) -> Vec<(String, EdgeReason)> {
        let graph = plan.graph();
        let name = |at: NodeIndex| graph[at].step.id.as_str();
        let edge = |at| {
            let (from, to) = graph.edge_endpoints(at).expect("an edge");
            (format!("{} -> {}", name(from), name(to)), graph[at])
        };
        graph.edge_indices().map(edge).collect()
    }

    /// The reason of each step.
    fn reasons(plan: &Plan) -> Vec<(String, StepReason)> {
        let reason = |node: &PlanNode<'_>| (node.step.id.to_string(), node.reason);
        plan.graph().node_weights().map(reason).collect()
    }

    fn reason(plan: &Plan, step: &str) -> StepReason {
        let all = reasons(plan);
        let known = all.iter().find(|(id, _)| id == step);
        known.unwrap_or_else(|| panic!("{step} in {all:?}")).1
    }

    #[test]
    fn every_order_of_the_schedule_is_an_order_of_the_graph() {
        for (now, wanted) in [
            ("1 2 3", "2 3 4 5"),
            ("1 2 3 o4 o5", "2 3 4 o6 7"),
            ("1 2 3 4 5 6 7", "1 4 6"),
            ("1 2 3 o4", "o1 2 3 4"),
        ] {
            let plan = best(&goal(now, wanted));
            let graph = plan.graph();
            let steps: BTreeSet<&str> =
                graph.node_weights().map(|node| node.step.id.as_str()).collect();
            assert_eq!(steps, plan.steps().map(|step| step.id.as_str()).collect());
            assert!(!petgraph::algo::is_cyclic_directed(&graph));
            let ends = graph.edge_indices().map(|at| graph.edge_endpoints(at).expect("an edge"));
            assert!(ends.into_iter().all(|(from, to)| from < to));
            let is_alone = |node| graph.neighbors_undirected(node).next().is_none();
            assert!(!graph.node_indices().any(is_alone));
            // Reconfigs are one chain: no two of them may be sent at once.
            let sent: Vec<NodeIndex> =
                graph.node_indices().filter(|at| graph[*at].step.reconfig().is_some()).collect();
            let follows = |pair: &[NodeIndex]| {
                petgraph::algo::has_path_connecting(&graph, pair[0], pair[1], None)
            };
            assert!(sent.windows(2).all(follows), "{now} to {wanted}");
        }
    }

    #[test]
    fn the_edge_to_a_join_after_a_proof_has_the_reason_of_the_join() {
        let mut goal = goal("1 2 3", "1 2 3");
        let moved = goal.facts.base.membership.get(ServerId::new(2)).expect("server 2").clone();
        let text = moved.to_string().replace("10.0.0.2", "10.0.9.2");
        let after = crate::model::Server::parse_line(&text).expect("a line");
        goal.facts.other_machine.insert(moved.id);
        goal.diff.target.put(after.clone());
        goal.diff.changes = vec![crate::diff::Change {
            id: moved.id,
            kind: crate::diff::ChangeKind::Replace,
            before: Some(moved),
            after: Some(after),
        }];
        let plan = best(&goal);
        let edge = edges(&plan).into_iter().find(|(edge, _)| edge == "prove-2 -> join-2");
        assert_eq!(edge.map(|(_, why)| why), Some(EdgeReason::Step(StepReason::IdBackIn)));
        assert!(
            !edges(&plan).iter().any(|(_, why)| *why == EdgeReason::Step(StepReason::ClientsFirst))
        );
    }

    #[test]
    fn a_reason_is_that_of_the_planner() {
        let plan = best(&goal("1 2 3", "2 3 4"));
        assert_eq!(
            reasons(&plan).iter().map(|(_, reason)| *reason).collect::<Vec<_>>(),
            [
                StepReason::DataFirst,
                StepReason::Ascending,
                StepReason::LeaderLast,
                StepReason::ProveFirst,
                StepReason::StopLast,
            ]
        );
        // Unreachable voters leave first, or as soon as one request can change more servers.
        let down = with_down(goal("1 2 3 4 5", "1 2 3 4 6"), &[5]);
        assert_eq!(reason(&best(&down), "leave-5"), StepReason::UnreachableFirst);
        // Zones or a limit on changes decide.
        let seven = goal("1 2 3 4 5 6 7", "1 4 6");
        assert_eq!(reason(&best(&seven), "leave-3"), StepReason::LeaveOneByOne);
        let zones: [(&str, &[i64]); 3] = [("a", &[1, 4]), ("b", &[2, 6]), ("c", &[3, 5, 7])];
        assert_eq!(reason(&best(&with_zones(seven, &zones)), "leave-3"), StepReason::ZoneOrder);
        let mut pairs = goal("1 2 3 4 5 6", "1 2 3 4");
        pairs.policy.changes_per_step = 2;
        assert_eq!(reason(&best(&pairs), "leave-5,6"), StepReason::LeaveTogether);
    }
}

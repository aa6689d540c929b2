//! The plan as a graph: what has to be done before what, and why.

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::text::{Text, escape};
use super::why::{self, Why};
use crate::check::CheckedPlan;
use crate::model::ServerId;
use crate::plan::{Action, Step};

/// Why one step waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Because {
    /// Reconfigs are a chain: each starts from the version that the one before made.
    Version,
    /// For the reason that the later step has to stand where it stands.
    Reason(Why),
}

impl Because {
    /// The reason as a phrase.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Version => "each reconfig starts from the config version of the one before",
            Self::Reason(why) => why.phrase(),
        }
    }
}

/// The steps of a plan, each with edges to those that wait for it.
///
/// Waits and stops stand side by side; reconfigs are a chain in the order in which they go under
/// the present leader.
pub fn graph(checked: &CheckedPlan) -> DiGraph<&Step, Because> {
    let mut graph = DiGraph::new();
    let mut added: Vec<(NodeIndex, &Step)> = Vec::new();
    // The last step that everything later has to wait for: a reconfig, a gate or a proof.
    let mut last: Option<NodeIndex> = None;
    for (phase, step) in checked.plan().schedule() {
        let node = graph.add_node(step);
        let why = Because::Reason(Why::of(checked, phase, step));
        let mine = added.iter().rev().find(|(_, other)| other.shares_server(step));
        match &step.action {
            Action::Reconfig { parts, .. } => {
                for seen in parts.iter().filter_map(|part| awaited(&added, part.server)) {
                    graph.add_edge(seen, node, Because::Reason(Why::SeenFirst));
                }
                if let Some(last) = last {
                    graph.add_edge(last, node, chained(&graph, last, why));
                }
                last = Some(node);
            }
            Action::Gate(_) | Action::Prove(_) => {
                if let Some(last) = last {
                    graph.add_edge(last, node, why);
                }
                last = Some(node);
            }
            Action::Stop(_) | Action::AskToStop(_) => {
                if let Some(last) = last {
                    graph.add_edge(last, node, why);
                }
            }
            Action::AwaitJoiner(_) | Action::Start(_) | Action::AttestBlank(_) => {
                if let Some((before, earlier)) = mine {
                    graph.add_edge(*before, node, prepared(earlier, why));
                }
            }
        }
        added.push((node, step));
    }
    graph
}

/// Why a step that prepares a join waits for an earlier step of the same server.
const fn prepared(earlier: &Step, why: Because) -> Because {
    match earlier.action {
        Action::Start(_) => Because::Reason(Why::StartFirst),
        Action::AttestBlank(_) => Because::Reason(Why::BlankFirst),
        _ => why,
    }
}

/// The wait for a server that no reconfig of it has followed yet.
fn awaited(added: &[(NodeIndex, &Step)], server: ServerId) -> Option<NodeIndex> {
    let (node, step) = added.iter().rev().find(|(_, step)| step.concerns(server))?;
    matches!(step.action, Action::AwaitJoiner(_)).then_some(*node)
}

fn chained(graph: &DiGraph<&Step, Because>, last: NodeIndex, why: Because) -> Because {
    let after_gate = graph.node_weight(last).is_some_and(|step| step.reconfig().is_none());
    if after_gate { Because::Reason(Why::ClientsFirst) } else { chain_reason(why) }
}

/// A reason that says why the order is this one; else that requests are a chain.
const fn chain_reason(why: Because) -> Because {
    match why {
        Because::Reason(
            Why::Ascending
            | Why::LeaderLast
            | Why::LeaveAfterJoins
            | Why::DemoteAfterJoins
            | Why::PromoteBeforeLeaving
            | Why::IdBackIn
            | Why::ZoneOrder
            | Why::WeightOrder,
        ) => why,
        _ => Because::Version,
    }
}

/// The graph in the DOT language of Graphviz.
pub fn dot(checked: &CheckedPlan) -> Text {
    let graph = graph(checked);
    let mut text = Text::new();
    text.line(format!("digraph {} {{", quoted(&checked.plan().ensemble)));
    text.line("  rankdir=LR;");
    text.line("  node [shape=box, fontname=\"monospace\"];");
    for node in graph.node_indices() {
        let step = graph[node];
        let what = why::what(checked.plan(), step, true);
        let label = match step.action {
            // Their names say no more than their words.
            Action::Gate(_) | Action::Prove(_) => quoted(&what),
            _ => quoted(&format!("{}: {what}", step.id)),
        };
        let shape = shape(step);
        text.line(format!("  n{} [label={label}{shape}];", node.index()));
    }
    for edge in graph.edge_references() {
        let (from, to) = (edge.source().index(), edge.target().index());
        text.line(format!("  n{from} -> n{to} [label={}];", quoted(edge.weight().phrase())));
    }
    text.line("}");
    text
}

fn shape(step: &Step) -> &'static str {
    match step.action {
        Action::Reconfig { .. } => ", style=bold",
        Action::Gate(_) => ", shape=diamond",
        Action::AwaitJoiner(_) => ", style=dashed",
        Action::Prove(_) => ", shape=ellipse",
        Action::Start(_) | Action::Stop(_) | Action::AskToStop(_) | Action::AttestBlank(_) => "",
    }
}

/// A quoted DOT string: printable ASCII first, then the two characters that mean something in it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escape(text).replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Cutover;
    use crate::render::fixture::{Scene, line, lines};

    #[test]
    fn waits_stand_beside_a_chain_of_reconfigs() {
        let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[2, 3, 4, 5]));
        scene.spec.policy.cutover = Cutover::Manual;
        scene.spec.ensemble = "a\"b\\\u{1b}".to_owned();
        insta::assert_snapshot!(dot(&scene.plan()).to_string_with(false), @r#"
        digraph "a\"b\\\\u{1b}" {
          rankdir=LR;
          node [shape=box, fontname="monospace"];
          n0 [label="await-4: wait until server 4 follows", style=dashed];
          n1 [label="await-5: wait until server 5 follows", style=dashed];
          n2 [label="join-4: reconfig: add server 4 as participant", style=bold];
          n3 [label="join-5: reconfig: add server 5 as participant", style=bold];
          n4 [label="gate: wait for approval", shape=diamond];
          n5 [label="leave-1: reconfig: remove server 1", style=bold];
          n6 [label="check: a write commits", shape=ellipse];
          n7 [label="stop-1: stop server 1 by hand"];
          n0 -> n2 [label="a new server is added only after it has copied the data"];
          n1 -> n3 [label="a new server is added only after it has copied the data"];
          n2 -> n3 [label="servers join in order of ids; new voters vote before old ones leave"];
          n3 -> n4 [label="clients move before servers leave"];
          n4 -> n5 [label="clients move before servers leave"];
          n5 -> n6 [label="a write must commit in the last configuration before a server is stopped"];
          n6 -> n7 [label="a removed server keeps running without a vote until it is stopped"];
        }
        "#);
    }

    #[test]
    fn every_order_of_the_schedule_is_an_order_of_the_graph() {
        let observer = |number| line(number).replace("participant", "observer");
        let live = [line(1), line(2), line(3), observer(4), observer(5)];
        let wanted = [line(2), line(3), line(4), observer(6), line(7)];
        let checked = Scene::new(&live, &wanted).plan();
        let graph = graph(&checked);
        assert_eq!(graph.node_count(), checked.plan().steps().count());
        assert!(!petgraph::algo::is_cyclic_directed(&graph));
        assert!(graph.edge_references().all(|edge| edge.source() < edge.target()));
        let alone = |node| graph.neighbors_undirected(node).next().is_none();
        assert!(!graph.node_indices().any(alone));
    }
}

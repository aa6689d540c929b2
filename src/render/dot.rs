//! The graph of a plan in the DOT language: what has to be done before what, and why.

use petgraph::visit::EdgeRef;

use super::text::{Text, escape};
use super::why;
use crate::check::CheckedPlan;
use crate::plan::{Action, Step};

/// The graph in the DOT language of Graphviz.
pub fn dot(checked: &CheckedPlan) -> Text {
    let graph = checked.plan().graph();
    let mut text = Text::new();
    text.line(format!("digraph {} {{", quoted(&checked.plan().ensemble)));
    text.line("  rankdir=LR;");
    text.line("  node [shape=box, fontname=\"monospace\"];");
    for node in graph.node_indices() {
        let step = graph[node].step;
        let label = quoted(&why::label(checked.plan(), step));
        let shape = shape(step);
        text.line(format!("  n{} [label={label}{shape}];", node.index()));
    }
    for edge in graph.edge_references() {
        let (from, to) = (edge.source().index(), edge.target().index());
        text.line(format!(
            "  n{from} -> n{to} [label={}];",
            quoted(why::edge_phrase(*edge.weight()))
        ));
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
        Action::Start(_)
        | Action::Stop(_)
        | Action::AskToStop(_)
        | Action::AttestBlank(_)
        | Action::Restart(_) => "",
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
    use crate::render::fixture::{Scene, lines};

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
          n0 -> n2 [label="wait until the new servers have copied the data"];
          n1 -> n3 [label="wait until the new servers have copied the data"];
          n2 -> n3 [label="new voters are added before old ones are removed (in order of ids)"];
          n3 -> n4 [label="you move the clients before servers are removed"];
          n4 -> n5 [label="you move the clients before servers are removed"];
          n5 -> n6 [label="a write must commit in the new configuration before a server is stopped"];
          n6 -> n7 [label="removed servers run without a vote until they are stopped"];
        }
        "#);
    }
}

//! The graph of a plan in the language of Mermaid, which forges draw in comments: what has to be done
//! before what, and why.

use petgraph::visit::EdgeRef;

use super::text::{Text, escape};
use super::why;
use crate::check::CheckedPlan;
use crate::plan::Action;

/// The graph as a Mermaid flowchart.
pub fn mermaid(checked: &CheckedPlan) -> Text {
    let graph = checked.plan().graph();
    let mut text = Text::new();
    text.line("flowchart LR");
    for node in graph.node_indices() {
        let step = graph[node].step;
        let what = quoted(&why::label(checked.plan(), step));
        let [open, close] = shape(&step.action);
        text.line(format!("  n{}{open}{what}{close}", node.index()));
    }
    for edge in graph.edge_references() {
        let (from, to) = (edge.source().index(), edge.target().index());
        let why = quoted(why::edge_phrase(*edge.weight()));
        text.line(format!("  n{from} -->|{why}| n{to}"));
    }
    text
}

/// What stands around a label: reconfigs are double boxes, gates diamonds, waits rounded, proofs
/// stadiums.
const fn shape(action: &Action) -> [&'static str; 2] {
    match action {
        Action::Reconfig { .. } => ["[[", "]]"],
        Action::Gate(_) => ["{", "}"],
        Action::AwaitJoiner(_) => ["(", ")"],
        Action::Prove(_) => ["([", "])"],
        Action::Start(_)
        | Action::Stop(_)
        | Action::AskToStop(_)
        | Action::AttestBlank(_)
        | Action::Restart(_) => ["[", "]"],
    }
}

/// A quoted label: printable ASCII first, then every character that may mean something in Mermaid or
/// in HTML as its number.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in escape(text).chars() {
        if c.is_ascii_alphanumeric() || " .,:-_/()".contains(c) {
            out.push(c);
        } else {
            out.extend(["#", &u32::from(c).to_string(), ";"]);
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Cutover;
    use crate::render::fixture::{Scene, lines};

    #[test]
    fn it_has_the_steps_and_the_reasons_of_the_plan() {
        let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[2, 3, 4, 5]));
        scene.spec.policy.cutover = Cutover::Manual;
        insta::assert_snapshot!(mermaid(&scene.plan()).to_string_with(false), @r#"
        flowchart LR
          n0("await-4: wait until server 4 follows")
          n1("await-5: wait until server 5 follows")
          n2[["join-4: reconfig: add server 4 as participant"]]
          n3[["join-5: reconfig: add server 5 as participant"]]
          n4{"gate: wait for approval"}
          n5[["leave-1: reconfig: remove server 1"]]
          n6(["check: a write commits"])
          n7["stop-1: stop server 1 by hand"]
          n0 -->|"wait until the new servers have copied the data"| n2
          n1 -->|"wait until the new servers have copied the data"| n3
          n2 -->|"new voters are added before old ones are removed (in order of ids)"| n3
          n3 -->|"you move the clients before servers are removed"| n4
          n4 -->|"you move the clients before servers are removed"| n5
          n5 -->|"a write must commit in the new configuration before a server is stopped"| n6
          n6 -->|"removed servers run without a vote until they are stopped"| n7
        "#);
    }

    #[test]
    fn no_label_ends_before_its_end() {
        let hostile = "a\"]; click n0 href \"x\"\n`<b>`#35;\u{202e}";
        let quoted = quoted(hostile);
        let inside = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let inside = inside.expect("quotes around it");
        assert!(
            inside.starts_with("a#34;#93;#59; click n0 href #34;x#34;#92;u#123;a#125;"),
            "{inside}"
        );
        assert!(!inside.contains(['"', '`', '<', '>', '[', ']', '\n', '\u{202e}']), "{inside}");
    }
}

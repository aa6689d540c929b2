//! Why the steps of a plan stand where they stand, for who approves them.

use petgraph::Direction;
use petgraph::visit::EdgeRef as _;

use super::steps::{leader_in, reasoned};
use super::text::{Line, Style, Text};
use super::{phrases, why};
use crate::check::CheckedPlan;
use crate::model::ServerId;
use crate::plan::{Action, Done, PlanNode, StepId};

/// A step, by its number in the table of steps without those that are done, or what numbers there
/// are.
pub fn explained(checked: &CheckedPlan, done: &Done, number: usize, width: usize) -> Text {
    let steps = numbered(checked, done);
    let mut text = Text::new();
    if let Some(node) = number.checked_sub(1).and_then(|at| steps.get(at)) {
        text.append(one(checked, number, node, width));
    } else {
        let last = steps.len();
        text.paragraph("", format!("There is no step {number}: give 1 to {last}."), width);
    }
    text.gap();
    text
}

/// Every step that is left.
pub fn all_explained(checked: &CheckedPlan, done: &Done, width: usize) -> Text {
    let mut text = Text::new();
    for (at, node) in numbered(checked, done).iter().enumerate() {
        text.append(one(checked, at + 1, node, width));
    }
    text.gap();
    text
}

/// The steps that are left, in the order of the table.
fn numbered<'a>(checked: &'a CheckedPlan, done: &Done) -> Vec<PlanNode<'a>> {
    let mut steps = reasoned(checked);
    steps.retain(|node| !done.contains(&node.step.id));
    steps
}

fn one(checked: &CheckedPlan, number: usize, node: &PlanNode<'_>, width: usize) -> Text {
    let (plan, step) = (checked.plan(), node.step);
    let mut text = Text::new();
    let what = format!("{number} {}: {}", step.id, why::what(plan, step, true));
    text.paragraph("", Line::new(Style::Bold, what), width);
    let mut say = |what: &str, is: String| text.paragraph(format!("     {what}: "), is, width);
    say("why here", why::phrase_in(plan, node.reason).to_owned());
    for (before, reason) in waits_for(checked, &step.id) {
        say("comes after", format!("{before}: {reason}"));
    }
    if let Action::Reconfig { request, .. } = &step.action {
        for line in &request.joining {
            say("sends", line.to_string());
        }
        if !request.leaving.is_empty() {
            let ids: Vec<ServerId> = request.leaving.clone();
            say("takes out", phrases::servers(&ids));
        }
    }
    let row = checked.report().rows.iter().find(|row| row.step == step.id);
    if let Some(row) = row.filter(|_| step.takes_a_turn()) {
        let voters = row.figures.votes.voters.len();
        let failures = phrases::count(row.spare, "failure");
        let leader = leader_in(checked, step, row.hands_over);
        say(
            "safety",
            format!(
                "tolerates {failures} while it is under way; then {}, quorum {}; the leader {leader}",
                phrases::count_of(voters, "voter"),
                row.figures.votes.need
            ),
        );
    }
    text
}

/// The steps that come before a step, each with the reason.
fn waits_for(checked: &CheckedPlan, step: &StepId) -> Vec<(StepId, &'static str)> {
    let graph = checked.plan().graph();
    let Some(at) = graph.node_indices().find(|at| graph[*at].step.id == *step) else {
        return Vec::new();
    };
    let edges = graph.edges_directed(at, Direction::Incoming);
    let mut waits: Vec<(StepId, &'static str)> = edges
        .map(|edge| (graph[edge.source()].step.id.clone(), why::edge_phrase(*edge.weight())))
        .collect();
    waits.sort();
    waits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture::{Scene, lines};

    #[test]
    fn a_step_says_why_it_stands_there_what_it_sends_and_what_it_leaves_safe() {
        let checked = Scene::new(&lines(&[1, 2, 3]), &lines(&[2, 3, 4])).plan();
        let shown = |number| explained(&checked, &Done::new(), number, 80).to_string_with(false);
        insta::assert_snapshot!(shown(2), @"
        2 join-4: reconfig: add server 4 as participant
             why here: new voters are added before old ones are removed (in order of
                       ids)
             comes after: await-4: wait until the new servers have copied the data
             sends: server.4=10.0.0.4:2888:3888:participant;0.0.0.0:2181
             safety: tolerates 1 failure while it is under way; then 4 voters, quorum 3;
                     the leader stays
        ");
        assert_eq!(shown(99).trim_end(), "There is no step 99: give 1 to 5.");
        let all = all_explained(&checked, &Done::new(), 80).to_string_with(false);
        for step in checked.plan().steps() {
            assert!(all.contains(&format!(" {}: ", step.id)), "{}: {all}", step.id);
        }
    }
}

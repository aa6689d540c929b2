//! The picture of the graph: what must be done before what. Reconfigs, gates and proofs are a chain in the
//! middle; what prepares a server stands on its left, what follows on its right.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef as _;

use super::markup::{Element, Markup, element};
use super::svg::{hint, label, path, picture, rect, wrapped};
use crate::plan::{Action, EdgeReason, Plan, PlanGraph, Step, StepId};
use crate::render::{words_for_edge, words_for_step};

/// The size of a box.
const BOX: [usize; 2] = [176, 58];

/// The distance of boxes in a row, and that of rows.
const PITCH: [usize; 2] = [176 + 46, 58 + 20];

/// Characters that a line of a box has room for.
const LINE: usize = 25;

/// Room around the picture.
const MARGIN: usize = 6;

/// A column of boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Before,
    Chain,
    Behind,
}

const fn lane(step: &Step) -> Lane {
    match step.action {
        Action::AwaitJoiner(_) | Action::Start(_) | Action::AttestBlank(_) => Lane::Before,
        Action::Reconfig { .. } | Action::Gate(_) | Action::Prove(_) | Action::Restart(_) => {
            Lane::Chain
        }
        Action::Stop(_) | Action::AskToStop(_) => Lane::Behind,
    }
}

/// Where a box stands, counted in boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    lane: usize,
    row: usize,
}

impl Place {
    const fn corner(self) -> [usize; 2] {
        [MARGIN + self.lane * PITCH[0], MARGIN + self.row * PITCH[1]]
    }
}

/// The graph, and the reasons of its edges: each edge has the letter of one.
pub(super) struct GraphPicture {
    pub(super) picture: Element,
    pub(super) reasons: Vec<(String, &'static str)>,
}

/// The graph of a plan that has steps; these are done.
pub(super) fn graph_picture(plan: &Plan, done: impl Fn(&StepId) -> bool, id: &str) -> GraphPicture {
    let graph = plan.graph();
    let places = placed(&graph);
    let reasons = reasons(&graph);
    let lanes = places.values().map(|place| place.lane).max().unwrap_or(0) + 1;
    let rows = places.values().map(|place| place.row).max().unwrap_or(0) + 1;
    let mut all = Markup::default();
    for edge in graph.edge_references() {
        let ends = [edge.source(), edge.target()].map(|node| places[&node]);
        let why = words_for_edge(*edge.weight());
        let at = reasons.iter().position(|reason| *reason == why).expect("each edge has a reason");
        all.push(arrow(ends, &letter(at), why));
    }
    for node in graph.node_indices() {
        let step = graph[node].step;
        all.push(shown(plan, step, places[&node], done(&step.id)));
    }
    let said: Vec<String> = graph.node_indices().map(|node| sentence(&graph, node)).collect();
    let width = 2 * MARGIN + lanes * PITCH[0] - (PITCH[0] - BOX[0]);
    let height = 2 * MARGIN + rows * PITCH[1] - (PITCH[1] - BOX[1]);
    let title = "What must be done before what";
    let picture = picture(id, [width, height], [title, &said.join(" ")], all);
    let reasons = reasons.iter().enumerate().map(|(at, why)| (letter(at), *why)).collect();
    GraphPicture { picture, reasons }
}

/// The reasons of all edges, each once, in the order of the plan.
fn reasons(graph: &PlanGraph<'_>) -> Vec<&'static str> {
    let mut reasons: Vec<&'static str> = Vec::new();
    let mut add = |reason: EdgeReason| {
        let why = words_for_edge(reason);
        if !reasons.contains(&why) {
            reasons.push(why);
        }
    };
    for edge in graph.edge_references() {
        add(*edge.weight());
    }
    reasons
}

/// `a`, `b` and so on; behind `z` comes `a2`.
fn letter(at: usize) -> String {
    let letter = char::from(b"abcdefghijklmnopqrstuvwxyz"[at % 26]);
    if at < 26 { letter.to_string() } else { format!("{letter}{}", at / 26 + 1) }
}

/// The place of each step: the chain from above, a preparation beside the step that waits for it, what
/// follows beside the step that it waits for.
fn placed(graph: &PlanGraph<'_>) -> BTreeMap<NodeIndex, Place> {
    let mut placing = Placing::default();
    let chain = graph.node_indices().filter(|node| lane(graph[*node].step) == Lane::Chain);
    for node in chain.chain(graph.node_indices()) {
        placing.place(graph, node);
    }
    let lanes: BTreeSet<Lane> = placing.rows.values().map(|(lane, _)| *lane).collect();
    let column = |lane: Lane| lanes.iter().take_while(|other| **other < lane).count();
    let place = |(lane, row): (Lane, usize)| Place { lane: column(lane), row };
    placing.rows.into_iter().map(|(node, at)| (node, place(at))).collect()
}

/// The steps that have a place.
#[derive(Default)]
struct Placing {
    /// The first row of each column that is free.
    free: BTreeMap<Lane, usize>,
    rows: BTreeMap<NodeIndex, (Lane, usize)>,
}

impl Placing {
    /// Places a step, and before it what it waits for.
    fn place(&mut self, graph: &PlanGraph<'_>, node: NodeIndex) {
        if self.rows.contains_key(&node) {
            return;
        }
        let lane = lane(graph[node].step);
        let mut row = 0;
        let mut before: Vec<NodeIndex> =
            graph.neighbors_directed(node, Direction::Incoming).collect();
        before.sort();
        for one in before {
            self.place(graph, one);
            let (its_lane, its_row) = self.rows[&one];
            // What stands on the left may stand in the same row.
            row = row.max(if its_lane < lane { its_row } else { its_row + 1 });
        }
        row = row.max(self.free.get(&lane).copied().unwrap_or(0));
        self.free.insert(lane, row + 1);
        self.rows.insert(node, (lane, row));
    }
}

/// A box with the name of a step and what it does.
fn shown(plan: &Plan, step: &Step, place: Place, is_done: bool) -> Element {
    let [x, y] = place.corner();
    let class = match step.action {
        Action::Reconfig { .. } | Action::Restart(_) => "box change",
        Action::Gate(_) => "box gate",
        Action::Prove(_) => "box proof",
        _ => "box",
    };
    let what = words_for_step(plan, step);
    let frame = rect(class, [x, y], BOX);
    let frame = if matches!(step.action, Action::Prove(_)) { frame.with("ry", 20) } else { frame };
    let name = format!(
        "{}{}",
        super::svg::short(step.id.as_str(), LINE - 6),
        if is_done { " done" } else { "" }
    );
    let group = element("g").holding(hint(&format!("{}: {what}", step.id))).holding(frame);
    let group = group.holding(label("name", [x + BOX[0] / 2, y + 18], "middle", &name));
    let lines = wrapped(&what, LINE, 2);
    group.holding_all(
        lines
            .iter()
            .enumerate()
            .map(|(at, line)| label("what", [x + BOX[0] / 2, y + 34 + at * 15], "middle", line)),
    )
}

/// An arrow from one box to another, with the letter of its reason.
fn arrow([from, to]: [Place; 2], letter: &str, why: &str) -> Element {
    let [[from_x, from_y], [to_x, to_y]] = [from, to].map(Place::corner);
    let [width, height] = BOX;
    let (along, head, at) = if from.lane == to.lane {
        let x = from_x + width / 2;
        let (start, end) = (from_y + height, to_y);
        let head = format!("M{} {} L{x} {end} L{} {} z", x - 4, end - 7, x + 4, end - 7);
        // Behind a longer way the letter stands at its end.
        (format!("M{x} {start} L{x} {}", end - 6), head, [x + 9, end - 6])
    } else {
        let (start_y, end_y) = (from_y + height / 2, to_y + height / 2);
        let is_right = from.lane < to.lane;
        let (start, end) = if is_right { (from_x + width, to_x) } else { (from_x, to_x + width) };
        let (tip, bend) = if is_right { (end - 6, end - 26) } else { (end + 6, end + 26) };
        let turn = if is_right { start + 20 } else { start - 20 };
        let along = format!("M{start} {start_y} C{turn} {start_y} {bend} {end_y} {tip} {end_y}");
        let wing = if is_right { end - 7 } else { end + 7 };
        let head = format!("M{wing} {} L{end} {end_y} L{wing} {} z", end_y - 4, end_y + 4);
        let letter_x = if is_right { end - 14 } else { end + 8 };
        (along, head, [letter_x, end_y - 7])
    };
    element("g")
        .holding(hint(why))
        .holding(path("edge", &along))
        .holding(path("arrow", &head))
        .holding(label("letter", at, "start", letter))
}

/// A step, and what it waits for.
fn sentence(graph: &PlanGraph<'_>, node: NodeIndex) -> String {
    let before = graph.edges_directed(node, Direction::Incoming);
    let mut before: Vec<&StepId> = before.map(|edge| &graph[edge.source()].step.id).collect();
    before.sort();
    let step = &graph[node].step.id;
    if before.is_empty() {
        format!("{step} waits for no step.")
    } else {
        format!("{step} waits for {}.", crate::render::words_in_a_row(before))
    }
}

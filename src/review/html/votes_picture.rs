//! The picture of the votes: a row for each moment, a mark for each voter, the line of the quorum, and
//! how many failures are tolerated.

use std::collections::BTreeSet;

use super::course::{CourseMoment, LABEL, LABEL_WIDTH, ROW, course, ids};
use super::markup::{Element, Markup};
use super::svg::{circle, hint, label, path, picture, rect, short};
use crate::model::ServerId;
use crate::report::{PlanDocument, VoteFigures};

/// Up to this many voters each is a circle with its id.
pub(super) const CIRCLES: usize = 16;

/// The middles of two circles are this far apart.
const PITCH: usize = 27;

/// The width of the marks of voters where there are too many for circles.
const BAR: usize = 432;

/// The width of a column of figures.
const FIGURE: usize = 62;

/// The height of the heads of columns.
const HEAD: usize = 26;

/// Where things stand.
struct Layout {
    /// The most voters of any moment, and the largest quorum.
    most: usize,
    has_zones: bool,
    leader: Option<ServerId>,
}

impl Layout {
    /// Where the mark of the voter in that place begins, from 0.
    const fn x(&self, at: usize) -> usize {
        LABEL_WIDTH + if self.most <= CIRCLES { at * PITCH } else { at * BAR / self.most }
    }

    /// The middle of a column of figures.
    const fn figure(&self, at: usize) -> usize {
        self.x(self.most) + FIGURE / 2 + 8 + at * FIGURE
    }

    const fn width(&self) -> usize {
        self.x(self.most) + 16 + if self.has_zones { 2 * FIGURE } else { FIGURE }
    }
}

/// Voters, quorum and tolerance over the course of a plan that has steps.
pub(super) fn votes_picture(
    document: &PlanDocument,
    leader: Option<ServerId>,
    id: &str,
) -> Element {
    let (moments, height) = course(document);
    let votes = moments.iter().map(|moment| &moment.figures.votes);
    let most = votes.map(|votes| votes.voters.len().max(votes.quorum)).max().unwrap_or(0).max(1);
    let has_zones = moments.iter().any(|moment| moment.figures.worst_zone.is_some());
    let layout = Layout { most, has_zones, leader };
    let mut all = heads(&layout);
    all.push(quorum_line(&layout, &moments));
    let mut leads = true;
    for moment in &moments {
        leads &= !moment.after.is_some_and(|step| step.hands_over);
        all.push(row(&layout, moment, leads));
    }
    let said: Vec<String> = moments.iter().map(sentence).collect();
    let title = "Voters, quorum and failures tolerated, step by step";
    picture(id, [layout.width(), HEAD + height], [title, &said.join(" ")], all)
}

fn heads(layout: &Layout) -> Markup {
    let mut all = Markup::default();
    all.push(label("head", [0, 14], "start", "after step"));
    all.push(label("head", [LABEL_WIDTH, 14], "start", "voters"));
    all.push(label("head", [layout.figure(0), 14], "middle", "tolerates"));
    if layout.has_zones {
        all.push(label("head", [layout.figure(1), 14], "middle", "zone lost"));
    }
    all
}

/// The line that leaves as many voters on its left as must acknowledge.
fn quorum_line(layout: &Layout, moments: &[CourseMoment<'_>]) -> Element {
    let of_row = |moment: &CourseMoment<'_>| {
        let x = layout.x(moment.figures.votes.quorum) - 1;
        let top = HEAD + moment.top;
        if moment.after.is_none() {
            format!("M{x} {top} V{}", top + ROW)
        } else {
            format!("V{top} H{x} V{}", top + ROW)
        }
    };
    let along: Vec<String> = moments.iter().map(of_row).collect();
    path("quorum", &along.join(" ")).holding(hint("quorum: this many voters must acknowledge"))
}

fn row(layout: &Layout, moment: &CourseMoment<'_>, leads: bool) -> Markup {
    let top = HEAD + moment.top;
    let middle = top + ROW / 2;
    let mut all = Markup::default();
    if moment.is_behind_gate {
        all.push(path("gate-line", &format!("M0 {} H{}", top - 11, layout.width())));
        all.push(label("gate-word", [0, top - 14], "start", "gate"));
    }
    let name = label("step", [0, middle + 4], "start", &short(moment.label(), LABEL));
    all.push(name.holding(hint(&moment.after.map_or("now".to_owned(), |step| step.text.clone()))));
    let votes = &moment.figures.votes;
    let lost = votes.voters.difference(&votes.acknowledging).map(|id| (*id, false));
    let marks = votes.acknowledging.iter().map(|id| (*id, true)).chain(lost);
    for (at, (server, acknowledges)) in marks.enumerate() {
        all.push(mark(layout, (at, middle), server, class_of(votes, at, acknowledges)));
        if leads && layout.leader == Some(server) && layout.most <= CIRCLES {
            all.push(circle("leads", [layout.x(at) + 11, middle], 13));
        }
    }
    all.push(figure(moment.tolerates, 1, [layout.figure(0), middle + 5]));
    if let Some(zone) = &moment.figures.worst_zone {
        let lost = figure(zone.tolerates_failures, 0, [layout.figure(1), middle + 5]);
        all.push(lost.holding(hint(&format!("without zone {}", zone.zone))));
    }
    all
}

/// What the mark of a voter says.
const fn class_of(votes: &VoteFigures, at: usize, acknowledges: bool) -> &'static str {
    match (acknowledges, at < votes.quorum) {
        (false, _) => "lost",
        (true, true) => "needed",
        (true, false) => "free",
    }
}

fn mark(
    layout: &Layout,
    (at, middle): (usize, usize),
    server: ServerId,
    class: &'static str,
) -> Markup {
    let mut all = Markup::default();
    let x = layout.x(at);
    let said = match class {
        "lost" => format!("server {server}: a vote that cannot acknowledge"),
        _ => format!("server {server}"),
    };
    if layout.most > CIRCLES {
        let width = (layout.x(at + 1) - x).saturating_sub(1).max(1);
        all.push(rect(class, [x, middle - 10], [width, 20]).holding(hint(&said)));
        return all;
    }
    all.push(circle(class, [x + 11, middle], 11).holding(hint(&said)));
    let id = server.to_string();
    if id.len() <= 3 {
        all.push(label(&format!("in-{class}"), [x + 11, middle + 4], "middle", &id));
    }
    all
}

fn figure(tolerates: i64, comfortable: i64, at: [usize; 2]) -> Element {
    let class = match tolerates {
        ..0 => "figure bad",
        _ if tolerates < comfortable => "figure warn",
        _ => "figure good",
    };
    label(class, at, "middle", &tolerates.to_string())
}

/// A row in words.
fn sentence(moment: &CourseMoment<'_>) -> String {
    let VoteFigures { voters, acknowledging, quorum, tolerates_failures: _ } =
        &moment.figures.votes;
    let lost: BTreeSet<ServerId> = voters.difference(acknowledging).copied().collect();
    let lost = match lost.len() {
        0 => String::new(),
        _ => format!(", of which {} cannot acknowledge", ids(&lost)),
    };
    let zone = moment.figures.worst_zone.as_ref().map(|zone| {
        format!("; without zone {} it tolerates {}", zone.zone, zone.tolerates_failures)
    });
    let when = moment.step().map_or("Now".to_owned(), |step| format!("After {step}"));
    format!(
        "{when}: voters {}{lost}; quorum {quorum}; tolerates {}{}.",
        ids(voters),
        moment.tolerates,
        zone.unwrap_or_default()
    )
}

//! The moments of a plan: now, and after each step that changes who votes. Pictures have a row for each.

use std::collections::BTreeSet;

use crate::model::ServerId;
use crate::plan::StepId;
use crate::report::{PlanDocument, PlanFigures, StepAction, StepEntry};

/// The height of a row.
pub(super) const ROW: usize = 34;

/// The height of a gate between two rows.
const GATE: usize = 22;

/// Columns of text at the left end of a row.
pub(super) const LABEL: usize = 13;

/// How wide they are.
pub(super) const LABEL_WIDTH: usize = 108;

/// A moment of a plan.
pub(super) struct CourseMoment<'a> {
    /// The step that was taken last; `None` before the first.
    pub(super) after: Option<&'a StepEntry>,
    /// The ensemble at that moment.
    pub(super) figures: &'a PlanFigures,
    /// How many voters can fail during the step, or now.
    pub(super) tolerates: i64,
    /// Where its row begins, from the top of the first row.
    pub(super) top: usize,
    /// Whether a gate stands above the row.
    pub(super) is_behind_gate: bool,
}

impl CourseMoment<'_> {
    /// The name of the step.
    pub(super) fn step(&self) -> Option<&StepId> {
        self.after.map(|step| &step.id)
    }

    /// The moment in a word.
    pub(super) fn label(&self) -> &str {
        self.step().map_or("now", StepId::as_str)
    }
}

/// The moments of a plan in the order in which they come, and how high all rows are.
pub(super) fn course(document: &PlanDocument) -> (Vec<CourseMoment<'_>>, usize) {
    let now = &document.summary.now;
    let mut moments = vec![CourseMoment {
        after: None,
        figures: now,
        tolerates: now.votes.tolerates_failures,
        top: 0,
        is_behind_gate: false,
    }];
    let (mut height, mut is_behind_gate) = (ROW, false);
    for step in &document.steps {
        match step.action {
            StepAction::Gate => is_behind_gate = true,
            StepAction::Reconfig | StepAction::Restart => {
                height += if is_behind_gate { GATE } else { 0 };
                moments.push(CourseMoment {
                    after: Some(step),
                    figures: &step.after,
                    tolerates: step.tolerates_failures,
                    top: height,
                    is_behind_gate,
                });
                (height, is_behind_gate) = (height + ROW, false);
            }
            _ => {}
        }
    }
    (moments, height)
}

/// Server ids as people write them.
pub(super) fn ids(servers: &BTreeSet<ServerId>) -> String {
    crate::render::words_in_a_row(servers.iter())
}

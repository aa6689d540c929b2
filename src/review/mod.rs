//! What reviewers read in a forge: comments of pull requests, pages, annotations, test reports.
//!
//! In: documents of `report`, and the plan that they are of. Out: text. Nothing here decides or counts
//! anew; sentences come with the documents. Text from specs and ensembles passes through `escape`,
//! which leaves no markup in it.

mod annotations;
mod body;
mod budget;
mod comment;
mod drifted;
mod escape;
mod html;
mod junit;
mod lists;
mod many;
mod plan_comment;
mod record;

use std::collections::BTreeMap;

pub use annotations::{annotations, outputs};
pub use comment::comment;
pub use html::{html, html_index};
pub use junit::junit;
pub use many::markdown_index;
pub use record::{record, record_of_all};

use crate::check::CheckedPlan;
use crate::model::ServerId;
use crate::plan::Done;
use crate::render::words_for_shell;
use crate::report::drift::DriftDocument;
use crate::report::error::ErrorDocument;
use crate::report::first_quorum::FirstQuorumDocument;
use crate::report::rehearsal::RehearsalDocument;
use crate::report::{FindingEntry, PlanDocument, RefusalDocument};

/// What came of one spec, or of a saved plan.
#[derive(Debug)]
pub struct Reviewed<'a> {
    /// The path of the file, as it was typed.
    pub file: &'a str,
    /// The label of the ensemble, also where the file is wrong elsewhere; the path where it has none.
    pub name: String,
    /// The label of the ensemble; `None` where the file cannot be used.
    pub ensemble: Option<&'a str>,
    /// The exit code that it would have alone.
    pub exit_code: u8,
    /// The command that shows all of it.
    pub again: String,
    /// The lines of the file on which servers begin, from 1.
    pub lines: BTreeMap<ServerId, usize>,
    /// What came of it.
    pub outcome: ReviewOutcome<'a>,
}

/// What is to be reviewed.
#[derive(Debug)]
pub enum ReviewOutcome<'a> {
    /// A spec that can be used; more was not asked.
    Valid,
    /// A plan, with or without changes.
    Plan(Box<PlanReview<'a>>),
    /// No plan is safe.
    Refusal(Box<RefusalDocument>),
    /// A standalone server.
    FirstQuorum(Box<FirstQuorumDocument>),
    /// How the ensemble differs from the spec.
    Drift(Box<DriftDocument>),
    /// There is nothing to plan for, or to show.
    Error(Box<ErrorDocument>),
}

/// A plan, and what was seen beside it.
#[derive(Debug)]
pub struct PlanReview<'a> {
    /// The plan.
    pub checked: &'a CheckedPlan,
    /// Its document.
    pub document: PlanDocument,
    /// Its findings; of an open run, those of now.
    pub findings: Vec<FindingEntry>,
    /// How many clients each server has now, where that was seen.
    pub clients: BTreeMap<ServerId, u64>,
    /// The run of this plan that is open.
    pub open_run: Option<ReviewedRun<'a>>,
    /// What came of its rehearsal, where it was rehearsed.
    pub rehearsal: Option<RehearsalDocument>,
}

/// How far an open run is.
#[derive(Debug, Clone, Copy)]
pub struct ReviewedRun<'a> {
    /// Its number.
    pub number: u64,
    /// Whether it is proven to be an operator's.
    pub is_certain: bool,
    /// The steps that are done.
    pub done: &'a Done,
}

/// What came of a spec, in one word; the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReviewVerdict {
    /// A plan without steps, a spec that is valid, or an ensemble as its spec wants it.
    Unchanged,
    /// A plan with steps, or a standalone server that can become the first voter.
    Planned,
    /// An ensemble with differences that count for the exit code.
    Drifted,
    /// No plan is safe.
    Refused,
    /// There is nothing to plan for.
    Failed,
}

impl ReviewVerdict {
    /// The word, as pipelines read it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Planned => "planned",
            Self::Drifted => "drifted",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl<'a> Reviewed<'a> {
    /// A command that failed before anything came of the file.
    pub fn failed(
        file: &'a str,
        label: Option<String>,
        command: &str,
        error: ErrorDocument,
    ) -> Self {
        let name = label.unwrap_or_else(|| file.to_owned());
        let again = format!("{command} {}", words_for_shell(file));
        let exit_code = error.exit_code;
        let outcome = ReviewOutcome::Error(Box::new(error));
        let (ensemble, lines) = (None, BTreeMap::new());
        Self { file, name, ensemble, exit_code, again, lines, outcome }
    }

    /// The lowest tolerance of a plan; of what is no plan, 0. Of two plans, the one with the lower is worse.
    fn lowest_tolerance(&self) -> i64 {
        match &self.outcome {
            ReviewOutcome::Plan(plan) => plan.document.summary.tolerates_failures,
            ReviewOutcome::Valid
            | ReviewOutcome::Refusal(_)
            | ReviewOutcome::FirstQuorum(_)
            | ReviewOutcome::Drift(_)
            | ReviewOutcome::Error(_) => 0,
        }
    }

    /// How many servers a plan changes, or in how many things an ensemble differs; `None` of what has neither.
    fn changes(&self) -> Option<usize> {
        match &self.outcome {
            ReviewOutcome::Plan(plan) => Some(plan.document.changes.len()),
            ReviewOutcome::Refusal(refused) => Some(refused.changes.len()),
            ReviewOutcome::Drift(drift) => Some(drift.differences.len()),
            ReviewOutcome::Valid | ReviewOutcome::FirstQuorum(_) | ReviewOutcome::Error(_) => None,
        }
    }

    /// What came of it, in one word.
    pub fn verdict(&self) -> ReviewVerdict {
        match &self.outcome {
            ReviewOutcome::Valid => ReviewVerdict::Unchanged,
            ReviewOutcome::Plan(plan) if plan.document.steps.is_empty() => ReviewVerdict::Unchanged,
            ReviewOutcome::Plan(_) => ReviewVerdict::Planned,
            ReviewOutcome::Refusal(_) => ReviewVerdict::Refused,
            ReviewOutcome::FirstQuorum(first) if first.possible => ReviewVerdict::Planned,
            ReviewOutcome::Drift(drift) if drift.exit_code == 0 => ReviewVerdict::Unchanged,
            ReviewOutcome::Drift(_) => ReviewVerdict::Drifted,
            ReviewOutcome::FirstQuorum(_) | ReviewOutcome::Error(_) => ReviewVerdict::Failed,
        }
    }
}

//! What is known of an ensemble before anything is concluded from it.

use super::writes::WriteRate;
use crate::apply::journal_reader::StateLock;
use crate::apply::past_runs::RetiredSeen;
use crate::check::CheckedPlan;
use crate::observe::{Facts, Finding, FindingKind, NotResumed, Observation};
use crate::plan::{Done, Plan};
use crate::proposal::Refusal;

/// How far an open run is, by the plan that it carries out.
#[derive(Debug, Clone)]
pub struct RunPosition {
    /// Its number.
    pub run: u64,
    /// Whether it is proven to be an operator's, and not only as far as was seen.
    pub is_certain: bool,
    /// Its plan.
    pub checked: CheckedPlan,
    /// The steps that are done.
    pub done: Done,
}

/// What the journal and the retired servers show.
#[derive(Debug, Clone, Default)]
pub struct JournalSeen {
    /// What a plan reports about them.
    pub findings: Vec<Finding>,
    /// The lock, where there is one.
    pub lock: Option<StateLock>,
    /// The servers that runs retired in the last 30 days.
    pub retired: Vec<RetiredSeen>,
    /// How far the open run is, where its plan can be read and leads on from what is there.
    pub position: Option<RunPosition>,
}

/// What a spec wants beyond what is there.
#[derive(Debug, Clone)]
pub enum SpecVerdict {
    /// The rest of the open run, which an apply of the spec resumes.
    Resumes(Box<RunPosition>),
    /// This plan; without steps where nothing is to change.
    Planned(Box<CheckedPlan>),
    /// A change for which no plan keeps the safety rules.
    Refused(Box<Refusal>),
}

impl SpecVerdict {
    /// The plan, or the nearest one that breaks safety rules.
    pub(super) fn plan(&self) -> &Plan {
        match self {
            Self::Resumes(position) => position.checked.plan(),
            Self::Planned(checked) => checked.plan(),
            Self::Refused(refusal) => &refusal.nearest,
        }
    }
}

/// What is known of an ensemble.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What was seen.
    pub seen: &'a Observation,
    /// The same as planning takes it: for the spec, or for the members as they are.
    pub facts: &'a Facts,
    /// What the spec wants; `None` where no spec is given.
    pub wanted: Option<&'a SpecVerdict>,
    /// The journal; `None` where it could not be read.
    pub journal: Option<&'a JournalSeen>,
    /// Writes a second; `None` where that could not be measured.
    pub writes: Option<WriteRate>,
}

/// The run that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRunSeen {
    /// Its number.
    pub number: u64,
    /// The plan that it carries out; empty where its header cannot be read.
    pub plan_id: String,
    /// Who opened it, as `user@host`.
    pub opened_by: String,
    /// When, as the clock of that host had it.
    pub opened_at: String,
    /// Why no apply of the spec resumes it; without a spec, why no apply of its own plan does.
    pub not_resumed: Option<NotResumed>,
    /// Whether it is proven to be an operator's only as far as a session without credentials sees.
    pub is_masked: bool,
}

impl OpenRunSeen {
    /// The run that a finding is about, where it is about an open one.
    pub fn of(finding: &Finding) -> Option<Self> {
        let FindingKind::OpenRun {
            run,
            plan_id,
            opened_by,
            opened_at,
            locked_by: _,
            goes_on,
            because,
            masked,
        } = &finding.kind
        else {
            return None;
        };
        Some(Self {
            number: *run,
            plan_id: plan_id.clone(),
            opened_by: opened_by.clone(),
            opened_at: opened_at.clone(),
            // Plan files of earlier versions do not tell why.
            not_resumed: because.or((!goes_on).then_some(NotResumed::OtherSpec)),
            is_masked: *masked,
        })
    }
}

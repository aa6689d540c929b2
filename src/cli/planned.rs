//! What came of one spec that was planned for.

use super::error::{CommandError, exit_of_breaches, exit_of_error};
use super::exit::Exit;
use crate::check::CheckedPlan;
use crate::first_quorum::FirstQuorumAnswer;
use crate::observe::{Facts, Observation, ObserveError};
use crate::plan::{Acceptance, Done};
use crate::proposal::Refusal;
use crate::render;

/// How far the open run of a plan is, and what was seen of the ensemble now.
pub(super) struct Position {
    pub(super) run: u64,
    pub(super) is_certain: bool,
    pub(super) done: Done,
    pub(super) now: Facts,
}

impl Position {
    pub(super) const fn seen<'a>(
        &'a self,
        accepted: &'a [Acceptance],
    ) -> render::plan::Resumed<'a> {
        let (run, is_certain) = (self.run, self.is_certain);
        render::plan::Resumed { run, is_certain, done: &self.done, now: &self.now, accepted }
    }
}

/// What came of one spec.
pub(super) enum Outcome {
    /// The plan; of a run that is open, with what of it is done.
    Planned(Box<CheckedPlan>, Option<Box<Observation>>, Option<Box<Position>>),
    Refused(Box<Refusal>, Option<Box<Observation>>),
    /// A standalone server, and whether it can become the first voter.
    Standalone(Box<FirstQuorumAnswer>),
    Unreachable(ObserveError),
    Failed(CommandError),
}

impl Outcome {
    pub(super) fn facts(&self) -> Option<&Facts> {
        match self {
            Self::Planned(checked, ..) => Some(&checked.plan().facts),
            Self::Refused(refusal, _) => Some(&refusal.nearest.facts),
            Self::Standalone(_) | Self::Unreachable(_) | Self::Failed(_) => None,
        }
    }

    pub(super) fn exit(&self, detailed: bool) -> Exit {
        match self {
            Self::Planned(checked, ..) if detailed && has_differences(checked) => Exit::Differences,
            Self::Planned(..) => Exit::Done,
            Self::Refused(refusal, _) => exit_of_breaches(&refusal.breaches),
            Self::Standalone(answer) => match &answer.verdict {
                Ok(_) if detailed => Exit::Differences,
                Ok(_) => Exit::Done,
                Err(_) => Exit::Unsafe,
            },
            Self::Unreachable(error) => exit_of_error(error),
            Self::Failed(error) => error.exit(),
        }
    }
}

/// Whether the ensemble is not as its spec wants it: other members, members that are down, or a run
/// that is open.
pub(super) fn has_differences(checked: &CheckedPlan) -> bool {
    let plan = checked.plan();
    !plan.is_empty() || !plan.facts.left_to_do().is_empty()
}

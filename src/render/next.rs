//! The one command that comes next after an apply that did not go on to its end.

use super::phrases;
use crate::apply::Differs;
use crate::apply::Outcome;
use crate::apply::access::Signer;

/// What is said where an apply ended before everything was done.
#[derive(Debug, Clone, Copy)]
pub struct EndScreen<'a> {
    /// How it ended.
    pub end: &'a Outcome,
    /// The command that resumes, as it is typed.
    pub again: &'a str,
    /// The file that was applied, as it was given.
    pub path: &'a str,
    /// The command that plans anew, as it is typed; `SPEC` stands for a spec that is not known.
    pub plans: &'a str,
    /// The command that applies what the spec wants now, as it is typed; `None` where the spec is not
    /// known.
    pub anew: Option<&'a str>,
    /// The number of the run that is left open.
    pub run: Option<u64>,
    /// Columns of the terminal.
    pub width: usize,
}

/// The command, as it is typed. `None` where there is none that could be typed as it stands: a new
/// plan is wanted, and the spec that a plan file was made from is not known, or not there.
pub(super) fn command(screen: &EndScreen<'_>) -> Option<String> {
    let EndScreen { end, again, path, plans, anew, run, .. } = *screen;
    let path = phrases::shell(path);
    // The apply of a spec plans anew; of a saved plan, a new one is made and shown first.
    let planned_anew = || anew.map(|anew| if anew == again { again } else { plans }.to_owned());
    let abandons = |number| anew.map(|anew| format!("{anew} --abandon {number}"));
    match end {
        Outcome::Finished => None,
        Outcome::Stale(_) => planned_anew(),
        // As plan and history have it: what cannot be read is not finished by another file either.
        Outcome::OtherRun { number, why: Differs::Header(_) | Differs::PlanLost } => {
            Some(format!("{again} --abandon {number}"))
        }
        Outcome::OtherRun { number, why: Differs::OtherPlan | Differs::OtherSpec { .. } } => {
            Some(format!("zkplan history {path} {number}"))
        }
        Outcome::Overtaken { number, .. } => abandons(*number),
        Outcome::Foreign { .. } | Outcome::NotGranted(_) => run.map_or_else(planned_anew, abandons),
        Outcome::NotOpen { .. } => Some(format!("zkplan history {path}")),
        Outcome::Unproven(_) => Some(format!("zkplan history {path} --unproven")),
        Outcome::HostNotPlain { .. } => Some(format!("{again} --no-hooks")),
        Outcome::Gate { approve, .. } => Some(format!("{again} --approve {approve}")),
        Outcome::Unsafe(..) => anew.map(|_| plans.to_owned()),
        // The password is that of the super user, unless the file names another.
        Outcome::NotAuthorized { signer: Signer::Anonymous, .. } => {
            Some(format!("{again} --user super"))
        }
        Outcome::Locked(_)
        | Outcome::NotAuthorized { .. }
        | Outcome::NoRecipient { .. }
        | Outcome::ReconfigDisabled
        | Outcome::FolderRefused { .. }
        | Outcome::LocalSession { .. }
        | Outcome::TakesOneConnection { .. }
        | Outcome::RunGone { .. }
        | Outcome::Unreachable
        | Outcome::LockLost { .. }
        | Outcome::Interrupted { .. }
        | Outcome::LeaderMoved { .. }
        | Outcome::Hook { .. }
        | Outcome::RanOut { .. }
        | Outcome::DataDiffer(_)
        | Outcome::OldSettings { .. }
        | Outcome::Refused { .. } => Some(again.to_owned()),
    }
}

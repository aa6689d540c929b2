//! The one command that comes next after an apply that did not go on to its end.

use super::phrases;
use crate::apply::Differs;
use crate::apply::Outcome;
use crate::apply::access::Signer;
use crate::apply::journal::Illegible;

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

/// What stands before the command: when it is right to type it, where that is not now.
pub(super) fn lead(screen: &EndScreen<'_>) -> &'static str {
    match screen.end {
        Outcome::Gate { approve, .. } => match approve.as_str() {
            "cutover" => "Next, when no client needs these servers: ",
            "stop" => "Next, if these clients may be disconnected: ",
            _ => "Next, when you have checked that: ",
        },
        Outcome::Locked(_) => "Next, when the lock is free: ",
        // Without a run there is none to give up.
        Outcome::NotGranted(_) if screen.run.is_none() => "Next: ",
        Outcome::NotGranted(_) => "Next, if the servers stay as they are: ",
        Outcome::Unreachable => "Next, when servers answer: ",
        // Unchanged, and without a change of something else, it would fail in the same way.
        Outcome::NotAuthorized {
            signer: Signer::User(_) | Signer::Sasl(_) | Signer::Certificate,
            ..
        }
        | Outcome::NoRecipient { .. }
        | Outcome::ReconfigDisabled
        | Outcome::FolderRefused { .. }
        | Outcome::LocalSession { .. }
        | Outcome::TakesOneConnection { .. }
        | Outcome::Hook { .. }
        | Outcome::RanOut { .. }
        | Outcome::DataDiffer(_)
        | Outcome::OldSettings { .. }
        | Outcome::Refused { .. } => "Next, after the fix: ",
        Outcome::Finished
        | Outcome::Stale(_)
        | Outcome::NotAuthorized { signer: Signer::Anonymous, .. }
        | Outcome::OtherRun { .. }
        | Outcome::Overtaken { .. }
        | Outcome::Foreign { .. }
        | Outcome::LeaderMoved { .. }
        | Outcome::NotOpen { .. }
        | Outcome::Unproven(_)
        | Outcome::HostNotPlain { .. }
        | Outcome::Unsafe(..)
        | Outcome::RunGone { .. }
        | Outcome::LockLost { .. }
        | Outcome::Interrupted { .. } => "Next: ",
    }
}

/// The command, as it is typed. `None` where there is none that could be typed as it stands: a new
/// plan is wanted, and the spec that a plan file was made from is not known, or not there.
pub(super) fn command(screen: &EndScreen<'_>) -> Option<String> {
    let EndScreen { end, again, path, plans, anew, run, .. } = *screen;
    let path = phrases::shell(path);
    // The apply of a spec plans anew; of a saved plan, a new one is made and shown first.
    let planned_anew = || anew.map(|anew| if anew == again { again } else { plans }.to_owned());
    let looks_at = |number| Some(format!("zkplan history {path} {number}"));
    let abandons = |number| anew.map(|anew| format!("{anew} --abandon {number}"));
    match end {
        Outcome::Finished => None,
        Outcome::Stale(_) => planned_anew(),
        // As plan and history have it: what cannot be read is not finished by another file either.
        Outcome::OtherRun {
            number,
            why: Differs::Header(Illegible::Garbled) | Differs::PlanLost,
        } => Some(format!("{again} --abandon {number}")),
        // What a newer zkplan began is finished by that version. Whether a run is to be abandoned
        // depends on who changed what: that is looked at first.
        Outcome::OtherRun {
            number,
            why:
                Differs::Header(Illegible::Newer(_)) | Differs::OtherPlan | Differs::OtherSpec { .. },
        }
        | Outcome::Overtaken { number, .. } => looks_at(*number),
        Outcome::Foreign { .. } => run.map_or_else(planned_anew, looks_at),
        Outcome::NotGranted(_) => run.map_or_else(planned_anew, abandons),
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

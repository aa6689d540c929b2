//! The one command that comes next after an apply that did not go on to its end.

use super::ends::Screen;
use super::words;
use crate::apply::End;
use crate::apply::access::Signer;
use crate::apply::resume::Differs;

/// The command, as it is typed. `None` where there is none that could be typed as it stands: a new
/// plan is wanted, and the spec that a plan file was made from is not known, or not there.
pub(super) fn command(screen: &Screen<'_>) -> Option<String> {
    let Screen { end, again, path, plans, anew, run, .. } = *screen;
    let path = words::shell(path);
    // The apply of a spec plans anew; of a saved plan, a new one is made and shown first.
    let planned_anew = || anew.map(|anew| if anew == again { again } else { plans }.to_owned());
    let abandons = |number| anew.map(|anew| format!("{anew} --abandon {number}"));
    match end {
        End::Finished => None,
        End::Stale(_) => planned_anew(),
        // As plan and history have it: what cannot be read is not finished by another file either.
        End::OtherRun { number, why: Differs::Header(_) | Differs::PlanLost } => {
            Some(format!("{again} --abandon {number}"))
        }
        End::OtherRun { number, why: Differs::OtherPlan | Differs::OtherSpec { .. } } => {
            Some(format!("zkplan history {path} {number}"))
        }
        End::Overtaken { number, .. } => abandons(*number),
        End::Foreign { .. } | End::NotGranted(_) => run.map_or_else(planned_anew, abandons),
        End::NotOpen { .. } => Some(format!("zkplan history {path}")),
        End::Unproven(_) => Some(format!("zkplan history {path} --unproven")),
        End::HostNotPlain { .. } => Some(format!("{again} --no-hooks")),
        End::Gate { approve, .. } => Some(format!("{again} --approve {approve}")),
        End::Unsafe(..) => anew.map(|_| plans.to_owned()),
        // The password is that of the super user, unless the file names another.
        End::NotAuthorized { signer: Signer::Nobody, .. } => Some(format!("{again} --user super")),
        End::Locked(_)
        | End::NotAuthorized { .. }
        | End::NoRecipient { .. }
        | End::ReconfigDisabled
        | End::FolderRefused { .. }
        | End::LocalSession { .. }
        | End::TakesOneConnection { .. }
        | End::RunGone { .. }
        | End::Unreachable
        | End::LockLost { .. }
        | End::Interrupted { .. }
        | End::Hook { .. }
        | End::RanOut { .. }
        | End::DataDiffer(_)
        | End::Refused { .. } => Some(again.to_owned()),
    }
}

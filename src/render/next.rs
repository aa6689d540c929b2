//! The one command that comes next after an apply that did not go on to its end.

use super::ends::Screen;
use super::words;
use crate::apply::End;

/// The command, as it is typed. `None` where there is none that could be typed as it stands: of a
/// plan file, zkplan does not know the spec that a new plan is made from.
pub(super) fn command(screen: &Screen<'_>) -> Option<String> {
    let Screen { end, again, path, plans, run, .. } = *screen;
    let path = words::shell(path);
    let is_spec = !plans.ends_with(" SPEC");
    let of_spec = |command: String| is_spec.then_some(command);
    match end {
        End::Finished => None,
        End::Stale(_) => of_spec(again.to_owned()),
        End::OtherRun { number, .. } => Some(format!("zkplan history {path} {number}")),
        End::Overtaken { number, .. } => of_spec(format!("{again} --abandon {number}")),
        End::Foreign { .. } | End::NotGranted(_) => match run {
            Some(number) => of_spec(format!("{again} --abandon {number}")),
            None => of_spec(again.to_owned()),
        },
        End::NotOpen { .. } => Some(format!("zkplan history {path}")),
        End::Unproven(_) => Some(format!("zkplan history {path} --unproven")),
        End::HostNotPlain { .. } => Some(format!("{again} --no-hooks")),
        End::Gate { approve, .. } => Some(format!("{again} --approve {approve}")),
        End::Unsafe(_) => of_spec(plans.to_owned()),
        End::Locked(_)
        | End::NotAuthorized { .. }
        | End::NoRecipient { .. }
        | End::ReconfigDisabled
        | End::FolderRefused { .. }
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

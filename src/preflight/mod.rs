//! Checks an ensemble, and the servers that are to join it, before anything is changed.
//!
//! In: a target, an observation, and the [`Answers`] to further questions. Out: [`Check`]s, each with
//! its code, its verdict, what it rests on, and what to do. Nothing here decides about a change:
//! `plan` and `apply` look for themselves.
//!
//! In reading order: `codes` (the table of all checks), `evidence` and `check` (their values),
//! `answers` (what is asked beside the observation), `given_files` (the `zoo.cfg` files that the
//! operator gave), `view` (what the checks look at), and one file
//! for each area: `ports`, `members`, `release`, `authority`, `limits`, `timing`, `leaks`,
//! `wanted`.
//!
//! `roll` follows a rolling restart: it says which server is next, and when.
//!
//! A check that nothing shows is unknown and never passes. A server that is to join and does not
//! run yet fails nothing: most of its checks are unknown until it runs.

mod answers;
mod authority;
mod check;
mod codes;
mod evidence;
#[cfg(test)]
pub(crate) mod fixture;
mod given_files;
mod leaks;
mod limits;
mod members;
mod ports;
mod release;
mod roll;
#[cfg(test)]
mod tests;
mod timing;
mod view;
mod wanted;

use crate::observe::ServerStatus;

pub use answers::{AdminAnswers, Answers, AskedAs, ServerAnswers, ask, recipients};
pub use check::{Check, CheckVerdict};
pub use codes::CheckKind;
pub use evidence::{
    CheckRemedy, CredentialWord, Evidence, ReconfigShownBy, StateWord, WithoutRightsWord,
};
pub use given_files::{GivenFile, GivenFiles};
pub use roll::{
    RestartShownBy, Roll, RollAdvice, RollChange, RollMissing, RollSample, Sampled, restarts_mend,
};
pub use view::View;

/// Every check, in the order of codes and then of ids.
pub fn checks(view: View<'_>) -> Vec<Check> {
    let areas = [
        ports::checks,
        members::checks,
        release::checks,
        authority::checks,
        limits::checks,
        timing::checks,
        leaks::checks,
        wanted::checks,
    ];
    let checks = areas.into_iter().flat_map(|area| area(view));
    let mut checks: Vec<Check> = checks.map(|check| of_what_runs(view, check)).collect();
    checks.sort_by_key(|check| (check.kind, check.server));
    checks
}

/// A joiner that runs and does not serve yet shows no more than one that does not run. But it is not to
/// be started.
fn of_what_runs(view: View<'_>, check: Check) -> Check {
    let observed = check.server.and_then(|id| view.seen.servers.get(&id));
    let runs = observed.is_some_and(|observed| observed.status == ServerStatus::NotServing);
    if !runs || check.evidence != Evidence::NotRunning {
        return check;
    }
    let again = |remedy| match remedy {
        CheckRemedy::StartJoiner => CheckRemedy::AskAgain,
        other => other,
    };
    Check { evidence: Evidence::LooksForLeader, remedy: check.remedy.map(again), ..check }
}

/// Whether something makes a change unsafe or impossible.
pub fn is_blocked(checks: &[Check]) -> bool {
    checks.iter().any(|check| check.verdict == CheckVerdict::Fail && check.blocks)
}

//! ZKQ8: quorums before and after a request share a server.

use crate::check::breach::BreachKind;
use crate::check::engine::quorum_verifier::QuorumVerifier;
use crate::check::engine::state::Mark;
use crate::check::engine::step_table::Change;
use crate::check::engine::transition::Transition;

/// What the rule asks for.
pub(super) const ASKS: &str = "quorums before and after must share a server";

/// Without a limit on changes the rule does not apply: ZooKeeper itself commits a reconfig in both
/// quorums.
pub(super) fn broken(step: &Transition<'_>) -> Vec<BreachKind> {
    rule(step).into_iter().collect()
}

fn rule(step: &Transition<'_>) -> Option<BreachKind> {
    let most = match step.table.plan.policy.changes_per_step {
        0 => return None,
        most => usize::try_from(most).unwrap_or(usize::MAX),
    };
    let changed = step.entry.changes.len();
    if changed > most {
        return Some(BreachKind::TooManyTogether { changed, most });
    }
    let [before, after] = [step.before, step.after];
    let overlaps = match &step.table.quorum {
        QuorumVerifier::Majority => {
            let gained = |change: &&Change<'_>| change.votes() && !change.voted();
            let together = before.voters + step.entry.changes.iter().filter(gained).count();
            before.voters / 2 + 1 + after.voters / 2 + 1 > together
        }
        QuorumVerifier::Hierarchical(weighted) => {
            weighted.overlap(&before.all(Mark::VOTER), &after.all(Mark::VOTER))
        }
    };
    (!overlaps).then(|| {
        let [before, after] = [before, after].map(|state| step.table.votes(state).voters);
        BreachKind::NoOverlap { before, after }
    })
}

//! ZKQ14: a plan removes no more servers beyond those that it adds than the policy allows.

use crate::check::breach::BreachKind;
use crate::plan::Plan;

/// What the rule asks for.
pub(super) const ASKS: &str = "the ensemble must not shrink by more than policy.maxShrink";

/// What helps where it is broken.
pub(super) const HINT: &str = "raise policy.maxShrink, or shrink in several specs";

pub(super) fn broken(plan: &Plan) -> Option<BreachKind> {
    let (base, target) = (&plan.facts.base.membership, &plan.target);
    let removed = base.servers().filter(|server| !target.contains(server.id)).count();
    let added = target.servers().filter(|server| !base.contains(server.id)).count();
    let max = plan.policy.max_shrink;
    let beyond = removed.saturating_sub(added) > usize::try_from(max).unwrap_or(usize::MAX);
    beyond.then_some(BreachKind::Shrinks { removed, added, max })
}

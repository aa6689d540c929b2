//! Which plans an approval without a question covers.

use crate::check::CheckedPlan;
use crate::model::ServerId;
use crate::plan::{Action, ChangeVerb, Done, Step, StepId};

/// What is approved without a question (`apply --auto-approve=WHAT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalScope {
    /// Plans that take nothing away: no server leaves, loses its vote, moves, or is restarted or
    /// stopped.
    Additive,
    /// Plans in which the leader stays.
    NoLeaderChange,
    /// Any plan.
    All,
}

impl ApprovalScope {
    /// The steps that are left of a plan and that it does not cover, while that server leads. Where
    /// it is not known who leads, any voter may.
    pub fn beyond(
        self,
        checked: &CheckedPlan,
        done: &Done,
        leader: Option<ServerId>,
    ) -> Vec<StepId> {
        let plan = checked.plan();
        let voters = plan.facts.base.membership.voters();
        let moves_leader = |step: &Step| match leader {
            Some(leader) => step.hands_over(leader),
            None => voters.iter().any(|voter| step.hands_over(*voter)),
        };
        let is_beyond = |step: &&Step| match self {
            Self::All => false,
            Self::NoLeaderChange => moves_leader(step),
            Self::Additive => takes_away(step),
        };
        let left = plan.steps().filter(|step| !done.contains(&step.id));
        left.filter(is_beyond).map(|step| step.id.clone()).collect()
    }

    /// Whether the run must end before the leader has to change.
    pub const fn keeps_leader(self) -> bool {
        matches!(self, Self::NoLeaderChange)
    }
}

/// Whether a step takes something away, if only for a while.
fn takes_away(step: &Step) -> bool {
    match &step.action {
        Action::Reconfig { parts, .. } => parts.iter().any(|part| match part.change {
            ChangeVerb::Join | ChangeVerb::Promote => false,
            ChangeVerb::Leave
            | ChangeVerb::Unlist
            | ChangeVerb::Demote
            | ChangeVerb::Readdress { .. } => true,
        }),
        Action::Stop(_) | Action::AskToStop(_) | Action::Restart(_) => true,
        Action::AwaitJoiner(_)
        | Action::Gate(_)
        | Action::Start(_)
        | Action::AttestBlank(_)
        | Action::Prove(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Example;
    use crate::proposal::propose;

    /// The steps that a scope does not cover, of the plan from some servers to others.
    fn beyond(scope: ApprovalScope, live: &str, wanted: &str, leader: Option<i64>) -> Vec<String> {
        let example = Example::new(live, wanted);
        let checked = propose(&example.target(), &example.facts(), &[]).expect("a plan");
        let leader = leader.map(ServerId::new);
        let steps = scope.beyond(&checked, &Done::new(), leader);
        steps.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn additive_covers_joins_and_nothing_that_takes_away() {
        let none: [&str; 0] = [];
        assert_eq!(beyond(ApprovalScope::Additive, "1 2 3", "1 2 3 4 5", Some(1)), none);
        let beyond = beyond(ApprovalScope::Additive, "1 2 3", "2 3 4", Some(3));
        assert_eq!(beyond, ["leave-1", "stop-1"]);
    }

    #[test]
    fn the_leader_stays_as_long_as_another_server_changes() {
        let of = |leader| beyond(ApprovalScope::NoLeaderChange, "1 2 3", "2 3 4", leader);
        assert!(of(Some(3)).is_empty());
        assert_eq!(of(Some(1)), ["leave-1"]);
        assert_eq!(of(None), ["leave-1"], "any voter may lead");
        assert!(beyond(ApprovalScope::All, "1 2 3", "2 3 4", Some(1)).is_empty());
    }
}

//! Why a plan is not applied although it is safe: it is not the one that was approved.

use super::phrases;
use crate::apply::ApprovalScope;
use crate::model::ServerId;
use crate::plan::StepId;

/// The plan does more than `--auto-approve=WORD` approves.
pub fn beyond_approval(
    word: &str,
    scope: ApprovalScope,
    steps: &[StepId],
    leader: Option<ServerId>,
) -> String {
    let steps = phrases::list(steps);
    let why = match (scope, leader) {
        (ApprovalScope::NoLeaderChange, Some(leader)) => {
            format!("server {leader} leads, and {steps} would make another server the leader")
        }
        (ApprovalScope::NoLeaderChange, None) => {
            format!("it is not known which server leads, and {steps} may change the leader")
        }
        (ApprovalScope::Additive | ApprovalScope::All, _) => {
            format!("{steps} would take something away")
        }
    };
    format!("the plan does more than --auto-approve={word} approves: {why}. Nothing was changed")
}

/// The plan is not the one that `--expect-plan` names; `whose` says where this one is from.
pub fn unexpected_plan(expected: &str, found: &str, whose: &str) -> String {
    format!(
        "the plan is not the expected one: {whose} {found}, expected {expected}. Nothing was changed"
    )
}

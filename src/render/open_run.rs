//! The command that comes next where a run is open.

use super::phrases;
use crate::observe::{Finding, FindingKind, NotResumed};
use crate::plan::{Action, Done, Plan, StepId};
use crate::status::OpenRunSeen;

/// The command by which an apply of a spec meets the open run; `accepts` are its further flags.
pub(super) fn command(path: &str, run: &OpenRunSeen, accepts: &str) -> String {
    let OpenRunSeen { number, not_resumed, .. } = run;
    match not_resumed {
        None => format!("zkplan apply {path}{accepts}"),
        // What a newer zkplan began is not thrown away by an older one: it is looked at.
        Some(NotResumed::OtherSpec | NotResumed::Newer) => {
            format!("zkplan history {path} {number}")
        }
        Some(NotResumed::Overtaken | NotResumed::NotUnderstood) => {
            format!("zkplan apply {path}{accepts} --abandon {number}")
        }
    }
}

/// The command that shows zkplan's folder, where there is no proof who wrote it.
pub(super) fn unproven(path: &str, findings: &[Finding]) -> Option<String> {
    let is_doubted = |finding: &Finding| matches!(finding.kind, FindingKind::FolderNotProven(_));
    findings.iter().any(is_doubted).then(|| format!("zkplan history {path} --unproven"))
}

/// What of a run is done, and what is left of it.
pub fn progress(plan: &Plan, done: &Done) -> String {
    let reconfigs = plan.steps().filter(|step| step.reconfig().is_some());
    let (past, left): (Vec<&StepId>, Vec<&StepId>) =
        reconfigs.map(|step| &step.id).partition(|id| done.contains(*id));
    let gates = plan.steps().filter(|step| matches!(step.action, Action::Gate(_)));
    let gates: Vec<&StepId> = gates.map(|step| &step.id).filter(|id| !done.contains(*id)).collect();
    let asked = match gates.len() {
        0 => String::new(),
        _ => format!("; gates not passed yet: {}", phrases::list(gates)),
    };
    format!("reconfigs done: {}; left: {}{asked}", phrases::list(past), phrases::list(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_zkplan_began_is_looked_at_and_not_abandoned() {
        let of = |not_resumed| OpenRunSeen {
            number: 3,
            not_resumed: Some(not_resumed),
            opened_by: String::new(),
            opened_at: String::new(),
            plan_id: String::new(),
            is_masked: false,
        };
        assert_eq!(command("a.yaml", &of(NotResumed::Newer), ""), "zkplan history a.yaml 3");
        let garbled = command("a.yaml", &of(NotResumed::NotUnderstood), "");
        assert_eq!(garbled, "zkplan apply a.yaml --abandon 3");
    }
}

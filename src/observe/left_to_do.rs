//! What is left to be done for an ensemble whose members are those that are wanted.

use std::collections::BTreeSet;

use super::{Facts, FindingKind, RetiredState};
use crate::model::ServerId;

/// Why an ensemble is not as it is wanted, although its members are those that are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftToDo {
    /// Members were not seen up and in sync.
    MembersDown(BTreeSet<ServerId>),
    /// A run is neither complete nor abandoned.
    OpenRun {
        /// Its number.
        run: u64,
    },
    /// Servers that a run retired serve clients outside the ensemble.
    RetiredServe {
        /// The run.
        run: u64,
        /// These servers.
        servers: Vec<ServerId>,
    },
    /// Members that a run retired, and that are members again.
    MembersRetired {
        /// The run.
        run: u64,
        /// These members.
        members: BTreeSet<ServerId>,
    },
}

impl Facts {
    /// What is left to be done beside changes of the membership.
    pub fn left_to_do(&self) -> Vec<LeftToDo> {
        let members = self.base.membership.ids();
        let down: BTreeSet<ServerId> = members.difference(&self.synced).copied().collect();
        let down = (!down.is_empty()).then_some(LeftToDo::MembersDown(down));
        let runs = self.findings.iter().filter_map(|finding| match finding.kind {
            FindingKind::OpenRun { run, .. } => Some(LeftToDo::OpenRun { run }),
            _ => None,
        });
        let retired = self.findings.iter().filter_map(|finding| match &finding.kind {
            FindingKind::RetiredAnswers { run, state: RetiredState::Serve, servers } => {
                let servers = servers.iter().map(|server| server.id).collect();
                Some(LeftToDo::RetiredServe { run: *run, servers })
            }
            FindingKind::MembersRetired { run, members, .. } => {
                Some(LeftToDo::MembersRetired { run: *run, members: members.clone() })
            }
            _ => None,
        });
        down.into_iter().chain(runs.take(1)).chain(retired).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Example;
    use crate::observe::{AskedServer, Finding};

    fn facts() -> Facts {
        Example::new("1 2", "1 2").facts()
    }

    fn with(kind: FindingKind) -> Vec<LeftToDo> {
        let mut facts = facts();
        facts.findings.push(Finding { kind, server: None });
        facts.left_to_do()
    }

    /// A pipeline takes an ensemble for what its spec wants where this is empty.
    #[test]
    fn each_thing_that_is_left_to_be_done_is_named() {
        let mut facts = facts();
        assert_eq!(facts.left_to_do(), []);
        facts.synced.remove(&ServerId::new(2));
        assert_eq!(facts.left_to_do(), [LeftToDo::MembersDown([ServerId::new(2)].into())]);
        let run = FindingKind::OpenRun {
            run: 3,
            plan_id: String::new(),
            opened_by: String::new(),
            opened_at: String::new(),
            locked_by: None,
            goes_on: true,
            because: None,
            masked: false,
        };
        assert_eq!(with(run), [LeftToDo::OpenRun { run: 3 }]);
        let retired = |state| FindingKind::RetiredAnswers {
            run: 1,
            state,
            servers: vec![AskedServer { id: ServerId::new(9), at: None, mode: None }],
        };
        let serve = LeftToDo::RetiredServe { run: 1, servers: vec![ServerId::new(9)] };
        assert_eq!(with(retired(RetiredState::Serve)), [serve]);
        assert_eq!(with(retired(RetiredState::Follow)), [], "it only has to be stopped");
        let members = BTreeSet::from([ServerId::new(1)]);
        let kind =
            FindingKind::MembersRetired { run: 1, members: members.clone(), moved_to: Vec::new() };
        assert_eq!(with(kind), [LeftToDo::MembersRetired { run: 1, members }]);
    }
}

//! From which step of a plan on reconfigs alone do not lead back to its base.

use std::collections::BTreeSet;

use super::{Action, ChangeVerb, Plan, Step, StepId};
use crate::model::{ServerId, SettingName};

/// The first step after which reconfigs alone do not lead back to the base of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoReturn {
    /// The step.
    pub step: StepId,
    /// The servers for which it is so, on this step and on later ones.
    pub servers: BTreeSet<ServerId>,
    /// Why.
    pub because: NoReturnReason,
}

/// Why reconfigs alone do not lead back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoReturnReason {
    /// Members get `reconfigEnabled=true`. While some have it and others do not, a server can get
    /// stuck (ZKQ15): the only safe way is forward.
    SwitchesReconfigOn,
    /// A server with an id outside 1 to 254 leaves. No server may join with such an id (ZKQ11).
    IdCannotJoin,
    /// A server leaves that was not seen up and in sync. It does not follow without a vote.
    WasDown,
    /// The id of the server goes to another machine. It returns only to a blank one (ZKQ11).
    IdMoves,
    /// The process of a server that left is stopped. Its own configuration does not contain it, so
    /// that it does not start again with its own files (`QuorumPeerConfig.checkValidity`: "My id 1
    /// not in the peer list").
    Stopped,
}

impl Plan {
    /// The first step after which reconfigs alone do not lead back; `None` where there is none.
    pub fn no_return(&self) -> Option<NoReturn> {
        let (step, _, because) = self.steps().find_map(|step| {
            let (servers, because) = self.ends_the_way_back(step)?;
            Some((step.id.clone(), servers, because))
        })?;
        let of_it = self.steps().filter_map(|step| self.ends_the_way_back(step));
        let servers = of_it.filter(|(_, why)| *why == because).flat_map(|(servers, _)| servers);
        Some(NoReturn { step, servers: servers.collect(), because })
    }

    /// The servers for which a step ends the way back, and why.
    fn ends_the_way_back(&self, step: &Step) -> Option<(BTreeSet<ServerId>, NoReturnReason)> {
        let moves = |id: ServerId| self.facts.other_machine.contains(&id);
        match &step.action {
            Action::Restart(restart) => restart
                .brings
                .contains(&SettingName::ReconfigEnabled)
                .then(|| ([restart.server].into(), NoReturnReason::SwitchesReconfigOn)),
            Action::Stop(id) | Action::AskToStop(id) => {
                let because =
                    if moves(*id) { NoReturnReason::IdMoves } else { NoReturnReason::Stopped };
                Some(([*id].into(), because))
            }
            Action::Reconfig { parts, .. } => {
                let leaves = parts.iter().filter(|part| part.change == ChangeVerb::Leave);
                let why = |id: ServerId| {
                    let is_down = !self.facts.synced.contains(&id);
                    match (id.is_valid_in_spec(), is_down, moves(id)) {
                        (_, true, true) => Some(NoReturnReason::IdMoves),
                        (false, _, false) => Some(NoReturnReason::IdCannotJoin),
                        (true, true, false) => Some(NoReturnReason::WasDown),
                        (_, false, true) | (true, false, false) => None,
                    }
                };
                let found: Vec<_> =
                    leaves.filter_map(|part| Some((part.server, why(part.server)?))).collect();
                let because = found.first()?.1;
                let of_it = found.into_iter().filter(|(_, why)| *why == because);
                Some((of_it.map(|(id, _)| id).collect(), because))
            }
            Action::AwaitJoiner(_)
            | Action::Gate(_)
            | Action::Start(_)
            | Action::AttestBlank(_)
            | Action::Prove(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Example;

    fn found(example: &Example) -> Option<(String, Vec<i64>, NoReturnReason)> {
        let checked = crate::example::planned(&example.target(), &example.facts());
        let NoReturn { step, servers, because } = checked.plan().no_return()?;
        Some((step.to_string(), servers.into_iter().map(ServerId::get).collect(), because))
    }

    #[test]
    fn the_first_stop_of_a_server_that_left_ends_the_way_back() {
        let moved = found(&Example::new("1 2 3", "4 5 6"));
        assert_eq!(moved, Some(("stop-1".into(), vec![1, 2, 3], NoReturnReason::Stopped)));
        assert_eq!(found(&Example::new("1 2 3", "1 2 3 4 5")), None, "all of it can be undone");
        assert_eq!(found(&Example::new("1 2 3o", "1 2 3")), None);
    }

    #[test]
    fn a_member_that_is_down_or_has_an_odd_id_is_lost_when_it_leaves() {
        let down = found(&Example::new("1 2 3 4", "1 2 3").down("4"));
        assert_eq!(down, Some(("leave-4".into(), vec![4], NoReturnReason::WasDown)));
        let odd = found(&Example::new("1 2 3 300", "1 2 3"));
        assert_eq!(odd, Some(("leave-300".into(), vec![300], NoReturnReason::IdCannotJoin)));
    }
}

//! In which order servers are restarted.

use std::collections::BTreeSet;

use crate::model::ServerId;

/// The order of a rolling restart: one server at a time, the next only when the last one is back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartOrder {
    /// The servers, in order: by id, and the leader last, so that the ensemble elects once. A restart
    /// can move the leader: who leads is read again before each.
    pub servers: Vec<ServerId>,
    /// The one that leads, if it is among them.
    pub leader: Option<ServerId>,
    /// Whether the roll has to be finished once it was begun, because it switches `reconfigEnabled` on.
    ///
    /// Once an enabled server has led, the ensemble has a config version. A server that starts with its
    /// old file then may look for a leader for ever (`FastLeaderElection.WorkerReceiver`), and under a
    /// leader with its old file a server with a version is refused for ever (`LearnerHandler`, "Follower
    /// is ahead of the leader"). Either serves again after a restart with `reconfigEnabled=true`.
    pub only_forward: bool,
}

impl RestartOrder {
    /// The order for these servers; `enables` says whether `reconfigEnabled` is switched on.
    pub fn of(servers: &BTreeSet<ServerId>, leader: Option<ServerId>, enables: bool) -> Self {
        let leader = leader.filter(|leader| servers.contains(leader));
        let first = servers.iter().copied().filter(|id| Some(*id) != leader);
        Self { servers: first.chain(leader).collect(), leader, only_forward: enables }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_is_last() {
        let ids = |ids: &[i64]| ids.iter().copied().map(ServerId::new).collect::<Vec<_>>();
        let of = |leader: i64| {
            let servers = ids(&[1, 2, 3]).into_iter().collect();
            RestartOrder::of(&servers, Some(ServerId::new(leader)), true)
        };
        assert_eq!(of(2).servers, ids(&[1, 3, 2]));
        assert_eq!((of(7).servers, of(7).leader), (ids(&[1, 2, 3]), None));
        assert!(of(2).only_forward);
    }
}

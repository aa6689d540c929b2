//! Requests that change an ensemble: their meaning, and the form in which they are sent.

use super::{Membership, Server, ServerId};

/// What one reconfig request changes.
///
/// A server that changes only its role or address is in `joining`: ZooKeeper updates it in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconfig {
    /// Server lines to add or replace, by id.
    pub joining: Vec<Server>,
    /// Ids to remove, ascending.
    pub leaving: Vec<ServerId>,
}

impl Reconfig {
    /// A request that adds or updates one server.
    pub fn join(server: Server) -> Self {
        Self { joining: vec![server], leaving: Vec::new() }
    }

    /// A request that removes one server.
    pub fn leave(id: ServerId) -> Self {
        Self { joining: Vec::new(), leaving: vec![id] }
    }
}

impl Membership {
    /// The membership after a reconfig: removals first, then additions
    /// (`PrepRequestProcessor`, `case OpCode.reconfig`).
    #[must_use]
    pub fn with(&self, reconfig: &Reconfig) -> Self {
        let mut next = self.clone();
        reconfig.leaving.iter().for_each(|id| next.remove(*id));
        reconfig.joining.iter().cloned().for_each(|server| next.put(server));
        next
    }
}

/// The form in which a request is sent (`ReconfigRequest`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// Servers to add and to remove (`joiningServers`, `leavingServers`).
    Incremental(Reconfig),
    /// The whole list of members (`newMembers`).
    Full(Membership),
}

impl Update {
    /// The form that an ensemble with these members accepts. The whole list is sent in two cases:
    /// groups and weights can be changed in no other way, and a server without a plain client port
    /// is accepted in no other way (`PrepRequestProcessor`, `case OpCode.reconfig`).
    pub fn of(now: &Membership, reconfig: &Reconfig) -> Self {
        if now.is_weighted() || reconfig.joining.iter().any(|server| server.client.is_none()) {
            Self::Full(now.with(reconfig))
        } else {
            Self::Incremental(reconfig.clone())
        }
    }

    /// A request that changes only the config version. It removes an id that no member has, which
    /// ZooKeeper ignores, or it sends the whole list unchanged.
    pub fn fence(now: &Membership) -> Self {
        // A late request must not name an id that was assigned to a server in the meantime.
        let mut ids = (Self::HIGHEST_GIVEN + 1..i64::MAX).map(ServerId::new);
        let free = ids.find(|id| !now.contains(*id));
        Self::of(now, &Reconfig::leave(free.unwrap_or(ServerId::new(i64::MAX))))
    }

    /// No spec may use an id above this one.
    const HIGHEST_GIVEN: i64 = 254;

    /// The membership that results when it is applied to `now`.
    #[must_use]
    pub fn applied(&self, now: &Membership) -> Membership {
        match self {
            Self::Incremental(reconfig) => now.with(reconfig),
            Self::Full(members) => members.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Membership {
        Membership::parse(text).unwrap()
    }

    #[test]
    fn only_the_whole_list_changes_groups_and_weights() {
        let leave = Reconfig::leave(ServerId::new(2));
        let majority = members("server.1=a:1:2\nserver.2=b:1:2");
        assert_eq!(Update::of(&majority, &leave), Update::Incremental(leave.clone()));
        let weighted = members("server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1:2");
        let left = members("server.1=a:1:2\ngroup.1=1");
        assert_eq!(Update::of(&weighted, &leave), Update::Full(left));
    }

    #[test]
    fn only_the_whole_list_lets_a_server_without_a_plain_client_port_in() {
        let now = members("server.1=a:1:2");
        let join = Reconfig::join(Server::parse_line("server.2=b:1:2").unwrap());
        let both = members("server.1=a:1:2\nserver.2=b:1:2");
        assert_eq!(Update::of(&now, &join), Update::Full(both));
    }

    #[test]
    fn a_fence_leaves_the_members_as_they_are() {
        for groups in ["", "group.1=1:2"] {
            let now = members(&format!("server.1=a:1:2\nserver.2=b:1:2\n{groups}"));
            assert_eq!(Update::fence(&now).applied(&now), now);
        }
    }
}

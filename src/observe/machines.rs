//! Whether a member that is wanted at another host stays on its machine.
//!
//! The first row that fits decides.
//!
//! | seen | the machine |
//! |---|---|
//! | both hosts share an address | is the same, unless the id answers there at another client port too |
//! | it leads or follows this ensemble with its id at the wanted address, and not at the old one | is the same |
//! | the wanted host does not resolve | is not known |
//! | it leads or follows at its old address, or a server of another ensemble is at the wanted one | is another one |
//! | the old host is a wildcard, or a server that serves nothing is at the wanted address | is not known |
//! | the old host does not resolve | is not known |
//! | nothing of that: the wanted host has addresses of its own | is another one |

use std::collections::BTreeMap;

use super::{NotShown, Observation, ServerObservation, ServerStatus, TargetProbe};
use crate::ensemble::{Mode, NoAnswer};
use crate::model::{Endpoint, Host, Server, TargetServer};

/// The evidence about the machine on which a member is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    /// It holds the vote.
    Same,
    /// It does not.
    Other,
    /// That was not seen.
    Unknown(NotShown),
}

/// Whether two hosts are written alike or resolve to a common address. A wildcard is no machine.
pub(super) fn shares(resolved: &BTreeMap<String, Vec<String>>, one: &Host, other: &Host) -> bool {
    let addresses = |host: &Host| resolved.get(&host.canonical());
    let common = |one: &Vec<String>, other: &Vec<String>| one.iter().any(|at| other.contains(at));
    one == other || addresses(one).zip(addresses(other)).is_some_and(|(a, b)| common(a, b))
}

/// Whether a member is wanted on the machine that holds its vote.
pub(super) fn machine(seen: &Observation, now: &Server, wanted: &TargetServer) -> Machine {
    let [was, is] = [now, &wanted.server].map(|server| &server.peer().host);
    if shares(&seen.resolved, was, is) {
        let other = has_another_process(seen, now);
        return if other { Machine::Other } else { Machine::Same };
    }
    let observed = seen.servers.get(&now.id);
    let there = seen.wanted_at.get(&now.id);
    let reached_at = observed.map(|observed| observed.reached_at.as_slice()).unwrap_or_default();
    let is_old = |at: &Endpoint| {
        now.client_endpoint().as_ref() == Some(at)
            || !was.is_wildcard() && shares(&seen.resolved, &at.host, was)
    };
    let answers_there = there.is_some_and(|there| reached_at.contains(&there.endpoint));
    let is_at_old = reached_at.iter().any(is_old);
    if answers_there && !is_at_old {
        return Machine::Same;
    }
    let has_no_address =
        |host: &Host| seen.resolved.get(&host.canonical()).is_none_or(Vec::is_empty);
    let waits = there.is_some_and(|there| there.silence == Some(NoAnswer::NotServing));
    if has_no_address(is) {
        Machine::Unknown(NotShown::WantedHost)
    } else if is_at_old || is_another_ensemble(observed, there) {
        Machine::Other
    } else if was.is_wildcard() || waits {
        Machine::Unknown(NotShown::NoAnswer)
    } else if has_no_address(was) {
        Machine::Unknown(NotShown::PresentHost)
    } else {
        Machine::Other
    }
}

/// Whether the server at the wanted address does not belong to this ensemble.
fn is_another_ensemble(observed: Option<&ServerObservation>, there: Option<&TargetProbe>) -> bool {
    let Some(there) = there else { return false };
    let serves_elsewhere = |observed: &ServerObservation| {
        observed.endpoint.as_ref() == Some(&there.endpoint)
            && matches!(observed.status, ServerStatus::OtherConfiguration | ServerStatus::ReadOnly)
    };
    there.mode == Some(Mode::Standalone) || observed.is_some_and(serves_elsewhere)
}

/// Whether a second process answers with the id of a member on its machine. A process listens on
/// one client port, so the same id on another port is another process. A member that gets a new
/// address in place has no process on its new port yet.
fn has_another_process(seen: &Observation, now: &Server) -> bool {
    let plain = |at: &&Endpoint| !at.tls;
    let at = seen.wanted_at.get(&now.id).filter(|at| at.own_id == Some(now.id));
    match (now.client_endpoint().as_ref().filter(plain), at.map(|at| &at.endpoint).filter(plain)) {
        (Some(one), Some(other)) => one.port != other.port,
        _ => false,
    }
}

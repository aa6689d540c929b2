//! The ports of every server, as this machine reaches them.

use super::check::Check;
use super::codes::CheckKind;
use super::evidence::{CheckRemedy, Evidence};
use super::view::View;
use crate::ensemble::{NoAnswer, PortState};
use crate::observe::{ServerObservation, ServerStatus};

pub(super) fn checks(view: View<'_>) -> Vec<Check> {
    view.servers()
        .flat_map(|observed| {
            [
                client(view, observed),
                election(view, observed),
                quorum(view, observed),
                other_address(view, observed),
            ]
        })
        .collect()
}

fn client(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::ClientPort;
    let id = Some(observed.id);
    let Some(at) = observed.endpoint.as_ref().map(ToString::to_string) else {
        return Check::unknown(KIND, id, Evidence::NotAsked, CheckRemedy::NameClientAddress);
    };
    let why = match &observed.status {
        _ if observed.mode.is_some() => None,
        ServerStatus::Silent(why) => Some(*why),
        ServerStatus::NotServing => Some(NoAnswer::NotServing),
        _ => None,
    };
    match why {
        // It answers, and what it says is the subject of other checks.
        None | Some(NoAnswer::NotServing) => {
            Check::pass(KIND, id, Evidence::Answers { at, mode: observed.mode })
        }
        Some(_) if view.is_to_start(observed) => {
            Check::unknown(KIND, id, Evidence::NotRunning, CheckRemedy::StartJoiner)
        }
        Some(why) => {
            let evidence = Evidence::Silent { at, why };
            fails_if_it_stays(view, observed, KIND, (evidence, CheckRemedy::ReachClientPort))
        }
    }
}

/// Who leaves by the plan may be down already: that is no reason against it.
fn fails_if_it_stays(
    view: View<'_>,
    observed: &ServerObservation,
    kind: CheckKind,
    (evidence, remedy): (Evidence, CheckRemedy),
) -> Check {
    if view.is_wanted(observed.id) {
        Check::fail(kind, Some(observed.id), evidence, remedy)
    } else {
        Check::advise(kind, Some(observed.id), evidence, remedy)
    }
}

/// `host:port` of its line, or of the line that it is to have.
fn listens_at(view: View<'_>, observed: &ServerObservation, is_quorum: bool) -> Option<String> {
    let line =
        view.seen.config.membership.get(observed.id).or_else(|| view.target.line(observed.id))?;
    let peer = line.peer();
    let port = if is_quorum { peer.quorum_port } else { peer.election_port };
    let host = if peer.host.is_wildcard() { &observed.endpoint.as_ref()?.host } else { &peer.host };
    Some(format!("{host}:{port}"))
}

fn election(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::ElectionPort;
    let id = Some(observed.id);
    let (Some(at), Some(state)) = (listens_at(view, observed, false), observed.election_port)
    else {
        return Check::unknown(KIND, id, Evidence::NotAsked, CheckRemedy::NameClientAddress);
    };
    match state {
        PortState::Open => Check::pass(KIND, id, Evidence::Port { at, state }),
        _ if view.is_to_start(observed) => {
            Check::unknown(KIND, id, Evidence::NotRunning, CheckRemedy::StartJoiner)
        }
        _ => {
            let evidence = Evidence::Port { at, state };
            fails_if_it_stays(view, observed, KIND, (evidence, CheckRemedy::OpenPort))
        }
    }
}

fn quorum(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::QuorumPort;
    let id = Some(observed.id);
    if view.seen.leader != id {
        let follows = observed.status.is_healthy();
        let evidence = Evidence::NotLeader { follows };
        return Check::unknown(KIND, id, evidence, CheckRemedy::KnownWhenItLeads);
    }
    let (Some(at), Some(state)) = (listens_at(view, observed, true), observed.quorum_port) else {
        return Check::unknown(KIND, id, Evidence::NotAsked, CheckRemedy::NameClientAddress);
    };
    let evidence = Evidence::Port { at, state };
    let follow = view.servers().any(|other| Some(other.id) != id && other.status.is_healthy());
    match state {
        PortState::Open => Check::pass(KIND, id, evidence),
        // The others are connected to it, so that this machine alone does not reach it.
        _ if follow => Check::advise(KIND, id, evidence, CheckRemedy::OpenPort),
        _ => Check::fail(KIND, id, evidence, CheckRemedy::OpenPort),
    }
}

fn other_address(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::OtherAddress;
    let id = Some(observed.id);
    let Some((at, state)) = view.answers(observed.id).and_then(|own| own.other_address.clone())
    else {
        return Check::pass(KIND, id, Evidence::NoOtherAddress);
    };
    let evidence = Evidence::Port { at, state };
    let there = view.seen.wanted_at.get(&observed.id);
    let is_there = there.is_some_and(|there| there.own_id == id);
    match state {
        PortState::Open => Check::pass(KIND, id, evidence),
        PortState::Refused if is_there => {
            Check::fail(KIND, id, evidence, CheckRemedy::ListenOnAllIps)
        }
        // It may be another machine, on which nothing runs yet.
        _ => Check::unknown(KIND, id, evidence, CheckRemedy::ListenOnAllIps),
    }
}

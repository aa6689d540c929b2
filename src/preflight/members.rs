//! Who the servers are, and whether they are one ensemble.

use std::collections::BTreeSet;

use super::check::Check;
use super::codes::CheckKind;
use super::evidence::{CheckRemedy, Evidence, StateWord};
use super::view::View;
use crate::ensemble::Mode;
use crate::model::Host;
use crate::observe::{
    Finding, FindingKind, PlainPort, RetiredState, ServerObservation, ServerStatus,
};
use crate::trust::FolderSeen;

pub(super) fn checks(view: View<'_>) -> Vec<Check> {
    let of_servers = view.servers().flat_map(|observed| {
        [
            own_id(view, observed),
            Some(in_sync(view, observed)),
            Some(addresses(view, observed)),
            epoch(view, observed),
            tls_only(view, observed),
        ]
    });
    of_servers.flatten().chain([one_leader(view), retired(view), earlier_runs(view)]).collect()
}

fn own_id(view: View<'_>, observed: &ServerObservation) -> Option<Check> {
    const KIND: CheckKind = CheckKind::OwnId;
    let id = Some(observed.id);
    let wanted_at = view.seen.wanted_at.get(&observed.id);
    let other = match &observed.status {
        ServerStatus::AnswersAs(other) => Some(*other),
        _ => wanted_at.and_then(|at| at.own_id).filter(|own| *own != observed.id),
    };
    if other.is_some() {
        return Some(Check::fail(KIND, id, Evidence::Id { own: other }, CheckRemedy::CorrectId));
    }
    // Who does not answer is the subject of another check.
    observed.mode?;
    let own = observed.own_id.map(|own| own.value);
    Some(match own {
        Some(_) => Check::pass(KIND, id, Evidence::Id { own }),
        None => Check::unknown(KIND, id, Evidence::Id { own }, CheckRemedy::AllowConf),
    })
}

/// The state of a server in one word.
pub(super) const fn word(status: &ServerStatus) -> StateWord {
    match status {
        ServerStatus::Leading => StateWord::Leads,
        ServerStatus::Following | ServerStatus::FollowingWithoutVote => StateWord::Follows,
        ServerStatus::Observing => StateWord::Observes,
        ServerStatus::Behind => StateWord::Behind,
        ServerStatus::OtherConfiguration => StateWord::OtherConfiguration,
        ServerStatus::OwnFile => StateWord::OwnFile,
        ServerStatus::ConfigNotInForce => StateWord::OldConfiguration,
        ServerStatus::AnswersAs(_) => StateWord::OtherId,
        ServerStatus::IdUnknown => StateWord::IdUnknown,
        ServerStatus::Standalone => StateWord::Standalone,
        ServerStatus::ReadOnly => StateWord::ReadOnly,
        ServerStatus::NotServing => StateWord::NotServing,
        ServerStatus::Silent(_) => StateWord::NoAnswer,
        ServerStatus::NotAsked | ServerStatus::Assumed => StateWord::NotAsked,
    }
}

fn in_sync(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::InSync;
    let id = Some(observed.id);
    let member = view.is_member(observed.id);
    let status = word(&observed.status);
    let evidence = Evidence::Status { member, status };
    match status {
        StateWord::Leads | StateWord::Follows | StateWord::Observes | StateWord::OwnFile => {
            Check::pass(KIND, id, evidence)
        }
        StateWord::NotAsked => Check::unknown(KIND, id, evidence, CheckRemedy::NameClientAddress),
        StateWord::IdUnknown => Check::unknown(KIND, id, evidence, CheckRemedy::AllowConf),
        _ if view.is_to_start(observed) && status == StateWord::NoAnswer => {
            Check::unknown(KIND, id, Evidence::NotRunning, CheckRemedy::StartJoiner)
        }
        // It is still copying, or looks for the ensemble: apply waits for it.
        StateWord::Behind | StateWord::NotServing if !member => {
            Check::unknown(KIND, id, evidence, CheckRemedy::AskAgain)
        }
        StateWord::Standalone if !member => {
            Check::fail(KIND, id, evidence, CheckRemedy::StandaloneData)
        }
        // To take a server out that is down is what the spec may want.
        _ if member && !view.is_wanted(observed.id) => {
            Check::advise(KIND, id, evidence, CheckRemedy::BringBack)
        }
        _ => Check::fail(KIND, id, evidence, CheckRemedy::BringBack),
    }
}

fn addresses(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::Addresses;
    let id = Some(observed.id);
    let found = view.seen.findings.iter().filter(|finding| finding.server == id);
    let bad = found.clone().find(|finding| {
        matches!(
            finding.kind,
            FindingKind::WildcardHost { .. }
                | FindingKind::HostileName { .. }
                | FindingKind::FileDiffers { is_alike: false, .. }
        )
    });
    if let Some(finding) = bad {
        return Check::advise(KIND, id, of(finding), CheckRemedy::SeeFinding);
    }
    let lines = [view.seen.config.membership.get(observed.id), view.target.line(observed.id)];
    let hosts = lines.into_iter().flatten().flat_map(|line| {
        let client = line.client.iter().map(|client| &client.host);
        line.peers.iter().map(|peer| &peer.host).chain(client)
    });
    let has_none = |host: &&Host| {
        let known = view.seen.resolved.get(&host.canonical());
        !host.is_wildcard() && host.literal().is_none() && known.is_none_or(Vec::is_empty)
    };
    let unresolved: BTreeSet<String> = hosts.filter(has_none).map(ToString::to_string).collect();
    if unresolved.is_empty() {
        Check::pass(KIND, id, Evidence::Resolves)
    } else {
        let evidence = Evidence::Unresolved { hosts: unresolved };
        // Servers may have names that only they resolve.
        if observed.status.is_healthy() {
            Check::advise(KIND, id, evidence, CheckRemedy::CorrectHosts)
        } else {
            Check::fail(KIND, id, evidence, CheckRemedy::CorrectHosts)
        }
    }
}

/// The finding as evidence.
pub(super) fn of(finding: &Finding) -> Evidence {
    Evidence::Found { code: finding.kind.code(), details: finding.kind.clone() }
}

/// A joiner whose data have an epoch above the leader's looks for a leader for ever
/// (`Learner.registerWithLeader`): `acceptedEpoch` itself shows on its disk alone.
fn epoch(view: View<'_>, observed: &ServerObservation) -> Option<Check> {
    const KIND: CheckKind = CheckKind::Epoch;
    if view.is_member(observed.id) {
        return None;
    }
    let id = Some(observed.id);
    let remedy = CheckRemedy::EmptyDataDirectory;
    if observed.status == ServerStatus::NotServing {
        return Some(Check::unknown(KIND, id, Evidence::LooksForLeader, remedy));
    }
    let (Some(own), Some(leader)) = (observed.zxid, view.seen.leader_reached()) else {
        return Some(Check::unknown(KIND, id, Evidence::NotRunning, CheckRemedy::StartJoiner));
    };
    let (own, leader) = (own.epoch(), leader.epoch());
    let evidence = Evidence::Epochs { own, leader };
    Some(if own > leader {
        Check::fail(KIND, id, evidence, remedy)
    } else {
        Check::pass(KIND, id, evidence)
    })
}

/// A server without a plain client port would open one, or hang, if its line got one
/// (`QuorumPeer.processReconfig`, ZOOKEEPER-4276).
fn tls_only(view: View<'_>, observed: &ServerObservation) -> Option<Check> {
    const KIND: CheckKind = CheckKind::TlsOnly;
    let id = Some(observed.id);
    let wanted = view.target.line(observed.id)?;
    let now = view.seen.config.membership.get(observed.id);
    let gets_one = wanted.client.is_some() && now.is_none_or(|now| now.client.is_none());
    let there = view.seen.wanted_at.get(&observed.id);
    let port = there.map_or(PlainPort::Unknown, |there| there.plain_port);
    let is_by_tls = there.is_some_and(|there| there.endpoint.tls);
    Some(match port {
        _ if !gets_one => Check::pass(KIND, id, Evidence::PlainPortFits),
        PlainPort::Nowhere => {
            Check::fail(KIND, id, Evidence::NoPlainPort, CheckRemedy::NoClientPort)
        }
        PlainPort::At(_) => Check::pass(KIND, id, Evidence::PlainPortFits),
        // It was reached at that very port, without TLS.
        PlainPort::Unknown if observed.mode.is_some() && !is_by_tls => {
            Check::pass(KIND, id, Evidence::PlainPortFits)
        }
        PlainPort::Unknown if view.is_to_start(observed) => {
            Check::unknown(KIND, id, Evidence::NotRunning, CheckRemedy::StartJoiner)
        }
        PlainPort::Unknown => {
            Check::unknown(KIND, id, Evidence::PlainPortUnknown, CheckRemedy::AllowConf)
        }
    })
}

fn one_leader(view: View<'_>) -> Check {
    const KIND: CheckKind = CheckKind::OneLeader;
    let leads = |observed: &&ServerObservation| observed.mode == Some(Mode::Leader);
    let others = view.seen.strangers.iter().filter(leads);
    let others = others.chain(
        view.servers().filter(leads).filter(|observed| Some(observed.id) != view.seen.leader),
    );
    let at: Vec<String> = others
        .map(|observed| observed.endpoint.as_ref().map_or_else(String::new, ToString::to_string))
        .collect();
    if !at.is_empty() {
        let evidence = Evidence::OtherLeaders { at };
        return Check::fail(KIND, None, evidence, CheckRemedy::OneEnsemble);
    }
    let count = |status: &ServerStatus| {
        view.servers().filter(|observed| observed.status == *status).count()
    };
    let leader = view.seen.leader;
    let evidence = Evidence::Leader {
        leader,
        followers: count(&ServerStatus::Following),
        observers: count(&ServerStatus::Observing),
    };
    match leader {
        Some(_) => Check::pass(KIND, None, evidence),
        None => Check::unknown(KIND, None, evidence, CheckRemedy::NameClientAddress),
    }
}

fn retired(view: View<'_>) -> Check {
    const KIND: CheckKind = CheckKind::Retired;
    let Some(findings) = journal(view) else {
        return Check::unknown(KIND, None, Evidence::JournalUnread, CheckRemedy::ReadJournal);
    };
    let is_grave = |finding: &&Finding| match &finding.kind {
        FindingKind::RetiredAnswers { state, .. } => *state == RetiredState::Serve,
        FindingKind::MembersRetired { .. } => true,
        _ => false,
    };
    let is_any = |finding: &&Finding| matches!(finding.kind, FindingKind::RetiredAnswers { .. });
    let remedy = CheckRemedy::SeeFinding;
    match (findings.iter().find(is_grave), findings.iter().find(is_any)) {
        (Some(grave), _) => Check::fail(KIND, None, of(grave), remedy),
        (None, Some(follows)) => Check::advise(KIND, None, of(follows), remedy),
        (None, None) => Check::pass(KIND, None, Evidence::NoneRetired),
    }
}

fn earlier_runs(view: View<'_>) -> Check {
    const KIND: CheckKind = CheckKind::EarlierRuns;
    let Some(findings) = journal(view) else {
        return Check::unknown(KIND, None, Evidence::JournalUnread, CheckRemedy::ReadJournal);
    };
    let is_in_the_way = |finding: &&Finding| match &finding.kind {
        FindingKind::FolderNotProven(_) => true,
        FindingKind::OpenRun { goes_on, .. } => !goes_on,
        _ => false,
    };
    match findings.iter().find(is_in_the_way) {
        Some(finding) => Check::fail(KIND, None, of(finding), CheckRemedy::SeeFinding),
        None => Check::pass(KIND, None, Evidence::NoRunInTheWay),
    }
}

/// What earlier applies left. Where there is no folder there was none.
fn journal(view: View<'_>) -> Option<&[Finding]> {
    match view.seen.folder {
        FolderSeen::Empty => Some(&[]),
        FolderSeen::Closed(_) | FolderSeen::Unproven(_) => view.answers.earlier.as_deref(),
    }
}

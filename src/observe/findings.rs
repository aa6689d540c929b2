//! The findings of an observation, apart from obstacles.

use std::collections::{BTreeMap, BTreeSet};

use super::bugs::known_bugs;
use super::finding_kind::{JoinersRun, WithoutDigests};
use super::machines::shares;
use super::{
    DataProof, DataSeen, Digests, Finding, FindingKind, Observation, ServerObservation,
    ServerStatus,
};
use crate::ensemble::{ConfigRead, NoAnswer, PortState, ServerVersion};
use crate::model::{EnsembleConfig, Membership, PeerAddress, ServerId};

/// All findings of an observation, in canonical order.
pub(super) fn findings(seen: &Observation, reading: &ConfigRead) -> Vec<Finding> {
    let mut findings = of_membership(&seen.config.membership);
    if was_written(reading) {
        findings.push(Finding { kind: FindingKind::ConfigWritten, server: None });
    }
    for (id, observed) in &seen.servers {
        let about = |kind| Finding { kind, server: Some(*id) };
        findings.extend(of_server(seen, observed).into_iter().map(about));
    }
    findings.extend(mixed_versions(seen));
    findings.extend(local_sessions(seen));
    findings.extend(init_limits(seen));
    findings.extend(known_bugs(seen));
    findings.sort();
    findings.dedup();
    findings
}

/// The findings of the text of a membership alone.
pub(super) fn of_membership(membership: &Membership) -> Vec<Finding> {
    let mut findings = Vec::new();
    for server in membership.servers() {
        let mut found = |kind| findings.push(Finding { kind, server: Some(server.id) });
        if !server.id.is_valid_in_spec() {
            found(FindingKind::UnwantableId);
        }
        let quorum = server.peers.iter().map(|peer| &peer.host);
        for host in quorum.clone().filter(|host| host.is_wildcard()) {
            found(FindingKind::WildcardHost { host: host.clone() });
        }
        for host in quorum.chain(server.client.iter().map(|client| &client.host)) {
            if !host.is_plain() {
                found(FindingKind::HostileName { host: host.clone() });
            }
        }
    }
    findings
}

/// Whether the configuration's znode was written by hand. ZooKeeper itself keeps its data version
/// at −1 and its mzxid at the version of the configuration (`ZKDatabase.initConfigInZKDatabase`).
fn was_written(reading: &ConfigRead) -> bool {
    let Ok(config) = EnsembleConfig::parse(&reading.config) else { return true };
    let mzxid = u64::try_from(reading.config_mzxid).ok();
    reading.config_data_version != -1 || mzxid != Some(config.version.as_zxid().get())
}

fn of_server(seen: &Observation, observed: &ServerObservation) -> Vec<FindingKind> {
    let mut found = Vec::new();
    let member = seen.config.membership.contains(observed.id);
    match &observed.status {
        ServerStatus::Silent(NoAnswer::Closed) if member => {
            found.push(FindingKind::MemberClosesConnections);
        }
        ServerStatus::Silent(_) | ServerStatus::NotServing if member => {
            found.push(FindingKind::MemberSilent);
        }
        ServerStatus::NotAsked if member => found.push(FindingKind::MemberNotAsked),
        ServerStatus::OtherConfiguration if member => found.push(FindingKind::MemberDisagrees),
        ServerStatus::OwnFile => found.push(FindingKind::MemberKeepsItsFile),
        ServerStatus::ConfigNotInForce if member => found.push(FindingKind::ConfigNotInForce),
        _ => {}
    }
    found.extend(other_file(seen, observed).filter(|_| member));
    // A machine that is down and a name that does not resolve have findings of their own.
    let gone = matches!(
        observed.status,
        ServerStatus::Silent(NoAnswer::Unresolved | NoAnswer::NoRoute | NoAnswer::ConnectTimedOut)
    );
    if observed.quorum_port == Some(PortState::Unreachable) && !gone {
        found.push(FindingKind::QuorumPortUnreachable);
    }
    let closed = observed.election_port.is_some_and(|check_port| check_port != PortState::Open);
    if closed && observed.mode.is_some() {
        found.push(FindingKind::ElectionPortClosed);
    }
    if let Some(count) = observed.data.digest_mismatches.filter(|count| *count > 0) {
        found.push(FindingKind::DigestMismatches { count });
    }
    if observed.data.compared == Some(DataProof::Differ) {
        found.push(FindingKind::DataDiffers);
    }
    found
}

/// Differences between a member's own file and the configuration. Only servers without reconfigs
/// show their files.
fn other_file(seen: &Observation, observed: &ServerObservation) -> Option<FindingKind> {
    let (own, ours) = (&observed.config.as_ref()?.value, &seen.config);
    let are_files = own.version.is_zero() && ours.version.is_zero();
    if !are_files || !own.membership.has_the_votes_of(&ours.membership) {
        return None;
    }
    let lines = own.membership.servers().zip(ours.membership.servers());
    let differ: Vec<_> = lines.filter(|(own, ours)| own.peers != ours.peers).collect();
    let is_own = |id: ServerId, peer: &PeerAddress| id == observed.id && peer.host.is_wildcard();
    let leads_there = |id, own: &PeerAddress, ours: &PeerAddress| {
        let ports = |peer: &PeerAddress| (peer.quorum_port, peer.election_port);
        let there = is_own(id, own) || shares(&seen.resolved, &own.host, &ours.host);
        there && ports(own) == ports(ours)
    };
    let is_alike = differ.iter().all(|(own, ours)| {
        let mut pairs = own.peers.iter().zip(&ours.peers);
        own.peers.len() == ours.peers.len() && pairs.all(|(a, b)| leads_there(own.id, a, b))
    });
    let lines = differ.iter().map(|(own, _)| own.id).collect();
    (!differ.is_empty()).then_some(FindingKind::FileDiffers { lines, is_alike })
}

/// ZKF21: the servers that were seen to keep local sessions, by the words `dump` and `mntr`
/// ([`four_letter`](crate::ensemble::four_letter)).
fn local_sessions(seen: &Observation) -> Option<Finding> {
    let keeps = seen.servers.values().filter(|observed| observed.data.has_local_sessions);
    let servers: BTreeSet<ServerId> = keeps.map(|observed| observed.id).collect();
    let kind = FindingKind::LocalSessions { servers };
    let any = matches!(&kind, FindingKind::LocalSessions { servers } if !servers.is_empty());
    any.then_some(Finding { kind, server: None })
}

/// ZKF26: the servers whose `initLimit` is too low for the size of the data, those with the same one
/// together.
fn init_limits(seen: &Observation) -> Vec<Finding> {
    const ROUNDED_TO: u64 = 5;
    let data = DataSeen::of(seen);
    let Some(needed_ms) = data.needed_ms() else { return Vec::new() };
    let mut alike: BTreeMap<(u64, u64), BTreeSet<ServerId>> = BTreeMap::new();
    for (id, times) in &data.servers {
        let (Some(tick_ms), Some(init_limit)) = (times.tick_ms, times.init_limit) else { continue };
        if tick_ms > 0 && init_limit.saturating_mul(tick_ms) < needed_ms {
            alike.entry((init_limit, tick_ms)).or_default().insert(*id);
        }
    }
    let finding = |((init_limit, tick_ms), servers)| {
        let needed = needed_ms.div_ceil(tick_ms).next_multiple_of(ROUNDED_TO);
        let kind = FindingKind::InitLimitTooLow { servers, init_limit, tick_ms, needed };
        Finding { kind, server: None }
    };
    alike.into_iter().map(finding).collect()
}

/// Whether members run different minor versions.
fn mixed_versions(seen: &Observation) -> Option<Finding> {
    mixed(seen, &BTreeSet::new())
}

/// The findings about the way to a spec, beside those about the members.
pub(super) fn of_joiners(seen: &Observation, joiners: &BTreeSet<ServerId>) -> Vec<Finding> {
    mixed(seen, joiners).into_iter().chain(judged_by_counts(seen, joiners)).collect()
}

/// Whether members and joiners run different minor versions. During a change all of them are in one
/// ensemble at some moment, including servers that leave later.
fn mixed(seen: &Observation, joiners: &BTreeSet<ServerId>) -> Option<Finding> {
    let is_member = |id: &ServerId| seen.config.membership.contains(*id);
    let versions = |counts: &dyn Fn(&ServerId) -> bool| -> BTreeSet<ServerVersion> {
        let counted = seen.servers.iter().filter(|(id, _)| counts(id));
        counted
            .filter_map(|(_, observed)| observed.version.filter(|_| observed.mode.is_some()))
            .collect()
    };
    let members = versions(&is_member);
    let joining = versions(&|id| joiners.contains(id) && !is_member(id));
    let all: BTreeSet<ServerVersion> = members.union(&joining).copied().collect();
    let (lowest, highest) = (*all.first()?, *all.last()?);
    if lowest.line() == highest.line() {
        return None;
    }
    let is_newer = |joins: &ServerVersion| members.last().is_some_and(|m| joins.line() > m.line());
    let is_older = |joins: &ServerVersion| members.first().is_some_and(|m| joins.line() < m.line());
    let joiners = match (joining.iter().any(is_newer), joining.iter().any(is_older)) {
        (false, false) => JoinersRun::AsMembers,
        (true, false) => JoinersRun::Newer,
        (false, true) => JoinersRun::Older,
        (true, true) => JoinersRun::Both,
    };
    Some(Finding { kind: FindingKind::MixedVersions { lowest, highest, joiners }, server: None })
}

/// The joiners whose data cannot be compared by digests, as far as known.
fn judged_by_counts(seen: &Observation, joiners: &BTreeSet<ServerId>) -> Option<Finding> {
    let lacks = |id: &ServerId| match seen.servers.get(id)?.data.digests {
        Digests::Lacking(why) => Some(WithoutDigests { id: *id, why }),
        Digests::Unknown | Digests::Listed(_) => None,
    };
    let leader = seen.leader.as_ref().and_then(lacks);
    let is_member = |id: &ServerId| seen.config.membership.contains(*id);
    let of_joiners: Vec<WithoutDigests> =
        joiners.iter().filter(|id| !is_member(id)).filter_map(lacks).collect();
    let judged: BTreeSet<ServerId> = match leader {
        Some(_) => joiners.clone(),
        None => of_joiners.iter().map(|joiner| joiner.id).collect(),
    };
    let without = leader.into_iter().chain(of_joiners).collect();
    let kind = FindingKind::JudgedByCounts { joiners: judged, without };
    let any = matches!(&kind, FindingKind::JudgedByCounts { joiners, .. } if !joiners.is_empty());
    any.then_some(Finding { kind, server: None })
}

//! What an observation gives reason to say, beside what stands in the way.

use super::bugs::known_bugs;
use super::machines::shares;
use super::{DataProof, Finding, FindingKind, Observation, ServerSight, Standing};
use crate::ensemble::{Knock, Reading, Silence};
use crate::model::{EnsembleConfig, Membership, PeerAddress, ServerId};

/// All findings about what was seen, in canonical order.
pub(super) fn findings(seen: &Observation, reading: &Reading) -> Vec<Finding> {
    let mut findings = of_membership(&seen.config.membership);
    if was_written(reading) {
        findings.push(Finding { kind: FindingKind::ConfigWritten, server: None });
    }
    for (id, sight) in &seen.servers {
        let about = |kind| Finding { kind, server: Some(*id) };
        findings.extend(of_server(seen, sight).into_iter().map(about));
    }
    findings.extend(mixed_versions(seen));
    findings.extend(known_bugs(seen));
    findings.sort();
    findings.dedup();
    findings
}

/// What the text of a membership alone gives reason to say.
pub(super) fn of_membership(membership: &Membership) -> Vec<Finding> {
    let mut findings = Vec::new();
    for server in membership.servers() {
        let mut found = |kind| findings.push(Finding { kind, server: Some(server.id) });
        if !server.id.is_wantable() {
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

/// Whether somebody wrote to the configuration's znode: ZooKeeper itself keeps its data version at
/// −1 and its mzxid at the version of the configuration (`ZKDatabase.initConfigInZKDatabase`).
fn was_written(reading: &Reading) -> bool {
    let Ok(config) = EnsembleConfig::parse(&reading.config) else { return true };
    let mzxid = u64::try_from(reading.config_mzxid).ok();
    reading.config_data_version != -1 || mzxid != Some(config.version.as_zxid().get())
}

fn of_server(seen: &Observation, sight: &ServerSight) -> Vec<FindingKind> {
    let mut found = Vec::new();
    let member = seen.config.membership.contains(sight.id);
    match &sight.standing {
        Standing::Silent(_) | Standing::NotServing | Standing::NotAsked if member => {
            found.push(FindingKind::MemberSilent);
        }
        Standing::OtherConfiguration if member => found.push(FindingKind::MemberDisagrees),
        Standing::ConfigNotInForce if member => found.push(FindingKind::ConfigNotInForce),
        _ => {}
    }
    found.extend(other_file(seen, sight).filter(|_| member));
    // Of a machine that is down or a name that leads nowhere enough is said already.
    let gone = matches!(
        sight.standing,
        Standing::Silent(Silence::Unresolved | Silence::NoRoute | Silence::ConnectTimedOut)
    );
    if sight.quorum_port == Some(Knock::Unreachable) && !gone {
        found.push(FindingKind::QuorumPortUnreachable);
    }
    let closed = sight.election_port.is_some_and(|knock| knock != Knock::Open);
    if closed && sight.mode.is_some() {
        found.push(FindingKind::ElectionPortClosed);
    }
    if let Some(count) = sight.data.digest_mismatches.filter(|count| *count > 0) {
        found.push(FindingKind::DigestMismatches { count });
    }
    if sight.data.compared == Some(DataProof::Differ) {
        found.push(FindingKind::DataDiffers);
    }
    found
}

/// What a member's own file writes otherwise than the configuration; only servers without reconfigs
/// show their files.
fn other_file(seen: &Observation, sight: &ServerSight) -> Option<FindingKind> {
    let (own, ours) = (&sight.config.as_ref()?.value, &seen.config);
    let are_files = own.version.is_zero() && ours.version.is_zero();
    if !are_files || !own.membership.has_the_votes_of(&ours.membership) {
        return None;
    }
    let lines = own.membership.servers().zip(ours.membership.servers());
    let differ: Vec<_> = lines.filter(|(own, ours)| own.peers != ours.peers).collect();
    let is_own = |id: ServerId, peer: &PeerAddress| id == sight.id && peer.host.is_wildcard();
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

/// Whether members run different minor versions.
fn mixed_versions(seen: &Observation) -> Option<Finding> {
    let member = |id: &ServerId| seen.config.membership.contains(*id);
    let members = seen.servers.iter().filter(|(id, _)| member(id));
    let versions: Vec<_> = members.filter_map(|(_, sight)| sight.version).collect();
    let (lowest, highest) = (*versions.iter().min()?, *versions.iter().max()?);
    let differ = (lowest.major, lowest.minor) != (highest.major, highest.minor);
    differ.then_some(Finding { kind: FindingKind::MixedVersions { lowest, highest }, server: None })
}

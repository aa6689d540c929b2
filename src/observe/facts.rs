//! The part of an observation that planning and checking use: only sets and names.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bugs::triggered_bugs;
use super::client_lines;
use super::findings::{of_joiners, of_membership};
use super::machines::{Machine, machine};
use super::settings_compared::settings_differ;
use super::{
    DataProof, DataSeen, Finding, FindingKind, Identity, Observation, OwnPorts, PlainPort,
    ServerObservation, ServerStatus, TargetProbe, contact,
};
use crate::ensemble::Mode;
use crate::model::{
    ClientPart, EnsembleConfig, Host, ReuseIds, Server, ServerId, StandaloneEnabled, Target,
    TargetServer, Zxid,
};

/// The part of an observation that planning and checking use.
///
/// A plan contains its facts, so the same check can be run on the saved file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The configuration that the plan starts from.
    pub base: EnsembleConfig,
    /// Which ensemble it is.
    pub identity: Identity,
    /// The leader, if it is known.
    pub leader: Option<ServerId>,
    /// The leader's last zxid, if it is known. A later survey of the same lineage shows none that
    /// is smaller.
    pub leader_zxid: Option<Zxid>,
    /// Synced members: they answered, they follow the one leader, and they are up to date. The
    /// leader is included.
    pub synced: BTreeSet<ServerId>,
    /// Wanted servers that are no members and follow without a vote at the wanted address, on no
    /// other ports than the wanted ones.
    pub following: BTreeSet<ServerId>,
    /// Failure domains, where they are known.
    pub zones: BTreeMap<ServerId, String>,
    /// Whether a single voter is possible: `standaloneEnabled=false` is asserted by the operator,
    /// or proven by a server that leads alone.
    pub standalone_disabled: bool,
    /// Members that are wanted at another host, if another process runs there.
    pub other_machine: BTreeSet<ServerId>,
    /// Members without a client address that answered with their own id at the wanted address.
    pub client_confirmed: BTreeSet<ServerId>,
    /// The addresses of each host, by its canonical spelling; sorted.
    pub resolved: BTreeMap<String, Vec<String>>,
    /// Reasons why no plan is possible.
    pub obstacles: Vec<Obstacle>,
    /// Things worth knowing.
    pub findings: Vec<Finding>,
    /// Whether no server was asked: those in `synced` are assumed to be up.
    pub assumed: bool,
    /// The size of the data and the times that servers report. No rule depends on them.
    pub data: DataSeen,
}

/// Reasons why no plan is possible (safety rules ZKQ1 and ZKQ11).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Obstacle {
    /// These members run with `reconfigEnabled=false`. None is listed if the configuration came
    /// from a file.
    ReconfigDisabled(BTreeSet<ServerId>),
    /// No committed write was seen.
    NoCommit,
    /// A wanted server runs standalone.
    WantedStandalone(ServerId),
    /// The line of a server would get a plain client port, but the server serves clients only in
    /// TLS. It would open the port only after a restart, and a leader would hang at once
    /// (`QuorumPeer.processReconfig`, ZOOKEEPER-4276).
    NoPlainPort(ServerId),
    /// A wanted server answers with another id.
    WantedAnswersAs(ServerId, ServerId),
    /// A wanted server that is no member serves with another configuration than the ensemble's.
    WantedElsewhere(ServerId),
    /// A server accepts one connection of ours at a time, and an apply needs two: its session and
    /// one request. With its limit (`maxClientCnxns`), if it reports one.
    TakesOneConnection(ServerId, Option<u32>),
    /// A member answers with another id.
    MemberAnswersAs(ServerId, ServerId),
    /// A wanted server that is no member has other data than the leader: those of another ensemble,
    /// or damaged ones. No plan that adds it can be applied.
    WantedDataDiffer(ServerId),
}

impl Facts {
    /// The facts of an observation for the way to a target.
    pub fn of(seen: &Observation, target: &Target) -> Self {
        let members = &seen.config.membership;
        let stands = |healthy: fn(&ServerStatus) -> bool, member: bool| -> BTreeSet<ServerId> {
            let all = seen.servers.iter();
            let fitting =
                all.filter(|(id, s)| members.contains(**id) == member && healthy(&s.status));
            fitting.map(|(id, _)| *id).collect()
        };
        let synced = stands(ServerStatus::acknowledges, true);
        let mut following = stands(|s| *s == ServerStatus::FollowingWithoutVote, false);
        following.retain(|id| {
            let there = seen.wanted_at.get(id).is_some_and(|at| at.own_id == Some(*id));
            there && target.servers.get(id).is_some_and(|w| other_ports(seen, w).is_none())
        });
        let machines = machines(seen, target);
        let other_machine = other_machine(&machines, target);
        Self {
            base: seen.config.clone(),
            identity: seen.identity.clone(),
            leader: seen.leader,
            leader_zxid: seen.leader_zxid,
            synced,
            following,
            zones: target.zones.clone(),
            standalone_disabled: standalone_disabled(target) || leads_alone(seen),
            findings: findings(seen, target, &machines),
            other_machine,
            client_confirmed: client_confirmed(seen, target),
            resolved: seen.resolved.clone(),
            obstacles: obstacles(seen, target),
            assumed: seen.assumed,
            data: DataSeen::of(seen),
        }
    }

    /// The facts of a configuration from a file. No server is asked and every member is assumed to
    /// be up.
    pub fn assumed(config: EnsembleConfig, target: &Target) -> Self {
        let members = &config.membership;
        let wanted = |server: &&Server| target.servers.contains_key(&server.id);
        let moved = |server: &&Server| {
            let wanted = target.servers.get(&server.id);
            wanted.is_some_and(|wanted| {
                let hosts = [&server.peer().host, &wanted.server.peer().host];
                let [now, then] = hosts.map(Host::literal);
                let is_wildcard = server.peer().host.is_wildcard();
                now.is_some() && then.is_some() && now != then && !is_wildcard
            })
        };
        let mut findings = of_membership(members);
        findings.extend(of_target(&config, target));
        findings.sort();
        let disabled = config.version.is_zero();
        let disabled = disabled.then(|| Obstacle::ReconfigDisabled(BTreeSet::new()));
        Self {
            identity: Identity::NoneYet,
            leader: None,
            leader_zxid: None,
            synced: members.ids(),
            following: BTreeSet::new(),
            zones: target.zones.clone(),
            // Of a standalone server the znode is empty.
            standalone_disabled: standalone_disabled(target) || members.voters().len() == 1,
            other_machine: members.servers().filter(moved).map(|server| server.id).collect(),
            client_confirmed: members
                .servers()
                .filter(|server| server.client.is_none())
                .filter(wanted)
                .map(|server| server.id)
                .collect(),
            resolved: BTreeMap::new(),
            obstacles: disabled.into_iter().collect(),
            findings,
            assumed: true,
            data: DataSeen::not_asked(),
            base: config,
        }
    }
}

impl Facts {
    /// The facts of a configuration that was seen earlier, with the members that were in sync then.
    /// No server is asked: that these still are is assumed.
    pub fn seen_earlier(
        config: EnsembleConfig,
        identity: Identity,
        synced: BTreeSet<ServerId>,
        target: &Target,
    ) -> Self {
        Self { identity, synced, ..Self::assumed(config, target) }
    }

    /// Whether every member is assumed to be up, since no server was asked.
    pub fn assumes_all(&self) -> bool {
        self.assumed && self.synced == self.base.membership.ids()
    }

    /// Whether these are facts of the same ensemble: by the identity that it has, else by its
    /// configuration.
    pub fn are_of_the_ensemble_of(&self, other: &Self) -> bool {
        match (&self.identity, &other.identity) {
            (Identity::Known(one), Identity::Known(other)) => one == other,
            _ => self.base == other.base,
        }
    }
}

/// Contacts of the target that are no members, and the addresses at which its members are reached
/// instead.
fn stale_contacts(seen: &Observation, target: &Target) -> Option<Finding> {
    let is_elsewhere = |text: &&String| {
        let at = contact(text, target.connect.tls.is_some());
        at.is_some_and(|at| seen.elsewhere.contains(&at))
    };
    let contacts: Vec<String> =
        target.connect.servers.iter().filter(is_elsewhere).cloned().collect();
    let stays = |id: &ServerId| target.servers.contains_key(id);
    let members =
        seen.servers.values().filter(|observed| seen.config.membership.contains(observed.id));
    let reached = |observed: &&ServerObservation| {
        let tls = observed.endpoint.as_ref().map(|at| at.tls);
        observed.mode.is_some() && tls == Some(target.connect.tls.is_some())
    };
    let (stay, leave): (Vec<_>, Vec<_>) = members.filter(reached).partition(|s| stays(&s.id));
    let instead = if stay.is_empty() { leave } else { stay };
    let instead =
        instead.iter().filter_map(|observed| Some(observed.endpoint.as_ref()?.to_string()));
    let kind = FindingKind::StaleContacts { contacts, instead: instead.collect() };
    let any = matches!(&kind, FindingKind::StaleContacts { contacts, .. } if !contacts.is_empty());
    any.then_some(Finding { kind, server: None })
}

/// The ports of a wanted server, if they differ from those of its line.
fn other_ports(seen: &Observation, wanted: &TargetServer) -> Option<OwnPorts> {
    let own = seen.servers.get(&wanted.server.id)?.own_ports.clone()?;
    let peer = wanted.server.peer();
    let same = own.quorum.contains(&peer.quorum_port) && own.election.contains(&peer.election_port);
    (!same).then_some(own)
}

/// Whether the operator asserts it.
fn standalone_disabled(target: &Target) -> bool {
    target.policy.standalone_enabled == StandaloneEnabled::False
}

/// Whether a server leads as the only voter: with `standaloneEnabled=true` it would run standalone.
fn leads_alone(seen: &Observation) -> bool {
    let voters = seen.config.membership.voters();
    voters.len() == 1 && seen.leader.is_some_and(|leader| voters.contains(&leader))
}

/// The machines on which members are wanted.
fn machines(seen: &Observation, target: &Target) -> BTreeMap<ServerId, Machine> {
    let changed = target.servers.iter().filter_map(|(id, wanted)| {
        let now = seen.config.membership.get(*id)?;
        Some((*id, machine(seen, now, wanted)))
    });
    changed.collect()
}

/// The members whose addresses would change in place, without evidence that they are where they are
/// wanted.
fn not_shown(machines: &BTreeMap<ServerId, Machine>, target: &Target) -> Vec<Finding> {
    if target.policy.reuse_ids == ReuseIds::Blank {
        return Vec::new();
    }
    let findings = machines.iter().filter_map(|(id, machine)| {
        let Machine::Unknown(because) = *machine else { return None };
        let host = target.servers.get(id)?.server.peer().host.clone();
        let kind = FindingKind::MachineNotShown { host, because };
        Some(Finding { kind, server: Some(*id) })
    });
    findings.collect()
}

/// Members that are wanted at another host, if another process runs there.
fn other_machine(machines: &BTreeMap<ServerId, Machine>, target: &Target) -> BTreeSet<ServerId> {
    let is_other = |machine: &Machine| match machine {
        Machine::Same => false,
        Machine::Other => true,
        // With `reuseIds: blank` this is enough.
        Machine::Unknown(_) => target.policy.reuse_ids == ReuseIds::Blank,
    };
    machines.iter().filter(|(_, machine)| is_other(machine)).map(|(id, _)| *id).collect()
}

/// Members without a client address that answered with their own id at the wanted address.
fn client_confirmed(seen: &Observation, target: &Target) -> BTreeSet<ServerId> {
    let is_there = |wanted: &TargetServer, at: &TargetProbe| match &wanted.server.client {
        // A secure client port proves no plain one.
        Some(client) if at.endpoint.tls => at.plain_port == PlainPort::At(client.port),
        Some(_) | None => true,
    };
    let is_confirmed = |(id, wanted): &(&ServerId, &TargetServer)| {
        let now = seen.config.membership.get(**id).filter(|now| now.client.is_none());
        let at = seen.wanted_at.get(id).filter(|at| at.own_id == Some(**id));
        now.zip(at).is_some_and(|(_, at)| is_there(wanted, at))
    };
    target.servers.iter().filter(is_confirmed).map(|(id, _)| *id).collect()
}

/// The findings about the ensemble and about the way to a target, in canonical order.
fn findings(
    seen: &Observation,
    target: &Target,
    machines: &BTreeMap<ServerId, Machine>,
) -> Vec<Finding> {
    let members = &seen.config.membership;
    let mut findings = seen.findings.clone();
    // Findings about members only: those about the way to the target apply to them too.
    findings.retain(|finding| !matches!(finding.kind, FindingKind::MixedVersions { .. }));
    let new = target.servers.keys().copied().filter(|id| is_joiner(seen, target, *id));
    findings.extend(of_joiners(seen, &new.chain(other_machine(machines, target)).collect()));
    findings.extend(of_target(&seen.config, target));
    findings.extend(stale_contacts(seen, target));
    findings.extend(triggered_bugs(seen, target));
    findings.extend(not_shown(machines, target));
    findings.extend(settings_differ(seen, target));
    // For a joiner this is no risk to accept: apply gives it no vote.
    findings.retain(|finding| {
        let differs = finding.kind == FindingKind::DataDiffers;
        !differs || finding.server.is_none_or(|id| !is_joiner(seen, target, id))
    });
    let joiners = target.servers.values().filter(|wanted| !members.contains(wanted.server.id));
    findings.extend(joiners.filter_map(|wanted| {
        let own = other_ports(seen, wanted)?;
        Some(Finding { kind: FindingKind::PortsDiffer { own }, server: Some(wanted.server.id) })
    }));
    findings.sort();
    findings.dedup();
    findings
}

/// Whether a server is wanted and no member.
fn is_joiner(seen: &Observation, target: &Target, id: ServerId) -> bool {
    target.servers.contains_key(&id) && !seen.config.membership.contains(id)
}

/// Whether a server's line would get a new client address: together with another change of the
/// line, or alone under `clientPart: write`.
fn gets_client_part(now: Option<&Server>, target: &Target, wanted: &Server) -> bool {
    let is_as_wanted = |now: &Server| {
        let place = wanted.place.or(now.place);
        (now.role, &now.peers, now.place) == (wanted.role, &wanted.peers, place)
            && target.policy.client_part == ClientPart::Keep
    };
    wanted.client.is_some() && now.is_none_or(|now| now.client.is_none() && !is_as_wanted(now))
}

fn obstacles(seen: &Observation, target: &Target) -> Vec<Obstacle> {
    let members = &seen.config.membership;
    let wanted = target.membership_for(members);
    let mut obstacles = Vec::new();
    if seen.reconfig_disabled {
        obstacles.push(Obstacle::ReconfigDisabled(seen.reconfig_disabled_on()));
    }
    if !seen.write_committed {
        obstacles.push(Obstacle::NoCommit);
    }
    for (id, at) in seen.wanted_at.iter().filter(|(id, _)| target.servers.contains_key(id)) {
        if at.mode == Some(Mode::Standalone) {
            obstacles.push(Obstacle::WantedStandalone(*id));
        }
        let is_given =
            wanted.get(*id).is_some_and(|it| gets_client_part(members.get(*id), target, it));
        if at.plain_port == PlainPort::Nowhere && is_given {
            obstacles.push(Obstacle::NoPlainPort(*id));
        }
        if let Some(other) = at.own_id.filter(|other| other != id) {
            obstacles.push(Obstacle::WantedAnswersAs(*id, other));
        }
    }
    for (id, observed) in &seen.servers {
        match &observed.status {
            ServerStatus::OtherConfiguration if !members.contains(*id) => {
                obstacles.push(Obstacle::WantedElsewhere(*id));
            }
            ServerStatus::AnswersAs(other) if members.contains(*id) => {
                obstacles.push(Obstacle::MemberAnswersAs(*id, *other));
            }
            _ => {}
        }
        let limit = observed.max_client_connections;
        if observed.takes_one_connection || limit == Some(1) {
            obstacles.push(Obstacle::TakesOneConnection(*id, limit));
        }
        if observed.data.compared == Some(DataProof::Differ) && is_joiner(seen, target, *id) {
            obstacles.push(Obstacle::WantedDataDiffer(*id));
        }
    }
    obstacles.sort();
    obstacles.dedup();
    obstacles
}

/// The findings that the target gives rise to.
fn of_target(config: &EnsembleConfig, target: &Target) -> Vec<Finding> {
    let mut findings = Vec::new();
    let zones = &target.zones;
    if !zones.is_empty() {
        let leaving = config.membership.ids().into_iter();
        let unknown =
            leaving.filter(|id| !target.servers.contains_key(id) && !zones.contains_key(id));
        findings
            .extend(unknown.map(|id| Finding { kind: FindingKind::ZoneUnknown, server: Some(id) }));
    }
    findings.extend(client_lines::findings(config, target));
    let voters = target.membership().voters().len();
    if voters.is_multiple_of(2) && !config.membership.is_weighted() {
        findings.push(Finding { kind: FindingKind::EvenVoters { voters }, server: None });
    }
    findings
}

//! Which servers and zones can fail at a moment, and how.

use std::collections::{BTreeMap, BTreeSet};

use super::simulated_plan::SimulatedPlan;
use crate::model::{Role, ServerId};
use crate::simulator::{Condition, PeerState, ProcessId, World};

/// The server or zone that fails.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailureTarget {
    /// Its role at that moment.
    pub what: TargetKind,
    /// The servers. Those of a zone fail together. Otherwise the first one was simulated, and the
    /// others differ from it only in their id.
    pub servers: Vec<ServerId>,
}

/// The role of a server when it fails, or the zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetKind {
    /// It leads.
    Leader,
    /// It follows, with a vote.
    Follower,
    /// It observes.
    Observer,
    /// It is no member yet.
    Joiner,
    /// It is no member any more.
    Left,
    /// A zone with all its servers.
    Zone(String),
}

impl FailureTarget {
    /// How many failures it represents.
    pub fn count(&self) -> usize {
        if matches!(self.what, TargetKind::Zone(_)) { 1 } else { self.servers.len() }
    }
}

/// How a server or zone fails.
#[derive(Debug, Clone)]
pub(super) enum FailureMode {
    /// The process ends.
    Dies(ProcessId),
    /// The network partitions its machines from each other and from all others.
    CutOff(Vec<ProcessId>),
}

impl FailureMode {
    pub(super) fn inflict(&self, world: &mut World) {
        match self {
            Self::Dies(at) => world.kill(*at),
            Self::CutOff(places) => {
                for (at, side) in places.iter().zip(1..=u8::MAX) {
                    world.cut(&[*at], side, true);
                }
            }
        }
    }
}

/// Everything in which two servers can differ, except their id.
type ServerClass<'a> = (TargetKind, Option<&'a str>, Option<Role>, bool, bool, bool);

/// Every server that is up, one of each class, and every zone. `renewed` are servers that were restarted.
pub(super) fn candidates(
    simulated: &SimulatedPlan,
    world: &World,
    renewed: &BTreeSet<ServerId>,
) -> Vec<(FailureTarget, FailureMode)> {
    let facts = &simulated.plan().facts;
    let mut kinds: BTreeMap<ServerClass<'_>, Vec<(ServerId, ProcessId)>> = BTreeMap::new();
    let mut zones: BTreeMap<&str, Vec<(ServerId, ProcessId)>> = BTreeMap::new();
    let running = world.processes().filter(|(_, process)| process.condition == Condition::Up);
    for (at, process) in running {
        let id = process.id();
        let zone = facts.zones.get(&id).map(String::as_str);
        let then = simulated.plan().target.get(id);
        let moves = then.is_some_and(|then| {
            let now = world.config().config.membership.get(id);
            now.is_some_and(|now| now.peers != then.peers || now.client != then.client)
        });
        let other = facts.other_machine.contains(&id);
        let role = then.map(|then| then.role);
        let is_renewed = renewed.contains(&id);
        let kind = (what(simulated, world, at), zone, role, moves, other, is_renewed);
        kinds.entry(kind).or_default().push((id, at));
        if let Some(zone) = zone {
            zones.entry(zone).or_default().push((id, at));
        }
    }
    let ids = |servers: &[(ServerId, ProcessId)]| servers.iter().map(|(id, _)| *id).collect();
    let servers = kinds.into_iter().filter_map(|((what, ..), mut servers)| {
        servers.sort_unstable();
        let (_, at) = *servers.first()?;
        Some((FailureTarget { what, servers: ids(&servers) }, FailureMode::Dies(at)))
    });
    let zones = zones.into_iter().map(|(zone, mut servers)| {
        servers.sort_unstable();
        let places = servers.iter().map(|(_, at)| *at).collect();
        let who = FailureTarget { what: TargetKind::Zone(zone.to_owned()), servers: ids(&servers) };
        (who, FailureMode::CutOff(places))
    });
    servers.chain(zones).collect()
}

fn what(simulated: &SimulatedPlan, world: &World, at: ProcessId) -> TargetKind {
    let process = world.process(at);
    let member = world.config().config.membership.get(process.id());
    match member.map(|member| member.role) {
        _ if world.leader() == Some(at) || process.now == PeerState::Leading => TargetKind::Leader,
        Some(Role::Participant) => TargetKind::Follower,
        Some(Role::Observer) => TargetKind::Observer,
        None if simulated.plan().target.contains(process.id()) => TargetKind::Joiner,
        None => TargetKind::Left,
    }
}

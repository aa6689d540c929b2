//! Reconfigs: whether one is accepted, and its effects when it has committed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::config::Config;
use super::in_flight::Proposal;
use super::process::{PeerState, Process, ProcessId};
use super::truth::{CommittedConfig, SimEvent};
use super::world::World;
use crate::ensemble::ErrorCode;
use crate::model::{Membership, Server, ServerId, Update};

/// A server that cannot bind its configured address tries three times, a second apart
/// (`QuorumCnxManager.Listener`, `electionPortBindRetry`).
const BIND_RETRIES_MS: u64 = 3000;

impl World {
    /// The checks of `PrepRequestProcessor`, `case OpCode.reconfig`, in its order.
    pub(super) fn reconfigured(
        &self,
        request: &Update,
        base: i64,
        session: i64,
        session_checked: Result<(), ErrorCode>,
    ) -> Result<Arc<Config>, ErrorCode> {
        if !self.is_reconfig_enabled() {
            return Err(ErrorCode::ReconfigDisabled);
        }
        session_checked?;
        let next = self.checked(request, base)?;
        // The ACL is checked last: a session without permission gets every other error first.
        if self.is_authorised(session) { Ok(next) } else { Err(ErrorCode::NoAuth) }
    }

    /// Everything between the check of the session and that of the ACL.
    pub(super) fn checked(&self, request: &Update, base: i64) -> Result<Arc<Config>, ErrorCode> {
        if !self.is_reconfig_enabled() {
            return Err(ErrorCode::ReconfigDisabled);
        }
        if self.tail.iter().any(|proposal| proposal.config().is_some()) {
            return Err(ErrorCode::ReconfigInProgress);
        }
        // -1 switches the check off.
        if base != -1 && !self.is_current(base.cast_unsigned()) {
            return Err(ErrorCode::BadVersion);
        }
        let members = self.edited(request)?;
        let least = if self.rules.standalone_enabled { 2 } else { 1 };
        let next = Config::new(self.given + 1, members);
        if next.voters.len() < least {
            return Err(ErrorCode::BadArguments);
        }
        if next.is_quorum(&self.synced()) { Ok(next) } else { Err(ErrorCode::NewConfigNoQuorum) }
    }

    /// Whether the leader takes reconfigs: its own file decides.
    fn is_reconfig_enabled(&self) -> bool {
        self.term.is_none_or(|term| self.processes[term.place.0].runs.reconfig_enabled)
    }

    /// Whether the leader saw that version last.
    fn is_current(&self, base: u64) -> bool {
        // An impossible version is a probe, and stays one.
        let is_probe = base >> 62 != 0;
        base == self.config.version()
            || !self.rules.versions && !is_probe
            || !self.rules.fences && self.armed.contains(&base)
    }

    /// The membership that a request asks for.
    fn edited(&self, request: &Update) -> Result<Membership, ErrorCode> {
        let now = &self.config.config.membership;
        match request {
            Update::Full(members) if !members.is_complete() => Err(ErrorCode::BadArguments),
            Update::Full(members) => Ok(members.clone()),
            // Only the whole list can change groups and weights.
            Update::Incremental(_) if now.is_weighted() => Err(ErrorCode::BadArguments),
            Update::Incremental(change) => {
                // "3 ports": a joining server needs a client address.
                if change.joining.iter().any(|server| server.client.is_none()) {
                    return Err(ErrorCode::BadArguments);
                }
                // Removals come first. An id that no member has is ignored.
                let next = now.with(change);
                let joins = |server: &Server| change.joining.iter().any(|j| j.id == server.id);
                if next.servers().filter(|server| joins(server)).any(|s| is_taken(&next, s)) {
                    return Err(ErrorCode::BadArguments);
                }
                Ok(next)
            }
        }
    }

    /// The servers that the leader counts as synced (`Leader.isQuorumSynced`): itself and attached
    /// learners of participant type. Non-voting followers count, observers do not. A frozen learner
    /// counts until `syncLimit` has passed.
    pub(super) fn synced(&self) -> BTreeSet<ServerId> {
        let Some(term) = self.term else { return BTreeSet::new() };
        let attached = self.processes().filter(|(at, process)| {
            *at == term.place || process.now == PeerState::Following && process.epoch == term.epoch
        });
        attached.map(|(_, process)| process.id()).collect()
    }

    /// A configuration has committed and is activated (`Leader.tryToCommit`).
    pub(super) fn activate(&mut self, config: &Arc<Config>, base: i64, by: Option<i64>) {
        let before = std::mem::replace(&mut self.config, Arc::clone(config));
        if before.config.membership == config.config.membership {
            self.armed.push(before.version());
        } else {
            self.armed.clear();
        }
        self.acknowledged = None;
        Arc::make_mut(&mut self.tree).configure(config);
        let at_ms = self.now_ms;
        self.truth.configs.push(CommittedConfig { config: Arc::clone(config), base, by, at_ms });
        self.say(SimEvent::Reconfigured(config.version()));
        let acknowledged = self.acknowledging();
        for at in 0..self.processes.len() {
            let heard = self.is_in_touch(ProcessId(at));
            if heard && self.processes[at].lag_until <= self.now_ms {
                self.adopt(ProcessId(at));
            }
        }
        let Some(term) = self.term else { return };
        let leader = self.processes[term.place.0].id();
        let address = |config: &Config| {
            let line = config.config.membership.get(leader).filter(|line| line.votes());
            line.map(|line| (line.peer().host.clone(), line.peer().quorum_port))
        };
        // `Leader.getDesignatedLeader`: it stays if it is a voter at the same quorum address.
        if address(config).is_none() || address(config) != address(&before) {
            self.hand_over(&acknowledged);
        }
    }

    /// The leader hands over to a voter of the new configuration that acknowledged. Every server
    /// that now follows another leader closes all connections. The old leader continues for up to a
    /// tick.
    pub(super) fn hand_over(&mut self, acknowledged: &BTreeSet<ServerId>) {
        let Some(term) = self.term else { return };
        let old = self.processes[term.place.0].id();
        let next: Vec<ProcessId> = self
            .processes()
            .filter(|(at, process)| {
                let id = process.id();
                let may = self.config.voters.contains(&id) && acknowledged.contains(&id);
                may && id != old && self.is_in_touch(*at)
            })
            .map(|(at, _)| at)
            .collect();
        let to = next.get(self.choose(next.len())).copied();
        let tick = usize::try_from(self.timing.tick_ms).unwrap_or(usize::MAX);
        let noticed = self.now_ms + 1 + self.choose(tick) as u64;
        for at in 0..self.processes.len() {
            if ProcessId(at) != term.place && self.is_in_touch(ProcessId(at)) {
                if self.processes[at].lag_until > self.now_ms {
                    self.catch_up(ProcessId(at));
                }
                self.processes[at].look();
            }
        }
        self.term = None;
        self.retire(term.place, noticed);
        self.election = Some((self.now_ms + self.timing.handover_ms, to));
        if let Some(to) = to {
            self.say(SimEvent::HandedOver(term.place, to));
        }
    }

    /// A leader is deposed and does not notice until then.
    pub(super) fn retire(&mut self, at: ProcessId, until: u64) {
        let tree = Arc::clone(&self.tree);
        let process = &mut self.processes[at.0];
        process.view = Some(tree);
        process.turns_at = Some(until);
    }

    /// A process takes the committed configuration on, if it has `reconfigEnabled=true`
    /// (`QuorumPeer.processReconfig`).
    pub(super) fn adopt(&mut self, at: ProcessId) {
        let config = Arc::clone(&self.config);
        let pending = self.tail.iter().find_map(Proposal::config).cloned();
        let process = &mut self.processes[at.0];
        if !process.runs.reconfig_enabled || process.missed == Some(config.version()) {
            return;
        }
        process.missed = None;
        process.seen = pending.unwrap_or_else(|| Arc::clone(&config));
        if Arc::ptr_eq(&process.config, &config) {
            return;
        }
        process.config = config;
        let then = process.learner();
        if process.learns() && process.now != then {
            // A server that turns from an observer into a follower, or back, restarts and closes
            // its client connections.
            process.look();
            process.turns_at = Some(self.now_ms + self.timing.join_ms);
        }
        self.acknowledged = None;
        self.bind(at);
    }

    /// A server listens where its configuration names it, where it can.
    fn bind(&mut self, at: ProcessId) {
        let id = self.processes[at.0].id();
        let Some(line) = self.processes[at.0].config.config.membership.get(id).cloned() else {
            return;
        };
        let address = self.address(&line.peer().host);
        let is_own = self.processes[at.0].address == address;
        let is_free = is_own
            && !self
                .processes
                .iter()
                .enumerate()
                .any(|(other, process)| other != at.0 && listens_at(process, address, &line));
        let process: &mut Process = &mut self.processes[at.0];
        if is_free {
            let client = line.client.clone().or_else(|| process.line.client.clone());
            process.line = Server { client, ..line };
        } else {
            process.exits_at = Some(self.now_ms + BIND_RETRIES_MS);
        }
    }
}

/// Whether another process has the election port of a line.
fn listens_at(process: &Process, address: IpAddr, line: &Server) -> bool {
    let (own, wanted) = (process.line.peer(), line.peer());
    process.condition != super::process::Condition::Down
        && process.id() != line.id
        && process.address == address
        && own.election_port == wanted.election_port
}

/// Whether a server uses an address of another one (`QuorumPeerConfig`, `checkAddressDuplicate`,
/// 3.5.1). Wildcards and loopback addresses are not compared, nor the addresses of one server.
fn is_taken(members: &Membership, server: &Server) -> bool {
    let addresses = |server: &Server| {
        let peers = server.peers.iter().flat_map(|peer| {
            [(peer.host.clone(), peer.quorum_port), (peer.host.clone(), peer.election_port)]
        });
        let client = server.client.iter().map(|client| (client.host.clone(), client.port));
        let all = peers.chain(client);
        all.filter(|(host, _)| !host.is_wildcard() && !host.is_loopback()).collect::<Vec<_>>()
    };
    let own = addresses(server);
    let mut others = members.servers().filter(|other| other.id != server.id);
    others.any(|other| addresses(other).iter().any(|address| own.contains(address)))
}

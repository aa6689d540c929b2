//! Decides whether a step may be taken now. Pure: an observation goes in, a verdict comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::access::{Asked, Permission};
use super::client_watch::ClientWatch;
use super::connect_strings::ConnectStrings;
use super::end::Outcome;
use super::run_view::{self, Joiner, Leaving, Presence, RunView};
use super::wait::{BindProof, Missing, Occupied, Wait};
use crate::check::{self, Breach, BreachKind, CheckedPlan, Law};
use crate::ensemble::{NoAnswer, PortState};
use crate::model::{Millis, Server, ServerId, Zxid};
use crate::observe::{
    ClientSession, Clients, DataProof, Finding, FindingKind, NoDigests, ServerStatus,
    WithoutDigests,
};
use crate::plan::{
    Acceptance, Action, ChangeVerb, Done, GateKind, PhaseKind, ServerChange, Step, StepId,
};

/// How often an added server tries to bind its election port before it exits with code 14
/// (`QuorumCnxManager.Listener`, `DEFAULT_PORT_BIND_MAX_RETRY`), if it reports no other setting.
const DEFAULT_BIND_TRIES: u64 = 3;

/// The time between two tries to bind, in milliseconds. One more is added for the exit.
const BIND_TRY_MS: u64 = 1000;

/// A server that has been up for this long without serving, in milliseconds, is more than slow.
const LONG_MS: u64 = 10_000;

/// What a run remembers between surveys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunState {
    /// Steps that are done, reconfigs included.
    pub done: Done,
    /// Since when, in milliseconds of the run, a joiner has been observed as a follower without a
    /// break.
    pub following_since: BTreeMap<ServerId, u64>,
    /// The zxids of joiners when they were first observed to serve, without a break since.
    pub first_served: BTreeMap<ServerId, Zxid>,
    /// Since when, in milliseconds of the run, joiners have been up without serving.
    pub not_serving_since: BTreeMap<ServerId, u64>,
    /// Joiners that were seen following at some time.
    pub followed: BTreeSet<ServerId>,
    /// Joiners whose data were proven.
    pub proven: BTreeSet<ServerId>,
    /// Joiners that let the user change the configuration.
    pub admitting: BTreeSet<ServerId>,
    /// Commands that have done their work.
    pub hooked: BTreeSet<StepId>,
    /// The clients of servers that leave.
    pub clients: ClientWatch,
    /// Servers whose configured address is new and that have not proven yet that they have bound
    /// it.
    pub named: BTreeMap<ServerId, PendingBind>,
}

/// A server that was named at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingBind {
    /// When, in milliseconds of the run.
    pub at_ms: u64,
    /// How many surveys in a row have seen it healthy and listening there.
    pub seen: u32,
}

/// What the operator has approved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approved {
    /// That the clients which are on servers that leave may be there, when the gate is judged.
    pub cutover: bool,
    /// Client hosts whose clients no cutover waits for.
    pub hosts: BTreeSet<IpAddr>,
    /// To stop servers even if clients are connected.
    pub stop: bool,
    /// That the data directories of these servers were blank when they started.
    pub blank: BTreeSet<ServerId>,
    /// No step in which the leader changes.
    pub keeps_leader: bool,
    /// Risks accepted by name in the command of this apply, in addition to those in the plan. Those
    /// of an earlier apply do not count.
    pub accepted: Vec<Acceptance>,
}

/// Whether a step may be taken now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is left to do for it.
    AlreadyDone,
    /// It may be taken.
    Proceed,
    /// Not yet.
    Wait(Vec<Wait>),
    /// The operator must be asked.
    Ask(Outcome),
    /// Not at all.
    Stop(Outcome),
}

/// Everything that a verdict rests on.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// The plan.
    pub checked: &'a CheckedPlan,
    /// The observation.
    pub view: &'a RunView,
    /// What the run remembers.
    pub memory: &'a RunState,
    /// What the operator has approved.
    pub approved: &'a Approved,
    /// Whether commands are left to a person.
    pub no_hooks: bool,
    /// The time, in milliseconds of the run.
    pub now_ms: u64,
}

impl RunState {
    /// Records a survey.
    pub fn see(&mut self, view: &RunView, now_ms: u64) {
        for (id, joiner) in &view.joiners {
            if view.facts.following.contains(id) || follows(joiner) {
                self.following_since.entry(*id).or_insert(now_ms);
                self.followed.insert(*id);
            } else {
                self.following_since.remove(id);
                // A proof about one process says nothing about the next one.
                self.proven.remove(id);
                self.admitting.remove(id);
            }
            let admits = |asked: &Asked| asked.permission == Permission::Granted;
            if joiner.asked.as_ref().is_some_and(admits) {
                self.admitting.insert(*id);
            }
            if joiner.data.as_ref().is_some_and(DataProof::is_equal) {
                self.proven.insert(*id);
            }
            match joiner.zxid.filter(|_| serves(&joiner.status)) {
                Some(zxid) => {
                    self.first_served.entry(*id).or_insert(zxid);
                }
                None => {
                    self.first_served.remove(id);
                }
            }
        }
        self.see_not_serving(view, now_ms);
        self.clients.see(&view.leaving, now_ms);
        for (id, named) in &mut self.named {
            let there = view.facts.synced.contains(id) && view.bound.contains(id);
            named.seen = if there { named.seen + 1 } else { 0 };
        }
        self.named.retain(|id, named| !is_proven(view, *id, named, now_ms));
    }

    /// Records which joiners run without serving, also while no step is judged yet.
    pub fn see_not_serving(&mut self, view: &RunView, now_ms: u64) {
        for (id, joiner) in &view.joiners {
            match joiner.status {
                ServerStatus::NotServing => {
                    self.not_serving_since.entry(*id).or_insert(now_ms);
                }
                // Between two attempts to follow it closes connections, or answers late.
                ServerStatus::Silent(NoAnswer::Closed | NoAnswer::AnswerTimedOut) => {}
                _ => {
                    self.not_serving_since.remove(id);
                }
            }
        }
    }
}

/// Whether a server serves the data of this ensemble, even if it is behind or has another
/// configuration.
const fn serves(status: &ServerStatus) -> bool {
    matches!(
        status,
        ServerStatus::FollowingWithoutVote
            | ServerStatus::Behind
            | ServerStatus::ConfigNotInForce
            | ServerStatus::OwnFile
            | ServerStatus::OtherConfiguration
    )
}

fn follows(joiner: &Joiner) -> bool {
    joiner.status == ServerStatus::FollowingWithoutVote
}

/// Whether a server has proven that it listens at its configured address.
///
/// If it reports its own ports and they are the configured ones, the bind is proven when the second
/// survey in a row finds the port open after it activated the configuration: the old listener is
/// closed before the new one is opened (`QuorumPeer.restartLeaderElection`). If it does not report
/// its ports, another process may be listening there, and only time proves that the server did not
/// exit.
fn is_proven(view: &RunView, id: ServerId, named: &PendingBind, now_ms: u64) -> bool {
    match bind_proof(view, id) {
        BindProof::OwnPorts => named.seen >= 2,
        BindProof::SettingSeen(ms) | BindProof::DefaultAssumed(ms) => {
            named.seen >= 1 && now_ms.saturating_sub(named.at_ms) >= ms
        }
        BindProof::TriesForEver => false,
    }
}

/// The kind of proof that a server has bound its election port.
fn bind_proof(view: &RunView, id: ServerId) -> BindProof {
    let time = |tries: u64| tries.saturating_add(1).saturating_mul(BIND_TRY_MS);
    match view.bind_tries.get(&id) {
        _ if view.tell_ports.contains(&id) => BindProof::OwnPorts,
        Some(0) => BindProof::TriesForEver,
        Some(tries) => BindProof::SettingSeen(time(*tries)),
        None => BindProof::DefaultAssumed(time(DEFAULT_BIND_TRIES)),
    }
}

impl Judge<'_> {
    /// Whether this step may be taken now.
    pub fn step(&self, kind: PhaseKind, step: &Step) -> Verdict {
        match &step.action {
            Action::AwaitJoiner(id) => self.joiner(*id),
            Action::Reconfig { parts, .. } => self.reconfig(parts),
            Action::Gate(gate) => self.gate(step, *gate),
            Action::Start(id) => self.start(step, *id),
            Action::Stop(id) if self.no_hooks => self.by_hand(kind, *id),
            Action::Stop(id) => self.stop(step, *id),
            Action::AskToStop(id) => self.by_hand(kind, *id),
            Action::AttestBlank(id) => self.attest(step, *id),
            Action::Prove(_) => self.proof(),
            Action::Restart(_) => unreachable!("no run has restarts"),
        }
    }

    fn joiner(&self, id: ServerId) -> Verdict {
        let missing = |missing| Verdict::Wait(vec![Wait::Joiner { server: id, missing }]);
        let Some(joiner) = self.view.joiners.get(&id) else {
            return missing(Missing::Following {
                status: ServerStatus::NotAsked,
                zxids: None,
                followed_before: false,
                for_long: false,
            });
        };
        if let (Some(ports), true) = (&joiner.other_ports, joiner.up) {
            return missing(Missing::Ports(ports.clone()));
        }
        if !self.view.facts.following.contains(&id) {
            return missing(Missing::Following {
                status: joiner.status.clone(),
                zxids: joiner.zxid.zip(self.view.leader_zxid),
                followed_before: self.memory.followed.contains(&id),
                for_long: self.is_late(id),
            });
        }
        let peer = self.checked.plan().target.get(id).map(Server::peer);
        if joiner.election_port != Some(PortState::Open) {
            let port = peer.map(|peer| peer.election_port).unwrap_or_default();
            return missing(Missing::ElectionPort(port));
        }
        if joiner.quorum_port == Some(PortState::Open) {
            let port = peer.map(|peer| peer.quorum_port).unwrap_or_default();
            return missing(Missing::QuorumPortTaken(port));
        }
        let served = self.memory.first_served.get(&id).copied();
        if joiner.data.as_ref().is_some_and(|proof| proof.convicts(served)) {
            return Verdict::Stop(Outcome::DataDiffer(BTreeSet::from([id])));
        }
        if !self.memory.proven.contains(&id) && !self.approved.blank.contains(&id) {
            if let Some(DataProof::NoDigests { leader, joiner }) = joiner.data {
                return Verdict::Stop(self.not_accepted(id, leader, joiner));
            }
            let proof = joiner.data.clone();
            return missing(Missing::Data { proof, marked_in_vain: None });
        }
        // The password goes only to a proven joiner. A joiner that is attested blank is not asked.
        if self.memory.proven.contains(&id) && !self.memory.admitting.contains(&id) {
            return missing(Missing::Permission(joiner.asked.clone()));
        }
        let stable_for = self.checked.plan().policy.stable_for.0;
        let since = self.memory.following_since.get(&id).copied().unwrap_or(self.now_ms);
        match (since + stable_for).saturating_sub(self.now_ms) {
            0 => Verdict::AlreadyDone,
            left_ms => missing(Missing::Stable { left_ms }),
        }
    }

    /// The finding that the data of a joiner can be judged only by counts, if the operator has not
    /// accepted it.
    fn not_accepted(
        &self,
        id: ServerId,
        leader: Option<NoDigests>,
        joiner: Option<NoDigests>,
    ) -> Outcome {
        let lacks = |id: Option<ServerId>, why: Option<NoDigests>| {
            Some(WithoutDigests { id: id?, why: why? })
        };
        let without =
            lacks(self.view.facts.leader, leader).into_iter().chain(lacks(Some(id), joiner));
        let kind = FindingKind::JudgedByCounts {
            joiners: BTreeSet::from([id]),
            without: without.collect(),
        };
        let detail = BreachKind::Finding(kind.code());
        let breach = Breach { law: Law::Now, step: None, path: Vec::new(), detail };
        Outcome::Unsafe(vec![breach], vec![Finding { kind, server: None }])
    }

    /// Whether a joiner has run for long without serving.
    fn is_late(&self, id: ServerId) -> bool {
        let since = self.memory.not_serving_since.get(&id);
        since.is_some_and(|since| self.now_ms.saturating_sub(*since) >= LONG_MS)
    }

    /// The servers that were named and have not proven that they are there.
    fn unbound(&self) -> impl Iterator<Item = Wait> {
        let named = self.memory.named.keys().copied();
        named.map(|server| Wait::Bound { server, by: bind_proof(self.view, server) })
    }

    fn reconfig(&self, parts: &[ServerChange]) -> Verdict {
        let mut waits: Vec<Wait> = self.unbound().collect();
        let (done, now) = (&self.memory.done, &self.view.facts);
        let breaches = check::recheck_accepting(self.checked, done, now, &self.approved.accepted);
        let (lasting, passing): (Vec<_>, Vec<_>) = breaches
            .into_iter()
            .partition(|breach| matches!(breach.detail, BreachKind::Finding(_)));
        if !lasting.is_empty() {
            let findings = &self.view.facts.findings;
            return Verdict::Stop(Outcome::Unsafe(lasting, findings.clone()));
        }
        if !passing.is_empty() {
            // The broken rule names the effect. These waits name the cause.
            let down = self
                .view
                .down
                .iter()
                .map(|(server, status)| Wait::Down { server: *server, status: status.clone() });
            waits.splice(0..0, down);
        }
        waits.extend(passing.into_iter().map(Wait::Law));
        for ServerChange { server, change } in parts.iter().copied() {
            if let (ChangeVerb::Readdress { .. }, Some(port)) =
                (change, self.view.taken.get(&server))
            {
                waits.push(Wait::PortTaken { server, port: *port });
            }
            let joins = matches!(change, ChangeVerb::Join) || self.is_unlisted(server, change);
            if joins && let Verdict::Wait(missing) = self.joiner_still(server) {
                waits.extend(missing);
            }
        }
        if waits.is_empty() { Verdict::Proceed } else { Verdict::Wait(waits) }
    }

    fn is_unlisted(&self, server: ServerId, change: ChangeVerb) -> bool {
        change == ChangeVerb::Promote && !self.view.facts.base.membership.contains(server)
    }

    /// A joiner is seen again just before it is named.
    fn joiner_still(&self, id: ServerId) -> Verdict {
        if self.view.facts.following.contains(&id) {
            return Verdict::Proceed;
        }
        let status = self.view.joiners.get(&id).map(|joiner| joiner.status.clone());
        let status = status.unwrap_or(ServerStatus::NotAsked);
        let (zxids, for_long) = (None, self.is_late(id));
        let missing = Missing::Following { status, zxids, followed_before: true, for_long };
        Verdict::Wait(vec![Wait::Joiner { server: id, missing }])
    }

    /// The last configuration is active if no safety rule forbids the next write.
    fn proof(&self) -> Verdict {
        let waits = self.unbound();
        let now = check::broken_now(&self.view.facts).into_iter().map(Wait::Law);
        let waits: Vec<Wait> = waits.chain(now).collect();
        if waits.is_empty() { Verdict::AlreadyDone } else { Verdict::Wait(waits) }
    }

    /// A gate opens by approval, or once no client was on the servers that leave for long enough
    /// ([`ClientWatch`]).
    fn gate(&self, step: &Step, kind: GateKind) -> Verdict {
        let watch = &self.memory.clients;
        let in_the_way = self.not_passed();
        if self.approved.cutover || (watch.has_passed() && in_the_way.is_empty()) {
            return Verdict::Proceed;
        }
        let drains = matches!(kind, GateKind::CutoverAuto | GateKind::CutoverDrained);
        if drains && in_the_way.is_empty() {
            // Clients of approved hosts never make a server free of clients.
            if !self.occupied().is_empty() {
                return Verdict::Proceed;
            }
            let stable_for = self.checked.plan().policy.stable_for;
            return match watch.quiet(stable_for, self.now_ms) {
                (_, Millis(0)) => Verdict::Proceed,
                (watched, left) => Verdict::Wait(vec![Wait::Quiet { watched, left }]),
            };
        }
        self.ask_for("cutover", step, in_the_way)
    }

    /// The servers that leave and are not known to be free of clients.
    pub fn occupied(&self) -> Vec<Occupied> {
        self.occupied_of(&run_view::leaving(self.checked.plan()))
    }

    /// The same, without clients that a gate let pass, and without those of approved hosts; before a
    /// gate has opened, with those that came and went.
    pub fn not_passed(&self) -> Vec<Occupied> {
        let watch = &self.memory.clients;
        let mut all = self.occupied_of(&run_view::leaving(self.checked.plan()));
        for on in &mut all {
            let Some(clients) = &mut on.clients else { continue };
            *clients = watch.newcomers(on.server, clients);
            if !clients.sessions.is_empty() {
                let hosts = &self.approved.hosts;
                let waits_for =
                    |one: &ClientSession| one.host().is_none_or(|host| !hosts.contains(&host));
                let sessions = clients.sessions.iter().filter(|one| waits_for(one));
                *clients = Clients::of(sessions.cloned().collect());
            }
        }
        // Once the gate has opened, only a client that is seen shuts it, not a server that is silent.
        let unknown = !watch.has_passed();
        let is_there = |clients: &Clients| clients.count > 0;
        all.retain(|on| on.came > 0 || on.clients.as_ref().map_or(unknown, is_there));
        all
    }

    fn occupied_of(&self, servers: &BTreeSet<ServerId>) -> Vec<Occupied> {
        let watch = &self.memory.clients;
        let all = servers.iter().map(|id| {
            let came = if watch.has_passed() { 0 } else { watch.came(*id) };
            (*id, self.view.leaving.get(id), came)
        });
        let is_free = |leaving: Option<&Leaving>| leaving.is_some_and(Leaving::is_drained);
        let busy = all.filter(|(_, leaving, came)| *came > 0 || !is_free(*leaving));
        busy.map(|(server, leaving, came)| {
            let clients = leaving.and_then(|leaving| leaving.clients.clone());
            Occupied { server, clients, came }
        })
        .collect()
    }

    fn start(&self, step: &Step, id: ServerId) -> Verdict {
        let up = self.view.joiners.get(&id).is_some_and(|joiner| joiner.up);
        let done = up || self.no_hooks || self.memory.hooked.contains(&step.id);
        if done { Verdict::AlreadyDone } else { Verdict::Proceed }
    }

    /// Whether the process of a leaving server has ended. That its machine does not answer is no
    /// proof, unless a command stopped it or the operator confirms it.
    fn is_gone(&self, id: ServerId, stopped: bool) -> bool {
        match self.view.leaving.get(&id).map(|leaving| leaving.presence) {
            Some(Presence::Gone) => true,
            Some(Presence::OutOfReach | Presence::Unknown) => stopped || self.approved.stop,
            Some(Presence::Up) | None => false,
        }
    }

    fn stop(&self, step: &Step, id: ServerId) -> Verdict {
        let stopped = self.memory.hooked.contains(&step.id);
        if self.is_gone(id, stopped) {
            return Verdict::AlreadyDone;
        }
        if stopped {
            return Verdict::Wait(vec![Wait::StillUp { server: id }]);
        }
        let leaving = self.view.leaving.get(&id);
        if leaving.and_then(|leaving| leaving.names_itself) == Some(true) {
            return Verdict::Wait(vec![Wait::NamesItself { server: id }]);
        }
        let occupied = self.occupied_of(&BTreeSet::from([id]));
        if !self.approved.stop && !occupied.is_empty() {
            return self.ask_for("stop", step, occupied);
        }
        // The clients of the one that was stopped before may come here next: that is the last chance to
        // see them.
        self.memory.clients.hops(self.now_ms).map_or(Verdict::Proceed, |(from, left)| {
            let now = leaving.and_then(|leaving| leaving.clients.as_ref());
            let clients = now.map(|clients| clients.count);
            Verdict::Wait(vec![Wait::Hops { from, to: id, left, clients }])
        })
    }

    /// Without a command, stopping is only advice. But two processes of one id must never be up at
    /// once.
    fn by_hand(&self, kind: PhaseKind, id: ServerId) -> Verdict {
        if kind == PhaseKind::Retire || self.is_gone(id, false) {
            return Verdict::AlreadyDone;
        }
        Verdict::Wait(vec![Wait::StopByHand { server: id }])
    }

    fn attest(&self, step: &Step, id: ServerId) -> Verdict {
        if self.approved.blank.contains(&id) {
            return Verdict::Proceed;
        }
        self.ask_for(&format!("attest-{id}"), step, Vec::new())
    }

    /// Asks for an approval.
    fn ask_for(&self, approve: &str, step: &Step, occupied: Vec<Occupied>) -> Verdict {
        let strings = ConnectStrings::of(self.checked.plan(), &self.view.leaving);
        let (step, approve) = (step.id.clone(), approve.to_owned());
        Verdict::Ask(Outcome::Gate { step, approve, occupied, strings })
    }
}

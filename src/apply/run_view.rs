//! The view of one survey during a run.

use std::collections::{BTreeMap, BTreeSet};

use super::access::Asked;
use crate::ensemble::{NoAnswer, PortState};
use crate::model::{Endpoint, ServerId, Target, Zxid};
use crate::observe::{
    Clients, DataProof, Facts, Observation, OwnPorts, ServerObservation, ServerStatus,
};
use crate::plan::{Action, Plan};

/// The view of one survey during a run.
#[derive(Debug, Clone)]
pub struct RunView {
    /// The facts for the safety rules. Their base is the live configuration.
    pub facts: Facts,
    /// Servers that the plan awaits and that are no members now.
    pub joiners: BTreeMap<ServerId, Joiner>,
    /// Members that are not healthy, with their status.
    pub down: BTreeMap<ServerId, ServerStatus>,
    /// Members whose election port listens where the configuration names it.
    pub bound: BTreeSet<ServerId>,
    /// Servers that report their own ports.
    pub tell_ports: BTreeSet<ServerId>,
    /// How often servers try to bind their election ports, a second apart, if they report it. 0
    /// means without end.
    pub bind_tries: BTreeMap<ServerId, u64>,
    /// Servers of the target that run and do not serve.
    pub not_serving: BTreeSet<ServerId>,
    /// Whether the leader has one more learner than serve: one that is still getting its data.
    pub is_syncing: bool,
    /// Servers that the plan takes out, members or not.
    pub leaving: BTreeMap<ServerId, Leaving>,
    /// Servers whose next address another process already uses, before they were moved to it.
    pub taken: BTreeMap<ServerId, u16>,
    /// The leader's last zxid.
    pub leader_zxid: Option<Zxid>,
}

impl RunView {
    /// Members and awaited servers whose znode contains the configuration, while an older one is in
    /// force.
    pub fn not_in_force(&self) -> BTreeSet<ServerId> {
        let joiners = self.joiners.iter().map(|(id, joiner)| (id, &joiner.status));
        let all = self.down.iter().chain(joiners);
        all.filter(|(_, status)| **status == ServerStatus::ConfigNotInForce)
            .map(|(id, _)| *id)
            .collect()
    }
}

/// A server that is awaited.
#[derive(Debug, Clone)]
pub struct Joiner {
    /// Its status.
    pub status: ServerStatus,
    /// Whether anything answers at its address.
    pub up: bool,
    /// How far it is.
    pub zxid: Option<Zxid>,
    /// Its own ports, if they differ from those of its line.
    pub other_ports: Option<OwnPorts>,
    /// Whether the election port of its line listens.
    pub election_port: Option<PortState>,
    /// Whether the quorum port of its line listens. It must not, before the joiner leads.
    pub quorum_port: Option<PortState>,
    /// Whether its data equal the leader's. `None` if that was not compared yet.
    pub data: Option<DataProof>,
    /// Whether it lets the session's user change the configuration. `None` if it was not asked yet.
    pub asked: Option<Asked>,
}

/// A server that the plan takes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// Where it is reached, where that is known.
    pub at: Option<Endpoint>,
    /// Whether its process is there.
    pub presence: Presence,
    /// The clients on it, without zkplan's own. `None` if it does not report them.
    pub clients: Option<Clients>,
    /// Whether it shows each session, not only how many there are.
    pub shows_sessions: bool,
    /// How often others than zkplan asked it for a session since its process began, where it counts
    /// that.
    pub connects: Option<u64>,
    /// The longest session time-out that it gives, in milliseconds, where it reports that.
    pub longest_timeout_ms: Option<u64>,
    /// Whether its own configuration still contains it. `None` if it does not report that.
    pub names_itself: Option<bool>,
}

/// Whether a process is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It answers, or holds its port.
    Up,
    /// Its machine refuses the connection.
    Gone,
    /// Its machine does not answer: down, or only out of reach from here.
    OutOfReach,
    /// Its client address is unknown.
    Unknown,
}

impl Presence {
    /// What a missing answer says about the process. A connection that was closed, as over a limit,
    /// was closed by a process.
    pub(super) const fn of(silence: NoAnswer) -> Self {
        match silence {
            NoAnswer::Refused => Self::Gone,
            NoAnswer::Unresolved | NoAnswer::NoRoute | NoAnswer::ConnectTimedOut => {
                Self::OutOfReach
            }
            NoAnswer::AnswerTimedOut
            | NoAnswer::Closed
            | NoAnswer::NotWhitelisted
            | NoAnswer::NotServing
            | NoAnswer::Tls(_)
            | NoAnswer::NeedsAuth
            | NoAnswer::AuthRefused
            | NoAnswer::AuthWithheld
            | NoAnswer::Unreadable => Self::Up,
        }
    }
}

impl Leaving {
    /// A server of which no more is known.
    pub const fn seen(at: Option<Endpoint>, presence: Presence) -> Self {
        Self {
            at,
            presence,
            clients: None,
            shows_sessions: false,
            connects: None,
            longest_timeout_ms: None,
            names_itself: None,
        }
    }

    /// Whether no client is connected to it: it reports that, or it is gone.
    pub fn is_drained(&self) -> bool {
        match (&self.clients, self.presence) {
            (Some(clients), _) => clients.count == 0,
            (None, presence) => presence == Presence::Gone,
        }
    }
}

/// The ports on which a server is known to listen: those at which it answered with its own id, and
/// those that it reports. The line of a statically configured server does not contain its client
/// port.
pub fn own_ports(seen: &ServerObservation) -> BTreeSet<u16> {
    let is_it = seen.own_id.is_some_and(|own| own.value == seen.id);
    let asked = seen.endpoint.iter().filter(|_| is_it).chain(&seen.reached_at);
    let reported = seen.own_ports.iter().filter(|_| is_it);
    let reported = reported.flat_map(|own| own.quorum.iter().chain(&own.election).copied());
    asked.map(|at| at.port).chain(reported).collect()
}

/// The servers that a plan removes: members of its base that are not in its target, and ids that
/// move to another machine.
pub fn leaving(plan: &Plan) -> BTreeSet<ServerId> {
    let base = &plan.facts.base.membership;
    let gone = base.ids().into_iter().filter(|id| !plan.target.contains(*id));
    gone.chain(plan.facts.other_machine.iter().copied()).collect()
}

/// The servers that a plan awaits.
pub fn awaited(plan: &Plan) -> BTreeSet<ServerId> {
    let awaited = plan.steps().filter_map(|step| match step.action {
        Action::AwaitJoiner(id) => Some(id),
        _ => None,
    });
    awaited.collect()
}

/// The view of an observation, before joiners' data and the clients of leaving servers are asked
/// for.
pub fn run_view(plan: &Plan, target: &Target, seen: &Observation) -> RunView {
    let facts = Facts::of(seen, target);
    let members = &facts.base.membership;
    let joiners = awaited(plan).into_iter().filter(|id| !members.contains(*id));
    let joiners = joiners.filter_map(|id| Some((id, joiner(target, seen, id)?))).collect();
    let observed_members =
        || seen.servers.values().filter(|observed| members.contains(observed.id));
    let down = observed_members().filter(|observed| !facts.synced.contains(&observed.id));
    let down = down.map(|observed| (observed.id, observed.status.clone())).collect();
    let listens =
        observed_members().filter(|observed| observed.election_port == Some(PortState::Open));
    let bound = listens.map(|observed| observed.id).collect();
    let telling = seen.servers.values().filter(|observed| observed.own_ports.is_some());
    let tries =
        seen.servers.values().filter_map(|observed| Some((observed.id, observed.bind_tries?)));
    let not_serving = seen.servers.values().filter(|observed| {
        observed.status == ServerStatus::NotServing && plan.target.contains(observed.id)
    });
    RunView {
        joiners,
        down,
        bound,
        tell_ports: telling.map(|observed| observed.id).collect(),
        bind_tries: tries.collect(),
        not_serving: not_serving.map(|observed| observed.id).collect(),
        is_syncing: false,
        leaving: BTreeMap::new(),
        taken: BTreeMap::new(),
        leader_zxid: seen.leader_zxid,
        facts,
    }
}

fn joiner(target: &Target, seen: &Observation, id: ServerId) -> Option<Joiner> {
    let observed = seen.servers.get(&id)?;
    let peer = target.line(id)?.peer();
    let own = observed.own_ports.clone();
    let other = own.filter(|own| {
        !own.quorum.contains(&peer.quorum_port) || !own.election.contains(&peer.election_port)
    });
    Some(Joiner {
        status: observed.status.clone(),
        up: !matches!(observed.status, ServerStatus::Silent(_) | ServerStatus::NotAsked),
        zxid: observed.zxid,
        other_ports: other,
        election_port: observed.election_port,
        quorum_port: observed.quorum_port,
        data: None,
        asked: None,
    })
}

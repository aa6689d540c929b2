//! The simulated ensemble on which a plan is rehearsed, and the plan as it is applied there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::check::{Breach, CheckedPlan, check};
use crate::ensemble::Ensemble;
use crate::model::{
    Bound, ClientAddress, Connect, Endpoint, Folder, Membership, Millis, Reach, Server, ServerId,
    SettingName, Target, Timeouts,
};
use crate::observe::Identity;
use crate::plan::{Action, Plan, Step};
use crate::saved::plan_id;
use crate::simulator::{ProcessId, Rules, ServerFile, Simulated, Timing, World};

/// The session time-out.
const SESSION_MS: u64 = 4000;

/// The lowest client port to try for a server whose client port is unknown.
const FIRST_ASSUMED_PORT: u16 = 2181;

/// A plan that can be applied to a simulated ensemble, and that ensemble before the first step.
pub(super) struct SimulatedPlan {
    pub(super) checked: Arc<CheckedPlan>,
    pub(super) plan_id: String,
    /// The target that a survey of the simulated ensemble needs.
    pub(super) target: Target,
    pub(super) world: World,
    /// The leader of the simulated ensemble at the beginning.
    pub(super) leader: Option<ServerId>,
}

impl SimulatedPlan {
    /// Builds the ensemble from the facts of a plan: members that answered are up, others are down,
    /// and joiners follow without a vote. The breaches, if the plan breaks the safety rules.
    pub(super) fn of(checked: &CheckedPlan) -> Result<Self, Vec<Breach>> {
        let plan = as_rehearsed(checked.plan());
        let facts = plan.facts.clone();
        let checked = check(plan, &facts)?;
        let target = checked.plan().to_target();
        let (world, leader) = ensemble(checked.plan(), &target);
        let plan_id = plan_id(checked.plan());
        Ok(Self { checked: Arc::new(checked), plan_id, target, world, leader })
    }

    /// The plan to rehearse.
    pub(super) fn plan(&self) -> &Plan {
        self.checked.plan()
    }

    /// The line of a wanted server, with the client port at which it is asked.
    pub(super) fn wanted(&self, id: ServerId) -> Option<&Server> {
        self.target.line(id)
    }
}

/// The same plan for an ensemble without an identity and without TLS. No safety rule depends on
/// either. Joiners need not be stable for some time, because simulated time would only make the
/// rehearsal slower.
fn as_rehearsed(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    if plan.restarts_servers() {
        as_restarted(&mut plan);
    }
    plan.policy.stable_for = Millis(0);
    plan.facts.identity = Identity::NoneYet;
    plan.facts.leader_zxid = None;
    let plain = |reach: &Reach| {
        let client = Endpoint { tls: false, ..reach.client.clone() };
        Reach { client, admin: None }
    };
    let newcomers =
        plan.target.servers().filter(|line| !plan.facts.base.membership.contains(line.id));
    let asked = newcomers.filter(|line| line.client_endpoint().is_none()).map(|line| {
        let client = Endpoint::plain(line.peer().host.clone(), assumed_port(&plan, line.id));
        (line.id, Reach { client, admin: None })
    });
    let mut reach: BTreeMap<ServerId, Reach> = asked.collect();
    reach.extend(plan.reach.iter().map(|(id, reach)| (*id, plain(reach))));
    plan.reach = reach;
    let members = plan.facts.base.membership.servers();
    let asked = members.map(|member| {
        let reach = plan.reach.get(&member.id).map(|reach| reach.client.clone());
        let known = member.client_endpoint().or(reach);
        known.unwrap_or_else(|| {
            // In the simulator every machine reaches every other.
            let own = member.client.as_ref().map(|client| client.port);
            let port = own.unwrap_or_else(|| assumed_port(&plan, member.id));
            Endpoint::plain(member.peer().host.clone(), port)
        })
    });
    plan.connect = Connect {
        servers: asked.map(|at| at.to_string()).collect(),
        auth: None,
        tls: None,
        session_timeout: Millis(SESSION_MS),
        folder: Folder::default(),
        timeouts: Timeouts::Auto,
    };
    plan
}

/// The simulator has one release, and no password. A restart that brings one of them is done because it
/// is asked for.
fn as_restarted(plan: &mut Plan) {
    (plan.settings.version, plan.settings.superuser) = (None, false);
    for step in plan.phases.iter_mut().flat_map(|phase| &mut phase.steps) {
        let Action::Restart(restart) = &mut step.action else { continue };
        for name in [SettingName::Version, SettingName::Superuser] {
            restart.is_asked |= restart.brings.remove(&name);
        }
    }
}

/// The files of a server before the restarts: where one is to bring a setting, it is not as wanted.
fn first_file(plan: &Plan, id: ServerId) -> ServerFile {
    let restart = plan.steps().filter_map(Step::restart).find(|restart| restart.server == id);
    let lacks = |name| restart.is_some_and(|restart| restart.brings.contains(&name));
    let number = |(name, bound): (&SettingName, &Bound)| {
        let wanted = u64::from(bound.number());
        let number =
            if lacks(*name) { wanted.checked_sub(1).unwrap_or(wanted + 1) } else { wanted };
        (name.key().to_owned(), number)
    };
    let has_version = !plan.facts.base.version.is_zero();
    ServerFile {
        reconfig_enabled: has_version && !lacks(SettingName::ReconfigEnabled),
        allows_words: !lacks(SettingName::FourLetterWords),
        numbers: plan.settings.numbers.iter().map(number).collect(),
        ..ServerFile::default()
    }
}

/// The files of a server when the person has edited them.
pub(super) fn new_file(plan: &Plan, id: ServerId) -> ServerFile {
    let numbers = plan.settings.numbers.iter();
    let numbers = numbers.map(|(name, bound)| (name.key().to_owned(), bound.number().into()));
    let first = first_file(plan, id);
    ServerFile {
        reconfig_enabled: first.reconfig_enabled || plan.settings.reconfig_enabled,
        allows_words: true,
        numbers: numbers.collect(),
        ..first
    }
}

/// The client port of a server whose line and spec name none: a leaving member of a statically
/// configured ensemble, or a joiner that serves clients only by TLS. Any port works that no other
/// server of the plan uses.
fn assumed_port(plan: &Plan, id: ServerId) -> u16 {
    let members = &plan.facts.base.membership;
    let lines = || members.servers().chain(plan.target.servers());
    let peers = lines().flat_map(|line| &line.peers);
    let used: BTreeSet<u16> = peers
        .flat_map(|peer| [peer.quorum_port, peer.election_port])
        .chain(lines().filter_map(|line| Some(line.client.as_ref()?.port)))
        .chain(plan.reach.values().map(|reach| reach.client.port))
        .collect();
    let all: BTreeSet<ServerId> = lines().map(|line| line.id).collect();
    let turn = all.range(..id).count();
    let mut free = (FIRST_ASSUMED_PORT..=u16::MAX).filter(|port| !used.contains(port));
    free.nth(turn).unwrap_or(FIRST_ASSUMED_PORT)
}

fn ensemble(plan: &Plan, target: &Target) -> (World, Option<ServerId>) {
    let facts = &plan.facts;
    let members = &facts.base.membership;
    let rules = Rules { standalone_enabled: !facts.standalone_disabled, ..Rules::default() };
    let voters = members.voters();
    let live: Vec<ServerId> = voters.intersection(&facts.synced).copied().collect();
    let mut world = World::new(members.clone(), timing(), rules);
    let elected = live.iter().copied().rfind(|id| world.config().is_electable(*id));
    let leader = facts.leader.filter(|id| live.contains(id)).or(elected);
    if let Some(leader) = leader {
        world = world.led_by(leader);
    }
    if plan.restarts_servers() {
        world = world.with_files(|id| first_file(plan, id));
    }
    world.names = names(&world, members, plan, target);
    for member in members.servers().filter(|member| member.client.is_none()) {
        let client = target.line(member.id).and_then(|wanted| wanted.client.clone());
        let client = client
            .unwrap_or_else(|| ClientAddress::on_all_addresses(assumed_port(plan, member.id)));
        set_client(&mut world, member.id, client);
    }
    for id in members.ids().difference(&facts.synced) {
        if let Some(at) = world.place_of(*id) {
            world.kill(at);
        }
    }
    for wanted in target.servers.values().filter(|wanted| !members.contains(wanted.server.id)) {
        world.place(wanted.server.clone());
    }
    let settled = world.now_ms() + 2000;
    world.advance(settled);
    (world, leader)
}

/// A server that is cut off is given up soon, by learners and by zkplan. The result of a rehearsal
/// does not depend on how long that takes.
fn timing() -> Timing {
    Timing { sync_limit: 4, answer_ms: 400, ..Timing::default() }
}

fn set_client(world: &mut World, id: ServerId, client: ClientAddress) {
    if let Some(at) = world.place_of(id) {
        world.process_mut(at).line.client = Some(client);
    }
}

/// Makes all names of one machine resolve to one address: the present and the future host of a
/// server, and the host for clients.
fn names(
    world: &World,
    members: &Membership,
    plan: &Plan,
    target: &Target,
) -> BTreeMap<String, std::net::IpAddr> {
    let port = Simulated::new(world.clone());
    let address = |line: &Server| {
        let resolved = port.run(port.resolve(&line.peer().host)).unwrap_or_default();
        resolved.into_iter().next()
    };
    let mut names = BTreeMap::new();
    let others = |line: &Server| members.get(line.id).filter(|_| stays(plan, line.id)).cloned();
    let wanted = target.servers.values().map(|wanted| wanted.server.clone());
    for line in members.servers().cloned().chain(wanted) {
        let machine = others(&line).unwrap_or_else(|| line.clone());
        let Some(address) = address(&machine) else { continue };
        let own = [Some(line.peer().host.clone()), line.client.clone().map(|client| client.host)];
        for host in own.into_iter().flatten() {
            let known = host.is_wildcard() || host == machine.peer().host;
            if !known {
                names.entry(host.canonical()).or_insert(address);
            }
        }
    }
    names
}

fn stays(plan: &Plan, id: ServerId) -> bool {
    !plan.facts.other_machine.contains(&id)
}

/// Steps in which the operator attests that a data directory is blank.
pub(super) fn attested(plan: &Plan) -> impl Iterator<Item = ServerId> {
    plan.steps().filter_map(|step| match step.action {
        Action::AttestBlank(id) => Some(id),
        _ => None,
    })
}

/// The operator stops the old process of an id that moves to another machine, and starts the new
/// one. This happens once.
pub(super) fn replace(world: &mut World, simulated: &SimulatedPlan, id: ServerId) {
    let old: Vec<ProcessId> = places_of(world, id);
    let (true, [at], Some(line)) =
        (!stays(simulated.plan(), id), old.as_slice(), simulated.wanted(id).cloned())
    else {
        return;
    };
    world.kill(*at);
    world.place(line);
}

fn places_of(world: &World, id: ServerId) -> Vec<ProcessId> {
    world.processes().filter(|(_, process)| process.id() == id).map(|(at, _)| at).collect()
}

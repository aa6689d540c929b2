//! The state of an ensemble, how it is made, and what can be done to it from outside.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::config::Config;
use super::process::{Condition, PeerState, Place, Process};
use super::requests::{Mail, Proposal, Ticket, Waiting};
use super::sessions::Held;
use super::tree::Tree;
use super::truth::{CommittedConfig, GroundTruth, Happening};
use crate::ensemble::{AclEntry, Node};
use crate::model::{Endpoint, Host, Membership, Role, Server, ServerId};

/// The first epoch that a leader leads.
const FIRST_EPOCH: u64 = 1;

/// How fast an ensemble is; all in milliseconds, limits in ticks as in `zoo.cfg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// `tickTime`.
    pub tick_ms: u64,
    /// `initLimit`.
    pub init_limit: u64,
    /// `syncLimit`: after so many ticks without an answer a leader and a learner give each other up.
    pub sync_limit: u64,
    /// How long an election takes among those who are there.
    pub election_ms: u64,
    /// How long a hand-over takes.
    pub handover_ms: u64,
    /// How long a learner takes to find the leader and to get its data.
    pub join_ms: u64,
    /// How long a server that comes with no data takes from NEWLEADER to UPTODATE: it writes a
    /// snapshot meanwhile. 0 where it is not looked at.
    pub sync_ms: u64,
    /// How long a client waits for an answer.
    pub answer_ms: u64,
}

impl Default for Timing {
    /// Short ticks; the other figures as measured on loopback.
    fn default() -> Self {
        Self {
            tick_ms: 200,
            init_limit: 50,
            sync_limit: 10,
            election_ms: 300,
            handover_ms: 300,
            join_ms: 100,
            sync_ms: 0,
            answer_ms: 2000,
        }
    }
}

/// Settings of the servers, and rules that can be switched off to see what they are good for.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting with ZooKeeper's own name")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// `reconfigEnabled`, the same on every server.
    pub reconfig_enabled: bool,
    /// `standaloneEnabled`, the same on every server.
    pub standalone_enabled: bool,
    /// Whether only sessions that have proven somebody may change the configuration.
    pub needs_auth: bool,
    /// The rule that a reconfig without effect raises the version all the same. Switched off,
    /// requests that start from an older version of the same members are taken: what zkplan would
    /// be without its fence.
    pub fences: bool,
    /// The rule that a request that starts from another version is refused. Switched off, every
    /// request is taken as if it named none: what zkplan would be without a version on each.
    pub versions: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            reconfig_enabled: true,
            standalone_enabled: true,
            needs_auth: false,
            fences: true,
            versions: true,
        }
    }
}

/// Something that is done to an ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdminAction {
    /// [`World::kill`].
    Kill(Place),
    /// [`World::start`], or [`World::start_afresh`] where no configuration on its disk names it.
    Start(Place),
    /// [`World::freeze`].
    Freeze(Place),
    /// [`World::thaw`].
    Thaw(Place),
    /// Everybody is on one side of the network again, and can be reached.
    Join,
}

/// Who leads, since the last election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leadership {
    pub(super) place: Place,
    pub(super) epoch: u64,
    /// When it gives up for want of a quorum (`Leader.lead` looks once a half tick).
    pub(super) falls_at: Option<u64>,
}

/// An ensemble: a pure value. Time passes in [`World::advance`] alone, and what is arbitrary in
/// ZooKeeper follows from [`World::bias`].
#[derive(Debug, Clone)]
pub struct World {
    pub(super) now_ms: u64,
    /// How fast it is.
    pub timing: Timing,
    /// How its servers are set.
    pub rules: Rules,
    /// What is arbitrary in ZooKeeper (which of several servers a leader hands over to, whether a
    /// reply outruns the end of its connection) follows from this number and is counted on in it.
    pub bias: u64,
    pub(super) processes: Vec<Process>,
    pub(super) term: Option<Leadership>,
    /// When those who look will have elected, and whom a leader handed over to.
    pub(super) election: Option<(u64, Option<Place>)>,
    pub(super) config: Arc<Config>,
    pub(super) tree: Arc<Tree>,
    /// The last transaction that has committed.
    pub(super) committed: u64,
    /// The last zxid that was given.
    pub(super) given: u64,
    /// Proposals that have not committed, in order.
    pub(super) tail: Vec<Proposal>,
    /// Whether a quorum acknowledges; `None` where that is to be found out.
    pub(super) acknowledged: Option<bool>,
    pub(super) sessions: BTreeMap<i64, Held>,
    pub(super) next_session: i64,
    pub(super) mail: Vec<Mail>,
    pub(super) waiting: BTreeMap<Ticket, Waiting>,
    pub(super) next_ticket: u64,
    /// Zxids of which a digest is kept.
    pub(super) digests: Vec<u64>,
    /// Versions that a fence should have disarmed, where the rule is switched off.
    pub(super) armed: Vec<u64>,
    /// What will be done to it, and when.
    pub(super) deeds: Vec<(u64, AdminAction)>,
    /// What names resolve to, beside IP literals; a name that is not here has an address of its own.
    pub names: BTreeMap<String, IpAddr>,
    /// What really happened.
    pub truth: GroundTruth,
}

impl World {
    /// An ensemble that has just elected: every member runs at its own line, and of the voters that
    /// can be elected the one with the highest id leads the first epoch.
    pub fn new(members: Membership, timing: Timing, rules: Rules) -> Self {
        let zxid = FIRST_EPOCH << 32;
        let config = Config::new(zxid, members);
        let lines = config.config.membership.servers().cloned();
        let process = |line: Server| {
            let address = address_of(&line.peer().host);
            Process::new(line, address, &config)
        };
        let mut processes: Vec<Process> = lines.map(process).collect();
        let may_lead =
            |process: &Process| process.line.votes() && config.is_electable(process.id());
        let leader = processes.iter().rposition(may_lead);
        for (at, process) in processes.iter_mut().enumerate() {
            process.now = if Some(at) == leader { PeerState::Leading } else { process.learner() };
            process.epoch = FIRST_EPOCH;
            (process.logged, process.applied) = (zxid, zxid);
        }
        let first = CommittedConfig { config: Arc::clone(&config), base: -1, by: None, at_ms: 0 };
        Self {
            now_ms: 0,
            timing,
            rules,
            bias: 0,
            processes,
            term: leader.map(|at| Leadership {
                place: Place(at),
                epoch: FIRST_EPOCH,
                falls_at: None,
            }),
            election: None,
            tree: Arc::new(Tree::new(&config)),
            config,
            committed: zxid,
            given: zxid,
            tail: Vec::new(),
            acknowledged: None,
            sessions: BTreeMap::new(),
            next_session: 1,
            mail: Vec::new(),
            waiting: BTreeMap::new(),
            next_ticket: 1,
            digests: Vec::new(),
            armed: Vec::new(),
            deeds: Vec::new(),
            names: BTreeMap::new(),
            truth: GroundTruth { configs: vec![first], ..GroundTruth::default() },
        }
    }

    /// The same ensemble, before anything has happened to it, led by that voter.
    #[must_use]
    pub fn led_by(mut self, id: ServerId) -> Self {
        let to = self.place_of(id).filter(|at| self.processes[at.0].line.votes());
        if let (Some(to), Some(term)) = (to, &mut self.term) {
            let from = std::mem::replace(&mut term.place, to);
            self.processes[from.0].now = self.processes[from.0].learner();
            self.processes[to.0].now = PeerState::Leading;
        }
        self
    }

    /// Starts a joiner at that line. Its own first configuration has the members of now as they are
    /// and itself as an observer, as ZooKeeper's guide has it ("Adding servers"); it is of version 0,
    /// so that any other wins.
    pub fn place(&mut self, line: Server) -> Place {
        let first = self.first_config(&line);
        let address = self.address(&line.peer().host);
        let mut process = Process::new(line, address, &first);
        process.rich = self.processes.first().is_none_or(|process| process.rich);
        self.processes.push(process);
        self.refresh();
        Place(self.processes.len() - 1)
    }

    fn first_config(&self, line: &Server) -> Arc<Config> {
        let members = self.config.config.membership.servers().cloned();
        let own = Server { role: Role::Observer, ..line.clone() };
        Config::new(0, Membership::of(members.chain([own])))
    }

    /// The time, in simulated milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// All processes, in the order in which they were placed.
    pub fn processes(&self) -> impl ExactSizeIterator<Item = (Place, &Process)> {
        self.processes.iter().enumerate().map(|(at, process)| (Place(at), process))
    }

    /// One process.
    pub fn process(&self, at: Place) -> &Process {
        &self.processes[at.0]
    }

    /// One process, to set what the world does not follow itself: `rich`, `alien`.
    pub fn process_mut(&mut self, at: Place) -> &mut Process {
        &mut self.processes[at.0]
    }

    /// The process that runs as that id now; the last one placed, where there are several.
    pub fn place_of(&self, id: ServerId) -> Option<Place> {
        self.processes.iter().rposition(|process| process.id() == id).map(Place)
    }

    /// The process that listens for clients there.
    pub fn place_at(&self, at: &Endpoint) -> Option<Place> {
        let address = self.address(&at.host);
        let listens = |process: &Process| {
            let there = process.line.client.as_ref().is_some_and(|client| client.port == at.port);
            there && process.condition != Condition::Down && process.address == address
        };
        self.processes.iter().position(listens).map(Place)
    }

    /// Who leads with a quorum, where anybody does.
    pub fn leader(&self) -> Option<Place> {
        let term = self.term.filter(|term| term.falls_at.is_none())?;
        self.process(term.place).is_up().then_some(term.place)
    }

    /// The committed configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The last zxid that has committed.
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// The reconfig that is proposed and has not committed.
    pub fn pending(&self) -> Option<&Config> {
        self.tail.iter().find_map(Proposal::config).map(Arc::as_ref)
    }

    /// Whether a write that is sent now commits at once.
    pub fn commits(&mut self) -> bool {
        self.tail.is_empty() && self.leader().is_some() && self.is_acknowledged()
    }

    /// Ends a process.
    pub fn kill(&mut self, at: Place) {
        self.touch();
        let process = &mut self.processes[at.0];
        if process.condition != Condition::Down {
            process.condition = Condition::Down;
            process.incarnation += 1;
            process.view = None;
            process.lag_until = 0;
            self.turned(at);
        }
    }

    /// Starts a process again where it was, with what it has on disk. One that no configuration on
    /// its disk names does not start (`QuorumPeer.start`: "My id … not in the peer list").
    pub fn start(&mut self, at: Place) -> bool {
        self.touch();
        let process = &mut self.processes[at.0];
        let named = process.config.names(process.id()) || process.seen.names(process.id());
        if process.condition == Condition::Down && named {
            process.condition = Condition::Up;
            process.exits_at = None;
            process.look();
            self.turned(at);
        }
        named
    }

    /// Starts a process again as one that joins for the first time: somebody has laid down its first
    /// configuration again; its data are kept.
    pub fn start_afresh(&mut self, at: Place) {
        let first = self.first_config(&self.processes[at.0].line);
        let process = &mut self.processes[at.0];
        if process.condition == Condition::Down {
            (process.config, process.seen) = (Arc::clone(&first), first);
            self.start(at);
        }
    }

    /// Freezes a process.
    pub fn freeze(&mut self, at: Place) {
        self.touch();
        let process = &mut self.processes[at.0];
        if process.condition == Condition::Up {
            process.condition = Condition::Frozen;
            self.turned(at);
        }
    }

    /// Lets a frozen process go on.
    pub fn thaw(&mut self, at: Place) {
        self.touch();
        let process = &mut self.processes[at.0];
        if process.condition == Condition::Frozen {
            process.condition = Condition::Up;
            self.turned(at);
        }
    }

    /// Takes processes to that side of the network: from now on they reach those on the same side
    /// alone. Clients reach them unless `hidden`.
    pub fn cut(&mut self, places: &[Place], side: u8, hidden: bool) {
        self.touch();
        for at in places {
            let process = &mut self.processes[at.0];
            process.side = side;
            process.hidden = hidden;
            self.truth.log.push(Happening::Turned(*at, self.processes[at.0].condition, side));
        }
        self.refresh();
    }

    /// Has commits take that long to reach a process: it acknowledges, and shows what was before.
    pub fn lag(&mut self, at: Place, ms: u64) {
        self.touch();
        let (until, tree) = (self.now_ms + ms, Arc::clone(&self.tree));
        let process = &mut self.processes[at.0];
        if process.is_up() && process.learns() {
            process.view.get_or_insert(tree);
            process.lag_until = process.lag_until.max(until);
        }
    }

    /// Does something.
    pub fn does(&mut self, deed: AdminAction) {
        match deed {
            AdminAction::Kill(at) => self.kill(at),
            AdminAction::Start(at) => {
                if !self.start(at) {
                    self.start_afresh(at);
                }
            }
            AdminAction::Freeze(at) => self.freeze(at),
            AdminAction::Thaw(at) => self.thaw(at),
            AdminAction::Join => {
                let all: Vec<Place> = (0..self.processes.len()).map(Place).collect();
                self.cut(&all, 0, false);
            }
        }
    }

    /// Does something when so much time has passed.
    pub fn later(&mut self, ms: u64, deed: AdminAction) {
        self.deeds.push((self.now_ms + ms, deed));
    }

    /// Forgets what was to be done later.
    pub fn spare(&mut self) {
        self.deeds.clear();
    }

    /// A znode as the committed state has it.
    pub fn node(&self, path: &str) -> Option<Node> {
        self.tree.get(path)
    }

    /// The names of a znode's children as the committed state has them.
    pub fn children(&self, path: &str) -> Vec<String> {
        self.tree.children(path)
    }

    /// Sets the access control list of a znode, as an administrator would.
    pub fn set_acl(&mut self, path: &str, acl: &[AclEntry]) {
        Arc::make_mut(&mut self.tree).set_acl(path, acl);
    }

    /// Writes the root so many times, as clients would: nothing where no write commits.
    pub fn write_many(&mut self, count: u32) -> bool {
        self.commits() && self.written(count)
    }

    /// Empties the data directory of a process that does not run.
    pub fn wipe(&mut self, at: Place) {
        let process = &mut self.processes[at.0];
        if process.condition == Condition::Down {
            (process.epoch, process.logged, process.applied) = (0, 0, 0);
        }
    }

    /// Deletes a znode, as an administrator would: nothing where no write commits.
    pub fn delete(&mut self, path: &str) -> bool {
        self.commits() && self.removed(path)
    }

    /// Whether a process shows what was before.
    pub fn is_lagging(&self, at: Place) -> bool {
        self.processes[at.0].lag_until > self.now_ms
    }

    /// The address of a host.
    pub(super) fn address(&self, host: &Host) -> IpAddr {
        if self.names.is_empty() {
            return address_of(host);
        }
        self.names.get(&host.canonical()).copied().unwrap_or_else(|| address_of(host))
    }

    fn turned(&mut self, at: Place) {
        let process = &self.processes[at.0];
        self.truth.log.push(Happening::Turned(at, process.condition, process.side));
        self.refresh();
    }

    /// One of so many, as `bias` has it (splitmix64).
    pub(super) fn choose(&mut self, count: usize) -> usize {
        self.bias = self.bias.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.bias;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let z = z ^ (z >> 31);
        usize::try_from(z % count.max(1) as u64).unwrap_or(0)
    }

    pub(super) fn say(&mut self, happening: Happening) {
        self.truth.log.push(happening);
    }
}

/// An IP literal's own address; any name has one of its own, made from it (FNV-1a).
fn address_of(host: &Host) -> IpAddr {
    host.literal().unwrap_or_else(|| {
        let hash = host.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
        });
        let [_, b, c, d] = hash.to_be_bytes();
        IpAddr::from([10, b, c, d])
    })
}

//! The state of an ensemble, its construction, and the actions of administrators and machines.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::config::Config;
use super::held::Held;
use super::in_flight::{InFlight, Proposal, Ticket, Waiting};
use super::process::{Condition, PeerState, Process, ProcessId};
use super::tree::Tree;
use super::truth::{CommittedConfig, GroundTruth, SimEvent};
use crate::ensemble::{AclEntry, Node};
use crate::model::{Endpoint, Host, Membership, Role, Server, ServerId};

/// The first epoch that a leader leads.
const FIRST_EPOCH: u64 = 1;

/// The speed of an ensemble. All times are in milliseconds, limits in ticks as in `zoo.cfg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// `tickTime`.
    pub tick_ms: u64,
    /// `initLimit`.
    pub init_limit: u64,
    /// `syncLimit`: after this many ticks without an answer a leader and a learner give each other
    /// up.
    pub sync_limit: u64,
    /// How long an election takes among the servers that take part.
    pub election_ms: u64,
    /// How long a hand-over takes.
    pub handover_ms: u64,
    /// How long a learner takes to find the leader and to get its data.
    pub join_ms: u64,
    /// How long a server without data takes from NEWLEADER to UPTODATE, while it writes a snapshot.
    /// 0 if that time is not modelled.
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

/// Settings of the servers, and rules that can be switched off to test what they prevent.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting with ZooKeeper's own name")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// `standaloneEnabled`, the same on every server.
    pub standalone_enabled: bool,
    /// Whether only authenticated sessions may change the configuration.
    pub needs_auth: bool,
    /// The rule that a reconfig without effect raises the version. If switched off, requests with
    /// an older version of the same members are accepted: this is zkplan without its fence.
    pub fences: bool,
    /// The rule that a request with another version is refused. If switched off, every request is
    /// accepted as if it named no version: this is zkplan without expected versions.
    pub versions: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { standalone_enabled: true, needs_auth: false, fences: true, versions: true }
    }
}

/// Something that is done to an ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdminAction {
    /// [`World::kill`].
    Kill(ProcessId),
    /// [`World::start`], or [`World::start_afresh`] where no configuration on its disk names it.
    Start(ProcessId),
    /// [`World::freeze`].
    Freeze(ProcessId),
    /// [`World::thaw`].
    Thaw(ProcessId),
    /// All processes are on one side of the network again, and can be reached.
    Join,
}

/// The leader since the last election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leadership {
    pub(super) place: ProcessId,
    pub(super) epoch: u64,
    /// When it gives up for lack of a quorum (`Leader.lead` checks every half tick).
    pub(super) falls_at: Option<u64>,
}

/// An ensemble: a pure value. Time passes only in [`World::advance`]. Whatever is arbitrary in
/// ZooKeeper follows from [`World::bias`].
#[derive(Debug, Clone)]
pub struct World {
    pub(super) now_ms: u64,
    /// How fast it is.
    pub timing: Timing,
    /// How its servers are set.
    pub rules: Rules,
    /// The state of a random generator. It decides what is arbitrary in ZooKeeper: to which server
    /// a leader hands over, and whether a reply arrives before its connection ends.
    pub bias: u64,
    pub(super) processes: Vec<Process>,
    pub(super) term: Option<Leadership>,
    /// When the running election ends, and the server to which a leader has handed over.
    pub(super) election: Option<(u64, Option<ProcessId>)>,
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
    pub(super) mail: Vec<InFlight>,
    pub(super) waiting: BTreeMap<Ticket, Waiting>,
    pub(super) next_ticket: u64,
    /// Zxids of which a digest is kept.
    pub(super) digests: Vec<u64>,
    /// Versions that a fence should have disarmed, where the rule is switched off.
    pub(super) armed: Vec<u64>,
    /// Scheduled actions, with their times.
    pub(super) admin_actions: Vec<(u64, AdminAction)>,
    /// The addresses of names. A name that is not in this map has an address of its own.
    pub names: BTreeMap<String, IpAddr>,
    /// The record of everything that happened.
    pub truth: GroundTruth,
}

impl World {
    /// An ensemble that has just elected a leader: every member is up at its own address. The
    /// electable voter with the highest id leads the first epoch.
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
                place: ProcessId(at),
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
            admin_actions: Vec::new(),
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

    /// Starts a joiner with that line. Its own first configuration contains the present members and
    /// itself as an observer, as ZooKeeper's guide recommends ("Adding servers"). It has version 0,
    /// so every other one wins.
    pub fn place(&mut self, line: Server) -> ProcessId {
        let first = self.first_config(&line);
        let address = self.address(&line.peer().host);
        let mut process = Process::new(line, address, &first);
        let words = self.processes.first().is_none_or(|first| first.runs.allows_words);
        process.set_up(|file| file.allows_words = words);
        self.processes.push(process);
        self.refresh();
        ProcessId(self.processes.len() - 1)
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
    pub fn processes(&self) -> impl ExactSizeIterator<Item = (ProcessId, &Process)> {
        self.processes.iter().enumerate().map(|(at, process)| (ProcessId(at), process))
    }

    /// One process.
    pub fn process(&self, at: ProcessId) -> &Process {
        &self.processes[at.0]
    }

    /// One process, to set what the world itself does not change: its files, `alien`.
    pub fn process_mut(&mut self, at: ProcessId) -> &mut Process {
        &mut self.processes[at.0]
    }

    /// The process with that id. If there are several, the one that was placed last.
    pub fn place_of(&self, id: ServerId) -> Option<ProcessId> {
        self.processes.iter().rposition(|process| process.id() == id).map(ProcessId)
    }

    /// The process that listens for clients there.
    pub fn place_at(&self, at: &Endpoint) -> Option<ProcessId> {
        let address = self.address(&at.host);
        let listens = |process: &Process| {
            let there = process.line.client.as_ref().is_some_and(|client| client.port == at.port);
            there && process.condition != Condition::Down && process.address == address
        };
        self.processes.iter().position(listens).map(ProcessId)
    }

    /// The leader that has a quorum.
    pub fn leader(&self) -> Option<ProcessId> {
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
    pub fn kill(&mut self, at: ProcessId) {
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

    /// Starts a process again where it was, with the files and the data on its disk. A process does not
    /// start if no configuration on its disk contains it (`QuorumPeer.start`: "My id … not in the peer
    /// list").
    pub fn start(&mut self, at: ProcessId) -> bool {
        self.touch();
        let process = &mut self.processes[at.0];
        let named = process.config.names(process.id()) || process.seen.names(process.id());
        if process.condition == Condition::Down && named {
            process.condition = Condition::Up;
            process.runs = process.file.clone();
            process.exits_at = None;
            process.look();
            self.turned(at);
        }
        named
    }

    /// Starts a process again as a joiner: its first configuration is restored by an administrator,
    /// and its data are kept.
    pub fn start_afresh(&mut self, at: ProcessId) {
        let first = self.first_config(&self.processes[at.0].line);
        let process = &mut self.processes[at.0];
        if process.condition == Condition::Down {
            (process.config, process.seen) = (Arc::clone(&first), first);
            self.start(at);
        }
    }

    /// Freezes a process.
    pub fn freeze(&mut self, at: ProcessId) {
        self.touch();
        let process = &mut self.processes[at.0];
        if process.condition == Condition::Up {
            process.condition = Condition::Frozen;
            self.turned(at);
        }
    }

    /// Lets a frozen process go on.
    pub fn thaw(&mut self, at: ProcessId) {
        self.touch();
        let process = &mut self.processes[at.0];
        if process.condition == Condition::Frozen {
            process.condition = Condition::Up;
            self.turned(at);
        }
    }

    /// Moves processes to that side of the network. From now on they reach only processes on the
    /// same side. Clients reach them unless `hidden`.
    pub fn cut(&mut self, places: &[ProcessId], side: u8, hidden: bool) {
        self.touch();
        for at in places {
            let process = &mut self.processes[at.0];
            process.side = side;
            process.hidden = hidden;
            self.truth.log.push(SimEvent::Turned(*at, self.processes[at.0].condition, side));
        }
        self.refresh();
    }

    /// Delays commits on their way to a process: it acknowledges, and shows the older state.
    pub fn lag(&mut self, at: ProcessId, ms: u64) {
        self.touch();
        let (until, tree) = (self.now_ms + ms, Arc::clone(&self.tree));
        let process = &mut self.processes[at.0];
        if process.is_up() && process.learns() {
            process.view.get_or_insert(tree);
            process.lag_until = process.lag_until.max(until);
        }
    }

    /// Does something.
    pub fn does(&mut self, action: AdminAction) {
        match action {
            AdminAction::Kill(at) => self.kill(at),
            AdminAction::Start(at) => {
                if !self.start(at) {
                    self.start_afresh(at);
                }
            }
            AdminAction::Freeze(at) => self.freeze(at),
            AdminAction::Thaw(at) => self.thaw(at),
            AdminAction::Join => {
                let all: Vec<ProcessId> = (0..self.processes.len()).map(ProcessId).collect();
                self.cut(&all, 0, false);
            }
        }
    }

    /// Does something when so much time has passed.
    pub fn later(&mut self, ms: u64, action: AdminAction) {
        self.admin_actions.push((self.now_ms + ms, action));
    }

    /// Cancels all scheduled actions.
    pub fn cancel_actions(&mut self) {
        self.admin_actions.clear();
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

    /// Writes the root `count` times, as clients would. No effect if no write commits.
    pub fn write_many(&mut self, count: u32) -> bool {
        self.commits() && self.written(count)
    }

    /// Empties the data directory of a process that does not run.
    pub fn wipe(&mut self, at: ProcessId) {
        let process = &mut self.processes[at.0];
        if process.condition == Condition::Down {
            (process.epoch, process.logged, process.applied) = (0, 0, 0);
        }
    }

    /// Deletes a znode, as an administrator would: nothing where no write commits.
    pub fn delete(&mut self, path: &str) -> bool {
        self.commits() && self.removed(path)
    }

    /// Whether a process shows an older state.
    pub fn is_lagging(&self, at: ProcessId) -> bool {
        self.processes[at.0].lag_until > self.now_ms
    }

    /// The address of a host.
    pub(super) fn address(&self, host: &Host) -> IpAddr {
        if self.names.is_empty() {
            return address_of(host);
        }
        self.names.get(&host.canonical()).copied().unwrap_or_else(|| address_of(host))
    }

    fn turned(&mut self, at: ProcessId) {
        let process = &self.processes[at.0];
        self.truth.log.push(SimEvent::Turned(at, process.condition, process.side));
        self.refresh();
    }

    /// A number below `count`, chosen by `bias` (splitmix64).
    pub(super) fn choose(&mut self, count: usize) -> usize {
        self.bias = self.bias.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.bias;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let z = z ^ (z >> 31);
        usize::try_from(z % count.max(1) as u64).unwrap_or(0)
    }

    pub(super) fn say(&mut self, happening: SimEvent) {
        self.truth.log.push(happening);
    }
}

/// The address of an IP literal. Every name has an address of its own, computed from it (FNV-1a).
fn address_of(host: &Host) -> IpAddr {
    host.literal().unwrap_or_else(|| {
        let hash = host.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
        });
        let [_, b, c, d] = hash.to_be_bytes();
        IpAddr::from([10, b, c, d])
    })
}

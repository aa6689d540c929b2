//! The two stages: a real ensemble and a simulated one, with the same servers at the same lines.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;

use tokio::runtime::Runtime;
use zkplan::ensemble::{Limits, SessionFactory, ZooKeeper};
use zkplan::model::{ClientAddress, Membership, Server, ServerId};
use zkplan::simulator::{Barred, ProcessId, Rules, ServerFile, Simulated, Timing, World};

use crate::harness::Ensemble;

/// The line of a file before it is edited.
const OFF: &str = "reconfigEnabled=false";

/// What a story needs beside the port: somebody who starts and stops servers.
pub(super) trait Stage {
    type Port: SessionFactory;

    fn port(&self) -> &Self::Port;

    /// Ends a server.
    fn kill(&self, id: ServerId);

    /// Starts one again that was ended.
    fn start(&self, id: ServerId);

    /// Stops a server from running.
    fn freeze(&self, id: ServerId);

    /// Lets a frozen server go on.
    fn thaw(&self, id: ServerId);

    /// Sets `reconfigEnabled=true` in the file of a server.
    fn enable(&self, id: ServerId);

    /// Whether a server that runs cannot come back, for that reason, under that leader.
    fn is_barred(&self, id: ServerId, leader: ServerId, why: Barred) -> bool;
}

/// An election ends after a few rounds. One that does not is begun hundreds of times.
const ROUNDS: usize = 20;

/// What a server logs each time that it begins its election again.
const AGAIN: &str = "restarting leader election";

/// What a leader logs each time that it refuses a server.
const AHEAD: &str = "Follower is ahead of the leader";

/// The real one.
pub(super) struct Real<'a> {
    ensemble: &'a Ensemble,
    port: ZooKeeper,
    runtime: Runtime,
    /// How long each log was when a server was started last.
    logs: RefCell<BTreeMap<ServerId, usize>>,
}

impl<'a> Real<'a> {
    pub(super) fn of(ensemble: &'a Ensemble) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let port = ZooKeeper::new(Limits::default(), None).expect("no certificates to read");
        let logs = RefCell::default();
        Self { ensemble, port, runtime: runtime.expect("a runtime"), logs }
    }

    pub(super) fn run<T>(&self, story: impl Future<Output = T>) -> T {
        self.runtime.block_on(story)
    }

    /// The line of a server, in the role in which it is there or would come.
    pub(super) fn line(&self, id: u8) -> Server {
        Server::parse_line(&self.ensemble.server_line(id)).expect("a line that ZooKeeper prints")
    }
}

impl Stage for Real<'_> {
    type Port = ZooKeeper;

    fn port(&self) -> &ZooKeeper {
        &self.port
    }

    fn kill(&self, id: ServerId) {
        self.ensemble.kill(small(id));
    }

    fn start(&self, id: ServerId) {
        for (id, length) in self.logs.borrow_mut().iter_mut() {
            *length = self.ensemble.log(small(*id)).len();
        }
        let length = self.ensemble.log(small(id)).len();
        self.logs.borrow_mut().insert(id, length);
        self.ensemble.start_again(small(id));
    }

    fn freeze(&self, id: ServerId) {
        self.ensemble.freeze(small(id));
    }

    fn thaw(&self, id: ServerId) {
        self.ensemble.thaw(small(id));
    }

    fn enable(&self, id: ServerId) {
        let file = self.ensemble.file(small(id), "zoo.cfg");
        let text = fs::read_to_string(&file).expect("its zoo.cfg");
        assert!(text.contains(OFF), "{text}");
        let text = text.replace(OFF, "reconfigEnabled=true");
        fs::write(&file, text).expect("its zoo.cfg can be written");
    }

    fn is_barred(&self, id: ServerId, leader: ServerId, why: Barred) -> bool {
        let (of, text) = match why {
            Barred::CannotAdopt => (id, AGAIN),
            Barred::IsAhead => (leader, AHEAD),
        };
        let log = self.ensemble.log(small(of));
        let begin = self.logs.borrow().get(&of).copied().unwrap_or(0);
        log[begin..].matches(text).count() >= ROUNDS
    }
}

fn small(id: ServerId) -> u8 {
    u8::try_from(id.get()).expect("the harness counts servers in bytes")
}

/// The simulated one.
pub(super) struct Imagined(Simulated);

impl Imagined {
    pub(super) fn of(world: World) -> Self {
        Self(Simulated::new(world))
    }

    pub(super) fn run<T>(&self, story: impl Future<Output = T>) -> T {
        self.0.run(story).expect("nobody has the client die")
    }

    /// Where everything is now.
    pub(super) fn world(&self) -> World {
        self.0.world().clone()
    }

    fn place(&self, id: ServerId) -> ProcessId {
        self.0.world().place_of(id).expect("a server that was placed")
    }
}

impl Stage for Imagined {
    type Port = Simulated;

    fn port(&self) -> &Simulated {
        &self.0
    }

    fn kill(&self, id: ServerId) {
        let place = self.place(id);
        self.0.world().kill(place);
    }

    fn start(&self, id: ServerId) {
        let place = self.place(id);
        assert!(self.0.world().start(place), "a server that its configuration names");
    }

    fn freeze(&self, id: ServerId) {
        let place = self.place(id);
        self.0.world().freeze(place);
    }

    fn thaw(&self, id: ServerId) {
        let place = self.place(id);
        self.0.world().thaw(place);
    }

    fn enable(&self, id: ServerId) {
        let place = self.place(id);
        self.0.world().process_mut(place).file.reconfig_enabled = true;
    }

    fn is_barred(&self, id: ServerId, _: ServerId, why: Barred) -> bool {
        let place = self.place(id);
        self.0.world().barred(place) == Some(why)
    }
}

/// A world with these members and joiners, led by whom the real ensemble has elected.
pub(super) fn world(
    lines: &BTreeMap<ServerId, Server>,
    members: &[u8],
    joiners: &[u8],
    leader: ServerId,
    standalone_enabled: bool,
) -> World {
    let line = |id: &u8| lines[&ServerId::new((*id).into())].clone();
    // The harness has short ticks as well.
    let rules = Rules { needs_auth: true, standalone_enabled, ..Rules::default() };
    let members = Membership::of(members.iter().map(line));
    let mut world = World::new(members, Timing::default(), rules);
    for joiner in joiners {
        world.place(line(joiner));
    }
    rest(&mut world);
    // Where the highest id came late to the first election another one leads.
    for _ in 0..2 {
        let leads = world.leader().expect("a leader");
        if world.process(leads).id() != leader {
            world.kill(leads);
            rest(&mut world);
            assert!(world.start(leads), "a member starts again");
            rest(&mut world);
        }
    }
    let leads = world.leader().map(|leads| world.process(leads).id());
    assert_eq!(leads, Some(leader), "both begin under the same leader");
    world
}

/// The same where no server takes reconfigs. Lines without a client part come from files that have the
/// client port of their own server alone.
pub(super) fn without_reconfigs(world: World, ports: &BTreeMap<ServerId, u16>) -> World {
    let off = ServerFile { reconfig_enabled: false, ..ServerFile::default() };
    let mut world = world.with_files(|_| off.clone());
    for (id, port) in ports {
        let place = world.place_of(*id).expect("a server that was placed");
        let client = &mut world.process_mut(place).line.client;
        client.get_or_insert_with(|| ClientAddress::on_all_addresses(*port));
    }
    world
}

fn rest(world: &mut World) {
    let later = world.now_ms() + 3000;
    world.advance(later);
}

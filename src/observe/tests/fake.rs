//! An ensemble in memory: servers that answer in ZooKeeper's own words, and a script of events
//! during waits.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use crate::ensemble::{
    ConfigRead, Ensemble, FolderRead, FourLetterWord, Mode, NoAnswer, PortState,
};
pub(super) use crate::example::{FIRST_VERSION as FIRST, at, line};
use crate::model::{Endpoint, EnsembleConfig, Host, Zxid};

/// One server.
#[derive(Clone)]
pub(super) struct Fake {
    pub(super) at: Endpoint,
    pub(super) id: i64,
    pub(super) mode: Mode,
    pub(super) config: String,
    pub(super) zxid: u64,
    pub(super) version: &'static str,
    pub(super) tick_ms: u64,
    pub(super) init_limit: u64,
    pub(super) election_port: u16,
    /// Whether words beside `srvr` are whitelisted.
    pub(super) rich: bool,
    /// Why even `srvr` is not answered.
    pub(super) silent: Option<NoAnswer>,
    /// Whether it accepts connections and never answers.
    pub(super) hangs: bool,
    /// The identity in its data, where that is not the world's.
    pub(super) identity: Option<&'static str>,
    /// Why no session can be had.
    pub(super) no_session: Option<NoAnswer>,
    /// The ensemble in which it commits. Each write raises the zxid by one.
    pub(super) commits_with: Option<u8>,
    /// Its zxid once a write was committed anywhere.
    pub(super) zxid_after_write: Option<u64>,
    /// A word at which it closes the connection.
    pub(super) hangs_up_at: Option<FourLetterWord>,
    pub(super) hash: &'static str,
    pub(super) cons: &'static str,
    pub(super) dump: &'static str,
    /// The number of local sessions in `mntr`.
    pub(super) local_sessions: u64,
    /// The size of its data, and how long a snapshot of them took it, in `mntr`.
    pub(super) bytes: u64,
    pub(super) snapshot_ms: u64,
    /// The connection limit that it reports.
    pub(super) max_client_connections: u32,
    /// Whether it was seen to take one only.
    pub(super) takes_one: bool,
    pub(super) connections: u64,
    pub(super) digest_mismatches: u64,
    pub(super) znodes: u64,
    /// The content of `/zookeeper/config`, if it differs from the configuration in force.
    pub(super) held: Option<String>,
    /// The configuration in force after its znode was read.
    pub(super) config_after_read: Option<String>,
}

/// An event after some time of waiting.
type Event = (Duration, Box<dyn FnOnce(&mut World)>);

/// Everything outside.
#[derive(Default)]
pub(super) struct World {
    pub(super) servers: Vec<Fake>,
    pub(super) identity: Option<&'static str>,
    /// The data version of the configuration znode, if it was written by hand.
    pub(super) written: Option<(i32, &'static str)>,
    pub(super) names: BTreeMap<&'static str, Vec<IpAddr>>,
    pub(super) knocks: BTreeMap<(String, u16), PortState>,
    pub(super) admins: BTreeMap<(&'static str, &'static str), serde_json::Value>,
}

/// The port to a world.
#[derive(Default)]
pub(super) struct FakeEnsemble {
    pub(super) world: RefCell<World>,
    script: RefCell<Vec<Event>>,
    pub(super) waited: Cell<Duration>,
    pub(super) sessions: Cell<usize>,
    /// Every word that was sent, and its address.
    pub(super) words: RefCell<Vec<(Endpoint, FourLetterWord)>>,
    /// Every host and port to which it was connected.
    pub(super) dialled: RefCell<BTreeSet<(String, u16)>>,
}

impl FakeEnsemble {
    pub(super) fn of(servers: impl IntoIterator<Item = Fake>) -> Self {
        let fake = Self::default();
        fake.world.borrow_mut().servers.extend(servers);
        fake
    }

    /// Has something happen once that much time was waited.
    pub(super) fn after(&self, time: Duration, event: impl FnOnce(&mut World) + 'static) {
        self.script.borrow_mut().push((time, Box::new(event)));
    }

    /// Changes the server with that id.
    pub(super) fn server(&self, id: i64, change: impl FnOnce(&mut Fake)) {
        self.world.borrow_mut().server(id, change);
    }

    fn find(&self, at: &Endpoint) -> Result<Fake, NoAnswer> {
        self.dialled.borrow_mut().insert((at.host.canonical(), at.port));
        let world = self.world.borrow();
        let found = world.servers.iter().find(|server| server.at == *at);
        let server = found.ok_or(NoAnswer::Refused)?;
        match server.silent {
            Some(silence) => Err(silence),
            None => Ok(server.clone()),
        }
    }
}

impl World {
    /// Changes the server with that id.
    pub(super) fn server(&mut self, id: i64, change: impl FnOnce(&mut Fake)) {
        change(self.servers.iter_mut().find(|server| server.id == id).expect("a server"));
    }
}

impl Fake {
    fn answer(&self, word: FourLetterWord) -> String {
        match word {
            FourLetterWord::Srvr => format!(
                "Zookeeper version: {}, built on 2024-12-29 17:54 UTC\nConnections: {}\n\
                 Zxid: {:#x}\nMode: {}\nNode count: {}\n",
                self.version,
                self.connections + 1,
                self.zxid,
                self.mode.word(),
                self.znodes
            ),
            FourLetterWord::Conf if self.mode == Mode::Standalone => {
                "clientPort=2181\nserverId=0\n".into()
            }
            FourLetterWord::Conf => format!(
                "clientPort={}\ntickTime={}\ninitLimit={}\nmaxClientCnxns={}\nserverId={}\nelectionPort={}\n\
                 quorumPort=2888\nmembership: \n{}",
                self.at.port,
                self.tick_ms,
                self.init_limit,
                self.max_client_connections,
                self.id,
                self.election_port,
                self.config
            ),
            FourLetterWord::Mntr => format!(
                "zk_version\t{}\nzk_approximate_data_size\t{}\nzk_digest_mismatches_count\t{}\n\
                 zk_local_sessions\t{}\nzk_max_snapshottime\t{}.0\n",
                self.version,
                self.bytes,
                self.digest_mismatches,
                self.local_sessions,
                self.snapshot_ms
            ),
            FourLetterWord::Cons => self.cons.into(),
            FourLetterWord::Hash => self.hash.into(),
            FourLetterWord::Dump => self.dump.into(),
        }
    }
}

impl Ensemble for FakeEnsemble {
    async fn ask(&self, at: &Endpoint, word: FourLetterWord) -> Result<String, NoAnswer> {
        self.words.borrow_mut().push((at.clone(), word));
        let server = self.find(at)?;
        if server.hangs {
            std::future::pending::<()>().await;
        }
        if word != FourLetterWord::Srvr && !server.rich {
            return Err(NoAnswer::NotWhitelisted);
        }
        if server.hangs_up_at == Some(word) {
            return Err(NoAnswer::Closed);
        }
        Ok(server.answer(word))
    }

    async fn read(&self, at: &Endpoint) -> Result<ConfigRead, NoAnswer> {
        let server = self.find(at)?;
        if let Some(silence) = server.no_session {
            return Err(silence);
        }
        self.sessions.set(self.sessions.get() + 1);
        let commits_with = server.commits_with;
        let mut world = self.world.borrow_mut();
        for server in &mut world.servers {
            if server.at == *at
                && let Some(config) = server.config_after_read.take()
            {
                server.config = config;
            }
            server.zxid = server.zxid_after_write.take().unwrap_or(server.zxid);
            if server.commits_with.is_some() && server.commits_with == commits_with {
                server.zxid += 1;
            }
        }
        let version = EnsembleConfig::parse(&server.config).map(|config| config.version);
        let mzxid = version.map_or(0, |version| version.as_zxid().get());
        let (config_data_version, config) = match world.written {
            Some((version, text)) => (version, text.to_owned()),
            None => (-1, server.held.clone().unwrap_or_else(|| server.config.clone())),
        };
        Ok(ConfigRead {
            server_id_byte: server.id.to_le_bytes()[0],
            config,
            config_data_version,
            config_mzxid: i64::try_from(mzxid).expect("a version is no negative number"),
            folder: server
                .identity
                .or(world.identity)
                .map_or_else(FolderRead::default, |id| FolderRead::of_super(Some(id))),
        })
    }

    fn takes_one_connection(&self, at: &Endpoint) -> bool {
        self.find(at).is_ok_and(|server| server.takes_one)
    }

    async fn admin(&self, base: &str, command: &str) -> Result<serde_json::Value, NoAnswer> {
        let world = self.world.borrow();
        world.admins.get(&(base, command)).cloned().ok_or(NoAnswer::Refused)
    }

    async fn check_port(&self, host: &Host, port: u16) -> PortState {
        self.dialled.borrow_mut().insert((host.canonical(), port));
        let world = self.world.borrow();
        world.knocks.get(&(host.canonical(), port)).copied().unwrap_or(PortState::Open)
    }

    async fn resolve(&self, host: &Host) -> Vec<IpAddr> {
        let known = self.world.borrow().names.get(host.as_str()).cloned();
        known.unwrap_or_else(|| host.literal().into_iter().collect())
    }

    async fn pause(&self, time: Duration) {
        self.waited.set(self.waited.get() + time);
        let due = |event: &mut Event| event.0 <= self.waited.get();
        let happening: Vec<Event> = self.script.borrow_mut().extract_if(.., due).collect();
        for (_, event) in happening {
            event(&mut self.world.borrow_mut());
        }
    }
}

/// Runs a future that never really waits.
pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future)
}

/// A configuration of such voters.
pub(super) fn config(ids: &[i64], version: &str) -> String {
    let lines: String = ids.iter().map(|id| line(*id) + "\n").collect();
    format!("{lines}version={version}")
}

/// A server of a rich ensemble.
pub(super) fn server(id: i64, mode: Mode, config: &str) -> Fake {
    Fake {
        at: at(id),
        id,
        mode,
        config: config.to_owned(),
        zxid: Zxid::new(0x1_0000_0007).get(),
        version: "3.8.0-abc",
        tick_ms: 200,
        init_limit: 10,
        election_port: 3888,
        rich: true,
        silent: None,
        hangs: false,
        identity: None,
        no_session: None,
        commits_with: None,
        zxid_after_write: None,
        hangs_up_at: None,
        hash: "",
        cons: "",
        dump: "SessionTracker dump:\n",
        local_sessions: 0,
        bytes: 27,
        snapshot_ms: 0,
        max_client_connections: 60,
        takes_one: false,
        connections: 0,
        digest_mismatches: 0,
        znodes: 5,
        held: None,
        config_after_read: None,
    }
}

/// Voters with these ids, the last of which leads.
pub(super) fn voters(ids: &[i64], version: &str) -> Vec<Fake> {
    let text = config(ids, version);
    let mode = |id: i64| if Some(&id) == ids.last() { Mode::Leader } else { Mode::Follower };
    ids.iter().map(|id| server(*id, mode(*id), &text)).collect()
}

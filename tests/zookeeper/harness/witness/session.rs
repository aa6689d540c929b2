//! The witness's session, over as many connections as it takes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::oneshot;
use tokio::time::timeout;
use zookeeper_async::{
    Acl, CreateMode, WatchedEvent, WatchedEventType, ZkError, ZkResult, ZkState, ZooKeeper,
};

use super::super::PATIENCE;

const ROOT: &str = "/witness";
/// Its children are the writes that count.
const WRITTEN: &str = "/witness/written";
/// Alive as long as the session is.
const EPHEMERAL: &str = "/witness/alive";
const WATCHED: &str = "/witness/watched";
/// Written to in order to learn that a server is up to date.
const CAUGHT_UP: &str = "/witness/caught-up";

/// Long enough for a machine with busy cores, short enough that a session which nobody serves any
/// more would be gone before the end of a story.
const SESSION: Duration = Duration::from_secs(10);

/// After a connection that could not be made.
const BEFORE_DIALLING_AGAIN: Duration = Duration::from_millis(20);

/// Reads at a time when all is read back.
const SIDE_BY_SIDE: usize = 32;

/// How long an event may take that the server sent before its reply.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// How many writes to the watched znode may miss their event because connections come and go.
const TOUCHES_AT_THE_END: u64 = 100;

/// What became of a write.
#[derive(Clone, Copy, Debug)]
pub(super) enum Write {
    Acknowledged {
        /// It went to the watched znode.
        touched: bool,
        /// The watch told of it.
        fired: bool,
    },
    /// The reply to a write to the watched znode was lost: the next one tells.
    Unknown,
    /// The reply was lost; a look shows that it was written.
    SettledThere,
    /// The reply was lost; a look shows that it was not, and the session has moved on since, so
    /// that it never will be.
    SettledNotThere,
}

/// A watch on its way to fire.
struct Armed {
    /// The connection that it was set on; it is worth nothing on another.
    connection: u64,
    event: oneshot::Receiver<WatchedEvent>,
}

/// An ephemeral znode: who owns it, and the zxid that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Alive {
    session: i64,
    czxid: i64,
}

/// A session with its ephemeral znode and its watch.
pub(super) struct Session {
    client: Client,
    alive: Alive,
    armed: Option<Armed>,
    /// The last acknowledged write to the watched znode.
    touched: u64,
}

impl Session {
    pub(super) async fn begin(addresses: &str) -> Self {
        let client = Client::connect(addresses).await;
        for path in [ROOT, WRITTEN, WATCHED, CAUGHT_UP] {
            client.make(path).await;
        }
        let alive = client.ephemeral(EPHEMERAL).await;
        Self { client, alive, armed: None, touched: 0 }
    }

    /// How many connections the session has had.
    pub(super) fn connection(&self) -> u64 {
        self.client.connections.load(Ordering::SeqCst)
    }

    /// Makes a znode. A lost reply is settled before this returns.
    pub(super) async fn write(&self, number: u64) -> Write {
        let (path, data) = (znode(number), content(number));
        let made = self.client.zookeeper.create(&path, data, anyone(), CreateMode::Persistent);
        match answered(made).await {
            Ok(_) => Write::Acknowledged { touched: false, fired: false },
            Err(why) if is_lost(why) => {
                self.client.caught_up().await;
                let look = async || self.client.zookeeper.exists(&path, false).await;
                match self.client.retried(look).await {
                    Some(_) => Write::SettledThere,
                    None => Write::SettledNotThere,
                }
            }
            Err(why) => panic!("write {number} of the witness: {why}"),
        }
    }

    /// Writes to the watched znode, and sees the watch fire unless the connection is another since.
    pub(super) async fn touch(&mut self, number: u64) -> Write {
        let armed = self.armed().await;
        let set = self.client.zookeeper.set_data(WATCHED, content(number), None);
        match answered(set).await {
            Ok(_) => {
                self.touched = number;
                let fired = answered(self.fires(armed)).await;
                Write::Acknowledged { touched: true, fired }
            }
            Err(why) if is_lost(why) => Write::Unknown,
            Err(why) => panic!("write {number} of the witness: {why}"),
        }
    }

    /// Whether a watch fires; on the connection that it was set on, it must: the server tells the
    /// watcher before it answers the writer.
    async fn fires(&self, mut armed: Armed) -> bool {
        loop {
            match timeout(BETWEEN_LOOKS, &mut armed.event).await {
                Ok(event) => {
                    let event = event.map(|event| event.event_type);
                    assert_eq!(event.ok(), Some(WatchedEventType::NodeDataChanged));
                    return true;
                }
                Err(_) if self.connection() != armed.connection => return false,
                Err(_) => {}
            }
        }
    }

    /// The watch, set on the present connection. Should changes have been missed without one, they
    /// are seen to be there.
    async fn armed(&mut self) -> Armed {
        loop {
            match self.armed.take() {
                Some(armed) if armed.connection == self.connection() => return armed,
                _ => self.arm().await,
            }
        }
    }

    async fn arm(&mut self) {
        self.client.caught_up().await;
        let connection = self.connection();
        let (tell, event) = oneshot::channel();
        let watcher = move |event| drop(tell.send(event));
        let read = answered(self.client.zookeeper.get_data_w(WATCHED, watcher)).await;
        match read {
            Ok((data, _)) => {
                let written = number(&data);
                assert!(written >= self.touched, "{written} is older than {}", self.touched);
                self.armed = Some(Armed { connection, event });
            }
            Err(why) if is_lost(why) => {}
            Err(why) => panic!("the watch cannot be set any more: {why}"),
        }
    }

    /// The watch still tells what happens: one is seen to fire.
    pub(super) async fn watch_fires(&mut self, first: u64) {
        for number in first..first + TOUCHES_AT_THE_END {
            if let Write::Acknowledged { fired: true, .. } = self.touch(number).await {
                return;
            }
        }
        panic!("the watch is dead");
    }

    /// The session of the beginning still lives: its ephemeral znode was never made anew, and what
    /// this client makes now belongs to the same session.
    pub(super) async fn is_the_first(&self) {
        let look = async || self.client.zookeeper.exists(EPHEMERAL, false).await;
        let stat = self.client.retried(look).await;
        let stat = stat.expect("the ephemeral znode of the witness is gone");
        let now = Alive { session: stat.ephemeral_owner, czxid: stat.czxid };
        assert_eq!(now, self.alive, "the ephemeral znode is another one");
        let probe = self.client.ephemeral(&format!("{EPHEMERAL}-still")).await;
        assert_eq!(probe.session, self.alive.session, "the session is another one");
    }
}

/// Which of these writes the server at an address does not have as they were written.
pub(super) async fn missing(address: &str, numbers: &[u64]) -> Vec<u64> {
    let client = Client::connect(address).await;
    client.make(ROOT).await;
    client.make(CAUGHT_UP).await;
    client.caught_up().await;
    let missing = client.missing(numbers).await;
    // A session that stays open only ends later.
    answered(client.zookeeper.close()).await.ok();
    missing
}

/// A client whose connections are counted.
struct Client {
    zookeeper: ZooKeeper,
    connections: Arc<AtomicU64>,
}

impl Client {
    async fn connect(addresses: &str) -> Self {
        let connections = Arc::new(AtomicU64::new(0));
        let zookeeper = ZooKeeper::connect_with_retry_time(
            addresses,
            SESSION,
            |_: WatchedEvent| {},
            BEFORE_DIALLING_AGAIN,
        );
        let zookeeper = answered(zookeeper).await.expect("all addresses are numbers");
        let counter = Arc::clone(&connections);
        zookeeper.add_listener(move |state| {
            if state == ZkState::Connected {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { zookeeper, connections }
    }

    async fn missing(&self, numbers: &[u64]) -> Vec<u64> {
        let names = self.retried(async || self.zookeeper.get_children(WRITTEN, false).await).await;
        let names: BTreeSet<String> = names.into_iter().collect();
        let (known, mut missing): (Vec<u64>, Vec<u64>) =
            numbers.iter().partition(|number| names.contains(&name(**number)));
        let differ = stream::iter(known)
            .map(async |number| {
                let read = async || self.zookeeper.get_data(&znode(number), false).await;
                let (data, _) = self.retried(read).await;
                Ok::<_, ZkError>((data != content(number)).then_some(number))
            })
            .buffered(SIDE_BY_SIDE)
            .try_filter_map(|number| async move { Ok(number) });
        missing.extend(differ.try_collect::<Vec<_>>().await.expect("failures are retried"));
        missing
    }

    /// Returns when the server that we are on has all that was committed before.
    async fn caught_up(&self) {
        self.retried(async || self.zookeeper.set_data(CAUGHT_UP, Vec::new(), None).await).await;
    }

    async fn make(&self, path: &str) {
        self.retried(async || {
            let made = self.zookeeper.create(path, Vec::new(), anyone(), CreateMode::Persistent);
            match made.await {
                Ok(_) | Err(ZkError::NodeExists) => Ok(()),
                Err(why) => Err(why),
            }
        })
        .await;
    }

    async fn ephemeral(&self, path: &str) -> Alive {
        let stat = self.retried(async || {
            let made = self.zookeeper.create(path, Vec::new(), anyone(), CreateMode::Ephemeral);
            match made.await {
                Ok(_) | Err(ZkError::NodeExists) => self.zookeeper.exists(path, false).await,
                Err(why) => Err(why),
            }
        });
        let stat = stat.await.expect("an ephemeral znode just made is there");
        Alive { session: stat.ephemeral_owner, czxid: stat.czxid }
    }

    /// Does what may be done twice, until a reply comes.
    async fn retried<T>(&self, work: impl AsyncFn() -> ZkResult<T>) -> T {
        let answered_at_last = async {
            loop {
                match work().await {
                    Ok(done) => return done,
                    Err(why) if is_lost(why) => {
                        tokio::time::sleep(BEFORE_DIALLING_AGAIN).await;
                    }
                    Err(why) => panic!("the witness: {why}"),
                }
            }
        };
        answered(answered_at_last).await
    }
}

/// Bounds a wait: without an answer for so long, the ensemble is down and the test has failed.
async fn answered<T>(work: impl Future<Output = T>) -> T {
    let late = timeout(PATIENCE, work).await;
    late.unwrap_or_else(|_| panic!("for {PATIENCE:?} no answer to the witness"))
}

/// Whether the reply was lost with the connection, and with it the knowledge of what was done.
fn is_lost(why: ZkError) -> bool {
    matches!(why, ZkError::ConnectionLoss | ZkError::OperationTimeout | ZkError::SessionMoved)
}

fn name(number: u64) -> String {
    format!("{number:010}")
}

fn znode(number: u64) -> String {
    format!("{WRITTEN}/{}", name(number))
}

fn content(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// The number in what [`content`] made; 0 where nothing was written yet.
fn number(content: &[u8]) -> u64 {
    String::from_utf8_lossy(content).parse().unwrap_or(0)
}

fn anyone() -> Vec<Acl> {
    Acl::open_unsafe().clone()
}

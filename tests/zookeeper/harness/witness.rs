//! An independent client at work, as an ensemble's users are.
//!
//! It is not the library that zkplan is built on: what it says about acknowledged writes, about its
//! session and about its watch does not rest on any code of ours.
//!
//! Two things that this library leaves to its user are done here. It keeps its session over
//! connections, but does not set watches anew on the next one: we do, and look at what was missed
//! meanwhile. And it has no `sync`: before anything is read back, a write goes through the same
//! server, and once it is acknowledged, that server has applied all that came before.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::oneshot;
use tokio::time::timeout;
use zookeeper_async::{
    Acl, CreateMode, WatchedEvent, WatchedEventType, ZkError, ZkResult, ZkState, ZooKeeper,
};

use super::ensemble::Ensemble;
use super::{PATIENCE, lock, wait_until};

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

/// Between two writes: what an application does, and room for the servers on two cores.
const PAUSE: Duration = Duration::from_millis(10);

/// After a connection that could not be made.
const BEFORE_DIALLING_AGAIN: Duration = Duration::from_millis(20);

/// One in so many writes goes to the watched znode.
const TOUCH_EVERY: u64 = 10;

/// Reads at a time when all is read back.
const SIDE_BY_SIDE: usize = 32;

/// A client that works until it is asked to finish, or dropped.
pub(crate) struct Witness {
    book: Arc<Mutex<Book>>,
    orders: Option<oneshot::Sender<Vec<(u8, SocketAddr)>>>,
    /// Dropped with us; then the thread ends.
    _presence: oneshot::Sender<()>,
    thread: Option<JoinHandle<Figures>>,
}

/// What it has seen so far.
struct Book {
    acknowledged: Vec<u64>,
    last: Instant,
    longest_gap: Duration,
    settled: Settled,
    events: u64,
}

/// Writes whose reply was lost with the connection, by what a look showed afterwards.
#[derive(Clone, Copy, Debug, Default)]
struct Settled {
    there: u64,
    not_there: u64,
}

/// What a user of the ensemble would have seen.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Writes that were acknowledged.
    pub(crate) acknowledged: usize,
    /// Those of them that a server does not have. Always 0: [`Witness::finish`] panics otherwise.
    pub(crate) lost: usize,
    /// The longest time between two acknowledged writes.
    pub(crate) longest_gap: Duration,
    settled: Settled,
    events: u64,
    connections: u64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, lost, longest_gap, settled, events, connections } = self;
        let Settled { there, not_there } = settled;
        write!(
            f,
            "acknowledged {acknowledged}, lost {lost}, longest gap {longest_gap:?}, \
             unknown and settled {there} there and {not_there} not, events {events}, \
             connections {connections}"
        )
    }
}

impl Witness {
    /// Begins to work on these servers, members or not yet, started or not yet; returns once the
    /// first write is acknowledged.
    pub(crate) fn of(ensemble: &Ensemble, ids: impl IntoIterator<Item = u8>) -> Self {
        let addresses: Vec<String> =
            ids.into_iter().map(|id| ensemble.client_address(id).to_string()).collect();
        let addresses = addresses.join(",");
        let book = Arc::new(Mutex::new(Book {
            acknowledged: Vec::new(),
            last: Instant::now(),
            longest_gap: Duration::ZERO,
            settled: Settled::default(),
            events: 0,
        }));
        let (orders, inbox) = oneshot::channel();
        let (presence, absence) = oneshot::channel();
        let (begun, beginning) = mpsc::channel();
        let own = Arc::clone(&book);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime for one client").block_on(async {
                tokio::select! {
                    figures = work(&addresses, &own, begun, inbox) => figures,
                    _ = absence => panic!("the test ended before its witness did"),
                }
            })
        });
        let witness =
            Self { book, orders: Some(orders), _presence: presence, thread: Some(thread) };
        beginning.recv_timeout(PATIENCE).expect("the witness begins to write");
        witness
    }

    /// Does something, and tells the longest time without an acknowledged write that touched it.
    pub(crate) fn longest_gap<T>(&self, something: impl FnOnce() -> T) -> (T, Duration) {
        let whole = std::mem::take(&mut lock(&self.book).longest_gap);
        let done = something();
        let end = Instant::now();
        let longest = wait_until("a write to be acknowledged", PATIENCE, || {
            let book = lock(&self.book);
            (book.last > end).then_some(book.longest_gap)
        });
        let mut book = lock(&self.book);
        book.longest_gap = book.longest_gap.max(whole);
        (done, longest)
    }

    /// Ends the work and reads it back from every one of these servers, through its own client
    /// port.
    ///
    /// # Panics
    /// When a server lacks an acknowledged write, the session is another one or its ephemeral
    /// znode gone, or the watch is dead.
    pub(crate) fn finish(self, ensemble: &Ensemble, ids: impl IntoIterator<Item = u8>) -> Figures {
        self.finish_at(ids.into_iter().map(|id| (id, ensemble.client_address(id))).collect())
    }

    /// [`Witness::finish`] at these addresses, whoever answers there.
    pub(crate) fn finish_at(mut self, servers: Vec<(u8, SocketAddr)>) -> Figures {
        let (orders, thread) = (self.orders.take(), self.thread.take());
        // Nobody listens only if the thread has panicked, and then joining tells why.
        orders.expect("taken only here").send(servers).ok();
        match thread.expect("taken only here").join() {
            Ok(figures) => figures,
            Err(why) => std::panic::resume_unwind(why),
        }
    }
}

async fn work(
    addresses: &str,
    book: &Mutex<Book>,
    begun: mpsc::Sender<()>,
    mut orders: oneshot::Receiver<Vec<(u8, SocketAddr)>>,
) -> Figures {
    let mut client = Client::connect(addresses).await;
    for path in [ROOT, WRITTEN, WATCHED, CAUGHT_UP] {
        client.make(path).await;
    }
    let first = client.ephemeral(EPHEMERAL).await;
    let mut next = 0;
    loop {
        next += 1;
        if client.turn(next, book).await {
            begun.send(()).ok();
        }
        if let Ok(servers) = orders.try_recv() {
            client.watch_fires(next, book).await;
            client.session_is_that_of(first).await;
            return client.read_back(&servers, book).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A watch on its way to fire.
struct Armed {
    /// The connection that it was set on; it is worth nothing on another.
    connection: u64,
    event: oneshot::Receiver<WatchedEvent>,
}

struct Client {
    zookeeper: ZooKeeper,
    /// How many connections the session has had.
    connections: Arc<AtomicU64>,
    armed: Option<Armed>,
}

/// An ephemeral znode: who owns it, and the zxid that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Alive {
    session: i64,
    czxid: i64,
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
        Self { zookeeper, connections, armed: None }
    }

    fn connection(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    /// One write, of the kind whose turn it is. Says whether it was acknowledged.
    async fn turn(&mut self, number: u64, book: &Mutex<Book>) -> bool {
        let touch = number.is_multiple_of(TOUCH_EVERY);
        let done = if touch { self.touch(number, book).await } else { self.write(number).await };
        match done {
            Ok(()) => {
                let mut book = lock(book);
                book.longest_gap = book.longest_gap.max(book.last.elapsed());
                book.last = Instant::now();
                if !touch {
                    book.acknowledged.push(number);
                }
            }
            Err(ZkError::ConnectionLoss | ZkError::OperationTimeout | ZkError::SessionMoved) => {
                self.caught_up().await;
                if !touch {
                    let there = self.retried(async || self.there(&znode(number)).await).await;
                    let settled = &mut lock(book).settled;
                    *if there { &mut settled.there } else { &mut settled.not_there } += 1;
                }
            }
            Err(why) => panic!("write {number} of the witness: {why}"),
        }
        done.is_ok()
    }

    async fn write(&self, number: u64) -> ZkResult<()> {
        let (path, data) = (znode(number), content(number));
        let create = self.zookeeper.create(&path, data, anyone(), CreateMode::Persistent);
        answered(create).await.map(drop)
    }

    /// Writes to the watched znode, and sees the watch fire unless the connection is another since.
    async fn touch(&mut self, number: u64, book: &Mutex<Book>) -> ZkResult<()> {
        self.arm().await?;
        let armed = self.armed.take().expect("it was just armed");
        answered(self.zookeeper.set_data(WATCHED, content(number), None)).await?;
        // The server tells the watcher before it answers the writer.
        let event = async {
            let mut event = armed.event;
            loop {
                match timeout(PAUSE, &mut event).await {
                    Ok(event) => return event.ok(),
                    Err(_) if self.connection() != armed.connection => return None,
                    Err(_) => {}
                }
            }
        };
        if let Some(event) = answered(event).await {
            assert_eq!(event.event_type, WatchedEventType::NodeDataChanged, "{event:?}");
            lock(book).events += 1;
        }
        Ok(())
    }

    /// Sets the watch if the present connection has none.
    async fn arm(&mut self) -> ZkResult<()> {
        while self.armed.as_ref().is_none_or(|armed| armed.connection != self.connection()) {
            let connection = self.connection();
            let (tell, event) = oneshot::channel();
            let watcher = move |event| drop(tell.send(event));
            answered(self.zookeeper.get_data_w(WATCHED, watcher)).await?;
            self.armed = Some(Armed { connection, event });
        }
        Ok(())
    }

    /// The watch still tells what happens: within a few turns, one must be seen to fire.
    async fn watch_fires(&mut self, after: u64, book: &Mutex<Book>) {
        let before = lock(book).events;
        for number in after + 1.. {
            match self.touch(number, book).await {
                Ok(()) if lock(book).events > before => return,
                Ok(()) | Err(ZkError::ConnectionLoss) => {}
                Err(why) => panic!("the watch cannot be set any more: {why}"),
            }
            assert!(number < after + TOUCH_EVERY * 10, "the watch is dead");
        }
    }

    /// The session of the beginning still lives: its ephemeral znode was never made anew, and what
    /// this client makes now belongs to the same session.
    async fn session_is_that_of(&self, first: Alive) {
        let stat = self.retried(async || self.zookeeper.exists(EPHEMERAL, false).await).await;
        let stat = stat.expect("the ephemeral znode of the witness is gone");
        let now = Alive { session: stat.ephemeral_owner, czxid: stat.czxid };
        assert_eq!(now, first, "the ephemeral znode is another one");
        let probe = self.ephemeral(&format!("{EPHEMERAL}-still")).await;
        assert_eq!(probe.session, first.session, "the session is another one");
    }

    async fn read_back(&self, servers: &[(u8, SocketAddr)], book: &Mutex<Book>) -> Figures {
        let numbers = lock(book).acknowledged.clone();
        let mut lost = Vec::new();
        for (id, address) in servers {
            let own = Self::connect(&address.to_string()).await;
            own.caught_up().await;
            let missing: Vec<u64> = own.missing(&numbers).await;
            if !missing.is_empty() {
                lost.push(format!("server {id} lacks {missing:?}"));
            }
            // A session that stays open only ends later.
            answered(own.zookeeper.close()).await.ok();
        }
        let count = numbers.len();
        assert!(lost.is_empty(), "of {count} acknowledged writes, {}", lost.join("; "));
        let book = lock(book);
        Figures {
            acknowledged: count,
            lost: 0,
            longest_gap: book.longest_gap,
            settled: book.settled,
            events: book.events,
            connections: self.connection(),
        }
    }

    /// Which of these writes the server does not have as they were written.
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

    async fn there(&self, path: &str) -> ZkResult<bool> {
        Ok(self.zookeeper.exists(path, false).await?.is_some())
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
                    Err(ZkError::ConnectionLoss | ZkError::SessionMoved) => {
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

fn name(number: u64) -> String {
    format!("{number:010}")
}

fn znode(number: u64) -> String {
    format!("{WRITTEN}/{}", name(number))
}

fn content(number: u64) -> Vec<u8> {
    format!("write {number}").into_bytes()
}

fn anyone() -> Vec<Acl> {
    Acl::open_unsafe().clone()
}

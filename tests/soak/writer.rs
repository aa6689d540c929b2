//! An application at work: a client that is not the library that zkplan is built on, and that
//! knows which of its writes were acknowledged.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use tokio::time::timeout;
use zookeeper_async::{Acl, CreateMode, WatchedEvent, ZkError, ZkResult, ZooKeeper};

use crate::harness::lock;
use crate::members::Config;

/// Between two writes: what an application does, and room for the servers on two cores.
const PAUSE: Duration = Duration::from_millis(15);

/// Without a reply for so long, it begins a session on another server.
const IMPATIENCE: Duration = Duration::from_secs(3);

const SESSION: Duration = Duration::from_secs(10);

/// Writes to one folder, all of which are read back after each round; then a new one is begun.
const FOLDER_FULL: usize = 20_000;

/// Reads or deletes at a time.
const SIDE_BY_SIDE: usize = 32;

/// A client that writes until it is dropped.
pub(crate) struct Writer {
    book: Arc<Mutex<Book>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Book {
    /// Where the servers are, `address:port` each.
    addresses: Vec<String>,
    folder: u64,
    /// Written to this folder and acknowledged.
    acknowledged: BTreeSet<u64>,
    all: usize,
    last: Instant,
    longest_gap: Duration,
}

/// Writes that were acknowledged.
pub(crate) struct Acknowledged {
    folder: u64,
    numbers: BTreeSet<u64>,
}

impl Writer {
    pub(crate) fn begin(addresses: Vec<String>) -> Self {
        let book = Arc::new(Mutex::new(Book {
            addresses,
            folder: 0,
            acknowledged: BTreeSet::new(),
            all: 0,
            last: Instant::now(),
            longest_gap: Duration::ZERO,
        }));
        let ends = Arc::new(AtomicBool::new(false));
        let (own, own_end) = (Arc::clone(&book), Arc::clone(&ends));
        let thread = thread::spawn(move || block_on(write(&own, &own_end)));
        Self { book, ends, thread: Some(thread) }
    }

    /// Other servers serve from now on.
    pub(crate) fn serves_at(&self, addresses: Vec<String>) {
        lock(&self.book).addresses = addresses;
    }

    /// How many writes were acknowledged so far.
    pub(crate) fn count(&self) -> usize {
        lock(&self.book).all
    }

    /// What was acknowledged, of the present folder.
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        let book = lock(&self.book);
        Acknowledged { folder: book.folder, numbers: book.acknowledged.clone() }
    }

    /// The longest time between two acknowledged writes since this was last asked.
    pub(crate) fn longest_gap(&self) -> Duration {
        let mut book = lock(&self.book);
        let since_last = book.last.elapsed();
        std::mem::take(&mut book.longest_gap).max(since_last)
    }

    /// Begins a new folder once this one has much in it, and deletes what was read back.
    pub(crate) fn turn_page(&self, read_back: &Acknowledged) {
        let addresses = {
            let mut book = lock(&self.book);
            if book.acknowledged.len() < FOLDER_FULL {
                return;
            }
            book.folder += 1;
            book.acknowledged.clear();
            book.addresses.clone()
        };
        block_on(async {
            let Some(client) = connect(&addresses.join(",")).await else { return };
            let paths = read_back.numbers.iter().map(|number| znode(read_back.folder, *number));
            let deletions = stream::iter(paths).map(async |path| {
                client.delete(&path, None).await.ok();
            });
            deletions.buffer_unordered(SIDE_BY_SIDE).count().await;
            client.close().await.ok();
        });
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the writer panicked");
        }
    }
}

async fn write(book: &Mutex<Book>, ends: &AtomicBool) {
    let (mut client, mut turn) = (None, 0);
    let mut began = Instant::now();
    for number in 0.. {
        if ends.load(Ordering::SeqCst) {
            break;
        }
        let (folder, mut addresses) = {
            let book = lock(book);
            (book.folder, book.addresses.clone())
        };
        let client_now = if let Some(client) = client.take() {
            client
        } else {
            let first = turn % addresses.len();
            addresses.rotate_left(first);
            turn += 1;
            began = Instant::now();
            let Some(fresh) = connect(&addresses.join(",")).await else { continue };
            fresh
        };
        let written = timeout(IMPATIENCE, create(&client_now, folder, number)).await;
        if let Ok(Ok(())) = written {
            let mut book = lock(book);
            if book.folder == folder {
                book.acknowledged.insert(number);
            }
            book.all += 1;
            book.longest_gap = book.last.elapsed().max(book.longest_gap);
            book.last = Instant::now();
            began = Instant::now();
        }
        // What failed is not known to be written, and is not written again.
        if began.elapsed() < IMPATIENCE {
            client = Some(client_now);
        } else {
            timeout(PAUSE, client_now.close()).await.ok();
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn create(client: &ZooKeeper, folder: u64, number: u64) -> ZkResult<()> {
    let data = number.to_string().into_bytes();
    let path = znode(folder, number);
    match client.create(&path, data, anyone(), CreateMode::Persistent).await {
        Err(ZkError::NoNode) => make(client, &parent(folder)).await,
        other => other.map(drop),
    }
}

async fn make(client: &ZooKeeper, path: &str) -> ZkResult<()> {
    match client.create(path, Vec::new(), anyone(), CreateMode::Persistent).await {
        Ok(_) | Err(ZkError::NodeExists) => Err(ZkError::NoNode),
        Err(why) => Err(why),
    }
}

/// What a member has, as it says itself once it has all that was committed before.
pub(crate) struct Read {
    /// Writes that it lacks.
    pub(crate) missing: Vec<u64>,
    pub(crate) config: Option<Config>,
}

/// Reads from the server at an address, through its own client port; `None` where it does not
/// answer in time.
pub(crate) fn read_back(address: &str, written: &Acknowledged, limit: Duration) -> Option<Read> {
    let reading = async {
        loop {
            if let Some(client) = connect(address).await {
                let read = timeout(limit, read(&client, written)).await;
                timeout(IMPATIENCE, client.close()).await.ok();
                if let Ok(Ok(read)) = read {
                    return read;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    block_on(async { timeout(limit, reading).await.ok() })
}

async fn read(client: &ZooKeeper, written: &Acknowledged) -> ZkResult<Read> {
    // A write through this server: once it is acknowledged, the server has all that came before.
    let mark = format!("/soak-read-{}", written.folder);
    match client.create(&mark, Vec::new(), anyone(), CreateMode::Persistent).await {
        Ok(_) => {}
        Err(ZkError::NodeExists) => {
            client.set_data(&mark, Vec::new(), None).await?;
        }
        Err(why) => return Err(why),
    }
    let names = match client.get_children(&parent(written.folder), false).await {
        // A server that was given a part of the data only may lack the folder itself.
        Err(ZkError::NoNode) => Vec::new(),
        other => other?,
    };
    let names: BTreeSet<String> = names.into_iter().collect();
    let lacks = |number: &&u64| !names.contains(&name(**number));
    let missing = written.numbers.iter().filter(lacks).copied().collect();
    let (config, _) = client.get_data("/zookeeper/config", false).await?;
    Ok(Read { missing, config: Config::parse(&String::from_utf8_lossy(&config)) })
}

async fn connect(addresses: &str) -> Option<ZooKeeper> {
    let connecting = ZooKeeper::connect(addresses, SESSION, |_: WatchedEvent| {});
    timeout(IMPATIENCE, connecting).await.ok()?.ok()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime for one client").block_on(work)
}

fn parent(folder: u64) -> String {
    format!("/soak-{folder}")
}

fn name(number: u64) -> String {
    format!("{number:08}")
}

fn znode(folder: u64, number: u64) -> String {
    format!("{}/{}", parent(folder), name(number))
}

fn anyone() -> Vec<Acl> {
    Acl::open_unsafe().clone()
}

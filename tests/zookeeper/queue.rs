//! Clients that queue for a lock, as the usual recipe has it: each holds an ephemeral sequential znode,
//! and the first one has the lock. Who loses its session loses its place.
//!
//! Their sessions are the shortest that servers with a tick of two seconds grant. The client is not the
//! library that zkplan is built on.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::timeout;
use zookeeper_async::{Acl, CreateMode, WatchedEvent, ZkError, ZkResult, ZooKeeper};

use crate::harness::{Ensemble, PATIENCE};

const ROOT: &str = "/queue";

/// Twice the usual tick (`ZooKeeperServer.getMinSessionTimeout`).
const SESSION: Duration = Duration::from_secs(4);

/// After a connection that could not be made.
const AGAIN: Duration = Duration::from_millis(20);

/// Clients that wait for a lock until this is dropped; the first one has it.
pub(crate) struct Queue {
    places: Vec<Place>,
    runtime: Runtime,
}

/// The place of one client.
struct Place {
    client: ZooKeeper,
    path: String,
    made: Made,
}

/// Who owns an ephemeral znode, and the zxid that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Made {
    session: i64,
    czxid: i64,
}

impl Queue {
    /// Queues `count` clients of these servers.
    pub(crate) fn of(ensemble: &Ensemble, ids: &[u8], count: usize) -> Self {
        let addresses = ids.iter().map(|id| ensemble.client_address(*id).to_string());
        let addresses = addresses.collect::<Vec<_>>().join(",");
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime for a few clients");
        let places = runtime.block_on(async {
            let mut places = Vec::new();
            for _ in 0..count {
                places.push(Place::take(&addresses).await);
            }
            places
        });
        Self { places, runtime }
    }

    /// Every client still has its place, in the session with which it took it.
    ///
    /// # Panics
    /// When a session was lost.
    pub(crate) fn keeps_its_order(self) -> usize {
        let Self { places, runtime } = self;
        let still = runtime.block_on(async {
            let mut still = Vec::new();
            for place in &places {
                still.push(place.made().await);
            }
            still
        });
        let lost: Vec<String> = places
            .iter()
            .zip(&still)
            .filter(|(place, still)| **still != Some(place.made))
            .map(|(place, still)| format!("{}: {:?} is {still:?}", place.path, place.made))
            .collect();
        assert!(lost.is_empty(), "sessions of {SESSION:?} were lost: {}", lost.join("; "));
        places.len()
    }
}

impl Place {
    async fn take(addresses: &str) -> Self {
        let connected =
            ZooKeeper::connect_with_retry_time(addresses, SESSION, |_: WatchedEvent| {}, AGAIN);
        let client = bounded(connected).await.expect("all addresses are numbers");
        let anyone = || Acl::open_unsafe().clone();
        let made = retried(async || {
            client.create(ROOT, Vec::new(), anyone(), CreateMode::Persistent).await.map(drop)
        });
        match made.await {
            Ok(()) | Err(ZkError::NodeExists) => {}
            Err(why) => panic!("{ROOT}: {why}"),
        }
        let path = format!("{ROOT}/lock-");
        let own = client.create(&path, Vec::new(), anyone(), CreateMode::EphemeralSequential);
        let path = bounded(own).await.expect("a healthy ensemble takes writes");
        let mut place = Self { client, path, made: Made { session: 0, czxid: 0 } };
        place.made = place.made().await.expect("a znode just made is there");
        place
    }

    /// How its znode was made; nothing if there is none.
    async fn made(&self) -> Option<Made> {
        let stat = retried(async || self.client.exists(&self.path, false).await).await;
        let stat = stat.unwrap_or_else(|why| panic!("{}: {why}", self.path))?;
        Some(Made { session: stat.ephemeral_owner, czxid: stat.czxid })
    }
}

/// Asks until a reply comes.
async fn retried<T>(work: impl AsyncFn() -> ZkResult<T>) -> ZkResult<T> {
    bounded(async {
        loop {
            match work().await {
                Err(
                    ZkError::ConnectionLoss | ZkError::OperationTimeout | ZkError::SessionMoved,
                ) => {
                    tokio::time::sleep(AGAIN).await;
                }
                done => return done,
            }
        }
    })
    .await
}

async fn bounded<T>(work: impl Future<Output = T>) -> T {
    let late = timeout(PATIENCE, work).await;
    late.unwrap_or_else(|_| panic!("for {PATIENCE:?} no answer to a client in the queue"))
}

//! What the ensemble itself says of its clients: the ephemeral znode of each, and the session that owns it.

use std::collections::BTreeMap;
use std::time::Duration;

use zookeeper_async::{WatchedEvent, ZkError, ZooKeeper};

/// What a client holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) path: String,
    pub(crate) session: u64,
}

/// The ephemeral znodes of all clients, by client. A broker's is named by its id: `broker-1`.
pub(crate) type Holdings = BTreeMap<String, Held>;

/// Where brokers register.
const BROKERS: &str = "/kafka/brokers/ids";

/// Where each other client has a folder of its name, with its lock.
const LOCKS: &str = "/locks";

/// Reads them through these servers.
pub(crate) fn holdings(servers: &str) -> Holdings {
    with_client(servers, async |client| {
        let mut all = Holdings::new();
        for id in children(client, BROKERS).await {
            add(client, &mut all, &format!("broker-{id}"), format!("{BROKERS}/{id}")).await;
        }
        for name in children(client, LOCKS).await {
            let folder = format!("{LOCKS}/{name}");
            for lock in children(client, &folder).await {
                add(client, &mut all, &name, format!("{folder}/{lock}")).await;
            }
        }
        all
    })
}

/// Whether a Kafka broker is the controller.
pub(crate) fn has_controller(servers: &str) -> bool {
    with_client(servers, async |client| {
        client.exists("/kafka/controller", false).await.expect("it serves").is_some()
    })
}

/// Whether both brokers have all that was written to Kafka.
pub(crate) fn brokers_are_in_sync(servers: &str) -> bool {
    with_client(servers, async |client| {
        let partitions = "/kafka/brokers/topics/story/partitions";
        for partition in children(client, partitions).await {
            let path = format!("{partitions}/{partition}/state");
            // It is written once the partition has a leader.
            let Ok((state, _)) = client.get_data(&path, false).await else { return false };
            let state: serde_json::Value = serde_json::from_slice(&state).expect("JSON");
            if state["isr"].as_array().is_none_or(|in_sync| in_sync.len() < 2) {
                return false;
            }
        }
        true
    })
}

async fn add(client: &ZooKeeper, all: &mut Holdings, name: &str, path: String) {
    // It may go at any time.
    if let Some(stat) = client.exists(&path, false).await.expect("it serves") {
        let session = stat.ephemeral_owner.cast_unsigned();
        all.insert(name.to_owned(), Held { path, session });
    }
}

async fn children(client: &ZooKeeper, path: &str) -> Vec<String> {
    match client.get_children(path, false).await {
        Ok(children) => children,
        Err(ZkError::NoNode) => Vec::new(),
        Err(why) => panic!("{path}: {why}"),
    }
}

fn with_client<T>(servers: &str, work: impl AsyncFnOnce(&ZooKeeper) -> T) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime for one client").block_on(async {
        let client = ZooKeeper::connect(servers, Duration::from_secs(10), ignore).await;
        let client = client.expect("a server takes the session");
        let found = work(&client).await;
        client.close().await.expect("it can close its session");
        found
    })
}

fn ignore(_: WatchedEvent) {}

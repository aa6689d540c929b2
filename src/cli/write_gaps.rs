//! How long no write commits while a server is restarted, by writes of our own.
//!
//! From when the server stops, short sessions on the other servers each commit a transaction that only
//! checks `/`. Before its stop, and once writes have committed for a while, nothing is sent.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::client_ports::ClientPorts;
use crate::ensemble::{Ensemble as _, ZooKeeper};
use crate::model::{Endpoint, ServerId};
use crate::observe::Observation;

/// From one write that committed to the next. A gap is known as exactly as that.
const BETWEEN: Duration = Duration::from_millis(100);

/// From one that did not commit to the next.
const AGAIN: Duration = Duration::from_millis(50);

/// Writes have committed for so long: the gap is over. Longer than a leader that was stopped goes on, and
/// than its followers take to see that.
const SETTLED: Duration = Duration::from_secs(10);

/// Measures one restart after the other.
#[derive(Default)]
pub(super) struct WriteGaps {
    begun: RefCell<Option<Begun>>,
    longest: Cell<Option<Duration>>,
    turned: Notify,
}

/// A restart.
#[derive(Clone)]
struct Begun {
    server: ServerId,
    since: Instant,
    /// Where is written meanwhile.
    others: Vec<Endpoint>,
}

impl WriteGaps {
    /// A server is about to be restarted. Meanwhile is written through the others, but for those that take
    /// one connection of ours alone.
    pub(super) fn begin(&self, server: ServerId, seen: &Observation, port: &ZooKeeper) {
        let others = seen.servers.values().filter(|one| one.id != server);
        let others = others.filter(|one| one.status.is_healthy()).filter_map(|one| {
            let is_member = seen.config.membership.contains(one.id);
            one.endpoint.clone().filter(|at| is_member && !port.takes_one_connection(at))
        });
        let (since, others) = (Instant::now(), others.collect());
        *self.begun.borrow_mut() = Some(Begun { server, since, others });
        self.longest.set(None);
        self.turned.notify_one();
    }

    /// A server is proven to be back: the longest time without a write of ours, where its stop was seen.
    pub(super) fn end(&self, server: ServerId) -> Option<u64> {
        let begun = self.begun.borrow_mut().take_if(|begun| begun.server == server);
        begun?;
        self.turned.notify_one();
        let longest = self.longest.take()?;
        Some(u64::try_from(longest.as_millis()).unwrap_or(u64::MAX))
    }

    /// Measures what is begun. Never ends.
    pub(super) async fn watch(&self, port: &ZooKeeper, ports: &ClientPorts) {
        loop {
            let begun = self.begun.borrow().clone();
            let measured = async {
                if let Some(begun) = begun.filter(|begun| !begun.others.is_empty()) {
                    let stopped = ports.stop_of(begun.server, begun.since).await;
                    self.measure(port, &begun.others, stopped).await;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = measured => {}
                () = self.turned.notified() => {}
            }
        }
    }

    /// Writes until writes have committed for a while.
    async fn measure(&self, port: &ZooKeeper, others: &[Endpoint], stopped: Instant) {
        let (mut last, mut failed) = (stopped, stopped);
        let mut at = others.iter().cycle();
        let mut through = at.next();
        while let Some(server) = through {
            if port.read(server).await.is_err() {
                failed = Instant::now();
                through = at.next();
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            let gap = last.elapsed();
            last = Instant::now();
            self.longest.set(self.longest.get().max(Some(gap)));
            if failed.elapsed() >= SETTLED {
                return;
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }
}

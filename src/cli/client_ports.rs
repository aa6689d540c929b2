//! The client ports of a roll: which servers stopped since they were last asked about.
//!
//! A connection that says nothing is kept open to each port. It ends when its server stops, and a new
//! one is refused until the server runs again. A server closes such a connection after ten seconds
//! (`NIOServerCnxnFactory`, `sessionlessCnxnTimeout`): then a new one is opened.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;

use crate::ensemble::{Ensemble as _, PortState, ZooKeeper};
use crate::model::{Endpoint, ServerId};

/// From one connection to a port to the next, where it is not kept.
const AGAIN: Duration = Duration::from_millis(200);

/// The first such time after one that was kept: a server that is restarted refuses while its Java starts,
/// 0.2 s at the least.
const SOON: Duration = Duration::from_millis(10);

/// A connection that ended so short a time before the next one was refused ended because the server
/// stopped: its process goes on for 0.3 s after SIGTERM.
const AT_ITS_STOP: Duration = Duration::from_secs(1);

/// The client ports of the members.
#[derive(Default)]
pub(super) struct ClientPorts {
    ports: RefCell<BTreeMap<ServerId, Endpoint>>,
    /// Those that refused a connection since they were last asked for.
    refused: RefCell<BTreeSet<ServerId>>,
    /// Those that refuse now.
    down: RefCell<BTreeSet<ServerId>>,
    /// When each server stopped last.
    stopped: RefCell<BTreeMap<ServerId, Instant>>,
    /// Whether the servers are observed now: one that may take few connections is left alone.
    is_busy: Cell<bool>,
    /// A server stopped, or runs again.
    changed: Notify,
    /// A server stopped.
    stops: Notify,
    /// The ports, or whether the servers are observed, are others now.
    turned: Notify,
}

impl ClientPorts {
    /// The servers that refused a connection since the last time.
    pub(super) fn take_refused(&self) -> BTreeSet<ServerId> {
        let mut refused = self.refused.take();
        refused.extend(self.down.borrow().iter());
        refused
    }

    /// These are the ports now.
    pub(super) fn set(&self, ports: impl Iterator<Item = (ServerId, Endpoint)>) {
        let ports: Vec<_> = ports.collect();
        self.ports.borrow_mut().extend(ports);
        self.turned.notify_waiters();
    }

    /// Whether the servers are observed now.
    pub(super) fn set_busy(&self, is_busy: bool) {
        self.is_busy.set(is_busy);
        self.turned.notify_waiters();
    }

    /// Ends when a server stops, or runs again.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// When a server stops, or stopped since that time.
    pub(super) async fn stop_of(&self, id: ServerId, since: Instant) -> Instant {
        loop {
            let stopped = self.stopped.borrow().get(&id).copied();
            if let Some(at) = stopped.filter(|at| *at >= since) {
                return at;
            }
            self.stops.notified().await;
        }
    }

    /// Watches the ports. Never ends.
    pub(super) async fn watch(&self, port: &ZooKeeper) {
        let mut watched = BTreeMap::new();
        let mut watches = FuturesUnordered::new();
        loop {
            let turned = self.turned.notified();
            for (id, at) in self.ports.borrow().iter() {
                if watched.insert(*id, at.clone()).as_ref() != Some(at) {
                    watches.push(self.watch_one(port, *id, at.clone()));
                }
            }
            tokio::select! {
                Some(()) = watches.next() => {}
                () = turned => {}
            }
        }
    }

    /// What came of a connection; `None` where there is no room for one now, or no longer.
    async fn until_closed(
        &self,
        port: &ZooKeeper,
        id: ServerId,
        at: &Endpoint,
    ) -> Option<PortState> {
        if port.has_room(at) {
            return Some(port.until_closed(at, || self.is_up(id)).await);
        }
        let until_busy = async {
            while !self.is_busy.get() {
                self.turned.notified().await;
            }
        };
        if port.takes_one_connection(at) {
            return None;
        }
        // A restart may begin and end while the servers are observed.
        if self.is_busy.get() {
            return Some(port.try_port(at).await);
        }
        tokio::select! {
            state = port.until_closed(at, || self.is_up(id)) => Some(state),
            () = until_busy => None,
        }
    }

    /// Takes note of what came of a connection; `ended` is when the one before it was ended.
    fn note(&self, id: ServerId, state: PortState, ended: Option<Instant>) {
        let is_down = state == PortState::Refused;
        let is_news = if is_down {
            self.refused.borrow_mut().insert(id);
            let is_news = self.down.borrow_mut().insert(id);
            if is_news {
                let stopped = ended.filter(|at| at.elapsed() < AT_ITS_STOP);
                self.stopped.borrow_mut().insert(id, stopped.unwrap_or_else(Instant::now));
                self.stops.notify_one();
            }
            is_news
        } else {
            self.down.borrow_mut().remove(&id)
        };
        if is_news {
            self.changed.notify_one();
        }
    }

    /// A connection is there: what was refused before is over, however long the connection is kept.
    fn is_up(&self, id: ServerId) {
        if self.down.borrow_mut().remove(&id) {
            self.changed.notify_one();
        }
    }

    /// Watches one port, for as long as it is that of the server.
    async fn watch_one(&self, port: &ZooKeeper, id: ServerId, at: Endpoint) {
        let (mut ended, mut pause) = (None, SOON);
        while self.ports.borrow().get(&id) == Some(&at) {
            let began = Instant::now();
            let state = self.until_closed(port, id, &at).await;
            if let Some(state) = state {
                self.note(id, state, ended);
                ended = (state == PortState::Open).then(Instant::now);
            }
            // One that was kept and ended: the server may be down for less than that time.
            let was_kept = state == Some(PortState::Open) && began.elapsed() >= AGAIN;
            if was_kept {
                pause = SOON;
            } else {
                tokio::time::sleep(pause).await;
                pause = AGAIN.min(2 * pause);
            }
        }
    }
}

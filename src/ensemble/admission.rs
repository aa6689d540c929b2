//! At most two connections of ours to one server at a time.
//!
//! A server counts every TCP connection from one address, sessions and four-letter words alike, and
//! closes one too many as soon as it has taken it (`maxClientCnxns`; `maxCnxns` for all addresses
//! together). It says nothing before. So questions wait here for their turn, and one that is cut off
//! while another connection of ours was there is asked once more by itself.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Limits, transport};
use crate::model::{Endpoint, Host};

/// So many connections to one server stand at a time: the session that a run holds, and beside it one
/// question; without one, two questions.
const AT_ONCE: usize = 2;

/// For so long a connection that we have closed counts as standing: the server counts it until it has
/// noticed, and does not say when. A server that takes longer may close one more; that is asked again.
const LINGER: Duration = Duration::from_millis(25);

/// A server that takes so many connections from one address has room for ours that it has not noticed
/// the end of yet, and for other clients of this address.
const WIDE: u32 = 10;

/// Who may connect to which server now. Clones share what they know.
#[derive(Clone, Default)]
pub(super) struct Admission {
    doors: Arc<Mutex<Doors>>,
}

#[derive(Default)]
struct Doors {
    /// Where each host and port leads to: one server has several names.
    places: HashMap<(Host, u16), SocketAddr>,
    doors: HashMap<SocketAddr, Arc<Door>>,
}

/// One server's client port.
struct Door {
    /// For every connection.
    all: Arc<Semaphore>,
    /// For those that end by themselves, which all do but the session that a run holds.
    questions: Arc<Semaphore>,
    /// How many connections stand.
    standing: AtomicUsize,
    /// How many were ever begun.
    begun: AtomicU64,
    /// Whether a second connection of ours was seen to be closed at once.
    takes_one: AtomicBool,
    /// Whether it is known to take more connections than we ever open.
    is_wide: AtomicBool,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            questions: Arc::new(Semaphore::new(AT_ONCE)),
            standing: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
            takes_one: AtomicBool::new(false),
            is_wide: AtomicBool::new(false),
        }
    }
}

/// The right to one connection, for as long as it lives.
pub(super) struct Pass {
    /// None where the host has no address: nothing is connected to.
    turn: Option<Turn>,
    /// Whether the server may take a moment to notice the end.
    lingers: bool,
    /// Whether another connection of ours stood when it began.
    was_shared: bool,
    /// How many had begun then, this one included.
    begun: u64,
}

struct Turn {
    door: Arc<Door>,
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.door.standing.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Admission {
    /// Waits for a turn to ask something.
    pub(super) async fn question(&self, at: &Endpoint, limits: Limits) -> Pass {
        let Some(door) = self.door(at, limits).await else { return Pass::NOWHERE };
        let is_single = door.takes_one.load(Ordering::SeqCst);
        door.enter(Some(if is_single { AT_ONCE } else { 1 })).await
    }

    /// Waits for a turn to ask something while no other question is open there.
    pub(super) async fn question_alone(&self, at: &Endpoint, limits: Limits) -> Pass {
        let Some(door) = self.door(at, limits).await else { return Pass::NOWHERE };
        door.enter(Some(AT_ONCE)).await
    }

    /// Waits for a turn to hold a session.
    pub(super) async fn session(&self, at: &Endpoint, limits: Limits) -> Pass {
        let Some(door) = self.door(at, limits).await else { return Pass::NOWHERE };
        let mut pass = door.enter(None).await;
        pass.linger();
        pass
    }

    /// Whether a server was seen to close a second connection of ours while it took one.
    pub(super) fn takes_one(&self, at: &Endpoint) -> bool {
        let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        let place = doors.places.get(&(at.host.clone(), at.port));
        let door = place.and_then(|place| doors.doors.get(place));
        door.is_some_and(|door| door.takes_one.load(Ordering::SeqCst))
    }

    /// Takes to heart how many connections from one address a server says that it takes; 0 is any
    /// number (`NIOServerCnxnFactory.getMaxClientCnxnsPerHost`).
    pub(super) fn takes(&self, at: &Endpoint, connections: u32) {
        let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        let place = doors.places.get(&(at.host.clone(), at.port));
        if let Some(door) = place.and_then(|place| doors.doors.get(place)) {
            door.is_wide.store(connections == 0 || connections >= WIDE, Ordering::SeqCst);
        }
    }

    async fn door(&self, at: &Endpoint, limits: Limits) -> Option<Arc<Door>> {
        let lock = || self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (at.host.clone(), at.port);
        let known = lock().places.get(&key).copied();
        let place = if let Some(place) = known {
            place
        } else {
            let found = transport::addresses(&at.host, at.port, limits).await;
            let place = found.ok()?.into_iter().min()?;
            lock().places.insert(key, place);
            place
        };
        Some(Arc::clone(lock().doors.entry(place).or_default()))
    }
}

impl Door {
    /// Waits for a turn; for that many turns among the questions, where it is one.
    async fn enter(self: Arc<Self>, questions: Option<usize>) -> Pass {
        let mut permits = Vec::with_capacity(2);
        // Neither is ever closed.
        if let Some(count) = questions {
            let count = u32::try_from(count).unwrap_or(1);
            permits.extend(Arc::clone(&self.questions).acquire_many_owned(count).await.ok());
        }
        permits.extend(Arc::clone(&self.all).acquire_owned().await.ok());
        let was_shared = self.standing.fetch_add(1, Ordering::SeqCst) > 0;
        let begun = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let turn = Some(Turn { door: self, _permits: permits });
        Pass { turn, lingers: false, was_shared, begun }
    }
}

impl Pass {
    const NOWHERE: Self = Self { turn: None, lingers: false, was_shared: false, begun: 0 };

    /// Whether another connection of ours stood at any time since it began.
    pub(super) fn is_shared(&self) -> bool {
        let more = |turn: &Turn| turn.door.begun.load(Ordering::SeqCst) > self.begun;
        self.was_shared || self.turn.as_ref().is_some_and(more)
    }

    /// The connection is closed by us, or on both sides at once.
    pub(super) fn linger(&mut self) {
        self.lingers = true;
    }

    /// Whether no other connection of ours stands.
    pub(super) fn is_only(&self) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.door.standing.load(Ordering::SeqCst) == 1)
    }

    /// A second connection of ours was closed at once: from now on questions go one after the other.
    pub(super) fn takes_one(&self) {
        if let Some(turn) = &self.turn {
            turn.door.takes_one.store(true, Ordering::SeqCst);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let turn = self.turn.take();
        let is_wide = turn.as_ref().is_some_and(|turn| turn.door.is_wide.load(Ordering::SeqCst));
        if let (true, Ok(runtime)) = (self.lingers && !is_wide, Handle::try_current()) {
            runtime.spawn(async move {
                tokio::time::sleep(LINGER).await;
                drop(turn);
            });
        }
    }
}

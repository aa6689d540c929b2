//! At most two connections to one server at a time.
//!
//! A server counts every TCP connection from one address: sessions and four-letter words alike. It
//! closes a connection over the limit as soon as it has accepted it (`maxClientCnxns`; `maxCnxns`
//! for all addresses together), and does not announce the limit before. So requests wait here for
//! their turn. A request that is cut off while another of our connections was open is repeated
//! alone.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Limits, transport};
use crate::model::{Endpoint, Host};

/// How many connections to one server are open at a time: the session of a run and one request, or
/// two requests without a session.
const AT_ONCE: usize = 2;

/// How long a closed connection still counts as open. The server counts it until it has noticed the
/// close, and does not say when. A server that takes longer may close one connection too many; that
/// request is repeated.
const LINGER: Duration = Duration::from_millis(25);

/// The same of a server that is known to take few: a busy one takes longer to notice.
const LONG_LINGER: Duration = Duration::from_millis(100);

/// A server that accepts this many connections from one address has room for connections that we
/// have closed and for other clients of this address.
const WIDE: u32 = 10;

/// Which server may be connected to now. Clones share their state.
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
    /// For connections that end by themselves: all but the session of a run.
    questions: Arc<Semaphore>,
    /// Connections that are open.
    open: AtomicUsize,
    /// Connections that were ever opened.
    opened: AtomicU64,
    /// Sessions that were opened or taken there.
    sessions: AtomicU64,
    /// Whether a second connection of ours was seen to be closed at once.
    takes_one: AtomicBool,
    /// Whether it is known to take more connections than we ever open.
    is_wide: AtomicBool,
    /// Whether it is known not to.
    is_narrow: AtomicBool,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            questions: Arc::new(Semaphore::new(AT_ONCE)),
            open: AtomicUsize::new(0),
            opened: AtomicU64::new(0),
            sessions: AtomicU64::new(0),
            takes_one: AtomicBool::new(false),
            is_wide: AtomicBool::new(false),
            is_narrow: AtomicBool::new(false),
        }
    }
}

/// The right to one connection, for as long as it lives.
pub(super) struct Pass {
    /// None where the host has no address: nothing is connected to.
    turn: Option<Turn>,
    /// Whether the server may take a moment to notice the end.
    lingers: bool,
    /// Whether another of our connections was open when it began.
    was_shared: bool,
    /// How many connections had been opened then, including this one.
    opened: u64,
}

struct Turn {
    door: Arc<Door>,
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.door.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Admission {
    /// Waits for its turn to send a request.
    pub(super) async fn question(&self, at: &Endpoint, limits: Limits) -> Pass {
        let Some(door) = self.door(at, limits).await else { return Pass::NOWHERE };
        let is_single = door.takes_one.load(Ordering::SeqCst);
        door.enter(Some(if is_single { AT_ONCE } else { 1 })).await
    }

    /// Waits for its turn to send a request while no other request is open on that server.
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

    /// Whether the server once closed a second connection of ours while it accepted one.
    pub(super) fn takes_one(&self, at: &Endpoint) -> bool {
        self.known(at).is_some_and(|door| door.takes_one.load(Ordering::SeqCst))
    }

    /// Whether the server is known to take more connections than we ever open.
    pub(super) fn is_wide(&self, at: &Endpoint) -> bool {
        self.known(at).is_some_and(|door| door.is_wide.load(Ordering::SeqCst))
    }

    /// Records the number of connections from one address that the server accepts. 0 means any
    /// number (`NIOServerCnxnFactory.getMaxClientCnxnsPerHost`).
    pub(super) fn takes(&self, at: &Endpoint, connections: u32) {
        if let Some(door) = self.known(at) {
            let is_wide = connections == 0 || connections >= WIDE;
            door.is_wide.store(is_wide, Ordering::SeqCst);
            door.is_narrow.store(!is_wide, Ordering::SeqCst);
        }
    }

    /// How many sessions were opened or taken there ([`Pass::took_session`]).
    pub(super) fn sessions(&self, at: &Endpoint) -> u64 {
        self.known(at).map_or(0, |door| door.sessions.load(Ordering::SeqCst))
    }

    fn known(&self, at: &Endpoint) -> Option<Arc<Door>> {
        let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        let place = doors.places.get(&(at.host.clone(), at.port))?;
        doors.doors.get(place).cloned()
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
    /// Waits for a turn. `questions` is the number of request turns to take, if it is a request.
    async fn enter(self: Arc<Self>, questions: Option<usize>) -> Pass {
        let mut permits = Vec::with_capacity(2);
        // Neither is ever closed.
        if let Some(count) = questions {
            let count = u32::try_from(count).unwrap_or(1);
            permits.extend(Arc::clone(&self.questions).acquire_many_owned(count).await.ok());
        }
        permits.extend(Arc::clone(&self.all).acquire_owned().await.ok());
        let was_shared = self.open.fetch_add(1, Ordering::SeqCst) > 0;
        let opened = self.opened.fetch_add(1, Ordering::SeqCst) + 1;
        let turn = Some(Turn { door: self, _permits: permits });
        Pass { turn, lingers: false, was_shared, opened }
    }
}

impl Pass {
    const NOWHERE: Self = Self { turn: None, lingers: false, was_shared: false, opened: 0 };

    /// Whether another of our connections was open at any time since it began.
    pub(super) fn is_shared(&self) -> bool {
        let more = |turn: &Turn| turn.door.opened.load(Ordering::SeqCst) > self.opened;
        self.was_shared || self.turn.as_ref().is_some_and(more)
    }

    /// The server gave a session on this connection.
    pub(super) fn took_session(&self) {
        if let Some(turn) = &self.turn {
            turn.door.sessions.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The connection is closed by us, or on both sides at once.
    pub(super) fn linger(&mut self) {
        self.lingers = true;
    }

    /// Whether no other of our connections is open.
    pub(super) fn is_only(&self) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.door.open.load(Ordering::SeqCst) == 1)
    }

    /// A second connection of ours was closed at once. From now on requests are sent one after the
    /// other.
    pub(super) fn takes_one(&self) {
        if let Some(turn) = &self.turn {
            turn.door.takes_one.store(true, Ordering::SeqCst);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let turn = self.turn.take();
        let door = turn.as_ref().map(|turn| &turn.door);
        let is_wide = door.is_some_and(|door| door.is_wide.load(Ordering::SeqCst));
        let is_narrow = door.is_some_and(|door| door.is_narrow.load(Ordering::SeqCst));
        let linger = if is_narrow { LONG_LINGER } else { LINGER };
        if let (true, Ok(runtime)) = (self.lingers && !is_wide, Handle::try_current()) {
            runtime.spawn(async move {
                tokio::time::sleep(linger).await;
                drop(turn);
            });
        }
    }
}

//! One session that a client holds.

use std::cell::Cell;

use super::chaos::{Fault, Kind};
use super::client::{CONNECT_MS, Simulated};
use super::in_flight::{Answer, InFlight, Reply, Request, Sent};
use super::process::ProcessId;
use super::sessions::Attached;
use super::tree::{Owned, Tree};
use super::world::World;
use crate::ensemble::{
    AclEntry, CONFIG, ErrorCode, Lifetime, Node, NodeAcl, Op, RequestError, Session,
    SessionFactory, SessionTerms,
};
use crate::model::{ConfigVersion, Endpoint, EnsembleConfig, Reconfig, Update};

/// No configuration ever has that version.
const IMPOSSIBLE: i64 = i64::MAX - 1;

/// A session that is held.
pub struct SimulatedSession {
    port: Simulated,
    id: i64,
    at: Endpoint,
    /// The server, and its incarnation when the connection was made.
    connection: Cell<(ProcessId, u32)>,
    /// Whether its terms have a credential.
    shows: bool,
    /// Whether the connection is known to be gone.
    broken: Cell<bool>,
    answer_ms: u64,
    timeout_ms: u64,
    /// The last zxid that it heard of.
    seen: Cell<u64>,
}

impl SessionFactory for Simulated {
    type Session = SimulatedSession;

    async fn open(
        &self,
        at: &Endpoint,
        terms: &SessionTerms,
    ) -> Result<SimulatedSession, RequestError> {
        let place = self.place_at(at);
        let fate = self.begin(Kind::Open, place).await;
        let Some(place) = place else { return Err(RequestError::NotSent) };
        if matches!(fate, Fault::LoseRequest | Fault::LoseAnswer | Fault::Delay(_)) {
            return Err(RequestError::NotSent);
        }
        let request = Request::Open { timeout_ms: terms.timeout.0 };
        let opened = self.opened(place, request).await;
        if fate == Fault::DieAfter {
            self.die().await;
        }
        let (id, incarnation) = opened.map_err(|_| RequestError::NotSent)?;
        Ok(SimulatedSession::new(self.clone(), id, at.clone(), (place, incarnation), terms))
    }
}

/// A write, to be sent or to be kept.
enum Write<'a> {
    Ops(&'a [Op<'a>]),
    Request(Request),
}

impl Write<'_> {
    fn owned(&self) -> Request {
        match self {
            Self::Ops(ops) => Request::Ops(ops.iter().map(Owned::of).collect()),
            Self::Request(request) => request.clone(),
        }
    }
}

impl SimulatedSession {
    pub(super) fn new(
        port: Simulated,
        id: i64,
        at: Endpoint,
        connection: (ProcessId, u32),
        terms: &SessionTerms,
    ) -> Self {
        let answer_ms = terms.timeout.0;
        let timeout_ms = {
            let world = port.world();
            let held = world.sessions().find(|(known, _)| *known == id);
            held.map_or(answer_ms, |(_, held)| held.timeout_ms)
        };
        Self {
            port,
            id,
            at,
            connection: Cell::new(connection),
            shows: terms.auth.is_some(),
            broken: Cell::new(false),
            answer_ms,
            timeout_ms,
            seen: Cell::new(0),
        }
    }

    /// The connection is gone, and the client knows.
    fn lose(&self) {
        self.broken.set(true);
        self.port.world().disconnect(self.id);
    }

    fn has_seen(&self, world: &World) {
        self.seen.set(self.seen.get().max(world.process(self.connection.get().0).applied));
    }

    async fn write(&self, kind: Kind, what: Write<'_>) -> Answer {
        let connection = self.connection.get();
        let fate = self.port.begin(kind, Some(connection.0)).await;
        if self.broken.get() {
            return Err(RequestError::NotSent);
        }
        match fate {
            Fault::LoseRequest => {
                self.lose();
                return Err(RequestError::Unknown);
            }
            Fault::Delay(ms) => {
                self.keep(what.owned(), ms);
                self.lose();
                return Err(RequestError::Unknown);
            }
            Fault::Duplicate(ms) => self.keep(what.owned(), ms),
            Fault::Proceed | Fault::LoseAnswer | Fault::Die | Fault::DieAfter => {}
        }
        let sent = {
            let mut world = self.port.world();
            match what {
                Write::Ops(ops) => world.transact(connection, self.id, ops),
                Write::Request(request) => world.send(connection, self.id, request),
            }
        };
        let answer = match sent {
            Sent::Not => {
                self.broken.set(true);
                Err(RequestError::NotSent)
            }
            Sent::Answered(answer) => answer,
            Sent::Waits(ticket) => {
                let deadline = self.port.now_ms() + self.answer_ms;
                let answer = self.port.until(deadline, |world| world.answer(ticket)).await;
                answer.unwrap_or_else(|| {
                    self.port.world().give_up(ticket);
                    Err(RequestError::Unknown)
                })
            }
        };
        match fate {
            Fault::DieAfter => self.port.die().await,
            Fault::LoseAnswer | Fault::Duplicate(_) => {
                self.lose();
                return Err(RequestError::Unknown);
            }
            _ => {}
        }
        self.has_seen(&self.port.world());
        match answer {
            // The library knows no such answers; what it does not know is unknown.
            Err(RequestError::Refused(ErrorCode::SessionMoved | ErrorCode::SessionExpired)) => {
                Err(RequestError::Unknown)
            }
            answer => answer,
        }
    }

    fn keep(&self, request: Request, ms: u64) {
        let mut world = self.port.world();
        let ((place, incarnation), due_ms) = (self.connection.get(), world.now_ms() + ms);
        let session = self.id;
        world.hold(InFlight { due_ms, place, incarnation, session, request, ticket: None });
    }

    /// Reads; after a sync, where that is asked for.
    async fn look<T>(&self, sync: bool, read: impl Fn(&Tree) -> T) -> Result<T, RequestError> {
        let (place, incarnation) = self.connection.get();
        let fate = self.port.begin(Kind::Read, Some(place)).await;
        let gone =
            |world: &World| !world.is_connected(place, incarnation) || !world.is_session(self.id);
        if self.broken.get() || gone(&self.port.world()) {
            self.broken.set(true);
            return Err(RequestError::NotSent);
        }
        if matches!(fate, Fault::LoseRequest | Fault::LoseAnswer | Fault::Delay(_)) {
            self.lose();
            return Err(RequestError::Unknown);
        }
        let deadline = self.port.now_ms() + self.answer_ms;
        let answer = self.port.until(deadline, |world| {
            if gone(world) {
                return Some(Err(RequestError::Unknown));
            }
            let ready = if sync { world.is_synced(place) } else { world.answers(place) };
            ready.then(|| Ok(read(world.shown(place))))
        });
        let answer = answer.await.unwrap_or(Err(RequestError::Unknown));
        if fate == Fault::DieAfter {
            self.port.die().await;
        }
        self.has_seen(&self.port.world());
        answer
    }

    async fn probe(&self, request: Request) -> Result<(), ErrorCode> {
        match self.write(Kind::Probe, Write::Request(request)).await {
            Err(RequestError::Refused(ErrorCode::BadVersion)) => Ok(()),
            Err(RequestError::Refused(code)) => Err(code),
            Err(RequestError::Unknown | RequestError::NotSent | RequestError::InClear) => {
                Err(ErrorCode::ConnectionLoss)
            }
            Err(RequestError::SessionOver) => Err(ErrorCode::SessionExpired),
            Ok(_) => Err(ErrorCode::DataInconsistency),
        }
    }
}

impl Session for SimulatedSession {
    fn id(&self) -> i64 {
        self.id
    }

    fn at(&self) -> &Endpoint {
        &self.at
    }

    async fn authenticate(&mut self) -> Result<(), RequestError> {
        if self.broken.get() {
            return Err(RequestError::NotSent);
        }
        self.port.world().authenticate(self.id, self.shows);
        Ok(())
    }

    async fn attach(&mut self, at: &Endpoint) -> Result<(), RequestError> {
        self.lose();
        let to = self.port.world().place_at(at);
        let fate = self.port.begin(Kind::Attach, to).await;
        let Some(to) = to else { return Err(RequestError::NotSent) };
        if matches!(fate, Fault::LoseRequest | Fault::LoseAnswer | Fault::Delay(_)) {
            return Err(RequestError::NotSent);
        }
        let deadline = self.port.now_ms() + CONNECT_MS + self.port.world().timing.answer_ms;
        let (id, seen) = (self.id, self.seen.get());
        let attached = self.port.until(deadline, |world| match world.attach(id, to, seen) {
            Attached::NotYet => None,
            answered => Some(answered),
        });
        let attached = attached.await;
        if fate == Fault::DieAfter {
            self.port.die().await;
        }
        match attached {
            Some(Attached::To(incarnation)) => {
                self.connection.set((to, incarnation));
                self.broken.set(false);
                self.at = at.clone();
                Ok(())
            }
            Some(Attached::Over) => Err(RequestError::SessionOver),
            Some(Attached::Not | Attached::NotYet) | None => Err(RequestError::NotSent),
        }
    }

    fn timeout_ms(&self) -> u64 {
        self.timeout_ms
    }

    async fn read(&self, paths: &[&str]) -> Result<Vec<Option<Node>>, RequestError> {
        self.look(true, |tree| paths.iter().map(|path| tree.get(path)).collect()).await
    }

    async fn commits(&self) -> Result<Option<Node>, RequestError> {
        self.transact(&[Op::Check { path: "/", version: -1 }]).await?;
        self.get(CONFIG).await
    }

    async fn get(&self, path: &str) -> Result<Option<Node>, RequestError> {
        self.look(false, |tree| tree.get(path)).await
    }

    async fn children(&self, path: &str) -> Result<Vec<String>, RequestError> {
        self.look(false, |tree| tree.children(path)).await
    }

    async fn count_children(&self, path: &str) -> Result<Option<i32>, RequestError> {
        let count = |tree: &Tree| i32::try_from(tree.children(path).len()).unwrap_or(i32::MAX);
        self.look(false, |tree| tree.has(path).then(|| count(tree))).await
    }

    async fn acl(&self, path: &str) -> Result<Option<NodeAcl>, RequestError> {
        self.look(false, |tree| tree.acl(path)).await
    }

    async fn create(&self, path: &str, data: &[u8], acl: &[AclEntry]) -> Result<(), RequestError> {
        let lifetime = Lifetime::Persistent;
        self.transact(&[Op::Create { path, data, lifetime, acl }]).await
    }

    async fn transact(&self, ops: &[Op<'_>]) -> Result<(), RequestError> {
        self.write(Kind::Write, Write::Ops(ops)).await.map(|_| ())
    }

    async fn set_many(&self, path: &str, count: usize) -> Result<(), RequestError> {
        let request = Request::Mark(path.into(), count);
        self.write(Kind::Mark, Write::Request(request)).await.map(|_| ())
    }

    async fn reconfig(
        &self,
        request: &Update,
        version: ConfigVersion,
    ) -> Result<EnsembleConfig, RequestError> {
        let base = version.as_zxid().get().cast_signed();
        let request = Request::Reconfig(request.clone(), base);
        match self.write(Kind::Reconfig, Write::Request(request)).await? {
            Reply::Config(config) => Ok(config.config.clone()),
            Reply::Done | Reply::Session(_) => Err(RequestError::Unknown),
        }
    }

    async fn probe_write(&self, path: &str) -> Result<(), ErrorCode> {
        self.probe(Request::ProbeWrite(path.into())).await
    }

    async fn probe_reconfig(&self) -> Result<(), ErrorCode> {
        let none = Reconfig { joining: Vec::new(), leaving: Vec::new() };
        self.probe(Request::Reconfig(Update::Incremental(none), IMPOSSIBLE)).await
    }

    async fn close(self) {
        // A close that gets lost leaves a session that expires by itself.
        self.write(Kind::Close, Write::Request(Request::Close)).await.ok();
    }
}

impl Drop for SimulatedSession {
    fn drop(&mut self) {
        self.port.world().abandon(self.id);
    }
}

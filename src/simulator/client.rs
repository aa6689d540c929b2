//! The port over a simulated ensemble.
//!
//! Time passes only while a client waits for it: [`Simulated::run`] polls a future, and whenever it
//! cannot continue, simulated time advances until it can. Nothing waits in real time.

use std::cell::{Cell, RefCell, RefMut};
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::chaos::{Fault, Kind, Operation};
use super::in_flight::{Reply, Request, Sent};
use super::process::ProcessId;
use super::tree::Owned;
use super::truth::SimEvent;
use super::world::World;
use crate::ensemble::{ConfigRead, Ensemble, FourLetterWord, NoAnswer, Op, PortState};
use crate::model::{Endpoint, Host};

/// Chooses the fault of each operation. It may also change the world at that moment.
pub type FaultInjector = Box<dyn FnMut(&mut World, &Operation) -> Fault>;

/// How long connecting to a machine that does not answer takes.
pub(super) const CONNECT_MS: u64 = 1000;

/// One client of a simulated ensemble; several may share it.
#[derive(Clone)]
pub struct Simulated {
    shared: Rc<Shared>,
    me: Rc<SimulatedClient>,
}

struct Shared {
    world: RefCell<World>,
    chaos: RefCell<Option<FaultInjector>>,
    interleaves: Cell<bool>,
}

struct SimulatedClient {
    client: u32,
    /// When it can go on.
    wake_ms: Cell<u64>,
    dead: Cell<bool>,
}

impl Simulated {
    /// The first client of a world.
    pub fn new(world: World) -> Self {
        let shared = Shared {
            world: RefCell::new(world),
            chaos: RefCell::new(None),
            interleaves: Cell::new(false),
        };
        Self { shared: Rc::new(shared), me: Rc::new(SimulatedClient::new(0)) }
    }

    /// Another client of the same world.
    #[must_use]
    pub fn client(&self, number: u32) -> Self {
        Self { shared: Rc::clone(&self.shared), me: Rc::new(SimulatedClient::new(number)) }
    }

    /// The world, to read or to change it. It must not be held while a future is polled.
    pub fn world(&self) -> RefMut<'_, World> {
        self.shared.world.borrow_mut()
    }

    /// Decides from now on what becomes of every operation, of all clients.
    pub fn set_chaos(&self, chaos: Option<FaultInjector>) {
        self.shared.chaos.replace(chaos);
    }

    /// Whether a future stops once before each operation, so that another client's can go on.
    pub fn interleave(&self, interleaves: bool) {
        self.shared.interleaves.set(interleaves);
    }

    /// Whether this client has died: its futures will never end.
    pub fn is_dead(&self) -> bool {
        self.me.dead.get()
    }

    /// When this client's future can go on; of no meaning unless it was polled last and did not
    /// end.
    pub fn wake_ms(&self) -> u64 {
        self.me.wake_ms.get()
    }

    /// Polls a future of this client once.
    pub fn poll<F: Future + ?Sized>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        self.me.wake_ms.set(u64::MAX);
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Runs a future of this client to its end. `None` if the client has died. A caller that drops
    /// the future then drops its session's client too, as a process would.
    pub fn run<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(value) = self.poll(future.as_mut()) {
                return Some(value);
            }
            if self.is_dead() {
                return None;
            }
            let mut world = self.world();
            let next = self.wake_ms().min(world.due().unwrap_or(u64::MAX));
            let next = next.max(world.now_ms());
            world.advance(next);
        }
    }

    /// Waits until that time, or until there is something.
    pub(super) async fn until<T>(
        &self,
        deadline_ms: u64,
        mut ready: impl FnMut(&mut World) -> Option<T>,
    ) -> Option<T> {
        poll_fn(|context| {
            let mut world = self.shared.world.borrow_mut();
            if let Some(value) = ready(&mut world) {
                return Poll::Ready(Some(value));
            }
            if world.now_ms() >= deadline_ms {
                return Poll::Ready(None);
            }
            self.me.wake_ms.set(self.me.wake_ms.get().min(deadline_ms));
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// Begins an operation, and returns its fault. Never ends if the client dies.
    pub(super) async fn begin(&self, kind: Kind, at: Option<ProcessId>) -> Fault {
        if self.shared.interleaves.get() {
            let mut stopped = false;
            poll_fn(|context| {
                if std::mem::replace(&mut stopped, true) {
                    return Poll::Ready(());
                }
                self.me.wake_ms.set(0);
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
        let operation = Operation { client: self.me.client, kind, at };
        let fate = self.strike(&operation);
        if self.me.dead.get() || fate == Fault::Die {
            self.die().await;
        }
        fate
    }

    fn strike(&self, operation: &Operation) -> Fault {
        let chaos = self.shared.chaos.borrow_mut().take();
        let mut world = self.world();
        world.say(SimEvent::Operation(operation.client, operation.kind, operation.at));
        let Some(mut chaos) = chaos else { return Fault::Proceed };
        let fate = chaos(&mut world, operation);
        if fate != Fault::Proceed {
            world.say(SimEvent::Struck(fate));
        }
        self.shared.chaos.borrow_mut().get_or_insert(chaos);
        fate
    }

    /// The client is no more.
    pub(super) async fn die(&self) {
        self.me.dead.set(true);
        std::future::pending::<()>().await;
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.shared.world.borrow().now_ms()
    }

    pub(super) fn place_at(&self, at: &Endpoint) -> Option<ProcessId> {
        self.shared.world.borrow().place_at(at)
    }

    /// How long a question may take, from now on.
    fn deadline(&self, at: Option<ProcessId>) -> u64 {
        let world = self.shared.world.borrow();
        let hidden = at.is_some_and(|at| world.process(at).hidden);
        world.now_ms() + if hidden { CONNECT_MS } else { world.timing.answer_ms }
    }

    /// A short session on a server that does not answer at once.
    async fn looked(&self, at: ProcessId) -> Result<ConfigRead, NoAnswer> {
        let tick = self.world().timing.tick_ms;
        let request = Request::Open { timeout_ms: 2 * tick };
        let (session, incarnation) = self.opened(at, request).await?;
        let committed = self.answered((at, incarnation), session, changes_nothing()).await;
        let mut world = self.world();
        let read = committed.map(|_| world.reading(at));
        // Whether its close commits does not matter: it would expire.
        if let Sent::Waits(ticket) = world.send((at, incarnation), session, Request::Close) {
            world.give_up(ticket);
        }
        world.abandon(session);
        read
    }

    /// Opens a session.
    pub(super) async fn opened(
        &self,
        at: ProcessId,
        request: Request,
    ) -> Result<(i64, u32), NoAnswer> {
        let incarnation = self.world().process(at).incarnation;
        match self.answered((at, incarnation), 0, request).await? {
            Reply::Session(id) => Ok((id, incarnation)),
            Reply::Done | Reply::Config(_) => Err(NoAnswer::Closed),
        }
    }

    /// What a server answers to a request of a short session.
    async fn answered(
        &self,
        to: (ProcessId, u32),
        session: i64,
        request: Request,
    ) -> Result<Reply, NoAnswer> {
        let at = Some(to.0);
        let deadline = self.deadline(at);
        let sent = self.world().send(to, session, request);
        let answer = match sent {
            Sent::Not => return Err(NoAnswer::Closed),
            Sent::Answered(answer) => answer,
            Sent::Waits(ticket) => {
                let answer = self.until(deadline, |world| world.answer(ticket)).await;
                answer.ok_or_else(|| {
                    let mut world = self.world();
                    world.give_up(ticket);
                    world.silence(at)
                })?
            }
        };
        answer.map_err(|_| NoAnswer::Closed)
    }
}

/// A transaction that only checks that the root is there.
fn changes_nothing() -> Request {
    Request::Ops(vec![Owned::of(&Op::Check { path: "/", version: -1 })])
}

impl SimulatedClient {
    fn new(client: u32) -> Self {
        Self { client, wake_ms: Cell::new(u64::MAX), dead: Cell::new(false) }
    }
}

impl Ensemble for Simulated {
    async fn ask(&self, at: &Endpoint, word: FourLetterWord) -> Result<String, NoAnswer> {
        let place = self.place_at(at);
        let fate = self.begin(Kind::Ask(word), place).await;
        if matches!(fate, Fault::LoseRequest | Fault::LoseAnswer | Fault::Delay(_)) {
            return Err(NoAnswer::Closed);
        }
        let deadline = self.deadline(place);
        let answer = self.until(deadline, |world| world.word(place, word)).await;
        if fate == Fault::DieAfter {
            self.die().await;
        }
        answer.unwrap_or_else(|| Err(self.world().silence(place)))
    }

    async fn read(&self, at: &Endpoint) -> Result<ConfigRead, NoAnswer> {
        let place = self.place_at(at);
        let fate = self.begin(Kind::Look, place).await;
        let Some(at) = place else { return Err(NoAnswer::Refused) };
        if matches!(fate, Fault::LoseRequest | Fault::LoseAnswer | Fault::Delay(_)) {
            return Err(NoAnswer::Closed);
        }
        let glanced = self.world().read_once(at);
        let reading = if let Some(reading) = glanced { reading } else { self.looked(at).await? };
        if fate == Fault::DieAfter {
            self.die().await;
        }
        Ok(reading)
    }

    async fn admin(&self, _: &str, _: &str) -> Result<serde_json::Value, NoAnswer> {
        // The port is off, as it is from 3.10 on.
        Err(NoAnswer::Refused)
    }

    async fn check_port(&self, host: &Host, port: u16) -> PortState {
        let fate = self.begin(Kind::PortCheck, None).await;
        if fate == Fault::DieAfter {
            self.die().await;
        }
        self.shared.world.borrow().port_state(host, port)
    }

    async fn resolve(&self, host: &Host) -> Vec<IpAddr> {
        vec![self.shared.world.borrow().address(host)]
    }

    async fn pause(&self, time: Duration) {
        let fate = self.begin(Kind::Pause, None).await;
        let deadline = self.now_ms() + u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2);
        self.until(deadline, |_| None::<()>).await;
        if fate == Fault::DieAfter {
            self.die().await;
        }
    }
}

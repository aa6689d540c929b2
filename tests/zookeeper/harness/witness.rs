//! An independent client at work, as an ensemble's users are.
//!
//! It is not the library that zkplan is built on: what it says about acknowledged writes, about its
//! session and about its watch does not rest on any code of ours.
//!
//! Two things that this library leaves to its user are done here. It keeps its session over
//! connections, but does not set watches anew on the next one: we do, and look at what was missed
//! meanwhile. And it has no `sync`: before anything is read back, a write goes through the same
//! server, and once it is acknowledged, that server has applied all that came before.

mod session;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::ensemble::Ensemble;
use super::{PATIENCE, lock, wait_until};
use session::{Session, Write};

/// Between two writes: what an application does, and room for the servers on two cores.
const PAUSE: Duration = Duration::from_millis(10);

/// One in so many writes goes to the watched znode.
const TOUCH_EVERY: u64 = 10;

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

impl Book {
    fn note(&mut self, number: u64, done: Write) {
        match done {
            Write::Acknowledged { touched, fired } => {
                self.longest_gap = self.longest_gap.max(self.last.elapsed());
                self.last = Instant::now();
                if !touched {
                    self.acknowledged.push(number);
                }
                self.events += u64::from(fired);
            }
            Write::Unknown => {}
            Write::SettledThere => self.settled.there += 1,
            Write::SettledNotThere => self.settled.not_there += 1,
        }
    }
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
        Self::below("", ensemble, ids)
    }

    /// The same with all its znodes below one that is there already: beside another witness.
    pub(crate) fn below(
        folder: &'static str,
        ensemble: &Ensemble,
        ids: impl IntoIterator<Item = u8>,
    ) -> Self {
        let addresses: Vec<String> =
            ids.into_iter().map(|id| ensemble.client_address(id).to_string()).collect();
        Self::at(&addresses, folder)
    }

    /// The same at these addresses.
    pub(crate) fn at(addresses: &[String], folder: &'static str) -> Self {
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
                    figures = work((&addresses, folder), &own, begun, inbox) => figures,
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
    (addresses, folder): (&str, &str),
    book: &Mutex<Book>,
    begun: mpsc::Sender<()>,
    mut orders: oneshot::Receiver<Vec<(u8, SocketAddr)>>,
) -> Figures {
    let mut session = Session::begin(&format!("{addresses}{folder}")).await;
    for number in 1.. {
        let touch = number % TOUCH_EVERY == 0;
        let done = if touch { session.touch(number).await } else { session.write(number).await };
        lock(book).note(number, done);
        if matches!(done, Write::Acknowledged { .. }) {
            // Nobody listens after the first.
            begun.send(()).ok();
        }
        if let Ok(servers) = orders.try_recv() {
            let servers = servers.into_iter().map(|(id, at)| (id, format!("{at}{folder}")));
            return finish(session, number, &servers.collect::<Vec<_>>(), book).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
    unreachable!("no test lasts for so long")
}

async fn finish(
    mut session: Session,
    last: u64,
    servers: &[(u8, String)],
    book: &Mutex<Book>,
) -> Figures {
    session.watch_fires(last + 1).await;
    session.is_the_first().await;
    let numbers = lock(book).acknowledged.clone();
    let mut lost = Vec::new();
    for (id, address) in servers {
        let missing = session::missing(address, &numbers).await;
        if !missing.is_empty() {
            lost.push(format!("server {id} lacks {missing:?}"));
        }
    }
    let acknowledged = numbers.len();
    assert!(lost.is_empty(), "of {acknowledged} acknowledged writes, {}", lost.join("; "));
    let book = lock(book);
    Figures {
        acknowledged,
        lost: lost.len(),
        longest_gap: book.longest_gap,
        settled: book.settled,
        events: book.events,
        connections: session.connection(),
    }
}

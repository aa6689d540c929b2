//! Real ZooKeeper ensembles on loopback, for tests.
//!
//! ```text
//! let ensemble = Builder::rich().servers(3).start();
//! ensemble.freeze(ensemble.wait_leader());
//! ```
//!
//! [`Builder`] says what the ensemble is like, [`Ensemble`] is the running thing, and dropping it
//! leaves nothing behind. In reading order: `builder` (what is wanted, and the configuration files
//! that follow from it), `ensemble` (what a test can do), `server` (one server: ports, files,
//! process, `srvr`), then the ground below: `process` (signals, and children that never outlive
//! us), `ports`, `certificates`,
//! `java` (where ZooKeeper is, and what makes it start fast) and `releases` (those of Apache). Beside the ensemble
//! stand those who use it: `witness` (an application at work), `administrator` (a person with all
//! rights), and `transactions` (what the servers themselves wrote down).
//!
//! Every call blocks its thread. All take `&self`: a test whose tasks must go on meanwhile shares
//! the ensemble with `tokio::task::spawn_blocking`.

mod administrator;
mod builder;
mod certificates;
mod ensemble;
pub(crate) mod java;
pub(crate) mod ports;
mod process;
pub(crate) mod releases;
mod server;
pub(crate) mod transactions;
mod witness;

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use builder::{Builder, Role, SASL_USER, SUPER_PASSWORD};
pub(crate) use certificates::{Authority, Certificate};
pub(crate) use ensemble::Ensemble;
pub(crate) use process::Process;
pub(crate) use releases::Release;
pub(crate) use server::Mode;
pub(crate) use transactions::Logged;
pub(crate) use witness::Witness;

/// How long a server may take to start, to join or to elect. Far above what is ever seen, for
/// machines with busy cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until `condition` yields something, and returns that.
///
/// This is the one place where tests sleep: nothing waits for a time to pass, everything waits for
/// a fact.
///
/// # Panics
/// When `deadline` has passed. `what` completes the sentence "still waiting for", and is only
/// rendered then.
pub(crate) fn wait_until<T>(
    what: impl Display,
    deadline: Duration,
    mut condition: impl FnMut() -> Option<T>,
) -> T {
    const PAUSE: Duration = Duration::from_millis(20);
    let began = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(began.elapsed() < deadline, "after {deadline:?} still waiting for {what}");
        thread::sleep(PAUSE);
    }
}

/// Locks; a test that panicked meanwhile must not keep the others from cleaning up.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

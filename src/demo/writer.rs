//! A client that writes while the ensemble changes under it: the handle, and the report.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tokio::sync::oneshot;

use super::report::{WriterError, WriterReport};
use super::writing;
use crate::model::Endpoint;

/// A client at work in a thread of its own: it creates one znode after the other below `/demo`,
/// each as soon as the one before is acknowledged, with a rest of 5 ms.
///
/// Dropping it ends the work without a report.
pub struct Writer {
    orders: oneshot::Sender<Vec<Endpoint>>,
    report: oneshot::Receiver<Result<WriterReport, WriterError>>,
    acknowledged: Arc<AtomicU64>,
}

impl Writer {
    /// Starts a client that knows these addresses. It goes on trying where none of them answers.
    pub fn start(addresses: &[Endpoint]) -> Result<Self, WriterError> {
        let cluster: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let cluster = cluster.join(",");
        let acknowledged = Arc::new(AtomicU64::new(0));
        let (orders, inbox) = oneshot::channel();
        let (outbox, report) = oneshot::channel();
        let count = Arc::clone(&acknowledged);
        // A runtime of its own, since the library goes on with its work in the background until
        // the runtime ends; and a thread of its own, so that other work does not look like a gap.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(WriterError::NotStarted)?;
        let work = move || {
            if let Some(report) = runtime.block_on(writing::write(&cluster, inbox, &count)) {
                // A caller that waits no longer does not want it.
                outbox.send(report).ok();
            }
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("demo-writer".to_owned()).spawn(work);
        thread.map_err(WriterError::NotStarted)?;
        Ok(Self { orders, report, acknowledged })
    }

    /// Writes acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Ends the work with one more acknowledged write, then reads every acknowledged znode from
    /// each of these servers.
    pub async fn finish(self, servers: &[Endpoint]) -> Result<WriterReport, WriterError> {
        // Where the order is not received, the thread has ended already and its report says why.
        self.orders.send(servers.to_vec()).ok();
        self.report.await.unwrap_or(Err(WriterError::Gone))
    }
}

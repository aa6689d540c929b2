//! Asking a live ensemble from a command.

use std::future::Future;

use super::exit::Exit;
use super::output::Output;
use crate::ensemble::{Limits, ZooKeeper};
use crate::model::Tls;
use crate::observe::ObserveError;

/// Runs what talks to servers.
pub(super) fn block_on<T>(output: &Output, work: impl Future<Output = T>) -> Result<T, Exit> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let done = runtime.block_on(work);
            // Somebody may still be asked something; nobody waits for the answer.
            runtime.shutdown_background();
            Ok(done)
        }
        Err(error) => {
            output.error(&format!("no event loop: {error}"), "");
            Err(Exit::Error)
        }
    }
}

/// The real port, with the certificates of a spec.
pub(super) fn servers(tls: Option<&Tls>, output: &Output) -> Result<ZooKeeper, Exit> {
    servers_by(tls, "`connect.tls` of the spec", output)
}

/// The real port, with certificates that stand there.
pub(super) fn servers_by(
    tls: Option<&Tls>,
    there: &str,
    output: &Output,
) -> Result<ZooKeeper, Exit> {
    ZooKeeper::new(Limits::default(), tls).map_err(|error| {
        output.error(&error.to_string(), &format!("see {there}"));
        Exit::Data
    })
}

/// The exit code of an ensemble that cannot be planned for.
pub const fn exit_of(error: &ObserveError) -> Exit {
    match error {
        ObserveError::Unreachable { .. }
        | ObserveError::NoQuorum { .. }
        | ObserveError::NoCommit { .. } => Exit::Unreachable,
        ObserveError::TooOld { .. }
        | ObserveError::Standalone { .. }
        | ObserveError::TwoHistories { .. }
        | ObserveError::UnreadableConfig { .. } => Exit::Unsafe,
    }
}

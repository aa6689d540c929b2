//! Asking a live ensemble from a command.

use std::future::Future;

use super::exit::Exit;
use super::output::Output;
use crate::ensemble::{Limits, ZooKeeper};
use crate::model::Tls;
use crate::observe::{Observation, ObserveError, Question, observe};
use crate::render::unreachable::{self, Reached};
use crate::spec::Spec;

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

/// A look at the ensemble of a spec; where that fails, it says why.
pub(super) async fn look(
    port: &ZooKeeper,
    spec: &Spec,
    output: &Output,
) -> Result<Observation, Exit> {
    observe(port, &Question::of(spec)).await.map_err(|error| {
        output.aside(&unreachable::screen(&spec.ensemble, &error, Reached::BySpec, output.width));
        exit_of(&error)
    })
}

/// Says that no server takes a session; `plans` is the command that shows more.
pub(super) fn nobody_answers(plans: &str, output: &Output) -> Exit {
    output.error("no server takes a session", &format!("{plans} shows who answers"));
    Exit::Unreachable
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
        | ObserveError::TargetRuns { .. }
        | ObserveError::UnreadableConfig { .. } => Exit::Unsafe,
    }
}

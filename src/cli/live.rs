//! Asking a live ensemble from a command.

use std::future::Future;

use super::exit::Exit;
use super::output::Output;
use crate::ensemble::{Limits, ZooKeeper};
use crate::model::{Connect, Tls};
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

/// The real port, with the certificates of a spec, and the folder that it names.
pub(super) fn servers(connect: &Connect, output: &Output) -> Result<ZooKeeper, Exit> {
    let limits = connect.timeouts.into();
    let port = servers_by(connect.tls.as_ref(), limits, "`connect.tls` of the spec", output)?;
    Ok(port.with_folder(connect.folder.clone()))
}

/// The real port, with certificates that stand there.
pub(super) fn servers_by(
    tls: Option<&Tls>,
    limits: Limits,
    there: &str,
    output: &Output,
) -> Result<ZooKeeper, Exit> {
    ZooKeeper::new(limits, tls).map_err(|error| {
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
    let seen = observe(port, &Question::of(spec)).await;
    seen.map_err(|error| not_seen(&spec.ensemble, &error, output))
}

/// Says why there is no ensemble to look at.
pub(super) fn not_seen(ensemble: &str, error: &ObserveError, output: &Output) -> Exit {
    output.aside(&unreachable::screen(ensemble, error, Reached::BySpec, output.width));
    exit_of(error)
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

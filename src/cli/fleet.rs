//! Many ensembles in one command: asked side by side, and one document for all.

use std::future::Future;

use futures::stream::{self, StreamExt as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;

use super::exit::Exit;
use crate::document::{Document as _, canonical};
use crate::report::{FleetCommand, FleetDocument, FleetMember};

/// Ensembles that are asked at a time, at most. With more, one thread would answer some servers so late
/// that their time ran out.
const MOST: usize = 256;

/// Open files that one ensemble may need: up to five connections for each of nine servers.
const FILES_EACH: usize = 48;

/// Open files of the program itself, and of name lookups.
const FILES_OF_ITS_OWN: usize = 64;

/// Does the work for each ensemble, side by side, and returns what came of each in the order given. Work
/// that hangs keeps its own place alone: another one begins whenever any of them has ended. How many run
/// at a time follows from the number of files that the process may open: a connection too many would make
/// a server look unreachable.
pub(super) async fn side_by_side<F: Future>(all: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let numbered = all.into_iter().enumerate().map(|(at, one)| async move { (at, one.await) });
    let work = stream::iter(numbered).buffer_unordered(at_once(files_to_open()));
    let mut done: Vec<(usize, F::Output)> = work.collect().await;
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, one)| one).collect()
}

/// How many ensembles are asked at a time where that many files may be open.
fn at_once(files: usize) -> usize {
    (files.saturating_sub(FILES_OF_ITS_OWN) / FILES_EACH).clamp(1, MOST)
}

/// How many files the process may open, which is made as many as the system lets it.
fn files_to_open() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let is_raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let limit = if is_raised { maximum } else { current };
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// The document of one ensemble, or the one around those of many.
pub(super) fn document(of: FleetCommand, members: Vec<FleetMember>, worst: Exit) -> Value {
    match <[FleetMember; 1]>::try_from(members) {
        Ok([one]) => one.document,
        Err(many) => FleetDocument::of(of, many, worst.code()).to_value(),
    }
}

/// The text of that document, of many lines.
pub(super) fn document_text(of: FleetCommand, members: Vec<FleetMember>, worst: Exit) -> String {
    canonical(&document(of, members, worst), true) + "\n"
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::{BoxFuture, pending};
    use tokio::sync::Semaphore;

    use super::*;

    fn run<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(test)
    }

    #[test]
    fn what_came_is_in_the_order_given_though_the_first_ends_last() {
        let gate = Semaphore::new(0);
        let work = |at: usize| {
            let gate = &gate;
            async move {
                if at == 0 {
                    drop(gate.acquire_many(8).await.expect("it stays open"));
                } else {
                    gate.add_permits(1);
                }
                at
            }
        };
        assert_eq!(run(side_by_side((0..9).map(work))), (0..9).collect::<Vec<_>>());
    }

    /// Far more than have a place, and the first of them never ends: all others do.
    #[test]
    fn what_hangs_keeps_its_own_place_alone() {
        let done = Semaphore::new(0);
        let others = u32::try_from(4 * MOST).expect("a number");
        let hangs = std::iter::once(pending::<()>().boxed());
        let ends =
            (0..others).map(|_| -> BoxFuture<'_, ()> { async { done.add_permits(1) }.boxed() });
        run(async {
            tokio::select! {
                _ = side_by_side(hangs.chain(ends)) => panic!("one of them never ends"),
                _ = done.acquire_many(others) => {}
            }
        });
    }

    #[test]
    fn no_more_are_asked_than_files_can_be_opened() {
        assert_eq!([0, 64, 256, 1024, 4096].map(at_once), [1, 1, 4, 20, 84]);
        assert_eq!(at_once(usize::MAX), MOST);
        for files in [1024, 4096, 20_000] {
            assert!(at_once(files) * FILES_EACH <= files, "{files}");
        }
    }
}

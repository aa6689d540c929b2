//! Which runs an ensemble keeps, and how an apply removes the others.
//!
//! An apply that has closed or withdrawn its own run removes old ones, oldest first, under its lock. It
//! reads each one again before that, and removes all znodes of a run in one transaction. So a run is
//! whole or gone, at whatever moment the apply dies.
//!
//! These stay, however old they are:
//!
//! * the newest runs, [`KEPT`] of them;
//! * a run that is open, or of which anything is not proven or not understood;
//! * a run that removed servers, as long as these are watched ([`super::retired::WATCHED`]);
//! * the runs that were completed, where none of the newest was: they are what a rollback and `drift` need;
//! * a run with a znode in it that zkplan does not make, and a znode among the runs that is no run.

use std::time::Duration;

use futures::future::try_join_all;

use super::journal::{self, Run, Runs};
use super::journal_reader::Archive;
use super::retired::{is_closed, is_watched};
use crate::ensemble::{ErrorCode, Op, RequestError, Session};
use crate::trust::Life;

/// This many of the newest runs are always kept.
pub const KEPT: usize = 100;

/// The most runs that are read at once: those that are kept, and as many that are kept for a reason of
/// their own.
pub const READ: usize = 2 * KEPT;

/// The most runs that one apply removes: the lock is held meanwhile. Each apply makes one run.
pub const MOST_REMOVED: u32 = 20;

/// A run with more znodes than this is kept. Each takes a check and a deletion of some 70 bytes, and a
/// request may have a mebibyte (`jute.maxbuffer`).
const MOST_ZNODES: usize = 3000;

/// The lock under which runs are removed.
#[derive(Debug, Clone, Copy)]
pub struct HeldLock {
    /// The version that the folder got when the lock was taken.
    pub turn: i32,
    /// The operator's clock, as the time since 1970 (UTC).
    pub now: Duration,
}

/// How far one apply has got with the old runs.
#[derive(Debug, Default)]
pub struct OldRuns {
    /// The runs up to this number were looked at.
    seen: u64,
    /// Whether one of the newest runs was completed, once that was read.
    has_closed: Option<bool>,
}

impl Runs {
    /// How many runs were removed: their numbers, from 1 on, are missing.
    pub fn removed(&self) -> u64 {
        self.highest.saturating_sub(u64::try_from(self.count).unwrap_or(u64::MAX))
    }
}

impl OldRuns {
    /// Removes the oldest run that nothing needs. `false` if there is none.
    ///
    /// # Errors
    ///
    /// A request failed. Whether a run was removed by it is then unknown.
    pub async fn remove_one<S: Session>(
        &mut self,
        session: &S,
        archive: &Archive<'_, S>,
        lock: HeldLock,
    ) -> Result<bool, RequestError> {
        let numbers = archive.numbers().await?;
        let old = numbers.iter().take(numbers.len().saturating_sub(KEPT));
        let old: Vec<u64> = old.copied().filter(|number| *number > self.seen).collect();
        for number in old {
            self.seen = number;
            let Some(run) = whole(archive, number).await? else { continue };
            if !may_go(&run, lock.now) || (is_closed(&run) && !self.has_closed(archive).await?) {
                continue;
            }
            let Some(znodes) = znodes(session, archive, number).await? else { continue };
            match remove(session, archive, lock.turn, &znodes).await {
                Ok(()) => return Ok(true),
                // Another client made or deleted a znode in it.
                Err(RequestError::Refused(ErrorCode::NotEmpty | ErrorCode::NoNode)) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(false)
    }

    /// Whether one of the newest runs was completed. The last one is the run of this apply, most often.
    async fn has_closed<S: Session>(
        &mut self,
        archive: &Archive<'_, S>,
    ) -> Result<bool, RequestError> {
        if let Some(known) = self.has_closed {
            return Ok(known);
        }
        let mut found = false;
        for count in [1, KEPT] {
            found = found || archive.runs(count).await?.latest.iter().any(is_closed);
        }
        self.has_closed = Some(found);
        Ok(found)
    }
}

/// Whether a run may be removed, by what its journal says.
fn may_go(run: &Run, now: Duration) -> bool {
    let is_understood = run.header.is_ok() && run.illegible.is_empty();
    is_understood && !run.is_open() && !is_watched(run, now)
}

/// A run of which everything is proven.
async fn whole<S: Session>(
    archive: &Archive<'_, S>,
    number: u64,
) -> Result<Option<Run>, RequestError> {
    let mut runs = Runs::default();
    archive.run(number, &mut runs).await?;
    Ok(runs.latest.pop().filter(|_| runs.unproven.is_empty()))
}

/// The znodes of a run and their versions, the run itself last. `None` if one of them is not proven, or is
/// none that zkplan makes, or if they are too many.
async fn znodes<S: Session>(
    session: &S,
    archive: &Archive<'_, S>,
    number: u64,
) -> Result<Option<Vec<(String, i32)>>, RequestError> {
    let run = archive.paths().run(number);
    let names = session.children(&run).await?;
    if names.len() >= MOST_ZNODES || !names.iter().all(|name| is_of_a_run(name)) {
        return Ok(None);
    }
    let below = names.iter().map(|name| format!("{run}/{name}"));
    let paths: Vec<String> = below.chain([run.clone()]).collect();
    let read = paths.into_iter().map(async |path| {
        let proof = archive.proof(&path, Life::Persistent).await?;
        let node = session.get(&path).await?;
        let is_leaf = matches!(&proof, Some(Ok(acl)) if acl.children == 0 || path == run);
        Ok::<_, RequestError>(node.filter(|_| is_leaf).map(|node| (path, node.version)))
    });
    Ok(try_join_all(read).await?.into_iter().collect())
}

/// Whether zkplan makes a znode of that name in a run: an entry, a piece of the plan, the mark.
fn is_of_a_run(name: &str) -> bool {
    let piece = name.strip_prefix("plan-").and_then(|piece| piece.parse::<usize>().ok());
    journal::number(name).is_some() || piece.is_some() || name == "mark"
}

/// Removes all of these or none, while the lock is ours and each has that version.
async fn remove<S: Session>(
    session: &S,
    archive: &Archive<'_, S>,
    turn: i32,
    znodes: &[(String, i32)],
) -> Result<(), RequestError> {
    let lock = archive.paths().lock();
    let mut ops = vec![
        Op::Check { path: &lock, version: 0 },
        Op::Check { path: archive.paths().folder(), version: turn },
    ];
    ops.extend(znodes.iter().map(|(path, version)| Op::Check { path, version: *version }));
    ops.extend(znodes.iter().map(|(path, _)| Op::Delete { path }));
    session.transact(&ops).await
}

#[cfg(test)]
mod tests;

//! The runs that an ensemble keeps, read back.

use super::journal::{self, RUNS, Run};
use crate::ensemble::{Code, Failure, Session};

/// So many of the latest runs tell where a plan stands.
pub const LATEST: usize = 3;

/// The latest runs, oldest first.
pub async fn latest_runs<S: Session>(session: &S, count: usize) -> Result<Vec<Run>, Failure> {
    // What is listed after it is as new as that.
    session.read(&[RUNS]).await?;
    let names = session.children(RUNS).await?;
    let numbers: Vec<u64> = names.iter().filter_map(|name| journal::number(name)).collect();
    let mut runs = Vec::new();
    for number in numbers.iter().rev().take(count).rev() {
        runs.extend(read_run(session, *number).await?);
    }
    Ok(runs)
}

/// One run; `None` where there is none.
///
/// # Errors
///
/// A run that this version cannot read is refused as [`Code::DataInconsistency`]: it may be open.
pub async fn read_run<S: Session>(session: &S, number: u64) -> Result<Option<Run>, Failure> {
    let path = journal::run_path(number);
    let Some(node) = session.get(&path).await? else { return Ok(None) };
    let unreadable = Failure::Refused(Code::DataInconsistency);
    let header = journal::read(&node.data).ok_or(unreadable)?;
    let names = session.children(&path).await?;
    let entries: Vec<u64> = names.iter().filter_map(|name| journal::number(name)).collect();
    let paths: Vec<String> =
        entries.iter().map(|entry| journal::record_path(number, *entry)).collect();
    let nodes = futures::future::try_join_all(paths.iter().map(|path| session.get(path))).await?;
    let records = nodes.into_iter().flatten().filter_map(|node| journal::read(&node.data));
    let last = entries.last().copied().unwrap_or(0);
    Ok(Some(Run { number, header, records: records.collect(), last }))
}

/// The plan of a run; `None` where it is not all there.
pub async fn read_plan<S: Session>(session: &S, run: &Run) -> Result<Option<String>, Failure> {
    let mut plan = String::new();
    for piece in 0..run.header.pieces {
        match session.get(&journal::piece_path(run.number, piece)).await? {
            Some(node) => plan.push_str(&node.text()),
            None => return Ok(None),
        }
    }
    Ok(Some(plan))
}

//! Looks again where an earlier run moved the ensemble to servers that serve something else, and reads
//! both journals where two histories answer.

use std::time::Duration;

use futures::future::join_all;

use super::journal::{self, Wanted, watch};
use crate::apply::journal_reader::LATEST;
use crate::apply::past_runs::agreed;
use crate::ensemble::ZooKeeper;
use crate::model::{Endpoint, Target};
use crate::observe::{ObserveError, Question, observe};

/// A refusal waits no longer than this for the name of a run.
const NAMING: Duration = Duration::from_secs(3);

/// Looks again, with the servers that an earlier run moved the ensemble to and that serve something
/// else; the refusal, where two histories answer.
pub(super) async fn two_histories(
    port: &ZooKeeper,
    target: &Target,
    rivals: Vec<Endpoint>,
) -> Option<ObserveError> {
    if rivals.is_empty() {
        return None;
    }
    let mut question = Question::of(target);
    question.contacts.extend(rivals);
    let error = observe(port, &question).await.err()?;
    match error {
        ObserveError::TwoHistories { .. } => Some(named(port, target, error).await),
        _ => None,
    }
}

/// The same error. Where two histories answer, with the run that has retired members of one, if a
/// proven one is known: both journals are read, without credentials.
pub(super) async fn named(port: &ZooKeeper, target: &Target, error: ObserveError) -> ObserveError {
    let ObserveError::TwoHistories { histories, retired: None } = error else { return error };
    let read = histories.iter().map(|history| async {
        // A side that commits nothing opens no session, and takes its time to say so.
        let writer = history.leader.as_ref().map(|(_, at)| at).or(history.answered.first());
        let servers: Vec<Endpoint> =
            writer.filter(|_| history.commits).cloned().into_iter().collect();
        let members = Some(watch(&history.config.membership));
        let wanted = Wanted { runs: LATEST, plan_of: None, watch: members };
        let read = tokio::time::timeout(NAMING, journal::read(port, &servers, target, wanted));
        read.await.ok()?.ok()
    });
    let read = join_all(read).await;
    let identities = read.iter().flatten().filter_map(|earlier| earlier.journal.identity.as_ref());
    let mut identities: Vec<&String> = identities.collect();
    identities.dedup();
    let claims = read.iter().enumerate().filter_map(|(own, earlier)| {
        let earlier = earlier.as_ref().filter(|_| identities.len() == 1)?;
        earlier.past.claim(&histories, own)
    });
    let retired = agreed(claims.collect()).map(Box::new);
    ObserveError::TwoHistories { histories, retired }
}

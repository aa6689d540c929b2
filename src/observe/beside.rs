//! Asks former addresses of servers of this ensemble, beside the members.
//!
//! All of them together get [`LIMIT`], concurrently and without credentials, and they never count
//! as members. An answer counts as that server only if it has its id, and as one that serves beside
//! the ensemble only if it has the identity of this ensemble.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{join_all, select};

use super::endpoint_answers::EndpointAnswers;
use super::lineage::is_other_lineage;
use super::{Identity, Observation};
use crate::ensemble::{Ensemble, Mode};
use crate::model::{Endpoint, EnsembleConfig, ServerId};
use crate::trust::FolderSeen;

/// The extra time of a survey for all former addresses together. Answers after it are ignored.
const LIMIT: Duration = Duration::from_millis(500);

/// What a server at a former address does, if it may be the server that was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// That server. It follows this ensemble.
    Follows,
    /// That server. It serves this ensemble's data beside the ensemble.
    Serves(Mode),
    /// A server with its id, or one that does not report its id, serves beside the ensemble. Its
    /// data are unknown.
    NotKnown(Mode),
}

/// Asks the former addresses of servers, by id. Addresses of members and of wanted servers are left
/// out, because the survey has asked them already.
pub async fn ask_beside<E: Ensemble>(
    port: &E,
    seen: &Observation,
    servers: &[(ServerId, Endpoint)],
) -> BTreeMap<(ServerId, Endpoint), Beside> {
    let is_asked = |at: &Endpoint| {
        let known = seen.servers.values().filter_map(|observed| observed.endpoint.as_ref());
        known.chain(seen.wanted_at.values().map(|wanted| &wanted.endpoint)).any(|own| own == at)
    };
    // No server can be asked at a wildcard.
    let can_be = |at: &Endpoint| at.host.is_plain() && !at.host.is_wildcard();
    let answers = RefCell::new(BTreeMap::new());
    let asked = servers.iter().filter(|(_, at)| can_be(at) && !is_asked(at)).map(|(id, at)| {
        let answers = &answers;
        async move {
            let probe = EndpointAnswers::of(port, at, None).await;
            let Some(first) = by_words(&probe, *id, seen) else { return };
            let key = (*id, at.clone());
            let config = probe.config().map(|config| config.value);
            answers.borrow_mut().insert(key.clone(), (first, config.clone()));
            if let Beside::NotKnown(mode) = first {
                match by_data(port, &probe, mode, &seen.identity).await {
                    Some(last) => answers.borrow_mut().insert(key, (last, config)),
                    None => answers.borrow_mut().remove(&key),
                };
            }
        }
    });
    {
        let asked = std::pin::pin!(join_all(asked));
        let limit = std::pin::pin!(port.pause(LIMIT));
        select(asked, limit).await;
    }
    by_others(answers.into_inner())
}

/// Fills in what is unknown about a server from another one that serves with the same
/// configuration.
fn by_others(
    answers: BTreeMap<(ServerId, Endpoint), (Beside, Option<EnsembleConfig>)>,
) -> BTreeMap<(ServerId, Endpoint), Beside> {
    let serving = answers.values().filter(|(answer, _)| matches!(answer, Beside::Serves(_)));
    let serving: Vec<EnsembleConfig> = serving.filter_map(|(_, config)| config.clone()).collect();
    let known = answers.into_iter().map(|(key, (answer, config))| match answer {
        Beside::NotKnown(mode) if config.is_some_and(|config| serving.contains(&config)) => {
            (key, Beside::Serves(mode))
        }
        answer => (key, answer),
    });
    known.collect()
}

/// The result by four-letter words, or by a session instead. `None` if another server answers, or
/// one that does not serve.
fn by_words(probe: &EndpointAnswers, id: ServerId, seen: &Observation) -> Option<Beside> {
    let mode = probe.mode()?;
    let own = probe.own_id(|| seen.config.membership.ids().into_iter().chain([id]).collect());
    if own.is_some_and(|own| own.value != id) {
        return None;
    }
    let follows = matches!(mode, Mode::Follower | Mode::Observer)
        && own.is_some()
        && probe
            .config()
            .is_some_and(|theirs| !is_other_lineage(&theirs.value, &seen.config, seen.leader));
    Some(if follows { Beside::Follows } else { Beside::NotKnown(mode) })
}

/// The result by the identity in its data. `None` if that is the identity of another ensemble.
async fn by_data<E: Ensemble>(
    port: &E,
    probe: &EndpointAnswers,
    mode: Mode,
    ours: &Identity,
) -> Option<Beside> {
    let read = match &probe.session {
        Some(session) => session.clone(),
        None => port.read(&probe.endpoint).await,
    };
    let folder = read.map(|reading| FolderSeen::of(&reading.folder));
    match (folder.as_ref().ok().and_then(FolderSeen::identity), ours) {
        (Some(theirs), Identity::Known(ours)) if theirs == ours => Some(Beside::Serves(mode)),
        (Some(_), Identity::Known(_)) => None,
        _ => Some(Beside::NotKnown(mode)),
    }
}

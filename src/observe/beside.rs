//! Addresses that are asked beside the members, because servers of this ensemble were there once.
//!
//! They are asked for [`LIMIT`] in all, side by side, without credentials, and never counted as
//! members. What answers counts as that server only with its id, and as one that serves beside the
//! ensemble only with this ensemble's identity.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{join_all, select};

use super::histories::is_other_lineage;
use super::probe::Probe;
use super::{Identity, Observation};
use crate::ensemble::{Ensemble, Mode};
use crate::model::{Endpoint, EnsembleConfig, ServerId};
use crate::trust::FolderSeen;

/// By no more than this the addresses slow a look down, all together. What has not answered by then
/// is not waited for.
const LIMIT: Duration = Duration::from_millis(500);

/// What answers where a server was, where something does that may be it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// That server. It follows this ensemble.
    Follows,
    /// That server. It serves this ensemble's data beside the ensemble.
    Serves(Mode),
    /// A server with its id, or that does not tell its id, which serves beside the ensemble. Which
    /// data it serves is not known.
    NotKnown(Mode),
}

/// Asks where servers were, by their ids. Addresses of members and of wanted servers are left out:
/// the look has asked them.
pub async fn ask_beside<E: Ensemble>(
    port: &E,
    seen: &Observation,
    servers: &[(ServerId, Endpoint)],
) -> BTreeMap<(ServerId, Endpoint), Beside> {
    let is_asked = |at: &Endpoint| {
        let known = seen.servers.values().filter_map(|sight| sight.endpoint.as_ref());
        known.chain(seen.wanted_at.values().map(|wanted| &wanted.endpoint)).any(|own| own == at)
    };
    // A wildcard is nobody's address.
    let can_be = |at: &Endpoint| at.host.is_plain() && !at.host.is_wildcard();
    let answers = RefCell::new(BTreeMap::new());
    let asked = servers.iter().filter(|(_, at)| can_be(at) && !is_asked(at)).map(|(id, at)| {
        let answers = &answers;
        async move {
            let probe = Probe::of(port, at, None).await;
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

/// What of a server is not known is that of one that serves with the same configuration.
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

/// What the words tell, or a session in their place; `None` where another server answers, or none
/// that serves.
fn by_words(probe: &Probe, id: ServerId, seen: &Observation) -> Option<Beside> {
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

/// What the identity in its data tells; `None` where that is another ensemble's.
async fn by_data<E: Ensemble>(
    port: &E,
    probe: &Probe,
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

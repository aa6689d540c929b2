//! The servers that leave: where they are reached, whether they are still there, and who is connected
//! to them.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::journal::{Header, Runs};
use super::run_view::{self, Leaving, Presence};
use crate::check::CheckedPlan;
use crate::ensemble::four_letter::Conf;
use crate::ensemble::{Ensemble, FourLetterWord};
use crate::model::{Endpoint, EnsembleConfig, Membership, Server, ServerId};
use crate::observe::{self, Observation, OwnSession, Source};
use crate::plan::Plan;
use crate::saved;

/// Where the servers that leave are reached, as far as lines and a look tell. Of an id that goes to
/// another machine, only its line tells where the old one is.
pub fn known_endpoints(plan: &Plan, seen: &Observation) -> BTreeMap<ServerId, Endpoint> {
    let members = &seen.config.membership;
    let known = run_view::leaving(plan).into_iter().filter_map(|id| {
        let line = plan.facts.base.membership.get(id).and_then(Server::client_endpoint);
        let moves = plan.target.contains(id);
        let seen = seen.servers.get(&id).filter(|_| members.contains(id) && !moves);
        let seen = seen.and_then(|observed| observed.endpoint.clone());
        Some((id, line.or(seen)?))
    });
    known.collect()
}

/// Where servers that leave were reached, by the runs of this plan, where lines and looks do not
/// tell: what they say of another line than the plan's is not about that server.
pub(super) fn reached(
    checked: &CheckedPlan,
    runs: &Runs,
    known: &BTreeMap<ServerId, Endpoint>,
) -> BTreeMap<ServerId, Endpoint> {
    let (plan, plan_id) = (checked.plan(), saved::plan_id(checked.plan()));
    let same = runs.latest.iter().filter(|run| run.is_of(&plan_id));
    let headers: Vec<&Header> = same.filter_map(|run| run.header.as_ref().ok()).collect();
    let unknown = run_view::leaving(plan).into_iter().filter(|id| !known.contains_key(id));
    let reached = unknown.filter_map(|id| {
        let line = plan.facts.base.membership.get(id)?;
        let at = headers.iter().rev().find_map(|header| header.reached(line))?;
        Some((id, at))
    });
    reached.collect()
}

/// Who is still there of the servers that leave, and who is connected to them.
pub async fn leaving_now<E: Ensemble>(
    port: &E,
    leaving: &BTreeSet<ServerId>,
    known: &BTreeMap<ServerId, Endpoint>,
    own: Option<OwnSession<'_>>,
) -> BTreeMap<ServerId, Leaving> {
    let views = leaving
        .iter()
        .map(|id| async move { (*id, leaving_server(port, *id, known.get(id), own).await) });
    join_all(views).await.into_iter().collect()
}

async fn leaving_server<E: Ensemble>(
    port: &E,
    id: ServerId,
    at: Option<&Endpoint>,
    own: Option<OwnSession<'_>>,
) -> Leaving {
    let Some(at) = at else { return Leaving::seen(None, Presence::Unknown) };
    if let Err(silence) = port.ask(at, FourLetterWord::Srvr).await {
        return Leaving::seen(Some(at.clone()), Presence::of(silence));
    }
    // Before its clients are asked for: one that comes after that is there, or is counted next time.
    let connects = observe::connects_of_others(port, at).await;
    let clients = observe::clients(port, at, None, own).await;
    let shows_sessions = clients.as_ref().is_some_and(|seen| seen.source != Source::Srvr);
    let mut clients = clients.map(|clients| clients.value);
    if let Some(clients) = &mut clients {
        observe::add_owned(port, at, clients).await;
    }
    let conf = port.ask(at, FourLetterWord::Conf).await.ok().map(|answer| Conf::parse(&answer));
    let longest_timeout_ms = conf.as_ref().and_then(|conf| conf.max_session_ms);
    let members = own_config(port, at, conf).await;
    let names_itself = members.map(|members| members.contains(id));
    Leaving {
        at: Some(at.clone()),
        presence: Presence::Up,
        clients,
        shows_sessions,
        connects,
        longest_timeout_ms,
        names_itself,
    }
}

/// The members that a server itself knows.
async fn own_config<E: Ensemble>(
    port: &E,
    at: &Endpoint,
    conf: Option<Conf>,
) -> Option<Membership> {
    if let Some(Ok(config)) = conf.and_then(|conf| conf.config) {
        return Some(config.membership);
    }
    let reading = port.read(at).await.ok()?;
    EnsembleConfig::parse(&reading.config).ok().map(|config| config.membership)
}

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
use crate::observe::{self, Observation, OwnSession};
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
    let views = leaving.iter().map(|id| async move {
        let Some(at) = known.get(id) else {
            let presence = Presence::Unknown;
            return (*id, Leaving { presence, clients: None, names_itself: None });
        };
        let presence = match port.ask(at, FourLetterWord::Srvr).await {
            Ok(_) => Presence::Up,
            Err(silence) => Presence::of(silence),
        };
        if presence != Presence::Up {
            return (*id, Leaving { presence, clients: None, names_itself: None });
        }
        let clients = observe::clients(port, at, None, own).await.map(|clients| clients.value);
        let names_itself = own_config(port, at).await.map(|members| members.contains(*id));
        (*id, Leaving { presence, clients, names_itself })
    });
    join_all(views).await.into_iter().collect()
}

/// The members that a server itself knows.
async fn own_config<E: Ensemble>(port: &E, at: &Endpoint) -> Option<Membership> {
    let conf = port.ask(at, FourLetterWord::Conf).await.ok().map(|answer| Conf::parse(&answer));
    if let Some(Ok(config)) = conf.and_then(|conf| conf.config) {
        return Some(config.membership);
    }
    let reading = port.read(at).await.ok()?;
    EnsembleConfig::parse(&reading.config).ok().map(|config| config.membership)
}

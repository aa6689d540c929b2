//! What servers allow a client, and what they have room for.

use super::answers::AdminAnswers;
use super::check::Check;
use super::codes::CheckKind;
use super::evidence::{CheckRemedy, Evidence};
use super::given_files::GivenFile;
use super::view::View;
use crate::observe::ServerObservation;

/// Connections that an apply opens to one server at a time, with room for one that the server has
/// not noticed to be closed. Seen on 3.8: with two an apply is refused now and then and goes on,
/// with three never.
const NEEDED: u32 = 3;

/// With fewer an apply cannot ask a question beside its session.
const LEAST: u32 = 2;

pub(super) fn checks(view: View<'_>) -> Vec<Check> {
    let of_servers = view.servers().flat_map(|observed| {
        [Some(connections(view, observed)), words(view, observed), room(view, observed)]
    });
    of_servers.flatten().collect()
}

fn connections(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::Connections;
    let id = Some(observed.id);
    let file = view.file(observed.id).and_then(GivenFile::max_client_connections);
    if view.is_to_start(observed) && file.is_none() {
        let remedy = CheckRemedy::StartJoiner;
        return Check::unknown(KIND, id, Evidence::NotRunning, remedy);
    }
    let conf = view.answers(observed.id).and_then(|answers| answers.conf.as_ref());
    let by_conf = conf.and_then(|conf| conf.max_client_connections);
    let shown = observed.max_client_connections.or(by_conf);
    let limit = shown.or(file);
    let takes_one = observed.takes_one_connection;
    let evidence = Evidence::Limit { limit, takes_one, needs: NEEDED };
    let is_by_file = shown.is_none() && file.is_some() && !takes_one;
    let evidence = if is_by_file { evidence.by_file() } else { evidence };
    let remedy = CheckRemedy::RaiseConnections;
    match limit {
        _ if takes_one => Check::fail(KIND, id, evidence, remedy),
        Some(0) => Check::pass(KIND, id, evidence),
        Some(limit) if limit < LEAST => Check::fail(KIND, id, evidence, remedy),
        Some(limit) if limit < NEEDED => Check::advise(KIND, id, evidence, remedy),
        Some(_) => Check::pass(KIND, id, evidence),
        None => Check::unknown(KIND, id, evidence, CheckRemedy::AllowConf),
    }
}

fn words(view: View<'_>, observed: &ServerObservation) -> Option<Check> {
    const KIND: CheckKind = CheckKind::Words;
    let id = Some(observed.id);
    if view.is_to_start(observed) {
        let remedy = CheckRemedy::StartJoiner;
        return Some(Check::unknown(KIND, id, Evidence::NotRunning, remedy));
    }
    let words = view.answers(observed.id)?.missing.clone()?;
    let is_whole = words.is_empty();
    let evidence = Evidence::WordsMissing { words };
    Some(if is_whole {
        Check::pass(KIND, id, evidence)
    } else {
        Check::advise(KIND, id, evidence, CheckRemedy::AllowWords)
    })
}

/// The room of a joiner. No server tells how much its disk has left; the AdminServer tells the
/// largest heap, and the data have to fit into it.
fn room(view: View<'_>, observed: &ServerObservation) -> Option<Check> {
    const KIND: CheckKind = CheckKind::Room;
    if view.is_member(observed.id) {
        return None;
    }
    let id = Some(observed.id);
    let data = data_bytes(view);
    let heap = match view.answers(observed.id).map(|answers| &answers.admin) {
        Some(AdminAnswers::Properties(_, heap)) => *heap,
        _ => None,
    };
    let evidence = Evidence::Heap { heap, data };
    Some(match heap.zip(data) {
        Some((heap, data)) if heap < data => Check::fail(KIND, id, evidence, CheckRemedy::MoreHeap),
        Some(_) | None => Check::unknown(KIND, id, evidence, CheckRemedy::LookAtDisk),
    })
}

/// The size of the data: the largest that a member reports.
pub(super) fn data_bytes(view: View<'_>) -> Option<u64> {
    let members = view.servers().filter(|observed| view.is_member(observed.id));
    let reported = members.filter_map(|observed| {
        let mntr = view.answers(observed.id).and_then(|answers| answers.mntr.as_ref());
        mntr.and_then(|mntr| mntr.bytes).or(observed.data.bytes)
    });
    reported.max()
}

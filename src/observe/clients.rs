//! The clients of a server.

use serde_json::Value;

use super::{ClientSession, Clients, Source, Sourced};
use crate::ensemble::four_letter::{Mntr, Srvr, parse_cons, parse_dump};
use crate::ensemble::{Ensemble, FourLetterWord};
use crate::model::Endpoint;

/// The session that is ours, and the server that it is attached to.
#[derive(Debug, Clone, Copy)]
pub struct OwnSession<'a> {
    /// Its id.
    pub id: u64,
    /// Where it is attached.
    pub at: &'a Endpoint,
}

/// The clients of a server, without ours, by `cons`, else by the AdminServer, else by `srvr`.
///
/// Must be called while no session of ours is opened except `own`.
pub async fn clients<E: Ensemble>(
    port: &E,
    at: &Endpoint,
    admin: Option<&str>,
    own: Option<OwnSession<'_>>,
) -> Option<Sourced<Clients>> {
    let is_ours = |session: u64| own.is_some_and(|own| own.id == session);
    port.closes_sessions(at).await;
    if let Ok(answer) = port.ask(at, FourLetterWord::Cons).await {
        let connections = parse_cons(&answer).into_iter();
        let sessions = connections.filter_map(|connection| {
            let id = connection.session.filter(|id| !is_ours(*id))?;
            let (from, timeout_ms) = (connection.from, connection.timeout_ms);
            Some(ClientSession { from, id, timeout_ms, owns: Vec::new() })
        });
        return Some(Sourced { value: Clients::of(sessions.collect()), source: Source::Cons });
    }
    if let Some(base) = admin
        && let Ok(answer) = port.admin(base, "connections").await
    {
        let all = ["connections", "secure_connections"].into_iter();
        let all = all.filter_map(|key| answer.get(key)?.as_array()).flatten();
        let sessions = all.filter_map(session).filter(|session| !is_ours(session.id));
        let value = Clients::of(sessions.collect());
        return Some(Sourced { value, source: Source::AdminServer });
    }
    let srvr = Srvr::parse(&port.ask(at, FourLetterWord::Srvr).await.ok()?);
    // The connection that asks is counted too, and our session where it is attached.
    let ours = 1 + u64::from(own.is_some_and(|own| own.at == at));
    let count = srvr.connections?.saturating_sub(ours);
    Some(Sourced { value: Clients::counted(count), source: Source::Srvr })
}

/// Adds the ephemeral znodes of each session, where the server lists them.
pub async fn add_owned<E: Ensemble>(port: &E, at: &Endpoint, clients: &mut Clients) {
    if clients.sessions.is_empty() {
        return;
    }
    let Ok(answer) = port.ask(at, FourLetterWord::Dump).await else { return };
    let mut owned = parse_dump(&answer);
    for session in &mut clients.sessions {
        session.owns = owned.remove(&session.id).unwrap_or_default();
        session.owns.sort_unstable();
    }
}

/// How often others than zkplan have asked a server for a session since its process began; `None`
/// where it does not report that (3.5, and where `mntr` is not allowed). A client that comes and goes
/// between two looks raises it.
pub async fn connects_of_others<E: Ensemble>(port: &E, at: &Endpoint) -> Option<u64> {
    // A session that is opened meanwhile is counted as another's: a watch begins anew, no more.
    let ours = port.sessions_opened(at);
    let answer = port.ask(at, FourLetterWord::Mntr).await.ok()?;
    Some(Mntr::parse(&answer).connects?.saturating_sub(ours))
}

/// A session as an AdminServer lists it; `None` of a connection without one.
fn session(one: &Value) -> Option<ClientSession> {
    let id = one.get("session_id").filter(|id| !id.is_null())?;
    let from = one.get("remote_socket_address").and_then(Value::as_str).unwrap_or_default();
    let timeout_ms = one.get("session_timeout").and_then(Value::as_u64);
    let (from, id) = (from.to_owned(), session_number(id));
    Some(ClientSession { from, id, timeout_ms, owns: Vec::new() })
}

/// A session id as an AdminServer writes it: a number, or hex (`ConnectionBean`).
fn session_number(id: &Value) -> u64 {
    let number = id.as_i64().map(i64::cast_unsigned).or_else(|| id.as_u64());
    let hex = || u64::from_str_radix(id.as_str()?.trim_start_matches("0x"), 16).ok();
    number.or_else(hex).unwrap_or_default()
}

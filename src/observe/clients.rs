//! The clients of a server.

use serde_json::Value;

use super::{Clients, Source, Sourced};
use crate::ensemble::four_letter::{Srvr, parse_cons};
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
        let sessions = parse_cons(&answer).into_iter();
        let theirs = sessions.filter(|c| c.session.is_some_and(|session| !is_ours(session)));
        let addresses = theirs.map(|connection| connection.from);
        return Some(Sourced { value: counted(addresses), source: Source::Cons });
    }
    if let Some(base) = admin
        && let Ok(answer) = port.admin(base, "connections").await
    {
        let all = ["connections", "secure_connections"].into_iter();
        let all = all.filter_map(|key| answer.get(key)?.as_array()).flatten();
        let sessions = all.filter(|one| {
            let id = one.get("session_id").filter(|id| !id.is_null());
            id.is_some_and(|id| !is_ours(session_number(id)))
        });
        let addresses = sessions.map(|one| {
            let from = one.get("remote_socket_address").and_then(Value::as_str);
            from.unwrap_or_default().to_owned()
        });
        return Some(Sourced { value: counted(addresses), source: Source::AdminServer });
    }
    let srvr = Srvr::parse(&port.ask(at, FourLetterWord::Srvr).await.ok()?);
    // The connection that asks is counted too, and our session where it is attached.
    let ours = 1 + u64::from(own.is_some_and(|own| own.at == at));
    let count = srvr.connections?.saturating_sub(ours);
    Some(Sourced { value: Clients { count, addresses: Vec::new() }, source: Source::Srvr })
}

fn counted(addresses: impl Iterator<Item = String>) -> Clients {
    let mut addresses: Vec<String> = addresses.collect();
    addresses.sort_unstable();
    Clients { count: addresses.len() as u64, addresses }
}

/// A session id as an AdminServer writes it: a number, or hex (`ConnectionBean`).
fn session_number(id: &Value) -> u64 {
    let number = id.as_i64().map(i64::cast_unsigned).or_else(|| id.as_u64());
    let hex = || u64::from_str_radix(id.as_str()?.trim_start_matches("0x"), 16).ok();
    number.or_else(hex).unwrap_or_default()
}

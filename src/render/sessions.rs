//! What servers allow a client: sessions that cannot do what an apply needs, and limits on connections.

use std::collections::BTreeSet;

use super::phrases::servers;
use crate::apply::access::Recipient;
use crate::check::RAISE_THE_LIMIT;
use crate::ensemble::ErrorCode;
use crate::model::ServerId;

/// What an apply needs of a server.
pub(super) const TWO_CONNECTIONS: &str =
    "An apply needs two: its session, and one more to check the server.";

/// Servers that were seen to keep local sessions.
pub(super) fn may_be_local(servers: &BTreeSet<ServerId>) -> String {
    let (keep, upgrade) =
        if servers.len() == 1 { ("keeps", "it upgrades") } else { ("keep", "they upgrade") };
    format!(
        "{} {keep} local sessions. zkplan cannot see whether {upgrade} them \
         (localSessionsUpgradingEnabled=true). If not, apply refuses before it changes anything",
        self::servers(servers)
    )
}

/// A member that closes every connection.
pub(super) fn closes_connections(it: &str) -> String {
    format!(
        "{it} is a member and closes every connection at once, because of a limit on connections \
         (maxClientCnxns, maxCnxns). It may be up, but zkplan does not count it"
    )
}

/// Who said something, at the beginning of a sentence.
fn speaker(by: Option<&Recipient>) -> String {
    by.map_or_else(
        || "The server".to_owned(),
        |Recipient { server, at }| format!("Server {server} ({at})"),
    )
}

/// A server that closes every other connection while it has the session of the apply.
pub(super) fn takes_one_connection(by: Option<&Recipient>, again: &str) -> (String, String) {
    (
        format!(
            "{} closes every connection except the session of this apply. The cause is a limit on \
             connections (maxClientCnxns or maxCnxns). {TWO_CONNECTIONS} Nothing was changed.",
            speaker(by)
        ),
        format!("{RAISE_THE_LIMIT}; then {again}"),
    )
}

/// A session that cannot hold the lock, and the settings that help.
pub(super) fn local(by: Option<&Recipient>, again: &str) -> (String, String) {
    let by = speaker(by);
    let code = ErrorCode::EphemeralOnLocalSession;
    (
        format!(
            "{by} refused the lock: {code}. It keeps local sessions (localSessionsEnabled=true) \
             and does not upgrade them, so zkplan cannot create an ephemeral znode. Nothing was \
             changed."
        ),
        format!(
            "set localSessionsUpgradingEnabled=true in zoo.cfg of every server, or \
             localSessionsEnabled=false, and restart the servers one at a time, the leader last; \
             then {again}"
        ),
    )
}

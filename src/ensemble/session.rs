//! The short session of `short_session`, for servers that enforce SASL: by the client library, which
//! has that mechanism.

use std::future::Future;

use tokio::time::timeout;
use zookeeper_client::{Client, Error, MultiWriteError, SessionState, Stat, StateWatcher};

use super::replies::{failure, listed};
use super::short_session::{ANY_VERSION, CLOSE_LIMIT, ROOT, SESSION_TIMEOUT};
use super::transport::TlsClient;
use super::ways::Show;
use super::{
    CONFIG, ConfigRead, ErrorCode, FolderRead, IDENTITY_NAME, Kept, Limits, NoAnswer, NodeAcl,
    RequestError, TlsFailure,
};
use crate::model::{Endpoint, Folder};

/// Opens a session on that server, sees a transaction commit, reads, and closes the session.
///
/// The client has its own runtime, which ends with this call: the library keeps trying to reconnect
/// for the lifetime of the session, even after every handle to it is dropped, and nothing of that
/// may be left behind.
pub(super) fn read(
    at: &Endpoint,
    tls: Option<&TlsClient>,
    folder: &Folder,
    limits: Limits,
    show: &Show,
) -> Result<ConfigRead, NoAnswer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|_| NoAnswer::NoRoute)?;
    let reading = runtime.block_on(async {
        let bound = limits.connect + limits.answer_from(at);
        timeout(bound, in_session(at, tls, folder, limits, show))
            .await
            .unwrap_or(Err(NoAnswer::AnswerTimedOut))
    });
    // Abandons what the library still does in the background.
    runtime.shutdown_background();
    reading
}

async fn in_session(
    at: &Endpoint,
    tls: Option<&TlsClient>,
    folder: &Folder,
    limits: Limits,
    show: &Show,
) -> Result<ConfigRead, NoAnswer> {
    let why = |cause: &Error| match cause {
        Error::AuthFailed if show.credential.is_some() => NoAnswer::AuthRefused,
        cause => why(cause),
    };
    let connector = Client::connector()
        // The library waits for a server no longer than three fifths of it.
        .with_session_timeout(SESSION_TIMEOUT.max(2 * limits.answer))
        .with_connection_timeout(limits.answer)
        .with_fail_eagerly();
    let mut connector = show.on(connector);
    let scheme = if at.tls { "tcp+tls" } else { "tcp" };
    if at.tls {
        connector =
            connector.with_tls(tls.ok_or(NoAnswer::Tls(TlsFailure::NoAuthority))?.sessions.clone());
    }
    let client = connector.connect(&format!("{scheme}://{at}")).await;
    let client = client.map_err(|cause| why(&cause))?;
    let reading = read_through(&client, folder).await;
    let state = client.state_watcher();
    drop(client);
    timeout(CLOSE_LIMIT, closed(state)).await.ok();
    reading.map_err(|cause| why(&cause))
}

/// Sends everything at once: a session's requests are answered in order, so that the reads see at
/// least what had committed before the transaction.
async fn read_through(client: &Client, folder: &Folder) -> Result<ConfigRead, Error> {
    let path = folder.as_str();
    let identity = folder.child(IDENTITY_NAME);
    let commits = commits(client);
    let config = client.get_config();
    let lists = (client.get_acl(CONFIG), client.get_acl(path), client.get_acl(&identity));
    let (stat, data) = (client.check_stat(path), client.get_data(&identity));
    let after = client.get_acl(path);
    let (commits, config, of_config, before, of_identity, folder_stat, data, after) =
        futures::join!(commits, config, lists.0, lists.1, lists.2, stat, data, after);
    commits?;
    let (config, stat) = config?;
    let folder = FolderRead {
        folder: folder.clone(),
        config: answered(listed(of_config))?
            .ok()
            .flatten()
            .map(|acl| acl.entries)
            .unwrap_or_default(),
        is_empty: folder_stat?.is_none_or(|stat| stat.num_children == 0),
        identity: kept(listed(of_identity), data)?,
        before: answered(listed(before))?,
        after: answered(listed(after))?,
    };
    Ok(ConfigRead {
        server_id_byte: client.session_id().0.to_be_bytes()[0],
        config: String::from_utf8_lossy(&config).into_owned(),
        config_data_version: stat.version,
        config_mzxid: stat.mzxid,
        folder,
    })
}

/// A transaction that only checks that the root is there: it is proposed, a quorum logs it, and no
/// znode changes. Neither the session itself, which is no transaction where sessions are local
/// (`localSessionsEnabled`), nor a `sync` or a read proves that writes commit.
///
/// It is sent when this is called, not when the answer is awaited.
pub(super) fn commits(client: &Client) -> impl Future<Output = Result<(), Error>> {
    let mut writer = client.new_multi_writer();
    let committed = writer.add_check_version(ROOT, ANY_VERSION).map(|()| writer.commit());
    async {
        match committed?.await {
            Ok(results) if !results.is_empty() => Ok(()),
            // The library sends nothing for a transaction without parts.
            Ok(_) => Err(Error::UnexpectedError("the check was not sent".to_owned())),
            // A refusal is a transaction as well, of type `error` (`PrepRequestProcessor`).
            Err(MultiWriteError::OperationFailed { source: Error::NoAuth, .. }) => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }
}

/// What a server answered; an error is one of the connection.
fn answered<T>(answer: Result<T, Error>) -> Result<Result<T, ErrorCode>, Error> {
    match answer {
        Ok(value) => Ok(Ok(value)),
        Err(cause) => match failure(&cause) {
            RequestError::Refused(code) => Ok(Err(code)),
            _ => Err(cause),
        },
    }
}

fn kept(
    acl: Result<Option<NodeAcl>, Error>,
    data: Result<(Vec<u8>, Stat), Error>,
) -> Result<Kept, Error> {
    let data = match data {
        Err(Error::NoNode) => return Ok(Kept::Absent),
        data => answered(data.map(|(data, _)| String::from_utf8_lossy(&data).into_owned()))?,
    };
    Ok(match (answered(acl)?, data) {
        (Ok(Some(acl)), Ok(text)) => Kept::Here { acl, text },
        (Ok(None), _) => Kept::Absent,
        (Err(code), _) | (_, Err(code)) => Kept::Refused(code),
    })
}

async fn closed(mut state: StateWatcher) {
    let mut now = state.state();
    while !matches!(now, SessionState::Closed | SessionState::Expired | SessionState::AuthFailed) {
        now = state.changed().await;
    }
}

/// The library does not say why no host could be used. A server that does not serve closes every
/// new session (`NIOServerCnxn`: "`ZooKeeperServer` not running").
fn why(cause: &Error) -> NoAnswer {
    match cause {
        Error::Timeout => NoAnswer::AnswerTimedOut,
        Error::AuthFailed => NoAnswer::NeedsAuth,
        // It has lost its quorum and only reads (`ReadOnlyRequestProcessor`).
        Error::NotReadOnly => NoAnswer::NotServing,
        Error::UnmarshalError { .. }
        | Error::NoAuth
        | Error::NoNode
        | Error::UnexpectedErrorCode(_) => NoAnswer::Unreadable,
        _ => NoAnswer::Closed,
    }
}

//! A session that is held for the length of a run, and moved from server to server.
//!
//! The library acts by itself: it reconnects, and then repeats earlier requests. So every
//! connection has its own runtime that ends with it, a request is made only while connected, and a
//! session moves by a new client with the saved session. A credential is shown only after a server
//! has accepted the session.

use std::future::Future;

use tokio::time::timeout;
use tracing::debug;
use zookeeper_client::{
    Acl, Acls, AuthId, Client, CreateMode, EnsembleUpdate, Error, MultiWriteError, MultiWriter,
    Permission, SessionInfo, SessionState, Stat,
};

use super::attachment::{Attached, ConnectOptions, Detached};
use super::port::{AclEntry, Lifetime, Node, NodeAcl, Op, RequestError, Session};
use super::replies::{IMPOSSIBLE_DATA_VERSION, failure, listed, outcome};
use super::ways::Show;
use super::{CONFIG, Credential, ErrorCode, session};
use crate::model::{ConfigVersion, Endpoint, EnsembleConfig, Reconfig, Update};

/// A config version that no ensemble ever has.
const IMPOSSIBLE_CONFIG_VERSION: i64 = 0x7fff_ffff_ffff_fffe;

/// Where a znode comes from, of its `Stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZnodeBirth {
    /// The transaction that created it.
    pub czxid: i64,
    /// The transaction that set its data last.
    pub mzxid: i64,
    /// When it was created, in milliseconds since 1970, as the clock of the leader had it.
    pub ctime_ms: i64,
}

/// A real session.
pub struct HeldSession {
    means: ConnectOptions,
    at: Endpoint,
    session: SessionInfo,
    timeout_ms: u64,
    attached: Option<Attached>,
    /// Whether servers are shown the credential that it is attached to.
    authenticates: bool,
}

impl HeldSession {
    /// Opens a session on that server.
    pub(super) async fn open(at: &Endpoint, means: ConnectOptions) -> Result<Self, RequestError> {
        let attached = means.attach(at, None, Detached::Yes).await;
        debug!(server = %at, outcome = outcome(&attached), "opened a session");
        let attached = attached?;
        Ok(Self {
            means,
            at: at.clone(),
            session: attached.client.session().clone(),
            timeout_ms: u64::try_from(attached.client.session_timeout().as_millis())
                .unwrap_or(u64::MAX),
            attached: Some(attached),
            authenticates: false,
        })
    }

    /// Shows the credential to the server of the session: on the open connection if possible, else
    /// on another one to the same address.
    async fn show(&mut self) -> Result<(), RequestError> {
        let (Some(credential), Some(attached)) = (&self.means.terms.auth, &self.attached) else {
            return Ok(());
        };
        if attached.client.state() != SessionState::SyncConnected {
            return Err(RequestError::NotSent);
        }
        if attached.show.credential.as_ref() == Some(credential) {
            return Ok(());
        }
        let Some((scheme, secret)) = credential.packet().filter(|_| !attached.show.look) else {
            return self.show_anew().await;
        };
        let shown = attached.client.auth(scheme, secret.as_bytes());
        match timeout(self.means.terms.timeout.as_duration(), shown).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Error::AuthFailed)) => Err(RequestError::Refused(ErrorCode::AuthFailed)),
            Ok(Err(_)) | Err(_) => Err(RequestError::NotSent),
        }
    }

    /// Attaches the session again where it is, with the credential. The public digest goes with a
    /// credential of another scheme: a server that enforces digests takes no session without one.
    async fn show_anew(&mut self) -> Result<(), RequestError> {
        let Some(before) = self.attached.take() else { return Err(RequestError::NotSent) };
        let (to, before_look) = (before.to.clone(), before.show.look);
        // Two clients of one session would take it from each other.
        drop(before);
        let credential = self.means.terms.auth.clone();
        let is_digest = credential.as_ref().is_some_and(Credential::sends_password);
        let show = Show { look: before_look && !is_digest, credential };
        let session = Some(self.session.clone());
        let attached = self.means.connect((&self.at, &to), session, Detached::Yes, show).await?;
        self.session = attached.client.session().clone();
        self.attached = Some(attached);
        Ok(())
    }

    /// An entry `auth` stands for every id of the connection. The id of a survey is public: every
    /// client could use it. Where the connection shows it, the entry becomes the operator's own id;
    /// without one there is none to take.
    fn closed(&self, entries: &[AclEntry]) -> Result<Vec<AclEntry>, RequestError> {
        let shown = self.attached.as_ref().map(|attached| &attached.show);
        let Some(Show { credential, .. }) = shown.filter(|show| show.look) else {
            return Ok(entries.to_vec());
        };
        let own = |entry: &AclEntry| {
            if entry.scheme != "auth" {
                return Ok(entry.clone());
            }
            let credential = credential.as_ref();
            let credential = credential.ok_or(RequestError::Refused(ErrorCode::InvalidAcl))?;
            let (scheme, id) = credential.id();
            Ok(AclEntry { scheme: scheme.to_owned(), id, ..entry.clone() })
        };
        entries.iter().map(own).collect()
    }

    /// Where znodes come from, as new as anything that had committed before; `None` where there is none. No
    /// list forbids to ask that (`FinalRequestProcessor`, `OpCode.exists`).
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn births(&self, paths: &[String]) -> Result<Vec<Option<ZnodeBirth>>, RequestError> {
        let paths = paths.to_vec();
        let read = self.perform(move |client| async move {
            let sync = client.sync(CONFIG);
            let stats = futures::future::join_all(paths.iter().map(|path| client.check_stat(path)));
            let (sync, stats) = futures::join!(sync, stats);
            sync?;
            stats.into_iter().collect::<Result<Vec<_>, _>>()
        });
        let birth =
            |stat: Stat| ZnodeBirth { czxid: stat.czxid, mzxid: stat.mzxid, ctime_ms: stat.ctime };
        Ok(read.await?.into_iter().map(|stat| stat.map(birth)).collect())
    }

    /// Makes one request, bounded in time; what is not answered is unknown.
    async fn perform<T, F>(
        &self,
        request: impl FnOnce(Client) -> F + Send + 'static,
    ) -> Result<T, RequestError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send,
    {
        let Some(attached) = &self.attached else { return Err(RequestError::NotSent) };
        match attached.client.state() {
            SessionState::SyncConnected => {}
            _ => return Err(RequestError::NotSent),
        }
        let client = attached.client.clone();
        let answer = attached.runtime.run(async move { request(client).await });
        match timeout(self.means.terms.timeout.as_duration(), answer).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(cause))) => Err(failure(&cause)),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(RequestError::Unknown),
        }
    }
}

impl Session for HeldSession {
    fn id(&self) -> i64 {
        self.session.id().0
    }

    fn at(&self) -> &Endpoint {
        &self.at
    }

    async fn authenticate(&mut self) -> Result<(), RequestError> {
        self.authenticates = true;
        let shown = self.show().await;
        debug!(server = %self.at, outcome = outcome(&shown), "showed the credential");
        shown
    }

    async fn attach(&mut self, at: &Endpoint) -> Result<(), RequestError> {
        drop(self.attached.take());
        let session = Some(self.session.clone());
        let attached = self.means.attach(at, session, Detached::Yes).await;
        debug!(server = %at, outcome = outcome(&attached), "moved the session");
        let attached = attached?;
        self.session = attached.client.session().clone();
        self.attached = Some(attached);
        self.at = at.clone();
        // The server has taken the session: it is one of the ensemble that made it.
        if self.authenticates { self.show().await } else { Ok(()) }
    }

    fn timeout_ms(&self) -> u64 {
        self.timeout_ms
    }

    async fn read(&self, paths: &[&str]) -> Result<Vec<Option<Node>>, RequestError> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        // A session's requests are answered in the order in which they were made.
        let read = self.perform(move |client| async move {
            let sync = client.sync(CONFIG);
            let nodes = futures::future::join_all(paths.iter().map(|path| client.get_data(path)));
            let (sync, nodes) = futures::join!(sync, nodes);
            sync?;
            nodes.into_iter().map(found).collect()
        });
        read.await
    }

    async fn commits(&self) -> Result<Option<Node>, RequestError> {
        let read = self.perform(move |client| async move {
            let (committed, config) = (session::commits(&client), client.get_data(CONFIG));
            let (committed, config) = futures::join!(committed, config);
            committed?;
            found(config)
        });
        // No longer than a survey waits for another server: a session may last much longer.
        let limits = self.means.limits();
        let bound = limits.connect + limits.answer_from(&self.at);
        timeout(bound, read).await.unwrap_or(Err(RequestError::Unknown))
    }

    async fn get(&self, path: &str) -> Result<Option<Node>, RequestError> {
        let path = path.to_owned();
        self.perform(move |client| async move { found(client.get_data(&path).await) }).await
    }

    async fn children(&self, path: &str) -> Result<Vec<String>, RequestError> {
        let path = path.to_owned();
        let listed = self.perform(move |client| async move {
            match client.list_children(&path).await {
                Err(Error::NoNode) => Ok(Vec::new()),
                listed => listed,
            }
        });
        let mut names = listed.await?;
        names.sort_unstable();
        Ok(names)
    }

    async fn count_children(&self, path: &str) -> Result<Option<i32>, RequestError> {
        let path = path.to_owned();
        let stat = self.perform(move |client| async move { client.check_stat(&path).await });
        Ok(stat.await?.map(|stat| stat.num_children))
    }

    async fn acl(&self, path: &str) -> Result<Option<NodeAcl>, RequestError> {
        let path = path.to_owned();
        self.perform(move |client| async move { listed(client.get_acl(&path).await) }).await
    }

    async fn create(&self, path: &str, data: &[u8], acl: &[AclEntry]) -> Result<(), RequestError> {
        let (path, data, acl) = (path.to_owned(), data.to_vec(), acls(&self.closed(acl)?));
        let created = self.perform(move |client| async move {
            let options = CreateMode::Persistent.with_acls(Acls::new(&acl));
            client.create(&path, &data, &options).await.map(|_| ())
        });
        created.await
    }

    async fn transact(&self, ops: &[Op<'_>]) -> Result<(), RequestError> {
        let owned = |op: &Op<'_>| Owned::of(op, |acl| self.closed(acl));
        let ops: Vec<Owned> = ops.iter().map(owned).collect::<Result<_, _>>()?;
        let done = self.perform(move |client| async move {
            let mut writer = client.new_multi_writer();
            for op in &ops {
                op.add_to(&mut writer)?;
            }
            match writer.commit().await {
                Ok(_) => Ok(()),
                Err(MultiWriteError::RequestFailed { source }) => Err(source),
                Err(MultiWriteError::OperationFailed { index, source }) => match ops.get(index) {
                    Some(Owned::Check(..)) if source == Error::NoNode => Err(Error::BadVersion),
                    Some(op) if source == Error::SessionExpired && op.is_ephemeral() => {
                        Err(of_ephemeral(&client).await)
                    }
                    _ => Err(source),
                },
            }
        });
        done.await
    }

    async fn set_many(&self, path: &str, count: usize) -> Result<(), RequestError> {
        let path = path.to_owned();
        let set = self.perform(move |client| async move {
            let one = |n: usize| client.set_data(&path, n.to_string().as_bytes(), None);
            futures::future::try_join_all((0..count).map(one)).await
        });
        set.await.map(|_| ())
    }

    async fn reconfig(
        &self,
        request: &Update,
        version: ConfigVersion,
    ) -> Result<EnsembleConfig, RequestError> {
        let Ok(version) = i64::try_from(version.as_zxid().get()) else {
            return Err(RequestError::NotSent);
        };
        debug!(
            server = %self.at,
            config_version = format!("{version:x}"),
            ?request,
            "sending a reconfig"
        );
        let reply = self.update(request, version).await;
        debug!(outcome = outcome(&reply), "the answer to the reconfig");
        let text = reply?;
        // A reply that cannot be read was none.
        EnsembleConfig::parse(&text).map_err(|_| RequestError::Unknown)
    }

    async fn probe_write(&self, path: &str) -> Result<(), ErrorCode> {
        let path = path.to_owned();
        let probe = self.perform(move |client| async move {
            client.set_data(&path, b"", Some(IMPOSSIBLE_DATA_VERSION)).await
        });
        of_probe(&probe.await)
    }

    async fn probe_reconfig(&self) -> Result<(), ErrorCode> {
        let none = Reconfig { joining: Vec::new(), leaving: Vec::new() };
        of_probe(&self.update(&Update::Incremental(none), IMPOSSIBLE_CONFIG_VERSION).await)
    }

    async fn close(mut self) {
        drop(self.attached.take());
        let session = Some(self.session.clone());
        let last = self.means.attach(&self.at, session, Detached::No).await;
        if let Ok(Attached { client, runtime, pass: _pass, .. }) = last {
            let mut state = client.state_watcher();
            drop(client);
            let closed = runtime.run(async move {
                while !state.state().is_terminated() {
                    state.changed().await;
                }
            });
            // A close that got lost leaves a session that expires by itself.
            timeout(self.means.limits().answer, closed).await.ok();
        }
    }
}

impl HeldSession {
    async fn update(&self, request: &Update, version: i64) -> Result<String, RequestError> {
        let request = request.clone();
        let reply = self.perform(move |client| async move {
            let (joining, leaving, ensemble): (Vec<String>, Vec<String>, Vec<String>);
            let update = match &request {
                Update::Incremental(change) => {
                    joining = change.joining.iter().map(ToString::to_string).collect();
                    leaving = change.leaving.iter().map(ToString::to_string).collect();
                    EnsembleUpdate::Incremental {
                        joinings: joining.iter().map(String::as_str),
                        leavings: leaving.iter().map(String::as_str),
                    }
                }
                Update::Full(members) => {
                    ensemble = members.to_string().lines().map(str::to_owned).collect();
                    EnsembleUpdate::New { ensemble: ensemble.iter().map(String::as_str) }
                }
            };
            client.update_ensemble(update, Some(version)).await
        });
        let (text, _) = reply.await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// A probe is made to be refused: by its version, where it would have been allowed.
fn of_probe<T>(answer: &Result<T, RequestError>) -> Result<(), ErrorCode> {
    match *answer {
        Err(RequestError::Refused(ErrorCode::BadVersion)) => Ok(()),
        Err(RequestError::Refused(code)) => Err(code),
        Err(RequestError::Unknown | RequestError::NotSent | RequestError::InClear) => {
            Err(ErrorCode::ConnectionLoss)
        }
        Err(RequestError::SessionOver) => Err(ErrorCode::SessionExpired),
        Ok(_) => Err(ErrorCode::DataInconsistency),
    }
}

/// A part of a transaction, to be taken to another thread.
enum Owned {
    Check(String, i32),
    Create(String, Vec<u8>, CreateMode, Vec<Acl>),
    Set(String, Vec<u8>),
    Delete(String),
}

impl Owned {
    /// With the entries of its access control list as they are to be sent.
    fn of(
        op: &Op<'_>,
        closed: impl Fn(&[AclEntry]) -> Result<Vec<AclEntry>, RequestError>,
    ) -> Result<Self, RequestError> {
        Ok(match *op {
            Op::Check { path, version } => Self::Check(path.to_owned(), version),
            Op::Create { path, data, lifetime, acl } => {
                let mode = match lifetime {
                    Lifetime::Persistent => CreateMode::Persistent,
                    Lifetime::Ephemeral => CreateMode::Ephemeral,
                };
                Self::Create(path.to_owned(), data.to_vec(), mode, acls(&closed(acl)?))
            }
            Op::Set { path, data } => Self::Set(path.to_owned(), data.to_vec()),
            Op::Delete { path } => Self::Delete(path.to_owned()),
        })
    }

    const fn is_ephemeral(&self) -> bool {
        matches!(self, Self::Create(_, _, CreateMode::Ephemeral, _))
    }

    fn add_to(&self, writer: &mut MultiWriter<'_>) -> Result<(), Error> {
        match self {
            Self::Check(path, version) => writer.add_check_version(path, *version),
            Self::Create(path, data, mode, acl) => {
                writer.add_create(path, data, &mode.with_acls(Acls::new(acl)))
            }
            Self::Set(path, data) => writer.add_set_data(path, data, None),
            Self::Delete(path) => writer.add_delete(path, None),
        }
    }
}

/// What it means that a leader knows no such session for an ephemeral znode in a transaction. That of
/// another server's local session, which is not upgraded, it does not know; the transaction is
/// refused with that code there, where a single request is refused with `EphemeralOnLocalSession`
/// (`QuorumZooKeeperServer.checkUpgradeSession`, `LeaderSessionTracker.checkGlobalSession`). Such a
/// session lives on, and what else it writes commits.
async fn of_ephemeral(client: &Client) -> Error {
    match session::commits(client).await {
        Ok(()) => Error::UnexpectedErrorCode(ErrorCode::EphemeralOnLocalSession.number()),
        Err(_) => Error::SessionExpired,
    }
}

/// A znode, where there is one.
fn found(answer: Result<(Vec<u8>, Stat), Error>) -> Result<Option<Node>, Error> {
    match answer {
        Ok((data, stat)) => Ok(Some(Node {
            data,
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            version: stat.version,
            owner: stat.ephemeral_owner,
        })),
        Err(Error::NoNode) => Ok(None),
        Err(cause) => Err(cause),
    }
}

fn acls(entries: &[AclEntry]) -> Vec<Acl> {
    let permission = |entry: &AclEntry| {
        [
            (AclEntry::READ, Permission::READ),
            (AclEntry::WRITE, Permission::WRITE),
            (AclEntry::CREATE, Permission::CREATE),
            (AclEntry::DELETE, Permission::DELETE),
            (AclEntry::ADMIN, Permission::ADMIN),
        ]
        .into_iter()
        .filter(|(bit, _)| entry.permissions & bit != 0)
        .fold(Permission::NONE, |all, (_, permission)| all | permission)
    };
    let acl = |entry: &AclEntry| Acl::new(permission(entry), AuthId::new(&entry.scheme, &entry.id));
    entries.iter().map(acl).collect()
}

//! What a run asks of the one session that it holds.

use std::fmt;
use std::future::Future;

use super::{Credential, Ensemble, ErrorCode};
use crate::model::{ConfigVersion, Endpoint, EnsembleConfig, Millis, Update};

/// An ensemble on which sessions can be held.
pub trait SessionFactory: Ensemble {
    /// A held session.
    type Session: Session;

    /// Opens a session on that server and no other. It is unauthenticated before
    /// [`Session::authenticate`].
    fn open(
        &self,
        at: &Endpoint,
        terms: &SessionTerms,
    ) -> impl Future<Output = Result<Self::Session, RequestError>>;
}

/// What a session is opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionTerms {
    /// The session time-out that is asked for, and the longest that an answer is awaited.
    pub timeout: Millis,
    /// The credential that the session may show later. `None` for a session that stays
    /// unauthenticated.
    pub auth: Option<Credential>,
}

/// One session that is held for the length of a run.
///
/// Every request goes out only while the session is connected, and is bounded in time. A request
/// without an answer is unknown, never unsent.
pub trait Session {
    /// Its id (`ConnectResponse.sessionId`).
    fn id(&self) -> i64;

    /// The server that it is attached to, or was last.
    fn at(&self) -> &Endpoint;

    /// Shows the credential of the session's terms to its present server, and from then on to every
    /// server to which it is attached. Does nothing if the terms have none.
    ///
    /// The caller must have verified the server on this very session: the connection is the same.
    fn authenticate(&mut self) -> impl Future<Output = Result<(), RequestError>>;

    /// Takes the session to that server. Requests that the old server still holds are refused from
    /// then on (`SessionTrackerImpl.checkSession`: `SessionMoved`).
    ///
    /// A credential is shown once the server has taken the session, which only a server of the
    /// session's own ensemble can do.
    fn attach(&mut self, at: &Endpoint) -> impl Future<Output = Result<(), RequestError>>;

    /// The time-out that the servers gave it, in milliseconds.
    fn timeout_ms(&self) -> u64;

    /// Znodes in that order, each at least as new as anything that had committed before; `None` where
    /// there is none.
    fn read(&self, paths: &[&str])
    -> impl Future<Output = Result<Vec<Option<Node>>, RequestError>>;

    /// Sees a transaction commit that only checks `/`, and reads `/zookeeper/config` behind it, at least
    /// as new as anything that had committed before.
    fn commits(&self) -> impl Future<Output = Result<Option<Node>, RequestError>>;

    /// A znode; `None` where there is none.
    fn get(&self, path: &str) -> impl Future<Output = Result<Option<Node>, RequestError>>;

    /// The names of a znode's children, sorted; none where there is no such znode.
    fn children(&self, path: &str) -> impl Future<Output = Result<Vec<String>, RequestError>>;

    /// How many children a znode has; `None` where there is none. No list forbids to ask that
    /// (`FinalRequestProcessor`, `OpCode.exists`).
    fn count_children(&self, path: &str)
    -> impl Future<Output = Result<Option<i32>, RequestError>>;

    /// Who may do what to a znode, with the `Stat` of the same reply; `None` where there is none.
    fn acl(&self, path: &str) -> impl Future<Output = Result<Option<NodeAcl>, RequestError>>;

    /// Makes a persistent znode.
    fn create(
        &self,
        path: &str,
        data: &[u8],
        acl: &[AclEntry],
    ) -> impl Future<Output = Result<(), RequestError>>;

    /// Carries all of that out, or nothing of it. A [`Op::Check`] that does not hold is refused with
    /// [`ErrorCode::BadVersion`], whatever is wrong with it.
    fn transact(&self, ops: &[Op<'_>]) -> impl Future<Output = Result<(), RequestError>>;

    /// Writes a znode `count` times in a row, without waiting in between.
    fn set_many(&self, path: &str, count: usize) -> impl Future<Output = Result<(), RequestError>>;

    /// Sends one reconfig that starts from that version, and returns the configuration of the
    /// reply.
    fn reconfig(
        &self,
        request: &Update,
        version: ConfigVersion,
    ) -> impl Future<Output = Result<EnsembleConfig, RequestError>>;

    /// Whether this session may write a znode; changes nothing.
    fn probe_write(&self, path: &str) -> impl Future<Output = Result<(), ErrorCode>>;

    /// Whether the leader takes reconfigs at all; changes nothing.
    fn probe_reconfig(&self) -> impl Future<Output = Result<(), ErrorCode>>;

    /// Closes the session, and with it every ephemeral znode of it.
    fn close(self) -> impl Future<Output = ()>;
}

/// A znode and what a run needs of its `Stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its data.
    pub data: Vec<u8>,
    /// The transaction that made it: no two znodes have the same.
    pub czxid: i64,
    /// The transaction that wrote it last.
    pub mzxid: i64,
    /// How often it was written.
    pub version: i32,
    /// The session that it lives with; 0 for a persistent one.
    pub owner: i64,
}

impl Node {
    /// Its data, where they are text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }
}

/// The access control list of a znode, and the part of its `Stat` that shows how it was set. Both
/// are of one reply to `getACL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAcl {
    /// The list.
    pub entries: Vec<AclEntry>,
    /// How often the list was set since the znode was made (`Stat.aversion`): 0 where it is the one
    /// that the znode was made with.
    pub aversion: i32,
    /// The session that it lives with; 0 for a persistent one.
    pub owner: i64,
    /// The transaction that made it.
    pub czxid: i64,
    /// How many children it has.
    pub children: i32,
}

/// A part of a transaction.
#[derive(Debug, Clone, Copy)]
pub enum Op<'a> {
    /// The znode is there and was written so often.
    Check {
        /// Its path.
        path: &'a str,
        /// Its version.
        version: i32,
    },
    /// Makes a znode.
    Create {
        /// Its path.
        path: &'a str,
        /// Its data.
        data: &'a [u8],
        /// How long it lives.
        lifetime: Lifetime,
        /// Who may do what to it.
        acl: &'a [AclEntry],
    },
    /// Writes a znode, whatever its version.
    Set {
        /// Its path.
        path: &'a str,
        /// Its data.
        data: &'a [u8],
    },
    /// Deletes a znode, whatever its version.
    Delete {
        /// Its path.
        path: &'a str,
    },
}

/// How long a znode lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is deleted.
    Persistent,
    /// As long as the session that made it.
    Ephemeral,
}

/// One entry of an access control list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclEntry {
    /// The scheme, like `world`.
    pub scheme: String,
    /// The id in that scheme, like `anyone`.
    pub id: String,
    /// Bits of `ZooDefs.Perms`.
    pub permissions: u8,
}

impl AclEntry {
    /// May read data and list children.
    pub const READ: u8 = 1;
    /// May write data.
    pub const WRITE: u8 = 2;
    /// May make children.
    pub const CREATE: u8 = 4;
    /// May delete children.
    pub const DELETE: u8 = 8;
    /// May change the list.
    pub const ADMIN: u8 = 16;

    /// Whether its digest was masked, as it is for those who may not administer the list
    /// (`FinalRequestProcessor`, `OpCode.getACL`).
    pub fn is_masked(&self) -> bool {
        self.scheme == "digest" && self.id.ends_with(":x")
    }

    /// Whether it is about the same id. A masked one is about no id that is known.
    pub fn is_same(&self, other: &Self) -> bool {
        !self.is_masked() && self.scheme == other.scheme && self.id == other.id
    }

    /// The user of a masked digest.
    pub fn masked_user(&self) -> Option<&str> {
        self.id.strip_suffix(":x").filter(|_| self.is_masked())
    }

    /// Whether it lets every client write the data.
    pub const fn writes(&self) -> bool {
        self.permissions & Self::WRITE != 0
    }

    /// Whether it lets every client change anything.
    pub const fn changes(&self) -> bool {
        self.permissions & (Self::WRITE | Self::CREATE | Self::DELETE | Self::ADMIN) != 0
    }
}

impl fmt::Display for AclEntry {
    /// Writes `scheme:id:permissions`, as `zkCli.sh` does (`ZKUtil.getPermString`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = [
            (Self::CREATE, 'c'),
            (Self::DELETE, 'd'),
            (Self::READ, 'r'),
            (Self::WRITE, 'w'),
            (Self::ADMIN, 'a'),
        ];
        let held = letters.into_iter().filter(|(bit, _)| self.permissions & bit != 0);
        let letters: String = held.map(|(_, letter)| letter).collect();
        write!(f, "{}:{}:{letters}", self.scheme, self.id)
    }
}

/// What a request without success means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestError {
    /// A server refused it.
    Refused(ErrorCode),
    /// The outcome is unknown: it was carried out, still will be, or never.
    Unknown,
    /// It never left: there was no connection.
    NotSent,
    /// It never left: a credential would have gone without TLS to an address that is not this
    /// machine's.
    InClear,
    /// A server reported that the session has expired.
    SessionOver,
}

impl RequestError {
    /// The error of a probe, which also reports a code if there was no answer.
    pub const fn of_probe(code: ErrorCode) -> Self {
        match code {
            ErrorCode::ConnectionLoss => Self::Unknown,
            ErrorCode::SessionExpired => Self::SessionOver,
            code => Self::Refused(code),
        }
    }
}

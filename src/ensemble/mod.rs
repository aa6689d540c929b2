//! The port: everything that zkplan can ask of the outside world, one server at a time.
//!
//! [`Ensemble`] is for surveys. [`SessionFactory`] and [`Session`] are for applying: one session
//! that is held, moved and closed. Nothing here judges: an implementation returns the answer, or
//! the reason why there was none.
//!
//! [`ZooKeeper`] and [`HeldSession`] are the real implementation. `four_letter` reads the
//! answers of servers.

mod admin_server;
mod admission;
mod attachment;
mod client_session;
mod code;
mod connection;
mod credential;
mod digest;
mod dry_run;
pub mod four_letter;
mod pace;
mod port;
mod replies;
mod session;
mod short_session;
#[cfg(test)]
mod tests;
mod transport;
mod validity;
mod ways;
mod wire;
mod zookeeper;

use std::fmt;
use std::future::Future;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Endpoint, Folder, Host};

pub use crate::model::ServerVersion;
pub use client_session::{HeldSession, ZnodeBirth};
pub use code::ErrorCode;
pub use credential::{Credential, InClear};
pub use digest::{DigestAlgorithm, digest_id, digest_id_by};
pub use dry_run::DryRun;
pub use four_letter::Mode;
pub use pace::Limits;
pub use port::{
    AclEntry, Lifetime, Node, NodeAcl, Op, RequestError, Session, SessionFactory, SessionTerms,
};
pub use transport::{KeyForm, TlsSetupError};
pub use zookeeper::ZooKeeper;

/// The znode that holds the committed configuration (`ZooDefs.CONFIG_NODE`).
pub const CONFIG: &str = "/zookeeper/config";

/// The name, in zkplan's folder, of the znode with the identity that the first apply gave the
/// ensemble.
pub const IDENTITY_NAME: &str = "id";

/// The questions that can be put to the servers of an ensemble.
///
/// Every question is bounded in time by the implementation and can be asked of many servers side
/// by side.
pub trait Ensemble {
    /// Sends a four-letter word to a client port and returns the whole answer.
    fn ask(
        &self,
        at: &Endpoint,
        word: FourLetterWord,
    ) -> impl Future<Output = Result<String, NoAnswer>>;

    /// Opens a session on that server and no other, commits a transaction that only checks `/`,
    /// reads, and closes the session. Its close may still be under way on return.
    ///
    /// The transaction adds one to the zxid and changes no znode. An answer proves that a quorum
    /// acknowledges writes that come through this server. The session itself proves nothing: a local
    /// one is no transaction.
    fn read(&self, at: &Endpoint) -> impl Future<Output = Result<ConfigRead, NoAnswer>>;

    /// Asks an AdminServer; `base` is its URL without `/commands/…`. The answer is its JSON.
    fn admin(
        &self,
        base: &str,
        command: &str,
    ) -> impl Future<Output = Result<serde_json::Value, NoAnswer>>;

    /// Connects to a port and hangs up at once (an idle connection on an election port delays
    /// elections).
    fn check_port(&self, host: &Host, port: u16) -> impl Future<Output = PortState>;

    /// Resolves a host; empty where it has no address.
    fn resolve(&self, host: &Host) -> impl Future<Output = Vec<IpAddr>>;

    /// Whether a server was seen to close a second connection at once while it took one, which
    /// `maxClientCnxns=1` brings about, or other clients of the same address.
    fn takes_one_connection(&self, _at: &Endpoint) -> bool {
        false
    }

    /// What a server demanded before it took a session that had no credential, as far as seen.
    fn demanded(&self, _at: &Endpoint) -> AuthDemand {
        AuthDemand::Nothing
    }

    /// How often we have opened a session there, or taken one there: as many requests for a session of
    /// those that the server counts are ours, at least.
    fn sessions_opened(&self, _at: &Endpoint) -> u64 {
        0
    }

    /// Waits until no short session of ours is being closed there any more: until then the server counts
    /// it among its clients.
    fn closes_sessions(&self, _at: &Endpoint) -> impl Future<Output = ()> {
        std::future::ready(())
    }

    /// Lets some time pass before a question is put again.
    fn pause(&self, time: std::time::Duration) -> impl Future<Output = ()>;
}

/// Four-letter words that zkplan uses (`FourLetterCommands`); only `srvr` is always on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FourLetterWord {
    /// Version, mode, zxid, number of connections.
    Srvr,
    /// The server's own configuration, membership included.
    Conf,
    /// Monitoring figures.
    Mntr,
    /// Connections, one a line.
    Cons,
    /// Digests of the data tree at past zxids (3.6 and later).
    Hash,
    /// Sessions, and their ephemeral znodes.
    Dump,
}

impl FourLetterWord {
    /// The four letters.
    pub const fn letters(self) -> &'static str {
        match self {
            Self::Srvr => "srvr",
            Self::Conf => "conf",
            Self::Mntr => "mntr",
            Self::Cons => "cons",
            Self::Hash => "hash",
            Self::Dump => "dump",
        }
    }
}

/// What a session on one server showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigRead {
    /// The top byte of the session id: the low byte of the id of the server that made the session
    /// (`SessionTrackerImpl.initializeNextSessionId`).
    pub server_id_byte: u8,
    /// The data of `/zookeeper/config` as that server has it.
    pub config: String,
    /// The znode's data version. Always −1 unless it was written by hand.
    pub config_data_version: i32,
    /// The znode's mzxid. Equal to the config version unless it was written by hand.
    pub config_mzxid: i64,
    /// What it has where zkplan keeps its state.
    pub folder: FolderRead,
}

/// The state of zkplan on a server, with everything that shows which clients can have written it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderRead {
    /// Its place.
    pub folder: Folder,
    /// The access control list of `/zookeeper/config`.
    pub config: Vec<AclEntry>,
    /// Whether it is empty or absent. No ACL forbids to ask that (`FinalRequestProcessor`,
    /// `OpCode.exists`).
    pub is_empty: bool,
    /// The folder itself, before anything in it was read; `None` where there is none.
    pub before: Result<Option<NodeAcl>, ErrorCode>,
    /// The identity that it holds.
    pub identity: Kept,
    /// The folder itself, after that.
    pub after: Result<Option<NodeAcl>, ErrorCode>,
}

impl Default for FolderRead {
    /// There is no folder.
    fn default() -> Self {
        Self {
            folder: Folder::default(),
            config: Vec::new(),
            is_empty: true,
            before: Ok(None),
            identity: Kept::Absent,
            after: Ok(None),
        }
    }
}

impl FolderRead {
    /// The text of the identity, trusted or not.
    pub fn text(&self) -> Option<&str> {
        match &self.identity {
            Kept::Here { text, .. } => Some(text),
            Kept::Absent | Kept::Refused(_) => None,
        }
    }

    /// A folder that the super user made, with that identity in it.
    pub fn of_super(identity: Option<&str>) -> Self {
        let entries = vec![AclEntry {
            scheme: "world".to_owned(),
            id: "anyone".to_owned(),
            permissions: AclEntry::READ,
        }];
        let acl = NodeAcl { entries, aversion: 0, owner: 0, czxid: 1, children: 1 };
        let here = |text: &str| Kept::Here { acl: acl.clone(), text: text.to_owned() };
        Self {
            folder: Folder::default(),
            config: acl.entries.clone(),
            is_empty: false,
            before: Ok(Some(acl.clone())),
            identity: identity.map_or(Kept::Absent, here),
            after: Ok(Some(acl)),
        }
    }
}

/// A znode that zkplan keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Kept {
    /// There is none.
    #[default]
    Absent,
    /// A session without credentials may not read it, or a server refused for another reason.
    Refused(ErrorCode),
    /// It is there.
    Here {
        /// Who may do what to it, and its `Stat`.
        acl: NodeAcl,
        /// Its data.
        text: String,
    },
}

/// What a server demands of every session (`zookeeper.enforce.auth.enabled`,
/// `zookeeper.sessionRequireClientSASLAuth`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AuthDemand {
    /// Nothing.
    #[default]
    Nothing,
    /// Some identity of scheme `digest`, whatever the password.
    Digest,
    /// A SASL user.
    Sasl,
}

/// Why a question got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NoAnswer {
    /// The host has no address.
    Unresolved,
    /// The host refuses the connection: nothing listens on the port.
    Refused,
    /// There is no way to the host.
    NoRoute,
    /// No connection came about in time.
    ConnectTimedOut,
    /// A connection came about, but no answer in time: a frozen or overloaded process.
    AnswerTimedOut,
    /// The server hung up.
    Closed,
    /// The word is not in the server's `4lw.commands.whitelist`.
    NotWhitelisted,
    /// The server is up, but does not serve: it looks for a leader or has no quorum.
    NotServing,
    /// No TLS connection came about.
    Tls(TlsFailure),
    /// It accepts no unauthenticated session (`zookeeper.enforce.auth.enabled`,
    /// `zookeeper.sessionRequireClientSASLAuth`): `SessionClosedRequireSaslAuth` (-124), which does
    /// not name the scheme. The credentials that may be shown to it were not enough.
    NeedsAuth,
    /// It refused the session that showed the operator's SASL credential: its password is wrong,
    /// or the user unknown. Where SASL is enforced the code is -124 again, else `AuthFailed` (-115).
    AuthRefused,
    /// It accepts no unauthenticated session, and the operator's SASL credential is not shown to
    /// it: neither file nor flag names this address.
    AuthWithheld,
    /// The answer cannot be read.
    Unreadable,
}

impl NoAnswer {
    /// Whether the server enforces authentication, and what was shown was not enough.
    pub const fn is_for_want_of_auth(self) -> bool {
        matches!(self, Self::NeedsAuth | Self::AuthRefused | Self::AuthWithheld)
    }
}

/// Why no TLS connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TlsFailure {
    /// No certificate authority is given.
    NoAuthority,
    /// The server's certificate is of none of the authorities that are given.
    UnknownAuthority,
    /// The server's certificate is for another host.
    OtherHost,
    /// The server's certificate has expired, or is not valid yet.
    NotValidNow,
    /// The server's certificate cannot be verified for another reason.
    Unverified,
    /// The server takes no connection without a client's certificate (`ssl.clientAuth=need`, the
    /// default), and none was shown.
    CertificateWanted,
    /// The server does not take the client's certificate.
    CertificateRefused,
    /// The same, and that certificate has expired.
    CertificateExpired,
    /// What listens there speaks no TLS.
    NoTls,
    /// The handshake failed for another reason.
    Handshake,
}

/// The result of checking a quorum or election port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PortState {
    /// A process listens.
    Open,
    /// No process listens, but the host is up.
    Refused,
    /// No answer at all: no route, a firewall, a machine that is down, or no such host.
    Unreachable,
}

impl fmt::Display for FourLetterWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letters())
    }
}

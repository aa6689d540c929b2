//! Every error code of ZooKeeper's protocol (`KeeperException.ErrorCode`, 3.9).

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// A ZooKeeper error code, as a server or a client library gives it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
            /// A number that ZooKeeper 3.9 does not define.
            Other(i32),
        }

        impl ErrorCode {
            /// Every code that ZooKeeper 3.9 defines, success left out.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code of a number.
            pub const fn of(number: i32) -> Self {
                match number {
                    $($number => Self::$name,)*
                    other => Self::Other(other),
                }
            }

            /// The number.
            pub const fn number(self) -> i32 {
                match self {
                    $(Self::$name => $number,)*
                    Self::Other(number) => number,
                }
            }

            /// Its name in ZooKeeper's source.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                    Self::Other(_) => "unknown",
                }
            }
        }
    };
}

codes! {
    /// The beginning of the server-side errors.
    SystemError = -1,
    /// A run-time inconsistency was found.
    RuntimeInconsistency = -2,
    /// An inconsistency of data was found.
    DataInconsistency = -3,
    /// The connection was lost with a request under way.
    ConnectionLoss = -4,
    /// The server could not read the request; for a reconfig, any unchecked exception.
    MarshallingError = -5,
    /// The server does not know the request; for a reconfig, a standalone server.
    Unimplemented = -6,
    /// The client gave up waiting.
    OperationTimeout = -7,
    /// The arguments are refused.
    BadArguments = -8,
    /// No such session.
    UnknownSession = -12,
    /// No quorum of the next configuration is connected and synced.
    NewConfigNoQuorum = -13,
    /// Another reconfig is proposed and not yet active.
    ReconfigInProgress = -14,
    /// The beginning of the errors of the interface.
    ApiError = -100,
    /// No such znode.
    NoNode = -101,
    /// Not authorized.
    NoAuth = -102,
    /// The version differs from the expected one.
    BadVersion = -103,
    /// Ephemeral znodes have no children.
    NoChildrenForEphemerals = -108,
    /// The znode exists.
    NodeExists = -110,
    /// The znode has children.
    NotEmpty = -111,
    /// The session is over.
    SessionExpired = -112,
    /// A callback of the client is wrong.
    InvalidCallback = -113,
    /// The ACL is wrong.
    InvalidAcl = -114,
    /// The client could not authenticate.
    AuthFailed = -115,
    /// The session has moved to another server.
    SessionMoved = -118,
    /// A write to a server that only reads.
    NotReadOnly = -119,
    /// An ephemeral znode on a local session.
    EphemeralOnLocalSession = -120,
    /// No such watch.
    NoWatcher = -121,
    /// The server gave up on the request.
    RequestTimeout = -122,
    /// The leader runs with `reconfigEnabled=false`.
    ReconfigDisabled = -123,
    /// The server requires SASL and closes the session.
    SessionClosedRequireSaslAuth = -124,
    /// A quota is spent.
    QuotaExceeded = -125,
    /// The server is too busy and has dropped the request.
    ThrottledOp = -127,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.number())
    }
}

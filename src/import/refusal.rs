//! Why ZooKeeper does not start with a file, in its own words, and why a file cannot be imported.

use std::fmt;

use thiserror::Error;

use crate::model::ServerId;

/// A reason for which `QuorumPeerConfig.parse` throws, worded as ZooKeeper 3.8.0 does.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImportRefusal {
    /// An escape that `Properties.load` does not take.
    #[error("Malformed \\uxxxx encoding")]
    MalformedEscape,
    /// Where a number has to stand (`NumberFormatException`).
    #[error("For input string: \"{}\"", .0.escape_debug())]
    NotANumber(String),
    /// Where `true` or `false` has to stand.
    #[error("Invalid option {} for {key}. Choose 'true' or 'false.'", .value.escape_debug())]
    NotABoolean {
        /// The key.
        key: String,
        /// What stands there.
        value: String,
    },
    /// An election algorithm that was removed.
    #[error("Invalid electionAlg value. Only 3 is supported.")]
    ElectionAlgorithm,
    /// A role that is none.
    #[error("Unrecognised peertype: {}", .0.escape_debug())]
    PeerType(String),
    /// A port that no socket has (`InetSocketAddress`).
    #[error("port out of range:{0}")]
    PortRange(i32),
    /// A path of one character, of which ZooKeeper wants to see two (`VerifyingFileFactory`).
    #[error("begin 0, end 2, length {0}")]
    ShortPath(usize),
    /// Something without which no server starts.
    #[error("{0} is not set")]
    NotSet(&'static str),
    /// An address to bind and no port.
    #[error("{0}Address is set but {0} is not set")]
    AddressWithoutPort(&'static str),
    /// A setting that needs another.
    #[error("{off} is disabled, so cannot enable {on}")]
    Disabled {
        /// The one that is off.
        off: &'static str,
        /// The one that is on.
        on: &'static str,
    },
    /// The bounds of session timeouts are the wrong way round.
    #[error("minSessionTimeout must not be larger than maxSessionTimeout")]
    SessionTimeouts,
    /// Members stand in the static file although it names a dynamic one.
    #[error("parameter: {} must be in a separate dynamic config file", .0.escape_debug())]
    MemberInStaticFile(String),
    /// A version in the dynamic file, which has it in its name.
    #[error("dynamic file shouldn't have version inside")]
    VersionInside,
    /// A key that a dynamic file cannot have.
    #[error("Unrecognised parameter: {}", .0.escape_debug())]
    UnknownParameter(String),
    /// A server line of another form.
    #[error(
        "{} does not have the form server_config or server_config;client_config where server_config \
         is the pipe separated list of host:port:port or host:port:port:type and client_config is \
         port or host:port",
        .0.escape_debug()
    )]
    Form(String),
    /// A port in a server line that is no number: blanks around it are enough.
    #[error("Address unresolved: {}:{}", .host.escape_debug(), .port.escape_debug())]
    Unresolved {
        /// The host; ZooKeeper writes `null` for that of a client part.
        host: String,
        /// What stands for the port.
        port: String,
    },
    /// An opening bracket alone.
    #[error("{} starts with '[' but has no matching ']':", .0.escape_debug())]
    Bracket(String),
    /// Nothing behind the last colon.
    #[error("{} doesn't have a port after colon", .0.escape_debug())]
    NoPort(String),
    /// One port for both.
    #[error(
        "Client and election port must be different! Please update the configuration file on \
         server.{0}"
    )]
    SamePort(ServerId),
    /// Several addresses of one server name different roles.
    #[error("Multiple addresses should have similar roles: {0} vs {1}")]
    RolesDisagree(&'static str, &'static str),
    /// A server in two groups.
    #[error("Server {0}is in multiple groups")]
    ManyGroups(ServerId),
    /// A voter in no group, where quorums are by groups.
    #[error("Server {0}is not in a group")]
    NoGroup(ServerId),
    /// A server in a group that has no weight: no voter, or no server at all.
    #[error("NullPointerException: server {0} in a group has no weight")]
    NoWeight(ServerId),
    /// No voter, and standalone servers are not allowed.
    #[error("standaloneEnabled = false then number of participants should be >0")]
    NoParticipant,
    /// Observers alone.
    #[error("Observers w/o participants is an invalid configuration")]
    OnlyObservers,
    /// One voter with observers, where one voter runs standalone.
    #[error("Observers w/o quorum is an invalid configuration")]
    ObserversOfOne,
    /// The static client address is another than the one in the server's line.
    #[error(
        "client address for this server (id = {id}) in static config file is {fixed} is different \
         from client address found in dynamic file: {dynamic}"
    )]
    ClientAddress {
        /// The server.
        id: ServerId,
        /// The static one.
        fixed: String,
        /// That of the line.
        dynamic: String,
    },
}

/// Why the files of a server cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImportError {
    /// It names a dynamic file, whose text is needed too.
    #[error("{at}: the members are in `{}`; give that file too", .name.escape_debug())]
    DynamicFileNeeded {
        /// Where it names it.
        at: Spot,
        /// The file that `dynamicConfigFile` names.
        name: String,
    },
    /// ZooKeeper itself refuses the file.
    #[error("{at}: no server starts with this file: ZooKeeper says \"{why}\"")]
    Refused {
        /// Where.
        at: Spot,
        /// Its reason.
        why: ImportRefusal,
    },
    /// ZooKeeper takes a line that no ensemble can be changed with.
    #[error("{at}: server {id} {what}")]
    Line {
        /// Where.
        at: Spot,
        /// The server.
        id: ServerId,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Two keys with one id: which one counts depends on Java's hash table.
    #[error(
        "{again}: `{}` and line {first} have the same server id, {id}; ZooKeeper uses one of them",
        .key.escape_debug()
    )]
    TwoSpellings {
        /// The later line.
        again: Spot,
        /// Its key.
        key: String,
        /// The earlier line.
        first: usize,
        /// The id.
        id: ServerId,
    },
    /// No server line at all in a `zoo.cfg`.
    #[error("{0}: no `server.N` line: this is the file of a standalone server, or not a zoo.cfg")]
    NoServer(Spot),
    /// No server line at all in a dynamic file.
    #[error(
        "{0}: no `server.N` line; a server that crashes while it writes its dynamic file leaves it \
         empty"
    )]
    EmptyDynamicFile(Spot),
    /// The files of a server do not list it (`QuorumPeer.start`).
    #[error(
        "{at}: no server starts with this file: ZooKeeper says \"My id {id} not in the peer list\""
    )]
    NotListed {
        /// The file.
        at: Spot,
        /// The server.
        id: ServerId,
    },
    /// Two files were given for one server.
    #[error("{at}: server {id} has two files")]
    SameServer {
        /// The second file.
        at: Spot,
        /// The server.
        id: ServerId,
    },
    /// Several files, and of one it is not said whose it is.
    #[error("{0}: with several files, give the server id of each: 1={0}")]
    WhoseFile(Spot),
}

impl ImportError {
    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Refused { .. } | Self::NotListed { .. } => {
                "correct the file on the server; to import the running ensemble, use zkplan \
                 import --connect HOST:PORT,HOST:PORT"
            }
            Self::TwoSpellings { .. } => "delete one of the two lines",
            Self::EmptyDynamicFile(_) => "import the files of another member, or use --connect",
            Self::Line { .. } => "correct the line",
            Self::WhoseFile(_) => "write --zoo-cfg 1=FILE --zoo-cfg 2=FILE",
            Self::DynamicFileNeeded { .. } | Self::NoServer(_) | Self::SameServer { .. } => "",
        }
    }
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The file, as the caller calls it.
    pub file: String,
    /// The line, from 1; `None` where it is about what the file does not say.
    pub line: Option<usize>,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        self.line.map_or(Ok(()), |line| write!(f, ": line {line}"))
    }
}

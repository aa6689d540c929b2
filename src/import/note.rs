//! What a user has to know about an import.

use thiserror::Error;

use super::refusal::{ImportRefusal, Spot};
use crate::model::{Host, ServerId};

/// Something to know about an import.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Note {
    /// The file does not enable reconfigs.
    #[error(
        "`reconfigEnabled` is not true: zkplan cannot change this ensemble until every server has \
         it"
    )]
    ReconfigDisabled,
    /// Some of several files do not enable reconfigs.
    #[error(
        "`reconfigEnabled` is not true in the file of {}: zkplan cannot change this ensemble \
         until every server has it",
        list(.0)
    )]
    ReconfigDisabledOn(Vec<ServerId>),
    /// The file leaves `standaloneEnabled` at true: with one voter the servers stop being an
    /// ensemble.
    #[error(
        "`standaloneEnabled` is not false in this file: the ensemble cannot have fewer than two \
         voters"
    )]
    StandaloneEnabled,
    /// One voter, and `standaloneEnabled` true: no ensemble.
    #[error(
        "with one server line and without `standaloneEnabled=false` server {0} runs standalone; \
         it is not an ensemble. To make it an ensemble of one server, put standaloneEnabled=false \
         and reconfigEnabled=true into its zoo.cfg, and restart it"
    )]
    Standalone(ServerId),
    /// The client port of these servers was taken from the file of one of them.
    #[error("client port {port} of {} is taken from this file; their own files may have another \
             one", list(.ids))]
    ClientPortAssumed {
        /// The port.
        port: u16,
        /// The servers.
        ids: Vec<ServerId>,
    },
    /// Several servers of one host cannot all have the client port of the file.
    #[error(
        "client port {port} of this file belongs to one of {}, which share a host; give the file \
         of each: zkplan import --zoo-cfg 1=FILE --zoo-cfg 2=FILE",
        list(.ids)
    )]
    ClientPortOfOne {
        /// The port.
        port: u16,
        /// The servers.
        ids: Vec<ServerId>,
    },
    /// The secure client port of these servers was taken from the file of one of them.
    #[error("secure client port {port} of {} is taken from this file; their own files may have \
             another one", list(.ids))]
    SecureClientPortAssumed {
        /// The port.
        port: u16,
        /// The servers.
        ids: Vec<ServerId>,
    },
    /// The file binds its client port to an address of one machine, which says nothing about the
    /// others.
    #[error(
        "client address `{0}` of this file belongs to one machine; the others are assumed to \
         listen on all addresses"
    )]
    ClientAddressOfOne(Host),
    /// The client port was found where the server answered with its own id.
    #[error("the client port of {} is the one where it answered; it is not in the configuration", list(.0))]
    ClientPortFound(Vec<ServerId>),
    /// The configuration has wildcards for the quorum hosts of these servers.
    #[error(
        "the quorum host of {} is a wildcard in the configuration; the host here is the one where \
         it answered",
        list(.0)
    )]
    WildcardHost(Vec<ServerId>),
    /// A server without reconfigs has a file that differs from what is imported.
    #[error("the file of server {0} has different lines for some servers; zkplan plan shows which")]
    FileDiffers(ServerId),
    /// Nothing is known of these servers' client ports.
    #[error("the client port of {} is not known: add it to the server line, like `;2181`", list(.0))]
    ClientPortUnknown(Vec<ServerId>),
    /// A client address at which only its own machine reaches a server.
    #[error(
        "the client address {client} of server {id} can be reached only from its own machine: set \
         its `secureClientPort` and `connect.tls`"
    )]
    OwnClientAddress {
        /// The server.
        id: ServerId,
        /// Its client address.
        client: String,
    },
    /// Clients reach the servers by TLS alone.
    #[error(
        "every known client port uses TLS: set connect.tls with the authority of the servers' \
         certificates"
    )]
    TlsOnly,
    /// Groups and weights are not just those of the voters.
    #[error(
        "a group or weight belongs to no voter, or a voter has none. A spec cannot say this, and \
         zkplan does not change such an ensemble"
    )]
    OddPlaces,
    /// An id that no new server may have.
    #[error("{} an id outside 1 to 254 and can keep it; no new server can have such an id", list_having(.0))]
    UnwantableIds(Vec<ServerId>),
    /// What `zkplan validate` says of the spec.
    #[error(
        "this spec is not valid yet: {}{}; {}",
        .id.map_or_else(String::new, |id| format!("server {id}: ")),
        .what.escape_debug(),
        .remedy.escape_debug()
    )]
    NotValid {
        /// The server, where it is about one.
        id: Option<ServerId>,
        /// What is wrong.
        what: String,
        /// How to correct it.
        remedy: String,
    },
    /// A key stands in the file more than once; ZooKeeper takes the last.
    #[error("{last}: `{}` is also on line {first}: ZooKeeper uses the last one", .key.escape_debug())]
    Repeated {
        /// The key.
        key: String,
        /// A line that does not count.
        first: usize,
        /// The line that counts.
        last: Spot,
    },
    /// A key that is nothing to ZooKeeper, and was meant to be something.
    #[error("{at}: ZooKeeper does not know the key `{}` and ignores it; did you mean `{known}`?", .key.escape_default())]
    LooksLike {
        /// Where.
        at: Spot,
        /// The key.
        key: String,
        /// What was meant.
        known: String,
    },
    /// Servers with several addresses.
    #[error(
        "{at}: server {id} has several addresses: ZooKeeper says \"Multiple address feature is \
         disabled\" and does not start unless Java has -Dzookeeper.multiAddress.enabled=true"
    )]
    NeedsFlag {
        /// Where.
        at: Spot,
        /// The server.
        id: ServerId,
    },
    /// Servers with a secure client part.
    #[error(
        "{at}: server {id} has a secure client part: ZooKeeper accepts it from 3.10 on; earlier \
         releases do not start with this file"
    )]
    Needs310 {
        /// Where.
        at: Spot,
        /// The server.
        id: ServerId,
    },
    /// One of the servers would not start with this file.
    #[error("server {id} does not start with this file: ZooKeeper says \"{why}\"")]
    NotOn {
        /// The server.
        id: ServerId,
        /// Why.
        why: ImportRefusal,
    },
    /// A reconfig was on its way when the server stopped.
    #[error("there is also a file `{0}`: a reconfig was not finished when this server wrote it")]
    NextFile(String),
    /// A server's own line has no address at which others reach it.
    #[error("server {id} has `{host}` in its own file; the host here is from the file of {}", list(.by))]
    OwnWildcard {
        /// The server.
        id: ServerId,
        /// What it has.
        host: Host,
        /// The servers whose files say where it is.
        by: Vec<ServerId>,
    },
    /// No file says at which host the others reach these servers.
    #[error(
        "the host of {} is a wildcard in every file that was given; the files of the other servers \
         have it: zkplan import --zoo-cfg 1=FILE --zoo-cfg 2=FILE. So do running servers: zkplan \
         import --connect HOST:PORT",
        list(.0)
    )]
    HostUnknown(Vec<ServerId>),
    /// Files tell of one server in two ways.
    #[error("server {id} is `{taken}` in the file of {}, and `{other}` in that of {}", list(.by), list(.otherwise))]
    LinesDiffer {
        /// The server.
        id: ServerId,
        /// The line that was taken.
        taken: String,
        /// Who has it.
        by: Vec<ServerId>,
        /// Another line.
        other: String,
        /// Who has that.
        otherwise: Vec<ServerId>,
    },
    /// Files list other servers.
    #[error("the file of {} lists {}; zkplan uses the list in the file of {}", list(.by), list(.ids), list(.taken))]
    MembersDiffer {
        /// Whose files.
        by: Vec<ServerId>,
        /// What they list.
        ids: Vec<ServerId>,
        /// Whose list was taken.
        taken: Vec<ServerId>,
    },
    /// Running servers have other lists of servers in their files.
    #[error(
        "{} run with another list of servers than the imported one; zkplan plan shows which",
        list(.0)
    )]
    Disagree(Vec<ServerId>),
}

/// Servers as a sentence has them.
pub(super) fn list(ids: &[ServerId]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    match ids.as_slice() {
        [one] => format!("server {one}"),
        _ => format!("servers {}", ids.join(", ")),
    }
}

fn list_having(ids: &[ServerId]) -> String {
    format!("{} {}", list(ids), if ids.len() == 1 { "has" } else { "have" })
}

//! What a user has to know about an import.

use thiserror::Error;

use super::refusal::{Refusal, Spot};
use crate::model::{Host, ServerId};

/// Something to know about an import.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Note {
    /// The file does not enable reconfigs.
    #[error("`reconfigEnabled` is not true: zkplan can change nothing until every server has it")]
    ReconfigDisabled,
    /// Some of several files do not enable reconfigs.
    #[error(
        "`reconfigEnabled` is not true in the file of {}: zkplan can change nothing until every \
         server has it",
        list(.0)
    )]
    ReconfigDisabledOn(Vec<ServerId>),
    /// The file leaves `standaloneEnabled` at true: with one voter the servers stop being an
    /// ensemble.
    #[error(
        "`standaloneEnabled` is not false in this file: fewer than two voters are out of reach"
    )]
    StandaloneEnabled,
    /// One voter, and `standaloneEnabled` true: no ensemble.
    #[error(
        "with one server line and without `standaloneEnabled=false` server {0} runs standalone; it \
         is no ensemble. To make it an ensemble of one, put standaloneEnabled=false and \
         reconfigEnabled=true into its zoo.cfg, and restart it"
    )]
    Standalone(ServerId),
    /// The client port of these servers was taken from the file of one of them.
    #[error("client port {port} of {} is the one of this file; every server has its own file", list(.ids))]
    ClientPortAssumed {
        /// The port.
        port: u16,
        /// The servers.
        ids: Vec<ServerId>,
    },
    /// Several servers of one host cannot all have the client port of the file.
    #[error(
        "client port {port} of this file is that of one of {}, which share a host; give the file of \
         each: zkplan import --zoo-cfg 1=FILE --zoo-cfg 2=FILE",
        list(.ids)
    )]
    ClientPortOfOne {
        /// The port.
        port: u16,
        /// The servers.
        ids: Vec<ServerId>,
    },
    /// The secure client port of these servers was taken from the file of one of them.
    #[error("secure client port {port} of {} is the one of this file; every server has its own file", list(.ids))]
    SecureClientPortAssumed {
        /// The port.
        port: u16,
        /// The servers.
        ids: Vec<ServerId>,
    },
    /// The file binds its client port to an address of one machine, which says nothing about the
    /// others.
    #[error(
        "client address `{0}` of this file belongs to one machine; all addresses are assumed for the others"
    )]
    ClientAddressOfOne(Host),
    /// The client port was found where the server answered with its own id.
    #[error("the client port of {} is where it answered; the configuration does not name it", list(.0))]
    ClientPortFound(Vec<ServerId>),
    /// The configuration has wildcards for the quorum hosts of these servers.
    #[error(
        "the configuration has a wildcard as quorum host of {}; the host here is where it answered",
        list(.0)
    )]
    WildcardHost(Vec<ServerId>),
    /// A server without reconfigs has a file that differs from what is imported.
    #[error("the file of server {0} writes some servers otherwise; zkplan plan says which")]
    FileDiffers(ServerId),
    /// Nothing is known of these servers' client ports.
    #[error("the client port of {} is not known: put it behind the server line, as in `;2181`", list(.0))]
    ClientPortUnknown(Vec<ServerId>),
    /// Servers whose client address is the loopback of their machines.
    #[error(
        "clients reach the client address of {} on its own machine only; zkplan can ask there, or \
         through a secureClientPort with connect.tls",
        list(.0)
    )]
    LocalClients(Vec<ServerId>),
    /// Clients reach the servers by TLS alone.
    #[error(
        "every client port that is known speaks TLS: give connect.tls, with the authority of the \
         servers' certificates"
    )]
    TlsOnly,
    /// Groups and weights are not just those of the voters.
    #[error(
        "some group or weight is of no voter, or is missing, which a spec cannot say: zkplan \
         changes no ensemble that has such"
    )]
    OddPlaces,
    /// An id that no new server may have.
    #[error("{} an id outside 1 to 254 and may keep it; no new server can have one", list_having(.0))]
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
    #[error("{last}: `{}` stands on line {first}, too: ZooKeeper takes the last", .key.escape_debug())]
    Repeated {
        /// The key.
        key: String,
        /// A line that does not count.
        first: usize,
        /// The line that counts.
        last: Spot,
    },
    /// A key that is nothing to ZooKeeper, and was meant to be something.
    #[error("{at}: ZooKeeper does not know the key `{}` and ignores it; `{known}` is one", .key.escape_default())]
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
        "{at}: server {id} has a secure client part: ZooKeeper takes it from 3.10 on; earlier \
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
        why: Refusal,
    },
    /// A reconfig was on its way when the server stopped.
    #[error("`{0}` lies beside it: a reconfig was not finished when this server wrote it")]
    NextFile(String),
    /// A server's own line has no address at which others reach it.
    #[error("server {id} has `{host}` in its own file; its host is that of the file of {}", list(.by))]
    OwnWildcard {
        /// The server.
        id: ServerId,
        /// What it has.
        host: Host,
        /// The servers whose files say where it is.
        by: Vec<ServerId>,
    },
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
    #[error("the file of {} lists {}; taken is what the file of {} lists", list(.by), list(.ids), list(.taken))]
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
        "{} run with another list of servers than the one that is imported; zkplan plan shows which",
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

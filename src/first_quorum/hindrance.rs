//! Why the first quorum is not possible as the spec wants it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::answers::WantedState;
use crate::model::{Endpoint, ServerId};

/// Why the restart as a quorum of one is not possible now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// There is no spec: no id, no address, no server is wanted.
    NoSpec,
    /// The spec has no server at whose client address a standalone server answers. Where each wanted
    /// server was asked.
    NotInSpec {
        /// The wanted servers that have a client address.
        asked: BTreeMap<ServerId, Endpoint>,
    },
    /// Another standalone server answers at the address of a wanted server than at the address in
    /// `connect.servers`: which of both has the data is not known.
    OtherServer {
        /// The wanted server.
        server: ServerId,
        /// Its address in the spec.
        at: Endpoint,
    },
    /// Several wanted servers run standalone.
    SeveralStandalone(Vec<ServerId>),
    /// Other wanted servers run already. They could elect each other with empty data, and the server
    /// with the data would take theirs.
    OthersRun(BTreeMap<ServerId, WantedState>),
    /// The spec wants the server as observer.
    NotParticipant(ServerId),
    /// The spec gives the server no plain client port, so that its line has no client part.
    NoClientPort(ServerId),
    /// Another process listens on the quorum or election port of the server.
    PortTaken(ServerId, u16),
    /// The file has another `clientPort` than the spec: the server would not start.
    OtherClientPort {
        /// In the file.
        file: String,
        /// In the spec.
        spec: u16,
    },
    /// The file has a `clientPortAddress` that is not the client address of the spec: the server would
    /// not start.
    OtherClientAddress {
        /// In the file.
        file: String,
        /// In the spec.
        spec: String,
    },
    /// The file has lines of other servers, or names a dynamic file: it is the file of a member.
    MembersInFile(Vec<String>),
    /// No server reads the file.
    Malformed(String),
}

/// The word for a hindrance, which no later version changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HindranceCode {
    /// There is no spec.
    NoSpec,
    /// The spec has no server at an address at which a standalone server answers.
    NotInSpec,
    /// Two standalone servers answer at two addresses.
    OtherServer,
    /// Several wanted servers run standalone.
    SeveralStandalone,
    /// Other wanted servers run already.
    OthersRun,
    /// The server is wanted as observer.
    NotParticipant,
    /// The server has no plain client port in the spec.
    NoClientPort,
    /// A port of the server is taken.
    PortTaken,
    /// The file has another client port.
    OtherClientPort,
    /// The file has another client address.
    OtherClientAddress,
    /// The file has other members.
    MembersInFile,
    /// The file cannot be read.
    Malformed,
}

impl Hindrance {
    /// Its word.
    pub const fn code(&self) -> HindranceCode {
        match self {
            Self::NoSpec => HindranceCode::NoSpec,
            Self::NotInSpec { .. } => HindranceCode::NotInSpec,
            Self::OtherServer { .. } => HindranceCode::OtherServer,
            Self::SeveralStandalone(_) => HindranceCode::SeveralStandalone,
            Self::OthersRun(_) => HindranceCode::OthersRun,
            Self::NotParticipant(_) => HindranceCode::NotParticipant,
            Self::NoClientPort(_) => HindranceCode::NoClientPort,
            Self::PortTaken(..) => HindranceCode::PortTaken,
            Self::OtherClientPort { .. } => HindranceCode::OtherClientPort,
            Self::OtherClientAddress { .. } => HindranceCode::OtherClientAddress,
            Self::MembersInFile(_) => HindranceCode::MembersInFile,
            Self::Malformed(_) => HindranceCode::Malformed,
        }
    }

    /// The servers that it is about.
    pub fn servers(&self) -> Vec<ServerId> {
        match self {
            Self::OtherServer { server, .. }
            | Self::NotParticipant(server)
            | Self::NoClientPort(server)
            | Self::PortTaken(server, _) => vec![*server],
            Self::SeveralStandalone(servers) => servers.clone(),
            Self::OthersRun(servers) => servers.keys().copied().collect(),
            Self::NoSpec
            | Self::NotInSpec { .. }
            | Self::OtherClientPort { .. }
            | Self::OtherClientAddress { .. }
            | Self::MembersInFile(_)
            | Self::Malformed(_) => Vec::new(),
        }
    }
}

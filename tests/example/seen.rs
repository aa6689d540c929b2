//! What a survey shows of an example.

use std::collections::BTreeMap;

use zkplan::ensemble::{Mode, PortState, ServerVersion};
use zkplan::model::{EnsembleConfig, Server, Zxid};
use zkplan::observe::{Identity, Observation, ServerObservation, ServerStatus, Source, Sourced};
use zkplan::trust::FolderSeen;

/// The last transaction of every server.
pub(crate) const ZXID: Zxid = Zxid::new(0x1_0000_0080);

/// An observation of this configuration alone: no server is in it yet.
pub(crate) fn observation(config: EnsembleConfig) -> Observation {
    Observation {
        folder: FolderSeen::Empty,
        config,
        identity: Identity::NoneYet,
        leader: None,
        leader_zxid: Some(ZXID),
        servers: BTreeMap::new(),
        strangers: Vec::new(),
        silent_contacts: Vec::new(),
        elsewhere: Vec::new(),
        shared_names: BTreeMap::new(),
        wanted_at: BTreeMap::new(),
        resolved: BTreeMap::new(),
        write_committed: true,
        reconfig_disabled: false,
        findings: Vec::new(),
        assumed: false,
    }
}

/// A server that does its part, of release 3.8.0.
pub(crate) fn server(server: &Server, status: ServerStatus) -> ServerObservation {
    let mode = match status {
        ServerStatus::Leading => Mode::Leader,
        ServerStatus::Observing => Mode::Observer,
        _ => Mode::Follower,
    };
    ServerObservation {
        endpoint: server.client_endpoint(),
        own_id: Some(Sourced { value: server.id, source: Source::Conf }),
        version: Some(ServerVersion::new(3, 8, 0)),
        mode: Some(mode),
        zxid: Some(ZXID),
        election_port: Some(PortState::Open),
        ..ServerObservation::blank(server.id, status)
    }
}

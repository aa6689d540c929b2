//! `zkplan/data-directory`: whether a server has used a data directory, and whether it can join.

use schemars::JsonSchema;
use serde::Serialize;

use crate::document::{Document, Format};
use crate::joiner::{DataDirectory, DirectoryState, EpochVerdict, FileByZxid};
use crate::model::ServerId;
use crate::render::data_directory::{DirectoryScreen, screen};

/// What a data directory is, before a server is started with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryDocument {
    /// The directories that were read: `dataDir`, and `dataLogDir` where it was given.
    pub directories: Vec<String>,
    /// Whether a server has used it.
    pub state: DirectoryState,
    /// The id in `myid`; `null` where there is none.
    pub my_id: Option<ServerId>,
    /// The epoch that its server has accepted last; `null` where there is none.
    pub accepted_epoch: Option<i64>,
    /// The epoch of the leader that it has followed last; `null` where there is none.
    pub current_epoch: Option<i64>,
    /// The newest snapshot by name.
    pub newest_snapshot: Option<FileByZxid>,
    /// The newest log by name.
    pub newest_log: Option<FileByZxid>,
    /// The epoch of the ensemble's leader, as it was given or seen; `null` where it is not known.
    pub leader_epoch: Option<u64>,
    /// Whether its epoch lets the server join.
    pub epoch: EpochVerdict,
    /// What the command exits with.
    pub exit_code: u8,
    /// The screen, for people.
    pub text: String,
}

impl Document for DirectoryDocument {
    const FORMAT: Format = Format { name: "data-directory", major: 1, minor: 0 };
}

impl DirectoryDocument {
    /// The document of what a screen shows.
    pub fn of(of: &DirectoryScreen<'_>, exit_code: u8) -> Self {
        let DataDirectory { state, my_id, accepted_epoch, current_epoch, snapshot, log } =
            of.directory.clone();
        Self {
            directories: of.paths.to_vec(),
            state,
            my_id,
            accepted_epoch,
            current_epoch,
            newest_snapshot: snapshot,
            newest_log: log,
            leader_epoch: of.leader_epoch,
            epoch: of.epoch,
            exit_code,
            text: screen(of).to_string_with(false).trim_end().to_owned(),
        }
    }
}

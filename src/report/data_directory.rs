//! `zkplan/data-directory`: whether a server has used a data directory, and whether it can join.

use schemars::JsonSchema;
use serde::Serialize;

use crate::document::{Document, Format};
use crate::joiner::{
    CatchUp, DataDirectory, DataOrigin, DirectoryData, DirectoryState, EpochVerdict, FileByZxid,
    OriginUnknown, SeedFiles,
};
use crate::model::ServerId;
use crate::render::data_directory::{DirectoryScreen, screen};

/// What a data directory is, before a server is started with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryDocument {
    /// The directories that were read: `dataDir`, and `dataLogDir` where it was given.
    pub directories: Vec<String>,
    /// What it is.
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
    /// What became of an unpacked archive; `null` where `zkplan snapshot unpack` left no list of it.
    pub unpacked: Option<UnpackedFiles>,
    /// What the files are worth; `null` where they were not read.
    pub data: Option<DirectoryData>,
    /// The last transaction in the files; `null` where they were not read.
    pub last_zxid: Option<String>,
    /// The leader that the data were compared with; `null` where none was.
    pub leader: Option<LeaderReport>,
    /// What the comparison shows; `null` where there was none.
    pub origin: Option<OriginReport>,
    /// What that leader would send to a server that starts with the files now; `null` where the data are not
    /// shown to be its own.
    pub catch_up: Option<CatchUp>,
    /// The epoch of the ensemble's leader, as it was given or seen; `null` where it is not known.
    pub leader_epoch: Option<u64>,
    /// Whether its epoch lets the server join.
    pub epoch: EpochVerdict,
    /// What the command exits with.
    pub exit_code: u8,
    /// The screen, for people.
    pub text: String,
}

/// The files of an unpacked archive, beside the list of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnpackedFiles {
    /// Whether they are those of the archive, and no others.
    pub is_unchanged: bool,
    /// Files that are not there any more.
    pub missing: Vec<String>,
    /// Files whose bytes have changed.
    pub changed: Vec<String>,
    /// Files that are new: those of a server.
    pub added: Vec<String>,
}

/// A leader that was asked for its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeaderReport {
    /// Its client address.
    pub address: String,
    /// Its last zxid.
    pub zxid: String,
}

/// What the comparison of files with a leader shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OriginReport {
    /// The answer.
    pub verdict: OriginVerdict,
    /// The zxid that decides; `null` where it is not known.
    pub zxid: Option<String>,
    /// Where the data are the same there: how many transactions of the files come after it; `null` where
    /// that does not show.
    pub not_compared: Option<u64>,
    /// Why it is not known; `null` where it is.
    pub why: Option<OriginUnknown>,
}

/// Whether files are of the ensemble of a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OriginVerdict {
    /// The digests of one zxid are equal.
    Same,
    /// They differ.
    Differs,
    /// The files have a later zxid than the leader.
    Ahead,
    /// That is not known.
    Unknown,
}

impl OriginReport {
    fn of(origin: DataOrigin) -> Self {
        let none =
            Self { verdict: OriginVerdict::Unknown, zxid: None, not_compared: None, why: None };
        match origin {
            DataOrigin::Same { zxid, not_compared } => Self {
                verdict: OriginVerdict::Same,
                zxid: Some(zxid.to_string()),
                not_compared,
                why: None,
            },
            DataOrigin::Differs { zxid } => {
                Self { verdict: OriginVerdict::Differs, zxid: Some(zxid.to_string()), ..none }
            }
            DataOrigin::Ahead { zxid } => {
                Self { verdict: OriginVerdict::Ahead, zxid: Some(zxid.to_string()), ..none }
            }
            DataOrigin::Unknown { why } => Self { why: Some(why), ..none },
        }
    }
}

impl UnpackedFiles {
    fn of(files: SeedFiles) -> Self {
        let is_unchanged = files.are_unchanged();
        let SeedFiles { missing, differing, added } = files;
        Self { is_unchanged, missing, changed: differing, added }
    }
}

impl Document for DirectoryDocument {
    const FORMAT: Format = Format { name: "data-directory", major: 1, minor: 1 };
}

impl DirectoryDocument {
    /// The document of what a screen shows.
    pub fn of(of: &DirectoryScreen<'_>, exit_code: u8) -> Self {
        let DataDirectory { state, my_id, accepted_epoch, current_epoch, snapshot, log, seed } =
            of.directory.clone();
        Self {
            directories: of.paths.to_vec(),
            state,
            my_id,
            accepted_epoch,
            current_epoch,
            newest_snapshot: snapshot,
            newest_log: log,
            unpacked: seed.map(UnpackedFiles::of),
            data: of.data,
            last_zxid: of.last_zxid.map(|zxid| zxid.to_string()),
            leader: of.leader.map(|leader| LeaderReport {
                address: leader.at.to_string(),
                zxid: leader.zxid.to_string(),
            }),
            origin: of.origin.map(OriginReport::of),
            catch_up: of.catch_up(),
            leader_epoch: of.leader_epoch,
            epoch: of.epoch,
            exit_code,
            text: screen(of).to_string_with(false).trim_end().to_owned(),
        }
    }
}

//! What the data directory of a server tells of the server that used it, before a start.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{ServerId, Zxid};

/// What was found in a data directory, or in a data directory and a directory of logs: names of files,
/// and texts of the small ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectoryListing {
    /// The text of `myid`.
    pub my_id: Option<String>,
    /// The names of what is in `version-2`, of both directories.
    pub files: BTreeSet<String>,
    /// The text of `version-2/acceptedEpoch`.
    pub accepted_epoch: Option<String>,
    /// The text of `version-2/currentEpoch`.
    pub current_epoch: Option<String>,
}

/// Whether a server has used a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DirectoryState {
    /// Nothing is in `version-2`: a server that starts with it copies everything.
    Blank,
    /// A server has used it.
    Used,
}

/// A file with the zxid in its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileByZxid {
    /// Its name.
    pub name: String,
    /// The zxid, as ZooKeeper prints it: of a snapshot the last one when it was begun, of a log the first
    /// one in it.
    pub zxid: String,
}

/// What a data directory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDirectory {
    /// Whether it was used.
    pub state: DirectoryState,
    /// The id in `myid`.
    pub my_id: Option<ServerId>,
    /// The epoch that its server has accepted last. A leader of a smaller epoch is none for it.
    pub accepted_epoch: Option<i64>,
    /// The epoch of the leader that it has followed last, or in which it has led.
    pub current_epoch: Option<i64>,
    /// The newest snapshot, by name.
    pub snapshot: Option<FileByZxid>,
    /// The newest log, by name.
    pub log: Option<FileByZxid>,
}

/// Whether a server with that accepted epoch can follow a leader of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum EpochVerdict {
    /// It can.
    CanJoin,
    /// It has accepted a later epoch: it never follows (`Learner.registerWithLeader`).
    TooHigh,
    /// The epoch of the ensemble is not known.
    NotKnown,
}

impl DataDirectory {
    /// What was found means.
    pub fn of(listing: &DirectoryListing) -> Self {
        let number = |text: &Option<String>| text.as_deref()?.trim().parse::<i64>().ok();
        let is_blank = listing.files.is_empty();
        Self {
            state: if is_blank { DirectoryState::Blank } else { DirectoryState::Used },
            my_id: number(&listing.my_id).map(ServerId::new),
            accepted_epoch: number(&listing.accepted_epoch),
            current_epoch: number(&listing.current_epoch),
            snapshot: newest(&listing.files, "snapshot"),
            log: newest(&listing.files, "log"),
        }
    }
}

/// The newest file of a kind. ZooKeeper splits names at each dot and reads the second part alone
/// (`Util.getZxidFromName`): it takes `snapshot.d25.tmp` for a snapshot.
fn newest(files: &BTreeSet<String>, kind: &str) -> Option<FileByZxid> {
    let zxid = |name: &str| {
        let mut parts = name.split('.');
        let is_kind = parts.next() == Some(kind);
        u64::from_str_radix(parts.next().filter(|_| is_kind)?, 16).ok()
    };
    let all = files.iter().filter_map(|name| Some((zxid(name)?, name)));
    let (zxid, name) = all.max()?;
    Some(FileByZxid { name: name.clone(), zxid: Zxid::new(zxid).to_string() })
}

/// Whether a directory's server can follow a leader of that epoch.
pub fn judge_epoch(directory: &DataDirectory, leaders: Option<u64>) -> EpochVerdict {
    let accepted = directory.accepted_epoch.unwrap_or(0);
    let accepted = u64::try_from(accepted).unwrap_or(0);
    match leaders {
        None if accepted > 0 => EpochVerdict::NotKnown,
        Some(epoch) if accepted > epoch => EpochVerdict::TooHigh,
        None | Some(_) => EpochVerdict::CanJoin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(files: &[&str], accepted: Option<&str>) -> DirectoryListing {
        DirectoryListing {
            my_id: Some("4\n".to_owned()),
            files: files.iter().map(|name| (*name).to_owned()).collect(),
            accepted_epoch: accepted.map(str::to_owned),
            current_epoch: None,
        }
    }

    #[test]
    fn only_an_empty_directory_is_blank() {
        let blank = DataDirectory::of(&listing(&[], None));
        assert_eq!((blank.state, blank.my_id), (DirectoryState::Blank, Some(ServerId::new(4))));
        for file in ["snapshot.0", "acceptedEpoch", "something"] {
            let used = DataDirectory::of(&listing(&[file], None));
            assert_eq!(used.state, DirectoryState::Used, "{file}");
        }
    }

    /// As numbers, and with names that a server takes although they look like leftovers.
    #[test]
    fn the_newest_is_that_of_the_highest_zxid() {
        let files =
            ["snapshot.9", "snapshot.d25.tmp", "snapshot.a0", "log.300000001", "log.b", "log.x"];
        let used = DataDirectory::of(&listing(&files, Some("3")));
        let name = |file: Option<FileByZxid>| file.map(|file| (file.name, file.zxid));
        let of = |name: &str, zxid: &str| Some((name.to_owned(), zxid.to_owned()));
        assert_eq!(name(used.snapshot), of("snapshot.d25.tmp", "0xd25"));
        assert_eq!(name(used.log), of("log.300000001", "0x300000001"));
        assert_eq!(used.accepted_epoch, Some(3));
    }

    #[test]
    fn a_higher_accepted_epoch_never_joins() {
        let judged = |accepted: Option<&str>, leaders: Option<u64>| {
            judge_epoch(&DataDirectory::of(&listing(&["snapshot.0"], accepted)), leaders)
        };
        assert_eq!(judged(Some("9"), Some(3)), EpochVerdict::TooHigh);
        assert_eq!(judged(Some("3"), Some(3)), EpochVerdict::CanJoin);
        assert_eq!(judged(Some("9"), None), EpochVerdict::NotKnown);
        assert_eq!(judged(None, None), EpochVerdict::CanJoin);
        // What 3.6 and later write without data, with `db.autocreate=false`.
        assert_eq!(judged(Some("-1"), Some(1)), EpochVerdict::CanJoin);
    }
}

//! What the data directory of a server tells of the server that used it, before a start.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::origin::DataOrigin;
use super::seed_list::SeedFiles;
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
    /// The files beside the list that `zkplan snapshot unpack` left; `None` where there is no list.
    pub seed: Option<SeedFiles>,
}

/// Whether a server has used a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DirectoryState {
    /// Nothing is in `version-2`: a server that starts with it copies everything.
    Blank,
    /// A server has used it, or it does not show that none has.
    Used,
    /// It holds an unpacked archive, and no server has changed it. Whether its data are those of the
    /// ensemble is not known.
    Unpacked,
    /// The same, and at the zxid of its newest digest the leader of the ensemble had the same data.
    Seed,
    /// Its data are not those of the ensemble.
    Alien,
    /// Its files are damaged or incomplete.
    Damaged,
}

/// What the files of a directory are worth, where they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DirectoryData {
    /// They are whole, and the digest of the data shows it.
    Whole,
    /// Nothing damaged was found, and the files do not show that nothing is missing.
    NotProvable,
    /// Something is damaged or missing.
    Damaged,
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
    /// The files beside the list of the archive that was unpacked; `None` where there is no list.
    pub seed: Option<SeedFiles>,
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
        Self {
            state: state_by_names(listing),
            my_id: number(&listing.my_id).map(ServerId::new),
            accepted_epoch: number(&listing.accepted_epoch),
            current_epoch: number(&listing.current_epoch),
            snapshot: newest(&listing.files, "snapshot"),
            log: newest(&listing.files, "log"),
            seed: listing.seed.clone(),
        }
    }

    /// What it is beside what its files are worth, and what the leader says of its own data.
    #[must_use]
    pub fn judged(mut self, data: Option<DirectoryData>, origin: Option<DataOrigin>) -> Self {
        let is_same = matches!(origin, Some(DataOrigin::Same { .. }));
        self.state = match self.state {
            DirectoryState::Blank => DirectoryState::Blank,
            _ if origin.is_some_and(DataOrigin::is_alien) => DirectoryState::Alien,
            _ if data == Some(DirectoryData::Damaged) => DirectoryState::Damaged,
            DirectoryState::Unpacked if is_same && data == Some(DirectoryData::Whole) => {
                DirectoryState::Seed
            }
            state => state,
        };
        self
    }
}

fn state_by_names(listing: &DirectoryListing) -> DirectoryState {
    match &listing.seed {
        // A server that starts with it copies everything, whatever was there before.
        _ if listing.files.is_empty() => DirectoryState::Blank,
        Some(files) if files.are_unchanged() => DirectoryState::Unpacked,
        // A server that has used it has left files of its own.
        Some(SeedFiles { added, .. }) if added.is_empty() => DirectoryState::Damaged,
        _ => DirectoryState::Used,
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
    use super::super::origin::OriginUnknown;
    use super::*;

    fn listing(files: &[&str], accepted: Option<&str>) -> DirectoryListing {
        DirectoryListing {
            my_id: Some("4\n".to_owned()),
            files: files.iter().map(|name| (*name).to_owned()).collect(),
            accepted_epoch: accepted.map(str::to_owned),
            current_epoch: None,
            seed: None,
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

    /// Only an unchanged archive that is whole, and whose newest digest the leader has, is a seed.
    #[test]
    fn a_seed_is_shown_and_never_assumed() {
        let same = DataOrigin::Same { zxid: Zxid::new(128), not_compared: Some(3) };
        let differs = DataOrigin::Differs { zxid: Zxid::new(128) };
        let unknown = DataOrigin::Unknown { why: OriginUnknown::HashNotAllowed };
        let whole = Some(DirectoryData::Whole);
        let seeded = |files: SeedFiles| {
            let listing = DirectoryListing { seed: Some(files), ..listing(&["snapshot.5"], None) };
            DataDirectory::of(&listing)
        };
        let unchanged = || seeded(SeedFiles::default());
        let judged = |data, origin| unchanged().judged(data, origin).state;
        assert_eq!(judged(whole, Some(same)), DirectoryState::Seed);
        assert_eq!(judged(whole, Some(unknown)), DirectoryState::Unpacked);
        assert_eq!(judged(whole, None), DirectoryState::Unpacked);
        assert_eq!(judged(Some(DirectoryData::NotProvable), Some(same)), DirectoryState::Unpacked);
        assert_eq!(judged(Some(DirectoryData::Damaged), Some(same)), DirectoryState::Damaged);
        assert_eq!(judged(whole, Some(differs)), DirectoryState::Alien);
        let name = || vec!["log.5".to_owned()];
        let missing = seeded(SeedFiles { missing: name(), ..SeedFiles::default() });
        assert_eq!(missing.judged(None, Some(same)).state, DirectoryState::Damaged);
        let added = seeded(SeedFiles { added: name(), ..SeedFiles::default() });
        assert_eq!(added.judged(whole, Some(same)).state, DirectoryState::Used);
        let used = DataDirectory::of(&listing(&["snapshot.5"], None));
        assert_eq!(used.clone().judged(whole, Some(same)).state, DirectoryState::Used);
        assert_eq!(used.judged(whole, Some(differs)).state, DirectoryState::Alien);
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

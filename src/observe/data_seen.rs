//! What servers report of the size of their data, of the time that a snapshot takes them, and of the
//! time that they give a learner.
//!
//! It is kept with a plan, beside its meaning: it changes with every write, and no rule depends on it.
//!
//! # Rates
//!
//! A server that a leader sends a snapshot loads it and writes it down before it serves
//! (`Learner.syncWithLeader`), and a server that becomes leader writes one before it serves
//! (`ZooKeeperServer.loadData`). Where a server has not shown how long it takes, a rate is assumed.
//! [`LOAD_RATES`] and [`WRITE_RATES`] have their source. A disk, or a machine, may be another.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Observation;
use crate::ensemble::NoAnswer;
use crate::model::ServerId;

/// Bytes that a snapshot has for each znode beside its path and its data: two lengths, the key of
/// its ACL, and `StatPersisted` (`DataTree.serializeNodes`).
const BYTES_PER_ZNODE: u64 = 4 + 4 + 8 + 60;

/// Bytes that a server loads from a snapshot in a millisecond, at least and at most: a snapshot of
/// 208 MB took 2.9 to 5.9 s (3.8.0, two busy cores).
const LOAD_RATES: [u64; 2] = [35_000, 70_000];

/// Bytes that a server writes to a snapshot in a millisecond, at least and at most: 208 MB took 2.5
/// s on the same machine; one that has nothing else to do is faster.
const WRITE_RATES: [u64; 2] = [60_000, 120_000];

/// No server writes a snapshot faster, in bytes a millisecond: the checksum over it alone (Adler32)
/// was seen to do 458 MB in a second. A time that would be faster is that of a snapshot of earlier,
/// smaller data.
const FASTEST_WRITE: u64 = 458_000;

/// A server that took longer than this, in bytes a millisecond and [`HICCUP_MS`], was held up by
/// something else: one stall counts in its maximum until it is started again.
const SLOWEST_WRITE: u64 = 1_000;
const HICCUP_MS: u64 = 1_000;

/// What servers report of the size of their data and of the time that it takes to move them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataSeen {
    /// The approximate size of the leader's data in bytes (`zk_approximate_data_size` of `mntr`).
    pub bytes: Option<u64>,
    /// The number of its znodes.
    pub znodes: Option<u64>,
    /// Why the size is not known, where it is not.
    pub unknown: Option<SizeUnknown>,
    /// What each server reports, by id.
    pub servers: BTreeMap<ServerId, TimesSeen>,
}

/// What one server reports of its times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimesSeen {
    /// The longest time that writing a snapshot took it since it was started, in milliseconds
    /// (`zk_max_snapshottime` of `mntr`, 3.6 and later).
    pub snapshot_ms: Option<u64>,
    /// Its tick in milliseconds.
    pub tick_ms: Option<u64>,
    /// Ticks that it gives a learner to get its data (`initLimit`).
    pub init_limit: Option<u64>,
}

/// Why the size of the data is not known.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum SizeUnknown {
    /// No server was asked.
    NotAsked,
    /// The word `mntr` is not in the leader's `4lw.commands.whitelist`.
    NotAllowed,
    /// The leader did not answer it, or without a size.
    NoAnswer,
}

/// From one time to another, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimeSpan {
    /// At least.
    pub from_ms: u64,
    /// At most.
    pub to_ms: u64,
}

impl TimeSpan {
    /// The time that this number of bytes takes, at the lowest and the highest of two rates.
    fn of(bytes: u64, [lowest, highest]: [u64; 2]) -> Self {
        Self { from_ms: bytes.div_ceil(highest), to_ms: bytes.div_ceil(lowest) }
    }

    /// Both, one after the other.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { from_ms: self.from_ms + other.from_ms, to_ms: self.to_ms + other.to_ms }
    }
}

impl DataSeen {
    /// What an observation shows.
    pub(super) fn of(seen: &Observation) -> Self {
        let leader = seen.leader.and_then(|id| seen.servers.get(&id));
        let bytes = leader.and_then(|leader| leader.data.bytes);
        let unknown = match leader.map(|leader| leader.data.no_mntr) {
            _ if bytes.is_some() => None,
            Some(Some(NoAnswer::NotWhitelisted)) => Some(SizeUnknown::NotAllowed),
            Some(_) | None => Some(SizeUnknown::NoAnswer),
        };
        let servers = seen.servers.iter().map(|(id, sight)| {
            let times = TimesSeen {
                snapshot_ms: sight.data.snapshot_ms,
                tick_ms: sight.tick_ms,
                init_limit: sight.init_limit,
            };
            (*id, times)
        });
        Self {
            bytes,
            znodes: leader.and_then(|leader| leader.data.znodes),
            unknown,
            servers: servers.filter(|(_, times)| *times != TimesSeen::default()).collect(),
        }
    }

    /// That no server was asked.
    pub fn not_asked() -> Self {
        Self { unknown: Some(SizeUnknown::NotAsked), ..Self::default() }
    }

    /// The length of a snapshot in bytes, without its sessions and ACLs; `None` where the size of the
    /// data is not known.
    pub fn snapshot_bytes(&self) -> Option<u64> {
        Some(self.bytes? + self.znodes.unwrap_or_default() * BYTES_PER_ZNODE)
    }

    /// How long loading a snapshot takes, at the rates that are assumed.
    pub fn load(&self) -> Option<TimeSpan> {
        Some(TimeSpan::of(self.snapshot_bytes()?, LOAD_RATES))
    }

    /// How long a server takes to write a snapshot, and whether it has shown that itself.
    pub fn write(&self, server: ServerId) -> Option<(TimeSpan, bool)> {
        let bytes = self.snapshot_bytes()?;
        let shown = self.servers.get(&server).and_then(|times| times.snapshot_ms);
        let is_plausible = |ms: &u64| {
            ms.saturating_mul(FASTEST_WRITE) >= bytes && *ms <= HICCUP_MS + bytes / SLOWEST_WRITE
        };
        let shown = shown.filter(is_plausible);
        Some(match shown {
            Some(ms) => (TimeSpan { from_ms: ms, to_ms: ms }, true),
            None => (TimeSpan::of(bytes, WRITE_RATES), false),
        })
    }

    /// The time that every server should give a learner, in milliseconds: twice what the slowest one
    /// may take to load a snapshot and to write it. A leader that hands over, or is restarted, waits
    /// as long for its followers as for a joiner: with less, elections fail again and again.
    pub fn needed_ms(&self) -> Option<u64> {
        let writes = self.servers.keys().filter_map(|id| self.write(*id));
        let slowest = writes.map(|(write, _)| write.to_ms).max()?;
        Some(2 * (self.load()?.to_ms + slowest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(bytes: u64, snapshot_ms: Option<u64>) -> DataSeen {
        let times = TimesSeen { snapshot_ms, ..TimesSeen::default() };
        let servers = BTreeMap::from([(ServerId::new(1), times)]);
        DataSeen { bytes: Some(bytes), znodes: Some(20_000), unknown: None, servers }
    }

    /// A server that was started with little data has written its snapshot in no time.
    #[test]
    fn the_time_of_a_snapshot_of_smaller_data_is_not_used() {
        let one = ServerId::new(1);
        let (shown, is_shown) = seen(200_000_000, Some(2541)).write(one).expect("a size");
        assert_eq!((shown.from_ms, shown.to_ms, is_shown), (2541, 2541, true));
        for ms in [None, Some(0), Some(1), Some(300)] {
            let (assumed, is_shown) = seen(200_000_000, ms).write(one).expect("a size");
            assert!(!is_shown && assumed.from_ms > 1500 && assumed.to_ms < 4000, "{assumed:?}");
        }
    }

    /// Of 20 kB and a stall of 2.5 s no more than the stall is known.
    #[test]
    fn the_time_of_a_stall_is_not_used() {
        let (assumed, is_shown) = seen(20_000, Some(2541)).write(ServerId::new(1)).expect("a size");
        assert!(!is_shown && assumed.to_ms < 100, "{assumed:?}");
    }

    #[test]
    fn without_a_size_nothing_is_guessed() {
        let unknown = DataSeen { bytes: None, ..seen(0, Some(2541)) };
        assert_eq!(unknown.snapshot_bytes(), None);
        assert_eq!((unknown.write(ServerId::new(1)), unknown.load()), (None, None));
        assert_eq!(unknown.needed_ms(), None);
    }

    /// The example of 206 MB: load 5.9 s and write 2.5 s, twice.
    #[test]
    fn a_learner_is_given_twice_the_time_that_it_may_need() {
        let needed = seen(206_000_000, Some(2541)).needed_ms().expect("a size");
        assert!((16_000..18_000).contains(&needed), "{needed}");
    }
}

//! The ticks and limits of a joiner.

use crate::model::SettingName as Name;
use crate::observe::{DataSeen, Observation, ObservedSettings, SettingValue};

/// The values of ZooKeeper's sample configuration, where no server and no file shows others: tick in
/// milliseconds, `initLimit`, `syncLimit`.
const SAMPLE: [u64; 3] = [2000, 10, 5];

/// What the present servers show of their ticks and limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TicksSeen {
    /// The longest tick in milliseconds.
    pub tick_ms: Option<u64>,
    /// The highest `initLimit`.
    pub init_limit: Option<u64>,
    /// The highest `syncLimit`.
    pub sync_limit: Option<u64>,
    /// The most connections that a server takes from one address; 0 is any number.
    pub connections: Option<u64>,
    /// The shortest session time-out in milliseconds.
    pub min_session_ms: Option<u64>,
    /// The longest session time-out in milliseconds.
    pub max_session_ms: Option<u64>,
    /// The time that a server should give a learner, where the size of the data is known.
    pub needed_ms: Option<u64>,
}

impl TicksSeen {
    /// What the members show.
    pub fn of(seen: &Observation, data: &DataSeen) -> Self {
        let members = seen.servers.values().filter(|s| seen.config.membership.contains(s.id));
        let all = |name: Name| {
            let of = move |settings: &ObservedSettings| match settings.get(name) {
                Ok(seen) => match seen.value {
                    SettingValue::Number(number) => Some(number),
                    _ => None,
                },
                Err(_) => None,
            };
            members.clone().filter_map(move |member| of(&member.settings))
        };
        let highest = |name| all(name).max();
        let connections = |limit: &u64| if *limit == 0 { u64::MAX } else { *limit };
        Self {
            tick_ms: highest(Name::TickTime),
            init_limit: highest(Name::InitLimit),
            sync_limit: highest(Name::SyncLimit),
            connections: all(Name::MaxClientCnxns).max_by_key(connections),
            min_session_ms: all(Name::MinSessionTimeout).min(),
            max_session_ms: highest(Name::MaxSessionTimeout),
            needed_ms: data.needed_ms(),
        }
    }

    /// What the members have beside ticks and limits, as keys of `zoo.cfg`, where it is not
    /// ZooKeeper's default for that tick (`ZooKeeperServer.getMinSessionTimeout`,
    /// `ServerConfig.maxClientCnxns`).
    pub fn further(self, tick_ms: u64) -> impl Iterator<Item = (Name, u64)> {
        let seen = [
            (Name::MaxClientCnxns, self.connections, 60),
            (Name::MinSessionTimeout, self.min_session_ms, 2 * tick_ms),
            (Name::MaxSessionTimeout, self.max_session_ms, 20 * tick_ms),
        ];
        let differs = |(name, seen, default): (Name, Option<u64>, u64)| {
            Some((name, seen.filter(|seen| *seen != default)?))
        };
        seen.into_iter().filter_map(differs)
    }
}

/// The tick and the limits of a joiner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinerLimits {
    /// `tickTime` in milliseconds.
    pub tick_ms: u64,
    /// `initLimit`: at least what the size of the data needs.
    pub init_limit: u64,
    /// `syncLimit`: together with the tick more than two ticks of any present server.
    pub sync_limit: u64,
}

impl JoinerLimits {
    /// Those of a file, where one is given, else those that the present servers show; raised where the
    /// data or the ticks of the others need more.
    pub fn of(file: [Option<u64>; 3], seen: TicksSeen) -> Self {
        let [tick, init, sync] = file;
        let [sample_tick, sample_init, sample_sync] = SAMPLE;
        let tick_ms = tick.or(seen.tick_ms).unwrap_or(sample_tick).max(1);
        let init = init.or(seen.init_limit).unwrap_or(sample_init);
        let sync = sync.or(seen.sync_limit).unwrap_or(sample_sync);
        let needed = seen.needed_ms.unwrap_or(0).div_ceil(tick_ms);
        // A leader pings each half of its tick, and a learner gives up after its own `syncLimit` of
        // its own ticks (`Learner.syncWithLeader`): twice the other's tick is a safe time.
        let apart = seen.tick_ms.map_or(0, |other| other.saturating_mul(2) / tick_ms + 1);
        Self { tick_ms, init_limit: init.max(needed), sync_limit: sync.max(apart) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(file: [Option<u64>; 3], seen: TicksSeen) -> [u64; 3] {
        let JoinerLimits { tick_ms, init_limit, sync_limit } = JoinerLimits::of(file, seen);
        [tick_ms, init_limit, sync_limit]
    }

    #[test]
    fn a_file_counts_before_what_is_seen_and_what_is_seen_before_the_sample() {
        let none = TicksSeen::default();
        assert_eq!(of([None; 3], none), SAMPLE);
        let seen = TicksSeen {
            tick_ms: Some(1000),
            init_limit: Some(20),
            sync_limit: Some(7),
            ..TicksSeen::default()
        };
        assert_eq!(of([None; 3], seen), [1000, 20, 7]);
        assert_eq!(of([Some(1000), Some(30), Some(8)], seen), [1000, 30, 8]);
    }

    #[test]
    fn what_is_the_default_for_the_tick_is_not_written() {
        let seen = TicksSeen {
            connections: Some(0),
            min_session_ms: Some(4000),
            max_session_ms: Some(60_000),
            ..TicksSeen::default()
        };
        let further: Vec<_> = seen.further(2000).collect();
        assert_eq!(further, [(Name::MaxClientCnxns, 0), (Name::MaxSessionTimeout, 60_000)]);
    }

    /// 16.8 s at ticks of 0.2 s are 84 ticks, and a joiner with short ticks bears those of the others.
    #[test]
    fn limits_are_raised_to_what_data_and_ticks_need() {
        let seen = TicksSeen { needed_ms: Some(16_800), ..TicksSeen::default() };
        assert_eq!(of([Some(200), Some(50), Some(10)], seen), [200, 84, 10]);
        let slow = TicksSeen { tick_ms: Some(6000), ..TicksSeen::default() };
        assert_eq!(of([Some(500), None, Some(5)], slow), [500, 10, 25]);
    }
}

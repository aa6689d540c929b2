//! The `zoo.cfg` files that the operator gave: what they say where a server shows nothing.
//!
//! A file is what the server reads when it starts next. Whether it runs with it, no file shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::model::{MalformedEscape, ServerId, properties, trimmed};

/// ZooKeeper's tick where a file has none, in milliseconds (`ZooKeeperServer.DEFAULT_TICK_TIME`).
const DEFAULT_TICK_MS: u64 = 3000;

/// How many connections it takes from one address where a file does not say
/// (`ServerConfig.maxClientCnxns`).
const DEFAULT_CONNECTIONS: u32 = 60;

/// The files, by server.
pub type GivenFiles = BTreeMap<ServerId, GivenFile>;

/// The keys of one `zoo.cfg`, the last of each, which counts.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct GivenFile {
    keys: BTreeMap<String, String>,
}

/// Values may be secrets.
impl fmt::Debug for GivenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.keys()).finish()
    }
}

impl GivenFile {
    /// Reads a file, decoded as [`crate::model::latin_1`] does.
    ///
    /// # Errors
    ///
    /// A malformed escape, with which no server reads the file.
    pub fn read(text: &str) -> Result<Self, MalformedEscape> {
        let all = properties(text)?.into_iter();
        let keys = all.map(|one| (trimmed(&one.key).to_owned(), trimmed(&one.value).to_owned()));
        Ok(Self { keys: keys.collect() })
    }

    /// Every key with its value.
    pub(super) const fn keys(&self) -> &BTreeMap<String, String> {
        &self.keys
    }

    /// `reconfigEnabled` is read from the file alone.
    pub(super) fn enables_reconfig(&self) -> bool {
        self.keys.get("reconfigEnabled").is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(super) fn tick_ms(&self) -> Option<u64> {
        self.number("tickTime", Some(DEFAULT_TICK_MS))
    }

    /// Without it no server of an ensemble starts.
    pub(super) fn sync_limit(&self) -> Option<u64> {
        self.number("syncLimit", None)
    }

    /// Likewise.
    pub(super) fn init_limit(&self) -> Option<u64> {
        self.number("initLimit", None)
    }

    pub(super) fn max_client_connections(&self) -> Option<u32> {
        let given = self.number("maxClientCnxns", Some(u64::from(DEFAULT_CONNECTIONS)))?;
        u32::try_from(given).ok()
    }

    /// The servers of its server lines; none where ZooKeeper wrote it, with a dynamic file beside it.
    pub(super) fn servers(&self) -> BTreeSet<ServerId> {
        let lines = self.keys.keys().filter_map(|key| key.strip_prefix("server.")?.parse().ok());
        lines.map(ServerId::new).collect()
    }

    fn number(&self, key: &str, default: Option<u64>) -> Option<u64> {
        match self.keys.get(key) {
            Some(value) => value.parse().ok(),
            None => default,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_key_counts_and_what_is_not_given_is_zookeepers_default() {
        let file = GivenFile::read("syncLimit=5\nsyncLimit = 7 \nserver.1=a:1:2\nserver.x=b\n");
        let file = file.expect("a file");
        assert_eq!((file.sync_limit(), file.init_limit()), (Some(7), None));
        assert_eq!((file.tick_ms(), file.max_client_connections()), (Some(3000), Some(60)));
        assert_eq!(file.servers(), [ServerId::new(1)].into());
        assert!(!file.enables_reconfig());
        let wrong = GivenFile::read("tickTime=2s\nreconfigEnabled=TRUE\n").expect("a file");
        assert_eq!((wrong.tick_ms(), wrong.enables_reconfig()), (None, true));
    }
}

//! The text of the `/zookeeper/config` znode, and the two numbers that ZooKeeper counts by.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{Membership, MembershipParseError};

/// A longer text is not read: no znode holds it (`jute.maxbuffer`).
const MAX_BYTES: usize = 1024 * 1024;

/// The version of a configuration: the zxid of the reconfig that made it (`QuorumVerifier`).
///
/// There is no way to make the −1 that switches the server's version check off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigVersion(u64);

impl ConfigVersion {
    /// The number as a request carries it (`ReconfigRequest.curConfigId`).
    pub const fn as_zxid(self) -> Zxid {
        Zxid(self.0)
    }

    /// Whether it is the 0 of a server that runs with `reconfigEnabled=false` and never ran
    /// otherwise.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl FromStr for ConfigVersion {
    type Err = ConfigParseError;

    /// Reads the lower-case hex, without `0x`, of the `version=` line.
    fn from_str(text: &str) -> Result<Self, ConfigParseError> {
        match u64::from_str_radix(text, 16) {
            Ok(number) if i64::try_from(number).is_ok() => Ok(Self(number)),
            _ => Err(ConfigParseError::Version(text.to_owned())),
        }
    }
}

impl fmt::Display for ConfigVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// A transaction id: the leader's epoch in the high 32 bits, a counter in the low 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zxid(u64);

impl Zxid {
    /// A zxid from its number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The epoch of the leader that proposed it.
    pub const fn epoch(self) -> u64 {
        self.0 >> 32
    }
}

impl FromStr for Zxid {
    type Err = String;

    /// Reads hex behind `0x`, as ZooKeeper prints a zxid.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        number.map(Self).ok_or_else(|| format!("`{text}` is no zxid"))
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A committed configuration: who is a member, and since which version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnsembleConfig {
    /// Its version.
    pub version: ConfigVersion,
    /// Its members.
    pub membership: Membership,
}

impl EnsembleConfig {
    /// Reads the data of `/zookeeper/config` or the `membership:` part of the `conf` word.
    ///
    /// Lines may come in any order (`QuorumMaj.toString` walks a `HashMap`).
    pub fn parse(text: &str) -> Result<Self, ConfigParseError> {
        if text.trim().is_empty() {
            return Err(ConfigParseError::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(ConfigParseError::TooLarge);
        }
        let mut version = None;
        let mut members = String::new();
        for line in text.lines().map(str::trim) {
            match line.strip_prefix("version=") {
                Some(_) if version.is_some() => return Err(ConfigParseError::TwoVersions),
                Some(hex) => version = Some(hex.parse()?),
                None => {
                    members.push_str(line);
                    members.push('\n');
                }
            }
        }
        Ok(Self {
            version: version.ok_or(ConfigParseError::NoVersion)?,
            membership: Membership::parse(&members)?,
        })
    }
}

impl fmt::Display for EnsembleConfig {
    /// Writes the lines in the order of server ids, the version last and without a line end, as
    /// ZooKeeper does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}version={}", self.membership, self.version)
    }
}

/// Why the text of a configuration cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigParseError {
    /// A standalone server has the znode, without data.
    #[error("the configuration is empty, as on a standalone server")]
    Empty,
    /// Longer than a znode can be.
    #[error("the configuration is longer than a znode can be")]
    TooLarge,
    /// No `version=` line.
    #[error("the configuration has no `version=` line")]
    NoVersion,
    /// Several `version=` lines.
    #[error("the configuration has several `version=` lines")]
    TwoVersions,
    /// The version is not a hexadecimal number from 0 to 2⁶³−1.
    #[error("config version `{0}` is not a hexadecimal number")]
    Version(String),
    /// The member lines cannot be read.
    #[error(transparent)]
    Membership(#[from] MembershipParseError),
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "server.1=zk1:2888:3888:participant;0.0.0.0:2181\n\
                        server.2=zk2:2888:3888:observer\nversion=100000004";

    #[test]
    fn text_round_trips() {
        assert_eq!(EnsembleConfig::parse(TEXT).unwrap().to_string(), TEXT);
    }

    #[test]
    fn version_is_hex_and_never_negative() {
        let version: ConfigVersion = "100000004".parse().unwrap();
        assert_eq!(version.as_zxid().get(), 0x1_0000_0004);
        assert!("ffffffffffffffff".parse::<ConfigVersion>().is_err());
        assert!("-1".parse::<ConfigVersion>().is_err());
        assert!("0x1".parse::<ConfigVersion>().is_err());
    }

    #[test]
    fn a_standalone_server_shows_nothing() {
        assert_eq!(EnsembleConfig::parse(""), Err(ConfigParseError::Empty));
    }

    #[test]
    fn no_text_is_read_that_no_znode_could_hold() {
        let text = TEXT.replace("zk2", &"z".repeat(MAX_BYTES));
        assert_eq!(EnsembleConfig::parse(&text), Err(ConfigParseError::TooLarge));
    }

    #[test]
    fn two_versions_are_refused() {
        let text = format!("{TEXT}\nversion=2");
        assert_eq!(EnsembleConfig::parse(&text), Err(ConfigParseError::TwoVersions));
    }
}

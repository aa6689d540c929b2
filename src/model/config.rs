//! The text of the `/zookeeper/config` znode, and the two numbers that ZooKeeper counts by.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{MalformedEscape, Membership, MembershipParseError, Property, properties};

/// Longer texts are refused: no znode can hold them (`jute.maxbuffer`).
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
        number.map(Self).ok_or_else(|| format!("`{text}` is not a zxid"))
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
    /// They are `java.util.Properties` (`QuorumPeer.configFromString`), in any order
    /// (`QuorumMaj.toString` walks a `HashMap`).
    pub fn parse(text: &str) -> Result<Self, ConfigParseError> {
        let (version, membership) = read(text)?;
        Ok(Self { version: version.ok_or(ConfigParseError::NoVersion)?, membership })
    }

    /// Reads a file that holds a configuration. ZooKeeper's own dynamic files hold no version: it
    /// stands in their names, as in `zoo.cfg.dynamic.100000004`
    /// (`QuorumPeerConfig.getVersionFromFilename`).
    pub fn parse_file(name: &str, text: &str) -> Result<Self, ConfigParseError> {
        let (version, membership) = read(text)?;
        let version = version.or_else(|| Self::version_of_file(name));
        Ok(Self { version: version.ok_or(ConfigParseError::NoVersion)?, membership })
    }

    /// The version in the name of a dynamic file that a server wrote.
    pub fn version_of_file(name: &str) -> Option<ConfigVersion> {
        let (zoo_cfg, version) = name.rsplit_once('.')?;
        // ZooKeeper takes any last part in hex, `live.add` too; what it writes has this form.
        zoo_cfg.ends_with(".dynamic").then(|| version.parse().ok())?
    }
}

fn read(text: &str) -> Result<(Option<ConfigVersion>, Membership), ConfigParseError> {
    if text.trim().is_empty() {
        return Err(ConfigParseError::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(ConfigParseError::TooLarge);
    }
    let all = properties(text)?;
    let (versions, members): (Vec<Property>, Vec<Property>) =
        all.into_iter().partition(|property| property.key.trim() == "version");
    if members.iter().any(is_of_clickhouse) {
        return Err(ConfigParseError::ClickHouseKeeper);
    }
    let version = match versions.as_slice() {
        [] => None,
        [one] => Some(one.value.trim().parse()?),
        _ => return Err(ConfigParseError::TwoVersions),
    };
    Ok((version, Membership::of_properties(&members)?))
}

/// Whether it is a server of a `ClickHouse` Keeper: `server.1=keeper1:9234;participant;1`, with a
/// role and a priority behind the Raft address.
fn is_of_clickhouse(property: &Property) -> bool {
    let parts: Vec<&str> = property.value.trim().split(';').collect();
    let role = |word: &&str| matches!(*word, "participant" | "learner");
    property.key.trim().starts_with("server.") && parts.get(1).is_some_and(role)
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
    /// The text of another product.
    #[error(
        "this is the configuration of a ClickHouse Keeper; zkplan works only with Apache ZooKeeper"
    )]
    ClickHouseKeeper,
    /// An escape that `java.util.Properties` does not take.
    #[error(transparent)]
    Escape(#[from] MalformedEscape),
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

    #[test]
    fn files_are_read_as_java_reads_them() {
        let wanted = EnsembleConfig::parse(TEXT).unwrap();
        for text in [
            TEXT.replace('=', " = "),
            format!("! by hand\n# by hand\n{TEXT}"),
            TEXT.replace(':', "\\:"),
            TEXT.replace("version=", "version:"),
            TEXT.replace('\n', "\r"),
        ] {
            assert_eq!(EnsembleConfig::parse(&text).as_ref(), Ok(&wanted), "{text}");
        }
        let bare = TEXT.replace("\nversion=100000004", "");
        assert_eq!(EnsembleConfig::parse(&bare), Err(ConfigParseError::NoVersion));
        let named = |name| EnsembleConfig::parse_file(name, &bare);
        assert_eq!(named("conf/zoo.cfg.dynamic.100000004"), Ok(wanted));
        for name in ["zoo.cfg.dynamic", "live.add", "zoo.cfg.dynamic.next"] {
            assert_eq!(named(name), Err(ConfigParseError::NoVersion), "{name}");
        }
    }

    #[test]
    fn a_text_cannot_hide_a_line_in_an_escape() {
        let text = TEXT.replace("zk2", "zk2\\nserver.9=zk9");
        assert!(matches!(EnsembleConfig::parse(&text), Err(ConfigParseError::Membership(_))));
    }

    #[test]
    fn a_clickhouse_keeper_is_called_one() {
        let text = "server.1=keeper1:9234;participant;1\nserver.2=keeper2:9234;learner;1";
        assert_eq!(EnsembleConfig::parse(text), Err(ConfigParseError::ClickHouseKeeper));
    }
}

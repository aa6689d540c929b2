//! A host as it stands in a server line: a name or an IP literal.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A host name or IP literal, kept as it was written.
///
/// Two hosts are equal when ZooKeeper would treat them as the same. Names are compared without case
/// and without a trailing dot. IP literals are compared by value: `::1` equals the
/// `0:0:0:0:0:0:0:1` that ZooKeeper prints for it. Names are never resolved here.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Host(String);

impl Host {
    /// Takes a host as written; brackets around an IPv6 literal are dropped.
    pub fn new(text: &str) -> Self {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        Self(bare.to_owned())
    }

    /// The host as written, without brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The IP address, where the host is a literal.
    pub fn literal(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }

    /// Whether it names every address of a machine (`0.0.0.0`, `::`).
    pub fn is_wildcard(&self) -> bool {
        self.literal().is_some_and(|ip| ip.is_unspecified())
    }

    /// Whether it plainly names the machine itself (`127.x.y.z`, `::1`, `localhost`).
    pub fn is_loopback(&self) -> bool {
        self.literal().map_or_else(|| self.canonical() == "localhost", |ip| ip.is_loopback())
    }

    /// Whether every character is one that a DNS name or an IP literal can have.
    ///
    /// ZooKeeper 3.8.0 accepts any text as a host, terminal escapes included.
    pub fn is_plain(&self) -> bool {
        !self.0.is_empty()
            && self.0.len() <= 253
            && self.0.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:".contains(&b))
            && (!self.0.contains(':') || self.literal().is_some())
    }

    /// Whether it is safe as a command argument, or as a part of one: it is plain, and no program
    /// reads it as an option.
    pub fn is_argument(&self) -> bool {
        self.is_plain() && !self.0.starts_with('-')
    }

    /// The one spelling that equal hosts share.
    pub fn canonical(&self) -> String {
        // An IPv4 literal has one spelling. A name has no colon.
        let literal = self.0.contains(':').then(|| self.literal()).flatten();
        literal.map_or_else(|| self.undotted().to_ascii_lowercase(), |ip| ip.to_string())
    }

    /// The name without its trailing dot.
    fn undotted(&self) -> &str {
        self.0.strip_suffix('.').unwrap_or(&self.0)
    }
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        let alike = self.undotted().eq_ignore_ascii_case(other.undotted());
        let by_value = || self.0.contains(':') && other.0.contains(':');
        alike || by_value() && self.canonical() == other.canonical()
    }
}

impl Eq for Host {}

impl Hash for Host {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical().hash(state);
    }
}

impl PartialOrd for Host {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Host {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.canonical().cmp(&other.canonical())
    }
}

impl fmt::Display for Host {
    /// Writes the host as a server line needs it: IPv6 literals in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') { write!(f, "[{}]", self.0) } else { f.write_str(&self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_follows_meaning_not_spelling() {
        assert_eq!(Host::new("ZK1.Example"), Host::new("zk1.example"));
        assert_eq!(Host::new("[::1]"), Host::new("0:0:0:0:0:0:0:1"));
        assert_eq!(Host::new("zk1.example."), Host::new("ZK1.example"));
        assert_ne!(Host::new("127.0.0.1"), Host::new("localhost"));
        assert_ne!(Host::new("::ffff:10.0.0.1"), Host::new("10.0.0.1"));
        assert_eq!(Host::new("127.0.0.1").canonical(), "127.0.0.1");
        assert_eq!(Host::new("127.000.0.1").literal(), None);
    }

    #[test]
    fn hostile_hosts_are_not_plain() {
        for text in ["zk\u{1b}c", "zk\u{9b}1m", "a\u{202e}b", "zk 1", "", "a:b"] {
            assert!(!Host::new(text).is_plain(), "{text:?}");
        }
        for text in ["zk-1.eu_west", "10.0.0.1", "fe80::1"] {
            assert!(Host::new(text).is_plain(), "{text:?}");
        }
    }
}

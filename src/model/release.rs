//! Releases of ZooKeeper.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A ZooKeeper release.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct ServerVersion {
    /// Major.
    pub major: u16,
    /// Minor.
    pub minor: u16,
    /// Patch.
    pub patch: u16,
}

impl ServerVersion {
    /// A release by its numbers.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// Its release line, major and minor: releases of one line understand each other.
    pub const fn line(self) -> (u16, u16) {
        (self.major, self.minor)
    }

    /// Reads the beginning of the text of `Zookeeper version:`, such as
    /// `3.8.0-5a02a05eddb59aee6ac762f7ea82e92a68eb9c0f, built on 2022-02-25 08:49 UTC`.
    pub fn from_build(text: &str) -> Option<Self> {
        let mut numbers = text.trim().splitn(3, '.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        let rest = numbers.next()?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        Some(Self { major, minor, patch: rest.get(..digits)?.parse().ok()? })
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

//! Members as ZooKeeper writes them down.

use std::collections::{BTreeMap, BTreeSet};

/// `address:quorum:election:role;client` by id, in one spelling.
pub(crate) type Members = BTreeMap<u8, String>;

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) version: u64,
    pub(crate) members: Members,
}

impl Config {
    /// Reads what `/zookeeper/config` holds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let version = text.lines().find_map(|line| line.strip_prefix("version="))?;
        let version = u64::from_str_radix(version.trim(), 16).ok()?;
        Some(Self { version, members: members(text.lines()) })
    }
}

/// Reads `server.N=…` lines; others are left out.
pub(crate) fn members<'a>(lines: impl IntoIterator<Item = &'a str>) -> Members {
    lines.into_iter().filter_map(member).collect()
}

fn member(line: &str) -> Option<(u8, String)> {
    let (id, rest) = line.strip_prefix("server.")?.split_once('=')?;
    let (server, client) = rest.split_once(';')?;
    // ZooKeeper writes `0.0.0.0:2181` where a person wrote `2181`.
    let port = client.rsplit(':').next()?.trim();
    Some((id.parse().ok()?, format!("{server};{port}")))
}

/// The ids of those who vote.
pub(crate) fn voters(members: &Members) -> BTreeSet<u8> {
    members.iter().filter(|(_, line)| line.contains(":participant")).map(|(id, _)| *id).collect()
}

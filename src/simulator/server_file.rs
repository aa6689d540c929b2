//! What a server reads from its files when it starts.

use std::collections::BTreeMap;

/// The settings in the files of a server: `zoo.cfg`, and the flags of its Java.
///
/// Only those that the simulator has. How fast an ensemble is, [`super::Timing`] says: the numbers
/// here are what a server shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFile {
    /// `reconfigEnabled`.
    pub reconfig_enabled: bool,
    /// Whether it has the super user's digest
    /// (`zookeeper.DigestAuthenticationProvider.superDigest`).
    pub knows_super: bool,
    /// Whether words beside `srvr` are whitelisted (`4lw.commands.whitelist`).
    pub allows_words: bool,
    /// Numbers that `conf` shows, by their keys, in place of those of the timing.
    pub numbers: BTreeMap<String, u64>,
}

impl Default for ServerFile {
    /// Everything is on.
    fn default() -> Self {
        let numbers = BTreeMap::new();
        Self { reconfig_enabled: true, knows_super: true, allows_words: true, numbers }
    }
}

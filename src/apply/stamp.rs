//! Who does something, when and why, as the journal keeps it.

use serde::{Deserialize, Serialize};

/// The user and the time of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Made for one apply; names its lock.
    pub nonce: String,
    /// The user.
    pub who: String,
    /// The host.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The time, as the clock of that host had it.
    pub at: String,
}

impl Stamp {
    /// The user and the host, and for whom it is done, if it is said.
    pub fn for_whom(&self, cause: &Cause) -> String {
        let user = format!("{}@{}", self.who, self.host);
        match &cause.actor {
            Some(actor) if *actor != self.who => format!("{actor} ({user})"),
            Some(_) | None => user,
        }
    }
}

/// What an operator says of an apply. For people: nothing is decided by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// Who has it done, where that is said: in a pipeline not the user of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The archive that passed as a backup before an apply. For people: nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupNote {
    /// The name of its file.
    pub file: String,
    /// Its last transaction, as ZooKeeper prints it.
    pub zxid: String,
    /// When that was (UTC), as the clock of the leader had it.
    pub at: String,
    /// The SHA-256 of the file, in hex.
    pub sha256: String,
}

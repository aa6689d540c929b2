//! The watch while a person does the restart: a state machine without I/O and without a clock.

use std::collections::BTreeSet;

use super::mistake::RestartMistake;
use super::noted::Noted;
use crate::ensemble::Mode;
use crate::model::{ConfigVersion, EnsembleConfig, Server, ServerId};

/// After this long a server that is down is said not to start. A process starts within seconds; the
/// person may still be editing its files.
const DOWN_MS: u64 = 15_000;

/// After this long a server that looks for a leader is said to wait for others. A quorum of one elects
/// itself at once, and writes a snapshot of its data before it serves.
const LOOKS_MS: u64 = 20_000;

/// One look at the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestartSample {
    /// It runs standalone.
    Standalone(Option<Noted>),
    /// Nothing listens on its client port: it was stopped.
    Refused,
    /// It runs and serves no clients, or not all of them yet.
    Looks,
    /// No answer, which proves nothing.
    Silent,
    /// It serves.
    Serves(ServingServer),
}

/// What a server shows that serves as a part of an ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServingServer {
    /// Its mode.
    pub mode: Mode,
    /// How far its data go.
    pub noted: Option<Noted>,
    /// The low byte of its own id.
    pub own_id: u8,
    /// Its configuration.
    pub config: ConfigSeen,
    /// Whether the data are those from before the restart.
    pub comparison: Comparison,
}

/// What `/zookeeper/config` holds on the server. It was read on a session that had committed a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSeen {
    /// Nothing.
    Empty,
    /// A text that cannot be read.
    Unreadable,
    /// A configuration.
    Seen(EnsembleConfig),
}

/// What a session that was opened before the restart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The server still has it: its data contain every transaction up to the one that made the session.
    SessionSurvived,
    /// The server does not know it: it ended, or the data are others.
    SessionGone,
    /// There was none, or it could not be attached.
    NotCompared,
}

/// How far the restart is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestartState {
    /// The server was not stopped yet.
    Waits,
    /// It is down.
    Down,
    /// It was started and does not serve yet.
    Starts,
    /// It gives no answer, and whether it runs is not known.
    Silent,
    /// It came back otherwise than planned.
    Wrong(RestartMistake),
    /// It is a quorum of one with its data.
    Proven(Proven),
}

/// What shows that the restart is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proven {
    /// The config version.
    pub version: ConfigVersion,
    /// How far its data go.
    pub now: Option<Noted>,
    /// How far they went before.
    pub before: Option<Noted>,
    /// What the session from before the restart shows.
    pub comparison: Comparison,
    /// For how long the server did not serve, as far as it was watched, in milliseconds.
    pub gap_ms: Option<u64>,
}

impl Proven {
    /// How many znodes fewer there are: those of sessions that ended, or those that clients deleted.
    pub fn fewer_znodes(&self) -> Option<u64> {
        let (before, now) = (self.before?.znodes, self.now?.znodes);
        before.checked_sub(now).filter(|fewer| *fewer > 0)
    }
}

/// Follows the restart of one server.
#[derive(Debug, Clone)]
pub struct RestartWatch {
    line: Server,
    noted: Option<Noted>,
    /// When it served standalone last.
    served_ms: Option<u64>,
    /// Whether it was seen down or starting since.
    was_down: bool,
    down_since_ms: Option<u64>,
    looks_since_ms: Option<u64>,
}

impl RestartWatch {
    /// Watches for a server with that line, whose data were noted before.
    pub const fn new(line: Server, noted: Option<Noted>) -> Self {
        Self {
            line,
            noted,
            served_ms: None,
            was_down: false,
            down_since_ms: None,
            looks_since_ms: None,
        }
    }

    /// What is noted of its data.
    pub const fn noted(&self) -> Option<Noted> {
        self.noted
    }

    /// Takes a look that was made then.
    pub fn advance(&mut self, now_ms: u64, sample: &RestartSample) -> RestartState {
        if *sample != RestartSample::Refused {
            self.down_since_ms = None;
        }
        if *sample != RestartSample::Looks {
            self.looks_since_ms = None;
        }
        match sample {
            RestartSample::Standalone(now) => self.standalone(now_ms, *now),
            RestartSample::Refused => {
                self.was_down = true;
                let since = *self.down_since_ms.get_or_insert(now_ms);
                if now_ms.saturating_sub(since) < DOWN_MS {
                    RestartState::Down
                } else {
                    RestartState::Wrong(RestartMistake::DoesNotStart)
                }
            }
            RestartSample::Looks => {
                let since = *self.looks_since_ms.get_or_insert(now_ms);
                if now_ms.saturating_sub(since) < LOOKS_MS {
                    RestartState::Starts
                } else {
                    RestartState::Wrong(RestartMistake::WaitsForOthers)
                }
            }
            RestartSample::Silent => RestartState::Silent,
            RestartSample::Serves(server) => {
                let gap_ms = self.served_ms.map(|served| now_ms.saturating_sub(served));
                match self.proven(server) {
                    Ok(version) => RestartState::Proven(Proven {
                        version,
                        now: server.noted,
                        before: self.noted,
                        comparison: server.comparison,
                        gap_ms,
                    }),
                    Err(mistake) => RestartState::Wrong(mistake),
                }
            }
        }
    }

    fn standalone(&mut self, now_ms: u64, now: Option<Noted>) -> RestartState {
        let goes_back = now.zip(self.noted).is_some_and(|(now, noted)| now.zxid < noted.zxid);
        if goes_back {
            return RestartState::Wrong(RestartMistake::DataMissing);
        }
        self.served_ms = Some(now_ms);
        self.noted = now.or(self.noted);
        if self.was_down {
            RestartState::Wrong(RestartMistake::StandaloneAgain)
        } else {
            RestartState::Waits
        }
    }

    fn proven(&self, server: &ServingServer) -> Result<ConfigVersion, RestartMistake> {
        let ServingServer { mode, noted, own_id, config, comparison } = server;
        if *mode != Mode::Leader {
            return Err(RestartMistake::Follows);
        }
        if self.lacks_data(*noted, *comparison) {
            return Err(RestartMistake::DataMissing);
        }
        let id = self.line.id;
        if low_byte(id) != *own_id {
            return Err(RestartMistake::OtherId(*own_id));
        }
        let config = match config {
            ConfigSeen::Seen(config) if !config.version.is_zero() => config,
            // Without a config version there are no reconfigs, whatever else stands there.
            ConfigSeen::Seen(_) | ConfigSeen::Empty | ConfigSeen::Unreadable => {
                return Err(RestartMistake::ReconfigDisabled);
            }
        };
        let others: BTreeSet<ServerId> =
            config.membership.ids().into_iter().filter(|other| *other != id).collect();
        if !others.is_empty() || !config.membership.has_voter(id) {
            return Err(RestartMistake::OtherMembers(others));
        }
        let own = config.membership.get(id);
        if self.line.client.is_some() && own.is_none_or(|own| own.client.is_none()) {
            return Err(RestartMistake::NoClientPart);
        }
        Ok(config.version)
    }

    /// A session that survived shows that nothing before it is missing. Without one the number of znodes
    /// has to do, although ephemeral ones of sessions that ended are missing rightly.
    fn lacks_data(&self, now: Option<Noted>, comparison: Comparison) -> bool {
        let Some((before, now)) = self.noted.zip(now) else { return false };
        let has_fewer = now.znodes < before.znodes;
        now.zxid < before.zxid || (comparison != Comparison::SessionSurvived && has_fewer)
    }
}

/// What a session id shows of an id (`SessionTrackerImpl.initializeNextSessionId`).
fn low_byte(id: ServerId) -> u8 {
    id.get().to_le_bytes()[0]
}

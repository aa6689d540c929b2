//! `zkplan/first-quorum`: the one restart that makes a standalone server the first voter.

use schemars::JsonSchema;
use serde::Serialize;

use crate::document::{Document, Format};
use crate::first_quorum::{FirstQuorum, Hindrance, HindranceCode, StandaloneServer, WantedState};
use crate::model::{Endpoint, ServerId};
use crate::render::first_quorum::{FirstQuorumScreen, screen, words_for_hindrance};
use crate::settings::without_secrets;

/// A standalone server, and the restart that makes it the only voter of an ensemble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirstQuorumDocument {
    /// The label of the ensemble.
    pub ensemble: String,
    /// Whether the restart is possible as things are.
    pub possible: bool,
    /// The id that the server gets; `null` where the restart is not possible.
    pub server: Option<ServerId>,
    /// What the server shows of itself now.
    pub now: StandaloneEntry,
    /// Its files; `null` where the restart is not possible.
    pub files: Option<FilesEntry>,
    /// What is expected after it; `null` where the restart is not possible.
    pub expected: Option<ExpectedEntry>,
    /// The other wanted servers. None of them may run before the server leads.
    pub others: Vec<BesideEntry>,
    /// What is in the way.
    pub hindrances: Vec<HindranceEntry>,
    /// The command that comes next.
    pub next: Option<String>,
    /// The exit code of the command.
    pub exit_code: u8,
    /// The same for people.
    pub text: String,
}

impl Document for FirstQuorumDocument {
    const FORMAT: Format = Format { name: "first-quorum", major: 1, minor: 0 };
}

/// What a standalone server shows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StandaloneEntry {
    /// The client address at which it was asked.
    pub address: String,
    /// Its release.
    pub version: Option<String>,
    /// Its last zxid, in hexadecimal digits.
    pub zxid: Option<String>,
    /// The number of its znodes.
    pub znodes: Option<u64>,
    /// The approximate size of its data in bytes.
    pub bytes: Option<u64>,
    /// Open connections, zkplan's own included.
    pub connections: Option<u64>,
}

/// The files of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilesEntry {
    /// The folder of `myid`; `null` where it is not known.
    pub data_dir: Option<String>,
    /// What `myid` holds.
    pub my_id: String,
    /// The `zoo.cfg` that was given; `null` where none was.
    pub zoo_cfg: Option<String>,
    /// The lines to add to `zoo.cfg`, a key that is there already getting the new value; empty where
    /// a file was given.
    pub lines: Vec<String>,
    /// The edited file, without secrets; `null` where none was given.
    pub edited: Option<String>,
}

/// What is expected of the server after the restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExpectedEntry {
    /// Its config version, in hexadecimal digits.
    pub config_version: Option<String>,
    /// Its line, the only one of its membership.
    pub line: String,
    /// The number of its znodes, unless sessions end or clients delete some.
    pub znodes: Option<u64>,
}

/// Another wanted server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BesideEntry {
    /// Its id.
    pub server: ServerId,
    /// Whether it runs; `null` where that is not known.
    pub running: Option<bool>,
}

/// What is in the way of the restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HindranceEntry {
    /// Its word.
    pub code: HindranceCode,
    /// The servers that it is about.
    pub servers: Vec<ServerId>,
    /// The same for people.
    pub text: String,
}

impl FirstQuorumDocument {
    /// The document of what a screen shows.
    pub fn of(of: &FirstQuorumScreen<'_>, exit_code: u8) -> Self {
        let answer = of.answer;
        let first = answer.verdict.as_ref().ok();
        let reached = &answer.answered.reached.at;
        let hindrances = answer.verdict.as_ref().err().into_iter().flatten();
        let own = first.map(FirstQuorum::id);
        let others = answer.answered.wanted.iter().filter(|(id, _)| Some(**id) != own);
        Self {
            ensemble: of.ensemble.to_owned(),
            possible: first.is_some(),
            server: own,
            now: StandaloneEntry::of(answer.now()),
            files: first.map(FilesEntry::of),
            expected: first.map(ExpectedEntry::of),
            others: others.map(|(id, beside)| BesideEntry::of(*id, *beside)).collect(),
            hindrances: hindrances.map(|one| HindranceEntry::of(one, reached)).collect(),
            next: of.next.map(str::to_owned),
            exit_code,
            text: screen(of).to_string_with(false).trim_end().to_owned(),
        }
    }
}

impl StandaloneEntry {
    fn of(now: &StandaloneServer) -> Self {
        Self {
            address: now.at.to_string(),
            version: now.version.map(|version| version.to_string()),
            zxid: now.noted.map(|noted| format!("{:x}", noted.zxid.get())),
            znodes: now.noted.map(|noted| noted.znodes),
            bytes: now.bytes,
            connections: now.connections,
        }
    }
}

impl FilesEntry {
    fn of(first: &FirstQuorum) -> Self {
        let files = &first.files;
        let after = without_secrets(&files.zoo_cfg.after);
        Self {
            data_dir: files.data_dir.clone(),
            my_id: files.my_id.to_string(),
            zoo_cfg: files.given.clone(),
            lines: files.lines().map(str::to_owned).collect(),
            edited: files.given.is_some().then_some(after),
        }
    }
}

impl ExpectedEntry {
    fn of(first: &FirstQuorum) -> Self {
        let noted = first.now.noted;
        Self {
            config_version: noted.map(|noted| format!("{:x}", noted.first_version())),
            line: first.server.to_string(),
            znodes: noted.map(|noted| noted.znodes),
        }
    }
}

impl BesideEntry {
    const fn of(server: ServerId, beside: WantedState) -> Self {
        let running = match beside {
            WantedState::Down => Some(false),
            WantedState::Unknown(_) | WantedState::NotAsked => None,
            WantedState::Standalone
            | WantedState::Looks
            | WantedState::Serves(_)
            | WantedState::Runs => Some(true),
        };
        Self { server, running }
    }
}

impl HindranceEntry {
    fn of(hindrance: &Hindrance, reached: &Endpoint) -> Self {
        Self {
            code: hindrance.code(),
            servers: hindrance.servers(),
            text: words_for_hindrance(hindrance, reached),
        }
    }
}

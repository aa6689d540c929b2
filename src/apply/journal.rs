//! The journal: the state of a run in the ensemble, so that it can be resumed from any machine.
//!
//! ```text
//! /zkplan/id                   the identity of the ensemble, made at the first apply
//! /zkplan/lock                 the holder of the lock; ephemeral
//! /zkplan/runs/0000000001      one run: its header
//!                 …/plan-0     the whole plan, in pieces that fit into a znode
//!                 …/mark       written to when data are compared
//!                 …/0000000001 what was intended and its result, one entry a znode
//! ```
//!
//! The journal attributes and explains. It decides nothing: the live configuration shows which
//! reconfigs are done ([`super::position`]), and gates, attestations and commands are checked by a
//! survey or asked again. Its content is trusted only in znodes that are proven ([`crate::trust`],
//! [`super::journal_reader`]).
//!
//! Every znode has a `formatVersion`. Later versions add keys and kinds of entries. Content that
//! this version does not understand is counted and named ([`Illegible`]), never ignored. Journals of
//! zkplan 0.1 have no version and are read as version 0.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use super::stamp::{BackupNote, Cause, Stamp};
use super::wait::Occupied;
use crate::model::{Endpoint, Server};
use crate::observe::contact;
use crate::plan::StepId;
use crate::trust::Unproven;

/// The `format` key of a header.
const FORMAT: &str = "zkplan/run";

/// The version that this program writes.
const FORMAT_VERSION: u32 = 1;

/// A znode holds at most a mebibyte (`jute.maxbuffer`), so a plan is split into pieces of this
/// size.
const PIECE_BYTES: usize = 512 * 1024;

/// The content of the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockText {
    #[serde(default)]
    format_version: u32,
    /// Its holder, and the time of locking.
    #[serde(flatten)]
    pub by: Stamp,
    /// The operation, like `apply`.
    pub operation: String,
    /// The plan that is applied.
    #[serde(alias = "plan_id")]
    pub plan_id: String,
    /// Why it is done.
    #[serde(flatten)]
    pub cause: Cause,
}

/// The content of the ensemble's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityText {
    #[serde(default)]
    format_version: u32,
    /// Made once, at the first apply.
    pub id: String,
    /// The label that the ensemble had then.
    pub ensemble: String,
}

/// The content of a run's own znode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    format: String,
    #[serde(default)]
    format_version: u32,
    /// The plan that the run carries out.
    #[serde(alias = "plan_id")]
    pub plan_id: String,
    /// The label of the ensemble.
    pub ensemble: String,
    /// In how many pieces the plan is kept.
    pub pieces: usize,
    /// The addresses of leaving servers, because no later configuration will contain them.
    pub leaving: BTreeMap<i64, LeavingText>,
    /// The user who opened it.
    pub opened: Stamp,
    /// Why it was opened.
    #[serde(flatten)]
    pub cause: Cause,
}

/// Where a server that leaves was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeavingText {
    /// Its line before.
    pub line: String,
    /// `host:port` of its client port, where it was known.
    pub client: Option<String>,
    /// Whether that port uses TLS.
    pub tls: bool,
}

/// One entry of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    #[serde(default)]
    format_version: u32,
    /// Its content.
    #[serde(flatten)]
    pub entry: Entry,
    /// The apply that wrote it.
    pub nonce: String,
    /// The time, as the clock of that host had it.
    pub at: String,
    /// What the apply has measured since its last entry. For people: nothing is decided by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<MeasuredGap>,
}

/// The longest time without a committed write of an apply around a reconfig.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeasuredGap {
    /// The step that sent the reconfig.
    pub step: StepId,
    /// The time.
    pub gap_ms: u64,
}

/// The content of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// An apply took the run up.
    Claimed {
        /// The user, as `user@host`.
        who: String,
        /// The backup that was given and passed. For people: nothing is decided by it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backup: Option<BackupNote>,
    },
    /// A fence is about to be sent.
    FenceIntent {
        /// The version that it starts from.
        version: String,
    },
    /// A fence has committed: whatever was sent before it is refused for ever.
    Fenced {
        /// The version that it started from.
        from: String,
        /// The version that it made.
        version: String,
    },
    /// A reconfig is about to be sent.
    Intent {
        /// The step.
        step: StepId,
        /// The version that it starts from.
        version: String,
    },
    /// A reconfig has committed.
    Committed {
        /// The step.
        step: StepId,
        /// The version that it made.
        version: String,
        /// How that is known.
        known: CommitEvidence,
    },
    /// A reconfig was not carried out, and never will be.
    NotApplied {
        /// The step.
        step: StepId,
        /// Why that is known.
        because: String,
    },
    /// A reconfig without an answer can never commit from now on. It may have committed and been
    /// reverted before; no configuration shows that.
    Disarmed {
        /// The step.
        step: StepId,
    },
    /// A gate was passed.
    Passed {
        /// The gate.
        step: StepId,
        /// Why.
        how: GateOpenedBy,
        /// The clients that were on servers that leave, the first of them. For people: nothing is
        /// decided by it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        clients: Vec<PassedClient>,
    },
    /// The operator attested that a data directory is blank.
    Attested {
        /// The step.
        step: StepId,
    },
    /// A command is about to be run.
    HookIntent {
        /// The step.
        step: StepId,
    },
    /// A command has ended.
    HookEnded {
        /// The step.
        step: StepId,
        /// How.
        how: HookEnd,
    },
    /// A server that was stopped is gone.
    Gone {
        /// The step.
        step: StepId,
    },
    /// The apply stopped, and the run can be resumed.
    Stopped {
        /// Why.
        why: String,
    },
    /// The run has done everything.
    Closed,
    /// The run ended before any request but its fence was sent and before a command was run. There
    /// is nothing to resume.
    Withdrawn,
    /// The run was abandoned.
    Abandoned {
        /// The user, as `user@host`.
        who: String,
    },
}

/// How it is known that a reconfig has committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommitEvidence {
    /// By the server's reply.
    Reply,
    /// By reading the configuration while holding the lock.
    ReadBack,
    /// A later apply found it.
    Found,
}

/// Why a gate was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateOpenedBy {
    /// No client was left on the leaving servers.
    Drained,
    /// By approval.
    Approved,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookEnd {
    /// With exit status 0.
    Succeeded,
    /// With another exit status, or by a signal.
    Failed(String),
    /// It was still running at the time limit and was killed.
    TimedOut,
    /// It could not be started.
    NotStarted(String),
    /// The apply that ran it ended before it could record the result.
    Unknown,
}

/// What is known about a reconfig that was intended and got no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnresolvedRequest {
    /// The version that it starts from.
    pub from: String,
    /// Whether a fence has committed from that version. If so, the reconfig has not: a version has
    /// only one successor.
    pub is_fenced: bool,
}

/// A run as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub number: u64,
    /// Its header.
    pub header: Result<Header, Illegible>,
    /// Its entries, in order.
    pub records: Vec<Record>,
    /// Its entries that this version does not understand, by their numbers.
    pub illegible: BTreeMap<u64, Illegible>,
    /// The number of its last entry, understood or not. 0 if it has none.
    pub last: u64,
}

/// Why a znode of the journal is not understood.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Illegible {
    /// A newer zkplan wrote it, in that version of the format.
    Newer(u32),
    /// It is no text that zkplan writes.
    Garbled,
}

/// The runs of an ensemble, as far as they were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs {
    /// The latest, oldest first.
    pub latest: Vec<Run>,
    /// The highest number of any run, readable or not. 0 if there is none.
    pub highest: u64,
    /// How many runs there are, readable or not, read or not.
    pub count: usize,
    /// How many of them were not read, because newer ones were asked for.
    pub not_read: usize,
    /// Znodes of runs that are not proven. They are not believed.
    pub unproven: Vec<Unproven>,
}

/// A client that a gate let pass.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PassedClient {
    /// The server that it was on.
    pub server: i64,
    /// Its session, in hex.
    pub session: String,
    /// Its address.
    pub from: String,
    /// Its ephemeral znodes, the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owns: Vec<String>,
}

impl PassedClient {
    /// The most that an entry keeps: a znode holds a mebibyte.
    const MOST: usize = 200;

    /// The most of its znodes that are kept.
    const MOST_OWNED: usize = 3;

    /// Those on these servers.
    pub fn of(occupied: &[Occupied]) -> Vec<Self> {
        let of_server = |on: &Occupied| {
            let (server, clients) = (on.server.get(), on.clients.clone().unwrap_or_default());
            clients.sessions.into_iter().map(move |one| Self {
                server,
                session: format!("0x{:x}", one.id),
                from: one.from,
                owns: one.owns.into_iter().take(Self::MOST_OWNED).collect(),
            })
        };
        occupied.iter().flat_map(of_server).take(Self::MOST).collect()
    }
}

impl Entry {
    /// Its name, with its step.
    pub fn name(&self) -> String {
        let (word, step) = match self {
            Self::Claimed { .. } => ("claimed", None),
            Self::FenceIntent { .. } => ("fence-intent", None),
            Self::Fenced { .. } => ("fenced", None),
            Self::Intent { step, .. } => ("intent", Some(step)),
            Self::Committed { step, .. } => ("committed", Some(step)),
            Self::NotApplied { step, .. } => ("not-applied", Some(step)),
            Self::Disarmed { step } => ("disarmed", Some(step)),
            Self::Passed { step, .. } => ("passed", Some(step)),
            Self::Attested { step } => ("attested", Some(step)),
            Self::HookIntent { step } => ("hook-intent", Some(step)),
            Self::HookEnded { step, .. } => ("hook-ended", Some(step)),
            Self::Gone { step } => ("gone", Some(step)),
            Self::Stopped { .. } => ("stopped", None),
            Self::Closed => ("closed", None),
            Self::Withdrawn => ("withdrawn", None),
            Self::Abandoned { .. } => ("abandoned", None),
        };
        step.map_or_else(|| word.to_owned(), |step| format!("{word} {step}"))
    }
}

impl Header {
    /// The header of a new run.
    pub fn new(
        plan_id: String,
        ensemble: String,
        pieces: usize,
        leaving: BTreeMap<i64, LeavingText>,
        opened: Stamp,
    ) -> Self {
        let (format, format_version) = (FORMAT.to_owned(), FORMAT_VERSION);
        let cause = Cause::default();
        Self { format, format_version, plan_id, ensemble, pieces, leaving, opened, cause }
    }

    /// Reads a header.
    ///
    /// # Errors
    ///
    /// Why it is not understood.
    pub fn read(data: &[u8]) -> Result<Self, Illegible> {
        let header: Self = legible(data)?;
        if header.format == FORMAT { Ok(header) } else { Err(Illegible::Garbled) }
    }

    /// The address of a leaving server, if it has this line.
    pub fn reached(&self, line: &Server) -> Option<Endpoint> {
        let text = self.leaving.get(&line.id.get())?;
        let same = text.line == line.to_string();
        contact(text.client.as_deref()?, text.tls).filter(|_| same)
    }
}

impl LockText {
    /// The header that this program writes.
    pub fn new(by: Stamp, operation: &str, plan_id: String) -> Self {
        let operation = operation.to_owned();
        let cause = Cause::default();
        Self { format_version: FORMAT_VERSION, by, operation, plan_id, cause }
    }
}

impl IdentityText {
    /// The identity that this program writes.
    pub fn new(id: String, ensemble: String) -> Self {
        Self { format_version: FORMAT_VERSION, id, ensemble }
    }

    /// The id in the text of the znode; the whole text where it is none that zkplan writes.
    pub fn id_in(text: &str) -> String {
        read(text.as_bytes()).map_or_else(|| text.to_owned(), |known: Self| known.id)
    }
}

impl Record {
    /// The record that this program writes.
    pub fn new(entry: Entry, nonce: String, at: String) -> Self {
        Self { format_version: FORMAT_VERSION, entry, nonce, at, measured: None }
    }

    /// Reads an entry.
    ///
    /// # Errors
    ///
    /// Why it is not understood.
    pub fn read(data: &[u8]) -> Result<Self, Illegible> {
        legible(data)
    }
}

impl Run {
    /// The plan that it carries out, where its header is understood.
    pub fn plan_id(&self) -> Option<&str> {
        self.header.as_ref().ok().map(|header| header.plan_id.as_str())
    }

    /// Whether it carries out that plan.
    pub fn is_of(&self, plan_id: &str) -> bool {
        self.plan_id() == Some(plan_id)
    }

    /// Whether it has an entry, understood or not.
    pub const fn is_begun(&self) -> bool {
        self.last > 0
    }

    /// Whether it was begun and is neither complete nor abandoned, as far as its entries are
    /// understood.
    pub fn is_open(&self) -> bool {
        self.is_begun()
            && !self.records.iter().any(|r| {
                matches!(r.entry, Entry::Closed | Entry::Withdrawn | Entry::Abandoned { .. })
            })
    }

    /// Whether a request other than a fence was sent, or a command run, as far as its entries are
    /// understood. Entries that are not understood count as either.
    pub fn has_acted(&self) -> bool {
        let acts = |r: &Record| matches!(r.entry, Entry::Intent { .. } | Entry::HookIntent { .. });
        !self.illegible.is_empty() || self.records.iter().any(acts)
    }

    /// Hooks that were begun and whose result is unknown.
    pub fn hooks_in_doubt(&self) -> BTreeSet<StepId> {
        let mut doubt = BTreeSet::new();
        for record in &self.records {
            match &record.entry {
                Entry::HookIntent { step } => drop(doubt.insert(step.clone())),
                Entry::HookEnded { step, .. } => drop(doubt.remove(step)),
                _ => {}
            }
        }
        doubt
    }

    /// Reconfigs that were intended and have no further entry.
    pub fn reconfigs_in_doubt(&self) -> BTreeMap<StepId, UnresolvedRequest> {
        let (mut doubt, mut fenced) = (BTreeMap::new(), BTreeSet::new());
        for record in &self.records {
            match &record.entry {
                Entry::Intent { step, version } => {
                    doubt.insert(step.clone(), version);
                }
                Entry::Committed { step, .. }
                | Entry::NotApplied { step, .. }
                | Entry::Disarmed { step } => {
                    doubt.remove(step);
                }
                Entry::Fenced { from, .. } => {
                    fenced.insert(from);
                }
                _ => {}
            }
        }
        let unresolved = |(step, from): (StepId, &String)| {
            (step, UnresolvedRequest { from: from.clone(), is_fenced: fenced.contains(from) })
        };
        doubt.into_iter().map(unresolved).collect()
    }

    /// The reconfigs that are recorded as committed.
    pub fn committed(&self) -> BTreeSet<StepId> {
        let committed = |record: &Record| match &record.entry {
            Entry::Committed { step, .. } => Some(step.clone()),
            _ => None,
        };
        self.records.iter().filter_map(committed).collect()
    }

    /// The last version that it has made.
    pub fn last_version(&self) -> Option<&str> {
        self.records.iter().rev().find_map(|record| match &record.entry {
            Entry::Committed { version, .. } | Entry::Fenced { version, .. } => {
                Some(version.as_str())
            }
            _ => None,
        })
    }

    /// The versions that it accounts for.
    pub fn versions(&self) -> BTreeSet<&str> {
        let versions = self.records.iter().filter_map(|record| match &record.entry {
            Entry::Committed { version, .. } | Entry::Fenced { version, .. } => {
                Some(version.as_str())
            }
            _ => None,
        });
        versions.collect()
    }
}

/// The number in the name of a run or an entry.
pub fn number(name: &str) -> Option<u64> {
    name.parse().ok().filter(|_| name.len() == 10)
}

/// The text of a plan in pieces; plan files are ASCII.
pub fn pieces(plan: &str) -> Vec<&str> {
    let mut rest = plan;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let end = (1..=PIECE_BYTES.min(rest.len())).rev().find(|end| rest.is_char_boundary(*end));
        let (piece, left) = rest.split_at(end.unwrap_or(rest.len()));
        pieces.push(piece);
        rest = left;
    }
    pieces
}

/// Reads the content of a znode of the journal. `None` if it is malformed.
pub fn read<T: for<'de> Deserialize<'de>>(data: &[u8]) -> Option<T> {
    serde_json::from_slice(data).ok()
}

/// Reads the content of a versioned znode.
fn legible<T: for<'de> Deserialize<'de>>(data: &[u8]) -> Result<T, Illegible> {
    let value: serde_json::Value = read(data).ok_or(Illegible::Garbled)?;
    let version = value.get("formatVersion").map_or(Some(0), serde_json::Value::as_u64);
    match version.map(u32::try_from) {
        Some(Ok(version)) if version > FORMAT_VERSION => Err(Illegible::Newer(version)),
        Some(Ok(_)) => serde_json::from_value(value).map_err(|_| Illegible::Garbled),
        Some(Err(_)) => Err(Illegible::Newer(u32::MAX)),
        None => Err(Illegible::Garbled),
    }
}

/// Encodes the content of a znode of the journal.
pub fn write<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or(serde_json::Value::Null);
    crate::document::canonical(&value, false)
}

#[cfg(test)]
mod tests;

//! `zkplan/snapshot-archive`: what was packed. It is the first member of an archive.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::finding::{FileFinding, FileFindingKind, FileSeverity};
use super::super::verify::{DataVerdict, Verification};
use super::fault::{ArchiveFailure, ArchiveFault, ArchiveFaultKind};
use crate::document::{Document, Format};

/// The name of the manifest in an archive.
pub const MANIFEST_NAME: &str = "zkplan-archive.json";

/// What an archive of data files holds, as `zkplan snapshot pack` saw and verified it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchiveManifest {
    /// The release of zkplan that packed it.
    pub packed_by: String,
    /// When that was (UTC).
    pub packed_at: String,
    /// The directories that it was packed from: `dataDir`, and `dataLogDir` where that is another one.
    pub directories: Vec<String>,
    /// What the files were worth then.
    pub verdict: PackedVerdict,
    /// The snapshot that the data begin with.
    pub base: String,
    /// The last transaction in the archive.
    pub last_zxid: String,
    /// The transaction up to which the digest showed that the data are what they were on the server.
    pub proven_zxid: Option<String>,
    /// The snapshots, logs and epoch files of the archive.
    pub files: Vec<PackedFile>,
}

impl Document for ArchiveManifest {
    const FORMAT: Format = Format { name: "snapshot-archive", major: 1, minor: 0 };
}

/// What files were worth when they were packed. What is damaged is not packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PackedVerdict {
    /// They were whole, and the digest showed it.
    Whole,
    /// Nothing damaged was found, and they did not show that nothing was missing.
    NotProvable,
}

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackedFile {
    /// Its name in `version-2`.
    pub file: String,
    /// What it is.
    pub kind: PackedKind,
    /// Its length in the archive, in bytes.
    pub bytes: u64,
    /// Its length on the server. A log is longer there: a server fills it with zeros ahead.
    pub bytes_on_server: u64,
    /// The SHA-256 of its bytes in the archive, in hex.
    pub sha256: String,
    /// The zxid in its name; `null` for an epoch file.
    pub zxid: Option<String>,
    /// Of a log its first transaction.
    pub first_zxid: Option<String>,
    /// Of a log its last transaction; of a snapshot the last one that the server wrote into it, where it
    /// wrote that.
    pub last_zxid: Option<String>,
    /// Of a log how many transactions it has.
    pub transactions: Option<u64>,
    /// Of a snapshot how many znodes it has, the root included.
    pub znodes: Option<u64>,
    /// Of a snapshot how many seals it has: 1 in 3.5, 2 from 3.6 on, 3 from 3.9 on.
    pub seals: Option<u8>,
    /// The tree digest that the server wrote into a snapshot.
    pub digest: Option<PackedDigest>,
}

/// What a packed file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PackedKind {
    /// A snapshot.
    Snapshot,
    /// A transaction log.
    Log,
    /// `acceptedEpoch` or `currentEpoch`.
    Epoch,
}

/// A tree digest, as `DataTree.ZxidDigest` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackedDigest {
    /// Behind which transaction.
    pub zxid: String,
    /// The version of the digest.
    pub version: i32,
    /// The digest in hex, as the four-letter word `hash` prints it.
    pub value: String,
}

impl ArchiveManifest {
    /// The manifest in these bytes.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ArchiveFailure> {
        let fault = |kind| ArchiveFailure::from(ArchiveFault::of(MANIFEST_NAME, kind));
        let bad = |error: String| fault(ArchiveFaultKind::BadManifest(error));
        let value: Value = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        if text("format") != Self::FORMAT.key() {
            return Err(bad(format!("its format is not {}", Self::FORMAT.key())));
        }
        let version = text("formatVersion").to_owned();
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        match major {
            Some(major) if major == Self::FORMAT.major => {}
            Some(major) if major > Self::FORMAT.major => {
                return Err(fault(ArchiveFaultKind::NewerManifest(version)));
            }
            _ => return Err(bad("it has no formatVersion that zkplan knows".to_owned())),
        }
        serde_json::from_value(value).map_err(|error| bad(error.to_string()))
    }
}

/// What a verification of files from an archive means beside what was known when they were packed: what
/// could not be proven there cannot be proven here.
#[must_use]
pub fn packed_verdict(mut seen: Verification, manifest: Option<&ArchiveManifest>) -> Verification {
    let was_unproven =
        manifest.is_some_and(|manifest| manifest.verdict == PackedVerdict::NotProvable);
    if was_unproven && seen.verdict == DataVerdict::Whole {
        seen.verdict = DataVerdict::NotProvable;
        let kind = FileFindingKind::PackedUnproven;
        seen.findings.insert(0, FileFinding::new(FileSeverity::NotProvable, None, kind));
    }
    seen
}

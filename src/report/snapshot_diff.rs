//! `zkplan/snapshot-diff`: what differs between the trees of two sets of data files.

use schemars::JsonSchema;
use serde::Serialize;

use super::data_files::VerdictWord;
use crate::document::{Document, Format};
use crate::model::Zxid;
use crate::render::Text;
use crate::render::data_files::{session_id, verdict};
use crate::render::snapshot_diff::{DiffScreen, last_at, summary};
use crate::snapshot::{ChangedSubtree, ChangedZnode, DiffSide, ZnodeChange};

/// What differs between the trees of two sets of data files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotDiffDocument {
    /// The first.
    pub a: DiffSideEntry,
    /// The second.
    pub b: DiffSideEntry,
    /// All znodes that differ.
    pub all: ChangedSubtreeEntry,
    /// Parts of it, those with most differences first.
    pub subtrees: Vec<ChangedSubtreeEntry>,
    /// How many parts differ.
    pub subtree_count: usize,
    /// Znodes that differ, by path; the first of them.
    pub znodes: Vec<ChangedZnodeEntry>,
    /// How many znodes differ that are not listed.
    pub znodes_left: u64,
    /// Sessions that are only open in the first, in hex; the first of them.
    pub only_in_a: Vec<String>,
    /// How many those are.
    pub only_in_a_count: usize,
    /// Sessions that are only open in the second, in hex; the first of them.
    pub only_in_b: Vec<String>,
    /// How many those are.
    pub only_in_b_count: usize,
    /// The counts in one sentence, for people.
    pub summary: String,
    /// What the command exits with.
    pub exit_code: u8,
    /// The screen, for people.
    pub text: String,
}

impl Document for SnapshotDiffDocument {
    const FORMAT: Format = Format { name: "snapshot-diff", major: 1, minor: 0 };
}

/// One side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiffSideEntry {
    /// The directory, the snapshot or the archive, as it was given.
    pub path: String,
    /// What its files are worth.
    pub verdict: VerdictWord,
    /// The verdict in one sentence, for people.
    pub summary: String,
    /// The last transaction in the files.
    pub last_zxid: Option<String>,
    /// When the last transaction in its logs was (UTC).
    pub last_at: Option<String>,
    /// Znodes at and below the path that was asked for.
    pub znodes: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
    /// How many of them are ephemeral.
    pub ephemerals: u64,
    /// Open sessions.
    pub sessions: u64,
}

/// What differs in a subtree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangedSubtreeEntry {
    /// The path of its top.
    pub path: String,
    /// Znodes that are only in the second.
    pub created: u64,
    /// Znodes that are only in the first.
    pub deleted: u64,
    /// Znodes that were deleted and created again.
    pub recreated: u64,
    /// Other znodes that were changed.
    pub changed: u64,
    /// Of these, those whose data were set, or are others.
    pub data: u64,
    /// Of these, those whose access control list was set.
    pub acl: u64,
    /// Bytes of data of the znodes that differ, in the first.
    pub bytes_in_a: u64,
    /// The same in the second.
    pub bytes_in_b: u64,
}

/// A znode that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangedZnodeEntry {
    /// Its path.
    pub path: String,
    /// What became of it.
    pub change: ZnodeChangeWord,
    /// Whether its data were set, or are others.
    pub data: bool,
    /// Whether its access control list was set. The lists are not compared.
    pub acl: bool,
    /// Bytes of its data in the first; `null` where it is not there.
    pub bytes_in_a: Option<u64>,
    /// Bytes of its data in the second; `null` where it is not there.
    pub bytes_in_b: Option<u64>,
    /// The transaction that set its data last, in the second where it is there.
    pub mzxid: String,
}

/// What became of a znode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ZnodeChangeWord {
    /// It is only in the second.
    Created,
    /// It is only in the first.
    Deleted,
    /// It was deleted and created again.
    Recreated,
    /// The same znode was changed.
    Changed,
}

fn zxid(number: u64) -> String {
    Zxid::new(number).to_string()
}

impl SnapshotDiffDocument {
    /// What is known of both.
    pub fn of(screen: &DiffScreen<'_>, text: &Text, exit_code: u8) -> Self {
        let found = screen.found;
        let ids = |ids: &[i64]| ids.iter().map(|id| session_id(*id)).collect();
        Self {
            a: DiffSideEntry::of(screen.paths[0], &found.before),
            b: DiffSideEntry::of(screen.paths[1], &found.after),
            all: (&found.all).into(),
            subtrees: found.subtrees.iter().map(Into::into).collect(),
            subtree_count: found.subtree_count,
            znodes: found.znodes.iter().map(Into::into).collect(),
            znodes_left: found.left(),
            only_in_a: ids(&found.closed),
            only_in_a_count: found.closed_count,
            only_in_b: ids(&found.opened),
            only_in_b_count: found.opened_count,
            summary: summary(found),
            exit_code,
            text: text.to_string_with(false).trim_end().to_owned(),
        }
    }
}

impl DiffSideEntry {
    fn of(path: &str, side: &DiffSide) -> Self {
        let of = &side.verification;
        Self {
            path: path.to_owned(),
            verdict: of.verdict.into(),
            summary: verdict(of).plain_text(),
            last_zxid: of.last_zxid.map(zxid),
            last_at: last_at(of),
            znodes: side.znodes,
            data_bytes: side.data_bytes,
            ephemerals: side.ephemerals,
            sessions: side.sessions,
        }
    }
}

impl From<&ChangedSubtree> for ChangedSubtreeEntry {
    fn from(of: &ChangedSubtree) -> Self {
        let ChangedSubtree { path, created, deleted, recreated, data, acl, .. } = of;
        Self {
            path: path.clone(),
            created: *created,
            deleted: *deleted,
            recreated: *recreated,
            changed: of.changed,
            data: *data,
            acl: *acl,
            bytes_in_a: of.before_bytes,
            bytes_in_b: of.after_bytes,
        }
    }
}

impl From<&ChangedZnode> for ChangedZnodeEntry {
    fn from(of: &ChangedZnode) -> Self {
        let ChangedZnode { path, change, before_bytes, after_bytes, mzxid } = of;
        let (change, data, acl) = match *change {
            ZnodeChange::Created => (ZnodeChangeWord::Created, false, false),
            ZnodeChange::Deleted => (ZnodeChangeWord::Deleted, false, false),
            ZnodeChange::Recreated => (ZnodeChangeWord::Recreated, false, false),
            ZnodeChange::Changed { data, acl } => (ZnodeChangeWord::Changed, data, acl),
        };
        Self {
            path: path.clone(),
            change,
            data,
            acl,
            bytes_in_a: *before_bytes,
            bytes_in_b: *after_bytes,
            mzxid: zxid(*mzxid),
        }
    }
}

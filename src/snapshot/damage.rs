//! What can be wrong with a file, and where.

use std::io;

use schemars::JsonSchema;
use serde::Serialize;

/// A place in a file from which on it is not what a server writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Damage {
    /// How many bytes stand before the place; of a compressed file, bytes of what is in it.
    pub offset: u64,
    /// The field of ZooKeeper's format that begins there or that is wrong.
    pub field: String,
    /// What is wrong with it.
    #[serde(flatten)]
    pub kind: DamageKind,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum DamageKind {
    /// The file ends inside it.
    Truncated,
    /// It has a value that no server writes.
    Value {
        /// The value.
        value: i64,
    },
    /// A length that is negative, or beyond what any server takes.
    Length {
        /// The length.
        length: i64,
    },
    /// The bytes before it do not have this checksum.
    Checksum {
        /// The checksum in the file.
        stored: u64,
        /// The checksum of the bytes.
        computed: u64,
    },
    /// A znode stands before its parent, or twice, or has no path that a znode can have.
    Path {
        /// The path.
        path: String,
    },
    /// Bytes that belong to nothing.
    Surplus,
    /// The compression is broken.
    Compression {
        /// What the decompressor says.
        reason: String,
    },
}

/// Why a file was not read to its end.
#[derive(Debug)]
pub(super) enum ReadFailure {
    /// The file could not be read: it says nothing of what is in it.
    Io(io::Error),
    /// What was read is wrong.
    Damaged(Damage),
}

impl ReadFailure {
    /// Of a field that begins there.
    pub(super) fn new(offset: u64, field: &str, kind: DamageKind) -> Self {
        Self::Damaged(Damage { offset, field: field.to_owned(), kind })
    }
}

/// A path for people: bytes that are no UTF-8 become U+FFFD, and a very long one loses its end.
pub(super) fn shown(path: &[u8]) -> String {
    const LONGEST: usize = 512;
    String::from_utf8_lossy(&path[..path.len().min(LONGEST)]).into_owned()
}

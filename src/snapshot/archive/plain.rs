//! Compressed snapshots as 3.5 can load them, which knows none.

use std::io::{self, Read, Write};

use super::super::compression::{Compression, opened};
use super::super::names::{FileRole, role_of};

/// The name that a compressed snapshot has where it is stored plain; `None` of any other file.
pub fn plain_name(name: &str) -> Option<String> {
    compressed(name).map(|(zxid, _)| format!("snapshot.{zxid:x}"))
}

fn compressed(name: &str) -> Option<(u64, Compression)> {
    match role_of(name) {
        FileRole::Snapshot { zxid, compression } if compression != Compression::Plain => {
            Some((zxid, compression))
        }
        _ => None,
    }
}

/// Writes what is in a snapshot, of which that many bytes were verified.
///
/// # Errors
/// What the system says; or that more or less is in it than was verified.
pub fn write_plain(
    name: &str,
    file: impl Read,
    verified: u64,
    to: &mut impl Write,
) -> io::Result<()> {
    let compression = compressed(name).map_or(Compression::Plain, |(_, compression)| compression);
    let mut inside = opened(file, compression).take(verified.saturating_add(1));
    let count = io::copy(&mut inside, to)?;
    if count == verified { Ok(()) } else { Err(io::Error::other("the snapshot was changed")) }
}

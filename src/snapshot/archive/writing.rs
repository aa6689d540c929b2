//! Packs files.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use super::super::files::{DataFiles, DataListing};
use super::super::names::{FileRole, role_of};
use super::super::scan::{ScannedLog, ScannedSnapshot};
use super::super::source::wide;
use super::super::verify::{DataVerdict, Verification};
use super::manifest::{
    ArchiveManifest, MANIFEST_NAME, PackedDigest, PackedFile, PackedKind, PackedVerdict,
};
use super::parts::ArchivePart;
use super::reading::in_hex;
use crate::document::Document as _;

/// The folder of the files in an archive, which is the one that a server makes in `dataDir`.
const FOLDER: &str = "version-2";

/// Why an archive was not written.
#[derive(Debug)]
pub enum PackFailure {
    /// A file of the server cannot be read.
    Read(String, io::Error),
    /// The bytes of a file are not those that were verified.
    Changed(String),
    /// The archive cannot be written.
    Write(io::Error),
}

/// What will be packed: the hash of each part is taken here.
///
/// # Errors
/// Where a file cannot be read, or has become shorter.
pub fn manifest_of(
    seen: &Verification,
    (parts, epochs): (&[ArchivePart], Option<&DataListing>),
    files: &impl DataFiles,
    (directories, packed_by, packed_at): (&[String], &str, &str),
) -> Result<ArchiveManifest, PackFailure> {
    let mut packed: Vec<PackedFile> = Vec::new();
    for (name, text) in epochs.map(epoch_files).unwrap_or_default() {
        packed.push(packed_epoch(name, text));
    }
    for part in parts {
        let mut hash = Sha256::new();
        copy_part(part, files, &mut |bytes| {
            hash.update(bytes);
            Ok(())
        })?;
        packed.push(packed_file(part, seen, in_hex(hash)));
    }
    Ok(ArchiveManifest {
        packed_by: packed_by.to_owned(),
        packed_at: packed_at.to_owned(),
        directories: directories.to_vec(),
        verdict: match seen.verdict {
            DataVerdict::Whole => PackedVerdict::Whole,
            DataVerdict::NotProvable | DataVerdict::Damaged => PackedVerdict::NotProvable,
        },
        base: seen.base.clone().unwrap_or_default(),
        last_zxid: hex(seen.last_zxid.unwrap_or_default()),
        proven_zxid: seen.proven.map(hex),
        files: packed,
    })
}

/// As ZooKeeper prints a zxid.
fn hex(zxid: u64) -> String {
    format!("{zxid:#x}")
}

/// The epoch files, with what is in them.
fn epoch_files(listing: &DataListing) -> Vec<(&'static str, &str)> {
    let both =
        [("acceptedEpoch", &listing.accepted_epoch), ("currentEpoch", &listing.current_epoch)];
    both.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))).collect()
}

fn packed_epoch(name: &str, text: &str) -> PackedFile {
    let mut hash = Sha256::new();
    hash.update(text.as_bytes());
    let bytes = wide(text.len());
    PackedFile { bytes_on_server: bytes, ..plain(name, PackedKind::Epoch, bytes, in_hex(hash)) }
}

fn plain(file: &str, kind: PackedKind, bytes: u64, sha256: String) -> PackedFile {
    PackedFile {
        file: file.to_owned(),
        kind,
        bytes,
        bytes_on_server: bytes,
        sha256,
        zxid: None,
        first_zxid: None,
        last_zxid: None,
        transactions: None,
        znodes: None,
        seals: None,
        digest: None,
    }
}

fn packed_file(part: &ArchivePart, seen: &Verification, sha256: String) -> PackedFile {
    let name = &part.file.name;
    let kind = match role_of(name) {
        FileRole::Snapshot { .. } => PackedKind::Snapshot,
        FileRole::Log { .. } => PackedKind::Log,
        FileRole::Epoch | FileRole::Other => unreachable!("no part of an archive: {name}"),
    };
    let mut packed = plain(name, kind, part.length(), sha256);
    packed.bytes_on_server = part.file.length;
    let is_it = |snapshot: &&ScannedSnapshot| snapshot.file == part.file;
    if let Some(snapshot) = seen.snapshots.iter().find(is_it) {
        let facts = snapshot.state.whole();
        let stored = facts.and_then(|facts| facts.stored_digest);
        packed.zxid = Some(hex(snapshot.zxid));
        packed.znodes = facts.map(|facts| facts.znodes);
        packed.seals = facts.map(|facts| facts.seals);
        packed.last_zxid = stored.filter(|stored| stored.zxid != 0).map(|stored| hex(stored.zxid));
        packed.digest = stored.map(|stored| PackedDigest {
            zxid: hex(stored.zxid),
            version: stored.version,
            value: format!("{:x}", stored.value),
        });
    }
    let is_it = |log: &&ScannedLog| log.file == part.file;
    if let Some(log) = seen.logs.iter().find(is_it) {
        packed.zxid = Some(hex(log.zxid));
        packed.first_zxid = log.facts.first.map(hex);
        packed.last_zxid = log.facts.last.map(hex);
        packed.transactions = Some(log.facts.records);
    }
    packed
}

/// Writes an archive: the manifest, and each file that it has. The bytes are held against the manifest.
///
/// # Errors
/// What the system says, or which file has changed since the manifest was made.
pub fn write_archive(
    mut to: impl Write,
    manifest: &ArchiveManifest,
    (parts, epochs): (&[ArchivePart], Option<&DataListing>),
    files: &impl DataFiles,
) -> Result<(), PackFailure> {
    let to = &mut to;
    let text = manifest.to_text();
    member(to, MANIFEST_NAME, wide(text.len()))?;
    to.write_all(text.as_bytes()).map_err(PackFailure::Write)?;
    pad(to, wide(text.len()))?;
    for (name, text) in epochs.map(epoch_files).unwrap_or_default() {
        member(to, &format!("{FOLDER}/{name}"), wide(text.len()))?;
        to.write_all(text.as_bytes()).map_err(PackFailure::Write)?;
        pad(to, wide(text.len()))?;
    }
    for part in parts {
        let name = &part.file.name;
        member(to, &format!("{FOLDER}/{name}"), part.length())?;
        let mut hash = Sha256::new();
        copy_part(part, files, &mut |bytes| {
            hash.update(bytes);
            to.write_all(bytes)
        })?;
        let wanted = manifest.files.iter().find(|packed| packed.file == *name);
        if wanted.map(|packed| &packed.sha256) != Some(&in_hex(hash)) {
            return Err(PackFailure::Changed(name.clone()));
        }
        pad(to, part.length())?;
    }
    to.write_all(&[0; 1024]).map_err(PackFailure::Write)
}

/// The header of a member.
fn member(to: &mut impl Write, name: &str, size: u64) -> Result<(), PackFailure> {
    let mut header = Header::new_gnu();
    header.set_path(name).map_err(PackFailure::Write)?;
    header.set_size(size);
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    to.write_all(header.as_bytes()).map_err(PackFailure::Write)
}

fn pad(to: &mut impl Write, size: u64) -> Result<(), PackFailure> {
    let zeros = usize::try_from((512 - size % 512) % 512).unwrap_or_default();
    to.write_all(&[0; 512][..zeros]).map_err(PackFailure::Write)
}

/// Hands on the bytes of a part.
fn copy_part(
    part: &ArchivePart,
    files: &impl DataFiles,
    take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), PackFailure> {
    let name = || part.file.name.clone();
    let unreadable = |error| PackFailure::Read(name(), error);
    let opened = files.open(&part.file).map_err(unreadable)?;
    let mut kept = opened.take(part.keep);
    let mut buffer = vec![0; 64 * 1024];
    let mut copied = 0;
    loop {
        let count = match kept.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(error)),
            Ok(count) => count,
        };
        if count == 0 {
            break;
        }
        copied += wide(count);
        take(&buffer[..count]).map_err(PackFailure::Write)?;
    }
    if copied < part.keep {
        return Err(PackFailure::Changed(name()));
    }
    let zeros = usize::try_from(part.zeros).unwrap_or_default();
    take(&vec![0; zeros]).map_err(PackFailure::Write)
}

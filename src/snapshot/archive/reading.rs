//! An archive from its first byte to its last, held against its manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use super::super::files::{DataListing, DataSide, ListedFile};
use super::super::names::{FileRole, role_of};
use super::super::source::wide;
use super::fault::{ArchiveFailure, ArchiveFault, ArchiveFaultKind};
use super::manifest::{ArchiveManifest, MANIFEST_NAME, PackedFile};
use super::members::{Member, Members};
use super::wrapping::{Unwrapped, Wrapping};

/// A manifest has some hundred bytes for each file.
const LONGEST_MANIFEST: u64 = 16 * 1024 * 1024;

/// What is kept of the beginning and of the end of a file.
pub(super) const KEPT_BEGIN: usize = 64;
pub(super) const KEPT_END: usize = 16;

/// Takes the files of an archive while it is read.
pub trait ArchiveSink {
    /// Learns how many bytes will come, where a manifest says so.
    ///
    /// # Errors
    /// Where there is no room for them.
    fn room_for(&mut self, bytes: u64) -> io::Result<()>;

    /// A file begins.
    ///
    /// # Errors
    /// What the system says.
    fn begin(&mut self, name: &str) -> io::Result<()>;

    /// Its next bytes.
    ///
    /// # Errors
    /// What the system says.
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// It ends.
    ///
    /// # Errors
    /// What the system says.
    fn end(&mut self) -> io::Result<()>;
}

/// Only wants to know whether the archive is right.
impl ArchiveSink for () {
    fn room_for(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn begin(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn bytes(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file of `version-2` in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedFile {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
    /// Where it begins in the tar stream.
    pub(super) offset: u64,
    pub(super) first: Vec<u8>,
    pub(super) last: Vec<u8>,
}

/// An archive that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveContents {
    /// How it is compressed.
    pub wrapping: Wrapping,
    /// Its length in bytes.
    pub packed_bytes: u64,
    /// What zkplan wrote of it; `None` where another tool has made it.
    pub manifest: Option<ArchiveManifest>,
    /// The files that a server reads, in the order of the archive.
    pub files: Vec<ArchivedFile>,
    /// Members that are none of them, by their names in the archive.
    pub others: Vec<String>,
}

impl ArchiveContents {
    /// Its files as those of a directory.
    pub fn listing(&self) -> DataListing {
        let listed = |file: &ArchivedFile| ListedFile {
            side: DataSide::Data,
            name: file.name.clone(),
            length: file.bytes,
            is_regular: true,
        };
        let text = |name: &str| {
            let file = self.files.iter().find(|file| file.name == name)?;
            Some(String::from_utf8_lossy(&file.first).into_owned())
        };
        let mut files: Vec<ListedFile> = self.files.iter().map(listed).collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        DataListing {
            files,
            has_log_dir: false,
            accepted_epoch: text("acceptedEpoch"),
            current_epoch: text("currentEpoch"),
            next_epoch: None,
        }
    }
}

/// Reads an archive and hands its files on. It is held against its manifest, where it has one: sizes
/// before a byte is handed on, hashes behind the last one.
///
/// # Errors
/// What is wrong with the archive, or what the system says. What was handed on is worth nothing then.
pub fn read_archive(
    file: impl Read,
    sink: &mut impl ArchiveSink,
) -> Result<ArchiveContents, ArchiveFailure> {
    let unwrapped = Unwrapped::new(file).map_err(ArchiveFailure::of_reading)?;
    let (wrapping, packed) = (unwrapped.wrapping, unwrapped.packed.clone());
    let mut members = Members::new(unwrapped.stream, unwrapped.packed);
    let (mut manifest, mut files, mut others) = (None, Vec::new(), Vec::new());
    let mut wanted: BTreeMap<String, PackedFile> = BTreeMap::new();
    let mut names = BTreeSet::new();
    while let Some(member) = members.next()? {
        let fault = |kind| ArchiveFailure::from(ArchiveFault::of(&member.shown, kind));
        if !names.insert(member.file.clone()) {
            return Err(fault(ArchiveFaultKind::Twice));
        }
        if member.file == MANIFEST_NAME {
            if names.len() > 1 {
                return Err(fault(ArchiveFaultKind::LateManifest));
            }
            let read = read_manifest(&mut members, &member)?;
            wanted = by_name(&read)?;
            sink.room_for(total(&read)).map_err(ArchiveFailure::Io)?;
            members.is_bounded = true;
            manifest = Some(read);
            continue;
        }
        let packed_file = wanted.remove(&member.file);
        match &packed_file {
            Some(packed) if packed.bytes != member.size => {
                let (manifest, archive) = (packed.bytes, member.size);
                return Err(fault(ArchiveFaultKind::OtherSize { manifest, archive }));
            }
            None if manifest.is_some() => return Err(fault(ArchiveFaultKind::NotInManifest)),
            _ => {}
        }
        if role_of(&member.file) == FileRole::Other {
            others.push(member.shown.clone());
            continue;
        }
        let file = one_file(&mut members, &member, sink)?;
        if packed_file.is_some_and(|packed| packed.sha256 != file.sha256) {
            return Err(fault(ArchiveFaultKind::OtherHash));
        }
        files.push(file);
    }
    if let Some(missing) = wanted.into_keys().next() {
        return Err(ArchiveFault::of(&missing, ArchiveFaultKind::Missing).into());
    }
    if files.is_empty() {
        return Err(ArchiveFault::whole(ArchiveFaultKind::NoData).into());
    }
    Ok(ArchiveContents { wrapping, packed_bytes: packed.get(), manifest, files, others })
}

/// How many bytes the files have together. A sum that no disk holds is as good as the largest number.
fn total(manifest: &ArchiveManifest) -> u64 {
    manifest.files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.bytes))
}

fn read_manifest(
    members: &mut Members<'_>,
    member: &Member,
) -> Result<ArchiveManifest, ArchiveFailure> {
    if member.size > LONGEST_MANIFEST {
        let kind = ArchiveFaultKind::LongHeader(member.size);
        return Err(ArchiveFault::of(&member.shown, kind).into());
    }
    let (mut text, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        match members.read(&mut buffer)? {
            0 => return ArchiveManifest::parse(&text),
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
}

fn by_name(manifest: &ArchiveManifest) -> Result<BTreeMap<String, PackedFile>, ArchiveFailure> {
    let mut all = BTreeMap::new();
    for file in &manifest.files {
        let is_data = role_of(&file.file) != FileRole::Other;
        if !is_data || all.insert(file.file.clone(), file.clone()).is_some() {
            let what = format!("it has `{}` twice, or for a file of data", file.file);
            let kind = ArchiveFaultKind::BadManifest(what);
            return Err(ArchiveFault::of(MANIFEST_NAME, kind).into());
        }
    }
    Ok(all)
}

/// Hands on one file.
fn one_file(
    members: &mut Members<'_>,
    member: &Member,
    sink: &mut impl ArchiveSink,
) -> Result<ArchivedFile, ArchiveFailure> {
    let mut hash = Sha256::new();
    let (mut first, mut last) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; 64 * 1024];
    sink.begin(&member.file).map_err(ArchiveFailure::Io)?;
    let mut bytes = 0;
    loop {
        let count = members.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        let piece = &buffer[..count];
        hash.update(piece);
        sink.bytes(piece).map_err(ArchiveFailure::Io)?;
        bytes += wide(count);
        let room = KEPT_BEGIN - first.len();
        first.extend_from_slice(&piece[..room.min(count)]);
        last.extend_from_slice(&piece[count.saturating_sub(KEPT_END)..]);
        let surplus = last.len().saturating_sub(KEPT_END);
        last.drain(..surplus);
    }
    sink.end().map_err(ArchiveFailure::Io)?;
    let name = member.file.clone();
    let offset = member.offset;
    Ok(ArchivedFile { name, bytes, sha256: in_hex(hash), offset, first, last })
}

/// The SHA-256 of all that comes, as `sha256sum` prints it.
///
/// # Errors
/// What the system says.
pub fn sha256_of(mut file: impl Read) -> io::Result<String> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(in_hex(hash)),
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A SHA-256 as `sha256sum` prints it.
pub(super) fn in_hex(hash: Sha256) -> String {
    let mut text = String::new();
    for byte in hash.finalize() {
        write!(text, "{byte:02x}").expect("text takes text");
    }
    text
}

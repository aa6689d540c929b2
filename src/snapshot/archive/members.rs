//! The members of a tar stream, one after the other. Nothing that a header says is believed further than
//! bytes follow.

use std::cell::Cell;
use std::io::{ErrorKind, Read};
use std::rc::Rc;

use tar::{EntryType, Header, PaxExtensions};

use super::super::damage::shown;
use super::super::source::wide;
use super::fault::{ArchiveFailure, ArchiveFault, ArchiveFaultKind};

const BLOCK: u64 = 512;
const BLOCK_BYTES: usize = 512;

/// Members of an archive. A server without autopurge leaves thousands of files.
const MOST_MEMBERS: usize = 100_000;

/// A long name, or the extra header of a member (pax), has at most this many bytes.
const LONGEST_EXTRA: u64 = 64 * 1024;

/// What tar fills the end of an archive with: a record is 10 KiB, some use 1 MiB.
const MOST_PADDING: u64 = 1024 * 1024;

/// What data unpack to is less than a hundred times as long, but for the zeros at the end of logs: 64 MiB
/// each. What is beyond both is none.
const MOST_TIMES: u64 = 100;
const ALWAYS_TAKEN: u64 = 1024 * 1024 * 1024;

/// A regular file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// Its whole name, with what is no plain text replaced.
    pub(super) shown: String,
    /// The last part of its name.
    pub(super) file: String,
    /// How long it is.
    pub(super) size: u64,
    /// Where its bytes begin in the tar stream.
    pub(super) offset: u64,
}

/// Reads members.
pub(super) struct Members<'a> {
    stream: Box<dyn Read + 'a>,
    /// Bytes of the tar stream that were read.
    position: u64,
    /// Bytes of the member that are left, and behind them those to the next block.
    left: u64,
    padding: u64,
    count: usize,
    packed: Rc<Cell<u64>>,
    /// Whether sizes are bounded by a manifest.
    pub(super) is_bounded: bool,
    /// So much is taken whatever it is unpacked from.
    pub(super) always_taken: u64,
}

/// What the extra headers before a member say of it.
#[derive(Default)]
struct Extra {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    is_sparse: bool,
}

impl<'a> Members<'a> {
    pub(super) fn new(stream: Box<dyn Read + 'a>, packed: Rc<Cell<u64>>) -> Self {
        Self {
            stream,
            position: 0,
            left: 0,
            padding: 0,
            count: 0,
            packed,
            is_bounded: false,
            always_taken: ALWAYS_TAKEN,
        }
    }

    /// The next regular file; what is left of the one before it is passed over. `None` at the end, which
    /// is read to its last byte.
    pub(super) fn next(&mut self) -> Result<Option<Member>, ArchiveFailure> {
        let mut extra = Extra::default();
        loop {
            self.pass_over()?;
            let Some(header) = self.header()? else { return Ok(None) };
            self.count += 1;
            if self.count > MOST_MEMBERS {
                return Err(ArchiveFault::whole(ArchiveFaultKind::TooMany).into());
            }
            let size = header.entry_size().map_err(|_| no_header())?;
            let kind = header.entry_type();
            match kind {
                EntryType::GNULongName => {
                    let mut name = self.extra("long name", size)?;
                    while name.last() == Some(&0) {
                        name.pop();
                    }
                    extra.name = Some(name);
                    continue;
                }
                EntryType::XHeader => {
                    let bytes = self.extra("pax header", size)?;
                    read_pax(&bytes, &mut extra)?;
                    continue;
                }
                EntryType::XGlobalHeader => {
                    self.extra("pax header", size)?;
                    continue;
                }
                _ => {}
            }
            let of = std::mem::take(&mut extra);
            let name = of.name.unwrap_or_else(|| header.path_bytes().into_owned());
            let size = of.size.unwrap_or(size);
            match kind {
                _ if of.is_sparse => return Err(fault(&name, ArchiveFaultKind::NoFile)),
                EntryType::Regular | EntryType::Continuous if !name.ends_with(b"/") => {
                    let file = last_part(&name)?;
                    self.expect(size);
                    let offset = self.position;
                    return Ok(Some(Member { shown: shown(&name), file, size, offset }));
                }
                EntryType::Regular | EntryType::Directory => {
                    if name != b"./" && name != b"." {
                        last_part(name.strip_suffix(b"/").unwrap_or(&name))?;
                    }
                    self.expect(size);
                }
                EntryType::Symlink | EntryType::Link => {
                    return Err(fault(&name, ArchiveFaultKind::Link));
                }
                _ => return Err(fault(&name, ArchiveFaultKind::NoFile)),
            }
        }
    }

    /// The bytes of the member: 0 at its end.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize, ArchiveFailure> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.some(&mut into[..most])?;
        if count == 0 {
            return Err(ArchiveFault::whole(ArchiveFaultKind::Truncated).into());
        }
        self.left -= wide(count);
        Ok(count)
    }

    fn expect(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK - size % BLOCK) % BLOCK;
    }

    fn some(&mut self, into: &mut [u8]) -> Result<usize, ArchiveFailure> {
        let count = loop {
            match self.stream.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(ArchiveFailure::of_reading(error)),
                Ok(count) => break count,
            }
        };
        self.position = self.position.saturating_add(wide(count));
        let (unpacked, packed) = (self.position, self.packed.get());
        let most = self.always_taken.saturating_add(packed.saturating_mul(MOST_TIMES));
        if !self.is_bounded && unpacked > most {
            return Err(ArchiveFault::whole(ArchiveFaultKind::Bomb { unpacked, packed }).into());
        }
        Ok(count)
    }

    /// Passes over what is left of a member.
    fn pass_over(&mut self) -> Result<(), ArchiveFailure> {
        let mut buffer = [0; 8192];
        while self.read(&mut buffer)? > 0 {}
        self.left = std::mem::take(&mut self.padding);
        while self.read(&mut buffer)? > 0 {}
        Ok(())
    }

    fn extra(&mut self, what: &str, size: u64) -> Result<Vec<u8>, ArchiveFailure> {
        if size > LONGEST_EXTRA {
            return Err(ArchiveFault::of(what, ArchiveFaultKind::LongHeader(size)).into());
        }
        self.expect(size);
        let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
        let mut at = 0;
        while at < bytes.len() {
            at += self.read(&mut bytes[at..])?;
        }
        Ok(bytes)
    }

    /// A header; `None` where two blocks of zeros end the archive.
    fn header(&mut self) -> Result<Option<Header>, ArchiveFailure> {
        let mut header = Header::new_old();
        self.block(header.as_mut_bytes())?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            self.end()?;
            return Ok(None);
        }
        let bytes = header.as_bytes();
        // The checksum counts its own field as blanks.
        let own = bytes[..148].iter().chain(&bytes[156..]).map(|byte| u32::from(*byte));
        let sum = own.sum::<u32>() + 8 * 32;
        if header.cksum().ok() != Some(sum) {
            return Err(no_header());
        }
        Ok(Some(header))
    }

    fn block(&mut self, block: &mut [u8; BLOCK_BYTES]) -> Result<(), ArchiveFailure> {
        let mut at = 0;
        while at < block.len() {
            match self.some(&mut block[at..])? {
                0 if self.position < BLOCK => return Err(no_header()),
                0 => return Err(ArchiveFault::whole(ArchiveFaultKind::Truncated).into()),
                count => at += count,
            }
        }
        Ok(())
    }

    /// Zeros to the end of the stream, so that the checksums of the compression are read too.
    fn end(&mut self) -> Result<(), ArchiveFailure> {
        let begins = self.position;
        let mut buffer = [0; 8192];
        loop {
            let count = self.some(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            let is_padding = buffer[..count].iter().all(|byte| *byte == 0);
            if !is_padding || self.position - begins > MOST_PADDING {
                return Err(ArchiveFault::whole(ArchiveFaultKind::Surplus).into());
            }
        }
    }
}

fn no_header() -> ArchiveFailure {
    ArchiveFault::whole(ArchiveFaultKind::NoHeader).into()
}

fn fault(name: &[u8], kind: ArchiveFaultKind) -> ArchiveFailure {
    ArchiveFault::of(&shown(name), kind).into()
}

/// Names and sizes that are too long for a header.
fn read_pax(bytes: &[u8], extra: &mut Extra) -> Result<(), ArchiveFailure> {
    for record in PaxExtensions::new(bytes) {
        let record = record.map_err(|_| no_header())?;
        match record.key_bytes() {
            b"path" => extra.name = Some(record.value_bytes().to_vec()),
            b"size" => {
                let size = record.value().ok().and_then(|text| text.parse().ok());
                extra.size = Some(size.ok_or_else(no_header)?);
            }
            key if key.starts_with(b"GNU.sparse") => extra.is_sparse = true,
            _ => {}
        }
    }
    Ok(())
}

/// The last part of a name that leads nowhere but downwards.
fn last_part(name: &[u8]) -> Result<String, ArchiveFailure> {
    let text = std::str::from_utf8(name).map_err(|_| fault(name, ArchiveFaultKind::BadName))?;
    if text.starts_with('/') {
        return Err(fault(name, ArchiveFaultKind::Outside));
    }
    let mut parts: Vec<&str> = text.split('/').collect();
    if parts.contains(&"..") {
        return Err(fault(name, ArchiveFaultKind::Outside));
    }
    parts.retain(|part| *part != ".");
    let is_plain =
        |part: &&str| !part.is_empty() && part.chars().all(|c| matches!(c, ' '..='~') && c != '\\');
    match parts.last() {
        Some(last) if parts.iter().all(is_plain) => Ok((*last).to_owned()),
        _ => Err(fault(name, ArchiveFaultKind::BadName)),
    }
}

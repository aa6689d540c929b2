//! An archive as if it were a directory, without unpacking it to a disk.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read};

use super::super::files::{DataFiles, ListedFile};
use super::super::source::wide;
use super::reading::{ArchiveContents, ArchivedFile};
use super::wrapping::{Unwrapped, Wrapping};

/// Opens the file of an archive, as often as it is needed.
pub trait ArchiveBytes {
    /// Its bytes from there on.
    ///
    /// # Errors
    /// What the system says.
    fn open(&self, at: u64) -> io::Result<Box<dyn Read + '_>>;
}

/// The files of an archive. Of a compressed one only what comes next can be reached: the stream is kept
/// where the last file ended, and begun again for a file before it.
pub struct IndexedArchive<'a, Bytes> {
    bytes: &'a Bytes,
    contents: &'a ArchiveContents,
    kept: RefCell<Option<Stream<'a>>>,
}

/// A tar stream, and how many bytes of it were read.
struct Stream<'a> {
    reader: Box<dyn Read + 'a>,
    position: u64,
}

impl<'a, Bytes: ArchiveBytes> IndexedArchive<'a, Bytes> {
    /// Of an archive that was read to its end.
    pub fn new(bytes: &'a Bytes, contents: &'a ArchiveContents) -> Self {
        Self { bytes, contents, kept: RefCell::new(None) }
    }

    fn of(&self, file: &ListedFile) -> io::Result<&'a ArchivedFile> {
        let found = self.contents.files.iter().find(|archived| archived.name == file.name);
        found.ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// The tar stream from there on.
    fn stream(&self, at: u64) -> io::Result<Stream<'a>> {
        if self.contents.wrapping == Wrapping::None {
            return Ok(Stream { reader: self.bytes.open(at)?, position: at });
        }
        let kept = self.kept.borrow_mut().take().filter(|kept| kept.position <= at);
        let begun = || -> io::Result<Stream<'a>> {
            let unwrapped = Unwrapped::new(self.bytes.open(0)?)?;
            Ok(Stream { reader: unwrapped.stream, position: 0 })
        };
        let mut stream = kept.map_or_else(begun, Ok)?;
        let wanted = at - stream.position;
        let passed = io::copy(&mut stream.reader.by_ref().take(wanted), &mut io::sink())?;
        stream.position += passed;
        if passed < wanted {
            return Err(changed());
        }
        Ok(stream)
    }
}

/// The archive was read to its end before.
fn changed() -> io::Error {
    io::Error::other("the archive was changed while it was read")
}

impl<Bytes: ArchiveBytes> DataFiles for IndexedArchive<'_, Bytes> {
    fn open(&self, file: &ListedFile) -> io::Result<Box<dyn Read + '_>> {
        let archived = self.of(file)?;
        let stream = Some(self.stream(archived.offset)?);
        Ok(Box::new(OpenMember { archive: self, stream, left: archived.bytes }))
    }

    fn last_bytes(&self, file: &ListedFile, count: usize) -> io::Result<Vec<u8>> {
        let last = &self.of(file)?.last;
        Ok(last[last.len().saturating_sub(count)..].to_vec())
    }

    fn length(&self, file: &ListedFile) -> io::Result<u64> {
        self.of(file).map(|archived| archived.bytes)
    }
}

/// A file that is being read. Its stream is kept when it is closed.
struct OpenMember<'s, 'a, Bytes> {
    archive: &'s IndexedArchive<'a, Bytes>,
    stream: Option<Stream<'a>>,
    left: u64,
}

impl<Bytes> Read for OpenMember<'_, '_, Bytes> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let Some(stream) = self.stream.as_mut().filter(|_| most > 0) else { return Ok(0) };
        let count = stream.reader.read(&mut into[..most])?;
        if count == 0 {
            return Err(changed());
        }
        stream.position += wide(count);
        self.left -= wide(count);
        Ok(count)
    }
}

impl<Bytes> Drop for OpenMember<'_, '_, Bytes> {
    fn drop(&mut self) {
        self.archive.kept.replace(self.stream.take());
    }
}

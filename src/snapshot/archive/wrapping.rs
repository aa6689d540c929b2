//! The compression around a whole archive.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read, Write};
use std::rc::Rc;

use flate2::Compression as Level;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::source::wide;

/// How an archive is compressed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Wrapping {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// How much memory a Zstandard stream may ask for: 2^25 bytes are 32 MiB.
const WINDOW_LOG_MAX: u32 = 25;

/// Level 1 of Zstandard packs faster than disks write.
const ZSTD_LEVEL: i32 = 1;

impl Wrapping {
    /// What an archive begins with says how it is compressed.
    fn of(begins: &[u8]) -> Self {
        match begins {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// The first bytes again, and the rest.
type Begun<R> = Chain<Cursor<Vec<u8>>, R>;

/// What is in an archive, with the count of the bytes that were taken for it.
pub(super) struct Unwrapped<'a> {
    pub(super) stream: Box<dyn Read + 'a>,
    pub(super) wrapping: Wrapping,
    pub(super) packed: Rc<Cell<u64>>,
}

impl<'a> Unwrapped<'a> {
    /// Opens an archive that begins here.
    pub(super) fn new(mut file: impl Read + 'a) -> io::Result<Self> {
        let mut first = Vec::new();
        file.by_ref().take(4).read_to_end(&mut first)?;
        let wrapping = Wrapping::of(&first);
        let packed = Rc::new(Cell::new(0));
        let begun: Begun<_> = Cursor::new(first).chain(file);
        let counted = Counted { inner: begun, count: Rc::clone(&packed) };
        let buffered = BufReader::with_capacity(64 * 1024, counted);
        let stream: Box<dyn Read + 'a> = match wrapping {
            Wrapping::None => Box::new(buffered),
            Wrapping::Gzip => Box::new(MultiGzDecoder::new(buffered)),
            Wrapping::Zstd => Box::new(zstd_reader(buffered)?),
        };
        Ok(Self { stream, wrapping, packed })
    }
}

fn zstd_reader<'a>(buffered: impl BufRead + 'a) -> io::Result<impl Read + 'a> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered)?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    Ok(decoder)
}

/// Counts what it reads.
struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.count.set(self.count.get() + wide(count));
        Ok(count)
    }
}

/// Compresses an archive while it is written.
pub enum ArchiveEncoder<W: Write> {
    /// Not at all.
    Plain(W),
    /// gzip.
    Gzip(GzEncoder<W>),
    /// Zstandard.
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> ArchiveEncoder<W> {
    /// Compresses what is worth it. What is not becomes a gzip stream of stored blocks, or passes
    /// Zstandard's own test.
    ///
    /// # Errors
    /// What Zstandard says where there is no memory for it.
    pub fn new(to: W, wrapping: Wrapping, is_worth_it: bool) -> io::Result<Self> {
        let level = if is_worth_it { Level::fast() } else { Level::none() };
        Ok(match wrapping {
            Wrapping::None => Self::Plain(to),
            Wrapping::Gzip => Self::Gzip(GzEncoder::new(to, level)),
            Wrapping::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(to, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Writes the end.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(self) -> io::Result<W> {
        let mut to = match self {
            Self::Plain(to) => to,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
        };
        to.flush()?;
        Ok(to)
    }
}

impl<W: Write> Write for ArchiveEncoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(to) => to.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(to) => to.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

/// Whether compression saves a tenth of the beginning of a file or more.
///
/// # Errors
/// What the reader says.
pub fn is_compressible(file: impl Read) -> io::Result<bool> {
    const SAMPLE: u64 = 4 * 1024 * 1024;
    let mut sample = Vec::new();
    file.take(SAMPLE).read_to_end(&mut sample)?;
    let packed = zstd::bulk::compress(&sample, ZSTD_LEVEL)?;
    Ok(packed.len() < sample.len() / 10 * 9)
}

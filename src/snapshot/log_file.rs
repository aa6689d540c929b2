//! One transaction log, read from its first byte to its last (`FileTxnLog`).

use std::io::Read;

use super::damage::{Damage, DamageKind, ReadFailure};
use super::source::{Source, wide};
use super::transaction::Transaction;

/// `ZKLG` and the version of the format.
const MAGIC: i32 = 0x5a4b_4c47;
const VERSION: i32 = 2;
/// Magic, version and database id.
pub(super) const HEADER: u64 = 16;

/// What a record may be long. A server refuses what is longer than `jute.maxbuffer` and a little more,
/// 2 MiB by default.
const LONGEST_RECORD: u32 = 64 * 1024 * 1024;

/// The last byte of a record.
const RECORD_END: u8 = b'B';
/// Checksum and length.
const RECORD_HEAD: usize = 12;
/// What a payload has behind its operation: nothing, or a digest.
const DIGEST: u64 = 12;

/// How a log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogEnd {
    /// Behind a record, with nothing after it: cut there, by a server or by others.
    AtRecord,
    /// In the zeros that a server writes ahead.
    Padded,
    /// Inside a record, with nothing after it: the write was broken off, or the file was cut.
    Torn,
}

/// A record of a log.
#[derive(Debug)]
pub(super) struct LogRecord<'a> {
    /// Where it begins.
    pub(super) offset: u64,
    /// The checksum of its payload (Adler-32).
    pub(super) checksum: u64,
    pub(super) transaction: Transaction<'a>,
}

/// Reads the records of a log.
pub(super) struct LogReader<R> {
    source: Source<R>,
    payload: Vec<u8>,
    end: Option<LogEnd>,
    /// Where what is no record begins.
    end_offset: u64,
    /// A version or a database id that no server writes. A server does not look at them.
    header: Option<Damage>,
}

impl<R: Read> LogReader<R> {
    /// Reads the header.
    pub(super) fn new(file: R) -> Result<Self, ReadFailure> {
        let mut source = Source::new(file);
        let magic = source.int("magic")?;
        if magic != MAGIC {
            let kind = DamageKind::Value { value: magic.into() };
            return Err(ReadFailure::new(0, "magic", kind));
        }
        let version = source.int("version")?.into();
        // Every release writes 0.
        let database = source.long("dbid")?;
        let is_other = |offset, field: &str, found: i64, wanted: i64| {
            let kind = DamageKind::Value { value: found };
            (found != wanted).then(|| Damage { offset, field: field.to_owned(), kind })
        };
        let header = is_other(4, "version", version, VERSION.into());
        let header = header.or_else(|| is_other(8, "dbid", database, 0));
        Ok(Self { source, payload: Vec::new(), end: None, end_offset: HEADER, header })
    }

    /// What is wrong with the header, although a server reads the records behind it.
    pub(super) fn header(&self) -> Option<&Damage> {
        self.header.as_ref()
    }

    /// How the log ends, once [`LogReader::next`] has returned no record, and where.
    pub(super) fn end(&self) -> (LogEnd, u64) {
        (self.end.unwrap_or(LogEnd::AtRecord), self.end_offset)
    }

    /// The next record; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<LogRecord<'_>>, ReadFailure> {
        let offset = self.source.offset();
        self.end_offset = offset;
        if self.end.is_some() || !self.has_record(offset)? {
            return Ok(None);
        }
        let stored = self.source.long("checksum")?.cast_unsigned();
        let length = self.source.length("length", LONGEST_RECORD)?;
        self.payload.clear();
        self.source.up_to(length, &mut self.payload)?;
        let is_cut = self.payload.len() < usize::try_from(length).unwrap_or(usize::MAX);
        let last = if is_cut { None } else { self.source.ahead(1)?.first().copied() };
        if last != Some(RECORD_END) {
            self.end = Some(self.torn(offset, last)?);
            return Ok(None);
        }
        self.source.byte("end of record")?;
        let mut adler = simd_adler32::Adler32::new();
        adler.write(&self.payload);
        let computed = u64::from(adler.finish());
        if stored != computed {
            let kind = DamageKind::Checksum { stored, computed };
            return Err(ReadFailure::new(offset, "checksum", kind));
        }
        let transaction = Transaction::parse(&self.payload, offset + wide(RECORD_HEAD))?;
        Ok(Some(LogRecord { offset, checksum: stored, transaction }))
    }

    /// Whether a record begins here. A length of 0 ends the file for a server: then nothing may follow.
    fn has_record(&mut self, offset: u64) -> Result<bool, ReadFailure> {
        let head = self.source.ahead(RECORD_HEAD)?;
        let is_zero = head.iter().all(|byte| *byte == 0);
        if head.len() == RECORD_HEAD && head[8..] != [0; 4] {
            return Ok(true);
        }
        let is_short = head.len() < RECORD_HEAD;
        // A record begins with zeros, too: few of them are no zeros ahead.
        self.end = Some(match (is_short, is_zero) {
            (true, true) => LogEnd::AtRecord,
            (false, true) => LogEnd::Padded,
            (_, false) => LogEnd::Torn,
        });
        if is_short {
            return Ok(false);
        }
        self.source.bytes::<RECORD_HEAD>("checksum")?;
        match self.source.first_not_zero()? {
            None => Ok(false),
            Some(_) => Err(ReadFailure::new(offset, "length", DamageKind::Surplus)),
        }
    }

    /// What a record without its last byte is: one whose write was broken off, if nothing follows and
    /// what is there is the beginning of one.
    fn torn(&mut self, offset: u64, last: Option<u8>) -> Result<LogEnd, ReadFailure> {
        let begins = offset + wide(RECORD_HEAD);
        let end = begins + wide(self.payload.len());
        if let Some(last) = last {
            let kind = DamageKind::Value { value: last.into() };
            if self.source.first_not_zero()?.is_some() {
                return Err(ReadFailure::new(end, "end of record", kind));
            }
        }
        // More than one transaction under one length is a wrong length, which hides them from a server.
        match Transaction::parse(&self.payload, begins) {
            Err(ReadFailure::Damaged(damage)) => match damage.kind {
                DamageKind::Surplus if self.has_more(damage.offset + DIGEST - begins) => {
                    Err(ReadFailure::new(offset + 8, "length", DamageKind::Surplus))
                }
                _ => Ok(LogEnd::Torn),
            },
            Err(failure @ ReadFailure::Io(_)) => Err(failure),
            Ok(_) => Ok(LogEnd::Torn),
        }
    }

    /// Whether the payload has anything but zeros from there on.
    fn has_more(&self, from: u64) -> bool {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        self.payload.get(from..).is_some_and(|rest| rest.iter().any(|byte| *byte != 0))
    }
}

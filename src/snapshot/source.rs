//! A file as the fields that it is made of, with the checksum over all of them.

use std::io::{self, ErrorKind, Read};

use simd_adler32::Adler32;

use super::damage::{DamageKind, ReadFailure};

/// What is read at a time.
const BUFFER: usize = 64 * 1024;

/// Reads big-endian fields, counts bytes and sums them up (Adler-32). It holds no more than one buffer:
/// what is longer is handed on in pieces.
pub(super) struct Source<R> {
    inner: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// What stands before here in the buffer is in the checksum.
    summed: usize,
    /// How many bytes stood before the buffer.
    before: u64,
    adler: Adler32,
}

impl<R: Read> Source<R> {
    pub(super) fn new(inner: R) -> Self {
        let buffer = vec![0; BUFFER];
        Self { inner, buffer, start: 0, end: 0, summed: 0, before: 0, adler: Adler32::new() }
    }

    /// How many bytes were taken.
    pub(super) fn offset(&self) -> u64 {
        self.before + wide(self.start)
    }

    /// The checksum of all bytes that were taken.
    pub(super) fn checksum(&mut self) -> u64 {
        self.sum_up();
        u64::from(self.adler.finish())
    }

    fn sum_up(&mut self) {
        self.adler.write(&self.buffer[self.summed..self.start]);
        self.summed = self.start;
    }

    /// What comes next without taking it: as many bytes, or fewer at the end of the file.
    pub(super) fn ahead(&mut self, wanted: usize) -> Result<&[u8], ReadFailure> {
        debug_assert!(wanted <= BUFFER);
        if self.end - self.start < wanted {
            self.sum_up();
            self.buffer.copy_within(self.start..self.end, 0);
            self.before += wide(self.start);
            self.end -= self.start;
            (self.start, self.summed) = (0, 0);
            while self.end < wanted {
                match self.inner.read(&mut self.buffer[self.end..]) {
                    Ok(0) => break,
                    Ok(count) => self.end += count,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(self.unreadable(error)),
                }
            }
        }
        let end = self.end.min(self.start + wanted);
        Ok(&self.buffer[self.start..end])
    }

    /// Decompressors say with these kinds that their input is broken.
    fn unreadable(&self, error: io::Error) -> ReadFailure {
        match error.kind() {
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => {
                let reason = error.to_string();
                let offset = self.before + wide(self.end);
                ReadFailure::new(offset, "compression", DamageKind::Compression { reason })
            }
            _ => ReadFailure::Io(error),
        }
    }

    fn fixed<const N: usize>(&mut self, field: &str) -> Result<[u8; N], ReadFailure> {
        let ahead = self.ahead(N)?;
        let Ok(bytes) = <[u8; N]>::try_from(ahead) else {
            return Err(ReadFailure::new(self.offset(), field, DamageKind::Truncated));
        };
        self.start += N;
        Ok(bytes)
    }

    pub(super) fn byte(&mut self, field: &str) -> Result<u8, ReadFailure> {
        self.fixed::<1>(field).map(|[byte]| byte)
    }

    pub(super) fn int(&mut self, field: &str) -> Result<i32, ReadFailure> {
        self.fixed(field).map(i32::from_be_bytes)
    }

    pub(super) fn long(&mut self, field: &str) -> Result<i64, ReadFailure> {
        self.fixed(field).map(i64::from_be_bytes)
    }

    pub(super) fn bytes<const N: usize>(&mut self, field: &str) -> Result<[u8; N], ReadFailure> {
        self.fixed(field)
    }

    /// The number of items or bytes that follow.
    pub(super) fn length(&mut self, field: &str, longest: u32) -> Result<u32, ReadFailure> {
        let offset = self.offset();
        let length = self.int(field)?;
        match u32::try_from(length) {
            Ok(length) if length <= longest => Ok(length),
            _ => {
                let kind = DamageKind::Length { length: length.into() };
                Err(ReadFailure::new(offset, field, kind))
            }
        }
    }

    /// Hands on that many bytes, in pieces. Nothing is kept, so that a wrong length costs no memory.
    pub(super) fn pieces(
        &mut self,
        length: u32,
        field: &str,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), ReadFailure> {
        let began = self.offset();
        let mut left = usize::try_from(length).unwrap_or(usize::MAX);
        while left > 0 {
            if self.start == self.end && self.ahead(1)?.is_empty() {
                return Err(ReadFailure::new(began, field, DamageKind::Truncated));
            }
            let count = left.min(self.end - self.start);
            take(&self.buffer[self.start..self.start + count]);
            self.start += count;
            left -= count;
        }
        Ok(())
    }

    /// Reads as many bytes as there are, up to that many, behind those that are in `into`.
    pub(super) fn up_to(&mut self, length: u32, into: &mut Vec<u8>) -> Result<(), ReadFailure> {
        let mut left = usize::try_from(length).unwrap_or(usize::MAX);
        while left > 0 && (self.start < self.end || !self.ahead(1)?.is_empty()) {
            let count = left.min(self.end - self.start);
            into.extend_from_slice(&self.buffer[self.start..self.start + count]);
            self.start += count;
            left -= count;
        }
        Ok(())
    }

    /// Takes everything that is left; where the first byte stands that is not zero.
    pub(super) fn first_not_zero(&mut self) -> Result<Option<u64>, ReadFailure> {
        static ZEROS: [u8; BUFFER] = [0; BUFFER];
        loop {
            if self.start == self.end && self.ahead(1)?.is_empty() {
                return Ok(None);
            }
            let rest = &self.buffer[self.start..self.end];
            if rest != &ZEROS[..rest.len()] {
                let at = rest.iter().position(|byte| *byte != 0).unwrap_or_default();
                return Ok(Some(self.offset() + wide(at)));
            }
            self.start = self.end;
            // Zeros are in no checksum that anything asks for.
            self.summed = self.end;
        }
    }
}

/// A length in memory as one in a file.
pub(super) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

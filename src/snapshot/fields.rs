//! The fields of a record that is in memory.

use super::damage::{DamageKind, ReadFailure};
use super::source::wide;

/// What is left of a record, and where in the file it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    left: &'a [u8],
    offset: u64,
}

impl<'a> Fields<'a> {
    /// The fields of bytes that stand there in the file.
    pub(super) fn new(bytes: &'a [u8], offset: u64) -> Self {
        Self { left: bytes, offset }
    }

    /// Where in the file the next field stands.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// What is left.
    pub(super) fn left(&self) -> &'a [u8] {
        self.left
    }

    fn take(&mut self, count: usize, field: &str) -> Result<&'a [u8], ReadFailure> {
        let Some((taken, left)) = self.left.split_at_checked(count) else {
            return Err(ReadFailure::new(self.offset, field, DamageKind::Truncated));
        };
        self.left = left;
        self.offset += wide(count);
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self, field: &str) -> Result<[u8; N], ReadFailure> {
        let taken = self.take(N, field)?;
        Ok(taken.try_into().expect("as many were taken"))
    }

    pub(super) fn int(&mut self, field: &str) -> Result<i32, ReadFailure> {
        self.fixed(field).map(i32::from_be_bytes)
    }

    pub(super) fn long(&mut self, field: &str) -> Result<i64, ReadFailure> {
        self.fixed(field).map(i64::from_be_bytes)
    }

    pub(super) fn unsigned(&mut self, field: &str) -> Result<u64, ReadFailure> {
        self.fixed(field).map(u64::from_be_bytes)
    }

    /// A byte that is 0 or 1.
    pub(super) fn boolean(&mut self, field: &str) -> Result<bool, ReadFailure> {
        let offset = self.offset;
        match self.fixed::<1>(field)? {
            [0] => Ok(false),
            [1] => Ok(true),
            [value] => {
                let kind = DamageKind::Value { value: value.into() };
                Err(ReadFailure::new(offset, field, kind))
            }
        }
    }

    /// How many items follow. Each has four bytes at least, so that the number costs no memory.
    pub(super) fn count(&mut self, field: &str) -> Result<u32, ReadFailure> {
        let offset = self.offset;
        let count = self.int(field)?;
        let wrong = DamageKind::Length { length: count.into() };
        let most = self.left.len() / 4;
        match u32::try_from(count) {
            Ok(count) if usize::try_from(count).is_ok_and(|count| count <= most) => Ok(count),
            Ok(_) => Err(ReadFailure::new(offset, field, DamageKind::Truncated)),
            Err(_) => Err(ReadFailure::new(offset, field, wrong)),
        }
    }

    /// Bytes with their length before them; a length of -1 is no bytes at all.
    pub(super) fn buffer(&mut self, field: &str) -> Result<Option<&'a [u8]>, ReadFailure> {
        let offset = self.offset;
        let length = self.int(field)?;
        if length == -1 {
            return Ok(None);
        }
        let Ok(count) = usize::try_from(length) else {
            let kind = DamageKind::Length { length: length.into() };
            return Err(ReadFailure::new(offset, field, kind));
        };
        self.take(count, field).map(Some)
    }

    /// Text with its length before it, which is always there.
    pub(super) fn string(&mut self, field: &str) -> Result<&'a [u8], ReadFailure> {
        let offset = self.offset;
        let kind = DamageKind::Length { length: -1 };
        self.buffer(field)?.ok_or_else(|| ReadFailure::new(offset, field, kind))
    }
}

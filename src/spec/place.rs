//! Places in the text of a spec.

/// Where something stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Its first byte.
    pub(super) start: usize,
    /// Its length in bytes, on its first line.
    pub(super) len: usize,
    /// Its line, from 1.
    pub(super) line: usize,
    /// Its column in characters, from 1.
    pub(super) column: usize,
}

impl Place {
    /// The beginning of the file.
    pub(super) const START: Self = Self { start: 0, len: 0, line: 1, column: 1 };
}

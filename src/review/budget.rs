//! The length of a comment. Forges refuse one that is too long, and the reader of a long one stops
//! reading: what is cut is said, with the command that shows it.

use super::escape::{fence, html};

/// A comment is shorter than 16 KiB.
pub(super) const LONGEST: usize = 16_000;

/// A part of a comment that gives way where the comment would be too long.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    /// What is in it, in a few words.
    title: String,
    /// Whether it is folded below its title.
    is_folded: bool,
    /// Lines before the rows.
    before: Vec<String>,
    rows: Vec<String>,
    /// Lines behind them.
    after: Vec<String>,
    /// What one row is, where some of them may be left out.
    row: Option<&'static str>,
}

impl Part {
    /// Rows that can be read one by one; `row` is the word for one.
    pub(super) fn of_rows(title: impl Into<String>, row: &'static str, rows: Vec<String>) -> Self {
        Self { title: title.into(), rows, row: Some(row), ..Self::default() }
    }

    /// Lines of code.
    pub(super) fn of_code(title: impl Into<String>, language: &str, lines: Vec<String>) -> Self {
        let fence = fence(&lines);
        Self {
            before: vec![format!("{fence}{language}")],
            after: vec![fence],
            ..Self::of_rows(title, "line", lines)
        }
    }

    /// The same, all of it or nothing.
    #[must_use]
    pub(super) fn whole(self) -> Self {
        Self { row: None, ..self }
    }

    /// The same, folded below its title.
    #[must_use]
    pub(super) fn folded(self) -> Self {
        Self { is_folded: true, ..self }
    }

    /// The same, with lines before the rows.
    #[must_use]
    pub(super) fn headed(self, before: Vec<String>) -> Self {
        Self { before, ..self }
    }

    /// The same, with lines behind the rows.
    #[must_use]
    pub(super) fn followed(self, after: Vec<String>) -> Self {
        Self { after, ..self }
    }

    /// As much of it as there is room for.
    fn within(&self, room: usize, more: &str) -> String {
        let whole = self.with(self.rows.len(), more);
        if whole.len() <= room {
            return whole;
        }
        let mut used = self.with(0, more).len();
        let fitting = self.rows.iter().take_while(|row| {
            used += row.len() + 1;
            used <= room
        });
        match (self.row, fitting.count()) {
            (None, _) | (_, 0) => self.left_out(more),
            (Some(_), count) => self.with(count, more),
        }
    }

    fn with(&self, count: usize, more: &str) -> String {
        let mut lines: Vec<String> = Vec::new();
        if self.is_folded {
            let summary = html(&self.title);
            lines.extend([format!("<details><summary>{summary}</summary>"), String::new()]);
        }
        lines.extend_from_slice(&self.before);
        lines.extend_from_slice(&self.rows[..count]);
        lines.extend_from_slice(&self.after);
        if let (Some(row), Some(left @ 1..)) = (self.row, self.rows.len().checked_sub(count)) {
            let plural = if left == 1 { "" } else { "s" };
            lines.extend([String::new(), format!("Left out: {left} {row}{plural}. {more}")]);
        }
        if self.is_folded {
            lines.extend([String::new(), "</details>".to_owned()]);
        }
        lines.join("\n") + "\n\n"
    }

    fn left_out(&self, more: &str) -> String {
        format!("Left out: {}. {more}\n\n", html(&self.title))
    }
}

/// The parts in their order, in at most this many bytes. `more` says where what is left out is shown.
pub(super) fn fit(parts: &[Part], room: usize, more: &str) -> String {
    // No part takes more than this of what there is for all.
    let share = room / 5 * 3;
    let mut later: usize = parts.iter().map(|part| part.left_out(more).len()).sum();
    let mut out = String::new();
    for part in parts {
        later -= part.left_out(more).len();
        let left = room.saturating_sub(out.len() + later);
        out.push_str(&part.within(left.min(share), more));
    }
    out
}

//! What is wrong with a spec, with a place in the file for every complaint.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError,
    MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};
use thiserror::Error;

use super::place::Place;
use super::shown;

/// Columns that rendered complaints may take.
const WIDTH: usize = 100;

/// Bytes of a long line that are shown on either side of what is complained about.
const AROUND: usize = 80;

/// The longest underline, in bytes.
const LONGEST_LABEL: usize = 120;

/// Complaints that are kept; the others are only counted: they are too many to fix at once.
const KEPT: usize = 50;

/// One complaint about a spec. Its texts hold no character that a terminal would act on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct Complaint {
    /// What is wrong.
    pub what: String,
    /// What to say at the very place.
    pub label: String,
    /// How to mend it.
    pub remedy: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
    start: usize,
    len: usize,
}

impl Diagnostic for Complaint {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.remedy))
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new(Some(self.label.clone()), self.start, self.len);
        Some(Box::new(std::iter::once(label)))
    }
}

/// Everything that is wrong with a spec.
#[derive(Debug, Clone, Error)]
#[error("spec `{}`: {}", .excerpt.name, self.count())]
pub struct SpecErrors {
    excerpt: Excerpt,
    complaints: Vec<Complaint>,
    more: usize,
}

impl Diagnostic for SpecErrors {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.excerpt)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.complaints.iter().map(|complaint| complaint as &dyn Diagnostic)))
    }
}

impl SpecErrors {
    pub(super) fn new(file_name: &str, text: &str, all: Complaints) -> Self {
        let Complaints { mut kept, more, secrets } = all;
        kept.sort_by_key(|complaint| (complaint.start, complaint.line));
        let excerpt = Excerpt::new(file_name, text, &secrets);
        for complaint in &mut kept {
            let start = complaint.start.min(excerpt.text.len());
            let end = start + complaint.len.min(LONGEST_LABEL);
            complaint.start = start;
            complaint.len = shown::boundary_before(&excerpt.text, end).saturating_sub(start);
        }
        Self { excerpt, complaints: kept, more }
    }

    /// The complaints, in the order of the file.
    pub fn complaints(&self) -> &[Complaint] {
        &self.complaints
    }

    /// Complaints beyond those, which are only counted.
    pub fn more(&self) -> usize {
        self.more
    }

    /// The file's name, as a terminal may show it.
    pub fn file_name(&self) -> &str {
        &self.excerpt.name
    }

    /// The complaints as text for a terminal: plain ASCII frames around the file's own lines, no
    /// colour.
    pub fn render(&self) -> String {
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::none())
            .with_width(WIDTH)
            .with_context_lines(1)
            .with_links(false);
        let mut text = format!("{self}\n");
        for complaint in &self.complaints {
            let placed = Placed { complaint, excerpt: &self.excerpt };
            let mut part = String::new();
            // Writing to a string fails only where a span lies outside the text; the words of the
            // complaint are worth printing even then.
            if handler.render_report(&mut part, &placed).is_err() {
                part = format!("  x {}\n  help: {}\n", complaint.what, complaint.remedy);
            }
            text.push('\n');
            text.push_str(part.trim_start_matches('\n'));
        }
        if self.more > 0 {
            text.extend(["\n... and ", &self.more.to_string(), " more\n"]);
        }
        text
    }

    fn count(&self) -> String {
        match self.complaints.len() + self.more {
            1 => "1 error".to_owned(),
            count => format!("{count} errors"),
        }
    }
}

/// A complaint together with the text that it is about.
#[derive(Debug, Error)]
#[error("{complaint}")]
struct Placed<'a> {
    complaint: &'a Complaint,
    excerpt: &'a Excerpt,
}

impl Diagnostic for Placed<'_> {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.excerpt)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.complaint.help()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.complaint.labels()
    }
}

/// Complaints on their way to [`SpecErrors`].
#[derive(Debug, Default)]
pub(super) struct Complaints {
    kept: Vec<Complaint>,
    more: usize,
    secrets: Vec<Place>,
}

impl Complaints {
    /// Adds one. The texts may quote the file; what cannot be shown is masked here.
    pub(super) fn add(
        &mut self,
        place: Place,
        what: impl AsRef<str>,
        label: impl AsRef<str>,
        remedy: impl AsRef<str>,
    ) {
        if !self.has_room() {
            self.more += 1;
            return;
        }
        self.kept.push(Complaint {
            what: shown::masked(what.as_ref()),
            label: shown::masked(label.as_ref()),
            remedy: shown::masked(remedy.as_ref()),
            line: place.line,
            column: place.column,
            start: place.start,
            len: place.len,
        });
    }

    /// Keeps what stands there out of everything that is printed.
    pub(super) fn hide(&mut self, place: Place) {
        self.secrets.push(place);
    }

    /// Whether another one would be kept; making one that is not costs time for nothing.
    pub(super) fn has_room(&self) -> bool {
        self.kept.len() < KEPT
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

/// The file as it may be shown, with an index of its lines, so that finding a place costs nothing.
#[derive(Debug, Clone)]
struct Excerpt {
    name: String,
    text: String,
    line_starts: Vec<usize>,
}

impl Excerpt {
    fn new(file_name: &str, text: &str, secrets: &[Place]) -> Self {
        let mut text = shown::without_secrets(&shown::masked(text));
        for secret in secrets {
            let end = (secret.start + secret.len).min(text.len());
            if text.is_char_boundary(secret.start) && text.is_char_boundary(end) {
                text.replace_range(secret.start..end, &"*".repeat(end - secret.start));
            }
        }
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(ends).collect();
        Self { name: shown::masked(file_name), text, line_starts }
    }

    /// The line that holds a byte, from 0.
    fn line_of(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at).saturating_sub(1)
    }

    fn start_of(&self, line: usize) -> usize {
        self.line_starts.get(line).copied().unwrap_or(self.text.len())
    }
}

impl SourceCode for Excerpt {
    /// Reads the lines around a span, cut to some columns where they are long.
    ///
    /// Without context that is the span itself, from which miette takes the column; with one line
    /// of context it is the line, with two the lines beside it.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (start, end) = (span.offset(), span.offset() + span.len());
        if end > self.text.len() {
            return Err(MietteError::OutOfBounds);
        }
        let line = self.line_of(start);
        let from = match before {
            0 => start,
            _ => self.start_of((line + 1).saturating_sub(before)),
        };
        let to = self.start_of(self.line_of(end) + after.max(1));
        let from = shown::boundary_before(&self.text, from.max(start.saturating_sub(AROUND)));
        let to = shown::boundary_after(&self.text, to.min(end + AROUND));
        let first = self.line_of(from);
        let column = self.text[self.start_of(first)..from].chars().count();
        let contents = MietteSpanContents::new_named(
            self.name.clone(),
            &self.text.as_bytes()[from..to],
            (from, to - from).into(),
            first,
            column,
            self.line_starts.len(),
        );
        Ok(Box::new(contents))
    }
}

//! Text with styles, and the one way out of it.

use std::fmt::Write as _;

/// Prose is not wider than this on the widest terminal: eyes lose the beginning of the next line.
const LONGEST_LINE: usize = 120;

/// How a piece of text looks where colour is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Style {
    /// As the terminal has it.
    #[default]
    Plain,
    /// What must not be missed.
    Bold,
    /// What is wrong, or goes.
    Red,
    /// What is well, or comes.
    Green,
    /// What deserves a second look.
    Yellow,
    /// What can be typed or looked up.
    Cyan,
    /// What is there for completeness.
    Dim,
}

impl Style {
    /// The SGR parameter (ECMA-48, 8.3.117).
    const fn sgr(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Bold => Some("1"),
            Self::Red => Some("31"),
            Self::Green => Some("32"),
            Self::Yellow => Some("33"),
            Self::Cyan => Some("36"),
            Self::Dim => Some("2"),
        }
    }
}

/// One line: pieces of text, each in its style.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    spans: Vec<(Style, String)>,
}

/// Lines that a person reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    lines: Vec<Line>,
}

impl Line {
    /// A line in one style.
    pub fn new(style: Style, text: impl Into<String>) -> Self {
        Self { spans: vec![(style, text.into())] }
    }

    /// A line without style.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::new(Style::Plain, text)
    }

    /// The line with another piece behind it.
    #[must_use]
    pub fn then(mut self, style: Style, text: impl Into<String>) -> Self {
        self.spans.push((style, text.into()));
        self
    }

    /// The line with another line behind it.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.spans.extend(other.spans);
        self
    }

    /// Its text, not yet escaped.
    pub fn plain_text(&self) -> String {
        self.spans.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// How many columns it takes on the way out.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|(_, text)| escaped_width(text)).sum()
    }

    /// The line, broken at spaces into lines of at most `width` columns; a longer word is cut.
    pub fn wrapped(&self, width: usize) -> Vec<Self> {
        let width = width.max(1);
        let cells = self.cells();
        let mut lines: Vec<Vec<(Style, char)>> = Vec::new();
        let mut line: Vec<(Style, char)> = Vec::new();
        for word in cells.split(|(_, c)| *c == ' ').filter(|word| !word.is_empty()) {
            if !line.is_empty() && line.len() + 1 + word.len() <= width {
                let same = line.last().map(|(style, _)| *style) == word.first().map(|(s, _)| *s);
                let style = if same { word[0].0 } else { Style::Plain };
                line.push((style, ' '));
                line.extend(word);
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            let mut pieces = word.chunks(width).peekable();
            while let Some(piece) = pieces.next() {
                line = piece.to_vec();
                if pieces.peek().is_some() {
                    lines.push(std::mem::take(&mut line));
                }
            }
        }
        lines.push(line);
        lines.iter().map(|cells| Self::of_cells(cells)).collect()
    }

    /// Its first `width` columns, the last two of them `..` where something is cut off.
    pub(super) fn truncated(&self, width: usize) -> Self {
        let cells = self.cells();
        if cells.len() <= width {
            return self.clone();
        }
        Self::of_cells(&cells[..width.saturating_sub(2)]).then(Style::Plain, "..")
    }

    /// Its last `width` columns, the first two of them `..` where something is cut off.
    pub(super) fn ending(&self, width: usize) -> Self {
        let cells = self.cells();
        if cells.len() <= width {
            return self.clone();
        }
        let from = cells.len() - width.saturating_sub(2);
        Self::plain("..").join(Self::of_cells(&cells[from..]))
    }

    fn cells(&self) -> Vec<(Style, char)> {
        let escaped = self.spans.iter().map(|(style, text)| (*style, escape(text)));
        escaped.flat_map(|(style, text)| cells_of(style, &text)).collect()
    }

    fn of_cells(cells: &[(Style, char)]) -> Self {
        let mut spans: Vec<(Style, String)> = Vec::new();
        for (style, c) in cells {
            match spans.last_mut() {
                Some((last, text)) if last == style => text.push(*c),
                _ => spans.push((*style, c.to_string())),
            }
        }
        Self { spans }
    }
}

fn cells_of(style: Style, text: &str) -> Vec<(Style, char)> {
    text.chars().map(|c| (style, c)).collect()
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}

impl Text {
    /// No line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it has no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Adds a line as it is.
    pub fn line(&mut self, line: impl Into<Line>) {
        self.lines.push(line.into());
    }

    /// Adds an empty line, unless it would be the first one or the second in a row.
    pub fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| line.width() > 0) {
            self.lines.push(Line::default());
        }
    }

    /// Lines that have their layout already.
    pub fn preformatted(text: &str) -> Self {
        Self { lines: text.lines().map(Line::plain).collect() }
    }

    /// Adds other lines behind an empty one; nothing where there are none.
    pub fn section(&mut self, other: Self) {
        if !other.is_empty() {
            self.gap();
            self.append(other);
        }
    }

    /// Adds other lines.
    pub fn append(&mut self, other: Self) {
        self.lines.extend(other.lines);
    }

    /// Adds a paragraph: `content` broken at `width` columns, behind `lead` on its first line and
    /// as far in on the others.
    pub fn paragraph(&mut self, lead: impl Into<Line>, content: impl Into<Line>, width: usize) {
        let lead = lead.into();
        let hang = lead.width();
        let width = width.min(LONGEST_LINE);
        let mut first = Some(lead);
        for piece in content.into().wrapped(width.saturating_sub(hang)) {
            let lead = first.take().unwrap_or_else(|| Line::plain(" ".repeat(hang)));
            self.lines.push(lead.join(piece));
        }
    }

    /// Adds words that stay together, like a command: on the last line where there is room, else on
    /// a line of their own.
    pub(super) fn together(&mut self, words: Line, width: usize) {
        let has_room = |last: &Line| last.width() + 1 + words.width() <= width.min(LONGEST_LINE);
        match self.lines.pop_if(|last| last.width() > 0 && has_room(last)) {
            Some(last) => self.lines.push(last.then(Style::Plain, " ").join(words)),
            None => self.lines.push(words),
        }
    }

    /// The one way out: every line with its line end, in printable ASCII.
    ///
    /// Whatever is no printable ASCII character, a line end inside a piece of text included, is
    /// written as `\u{…}`. With `colour`, SGR sequences of the sink's own stand around what has a
    /// style.
    pub fn to_string_with(&self, colour: bool) -> String {
        let mut out = String::new();
        for line in &self.lines {
            for (style, text) in &line.spans {
                match style.sgr().filter(|_| colour && !text.is_empty()) {
                    Some(sgr) => {
                        out.push_str("\u{1b}[");
                        out.push_str(sgr);
                        out.push('m');
                        escape_into(&mut out, text);
                        out.push_str("\u{1b}[0m");
                    }
                    None => escape_into(&mut out, text),
                }
            }
            out.push('\n');
        }
        out
    }
}

/// The text in printable ASCII, everything else as `\u{…}`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape_into(&mut out, text);
    out
}

fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        if is_printable(c) {
            out.push(c);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", c.escape_unicode());
        }
    }
}

fn escaped_width(text: &str) -> usize {
    text.chars().map(|c| if is_printable(c) { 1 } else { c.escape_unicode().count() }).sum()
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STYLES: [Style; 7] = [
        Style::Plain,
        Style::Bold,
        Style::Red,
        Style::Green,
        Style::Yellow,
        Style::Cyan,
        Style::Dim,
    ];

    fn is_clean(out: &str) -> bool {
        out.chars().all(|c| c == '\n' || is_printable(c))
    }

    fn without_sgr(out: &str) -> String {
        let mut out = out.to_owned();
        for style in STYLES {
            if let Some(sgr) = style.sgr() {
                out = out.replace(&format!("\u{1b}[{sgr}m"), "");
            }
        }
        out.replace("\u{1b}[0m", "")
    }

    fn lines() -> impl Strategy<Value = Vec<Vec<(usize, String)>>> {
        let evil = prop_oneof![
            any::<String>(),
            "[\\x00-\\xff\u{200b}\u{202e}\u{2066}\u{feff} ]{0,12}",
            "\u{1b}\\[[0-9;]{0,3}[a-zA-Z]",
        ];
        prop::collection::vec(prop::collection::vec((0..STYLES.len(), evil), 0..5), 0..5)
    }

    fn text_of(lines: &[Vec<(usize, String)>]) -> Vec<Line> {
        let line = |spans: &Vec<(usize, String)>| Line {
            spans: spans.iter().map(|(style, text)| (STYLES[*style], text.clone())).collect(),
        };
        lines.iter().map(line).collect()
    }

    proptest! {
        #[test]
        fn nothing_but_printable_ascii_gets_out(lines in lines(), width in 0_usize..130) {
            let mut text = Text::new();
            for line in text_of(&lines) {
                text.paragraph(line.clone(), line.clone(), width);
                text.line(line);
            }
            let plain = text.to_string_with(false);
            prop_assert!(is_clean(&plain), "{plain:?}");
            prop_assert_eq!(without_sgr(&text.to_string_with(true)), plain);
        }

        #[test]
        fn width_is_what_comes_out_and_wrapping_keeps_to_it(
            lines in lines(),
            width in 1_usize..130,
        ) {
            for line in text_of(&lines) {
                for piece in line.wrapped(width) {
                    prop_assert!(piece.width() <= width);
                }
                let letters = |line: &Line| -> String {
                    line.cells().iter().map(|(_, c)| *c).filter(|c| *c != ' ').collect()
                };
                let pieces: String = line.wrapped(width).iter().map(letters).collect();
                prop_assert_eq!(pieces, letters(&line));
                let mut text = Text::new();
                text.line(line.clone());
                prop_assert_eq!(text.to_string_with(false).len(), line.width() + 1);
            }
        }
    }

    #[test]
    fn a_line_end_inside_a_span_is_escaped() {
        let mut text = Text::new();
        text.line("a\nb\u{202e}\u{9b}31m");
        assert_eq!(text.to_string_with(false), "a\\u{a}b\\u{202e}\\u{9b}31m\n");
    }

    #[test]
    fn styles_are_the_sinks_own() {
        let mut text = Text::new();
        text.line(Line::new(Style::Red, "gone\u{1b}[0m").then(Style::Plain, " now"));
        assert_eq!(text.to_string_with(true), "\u{1b}[31mgone\\u{1b}[0m\u{1b}[0m now\n");
    }
}

//! Tables whose columns are measured on what really comes out.

use super::text::{Line, Style, Text};

/// On which side the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// What stands above it.
    pub head: &'static str,
    /// On which side its text stands.
    pub align: Align,
    /// Whether the table does without it where there is no room.
    pub optional: bool,
    /// How many columns of space stand before it.
    pub gap: usize,
    /// Whether what is too long loses its beginning, instead of being broken into lines.
    pub ends: bool,
}

impl Column {
    /// A column of words.
    pub const fn words(head: &'static str) -> Self {
        Self { head, align: Align::Left, optional: false, gap: GAP, ends: false }
    }

    /// A column of paths, whose ends say most.
    pub const fn paths(head: &'static str) -> Self {
        Self { ends: true, ..Self::words(head) }
    }

    /// A column of numbers.
    pub const fn numbers(head: &'static str) -> Self {
        Self { head, align: Align::Right, optional: false, gap: GAP, ends: false }
    }

    /// The same column, left out where there is no room.
    #[must_use]
    pub const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// The same column, closer to the one before it.
    #[must_use]
    pub const fn tight(self) -> Self {
        Self { gap: 1, ..self }
    }
}

#[derive(Debug, Clone)]
enum Row {
    Cells(Vec<Line>),
    Across { indent: usize, line: Line },
    Whole { indent: usize, line: Line },
}

/// A table: columns, rows, and lines that run across all columns.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

const INDENT: usize = 2;
const GAP: usize = 2;
/// A column is not made narrower than this to make room.
const NARROWEST: usize = 8;
/// The most lines of a cell; what is longer is no name that a person reads.
const TALLEST: usize = 8;

impl Table {
    /// A table without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row: one cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Line>) {
        let mut cells: Vec<Line> = cells.into_iter().collect();
        cells.resize(self.columns.len(), Line::default());
        self.rows.push(Row::Cells(cells));
    }

    /// Adds a line across all columns, indented by this many columns more than the table.
    pub fn across(&mut self, indent: usize, line: impl Into<Line>) {
        self.rows.push(Row::Across { indent, line: line.into() });
    }

    /// The same, never broken into lines: a command is copied as it stands.
    pub fn whole(&mut self, indent: usize, line: impl Into<Line>) {
        self.rows.push(Row::Whole { indent, line: line.into() });
    }

    /// The table, at most `width` columns wide where that can be done. A column in which nothing
    /// stands is left out.
    pub fn to_text(&self, width: usize) -> Text {
        let shown = self.shown(width);
        let mut text = Text::new();
        let head = |at: usize| Line::new(Style::Dim, self.columns[at].head);
        self.print(&mut text, &shown, head);
        for row in &self.rows {
            match row {
                Row::Cells(cells) => self.print(&mut text, &shown, |at| cells[at].clone()),
                Row::Across { indent, line } => {
                    text.paragraph(" ".repeat(INDENT + indent), line.clone(), width);
                }
                Row::Whole { indent, line } => {
                    text.line(Line::plain(" ".repeat(INDENT + indent)).join(line.clone()));
                }
            }
        }
        text
    }

    /// The columns that are shown, each with its width.
    fn shown(&self, width: usize) -> Vec<(usize, usize)> {
        let mut shown: Vec<(usize, usize)> = (0..self.columns.len())
            .filter_map(|at| {
                let widest = self.cells(at).map(Line::width).max().filter(|widest| *widest > 0)?;
                Some((at, widest.max(self.columns[at].head.len())))
            })
            .collect();
        let total = |shown: &[(usize, usize)]| -> usize {
            let gaps = shown.iter().skip(1).map(|(at, _)| self.columns[*at].gap);
            INDENT + shown.iter().map(|(_, w)| w).sum::<usize>() + gaps.sum::<usize>()
        };
        while total(&shown) > width {
            let Some(last) = shown.iter().rposition(|(at, _)| self.columns[*at].optional) else {
                break;
            };
            shown.remove(last);
        }
        while total(&shown) > width {
            let beyond = total(&shown) - width;
            let Some((_, widest)) = shown.iter_mut().max_by_key(|(_, w)| *w) else { break };
            if *widest <= NARROWEST {
                break;
            }
            // In small bites, so that wide columns share the loss.
            *widest -= beyond.min(4).min(*widest - NARROWEST);
        }
        shown
    }

    fn cells(&self, at: usize) -> impl Iterator<Item = &Line> {
        self.rows.iter().filter_map(move |row| match row {
            Row::Cells(cells) => cells.get(at),
            Row::Across { .. } | Row::Whole { .. } => None,
        })
    }

    fn print(&self, text: &mut Text, shown: &[(usize, usize)], cell: impl Fn(usize) -> Line) {
        let wrapped: Vec<Vec<Line>> = shown
            .iter()
            .map(|(at, width)| {
                if self.columns[*at].ends {
                    vec![cell(*at).ending(*width)]
                } else {
                    cell(*at).truncated(width * TALLEST).wrapped(*width)
                }
            })
            .collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for y in 0..height {
            let mut line = Line::default();
            let mut column = 0;
            let mut reached = 0;
            for ((at, width), pieces) in shown.iter().zip(&wrapped) {
                let start = if reached == 0 { INDENT } else { reached + self.columns[*at].gap };
                reached = start + width;
                let Some(piece) = pieces.get(y).filter(|piece| piece.width() > 0) else { continue };
                let shift = match self.columns[*at].align {
                    Align::Left => 0,
                    Align::Right => width.saturating_sub(piece.width()),
                };
                let pad = (start + shift).saturating_sub(column);
                column = start + shift + piece.width();
                line = line.then(Style::Plain, " ".repeat(pad)).join(piece.clone());
            }
            text.line(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let columns = [
            Column::numbers("id"),
            Column::words("role"),
            Column::words("nothing"),
            Column::words("address").optional(),
            Column::words("status"),
        ];
        let mut table = Table::new(columns);
        let cells = ["1", "participant", "", "10.0.0.1:2181", "leads"];
        table.row(cells.map(Line::from));
        let cells =
            ["12", "observer", "", "10.0.0.12:2181", "observes, somewhat behind the leader"];
        table.row(cells.map(Line::from));
        table.across(4, "a line across all columns");
        table
    }

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        insta::assert_snapshot!(table().to_text(120).to_string_with(false), @r#"
        id  role         address         status
         1  participant  10.0.0.1:2181   leads
        12  observer     10.0.0.12:2181  observes, somewhat behind the leader
            a line across all columns
        "#);
    }

    #[test]
    fn without_room_the_optional_go_first_then_the_widest_wrap() {
        insta::assert_snapshot!(table().to_text(40).to_string_with(false), @r#"
        id  role         status
         1  participant  leads
        12  observer     observes, somewhat
                         behind the leader
            a line across all columns
        "#);
    }

    #[test]
    fn cells_are_measured_as_they_come_out() {
        let mut table = Table::new([Column::words("host"), Column::words("status")]);
        table.row([Line::from("zk\u{1b}c"), Line::from("leads")]);
        table.row([Line::from("zk1"), Line::from("follows")]);
        insta::assert_snapshot!(table.to_text(80).to_string_with(false), @r#"
        host       status
        zk\u{1b}c  leads
        zk1        follows
        "#);
    }

    #[test]
    fn a_path_keeps_its_end() {
        let mut table = Table::new([Column::paths("spec"), Column::words("verdict")]);
        table.row([Line::from("environments/production/eu-west/zk.yaml"), Line::from("planned")]);
        table.row([Line::from("demo.yaml"), Line::from("refused: ZKQ2 and ZKQ3")]);
        insta::assert_snapshot!(table.to_text(50).to_string_with(false), @r#"
        spec                      verdict
        ..uction/eu-west/zk.yaml  planned
        demo.yaml                 refused: ZKQ2 and ZKQ3
        "#);
    }

    #[test]
    fn a_cell_without_end_is_cut() {
        let mut table = Table::new([Column::words("host"), Column::words("status")]);
        table.row([Line::from("x".repeat(100_000)), Line::from("leads")]);
        assert!(table.to_text(80).to_string_with(false).lines().count() < 20);
    }
}

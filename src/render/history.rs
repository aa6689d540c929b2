//! The runs of an ensemble.

use super::run::entry;
use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use crate::apply::journal::{Entry, Run};

/// All runs, one a line.
pub fn runs(runs: &[Run], width: usize) -> Text {
    let mut text = Text::new();
    if runs.is_empty() {
        text.line("/zkplan has no runs.");
        return text;
    }
    let mut table = Table::new([
        Column::numbers("run"),
        Column::words("opened"),
        Column::words("by"),
        Column::words("state"),
        Column::words("plan"),
    ]);
    for run in runs {
        let stamp = &run.header.opened;
        let (style, state) = state(run);
        let digest = run.header.plan_id.chars().take(PLAN_CHARS).collect::<String>();
        table.row([
            Line::plain(run.number.to_string()),
            Line::plain(stamp.at.clone()),
            Line::plain(format!("{}@{}", stamp.who, stamp.host)),
            Line::new(style, state),
            Line::new(Style::Dim, digest),
        ]);
    }
    text.append(table.to_text(width));
    text
}

/// Enough of a plan's id to tell it from others.
const PLAN_CHARS: usize = 19;

fn state(run: &Run) -> (Style, String) {
    let ended = run.records.iter().find_map(|record| match &record.entry {
        Entry::Closed => Some((Style::Green, "done".to_owned())),
        Entry::Abandoned { who } => Some((Style::Dim, format!("given up by {who}"))),
        _ => None,
    });
    ended.unwrap_or_else(|| {
        if run.is_open() {
            let last = run.records.last().map(|record| entry(&record.entry)).unwrap_or_default();
            (Style::Yellow, format!("open; {last}"))
        } else {
            (Style::Dim, "never begun".to_owned())
        }
    })
}

/// One run in full.
pub fn run(run: &Run, width: usize) -> Text {
    let mut text = Text::new();
    let (style, state) = state(run);
    let stamp = &run.header.opened;
    text.line(
        Line::new(Style::Bold, format!("run {}", run.number))
            .then(Style::Plain, format!(" of {}: ", run.header.ensemble))
            .then(style, state),
    );
    let opened = format!(
        "opened by {}@{}, process {}, {}; plan {}",
        stamp.who, stamp.host, stamp.pid, stamp.at, run.header.plan_id
    );
    text.paragraph("", Line::new(Style::Dim, opened), width);
    for leaving in run.header.leaving.values() {
        let reached = leaving.client.as_deref().unwrap_or("an unknown address");
        text.paragraph("  ", format!("leaves: {}, reached at {reached}", leaving.line), width);
    }
    text.gap();
    for record in &run.records {
        let lead = Line::new(Style::Dim, format!("  {}  {}  ", record.at, record.nonce));
        text.paragraph(lead, entry(&record.entry), width);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_is_what_was_read_and_no_claim() {
        assert_eq!(runs(&[], 80).to_string_with(false), "/zkplan has no runs.\n");
    }
}

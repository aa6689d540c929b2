//! The runs of an ensemble.

use super::predicted;
use super::run::{WITHDRAWN, entry};
use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use crate::apply::journal::{Entry, Header, Illegible, Run, Runs};
use crate::prediction::Prediction;

/// What is to be said of runs that are not listed.
pub fn older(runs: &Runs) -> Vec<String> {
    let removed = runs.removed();
    let removed =
        (removed > 0).then(|| format!("Older runs are not kept. Removed so far: {removed}."));
    let not_read = runs.not_read;
    let not_listed =
        (not_read > 0).then(|| format!("Older runs are kept, but not listed here: {not_read}."));
    removed.into_iter().chain(not_listed).collect()
}

/// All runs, one a line.
pub fn runs(of: &Runs, width: usize) -> Text {
    let (runs, mut text) = (&of.latest, Text::new());
    for line in older(of) {
        text.paragraph("", line, width);
    }
    if runs.is_empty() {
        text.line("The journal of this ensemble has no runs.");
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
        let (style, state) = state(run);
        let (at, by, digest) = match &run.header {
            Ok(Header { opened, plan_id, cause, .. }) => (
                opened.at.clone(),
                opened.for_whom(cause),
                plan_id.chars().take(PLAN_CHARS).collect::<String>(),
            ),
            Err(why) => ("-".to_owned(), "-".to_owned(), illegible(why)),
        };
        table.row([
            Line::plain(run.number.to_string()),
            Line::plain(at),
            Line::plain(by),
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
        Entry::Withdrawn => Some((Style::Dim, WITHDRAWN.to_owned())),
        Entry::Abandoned { who } => Some((Style::Dim, format!("abandoned by {who}"))),
        _ => None,
    });
    ended.unwrap_or_else(|| {
        if run.is_open() {
            let last = run.records.last().map(|record| entry(&record.entry)).unwrap_or_default();
            let unread = match run.illegible.len() {
                0 => String::new(),
                count => format!("; entries not understood: {count}"),
            };
            (Style::Yellow, format!("open; {last}{unread}"))
        } else {
            (Style::Dim, "not started".to_owned())
        }
    })
}

/// Where a run stands, in a few words.
pub fn words_for_state(run: &Run) -> String {
    state(run).1
}

/// One run in full, with what its plan was expected to cost, where that is known.
pub fn run(run: &Run, prediction: Option<&Prediction>, width: usize) -> Text {
    let mut text = Text::new();
    let (style, state) = state(run);
    let of = run.header.as_ref().map_or_else(|_| String::new(), |h| format!(" of {}", h.ensemble));
    text.line(
        Line::new(Style::Bold, format!("run {}", run.number))
            .then(Style::Plain, format!("{of}: "))
            .then(style, state),
    );
    match &run.header {
        Ok(header) => {
            let stamp = &header.opened;
            let opened = format!(
                "opened by {}, process {}, {}; plan {}",
                stamp.for_whom(&header.cause),
                stamp.pid,
                stamp.at,
                header.plan_id
            );
            text.paragraph("", Line::new(Style::Dim, opened), width);
            if let Some(reason) = &header.cause.reason {
                text.paragraph("reason: ", reason.clone(), width);
            }
            for leaving in header.leaving.values() {
                let reached = leaving.client.as_deref().unwrap_or("an unknown address");
                let leaves = format!("servers that leave: {}, reached at {reached}", leaving.line);
                text.paragraph("  ", leaves, width);
            }
        }
        Err(why) => text.paragraph("", format!("its header: {}", illegible(why)), width),
    }
    if let Some(prediction) = prediction {
        text.append(predicted::below(prediction, None, width));
    }
    text.gap();
    for record in &run.records {
        let lead = Line::new(Style::Dim, format!("  {}  {}  ", record.at, record.nonce));
        text.paragraph(lead, entry(&record.entry), width);
    }
    for (number, why) in &run.illegible {
        text.paragraph("  ", format!("entry {number}: {}", illegible(why)), width);
    }
    text
}

/// Why something of the journal is not understood.
fn illegible(why: &Illegible) -> String {
    match why {
        Illegible::Newer(version) => format!("written by a newer zkplan (format {version})"),
        Illegible::Garbled => "not readable".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_is_what_was_read_and_no_claim() {
        assert_eq!(
            runs(&Runs::default(), 80).to_string_with(false),
            "The journal of this ensemble has no runs.\n"
        );
    }

    #[test]
    fn runs_that_are_missing_from_the_list_are_accounted_for() {
        let of = |highest, count, not_read| {
            older(&Runs { highest, count, not_read, ..Runs::default() }).join(" ")
        };
        assert_eq!(of(100, 100, 0), "");
        assert_eq!(of(156, 100, 0), "Older runs are not kept. Removed so far: 56.");
        assert_eq!(of(300, 300, 100), "Older runs are kept, but not listed here: 100.");
    }
}

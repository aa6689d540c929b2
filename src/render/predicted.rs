//! What a plan is expected to cost in time, and beside it what an apply measured.

use super::text::{Line, Style, Text};
use crate::apply::report::RunReport;
use crate::model::ServerId;
use crate::observe::{SizeUnknown, TimeSpan};
use crate::prediction::Prediction;

/// The time that a leader change, or each joiner, is expected to take. Nothing where the plan has
/// neither, or was made without asking a server.
pub fn below(prediction: &Prediction, leader: Option<ServerId>, width: usize) -> Text {
    let mut text = Text::new();
    let has_copies = !prediction.copies.is_empty();
    let has_change = prediction.leader_change.is_some();
    if !has_copies && !has_change || prediction.unknown == Some(SizeUnknown::NotAsked) {
        return text;
    }
    let Some(bytes) = prediction.snapshot_bytes else {
        let what = match (has_change, has_copies) {
            (true, true) => "the time of the leader change and of the copies to joiners",
            (true, false) => "the time of the leader change",
            (false, _) => "the time of the copies to joiners",
        };
        let said = format!("{what}. {}.", unknown(prediction.unknown, leader));
        text.paragraph("", titled("Not predicted:", &said), width);
        return text;
    };
    let change = prediction.leader_change.as_ref().and_then(|change| change.gap);
    let change = change.map(|gap| format!("{} without writes at the leader change", seconds(gap)));
    let copy = prediction.copies.iter().filter_map(|copy| copy.time).max_by_key(|time| time.to_ms);
    // The files that a joiner starts with are not seen: one with a seed copies less.
    let copy = copy.map(|time| {
        format!("a joiner that starts empty copies {} in {}", size(bytes), seconds(time))
    });
    let parts: Vec<String> = change.into_iter().chain(copy).collect();
    let said = format!("{}.", parts.join("; "));
    text.paragraph("", titled("Predicted:", &said), width);
    text
}

fn titled(title: &str, said: &str) -> Line {
    Line::new(Style::Bold, title).then(Style::Plain, format!(" {said}"))
}

/// What was expected and what was measured, a line for each that was measured.
pub(super) fn measured(report: &RunReport, prediction: &Prediction, width: usize) -> Text {
    let mut text = Text::new();
    if let Some((step, ms)) = report.leader_change() {
        let gap = prediction.leader_change.as_ref().and_then(|change| change.gap);
        let said = format!(
            "Leader change ({step}): {} without writes, measured {}",
            expected(gap),
            measured_seconds(ms)
        );
        text.paragraph("", said, width);
    }
    for time in &prediction.restarts {
        let Some(ms) = report.restarts.get(&time.step) else { continue };
        let measured = measured_seconds(*ms);
        let said = match time.gap {
            Some(gap) => format!("predicted {} without writes, measured {measured}", seconds(gap)),
            None => format!("measured {measured} without writes, not predicted"),
        };
        text.paragraph("", format!("Restart of server {}: {said}", time.server), width);
    }
    for (server, ms) in &report.copies {
        let said = format!(
            "Copy to server {server}: {}, measured {}",
            expected_of_all_data(prediction.copy_of(*server)),
            measured_seconds(*ms)
        );
        text.paragraph("", said, width);
    }
    text
}

fn expected(time: Option<TimeSpan>) -> String {
    time.map_or_else(|| "not predicted".to_owned(), |time| format!("predicted {}", seconds(time)))
}

/// The same of a copy: a joiner that began with a seed has got less.
fn expected_of_all_data(time: Option<TimeSpan>) -> String {
    let all = if time.is_some() { " for all data" } else { "" };
    format!("{}{all}", expected(time))
}

/// Why the size of the data is not known.
fn unknown(why: Option<SizeUnknown>, leader: Option<ServerId>) -> String {
    let who = leader.map_or_else(|| "The leader".to_owned(), |id| format!("Server {id}"));
    let why = match why {
        Some(SizeUnknown::NotAllowed) => "does not allow mntr",
        Some(SizeUnknown::NotAsked | SizeUnknown::NoAnswer) | None => "does not answer mntr",
    };
    format!("{who} {why}, so the size of the data is not known")
}

/// Bytes, in a unit that fits.
fn size(bytes: u64) -> String {
    const MEGABYTE: u64 = 1_000_000;
    const GIGABYTE: u64 = 1_000 * MEGABYTE;
    if bytes < MEGABYTE {
        "less than 1 MB".to_owned()
    } else if bytes < 10 * GIGABYTE {
        format!("{} MB", bytes.div_ceil(MEGABYTE))
    } else {
        format!("{} GB", bytes.div_ceil(GIGABYTE))
    }
}

/// A span in seconds, no finer than it is known.
fn seconds(time: TimeSpan) -> String {
    match [time.from_ms, time.to_ms].map(tenths) {
        [_, to] if to <= 10 => "less than 1 s".to_owned(),
        [from, to] if from == to => in_seconds(to),
        [from, to] => {
            let from = in_seconds(from);
            format!("{} to {}", from.trim_end_matches(" s"), in_seconds(to))
        }
    }
}

fn measured_seconds(ms: u64) -> String {
    format!("{}.{} s", tenths(ms) / 10, tenths(ms) % 10)
}

/// Tenths of a second, rounded.
const fn tenths(ms: u64) -> u64 {
    (ms + 50) / 100
}

/// Tenths of a second below 10 seconds, whole seconds above.
fn in_seconds(tenths: u64) -> String {
    if tenths < 100 && !tenths.is_multiple_of(10) {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else {
        format!("{} s", tenths.div_ceil(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::StepId;
    use crate::prediction::{CopyTime, LeaderChangeTime, RestartTime};

    const GAP: TimeSpan = TimeSpan { from_ms: 2841, to_ms: 3541 };
    const COPY: TimeSpan = TimeSpan { from_ms: 5_500, to_ms: 10_200 };

    fn prediction(bytes: Option<u64>, unknown: Option<SizeUnknown>) -> Prediction {
        let known = bytes.is_some();
        let copy = |id| CopyTime { server: ServerId::new(id), time: Some(COPY).filter(|_| known) };
        Prediction {
            snapshot_bytes: bytes,
            unknown,
            leader_change: Some(LeaderChangeTime {
                step: Some(StepId::new("leave-1")),
                gap: Some(GAP).filter(|_| known),
                slowest: None,
                is_reported: false,
            }),
            restarts: Vec::new(),
            copies: vec![copy(4), copy(5)],
            init_limits: Vec::new(),
        }
    }

    /// The words, without the breaks between them; at 80 columns they take two lines.
    fn shown(prediction: &Prediction) -> String {
        let text = below(prediction, Some(ServerId::new(1)), 80).to_string_with(false);
        assert!(text.lines().count() <= 2, "{text}");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_plan_says_in_two_lines_how_long_it_takes_or_why_it_does_not_know() {
        let known = prediction(Some(208_463_593), None);
        assert_eq!(
            shown(&known),
            "Predicted: 2.8 to 3.5 s without writes at the leader change; a joiner that starts empty \
             copies 209 MB in 5.5 to 11 s."
        );
        assert_eq!(
            shown(&prediction(None, Some(SizeUnknown::NotAllowed))),
            "Not predicted: the time of the leader change and of the copies to joiners. Server 1 does \
             not allow mntr, so the size of the data is not known."
        );
        assert_eq!(shown(&prediction(None, Some(SizeUnknown::NotAsked))), "");
        let stays = Prediction { leader_change: None, copies: Vec::new(), ..known };
        assert_eq!(shown(&stays), "");
    }

    /// Those whose stop this apply has seen; the others are not spoken of.
    #[test]
    fn a_restart_that_was_measured_has_a_line() {
        let time = |id, gap| RestartTime {
            step: StepId::new(format!("restart-{id}")),
            server: ServerId::new(id),
            gap,
        };
        let restarts = vec![time(2, Some(TimeSpan { from_ms: 0, to_ms: 200 })), time(3, None)];
        let prediction = Prediction { restarts, ..Prediction::default() };
        let mut report = RunReport::default();
        assert_eq!(measured(&report, &prediction, 90).to_string_with(false), "");
        report.restarts.insert(StepId::new("restart-2"), 62);
        report.restarts.insert(StepId::new("restart-3"), 1249);
        insta::assert_snapshot!(measured(&report, &prediction, 90).to_string_with(false), @r"
        Restart of server 2: predicted less than 1 s without writes, measured 0.1 s
        Restart of server 3: measured 1.2 s without writes, not predicted
        ");
    }

    /// Nothing shows what a joiner began with: the time that was expected is that of all data.
    #[test]
    fn a_copy_that_was_measured_has_a_line() {
        let mut report = RunReport::default();
        report.copies.insert(ServerId::new(4), 412);
        report.copies.insert(ServerId::new(6), 6_020);
        let known = prediction(Some(208_463_593), None);
        insta::assert_snapshot!(measured(&report, &known, 90).to_string_with(false), @r"
        Copy to server 4: predicted 5.5 to 11 s for all data, measured 0.4 s
        Copy to server 6: not predicted, measured 6.0 s
        ");
    }

    #[test]
    fn times_are_no_finer_than_they_are_known() {
        let span = |from_ms, to_ms| seconds(TimeSpan { from_ms, to_ms });
        assert_eq!(span(300, 1010), "less than 1 s");
        assert_eq!(span(320, 1240), "0.3 to 1.2 s");
        assert_eq!(span(2000, 2040), "2 s");
        assert_eq!(span(9_950, 41_300), "10 to 42 s");
        assert_eq!(
            (size(999_999), size(1_000_001)),
            ("less than 1 MB".to_owned(), "2 MB".to_owned())
        );
        assert_eq!(size(12_000_000_000), "12 GB");
    }
}

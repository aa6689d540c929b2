//! The lines of an apply that waits for the restart.

use super::super::text::{Line, Style, Text};
use super::mistakes::{cause, looks};
use crate::first_quorum::{Comparison, Noted, Proven, RestartState};
use crate::model::ServerId;

/// What is said when a state is new, behind the time of day or the like.
pub fn state(id: ServerId, state: &RestartState, clock: &str, width: usize) -> Text {
    let mut text = Text::new();
    let lead = Line::new(Style::Dim, clock);
    match state {
        RestartState::Waits => {
            let what = format!("restart server {id} with the files above");
            text.paragraph(lead, Line::plain("Now: ").then(Style::Cyan, what), width);
        }
        RestartState::Down => text.paragraph(lead, format!("server {id} is down"), width),
        RestartState::Starts => {
            text.paragraph(lead, format!("server {id} was started and does not serve yet"), width);
        }
        RestartState::Silent => text.paragraph(lead, format!("server {id} gives no answer"), width),
        RestartState::Wrong(mistake) => {
            let what = format!("{}.", looks(mistake, id));
            let why = format!(" {} zkplan watches on.", cause(mistake, id));
            text.paragraph(lead, Line::new(Style::Red, what).then(Style::Plain, why), width);
        }
        RestartState::Proven(proven) => text.append(done(id, proven, lead, width)),
    }
    text
}

/// What was noted of the data, and the command that resumes with it.
pub fn noted(noted: Noted, resumes: &str, width: usize) -> Text {
    let mut text = Text::new();
    let what = format!(
        "noted: zxid {}, {} znodes. If this apply ends before the restart is done, continue with: ",
        noted.zxid, noted.znodes
    );
    text.paragraph("", Line::plain(what).then(Style::Cyan, resumes), width);
    text
}

fn done(id: ServerId, proven: &Proven, lead: Line, width: usize) -> Text {
    let mut text = Text::new();
    let znodes = match (proven.before, proven.now) {
        (Some(before), Some(now)) => format!("; znodes {} -> {}", before.znodes, now.znodes),
        (None, Some(now)) => format!("; {} znodes", now.znodes),
        (_, None) => String::new(),
    };
    let zxid = match (proven.before, proven.now) {
        (Some(before), Some(now)) => format!("; zxid {} -> {}", before.zxid, now.zxid),
        _ => String::new(),
    };
    let gap = proven.gap_ms.map_or_else(String::new, |ms| {
        format!(" It did not serve for {}.{:01} s.", ms / 1000, ms % 1000 / 100)
    });
    let what = format!("Server {id} leads alone");
    let more =
        format!(", config version {}{zxid}{znodes}. A write committed.{gap}", proven.version);
    let indent = " ".repeat(lead.width());
    text.paragraph(lead, Line::new(Style::Green, what).then(Style::Plain, more), width);
    let compared = match proven.comparison {
        Comparison::SessionSurvived => {
            "zkplan's session from before the restart is still there, and so is every write made before \
             that session was opened."
        }
        Comparison::SessionGone => {
            "zkplan's session ended meanwhile, so only the figures of the data were compared."
        }
        Comparison::NotCompared => {
            "zkplan had no session from before the restart, so only the figures of the data were \
             compared."
        }
    };
    text.paragraph(Line::plain(indent), compared, width);
    if let Some(fewer) = proven.fewer_znodes() {
        let what = format!(
            "{fewer} znodes fewer than before: ephemeral ones of sessions that ended, or deleted ones."
        );
        text.paragraph(Line::new(Style::Yellow, "note: "), what, width);
    }
    text
}

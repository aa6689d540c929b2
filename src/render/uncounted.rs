//! Voters that do not count, while an apply gives them time.

use std::collections::BTreeMap;

use super::phrases;
use super::text::{Line, Style, Text};
use crate::model::ServerId;
use crate::observe::{Observation, ServerStatus};

/// Voters that do not count, with address and cause, and since when, as a time of day.
pub fn not_counted(seen: &Observation, since: &BTreeMap<ServerId, String>, width: usize) -> Text {
    let mut text = Text::new();
    for (id, since) in since {
        let observed = seen.servers.get(id);
        let at =
            observed.and_then(|observed| observed.endpoint.as_ref()).map(|at| format!(" ({at})"));
        let status = observed.map_or(&ServerStatus::NotAsked, |observed| &observed.status);
        let (word, _, more) = phrases::status(status);
        let more = more.map(|more| format!(", {more}")).unwrap_or_default();
        let who = format!("Server {id}{} does not count since {since}: ", at.unwrap_or_default());
        text.paragraph("", Line::new(Style::Yellow, who + word + &more), width);
    }
    text
}

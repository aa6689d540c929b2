//! The lines of a watch: what changed on a server, and what to do now.

use std::collections::BTreeSet;

use super::super::phrases::list;
use super::super::text::{Line, Style, Text};
use super::evidence::status_word;
use crate::preflight::{CheckKind, RestartShownBy, RollAdvice, RollChange, RollMissing, StateWord};

/// What changed on a server, as one line.
pub fn change(change: &RollChange) -> Line {
    match change {
        RollChange::State { server, status, lacks } => {
            let healthy =
                matches!(status, StateWord::Leads | StateWord::Follows | StateWord::Observes);
            let style = if healthy { Style::Green } else { Style::Red };
            let line = Line::plain(format!("server {server}  ")).then(style, status_word(*status));
            if lacks.is_empty() {
                line
            } else {
                line.then(Style::Plain, "; fails: ").then(Style::Yellow, names(lacks))
            }
        }
        RollChange::Restarted { server, still, is_old: true, .. } => {
            let says = format!(
                "was restarted with the old settings: it still fails {}. Check that \
                                its zoo.cfg has the edit, and that it is started from that file",
                names(still)
            );
            Line::plain(format!("server {server}  ")).then(Style::Yellow, says)
        }
        RollChange::Restarted { server, by, still, is_old: false } => {
            let by = match by {
                RestartShownBy::Refused => "its client port refused connections, and serves again",
                RestartShownBy::Setting => "it has a setting that it did not have before",
            };
            let line = Line::plain(format!("server {server}  was restarted: {by}"));
            if still.is_empty() {
                line
            } else {
                line.then(Style::Yellow, format!("; it still fails {}", names(still)))
            }
        }
    }
}

/// What to do now. That the roll can only be finished is said where it is `news`.
pub fn advice(advice: &RollAdvice, news: bool, width: usize) -> Text {
    let mut text = Text::new();
    let (lead, says) = match advice {
        RollAdvice::AllSet => ("All set: ", "nothing fails any more.".to_owned()),
        RollAdvice::Wait { server, missing, .. } => {
            let who = server.map_or_else(String::new, |server| format!("server {server} "));
            let says = match missing {
                RollMissing::Role(status) => format!("{who}{}", status_word(*status)),
                RollMissing::Commit => format!("no write was seen to commit through {who}yet"),
                RollMissing::Again => format!("{who}is back; checking once more"),
                RollMissing::Leader => "there is no leader".to_owned(),
            };
            ("Wait: ", format!("{}. Restart no other server.", says.trim_end()))
        }
        RollAdvice::Restart { server, leads, lacks, .. } => {
            let last = if *leads { ", the leader, last" } else { "" };
            let why = if lacks.is_empty() {
                "nothing shows yet whether it has the new settings".to_owned()
            } else {
                format!("it fails: {}", names(lacks))
            };
            let says = format!("restart server {server}{last}, with the new settings ({why}).");
            ("Now: ", says)
        }
        RollAdvice::Otherwise { fail } if fail.is_empty() => {
            ("Not yet: ", "what fails is on a server that is to join.".to_owned())
        }
        RollAdvice::Otherwise { fail } => {
            ("Not yet: ", format!("a restart does not fix this: {}.", names(fail)))
        }
    };
    text.paragraph(Line::new(Style::Cyan, lead), says, width);
    if news && advice.is_forward() {
        let says = "a restart that brings reconfigEnabled=true cannot be taken back; on a \
                    follower it shows only once the leader has it. Do not go back: finish the \
                    restarts. A server that restarts with the old file may never rejoin. If a server \
                    stays without a leader, restart it with reconfigEnabled=true."
            .to_owned();
        text.paragraph(Line::new(Style::Yellow, "note: "), says, width);
    }
    text
}

fn names(kinds: &BTreeSet<CheckKind>) -> String {
    list(kinds.iter().map(|kind| format!("{} ({})", kind.name(), kind.code())))
}

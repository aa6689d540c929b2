//! How a run looks while it goes: bars on a terminal, else a line for what happens and one every
//! ten seconds for what is awaited.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::logs;
use super::output::Output;
use crate::apply::Event;
use crate::render::{Line, Text, run};

/// How often a wait is spoken of where there is no terminal, in milliseconds.
const EVERY_MS: u64 = 10_000;

/// How far in the message stands below the bar.
const MESSAGE_INDENT: &str = "  ";

/// The most lines of a message below the bar; a table of waits is no progress bar.
const MESSAGE_LINES: usize = 6;

/// The way in which a run is shown.
pub(super) struct Progress<'a> {
    output: &'a Output,
    bar: Option<ProgressBar>,
    last_wait_ms: Option<u64>,
    last_said: String,
}

impl<'a> Progress<'a> {
    /// Shows a run of this many steps.
    pub(super) fn new(output: &'a Output, steps: usize) -> Self {
        // Lines of the log would go through the bar.
        let has_bar = std::io::stderr().is_terminal() && !logs::are_written();
        let bar = has_bar.then(|| {
            let target = ProgressDrawTarget::stderr();
            let bar = ProgressBar::with_draw_target(u64::try_from(steps).ok(), target);
            let style =
                ProgressStyle::with_template("{spinner} {bar:20} {pos}/{len} {elapsed:>4}{msg}");
            if let Ok(style) = style {
                // ASCII alone, which every locale and terminal has.
                bar.set_style(style.progress_chars("=> ").tick_chars("|/-\\ "));
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { output, bar, last_wait_ms: None, last_said: String::new() }
    }

    /// Shows an event.
    pub(super) fn tell(&mut self, now_ms: u64, event: &Event) {
        match event {
            Event::Waiting(waits) => self.wait(now_ms, &run::waiting(waits)),
            Event::Locked(_) => {
                if let Some(line) = run::line(event) {
                    self.wait(now_ms, &line.plain_text());
                }
            }
            Event::Done { .. } | Event::NotNeeded { .. } | Event::Committed { .. } => {
                if let Some(bar) = &self.bar {
                    bar.inc(1);
                }
                self.last_wait_ms = None;
                self.say(now_ms, event);
            }
            Event::Ended(_) => self.clear(),
            _ => self.say(now_ms, event),
        }
        // Whatever else happens, what was awaited before it is over.
        let is_awaited =
            matches!(event, Event::Waiting(_) | Event::Locked(_) | Event::Output { .. });
        if let Some(bar) = self.bar.as_ref().filter(|_| !is_awaited) {
            bar.set_message("");
        }
    }

    /// Prints the line of an event, with the time since the apply began.
    pub(super) fn say(&self, now_ms: u64, event: &Event) {
        let Some(line) = run::line(event) else { return };
        let clock = format!("{:>8.3}s  ", Duration::from_millis(now_ms).as_secs_f64());
        let mut text = Text::new();
        text.paragraph(Line::new(crate::render::Style::Dim, clock), line, self.output.width);
        self.aside(&text);
    }

    fn wait(&mut self, now_ms: u64, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(below(what, self.output.width));
            return;
        }
        let first = *self.last_wait_ms.get_or_insert(now_ms);
        // A count-down is no news.
        let kind: String = what.chars().filter(|c| !c.is_ascii_digit()).collect();
        let changed = self.last_said != kind && now_ms.saturating_sub(first) >= EVERY_MS / 10;
        if changed || now_ms.saturating_sub(first) >= EVERY_MS {
            self.last_wait_ms = Some(now_ms);
            self.last_said = kind;
            let clock = format!("{:>8.3}s  ", Duration::from_millis(now_ms).as_secs_f64());
            let mut text = Text::new();
            let line = Line::plain(format!("waiting: {what}"));
            text.paragraph(Line::new(crate::render::Style::Dim, clock), line, self.output.width);
            self.aside(&text);
        }
    }

    /// Prints beside the bar.
    pub(super) fn aside(&self, text: &Text) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.output.aside(text)),
            None => self.output.aside(text),
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// What is awaited, on lines of its own below the bar, broken between words.
fn below(what: &str, width: usize) -> String {
    let mut text = Text::new();
    text.paragraph(MESSAGE_INDENT, Line::plain(what.to_owned()), width);
    let said = text.to_string_with(false);
    said.lines().take(MESSAGE_LINES).flat_map(|line| ["\n", line]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::args::Color;
    use super::*;
    use crate::apply::Wait;
    use crate::model::ServerId;
    use crate::plan::StepId;

    #[test]
    fn what_was_awaited_goes_when_the_next_step_is_sent() {
        let output = Output::new(Color::Never);
        let bar = ProgressBar::hidden();
        let (last_wait_ms, last_said) = (None, String::new());
        let mut progress =
            Progress { output: &output, bar: Some(bar.clone()), last_wait_ms, last_said };
        let awaited = Event::Waiting(vec![Wait::Syncing {
            server: ServerId::new(4),
            is_seen: true,
            left_ms: 1000,
        }]);
        progress.tell(0, &awaited);
        let said = bar.message();
        assert!(!said.is_empty());
        progress.tell(10, &Event::Output { index: 7, name: "look".to_owned() });
        assert_eq!(bar.message(), said, "it still waits");
        let step = StepId::new("join-4");
        progress.tell(20, &Event::Sent { step, version: "100000004".to_owned() });
        assert_eq!(bar.message(), "");
    }

    #[test]
    fn what_is_awaited_is_broken_between_words_and_not_cut() {
        let what = "server 4 does not follow yet (no answer, connected, but timed out: the server is \
                    frozen or overloaded)";
        let said = below(what, 80);
        assert!(said.starts_with("\n  server 4 does not follow yet"), "{said}");
        assert!(said.lines().all(|line| line.len() <= 80), "{said}");
        assert_eq!(said.split_whitespace().collect::<Vec<_>>().join(" "), what);
    }
}

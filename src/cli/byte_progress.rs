//! How far a command is that reads and writes much: a bar on a terminal, else nothing.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::logs;

/// A bar, where there is a terminal to show it on.
pub(super) struct ByteProgress {
    bar: Option<ProgressBar>,
}

impl ByteProgress {
    pub(super) fn new() -> Self {
        // Lines of the log would go through the bar.
        let has_bar = std::io::stderr().is_terminal() && !logs::are_written();
        let bar = has_bar.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar }
    }

    /// What is done now, and of how many bytes, where that is known.
    pub(super) fn phase(&self, what: &'static str, total: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(0);
        let template = match total {
            Some(total) => {
                bar.set_length(total);
                "{spinner} {msg:10} {bar:20} {bytes}/{total_bytes} {bytes_per_sec} {elapsed}"
            }
            None => "{spinner} {msg:10} {bytes} {bytes_per_sec} {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            // ASCII alone, which every locale and terminal has.
            bar.set_style(style.progress_chars("=> ").tick_chars("|/-\\ "));
        }
        bar.set_message(what);
        bar.reset_elapsed();
    }

    /// Adds these bytes to what was done.
    pub(super) fn took(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

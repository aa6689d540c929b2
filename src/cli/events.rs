//! `--events FILE`: what happens, one JSON object a line.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::SystemTime;

use crate::apply::Event;
use crate::document::{Document as _, canonical};
use crate::report::events::{EventEntry, EventLine, text};

/// The file that events are written to.
pub(super) struct Events {
    file: File,
    ensemble: String,
    run: Option<u64>,
    sequence: u64,
}

impl Events {
    /// Makes the file anew.
    pub(super) fn create(path: &Path, ensemble: &str) -> std::io::Result<Self> {
        let file = File::create(path)?;
        Ok(Self { file, ensemble: ensemble.to_owned(), run: None, sequence: 0 })
    }

    /// Writes an event, at once.
    pub(super) fn write(
        &mut self,
        elapsed_ms: u64,
        event: &Event,
        exit_code: u8,
    ) -> std::io::Result<()> {
        if let Event::Run { number, .. } = event {
            self.run = Some(*number);
        }
        let line = EventLine {
            sequence: self.sequence,
            at: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            elapsed_ms,
            ensemble: self.ensemble.clone(),
            run: self.run,
            event: EventEntry::of(event, exit_code),
            text: text(event),
        };
        self.sequence += 1;
        let line = canonical(&line.to_value(), false) + "\n";
        self.file.write_all(line.as_bytes())?;
        self.file.flush()
    }
}

//! A program that a story runs beside the ensemble, and what it prints.
//!
//! Clients print a line a second, `NAME session 0x1000 writes 7 held yes`, and `NAME lost` when their
//! library says that the session is lost.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::harness::{Process, wait_until};

/// Brokers take long to start on a busy machine, and kazoo waits up to a minute between two tries to
/// connect.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// It is killed when this is dropped.
pub(crate) struct Program {
    process: Process,
    output: PathBuf,
}

/// What a client last said of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    /// Its session; nothing while its library has none.
    pub(crate) session: Option<u64>,
    /// Writes that were acknowledged.
    pub(crate) writes: u64,
    /// Writes that failed for good, where it counts them.
    pub(crate) failed: u64,
    /// Whether it takes itself for the holder of its lock, where its library says that.
    pub(crate) held: Option<bool>,
}

impl Program {
    /// Starts it with its output in a file of its own below `folder`.
    pub(crate) fn start(
        folder: &Path,
        name: &str,
        program: &Path,
        complete: impl FnOnce(&mut Command),
    ) -> Self {
        static STARTS: AtomicU32 = AtomicU32::new(1);
        let start = STARTS.fetch_add(1, Ordering::Relaxed);
        let output = folder.join(format!("{name}-{start}.log"));
        let log = File::create(&output).expect("the temporary directory can be written to");
        let both = log.try_clone().expect("an open file can be duplicated");
        let process = Process::spawn(program, |command| {
            complete(command);
            command.stdout(log).stderr(both);
        });
        Self { process, output }
    }

    /// All that it has printed.
    pub(crate) fn printed(&self) -> String {
        let bytes = fs::read(&self.output).expect("it was made when the program started");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Every line by which a client of it said how it is.
    fn lines(&self, client: &str) -> Vec<Said> {
        let text = self.printed();
        // The last line may be cut off.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        whole.lines().filter_map(|line| Said::read(line, client)).collect()
    }

    /// What a client of it said last.
    pub(crate) fn last(&self, client: &str) -> Option<Said> {
        self.lines(client).pop()
    }

    /// What a client of it says from now on: it prints two lines more first.
    pub(crate) fn says_now(&mut self, client: &str) -> Said {
        let before = self.lines(client).len();
        self.wait(&format!("{client} to say how it is"), |own| {
            let lines = own.lines(client);
            lines.get(before + 1..).and_then(|new| new.last().copied())
        })
    }

    /// Whether the library of a client said that its session is lost.
    pub(crate) fn has_lost(&self, client: &str) -> bool {
        let lost = format!("{client} lost");
        self.printed().lines().any(|line| line == lost)
    }

    /// Waits for something that only comes while it runs.
    pub(crate) fn wait<T>(
        &mut self,
        what: &str,
        mut condition: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        wait_until(format!("{what}, in {}", self.output.display()), PATIENCE, || {
            let found = condition(self);
            let ended = self.process.ended();
            assert!(found.is_some() || ended.is_none(), "it ended\n{}", self.printed());
            found
        })
    }

    /// Whether it runs no more.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.ended().is_some()
    }

    /// Asks it to end (SIGTERM), as a service manager does.
    pub(crate) fn ask_to_end(&mut self) {
        let is_asked = self.process.try_signal(rustix::process::Signal::TERM);
        assert!(is_asked, "it ended before\n{}", self.printed());
    }

    /// Ends it as a service manager does, and waits for that.
    pub(crate) fn stop(mut self) {
        self.process.stop();
    }
}

impl Said {
    fn read(line: &str, client: &str) -> Option<Self> {
        let mut words = line.split(' ');
        if words.next() != Some(client) {
            return None;
        }
        let words: Vec<&str> = words.collect();
        let value = |name: &str| {
            words.iter().position(|word| *word == name).and_then(|at| words.get(at + 1).copied())
        };
        let number = |name: &str| value(name).map(|text| text.parse().expect("a number"));
        let session = value("session").and_then(|text| text.strip_prefix("0x"));
        Some(Self {
            session: session.map(|text| u64::from_str_radix(text, 16).expect("a number in hex")),
            writes: number("writes")?,
            failed: number("failed").unwrap_or(0),
            held: value("held").map(|text| text == "yes"),
        })
    }
}

//! A command of a hook, with everything that it starts.

use std::process::Stdio;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::FusedFuture as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use super::output::Output;
use super::progress::Progress;
use crate::apply::journal::HookEnd;
use crate::render::{Line, Style, Text};

/// This many lines of the output of a command are shown.
const HOOK_LINES: usize = 200;

/// For so long what a command has said is still listened to when it has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The variable in which commands find the number of the run. `TRACEPARENT` they inherit.
const RUN: &str = "ZKPLAN_RUN";

/// What a command is run with.
pub(super) struct HookCommand<'a> {
    pub(super) output: &'a Output,
    pub(super) progress: &'a Progress<'a>,
    /// Environment variables that hold a password; commands get none.
    pub(super) secrets: &'a [String],
    /// The number of the run, once it is open.
    pub(super) run: Option<u64>,
}

impl HookCommand<'_> {
    /// Runs it, and ends it with all that it has started where it takes longer than that.
    pub(super) async fn run(&self, argv: &[String], limit: Duration) -> HookEnd {
        let [program, arguments @ ..] = argv else {
            return HookEnd::NotStarted("the command is empty".to_owned());
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        for secret in self.secrets {
            command.env_remove(secret);
        }
        match self.run {
            Some(number) => command.env(RUN, number.to_string()),
            None => command.env_remove(RUN),
        };
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return HookEnd::NotStarted(error.to_string()),
        };
        let mut group = Group(child.id());
        let said =
            futures::future::join(self.relay(child.stdout.take()), self.relay(child.stderr.take()));
        // What has ended is not asked again.
        let mut said = std::pin::pin!(said.fuse());
        let ended = async {
            tokio::select! {
                status = child.wait() => status,
                _ = &mut said => child.wait().await,
            }
        };
        let Ok(status) = tokio::time::timeout(limit, ended).await else { return HookEnd::TimedOut };
        // What it has started, a server for one, keeps running; it may hold the pipes for ever.
        group.0 = None;
        if !said.is_terminated() {
            tokio::time::timeout(LAST_WORDS, said).await.ok();
        }
        match status {
            Ok(status) if status.success() => HookEnd::Succeeded,
            Ok(status) => HookEnd::Failed(status.to_string()),
            Err(error) => HookEnd::Failed(error.to_string()),
        }
    }

    /// Shows what a command says, through the one sink.
    async fn relay<R: AsyncRead + Unpin>(&self, pipe: Option<R>) {
        let Some(pipe) = pipe else { return };
        let mut pipe = BufReader::new(pipe);
        let mut shown = 0;
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).await.is_ok_and(|count| count > 0) {
            shown += 1;
            if shown <= HOOK_LINES {
                let said = String::from_utf8_lossy(&line).trim_end().to_owned();
                let mut text = Text::new();
                text.paragraph(Line::new(Style::Dim, "           | "), said, self.output.width);
                self.progress.aside(&text);
            }
            line.clear();
        }
    }
}

/// A command with everything that it started, ended when this is dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let id = self.0.and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(rustix::process::Pid::from_raw) {
            // It may be gone already.
            rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
        }
    }
}

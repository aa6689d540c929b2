//! The `zkplan` binary on the operator's machine.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Process, SUPER_PASSWORD, lock};
use crate::lab::Lab;
use crate::schedule::{KILLED, Round};

/// An apply that tells nothing new for so long hangs. It may stand still for [`STANDS_STILL`], and
/// a busy machine may take its time; what keeps telling is not hung.
const HANGS: Duration = Duration::from_secs(90);

/// No command takes longer, whatever it tells.
const LONGEST: Duration = Duration::from_secs(400);

/// What `--timeout` is, where a story has no reason for another.
pub(crate) const STANDS_STILL: &str = "30s";

/// Writes the spec that wants the target of a round, and returns its name.
pub(crate) fn write_spec(lab: &Lab, round: &Round, contacts: &[String]) -> String {
    let name = format!("spec-{}.yaml", round.number);
    let mut text = format!(
        "apiVersion: zkplan/v1\nensemble: soak\nconnect:\n  servers: [{}]\n  auth: {{ scheme: \
         digest, user: super, password: {{ env: ZKPLAN_PASSWORD }} }}\n  sessionTimeout: {}\n\
         servers:\n",
        contacts.join(", "),
        round.session
    );
    for seat in &round.target {
        writeln!(text, "  - {}", seat.wanted(round.zones)).expect("a text takes everything");
    }
    text += "policy:\n";
    for (key, value) in &round.policy {
        writeln!(text, "  {key}: {value}").expect("a text takes everything");
    }
    fs::write(lab.file(&name), text).expect("memory takes files");
    name
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) words: String,
    /// The exit code; [`KILLED`] where SIGKILL ended it, `None` where it hung.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) said: String,
    pub(crate) took: Duration,
}

impl Ended {
    /// The command that its screen names as the next one, without `zkplan`.
    ///
    /// # Panics
    /// Where it names none.
    pub(crate) fn next(&self) -> &str {
        let lines = self.said.lines().filter(|line| line.starts_with("Next"));
        let next =
            lines.filter_map(|line| line.split_once(": zkplan ")).map(|(_, next)| next).next();
        next.unwrap_or_else(|| panic!("no command is named\n{}", self.said))
    }
}

/// A command that runs; killed when dropped.
pub(crate) struct Running {
    words: String,
    file: PathBuf,
    process: Mutex<Process>,
    began: Instant,
}

/// Starts `zkplan` on the operator's machine. `test_signal` has a build for tests stop before an
/// output.
pub(crate) fn start(lab: &Lab, words: &[&str], test_signal: Option<&str>) -> Running {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let file = lab.file(&format!("command-{:03}", COUNT.fetch_add(1, Ordering::Relaxed)));
    let create = |end: &str| File::create(file.with_extension(end)).expect("memory takes files");
    let prefix = lab.operator.prefix();
    let process = Process::spawn(&prefix[0], |command| {
        command.args(&prefix[1..]).arg(env!("CARGO_BIN_EXE_zkplan")).args(words);
        command.current_dir(lab.file("")).env_clear().env("HOME", lab.file(""));
        command.env("NO_COLOR", "1").env("TERM", "dumb").env("RUST_BACKTRACE", "1");
        command.env("ZKPLAN_PASSWORD", SUPER_PASSWORD);
        if let Some(signal) = test_signal {
            command.env("ZKPLAN_TEST_SIGNAL", signal);
        }
        command.stdin(Stdio::null()).stdout(create("stdout")).stderr(create("stderr"));
    });
    Running { words: words.join(" "), file, process: Mutex::new(process), began: Instant::now() }
}

/// Starts an apply of a spec or a plan, approved beforehand, which writes its events to a file.
/// `timeout` is how long it may stand still.
pub(crate) fn start_apply(
    lab: &Lab,
    file: &str,
    more: &[&str],
    timeout: &str,
    test_signal: Option<&str>,
) -> Running {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let events = format!("apply-{:03}.events", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut words = vec!["apply", file, "--auto-approve", "--approve", "cutover"];
    words.extend(["--approve", "stop", "--allow-cleartext-auth", "--timeout", timeout]);
    words.extend(["--events", &events]);
    words.extend(more);
    let running = start(lab, &words, test_signal);
    Running { file: running.file.clone(), ..running }.telling(lab.file(&events))
}

/// Runs a command to its end.
pub(crate) fn run(lab: &Lab, words: &[&str]) -> Ended {
    start(lab, words, None).ends()
}

impl Running {
    fn telling(self, events: PathBuf) -> Self {
        // A link beside the other outputs, so that one name finds all three.
        std::os::unix::fs::symlink(events, self.file.with_extension("events")).ok();
        self
    }

    /// Sends a signal unless it has ended; whether it was sent.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        lock(&self.process).try_signal(signal)
    }

    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.process).ended().is_some()
    }

    /// Whether it stands still after a signal.
    pub(crate) fn is_frozen(&self) -> bool {
        lock(&self.process).is_frozen()
    }

    /// SIGKILL; returns when it is gone.
    pub(crate) fn kill(&self) {
        lock(&self.process).kill();
    }

    /// Its events so far, as whole lines.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.file.with_extension("events")).unwrap_or_default();
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        whole.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.file.with_extension("stderr")).unwrap_or_default()
    }

    /// Waits for its end; what hangs is killed.
    pub(crate) fn ends(&self) -> Ended {
        let written = || {
            ["events", "stdout", "stderr"]
                .map(|end| fs::metadata(self.file.with_extension(end)).map_or(0, |file| file.len()))
        };
        let (mut last, mut since) = (written(), Instant::now());
        let mut code = None;
        while code.is_none() && since.elapsed() < HANGS && self.began.elapsed() < LONGEST {
            std::thread::sleep(Duration::from_millis(10));
            if written() != last {
                (last, since) = (written(), Instant::now());
            }
            code = lock(&self.process).ended().map(|status| status.code().unwrap_or(KILLED));
        }
        if code.is_none() {
            self.kill();
        }
        let read = |end: &str| {
            let bytes = fs::read(self.file.with_extension(end)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let (stdout, stderr) = (read("stdout"), read("stderr"));
        let said = format!("{stdout}{stderr}");
        Ended { words: self.words.clone(), code, stdout, said, took: self.began.elapsed() }
    }
}

/// Every run of the ensemble, as `zkplan history` tells them.
pub(crate) fn history(lab: &Lab, spec: &str) -> Result<Vec<Value>, String> {
    let ended = run(lab, &["history", spec, "--format", "json"]);
    if ended.code != Some(0) {
        return Err(format!("exit {:?} of {}\n{}", ended.code, ended.words, ended.said));
    }
    let document: Value =
        serde_json::from_str(&ended.stdout).map_err(|why| format!("{why}\n{}", ended.said))?;
    let runs = document.get("runs").unwrap_or(&document);
    runs.as_array().cloned().ok_or_else(|| format!("no runs in {document}"))
}

//! `zkplan apply` as a user has it: a process that runs for a while, tells what it does as it goes,
//! and may be interrupted, frozen or killed.
//!
//! ```text
//! let apply = desk.apply(&spec).at("STOP", "send leave-1").start();
//! apply.wait_frozen();
//! apply.kill();
//! desk.apply(&spec).ends().exits(0).says(["resumed"]);
//! ```

use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Ensemble, Process, SUPER_PASSWORD, wait_until};
use crate::spec::Spec;
use crate::zkplan::{Desk, Outcome, one_line, text};

/// Longer no apply may take here, waits for ghosts and for frozen servers included.
const DEADLINE: Duration = Duration::from_secs(90);

/// Wants these servers, with all that an apply needs to be told: where the present ensemble is
/// (any of `contacts`), the password, and nothing to wait for but facts.
pub(crate) fn wanting(
    ensemble: &Ensemble,
    wanted: impl IntoIterator<Item = u8>,
    contacts: impl IntoIterator<Item = u8>,
) -> Spec {
    let contacts = contacts.into_iter().map(|id| ensemble.client_address(id).to_string());
    Spec::of(ensemble, wanted)
        .connect(&contacts.collect::<Vec<_>>().join(","))
        .auth("super")
        .session_timeout("2s")
        .policy("stableFor", "0s")
}

impl Desk {
    /// An apply of a spec or plan file, approved beforehand, not yet started.
    pub(crate) fn apply(&self, file: &str) -> Apply<'_> {
        static RUNS: AtomicU32 = AtomicU32::new(1);
        let run = format!("apply-{}", RUNS.fetch_add(1, Ordering::Relaxed));
        let words = ["apply", file, "--auto-approve", "--events", &format!("{run}.events")];
        let words = words.into_iter().chain(self.accepts().iter().copied()).map(str::to_owned);
        let words = words.collect();
        Apply {
            desk: self,
            run,
            words,
            password: SUPER_PASSWORD.to_owned(),
            environment: Vec::new(),
            signal: None,
            under: &[],
            folder: None,
        }
    }

    /// A line that a person types into a shell that finds `zkplan`, not yet started.
    pub(crate) fn line(&self, line: &str) -> Apply<'_> {
        let binary = Path::new(env!("CARGO_BIN_EXE_zkplan"));
        let folder = binary.parent().expect("a binary lies in a folder");
        let path = format!("{}:/usr/bin:/bin", folder.display());
        let apply = Apply { words: vec![line.to_owned()], ..self.apply(line) };
        apply.under(&["sh", "-c", "eval \"exec $1\""]).environment("PATH", Some(&path))
    }

    /// A plan of a spec that is probed, not yet started: it runs for a while as well.
    pub(crate) fn probe(&self, spec: &Spec) -> Apply<'_> {
        let file = self.write("spec.yaml", &spec.text());
        let apply = self.apply(&file);
        let words = ["plan", &file, "--probe"].into_iter().chain(self.accepts().iter().copied());
        Apply { words: words.map(str::to_owned).collect(), ..apply }
    }

    /// A watch of a rolling restart, not yet started: it runs until nothing fails.
    pub(crate) fn watch(&self, spec: &Spec) -> Apply<'_> {
        let file = self.write("spec.yaml", &spec.text());
        let words = ["preflight", &file, "--watch"].map(str::to_owned).to_vec();
        Apply { words, ..self.apply(&file) }
    }

    /// Writes a spec and returns an apply of it.
    pub(crate) fn apply_spec(&self, spec: &Spec) -> Apply<'_> {
        self.apply(&self.write("spec.yaml", &spec.text()))
    }
}

/// An apply to be started.
pub(crate) struct Apply<'a> {
    desk: &'a Desk,
    run: String,
    words: Vec<String>,
    password: String,
    environment: Vec<(String, Option<String>)>,
    signal: Option<String>,
    /// A program that runs it, as `nohup` does.
    under: &'static [&'static str],
    /// The folder below the desk that it runs in.
    folder: Option<&'static str>,
}

impl<'a> Apply<'a> {
    /// With further arguments.
    pub(crate) fn with(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Without anybody's approval.
    pub(crate) fn unapproved(mut self) -> Self {
        self.words.retain(|word| word != "--auto-approve");
        self
    }

    /// With another password than super's.
    pub(crate) fn password(mut self, password: &str) -> Self {
        password.clone_into(&mut self.password);
        self
    }

    /// Under another program with its flags, as one types `nohup zkplan`.
    pub(crate) fn under(mut self, program: &'static [&'static str]) -> Self {
        self.under = program;
        self
    }

    /// In a folder below the desk.
    pub(crate) fn in_folder(mut self, folder: &'static str) -> Self {
        self.folder = Some(folder);
        self
    }

    /// With a variable of its environment set to that, or not set.
    pub(crate) fn environment(mut self, name: &str, value: Option<&str>) -> Self {
        self.environment.push((name.to_owned(), value.map(str::to_owned)));
        self
    }

    /// Signals itself (`KILL` or `STOP`) just before an output, given by index or name.
    pub(crate) fn at(mut self, signal: &str, output: &str) -> Self {
        self.signal = Some(format!("{signal}@{output}"));
        self
    }

    /// Starts it.
    pub(crate) fn start(self) -> Applying<'a> {
        let Self { desk, run, words, password, environment, signal, under, folder } = self;
        let create = |end: &str| {
            File::create(desk.path(&format!("{run}.{end}")))
                .expect("the temporary directory can be written to")
        };
        let zkplan = env!("CARGO_BIN_EXE_zkplan");
        let program = under.first().copied().unwrap_or(zkplan);
        let process = Process::spawn(program, |command| {
            desk.furnish(command);
            if let Some(folder) = folder {
                command.current_dir(desk.path(folder));
            }
            command
                .args(under.iter().skip(1))
                .args(under.first().map(|_| zkplan))
                .args(&words)
                .env("ZKPLAN_PASSWORD", &password);
            command.stdout(create("stdout")).stderr(create("stderr"));
            for (name, value) in &environment {
                match value {
                    Some(value) => command.env(name, value),
                    None => command.env_remove(name),
                };
            }
            if let Some(signal) = &signal {
                command.env("ZKPLAN_TEST_SIGNAL", signal);
            }
        });
        Applying { desk, run, words, password, process, began: Instant::now() }
    }

    /// Starts it and waits for its end.
    pub(crate) fn ends(self) -> Outcome {
        self.start().ends()
    }
}

/// An apply that runs; killed when dropped.
pub(crate) struct Applying<'a> {
    desk: &'a Desk,
    run: String,
    words: Vec<String>,
    password: String,
    process: Process,
    began: Instant,
}

impl Applying<'_> {
    /// What it has told so far.
    pub(crate) fn events(&self) -> Events {
        Events::read(&self.read("events"))
    }

    /// Waits for an event of a kind whose `step`, `name`, or `text` of a wait, holds this text.
    pub(crate) fn wait_for(&mut self, kind: &str, about: &str) -> Value {
        let mut last_words = String::new();
        let what = format!("the event `{kind}` about `{about}` of {}", self.words.join(" "));
        wait_until(what, DEADLINE, || {
            if let Some(event) = self.events().find(kind, about) {
                return Some(event.clone());
            }
            // Once more after its end: the last events come just before it.
            assert!(last_words.is_empty(), "it ended without `{kind}` about `{about}`{last_words}");
            if let Some(status) = self.process.ended() {
                last_words = format!(" ({status})\n{}", self.said());
            }
            None
        })
    }

    /// Waits until its progress, put on one line, tells all of this.
    pub(crate) fn wait_said(&mut self, words: &[&str]) {
        self.wait_written("stderr", words);
    }

    /// Waits until it has printed that.
    pub(crate) fn wait_printed(&mut self, words: &[&str]) {
        self.wait_written("stdout", words);
    }

    fn wait_written(&mut self, stream: &str, words: &[&str]) {
        wait_until(format!("{words:?} to be said by\n{}", self.words.join(" ")), DEADLINE, || {
            let said = one_line(&self.read(stream));
            if words.iter().all(|word| said.contains(word)) {
                return Some(());
            }
            if let Some(status) = self.process.ended() {
                panic!("it ended without saying {words:?} ({status})\n{}", self.said());
            }
            None
        });
    }

    /// Waits until it stands still at the output at which it was told to.
    pub(crate) fn wait_frozen(&mut self) {
        wait_until("an apply to stand still", DEADLINE, || {
            if let Some(status) = self.process.ended() {
                panic!("it ended before it stood still ({status})\n{}", self.said());
            }
            self.process.is_frozen().then_some(())
        });
    }

    /// The most memory that it has had so far, in MiB (`VmHWM` of `/proc/PID/status`).
    pub(crate) fn peak_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().split(' ').next()?.parse::<u64>().ok());
        kib.expect("a number of kB") / 1024
    }

    /// Whether it has come to its end.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.ended().is_some()
    }

    /// SIGCONT.
    pub(crate) fn thaw(&mut self) {
        self.process.thaw();
    }

    /// SIGINT, as Ctrl-C sends it.
    pub(crate) fn interrupt(&mut self) {
        self.process.interrupt();
    }

    /// SIGHUP, as a terminal that goes away sends it.
    pub(crate) fn hang_up(&mut self) {
        self.process.hang_up();
    }

    /// SIGINT again and again, as somebody does who has lost patience, until it ends.
    pub(crate) fn interrupt_until_it_ends(&mut self) {
        wait_until("an interrupted apply to end", DEADLINE, || {
            let ended = self.process.ended();
            if ended.is_none() {
                self.process.interrupt();
            }
            ended
        });
    }

    /// SIGKILL; returns when it is gone.
    pub(crate) fn kill(mut self) -> Events {
        self.process.kill();
        self.events()
    }

    /// Waits for its end, and holds its output to what is true of every output; the events too.
    pub(crate) fn ends(mut self) -> Outcome {
        let what = format!("the end of zkplan {}\n", self.words.join(" "));
        let status = wait_until(what, DEADLINE, || self.process.ended());
        let took = self.began.elapsed();
        let [stdout, stderr] = ["stdout", "stderr"].map(|end| self.read(end));
        let events = self.read("events");
        for secret in [SUPER_PASSWORD, &self.password].into_iter().filter(|text| !text.is_empty()) {
            assert!(!events.contains(secret), "a password is among the events\n{events}");
        }
        let strange = events.chars().find(|&char| !matches!(char, '\n' | ' '..='~'));
        assert_eq!(strange, None, "a terminal may take this for a command\n{events:?}");
        let outcome = Outcome::new(self.words.join(" "), stdout, stderr, status.code(), took);
        outcome.with_events(Events::read(&events)).fit_to_show()
    }

    /// An output of the process, which is empty if it did not come to writing it.
    fn read(&self, end: &str) -> String {
        let file = self.desk.path(&format!("{}.{end}", self.run));
        let bytes = fs::read(file).unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_else(|why| panic!("{end} is no text: {why}"))
    }

    /// What it has printed so far.
    pub(crate) fn said(&self) -> String {
        ["stdout", "stderr"].map(|end| self.read(end)).join("\n")
    }
}

/// What an apply told with `--events`, in order.
#[derive(Debug, Default)]
pub(crate) struct Events(Vec<Value>);

impl Events {
    /// All whole lines; the last may be cut off where the process was killed.
    fn read(text: &str) -> Self {
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let event = |line: &str| {
            let event: Value = serde_json::from_str(line)
                .unwrap_or_else(|why| panic!("an event is no JSON: {why}\n{line}"));
            let head = (&event["format"], &event["formatVersion"]);
            assert_eq!(head, (&"zkplan/events".into(), &"2.3".into()));
            event
        };
        Self(whole.lines().map(event).collect())
    }

    /// All events of a kind.
    pub(crate) fn of(&self, kind: &str) -> impl DoubleEndedIterator<Item = &Value> + use<'_> {
        let kind = kind.to_owned();
        self.0.iter().filter(move |event| event["event"] == kind)
    }

    /// The first event of a kind whose `step`, `name`, or `text` of a wait, holds this text.
    pub(crate) fn find(&self, kind: &str, about: &str) -> Option<&Value> {
        self.of(kind).find(|event| {
            ["step", "name"].iter().any(|key| event[*key].as_str() == Some(about))
                || event["for"].is_array() && text(&event["text"]).contains(about)
        })
    }

    /// The names of the outputs, by index.
    pub(crate) fn outputs(&self) -> Vec<&str> {
        let outputs: Vec<&Value> = self.of("output").collect();
        let indices = outputs.iter().map(|event| event["index"].as_u64());
        assert!(indices.eq((0..).map(Some).take(outputs.len())), "{outputs:?}");
        outputs.into_iter().map(|event| text(&event["name"])).collect()
    }

    /// The steps that were committed, and the versions that they made, in order.
    pub(crate) fn committed(&self) -> Vec<(&str, u64)> {
        let version = |event: &Value| u64::from_str_radix(text(&event["version"]), 16);
        self.of("committed")
            .map(|event| (text(&event["step"]), version(event).expect("a config version")))
            .collect()
    }

    /// The address of the server that the session was on last.
    pub(crate) fn attached(&self) -> Option<&str> {
        self.of("attached").last().map(|event| text(&event["address"]))
    }
}

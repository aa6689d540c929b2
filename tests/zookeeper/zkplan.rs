//! The `zkplan` binary as a user has it, and a directory to run it in.
//!
//! ```text
//! let desk = Desk::new();
//! let spec = desk.write("spec.yaml", &Spec::of(&ensemble, [1, 2, 3, 4]).text());
//! desk.run(["plan", &spec, "--detailed-exitcode"]).exits(2).says(["server 4"]);
//! ```

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::applying::Events;
use crate::harness::{Ensemble, SUPER_PASSWORD};
use crate::show;
use crate::spec::{Spec, hides_client_ports};

/// Longer no command that only looks may take, whatever its servers do.
const LONG: Duration = Duration::from_secs(15);

/// A directory to run commands in, gone when dropped.
///
/// The environment is empty but for what makes output the same everywhere: above all, there is no
/// password in it, and nothing here may need one.
pub(crate) struct Desk {
    directory: TempDir,
    /// What every plan and apply is told to accept, as flags.
    accepts: &'static [&'static str],
}

impl Desk {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("zkplan-desk-").tempdir();
        let directory = directory.expect("the temporary directory can be written to");
        Self { directory, accepts: &[] }
    }

    /// That of an operator who accepts what is so by default: servers whose whitelist has `srvr` alone
    /// tell no digests, so that joiners' data are compared by counts.
    pub(crate) fn accepting(ensemble: &Ensemble) -> Self {
        let is_by_default = hides_client_ports(ensemble);
        let accepts: &[&str] = if is_by_default { &["--accept", "ZKF20"] } else { &[] };
        Self { accepts, ..Self::new() }
    }

    /// What every plan and apply of this operator accepts, as flags.
    pub(crate) const fn accepts(&self) -> &'static [&'static str] {
        self.accepts
    }

    /// Writes a file and returns its name, to be used as an argument.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).expect("the temporary directory can be written to");
        name.to_owned()
    }

    /// What a command left in a file.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("the command wrote this file")
    }

    /// Where a file of that name lies.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs `zkplan`, and holds its output to what is true of every output: no control character
    /// but the newline, nothing beyond ASCII, no password, and no long wait for it.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zkplan"));
        self.furnish(&mut command);
        run_briefly(command.args(arguments))
    }

    /// [`Desk::run`] for a command that needs super's password.
    pub(crate) fn run_as_super(&self, arguments: &[&str]) -> Outcome {
        self.run_with_password(arguments, SUPER_PASSWORD)
    }

    /// [`Desk::run`] with this password.
    pub(crate) fn run_with_password(&self, arguments: &[&str], password: &str) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zkplan"));
        self.furnish(&mut command);
        run_briefly(command.args(arguments).env("ZKPLAN_PASSWORD", password))
    }

    /// Gives a command this directory, no input, and next to no environment.
    pub(crate) fn furnish(&self, command: &mut Command) {
        command
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .env_clear()
            .env("HOME", self.directory.path())
            .env("NO_COLOR", "1")
            .env("TERM", "dumb");
    }

    /// Plans a spec, with further arguments, and returns what a user reads.
    pub(crate) fn plan(&self, spec: &Spec, further: &[&str]) -> Outcome {
        let file = self.write("spec.yaml", &spec.text());
        let words = ["plan", &file, "--detailed-exitcode"];
        self.run(words.iter().chain(self.accepts).chain(further))
    }

    /// Plans a spec that is to be refused, and returns the document that says so.
    pub(crate) fn refused(&self, spec: &Spec, code: i32, further: &[&str]) -> Value {
        self.plan(spec, &[&["--format", "json"], further].concat()).exits(code).json()
    }

    /// Plans a spec that calls for changes, and returns the plan.
    pub(crate) fn planned(&self, spec: &Spec, further: &[&str]) -> Plan {
        let outcome = self.plan(spec, &[&["--format", "json"], further].concat());
        Plan(outcome.exits(2).json())
    }
}

/// Runs a command that has nothing to wait for.
fn run_briefly(command: &mut Command) -> Outcome {
    let began = Instant::now();
    let output = command.output().expect("the binary was built for this test");
    let took = began.elapsed();
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    let words = words.collect::<Vec<_>>().join(" ");
    let (stdout, stderr) = (as_text(output.stdout), as_text(output.stderr));
    let outcome = Outcome::new(words, stdout, stderr, output.status.code(), took).fit_to_show();
    assert!(took < LONG, "it took {took:?}\n{outcome}");
    outcome
}

/// What a command did.
pub(crate) struct Outcome {
    command: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    code: Option<i32>,
    took: Duration,
    /// What an apply told while it ran; nothing for other commands.
    pub(crate) events: Events,
}

impl Outcome {
    pub(crate) fn new(
        command: String,
        stdout: String,
        stderr: String,
        code: Option<i32>,
        took: Duration,
    ) -> Self {
        Self { command, stdout, stderr, code, took, events: Events::default() }
    }

    pub(crate) fn with_events(self, events: Events) -> Self {
        Self { events, ..self }
    }

    /// Panics, with everything that was said, unless the command ended with this exit code.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "the exit code is another\n{self}");
        self
    }

    /// Panics unless the command ended with one of these exit codes: where either is true to the
    /// user, and which comes depends on what was noticed first.
    pub(crate) fn exits_with_one_of(self, codes: &[i32]) -> Self {
        let code = self.code.expect("it was not killed");
        assert!(codes.contains(&code), "the exit code is none of {codes:?}\n{self}");
        self
    }

    /// The exit code, for the screen of whoever runs the tests.
    pub(crate) fn code(&self) -> Option<i32> {
        self.code
    }

    /// The commands of all lines that begin with `Next:`, as they are to be typed.
    pub(crate) fn next_lines(&self) -> Vec<&str> {
        let lines = self.stderr.lines().chain(self.stdout.lines());
        // "Next: " or, where it is not right at once, "Next, when ...: ".
        let lines = lines.filter_map(|line| line.strip_prefix("Next"));
        let lines = lines.filter(|line| line.starts_with([':', ',']));
        lines.filter_map(|line| line.split_once(": ")).map(|(_, command)| command).collect()
    }

    /// Whether the command ended with this exit code.
    pub(crate) fn has_exited(&self, code: i32) -> bool {
        self.code == Some(code)
    }

    /// The last run that `zkplan history` lists.
    pub(crate) fn last_run(&self) -> String {
        let (run, _) = self.runs().pop().unwrap_or_else(|| panic!("no run is listed\n{self}"));
        run
    }

    /// The run that `zkplan history` says is open.
    pub(crate) fn open_run(&self) -> Option<String> {
        self.runs().into_iter().find(|(_, open)| *open).map(|(run, _)| run)
    }

    /// The runs in what `zkplan history` lists, and whether each is open.
    fn runs(&self) -> Vec<(String, bool)> {
        let run = |line: &str| {
            let number = line.split_whitespace().next()?.parse::<u64>().ok()?;
            let open = line.split_whitespace().any(|word| word.trim_end_matches(';') == "open");
            Some((number, open))
        };
        let mut runs: Vec<(u64, bool)> = self.stdout.lines().filter_map(run).collect();
        runs.sort_unstable();
        runs.into_iter().map(|(run, open)| (run.to_string(), open)).collect()
    }

    /// Panics unless the command was killed.
    pub(crate) fn was_killed(self) -> Self {
        assert_eq!(self.code, None, "it ended by itself\n{self}");
        self
    }

    /// Whether all these words are on the screen, wherever lines were broken.
    pub(crate) fn has_said<W: AsRef<str>>(&self, words: &[W]) -> bool {
        let screen = self.screen();
        words.iter().all(|word| screen.contains(&one_line(word.as_ref())))
    }

    /// Panics unless all these words are on the screen, wherever lines were broken.
    pub(crate) fn says<W: AsRef<str>>(self, words: impl IntoIterator<Item = W>) -> Self {
        let screen = self.screen();
        for word in words {
            let word = word.as_ref();
            assert!(screen.contains(&one_line(word)), "it does not say `{word}`\n{self}");
        }
        self
    }

    /// Panics if these words are on the screen.
    pub(crate) fn says_nowhere(self, words: &str) -> Self {
        let screen = self.screen();
        assert!(!screen.contains(words), "it says `{words}`\n{self}");
        self
    }

    /// Standard output, which must be one JSON value and nothing else.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|why| panic!("no JSON: {why}\n{self}"))
    }

    fn screen(&self) -> String {
        one_line(&format!("{}\n{}", self.stdout, self.stderr))
    }

    /// Shows it, and panics if anything in it should be on nobody's screen.
    pub(crate) fn fit_to_show(self) -> Self {
        // The test shows it where it fails, and with `--nocapture`.
        show(&format!("{self}\n"));
        for text in [&self.stdout, &self.stderr] {
            let strange = text.chars().find(|&char| !matches!(char, '\n' | ' '..='~'));
            assert_eq!(strange, None, "a terminal may take this for a command\n{self}");
            assert!(!text.contains(SUPER_PASSWORD), "the password is shown\n{self}");
        }
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, stdout, stderr, code, took, events: _ } = self;
        writeln!(f, "$ zkplan {command}\n{}--- on stderr\n{}", tame(stdout), tame(stderr))?;
        write!(f, "--- exit code {code:?} after {took:?}")
    }
}

fn as_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|why| panic!("output is no text: {why}"))
}

/// For the screen of whoever runs the tests.
fn tame(text: &str) -> String {
    let tame = |char: char| match char {
        '\n' | ' '..='~' => char.to_string(),
        strange => strange.escape_unicode().to_string(),
    };
    text.chars().map(tame).collect()
}

pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A plan as `--format json` and `--out` give it.
pub(crate) struct Plan(pub(crate) Value);

impl Plan {
    /// The ids of all steps in the order in which they are printed. The phases do not tell it: they
    /// are the same whoever leads.
    pub(crate) fn steps(&self) -> Vec<&str> {
        self.rows().iter().map(|row| text(&row["id"])).collect()
    }

    /// The steps with their figures, in that order.
    fn rows(&self) -> &[Value] {
        self.0["steps"].as_array().expect("steps")
    }

    /// The ids of the steps in which the leader hands over.
    pub(crate) fn hand_overs(&self) -> Vec<&str> {
        let rows = self.rows().iter().filter(|row| row["handsOver"] == true);
        rows.map(|row| text(&row["id"])).collect()
    }

    /// The ids of the steps that send a reconfig, in that order.
    pub(crate) fn reconfigs(&self) -> Vec<&str> {
        let mut steps = self.steps();
        steps.retain(|id| self.step(id)["action"]["kind"] == "reconfig");
        steps
    }

    /// A step by its id.
    pub(crate) fn step(&self, id: &str) -> &Value {
        let phases = self.0["phases"].as_array().expect("phases");
        let mut steps = phases.iter().flat_map(|phase| phase["steps"].as_array().expect("steps"));
        let step = steps.find(|step| step["id"] == id);
        step.unwrap_or_else(|| panic!("no step {id} in {:#}", self.0))
    }

    /// The kinds of the phases, in order.
    pub(crate) fn phases(&self) -> Vec<&str> {
        let phases = self.0["phases"].as_array().expect("phases");
        phases.iter().map(|phase| text(&phase["kind"])).collect()
    }

    /// The steps after which the loss of one zone would stop writes, in printed order.
    pub(crate) fn windows(&self) -> Vec<&str> {
        let zone = |row: &Value| row["after"]["worstZone"]["toleratesFailures"].as_i64();
        let open = self.rows().iter().filter(|row| zone(row).is_some_and(|left| left < 0));
        open.map(|row| text(&row["id"])).collect()
    }

    /// Ids that the plan starts from: `synced` or `following`.
    pub(crate) fn base(&self, which: &str) -> Vec<u64> {
        let ids = self.0["base"][which].as_array().expect("a list of ids");
        ids.iter().map(|id| id.as_u64().expect("an id")).collect()
    }

    /// How many voters may fail at the worst moment.
    pub(crate) fn worst_spare(&self) -> i64 {
        self.0["summary"]["toleratesFailures"].as_i64().expect("a figure")
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

//! What surrounds a run on this machine: clock, terminal, signals, commands.

use std::fs;
use std::io::{BufRead as _, Write as _};
use std::time::{Duration, Instant, SystemTime};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::error::{CommandError, exit_of_end};
use super::events::Events;
use super::exit::Exit;
use super::hook::HookCommand;
use super::output::Output;
use super::progress::Progress;
use crate::apply::driver::RunHost;
use crate::apply::journal::{HookEnd, Stamp};
use crate::apply::report::RunReport;
use crate::apply::{Event, Outcome};
use crate::model::{Auth, Connect, PasswordSource};
use crate::render::{Text, ends};
use crate::report::error::CommandFailure;
use crate::report::run::RunLog;

/// How often the events have it that a command still runs.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// The screen has every fifth of these, too.
const SHOWN_EVERY: u32 = 5;

/// How often the operator has asked to stop.
pub(super) type Interrupts = watch::Receiver<u32>;

/// This machine.
pub(super) struct Local<'a> {
    output: &'a Output,
    began: Instant,
    interrupts: Interrupts,
    events: Option<Events>,
    progress: Progress<'a>,
    /// What came of the run so far.
    pub(super) report: RunReport,
    /// The same with times, for programs.
    pub(super) log: RunLog,
    /// Environment variables that hold a password; commands get none.
    secrets: Vec<String>,
    /// The number of the run, once it is open.
    run: Option<u64>,
}

/// Counts the signals by which an operator asks a run to stop.
pub(super) fn interrupts() -> Interrupts {
    let (count, counted) = watch::channel(0);
    let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
    // Under nohup a terminal that goes away is no wish to stop.
    if !ignores_hangup(&fs::read_to_string("/proc/self/status").unwrap_or_default()) {
        kinds.push(SignalKind::hangup());
    }
    for kind in kinds {
        let count = count.clone();
        // Without a handler the signal ends the process, as it would without zkplan's help.
        let Ok(mut signals) = signal(kind) else { continue };
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                count.send_modify(|count| *count += 1);
            }
        });
    }
    counted
}

/// Whether SIGHUP is ignored, read off `/proc/self/status` (`SigIgn`, a mask in hex whose lowest bit
/// is signal 1; proc(5)). Where there is no such file it counts as not ignored.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

/// Ends when the operator has asked so often.
pub(super) async fn asked_to_stop(mut interrupts: Interrupts, times: u32) {
    if interrupts.wait_for(|count| *count >= times).await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl<'a> Local<'a> {
    pub(super) fn new(
        output: &'a Output,
        interrupts: Interrupts,
        events: Option<Events>,
        steps: usize,
    ) -> Self {
        Self {
            output,
            began: Instant::now(),
            interrupts,
            events,
            progress: Progress::new(output, steps),
            report: RunReport::default(),
            log: RunLog::default(),
            secrets: Vec::new(),
            run: None,
        }
    }

    /// Keeps an environment variable from the commands.
    pub(super) fn keep_secret(&mut self, connect: &Connect) {
        if let Some((_, PasswordSource::Env(name))) = connect.auth.as_ref().and_then(Auth::user) {
            self.secrets.push(name.clone());
        }
    }

    /// Prints beside the bar.
    pub(super) fn aside(&self, text: &Text) {
        self.progress.aside(text);
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        self.progress.clear();
    }
}

impl RunHost for Local<'_> {
    fn now_ms(&self) -> u64 {
        milliseconds(self.began)
    }

    fn time_of_day(&self) -> String {
        time_of_day()
    }

    fn tell(&mut self, event: &Event) {
        let now_ms = self.now_ms();
        if let Event::Run { number, .. } = event {
            self.run = Some(*number);
        }
        self.report.take(now_ms, event);
        self.log.take(&time_of_day(), now_ms, event);
        self.progress.tell(now_ms, event);
        let exit = match event {
            Event::Ended(end) => exit_of_end(end).code(),
            _ => Exit::Done.code(),
        };
        write(&mut self.events, self.output, (now_ms, event, exit));
        #[cfg(debug_assertions)]
        if let Event::Output { index, name } = event {
            rehearsed_death(Some(*index), name);
        }
    }

    fn is_interrupted(&self) -> bool {
        *self.interrupts.borrow() > 0
    }

    async fn interruption(&self) {
        asked_to_stop(self.interrupts.clone(), 1).await;
    }

    async fn hook(&mut self, argv: &[String], limit_ms: u64) -> HookEnd {
        let (since, began) = (time_of_day(), Instant::now());
        let command = HookCommand {
            output: self.output,
            progress: &self.progress,
            secrets: &self.secrets,
            run: self.run,
        };
        let mut hook = std::pin::pin!(command.run(argv, Duration::from_millis(limit_ms)));
        let mut beats = 0;
        loop {
            tokio::select! {
                end = &mut hook => return end,
                () = tokio::time::sleep(HEARTBEAT) => beats += 1,
            }
            let Some(step) = self.report.running_hook.clone() else { continue };
            let (since, now_ms) = (since.clone(), milliseconds(self.began));
            let event = Event::HookRunning { step, since, running_ms: milliseconds(began) };
            write(&mut self.events, self.output, (now_ms, &event, Exit::Done.code()));
            if beats % SHOWN_EVERY == 0 {
                self.progress.say(now_ms, &event);
            }
        }
    }

    async fn ask(&mut self, why: &Outcome) -> bool {
        self.progress.clear();
        self.progress.aside(&ends::question(why, self.output.width));
        let asked = async {
            yes("Type \"yes\" to continue. Anything else stops here:", self.output.width).await
        };
        tokio::select! {
            answer = asked => answer,
            () = self.interruption() => false,
        }
    }
}

/// The time since then, in milliseconds.
fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Writes an event where events are written. Where that fails, it is the last one.
fn write(to: &mut Option<Events>, output: &Output, (now_ms, event, exit): (u64, &Event, u8)) {
    if let Some(events) = to
        && let Err(error) = events.write(now_ms, event, exit)
    {
        let what = format!("events cannot be written any more: {error}");
        output.error(&CommandError::new(CommandFailure::IoFailed, what));
        *to = None;
    }
}

/// Asks a question on the terminal, laid out for this many columns; only `yes` is one.
async fn yes(question: &str, width: usize) -> bool {
    answer(question, width).await == "yes"
}

/// The answer to a question on the terminal, without the blanks around it; empty where there is none.
pub(super) async fn answer(question: &str, width: usize) -> String {
    let mut text = Text::new();
    text.paragraph("", question, width);
    let question = text.to_string_with(false).trim_end().to_owned() + " ";
    let asked = tokio::task::spawn_blocking(move || {
        drop(std::io::stderr().write_all(question.as_bytes()));
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    match asked.await {
        Ok(Ok(answer)) => answer.trim().to_owned(),
        _ => String::new(),
    }
}

/// The time of day.
pub(super) fn time_of_day() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// Random text of this many bytes, in hex.
pub(super) fn random(bytes: usize) -> Option<String> {
    let mut noise = vec![0_u8; bytes];
    getrandom::fill(&mut noise).ok()?;
    let digits = noise.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

/// The name of the person who runs this process: the user, or in CI, where a job has no `USER`, who
/// GitHub Actions or GitLab CI says has started the job.
fn operator(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let names = ["USER", "LOGNAME", "GITHUB_ACTOR", "GITLAB_USER_LOGIN"];
    names.into_iter().filter_map(variable).find(|name| !name.is_empty())
}

/// Who has something done: who is named, or in CI who GitHub Actions or GitLab CI says has started the
/// job. What they say is cut to one plain line.
pub(super) fn actor(
    named: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    const LONGEST: usize = 300;
    let names = ["GITHUB_ACTOR", "GITLAB_USER_LOGIN"].into_iter();
    let mut said = named.map(str::to_owned).into_iter().chain(names.filter_map(variable));
    let plain = |name: String| {
        name.chars().filter(|one| !one.is_control()).take(LONGEST).collect::<String>()
    };
    said.find(|name| !name.trim().is_empty()).map(plain)
}

/// Who runs this process, with a nonce of its own.
pub(super) fn stamp() -> Option<Stamp> {
    let uid = || format!("uid {}", rustix::process::getuid().as_raw());
    Some(Stamp {
        nonce: random(8)?,
        who: operator(|name| std::env::var(name).ok()).unwrap_or_else(uid),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        pid: std::process::id(),
        at: time_of_day(),
    })
}

/// In builds for tests a run can be made to die, or to freeze, at any boundary:
/// `ZKPLAN_TEST_SIGNAL=KILL@17`, or `STOP@send join-4`, sends the process that signal just before
/// the output of that number, or the first of that name, is carried out. `HOLD@packed` has the thread wait
/// there without end, for a signal from outside.
#[cfg(debug_assertions)]
pub(super) fn rehearsed_death(index: Option<u64>, name: &str) {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::process::{Signal, getpid, kill_process};
    static SENT: AtomicBool = AtomicBool::new(false);
    let Ok(wanted) = std::env::var("ZKPLAN_TEST_SIGNAL") else { return };
    let Some((signal, at)) = wanted.split_once('@') else { return };
    if (at != name && index.is_none_or(|index| at.parse() != Ok(index)))
        || SENT.swap(true, Ordering::Relaxed)
    {
        return;
    }
    if signal == "HOLD" {
        loop {
            std::thread::park();
        }
    }
    let signal = if signal == "STOP" { Signal::STOP } else { Signal::KILL };
    kill_process(getpid(), signal).ok();
}

#[cfg(test)]
mod tests {
    use super::super::args::Color;
    use super::*;

    /// Runs a command as a hook, with a limit that only one that hangs reaches.
    fn hook(argv: &[&str], limit_ms: u64) -> HookEnd {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let output = Output::new(Color::Never);
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        let end = runtime.block_on(async {
            let mut local = Local::new(&output, interrupts(), None, 1);
            local.hook(&argv, limit_ms).await
        });
        runtime.shutdown_background();
        end
    }

    #[test]
    fn a_hangup_is_ignored_where_nohup_has_said_so() {
        let status =
            |mask: &str| format!("Name:\tzkplan\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(ignores_hangup(&status("0000000000000001")));
        assert!(ignores_hangup(&status("0000000000001003")));
        assert!(!ignores_hangup(&status("0000000000001000")));
        assert!(!ignores_hangup(""), "no such file");
    }

    #[test]
    fn a_job_without_a_user_is_known_by_who_started_it() {
        let named = |known: &[(&str, &str)]| {
            operator(|name| Some(known.iter().find(|(key, _)| *key == name)?.1.to_owned()))
        };
        assert_eq!(named(&[("USER", "ann"), ("GITHUB_ACTOR", "bob")]).as_deref(), Some("ann"));
        assert_eq!(named(&[("USER", ""), ("LOGNAME", "ann")]).as_deref(), Some("ann"));
        assert_eq!(named(&[("GITHUB_ACTOR", "bob")]).as_deref(), Some("bob"));
        assert_eq!(named(&[("GITLAB_USER_LOGIN", "cy")]).as_deref(), Some("cy"));
        assert_eq!(named(&[]), None);
    }

    #[test]
    fn commands_find_the_number_of_the_run() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let output = Output::new(Color::Never);
        let check = ["sh", "-c", "test \"$ZKPLAN_RUN\" = 7"].map(str::to_owned);
        runtime.block_on(async {
            let mut local = Local::new(&output, interrupts(), None, 1);
            assert!(matches!(local.hook(&check, 60_000).await, HookEnd::Failed(_)));
            local.tell(&Event::Run { number: 7, plan_id: String::new(), resumed: false });
            assert_eq!(local.hook(&check, 60_000).await, HookEnd::Succeeded);
        });
    }

    /// Who reads the events can tell a command that takes its time from a zkplan that died. The command ends
    /// once it has read of itself twice.
    #[test]
    fn the_events_have_it_that_a_command_still_runs() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let output = Output::new(Color::Never);
        let file = tempfile::NamedTempFile::new().unwrap();
        let is_there = r#"$(grep -c '"event":"hookRunning"' "$0")"#;
        let script = format!("until [ {is_there} = 2 ]; do sleep 0.05; done");
        let argv = ["sh", "-c", &script, &file.path().display().to_string()].map(str::to_owned);
        let events = Events::create(file.path(), "prod").unwrap();
        let step = crate::plan::StepId::new("stop-2");
        let end = runtime.block_on(async {
            let mut local = Local::new(&output, interrupts(), Some(events), 1);
            local.tell(&Event::HookStarted { step: step.clone(), argv: argv.to_vec() });
            let how = local.hook(&argv, 60_000).await;
            local.tell(&Event::HookEnded { step, how: how.clone() });
            how
        });
        assert_eq!(end, HookEnd::Succeeded);
        let lines = fs::read_to_string(file.path()).unwrap();
        let lines: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
        assert_eq!(kinds, ["hookStarted", "hookRunning", "hookRunning", "hookEnded"]);
        let [first, second] = [&lines[1], &lines[2]];
        assert_eq!((&first["step"], &first["since"]), (&"stop-2".into(), &second["since"]));
        let ran = |line: &serde_json::Value| line["runningMs"].as_u64().unwrap();
        assert!(ran(first) >= 2000 && ran(second) >= ran(first) + 2000, "{lines:#?}");
        assert!(second["text"].as_str().unwrap().starts_with("stop-2: the command still runs"));
    }

    #[test]
    fn commands_end_however_they_treat_their_pipes() {
        for _ in 0..20 {
            assert_eq!(hook(&["true"], 60_000), HookEnd::Succeeded);
        }
        let sh = |script: &str| hook(&["sh", "-c", script], 60_000);
        assert!(matches!(sh("exit 3"), HookEnd::Failed(_)));
        assert_eq!(sh("exec >&- 2>&-; sleep 0.2"), HookEnd::Succeeded);
        assert_eq!(sh("printf '\\377\\033[31m\\n'; exit 0"), HookEnd::Succeeded);
        assert!(matches!(hook(&["/no/such/command"], 60_000), HookEnd::NotStarted(_)));
    }

    #[test]
    fn what_a_command_has_started_goes_on_and_holds_nothing_up() {
        let began = Instant::now();
        assert_eq!(hook(&["sh", "-c", "sleep 9 & exit 0"], 60_000), HookEnd::Succeeded);
        assert!(began.elapsed() < Duration::from_secs(8));
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_all_that_it_started() {
        assert_eq!(hook(&["sh", "-c", "sleep 600 & sleep 600"], 300), HookEnd::TimedOut);
    }
}

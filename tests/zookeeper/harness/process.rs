//! Child processes that end with us, whatever happens to us.

use std::ffi::OsStr;
use std::fs;
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use zkplan::demo::spawn_with_us;

use super::{PATIENCE, wait_until};

/// A child process, killed and waited for when dropped.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts `program` so that the kernel kills it when this test process dies, even by SIGKILL.
    ///
    /// `complete` adds arguments and redirections to the command.
    pub(crate) fn spawn(program: impl AsRef<OsStr>, complete: impl FnOnce(&mut Command)) -> Self {
        let program = program.as_ref();
        match spawn_with_us(program, complete) {
            Ok(child) => Self { child },
            Err(why) => panic!("cannot run `{}`: {why}", program.display()),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child can be waited for")
    }

    /// Stops the process from running (SIGSTOP), and returns once every one of its threads stands
    /// still.
    ///
    /// The signal only asks for it: until the last thread has stopped, the process may still
    /// answer.
    pub(crate) fn freeze(&mut self) {
        self.signal(Signal::STOP);
        self.wait_for_threads("stand still", |states| states.iter().all(|&state| state == 'T'));
    }

    /// Whether every thread stands still, whoever asked for it.
    pub(crate) fn is_frozen(&self) -> bool {
        let states = thread_states(self.id());
        states.is_some_and(|states| states.iter().all(|&state| state == 'T'))
    }

    /// Sends a signal unless the process has ended; whether it was sent.
    pub(crate) fn try_signal(&mut self, signal: Signal) -> bool {
        // Until it is waited for, its id cannot become another's.
        self.ended().is_none() && kill_process(Pid::from_child(&self.child), signal).is_ok()
    }

    /// SIGINT, as Ctrl-C sends it.
    pub(crate) fn interrupt(&mut self) {
        self.signal(Signal::INT);
    }

    /// SIGHUP, as a terminal that goes away sends it.
    pub(crate) fn hang_up(&mut self) {
        self.signal(Signal::HUP);
    }

    /// Lets a frozen process run again.
    pub(crate) fn thaw(&mut self) {
        self.signal(Signal::CONT);
        self.wait_for_threads("run", |states| !states.contains(&'T'));
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // The only failure is that it has already ended.
        self.child.kill().ok();
        self.child.wait().expect("our own child can be waited for");
    }

    /// SIGTERM, and waits until it is gone.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        // A frozen process would take notice only when thawed.
        self.signal(Signal::CONT);
        let what = format!("process {} to end", self.id());
        wait_until(what, PATIENCE, || self.ended());
    }

    fn signal(&mut self, signal: Signal) {
        let sent = self.try_signal(signal);
        assert!(sent, "process {} has ended by itself ({:?})", self.id(), self.ended());
    }

    fn wait_for_threads(&self, doing: &str, mut holds: impl FnMut(&[char]) -> bool) {
        let what = format!("the threads of process {} to {doing}", self.id());
        wait_until(what, PATIENCE, || {
            thread_states(self.id()).is_some_and(|states| holds(&states)).then_some(())
        });
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The state letter of each thread (`T` is stopped), or nothing if a thread came or went while we
/// looked.
fn thread_states(process: u32) -> Option<Vec<char>> {
    fs::read_dir(format!("/proc/{process}/task"))
        .ok()?
        .map(|task| {
            let stat = fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
            // `1234 (name of the thread) T …`, and the name may hold blanks and brackets.
            stat.rsplit_once(')')?.1.trim_start().chars().next()
        })
        .collect()
}

//! Child processes that never outlive us.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{LazyLock, mpsc};
use std::thread;

/// Starts a program; `complete` adds arguments and redirections.
///
/// Where `setpriv` (of util-linux) is installed, as nearly everywhere, the kernel kills it when this
/// process dies, even by SIGKILL.
///
/// # Errors
///
/// The program cannot be started.
pub fn spawn_with_us(
    program: impl AsRef<OsStr>,
    complete: impl FnOnce(&mut Command),
) -> io::Result<Child> {
    let mut command = match &*SETPRIV {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    complete(&mut command);
    spawn_for_good(command)
}

/// Gives a child a process group of its own, where it dies with us: a terminal sends Ctrl-C to a whole
/// group, and this process ends what is under way before its children. Where it would not die, Ctrl-C
/// has to reach it, too.
pub(super) fn out_of_reach_of_ctrl_c(command: &mut Command) {
    if SETPRIV.is_some() {
        own_group(command);
    }
}

/// The program of util-linux that makes a child die with us.
static SETPRIV: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    on_path("setpriv", &env::var_os("PATH").unwrap_or_default()).filter(is_util_linux)
});

/// Where a program is on this `PATH`.
pub(super) fn on_path(program: &str, path: &OsString) -> Option<PathBuf> {
    env::split_paths(path).map(|dir| dir.join(program)).find(|at| at.is_file())
}

/// Busybox has a program of that name, too, which knows nothing of dying parents.
fn is_util_linux(setpriv: &PathBuf) -> bool {
    fs::canonicalize(setpriv).is_ok_and(|file| file.file_name() == Some(OsStr::new("setpriv")))
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

/// Spawns from a thread that lives as long as this process: the kernel takes the end of the *thread*
/// that spawned for the death of the parent.
fn spawn_for_good(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in inbox {
                // The thread that asked may be gone; the child is then reaped at our end.
                reply.send(command.spawn()).ok();
            }
        });
        orders
    });
    let (reply, answer) = mpsc::channel();
    SPAWNER.send((command, reply)).map_err(io::Error::other)?;
    answer.recv().map_err(io::Error::other)?
}

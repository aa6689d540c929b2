//! Signals that end `zkplan snapshot pack` and `unpack`: what is left behind.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::run::Desk;
use crate::snapshots::{copied, corpus};

/// How long a process has for what it does at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a build for tests does by itself: it waits, or is killed, right before an archive or a directory
/// gets its name.
const SIGNAL: &str = "ZKPLAN_TEST_SIGNAL";

fn data(desk: &Desk) {
    copied(desk, corpus().last().expect("a directory with digests"));
}

fn begins(desk: &Desk, words: &[&str], signal: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_zkplan"))
        .args(words)
        .current_dir(desk.path("."))
        .env_clear()
        .env(SIGNAL, signal)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs")
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} does not come");
        thread::sleep(Duration::from_millis(5));
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it runs");
}

/// The exit code of a process, and what it wrote to stderr.
fn ended(mut child: Child) -> (Option<i32>, String) {
    let mut said = String::new();
    let stderr = child.stderr.as_mut().expect("a pipe");
    stderr.read_to_string(&mut said).expect("text");
    (child.wait().expect("it ends").code(), said)
}

/// The archive has not got its name yet.
#[test]
fn an_interrupted_pack_leaves_nothing() {
    let desk = Desk::new();
    data(&desk);
    for signal in [Signal::INT, Signal::TERM] {
        let words = ["snapshot", "pack", "data", "-o", "data.tar.gz"];
        let child = begins(&desk, &words, "HOLD@packed");
        wait_until("a file", || desk.names(".").len() == 2);
        let left = format!(".data.tar.gz.{}.partial", child.id());
        assert_eq!(desk.names("."), [left.as_str(), "data"]);
        send(&child, signal);
        let (code, said) = ended(child);
        assert_eq!(code, Some(7), "{said}");
        assert!(said.contains("interrupted; data.tar.gz was not written"), "{said}");
        assert_eq!(desk.names("."), ["data"]);
    }
}

/// An archive comes through a pipe and stops in the middle, as over a line that hangs.
#[test]
fn an_interrupted_unpack_leaves_the_directory_as_it_was() {
    let desk = Desk::new();
    data(&desk);
    assert_eq!(desk.zkplan(&["snapshot", "pack", "data", "-o", "data.tar"]).code, 0);
    let archive = fs::read(desk.path("data.tar")).expect("an archive");
    fs::create_dir(desk.path("there")).expect("a folder");
    desk.write("there/myid", "4\n");
    for (out, left) in [("new", &[][..]), ("there", &["myid"])] {
        for signal in [Signal::INT, Signal::TERM] {
            let words = ["snapshot", "unpack", "-", "-o", out];
            let mut child = begins(&desk, &words, "");
            let mut pipe = child.stdin.take().expect("a pipe");
            pipe.write_all(&archive[..archive.len() / 2]).expect("it reads");
            let is_partial = |name: &String| name.starts_with(".zkplan-unpack.");
            wait_until("a file", || {
                let partial = desk.names(out).into_iter().find(is_partial);
                partial
                    .is_some_and(|name| !desk.names(&format!("{out}/{name}/version-2")).is_empty())
            });
            send(&child, signal);
            let (code, said) = ended(child);
            drop(pipe);
            assert_eq!(code, Some(7), "{said}");
            assert!(said.contains(&format!("interrupted; nothing was written to {out}")), "{said}");
            assert_eq!(desk.names(out), left);
            assert_eq!(desk.path(out).exists(), out == "there");
        }
    }
}

/// Nothing can be removed after that: the names say what they are, and no command takes them.
#[test]
fn what_is_left_of_a_killed_command_is_no_archive_and_no_data() {
    let desk = Desk::new();
    data(&desk);
    let pack = ["snapshot", "pack", "data", "-o", "data.tar"];
    let child = begins(&desk, &pack, "KILL@packed");
    let left = format!(".data.tar.{}.partial", child.id());
    assert_eq!(ended(child).0, None, "it is killed");
    assert_eq!(desk.names("."), [left.as_str(), "data"]);
    assert_eq!(desk.zkplan(&pack).code, 0, "it does not stand in the way");

    let unpack = ["snapshot", "unpack", "data.tar", "-o", "new"];
    let child = begins(&desk, &unpack, "KILL@unpacked");
    let left = format!(".zkplan-unpack.{}", child.id());
    assert_eq!(ended(child).0, None, "it is killed");
    assert_eq!(desk.names("new"), [left.as_str()]);
    let again = desk.zkplan(&unpack);
    assert_eq!(again.code, 65, "{again:?}");
    assert!(again.err.contains("one was killed: wait for it, or remove that folder"), "{again:?}");
}

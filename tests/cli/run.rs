//! Runs the real binary in an environment of its own.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A saved configuration of three servers.
pub(crate) const LIVE: &str = "server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181\n\
                    server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181\n\
                    server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181\n\
                    version=100000004";

/// A spec that replaces server 3 of [`LIVE`] by server 4.
pub(crate) const SPEC: &str = "apiVersion: zkplan/v1\nensemble: prod\nservers:\n\
                    \x20 - { id: 1, host: 10.0.0.1 }\n\
                    \x20 - { id: 2, host: 10.0.0.2 }\n\
                    \x20 - { id: 4, host: 10.0.0.4 }\n";

/// An empty folder and the binary.
pub(crate) struct Desk {
    folder: TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().expect("a folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The names in a folder of the desk; none where there is no such folder.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten();
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> =
            names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    /// Runs `zkplan` with these words.
    pub(crate) fn zkplan(&self, words: &[&str]) -> Answer {
        self.zkplan_with(words, &[])
    }

    /// Runs `zkplan` with these words and variables.
    pub(crate) fn zkplan_with(&self, words: &[&str], variables: &[(&str, &str)]) -> Answer {
        let output = Command::new(env!("CARGO_BIN_EXE_zkplan"))
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("the binary runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Answer {
            code: output.status.code().expect("an exit code"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

impl Desk {
    /// Runs `zkplan` on a terminal of its own (script(1), a part of every Debian), on which this is
    /// typed. Both streams are one.
    pub(crate) fn typed(&self, words: &[&str], typed: &str) -> Answer {
        let command = [&[env!("CARGO_BIN_EXE_zkplan")], words].concat().join(" ");
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--echo", "never", "--command", &command, "/dev/null"])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("script(1) runs");
        let mut keyboard = child.stdin.take().expect("a pipe");
        keyboard.write_all(typed.as_bytes()).expect("it is typed");
        let output = child.wait_with_output().expect("it ends");
        drop(keyboard);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Answer {
            code: output.status.code().expect("an exit code"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

impl Answer {
    /// Both streams hold nothing but printable ASCII and line ends.
    pub(crate) fn assert_clean(&self) {
        for text in [&self.out, &self.err] {
            let raw = text.chars().find(|c| !matches!(c, ' '..='~' | '\n'));
            assert_eq!(raw, None, "{text}");
        }
    }
}

/// A file of the project.
pub(crate) fn project_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

//! Benchmarks of many ensembles in one command, some of which never answer: for people to read, no test
//! holds them. `cargo bench --bench fleets` runs them.

#[path = "../cli/recorded.rs"]
mod recorded;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use recorded::Recorded;

/// Ensembles of one command.
const ENSEMBLES: usize = 200;

/// Those among them that never answer.
const FROZEN: usize = 10;

#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
fn main() {
    let (folder, servers) = (tempfile::tempdir().expect("a folder"), Recorded::new());
    let write = |name: &str, spec: String| {
        std::fs::write(folder.path().join(format!("{name}.yaml")), spec).expect("a spec");
    };
    for at in 0..ENSEMBLES {
        let name = format!("e{at}");
        // Spread over all of them.
        let is_frozen = at % (ENSEMBLES / FROZEN) == 0;
        let spec = if is_frozen { servers.frozen(&name) } else { servers.healthy(&name) };
        write(&name, spec);
    }
    for command in ["drift", "status"] {
        let hang = timed(folder.path(), [command, "e0.yaml"], 1);
        let all = timed(folder.path(), [command, "."], ENSEMBLES);
        let beyond = all.saturating_sub(hang);
        println!(
            "{command} of {ENSEMBLES}, {FROZEN} of which never answer {:>8.2} s; one that never \
             answers {:.2} s; beyond it {:.2} s (promised of drift: 1 s)",
            all.as_secs_f64(),
            hang.as_secs_f64(),
            beyond.as_secs_f64()
        );
    }
}

/// The time of a command, which has to see all but the frozen ones.
fn timed(folder: &Path, words: [&str; 2], ensembles: usize) -> Duration {
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_zkplan"))
        .args(words)
        .args(["--format", "json"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let time = began.elapsed();
    let text = String::from_utf8_lossy(&output.stdout);
    let seen = text.matches("\"exitCode\": 0,").count();
    let expected = if ensembles == 1 { 0 } else { ensembles - FROZEN };
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(10) && seen >= expected, "{seen} seen: {error}");
    time
}

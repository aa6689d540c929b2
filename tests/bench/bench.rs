//! Benchmarks on a live ensemble of five, as ratios within one run: these are for people to read,
//! no test holds them. `cargo bench --bench bench` runs them; Debian's zookeeper package is needed.

#[path = "../zookeeper/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the stories use the rest of the harness")]
mod harness;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::Builder;

/// ZooKeeper's own client, as Debian's package has it.
const ZKCLI: &str = "/usr/share/zookeeper/bin/zkCli.sh";

/// Runs of each command; the median counts.
const RUNS: usize = 7;

#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
fn main() {
    let ensemble = Builder::rich().servers(5).start();
    let folder = tempfile::tempdir().expect("a folder");
    let spec = folder.path().join("bench.yaml");
    let imported = zkplan(&["import", "--connect", &ensemble.connect_string()]);
    std::fs::write(&spec, imported).expect("a spec");
    let spec = spec.to_string_lossy().into_owned();

    let plan = median(|| drop(zkplan(&["plan", &spec])));
    let config = median(|| {
        let output = Command::new(ZKCLI)
            .args(["-server", &ensemble.client_address(1).to_string(), "config"])
            .stdin(Stdio::null())
            .output()
            .expect("zkCli.sh runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("version="), "{text}");
    });
    let version = median(|| drop(zkplan(&["--version"])));
    println!("median of {RUNS} runs, five live servers on this machine");
    println!("zkplan plan        {:>8.1} ms", millis(plan));
    println!("zkCli.sh config    {:>8.1} ms", millis(config));
    println!("ratio              {:>8.3}    (promised: at most 0.1)", ratio(plan, config));
    println!("zkplan --version   {:>8.1} ms", millis(version));
    println!("peak memory of plan {:>7.1} MiB", peak_mib(&["plan", &spec]));
}

fn zkplan(words: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_zkplan"))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    times.sort();
    times[RUNS / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

/// The largest resident set of a run, from `/usr/bin/time` where it is there.
fn peak_mib(words: &[&str]) -> f64 {
    if !Path::new("/usr/bin/time").exists() {
        return f64::NAN;
    }
    let output = Command::new("/usr/bin/time")
        .args(["-f", "%M", env!("CARGO_BIN_EXE_zkplan")])
        .args(words)
        .stdout(Stdio::null())
        .output()
        .expect("time runs");
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines()
        .last()
        .and_then(|line| line.parse::<f64>().ok())
        .map_or(f64::NAN, |kib| kib / 1024.0)
}

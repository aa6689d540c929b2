//! Benchmarks on live ensembles, as ratios within one run: these are for people to read,
//! no test holds them. `cargo bench --bench bench` runs them; Debian's zookeeper package is needed.

#[path = "../zookeeper/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the stories use the rest of the harness")]
mod harness;
mod reference;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::{Builder, Ensemble, SUPER_PASSWORD, Witness};

/// ZooKeeper's own client, as Debian's package has it.
const ZKCLI: &str = "/usr/share/zookeeper/bin/zkCli.sh";

/// Runs of each command that looks; the best counts, for what disturbs a run only makes it longer.
const RUNS: usize = 10;

/// Looks at servers before anything is timed: a JVM that has just begun takes several times as long for
/// each answer as one that has compiled its way there.
const WARMING: usize = 100;

/// Pairs of moves: with so many, the 6th and the 16th of their ratios hold the median between them
/// with 97 % (binomial).
const PAIRS: usize = 21;

/// The interval, as places among the sorted ratios.
const INTERVAL: (usize, usize) = (5, 15);

/// The word with which this program runs itself as the client that does nothing else.
const BARE_CLIENT: &str = "bare-client";

fn main() {
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() == Some(BARE_CLIENT) {
        bare_client(words);
        return;
    }
    looking();
    moving();
}

#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
fn looking() {
    let ensemble = Builder::rich().servers(5).start();
    let folder = tempfile::tempdir().expect("a folder");
    let spec = folder.path().join("bench.yaml");
    let imported = zkplan(&["import", "--connect", &ensemble.connect_string()]);
    std::fs::write(&spec, imported).expect("a spec");
    let spec = spec.to_string_lossy().into_owned();

    let addresses: Vec<String> =
        (1..=5).map(|id| ensemble.client_address(id).to_string()).collect();
    for _ in 0..WARMING {
        zkplan(&["plan", &spec]);
        words_of_all(&addresses);
    }
    let plan = best(|| drop(zkplan(&["plan", &spec])));
    let words = best(|| words_of_all(&addresses));
    let bare_client = best(|| run_bare_client(&addresses));
    let config = best(|| {
        let output = Command::new(ZKCLI)
            .args(["-server", &ensemble.client_address(1).to_string(), "config"])
            .stdin(Stdio::null())
            .output()
            .expect("zkCli.sh runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("version="), "{text}");
    });
    let version = best(|| drop(zkplan(&["--version"])));
    println!("best of {RUNS} runs, five live servers on this machine");
    println!("zkplan plan        {:>8.1} ms", millis(plan));
    println!("zkCli.sh config    {:>8.1} ms", millis(config));
    println!("bare client        {:>8.1} ms", millis(bare_client));
    println!("the same questions {:>8.1} ms, in a process that runs already", millis(words));
    println!("plan / zkCli.sh    {:>8.3}    (promised: at most 0.06)", ratio(plan, config));
    println!("plan / bare client {:>8.3}    (promised: at most 2.5)", ratio(plan, bare_client));
    println!("plan / questions   {:>8.3}", ratio(plan, words));
    println!("zkplan --version   {:>8.1} ms", millis(version));
    println!("peak memory of plan {:>7.1} MiB (promised: at most 16)", peak_mib(&["plan", &spec]));
}

/// `srvr` and `conf` of every server, side by side, by a client that does nothing else.
fn words_of_all(addresses: &[String]) {
    std::thread::scope(|scope| {
        for (address, word) in addresses.iter().flat_map(|at| [(at, "srvr"), (at, "conf")]) {
            scope.spawn(move || {
                let mut stream = TcpStream::connect(address).expect("it listens");
                stream.write_all(word.as_bytes()).expect("it takes the word");
                let mut answer = Vec::new();
                // A server may end the connection with a reset, behind a complete answer.
                let end = stream.read_to_end(&mut answer);
                assert!(answer.len() > 100, "{address} {word}: {end:?}");
            });
        }
    });
}

/// A command like `zkplan plan`, that does nothing else: a process of its own.
fn bare_client(addresses: impl Iterator<Item = String>) {
    words_of_all(&addresses.collect::<Vec<_>>());
}

fn run_bare_client(addresses: &[String]) {
    let own = std::env::current_exe().expect("this program");
    let run = Command::new(own).arg(BARE_CLIENT).args(addresses).stdin(Stdio::null()).output();
    let output = run.expect("this program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Who moves the servers.
#[derive(Clone, Copy)]
enum Mover {
    Apply,
    Reference,
}

/// Three servers move onto three others that follow already, by zkplan and by a person, turn about,
/// while an application writes.
#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
fn moving() {
    let (old, new) = ([1, 2, 3], [4, 5, 6]);
    let ensemble = Builder::rich().start_with(new);
    let witness = Witness::of(&ensemble, 1..=6);
    // The removed run on and follow, and are as good as new. One way may take longer than the other
    // (the highest id is elected), so that each is timed both ways.
    let turns = [
        (Mover::Apply, old, new),
        (Mover::Reference, new, old),
        (Mover::Reference, old, new),
        (Mover::Apply, new, old),
    ];
    let mut ratios = Vec::new();
    let mut times = [const { Vec::new() }; 2];
    let mut gaps = [Duration::ZERO; 2];
    for _ in 0..PAIRS {
        let mut pair = [Duration::ZERO; 2];
        for (mover, from, to) in turns {
            let (took, gap) = witness.longest_gap(|| time_of_move(&ensemble, mover, from, to));
            pair[mover as usize] += took / 2;
            gaps[mover as usize] = gaps[mover as usize].max(gap);
        }
        let [apply, reference] = pair;
        ratios.push(ratio(apply, reference));
        times[Mover::Apply as usize].push(apply);
        times[Mover::Reference as usize].push(reference);
    }
    ratios.sort_by(f64::total_cmp);
    let [apply_ms, reference_ms] = times.map(|times| millis(middle(times)));
    let [apply_gap, reference_gap] = gaps.map(millis);
    let (lower, upper) = (ratios[INTERVAL.0], ratios[INTERVAL.1]);
    println!();
    println!("median of {PAIRS} pairs of moves of three servers onto three others, under load");
    println!("zkplan apply       {apply_ms:>8.1} ms, longest gap {apply_gap:>6.1} ms");
    println!("reference client   {reference_ms:>8.1} ms, longest gap {reference_gap:>6.1} ms");
    println!("ratio              {:>8.3}    (promised: at most 1.2)", ratios[PAIRS / 2]);
    println!("95 % interval      {lower:>8.3} to {upper:.3}");
    println!("the application    {}", witness.finish(&ensemble, 1..=6));
}

fn time_of_move(ensemble: &Ensemble, mover: Mover, from: [u8; 3], to: [u8; 3]) -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = folder.path().join("move.yaml");
    std::fs::write(&spec, spec_wanting(ensemble, to)).expect("a spec");
    let began = Instant::now();
    match mover {
        Mover::Apply => {
            let spec = spec.to_string_lossy();
            zkplan(&["apply", &spec, "--auto-approve", "--approve", "cutover"]);
        }
        Mover::Reference => reference::migrate(ensemble, from, to),
    }
    began.elapsed()
}

fn spec_wanting(ensemble: &Ensemble, ids: [u8; 3]) -> String {
    let servers =
        ids.map(|id| format!("  - {}\n", ensemble.server_line(id).replace("0.0.0.0:", "")));
    format!(
        "apiVersion: zkplan/v1\nensemble: bench\nconnect:\n  servers: [{}]\n  auth: {{ scheme: \
         digest, user: super, password: {{ env: ZKPLAN_PASSWORD }} }}\nservers:\n{}policy:\n  \
         stableFor: 0s\n",
        ensemble.connect_string().replace(',', ", "),
        servers.concat()
    )
}

fn zkplan(words: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_zkplan"))
        .args(words)
        .env("ZKPLAN_PASSWORD", SUPER_PASSWORD)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn best(mut work: impl FnMut()) -> Duration {
    let times = (0..RUNS).map(|_| {
        let began = Instant::now();
        work();
        began.elapsed()
    });
    times.min().expect("there are runs")
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
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

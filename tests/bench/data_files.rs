//! Benchmarks of reading data directories, beside ZooKeeper's own classes on the same files in the same run:
//! these are for people to read, no test holds them. `cargo bench --bench data_files` runs them; Debian's
//! zookeeper package is needed. `ZKPLAN_BENCH_SNAPSHOT_MB` is the size of the snapshot (200); the log has 500
//! transactions for each MB.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crc32fast::Hasher;
use simd_adler32::Adler32;
use zkplan::demo::Java;

/// Runs of each; the shortest counts.
const RUNS: usize = 3;

/// Bytes of data in each znode.
const DATA: [u8; 100] = [b'.'; 100];

/// What a znode takes in a snapshot, about.
const ZNODE_BYTES: u64 = 196;

/// Znodes below one parent.
const SIBLINGS: u64 = 1000;

/// Transactions of the log for each MB of the snapshot.
const TRANSACTIONS: u64 = 500;

/// The znodes of the smaller snapshot that the log changes.
const CHANGED: u64 = 20_000;

/// The last transaction in a snapshot.
const ZXID: u64 = 0x1_0000_0001;
const TIME: u64 = 1_700_000_000_000;

/// The zeros that a server writes ahead.
const AHEAD: [u8; 4096] = [0; 4096];

#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
fn main() {
    let megabytes = std::env::var("ZKPLAN_BENCH_SNAPSHOT_MB").ok();
    let megabytes: u64 =
        megabytes.map_or(200, |text| text.parse().expect("ZKPLAN_BENCH_SNAPSHOT_MB is a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let large = folder.path().join("large");
    let znodes = megabytes * 1_000_000 / ZNODE_BYTES;
    write_snapshot(&large, znodes).expect("a snapshot");
    let logged = folder.path().join("logged");
    let count = megabytes * TRANSACTIONS;
    write_snapshot(&logged, CHANGED).expect("a snapshot");
    write_log(&logged, count).expect("a log");
    let heap = format!("-Xmx{}m", 512 + 6 * megabytes);
    println!("best of {RUNS} runs, on files that were just written");
    println!("snapshot of {megabytes} MB, {znodes} znodes with 100 bytes each");
    let verify = best(|| verified(&large));
    let load = loaded(&large, &heap);
    let rate = per_second(znodes, verify) / 1e6;
    println!(
        "zkplan snapshot verify {:>10.0} ms, {rate:.2} M znodes/s (promised: 1)",
        millis(verify)
    );
    println!("ZooKeeper loads it     {:>10.0} ms", millis(load));
    println!("ratio                  {:>10.2} (promised: 5)", ratio(load, verify));
    println!("log of {count} transactions with digests, onto {CHANGED} znodes");
    let replay = best(|| verified(&logged));
    let load = loaded(&logged, &heap);
    println!("zkplan snapshot verify {:>10.0} ms", millis(replay));
    println!("ZooKeeper loads it     {:>10.0} ms", millis(load));
    println!("ratio                  {:>10.2} (promised: 5)", ratio(load, replay));
    packing(folder.path(), &large);
    let path = large.display().to_string();
    let archive = folder.path().join("memory.tar").display().to_string();
    println!("peak memory (promised: at most 64 MiB)");
    for words in [
        &["snapshot", "verify", &path][..],
        &["snapshot", "inspect", &path],
        &["snapshot", "pack", &path, "--compress", "none", "-o", &archive],
    ] {
        println!("zkplan snapshot {:<7}{:>10.1} MiB", words[1], peak_mib(words));
    }
}

/// Packs without compression, beside `sha256sum` and `cp`.
#[expect(clippy::print_stdout, reason = "the figures are what a benchmark is for")]
fn packing(folder: &Path, large: &Path) {
    let archive = folder.join("packed.tar");
    let pack = best(|| {
        drop(fs::remove_file(&archive));
        let (large, archive) = (large.display().to_string(), archive.display().to_string());
        zkplan(&["snapshot", "pack", &large, "--compress", "none", "-o", &archive]);
    });
    let snapshot = large.join(format!("version-2/snapshot.{ZXID:x}"));
    let copy = folder.join("copied");
    let tools = best(|| {
        drop(fs::remove_file(&copy));
        run("sha256sum", &[&snapshot]);
        run("cp", &[&snapshot, &copy]);
    });
    println!("zkplan snapshot pack   {:>10.0} ms, without compression", millis(pack));
    println!("sha256sum and cp       {:>10.0} ms", millis(tools));
    println!("ratio                  {:>10.2} (promised: 0.8)", ratio(tools, pack));
}

fn run(program: &str, paths: &[&PathBuf]) {
    let done = Command::new(program).args(paths).stdout(Stdio::null()).status();
    assert!(done.expect("it runs").success(), "{program}");
}

fn zkplan(words: &[&str]) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_zkplan")).args(words).output();
    let done = done.expect("the binary runs");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{words:?}: {said}{}", String::from_utf8_lossy(&done.stderr));
    said
}

fn verified(directory: &Path) {
    let said = zkplan(&["snapshot", "verify", &directory.display().to_string()]);
    assert!(said.contains("Whole up to zxid"), "{said}");
}

/// How long ZooKeeper's own classes take.
fn loaded(directory: &Path, heap: &str) -> Duration {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/DataLoadTimer.java");
    let java = Java::installed().expect("Debian's zookeeper package");
    let done = Command::new(java.program())
        .args([heap, "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp"])
        .arg(java.class_path())
        .arg(source)
        .arg(directory)
        .arg(RUNS.to_string())
        .output();
    let done = done.expect("Java runs");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    let took = said.lines().last().and_then(|line| line.split_once(' ')).map(|(took, _)| took);
    let took = took.and_then(|took| took.parse::<f64>().ok());
    Duration::from_secs_f64(took.expect("milliseconds") / 1000.0)
}

fn best(mut work: impl FnMut()) -> Duration {
    let times = (0..RUNS).map(|_| {
        let began = Instant::now();
        work();
        began.elapsed()
    });
    times.min().expect("there are runs")
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
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
        .output();
    let text = String::from_utf8_lossy(&output.expect("time runs").stderr).into_owned();
    let kib = text.lines().last().and_then(|line| line.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}

/// The path of a znode.
fn path_of(number: u64) -> String {
    format!("/data/{:06}/{:09}", number / SIBLINGS, number)
}

/// What a snapshot has behind the list of a znode: czxid, mzxid, ctime, mtime, the versions, the owner and
/// pzxid.
#[derive(Clone, Copy, Default)]
struct Stat {
    zxids: [u64; 3],
    times: [u64; 2],
    version: i32,
}

impl Stat {
    const fn created() -> Self {
        Self { zxids: [ZXID; 3], times: [TIME; 2], version: 0 }
    }

    /// The part of a znode in the tree digest.
    fn digest(&self, path: &str, data: &[u8]) -> u64 {
        if path.starts_with("/zookeeper/") {
            return 0;
        }
        let mut hasher = Hasher::new();
        hasher.update(path.as_bytes());
        hasher.update(data);
        hasher.update(self.zxids.map(u64::to_be_bytes).as_flattened());
        hasher.update(self.times.map(u64::to_be_bytes).as_flattened());
        hasher.update(&self.version.to_be_bytes());
        hasher.update(&[0; 16]);
        hasher.finalize().into()
    }
}

/// Writes a snapshot, and sums up what it writes.
struct Snapshot {
    file: BufWriter<File>,
    sum: Adler32,
    digest: u64,
}

impl Snapshot {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.write(bytes);
        self.file.write_all(bytes)
    }

    fn buffer(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.put(&length(bytes))?;
        self.put(bytes)
    }

    fn znode(&mut self, path: &str, data: &[u8], stat: Stat) -> io::Result<()> {
        let [czxid, mzxid, pzxid] = stat.zxids.map(u64::to_be_bytes);
        let [ctime, mtime] = stat.times.map(u64::to_be_bytes);
        self.buffer(path.as_bytes())?;
        self.buffer(data)?;
        self.put(&(-1_i64).to_be_bytes())?;
        self.put([czxid, mzxid, ctime, mtime].as_flattened())?;
        self.put(&stat.version.to_be_bytes())?;
        self.put(&[0; 16])?;
        self.put(&pzxid)?;
        self.digest = self.digest.wrapping_add(stat.digest(path, data));
        Ok(())
    }

    fn seal(&mut self) -> io::Result<()> {
        let sum = u64::from(self.sum.finish());
        self.put(&sum.to_be_bytes())?;
        self.buffer(b"/")
    }
}

fn length(bytes: &[u8]) -> [u8; 4] {
    i32::try_from(bytes.len()).expect("short").to_be_bytes()
}

/// A snapshot as 3.8 writes it: it is whole by itself.
fn write_snapshot(directory: &Path, znodes: u64) -> io::Result<()> {
    let folder = directory.join("version-2");
    fs::create_dir_all(&folder)?;
    let file = File::create_new(folder.join(format!("snapshot.{ZXID:x}")))?;
    let file = BufWriter::with_capacity(1 << 20, file);
    let mut snapshot = Snapshot { file, sum: Adler32::new(), digest: 0 };
    snapshot.put(b"ZKSN\0\0\0\x02")?;
    snapshot.put(&(-1_i64).to_be_bytes())?;
    // No sessions, no lists.
    snapshot.put(&[0; 8])?;
    let first = ["", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];
    for path in first {
        snapshot.znode(path, b"", Stat::default())?;
    }
    snapshot.znode("/data", b"", Stat::created())?;
    for number in 0..znodes {
        let path = path_of(number);
        if number % SIBLINGS == 0 {
            let parent = path.rsplit_once('/').expect("a parent").0;
            snapshot.znode(parent, b"", Stat::created())?;
        }
        snapshot.znode(&path, &DATA, Stat::created())?;
    }
    snapshot.buffer(b"/")?;
    snapshot.seal()?;
    let digest = snapshot.digest.to_be_bytes();
    snapshot.put(&ZXID.to_be_bytes())?;
    snapshot.put(&2_i32.to_be_bytes())?;
    snapshot.put(&digest)?;
    snapshot.seal()?;
    fs::write(directory.join("digest"), digest)?;
    snapshot.file.flush()
}

/// A log behind it: each transaction sets the data of one znode.
fn write_log(directory: &Path, count: u64) -> io::Result<()> {
    let file = File::create_new(directory.join(format!("version-2/log.{:x}", ZXID + 1)))?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    file.write_all(b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0")?;
    let digest = fs::read(directory.join("digest"))?;
    let mut digest = u64::from_be_bytes(digest.try_into().expect("eight bytes"));
    let mut stats = vec![Stat::created(); usize::try_from(CHANGED).expect("a number")];
    for number in 0..count {
        let znode = number % CHANGED;
        let (path, zxid) = (path_of(znode), ZXID + 1 + number);
        let stat = &mut stats[usize::try_from(znode).expect("a number")];
        digest = digest.wrapping_sub(stat.digest(&path, &DATA));
        (stat.zxids[1], stat.times[1], stat.version) = (zxid, TIME + number, stat.version + 1);
        digest = digest.wrapping_add(stat.digest(&path, &DATA));
        let mut payload = [[0; 8], [0; 8]].as_flattened()[..12].to_vec();
        payload.extend(zxid.to_be_bytes());
        payload.extend(stat.times[1].to_be_bytes());
        payload.extend(5_i32.to_be_bytes());
        for part in [path.as_bytes(), &DATA] {
            payload.extend(length(part));
            payload.extend(part);
        }
        payload.extend(stat.version.to_be_bytes());
        payload.extend(2_i32.to_be_bytes());
        payload.extend(digest.to_be_bytes());
        let mut sum = Adler32::new();
        sum.write(&payload);
        file.write_all(&u64::from(sum.finish()).to_be_bytes())?;
        file.write_all(&length(&payload))?;
        file.write_all(&payload)?;
        file.write_all(b"B")?;
    }
    file.write_all(&AHEAD)?;
    file.flush()
}

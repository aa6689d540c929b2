//! Ensembles that lose their quorum for good while a client writes, and what `zkplan recover` makes of
//! what is left.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use zookeeper_client::{Acls, Client, CreateMode, Error};

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, PATIENCE, wait_until};
use crate::installing::{installed, said, start};
use crate::show;
use crate::zkplan::{Desk, text};

/// Writes between two failures.
const WRITES: usize = 40;

fn blocking<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

async fn client(addresses: &str) -> Result<Client, Error> {
    Client::connector().with_session_timeout(Duration::from_secs(6)).connect(addresses).await
}

/// What was acknowledged: the number of the write, and its zxid.
type Acknowledged = Arc<Mutex<Vec<(u64, u64)>>>;

/// A client that writes until it is stopped, whatever fails.
pub(crate) struct Writer {
    acknowledged: Acknowledged,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn begin(ensemble: &Ensemble) -> Self {
        let acknowledged = Acknowledged::default();
        let ends = Arc::new(AtomicBool::new(false));
        let (book, stop) = (Arc::clone(&acknowledged), Arc::clone(&ends));
        let addresses = ensemble.connect_string();
        let thread = thread::spawn(move || blocking(write(&addresses, &book, &stop)));
        Self { acknowledged, ends, thread: Some(thread) }
    }

    pub(crate) fn count(&self) -> usize {
        self.acknowledged.lock().expect("it does not panic").len()
    }

    fn wait_for_more(&self) {
        self.wait_for(WRITES);
    }

    /// Waits until that many writes more were acknowledged.
    pub(crate) fn wait_for(&self, more: usize) {
        let wanted = self.count() + more;
        wait_until("writes", PATIENCE, || (self.count() >= wanted).then_some(()));
    }

    pub(crate) fn finish(mut self) -> Vec<(u64, u64)> {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.take().expect("it runs").join().expect("it does not panic");
        self.acknowledged.lock().expect("it does not panic").clone()
    }
}

async fn write(addresses: &str, book: &Acknowledged, ends: &AtomicBool) {
    let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
    let mut number = 0;
    while !ends.load(Ordering::Relaxed) {
        // A session can end while servers elect each other; the next one continues.
        let Ok(client) = client(addresses).await else { continue };
        loop {
            number += 1;
            let path = if number == 1 { "/load".to_owned() } else { format!("/load/{number}") };
            let asked = client.create(&path, b"some", &options);
            // Of what is not answered, nothing is known.
            match tokio::time::timeout(Duration::from_secs(1), asked).await {
                Ok(Ok((stat, _))) if number > 1 => {
                    let zxid = u64::try_from(stat.czxid).expect("a zxid");
                    book.lock().expect("it does not panic").push((number, zxid));
                }
                Ok(Err(Error::SessionExpired | Error::ClientClosed)) => break,
                Ok(_) | Err(_) => {}
            }
            if ends.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

/// The writes that are there.
pub(crate) fn loaded(address: &str) -> BTreeSet<u64> {
    let names = blocking(async {
        let client = client(address).await?;
        client.list_children("/load").await
    });
    let names = names.expect("it serves");
    names.iter().map(|name| name.parse().expect("a number")).collect()
}

/// The lines of the members, as the server at that address has them.
fn members(address: &str) -> Vec<String> {
    let config = blocking(async {
        let client = client(address).await?;
        client.get_data("/zookeeper/config").await
    });
    let (text, _) = config.expect("it serves");
    let text = String::from_utf8(text).expect("text");
    text.lines().filter(|line| line.starts_with("server.")).map(str::to_owned).collect()
}

/// Names, lengths and times of a directory's files.
fn files(directory: &Path) -> Vec<(String, u64, SystemTime)> {
    let entries = fs::read_dir(directory.join("version-2")).expect("a data directory");
    let mut all: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let facts = entry.metadata().expect("a file");
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, facts.len(), facts.modified().expect("a time"))
        })
        .collect();
    all.sort();
    all
}

/// An ensemble whose servers have failed, and what its client was answered.
pub(crate) struct Disaster {
    pub(crate) ensemble: Ensemble,
    pub(crate) desk: Desk,
    pub(crate) spec: String,
    pub(crate) acknowledged: Vec<(u64, u64)>,
}

/// Servers that fail one after the other, with writes between, and then all others at once.
fn disaster(count: u8, fall: &[u8]) -> Disaster {
    let ensemble = Builder::rich().servers(count).setting("preAllocSize", "64").start();
    let desk = Desk::accepting(&ensemble);
    let spec = wanting(&ensemble, 1..=count, 1..=count);
    let spec = desk.write("old.yaml", &spec.text());
    let writer = Writer::begin(&ensemble);
    for id in fall {
        writer.wait_for_more();
        ensemble.kill(*id);
    }
    writer.wait_for_more();
    for id in (1..=count).filter(|id| !fall.contains(id)) {
        ensemble.kill(id);
    }
    let acknowledged = writer.finish();
    Disaster { ensemble, desk, spec, acknowledged }
}

impl Disaster {
    /// The words of a recovery from these servers.
    pub(crate) fn words(&self, survivors: &[u8], further: &[&str]) -> Vec<String> {
        let mut words = vec!["recover".to_owned(), self.spec.clone()];
        for id in survivors {
            let data = self.ensemble.file(*id, "data");
            words.extend(["--data".to_owned(), format!("{id}={}", data.display())]);
        }
        words.extend(further.iter().map(|word| (*word).to_owned()));
        words
    }

    /// Recovers from survivors, and starts the new server: it is at the addresses of the one whose data it
    /// has.
    pub(crate) fn recovers(&self, survivors: &[u8], chosen: u8, new: u8) -> Value {
        let (ensemble, desk) = (&self.ensemble, &self.desk);
        let before: Vec<_> =
            survivors.iter().map(|id| files(&ensemble.file(*id, "data"))).collect();
        let model = ensemble.file(chosen, "zoo.cfg").display().to_string();
        let further = ["--zoo-cfg", &model];
        desk.run(self.words(survivors, &further)).exits(2).says(["No quorum.", "What may be lost"]);
        assert!(!desk.path("recovered").exists(), "it was only shown");
        let further = [&further[..], &["-o", "recovered", "--auto-approve", "--format", "json"]];
        let done = desk.run(self.words(survivors, &further.concat())).exits(0).json();
        let after: Vec<_> = survivors.iter().map(|id| files(&ensemble.file(*id, "data"))).collect();
        assert_eq!(before, after, "the old directories are only read");
        ensemble.reserve(new);
        let data = ensemble.file(new, "data");
        let conf = data.parent().expect("its own directory").to_owned();
        let script = desk.path(&format!("recovered/{new}/install.sh"));
        let laid = installed(&script, [&conf, &data]);
        assert!(laid.status.success(), "{}", said(&laid));
        ensemble.start_installed(new);
        wait_until("the new server to lead", PATIENCE, || {
            ensemble.ask(chosen, "srvr").ok()?.contains("Mode: leader").then_some(())
        });
        done
    }

    /// What is there is what was acknowledged up to the bound; what is not there lies above it. Returns how
    /// many writes are there, and how many are not.
    pub(crate) fn lost_only_above(&self, address: &str, done: &Value) -> [usize; 2] {
        let after = text(&done["losses"]["afterZxid"]).trim_start_matches("0x").to_owned();
        let after = u64::from_str_radix(&after, 16).expect("a zxid");
        let there = loaded(address);
        let (kept, lost): (Vec<_>, Vec<_>) =
            self.acknowledged.iter().partition(|(number, _)| there.contains(number));
        assert!(kept.iter().all(|(_, zxid)| *zxid <= after), "{after:x}: {kept:x?}");
        assert!(lost.iter().all(|(_, zxid)| *zxid > after), "{after:x}: {lost:x?}");
        show(&format!("{} kept, {} lost above {after:#x}", kept.len(), lost.len()));
        [kept.len(), lost.len()]
    }

    /// Adds two servers to the new one, as the screens say.
    pub(crate) fn grows(&self, first: u8, two: [u8; 2]) {
        let (ensemble, desk) = (&self.ensemble, &self.desk);
        let spec = desk.read("recovered/story.yaml");
        for id in two {
            ensemble.reserve(id);
        }
        let lines = two.map(|id| format!("  - {}\n", ensemble.server_line(id))).concat();
        let file = "recovered/story.yaml";
        desk.write(file, &spec.replace("servers:\n", &format!("servers:\n{lines}")));
        desk.run(["joiner", file, "--all", "-o", "joiners"]).exits(0);
        for id in two {
            start(desk, ensemble, id);
            ensemble.wait_following(id);
        }
        let accepted = format!("ZKQ2:join-{}", two[0]);
        desk.apply(file).with(&["--accept", &accepted]).ends().exits(0);
        let ids = members_at(&ensemble.client_address(two[0]).to_string());
        assert_eq!(ids, [first, two[0], two[1]]);
    }
}

/// The ids of the members, as the server at that address has them.
pub(crate) fn members_at(address: &str) -> Vec<u8> {
    let id = |line: String| {
        let (key, _) = line.split_once('=')?;
        key.strip_prefix("server.")?.parse().ok()
    };
    let mut ids: Vec<u8> = members(address).into_iter().filter_map(id).collect();
    ids.sort_unstable();
    ids
}

/// The epoch of what a server has last.
pub(crate) fn epoch(ensemble: &Ensemble, id: u8) -> u64 {
    ensemble.zxid(id).expect("it serves") >> 32
}

/// One of three is left, which failed first. The new server has its addresses, and the others come back:
/// one while it grows, both afterwards.
#[test]
fn one_of_three_becomes_three_and_the_old_two_stay_apart() {
    let of = disaster(3, &[1]);
    let quorum = of.desk.run(of.words(&[2, 3], &["-o", "never", "--auto-approve"])).exits(0);
    quorum.says(["Nothing needs recovering.", "Servers 2 and 3 are a quorum"]);
    assert!(!of.desk.path("never").exists(), "it was written");
    let done = of.recovers(&[1], 1, 4);
    assert_eq!(
        (done["plan"]["server"].as_u64(), text(&done["losses"]["bound"])),
        (Some(4), "unknown")
    );
    let ensemble = &of.ensemble;
    let new = ensemble.client_address(1).to_string();
    let figures = of.lost_only_above(&new, &done);
    assert!(figures.iter().all(|writes| *writes >= WRITES), "{figures:?}");
    ensemble.start_again(2);
    ensemble.wait_logged(2, "Notification time out", 4);
    assert_eq!(ensemble.mode(2), None, "an old server joins");
    assert_eq!(members_at(&new), [4]);
    of.grows(4, [5, 6]);
    assert_eq!(ensemble.mode(2), None, "an old server joins");
    let there = loaded(&ensemble.client_address(6).to_string());
    assert_eq!(there, loaded(&new));
    ensemble.start_again(3);
    wait_until("the old servers to lead each other", PATIENCE, || {
        [2, 3].iter().all(|id| ensemble.mode(*id).is_some()).then_some(())
    });
    assert_eq!(members_at(&new), [4, 5, 6]);
    assert_eq!(members_at(&ensemble.client_address(2).to_string()), [1, 2, 3]);
    let [old, recovered] = [2, 5].map(|id| epoch(ensemble, id));
    assert!(old < 0x1_0000 && recovered >= 0x2_0000, "{old:x} {recovered:x}");
}

/// Two of five are left, and the one that failed later has more. Old servers with higher and lower ids come
/// back.
#[test]
fn of_two_of_five_the_one_that_goes_further_is_taken() {
    let of = disaster(5, &[1, 2]);
    let done = of.recovers(&[1, 2], 2, 6);
    let taken: Vec<_> = done["survivors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| (entry["server"].as_u64(), entry["isTaken"].as_bool()))
        .collect();
    assert_eq!(taken, [(Some(1), Some(false)), (Some(2), Some(true))]);
    assert_eq!(done["wayBack"]["enough"], 1);
    let ensemble = &of.ensemble;
    let new = ensemble.client_address(2).to_string();
    let figures = of.lost_only_above(&new, &done);
    assert!(figures.iter().all(|writes| *writes >= WRITES), "{figures:?}");
    for id in [1, 5] {
        ensemble.start_again(id);
    }
    for id in [1, 5] {
        ensemble.wait_logged(id, "Notification time out", 4);
        assert_eq!(ensemble.mode(id), None, "server {id} joins");
    }
    assert_eq!(members_at(&new), [6]);
    of.grows(6, [7, 8]);
    for id in [1, 5] {
        assert_eq!(ensemble.mode(id), None, "server {id} joins");
    }
    assert_eq!(members_at(&new), [6, 7, 8]);
}

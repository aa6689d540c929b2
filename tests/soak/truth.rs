//! What really happened, by the servers' own records: which configurations were in force, and who
//! led.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::harness::lock;
use crate::lab::Lab;
use crate::members::Members;

/// Between two looks at the files of all servers.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks at all servers until it is dropped.
pub(crate) struct Truth {
    lab: Arc<Lab>,
    book: Arc<Mutex<Book>>,
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Book {
    /// Configurations that were in force, by version.
    in_force: BTreeMap<u64, Members>,
    /// Those and the ones that were only proposed.
    proposed: BTreeMap<u64, Members>,
    leaders: BTreeMap<u64, u8>,
    wrong: Vec<String>,
}

impl Book {
    fn propose(&mut self, version: u64, members: &Members, source: u8) {
        let known = self.proposed.entry(version).or_insert_with(|| members.clone());
        if known != members {
            self.wrong.push(format!(
                "version {version:x} has two memberships: {known:?}, and on server {source} \
                 {members:?}"
            ));
        }
    }

    fn leads(&mut self, epoch: u64, id: u8) {
        let known = *self.leaders.entry(epoch).or_insert(id);
        if known != id {
            self.wrong.push(format!("servers {known} and {id} both lead in epoch {epoch}"));
        }
    }
}

impl Truth {
    pub(crate) fn begin(lab: &Arc<Lab>) -> Self {
        let book = Arc::new(Mutex::new(Book::default()));
        let ends = Arc::new(AtomicBool::new(false));
        let looks: [fn(&Lab, &Mutex<Book>); 2] = [look_at_files, look_for_leaders];
        let threads = looks.map(|look| {
            let (lab, book, ends) = (Arc::clone(lab), Arc::clone(&book), Arc::clone(&ends));
            thread::spawn(move || {
                while !ends.load(Ordering::SeqCst) {
                    look(&lab, &book);
                    thread::sleep(PAUSE);
                }
            })
        });
        Self { lab: Arc::clone(lab), book, ends, threads: threads.into() }
    }

    /// A member said that this is in force.
    pub(crate) fn note(&self, version: u64, members: &Members, source: u8) {
        let mut book = lock(&self.book);
        book.propose(version, members, source);
        book.in_force.insert(version, members.clone());
    }

    /// Reads the transaction logs of all servers. What the leader of a healed ensemble has is
    /// committed; what others have was proposed.
    pub(crate) fn read_logs(&self) {
        let leader = self.lab.leader().map(|leader| leader.id);
        for server in self.lab.servers() {
            for (version, members) in server.reconfigs() {
                let mut book = lock(&self.book);
                book.propose(version, &members, server.id);
                if Some(server.id) == leader {
                    book.in_force.insert(version, members);
                }
            }
        }
    }

    /// Configurations that were in force after a version.
    pub(crate) fn since(&self, version: u64) -> BTreeMap<u64, Members> {
        let book = lock(&self.book);
        book.in_force.range(version + 1..).map(|(at, members)| (*at, members.clone())).collect()
    }

    /// The members of a configuration that was in force.
    pub(crate) fn of(&self, version: u64) -> Option<Members> {
        lock(&self.book).in_force.get(&version).cloned()
    }

    /// What no ensemble may do, since this was last asked.
    pub(crate) fn wrong(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.book).wrong)
    }
}

impl Drop for Truth {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "a look at the servers panicked");
        }
    }
}

fn look_at_files(lab: &Lab, book: &Mutex<Book>) {
    for server in lab.servers() {
        let config = server.on_disk();
        // A server that is no member yet has files without a version.
        if config.version > 0 && !config.members.is_empty() {
            let mut book = lock(book);
            book.propose(config.version, &config.members, server.id);
            book.in_force.insert(config.version, config.members);
        }
    }
}

fn look_for_leaders(lab: &Lab, book: &Mutex<Book>) {
    for server in lab.servers() {
        let before = server.epoch();
        if server.mode().as_deref() == Some("leader")
            && let Some(epoch) = before
            && server.epoch() == before
        {
            lock(book).leads(epoch, server.id);
        }
    }
}

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::apply::executor::Input;
use crate::apply::journal::{Entry, Header, IdentityText, LeavingText, LockText, Record, Stamp};
use crate::apply::journal_reader::Archive;
use crate::apply::retired::since_1970;
use crate::apply::run_store::{ApplyIdentity, RunStore};
use crate::apply::unlock::take_over;
use crate::ensemble::{AclEntry, SessionFactory as _, SessionTerms};
use crate::model::{Endpoint, Folder, Host, Membership, Millis};
use crate::simulator::{Fault, Kind, Rules, Simulated, SimulatedSession, Timing, World};
use crate::trust::OwnIds;

const DAY: &str = "2026-03-01T12:00:00Z";
const MUCH_LATER: &str = "2026-05-01T12:00:00Z";

fn port() -> Simulated {
    let members = Membership::parse("server.1=h1:2888:3888;2181").expect("a membership");
    Simulated::new(World::new(members, Timing::default(), Rules::default()))
}

async fn session(port: &Simulated) -> SimulatedSession {
    let terms = SessionTerms { timeout: Millis(4000), auth: None };
    port.open(&Endpoint::plain(Host::new("h1"), 2181), &terms).await.expect("a session")
}

fn lock_of(nonce: &str) -> LockText {
    LockText::new(stamp(nonce), "apply", "p".into())
}

fn stamp(nonce: &str) -> Stamp {
    let [nonce, who, host] = [nonce, "w", "h"].map(str::to_owned);
    Stamp { nonce, who, host, pid: 1, at: DAY.into() }
}

/// An apply that holds the lock.
async fn apply(session: &SimulatedSession) -> RunStore {
    let (folder, own) = (Folder::default(), OwnIds::default());
    let identity = IdentityText::new("i".into(), "e".into());
    let mut store = RunStore::new(ApplyIdentity { lock: lock_of("mine"), identity, folder, own });
    assert!(matches!(store.permission(session).await, Input::Granted));
    assert!(matches!(store.lock(session).await, Input::Locked(_)));
    store
}

fn readers() -> [AclEntry; 1] {
    [AclEntry { scheme: "world".into(), id: "anyone".into(), permissions: AclEntry::READ }]
}

async fn make(session: &SimulatedSession, path: &str, data: &str) {
    session.create(path, data.as_bytes(), &readers()).await.expect("it is made");
}

/// A run with a plan in two pieces, a mark and these entries. It takes out server 9 where that is said.
async fn run(session: &SimulatedSession, number: u64, entries: &[Entry], removes: bool) {
    let line = "server.9=10.0.0.9:2888:3888:participant;0.0.0.0:2181".to_owned();
    let leaving = LeavingText { line, client: None, tls: false };
    let leaving = removes.then_some((9, leaving)).into_iter().collect::<BTreeMap<_, _>>();
    let header = Header::new("p".into(), "e".into(), 2, leaving, stamp("n"));
    let run = format!("/zkplan/runs/{number:010}");
    make(session, &run, &journal::write(&header)).await;
    for name in ["plan-0", "plan-1", "mark"] {
        make(session, &format!("{run}/{name}"), "{}").await;
    }
    for (at, entry) in (1..).zip(entries) {
        let record = Record::new(entry.clone(), "n".into(), DAY.into());
        make(session, &format!("{run}/{at:010}"), &journal::write(&record)).await;
    }
}

fn claimed() -> Entry {
    Entry::Claimed { who: "w@h".into(), backup: None }
}

async fn completed(session: &SimulatedSession, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        run(session, number, &[claimed(), Entry::Closed], false).await;
    }
}

fn numbers(port: &Simulated) -> BTreeSet<u64> {
    let names = port.world().children("/zkplan/runs");
    names.iter().filter_map(|name| journal::number(name)).collect()
}

/// How many runs are removed until none is left that may go.
async fn prune(store: &mut RunStore, session: &SimulatedSession, now: &str) -> usize {
    let now = since_1970(now).expect("a time of day");
    let mut removed = 0;
    while matches!(store.prune(session, now).await, Input::Pruned(true)) {
        removed += 1;
    }
    removed
}

#[test]
fn the_newest_runs_stay_and_the_others_go() {
    let port = port();
    let story = async {
        let session = session(&port).await;
        let mut store = apply(&session).await;
        completed(&session, 1..=100).await;
        assert_eq!(prune(&mut store, &session, DAY).await, 0);
        completed(&session, 101..=103).await;
        assert_eq!(prune(&mut store, &session, DAY).await, 3);
        let archive = Archive::proven(&session, &Folder::default(), OwnIds::default()).await;
        let runs = archive.expect("it is read").runs(READ).await.expect("they are read");
        assert_eq!((runs.removed(), runs.highest, runs.latest.len()), (3, 103, 100));
    };
    assert_eq!(port.run(story), Some(()));
    assert_eq!(numbers(&port), (4..=103).collect());
}

#[test]
fn what_is_open_watched_foreign_or_not_understood_stays() {
    let port = port();
    let story = async {
        let session = session(&port).await;
        let mut store = apply(&session).await;
        let closed = [claimed(), Entry::Closed];
        run(&session, 1, &[claimed()], false).await;
        run(&session, 2, &closed, true).await;
        completed(&session, 3..=7).await;
        make(&session, "/zkplan/runs/0000000003/notes", "a person's").await;
        make(&session, "/zkplan/runs/0000000004/mark/below", "a person's").await;
        make(&session, "/zkplan/runs/0000000005/0000000003", "{\"formatVersion\":9}").await;
        port.world().set_acl("/zkplan/runs/0000000006/plan-1", &readers());
        make(&session, "/zkplan/runs/0000000008", "not of zkplan").await;
        make(&session, "/zkplan/runs/notes", "a person's").await;
        // These go: one that was withdrawn, and one that died before its first entry.
        run(&session, 9, &[claimed(), Entry::Withdrawn], true).await;
        run(&session, 10, &[], false).await;
        completed(&session, 11..=110).await;
        assert_eq!(prune(&mut store, &session, DAY).await, 3);
        assert_eq!(numbers(&port), (1..=6).chain([8]).chain(11..=110).collect());
        assert_eq!(port.world().children("/zkplan/runs/0000000003").len(), 6);
        // A month later the server that run 2 removed is not watched any more.
        assert_eq!(prune(&mut apply_again(&session, store).await, &session, MUCH_LATER).await, 1);
        assert_eq!(
            numbers(&port),
            [1].into_iter().chain(3..=6).chain([8]).chain(11..=110).collect()
        );
        assert!(port.world().node("/zkplan/runs/notes").is_some());
    };
    assert_eq!(port.run(story), Some(()));
}

/// The next apply on the same session.
async fn apply_again(session: &SimulatedSession, before: RunStore) -> RunStore {
    drop(before);
    session.transact(&[Op::Delete { path: "/zkplan/lock" }]).await.expect("it is held");
    apply(session).await
}

/// They are what a rollback goes back to, and what `drift` compares with.
#[test]
fn completed_runs_stay_while_all_newer_ones_were_withdrawn() {
    let port = port();
    let story = async {
        let session = session(&port).await;
        let mut store = apply(&session).await;
        completed(&session, [1]).await;
        for number in 2..=103 {
            run(&session, number, &[claimed(), Entry::Withdrawn], false).await;
        }
        assert_eq!(prune(&mut store, &session, DAY).await, 2);
        assert_eq!(numbers(&port), [1].into_iter().chain(4..=103).collect());
        completed(&session, [104]).await;
        assert_eq!(prune(&mut apply_again(&session, store).await, &session, DAY).await, 2);
        assert_eq!(numbers(&port), (5..=104).collect());
    };
    assert_eq!(port.run(story), Some(()));
}

#[test]
fn an_apply_that_lost_its_lock_removes_nothing() {
    let port = port();
    let story = async {
        let (session, operator) = (session(&port).await, session(&port).await);
        let mut store = apply(&session).await;
        completed(&session, 1..=101).await;
        let archive = Archive::proven(&operator, &Folder::default(), OwnIds::default()).await;
        let archive = archive.expect("it is read");
        let lock = archive.lock().await.expect("it is read").expect("it is held");
        take_over(&operator, &archive, &lock, &lock_of("o")).await.expect("it is taken over");
        assert_eq!(prune(&mut store, &session, DAY).await, 0);
    };
    assert_eq!(port.run(story), Some(()));
    assert_eq!(numbers(&port).len(), 101);
}

/// Whatever becomes of each write, a run is whole or gone, and the next apply removes the rest.
#[test]
fn a_run_is_whole_or_gone_wherever_its_apply_dies() {
    for fault in [Fault::Die, Fault::DieAfter, Fault::LoseRequest, Fault::LoseAnswer] {
        for fatal in 0..3 {
            let port = port();
            let story = async {
                let session = session(&port).await;
                let mut store = apply(&session).await;
                completed(&session, 1..=103).await;
                let mut writes = 0;
                port.set_chaos(Some(Box::new(move |_, operation| {
                    let is_write = operation.kind == Kind::Write;
                    writes += usize::from(is_write);
                    if is_write && writes == fatal + 1 { fault } else { Fault::Proceed }
                })));
                prune(&mut store, &session, DAY).await
            };
            let ended = port.run(story);
            let dies = matches!(fault, Fault::Die | Fault::DieAfter);
            assert_eq!(ended.is_none(), dies, "{fault:?} {fatal}: {ended:?}");
            port.set_chaos(None);
            let gone = fatal + usize::from(matches!(fault, Fault::DieAfter | Fault::LoseAnswer));
            let left = numbers(&port);
            assert_eq!(left.len(), 103 - gone, "{fault:?} {fatal}");
            for number in left {
                let below = port.world().children(&format!("/zkplan/runs/{number:010}"));
                assert_eq!(below.len(), 5, "{fault:?} {fatal}: run {number} has {below:?}");
            }
            let next = port.client(1);
            let rest = next.run(async {
                let session = session(&next).await;
                next.world().delete("/zkplan/lock");
                prune(&mut apply(&session).await, &session, DAY).await
            });
            assert_eq!(rest, Some(3 - gone), "{fault:?} {fatal}");
        }
    }
}

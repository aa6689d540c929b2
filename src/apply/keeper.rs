//! What a run keeps in the ensemble, read and written on its session.

use std::collections::BTreeMap;

use super::end::End;
use super::journal::{
    self, Entry, Header, IDENTITY, IdentityText, LOCK, LeavingText, LockText, ROOT, RUNS, Record,
    Run, Stamp,
};
use super::machine::{Input, ReadBack};
use crate::check::CheckedPlan;
use crate::ensemble::{AclEntry, Code, Failure, Lifetime, Node, Op, Session};
use crate::model::{Endpoint, EnsembleConfig, ServerId};
use crate::observe::Identity;
use crate::saved;

/// The znode that holds the committed configuration (`ZooDefs.CONFIG_NODE`).
const CONFIG: &str = "/zookeeper/config";

/// So many of the latest runs are read.
const LATEST: usize = 3;

/// Who applies.
#[derive(Debug, Clone)]
pub struct Mine {
    /// What the lock holds.
    pub lock: LockText,
    /// The identity that the ensemble gets where it has none.
    pub identity: IdentityText,
}

/// A run that is to be opened.
#[derive(Debug)]
pub struct Opening<'a> {
    /// Its number.
    pub number: u64,
    /// Its plan.
    pub checked: &'a CheckedPlan,
    /// Where the servers that leave are reached.
    pub leaving: &'a BTreeMap<ServerId, Endpoint>,
    /// The time of day.
    pub at: String,
}

/// What a run keeps in the ensemble.
#[derive(Debug)]
pub struct Keeper {
    mine: Mine,
    acl: Vec<AclEntry>,
    /// The version that the folder got when the lock was taken.
    turn: i32,
    identity: Option<String>,
    /// The number of the last entry of each run.
    last: BTreeMap<u64, u64>,
    /// An entry that may have been written or not.
    pending: Option<(u64, Entry, String)>,
}

/// What a request gave, or what the executor is told instead.
macro_rules! answered {
    ($request:expr) => {
        match $request {
            Ok(value) => value,
            Err(failure) => return Input::Failed(failure),
        }
    };
}

impl Keeper {
    /// Keeps nothing yet.
    pub fn new(mine: Mine) -> Self {
        Self {
            mine,
            acl: Vec::new(),
            turn: -1,
            identity: None,
            last: BTreeMap::new(),
            pending: None,
        }
    }

    /// The plan that is applied.
    pub fn plan_id(&self) -> &str {
        &self.mine.lock.plan_id
    }

    /// What `/zkplan/id` holds, once it was read.
    pub fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// Whether the session may change the configuration, the leader takes reconfigs, and what
    /// zkplan keeps is safe from others. Changes nothing.
    pub async fn permission<S: Session>(&mut self, session: &S) -> Input {
        let denied = |end| Input::Denied(Box::new(end));
        match session.probe_write().await {
            Ok(()) => {}
            Err(Code::NoAuth) => return denied(End::NotAuthorized),
            Err(code) => return Input::Failed(failure(code)),
        }
        match session.probe_reconfig().await {
            Ok(()) | Err(Code::ReconfigInProgress) => {}
            Err(Code::ReconfigDisabled | Code::Unimplemented) => {
                return denied(End::ReconfigDisabled);
            }
            Err(code) => return Input::Failed(failure(code)),
        }
        let of_config = answered!(session.acl(CONFIG).await).unwrap_or_default();
        let writers: Vec<AclEntry> = of_config.into_iter().filter(AclEntry::writes).collect();
        let found = answered!(session.acl(ROOT).await).unwrap_or_default();
        let others: Vec<AclEntry> = found
            .into_iter()
            .filter(|entry| entry.changes() && !writers.iter().any(|writer| writer.is_same(entry)))
            .collect();
        if !others.is_empty() {
            return denied(End::OpenToOthers(others));
        }
        self.acl = acl(writers);
        Input::Granted
    }

    /// Takes the lock, or says who holds it.
    ///
    /// Whoever takes it writes its nonce to the folder in the same transaction, so that the folder's
    /// version tells one lock from the next.
    pub async fn lock<S: Session>(&mut self, session: &S) -> Input {
        for folder in [ROOT, RUNS] {
            answered!(self.make(session, folder, b"").await);
        }
        let nonce = self.mine.lock.by.nonce.as_bytes();
        let text = journal::write(&self.mine.lock);
        let (data, lifetime, acl) = (text.as_bytes(), Lifetime::Ephemeral, &self.acl[..]);
        let ops =
            [Op::Create { path: LOCK, data, lifetime, acl }, Op::Set { path: ROOT, data: nonce }];
        match session.transact(&ops).await {
            // Made now, or by an earlier try whose answer got lost.
            Ok(()) | Err(Failure::Refused(Code::NodeExists)) => {}
            Err(failure) => return Input::Failed(failure),
        }
        let [root, lock] =
            answered!(session.read(&[ROOT, LOCK]).await).try_into().unwrap_or_default();
        let by: Option<LockText> = lock.as_ref().and_then(|node| journal::read(&node.data));
        let is_ours = by.as_ref().is_some_and(|by| by.by.nonce == self.mine.lock.by.nonce);
        match (root, lock) {
            (Some(root), Some(lock)) if is_ours && lock.owner == session.id() => {
                self.turn = root.version;
                Input::Locked(lock.czxid)
            }
            _ => Input::Held(by),
        }
    }

    /// A persistent znode; it may be there already.
    async fn make<S: Session>(&self, session: &S, path: &str, data: &[u8]) -> Result<(), Failure> {
        match session.create(path, data, &self.acl).await {
            Ok(()) | Err(Failure::Refused(Code::NodeExists)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Configuration, lock and identity, at least as new as anything committed before.
    pub async fn read<S: Session>(&mut self, session: &S) -> Input {
        let nodes = answered!(session.read(&[CONFIG, LOCK, IDENTITY]).await);
        let [config, lock, identity] = nodes.try_into().unwrap_or_default();
        let text = config.as_ref().map(text_of).unwrap_or_default();
        let Ok(config) = EnsembleConfig::parse(&text) else {
            return Input::Failed(Failure::Refused(Code::DataInconsistency));
        };
        let identity = identity.as_ref().map(text_of);
        self.identity.clone_from(&identity);
        Input::Read(Box::new(ReadBack {
            config,
            lock: lock.map(|node| node.czxid),
            identity: identity.map_or(Identity::NoneYet, Identity::Known),
        }))
    }

    /// The latest runs.
    pub async fn runs<S: Session>(&mut self, session: &S) -> Input {
        let runs = answered!(latest_runs(session, LATEST).await);
        self.last = runs.iter().map(|run| (run.number, run.last)).collect();
        Input::Runs(runs)
    }

    /// Gives the ensemble its identity.
    pub async fn make_identity<S: Session>(&mut self, session: &S) -> Input {
        let text = journal::write(&self.mine.identity);
        answered!(self.make(session, IDENTITY, text.as_bytes()).await);
        self.identity = answered!(session.get(IDENTITY).await).as_ref().map(text_of);
        Input::Done
    }

    /// Makes the znodes of a run. Each may be there already, from an earlier try.
    pub async fn open_run<S: Session>(&mut self, session: &S, opening: Opening<'_>) -> Input {
        let Opening { number, checked, leaving, at } = opening;
        let plan = saved::write(checked);
        let pieces = journal::pieces(&plan);
        let opened = Stamp { at, ..self.mine.lock.by.clone() };
        let members = &checked.plan().facts.base.membership;
        let leaving = super::sight::leaving(checked.plan()).into_iter().map(|id| {
            let client = leaving.get(&id);
            let text = LeavingText {
                line: members.get(id).map(ToString::to_string).unwrap_or_default(),
                client: client.map(ToString::to_string),
                tls: client.is_some_and(|at| at.tls),
            };
            (id.get(), text)
        });
        let header = Header::new(
            self.mine.lock.plan_id.clone(),
            checked.plan().ensemble.clone(),
            pieces.len(),
            leaving.collect(),
            opened,
        );
        let path = journal::run_path(number);
        answered!(self.make(session, &path, journal::write(&header).as_bytes()).await);
        for (at, piece) in pieces.iter().enumerate() {
            let path = journal::piece_path(number, at);
            answered!(self.make(session, &path, piece.as_bytes()).await);
        }
        answered!(self.make(session, &journal::mark_path(number), b"").await);
        self.last.insert(number, 0);
        Input::Done
    }

    /// Writes an entry while the lock stands. An entry that is asked for again after its answer got
    /// lost is looked for first.
    pub async fn record<S: Session>(
        &mut self,
        session: &S,
        run: u64,
        entry: &Entry,
        at: String,
    ) -> Input {
        let again = self.pending.take().filter(|(r, e, _)| *r == run && e == entry);
        let text = again.map_or_else(
            || {
                let nonce = self.mine.lock.by.nonce.clone();
                journal::write(&Record { entry: entry.clone(), nonce, at })
            },
            |(_, _, text)| text,
        );
        self.pending = Some((run, entry.clone(), text.clone()));
        let last = self.last.entry(run).or_default();
        loop {
            let path = journal::record_path(run, *last + 1);
            let (data, lifetime, acl) = (text.as_bytes(), Lifetime::Persistent, &self.acl[..]);
            let ops = [
                Op::Check { path: LOCK, version: 0 },
                Op::Check { path: ROOT, version: self.turn },
                Op::Create { path: &path, data, lifetime, acl },
            ];
            match session.transact(&ops).await {
                Ok(()) => break,
                Err(Failure::Refused(Code::NodeExists)) => {}
                Err(failure) => return Input::Failed(failure),
            }
            let there = answered!(session.get(&path).await);
            if there.is_some_and(|node| node.data == text.as_bytes()) {
                break;
            }
            *last += 1;
        }
        *last += 1;
        self.pending = None;
        Input::Done
    }

    /// Writes to a run's mark, so that zxids go on.
    pub async fn mark<S: Session>(&self, session: &S, run: u64, count: usize) -> Input {
        let path = journal::mark_path(run);
        answered!(self.make(session, &path, b"").await);
        answered!(session.set_many(&path, count).await);
        Input::Done
    }
}

/// Who may read and write what a run makes: everybody reads; those write who may write the
/// configuration. A super user needs no entry.
///
/// A digest is masked for those who may not administer the configuration's list; they then stand
/// for themselves.
pub fn acl(writers: Vec<AclEntry>) -> Vec<AclEntry> {
    const FULL: u8 = AclEntry::READ | AclEntry::WRITE | AclEntry::CREATE | AclEntry::DELETE;
    let entry = |scheme: &str, id: &str, permissions| AclEntry {
        scheme: scheme.to_owned(),
        id: id.to_owned(),
        permissions,
    };
    let writers = writers.into_iter().map(|writer| {
        let permissions = writer.permissions | FULL;
        if writer.is_masked() {
            entry("auth", "", FULL)
        } else {
            AclEntry { permissions, ..writer }
        }
    });
    std::iter::once(entry("world", "anyone", AclEntry::READ)).chain(writers).collect()
}

/// A probe that gave no answer is like any request that gave none.
const fn failure(code: Code) -> Failure {
    match code {
        Code::ConnectionLoss => Failure::Unknown,
        Code::SessionExpired => Failure::SessionOver,
        code => Failure::Refused(code),
    }
}

fn text_of(node: &Node) -> String {
    String::from_utf8_lossy(&node.data).into_owned()
}

/// The latest runs, oldest first.
pub async fn latest_runs<S: Session>(session: &S, count: usize) -> Result<Vec<Run>, Failure> {
    // What is listed after it is as new as that.
    session.read(&[RUNS]).await?;
    let names = session.children(RUNS).await?;
    let numbers: Vec<u64> = names.iter().filter_map(|name| journal::number(name)).collect();
    let mut runs = Vec::new();
    for number in numbers.iter().rev().take(count).rev() {
        runs.extend(read_run(session, *number).await?);
    }
    Ok(runs)
}

/// One run; `None` where there is none.
///
/// # Errors
///
/// A run that this version cannot read is refused as [`Code::DataInconsistency`]: it may be open.
pub async fn read_run<S: Session>(session: &S, number: u64) -> Result<Option<Run>, Failure> {
    let path = journal::run_path(number);
    let Some(node) = session.get(&path).await? else { return Ok(None) };
    let unreadable = Failure::Refused(Code::DataInconsistency);
    let header = journal::read(&node.data).ok_or(unreadable)?;
    let names = session.children(&path).await?;
    let entries: Vec<u64> = names.iter().filter_map(|name| journal::number(name)).collect();
    let paths: Vec<String> =
        entries.iter().map(|entry| journal::record_path(number, *entry)).collect();
    let nodes = futures::future::try_join_all(paths.iter().map(|path| session.get(path))).await?;
    let records = nodes.into_iter().flatten().filter_map(|node| journal::read(&node.data));
    let last = entries.last().copied().unwrap_or(0);
    Ok(Some(Run { number, header, records: records.collect(), last }))
}

/// The plan of a run; `None` where it is not all there.
pub async fn read_plan<S: Session>(session: &S, run: &Run) -> Result<Option<String>, Failure> {
    let mut plan = String::new();
    for piece in 0..run.header.pieces {
        match session.get(&journal::piece_path(run.number, piece)).await? {
            Some(node) => plan.push_str(&text_of(&node)),
            None => return Ok(None),
        }
    }
    Ok(Some(plan))
}

/// What the lock holds, and the version that the folder got when it was taken.
pub async fn read_lock<S: Session>(session: &S) -> Result<Option<(LockText, i32)>, Failure> {
    let [root, lock] = session.read(&[ROOT, LOCK]).await?.try_into().unwrap_or_default();
    let text = lock.and_then(|node| journal::read(&node.data));
    Ok(text.zip(root.map(|node| node.version)))
}

/// Takes over the lock that was taken at that version, and no other; where it is gone by itself, its
/// place. In one transaction, so that nobody can take it in between.
pub async fn take_over<S: Session>(session: &S, turn: i32, mine: &LockText) -> Result<(), Failure> {
    let of_config = session.acl(CONFIG).await?.unwrap_or_default();
    let acl = &acl(of_config.into_iter().filter(AclEntry::writes).collect())[..];
    let text = journal::write(mine);
    let (data, lifetime) = (text.as_bytes(), Lifetime::Ephemeral);
    let check = Op::Check { path: ROOT, version: turn };
    let create = Op::Create { path: LOCK, data, lifetime, acl };
    let set = Op::Set { path: ROOT, data: mine.by.nonce.as_bytes() };
    let taken = session.transact(&[check, Op::Delete { path: LOCK }, create, set]).await;
    match taken {
        Err(Failure::Refused(Code::NoNode)) => session.transact(&[check, create, set]).await,
        taken => taken,
    }
}

/// Writes down, in the last run, that somebody fenced it off from outside.
pub async fn record_fence<S: Session>(session: &S, fenced: &Record) -> Result<(), Failure> {
    let Some(run) = latest_runs(session, 1).await?.pop() else { return Ok(()) };
    let acl = session.acl(RUNS).await?.unwrap_or_default();
    let path = journal::record_path(run.number, run.last + 1);
    session.create(&path, journal::write(fenced).as_bytes(), &acl).await
}

/// Whether a value can be written to the journal and read back; used where a type changes.
#[cfg(test)]
fn comes_back<T: serde::Serialize + for<'de> serde::Deserialize<'de> + PartialEq>(
    value: &T,
) -> bool {
    journal::read::<T>(journal::write(value).as_bytes()).as_ref() == Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ensemble::simulated::{Rules, Simulated, Timing, World};
    use crate::ensemble::{Control, SessionTerms};
    use crate::model::{Host, Membership, Millis};

    #[test]
    fn a_lock_comes_back_as_it_was_written() {
        let by = Stamp {
            nonce: "n".into(),
            who: "w\u{1b}".into(),
            host: "h".into(),
            pid: 1,
            at: "t".into(),
        };
        assert!(comes_back(&LockText { by, operation: "apply".into(), plan_id: "p".into() }));
    }

    fn lock_of(nonce: &str, operation: &str) -> LockText {
        let by = Stamp {
            nonce: nonce.into(),
            who: "w".into(),
            host: "h".into(),
            pid: 1,
            at: "t".into(),
        };
        LockText { by, operation: operation.into(), plan_id: "p".into() }
    }

    fn keeper(nonce: &str) -> Keeper {
        let identity = IdentityText { id: "i".into(), ensemble: "e".into() };
        Keeper::new(Mine { lock: lock_of(nonce, "apply"), identity })
    }

    #[test]
    fn nobody_gets_a_lock_while_whoever_took_it_over_fences() {
        let members = "server.1=h1:2888:3888;2181\nserver.2=h2:2888:3888;2181";
        let members = Membership::parse(members).unwrap();
        let port = Simulated::new(World::new(members, Timing::default(), Rules::default()));
        let at = Endpoint::plain(Host::new("h1"), 2181);
        let terms = SessionTerms { timeout: Millis(4000), auth: None };
        let (mut hangs, mut waits) = (keeper("hangs"), keeper("waits"));
        let story = async {
            let session = || async { port.open(&at, &terms).await.unwrap() };
            let (held, operator, next) = (session().await, session().await, session().await);
            assert!(matches!(hangs.permission(&held).await, Input::Granted));
            assert!(matches!(waits.permission(&next).await, Input::Granted));
            assert!(matches!(hangs.lock(&held).await, Input::Locked(_)));
            let (_, turn) = read_lock(&operator).await.unwrap().unwrap();
            take_over(&operator, turn, &lock_of("o", "unlock")).await.unwrap();
            let holder = waits.lock(&next).await;
            assert!(matches!(holder, Input::Held(Some(by)) if by.operation == "unlock"));
            let late = take_over(&next, turn, &lock_of("n", "unlock")).await;
            assert_eq!(late, Err(Failure::Refused(Code::BadVersion)));
            let written = hangs.record(&held, 1, &Entry::Closed, "t".into()).await;
            assert!(matches!(written, Input::Failed(Failure::Refused(_))));
            operator.close().await;
            assert!(matches!(waits.lock(&next).await, Input::Locked(_)));
        };
        assert_eq!(port.run(story), Some(()));
    }

    #[test]
    fn only_those_who_may_write_the_configuration_may_write_what_a_run_makes() {
        let admin =
            AclEntry { scheme: "digest".into(), id: "a:b".into(), permissions: AclEntry::WRITE };
        let masked = AclEntry { id: "a:x".into(), ..admin.clone() };
        assert!(
            masked.is_same(&admin)
                && !AclEntry { id: "c:x".into(), ..masked.clone() }.is_same(&admin)
        );
        let acl = acl(vec![admin, masked]);
        assert!(!acl[0].changes() && acl[1].changes());
        assert_eq!(acl[1].permissions & AclEntry::ADMIN, 0);
        assert_eq!(acl[2].scheme, "auth");
    }
}

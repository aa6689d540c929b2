//! What a run keeps in the ensemble, read and written on its session.

use std::collections::BTreeMap;

use super::end::End;
use super::journal::{
    self, Entry, Header, IDENTITY, IdentityText, LOCK, LeavingText, LockText, ROOT, RUNS, Record,
    Run, Stamp,
};
use super::machine::{Input, ReadBack};
use crate::check::CheckedPlan;
use crate::ensemble::{AclEntry, Code, Failure, Lifetime, Node, Session};
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
        Self { mine, acl: Vec::new(), identity: None, last: BTreeMap::new(), pending: None }
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
        let writers: Vec<AclEntry> = of_config.into_iter().filter(AclEntry::changes).collect();
        let found = answered!(session.acl(ROOT).await).unwrap_or_default();
        let same =
            |one: &AclEntry, other: &AclEntry| (&one.scheme, &one.id) == (&other.scheme, &other.id);
        let others: Vec<AclEntry> = found
            .into_iter()
            .filter(|entry| entry.changes() && !writers.iter().any(|writer| same(writer, entry)))
            .collect();
        if !others.is_empty() {
            return denied(End::OpenToOthers(others));
        }
        self.acl = acl(writers);
        Input::Granted
    }

    /// Takes the lock, or says who holds it.
    pub async fn lock<S: Session>(&self, session: &S) -> Input {
        for folder in [ROOT, RUNS] {
            answered!(self.make(session, folder, b"").await);
        }
        let text = journal::write(&self.mine.lock);
        let made = session.create(LOCK, text.as_bytes(), Lifetime::Ephemeral, &self.acl).await;
        match made {
            Ok(czxid) => return Input::Locked(czxid),
            Err(Failure::Refused(Code::NodeExists)) => {}
            Err(failure) => return Input::Failed(failure),
        }
        match answered!(session.get(LOCK).await) {
            Some(node) => {
                let by: Option<LockText> = journal::read(&node.data);
                let is_ours = by.as_ref().is_some_and(|by| by.by.nonce == self.mine.lock.by.nonce);
                // Made by an earlier try whose answer got lost.
                if is_ours && node.owner == session.id() {
                    Input::Locked(node.czxid)
                } else {
                    Input::Held(by)
                }
            }
            None => Input::Held(None),
        }
    }

    /// A persistent znode; it may be there already.
    async fn make<S: Session>(&self, session: &S, path: &str, data: &[u8]) -> Result<(), Failure> {
        match session.create(path, data, Lifetime::Persistent, &self.acl).await {
            Ok(_) | Err(Failure::Refused(Code::NodeExists)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Configuration, lock and identity, at least as new as anything committed before.
    pub async fn read<S: Session>(&mut self, session: &S) -> Input {
        let (sync, config, lock, identity) = futures::join!(
            session.sync(),
            session.get(CONFIG),
            session.get(LOCK),
            session.get(IDENTITY),
        );
        answered!(sync);
        let config = answered!(config);
        let text = config.map(|node| String::from_utf8_lossy(&node.data).into_owned());
        let Ok(config) = EnsembleConfig::parse(&text.unwrap_or_default()) else {
            return Input::Failed(Failure::Refused(Code::DataInconsistency));
        };
        let identity = answered!(identity).map(|node| text_of(&node));
        self.identity.clone_from(&identity);
        Input::Read(Box::new(ReadBack {
            config,
            lock: answered!(lock).map(|node| node.czxid),
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
        self.identity = answered!(session.get(IDENTITY).await).map(|node| text_of(&node));
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
            match session.create_while(LOCK, &path, text.as_bytes(), &self.acl).await {
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
pub fn acl(writers: Vec<AclEntry>) -> Vec<AclEntry> {
    let everybody = AclEntry {
        scheme: "world".to_owned(),
        id: "anyone".to_owned(),
        permissions: AclEntry::READ,
    };
    let full = AclEntry::READ | AclEntry::WRITE | AclEntry::CREATE | AclEntry::DELETE;
    let writers = writers.into_iter().map(|entry| AclEntry { permissions: full, ..entry });
    std::iter::once(everybody).chain(writers).collect()
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
    let names = session.children(RUNS).await?;
    let numbers: Vec<u64> = names.iter().filter_map(|name| journal::number(name)).collect();
    let mut runs = Vec::new();
    for number in numbers.iter().rev().take(count).rev() {
        runs.extend(read_run(session, *number).await?);
    }
    Ok(runs)
}

/// One run; `None` where there is none, or none that this version can read.
pub async fn read_run<S: Session>(session: &S, number: u64) -> Result<Option<Run>, Failure> {
    let path = journal::run_path(number);
    let header = session.get(&path).await?.and_then(|node| journal::read(&node.data));
    let Some(header) = header else { return Ok(None) };
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

/// What the lock holds, and the znode's version and czxid.
pub async fn read_lock<S: Session>(session: &S) -> Result<Option<(LockText, Node)>, Failure> {
    let node = session.get(LOCK).await?;
    Ok(node.and_then(|node| Some((journal::read(&node.data)?, node))))
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

    #[test]
    fn only_those_who_may_write_the_configuration_may_write_what_a_run_makes() {
        let admin =
            AclEntry { scheme: "digest".into(), id: "a:b".into(), permissions: AclEntry::WRITE };
        let acl = acl(vec![admin]);
        assert!(!acl[0].changes() && acl[1].changes());
        assert_eq!(acl[1].permissions & AclEntry::ADMIN, 0);
    }
}

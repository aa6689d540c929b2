//! What a run keeps in the ensemble, read and written on its session.

use std::collections::BTreeMap;

use super::archive::{LATEST, latest_runs};
use super::end::End;
use super::journal::{
    self, Entry, Header, IDENTITY, IdentityText, LOCK, LeavingText, LockText, ROOT, RUNS, Record,
    Stamp,
};
use super::machine::{Input, ReadBack};
use crate::check::CheckedPlan;
use crate::ensemble::{AclEntry, CONFIG, Code, Failure, Lifetime, Node, Op, Session};
use crate::model::{Endpoint, EnsembleConfig, ServerId};
use crate::observe::Identity;
use crate::saved;

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
            Err(Code::NoAuth) => return denied(End::NotAuthorized { by: Vec::new(), user: None }),
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
        let text = config.as_ref().map(Node::text).unwrap_or_default();
        let Ok(config) = EnsembleConfig::parse(&text) else {
            return Input::Failed(Failure::Refused(Code::DataInconsistency));
        };
        let identity = identity.as_ref().map(Node::text);
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
        self.identity = answered!(session.get(IDENTITY).await).as_ref().map(Node::text);
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

#[cfg(test)]
mod tests {
    use super::*;

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

//! What a run keeps in the ensemble, read and written on its session.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::debug;

use super::access::Signer;
use super::end::Outcome;
use super::executor::{Input, ReadBack};
use super::journal::{
    self, Entry, Header, IdentityText, LeavingText, LockText, MeasuredGap, Record, Stamp,
};
use super::journal_reader::{Archive, FolderState, LATEST};
use super::old_runs::{HeldLock, OldRuns};
use super::paths::Paths;
use crate::check::CheckedPlan;
use crate::ensemble::{
    AclEntry, CONFIG, ErrorCode, Lifetime, Node, NodeAcl, Op, RequestError, Session,
};
use crate::model::{Endpoint, EnsembleConfig, Folder, ServerId};
use crate::observe::Identity;
use crate::saved;
use crate::trust::{Doubt, Life, OwnIds, Unproven};

/// The most that one transaction makes, in bytes: a request may have a mebibyte (`jute.maxbuffer`), and so
/// may what the leader sends its followers of it.
const TOGETHER_BYTES: usize = 512 * 1024;

/// How often taking the folder is tried, if another client creates and removes it.
const TRIES: usize = 3;

/// Who applies.
#[derive(Debug, Clone)]
pub struct ApplyIdentity {
    /// What the lock holds.
    pub lock: LockText,
    /// The identity that the ensemble gets where it has none.
    pub identity: IdentityText,
    /// The folder of everything that a run keeps.
    pub folder: Folder,
    /// Who the session is, in the words of access control lists.
    pub own: OwnIds,
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
pub struct RunStore {
    mine: ApplyIdentity,
    paths: Paths,
    acl: Vec<AclEntry>,
    /// The version that the folder got when the lock was taken.
    turn: i32,
    identity: Option<String>,
    /// The number of the last entry of each run.
    last: BTreeMap<u64, u64>,
    /// An entry that may have been written or not.
    pending: Option<(u64, Entry, String)>,
    old_runs: OldRuns,
}

/// The answer of a request, or the input for the executor instead.
macro_rules! answered {
    ($request:expr) => {
        match $request {
            Ok(value) => value,
            Err(failure) => return Input::Failed(failure),
        }
    };
}

impl RunStore {
    /// Keeps nothing yet.
    pub fn new(mine: ApplyIdentity) -> Self {
        Self {
            paths: Paths::below(mine.folder.clone()),
            mine,
            acl: Vec::new(),
            turn: -1,
            identity: None,
            last: BTreeMap::new(),
            pending: None,
            old_runs: OldRuns::default(),
        }
    }

    /// The plan that is applied.
    pub fn plan_id(&self) -> &str {
        &self.mine.lock.plan_id
    }

    /// The identity of the ensemble, once it was read.
    pub fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// Whether the session may change the configuration, and the leader takes reconfigs. Changes
    /// nothing.
    pub async fn permission<S: Session>(&self, session: &S) -> Input {
        let denied = |end| Input::Denied(Box::new(end));
        match session.probe_write(CONFIG).await {
            Ok(()) => {}
            Err(ErrorCode::NoAuth) => {
                return denied(Outcome::NotAuthorized {
                    by: Vec::new(),
                    signer: Signer::Anonymous,
                });
            }
            Err(code) => return Input::Failed(RequestError::of_probe(code)),
        }
        match session.probe_reconfig().await {
            Ok(()) | Err(ErrorCode::ReconfigInProgress) => {}
            Err(ErrorCode::ReconfigDisabled | ErrorCode::Unimplemented) => {
                return denied(Outcome::ReconfigDisabled);
            }
            Err(code) => return Input::Failed(RequestError::of_probe(code)),
        }
        Input::Granted
    }

    async fn archive<'a, S: Session>(
        &self,
        session: &'a S,
    ) -> Result<Archive<'a, S>, RequestError> {
        Archive::proven(session, &self.mine.folder, self.mine.own.clone()).await
    }

    /// Takes the lock, or returns its holder.
    ///
    /// A folder is created together with the lock in one transaction, and replaces an empty one.
    /// The state is proven when the lock is taken: with a child of ours in the folder, no client
    /// without an operator's permissions can remove or open it.
    ///
    /// An apply that takes the lock writes its nonce to the folder in the same transaction, so the
    /// folder's version distinguishes one lock from the next.
    pub async fn lock<S: Session>(&mut self, session: &S) -> Input {
        let mut archive = answered!(self.archive(session).await);
        self.acl = archive.list();
        let mut is_closed_to_us = false;
        for _ in 0..TRIES {
            let ground = match answered!(archive.ground().await) {
                FolderState::Proven(acl) if is_closed_to_us && acl.children == 0 => {
                    FolderState::Vacant
                }
                ground => ground,
            };
            let is_folder = match &ground {
                FolderState::Unproven(unproven) => {
                    return Input::Denied(Box::new(Outcome::Unproven(unproven.clone())));
                }
                FolderState::Absent | FolderState::Vacant => false,
                FolderState::Proven(_) => true,
            };
            match self.take(session, &ground).await {
                // Made now, or by an earlier try whose answer got lost.
                Ok(()) => return self.taken(session, &mut archive).await,
                Err(RequestError::Refused(ErrorCode::NodeExists))
                    if matches!(ground, FolderState::Proven(_)) =>
                {
                    return self.taken(session, &mut archive).await;
                }
                // Any client can have made an empty one with such a list.
                Err(RequestError::Refused(ErrorCode::NoAuth)) if matches!(&ground, FolderState::Proven(acl) if acl.children == 0) =>
                {
                    is_closed_to_us = true;
                }
                // Another client changed the folder between reading it and the transaction.
                Err(RequestError::Refused(
                    ErrorCode::NodeExists | ErrorCode::NotEmpty | ErrorCode::BadVersion,
                )) => {}
                Err(RequestError::Refused(ErrorCode::NoNode)) if ground != FolderState::Absent => {}
                Err(RequestError::Refused(
                    code @ (ErrorCode::NoAuth | ErrorCode::NoNode | ErrorCode::QuotaExceeded),
                )) => {
                    let (folder, parent) = (self.paths.folder(), self.paths.parent());
                    let path = if is_folder { folder } else { parent }.to_owned();
                    return Input::Denied(Box::new(Outcome::FolderRefused {
                        path,
                        is_folder,
                        code,
                    }));
                }
                Err(RequestError::Refused(ErrorCode::EphemeralOnLocalSession)) => {
                    return Input::Denied(Box::new(Outcome::LocalSession { by: None }));
                }
                Err(failure) => return Input::Failed(failure),
            }
        }
        let path = self.paths.folder().to_owned();
        Input::Denied(Box::new(Outcome::Unproven(Unproven { path, doubt: Doubt::Moving })))
    }

    /// The transaction that makes the lock, and the folder where there is none.
    async fn take<S: Session>(
        &self,
        session: &S,
        ground: &FolderState,
    ) -> Result<(), RequestError> {
        let (runs, lock) = (self.paths.runs(), self.paths.lock());
        let (folder, nonce) = (self.paths.folder(), self.mine.lock.by.nonce.as_bytes());
        let text = journal::write(&self.mine.lock);
        let acl = &self.acl[..];
        let made = |path| Op::Create { path, data: b"", lifetime: Lifetime::Persistent, acl };
        let has_runs =
            matches!(ground, FolderState::Proven(_)) && session.get(&runs).await?.is_some();
        let mut ops = match ground {
            FolderState::Vacant => vec![Op::Delete { path: folder }, made(folder)],
            FolderState::Absent => vec![made(folder)],
            FolderState::Proven(_) | FolderState::Unproven(_) => Vec::new(),
        };
        if !has_runs {
            ops.push(made(&runs));
        }
        let (data, lifetime) = (text.as_bytes(), Lifetime::Ephemeral);
        ops.push(Op::Create { path: &lock, data, lifetime, acl });
        ops.push(Op::Set { path: folder, data: nonce });
        session.transact(&ops).await
    }

    /// Whether the lock is ours, and its folder is an operator's.
    async fn taken<S: Session>(&mut self, session: &S, archive: &mut Archive<'_, S>) -> Input {
        let (folder, lock) = (self.paths.folder(), self.paths.lock());
        let [root, node] =
            answered!(session.read(&[folder, &lock]).await).try_into().unwrap_or_default();
        let (Some(root), Some(node)) = (root, node) else { return Input::Held(None) };
        let by: Option<LockText> = journal::read(&node.data);
        let is_ours = by.as_ref().is_some_and(|by| by.by.nonce == self.mine.lock.by.nonce);
        if is_ours && node.owner == session.id() {
            if let Some(acl) = answered!(session.acl(&lock).await) {
                archive.learn(&acl);
            }
            return match answered!(archive.ground().await) {
                FolderState::Proven(_) => {
                    self.turn = root.version;
                    Input::Locked(node.czxid)
                }
                FolderState::Unproven(unproven) => {
                    Input::Denied(Box::new(Outcome::Unproven(unproven)))
                }
                FolderState::Absent | FolderState::Vacant => Input::Held(None),
            };
        }
        let proof: Option<Result<NodeAcl, Doubt>> =
            answered!(archive.proof(&lock, Life::Ephemeral).await);
        Input::Held(by.filter(|_| matches!(proof, Some(Ok(_)))))
    }

    /// Makes persistent znodes while the lock is ours, in one transaction.
    async fn create<S: Session>(
        &self,
        session: &S,
        nodes: &[(&str, &[u8])],
    ) -> Result<(), RequestError> {
        let (lock, lifetime, acl) = (self.paths.lock(), Lifetime::Persistent, &self.acl[..]);
        let mut ops = vec![
            Op::Check { path: &lock, version: 0 },
            Op::Check { path: self.paths.folder(), version: self.turn },
        ];
        ops.extend(nodes.iter().map(|&(path, data)| Op::Create { path, data, lifetime, acl }));
        session.transact(&ops).await
    }

    /// A persistent znode, made while the lock is ours; it may be there already.
    async fn make<S: Session>(
        &self,
        session: &S,
        path: &str,
        data: &[u8],
    ) -> Result<(), RequestError> {
        match self.create(session, &[(path, data)]).await {
            Ok(()) | Err(RequestError::Refused(ErrorCode::NodeExists)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Znodes of which each may be there already: in one transaction where they fit into one and none is
    /// there, else one after the other.
    async fn make_all<S: Session>(
        &self,
        session: &S,
        nodes: &[(&str, &[u8])],
    ) -> Result<(), RequestError> {
        let bytes: usize = nodes.iter().map(|(path, data)| path.len() + data.len()).sum();
        if bytes <= TOGETHER_BYTES {
            match self.create(session, nodes).await {
                Err(RequestError::Refused(ErrorCode::NodeExists)) => {}
                made => return made,
            }
        }
        for (path, data) in nodes {
            self.make(session, path, data).await?;
        }
        Ok(())
    }

    /// Configuration, lock and identity, at least as new as anything committed before.
    pub async fn read<S: Session>(&mut self, session: &S) -> Input {
        let (lock, identity) = (self.paths.lock(), self.paths.identity());
        let nodes = answered!(session.read(&[CONFIG, &lock, &identity]).await);
        let [config, lock, identity] = nodes.try_into().unwrap_or_default();
        let text = config.as_ref().map(Node::text).unwrap_or_default();
        let Ok(config) = EnsembleConfig::parse(&text) else {
            return Input::Failed(RequestError::Refused(ErrorCode::DataInconsistency));
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
        let mut archive = answered!(self.archive(session).await);
        if let Some(acl) = answered!(session.acl(&self.paths.lock()).await) {
            archive.learn(&acl);
        }
        let runs = answered!(archive.runs(LATEST).await);
        self.last = runs.latest.iter().map(|run| (run.number, run.last)).collect();
        Input::Runs(runs)
    }

    /// Gives the ensemble its identity.
    pub async fn make_identity<S: Session>(&mut self, session: &S) -> Input {
        let text = journal::write(&self.mine.identity);
        let path = self.paths.identity();
        answered!(self.make(session, &path, text.as_bytes()).await);
        self.identity = answered!(session.get(&path).await).as_ref().map(Node::text);
        Input::Done
    }

    /// Makes the znodes of a run. Each may be there already, from an earlier try.
    pub async fn open_run<S: Session>(&mut self, session: &S, opening: Opening<'_>) -> Input {
        let Opening { number, checked, leaving, at } = opening;
        // Where the operator's spec lies is nothing that an ensemble keeps.
        let plan = saved::write(&checked.clone().made_from(None));
        let pieces = journal::pieces(&plan);
        let opened = Stamp { at, ..self.mine.lock.by.clone() };
        let members = &checked.plan().facts.base.membership;
        let leaving = super::run_view::leaving(checked.plan()).into_iter().map(|id| {
            let client = leaving.get(&id);
            let text = LeavingText {
                line: members.get(id).map(ToString::to_string).unwrap_or_default(),
                client: client.map(ToString::to_string),
                tls: client.is_some_and(|at| at.tls),
            };
            (id.get(), text)
        });
        let mut header = Header::new(
            self.mine.lock.plan_id.clone(),
            checked.plan().ensemble.clone(),
            pieces.len(),
            leaving.collect(),
            opened,
        );
        header.cause = self.mine.lock.cause.clone();
        let header = journal::write(&header);
        let (run, mark) = (self.paths.run(number), self.paths.mark(number));
        let paths: Vec<String> = (0..pieces.len()).map(|at| self.paths.piece(number, at)).collect();
        let pieces = paths.iter().zip(&pieces).map(|(path, piece)| (&path[..], piece.as_bytes()));
        let mut nodes = vec![(&run[..], header.as_bytes())];
        nodes.extend(pieces);
        nodes.push((&mark, b""));
        answered!(self.make_all(session, &nodes).await);
        self.last.insert(number, 0);
        Input::Done
    }

    /// Writes an entry while the lock exists. An entry that is written again after its answer got
    /// lost is looked up first.
    pub async fn record<S: Session>(
        &mut self,
        session: &S,
        run: u64,
        entry: &Entry,
        (at, measured): (String, Option<MeasuredGap>),
    ) -> Input {
        let again = self.pending.take().filter(|(r, e, _)| *r == run && e == entry);
        let text = again.map_or_else(
            || {
                let nonce = self.mine.lock.by.nonce.clone();
                let mut record = Record::new(entry.clone(), nonce, at);
                record.measured = measured;
                journal::write(&record)
            },
            |(_, _, text)| text,
        );
        self.pending = Some((run, entry.clone(), text.clone()));
        let lock = self.paths.lock();
        let last = self.last.entry(run).or_default();
        loop {
            let path = self.paths.record(run, *last + 1);
            let (data, lifetime, acl) = (text.as_bytes(), Lifetime::Persistent, &self.acl[..]);
            let ops = [
                Op::Check { path: &lock, version: 0 },
                Op::Check { path: self.paths.folder(), version: self.turn },
                Op::Create { path: &path, data, lifetime, acl },
            ];
            match session.transact(&ops).await {
                Ok(()) => break,
                Err(RequestError::Refused(ErrorCode::NodeExists)) => {}
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

    /// Removes one old run. What goes wrong here is left to the next apply: this one is over.
    pub async fn prune<S: Session>(&mut self, session: &S, now: Duration) -> Input {
        let (lock, turn) = (self.paths.lock(), self.turn);
        let removed = async {
            let mut archive = self.archive(session).await?;
            if let Some(acl) = session.acl(&lock).await? {
                archive.learn(&acl);
            }
            self.old_runs.remove_one(session, &archive, HeldLock { turn, now }).await
        };
        Input::Pruned(removed.await.unwrap_or_else(|failure| {
            debug!(?failure, "old runs are kept");
            false
        }))
    }

    /// Writes to a run's mark, so that zxids go on.
    pub async fn mark<S: Session>(&self, session: &S, run: u64, count: usize) -> Input {
        let path = self.paths.mark(run);
        answered!(self.make(session, &path, b"").await);
        answered!(session.set_many(&path, count).await);
        Input::Done
    }
}

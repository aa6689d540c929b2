//! Reads back the state of earlier applies, as far as it is proven.
//!
//! Every level is proven separately, because an administrator may have opened one later: the
//! folder, the folder of runs, a run, an entry, a piece of its plan. What is not proven is not
//! trusted, and is reported.

use futures::future::try_join_all;

use super::journal::{self, Header, LockText, Record, Run, Runs};
use super::paths::Paths;
use crate::ensemble::{AclEntry, CONFIG, ErrorCode, NodeAcl, RequestError, Session};
use crate::model::Folder;
use crate::trust::{Doubt, Life, OwnIds, Proof, Unproven, Writers};

/// This many of the latest runs decide the position within a plan.
pub const LATEST: usize = 3;

/// How often a folder is read that changes meanwhile.
const TRIES: usize = 3;

/// Reads what an ensemble keeps, on one session.
#[derive(Debug)]
pub struct Archive<'a, S> {
    session: &'a S,
    paths: Paths,
    writers: Writers,
    is_decisive: bool,
}

/// The state of zkplan's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderState {
    /// There is no znode.
    Absent,
    /// A znode that holds nothing, and that a client without rights can have made.
    Vacant,
    /// A folder that only those wrote who may change the ensemble, since it was made.
    Proven(NodeAcl),
    /// A folder of which that is not known, with something in it.
    Unproven(Unproven),
}

/// Everything that an ensemble keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// The folder.
    pub ground: FolderState,
    /// The identity of the ensemble.
    pub identity: Option<String>,
    /// The lock, where there is one.
    pub lock: Option<StateLock>,
    /// The runs.
    pub runs: Runs,
    /// Whether that is proven, and not only as far as a session without credentials can check.
    pub is_certain: bool,
}

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateLock {
    /// What it holds; `None` where this version cannot read that.
    pub text: Option<LockText>,
    /// What names it: the nonce that it holds, or the transaction that made it.
    pub nonce: String,
    /// The version that the folder got when it was taken.
    pub turn: i32,
    /// Why it is not known to be an apply's, where it is not.
    pub doubt: Option<Doubt>,
}

fn unproven(path: &str, doubt: Doubt) -> FolderState {
    FolderState::Unproven(Unproven { path: path.to_owned(), doubt })
}

impl Journal {
    fn without(ground: FolderState) -> Self {
        Self { ground, identity: None, lock: None, runs: Runs::default(), is_certain: true }
    }

    /// The folder, where it is not proven.
    pub const fn unproven(&self) -> Option<&Unproven> {
        match &self.ground {
            FolderState::Unproven(unproven) => Some(unproven),
            FolderState::Absent | FolderState::Vacant | FolderState::Proven(_) => None,
        }
    }
}

impl<'a, S: Session> Archive<'a, S> {
    /// What a session without credentials can see: servers mask digests for it.
    pub async fn as_far_as_seen(session: &'a S, folder: &Folder) -> Result<Self, RequestError> {
        Self::open(session, folder, OwnIds::default(), false).await
    }

    /// What a session can prove that knows its own ids.
    pub async fn proven(
        session: &'a S,
        folder: &Folder,
        own: OwnIds,
    ) -> Result<Self, RequestError> {
        Self::open(session, folder, own, true).await
    }

    async fn open(
        session: &'a S,
        folder: &Folder,
        own: OwnIds,
        is_decisive: bool,
    ) -> Result<Self, RequestError> {
        let config = match session.acl(CONFIG).await {
            Ok(acl) => acl.map(|acl| acl.entries).unwrap_or_default(),
            // No writer is known then, and nothing but a super user's folder is closed.
            Err(RequestError::Refused(ErrorCode::NoAuth)) => Vec::new(),
            Err(failure) => return Err(failure),
        };
        let (paths, writers) = (Paths::below(folder.clone()), Writers::of(&config, own));
        Ok(Self { session, paths, writers, is_decisive })
    }

    /// Where everything is.
    pub const fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The list for what the session makes.
    pub fn list(&self) -> Vec<AclEntry> {
        self.writers.list()
    }

    /// Learns the session's own ids from the lock that it made with [`Archive::list`]. Another's lock
    /// teaches nothing: its list is what its maker wanted it to be.
    pub fn learn(&mut self, lock: &NodeAcl) {
        if lock.owner != self.session.id() {
            return;
        }
        let made_with = self.writers.list();
        self.writers = std::mem::take(&mut self.writers).with_lock(lock, &made_with);
    }

    /// Whether those who wrote a znode could only be writers of the configuration; `None` where
    /// there is none.
    pub async fn proof(
        &self,
        path: &str,
        life: Life,
    ) -> Result<Option<Result<NodeAcl, Doubt>>, RequestError> {
        let acl = match self.session.acl(path).await {
            Ok(Some(acl)) => acl,
            Ok(None) => return Ok(None),
            Err(RequestError::Refused(code)) => {
                return Ok(Some(Err(Doubt::Unreadable(code.number()))));
            }
            Err(failure) => return Err(failure),
        };
        let masked = || {
            let entries = acl.entries.iter().filter(|entry| entry.is_masked());
            Doubt::Open(entries.map(|entry| format!("{}:{}", entry.scheme, entry.id)).collect())
        };
        Ok(Some(match self.writers.prove(&acl, life) {
            Proof::AsFarAsSeen if self.is_decisive => Err(masked()),
            Proof::Proven | Proof::AsFarAsSeen => Ok(acl),
            Proof::IfWritable => match self.session.probe_write(path).await {
                Ok(()) => Ok(acl),
                Err(ErrorCode::NoAuth) => Err(masked()),
                Err(code) => return Err(RequestError::of_probe(code)),
            },
            Proof::Doubtful(doubt) => Err(doubt),
        }))
    }

    /// The state of the folder.
    pub async fn ground(&self) -> Result<FolderState, RequestError> {
        let path = self.paths.folder();
        let Some(children) = self.session.count_children(path).await? else {
            return Ok(FolderState::Absent);
        };
        let acl = match self.proof(path, Life::Persistent).await? {
            None => return Ok(FolderState::Absent),
            Some(Ok(acl)) => acl,
            Some(Err(_)) if children == 0 => return Ok(FolderState::Vacant),
            Some(Err(doubt)) => return Ok(unproven(path, doubt)),
        };
        for path in [self.paths.runs(), self.paths.identity()] {
            if let Some(Err(doubt)) = self.proof(&path, Life::Persistent).await? {
                return Ok(unproven(&path, doubt));
            }
        }
        Ok(FolderState::Proven(acl))
    }

    /// Everything, of one and the same folder: where it is made anew meanwhile, it is read again.
    pub async fn journal(&self, count: usize) -> Result<Journal, RequestError> {
        for _ in 0..TRIES {
            // What is read after it is as new as that.
            self.session.read(&[CONFIG]).await?;
            let ground = self.ground().await?;
            let FolderState::Proven(before) = &ground else { return Ok(Journal::without(ground)) };
            let identity = self.session.get(&self.paths.identity()).await?;
            let lock = self.lock().await?;
            let runs = self.runs(count).await?;
            let after = self.session.acl(self.paths.folder()).await?;
            if after.is_some_and(|after| {
                (after.czxid, after.aversion) == (before.czxid, before.aversion)
            }) {
                let identity = identity.map(|node| node.text());
                let is_certain = self.is_decisive
                    || self.writers.prove(before, Life::Persistent) == Proof::Proven;
                return Ok(Journal { ground, identity, lock, runs, is_certain });
            }
        }
        Ok(Journal::without(unproven(self.paths.folder(), Doubt::Moving)))
    }

    /// The lock.
    pub async fn lock(&self) -> Result<Option<StateLock>, RequestError> {
        let path = self.paths.lock();
        let [folder, lock] =
            self.session.read(&[self.paths.folder(), &path]).await?.try_into().unwrap_or_default();
        let Some((folder, lock)) = folder.zip(lock) else { return Ok(None) };
        let doubt = match self.proof(&path, Life::Ephemeral).await? {
            None => return Ok(None),
            Some(proof) => proof.err(),
        };
        let text: Option<LockText> =
            journal::read(&lock.data).filter(|_: &LockText| doubt.is_none());
        let made = || format!("{:#x}", lock.czxid);
        let nonce = text.as_ref().map_or_else(made, |text| text.by.nonce.clone());
        Ok(Some(StateLock { text, nonce, turn: folder.version, doubt }))
    }

    /// The numbers of all runs, readable or not, in order.
    pub async fn numbers(&self) -> Result<Vec<u64>, RequestError> {
        let names = self.session.children(&self.paths.runs()).await?;
        Ok(names.iter().filter_map(|name| journal::number(name)).collect())
    }

    /// The latest runs of a proven folder, read side by side.
    pub async fn runs(&self, count: usize) -> Result<Runs, RequestError> {
        let numbers = self.numbers().await?;
        let highest = numbers.last().copied().unwrap_or(0);
        let not_read = numbers.len().saturating_sub(count);
        let mut runs = Runs { highest, count: numbers.len(), not_read, ..Runs::default() };
        let read = numbers.iter().rev().take(count).rev().map(|number| async {
            let mut run = Runs::default();
            self.run(*number, &mut run).await?;
            Ok::<_, RequestError>(run)
        });
        for run in try_join_all(read).await? {
            runs.latest.extend(run.latest);
            runs.unproven.extend(run.unproven);
        }
        Ok(runs)
    }

    /// The latest proven runs before these that remove servers, at most a fixed number, oldest
    /// first. They are read concurrently, which takes hardly longer than one.
    pub async fn retiring(&self, before: &[Run], count: usize) -> Result<Vec<Run>, RequestError> {
        let first = before.first().map_or(0, |run| run.number);
        let numbers = self.numbers().await?.into_iter();
        let older: Vec<u64> = numbers.filter(|number| *number < first).collect();
        let older = older.iter().rev().take(count).rev();
        let read = older.map(|number| async {
            let mut run = Runs::default();
            let header = self.session.get(&self.paths.run(*number)).await?;
            let header = header.and_then(|node| Header::read(&node.data).ok());
            if header.is_some_and(|header| !header.leaving.is_empty()) {
                self.run(*number, &mut run).await?;
            }
            Ok::<_, RequestError>(run.latest)
        });
        Ok(try_join_all(read).await?.into_iter().flatten().collect())
    }

    /// Adds one run of a proven folder, where there is one.
    pub async fn run(&self, number: u64, to: &mut Runs) -> Result<(), RequestError> {
        let path = self.paths.run(number);
        match self.proof(&path, Life::Persistent).await? {
            None => return Ok(()),
            Some(Ok(_)) => {}
            Some(Err(doubt)) => {
                to.unproven.push(Unproven { path, doubt });
                return Ok(());
            }
        }
        let Some(node) = self.session.get(&path).await? else { return Ok(()) };
        let names = self.session.children(&path).await?;
        let entries: Vec<u64> = names.iter().filter_map(|name| journal::number(name)).collect();
        let read = entries.iter().map(|entry| self.entry(number, *entry));
        let mut run = Run {
            number,
            header: Header::read(&node.data),
            records: Vec::new(),
            illegible: std::collections::BTreeMap::new(),
            last: entries.last().copied().unwrap_or(0),
        };
        for (entry, read) in entries.iter().zip(try_join_all(read).await?) {
            match read {
                Some(Ok(data)) => match Record::read(&data) {
                    Ok(record) => run.records.push(record),
                    Err(why) => drop(run.illegible.insert(*entry, why)),
                },
                Some(Err(unproven)) => to.unproven.push(unproven),
                None => {}
            }
        }
        to.latest.push(run);
        Ok(())
    }

    async fn entry(
        &self,
        run: u64,
        entry: u64,
    ) -> Result<Option<Result<Vec<u8>, Unproven>>, RequestError> {
        self.believed(self.paths.record(run, entry)).await
    }

    /// The data of a znode that is proven.
    async fn believed(
        &self,
        path: String,
    ) -> Result<Option<Result<Vec<u8>, Unproven>>, RequestError> {
        Ok(match self.proof(&path, Life::Persistent).await? {
            None => None,
            Some(Err(doubt)) => Some(Err(Unproven { path, doubt })),
            Some(Ok(_)) => self.session.get(&path).await?.map(|node| Ok(node.data)),
        })
    }

    /// The plan of a run, to be read; `None` where it is not all there, or not proven.
    pub async fn plan(&self, run: &Run) -> Result<Option<String>, RequestError> {
        let Ok(header) = &run.header else { return Ok(None) };
        let mut plan = String::new();
        for piece in 0..header.pieces {
            match self.believed(self.paths.piece(run.number, piece)).await? {
                Some(Ok(data)) => plan.push_str(&String::from_utf8_lossy(&data)),
                Some(Err(_)) | None => return Ok(None),
            }
        }
        Ok(Some(plan))
    }
}

/// The whole content of a folder. None of it is trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawTree {
    /// The znodes, each before what lies below it.
    pub nodes: Vec<RawNode>,
    /// Whether there is more than was read.
    pub is_cut: bool,
}

/// A znode as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawNode {
    /// Its path.
    pub path: String,
    /// Its access control list, as `scheme:id:permissions`; digests may be masked.
    pub entries: Vec<String>,
    /// How often the list was set.
    pub aversion: i32,
    /// The session that it lives with; 0 for a persistent one.
    pub owner: i64,
    /// The transaction that made it.
    pub czxid: i64,
    /// Its data, where they are text; else what of them is.
    pub data: String,
}

/// Reads a folder whole, with bounds: a stranger's may be huge.
pub async fn raw_tree<S: Session>(session: &S, folder: &Folder) -> Result<RawTree, RequestError> {
    const MOST_NODES: usize = 10_000;
    const MOST_BYTES: usize = 32 * 1024 * 1024;
    let (mut tree, mut bytes) = (RawTree::default(), 0);
    let mut paths = vec![folder.as_str().to_owned()];
    while let Some(path) = paths.pop() {
        if tree.nodes.len() == MOST_NODES || bytes > MOST_BYTES {
            tree.is_cut = true;
            break;
        }
        let readable = |answer| match answer {
            Err(RequestError::Refused(ErrorCode::NoAuth)) => Ok(None),
            answer => answer,
        };
        let Some(acl) = readable(session.acl(&path).await)? else { continue };
        let data = match session.get(&path).await {
            Ok(node) => node.map(|node| node.text()).unwrap_or_default(),
            Err(RequestError::Refused(ErrorCode::NoAuth)) => String::new(),
            Err(failure) => return Err(failure),
        };
        match session.children(&path).await {
            Ok(names) => {
                let room = MOST_NODES.saturating_sub(tree.nodes.len() + paths.len());
                tree.is_cut |= names.len() > room;
                paths.extend(names.iter().take(room).rev().map(|name| format!("{path}/{name}")));
            }
            Err(RequestError::Refused(ErrorCode::NoAuth)) => {}
            Err(failure) => return Err(failure),
        }
        bytes += data.len();
        tree.nodes.push(RawNode {
            entries: acl.entries.iter().map(ToString::to_string).collect(),
            aversion: acl.aversion,
            owner: acl.owner,
            czxid: acl.czxid,
            path,
            data,
        });
    }
    Ok(tree)
}

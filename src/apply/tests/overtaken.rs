//! A client without permissions that interferes between two requests of a session, where no real
//! server can be made to wait.

use std::cell::Cell;

use crate::apply::Outcome;
use crate::apply::executor::Input;
use crate::apply::journal::{IdentityText, LockText, Stamp};
use crate::apply::journal_reader::{Archive, FolderState};
use crate::apply::run_store::{ApplyIdentity, RunStore};
use crate::ensemble::{
    AclEntry, CONFIG, Credential, ErrorCode, InClear, Lifetime, Node, NodeAcl, Op, RequestError,
    Session, SessionFactory, SessionTerms,
};
use crate::model::{
    ConfigVersion, Endpoint, EnsembleConfig, Folder, Host, Membership, Millis, Update,
};
use crate::simulator::{Rules, Simulated, Timing, World};
use crate::trust::{Doubt, Life, OwnIds, Unproven};

/// A session before whose request of that name another client makes a transaction, once.
struct Overtaken<'a, S> {
    inner: S,
    thief: &'a S,
    before: &'a str,
    swap: Cell<&'a [Op<'a>]>,
}

impl<S: Session> Overtaken<'_, S> {
    async fn asks(&self, request: String) -> Result<(), RequestError> {
        let swap = if request == self.before { self.swap.take() } else { &[] };
        if swap.is_empty() { Ok(()) } else { self.thief.transact(swap).await }
    }
}

impl<S: Session> Session for Overtaken<'_, S> {
    fn id(&self) -> i64 {
        self.inner.id()
    }

    fn at(&self) -> &Endpoint {
        self.inner.at()
    }

    async fn authenticate(&mut self) -> Result<(), RequestError> {
        self.inner.authenticate().await
    }

    async fn attach(&mut self, at: &Endpoint) -> Result<(), RequestError> {
        self.inner.attach(at).await
    }

    fn timeout_ms(&self) -> u64 {
        self.inner.timeout_ms()
    }

    async fn read(&self, paths: &[&str]) -> Result<Vec<Option<Node>>, RequestError> {
        self.inner.read(paths).await
    }

    async fn commits(&self) -> Result<Option<Node>, RequestError> {
        self.inner.commits().await
    }

    async fn get(&self, path: &str) -> Result<Option<Node>, RequestError> {
        self.asks(format!("get {path}")).await?;
        self.inner.get(path).await
    }

    async fn children(&self, path: &str) -> Result<Vec<String>, RequestError> {
        self.inner.children(path).await
    }

    async fn count_children(&self, path: &str) -> Result<Option<i32>, RequestError> {
        self.inner.count_children(path).await
    }

    async fn acl(&self, path: &str) -> Result<Option<NodeAcl>, RequestError> {
        self.inner.acl(path).await
    }

    async fn create(&self, path: &str, data: &[u8], acl: &[AclEntry]) -> Result<(), RequestError> {
        self.inner.create(path, data, acl).await
    }

    async fn transact(&self, ops: &[Op<'_>]) -> Result<(), RequestError> {
        self.asks("transact".to_owned()).await?;
        self.inner.transact(ops).await
    }

    async fn set_many(&self, path: &str, count: usize) -> Result<(), RequestError> {
        self.inner.set_many(path, count).await
    }

    async fn reconfig(
        &self,
        request: &Update,
        version: ConfigVersion,
    ) -> Result<EnsembleConfig, RequestError> {
        self.inner.reconfig(request, version).await
    }

    async fn probe_write(&self, path: &str) -> Result<(), ErrorCode> {
        self.asks(format!("probe {path}")).await.expect("the other client may do that");
        self.inner.probe_write(path).await
    }

    async fn probe_reconfig(&self) -> Result<(), ErrorCode> {
        self.inner.probe_reconfig().await
    }

    async fn close(self) {
        self.inner.close().await;
    }
}

fn world() -> World {
    let members = Membership::parse("server.1=h1:2888:3888;2181").unwrap();
    World::new(members, Timing::default(), Rules::default())
}

fn at() -> Endpoint {
    Endpoint::plain(Host::new("h1"), 2181)
}

const TERMS: SessionTerms = SessionTerms { timeout: Millis(4000), auth: None };

fn entry(scheme: &str, id: &str, permissions: u8) -> AclEntry {
    AclEntry { scheme: scheme.into(), id: id.into(), permissions }
}

fn made<'a>(path: &'a str, acl: &'a [AclEntry]) -> Op<'a> {
    Op::Create { path, data: b"forged", lifetime: Lifetime::Persistent, acl }
}

fn keeper() -> RunStore {
    let by = Stamp { nonce: "n".into(), who: "w".into(), host: "h".into(), pid: 1, at: "t".into() };
    let lock = LockText::new(by, "apply", "p".into());
    let identity = IdentityText::new("i".into(), "e".into());
    RunStore::new(ApplyIdentity {
        lock,
        identity,
        folder: Folder::default(),
        own: OwnIds::default(),
    })
}

/// The result of taking the lock if another client makes this transaction between reading the
/// folder and locking. The folder already exists, is empty, and looks like an operator's.
fn lock_overtaken_by(swap: &[Op<'_>]) -> Input {
    let port = Simulated::new(world());
    let result = port.run(async {
        let thief = port.open(&at(), &TERMS).await.unwrap();
        thief.create("/zkplan", b"", &[entry("world", "anyone", 1)]).await.unwrap();
        let inner = port.open(&at(), &TERMS).await.unwrap();
        let before = "transact";
        keeper().lock(&Overtaken { inner, thief: &thief, before, swap: Cell::new(swap) }).await
    });
    result.unwrap()
}

#[test]
fn a_folder_that_is_swapped_between_survey_and_lock_is_not_trusted() {
    let everybody = [entry("world", "anyone", 31)];
    let deleted = Op::Delete { path: "/zkplan" };
    // No other client interferes.
    assert!(matches!(lock_overtaken_by(&[]), Input::Locked(_)));
    // The lock gets into the stranger's folder, and is seen to be there.
    let open = lock_overtaken_by(&[deleted, made("/zkplan", &everybody)]);
    let Input::Denied(end) = open else { panic!("{open:?}") };
    assert!(matches!(*end, Outcome::Unproven(_)), "{end:?}");
    // The stranger's has more in it than the transaction expects.
    let swap = [deleted, made("/zkplan", &everybody), made("/zkplan/runs", &everybody)];
    let filled = lock_overtaken_by(&swap);
    assert!(matches!(filled, Input::Held(None)), "{filled:?}");
}

#[test]
fn a_folder_that_is_swapped_while_it_is_read_is_not_believed() {
    let (readers, everybody) = ([entry("world", "anyone", 1)], [entry("world", "anyone", 31)]);
    // An empty folder that looks like an operator's is replaced by an open one with an identity,
    // whose ACL has been closed since it was made.
    let swap =
        [Op::Delete { path: "/zkplan" }, made("/zkplan", &everybody), made("/zkplan/id", &readers)];
    let port = Simulated::new(world());
    let result = port.run(async {
        let thief = port.open(&at(), &TERMS).await.unwrap();
        thief.create("/zkplan", b"", &readers).await.unwrap();
        let inner = port.open(&at(), &TERMS).await.unwrap();
        let before = "get /zkplan/id";
        let session = Overtaken { inner, thief: &thief, before, swap: Cell::new(&swap) };
        let archive = Archive::as_far_as_seen(&session, &Folder::default()).await.unwrap();
        archive.journal(1).await.unwrap()
    });
    let journal = result.unwrap();
    assert_eq!(journal.identity, None);
    let open = Doubt::Open(vec!["world:anyone".to_owned()]);
    let unproven = Unproven { path: "/zkplan".to_owned(), doubt: open };
    assert_eq!(journal.ground, FolderState::Unproven(unproven));
}

#[test]
fn no_write_is_tried_in_the_folder_of_another_user() {
    let masked = |user: &str| [entry("digest", &format!("{user}:x"), 31)];
    let own = OwnIds::of(Some(&Credential::digest("op", "secret", InClear::Loopback)));
    let swap = [made("/tried", &[])];
    let tries = |user: &str| {
        let (list, mut world) = (masked(user), world());
        world.set_acl(CONFIG, &masked("op"));
        let port = Simulated::new(world);
        let result = port.run(async {
            let thief = port.open(&at(), &TERMS).await.unwrap();
            thief.create("/zkplan", b"", &list).await.unwrap();
            thief.create("/zkplan/runs", b"", &list).await.unwrap();
            let inner = port.open(&at(), &TERMS).await.unwrap();
            let before = "probe /zkplan";
            let session = Overtaken { inner, thief: &thief, before, swap: Cell::new(&swap) };
            let archive = Archive::proven(&session, &Folder::default(), own.clone()).await.unwrap();
            archive.ground().await.unwrap();
            thief.get("/tried").await.unwrap().is_some()
        });
        result.unwrap()
    };
    assert!(tries("op"));
    assert!(!tries("other"));
}

#[test]
fn a_lock_of_another_session_teaches_no_ids() {
    let mut world = world();
    // Digests are masked, as for an operator without ADMIN on the configuration.
    world.set_acl(CONFIG, &[entry("digest", "op:x", 31)]);
    let port = Simulated::new(world);
    let result = port.run(async {
        let session = port.open(&at(), &TERMS).await.unwrap();
        let entries = vec![entry("digest", "op:stranger", 31)];
        session.create("/theirs", b"", &entries).await.unwrap();
        let archive = Archive::proven(&session, &Folder::default(), OwnIds::default()).await;
        let mut archive = archive.unwrap();
        let mut believed = Vec::new();
        for owner in [session.id() + 1, session.id()] {
            let entries = entries.clone();
            archive.learn(&NodeAcl { entries, aversion: 0, owner, czxid: 1, children: 0 });
            let proof = archive.proof("/theirs", Life::Persistent).await.unwrap().unwrap();
            believed.push(proof.is_ok());
        }
        believed
    });
    assert_eq!(result, Some(vec![false, true]));
}

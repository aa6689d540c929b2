//! The lock of an apply that hangs: taken over, and whatever was sent under it disarmed.
//!
//! The lock is taken over, not removed: an apply that waits for it must not begin before the fence
//! has committed, which it could not tell from a stranger's request. It goes with the session.

use std::time::Duration;

use super::archive::latest_runs;
use super::journal::{self, LOCK, LockText, ROOT, RUNS, Record};
use super::keeper::acl;
use crate::ensemble::{AclEntry, CONFIG, Code, Ensemble, Failure, Lifetime, Node, Op, Session};
use crate::model::{EnsembleConfig, Update};

/// How often a fence is tried that is refused for now: the request of whoever hangs may be under way
/// for as long as a learner is missed.
const ATTEMPTS: usize = 40;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// A lock that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What it holds; `None` where this version cannot read that.
    pub text: Option<LockText>,
    /// What names it: the nonce that it holds, or the transaction that made it.
    pub nonce: String,
    /// The version that the folder got when it was taken.
    pub turn: i32,
}

/// The lock, where there is one.
pub async fn read_lock<S: Session>(session: &S) -> Result<Option<Standing>, Failure> {
    let [root, lock] = session.read(&[ROOT, LOCK]).await?.try_into().unwrap_or_default();
    let standing = |(root, lock): (Node, Node)| {
        let text: Option<LockText> = journal::read(&lock.data);
        let made = || format!("{:#x}", lock.czxid);
        let nonce = text.as_ref().map_or_else(made, |text| text.by.nonce.clone());
        Standing { text, nonce, turn: root.version }
    };
    Ok(root.zip(lock).map(standing))
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

/// A committed reconfig that changes nothing but the version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The version that it started from.
    pub from: String,
    /// The version that it made.
    pub version: String,
}

/// Fences: whatever was sent before is refused for ever.
///
/// # Errors
///
/// What the last try came to; it is not known then to have committed.
pub async fn fence<E: Ensemble, S: Session>(port: &E, session: &S) -> Result<Fence, Failure> {
    let mut failure = Failure::NotSent;
    for _ in 0..ATTEMPTS {
        let text = session.get(CONFIG).await?.map(|node| node.text()).unwrap_or_default();
        let Ok(config) = EnsembleConfig::parse(&text) else { break };
        let from = config.version.to_string();
        match session.reconfig(&Update::fence(&config.membership), config.version).await {
            Ok(fenced) => return Ok(Fence { from, version: fenced.version.to_string() }),
            Err(again @ Failure::Refused(Code::BadVersion | Code::ReconfigInProgress)) => {
                failure = again;
                port.pause(PAUSE).await;
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(failure)
}

/// Writes down, in the last run, that somebody fenced it off from outside.
pub async fn record_fence<S: Session>(session: &S, fenced: &Record) -> Result<(), Failure> {
    let Some(run) = latest_runs(session, 1).await?.pop() else { return Ok(()) };
    let acl = session.acl(RUNS).await?.unwrap_or_default();
    let path = journal::record_path(run.number, run.last + 1);
    session.create(&path, journal::write(fenced).as_bytes(), &acl).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::journal::{Entry, IdentityText, Stamp};
    use crate::apply::keeper::{Keeper, Mine};
    use crate::apply::machine::Input;
    use crate::ensemble::simulated::{Rules, Simulated, Timing, World};
    use crate::ensemble::{Control, SessionTerms};
    use crate::model::{Endpoint, Host, Membership, Millis};

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
            let Standing { turn, nonce, .. } = read_lock(&operator).await.unwrap().unwrap();
            assert_eq!(nonce, "hangs");
            take_over(&operator, turn, &lock_of("o", "unlock")).await.unwrap();
            let holder = waits.lock(&next).await;
            assert!(matches!(holder, Input::Held(Some(by)) if by.operation == "unlock"));
            let late = take_over(&next, turn, &lock_of("n", "unlock")).await;
            assert_eq!(late, Err(Failure::Refused(Code::BadVersion)));
            let written = hangs.record(&held, 1, &Entry::Closed, "t".into()).await;
            assert!(matches!(written, Input::Failed(Failure::Refused(_))));
            assert!(fence(&port, &operator).await.is_ok());
            operator.close().await;
            assert!(matches!(waits.lock(&next).await, Input::Locked(_)));
        };
        assert_eq!(port.run(story), Some(()));
    }

    #[test]
    fn a_lock_that_cannot_be_read_has_a_name_all_the_same() {
        let members = Membership::parse("server.1=h1:2888:3888;2181").unwrap();
        let port = Simulated::new(World::new(members, Timing::default(), Rules::default()));
        let terms = SessionTerms { timeout: Millis(4000), auth: None };
        let story = async {
            let session = port.open(&Endpoint::plain(Host::new("h1"), 2181), &terms).await.unwrap();
            assert_eq!(read_lock(&session).await.unwrap(), None);
            session.create(ROOT, b"", &[]).await.unwrap();
            session.create(LOCK, b"{\"of\":\"tomorrow\"}", &[]).await.unwrap();
            let lock = read_lock(&session).await.unwrap().unwrap();
            assert!(lock.text.is_none() && lock.nonce.starts_with("0x"), "{lock:?}");
            take_over(&session, lock.turn, &lock_of("o", "unlock")).await.unwrap();
            assert_eq!(read_lock(&session).await.unwrap().unwrap().nonce, "o");
        };
        assert_eq!(port.run(story), Some(()));
    }
}

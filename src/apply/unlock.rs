//! Takes over the lock of an apply that hangs, and disarms every request that it sent.
//!
//! The lock is taken over, not removed: an apply that waits for the lock must not begin before the
//! fence has committed, because it could not distinguish the fence from a foreign request. The lock
//! is released with the session.

use std::time::Duration;

use super::journal::{self, LockText, Record};
use super::journal_reader::{Archive, StateLock};
use crate::ensemble::{CONFIG, Ensemble, ErrorCode, Lifetime, Op, RequestError, Session};
use crate::model::{EnsembleConfig, Update};

/// How often a fence is tried that is refused for the moment: the hanging apply's request may be
/// pending until the leader gives a learner up.
const ATTEMPTS: usize = 40;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// Takes over the lock that was taken at that version, and no other; if it is already released,
/// takes its place. One transaction, so that no other apply can take it in between.
pub async fn take_over<S: Session>(
    session: &S,
    archive: &Archive<'_, S>,
    lock: &StateLock,
    mine: &LockText,
) -> Result<(), RequestError> {
    let (path, acl) = (archive.paths().lock(), &archive.list()[..]);
    let text = journal::write(mine);
    let (data, lifetime) = (text.as_bytes(), Lifetime::Ephemeral);
    let check = Op::Check { path: archive.paths().folder(), version: lock.turn };
    let create = Op::Create { path: &path, data, lifetime, acl };
    let set = Op::Set { path: archive.paths().folder(), data: mine.by.nonce.as_bytes() };
    let taken = session.transact(&[check, Op::Delete { path: &path }, create, set]).await;
    match taken {
        Err(RequestError::Refused(ErrorCode::NoNode)) => {
            session.transact(&[check, create, set]).await
        }
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

/// Fences: every earlier request is refused from now on.
///
/// # Errors
///
/// The result of the last try. Whether it committed is then unknown.
pub async fn fence<E: Ensemble, S: Session>(port: &E, session: &S) -> Result<Fence, RequestError> {
    let mut failure = RequestError::NotSent;
    for _ in 0..ATTEMPTS {
        let text = session.get(CONFIG).await?.map(|node| node.text()).unwrap_or_default();
        let Ok(config) = EnsembleConfig::parse(&text) else { break };
        let from = config.version.to_string();
        match session.reconfig(&Update::fence(&config.membership), config.version).await {
            Ok(fenced) => return Ok(Fence { from, version: fenced.version.to_string() }),
            Err(
                again
                @ RequestError::Refused(ErrorCode::BadVersion | ErrorCode::ReconfigInProgress),
            ) => {
                failure = again;
                port.pause(PAUSE).await;
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(failure)
}

/// Writes down, in the last run, that it was fenced off from outside.
pub async fn record_fence<S: Session>(
    session: &S,
    archive: &Archive<'_, S>,
    fenced: &Record,
) -> Result<(), RequestError> {
    let Some(run) = archive.runs(1).await?.latest.pop() else { return Ok(()) };
    let path = archive.paths().record(run.number, run.last + 1);
    session.create(&path, journal::write(fenced).as_bytes(), &archive.list()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::executor::Input;
    use crate::apply::journal::{Entry, IdentityText, Stamp};
    use crate::apply::run_store::{ApplyIdentity, RunStore};
    use crate::ensemble::{SessionFactory, SessionTerms};
    use crate::model::{Endpoint, Folder, Host, Membership, Millis};
    use crate::simulator::{Rules, Simulated, Timing, World};
    use crate::trust::OwnIds;

    async fn archive<S: Session>(session: &S) -> Archive<'_, S> {
        Archive::proven(session, &Folder::default(), OwnIds::default()).await.unwrap()
    }

    fn lock_of(nonce: &str, operation: &str) -> LockText {
        let by = Stamp {
            nonce: nonce.into(),
            who: "w".into(),
            host: "h".into(),
            pid: 1,
            at: "t".into(),
        };
        LockText::new(by, operation, "p".into())
    }

    fn keeper(nonce: &str) -> RunStore {
        let identity = IdentityText::new("i".into(), "e".into());
        let (folder, own) = (Folder::default(), OwnIds::default());
        RunStore::new(ApplyIdentity { lock: lock_of(nonce, "apply"), identity, folder, own })
    }

    #[test]
    fn no_apply_gets_the_lock_while_unlock_fences() {
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
            let archive = archive(&operator).await;
            let stands = archive.lock().await.unwrap().unwrap();
            assert_eq!(stands.nonce, "hangs");
            take_over(&operator, &archive, &stands, &lock_of("o", "unlock")).await.unwrap();
            let holder = waits.lock(&next).await;
            assert!(matches!(holder, Input::Held(Some(by)) if by.operation == "unlock"));
            let late = take_over(&next, &archive, &stands, &lock_of("n", "unlock")).await;
            assert_eq!(late, Err(RequestError::Refused(ErrorCode::BadVersion)));
            let written = hangs.record(&held, 1, &Entry::Closed, ("t".into(), None)).await;
            assert!(matches!(written, Input::Failed(RequestError::Refused(_))));
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
            let archive = archive(&session).await;
            assert_eq!(archive.lock().await.unwrap(), None);
            session.create("/zkplan", b"", &archive.list()).await.unwrap();
            let (path, data) = ("/zkplan/lock", &b"{\"of\":\"tomorrow\"}"[..]);
            let (lifetime, acl) = (Lifetime::Ephemeral, &archive.list()[..]);
            session.transact(&[Op::Create { path, data, lifetime, acl }]).await.unwrap();
            let lock = archive.lock().await.unwrap().unwrap();
            assert!(lock.text.is_none() && lock.nonce.starts_with("0x"), "{lock:?}");
            take_over(&session, &archive, &lock, &lock_of("o", "unlock")).await.unwrap();
            assert_eq!(archive.lock().await.unwrap().unwrap().nonce, "o");
        };
        assert_eq!(port.run(story), Some(()));
    }
}

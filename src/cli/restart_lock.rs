//! The znode that keeps two applies from running `hooks.restart` at once.
//!
//! It is ephemeral, stands beside the folder of zkplan, and any session may make it: the credential may
//! be what the restarts bring. So it is advice among operators, no proof, and nothing is read from it.

use crate::ensemble::{
    AclEntry, ErrorCode, HeldSession, Lifetime, Op, RequestError, Session as _,
    SessionFactory as _, SessionTerms, ZooKeeper,
};
use crate::model::{Connect, Endpoint, Folder, Millis, ServerId};
use crate::observe::Observation;

/// Holds the znode while commands are run.
pub(super) struct RestartLock {
    path: String,
    timeout: Millis,
    session: Option<HeldSession>,
}

/// Whether the znode is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// It is.
    Ours,
    /// It lives with the session of another apply.
    Others,
    /// It cannot be made: no session, no right, or something else stands there.
    CannotBe,
}

impl RestartLock {
    /// Not held yet.
    pub(super) fn of(connect: &Connect) -> Self {
        let path = format!("{}-restart", Folder::as_str(&connect.folder));
        Self { path, timeout: connect.session_timeout, session: None }
    }

    /// How long a session lives, and with it the znode of an apply that was killed.
    pub(super) const fn timeout(&self) -> Millis {
        self.timeout
    }

    /// Holds the znode with a session that is not on the server that is restarted next.
    pub(super) async fn hold(
        &mut self,
        port: &ZooKeeper,
        seen: &Observation,
        next: ServerId,
    ) -> Held {
        let others: Vec<&Endpoint> = seen
            .servers
            .values()
            .filter(|observed| observed.id != next && observed.status.is_healthy())
            .filter_map(|observed| observed.endpoint.as_ref())
            .collect();
        if let Some(held) = self.keep(&others).await {
            return held;
        }
        for at in others {
            let terms = SessionTerms { timeout: self.timeout, auth: None };
            let Ok(session) = port.unauthenticated().open(at, &terms).await else { continue };
            let held = self.make(&session).await;
            if held == Held::Ours {
                self.session = Some(session);
            } else {
                session.close().await;
            }
            return held;
        }
        Held::CannotBe
    }

    /// Goes on with the session that is there, away from the next server; `None` where there is none
    /// any more.
    async fn keep(&mut self, others: &[&Endpoint]) -> Option<Held> {
        let mut session = self.session.take()?;
        if !others.contains(&session.at()) {
            let at = *others.first()?;
            session.attach(at).await.ok()?;
        }
        let node = session.get(&self.path).await.ok()?;
        let is_ours = node.is_some_and(|node| node.owner == session.id());
        let held = if is_ours { Held::Ours } else { self.make(&session).await };
        if held == Held::Ours {
            self.session = Some(session);
        }
        Some(held)
    }

    async fn make(&self, session: &HeldSession) -> Held {
        let all = AclEntry::READ
            | AclEntry::WRITE
            | AclEntry::CREATE
            | AclEntry::DELETE
            | AclEntry::ADMIN;
        let anyone =
            AclEntry { scheme: "world".to_owned(), id: "anyone".to_owned(), permissions: all };
        let create = Op::Create {
            path: &self.path,
            data: b"zkplan restarts servers, one at a time",
            lifetime: Lifetime::Ephemeral,
            acl: &[anyone],
        };
        match session.transact(&[create]).await {
            Ok(()) => Held::Ours,
            Err(RequestError::Refused(ErrorCode::NodeExists)) => {
                let node = session.get(&self.path).await.ok().flatten();
                match node {
                    Some(node) if node.owner == session.id() => Held::Ours,
                    Some(node) if node.owner != 0 => Held::Others,
                    Some(_) | None => Held::CannotBe,
                }
            }
            Err(_) => Held::CannotBe,
        }
    }

    /// Closes the session, and the znode goes with it.
    pub(super) async fn release(self) {
        if let Some(session) = self.session {
            session.close().await;
        }
    }
}

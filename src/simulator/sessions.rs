//! Sessions: their owners, their pings, and their expiry.

use super::held::Held;
use super::in_flight::Route;
use super::process::{Condition, PeerState, ProcessId};
use super::tree::Tree;
use super::truth::SimEvent;
use super::world::World;
use crate::ensemble::{AclEntry, ErrorCode};

/// The result of attaching a session.
pub(super) enum Attached {
    /// It is attached; the owner's incarnation.
    To(u32),
    /// The server reports that the session has expired.
    Over,
    /// No connection was made.
    Not,
    /// Nothing yet.
    NotYet,
}

impl World {
    /// Sessions, by id.
    pub fn sessions(&self) -> impl Iterator<Item = (i64, &Held)> {
        self.sessions.iter().map(|(id, held)| (*id, held))
    }

    pub(super) fn new_session(&self, owner: ProcessId, asked_ms: u64) -> Held {
        // `minSessionTimeout` and `maxSessionTimeout`: 2 and 20 ticks.
        let tick = self.timing.tick_ms;
        Held {
            owner,
            incarnation: self.processes[owner.0].incarnation,
            timeout_ms: asked_ms.clamp(2 * tick, 20 * tick),
            touched_ms: self.now_ms,
            kept: true,
            authenticates: false,
            expires: false,
        }
    }

    /// `SessionTrackerImpl.initializeNextSessionId`: the id's low byte on top, then when the tracker was
    /// made, which is anew whenever the server starts to serve; here, how often it has.
    pub(super) fn next_session_id(&mut self, owner: ProcessId) -> i64 {
        self.next_session += 1;
        let process = &self.processes[owner.0];
        let [low, ..] = process.id().get().to_le_bytes();
        let tracker = i64::from(process.incarnation) << 16;
        i64::from(low) << 56 | (tracker + self.next_session)
    }

    /// A client starts or stops authenticating.
    pub(super) fn authenticate(&mut self, session: i64, shows: bool) {
        if let Some(held) = self.sessions.get_mut(&session) {
            held.authenticates |= shows;
        }
    }

    /// Whether a session may change the configuration. The server of the session authenticates it
    /// (`DigestAuthenticationProvider.superDigest` is a property of each server's process), and the
    /// leader trusts that server (`Request.authInfo`).
    pub(super) fn is_authorised(&self, session: i64) -> bool {
        let is_super =
            |held: &Held| held.authenticates && self.processes[held.owner.0].runs.knows_super;
        !self.rules.needs_auth || self.sessions.get(&session).is_some_and(is_super)
    }

    pub(super) fn of_probe(&self, session: i64, path: &str) -> ErrorCode {
        let Some(acl) = self.tree.acl(path) else { return ErrorCode::NoNode };
        let is_open = |entry: &AclEntry| entry.scheme == "world" && entry.writes();
        let may = self.is_authorised(session) || acl.entries.iter().any(is_open);
        if may { ErrorCode::BadVersion } else { ErrorCode::NoAuth }
    }

    /// Moves a session to a server (`ZooKeeperServer.reopenSession`, `revalidateSession`): the
    /// server asks the leader, which makes it the owner. A server refuses a client that has seen a
    /// later zxid.
    pub(super) fn attach(&mut self, session: i64, to: ProcessId, seen: u64) -> Attached {
        let process = &self.processes[to.0];
        if process.hidden || process.condition == Condition::Down {
            return if process.hidden { Attached::NotYet } else { Attached::Not };
        }
        match self.route(to) {
            Route::Lost => Attached::Not,
            Route::Direct => {
                if process.applied < seen {
                    return Attached::Not;
                }
                let (incarnation, now_ms) = (process.incarnation, self.now_ms);
                let Some(held) = self.sessions.get_mut(&session) else { return Attached::Over };
                let moves = held.owner != to;
                (held.owner, held.incarnation, held.touched_ms) = (to, incarnation, now_ms);
                if moves {
                    self.say(SimEvent::Moved(session, to));
                }
                Attached::To(incarnation)
            }
            Route::Waits => {
                // A deposed leader that has not noticed asks no other server.
                let is_old = process.is_up() && process.now == PeerState::Leading;
                if is_old && process.applied >= seen && self.sessions.contains_key(&session) {
                    return Attached::To(process.incarnation);
                }
                Attached::NotYet
            }
        }
    }

    /// A client has closed its connection.
    pub(super) fn disconnect(&mut self, session: i64) {
        self.touch();
        if let Some(held) = self.sessions.get_mut(&session) {
            held.incarnation = u32::MAX;
        }
    }

    /// Whether a connection to a server is still open.
    pub(super) fn is_connected(&self, at: ProcessId, incarnation: u32) -> bool {
        self.processes[at.0].incarnation == incarnation
    }

    /// Whether the session exists. A server closes the connection of one that has expired.
    pub(super) fn is_session(&self, session: i64) -> bool {
        self.sessions.contains_key(&session)
    }

    /// Whether a server answers a read without a sync.
    pub(super) fn answers(&self, at: ProcessId) -> bool {
        let process = &self.processes[at.0];
        process.is_up() && !process.hidden && process.now != PeerState::Looking
    }

    /// The client of that session stops pinging.
    pub(super) fn abandon(&mut self, session: i64) {
        self.touch();
        if let Some(held) = self.sessions.get_mut(&session) {
            held.kept = false;
        }
    }

    /// Ends a session as its time-out would (`SessionTracker.expire`).
    pub fn end_session(&mut self, session: i64) {
        if self.sessions.contains_key(&session) && self.leader().is_some() {
            self.expire(session);
            self.refresh();
        }
    }

    /// Whether a session's pings reach the leader.
    fn is_kept(&self, held: &Held) -> bool {
        held.kept
            && self.processes[held.owner.0].incarnation == held.incarnation
            && !self.processes[held.owner.0].hidden
            && self.is_in_touch(held.owner)
    }

    /// Notes which sessions are alive now. Must be called before any change that affects that.
    pub(super) fn touch(&mut self) {
        let kept: Vec<i64> = self
            .sessions
            .iter()
            .filter(|(_, held)| held.touched_ms < self.now_ms && self.is_kept(held))
            .map(|(id, _)| *id)
            .collect();
        for id in kept {
            if let Some(held) = self.sessions.get_mut(&id) {
                held.touched_ms = self.now_ms;
            }
        }
    }

    /// A new leader gives every session its whole time again (`LeaderSessionTracker`).
    pub(super) fn touch_all(&mut self) {
        for held in self.sessions.values_mut() {
            held.touched_ms = self.now_ms;
            held.expires = false;
        }
    }

    /// When the next session expires, unless its client returns.
    pub(super) fn next_expiry(&self) -> Option<u64> {
        self.leader()?;
        let left = self.sessions.values().filter(|held| !held.expires && !self.is_kept(held));
        left.map(|held| held.touched_ms + held.timeout_ms).min()
    }

    pub(super) fn expire_due(&mut self) {
        if self.leader().is_none() {
            return;
        }
        let due: Vec<i64> = self
            .sessions
            .iter()
            .filter(|(_, held)| !held.expires && !self.is_kept(held))
            .filter(|(_, held)| held.touched_ms + held.timeout_ms <= self.now_ms)
            .map(|(id, _)| *id)
            .collect();
        for session in due {
            self.expire(session);
        }
    }

    /// The znodes as a server shows them now.
    pub(super) fn shown(&self, at: ProcessId) -> &Tree {
        let process = &self.processes[at.0];
        match &process.view {
            Some(view) if process.lag_until > self.now_ms || !self.is_in_touch(at) => view,
            _ => &self.tree,
        }
    }

    /// Whether a `sync` is answered (`LearnerZooKeeperServer`, `Leader .processSync`): it goes to
    /// the leader and returns after everything that was proposed before. A server that believes it
    /// is the leader answers it by itself.
    pub(super) fn is_synced(&self, at: ProcessId) -> bool {
        let process = &self.processes[at.0];
        if !process.is_up() || process.hidden || process.lag_until > self.now_ms {
            return false;
        }
        match self.route(at) {
            Route::Direct => self.tail.is_empty(),
            Route::Waits => process.now == PeerState::Leading,
            Route::Lost => false,
        }
    }
}

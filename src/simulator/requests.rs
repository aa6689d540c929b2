//! The path of a write: server, leader, proposal, quorum, answer.
//!
//! Everything that reaches the leader becomes a proposal, even refusals (`PrepRequestProcessor`: a
//! failed request is a transaction of type `error`), and proposals commit in order. So after a
//! proposal that no quorum acknowledges, nothing is answered.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::in_flight::{
    Answer, InFlight, Proposal, Reply, Request, Route, Sent, Ticket, Txn, Waiting,
};
use super::process::{Condition, PeerState, ProcessId};
use super::tree::Owned;
use super::truth::SimEvent;
use super::world::World;
use crate::ensemble::{ErrorCode, Op, RequestError};
use crate::model::{ServerId, Update};

/// One of this many zxids has a digest (`DataTree.DIGEST_LOG_INTERVAL`).
const DIGEST_INTERVAL: u64 = 128;

impl World {
    /// Whether the leader and a process reach each other. The leader reaches itself.
    pub(super) fn is_in_touch(&self, at: ProcessId) -> bool {
        let Some(term) = self.term else { return false };
        let (leader, process) = (&self.processes[term.place.0], &self.processes[at.0]);
        leader.is_up()
            && (at == term.place
                || process.is_up()
                    && process.learns()
                    && process.epoch == term.epoch
                    && process.side == leader.side)
    }

    /// The servers whose acknowledgement counts: the leader and its followers. Observers do not
    /// acknowledge (`ObserverZooKeeperServer`). Non-voting followers do, but no quorum counts them.
    pub(super) fn acknowledging(&self) -> BTreeSet<ServerId> {
        let all = self.processes().filter(|(at, process)| {
            matches!(process.now, PeerState::Following | PeerState::Leading)
                && self.is_in_touch(*at)
        });
        all.map(|(_, process)| process.id()).collect()
    }

    /// Whether a quorum of the committed configuration acknowledges.
    pub(super) fn is_acknowledged(&mut self) -> bool {
        if let Some(known) = self.acknowledged {
            return known;
        }
        let known = self.config.is_quorum(&self.acknowledging());
        self.acknowledged = Some(known);
        known
    }

    pub(super) fn route(&self, at: ProcessId) -> Route {
        let process = &self.processes[at.0];
        match (process.condition, process.now) {
            (Condition::Down, _) | (Condition::Up, PeerState::Looking) => Route::Lost,
            (Condition::Up, _) if !process.hidden && self.is_in_touch(at) => Route::Direct,
            (Condition::Up | Condition::Frozen, _) => Route::Waits,
        }
    }

    /// Sends a request through a server. `incarnation` is that of the server when the connection
    /// was made.
    pub(super) fn send(
        &mut self,
        (place, incarnation): (ProcessId, u32),
        session: i64,
        request: Request,
    ) -> Sent {
        if self.processes[place.0].incarnation != incarnation {
            return Sent::Not;
        }
        match self.route(place) {
            Route::Lost => Sent::Not,
            Route::Waits => {
                let ticket = self.await_answer(place, None);
                let (due_ms, ticket_of) = (self.now_ms, Some(ticket));
                self.hold(InFlight {
                    due_ms,
                    place,
                    incarnation,
                    session,
                    request,
                    ticket: ticket_of,
                });
                Sent::Waits(ticket)
            }
            Route::Direct => match self.lead(place, session, request, None) {
                Some(answer) => self.answered(place, incarnation, answer),
                None => Sent::Waits(self.ticket_of_last(place)),
            },
        }
    }

    /// An answer that has yet to reach the client.
    fn answered(&mut self, place: ProcessId, incarnation: u32, answer: Answer) -> Sent {
        let process = &self.processes[place.0];
        if process.incarnation != incarnation {
            // The server closes its connections as soon as it has activated the configuration,
            // which races with the reply (`Learner.closeAllConnections`). In five of six real runs
            // the reply was late.
            let late = self.choose(6) > 0;
            return Sent::Answered(if late { Err(RequestError::Unknown) } else { answer });
        }
        if process.lag_until > self.now_ms {
            return Sent::Waits(self.await_answer(place, Some(answer)));
        }
        Sent::Answered(answer)
    }

    fn await_answer(&mut self, place: ProcessId, answer: Option<Answer>) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let incarnation = self.processes[place.0].incarnation;
        self.waiting.insert(ticket, Waiting { place, incarnation, answer });
        ticket
    }

    fn ticket_of_last(&mut self, place: ProcessId) -> Ticket {
        let ticket = self.await_answer(place, None);
        if let Some(last) = self.tail.last_mut() {
            last.ticket = Some(ticket);
        }
        ticket
    }

    /// Keeps a request until it is due, and then until the server can forward it to the leader.
    pub(super) fn hold(&mut self, mail: InFlight) {
        self.say(SimEvent::Held(mail.place));
        self.mail.push(mail);
    }

    /// The answer to a request, once it is there.
    pub(super) fn answer(&mut self, ticket: Ticket) -> Option<Answer> {
        let waiting = self.waiting.get(&ticket)?;
        let process = &self.processes[waiting.place.0];
        if process.incarnation != waiting.incarnation {
            self.waiting.remove(&ticket);
            return Some(Err(RequestError::Unknown));
        }
        let is_there = process.is_up() && process.lag_until <= self.now_ms;
        if !is_there || waiting.answer.is_none() {
            return None;
        }
        self.waiting.remove(&ticket)?.answer
    }

    /// The client no longer waits for that request.
    pub(super) fn give_up(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
    }

    fn resolve_ticket(&mut self, ticket: Option<Ticket>, answer: Answer) {
        if let Some(waiting) = ticket.and_then(|ticket| self.waiting.get_mut(&ticket)) {
            waiting.answer = Some(answer);
        }
    }

    /// Whether `PrepRequestProcessor.checkSession` lets a session's request pass.
    fn check_session(&self, session: i64, place: ProcessId) -> Result<(), ErrorCode> {
        match self.sessions.get(&session) {
            None => Err(ErrorCode::SessionExpired),
            // Its end is proposed: it makes nothing more (`SessionTrackerImpl.checkSession`,
            // `isClosing`).
            Some(held) if held.expires => Err(ErrorCode::SessionExpired),
            Some(held) if held.owner != place => Err(ErrorCode::SessionMoved),
            Some(_) => Ok(()),
        }
    }

    /// The leader takes a request in; the answer, where it commits at once.
    fn lead(
        &mut self,
        place: ProcessId,
        session: i64,
        request: Request,
        ticket: Option<Ticket>,
    ) -> Option<Answer> {
        let checked = self.check_session(session, place);
        let mut count = 1;
        let txn = match (request, checked) {
            (Request::Open { timeout_ms }, _) => Txn::Open(self.new_session(place, timeout_ms)),
            (Request::Reconfig(edit, base), checked) => {
                match self.reconfigured(&edit, base, session, checked) {
                    Ok(config) => Txn::Reconfig(config, base, Some(session)),
                    Err(code) => Txn::Error(code),
                }
            }
            (_, Err(code)) => Txn::Error(code),
            (Request::ProbeWrite(path), Ok(())) => Txn::Error(self.of_probe(session, &path)),
            (Request::Ops(ops), Ok(())) => Txn::Ops(session, ops),
            (Request::Mark(path, times), Ok(())) => {
                count = times as u64;
                Txn::Mark(path, times)
            }
            (Request::Close, Ok(())) => Txn::Close(session),
        };
        self.propose(txn, count, ticket)
    }

    /// An administrator's reconfig, with `skipACL` or not, through the leader and without a
    /// version. No effect without a leader.
    pub fn administer(&mut self, request: &Update) -> Result<(), ErrorCode> {
        if self.leader().is_none() {
            return Err(ErrorCode::ConnectionLoss);
        }
        let txn = match self.checked(request, -1) {
            Ok(config) => Txn::Reconfig(config, -1, None),
            Err(code) => Txn::Error(code),
        };
        let answer = self.propose(txn, 1, None);
        self.refresh();
        match answer {
            Some(Err(RequestError::Refused(code))) => Err(code),
            Some(_) => Ok(()),
            None => Err(ErrorCode::ConnectionLoss),
        }
    }

    /// The leader proposes; the answer, where that commits at once.
    fn propose(&mut self, txn: Txn, count: u64, ticket: Option<Ticket>) -> Option<Answer> {
        let reconfigures = matches!(txn, Txn::Reconfig(..));
        self.given += count;
        let proposal = Proposal { zxid: self.given, txn, ticket };
        if reconfigures || !self.tail.is_empty() || !self.is_acknowledged() {
            return self.propose_behind(proposal);
        }
        Some(self.commit(proposal))
    }

    /// Proposes a transaction that may have to wait. Every server that receives it logs and
    /// acknowledges it.
    fn propose_behind(&mut self, proposal: Proposal) -> Option<Answer> {
        let (zxid, config) = (proposal.zxid, proposal.config().cloned());
        let is_first = self.tail.is_empty();
        for at in 0..self.processes.len() {
            let follows =
                matches!(self.processes[at].now, PeerState::Following | PeerState::Leading);
            if follows && self.is_in_touch(ProcessId(at)) {
                self.processes[at].logged = zxid;
                let keeps = self.processes[at].runs.reconfig_enabled;
                if let Some(config) = config.as_ref().filter(|_| keeps) {
                    self.processes[at].seen = Arc::clone(config);
                }
            }
        }
        self.tail.push(proposal);
        if is_first && self.has_quorums() {
            let proposal = self.tail.remove(0);
            return Some(self.commit(proposal));
        }
        if config.is_some() {
            self.check_leadership();
        }
        None
    }

    /// Whether the first proposal has a quorum of the present voters, and, from a reconfig until it
    /// is active, of the next voters as well (`SyncedLearnerTracker.hasAllQuorums`,
    /// `Leader.propose`).
    fn has_quorums(&mut self) -> bool {
        if !self.is_acknowledged() || self.leader().is_none() {
            return false;
        }
        match self.tail.first().and_then(Proposal::config) {
            Some(next) => next.is_quorum(&self.acknowledging()),
            None => true,
        }
    }

    /// Commits everything that can.
    pub(super) fn commit_tail(&mut self) {
        while !self.tail.is_empty() && self.has_quorums() {
            let proposal = self.tail.remove(0);
            let ticket = proposal.ticket;
            let place = ticket.and_then(|ticket| self.waiting.get(&ticket).map(|w| w.place));
            let before = place.map(|place| self.processes[place.0].incarnation);
            let answer = self.commit(proposal);
            let closed = place.map(|place| self.processes[place.0].incarnation) != before;
            if !closed {
                self.resolve_ticket(ticket, answer);
            }
            self.check_leadership();
        }
    }

    /// Discards proposals that are not in the log of the present leader.
    pub(super) fn forget_beyond(&mut self, zxid: u64) {
        let kept = self.tail.iter().take_while(|proposal| proposal.zxid <= zxid).count();
        let forgotten = self.tail.len() - kept;
        if forgotten > 0 {
            self.tail.truncate(kept);
            self.say(SimEvent::Forgotten(forgotten));
        }
    }

    fn commit(&mut self, proposal: Proposal) -> Answer {
        let Proposal { zxid, txn, .. } = proposal;
        self.passed(zxid);
        match txn {
            Txn::Error(code) => self.refused(code),
            Txn::Open(held) => {
                let id = self.next_session_id(held.owner);
                self.sessions.insert(id, held);
                Ok(Reply::Session(id))
            }
            Txn::Ops(session, ops) => {
                let ops: Vec<Op<'_>> = ops.iter().map(Owned::as_op).collect();
                self.changed(zxid, session, &ops)
            }
            Txn::Mark(path, count) => {
                if !self.tree.has(&path) {
                    return self.refused(ErrorCode::NoNode);
                }
                let count = i32::try_from(count).unwrap_or(i32::MAX);
                Arc::make_mut(&mut self.tree).set_many(zxid, &path, b"mark", count);
                Ok(Reply::Done)
            }
            Txn::Reconfig(config, base, by) => {
                self.activate(&config, base, by);
                Ok(Reply::Config(config))
            }
            Txn::Close(session) => {
                self.sessions.remove(&session);
                if self.tree.has_of(session) {
                    Arc::make_mut(&mut self.tree).delete_ephemerals(session);
                }
                Ok(Reply::Done)
            }
        }
    }

    fn changed(&mut self, zxid: u64, session: i64, ops: &[Op<'_>]) -> Answer {
        match Arc::make_mut(&mut self.tree).transact(zxid, session, ops) {
            Ok(()) => Ok(Reply::Done),
            Err(code) => self.refused(code),
        }
    }

    fn refused(&mut self, code: ErrorCode) -> Answer {
        self.say(SimEvent::Refused(code));
        Err(RequestError::Refused(code))
    }

    /// Every server that receives commits has logged and applied up to this zxid.
    pub(super) fn passed(&mut self, zxid: u64) {
        if (self.committed / DIGEST_INTERVAL) != (zxid / DIGEST_INTERVAL) {
            self.digests.push(zxid - zxid % DIGEST_INTERVAL);
        }
        self.committed = zxid;
        self.say(SimEvent::Committed(zxid));
        for at in 0..self.processes.len() {
            if self.is_in_touch(ProcessId(at)) {
                let process = &mut self.processes[at];
                process.logged = process.logged.max(zxid);
                if process.lag_until <= self.now_ms {
                    process.applied = zxid;
                }
            }
        }
    }

    /// Deletes a znode, where a write commits at once.
    pub(super) fn removed(&mut self, path: &str) -> bool {
        let ops = vec![Owned::Delete(path.into())];
        matches!(self.propose(Txn::Ops(0, ops), 1, None), Some(Ok(_)))
    }

    /// Writes the root `count` times, if a write commits at once.
    pub(super) fn written(&mut self, count: u32) -> bool {
        let count_of = usize::try_from(count).unwrap_or(usize::MAX);
        let mark = Txn::Mark("/".into(), count_of);
        matches!(self.propose(mark, count.into(), None), Some(Ok(_)))
    }

    /// Closes an expired session.
    pub(super) fn expire(&mut self, session: i64) {
        self.say(SimEvent::Expired(session));
        if let Some(held) = self.sessions.get_mut(&session) {
            held.expires = true;
        }
        self.propose(Txn::Close(session), 1, None);
    }

    /// Delivers the requests that are due to the leader.
    pub(super) fn deliver(&mut self) {
        let mut at = 0;
        while let Some(mail) = self.mail.get(at) {
            let process = &self.processes[mail.place.0];
            let route = self.route(mail.place);
            if process.incarnation != mail.incarnation || route == Route::Lost {
                let mail = self.mail.remove(at);
                self.say(SimEvent::Dropped(mail.place));
            } else if route == Route::Direct && mail.due_ms <= self.now_ms {
                let InFlight { place, incarnation, session, request, ticket, .. } =
                    self.mail.remove(at);
                self.say(SimEvent::Arrived(place));
                let answer = self.lead(place, session, request, ticket);
                let closed = self.processes[place.0].incarnation != incarnation;
                if let Some(answer) = answer.filter(|_| !closed) {
                    self.resolve_ticket(ticket, answer);
                }
                self.check_leadership();
                at = 0;
            } else {
                at += 1;
            }
        }
    }

    /// A transaction of a session that is answered at once if possible. Almost all transactions
    /// take this path.
    pub(super) fn transact(
        &mut self,
        (place, incarnation): (ProcessId, u32),
        session: i64,
        ops: &[Op<'_>],
    ) -> Sent {
        let process = &self.processes[place.0];
        let at_once = process.incarnation == incarnation
            && process.lag_until <= self.now_ms
            && self.route(place) == Route::Direct
            && self.check_session(session, place).is_ok()
            && self.commits();
        if !at_once {
            let request = Request::Ops(ops.iter().map(Owned::of).collect());
            return self.send((place, incarnation), session, request);
        }
        self.given += 1;
        self.passed(self.given);
        Sent::Answered(self.changed(self.given, session, ops))
    }
}

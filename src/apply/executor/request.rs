//! One reconfig: intent, request, answer; and what is believed where no answer came.

use super::messages::{ReadBack, RequestPurpose};
use super::state::{Continuation, Executor, RunStage};
use crate::apply::access::Signer;
use crate::apply::classify::{Refused, ReplyClass, classify};
use crate::apply::end::Outcome;
use crate::apply::event::Event;
use crate::apply::journal::{CommitEvidence, Entry, UnresolvedRequest};
use crate::apply::judge::PendingBind;
use crate::apply::position::{implied, position};
use crate::apply::wait::Wait;
use crate::ensemble::{ErrorCode, RequestError};
use crate::model::EnsembleConfig;
use crate::plan::{ChangeVerb, Done, ServerChange, Step, StepId};

impl Executor {
    /// Writes the intent down before anything leaves.
    pub(super) fn intend(&mut self, step: &StepId) -> RunStage {
        let (Some(run), Some(config)) = (self.run, &self.config) else {
            return RunStage::ReadAgain;
        };
        let version = config.version.to_string();
        self.has_acted = true;
        let entry = Entry::Intent { step: step.clone(), version };
        RunStage::Record(run, entry, Continuation::Send(RequestPurpose::Step(step.clone())))
    }

    pub(super) fn send(&mut self, what: RequestPurpose) -> RunStage {
        self.out = Some(what.clone());
        if let (RequestPurpose::Step(step), Some(config)) = (&what, &self.config) {
            let version = config.version.to_string();
            self.tell(Event::Sent { step: step.clone(), version });
        }
        RunStage::Send(what)
    }

    /// A reply is believed only where its members are those that were asked for.
    pub(super) fn replied(
        &mut self,
        now_ms: u64,
        what: RequestPurpose,
        reply: EnsembleConfig,
    ) -> RunStage {
        match &what {
            RequestPurpose::Fence if self.is_unchanged(&reply) => self.is_fenced(reply),
            RequestPurpose::Step(step) if self.is_as_wanted(step, &reply) => {
                let step = step.clone();
                self.commit(now_ms, step, reply, CommitEvidence::Reply)
            }
            RequestPurpose::Fence | RequestPurpose::Step(_) => RunStage::Settling(what),
        }
    }

    fn is_unchanged(&self, reply: &EnsembleConfig) -> bool {
        self.is_newer(reply)
            && self.config.as_ref().is_some_and(|config| config.membership == reply.membership)
    }

    /// A reply is the answering server's own configuration, which may lag.
    fn is_newer(&self, reply: &EnsembleConfig) -> bool {
        self.config.as_ref().is_some_and(|config| config.version < reply.version)
    }

    fn is_as_wanted(&self, step: &StepId, reply: &EnsembleConfig) -> bool {
        let Some(request) = self.reconfig(step) else { return false };
        let config = self.config.as_ref();
        self.is_newer(reply)
            && config.is_some_and(|config| config.membership.with(request) == reply.membership)
    }

    fn is_fenced(&mut self, reply: EnsembleConfig) -> RunStage {
        let (Some(run), Some(before)) = (self.run, &self.config) else {
            return RunStage::ReadAgain;
        };
        let (from, version) = (before.version.to_string(), reply.version.to_string());
        self.config = Some(reply);
        self.fenced = true;
        for doubt in self.doubtful.values_mut() {
            doubt.is_fenced |= doubt.from == from;
        }
        if self.out == Some(RequestPurpose::Fence) {
            self.out = None;
        }
        self.progress();
        self.tell(Event::Fenced { version: version.clone() });
        RunStage::Record(run, Entry::Fenced { from, version }, Continuation::Begun)
    }

    fn commit(
        &mut self,
        now_ms: u64,
        step: StepId,
        config: EnsembleConfig,
        known: CommitEvidence,
    ) -> RunStage {
        let version = config.version.to_string();
        self.config = Some(config);
        self.out = None;
        self.progress();
        self.take_as_done(now_ms, &step);
        self.tell(Event::Committed { step: step.clone(), version: version.clone(), known });
        match self.run {
            Some(run) => {
                RunStage::Record(run, Entry::Committed { step, version, known }, Continuation::Look)
            }
            None => RunStage::ReadAgain,
        }
    }

    /// A step is done. The servers that it added or moved must still prove that they have bound
    /// their ports.
    pub(super) fn take_as_done(&mut self, now_ms: u64, step: &StepId) {
        self.memory.done.insert(step.clone());
        self.memory.done = implied(self.plan(), &self.memory.done);
        self.last_reconfig = Some(step.clone());
        let known = self.checked.plan().steps().find(|known| known.id == *step);
        for ServerChange { server, change } in known.map(Step::parts).unwrap_or_default() {
            match change {
                ChangeVerb::Join | ChangeVerb::Readdress { .. } => {
                    self.memory.named.insert(*server, PendingBind { at_ms: now_ms, seen: 0 });
                }
                ChangeVerb::Leave | ChangeVerb::Unlist => {
                    self.memory.named.remove(server);
                    self.memory.proven.remove(server);
                    self.memory.following_since.remove(server);
                }
                ChangeVerb::Promote | ChangeVerb::Demote => {}
            }
        }
    }

    pub(super) fn not_replied(
        &mut self,
        now_ms: u64,
        what: RequestPurpose,
        failure: RequestError,
    ) -> RunStage {
        let refused = match classify(failure) {
            ReplyClass::Refused(refused) => refused,
            ReplyClass::SessionOver => return self.lock_lost(),
            ReplyClass::Unknown => {
                self.tell(Event::Settling { step: self.unknown() });
                return self.lost(now_ms, RunStage::Settling(what), Wait::Connection);
            }
        };
        let code = match failure {
            RequestError::Refused(code) => code,
            RequestError::Unknown
            | RequestError::NotSent
            | RequestError::InClear
            | RequestError::SessionOver => ErrorCode::ConnectionLoss,
        };
        let end = match refused {
            // Another client changed it, or a request of ours was carried out after all.
            Refused::Moved => return RunStage::Settling(what),
            Refused::InProgress | Refused::NoQuorum | Refused::Busy => {
                self.out = None;
                return match what {
                    RequestPurpose::Fence => self.wait(
                        now_ms,
                        vec![Wait::Refused(code)],
                        RunStage::Send(RequestPurpose::Fence),
                    ),
                    RequestPurpose::Step(step) => {
                        self.not_applied(step, code, Continuation::Wait(code))
                    }
                };
            }
            Refused::NotAuthorized => not_authorized(),
            Refused::Disabled => Outcome::ReconfigDisabled,
            Refused::Wrong(code) => Outcome::Refused { step: self.unknown(), code },
        };
        self.out = None;
        match what {
            RequestPurpose::Fence => self.stop(end),
            RequestPurpose::Step(step) => {
                self.not_applied(step, code, Continuation::Stop(Box::new(end)))
            }
        }
    }

    fn not_applied(&self, step: StepId, code: ErrorCode, after: Continuation) -> RunStage {
        let because = format!("refused: {code}");
        RunStage::Record(self.open_run(), Entry::NotApplied { step, because }, after)
    }

    /// What the session reads while our lock exists decides. But that a request was not carried out
    /// is certain only after a fence.
    pub(super) fn settled(
        &mut self,
        what: RequestPurpose,
        now_ms: u64,
        read: ReadBack,
    ) -> RunStage {
        if !self.is_locked(&read) {
            return self.lock_lost();
        }
        if let RequestPurpose::Step(step) = &what
            && self.is_as_wanted(step, &read.config)
        {
            let step = step.clone();
            return self.commit(now_ms, step, read.config, CommitEvidence::ReadBack);
        }
        let Some(done) = position(self.plan(), &read.config.membership, &self.memory.done) else {
            return self.foreign(read.config);
        };
        if !self.is_explained(&done, &what) {
            return self.foreign(read.config);
        }
        let done = implied(self.plan(), &done);
        let before = self.config.replace(read.config);
        self.memory.done.extend(done);
        self.fenced = false;
        if let (RequestPurpose::Step(step), Some(before)) = (what, before) {
            let from = before.version.to_string();
            self.doubtful.insert(step, UnresolvedRequest { from, is_fenced: false });
        }
        self.begun(now_ms)
    }

    /// Whether these reconfigs are those that were known to be done, plus only those with an
    /// unknown outcome.
    fn is_explained(&self, done: &Done, what: &RequestPurpose) -> bool {
        let known = |step: &&StepId| self.reconfig(step).is_some();
        let known: Done = self.memory.done.iter().filter(known).cloned().collect();
        let sent = |step: &StepId| *what == RequestPurpose::Step(step.clone());
        let may =
            |step: &StepId| known.contains(step) || self.doubtful.contains_key(step) || sent(step);
        known.is_subset(done) && done.iter().all(may)
    }

    /// Another client has changed the configuration.
    pub(super) fn foreign(&mut self, after: EnsembleConfig) -> RunStage {
        self.out = None;
        let before = self.config.clone().unwrap_or_else(|| self.plan().facts.base.clone());
        let (before, after) = (Box::new(before), Box::new(after));
        self.stop(Outcome::Foreign { before, after })
    }

    /// Something else than a reconfig failed.
    pub(super) fn failed(
        &mut self,
        now_ms: u64,
        stage: RunStage,
        failure: RequestError,
    ) -> RunStage {
        match (stage, failure) {
            // It ends all the same; that everything is done is no such end.
            (RunStage::Record(_, _, Continuation::Stop(end)), _) if *end != Outcome::Finished => {
                RunStage::Close(end)
            }
            (stage, failure) => self.failed_midway(now_ms, stage, failure),
        }
    }

    fn failed_midway(&mut self, now_ms: u64, stage: RunStage, failure: RequestError) -> RunStage {
        match failure {
            RequestError::SessionOver => self.lock_lost_at(Some(&stage)),
            RequestError::Unknown | RequestError::NotSent => {
                self.lost(now_ms, stage, Wait::Connection)
            }
            RequestError::InClear => self.lost(now_ms, stage, Wait::InClear),
            RequestError::Refused(code) => self.refused(stage, code),
        }
    }

    /// The connection is gone: the session is attached again before that is tried again.
    fn lost(&mut self, now_ms: u64, stage: RunStage, why: Wait) -> RunStage {
        let wait = self.stuck().unwrap_or(why);
        let again = match stage {
            RunStage::Settle(then) => RunStage::Settle(then),
            stage => RunStage::Settle(Box::new(stage)),
        };
        self.wait(now_ms, vec![wait], again)
    }

    /// Who must acknowledge a request that is out.
    fn stuck(&self) -> Option<Wait> {
        let members = &self.config.as_ref()?.membership;
        let next = match self.out.as_ref()? {
            RequestPurpose::Step(step) => members.with(self.reconfig(step)?),
            RequestPurpose::Fence => members.clone(),
        };
        let step = self.unknown();
        let voters = next.servers().filter(|server| server.votes());
        let voters = voters.map(|server| (server.id, server.peer().to_string())).collect();
        Some(Wait::Stuck { step, voters })
    }

    fn refused(&mut self, stage: RunStage, code: ErrorCode) -> RunStage {
        match (stage, code) {
            // It ends all the same; that everything is done is no such end.
            (RunStage::Record(_, _, Continuation::Stop(end)), _) if *end != Outcome::Finished => {
                RunStage::Close(end)
            }
            // The transaction's check of the lock.
            (
                stage @ (RunStage::Record(..)
                | RunStage::OpenRun
                | RunStage::MakeIdentity
                | RunStage::Mark(_)),
                ErrorCode::BadVersion,
            ) => self.lock_lost_at(Some(&stage)),
            (_, ErrorCode::NoAuth | ErrorCode::AuthFailed) => self.stop(not_authorized()),
            (_, code) => self.stop(Outcome::Refused { step: None, code }),
        }
    }
}

/// The driver knows which server refused.
fn not_authorized() -> Outcome {
    Outcome::NotAuthorized { by: Vec::new(), signer: Signer::Anonymous }
}

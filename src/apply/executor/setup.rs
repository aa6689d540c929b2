//! From the permission to the first survey: lock, present state, the run, the fence.

use super::messages::{ReadBack, RequestPurpose};
use super::state::{Continuation, Executor, RunStage};
use crate::apply::end::Outcome;
use crate::apply::event::Event;
use crate::apply::journal::{Entry, LockText, Run, Runs};
use crate::apply::judge::RunState;
use crate::apply::old_runs::KEPT;
use crate::apply::position::implied;
use crate::apply::resume::{OpenRun, RunDecision, carries_out, decide, is_kept, starts_from};
use crate::apply::run_view::RunView;
use crate::apply::stale::Now;
use crate::apply::wait::Wait;
use crate::observe::Identity;

/// The fence is held back for so long at most, in milliseconds, for a server that runs without
/// serving, where the leader shows no sign that it gets its data.
const HOLD_MS: u64 = 10_000;

/// The time between two surveys of servers that are finishing their sync, in milliseconds.
const LOOK_PAUSE_MS: u64 = 200;

/// The time between two tries at a lock, in milliseconds.
const LOCK_PAUSE_MS: u64 = 100;

impl Executor {
    pub(super) fn held(&mut self, now_ms: u64, by: Option<LockText>) -> RunStage {
        if self.interrupted {
            return RunStage::Close(Box::new(Outcome::Interrupted { unknown: None }));
        }
        let since = *self.waiting_since.get_or_insert(now_ms);
        if now_ms.saturating_sub(since) >= self.options.lock_timeout_ms.unwrap_or(0) {
            return RunStage::Close(Box::new(Outcome::Locked(by)));
        }
        if let Some(by) = by {
            self.tell(Event::Locked(by));
        }
        RunStage::Pause(LOCK_PAUSE_MS, Box::new(RunStage::Lock))
    }

    /// What was seen before the lock was ours may have changed until it was.
    pub(super) fn read_again(&mut self, read: ReadBack) -> RunStage {
        if !self.is_locked(&read) {
            return self.lock_lost();
        }
        self.config = Some(read.config);
        self.identity = read.identity;
        RunStage::ReadRuns
    }

    /// Finds the run to resume, or the number of the next one.
    ///
    /// Of an earlier apply only the requests with an unknown outcome are taken over: the
    /// configuration shows which reconfigs are done, and gates, attestations and commands are
    /// judged again.
    pub(super) fn read_runs(&mut self, now_ms: u64, runs: &Runs) -> RunStage {
        let plan_id = self.options.plan_id.clone();
        let decision = decide(runs, self.options.abandon, |run| carries_out(run, &plan_id));
        let ours = match decision {
            RunDecision::OpensNew => None,
            RunDecision::Meets(OpenRun { run, plan: Ok(()) }) => Some(run),
            RunDecision::Meets(OpenRun { run, plan: Err(why) }) => {
                return self.stop(Outcome::OtherRun { number: run.number, why });
            }
            RunDecision::Abandons(run) => {
                let entry = Entry::Abandoned { who: self.options.who.clone() };
                return RunStage::Record(run.number, entry, Continuation::ReadRuns);
            }
            RunDecision::NotOpen { number } => return self.stop(Outcome::NotOpen { number }),
        };
        if let Some(number) = self.plan_of.filter(|number| !is_kept(runs, *number, &plan_id)) {
            return self.stop(Outcome::RunGone { number });
        }
        let Some(config) = self.config.clone() else { return RunStage::ReadAgain };
        let identity = &self.identity;
        let now =
            Now { plan_id: &plan_id, config: &config, identity, zxid: None, runs: &runs.latest };
        let (strict, resumed) = (self.options.strict_version, ours.map(|run| run.number));
        let fresh = match starts_from(self.plan(), now, strict, resumed) {
            Ok(fresh) => fresh,
            Err(end) => return self.stop(*end),
        };
        if fresh.version_moved {
            let from = self.plan().facts.base.version.to_string();
            self.tell(Event::VersionMoved { from, to: config.version.to_string() });
        }
        self.memory = RunState { done: implied(self.plan(), &fresh.done), ..RunState::default() };
        // A run that died before its first entry is begun again.
        let unbegun = |run: &&Run| !run.is_begun() && run.is_of(&plan_id);
        let again = runs.latest.last().filter(unbegun).filter(|run| run.number == runs.highest);
        self.has_old_runs = runs.count >= KEPT;
        self.run = Some(again.map_or(runs.highest + 1, |run| run.number));
        self.resumes = ours.is_some();
        if let Some(run) = ours {
            self.run = Some(run.number);
            self.has_acted = run.has_acted();
            self.doubtful = run.reconfigs_in_doubt();
            self.doubtful_hooks = run.hooks_in_doubt();
            // A server that was added just before the earlier apply ended may still fail to bind.
            for step in fresh.done {
                self.take_as_done(now_ms, &step);
            }
            self.last_reconfig = None;
        }
        if self.resumes {
            self.opened()
        } else if self.has_reconfigs_left() {
            RunStage::OpenRun
        } else {
            // A run was given up, and nothing is left to be done.
            RunStage::Close(Box::new(Outcome::Finished))
        }
    }

    /// The run comes before the identity, so that there is no identity without a run that recorded
    /// it.
    pub(super) fn opened(&mut self) -> RunStage {
        match self.identity {
            Identity::NoneYet => RunStage::MakeIdentity,
            Identity::Known(_) => self.begin_run(),
        }
    }

    pub(super) fn begin_run(&mut self) -> RunStage {
        let number = self.open_run();
        let (plan_id, resumed) = (self.options.plan_id.clone(), self.resumes);
        self.tell(Event::Run { number, plan_id, resumed });
        let (who, backup) = (self.options.who.clone(), self.options.backup.clone());
        RunStage::Record(number, Entry::Claimed { who, backup }, Continuation::Begun)
    }

    /// Whether a fence comes next: no step is judged while this holds (`saw` in [`super::step`]).
    pub(super) fn must_fence(&self) -> bool {
        !self.fenced && self.has_reconfigs_left()
    }

    /// Sends the fence, unless a wanted server is finishing its sync: ZooKeeper does not activate a
    /// reconfig there that commits meanwhile (`Learner.syncWithLeader`). The run waits for that,
    /// longest if the leader shows that a server is getting its data, but not without end: a server
    /// that missed the fence gets a reconfig without changes later.
    pub(super) fn fence_or_hold(&mut self, now_ms: u64, view: &RunView) -> RunStage {
        self.memory.see_not_serving(view, now_ms);
        if view.not_serving.is_empty() {
            return self.fence();
        }
        let limit_ms = self.options.timeout_ms;
        let limit_ms = if view.is_syncing { limit_ms } else { limit_ms.min(HOLD_MS) };
        let since = *self.held_since.get_or_insert(now_ms);
        let left_ms = (since + limit_ms).saturating_sub(now_ms);
        if left_ms == 0 {
            return self.fence();
        }
        if self.interrupted {
            let unknown = self.unknown();
            return self.stop(Outcome::Interrupted { unknown });
        }
        let is_seen = view.is_syncing;
        let syncing = view.not_serving.iter().map(|server| Wait::Syncing {
            server: *server,
            is_seen,
            left_ms,
        });
        self.tell(Event::Waiting(syncing.collect()));
        RunStage::Pause(LOOK_PAUSE_MS.min(left_ms), Box::new(RunStage::Look))
    }

    /// Writes down and sends a reconfig that changes nothing.
    pub(super) fn fence(&mut self) -> RunStage {
        let (Some(run), Some(config)) = (self.run, &self.config) else {
            return RunStage::ReadAgain;
        };
        let version = config.version.to_string();
        self.progress();
        RunStage::Record(
            run,
            Entry::FenceIntent { version },
            Continuation::Send(RequestPurpose::Fence),
        )
    }

    fn has_reconfigs_left(&self) -> bool {
        let left = self.plan().steps().filter(|step| !self.memory.done.contains(&step.id));
        left.into_iter().any(|step| step.reconfig().is_some())
    }
}

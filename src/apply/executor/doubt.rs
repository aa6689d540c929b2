//! Requests in doubt: what is recorded of them, of an earlier apply at the beginning and of this one after
//! an unknown outcome.

use super::messages::{RequestPurpose, RunQuestion};
use super::state::{Continuation, Executor, RunStage};
use crate::apply::event::Event;
use crate::apply::journal::{CommitEvidence, Entry, HookEnd};

impl Executor {
    /// Records what the configuration shows about requests with an unknown outcome; then the fence,
    /// if something will be sent; then, for the others, that they will never be carried out.
    /// Whether they were carried out and reverted since is decided by a fence from their version,
    /// not by the configuration.
    pub(super) fn begun(&mut self, now_ms: u64) -> RunStage {
        let (Some(run), Some(config)) = (self.run, &self.config) else {
            return RunStage::ReadAgain;
        };
        let version = config.version.to_string();
        if let Some(step) = self.doubtful_hooks.pop_first() {
            let entry = Entry::HookEnded { step, how: HookEnd::Unknown };
            return RunStage::Record(run, entry, Continuation::Begun);
        }
        let found = self.doubtful.keys().find(|step| self.memory.done.contains(*step)).cloned();
        if let Some(step) = found {
            let known = if self.out == Some(RequestPurpose::Step(step.clone())) {
                self.out = None;
                CommitEvidence::ReadBack
            } else {
                CommitEvidence::Found
            };
            self.doubtful.remove(&step);
            self.take_as_done(now_ms, &step);
            self.tell(Event::Committed { step: step.clone(), version: version.clone(), known });
            return RunStage::Record(
                run,
                Entry::Committed { step, version, known },
                Continuation::Begun,
            );
        }
        if self.must_fence() {
            // Who is finishing its sync is seen first.
            self.question = RunQuestion::default();
            return RunStage::Look;
        }
        if let Some((step, doubt)) = self.doubtful.pop_first() {
            self.out = None;
            let entry = if doubt.is_fenced {
                let because = "a fence has committed in its place".to_owned();
                Entry::NotApplied { step, because }
            } else {
                Entry::Disarmed { step }
            };
            return RunStage::Record(run, entry, Continuation::Begun);
        }
        self.look()
    }
}

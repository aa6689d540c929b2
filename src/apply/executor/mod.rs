//! The executor: a state machine without I/O.
//!
//! Its input is an [`Input`] with the time, its output one [`Output`], which a driver carries out
//! and answers. So the code that runs in production is the code that a simulator and a model
//! checker run.
//!
//! The order of a run: permission, lock, read again, identity, run, fence; then for each step
//! survey, judge, intent, send, outcome. After an error nothing is trusted: the session is attached
//! again, and what is read on it while the lock exists decides. "Not applied" is written only after
//! a committed fence.
//!
//! In reading order: `messages` (input and output), `state` (where a run is), `setup` (permission, lock,
//! run and fence), `doubt` (what is recorded of requests with an unknown outcome), `step` (each step from
//! its survey to its outcome), `gate` (whom the cutover gate lets pass), `request` (one request and what
//! came of it), `other_order` (where a server died or came back).

mod doubt;
mod gate;
mod messages;
mod other_order;
mod request;
mod setup;
mod state;
mod step;

pub use self::messages::{Input, Options, Output, ReadBack, RequestPurpose, RunQuestion};
pub use self::state::Executor;
use self::state::RunStage;
use super::event::Event;
use crate::model::{Reconfig, Update};

impl Executor {
    /// Takes an input, and returns the next output. `now_ms` counts from the beginning of the run.
    pub fn next(&mut self, now_ms: u64, input: Input) -> Output {
        let stage = std::mem::replace(&mut self.stage, RunStage::Begin);
        self.stage = match (stage, input) {
            (RunStage::Begin, Input::Begin) => RunStage::Permission,
            (RunStage::Permission, Input::Granted) => RunStage::Lock,
            (RunStage::Permission | RunStage::Lock, Input::Denied(end))
            | (RunStage::Prune(_, end), Input::Failed(_)) => RunStage::Close(end),
            (RunStage::Settle(_) | RunStage::Move(..), Input::Denied(end)) => self.stop(*end),
            (RunStage::Lock, Input::Locked(czxid)) => {
                self.lock = Some(czxid);
                self.progress();
                RunStage::ReadAgain
            }
            (RunStage::Lock, Input::Held(by)) => self.held(now_ms, by),
            (RunStage::ReadAgain, Input::Read(read)) => self.read_again(*read),
            (RunStage::ReadRuns, Input::Runs(runs)) => self.read_runs(now_ms, &runs),
            (RunStage::OpenRun, Input::Done) => self.opened(),
            (RunStage::MakeIdentity, Input::Done) => self.begin_run(),
            (RunStage::Record(_, entry, after), Input::Done) => {
                self.recorded(now_ms, &entry, after)
            }
            (RunStage::Send(what), Input::Replied(config)) => self.replied(now_ms, what, *config),
            (RunStage::Send(what), Input::Failed(failure)) => {
                self.not_replied(now_ms, what, failure)
            }
            (RunStage::Settling(what), Input::Read(read)) => self.settled(what, now_ms, *read),
            (RunStage::Look, Input::Saw(view, read)) => self.saw(now_ms, &view, *read),
            (RunStage::Look, Input::SawNothing(why, read)) => self.saw_nothing(now_ms, why, *read),
            (RunStage::Mark(_), Input::Done) => RunStage::Look,
            (RunStage::Move(step, _), Input::Done) => self.intend(&step),
            (RunStage::Settle(then) | RunStage::Pause(_, then), Input::Done) => *then,
            (RunStage::BeforeHook(step), Input::Read(read)) => {
                self.before_hook(now_ms, step, *read)
            }
            (RunStage::Hook(step), Input::HookEnded(how)) => self.hook_ended(step, how),
            (RunStage::Ask(end), Input::Answered(yes)) => self.answered(*end, yes),
            (RunStage::Prune(count, end), Input::Pruned(is_removed)) => {
                self.pruned(count, end, is_removed)
            }
            (RunStage::Close(end) | RunStage::Ended(end), _) => RunStage::Ended(end),
            (stage, Input::Failed(failure)) => self.failed(now_ms, stage, failure),
            // A driver that answers what was not asked is asked again.
            (stage, _) => stage,
        };
        if let RunStage::Ended(end) = &self.stage {
            self.events.push(Event::Ended((**end).clone()));
        }
        self.output()
    }

    fn output(&self) -> Output {
        match &self.stage {
            RunStage::Begin | RunStage::Permission => Output::Permission,
            RunStage::Lock => Output::Lock,
            RunStage::ReadAgain | RunStage::Settling(_) | RunStage::BeforeHook(_) => Output::Read,
            RunStage::ReadRuns => Output::ReadRuns,
            RunStage::MakeIdentity => Output::MakeIdentity,
            RunStage::OpenRun => Output::OpenRun(self.open_run()),
            RunStage::Record(run, entry, _) => Output::Record(*run, entry.clone()),
            RunStage::Send(what) => self.sending(what),
            RunStage::Look => Output::Look(self.question.clone()),
            RunStage::Mark(count) => Output::Mark(self.open_run(), *count),
            RunStage::Move(_, away) => Output::Move(away.clone()),
            RunStage::Settle(_) => Output::Settle,
            RunStage::Pause(ms, _) => Output::Pause(*ms),
            RunStage::Hook(step) => Output::Hook(step.clone()),
            RunStage::Ask(end) => Output::Ask(end.clone()),
            RunStage::Prune(count, _) => Output::Prune(*count),
            RunStage::Close(_) => Output::Close,
            RunStage::Ended(end) => Output::End(end.clone()),
        }
    }

    fn sending(&self, what: &RequestPurpose) -> Output {
        let Some(config) = &self.config else { return Output::Read };
        let none = Reconfig { joining: Vec::new(), leaving: Vec::new() };
        let request = match what {
            RequestPurpose::Fence => Update::fence(&config.membership),
            RequestPurpose::Step(step) => {
                Update::of(&config.membership, self.reconfig(step).unwrap_or(&none))
            }
        };
        Output::Send { what: what.clone(), request, version: config.version }
    }
}

//! One apply on a simulated ensemble, by the driver that ships.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use super::simulated_plan::{SimulatedPlan, attested, replace};
use crate::apply::access::{Access, Named};
use crate::apply::driver::{RunHost, Task, drive};
use crate::apply::executor::Options;
use crate::apply::journal::{Entry, HookEnd, IdentityText, LockText, Stamp};
use crate::apply::judge::Approved;
use crate::apply::run_store::ApplyIdentity;
use crate::apply::run_view::leaving;
use crate::apply::{Event, Outcome, Wait};
use crate::ensemble::SessionTerms;
use crate::model::{Folder, Millis, ServerId};
use crate::observe::{Question, observe};
use crate::plan::{Done, StepId};
use crate::simulator::{Simulated, World};
use crate::trust::OwnIds;

/// The time-out of every wait, in simulated milliseconds. It is longer than an election, giving up
/// a learner, proving the ports of a server, and two servers that hang, taken together.
const TIMEOUT_MS: u64 = 5000;

/// The moment of an apply at which the ensemble is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopAt {
    /// Just after the fence, before the next request.
    Fenced,
    /// As soon as the run is open. No request is left to send.
    Open,
    /// Each time a request was carried out and the journal records it.
    Committed,
}

/// What is done at that moment. It receives the step that has just committed.
pub(super) type FailureHook<'a> = (StopAt, &'a mut dyn FnMut(&mut World, Option<&StepId>));

/// The result of one apply.
pub(super) struct Applied {
    pub(super) end: Outcome,
    /// The steps that it reported as done.
    pub(super) done: Done,
    /// The reconfigs that it reported as committed, in order.
    pub(super) committed: Vec<StepId>,
    pub(super) leader: Option<ServerId>,
}

/// Applies the rest of a plan as `zkplan apply` does: survey, session, driver.
pub(super) fn apply<'a>(
    simulated: &'a SimulatedPlan,
    port: &'a Simulated,
    nonce: &str,
    hook: Option<FailureHook<'a>>,
) -> Applied {
    let began_ms = port.world().now_ms();
    let mut around = RehearsalHost {
        simulated,
        port,
        began_ms,
        hook,
        has_failed: false,
        done: Done::new(),
        committed: Vec::new(),
    };
    let end = port.run(begin(simulated, port, &mut around, nonce)).unwrap_or(Outcome::Unreachable);
    let RehearsalHost { done, committed, .. } = around;
    let leader = {
        let world = port.world();
        world.leader().map(|at| world.process(at).id())
    };
    Applied { end, done, committed, leader }
}

async fn begin(
    simulated: &SimulatedPlan,
    port: &Simulated,
    around: &mut RehearsalHost<'_>,
    nonce: &str,
) -> Outcome {
    let mut question = Question::of(&simulated.target);
    question.skip_data = true;
    let Ok(seen) = observe(port, &question).await else { return Outcome::Unreachable };
    let terms = SessionTerms { timeout: simulated.plan().connect.session_timeout, auth: None };
    let access = Access::new(terms, Named::of(&simulated.target, Some(simulated.plan())));
    let recipients = access.recipients(&seen, &leaving(simulated.plan()));
    match access.open(port, &seen, &recipients).await {
        Ok(session) => {
            let (checked, mine) = (Arc::clone(&simulated.checked), mine(simulated, nonce));
            let options = options(simulated);
            let task = Task { checked, options, mine, seen, access, plan_of: None };
            drive(port, around, session, task).await
        }
        Err(_) => Outcome::Unreachable,
    }
}

/// The simulated operator approves everything.
fn options(simulated: &SimulatedPlan) -> Options {
    let blank: BTreeSet<ServerId> = attested(simulated.plan()).collect();
    Options {
        plan_id: simulated.plan_id.clone(),
        who: "rehearsal".to_owned(),
        approved: Approved { cutover: true, stop: true, blank, ..Approved::default() },
        interactive: false,
        no_hooks: true,
        joiner_dir: None,
        timeout_ms: TIMEOUT_MS,
        lock_timeout_ms: None,
        abandon: None,
        strict_version: false,
        backup: None,
    }
}

fn mine(simulated: &SimulatedPlan, nonce: &str) -> ApplyIdentity {
    let by = Stamp {
        nonce: nonce.to_owned(),
        who: "rehearsal".to_owned(),
        host: String::new(),
        pid: 0,
        at: String::new(),
    };
    let ensemble = simulated.plan().ensemble.clone();
    ApplyIdentity {
        lock: LockText::new(by, "rehearse", simulated.plan_id.clone()),
        identity: IdentityText::new("rehearsal".to_owned(), ensemble),
        folder: Folder::default(),
        own: OwnIds::default(),
    }
}

/// The host of a simulated run: simulated time, an operator who does what is asked, and the failure
/// to inject.
struct RehearsalHost<'a> {
    simulated: &'a SimulatedPlan,
    port: &'a Simulated,
    began_ms: u64,
    hook: Option<FailureHook<'a>>,
    has_failed: bool,
    done: Done,
    committed: Vec<StepId>,
}

impl RehearsalHost<'_> {
    fn happens(&mut self, when: StopAt, step: Option<&StepId>) {
        let Some((at, hook)) = &mut self.hook else { return };
        if *at == when && (when == StopAt::Committed || !self.has_failed) {
            self.has_failed = true;
            hook(&mut self.port.world(), step);
        }
    }

    /// The simulated operator moves an id to its new machine when the run waits for that.
    fn attend(&self, waits: &[Wait]) {
        for wait in waits {
            if let Wait::StopByHand { server } | Wait::Joiner { server, .. } = wait {
                replace(&mut self.port.world(), self.simulated, *server);
            }
        }
    }
}

impl RunHost for RehearsalHost<'_> {
    fn now_ms(&self) -> u64 {
        self.port.world().now_ms() - self.began_ms
    }

    fn time_of_day(&self) -> String {
        String::new()
    }

    fn tell(&mut self, event: &Event) {
        match event {
            Event::Run { .. } => self.happens(StopAt::Open, None),
            Event::Fenced { .. } => self.happens(StopAt::Fenced, None),
            Event::Committed { step, .. } => self.committed.push(step.clone()),
            Event::Done { step } | Event::NotNeeded { step } | Event::NoAnswer { step, .. } => {
                self.done.insert(step.clone());
            }
            Event::Recorded(Entry::Committed { step, .. }) => {
                self.happens(StopAt::Committed, Some(step));
            }
            Event::Waiting(waits) => self.attend(waits),
            _ => {}
        }
    }

    fn is_interrupted(&self) -> bool {
        false
    }

    fn interruption(&self) -> impl Future<Output = ()> {
        std::future::pending()
    }

    async fn hook(&mut self, _: &[String], _: u64) -> HookEnd {
        HookEnd::Succeeded
    }

    async fn ask(&mut self, _: &Outcome) -> bool {
        false
    }
}

/// Lets time pass.
pub(super) fn settle(world: &mut World, time: Millis) {
    let then = world.now_ms() + time.0;
    world.advance(then);
}

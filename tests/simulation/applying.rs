//! An apply as the command line does it: a survey, a session, and the shipped driver.

use std::future::Future;
use std::sync::Arc;

use zkplan::apply::access::{Access, Named};
use zkplan::apply::driver::{RunHost, Task, drive};
use zkplan::apply::executor::Options;
use zkplan::apply::journal::{HookEnd, IdentityText, LockText};
use zkplan::apply::run_store::ApplyIdentity;
use zkplan::apply::run_view::leaving;
use zkplan::apply::{Event, Outcome};
use zkplan::check::CheckedPlan;
use zkplan::ensemble::SessionTerms;
use zkplan::model::{Connect, Folder, Millis, Policy, Target};
use zkplan::observe::{Question, observe};
use zkplan::simulator::Simulated;
use zkplan::trust::OwnIds;

use crate::example;
use crate::example::applying::{options, stamp};

/// The target.
pub(crate) fn target(base: &str, wanted: &str) -> Target {
    let contacts = example::servers(base).into_iter().filter_map(|server| server.client_endpoint());
    let policy = Policy { stable_for: Millis(0), max_shrink: 9, ..Policy::default() };
    let servers = contacts.map(|at| at.to_string()).collect();
    let connect = Connect { servers, ..Connect::default() };
    Target { connect, policy, ..Target::of("test", example::servers(wanted)) }
}

/// The host of an apply.
pub(crate) struct Around<'a> {
    pub(crate) port: &'a Simulated,
    pub(crate) began_ms: u64,
    /// Each with how much had happened in the world before it.
    pub(crate) events: Vec<(usize, Event)>,
}

impl<'a> Around<'a> {
    pub(crate) fn new(port: &'a Simulated) -> Self {
        Self { port, began_ms: port.world().now_ms(), events: Vec::new() }
    }
}

impl RunHost for Around<'_> {
    fn now_ms(&self) -> u64 {
        self.port.world().now_ms() - self.began_ms
    }

    fn time_of_day(&self) -> String {
        String::new()
    }

    fn tell(&mut self, event: &Event) {
        let before = self.port.world().truth.log.len();
        self.events.push((before, event.clone()));
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

/// The plan to apply, and the user.
#[derive(Clone, Copy)]
pub(crate) struct Order<'a> {
    pub(crate) checked: &'a Arc<CheckedPlan>,
    pub(crate) plan_id: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) timeout_ms: u64,
}

impl Order<'_> {
    fn options(&self) -> Options {
        Options { timeout_ms: self.timeout_ms, ..options(self.checked, self.plan_id, self.nonce) }
    }

    fn mine(&self) -> ApplyIdentity {
        let by = stamp(self.nonce);
        ApplyIdentity {
            lock: LockText::new(by, "apply", self.plan_id.to_owned()),
            identity: IdentityText::new(format!("made-by-{}", self.nonce), "test".to_owned()),
            folder: Folder::default(),
            own: OwnIds::default(),
        }
    }
}

/// The terms of sessions.
pub(crate) fn terms() -> SessionTerms {
    SessionTerms { timeout: Millis(10_000), auth: None }
}

/// Applies as `zkplan apply` does: a survey, a session on a server that follows, the driver.
pub(crate) async fn apply(port: &Simulated, around: &mut Around<'_>, order: Order<'_>) -> Outcome {
    let target = order.checked.plan().to_target();
    let mut question = Question::of(&target);
    question.skip_data = true;
    let Ok(seen) = observe(port, &question).await else { return Outcome::Unreachable };
    let plan = order.checked.plan();
    let access = Access::new(terms(), Named::of(&target, Some(plan)));
    let recipients = access.recipients(&seen, &leaving(plan));
    let Ok(session) = access.open(port, &seen, &recipients).await else {
        return Outcome::Unreachable;
    };
    let checked = Arc::clone(order.checked);
    let (options, mine) = (order.options(), order.mine());
    let task = Task { checked, options, mine, seen, access, plan_of: None };
    drive(port, around, session, task).await
}

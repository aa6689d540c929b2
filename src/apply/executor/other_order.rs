//! Finds another order of the rest, if the safety rules forbid the present one.

use std::sync::Arc;

use super::state::{Executor, ForbiddenOrder, RunStage};
use crate::apply::end::Outcome;
use crate::apply::event::Event;
use crate::apply::reorder::{accepted_order, reordered};
use crate::apply::run_view::RunView;
use crate::apply::wait::Wait;
use crate::check;
use crate::model::ServerId;
use crate::proposal::propose;

/// What becomes of a wait that the safety rules ask for.
pub(super) enum Turn {
    /// What is left goes in another order.
    Another,
    /// There is none, and none can be waited for.
    Ends(RunStage),
    /// It is waited for.
    Waits,
}

impl Executor {
    /// Who is away for a moment, or back for one, is no reason yet.
    pub(super) fn forget_hiccup(&mut self, view: &RunView) {
        self.forbidden.take_if(|forbidden| forbidden.live != view.facts.synced);
    }

    /// If the safety rules forbid the next reconfig, and the same servers have answered for as long
    /// as the policy requires: another order that the plan allows. If there is none, the run waits
    /// for a server that is down.
    pub(super) fn take_turns(&mut self, now_ms: u64, view: &RunView, waits: &[Wait]) -> Turn {
        let is_law = |wait: &Wait| matches!(wait, Wait::Law(_));
        // No order helps if the safety rules forbid every one.
        if !waits.iter().any(is_law) || !check::broken_now(&view.facts).is_empty() {
            return Turn::Waits;
        }
        let live = &view.facts.synced;
        let begun = || ForbiddenOrder { live: live.clone(), since_ms: now_ms };
        let since_ms = self.forbidden.get_or_insert_with(begun).since_ms;
        if now_ms.saturating_sub(since_ms) < self.granted.plan().policy.stable_for.0 {
            return Turn::Waits;
        }
        let accepted = &self.options.approved.accepted;
        let done = &self.memory.done;
        if let Some(order) = accepted_order(&self.granted, done, &view.facts, accepted) {
            let said = reordered(order.plan(), done, &view.facts);
            self.checked = Arc::new(order);
            self.forbidden = None;
            self.progress();
            self.tell(Event::Reordered(said));
            return Turn::Another;
        }
        // A joiner that does not follow yet may, and only then an order with it is accepted.
        let is_away = |id: &ServerId| !view.facts.following.contains(id);
        let may_come_back = !view.down.is_empty() || view.joiners.keys().any(is_away);
        if may_come_back && !(self.is_over(now_ms) && self.has_another_plan(view)) {
            return Turn::Waits;
        }
        Turn::Ends(self.stop(Outcome::NotGranted(waits.to_vec())))
    }

    /// Whether the present wait has gone on for as long as it may.
    fn is_over(&self, now_ms: u64) -> bool {
        let since = self.waiting_since.unwrap_or(now_ms);
        now_ms.saturating_sub(since) >= self.options.timeout_ms
    }

    /// Whether a plan that is made now, from what is there, would pass.
    fn has_another_plan(&self, view: &RunView) -> bool {
        let plan = self.granted.plan();
        let accepted = [&plan.accepted[..], &self.options.approved.accepted].concat();
        propose(&plan.to_target(), &view.facts, &accepted).is_ok()
    }
}

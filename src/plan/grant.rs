//! What a plan grants: which steps may be next, given what is done and who leads.
//!
//! Render shows the order that it gives for the present leader, check walks every order that it can
//! give under any leader, and apply takes no other step.

use std::collections::{BTreeSet, HashSet};

use super::{Phase, Plan, Rule, Step, StepId};
use crate::model::ServerId;

/// The steps that are done.
pub type Done = BTreeSet<StepId>;

/// The grant of one plan, with its steps by position: the first of the first phase is 0.
#[derive(Debug, Clone)]
pub struct Grant<'a> {
    steps: Vec<(&'a Phase, &'a Step)>,
    /// The rule of each phase and where its steps end.
    phases: Vec<(Rule, usize)>,
}

impl Plan {
    /// The steps that may be next; empty when all are done.
    ///
    /// The steps of the server that leads are held back while a hand-over is among them and any
    /// other server's reconfig is still to come: the leader's own change is the last of the plan.
    pub fn next_steps(&self, done: &Done, leader: Option<ServerId>) -> Vec<&Step> {
        let grant = Grant::of(self);
        let done: Vec<bool> = grant.steps.iter().map(|(_, step)| done.contains(&step.id)).collect();
        grant.next(&done, leader).into_iter().map(|at| grant.steps[at].1).collect()
    }

    /// All steps in the order in which they go if the leader stays who it is, each with its phase.
    pub fn schedule(&self) -> Vec<(&Phase, &Step)> {
        let grant = Grant::of(self);
        let mut done = vec![false; grant.steps.len()];
        let mut order = Vec::new();
        while let Some(at) = grant.next(&done, self.facts.leader).first().copied() {
            done[at] = true;
            order.push(grant.steps[at]);
        }
        order
    }
}

impl<'a> Grant<'a> {
    /// The grant of a plan.
    pub fn of(plan: &'a Plan) -> Self {
        let steps = |phase: &'a Phase| phase.steps.iter().map(move |step| (phase, step));
        let mut end = 0;
        let phases = plan.phases.iter().map(|phase| {
            end += phase.steps.len();
            (phase.rule, end)
        });
        Self { phases: phases.collect(), steps: plan.phases.iter().flat_map(steps).collect() }
    }

    /// All steps by position, each with its phase.
    pub fn steps(&self) -> &[(&'a Phase, &'a Step)] {
        &self.steps
    }

    /// The positions of the steps that may be next, where `done` says which are done; what
    /// [`Plan::next_steps`] says, many times a plan.
    pub fn next(&self, done: &[bool], leader: Option<ServerId>) -> Vec<usize> {
        let held = leader.filter(|leader| self.is_held(done, *leader));
        let mut from = 0;
        for (rule, end) in &self.phases {
            let server = |at: usize| self.steps[at].1.server();
            let is_open = |at: &usize| !done[*at] && (held.is_none() || server(*at) != held);
            let open: Vec<usize> = (from..*end).filter(is_open).collect();
            match (rule, open.first()) {
                (_, None) => from = *end,
                (Rule::SideBySide | Rule::LeaderLast, Some(_)) => return open,
                (Rule::InOrder, Some(first)) => {
                    let begun: HashSet<ServerId> =
                        (from..*end).filter(|at| done[*at]).filter_map(server).collect();
                    let is_begun = |at: &&usize| server(**at).is_some_and(|id| begun.contains(&id));
                    return vec![*open.iter().find(is_begun).unwrap_or(first)];
                }
            }
        }
        Vec::new()
    }

    fn is_held(&self, done: &[bool], leader: ServerId) -> bool {
        let (mut own, mut others) = (false, false);
        for ((_, step), _) in self.steps.iter().zip(done).filter(|(_, done)| !**done) {
            if step.server() == Some(leader) {
                own |= step.hands_over();
            } else {
                others |= step.reconfig().is_some();
            }
        }
        own && others
    }
}

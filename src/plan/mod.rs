//! The plan: an immutable value with the state from which it starts and every step to the target.
//!
//! In: facts, the wanted membership, policy. Out: a [`Plan`] that leaves apply no choice beyond its
//! schedule: the steps of an unordered phase may be taken in any order, and the leader's own change
//! comes last in the whole plan. Nothing here proves that a plan is safe; `check` does.

mod graph;
mod no_return;
mod planner;
mod reason;
mod schedule;
mod step;

pub use graph::{EdgeReason, PlanGraph, PlanNode};
pub use no_return::{NoReturn, NoReturnReason};
pub use planner::{Goal, Prefer, best, is_within_reach, reorder, restarts};
pub use reason::StepReason;
pub use schedule::{Done, Positions, Schedule};
pub use step::{
    Action, ChangeVerb, GateKind, Phase, PhaseKind, Restart, ServerChange, Step, StepId, StepOrder,
};

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diff::Change;
use crate::model::{
    AcceptedRisk, ClientAddress, Connect, Hooks, Membership, Policy, Reach, Server, ServerId,
    Target, TargetServer, WantedSettings,
};
use crate::observe::Facts;

/// All that lies between a base configuration and a target membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The label of the ensemble.
    pub ensemble: String,
    /// The facts when the plan was made, including the base configuration.
    pub facts: Facts,
    /// The membership at the end.
    pub target: Membership,
    /// The rules that the operator set.
    pub policy: Policy,
    /// Voter failures tolerated at every moment: `policy.minTolerance` as a number.
    pub min_tolerance: u32,
    /// How to reach the ensemble.
    pub connect: Connect,
    /// Where each wanted server is asked. The line of a statically configured server does not
    /// contain that.
    pub reach: BTreeMap<ServerId, Reach>,
    /// Commands that start, stop and restart servers.
    pub hooks: Hooks,
    /// What servers must run with, of a plan that restarts them; else nothing is wanted.
    pub settings: WantedSettings,
    /// The changes, by server id.
    pub changes: Vec<Change>,
    /// The steps, in order.
    pub phases: Vec<Phase>,
    /// Risks that the operator accepted when the plan was made.
    pub accepted: Vec<Acceptance>,
    /// Of these, those that a spec accepts, with reason and day.
    pub terms: Vec<AcceptedRisk>,
    /// The path of the spec from which it was made, if it was read from a file. It has no effect on
    /// the meaning of the plan.
    pub spec: Option<PathBuf>,
    /// The run that it takes back, where `zkplan rollback` made it. It has no effect on the meaning
    /// of the plan.
    pub takes_back: Option<u64>,
}

/// A risk that the operator accepts by name: `--accept LAW:STEP`, or `--accept FINDING`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Acceptance {
    /// The code of the safety rule or finding.
    pub code: String,
    /// The step, if the code is that of a safety rule.
    pub step: Option<StepId>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.phases.is_empty()
    }

    /// All steps, phase by phase.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.phases.iter().flat_map(|phase| &phase.steps)
    }

    /// The target from which it was made, as far as an observation needs it. Where a line has no
    /// client port, it gets that of the plan's `reach`.
    pub fn to_target(&self) -> Target {
        let wanted = |line: &Server| {
            let reach = self.reach.get(&line.id);
            let (secure, plain) = match reach.map(|reach| &reach.client) {
                Some(client) if client.tls => (Some(client.port), None),
                client => (None, client.map(|client| client.port)),
            };
            let mut server = line.clone();
            if let (None, Some(port)) = (&server.client, plain) {
                server.client = Some(ClientAddress::on_all_addresses(port));
            }
            let admin = reach.and_then(|reach| reach.admin.clone());
            (line.id, TargetServer { server, secure_client_port: secure, admin })
        };
        Target {
            ensemble: self.ensemble.clone(),
            connect: self.connect.clone(),
            servers: self.target.servers().map(wanted).collect(),
            zones: self.facts.zones.clone(),
            settings: self.settings.clone(),
            policy: self.policy.clone(),
            hooks: self.hooks.clone(),
        }
    }

    /// Whether it restarts members. Such a plan has no steps of another kind.
    pub fn restarts_servers(&self) -> bool {
        self.phases.iter().any(|phase| phase.kind == PhaseKind::Restart)
    }

    /// The risks that were accepted for this plan alone, and in no spec.
    pub fn accepted_by_flag(&self) -> Vec<Acceptance> {
        let is_free = |risk: &&Acceptance| self.terms_of(risk).is_none();
        self.accepted.iter().filter(is_free).cloned().collect()
    }

    /// Why and until when a spec accepts a risk; `None` where none does.
    pub fn terms_of(&self, risk: &Acceptance) -> Option<&AcceptedRisk> {
        let step = risk.step.as_ref().map(StepId::as_str);
        self.terms.iter().find(|one| one.code == risk.code && one.step.as_deref() == step)
    }

    /// How many reconfig requests the plan sends.
    pub fn reconfigs(&self) -> usize {
        self.steps().filter(|step| step.reconfig().is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EnsembleConfig, Tls};
    use crate::observe::Question;
    use crate::proposal::propose;

    /// Where members are statically configured, their lines tell no client port, and the plan keeps
    /// them so.
    const MEMBERS: &str = "server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888\n\
                           version=100000000";

    /// An apply of a saved plan asks the servers that an apply of the spec asks, where that asks
    /// them.
    #[test]
    fn a_plan_and_its_spec_want_the_same_servers_at_the_same_addresses() {
        let text = "apiVersion: zkplan/v1\nensemble: test\nzones: { 3: z3 }\nservers:\n\
                    - { id: 1, host: a, zone: z1 }\n- { id: 2, host: b, secureClientPort: 2281 }\n\
                    - { id: 4, host: d, clientPort: 2191, admin: 'http://d:8080' }\n";
        let mut spec = crate::spec::parse("spec.yaml", text).expect("a spec");
        for tls in [None, Some(Tls { ca: "ca.pem".into(), cert: None, key: None })] {
            spec.connect.tls = tls;
            let target = spec.to_target();
            let config = EnsembleConfig::parse(MEMBERS).expect("a configuration");
            let plan = propose(&target, &Facts::assumed(config, &target), &[]).expect("a plan");
            let of_plan = plan.plan().to_target();
            assert_eq!(of_plan.reach(), target.reach());
            assert_eq!(of_plan.zones, target.zones);
            let [asked, of_spec] = [&of_plan, &target].map(|target| {
                let wanted = Question::of(target).wanted.into_iter();
                let wanted = wanted.map(|(id, it)| (id, (it.endpoint, it.admin)));
                wanted.collect::<BTreeMap<_, _>>()
            });
            assert_eq!(asked, of_spec);
        }
    }
}

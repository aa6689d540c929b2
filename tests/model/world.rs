//! The plan that is applied, and every membership that its requests can make.

use std::collections::BTreeSet;
use std::sync::Arc;

use zkplan::apply::executor::{Options, ReadBack, RequestPurpose, RunQuestion};
use zkplan::apply::run_view::{Joiner, Leaving, Presence, RunView, awaited, leaving};
use zkplan::check::CheckedPlan;
use zkplan::ensemble::PortState;
use zkplan::model::{ConfigVersion, EnsembleConfig, Membership, Millis, ServerId, Update, Zxid};
use zkplan::observe::{Clients, DataProof, Facts, Identity, ServerStatus};
use zkplan::plan::{Done, Plan, StepId};
use zkplan::proposal::propose;
use zkplan::saved::plan_id;

use crate::example::applying::{granted as joiner_granted, options, run_view};
use crate::example::{Example, participants};

/// A request by number: 0 is a fence, n is the n-th reconfig of the plan.
pub(crate) type Request = u8;

/// The request that changes nothing but the version.
pub(crate) const FENCE: Request = 0;

/// Members by number: 0 are those of the base.
pub(crate) type Members = u8;

/// A configuration: the number of changes, and the members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Config {
    /// 0 is the version of the base.
    pub(crate) version: u8,
    pub(crate) members: Members,
}

/// What a session reads: configuration, lock and identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct View {
    pub(crate) config: Config,
    /// Stands for the czxid of the lock. 0 if there is none.
    pub(crate) lock: u8,
    pub(crate) identity: bool,
    /// The member that a survey finds down. 0 for none, and outside surveys.
    pub(crate) down: u8,
}

/// One plan, with its requests and memberships counted.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) checked: Arc<CheckedPlan>,
    pub(crate) plan_id: String,
    /// The plan's reconfigs; request n is step n − 1.
    pub(crate) steps: Vec<StepId>,
    requests: Vec<Update>,
    memberships: Vec<Membership>,
    /// The result of each request on each membership.
    after: Vec<Vec<Members>>,
    /// The memberships that the plan grants.
    granted: BTreeSet<Members>,
    /// Memberships that the plan allows only in another order, after a member has failed.
    granted_anew: BTreeSet<Members>,
    pub(crate) target: Members,
    /// The lowest tolerance over everything that the plan allows while every server is up.
    promised: i64,
}

impl World {
    /// The world of a plan between these members, with this many changes per request.
    pub(crate) fn new(base: &[i64], wanted: &[i64], per_step: u32) -> Self {
        let example = Example::new(&participants(base), &participants(wanted)).policy(|policy| {
            policy.stable_for = Millis(0);
            policy.max_shrink = 9;
            policy.changes_per_step = per_step;
        });
        let (target, facts) = (example.target(), example.facts());
        let leader = facts.base.membership.voters().first().copied();
        let facts = Facts { leader, ..facts };
        let checked = propose(&target, &facts, &[]).map_err(|refusal| refusal.breaches);
        Self::of(Arc::new(checked.expect("a plan")))
    }

    fn of(checked: Arc<CheckedPlan>) -> Self {
        let plan = checked.plan();
        let base = &plan.facts.base.membership;
        let reconfigs = plan.steps().filter_map(|step| Some((&step.id, step.reconfig()?)));
        let (steps, mut requests): (Vec<StepId>, Vec<Update>) =
            reconfigs.map(|(id, change)| (id.clone(), Update::of(base, change))).unzip();
        requests.insert(usize::from(FENCE), Update::fence(base));
        let mut memberships = vec![base.clone()];
        let mut after = Vec::new();
        while after.len() < memberships.len() {
            let from = memberships[after.len()].clone();
            let made =
                requests.iter().map(|request| number(&mut memberships, &request.applied(&from)));
            after.push(made.collect());
        }
        let granted = granted(plan).iter().map(|made| number(&mut memberships, made)).collect();
        let target = number(&mut memberships, &plan.target);
        let plan_id = plan_id(plan);
        let mut world = Self {
            checked,
            plan_id,
            steps,
            requests,
            memberships,
            after,
            granted,
            granted_anew: BTreeSet::new(),
            target,
            promised: 0,
        };
        let spares = world.granted.iter().map(|members| world.spare(*members, 0));
        world.promised = spares.min().expect("the base");
        world
    }

    /// The world in which members fail: any of the plan's steps may be first, but joiners keep
    /// their order.
    pub(crate) fn with_deaths(mut self) -> Self {
        let joins = |step: &StepId| step.as_str().starts_with("join");
        for some in 0..1_usize << self.steps.len() {
            let is_in = |at: usize| some & 1 << at != 0;
            let joiners = (0..self.steps.len()).filter(|at| joins(&self.steps[*at]));
            if !joiners.map(is_in).is_sorted_by(|one, next| one >= next) {
                continue;
            }
            let taken = (0..self.steps.len()).filter(|at| is_in(*at));
            let made = taken.fold(0, |members, at| {
                self.after(members, Request::try_from(at + 1).expect("few steps"))
            });
            self.granted_anew.insert(made);
        }
        self
    }

    /// Every server that is a member or is to be one.
    pub(crate) fn servers(&self) -> BTreeSet<u8> {
        let ids = self.memberships.iter().flat_map(Membership::ids);
        ids.filter_map(|id| u8::try_from(id.get()).ok()).collect()
    }

    fn votes(&self, members: Members) -> BTreeSet<u8> {
        let voters = self.memberships[usize::from(members)].voters();
        voters.into_iter().filter_map(|id| u8::try_from(id.get()).ok()).collect()
    }

    /// How many voters may fail.
    fn spare(&self, members: Members, down: u8) -> i64 {
        let voters = self.votes(members);
        let synced = voters.iter().filter(|id| **id != down).count();
        let count = |n: usize| i64::try_from(n).expect("few");
        count(synced) - count(voters.len() / 2 + 1)
    }

    /// Whether a step goes below what the plan promised, by what its sender saw. If the tolerance
    /// is already lower, a step must raise it, or take no vote of a server that answers.
    pub(crate) fn goes_lower(&self, members: Members, request: Request, down: u8) -> bool {
        let next = self.after(members, request);
        let [was, is] = [members, next].map(|members| self.spare(members, down));
        let (before, after) = (self.votes(members), self.votes(next));
        let takes_vote = before.difference(&after).any(|id| *id != down);
        is < self.promised && (is < was || is == was && takes_vote)
    }

    /// The request that an executor sends. It must be exactly the plan's.
    pub(crate) fn request(&self, what: &RequestPurpose, request: &Update) -> Request {
        let number = match what {
            RequestPurpose::Fence => FENCE,
            RequestPurpose::Step(step) => self.step(step),
        };
        assert_eq!(*request, self.requests[usize::from(number)], "{what:?}");
        number
    }

    /// The request of a step.
    pub(crate) fn step(&self, step: &StepId) -> Request {
        let at = self.steps.iter().position(|known| known == step).expect("a step of the plan");
        Request::try_from(at + 1).expect("few steps")
    }

    /// The name of a request.
    pub(crate) fn name(&self, request: Request) -> String {
        let step = usize::from(request).checked_sub(1).map(|at| self.steps[at].as_str());
        step.unwrap_or("fence").to_owned()
    }

    /// The members that a request leaves.
    pub(crate) fn after(&self, members: Members, request: Request) -> Members {
        self.after[usize::from(members)][usize::from(request)]
    }

    /// Whether the plan grants these members.
    pub(crate) fn is_granted(&self, members: Members) -> bool {
        self.granted.contains(&members) || self.granted_anew.contains(&members)
    }

    /// A configuration as the executor sees it.
    pub(crate) fn config(&self, config: Config) -> EnsembleConfig {
        EnsembleConfig {
            version: version(config.version),
            membership: self.memberships[usize::from(config.members)].clone(),
        }
    }

    /// What was read, as the executor sees it.
    pub(crate) fn read(&self, view: View) -> ReadBack {
        ReadBack {
            config: self.config(view.config),
            lock: (view.lock > 0).then(|| i64::from(view.lock)),
            identity: if view.identity {
                Identity::Known("this one".to_owned())
            } else {
                Identity::NoneYet
            },
        }
    }

    /// The view of a survey: every server is healthy, and every joiner follows with the leader's
    /// data.
    pub(crate) fn run_view(&self, view: View, question: &RunQuestion) -> RunView {
        let plan = self.checked.plan();
        let base = self.config(view.config);
        let members = base.membership.ids();
        let is_up = |id: &ServerId| id.get() != i64::from(view.down);
        let following: BTreeSet<ServerId> =
            awaited(plan).difference(&members).copied().filter(is_up).collect();
        let synced: BTreeSet<ServerId> = members.iter().copied().filter(is_up).collect();
        let down = members.difference(&synced).map(|id| (*id, ServerStatus::NotServing)).collect();
        let voters = base.membership.voters();
        let leader =
            plan.facts.leader.filter(is_up).or(voters.intersection(&synced).next().copied());
        let joiner = |id: &ServerId| Joiner {
            status: ServerStatus::FollowingWithoutVote,
            up: true,
            zxid: None,
            other_ports: None,
            election_port: Some(PortState::Open),
            quorum_port: Some(PortState::Refused),
            data: question.prove.contains(id).then_some(DataProof::Digest(Zxid::new(128))),
            asked: question.ask.contains(id).then(joiner_granted),
        };
        let gone = |id: ServerId| Leaving {
            clients: Some(Clients::default()),
            shows_sessions: true,
            names_itself: Some(members.contains(&id)),
            ..Leaving::seen(None, Presence::Up)
        };
        RunView {
            joiners: following.iter().map(|id| (*id, joiner(id))).collect(),
            down,
            leaving: leaving(plan).into_iter().map(|id| (id, gone(id))).collect(),
            ..run_view(Facts { base, synced, following, leader, ..plan.facts.clone() })
        }
    }

    /// The operator's options for every apply.
    pub(crate) fn options(&self) -> Options {
        Options {
            plan_id: self.plan_id.clone(),
            lock_timeout_ms: Some(60_000),
            ..options(&self.checked, &self.plan_id, "operator")
        }
    }
}

/// The version that the model counts as that number.
pub(crate) fn version(number: u8) -> ConfigVersion {
    format!("1000000{number:02x}").parse().expect("a config version")
}

/// The number of a version. `None` for one that the model never made.
pub(crate) fn counted(wanted: ConfigVersion) -> Option<u8> {
    (0..=u8::MAX).find(|number| version(*number) == wanted)
}

fn number(memberships: &mut Vec<Membership>, wanted: &Membership) -> Members {
    let at = memberships.iter().position(|known| known == wanted).unwrap_or_else(|| {
        memberships.push(wanted.clone());
        memberships.len() - 1
    });
    Members::try_from(at).expect("few memberships")
}

/// Every membership that some order of the plan makes, under the leader of the plan.
fn granted(plan: &Plan) -> Vec<Membership> {
    let mut found: Vec<(Done, Membership)> =
        vec![(Done::new(), plan.facts.base.membership.clone())];
    let mut at = 0;
    while let Some((done, members)) = found.get(at).cloned() {
        at += 1;
        for step in plan.next_steps(&done, plan.facts.leader) {
            let mut done = done.clone();
            done.insert(step.id.clone());
            let next = step.reconfig().map_or_else(|| members.clone(), |r| members.with(r));
            if !found.iter().any(|(known, _)| *known == done) {
                found.push((done, next));
            }
        }
    }
    found.into_iter().map(|(_, members)| members).collect()
}

//! Walks the schedule of a plan by brute force: every order that [`Plan::next_steps`] allows under
//! every leader, compared with the few things that must never happen. The checker may take
//! shortcuts; this does not.

use std::collections::{BTreeSet, HashSet};

use proptest::prelude::*;
use zkplan::check::Law;
use zkplan::model::{Host, Membership, Reconfig, ReuseIds, ServerId};
use zkplan::observe::Facts;
use zkplan::plan::{
    Action, ChangeVerb, Done, Phase, PhaseKind, Plan, ServerChange, Step, StepId, StepOrder,
};
use zkplan::proposal::propose;

use crate::example::{Example, Zones, id, lines};

/// A moment of one order.
#[derive(Clone)]
struct Moment {
    members: Membership,
    live: BTreeSet<ServerId>,
    awaited: BTreeSet<ServerId>,
    proven: BTreeSet<ServerId>,
    done: Done,
    handed_over: bool,
}

impl Moment {
    fn base(facts: &Facts) -> Self {
        Self {
            members: facts.base.membership.clone(),
            live: facts.synced.clone(),
            awaited: BTreeSet::new(),
            proven: BTreeSet::new(),
            done: Done::new(),
            handed_over: false,
        }
    }

    fn spare(&self) -> i64 {
        let voters = self.members.voters();
        let live = i64::try_from(voters.intersection(&self.live).count()).expect("few");
        live - i64::try_from(voters.len() / 2 + 1).expect("few")
    }

    /// The state after a step, or a violation.
    fn after(&self, plan: &Plan, leader: ServerId, step: &Step) -> Result<Self, String> {
        let mut next = self.clone();
        next.done.insert(step.id.clone());
        match &step.action {
            Action::AwaitJoiner(id) => {
                next.awaited.insert(*id);
            }
            Action::Prove(_) => {
                let base = plan.facts.base.membership.ids();
                next.proven = base.difference(&self.members.ids()).copied().collect();
            }
            Action::Stop(id) | Action::AskToStop(id) => {
                if self.members.contains(*id) {
                    return Err(format!("{} stops a member", step.id));
                }
                if !self.proven.contains(id) {
                    return Err(format!("{} comes before a proof", step.id));
                }
            }
            Action::Reconfig { parts, request } => {
                next.members = self.members.with(request);
                for ServerChange { server, .. } in parts {
                    next.proven.remove(server);
                    let stays = next.members.contains(*server);
                    if !stays {
                        next.live.remove(server);
                    } else if !self.members.contains(*server) {
                        if !next.awaited.remove(server) {
                            return Err(format!("{} was not awaited", step.id));
                        }
                        next.live.insert(*server);
                    }
                }
                if step.hands_over(leader) {
                    let pending = plan.steps().filter(|other| !next.done.contains(&other.id));
                    let others = pending.filter(|s| s.reconfig().is_some() && !s.concerns(leader));
                    if self.handed_over || others.count() > 0 {
                        return Err(format!("{} hands over too early or again", step.id));
                    }
                    next.handed_over = true;
                }
                if next.spare() < 0 {
                    return Err(format!("{} leaves no quorum", step.id));
                }
                shared_address(&next.members)?;
            }
            Action::Gate(_) | Action::Start(_) | Action::AttestBlank(_) => {}
            Action::Restart(_) => {
                return Err(format!("{} is in a plan that changes members", step.id));
            }
        }
        Ok(next)
    }
}

fn shared_address(members: &Membership) -> Result<(), String> {
    let mut taken: HashSet<(Host, u16)> = HashSet::new();
    for server in members.servers() {
        let peer = server.peer();
        for port in [peer.quorum_port, peer.election_port] {
            if !taken.insert((peer.host.clone(), port)) {
                return Err(format!("{}:{port} is taken twice", peer.host));
            }
        }
    }
    Ok(())
}

/// The summary of all orders.
#[derive(Default)]
struct Sum {
    moments: usize,
    /// Whether every moment was visited.
    whole: bool,
    spare: i64,
    zone_spare: Option<i64>,
    /// Steps after which the loss of a zone would stop writes.
    windows: BTreeSet<StepId>,
}

impl Moment {
    /// The tolerance with the worst zone lost.
    fn zone_spare(&self, facts: &Facts) -> Option<i64> {
        let voters = self.members.voters();
        let zones: BTreeSet<&String> = voters.iter().filter_map(|id| facts.zones.get(id)).collect();
        let need = i64::try_from(voters.len() / 2 + 1).expect("few");
        let without = |zone: &String| {
            let left =
                voters.intersection(&self.live).filter(|id| facts.zones.get(id) != Some(zone));
            i64::try_from(left.count()).expect("few") - need
        };
        zones.into_iter().map(without).min()
    }
}

/// Walks every order. Returns their summary, or the first violation.
fn walk(plan: &Plan, limit: usize) -> Result<Sum, String> {
    let mut seen = HashSet::new();
    let base = Moment::base(&plan.facts);
    let mut sum = Sum {
        spare: base.spare(),
        zone_spare: base.zone_spare(&plan.facts),
        whole: true,
        ..Sum::default()
    };
    let mut open = vec![base];
    while let Some(moment) = open.pop() {
        if seen.len() >= limit {
            sum.whole = false;
            break;
        }
        if !seen.insert((moment.done.clone(), moment.handed_over)) {
            continue;
        }
        let voters = moment.members.voters();
        let mut any = false;
        for leader in voters.intersection(&moment.live) {
            for step in plan.next_steps(&moment.done, Some(*leader)) {
                any = true;
                let next = moment.after(plan, *leader, step)?;
                sum.spare = sum.spare.min(next.spare());
                let zone = next.zone_spare(&plan.facts);
                sum.zone_spare = sum.zone_spare.min(zone);
                if step.reconfig().is_some() && zone.is_some_and(|spare| spare < 0) {
                    sum.windows.insert(step.id.clone());
                }
                open.push(next);
            }
        }
        if !any && moment.members != plan.target {
            return Err("an order ends before the target".to_owned());
        }
    }
    sum.moments = seen.len();
    Ok(sum)
}

/// Words of an example: a server keeps, changes or loses something.
fn any_example() -> impl Strategy<Value = Example> {
    let fates = prop_oneof![
        Just(("v", "v")),
        Just(("v", "v")),
        Just(("v", "vp")),
        Just(("v", "vm")),
        Just(("v", "o")),
        Just(("v", "")),
        Just(("", "v")),
        Just(("o", "v")),
        Just(("o", "")),
    ];
    let dead = proptest::collection::vec(prop::bool::weighted(0.15), 6);
    let zones = prop_oneof![Just(Zones::None), Just(Zones::Three)];
    (proptest::collection::vec(fates, 2..6), dead, any::<bool>(), zones, 0..3_u32).prop_map(
        |(fates, dead, first, zones, most)| {
            let (mut base, mut wanted, mut down) = (String::new(), String::new(), String::new());
            for (at, (was, is)) in fates.iter().enumerate() {
                let word = |marks: &str| match marks {
                    "" => String::new(),
                    marks => format!("{}{} ", at + 1, marks.trim_start_matches('v')),
                };
                base.push_str(&word(was));
                wanted.push_str(&word(is));
                if dead[at] && !was.is_empty() {
                    down.push_str(&word("v"));
                }
            }
            Example::new(&base, &wanted).down(&down).zones(zones).policy(|policy| {
                policy.reuse_ids = ReuseIds::Blank;
                policy.min_tolerance = zkplan::model::MinTolerance::AtLeast(0);
                policy.standalone_enabled = zkplan::model::StandaloneEnabled::False;
                policy.max_shrink = 9;
                policy.changes_per_step = most;
                if first {
                    policy.add_as = zkplan::model::AddAs::Observer;
                }
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_granted_order_does_what_must_never_happen(example in any_example()) {
        let facts = example.facts();
        prop_assume!(!facts.base.membership.voters().is_empty());
        let Ok(checked) = propose(&example.target(), &facts, &[]) else { return Ok(()) };
        let sum = match walk(checked.plan(), 20_000) {
            Ok(sum) => sum,
            Err(wrong) => return Err(TestCaseError::fail(format!("{example:?}: {wrong}"))),
        };
        let report = checked.report();
        prop_assert!(report.worst_spare <= sum.spare, "{example:?}");
        if sum.whole {
            let zone = report.worst_zone.as_ref().map(|window| window.votes.spare());
            prop_assert_eq!(zone, sum.zone_spare, "{:?}", &example);
            let survives = Moment::base(&facts).zone_spare(&facts).is_some_and(|spare| spare >= 0);
            let named: BTreeSet<StepId> = report.windows.keys().cloned().collect();
            let lost = if survives { sum.windows } else { BTreeSet::new() };
            prop_assert_eq!(named, lost, "{:?}", &example);
        }
    }
}

#[test]
fn a_replaced_leader_is_stopped_after_the_proof_in_every_order() {
    let example = Example::new("1 2 3 4 5", "1 2 3 4m 5m").policy(|policy| {
        policy.reuse_ids = ReuseIds::Blank;
        policy.min_tolerance = zkplan::model::MinTolerance::AtLeast(0);
    });
    let mut facts = example.facts();
    facts.leader = Some(id(4));
    let checked = propose(&example.target(), &facts, &[]).expect("planned");
    let sum = walk(checked.plan(), usize::MAX).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(sum.moments > 20, "{}", sum.moments);
    let order: Vec<&str> =
        checked.plan().schedule().iter().map(|(_, step)| step.id.as_str()).collect();
    let place = |name: &str| order.iter().position(|step| *step == name);
    assert!(place("join-5") < place("leave-4"), "{order:?}");
    assert!(place("leave-4") < place("prove-4"), "{order:?}");
    assert!(place("prove-4") < place("stop-4"), "{order:?}");
}

#[test]
fn two_of_three_are_replaced_one_after_the_other_under_any_leader() {
    let example = Example::new("1 2 3", "1 2m 3m").policy(|policy| {
        policy.reuse_ids = ReuseIds::Blank;
        policy.min_tolerance = zkplan::model::MinTolerance::AtLeast(0);
    });
    let checked = propose(&example.target(), &example.facts(), &[]).expect("planned");
    assert_eq!(checked.report().worst_spare, 0);
    walk(checked.plan(), usize::MAX).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn an_address_that_another_server_has_yet_to_leave_is_taken() {
    let others = "server.3=c:2888:3888;2181\nserver.4=d:2888:3888;2181\nserver.5=e:2888:3888;2181";
    let base = format!("server.1=h:2888:3888;2181\nserver.2=h:2889:3889;2182\n{others}");
    let wanted = format!("server.1=h:2889:3889;2181\nserver.2=h:2890:3890;2182\n{others}");
    let (target, facts) = lines(&base, &wanted);
    let refusal = propose(&target, &facts, &[]).expect_err("1 may move before 2 does");
    assert!(refusal.breaches.iter().any(|b| b.law == Law::Addresses), "{:?}", refusal.breaches);
}

#[test]
fn moving_ports_that_no_server_shares_is_allowed_in_any_order() {
    let (target, facts) = lines(
        "server.1=h:2888:3888;2181\nserver.2=h:2889:3889;2182\nserver.3=h:2890:3890;2183",
        "server.1=h:2988:3988;2181\nserver.2=h:2989:3989;2182\nserver.3=h:2990:3990;2183",
    );
    let checked = propose(&target, &facts, &[]).expect("planned");
    walk(checked.plan(), usize::MAX).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn who_shares_a_request_with_the_leader_waits_only_while_that_is_to_come() {
    let example = Example::new("1 2 3 4", "1 2 3 4");
    let mut plan =
        propose(&example.target(), &example.facts(), &[]).expect("no changes").plan().clone();
    let step = |change: ChangeVerb, ids: &[i64]| {
        let parts = ids.iter().map(|number| ServerChange { server: id(*number), change }).collect();
        let request = Reconfig { joining: Vec::new(), leaving: Vec::new() };
        Step::named(Action::Reconfig { parts, request })
    };
    let phase = |steps| Phase { kind: PhaseKind::Remove, rule: StepOrder::LeaderLast, steps };
    plan.phases = vec![
        phase(vec![step(ChangeVerb::Demote, &[2, 3])]),
        phase(vec![step(ChangeVerb::Readdress { quorum: true }, &[2])]),
        phase(vec![step(ChangeVerb::Leave, &[1]), step(ChangeVerb::Leave, &[3])]),
    ];
    let next = |done: &[&str]| -> Vec<String> {
        let done: Done = done.iter().map(|step| StepId::new(*step)).collect();
        let next = plan.next_steps(&done, Some(id(3)));
        next.into_iter().map(|step| step.id.to_string()).collect()
    };
    assert_eq!(next(&[]), ["leave-1"], "server 2 moves after it was demoted");
    assert_eq!(next(&["leave-1"]), ["demote-2,3"]);
    assert_eq!(next(&["demote-2,3"]), ["readdress-2"], "nothing before it is to come");
    assert_eq!(next(&["demote-2,3", "readdress-2"]), ["leave-1"]);
}

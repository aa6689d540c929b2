//! Plans of restarts, every small ensemble against arithmetic of its own (ZKQ15).

use std::collections::BTreeSet;

use zkplan::check::{BreachKind, Law};
use zkplan::model::ServerId;
use zkplan::plan::{Done, Plan, Step};
use zkplan::proposal::propose_restarts;

use crate::example::Example;

/// The ids whose bit is set, of servers 1 to `count`.
fn picked(count: i64, bits: u32) -> BTreeSet<i64> {
    (1..=count).filter(|id| bits >> (id - 1) & 1 == 1).collect()
}

fn ids(of: &BTreeSet<i64>) -> BTreeSet<ServerId> {
    of.iter().copied().map(ServerId::new).collect()
}

fn text(of: impl IntoIterator<Item = i64>) -> String {
    of.into_iter().map(|id| id.to_string()).collect::<Vec<_>>().join(" ")
}

/// Whether the others are a majority each time, those that are down going first.
fn is_possible(count: i64, up: &BTreeSet<i64>, restarted: &BTreeSet<i64>) -> bool {
    let quorum = usize::try_from(count / 2 + 1).expect("few");
    let brought_up = restarted.difference(up).count();
    let takes_one = restarted.intersection(up).count() > 0;
    up.len() >= quorum && (!takes_one || up.len() + brought_up > quorum)
}

/// What is done and which servers are up: all that the rest of an order depends on.
type Moment = (Done, BTreeSet<ServerId>);

/// Walks every order that the plan grants, with every server that is up as the leader at each step.
fn walk(plan: &Plan, moment: &Moment, walked: &mut BTreeSet<Moment>) {
    if !walked.insert(moment.clone()) {
        return;
    }
    let (done, up) = moment;
    let voters = plan.facts.base.membership.voters();
    let left: Vec<&Step> = plan.steps().filter(|step| !done.contains(&step.id)).collect();
    for leader in up {
        for step in plan.next_steps(done, Some(*leader)) {
            let server = step.restart().expect("a restart").server;
            let others = voters.intersection(up).filter(|id| **id != server).count();
            assert!(others > voters.len() / 2, "{} takes the quorum", step.id);
            let is_last =
                left.iter().all(|other| other.concerns(server) || other.concerns(*leader));
            assert!(server != *leader || is_last, "{} is the leader's and not last", step.id);
            let mut done = done.clone();
            done.insert(step.id.clone());
            let up = up.iter().copied().chain([server]).collect();
            walk(plan, &(done, up), walked);
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "how many there are is a figure of the run")]
fn a_plan_of_restarts_is_made_where_and_only_where_a_quorum_stays() {
    let (mut made, mut refused) = (0_u32, 0_u32);
    for count in 1..=5 {
        for (up, of) in (0..1 << count).flat_map(|up| (1..1 << count).map(move |of| (up, of))) {
            let (up, restarted) = (picked(count, up), picked(count, of));
            let all = text(1..=count);
            let down = text((1..=count).filter(|id| !up.contains(id)));
            let example = Example::new(&all, &all).down(&down);
            let mut facts = example.facts();
            facts.leader = ids(&up).first().copied();
            let plan = propose_restarts(&example.target(), &facts, &[], &ids(&restarted));
            let plan = plan.expect("there is a server to restart");
            let possible = is_possible(count, &up, &restarted);
            match plan {
                Ok(checked) => {
                    assert!(possible, "{up:?} of {count}, {restarted:?}");
                    assert_eq!(checked.plan().steps().count(), restarted.len());
                    walk(checked.plan(), &(Done::new(), ids(&up)), &mut BTreeSet::new());
                    made += 1;
                }
                Err(refusal) => {
                    let own = refusal.breaches.iter().any(|breach| {
                        let detail = &breach.detail;
                        breach.law == Law::Restarts
                            && matches!(detail, BreachKind::RestartTakesQuorum(_))
                            || matches!(detail, BreachKind::NoLiveQuorum(_))
                    });
                    assert!(own && !possible, "{up:?} of {count}, {restarted:?}: {refusal:?}");
                    refused += 1;
                }
            }
        }
    }
    println!("{made} plans of restarts made, {refused} refused");
    assert!(made > 100 && refused > 100);
}

/// A plan that restarts servers and changes members too is refused, also as a file.
#[test]
fn restarts_stand_alone() {
    let example = Example::new("1 2 3", "1 2 3 4");
    let facts = example.facts();
    let all = facts.base.membership.ids();
    let restarts = propose_restarts(&example.target(), &facts, &[], &all).expect("restarts");
    let restarts = restarts.expect("a plan");
    let joins = zkplan::proposal::propose(&example.target(), &facts, &[]).expect("a plan");
    let mut both = joins.plan().clone();
    both.phases.extend(restarts.plan().phases.iter().cloned());
    let breaches = zkplan::check::check(both, &facts).expect_err("two things at once");
    assert!(breaches.iter().any(|breach| breach.detail == BreachKind::RestartsNotAlone));
    let mut twice = restarts.plan().clone();
    twice.phases.extend(twice.phases.clone());
    let breaches = zkplan::check::check(twice, &facts).expect_err("each twice");
    assert!(breaches.iter().any(|breach| breach.detail == BreachKind::RestartsNotAlone));
}

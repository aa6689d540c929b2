//! Which facts about an ensemble are trusted, and which must be accepted by name.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use zkplan::check::{BreachKind, Law};
use zkplan::model::{ClientPart, ReuseIds, StandaloneEnabled};
use zkplan::plan::{Acceptance, StepId};
use zkplan::proposal::{Remedy, propose};

use crate::example::{Example, id, lines};

const STATIC: &str = "server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888";
const WANTED: &str =
    "server.1=a:2888:3888;2181\nserver.2=b:2888:3888;2181\nserver.3=c:2888:3888;2182";

#[test]
fn a_client_address_without_an_answer_is_written_only_if_accepted() {
    let (mut target, mut facts) = lines(STATIC, WANTED);
    target.policy.client_part = ClientPart::Write;
    assert!(propose(&target, &facts, &[]).is_ok());
    facts.client_confirmed.remove(&id(3));
    let refusal = propose(&target, &facts, &[]).expect_err("3 did not answer at port 2182");
    let details: Vec<&BreachKind> = refusal.breaches.iter().map(|breach| &breach.detail).collect();
    assert_eq!(details, [&BreachKind::ClientUnproven(id(3))]);
    let step = Some(StepId::new("readdress-3"));
    let risk = Acceptance { code: Law::Addresses.code().to_owned(), step };
    assert_eq!(refusal.remedies, [Remedy::Accept(risk.clone())]);
    assert!(propose(&target, &facts, &[risk]).is_ok());
}

#[test]
fn a_line_of_static_origin_stays_as_it_is_by_default() {
    let (target, mut facts) = lines(STATIC, WANTED);
    facts.client_confirmed = BTreeSet::new();
    assert!(propose(&target, &facts, &[]).expect("no changes").plan().is_empty());
}

#[test]
fn an_address_that_was_shared_before_is_not_the_steps() {
    // Behind one address, as containers with published ports are.
    let base = "server.1=a:2888:3888;2181\nserver.2=b:2888:3888;2181\nserver.3=c:2888:3888;2181";
    let (target, mut facts) = lines(base, &base.replace("c:2888:3888", "c:2888:3888:observer"));
    for host in ["a", "b", "c"] {
        facts.resolved.insert(host.to_owned(), vec!["10.0.0.1".to_owned()]);
    }
    assert!(propose(&target, &facts, &[]).is_ok());
}

#[test]
fn one_voter_with_a_configuration_leads_alone() {
    let (target, facts) =
        lines("server.1=a:2888:3888;2181", "server.1=a:2888:3888;2181\nserver.2=b:2888:3888;2181");
    assert!(facts.standalone_disabled);
    assert_eq!(target.policy.standalone_enabled, StandaloneEnabled::Unknown);
}

#[test]
fn an_observer_that_does_not_answer_is_awaited_before_it_gets_a_vote() {
    let example = Example::new("1 2 3 4 5o", "1 2 3 4 5").down("5");
    let checked = propose(&example.target(), &example.facts(), &[]).expect("planned");
    let schedule = checked.plan().schedule();
    let order: Vec<&str> = schedule.iter().map(|(_, step)| step.id.as_str()).collect();
    assert_eq!(order, ["unlist-5", "await-5", "promote-5", "prove"]);
}

/// `count` lines from an id on, parted over zones by the id.
fn voters(from: usize, count: usize) -> String {
    let line = |id| format!("server.{id}=h{id}:2888:3888;2181");
    (from..from + count).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn large_ensembles_are_planned_in_interactive_time() {
    let observers = voters(101, 100).replace(":3888;", ":3888:observer;");
    for (base, wanted) in [
        (voters(1, 50) + "\n" + &observers, voters(51, 50) + "\n" + &observers),
        (voters(1, 41), voters(21, 21)),
    ] {
        let (mut target, mut facts) = lines(&base, &wanted);
        target.policy.max_shrink = 20;
        target.policy.reuse_ids = ReuseIds::Never;
        let all = facts.base.membership.ids().into_iter().chain(target.servers.keys().copied());
        facts.zones = all.map(|id| (id, format!("zone-{}", id.get() % 5))).collect();
        let began = Instant::now();
        let checked = propose(&target, &facts, &[]).expect("planned");
        // A fraction of a second in a release build.
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        assert!(checked.report().moments < 20_000, "{}", checked.report().moments);
    }
}

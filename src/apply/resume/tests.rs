use std::collections::BTreeMap;

use super::*;
use crate::apply::end::Stale;
use crate::apply::journal::Illegible;
use crate::apply::journal::{Entry, Header, LockText, Record};
use crate::apply::journal_reader::{FolderState, StateLock};
use crate::example::seen::observation;
use crate::model::{EnsembleConfig, Membership};
use crate::plan::StepId;
use crate::proposal::propose;

const MEMBERS: &str = "server.1=h1:2888:3888;2181\nserver.2=h2:2888:3888;2181\n\
                       server.3=h3:2888:3888;2181\n";
const FOUR: &str = "server.4=h4:2888:3888;2181\n";
const FIVE: &str = "server.5=h5:2888:3888;2181\n";

fn config(lines: &str, version: &str) -> EnsembleConfig {
    EnsembleConfig::parse(&format!("{lines}version={version}")).expect("a configuration")
}

/// Members 1, 2 and 3, and what more is wanted.
fn target(more: &str) -> Target {
    let wanted = Membership::parse(&format!("{MEMBERS}{more}")).expect("server lines");
    Target::of("test", wanted.servers().cloned())
}

fn facts(target: &Target) -> Facts {
    Facts::assumed(config(MEMBERS, "100000000"), target)
}

fn planned(target: &Target) -> CheckedPlan {
    propose(target, &facts(target), &[]).expect("a plan")
}

fn stamp() -> Stamp {
    let at = "2026-11-29T03:00:00Z".to_owned();
    Stamp { nonce: "n".into(), who: "ann".into(), host: "ops1".into(), pid: 1, at }
}

fn run(number: u64, plan_id: &str, entries: Vec<Entry>) -> Run {
    let record = |entry| Record::new(entry, "n".into(), "t".into());
    Run {
        number,
        header: Ok(Header::new(plan_id.into(), "test".into(), 1, BTreeMap::new(), stamp())),
        last: entries.len() as u64,
        illegible: BTreeMap::new(),
        records: entries.into_iter().map(record).collect(),
    }
}

fn claimed() -> Entry {
    Entry::Claimed { who: "ann@ops1".into(), backup: None }
}

fn open(number: u64, plan_id: &str) -> Run {
    run(number, plan_id, vec![claimed()])
}

fn closed(number: u64, plan_id: &str) -> Run {
    run(number, plan_id, vec![claimed(), Entry::Closed])
}

fn runs(latest: Vec<Run>) -> Runs {
    let highest = latest.last().map_or(0, |run| run.number);
    Runs { count: latest.len(), latest, highest, ..Runs::default() }
}

fn journal(latest: Vec<Run>) -> Journal {
    let (ground, runs) = (FolderState::Absent, runs(latest));
    Journal { ground, identity: None, lock: None, runs, is_certain: true }
}

/// What an apply of plan `p` does.
fn decided(runs: &Runs, abandon: Option<u64>) -> RunDecision<'_, ()> {
    decide(runs, abandon, |run| carries_out(run, "p"))
}

#[test]
fn a_new_run_is_opened_where_none_is_open() {
    let unbegun = run(2, "q", Vec::new());
    for latest in [vec![], vec![closed(1, "q")], vec![closed(1, "p")], vec![unbegun]] {
        let runs = runs(latest);
        assert_eq!(decided(&runs, None), RunDecision::OpensNew, "{runs:?}");
    }
}

#[test]
fn the_open_run_of_this_plan_is_resumed_and_that_of_another_is_in_the_way() {
    let of = |plan_id: &str| runs(vec![closed(1, "p"), open(2, plan_id)]);
    let ours = of("p");
    let resumed = OpenRun { run: &ours.latest[1], plan: Ok(()) };
    assert_eq!(decided(&ours, None), RunDecision::Meets(resumed));
    let others = of("q");
    let other = OpenRun { run: &others.latest[1], plan: Err(Differs::OtherPlan) };
    assert_eq!(decided(&others, None), RunDecision::Meets(other));
    let mut newer = of("p");
    newer.latest[1].header = Err(Illegible::Newer(9));
    let plan = Err(Differs::Header(Illegible::Newer(9)));
    let unknown = OpenRun { run: &newer.latest[1], plan };
    assert_eq!(decided(&newer, None), RunDecision::Meets(unknown));
}

/// A wrong number is a mistake, and no run is closed for it.
#[test]
fn only_the_open_run_can_be_abandoned() {
    for plan_id in ["p", "q"] {
        let runs = runs(vec![closed(1, "q"), open(2, plan_id)]);
        assert_eq!(decided(&runs, Some(2)), RunDecision::Abandons(&runs.latest[1]));
        for number in [1, 3] {
            assert_eq!(decided(&runs, Some(number)), RunDecision::NotOpen { number });
        }
    }
    let runs = runs(vec![closed(1, "p")]);
    assert_eq!(decided(&runs, Some(1)), RunDecision::NotOpen { number: 1 });
}

#[test]
fn an_apply_ends_at_the_run_of_another_before_it_asks_for_the_lock() {
    let mut journal = journal(vec![open(2, "q")]);
    let refusal = |journal: &Journal, abandon| decided(&journal.runs, abandon).refusal(journal);
    let other = Outcome::OtherRun { number: 2, why: Differs::OtherPlan };
    assert_eq!(refusal(&journal, None), Some(other));
    assert_eq!(refusal(&journal, Some(2)), None);
    assert_eq!(refusal(&journal, Some(7)), Some(Outcome::NotOpen { number: 7 }));
    // The apply that works on it is reported first.
    let text = Some(LockText::new(stamp(), "apply", "q".into()));
    let lock = StateLock { text: text.clone(), nonce: "n".into(), turn: 1, doubt: None };
    journal.lock = Some(lock);
    assert_eq!(refusal(&journal, None), Some(Outcome::Locked(text)));
    // Any client may have written it.
    journal.is_certain = false;
    assert_eq!(refusal(&journal, None), None);
}

#[test]
fn a_plan_that_the_journal_kept_is_there_or_it_is_not() {
    let runs = runs(vec![closed(1, "q"), open(2, "p")]);
    assert!(is_kept(&runs, 2, "p"));
    assert!(!is_kept(&runs, 1, "p"), "another plan has its number");
    assert!(!is_kept(&runs, 3, "p"));
}

/// What stands in the way of a stale plan is the open run, where there is one.
#[test]
fn a_plan_that_does_not_lead_on_is_stale_and_an_open_run_overtaken() {
    let checked = planned(&target(FOUR));
    let plan_id = saved::plan_id(checked.plan());
    let from = |lines: &str, resumed: Option<u64>| {
        let seen = observation(config(&format!("{MEMBERS}{lines}"), "100000001"));
        let runs: Vec<Run> = resumed.map(|number| open(number, &plan_id)).into_iter().collect();
        starts_from(checked.plan(), Now::of(&plan_id, &seen, &runs), false, resumed)
    };
    assert_eq!(from("", None).expect("the base").done, Done::new());
    let joined = Done::from([StepId::new("join-4")]);
    assert_eq!(from(FOUR, Some(2)).expect("a state of the plan").done, joined);
    let refusal = |resumed| *from(FIVE, resumed).expect_err("no state of the plan");
    assert!(matches!(refusal(None), Outcome::Stale(Stale::Members { .. })));
    let overtaken = refusal(Some(2));
    assert!(matches!(overtaken, Outcome::Overtaken { number: 2, stale: Stale::Members { .. } }));
}

#[test]
fn a_run_has_the_target_of_the_spec_or_names_what_differs() {
    let wanted = target(FOUR);
    let stored = planned(&wanted);
    let run = open(1, &saved::plan_id(stored.plan()));
    let asked = |target: &Target, stored| {
        let asked = ApplyRequest::Target(target, &[]);
        resumed(asked, &run, stored, &facts(target)).map(|checked| checked.plan().clone())
    };
    assert_eq!(asked(&wanted, Some(&stored)).as_ref(), Ok(stored.plan()));
    let mut reached = wanted.clone();
    reached.connect.servers = vec!["h3:2181".into()];
    let plan = asked(&reached, Some(&stored)).expect("the address is the operator's business");
    assert_eq!(plan.connect, reached.connect);
    assert_eq!(asked(&wanted, None), Err(Differs::PlanLost));
    let another = planned(&target(FIVE));
    assert_eq!(asked(&wanted, Some(&another)), Err(Differs::PlanLost));
    let differs = |servers, policy, hooks| {
        Err(Differs::OtherSpec { servers, policy, hooks, accepted: Vec::new() })
    };
    assert_eq!(asked(&target(FIVE), Some(&stored)), differs(true, false, false));
    let mut policy = wanted.clone();
    policy.policy.max_shrink += 1;
    assert_eq!(asked(&policy, Some(&stored)), differs(false, true, false));
    let mut hooks = wanted.clone();
    hooks.hooks.start = Some(vec!["true".into()]);
    assert_eq!(asked(&hooks, Some(&stored)), differs(false, false, true));
}

#[test]
fn a_run_that_accepts_more_than_the_operator_is_not_resumed() {
    let wanted = target(FOUR);
    let facts = facts(&wanted);
    // A finding that may come up on the way.
    let risks = [Acceptance { code: "ZKF1".into(), step: None }];
    let stored = propose(&wanted, &facts, &risks).expect("a plan");
    let run = open(1, &saved::plan_id(stored.plan()));
    let asked = |accepted: &[Acceptance]| {
        resumed(ApplyRequest::Target(&wanted, accepted), &run, Some(&stored), &facts)
    };
    assert!(asked(&risks).is_ok());
    let differs = asked(&[]).map(|_| ()).expect_err("it accepts a risk");
    assert_eq!(differs.lacks_only(), Some(&risks[..]));
}

#[test]
fn a_plan_reports_the_open_run_and_what_is_done_of_it() {
    let checked = planned(&target(FOUR));
    let plan_id = saved::plan_id(checked.plan());
    let mut journal = journal(vec![open(3, &plan_id)]);
    let now = |lines: &str| observation(config(&format!("{MEMBERS}{lines}"), "100000001"));
    let meets = |journal: &Journal, plan: Result<CheckedPlan, Differs>, seen: &Observation| {
        let open = OpenRun { run: &journal.runs.latest[0], plan };
        (open.done(journal, seen), open.finding(journal, seen))
    };
    let (done, found) = meets(&journal, Ok(checked.clone()), &now(FOUR));
    assert!(done.expect("resumed").contains(&StepId::new("join-4")));
    let expected = |because: Option<NotResumed>, locked_by: Option<&str>| FindingKind::OpenRun {
        run: 3,
        plan_id: plan_id.clone(),
        opened_by: "ann@ops1".into(),
        opened_at: "2026-11-29T03:00:00Z".into(),
        locked_by: locked_by.map(str::to_owned),
        goes_on: because.is_none(),
        because,
        masked: false,
    };
    assert_eq!(found, expected(None, None));
    for (plan, lines, because) in [
        (Ok(checked.clone()), FIVE, NotResumed::Overtaken),
        (Err(Differs::OtherPlan), FOUR, NotResumed::OtherSpec),
        (Err(Differs::PlanLost), FOUR, NotResumed::NotUnderstood),
        (Err(Differs::Header(Illegible::Garbled)), FOUR, NotResumed::NotUnderstood),
        (Err(Differs::Header(Illegible::Newer(9))), FOUR, NotResumed::Newer),
    ] {
        let (done, found) = meets(&journal, plan, &now(lines));
        assert_eq!((done, found), (Err(because), expected(Some(because), None)));
    }
    let text = Some(LockText::new(stamp(), "apply", plan_id.clone()));
    journal.lock = Some(StateLock { text, nonce: "n".into(), turn: 1, doubt: None });
    let (_, found) = meets(&journal, Ok(checked), &now(""));
    assert_eq!(found, expected(None, Some("ann@ops1")));
}

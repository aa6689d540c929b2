//! Every end says what happened, why, and what to type next.

use super::*;
use crate::apply::Missing;
use crate::apply::connect_strings::ConnectStrings;
use crate::apply::journal::HookEnd;
use crate::check::{BreachKind, Law};
use crate::model::ServerId;
use crate::observe::ServerStatus;

fn said(end: &Outcome) -> String {
    let again = "zkplan apply 'my plan.json' --strict-version";
    let (path, plans, run) = ("my plan.json", "zkplan plan SPEC", Some(3));
    let text = screen(&EndScreen { end, again, path, plans, anew: None, run, width: 100 });
    text.to_string_with(false).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_advised_can_be_typed() {
    let step = StepId::new("start-4");
    let hook = said(&Outcome::Hook { step, how: HookEnd::TimedOut });
    let by_hand = "zkplan apply 'my plan.json' --strict-version --no-hooks";
    assert!(hook.contains(by_hand), "{hook}");
    let waits = vec![Wait::Down { server: ServerId::new(2), status: ServerStatus::NotServing }];
    let gone = said(&Outcome::RanOut { waits, unknown: None });
    assert!(gone.contains("zkplan apply SPEC --abandon 3"), "{gone}");
    let code = BreachKind::Finding("ZKF5");
    let breach = Breach { law: Law::Now, step: None, path: Vec::new(), detail: code };
    let appeared = said(&Outcome::Unsafe(vec![breach.clone()], Vec::new()));
    let accepts = "zkplan apply 'my plan.json' --strict-version --accept ZKF5";
    assert!(appeared.contains(accepts), "{appeared}");
    // Other data get no vote, whatever is accepted.
    let other = Breach { detail: BreachKind::Finding("ZKF13"), ..breach };
    assert!(!said(&Outcome::Unsafe(vec![other], Vec::new())).contains("--accept"));
    let unreachable = said(&Outcome::Unreachable);
    assert!(
        unreachable
            .ends_with("Next, when servers answer: zkplan apply 'my plan.json' --strict-version"),
        "{unreachable}"
    );
}

/// What comes next after an apply of a plan file, where its spec is known and where it is not.
fn next_of_a_plan(end: &Outcome) -> [Option<String>; 2] {
    let (path, again, plans) = ("plan.json", "zkplan apply plan.json", "zkplan plan a.yaml");
    [Some("zkplan apply a.yaml"), None].map(|anew| {
        let run = Some(3);
        next::command(&EndScreen { end, again, path, plans, anew, run, width: 100 })
    })
}

#[test]
fn a_new_plan_is_made_from_the_spec_of_the_plan_file() {
    // What another client changed is looked at before a run is abandoned for it.
    let looks = [(); 2].map(|()| Some("zkplan history plan.json 3".to_owned()));
    let abandons = [Some("zkplan apply a.yaml --abandon 3".to_owned()), None];
    assert_eq!(next_of_a_plan(&Outcome::NotGranted(Vec::new())), abandons);
    let stale = Stale::Identity {
        plan: Identity::Known("one".to_owned()),
        live: Identity::Known("other".to_owned()),
    };
    let overtaken = Outcome::Overtaken { number: 3, stale: stale.clone() };
    assert_eq!(next_of_a_plan(&overtaken), looks);
    let shown = [Some("zkplan plan a.yaml".to_owned()), None];
    assert_eq!(next_of_a_plan(&Outcome::Stale(stale)), shown);
    assert_eq!(next_of_a_plan(&Outcome::Unsafe(Vec::new(), Vec::new())), shown);
}

/// Where nothing was sent the run has closed itself: there is none to abandon.
#[test]
fn a_run_that_has_closed_itself_is_not_abandoned() {
    let end = Outcome::NotGranted(Vec::new());
    let (path, again, plans) = ("a.yaml", "zkplan apply a.yaml", "zkplan plan a.yaml");
    let anew = Some(again);
    let shown = screen(&EndScreen { end: &end, again, path, plans, anew, run: None, width: 100 });
    let shown = shown.to_string_with(false);
    assert!(!shown.contains("abandon"), "{shown}");
    assert!(shown.ends_with("Next: zkplan apply a.yaml\n"), "{shown}");
}

#[test]
fn a_run_that_cannot_be_read_is_abandoned_and_another_one_is_looked_at() {
    let other = |why| next_of_a_plan(&Outcome::OtherRun { number: 3, why })[0].clone().unwrap();
    assert_eq!(other(Differs::PlanLost), "zkplan apply plan.json --abandon 3");
    let garbled = Differs::Header(Illegible::Garbled);
    assert_eq!(other(garbled), "zkplan apply plan.json --abandon 3");
    assert_eq!(other(Differs::OtherPlan), "zkplan history plan.json 3");
    // What a newer zkplan began is finished by that version.
    let newer = Differs::Header(Illegible::Newer(2));
    assert_eq!(other(newer.clone()), "zkplan history plan.json 3");
    let said = said(&Outcome::OtherRun { number: 3, why: newer });
    assert!(said.contains("Use the newer zkplan."), "{said}");
}

/// What is pasted at night must be right then.
#[test]
fn a_next_command_that_is_not_right_yet_says_when_it_is() {
    let gate = |step: &str, approve: &str| {
        said(&Outcome::Gate {
            step: StepId::new(step),
            approve: approve.to_owned(),
            occupied: Vec::new(),
            strings: ConnectStrings::default(),
        })
    };
    let again = "zkplan apply 'my plan.json' --strict-version";
    let cutover = gate("gate", "cutover");
    let when = format!("Next, when no client needs these servers: {again} --approve cutover");
    assert!(cutover.ends_with(&when), "{cutover}");
    let attest = gate("attest-3", "attest-3");
    assert!(attest.contains("the data directory of server 3 on its new machine"), "{attest}");
    let when = format!("Next, when you have checked that: {again} --approve attest-3");
    assert!(attest.ends_with(&when), "{attest}");
    let disabled = said(&Outcome::ReconfigDisabled);
    assert!(disabled.ends_with(&format!("Next, after the fix: {again}")), "{disabled}");
}

/// With a request that is not acknowledged writes may be stopped: it is not safe to leave.
#[test]
fn a_timeout_is_called_safe_only_without_a_request_that_is_out() {
    let waits = vec![Wait::Down { server: ServerId::new(2), status: ServerStatus::NotServing }];
    let safe = said(&Outcome::RanOut { waits: waits.clone(), unknown: None });
    assert!(safe.contains("timed out. It is safe to leave the ensemble as it is."), "{safe}");
    let out = said(&Outcome::RanOut { waits, unknown: Some(StepId::new("join-2")) });
    let stuck = vec![Wait::Stuck { step: Some(StepId::new("join-2")), voters: [].into() }];
    let stuck = said(&Outcome::RanOut { waits: stuck, unknown: None });
    for said in [out, stuck] {
        assert!(!said.contains("It is safe"), "{said}");
        assert!(said.contains("join-2 was sent and is not acknowledged: writes may be"), "{said}");
    }
}

#[test]
fn that_nothing_was_sent_is_said_only_where_it_is_so() {
    let step = Some(StepId::new("join-4"));
    let lost = |unknown: &Option<StepId>, since: Since| {
        said(&Outcome::LockLost { unknown: unknown.clone(), since })
    };
    let nothing = lost(&None, Since::Nothing);
    assert!(nothing.contains("the lock is gone") && nothing.contains("Nothing was sent after"));
    let committed = lost(&None, Since::Committed(step.clone()));
    assert!(committed.contains("join-4 was sent before zkplan noticed, and it committed"));
    let unknown = lost(&step, Since::Sent(step.clone()));
    assert!(unknown.contains("join-4 was sent and its answer was not received"), "{unknown}");
    let fence = lost(&None, Since::Sent(None));
    assert!(fence.contains("The fence was sent before zkplan noticed"), "{fence}");
    for sent in [committed, unknown, fence] {
        assert!(!sent.contains("Nothing was sent"), "{sent}");
    }
    let never = lost(&None, Since::NeverTaken);
    assert!(never.contains("before the lock was taken. Nothing was changed."), "{never}");
    assert!(!never.contains("lock is gone") && !never.contains("from here"), "{never}");
    assert!(never.ends_with("zkplan apply 'my plan.json' --strict-version"), "{never}");
}

#[test]
fn waits_are_shown_in_whole_seconds() {
    let missing = Missing::Stable { left_ms: 4460 };
    let waits = vec![Wait::Joiner { server: ServerId::new(4), missing }];
    let said = said(&Outcome::RanOut { waits, unknown: None });
    assert!(said.contains("server 4 follows; watching it 5 s more (policy.stableFor)"), "{said}");
}

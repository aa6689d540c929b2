//! The executor against every single fault at every boundary, without a network. Whatever happens
//! to an apply, the next one completes the plan, carries out nothing twice, and the journal is
//! correct.

mod fake;
mod joining;
mod judging;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zkplan::apply::executor::{Output, RequestPurpose};
use zkplan::apply::journal::{Entry, Run};
use zkplan::apply::{Event, Outcome, Reordered, Wait};
use zkplan::check::{BreachKind, CheckedPlan};
use zkplan::model::{
    AddAs, Hooks, Millis, MinTolerance, Reconfig, ReuseIds, StandaloneEnabled, Update,
};
use zkplan::observe::FindingKind;
use zkplan::plan::{Acceptance, Action, StepId};
use zkplan::proposal::propose;

use self::fake::{Fake, Fault};
use crate::example::{Example, id};

const FAULTS: [Fault; 6] = [
    Fault::DiesBefore,
    Fault::DiesAfter,
    Fault::LostBefore,
    Fault::LostAfter,
    Fault::Late,
    Fault::LateAndDies,
];

fn planned(example: &Example) -> Arc<CheckedPlan> {
    planned_with(example, Hooks::default())
}

fn planned_with(example: &Example, hooks: Hooks) -> Arc<CheckedPlan> {
    let replaces = example.wanted.contains('m');
    let example = example.clone().policy(|policy| {
        if replaces {
            policy.min_tolerance = MinTolerance::AtLeast(0);
        }
        policy.stable_for = Millis(0);
        policy.max_shrink = 9;
        policy.standalone_enabled = StandaloneEnabled::False;
        policy.reuse_ids = ReuseIds::Blank;
    });
    let mut target = example.target();
    target.hooks = hooks;
    let checked = propose(&target, &example.facts(), &[]).map_err(|refusal| refusal.breaches);
    Arc::new(checked.expect("a plan"))
}

/// Prints the figures of a test.
#[expect(clippy::print_stdout, reason = "the figures of a proof are what it is for")]
fn say(figures: &str) {
    println!("{figures}");
}

fn fits(fault: Fault, output: &Output) -> bool {
    match fault {
        Fault::Late | Fault::LateAndDies => {
            matches!(output, Output::Send { what: RequestPurpose::Step(_), .. })
        }
        // The driver's own answers cannot get lost.
        Fault::LostBefore | Fault::LostAfter => !matches!(
            output,
            Output::Pause(_) | Output::Hook(_) | Output::Ask(_) | Output::Look(_) | Output::Close
        ),
        Fault::DiesBefore | Fault::DiesAfter => true,
    }
}

/// The reconfigs of a plan, sorted.
fn reconfigs(checked: &CheckedPlan) -> Vec<StepId> {
    let steps = checked.plan().steps().filter(|step| step.reconfig().is_some());
    let mut ids: Vec<StepId> = steps.map(|step| step.id.clone()).collect();
    ids.sort();
    ids
}

/// The invariants at the end, whatever happened before.
fn holds(checked: &CheckedPlan, fake: &Fake, context: &str) {
    assert_eq!(*fake.members(), checked.plan().target, "{context}");
    let mut carried_out = fake.carried_out.clone();
    carried_out.sort();
    assert_eq!(carried_out, reconfigs(checked), "each once: {context}");
    assert!(fake.runs.iter().all(|run| !run.is_open()), "{context}");
    assert_eq!(fake.lies, [], "{context}");
    let is_withdrawn = |run: &&Run| run.records.iter().any(|r| r.entry == Entry::Withdrawn);
    let (withdrawn, worked): (Vec<&Run>, Vec<&Run>) = fake.runs.iter().partition(is_withdrawn);
    assert!(withdrawn.into_iter().all(|run| !run.has_acted()), "{context}");
    for run in worked {
        is_true(run, fake, context);
    }
}

/// Every reconfig was intended before it was carried out, and the journal records its commit once.
fn is_true(run: &Run, fake: &Fake, context: &str) {
    let told: Vec<&StepId> = run
        .records
        .iter()
        .filter_map(|record| match &record.entry {
            Entry::Committed { step, .. } => Some(step),
            _ => None,
        })
        .collect();
    let once: BTreeSet<&StepId> = told.iter().copied().collect();
    assert_eq!(told.len(), once.len(), "told twice: {told:?}, {context}");
    let all: BTreeSet<&StepId> = fake.carried_out.iter().collect();
    assert_eq!(once, all, "{context}\n{:#?}", run.records);
    for step in once {
        let place = |wanted: &dyn Fn(&Entry) -> bool| {
            run.records.iter().position(|record| wanted(&record.entry))
        };
        let intended = place(&|e| matches!(e, Entry::Intent { step: s, .. } if s == step));
        let done = place(&|e| matches!(e, Entry::Committed { step: s, .. } if s == step));
        assert!(intended < done, "{step} before its intent: {context}");
    }
}

/// Every fault at every boundary of a plan; returns how many there were.
fn survives_everything(checked: &Arc<CheckedPlan>, down: &[i64]) -> usize {
    let begin = || {
        let mut fake = Fake::of(checked);
        fake.down = down.iter().copied().map(id).collect();
        fake
    };
    let mut outputs = Vec::new();
    let mut clean = begin();
    let end = clean.apply(checked, "clean", &BTreeMap::new(), |_, output, _| {
        outputs.push(output.clone());
    });
    assert_eq!(end, Some(Outcome::Finished));
    holds(checked, &clean, "nothing happened");
    let mut tried = 0;
    for (index, output) in outputs.iter().enumerate() {
        for fault in FAULTS.into_iter().filter(|fault| fits(*fault, output)) {
            let context = format!("{fault:?} at {index}, {}", output.name());
            let mut fake = begin();
            let first =
                fake.apply(checked, "first", &BTreeMap::from([(index, fault)]), |_, _, _| {});
            // Where the run was closed, the command line finds nothing to do.
            let closed = fake.runs.iter().any(|run| !run.is_open() && !run.records.is_empty());
            if first != Some(Outcome::Finished) && !closed {
                let second = fake.apply(checked, "second", &BTreeMap::new(), |_, _, _| {});
                assert_eq!(second, Some(Outcome::Finished), "{context}: first {first:?}");
            }
            holds(checked, &fake, &context);
            tried += 1;
        }
    }
    tried
}

#[test]
fn every_fault_at_every_boundary_ends_at_the_target() {
    let worlds = [
        ("1 2 3", "1 2 3 4 5", ""),
        ("1 2 3 4 5", "1 2 3", ""),
        ("1 2 3", "4 5 6", ""),
        ("1 2 3 4o", "1 2 3 4", ""),
        ("1 2 3", "1 2 3o 4", ""),
        ("1 2 3", "1 2 3 4o", ""),
        ("1 2 3", "1 2 3p", ""),
        ("1 2 3", "1 2 4", "3"),
        ("1 2", "1", ""),
    ];
    let observers_first =
        Example::new("1 2 3", "1 2 3 4 5").policy(|policy| policy.add_as = AddAs::Observer);
    let mut tried = survives_everything(&planned(&observers_first), &[]);
    for (base, wanted, down) in worlds {
        let checked = planned(&Example::new(base, wanted).down(down));
        let down: Vec<i64> = down.split_whitespace().filter_map(|id| id.parse().ok()).collect();
        tried += survives_everything(&checked, &down);
    }
    say(&format!("{tried} faults, every plan at its target, every journal true"));
    assert!(tried > 800);
}

#[test]
fn two_faults_in_a_row_end_at_the_target() {
    let checked = planned(&Example::new("1 2 3", "1 2 3 4"));
    let outputs_of = |fake: &mut Fake, nonce: &str| {
        let mut outputs = Vec::new();
        let end = fake.apply(&checked, nonce, &BTreeMap::new(), |_, output, _| {
            outputs.push(output.clone());
        });
        (end, outputs)
    };
    let is_closed =
        |fake: &Fake| fake.runs.iter().any(|run| !run.is_open() && !run.records.is_empty());
    let mut tried = 0;
    let (_, first) = outputs_of(&mut Fake::of(&checked), "clean");
    for (one, output) in first.iter().enumerate() {
        for fault in FAULTS.into_iter().filter(|fault| fits(*fault, output)) {
            let mut after_one = Fake::of(&checked);
            let end = after_one.apply(&checked, "1", &BTreeMap::from([(one, fault)]), |_, _, _| {});
            if end == Some(Outcome::Finished) || is_closed(&after_one) {
                continue;
            }
            let (_, second) = outputs_of(&mut after_one.clone(), "2");
            for (two, then) in second.iter().enumerate() {
                for other in FAULTS.into_iter().filter(|fault| fits(*fault, then)) {
                    let context = format!(
                        "{fault:?} at {one}, {}, then {other:?} at {two}, {}",
                        output.name(),
                        then.name()
                    );
                    let mut fake = after_one.clone();
                    let faults = BTreeMap::from([(two, other)]);
                    let end = fake.apply(&checked, "2", &faults, |_, _, _| {});
                    if end != Some(Outcome::Finished) && !is_closed(&fake) {
                        let (end, _) = outputs_of(&mut fake, "3");
                        assert_eq!(end, Some(Outcome::Finished), "{context}");
                    }
                    holds(&checked, &fake, &context);
                    tried += 1;
                }
            }
        }
    }
    say(&format!("{tried} pairs of faults, every plan at its target, every journal true"));
    assert!(tried > 1500);
}

#[test]
fn commands_are_journalled_and_run_once_for_each_intent() {
    let hooks = Hooks {
        start: Some(vec!["start".to_owned(), "{id}".to_owned()]),
        stop: Some(vec!["stop".to_owned(), "{id}".to_owned()]),
        restart: None,
    };
    for (base, wanted) in [("1 2 3", "4 5 6"), ("1 2 3", "1 2 3m")] {
        let checked = planned_with(&Example::new(base, wanted), hooks.clone());
        let joiners: Vec<i64> = checked
            .plan()
            .steps()
            .filter_map(|step| match step.action {
                Action::Start(id) if !checked.plan().facts.base.membership.contains(id) => {
                    Some(id.get())
                }
                _ => None,
            })
            .collect();
        survives_everything(&checked, &joiners);
        let mut fake = Fake::of(&checked);
        fake.down = joiners.iter().copied().map(id).collect();
        let end = fake.apply(&checked, "one", &BTreeMap::new(), |_, _, _| {});
        assert_eq!(end, Some(Outcome::Finished));
        let intents = fake.runs[0].records.iter();
        let intents = intents.filter(|r| matches!(r.entry, Entry::HookIntent { .. })).count();
        assert_eq!(intents, fake.commands.len(), "{:?}", fake.commands);
    }
}

#[test]
fn nothing_is_sent_once_the_lock_is_anothers() {
    let checked = planned(&Example::new("1 2 3", "4 5 6"));
    let mut outputs = Vec::new();
    Fake::of(&checked).apply(&checked, "clean", &BTreeMap::new(), |_, output, _| {
        outputs.push(output.clone());
    });
    for (index, output) in outputs.iter().enumerate() {
        if matches!(output, Output::Permission | Output::Lock) {
            continue;
        }
        let mut fake = Fake::of(&checked);
        let (mut stolen, mut noticed, mut sent) = (false, false, 0);
        let end = fake.apply(&checked, "displaced", &BTreeMap::new(), |at, output, fake| {
            if at == index {
                fake.steal_lock();
                stolen = true;
            }
            // The other apply's fence refuses requests that are already on their way.
            sent += usize::from(noticed && matches!(output, Output::Send { .. }));
            noticed |= stolen && matches!(output, Output::Look(_) | Output::Read);
        });
        assert_eq!(sent, 0, "sent after it could be known: {} at {index}", output.name());
        let closing = matches!(output, Output::Close | Output::Record(_, Entry::Closed));
        let lost = matches!(end, Some(Outcome::LockLost { .. }));
        assert!(lost || closing, "{end:?} after {} at {index}", output.name());
    }
}

#[test]
fn a_foreign_change_stops_the_run_wherever_it_comes() {
    let checked = planned(&Example::new("1 2 3", "1 2 3 4 5"));
    let mut outputs = Vec::new();
    Fake::of(&checked).apply(&checked, "clean", &BTreeMap::new(), |_, output, _| {
        outputs.push(output.clone());
    });
    for (index, output) in outputs.iter().enumerate() {
        let mut fake = Fake::of(&checked);
        let end = fake.apply(&checked, "ours", &BTreeMap::new(), |at, _, fake| {
            if at == index {
                fake.change(&Update::Incremental(Reconfig::leave(id(2))));
            }
        });
        let late = matches!(output, Output::Close | Output::Record(_, Entry::Closed));
        let told = matches!(end, Some(Outcome::Foreign { .. } | Outcome::Stale(_)));
        assert!(told || late, "{end:?} after {} at {index}", output.name());
        assert!(!fake.members().contains(id(2)), "{}", output.name());
    }
}

#[test]
fn a_step_that_was_undone_is_never_reported_as_not_applied() {
    let checked = planned(&Example::new("1 2 3", "1 2 3 4o 5o"));
    let mut sends = Vec::new();
    Fake::of(&checked).apply(&checked, "clean", &BTreeMap::new(), |at, output, fake| {
        if let Output::Send { what: RequestPurpose::Step(step), .. } = output {
            sends.push((at, step.clone(), Update::Full(fake.members().clone())));
        }
    });
    for (at, step, undo) in &sends {
        let expected = ["intent", "disarmed", "intent", "committed"];
        let expected = expected.map(|word| format!("{word} {step}"));

        let mut fake = Fake::of(&checked);
        let lost = BTreeMap::from([(*at, Fault::LostAfter)]);
        let end = fake.apply(&checked, "goes on", &lost, |index, _, fake| {
            if index == at + 1 {
                fake.change(undo);
            }
        });
        assert_eq!(end, Some(Outcome::Finished), "{step}");
        assert_eq!(told_of(step, &fake), expected);

        let mut fake = Fake::of(&checked);
        let dies = BTreeMap::from([(*at, Fault::DiesAfter)]);
        fake.apply(&checked, "dies", &dies, |_, _, _| {});
        fake.change(undo);
        let end = fake.apply(&checked, "resumes", &BTreeMap::new(), |_, _, _| {});
        assert_eq!(end, Some(Outcome::Finished), "{step}");
        assert_eq!(told_of(step, &fake), expected);
    }
}

/// The entries of the journals about a reconfig.
fn told_of(step: &StepId, fake: &Fake) -> Vec<String> {
    let entries = fake.runs.iter().flat_map(|run| &run.records).map(|record| record.entry.name());
    entries.filter(|name| name.split(' ').nth(1) == Some(step.as_str())).collect()
}

#[test]
fn a_quorum_that_is_lost_midway_stops_the_run_until_it_is_back() {
    let checked = planned(&Example::new("1 2 3", "4 5 6"));
    let mut fake = Fake::of(&checked);
    let end = fake.apply(&checked, "first", &BTreeMap::new(), |_, output, fake| {
        if committed(output) == Some("join-4") {
            fake.down.extend([id(1), id(2)]);
        }
    });
    assert!(matches!(end, Some(Outcome::RanOut { unknown: None, .. })), "{end:?}");
    assert_eq!(fake.carried_out, [StepId::new("join-4")]);
    fake.down.clear();
    let end = fake.apply(&checked, "second", &BTreeMap::new(), |_, _, _| {});
    assert_eq!(end, Some(Outcome::Finished));
    holds(&checked, &fake, "healed");
}

/// The step that an apply is about to write down as committed.
fn committed(output: &Output) -> Option<&str> {
    match output {
        Output::Record(_, Entry::Committed { step, .. }) => Some(step.as_str()),
        _ => None,
    }
}

fn carried_out(fake: &Fake) -> Vec<&str> {
    fake.carried_out.iter().map(StepId::as_str).collect()
}

/// The last order that was reported.
fn reordered(fake: &Fake) -> Option<&Reordered> {
    let orders = fake.events.iter().rev().filter_map(|event| match event {
        Event::Reordered(reordered) => Some(reordered),
        _ => None,
    });
    orders.into_iter().next()
}

#[test]
fn a_leaving_leader_that_dies_in_the_middle_of_the_removals_leaves_first() {
    let checked = planned(&Example::new("4 5 6", "1 2 3"));
    let dies = |fake: &mut Fake, output: &Output| {
        if committed(output) == Some("leave-4") {
            fake.down.insert(id(5));
        }
    };
    let mut fake = Fake::of(&checked);
    let end = fake.apply(&checked, "one", &BTreeMap::new(), |_, output, fake| dies(fake, output));
    assert_eq!(end, Some(Outcome::Finished));
    let done = ["join-1", "join-2", "join-3", "leave-4", "leave-5", "leave-6"];
    assert_eq!(carried_out(&fake), done);
    holds(&checked, &fake, "in one go");

    let mut fake = Fake::of(&checked);
    fake.leads = Some(id(5));
    let end = fake.apply(&checked, "one", &BTreeMap::new(), |_, output, fake| {
        if committed(output) == Some("leave-4") {
            fake.down.insert(id(5));
            fake.leads = Some(id(6));
        }
    });
    assert_eq!(end, Some(Outcome::Finished));
    assert_eq!(carried_out(&fake), done);
    let said = reordered(&fake).expect("another order").clone();
    assert_eq!((said.down, said.back), (BTreeSet::from([id(5)]), BTreeSet::new()));
    assert_eq!(said.order, ["leave-5", "leave-6"].map(StepId::new));
    holds(&checked, &fake, "in one go");
}

#[test]
fn a_run_in_another_order_is_resumed_wherever_its_apply_died() {
    let worlds = [
        // A server is down and is to be removed first, and comes back before that; or it fails
        // during the run.
        (Example::new("1 2 3", "1 3 4").down("2"), None),
        (Example::new("1 2 3", "4 5 6").down("2"), None),
        (Example::new("1 2 3 4 5", "4 5 6 7"), Some(("join-6", 1))),
        (Example::new("4 5 6", "1 2 3"), Some(("leave-4", 5))),
        (Example::new("1 2 3 4o", "5 6 7 8o"), Some(("join-5", 1))),
    ];
    let (mut runs, mut others) = (0, 0);
    for (example, death) in worlds {
        let checked = planned(&example);
        let dies = |fake: &mut Fake| {
            let at = death.filter(|(step, _)| fake.carried_out.iter().any(|s| s.as_str() == *step));
            fake.down.extend(at.map(|(_, server)| id(server)));
        };
        let play = |faults: &BTreeMap<usize, Fault>, fake: &mut Fake, nonce: &str| {
            fake.apply(&checked, nonce, faults, |_, _, fake| dies(fake))
        };
        let mut outputs = Vec::new();
        let mut clean = Fake::of(&checked);
        clean.apply(&checked, "clean", &BTreeMap::new(), |_, output, fake| {
            outputs.push(output.clone());
            dies(fake);
        });
        holds(&checked, &clean, &format!("{example:?}"));
        others += usize::from(reordered(&clean).is_some());
        for (index, output) in outputs.iter().enumerate() {
            for fault in FAULTS.into_iter().filter(|fault| fits(*fault, output)) {
                let mut fake = Fake::of(&checked);
                let context = format!("{example:?}: {fault:?} at {} {index}", output.name());
                let faults = BTreeMap::from([(index, fault)]);
                let mut end = play(&faults, &mut fake, "first");
                if end != Some(Outcome::Finished) {
                    end = play(&BTreeMap::new(), &mut fake, "second");
                }
                assert_eq!(end, Some(Outcome::Finished), "{context}");
                holds(&checked, &fake, &context);
                runs += 1;
            }
        }
    }
    assert!(others >= 4, "{others}");
    say(&format!("{runs} runs in another order, resumed after one fault"));
}

#[test]
fn a_server_that_is_away_for_a_moment_changes_no_order() {
    let mut example = planned(&Example::new("4 5 6", "1 2 3")).as_ref().clone();
    let mut plan = example.plan().clone();
    plan.policy.stable_for = Millis(5000);
    let facts = plan.facts.clone();
    example = zkplan::check::check(plan, &facts).expect("the same plan");
    let checked = Arc::new(example);
    let mut fake = Fake::of(&checked);
    fake.leads = Some(id(5));
    let mut since = None;
    let end = fake.apply(&checked, "one", &BTreeMap::new(), |_, output, fake| {
        if committed(output) == Some("leave-4") {
            fake.down.insert(id(5));
            fake.leads = Some(id(6));
            since = Some(fake.now_ms);
        }
        if since.is_some_and(|since| fake.now_ms > since + 4000) {
            fake.down.clear();
        }
    });
    assert_eq!(end, Some(Outcome::Finished));
    assert_eq!(carried_out(&fake)[3..], ["leave-4", "leave-5", "leave-6"]);
    assert_eq!(reordered(&fake), None);
}

#[test]
fn a_voter_that_is_back_leaves_in_its_turn_and_behind_the_gate() {
    // Made while server 2 was down, the plan takes it out first.
    let checked = planned(&Example::new("1 2 3", "4 5 6").down("2"));
    let first = checked.plan().steps().find(|step| step.reconfig().is_some()).expect("a reconfig");
    assert_eq!(first.id.as_str(), "leave-2");
    let mut fake = Fake::of(&checked);
    let mut gate = None;
    let end = fake.apply(&checked, "one", &BTreeMap::new(), |_, output, fake| {
        if matches!(output, Output::Record(_, Entry::Passed { .. })) {
            gate.get_or_insert(fake.carried_out.len());
        }
    });
    assert_eq!(end, Some(Outcome::Finished));
    assert_eq!(carried_out(&fake)[..3], ["join-4", "join-5", "join-6"]);
    assert_eq!(gate, Some(3), "no removal before the gate");
    let said = reordered(&fake).expect("another order").clone();
    assert_eq!((said.down, said.back), (BTreeSet::new(), BTreeSet::from([id(2)])));
    holds(&checked, &fake, "back");
}

/// A risk that is accepted on the command line is accepted in another order as well.
#[test]
fn a_finding_that_the_command_accepts_forbids_no_order() {
    let checked = planned(&Example::new("1 2 3", "4 5 6").down("2"));
    let written = FindingKind::ConfigWritten;
    let mut fake = Fake::of(&checked);
    fake.accepted = vec![Acceptance { code: written.code().to_owned(), step: None }];
    fake.findings = vec![written];
    let end = fake.apply(&checked, "one", &BTreeMap::new(), |_, _, _| {});
    assert_eq!(end, Some(Outcome::Finished));
    assert!(reordered(&fake).is_some());
    holds(&checked, &fake, "accepted");
}

#[test]
fn a_run_that_sent_nothing_but_its_fence_closes_itself() {
    let checked = planned(&Example::new("1 2 3", "1 2 3 4"));
    let mut fake = Fake::of(&checked);
    fake.down.insert(id(4));
    let end = fake.apply(&checked, "one", &BTreeMap::new(), |_, _, _| {});
    assert!(matches!(end, Some(Outcome::RanOut { .. })), "{end:?}");
    assert!(fake.runs.iter().all(|run| !run.has_acted() && !run.is_open()), "{:?}", fake.runs);
    // A request that was sent, or may have been, stays open: the next apply must find out its
    // outcome.
    fake.down.clear();
    let end = fake.apply(&checked, "two", &BTreeMap::new(), |_, output, fake| {
        if matches!(output, Output::Record(_, Entry::Committed { .. })) {
            fake.down.insert(id(4));
        }
    });
    assert!(matches!(end, Some(Outcome::RanOut { .. } | Outcome::NotGranted(_))), "{end:?}");
    let last = fake.runs.last().expect("a run");
    assert!((last.number, last.is_open()) == (2, true), "{last:?}");
    fake.down.clear();
    let end = fake.apply(&checked, "three", &BTreeMap::new(), |_, _, _| {});
    assert_eq!(end, Some(Outcome::Finished));
    holds(&checked, &fake, "closed by itself");
}

#[test]
fn a_leader_change_that_was_not_granted_stops_the_run_and_asks_for_another_plan() {
    let checked = planned(&Example::new("1 2 3", "1 3 4").down("2"));
    assert!(!checked.report().may_hand_over);
    let mut fake = Fake::of(&checked);
    fake.leads = Some(id(2));
    let end = fake.apply(&checked, "one", &BTreeMap::new(), |_, _, _| {});
    let Some(Outcome::NotGranted(waits)) = end else { panic!("{end:?}") };
    let is_why = |wait: &Wait| matches!(wait, Wait::Law(breach) if breach.detail == BreachKind::FurtherHandOver(id(2)));
    assert!(waits.iter().any(is_why), "{waits:?}");
    assert_eq!(carried_out(&fake), [""; 0]);
    assert!(!fake.runs.iter().any(Run::is_open), "nothing of it is left to be finished");
    fake.leads = Some(id(3));
    let end = fake.apply(&checked, "two", &BTreeMap::new(), |_, _, _| {});
    assert_eq!(end, Some(Outcome::Finished));
    holds(&checked, &fake, "another leads");
}

#[test]
fn where_only_a_lower_tolerance_would_do_the_run_stops_and_asks_for_another_plan() {
    let checked = planned(&Example::new("1 2 3", "1 2 4"));
    let mut fake = Fake::of(&checked);
    let end = fake.apply(&checked, "one", &BTreeMap::new(), |_, output, fake| {
        if committed(output) == Some("join-4") {
            fake.down.insert(id(1));
        }
    });
    // It may come back, so the run waits for it first.
    assert!(matches!(end, Some(Outcome::NotGranted(_))), "{end:?}");
    assert_eq!(carried_out(&fake), ["join-4"]);
    fake.down.clear();
    let end = fake.apply(&checked, "two", &BTreeMap::new(), |_, _, _| {});
    assert_eq!(end, Some(Outcome::Finished));
    holds(&checked, &fake, "back");
}

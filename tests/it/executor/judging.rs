//! Verdicts that follow from a single survey.

use std::collections::BTreeSet;
use std::sync::Arc;

use zkplan::apply::executor::RunQuestion;
use zkplan::apply::judge::{Approved, Judge, PendingBind, RunState, Verdict};
use zkplan::apply::run_view::{Joiner, Leaving, Presence, RunView};
use zkplan::apply::{Missing, Outcome, Wait};
use zkplan::check::CheckedPlan;
use zkplan::ensemble::{NoAnswer, PortState};
use zkplan::model::{Hooks, Millis};
use zkplan::observe::{ByCounts, ClientSession, Clients, DataProof, OwnPorts, ServerStatus};
use zkplan::plan::PhaseKind;

use super::fake::Fake;
use super::{planned, planned_with};
use crate::example::{Example, id};

/// A plan, the view of a survey, what is remembered and what is approved.
struct Case {
    checked: Arc<CheckedPlan>,
    view: RunView,
    memory: RunState,
    approved: Approved,
    now_ms: u64,
}

impl Case {
    fn of(checked: Arc<CheckedPlan>) -> Self {
        let awaited = zkplan::apply::run_view::awaited(checked.plan());
        let plan = checked.plan();
        let all = plan.facts.base.membership.ids().into_iter().chain(plan.target.ids());
        let question = RunQuestion {
            counts: ByCounts::default(),
            prove: awaited.clone(),
            ask: awaited,
            clients: true,
            listening: all.collect(),
            moving: BTreeSet::new(),
        };
        let view = Fake::of(&checked).run_view(&checked, &question);
        Self {
            checked,
            view,
            memory: RunState::default(),
            approved: Approved::default(),
            now_ms: 0,
        }
    }

    fn leaving(&mut self, number: i64) -> &mut Leaving {
        self.view.leaving.get_mut(&id(number)).expect("it leaves")
    }

    fn sees_at(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        self.memory.see(&self.view, now_ms);
    }

    fn verdict(&self, step: &str) -> Verdict {
        let judge = Judge {
            checked: &self.checked,
            view: &self.view,
            memory: &self.memory,
            approved: &self.approved,
            no_hooks: false,
            now_ms: self.now_ms,
        };
        let plan = self.checked.plan();
        let phase = plan.phases.iter().find(|p| p.steps.iter().any(|s| s.id.as_str() == step));
        let found = plan.steps().find(|known| known.id.as_str() == step);
        judge.step(phase.map_or(PhaseKind::Await, |p| p.kind), found.expect("a step"))
    }

    fn missing(&self, step: &str) -> Missing {
        match self.verdict(step) {
            Verdict::Wait(waits) => match waits.as_slice() {
                [Wait::Joiner { missing, .. }] => missing.clone(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
}

fn session(id: u64, from: &str) -> ClientSession {
    ClientSession { from: from.to_owned(), id, timeout_ms: Some(4000), owns: Vec::new() }
}

fn moving() -> Case {
    Case::of(planned(&Example::new("1 2 3", "4 5 6")))
}

fn stopping() -> Case {
    let stop = Some(vec!["stop".to_owned()]);
    Case::of(planned_with(&Example::new("1 2 3", "1 2"), Hooks { stop, ..Hooks::default() }))
}

#[test]
fn an_added_server_that_reports_its_ports_is_proven_at_the_second_survey() {
    let mut case = moving();
    let looks_until = |case: &mut Case, times: &[u64]| {
        case.memory.named.insert(id(3), PendingBind { at_ms: 0, seen: 0 });
        let proven = |now_ms: &u64| {
            case.memory.see(&case.view, *now_ms);
            case.memory.named.is_empty()
        };
        times.iter().position(proven)
    };
    assert_eq!(looks_until(&mut case, &[10, 20, 30]), Some(1));
    // One that does not has to outlive its tries to bind.
    case.view.tell_ports.clear();
    assert_eq!(looks_until(&mut case, &[10, 20, 3999, 4000]), Some(3));
    // That is as long as it is set to, where that was seen.
    case.view.bind_tries.insert(id(3), 10);
    assert_eq!(looks_until(&mut case, &[10, 4000, 10_999, 11_000]), Some(3));
    // One that tries for ever proves nothing by that.
    case.view.bind_tries.insert(id(3), 0);
    assert_eq!(looks_until(&mut case, &[10, 20, 999_000]), None);
    // One that does not listen is not believed at all.
    case.view.bound.clear();
    assert_eq!(looks_until(&mut case, &[10, 20, 9000]), None);
}

#[test]
fn no_joiner_gets_a_vote_of_which_something_is_missing() {
    let mut case = moving();
    case.memory.see(&case.view, 0);
    let blank = case.view.clone();
    let with = |change: &dyn Fn(&mut Case)| {
        let mut case = moving();
        case.memory.see(&blank, 0);
        change(&mut case);
        case
    };
    let joiner =
        |case: &mut Case| case.view.joiners.get_mut(&id(4)).expect("it is awaited").clone();
    assert_eq!(with(&|_| {}).verdict("await-4"), Verdict::AlreadyDone);
    let silent = with(&|case| {
        case.view.facts.following.remove(&id(4));
    });
    assert!(matches!(silent.missing("await-4"), Missing::Following { followed_before: true, .. }));
    let closed = with(&|case| {
        let joiner = joiner(case);
        let closed = Some(PortState::Refused);
        case.view.joiners.insert(id(4), Joiner { election_port: closed, ..joiner });
    });
    assert_eq!(closed.missing("await-4"), Missing::ElectionPort(3888));
    let taken = with(&|case| {
        let joiner = joiner(case);
        let open = Some(PortState::Open);
        case.view.joiners.insert(id(4), Joiner { quorum_port: open, ..joiner });
    });
    assert_eq!(taken.missing("await-4"), Missing::QuorumPortTaken(2888));
    let elsewhere = with(&|case| {
        let joiner = joiner(case);
        let other_ports = Some(OwnPorts { quorum: vec![1], election: vec![2] });
        case.view.joiners.insert(id(4), Joiner { other_ports, ..joiner });
    });
    assert!(matches!(elsewhere.missing("await-4"), Missing::Ports(_)));
    let foreign = with(&|case| {
        let joiner = joiner(case);
        let data = Some(DataProof::Differ);
        case.view.joiners.insert(id(4), Joiner { data, ..joiner });
    });
    assert!(matches!(foreign.verdict("await-4"), Verdict::Stop(Outcome::DataDiffer(_))));
}

#[test]
fn a_joiner_that_looks_for_a_leader_for_long_is_distinguished_from_a_slow_one() {
    fn joins(case: &mut Case) -> &mut Joiner {
        case.view.joiners.get_mut(&id(4)).expect("it is awaited")
    }
    let mut case = moving();
    joins(&mut case).status = ServerStatus::NotServing;
    case.view.facts.following.remove(&id(4));
    // As while the fence is held back.
    case.memory.see_not_serving(&case.view, 0);
    let for_long = |case: &Case| match case.missing("await-4") {
        Missing::Following { for_long, .. } => for_long,
        other => panic!("{other:?}"),
    };
    assert!(!for_long(&case));
    // It refuses one leader after the other, and is met in between.
    for (at, why) in [(4000, NoAnswer::Closed), (5000, NoAnswer::AnswerTimedOut)] {
        joins(&mut case).status = ServerStatus::Silent(why);
        case.memory.see(&case.view, at);
    }
    case.now_ms = 10_000;
    assert!(for_long(&case));
    // Started again it begins anew.
    joins(&mut case).status = ServerStatus::Silent(NoAnswer::Refused);
    case.memory.see(&case.view, 10_000);
    assert!(!for_long(&case));
}

#[test]
fn what_was_proven_of_a_joiner_is_forgotten_when_it_goes() {
    let mut case = moving();
    case.memory.see(&case.view, 0);
    assert!(case.memory.proven.contains(&id(4)));
    let joiner = case.view.joiners.get_mut(&id(4)).expect("it is awaited");
    joiner.status = ServerStatus::NotServing;
    joiner.data = None;
    case.view.facts.following.remove(&id(4));
    case.memory.see(&case.view, 10);
    assert!(!case.memory.proven.contains(&id(4)));
    case.view.facts.following.insert(id(4));
    case.memory.see(&case.view, 20);
    assert_eq!(case.missing("await-4"), Missing::Data { proof: None, marked_in_vain: None });
}

#[test]
fn a_gate_stays_closed_while_a_client_may_be_connected() {
    let mut case = moving();
    case.leaving(2).clients = Some(Clients::of(vec![session(1, "10.0.0.7:40001")]));
    case.sees_at(0);
    assert!(matches!(case.verdict("gate"), Verdict::Ask(Outcome::Gate { .. })));
    // It has lost its connection, or has moved.
    case.leaving(2).clients = Some(Clients::default());
    case.sees_at(1000);
    let waits = Wait::Quiet { watched: Millis(0), left: Millis(4000) };
    assert_eq!(case.verdict("gate"), Verdict::Wait(vec![waits]));
    case.sees_at(5000);
    assert_eq!(case.verdict("gate"), Verdict::Proceed);
    case.leaving(2).clients = Some(Clients::counted(1));
    assert!(matches!(case.verdict("gate"), Verdict::Ask(Outcome::Gate { .. })));
    // Out of reach from here, it may still serve others.
    (case.leaving(2).clients, case.leaving(2).presence) = (None, Presence::OutOfReach);
    assert!(matches!(case.verdict("gate"), Verdict::Ask(Outcome::Gate { .. })));
    case.approved.cutover = true;
    assert_eq!(case.verdict("gate"), Verdict::Proceed);
}

/// A job that connects for a moment every few seconds shows in no list of clients.
#[test]
fn a_client_that_comes_and_goes_keeps_a_gate_closed() {
    let mut case = moving();
    for (at, connects) in [(0, 5), (1000, 6)] {
        case.leaving(1).connects = Some(connects);
        case.sees_at(at);
    }
    let Verdict::Ask(Outcome::Gate { occupied, .. }) = case.verdict("gate") else {
        panic!("a session came and went")
    };
    assert_eq!(occupied.iter().map(|on| (on.server, on.came)).collect::<Vec<_>>(), [(id(1), 1)]);
}

/// Clients of a host that may stay keep no gate closed, those of others do.
#[test]
fn clients_of_an_approved_host_are_not_waited_for() {
    let mut case = moving();
    case.leaving(2).clients = Some(Clients::of(vec![session(1, "10.0.0.7:40001")]));
    case.sees_at(0);
    assert!(matches!(case.verdict("gate"), Verdict::Ask(Outcome::Gate { .. })));
    case.approved.hosts.insert([10, 0, 0, 7].into());
    case.now_ms = 0;
    // It is not drained, so that no time of silence counts; it is passed at once.
    assert_eq!(case.verdict("gate"), Verdict::Proceed);
    case.leaving(2).clients =
        Some(Clients::of(vec![session(1, "10.0.0.7:40001"), session(2, "10.0.0.8:40002")]));
    assert!(matches!(case.verdict("gate"), Verdict::Ask(Outcome::Gate { .. })));
}

/// Clients of a server that stops go to the next one: they are seen there before that stops too.
#[test]
fn the_next_server_is_stopped_only_when_no_client_can_come_to_it_any_more() {
    let stop = Some(vec!["stop".to_owned()]);
    let hooks = Hooks { stop, ..Hooks::default() };
    let mut case = Case::of(planned_with(&Example::new("1 2 3 4 5", "1 2 3"), hooks));
    for number in [4, 5] {
        case.leaving(number).names_itself = Some(false);
    }
    case.leaving(4).clients = Some(Clients::of(vec![session(1, "10.0.0.7:40001")]));
    case.sees_at(0);
    assert!(matches!(case.verdict("stop-4"), Verdict::Ask(Outcome::Gate { .. })));
    case.approved.stop = true;
    assert_eq!(case.verdict("stop-4"), Verdict::Proceed);
    (case.leaving(4).presence, case.leaving(4).clients) = (Presence::Gone, None);
    case.leaving(5).clients = Some(Clients::of(vec![session(1, "10.0.0.7:40003")]));
    case.sees_at(1000);
    let left = Millis(4000);
    let waits = Wait::Hops { from: id(4), to: id(5), left, clients: Some(1) };
    assert_eq!(case.verdict("stop-5"), Verdict::Wait(vec![waits]));
    case.sees_at(5000);
    assert_eq!(case.verdict("stop-5"), Verdict::Proceed);
}

#[test]
fn a_server_is_gone_only_if_its_machine_refuses_the_connection() {
    let mut case = stopping();
    let become_ = |case: &mut Case, presence| {
        let leaving = case.view.leaving.get_mut(&id(3)).expect("it leaves");
        (leaving.presence, leaving.clients, leaving.names_itself) = (presence, None, Some(false));
    };
    become_(&mut case, Presence::Gone);
    assert_eq!(case.verdict("stop-3"), Verdict::AlreadyDone);
    become_(&mut case, Presence::OutOfReach);
    assert!(matches!(case.verdict("stop-3"), Verdict::Ask(Outcome::Gate { .. })));
    let step =
        case.checked.plan().steps().find(|s| s.id.as_str() == "stop-3").map(|s| s.id.clone());
    case.memory.hooked.extend(step);
    assert_eq!(case.verdict("stop-3"), Verdict::AlreadyDone);
    become_(&mut case, Presence::Up);
    assert_eq!(case.verdict("stop-3"), Verdict::Wait(vec![Wait::StillUp { server: id(3) }]));
}

#[test]
fn a_server_that_does_not_know_that_it_has_left_is_not_stopped() {
    let mut case = stopping();
    case.approved.stop = true;
    case.view.leaving.get_mut(&id(3)).expect("it leaves").names_itself = Some(true);
    assert_eq!(case.verdict("stop-3"), Verdict::Wait(vec![Wait::NamesItself { server: id(3) }]));
    case.view.leaving.get_mut(&id(3)).expect("it leaves").names_itself = Some(false);
    assert_eq!(case.verdict("stop-3"), Verdict::Proceed);
}

//! A refusal is right: every order of every small ensemble is held against the checker.

use zkplan::check::check;
use zkplan::diff::ChangeKind;
use zkplan::model::{Reconfig, ServerId, ZonePolicy};
use zkplan::plan::{Action, ChangeVerb, Phase, PhaseKind, Plan, ServerChange, Step, StepOrder};
use zkplan::proposal::propose;

use crate::example::fates::{FATES, of_fates};
use crate::example::{Example, Zones};

/// Every multiset of `count` fates, as non-decreasing lists.
fn multisets(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..count {
        all = all
            .into_iter()
            .flat_map(|list: Vec<usize>| {
                let from = list.last().copied().unwrap_or(0);
                (from..FATES.len()).map(move |fate| [list.clone(), vec![fate]].concat())
            })
            .collect();
    }
    all
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures of the proof are its result")]
fn a_refusal_of_up_to_five_servers_is_right_against_every_order() {
    let mut figures = (0, 0, 0);
    for fates in (1..=5).flat_map(multisets) {
        let example = of_fates(&fates);
        let facts = example.facts();
        if !facts.base.membership.is_quorum(&facts.synced) {
            // Nothing can be planned for an ensemble that does not commit.
            continue;
        }
        // Zones multiply the number of orders, so they are used with up to four servers.
        let layouts = [Zones::None, Zones::Three];
        for zones in layouts.into_iter().take(if fates.len() < 5 { 2 } else { 1 }) {
            let example = example.clone().zones(zones).policy(|policy| {
                policy.zones =
                    if zones == Zones::None { ZonePolicy::Best } else { ZonePolicy::Strict };
            });
            match propose(&example.target(), &example.facts(), &[]) {
                Ok(checked) if checked.plan().is_empty() => {}
                Ok(_) => figures.0 += 1,
                Err(refusal) => {
                    figures.1 += 1;
                    figures.2 += assert_no_order_is_legal(&refusal.nearest, &example);
                }
            }
        }
    }
    let (planned, refused, orders) = figures;
    println!(
        "{planned} planned, {refused} refused, {orders} beginnings of other orders, none legal"
    );
    assert!(planned > 1000 && refused > 1000 && orders > refused, "{figures:?}");
}

/// One way to bring one server to its wanted role.
fn ways(plan: &Plan, id: ServerId) -> Vec<Vec<Step>> {
    let change = plan.changes.iter().find(|change| change.id == id).expect("a change");
    let reconfig = |change: ChangeVerb, request| {
        Step::named(Action::Reconfig { parts: vec![ServerChange { server: id, change }], request })
    };
    let come = |meaning| reconfig(meaning, Reconfig::join(change.after.clone().expect("wanted")));
    let wait = || Step::named(Action::AwaitJoiner(id));
    match change.kind {
        ChangeKind::Join => vec![vec![wait(), come(ChangeVerb::Join)]],
        ChangeKind::Leave => vec![vec![reconfig(ChangeVerb::Leave, Reconfig::leave(id))]],
        ChangeKind::Demote => vec![vec![come(ChangeVerb::Demote)]],
        ChangeKind::Promote => vec![
            vec![come(ChangeVerb::Promote)],
            vec![
                reconfig(ChangeVerb::Unlist, Reconfig::leave(id)),
                wait(),
                come(ChangeVerb::Promote),
            ],
        ],
        ChangeKind::Readdress(_)
        | ChangeKind::Replace
        | ChangeKind::RoleAndAddress
        | ChangeKind::Regroup => {
            unreachable!("not among the fates")
        }
    }
}

/// Searches for a legal order among all interleavings of whole servers, each in each of its ways,
/// and stops as soon as the steps so far break a rule. Counts the prefixes that were searched.
fn assert_no_order_is_legal(plan: &Plan, example: &Example) -> usize {
    let ids: Vec<ServerId> = plan.changes.iter().map(|change| change.id).collect();
    let mut looked_at = 0;
    let legal = legal_order(plan, &ids, &[], &mut looked_at);
    let names: Option<Vec<String>> =
        legal.map(|steps| steps.iter().map(|step| step.id.to_string()).collect());
    assert_eq!(names, None, "{example:?} was refused, but this order is legal");
    looked_at
}

fn legal_order(
    plan: &Plan,
    left: &[ServerId],
    so_far: &[Step],
    looked_at: &mut usize,
) -> Option<Vec<Step>> {
    *looked_at += 1;
    let phases =
        vec![Phase { kind: PhaseKind::Join, rule: StepOrder::InOrder, steps: so_far.to_vec() }];
    let other = Plan { phases, ..plan.clone() };
    match check(other, &plan.facts) {
        Ok(_) => return Some(so_far.to_vec()),
        Err(breaches) if breaches.iter().any(|breach| breach.step.is_some()) => return None,
        Err(_) => {}
    }
    left.iter().enumerate().find_map(|(at, id)| {
        let rest = [&left[..at], &left[at + 1..]].concat();
        let mut ways = ways(plan, *id).into_iter();
        ways.find_map(|way| legal_order(plan, &rest, &[so_far, &way].concat(), looked_at))
    })
}

//! ZKU1: what this version cannot change.

use std::collections::BTreeSet;

use crate::check::breach::BreachKind;
use crate::check::engine::step_table::StepTable;
use crate::diff::{Change, ChangeKind};
use crate::model::{Server, ServerId};

/// What the rule asks for.
pub(super) const ASKS: &str = "not supported yet";

/// What helps where a new voter is in no group.
pub(super) const GIVE_GROUP: &str =
    "give it `group` in the spec (and `weight`, unless the weight is 1)";

/// What helps where a voter would count in another group or with another weight.
pub(super) const NEW_ID: &str =
    "keep its group and weight; or remove it, and add the same machine under a new id";

/// What helps where quorums are majorities.
pub(super) const NO_GROUPS: &str = "remove group and weight from the spec";

/// What helps where weights are of too many kinds.
pub(super) const EQUAL_WEIGHTS: &str = "give the servers of one group equal weights";

/// What helps where groups or weights belong to no voter.
pub(super) const GROUPS_BY_HAND: &str =
    "change groups and weights by hand; zkplan keeps what the spec does not change";

/// What helps where a line has more than zkplan can change.
pub(super) const LINE_BY_HAND: &str = "to keep the server as it is, copy its full line into the spec: `- server.1=...`. To change it, use \
     reconfig in zkCli.sh, and then copy the new line";

pub(super) fn broken(table: &StepTable<'_>) -> Vec<BreachKind> {
    let plan = table.plan;
    let mut found = places(table);
    let is_odd = |server: &Option<Server>| {
        server.as_ref().is_some_and(|s| s.peers.len() > 1 || s.secure_client.is_some())
    };
    // If the line of every member has a secure client port, all servers accept such lines.
    let are_secure =
        plan.facts.base.membership.servers().all(|server| server.secure_client.is_some());
    let joins = |change: &Change| {
        let one_address = change.after.as_ref().is_some_and(|after| after.peers.len() == 1);
        change.kind == ChangeKind::Join && are_secure && one_address
    };
    for change in &plan.changes {
        let stays_odd = change.kind != ChangeKind::Leave && !joins(change);
        if stays_odd && (is_odd(&change.before) || is_odd(&change.after)) {
            found.push(BreachKind::SeveralAddresses(change.id));
        }
    }
    found
}

/// Groups and weights that cannot be counted, or that no reconfig of one server leads to.
fn places(table: &StepTable<'_>) -> Vec<BreachKind> {
    let (base, target) = (&table.plan.facts.base.membership, &table.plan.target);
    let voters = |wrong: &dyn Fn(ServerId) -> bool| -> Option<BTreeSet<ServerId>> {
        let voters = target.servers().filter(|server| server.votes() && wrong(server.id));
        let ids: BTreeSet<ServerId> = voters.map(|server| server.id).collect();
        (!ids.is_empty()).then_some(ids)
    };
    if !base.is_weighted() {
        let grouped = voters(&|id| target.place(id).is_some());
        return grouped.map(BreachKind::GroupsOfMajority).into_iter().collect();
    }
    if base.has_odd_places() {
        return vec![BreachKind::OddPlaces];
    }
    let unplaced = voters(&|id| target.place(id).is_none());
    let moved = voters(&|id| {
        let [was, is] = [base, target].map(|members| members.place(id));
        was.is_some() && is.is_some() && was != is
    });
    let found =
        unplaced.map(BreachKind::NoGroup).into_iter().chain(moved.map(BreachKind::OtherPlace));
    found.chain((!table.is_countable()).then_some(BreachKind::TooManyWeights)).collect()
}

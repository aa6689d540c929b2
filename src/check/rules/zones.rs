//! ZKQ4: what the loss of one zone would leave.

use crate::check::breach::BreachKind;
use crate::check::engine::state::State;
use crate::check::engine::step_table::StepTable;
use crate::model::{Server, ZonePolicy};

/// What the rule asks for.
pub(super) const ASKS: &str = "the loss of a zone must not stop writes";

/// What helps where it is broken.
pub(super) const HINT: &str = "set policy.zones: best, or put the voters into more zones";

/// Whether writes would stop without that zone, in an ensemble that survived the loss of any zone
/// at first.
pub(in crate::check) fn is_window(table: &StepTable<'_>, spare: i64) -> bool {
    spare < 0 && table.base_survives_zones
}

/// The rule, at a moment that is a window. Only `policy.zones: strict` forbids it.
pub(in crate::check) fn broken(
    table: &StepTable<'_>,
    state: &State,
    zone: usize,
) -> Option<BreachKind> {
    let is_strict = table.plan.policy.zones == ZonePolicy::Strict;
    is_strict.then(|| BreachKind::ZoneLoss(table.without(state, zone)))
}

/// The zones in which a server may have a vote at some moment.
pub(in crate::check) fn with_votes(table: &StepTable<'_>) -> Vec<usize> {
    let votes = |server: usize| {
        let lines = table.reconfigs[server].iter().flat_map(|at| &table.steps[*at].changes);
        table.base[server].is_some_and(Server::votes)
            || lines.into_iter().any(|change| change.server == server && change.votes())
    };
    let mut zones: Vec<usize> =
        (0..table.ids.len()).filter(|s| votes(*s)).filter_map(|s| table.zone_of[s]).collect();
    zones.sort_unstable();
    zones.dedup();
    zones
}

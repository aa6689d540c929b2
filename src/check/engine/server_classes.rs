//! Servers that no safety rule distinguishes.

use std::collections::BTreeMap;

use super::quorum_verifier::QuorumVerifier;
use super::state::{Mark, State};
use super::step_table::{Effect, StepTable};

/// The class of each server, as a number. Servers of one class were alike at first, the same happens
/// to them, and all or none are in the zone.
pub(in crate::check) fn server_classes(table: &StepTable<'_>, zone: Option<usize>) -> Vec<usize> {
    let mut known: BTreeMap<ServerClass, usize> = BTreeMap::new();
    let mut steps: Vec<Vec<(usize, Effect, bool)>> = vec![Vec::new(); table.ids.len()];
    for entry in &table.steps {
        if entry.step.restart().is_some() {
            for server in &entry.servers {
                steps[*server].push((entry.phase, Effect::Nothing, true));
            }
        }
        for change in &entry.changes {
            let hands_over = entry.step.hands_over(table.ids[change.server]);
            steps[change.server].push((entry.phase, change.effect, hands_over));
        }
    }
    let base = State::base(table);
    let of = |server: usize| ServerClass {
        marks: base.marks(server),
        in_zone: zone.is_some() && table.zone_of[server] == zone,
        replaced: table.replaced[server],
        place: match &table.quorum {
            QuorumVerifier::Majority => None,
            QuorumVerifier::Hierarchical(weighted) => weighted.place(server),
        },
        steps: std::mem::take(&mut steps[server]),
    };
    let kinds: Vec<ServerClass> = (0..table.ids.len()).map(of).collect();
    let mut classes = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let next = known.len();
        classes.push(*known.entry(kind).or_insert(next));
    }
    classes
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct ServerClass {
    marks: Mark,
    in_zone: bool,
    replaced: bool,
    /// Its group and its weight.
    place: Option<(usize, i128)>,
    /// What becomes of it, when, and whether the leadership goes with it.
    steps: Vec<(usize, Effect, bool)>,
}

//! The changes: ensembles, targets and their plans.

use std::collections::BTreeSet;
use std::sync::Arc;

use zkplan::check::CheckedPlan;
use zkplan::model::{Membership, StandaloneEnabled};
use zkplan::observe::{Facts, Question, observe};
use zkplan::saved::plan_id;
use zkplan::simulator::{Condition, ProcessId, Rules, Simulated, Timing, World};

use crate::applying::target;
use crate::example::{Zones, planned, servers};

/// A change: members, target, servers that are down from the beginning, whether there are zones,
/// whether the servers answer all words, and whether one request may change any number of servers.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Shape {
    pub(crate) base: &'static str,
    pub(crate) wanted: &'static str,
    pub(crate) down: &'static str,
    pub(crate) zones: bool,
    pub(crate) rich: bool,
    pub(crate) together: bool,
    /// Whether servers fail for good, or come back that were down from the beginning.
    pub(crate) deaths: bool,
}

const fn shape(base: &'static str, wanted: &'static str, down: &'static str) -> Shape {
    Shape { base, wanted, down, zones: false, rich: true, together: false, deaths: false }
}

impl Shape {
    /// Whether an apply of it is long, or surveys servers that need more questions.
    fn is_long(&self) -> bool {
        let servers = self.base.split_whitespace().chain(self.wanted.split_whitespace());
        let count = servers.map(|word| &word[..1]).collect::<BTreeSet<_>>().len();
        self.zones || !self.rich || count > 4
    }
}

/// Every change that is simulated.
pub(crate) const SHAPES: [Shape; 23] = [
    shape("1 2 3", "1 2 3 4", ""),
    shape("1 2 3", "1 2 4", "3"),
    shape("1 2 3 4o", "1 2 3 4", ""),
    shape("1 2 3", "1 2 3 4o", ""),
    shape("1 2 3 4", "1 2 3", ""),
    shape("1 2 3", "1 2", ""),
    shape("1 2 3", "1 2 3p", ""),
    shape("1 2 3 4", "1 2 3 4o", ""),
    shape("1 2 3", "1 2 4", ""),
    shape("1 2", "1 2 3", ""),
    shape("1 2", "1", ""),
    shape("1", "1 2", ""),
    shape("1 2 3 4o", "1 2 3", ""),
    shape("1 2 3", "2 3 4 5", ""),
    shape("1 2 3 4 5", "1 2 3", ""),
    Shape { zones: true, ..shape("1 2 3", "4 5 6", "") },
    Shape { rich: false, ..shape("1 2 3", "1 2 3 4", "") },
    Shape { rich: false, ..shape("1 2 3 4", "1 2 3", "") },
    Shape { together: true, ..shape("1 2 3", "4 5 6", "") },
    Shape { together: true, ..shape("1 2 3 4o 5o", "1 2 3 4 5", "") },
    shape("1g1 2g1 3g2 4g3", "1g1 2g1 3g2 4g3 5g2", ""),
    shape("1g1 2g1 3g2 4g3", "2g1 3g2 4g3", ""),
    shape("1g1 2g2 3g3 4o", "1g1 2g2 3g3 4g1", ""),
];

const fn deadly(base: &'static str, wanted: &'static str, down: &'static str) -> Shape {
    Shape { deaths: true, ..shape(base, wanted, down) }
}

/// Changes during which a server fails or comes back.
pub(crate) const DEADLY: [Shape; 7] = [
    deadly("1 2 3", "4 5 6", "2"),
    deadly("4 5 6", "1 2 3", ""),
    deadly("1 2 3 4 5", "1 2 3", ""),
    deadly("1 2 3 4", "1 2 3", "4"),
    deadly("1 2 3", "1 2 4", "3"),
    deadly("1 2 3 4 5", "2 3 4 6", "1"),
    deadly("1 2 3 4", "1 2 3 4o", "4"),
];

/// A change with its plan, and the ensemble at its beginning.
pub(crate) struct Prepared {
    pub(crate) shape: Shape,
    pub(crate) is_long: bool,
    pub(crate) checked: Arc<CheckedPlan>,
    pub(crate) plan_id: String,
    pub(crate) start: World,
}

impl Prepared {
    pub(crate) fn of(shape: Shape) -> Self {
        let members = Membership::of(servers(shape.base));
        let small = members.voters().len() < 2 || servers(shape.wanted).len() < 2;
        let rules = Rules { standalone_enabled: !small, ..Rules::default() };
        let mut world = World::new(members.clone(), Timing::default(), rules);
        for server in servers(shape.wanted) {
            if !members.contains(server.id) {
                world.place(server);
            }
        }
        let places: Vec<ProcessId> = world.processes().map(|(at, _)| at).collect();
        for at in &places {
            world.process_mut(*at).set_up(|file| file.allows_words = shape.rich);
        }
        for down in servers(shape.down) {
            if let Some(at) = world.place_of(down.id) {
                world.kill(at);
            }
        }
        world.advance(1000);
        let mut target = target(shape.base, shape.wanted);
        if small {
            target.policy.standalone_enabled = StandaloneEnabled::False;
        }
        if shape.together {
            target.policy.changes_per_step = 0;
        }
        if shape.zones {
            let all = members.ids().into_iter().chain(target.servers.keys().copied());
            target.zones = all.filter_map(|id| Some((id, Zones::Three.of(id)?))).collect();
        }
        let port = Simulated::new(world);
        let seen = port.run(observe(&port, &Question::of(&target))).expect("a client that lives");
        let facts = Facts::of(&seen.expect("an observation"), &target);
        let checked = planned(&target, &facts);
        let plan_id = plan_id(checked.plan());
        let start = port.world().clone();
        Self { is_long: shape.is_long(), shape, checked: Arc::new(checked), plan_id, start }
    }

    /// Servers that are down from the beginning.
    pub(crate) fn is_down_from_the_beginning(&self, at: ProcessId) -> bool {
        self.start.process(at).condition == Condition::Down
    }
}

//! The ensembles that are rolled.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use zkplan::check::CheckedPlan;
use zkplan::model::{ClientAddress, Connect, Membership, Server, ServerId, Target, WantedSettings};
use zkplan::observe::{Facts, Question, observe};
use zkplan::proposal::propose_restarts;
use zkplan::simulator::{ProcessId, Rules, ServerFile, Simulated, Timing, World};

use crate::example::planned;

/// When a person edits the file of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edits {
    /// All files before the first restart.
    Before,
    /// Each just before the restart of its server.
    Late,
}

/// An ensemble without `reconfigEnabled`, and the plan that switches it on.
pub(super) struct Scene {
    pub(super) servers: i64,
    leader: i64,
    /// Whether the client ports are in each server's own file alone.
    has_own_ports: bool,
    /// Whether words beside `srvr` are whitelisted.
    pub(super) allows_words: bool,
    pub(super) edits: Edits,
    pub(super) target: Target,
    pub(super) checked: Arc<CheckedPlan>,
    pub(super) world: World,
}

fn line(id: i64, client: &str) -> Server {
    let text = format!("server.{id}=10.0.0.{id}:2888:3888:participant{client}");
    Server::parse_line(&text).expect("a line")
}

impl Scene {
    /// Every kind of ensemble of that size.
    pub(super) fn all(servers: i64) -> impl Iterator<Item = Self> {
        let flags = || [false, true].into_iter();
        let kinds = flags().flat_map(move |own| flags().map(move |words| (own, words)));
        let kinds = kinds.flat_map(move |kind| [1, servers].map(|leader| (kind, leader)));
        let kinds = kinds.flat_map(|kind| [Edits::Before, Edits::Late].map(|edits| (kind, edits)));
        kinds.map(move |((kind, leader), edits)| Self::of(servers, leader, kind, edits))
    }

    fn of(
        servers: i64,
        leader: i64,
        (has_own_ports, allows_words): (bool, bool),
        edits: Edits,
    ) -> Self {
        let client = if has_own_ports { "" } else { ";2181" };
        let members = Membership::of((1..=servers).map(|id| line(id, client)));
        let timing = Timing { sync_limit: 4, answer_ms: 400, ..Timing::default() };
        let world = World::new(members, timing, Rules::default()).led_by(ServerId::new(leader));
        let file = ServerFile { reconfig_enabled: false, allows_words, ..ServerFile::default() };
        let mut world = world.with_files(|_| file.clone());
        let places: Vec<ProcessId> = world.processes().map(|(at, _)| at).collect();
        for at in places {
            let client = ClientAddress::on_all_addresses(2181);
            world.process_mut(at).line.client = Some(client);
            world.process_mut(at).file.reconfig_enabled = edits == Edits::Before;
        }
        world.advance(2000);
        let target = Target {
            connect: Connect {
                servers: (1..=servers).map(|id| format!("10.0.0.{id}:2181")).collect(),
                ..Connect::default()
            },
            settings: WantedSettings { reconfig_enabled: true, ..WantedSettings::default() },
            ..Target::of("test", (1..=servers).map(|id| line(id, ";2181")))
        };
        let port = Simulated::new(world.clone());
        let seen = port.run(observe(&port, &Question::of(&target))).expect("a client that lives");
        let facts = Facts::of(&seen.expect("an observation"), &target);
        let checked = Arc::new(planned(&target, &facts));
        let scene =
            Self { servers, leader, has_own_ports, allows_words, edits, target, checked, world };
        assert_eq!(scene.checked.plan().steps().count(), usize::try_from(servers).expect("few"));
        scene
    }

    /// Whether a server that came back by itself with its old file may stay unnoticed: no word shows its
    /// version.
    pub(super) fn hides_old_files(&self) -> bool {
        !self.allows_words && self.edits == Edits::Late
    }

    /// The plan for what is left, as another look shows it; `None` where nothing is.
    pub(super) fn plan_again(&self, port: &Simulated) -> Option<Arc<CheckedPlan>> {
        let seen = port.run(observe(port, &Question::of(&self.target)));
        let facts = Facts::of(&seen.expect("a client that lives").ok()?, &self.target);
        let planned = propose_restarts(&self.target, &facts, &[], &BTreeSet::new())?;
        planned.ok().map(Arc::new)
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { servers, leader, has_own_ports, allows_words, edits, .. } = self;
        write!(
            f,
            "{servers} servers led by {leader}, own ports {has_own_ports}, words {allows_words}, \
             files edited {edits:?}"
        )
    }
}

//! Rolling restarts on releases of Apache: settings, and other releases, while clients work; and whole
//! migrations, which begin with one.

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, Release, Witness};
use crate::queue::Queue;
use crate::rolls::{Moment, Operator, Trouble};
use crate::rows::Row;
use crate::say;
use crate::story::Played;
use crate::true_start::{Faults, comes_to_may_change};
use crate::whole_migration::{self, Begin, Way};

/// The steps of a true start.
pub(crate) const START: [&str; 3] = ["killed everywhere", "leader dies", "may change"];

/// Those of a roll of five.
pub(crate) const ROLL: [&str; 3] = ["killed everywhere", "one leader change", "one version"];

/// Those of a chain.
pub(crate) const CHAIN: [&str; 3] = ["3.6.4", "3.8.6", "3.9.5"];

/// Those of a whole migration.
const MIGRATION: [&str; 4] = ["may change", "killed in each phase", "3 to 3", "few commands"];

/// The same where two of the new servers begin with an archive of the leader.
const CARRIED: [&str; 5] =
    ["may change", "carried over", "killed in each phase", "3 to 3", "few commands"];

/// What a roll of five wants beside the release.
const ALL: [u8; 5] = [1, 2, 3, 4, 5];

pub(crate) fn starts(row: &Row) -> Played {
    let longest_gap = comes_to_may_change(row.builder(), megabytes(), Faults::Everywhere);
    Played { steps: START.to_vec(), longest_gap: Some(longest_gap) }
}

pub(crate) fn migrates(row: &Row, way: Way, begin: Begin) -> Played {
    let longest_gap = whole_migration::migrates(row.builder(), way, begin, megabytes());
    Played { steps: migration(begin).to_vec(), longest_gap: Some(longest_gap) }
}

pub(crate) const fn migration(begin: Begin) -> &'static [&'static str] {
    match begin {
        Begin::Empty => &MIGRATION,
        Begin::Seeds => &CARRIED,
    }
}

/// Data of a story, in MB (`ZKPLAN_DATA_MB`).
fn megabytes() -> usize {
    let Ok(text) = std::env::var("ZKPLAN_DATA_MB") else { return 20 };
    text.parse().unwrap_or_else(|_| panic!("ZKPLAN_DATA_MB is no number: {text}"))
}

/// One plan brings `reconfigEnabled`, the super user and a release to five servers.
pub(crate) fn rolls(row: &Row) -> Played {
    let builder = Builder::plain().servers(5).release(row.members).unset("reconfigEnabled");
    let ensemble = builder.without_super_user(ALL).start();
    let (witness, queue) = (Witness::of(&ensemble, ALL), Queue::of(&ensemble, &ALL, 5));
    let wanted = "{ reconfigEnabled: true, superuser: required, version: \"3.9.5\" }";
    let spec = wanting(&ensemble, ALL, ALL).settings(wanted);
    // A server that is away when an apply is killed is started by the person, as the screen says: of its
    // restart no later moment is left.
    let killed = |at: usize| {
        let second = if at.is_multiple_of(2) { Moment::Away } else { Moment::Back };
        [Moment::Asked, second].map(|moment| (at, Trouble::Killed(moment)))
    };
    let troubles = (0..5).flat_map(killed);
    let epoch = ensemble.epoch();
    let typed = Operator::with(&ensemble, ALL, &spec, troubles).installing(row.joiners).rolls();
    say(&format!("   {} commands", typed.len()));
    assert!(ensemble.epoch() <= epoch + 1, "{} leader changes", ensemble.epoch() - epoch);
    has_version(&ensemble, &ALL, row.joiners);
    queue.keeps_its_order();
    let figures = witness.finish(&ensemble, ALL);
    say(&format!("   {figures}"));
    Played { steps: ROLL.to_vec(), longest_gap: Some(figures.longest_gap) }
}

/// From each release to the next by one plan of restarts.
pub(crate) fn is_upgraded(row: &Row, releases: &'static [&'static str]) -> Played {
    let ids = [1, 2, 3];
    let ensemble = row.builder().start();
    let (witness, queue) = (Witness::of(&ensemble, ids), Queue::of(&ensemble, &ids, 3));
    let mut steps = Vec::new();
    for release in &releases[1..] {
        let wanted: &'static str = Box::leak(format!("{{ version: \"{release}\" }}").into());
        let spec = wanting(&ensemble, ids, ids).settings(wanted);
        let troubles = [(1, Trouble::Killed(Moment::Away))];
        let (epoch, release_of) = (ensemble.epoch(), Release::Apache(release));
        let mut operator = Operator::with(&ensemble, ids, &spec, troubles).installing(release_of);
        let typed = operator.rolls();
        say(&format!("   {release}: {} commands", typed.len()));
        assert!(ensemble.epoch() <= epoch + 1, "{} leader changes", ensemble.epoch() - epoch);
        has_version(&ensemble, &ids, release_of);
        steps.push(*release);
    }
    queue.keeps_its_order();
    let figures = witness.finish(&ensemble, ids);
    say(&format!("   {figures}"));
    Played { steps, longest_gap: Some(figures.longest_gap) }
}

fn has_version(ensemble: &Ensemble, ids: &[u8], release: Release) {
    let Release::Apache(number) = release else { panic!("a release of Apache is installed") };
    for id in ids {
        let said = ensemble.ask(*id, "srvr").expect("it serves");
        let version = said.lines().find_map(|line| line.strip_prefix("Zookeeper version: "));
        let version = version.expect("srvr tells the version");
        assert!(version.starts_with(&format!("{number}-")), "server {id} runs {version}");
    }
}

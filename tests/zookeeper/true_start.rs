//! From the true start of a migration to "may change": a static `zoo.cfg`, no superDigest,
//! `reconfigEnabled` unset, data, and clients that hold a lock, a watch and an ephemeral znode and write.

use std::time::Duration;

use crate::applying::wanting;
use crate::harness::{Builder, Witness};
use crate::queue::Queue;
use crate::rolls::{Moment, Operator, Trouble};
use crate::show;

const ZNODE_BYTES: usize = 10_000;

/// What the spec wants of every server.
const WANTED: &str = "{ reconfigEnabled: true, superuser: required }";

/// How much goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Faults {
    /// An apply is killed at each moment of a restart once, and the leader dies in the middle.
    EachOnce,
    /// Each restart that is asked for has an apply killed twice: where it asks, and while the server is
    /// away or after it was started. The leader dies in the middle; it starts with its edited file, and
    /// is not restarted any more.
    Everywhere,
}

impl Faults {
    fn troubles(self) -> Vec<(usize, Trouble)> {
        let [asked, away, back] = [Moment::Asked, Moment::Away, Moment::Back].map(Trouble::Killed);
        match self {
            Self::EachOnce => vec![(0, asked), (0, away), (1, Trouble::LeaderDies), (1, back)],
            Self::Everywhere => {
                vec![(0, asked), (0, away), (1, Trouble::LeaderDies), (1, asked), (1, back)]
            }
        }
    }
}

/// Three servers come to where their membership may be changed.
///
/// # Panics
/// Where an acknowledged write or a session is lost.
pub(crate) fn comes_to_may_change(builder: Builder, megabytes: usize, faults: Faults) -> Duration {
    let heap = format!("{}m", 256 + 2 * megabytes);
    let builder = builder.heap(&heap).unset("reconfigEnabled").without_super_user(1..=3);
    let ensemble = builder.start();
    ensemble.administrator().fill("/data", megabytes * 1_000_000 / ZNODE_BYTES, ZNODE_BYTES);
    let (witness, queue) = (Witness::of(&ensemble, 1..=3), Queue::of(&ensemble, &[1, 2, 3], 3));
    let spec = wanting(&ensemble, 1..=3, 1..=3).settings(WANTED);
    let typed = Operator::with(&ensemble, 1..=3, &spec, faults.troubles()).rolls();
    show(&format!("{} commands: {}", typed.len(), typed.join("; ")));
    let kept = queue.keeps_its_order();
    let figures = witness.finish(&ensemble, 1..=3);
    show(&format!("{megabytes} MB, {kept} sessions of 4 s kept, {figures}"));
    let version = ensemble.administrator().config().version;
    assert!(version > 0, "reconfigs are enabled");
    figures.longest_gap
}

#[test]
fn a_static_ensemble_comes_to_may_change_typed_from_the_screens() {
    // A gigabyte is for other stories.
    let megabytes = crate::apply_syncing::asked("ZKPLAN_DATA_MB", 20).min(200);
    comes_to_may_change(Builder::plain(), megabytes, Faults::EachOnce);
}

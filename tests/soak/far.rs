//! Servers that are far from each other and from the operator, and servers with slow disks: nothing
//! is broken, everything takes long.
//!
//! ```text
//! ZKPLAN_SOAK_DELAY_MS=300 ZKPLAN_SOAK_LOSS=5 cargo test --test soak far_apart -- --nocapture
//! ```

use std::time::Duration;

use crate::lab::Lab;
use crate::operator::{Ended, STANDS_STILL, start_apply, write_spec};
use crate::sandbox::inside;
use crate::schedule::{CLIENT_PORT, Round, Seat, members_of};
use crate::server::Setting;
use crate::wire::{Line, Wire};
use crate::writer::{Writer, read_back};
use crate::{number, say};

const LIMIT: Duration = Duration::from_secs(600);

/// The tick that servers have where nothing else is set.
const USUAL_TICK_MS: u64 = 2000;

/// How much longer each write to a slow disk takes.
const SLOWER: Duration = Duration::from_millis(1500);

#[test]
fn three_servers_far_apart_move_onto_three_others() {
    inside(LIMIT, || {
        let (delay, loss) = (number("ZKPLAN_SOAK_DELAY_MS", 150), number("ZKPLAN_SOAK_LOSS", 1));
        let setting = Setting::of_tick(USUAL_TICK_MS);
        let story = Story::begin(setting, &[1, 2, 3], &[4, 5, 6]);
        let (delay, jitter) = (Duration::from_millis(delay), Duration::from_millis(20));
        let wire = Wire::between(&story.lab, Line { delay, jitter, loss });
        let ended = story.apply();
        say(&format!(
            "{delay:?} and {loss} % on every link: {} frames lost, exit {:?} after {:?}",
            wire.lost(),
            ended.code,
            ended.took
        ));
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        story.ends();
    });
}

#[test]
fn a_server_joins_and_one_leaves_while_both_followers_write_slowly() {
    inside(LIMIT, || {
        let setting = Setting { force_sync: true, ..Setting::of_tick(USUAL_TICK_MS) };
        let story = Story::begin(setting, &[1, 2, 3], &[2, 3, 4]);
        let followers: Vec<_> = story.lab.followers();
        let slow: Vec<_> = followers
            .iter()
            .filter(|server| server.id <= 3)
            .map(|server| server.slow_disk(SLOWER))
            .collect();
        let ended = story.apply();
        drop(slow);
        say(&format!("slow disks: exit {:?} after {:?}", ended.code, ended.took));
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        story.ends();
    });
}

/// An ensemble with joiners, and an application at work on it.
struct Story {
    // Before the servers that it writes to.
    writer: Writer,
    lab: Lab,
    round: Round,
}

impl Story {
    fn begin(setting: Setting, base: &[u8], target: &[u8]) -> Self {
        let seat = |id: &u8| Seat { id: *id, host: usize::from(*id) - 1, shift: 0, votes: true };
        let base: Vec<Seat> = base.iter().map(seat).collect();
        let target: Vec<Seat> = target.iter().map(seat).collect();
        let policy = vec![("stableFor", "1s"), ("maxShrink", "3")];
        let (zones, faults) = (false, Vec::new());
        let round = Round { number: 1, base, target, zones, policy, session: "30s", faults };
        let lab = Lab::new(setting);
        lab.begin(&round.base);
        lab.join(&round.base, round.joiners());
        lab.wait_serving();
        let writer = Writer::begin(addresses(round.base.iter().chain(round.joiners())));
        Self { writer, lab, round }
    }

    /// Applies the round with the time that it needs.
    fn apply(&self) -> Ended {
        let spec = write_spec(&self.lab, &self.round, &addresses(&self.round.base));
        start_apply(&self.lab, &spec, &[], STANDS_STILL, None).ends()
    }

    /// Nothing acknowledged is lost on any member of the target.
    fn ends(&self) {
        let written = self.writer.acknowledged();
        assert_eq!(
            self.lab.leader().expect("it leads").on_disk().members,
            members_of(&self.round.target)
        );
        for seat in &self.round.target {
            let at = format!("{}:{CLIENT_PORT}", seat.address());
            let read = read_back(&at, &written, LIMIT).expect("it answers");
            assert!(read.missing.is_empty(), "server {} lacks {:?}", seat.id, read.missing);
        }
    }
}

/// Client addresses of servers.
pub(crate) fn addresses<'a>(seats: impl IntoIterator<Item = &'a Seat>) -> Vec<String> {
    seats.into_iter().map(|seat| format!("{}:{CLIENT_PORT}", seat.address())).collect()
}

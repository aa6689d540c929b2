//! Old servers that an operator stops while they still have votes.

use crate::applying::wanting;
use crate::harness::{Builder, Witness};
use crate::ledger::is_at;
use crate::show;
use crate::zkplan::Desk;

/// All six vote, and the gate waits for clients: without the three old servers there is no quorum. What
/// the screens name is enough to come back, with what clients wrote.
#[test]
fn old_servers_that_are_stopped_while_they_vote_are_named_and_started_again() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let witness = Witness::of(&ensemble, 1..=6);
    let spec = wanting(&ensemble, 4..=6, 1..=6).policy("cutover", "manual");
    let desk = Desk::new();
    desk.apply_spec(&spec).ends().exits(7);
    is_at(&ensemble, &[1, 2, 3, 4, 5, 6]);
    for id in 1..=3 {
        ensemble.stop(id);
    }

    let stopped = [1, 2, 3].map(|id| ensemble.client_address(id).to_string());
    let status = desk.run_as_super(&["status", "spec.yaml"]).exits(0);
    let status = status.says(stopped.iter().map(String::as_str).chain(["no quorum"]));
    show(&format!("{status}"));
    let approved = ["--approve", "cutover", "--timeout", "3s"];
    let apply = desk.apply_spec(&spec).with(&approved).ends().exits(10);
    apply.says(stopped.iter().map(String::as_str).chain(["no quorum"]));

    // Four of six are a quorum: what is still down leaves as it is.
    ensemble.start_again(2);
    ensemble.wait_following(2);
    desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    is_at(&ensemble, &[4, 5, 6]);
    show(&format!("the application {}", witness.finish(&ensemble, 4..=6)));
}

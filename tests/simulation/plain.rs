//! Applies on which nothing falls.

use std::time::Instant;

use zkplan::apply::Outcome;
use zkplan::simulator::Simulated;

use crate::applying::{Around, Order, apply};
use crate::shapes::{Prepared, SHAPES};

#[test]
fn an_apply_that_nothing_befalls_ends_at_the_target() {
    const ROUNDS: u32 = 20;
    for shape in SHAPES {
        let prepared = Prepared::of(shape);
        let port = Simulated::new(prepared.start.clone());
        let began = Instant::now();
        for _ in 0..ROUNDS {
            *port.world() = prepared.start.clone();
            let mut around = Around::new(&port);
            let (checked, plan_id) = (&prepared.checked, &prepared.plan_id[..]);
            let order = Order { checked, plan_id, nonce: "one", timeout_ms: 30_000 };
            let end = port.run(apply(&port, &mut around, order));
            let told = || format!("{:#?}\n{:?}", around.events, port.world().truth);
            assert_eq!(end, Some(Outcome::Finished), "{shape:?}: {}", told());
            let world = port.world();
            assert_eq!(world.config().config.membership, prepared.checked.plan().target);
            assert!(world.truth.lost.is_empty() && world.truth.rivals.is_empty());
        }
        let each = began.elapsed() / ROUNDS;
        crate::say(&format!("{} -> {}: {each:?} each", shape.base, shape.wanted));
    }
}

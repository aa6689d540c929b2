//! Applies on which nothing falls.

use std::time::Instant;

use zkplan::apply::End;
use zkplan::ensemble::simulated::Simulated;
use zkplan::model::Membership;

use crate::applying::{Around, apply, plan, servers, spec, world};

#[test]
fn an_apply_that_nothing_befalls_ends_at_the_target() {
    let changes = [
        ("1 2 3", "1 2 3 4"),
        ("1 2 3", "4 5 6"),
        ("1 2 3 4 5", "1 2 3"),
        ("1 2 3 4o", "1 2 3 4"),
        ("1 2 3", "1 2 3o 4"),
        ("1 2 3", "1 2 4"),
        ("1 2 3", "1 2 3p"),
        ("1 2 3 4", "1 2 3 4o"),
        ("1 2 3 4o 5", "1 2 3 4 5"),
    ];
    for (base, wanted) in changes {
        let port = Simulated::new(world(base, wanted));
        let spec = spec(base, wanted);
        let checked = plan(&port, &spec, &[]);
        let start = port.world().clone();
        let began = Instant::now();
        let rounds = 50;
        for _ in 0..rounds {
            *port.world() = start.clone();
            let mut around = Around::new(&port);
            let end = port.run(apply(&port, &mut around, &checked, "one"));
            let told = || format!("{:#?}\n{:?}", around.events, port.world().truth);
            assert_eq!(end, Some(End::Finished), "{base} -> {wanted}: {}", told());
            let world = port.world();
            assert_eq!(world.config().config.membership, Membership::of(servers(wanted)));
            assert_eq!((&world.truth.lost[..], &world.truth.rivals[..]), (&[][..], &[][..]));
        }
        let each = began.elapsed() / rounds;
        let (ms, log) = {
            let world = port.world();
            (world.now_ms() - start.now_ms(), world.truth.log.len())
        };
        crate::say(&format!("{base} -> {wanted}: {each:?}, {ms} ms simulated, {log} happenings"));
    }
}

//! Servers that copy their data when an apply begins, as ZooKeeper does it: slowly, with fuzzy
//! snapshots, and without activating a configuration that commits meanwhile.

use zkplan::apply::{Event, Outcome};
use zkplan::model::ServerId;
use zkplan::simulator::{ProcessId, Simulated};

use crate::applying::{Around, Order, apply};
use crate::shapes::{Prepared, SHAPES};

/// "1 2 3" to "1 2 3 4", where 4 has just been started on an empty disk and takes that long.
fn begins(sync_ms: u64) -> (Prepared, Simulated, ProcessId) {
    let prepared = Prepared::of(SHAPES[0]);
    let mut world = prepared.start.clone();
    let joiner = world.place_of(ServerId::new(4)).expect("a joiner");
    world.kill(joiner);
    world.wipe(joiner);
    world.timing.sync_ms = sync_ms;
    world.start_afresh(joiner);
    let later = world.now_ms() + 200;
    world.advance(later);
    let port = Simulated::new(world);
    (prepared, port, joiner)
}

fn applied(prepared: &Prepared, port: &Simulated) -> (Option<Outcome>, Vec<Event>) {
    let mut around = Around::new(port);
    let (checked, plan_id) = (&prepared.checked, &prepared.plan_id[..]);
    let order = Order { checked, plan_id, nonce: "one", timeout_ms: 30_000 };
    let end = port.run(apply(port, &mut around, order));
    (end, around.events.into_iter().map(|(_, event)| event).collect())
}

fn count(events: &[Event], of: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| of(event)).count()
}

#[test]
fn the_fence_strands_no_server_that_finishes_its_sync() {
    let (prepared, port, _) = begins(5000);
    let (end, events) = applied(&prepared, &port);
    assert_eq!(end, Some(Outcome::Finished), "{events:#?}");
    assert_eq!(count(&events, |event| matches!(event, Event::Fenced { .. })), 1);
    assert_eq!(count(&events, |event| matches!(event, Event::Healing { .. })), 0);
    assert_eq!(port.world().config().config.membership, prepared.checked.plan().target);
}

/// It takes longer than the fence is held back for it.
#[test]
fn a_server_that_was_stranded_is_healed() {
    let (prepared, port, _) = begins(45_000);
    let (end, events) = applied(&prepared, &port);
    assert_eq!(end, Some(Outcome::Finished), "{events:#?}");
    assert_eq!(count(&events, |event| matches!(event, Event::Healing { .. })), 1, "{events:#?}");
    assert_eq!(port.world().config().config.membership, prepared.checked.plan().target);
}

/// The digests of its copy time are wrong, although its data are correct.
#[test]
fn a_server_that_copied_under_writes_is_no_alien() {
    let (prepared, port, _) = begins(2000);
    port.world().write_many(300);
    let later = port.world().now_ms() + 3000;
    port.world().advance(later);
    let (end, events) = applied(&prepared, &port);
    assert_eq!(end, Some(Outcome::Finished), "{events:#?}");
}

#[test]
fn a_server_with_the_data_of_another_ensemble_is_refused() {
    let (prepared, port, joiner) = begins(2000);
    port.world().process_mut(joiner).alien = true;
    port.world().write_many(300);
    let later = port.world().now_ms() + 3000;
    port.world().advance(later);
    let (end, events) = applied(&prepared, &port);
    assert_eq!(end, Some(Outcome::DataDiffer([ServerId::new(4)].into())), "{events:#?}");
    assert!(!port.world().config().names(ServerId::new(4)));
}

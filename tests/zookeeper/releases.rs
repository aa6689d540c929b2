//! What this release of ZooKeeper does wrong by itself: the facts behind warnings of a plan.

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, Mode, PATIENCE, Role, wait_until};
use crate::show;
use crate::zkplan::Desk;

/// ZOOKEEPER-4925, in every release before 3.9.4. What a server has committed while it observed, it
/// keeps without zxids (`Observer.processPacket`). Promoted without a restart, and leading, it sends a
/// server whose last zxid is of that time only what came later.
#[test]
fn a_promoted_observer_takes_writes_from_a_server_that_returns_unless_it_was_restarted() {
    let lost = [false, true].map(|is_restarted| {
        let ensemble = Builder::rich().servers(5).start_with([6]);
        let warned =
            Desk::new().plan(&wanting(&ensemble, 1..=6, 1..=5).policy("addAs", "observer"), &[]);
        warned.says(["a former observer that leads, and was not restarted since its promotion"]);
        let administrator = ensemble.administrator();
        administrator.add(&ensemble.server_line_as(6, Role::Observer));
        wait_until("server 6 to observe", PATIENCE, || {
            (ensemble.mode(6)? == Mode::Observer).then_some(())
        });
        administrator.write_below("/before", 20);
        let leader = ensemble.wait_leader();
        let down = (1..=5).find(|id| *id != leader).expect("there are followers");
        ensemble.kill(down);
        administrator.write_below("/after", 20);
        administrator.add(&ensemble.server_line(6));
        ensemble.wait_following(6);
        if is_restarted {
            ensemble.kill(6);
            ensemble.start_again(6);
            ensemble.wait_following(6);
        }
        ensemble.kill(leader);
        wait_until("server 6 to lead", PATIENCE, || {
            (ensemble.mode(6)? == Mode::Leader).then_some(())
        });
        ensemble.start_again(down);
        ensemble.wait_following(down);
        wait_until("the server to have caught up", PATIENCE, || {
            (ensemble.zxid(down)? >= ensemble.zxid(6)?).then_some(())
        });
        znodes(&ensemble, 6) - znodes(&ensemble, down)
    });
    show(&format!("znodes lost without and with a restart: {lost:?}"));
    assert!(lost[0] >= 20, "this release keeps them: the warning is not for it: {lost:?}");
    assert_eq!(lost[1], 0, "a restart does not cure it");
}

fn znodes(ensemble: &Ensemble, id: u8) -> i64 {
    let words = ensemble.ask(id, "mntr").expect("it answers");
    let count = words.lines().find_map(|line| line.strip_prefix("zk_znode_count"));
    count.and_then(|count| count.trim().parse().ok()).expect("a count of znodes")
}

//! What servers allow a client: sessions that one server alone knows, and so many connections from
//! one address.

use std::net::TcpStream;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, Role};
use crate::ledger::{Ledger, is_at};
use crate::spec::Spec;
use crate::zkplan::Desk;

/// Moves three servers onto three others.
fn onto_others(ensemble: &Ensemble) -> Spec {
    wanting(ensemble, 4..=6, 1..=6)
}

fn local_sessions() -> Builder {
    Builder::rich().setting("localSessionsEnabled", "true")
}

/// A session of ours commits nothing where sessions are local: on an idle ensemble no follower has
/// heard of a transaction then.
#[test]
fn an_idle_ensemble_with_local_sessions_is_healthy() {
    let ensemble = local_sessions().start();
    let desk = Desk::new();
    let contact = ensemble.client_address(1).to_string();
    let spec = desk.run(["import", "--connect", &contact]).exits(0).says_nowhere("behind").stdout;
    let spec = desk.write("imported.yaml", &spec);
    let plan = desk.run(["plan", &spec, "--detailed-exitcode"]).exits(0).says(["No changes"]);
    plan.says_nowhere("behind").says_nowhere("ZKF21");
    // A change needs a lock: what could be in its way is said, whichever sessions are open now.
    let told = ["ZKF21", "local sessions", "zkplan cannot see whether"];
    let observer = Spec::of(&ensemble, 1..=3).role(1, Role::Observer).connect(&contact);
    desk.plan(&observer, &[]).exits(2).says(told).says_nowhere("behind").says_nowhere("ZKQ1");
    let spec = Spec::of(&ensemble, 1..=2).connect(&contact);
    desk.plan(&spec, &[]).exits(2).says(told).says_nowhere("behind");
}

#[test]
fn local_sessions_that_are_upgraded_hold_the_lock() {
    let ensemble = local_sessions().setting("localSessionsUpgradingEnabled", "true");
    let ensemble = ensemble.start_with([4, 5, 6]);
    let spec = onto_others(&ensemble);
    Desk::new().apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    is_at(&ensemble, &[4, 5, 6]);
}

#[test]
fn local_sessions_that_are_not_upgraded_are_refused_before_the_fence() {
    let ensemble = local_sessions().start_with([4, 5, 6]);
    let ledger = Ledger::begin(&ensemble);
    let spec = onto_others(&ensemble);
    let desk = Desk::new();
    let apply = desk.apply_spec(&spec).with(&["--approve", "cutover", "--timeout", "20s"]);
    let refused = ["refused the lock: EphemeralOnLocalSession (-120)", "Nothing was changed"];
    let setting = "set localSessionsUpgradingEnabled=true in zoo.cfg of every server";
    apply.ends().exits(3).says(refused).says([setting]).says_nowhere("no server of the ensemble");
    ledger.is_untouched();
    assert_eq!(ensemble.administrator().znode("/zkplan"), None);
}

/// The first server refuses the user, and a local session cannot move: another one is opened where
/// the user is taken, for nothing hangs on a session without a lock.
#[test]
fn a_local_session_that_cannot_move_is_given_up_for_another() {
    let ensemble = local_sessions().setting("localSessionsUpgradingEnabled", "true");
    let ensemble = ensemble.without_super_user([1]).start_with([4]);
    let spec = wanting(&ensemble, 1..=4, 1..=4);
    Desk::new().apply_spec(&spec).ends().exits(0).says(["server 1", "refused"]);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

fn limited(connections: &str) -> Ensemble {
    Builder::rich().setting("maxClientCnxns", connections).start_with([4, 5, 6])
}

fn rejected(ensemble: &Ensemble, id: u8) -> String {
    let mntr = ensemble.ask(id, "mntr").expect("an answer");
    let line =
        mntr.lines().find(|line| line.starts_with("zk_connection_rejected")).unwrap_or("none");
    line.to_owned()
}

/// Looking takes one connection after the other there, and what it says is true. An apply could not
/// ask a question beside its session.
#[test]
fn one_connection_is_too_few_to_apply_and_enough_to_look() {
    let ensemble = limited("1");
    let ledger = Ledger::begin(&ensemble);
    let desk = Desk::new();
    let spec = onto_others(&ensemble);
    let limit = "accepts 1 connection at a time from one address (maxClientCnxns=1)";
    desk.plan(&spec, &[])
        .exits(3)
        .says([limit, "ZKQ1", "maxClientCnxns=3"])
        .says_nowhere("no answer");
    let apply = desk.apply_spec(&spec).with(&["--approve", "cutover", "--timeout", "20s"]);
    apply.ends().exits(3).says([limit]).says_nowhere("no route").says_nowhere("no answer");
    ledger.is_untouched();
    assert_eq!(ensemble.administrator().znode("/zkplan"), None);
    let import = desk.run(["import", "--connect", &ensemble.client_address(1).to_string()]);
    let spec = desk.write("imported.yaml", &import.exits(0).stdout);
    desk.run(["plan", &spec, "--detailed-exitcode"]).exits(0).says(["No changes"]);
}

/// Where `srvr` is the only word, nothing tells the limit but what it does: at the latest beside the
/// session, before anything is sent on it.
#[test]
fn a_limit_that_no_word_tells_is_seen() {
    let ensemble = Builder::plain().setting("maxClientCnxns", "1").start_with([4]);
    let ledger = Ledger::begin(&ensemble);
    let spec = wanting(&ensemble, 1..=4, 1..=4);
    let limit = "a limit on connections (maxClientCnxns or maxCnxns). An apply needs two";
    let desk = Desk::accepting(&ensemble);
    for _ in 0..3 {
        desk.apply_spec(&spec).ends().exits(3).says([limit]).says_nowhere("no answer");
    }
    ledger.is_untouched();
    assert_eq!(ensemble.administrator().znode("/zkplan"), None);
    desk.plan(&wanting(&ensemble, 1..=3, 1..=3), &[]).exits(0).says(["No changes"]);
}

/// Another client has all that a server allows, from one address or in all. It is up.
#[test]
fn a_server_at_its_limit_is_not_called_down() {
    for limit in ["maxClientCnxns", "maxCnxns"] {
        let ensemble = Builder::rich().setting_of(1, limit, "1").start();
        let other = TcpStream::connect(ensemble.client_address(1)).expect("one connection");
        let contacts = [2, 3].map(|id| ensemble.client_address(id).to_string()).join(",");
        let spec = Spec::of(&ensemble, 1..=3).connect(&contacts);
        let plan = Desk::new().plan(&spec, &[]).exits(2);
        plan.says(["ZKF22", "closes every connection at once, because of a limit on connections"])
            .says_nowhere("counts as down")
            .says_nowhere("no route")
            .says_nowhere("no answer");
        drop(other);
    }
}

/// Servers answer words there and let no session in. That is no proof that writes fail, and disks
/// are no suspects.
#[test]
fn where_sessions_are_throttled_the_limit_is_named() {
    let throttle = |tokens: &str| {
        Builder::rich()
            .setting("connection_throttle_tokens", tokens)
            .setting("connection_throttle_fill_count", "0")
            .setting("connection_throttle_fill_time", "100000")
    };
    let ensemble = throttle("1").start_with([4]);
    let desk = Desk::new();
    let spec = wanting(&ensemble, 1..=4, 1..=4);
    // The first looks use up what each server lets in.
    for _ in 0..3 {
        desk.plan(&spec, &[]);
    }
    let named = ["closes the connection", "zookeeper.connection_throttle_tokens", "cannot check"];
    desk.plan(&spec, &[]).exits(10).says(named).says_nowhere("no write commits");
    desk.apply_spec(&spec).ends().exits(10).says(named).says_nowhere("no write commits");
}

fn are_enough(connections: &str) {
    let ensemble = limited(connections);
    let desk = Desk::new();
    let spec = onto_others(&ensemble);
    let before: Vec<String> = (1..=6).map(|id| rejected(&ensemble, id)).collect();
    desk.run(["import", "--connect", &ensemble.client_address(1).to_string()]).exits(0);
    desk.plan(&spec, &[]).exits(2);
    desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    is_at(&ensemble, &[4, 5, 6]);
    // A server counts what it closes: there were never more connections at a time than it allows.
    let after: Vec<String> = (1..=6).map(|id| rejected(&ensemble, id)).collect();
    assert_eq!(after, before);
}

#[test]
fn two_connections_are_enough() {
    are_enough("2");
}

#[test]
fn three_connections_are_enough() {
    are_enough("3");
}

/// Clients may have been shut out of the root: the check is refused then, which is committed as well.
#[test]
fn a_root_that_may_not_be_read_proves_a_write_all_the_same() {
    let ensemble = local_sessions().start();
    let acl = ["setAcl", "/", "auth:super:cdrwa"];
    let closed = ensemble.zkcli_session(1, &["addauth digest super:zkplan-test", &acl.join(" ")]);
    assert!(closed.status.success(), "{closed:?}");
    let spec = Spec::of(&ensemble, 1..=3).connect(&ensemble.connect_string());
    let before = ensemble.zxid(1);
    Desk::new().plan(&spec, &[]).exits(0).says(["No changes"]);
    assert!(ensemble.zxid(1) > before, "nothing was committed");
}

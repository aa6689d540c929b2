//! Who is sent the password, and servers that do not know the user.
//!
//! Each server's own log counts the credentials that it was sent; a listener that is no server keeps
//! every byte.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, PATIENCE, SUPER_PASSWORD, wait_until};
use crate::ledger::{Ledger, is_at};
use crate::spec::Spec;
use crate::zkplan::Desk;

/// What each of these servers was sent while something was done.
fn sent_while<T>(
    ensemble: &Ensemble,
    ids: impl IntoIterator<Item = u8>,
    done: impl FnOnce() -> T,
) -> (T, Vec<usize>) {
    let ids: Vec<u8> = ids.into_iter().collect();
    let count = || ids.iter().map(|id| ensemble.credentials_sent_to(*id)).collect::<Vec<_>>();
    let before = count();
    let result = done();
    let sent = count().into_iter().zip(before).map(|(after, before)| after - before);
    (result, sent.collect())
}

/// Listens, keeps what it is sent, and never answers.
struct Listener(Arc<Mutex<Vec<Vec<u8>>>>);

impl Listener {
    fn at(address: SocketAddr) -> Self {
        let heard: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        // The port of a killed server may take a moment to be free.
        let listener =
            wait_until("the port to be free", PATIENCE, || TcpListener::bind(address).ok());
        let of_all = Arc::clone(&heard);
        // Ends with the test's process: nothing tells it that no more connections come.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let heard = Arc::clone(&of_all);
                thread::spawn(move || keep(stream, &heard));
            }
        });
        Self(heard)
    }

    fn connections(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn has_heard(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.connections().iter().any(|all| all.windows(text.len()).any(|part| part == text))
    }
}

fn keep(mut stream: impl Read, heard: &Mutex<Vec<Vec<u8>>>) {
    let lock = || heard.lock().unwrap_or_else(PoisonError::into_inner);
    let index = {
        let mut heard = lock();
        heard.push(Vec::new());
        heard.len() - 1
    };
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        lock()[index].extend_from_slice(&buffer[..count]);
    }
}

/// Only member 3 is at an address that the file does not name; it would be as good as the others.
#[test]
fn the_password_goes_to_those_that_the_file_names() {
    let ensemble = Builder::rich().start_with([4]);
    let spec = wanting(&ensemble, [1, 2, 4], [1]);
    let desk = Desk::new();
    let run = || desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    let (outcome, sent) = sent_while(&ensemble, 1..=4, run);
    let at = |id: u8| format!("server {id} ({})", ensemble.client_address(id));
    outcome.says([at(1), at(2), at(4)]).says_nowhere(&at(3));
    assert!(sent[0] > 0 && sent[1] > 0, "each member is asked before anything is sent: {sent:?}");
    assert!(sent[3] > 0, "the joiner is asked once its data are proven: {sent:?}");
    assert_eq!(sent[2], 0, "the file does not name server 3: {sent:?}");
    is_at(&ensemble, &[1, 2, 4]);

    // Server 3 is retired and still follows; a file that names it sends it nothing all the same.
    ensemble.start_joiner(5);
    ensemble.wait_following(5);
    let spec = wanting(&ensemble, [1, 2, 4, 5], 1..=5);
    let run = || Desk::new().apply_spec(&spec).ends().exits(0);
    let (_, sent) = sent_while(&ensemble, 1..=5, run);
    assert!(sent[0] > 0 && sent[2] == 0, "a retired server is sent nothing: {sent:?}");
}

/// A file that names nothing but a joiner: the look finds the members by it, and none of them is
/// sent anything.
#[test]
fn members_that_no_file_names_are_sent_nothing() {
    let ensemble = Builder::rich().start_with([4]);
    let spec = wanting(&ensemble, [4], [4]).policy("maxShrink", "3").policy("minTolerance", "0");
    let spec = spec.policy("standaloneEnabled", "false");
    let desk = Desk::new();
    let apply = || desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(10);
    let (outcome, sent) = sent_while(&ensemble, 1..=4, apply);
    assert_eq!(sent, [0; 4], "only server 4 is named by the file, and it is no member");
    let members = [1, 2, 3].map(|id| ensemble.client_address(id).to_string());
    outcome.says([&*format!("--connect {}", members.join(",")), "Nothing was sent"]);
}

/// The target of a merge still runs an ensemble of its own.
#[test]
fn an_ensemble_of_its_own_is_sent_nothing() {
    let old = Builder::rich().start();
    let new = Builder::rich().participants([4, 5, 6]).start();
    let mut spec = wanting(&old, 1..=3, 1..=3);
    spec.servers.extend(Spec::of(&new, 4..=6).servers);
    let apply = || Desk::new().apply_spec(&spec).ends().exits(3);
    let (_, sent) = sent_while(&new, 4..=6, apply);
    assert_eq!(sent, [0; 3]);
}

/// The session's server dies, and something else listens at its address: what connects again
/// carries no password before that has taken the session.
#[test]
fn whatever_takes_a_dead_servers_port_is_sent_nothing() {
    let ensemble = Builder::rich().start_with([4]);
    let spec = wanting(&ensemble, 1..=4, 1..=4).session_timeout("10s");
    let desk = Desk::new();
    let apply = desk.apply_spec(&spec).with(&["--timeout", "20s"]);
    let mut apply = apply.at("STOP", "send join-4").start();
    apply.wait_frozen();
    let attached = apply.events().attached().map(str::to_owned).expect("a session");
    let on = (1..=3).find(|id| ensemble.client_address(*id).to_string() == attached);
    let on = on.expect("the session is on a member");
    ensemble.kill(on);
    let listener = Listener::at(ensemble.client_address(on));
    apply.thaw();
    // It goes on through another server; where a voter is missing it may have to stop.
    apply.ends().exits_with_one_of(&[0, 7, 9, 10]);
    assert!(!listener.connections().is_empty(), "nothing asked there");
    assert!(!listener.has_heard(SUPER_PASSWORD), "the password was sent to the listener");
}

/// In the middle of a run somebody reconfigures: a member is at another client address, which only
/// the ensemble tells. The session has to move, and does not go there.
#[test]
fn an_address_of_a_foreign_reconfig_is_sent_nothing() {
    let ensemble = Builder::rich().servers(5).start_with([6]);
    let spec = wanting(&ensemble, 1..=6, 1..=6).session_timeout("10s");
    let desk = Desk::new();
    let apply = desk.apply_spec(&spec).with(&["--timeout", "20s"]);
    let mut apply = apply.at("STOP", "send join-6").start();
    apply.wait_frozen();
    let attached = apply.events().attached().map(str::to_owned).expect("a session");
    let on = (1..=5).find(|id| ensemble.client_address(*id).to_string() == attached);
    let on = on.expect("the session is on a member");
    let leader = ensemble.wait_leader();
    let moved = (1..=5).find(|id| *id != on && *id != leader).expect("a follower");
    ensemble.reserve(9);
    let [from, to] = [moved, 9].map(|id| ensemble.client_address(id).port());
    let line = ensemble.server_line(moved).replace(&format!(":{from}"), &format!(":{to}"));
    let old = ensemble.client_address(moved);
    ensemble.administrator().add(&line);
    // It may take a moment to leave the address that the file names; there it may be sent one.
    wait_until("the server to have left its address", PATIENCE, || {
        TcpStream::connect(old).is_err().then_some(())
    });
    let before = ensemble.credentials_sent_to(moved);
    ensemble.kill(on);
    apply.thaw();
    apply.ends().exits_with_one_of(&[5, 7, 9]);
    assert_eq!(ensemble.credentials_sent_to(moved), before, "server {moved} was sent a password");
}

#[test]
fn a_joiner_without_the_super_user_gets_no_vote_until_it_has_it() {
    let ensemble = Builder::rich().without_super_user([4]).start_with([4]);
    let spec = wanting(&ensemble, 1..=4, 1..=3);
    let desk = Desk::new();
    let ledger = Ledger::begin(&ensemble);
    let refused = format!("server 4 ({}) refused user \"super\"", ensemble.client_address(4));
    let apply = desk.apply_spec(&spec).with(&["--timeout", "3s"]);
    apply.ends().exits(9).says([&*refused, "superDigest", "Its join is not sent", "zoo.cfg"]);
    ledger.membership_is_unchanged();

    ensemble.stop(4);
    ensemble.tell_super_user(4);
    // A joiner that restarts before its join needs its first files again.
    ensemble.restore_first_files(4);
    ensemble.start_again(4);
    ensemble.wait_following(4);
    desk.apply_spec(&spec).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

#[test]
fn a_member_without_the_super_user_is_named_and_another_is_used() {
    let ensemble = Builder::rich().without_super_user([1]).start_with([4]);
    let at = |id: u8| ensemble.client_address(id).to_string();
    let spec = wanting(&ensemble, 1..=4, 1..=4);
    let refused = format!("server 1 ({}) refused user \"super\"", at(1));
    let outcome = Desk::new().apply_spec(&spec).ends().exits(0).says([&*refused, "superDigest"]);
    assert_ne!(outcome.events.attached(), Some(&*at(1)), "the session stayed there");
    is_at(&ensemble, &[1, 2, 3, 4]);
}

#[test]
fn where_no_server_takes_the_user_each_is_named_and_nothing_is_sent() {
    let ensemble = Builder::rich().without_super_user(1..=3).start();
    ensemble.reserve(4);
    let spec = wanting(&ensemble, 1..=4, 1..=3);
    let outcome = Desk::new().apply_spec(&spec).ends().exits(10);
    let refused =
        (1..=3).map(|id| format!("server {id} ({}) refused", ensemble.client_address(id)));
    let outcome = outcome.says(refused).says(["superDigest=", "zoo.cfg"]);
    assert!(!outcome.events.outputs().contains(&"lock"), "it asks before it locks");
}

/// A plan that names no user is applied with the command that the refusal names.
#[test]
fn a_plan_without_a_user_is_applied_with_the_command_on_the_screen() {
    let ensemble = Builder::rich().start_with([4]);
    let desk = Desk::new();
    let mut spec = wanting(&ensemble, 1..=4, 1..=4);
    spec.connect_with.retain(|line| !line.contains("auth"));
    desk.plan(&spec, &["--out", "plan.json"]).exits(2);
    let outcome = desk.apply("plan.json").ends().exits(10);
    outcome.says(["the file has no user (connect.auth)", "zkplan apply plan.json --user super"]);
    desk.apply("plan.json").with(&["--user", "super"]).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);

    // The other sources, in their order: a flag, the variable, the file that a variable names.
    desk.write("right", SUPER_PASSWORD);
    let back = wanting(&ensemble, 1..=3, 1..=4);
    let flag = desk.apply_spec(&back).password("guess-4711").with(&["--password-file", "right"]);
    flag.ends().exits(0);
    desk.plan(&spec, &["--out", "plan.json"]).exits(2);
    let usage = desk.apply("plan.json").with(&["--password-file", "right"]);
    usage.ends().exits(64).says(["--user"]);
    let file = desk.apply("plan.json").with(&["--user", "super"]);
    let file = file.environment("ZKPLAN_PASSWORD", None);
    file.environment("ZKPLAN_PASSWORD_FILE", Some("right")).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

/// What a pipeline gives for a secret that is not set.
#[test]
fn an_empty_password_is_said_to_be_empty_and_is_not_sent() {
    let ensemble = Builder::rich().start_with([4]);
    let desk = Desk::new();
    let spec = wanting(&ensemble, 1..=4, 1..=4);
    let run = || {
        let empty = desk.apply_spec(&spec).password("").ends().exits(10);
        empty.says(["the password of super is empty", "ZKPLAN_PASSWORD"]);
        desk.write("empty", "\n");
        let empty = desk.apply_spec(&spec).with(&["--password-file", "empty"]).ends().exits(10);
        empty.says(["the password of super is empty", "the file empty is empty"]);
    };
    let ((), sent) = sent_while(&ensemble, 1..=4, run);
    assert_eq!(sent, [0; 4]);
    assert_eq!(ensemble.administrator().znode("/zkplan"), None);
}

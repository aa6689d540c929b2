//! The recipe of `zkplan explain recipes` for another chart or operator: pods of one `StatefulSet` replace those
//! of another one. Each pod has a machine of its own and the name that its headless service gives it, and the
//! old chart writes `0.0.0.0` into the own line of each server.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use crate::harness::Witness;
use crate::lab::Lab;
use crate::network;
use crate::operator::{Ended, STANDS_STILL, run, start_apply};
use crate::sandbox::inside;
use crate::say;
use crate::schedule::{CLIENT_PORT, ELECTION_PORT, QUORUM_PORT, address};
use crate::server::Setting;

const LIMIT: Duration = Duration::from_secs(300);

const OLD: [u8; 3] = [1, 2, 3];
const NEW: [u8; 3] = [4, 5, 6];

/// The name of a pod: ordinals begin with 0 in either set.
fn name(id: u8) -> String {
    match id {
        1..=3 => format!("zookeeper-{}.zookeeper-headless.orders.svc.cluster.local", id - 1),
        _ => format!("zk-{}.zk-headless.orders.svc.cluster.local", id - 4),
    }
}

/// The machine of a pod.
fn host(id: u8) -> usize {
    usize::from(id) - 1
}

/// A server line, with this host.
fn line(id: u8, host: &str) -> String {
    format!("server.{id}={host}:{QUORUM_PORT}:{ELECTION_PORT}:participant;{CLIENT_PORT}")
}

/// Has the names of all pods resolve on every machine.
fn resolve(lab: &Lab) {
    let mut hosts = "127.0.0.1 localhost\n".to_owned();
    for id in OLD.into_iter().chain(NEW) {
        writeln!(hosts, "{} {}", address(host(id)), name(id)).expect("a text takes everything");
    }
    let file = lab.file("hosts");
    fs::write(&file, hosts).expect("memory takes files");
    network::run("mount", &["--bind", &file.display().to_string(), "/etc/hosts"], "");
}

/// Writes the spec that wants these pods, and returns its name. The ensemble is reached at the old ones, each by
/// its own name.
fn write_spec(lab: &Lab, wanted: [u8; 3], file: &'static str) -> &'static str {
    let at = OLD.map(|id| format!("{}:{CLIENT_PORT}", name(id))).join(", ");
    let mut text = format!(
        "apiVersion: zkplan/v1\nensemble: orders\nconnect:\n  servers: [{at}]\n  auth: {{ scheme: digest, \
         user: super, password: {{ env: ZKPLAN_PASSWORD }} }}\n  sessionTimeout: 6s\nservers:\n"
    );
    for id in wanted {
        writeln!(text, "  - {{ id: {id}, host: {} }}", name(id)).expect("a text takes everything");
    }
    text += "policy:\n  clientPart: write\n  stableFor: 0s\n";
    fs::write(lab.file(file), text).expect("memory takes files");
    file
}

/// Shows how a command ended, which has to be so.
fn ends(ended: Ended, code: i32, says: &[&str]) -> Ended {
    let Ended { words, said, took, .. } = &ended;
    say(&format!("$ zkplan {words}\n{said}--- exit {:?} after {took:?}", ended.code));
    assert_eq!(ended.code, Some(code), "{said}");
    let one_line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in says {
        assert!(one_line.contains(words), "it does not say `{words}`\n{said}");
    }
    ended
}

/// The hosts of the members, as the leader has written them down.
fn hosts(lab: &Lab) -> Vec<(u8, String)> {
    let members = lab.wait("a leader", || lab.leader()).on_disk().members;
    let host = |line: String| line.split(':').next().unwrap_or_default().to_owned();
    members.into_iter().map(|(id, line)| (id, host(line))).collect()
}

/// First the lines with `0.0.0.0` are corrected, as the page says. Then the new pods join, get the clients, and the
/// old ones leave.
#[test]
fn a_stateful_set_replaces_that_of_another_chart() {
    inside(LIMIT, || {
        let lab = Lab::new(Setting::of_tick(200));
        resolve(&lab);
        for id in OLD {
            let host_seen_by =
                |other: u8| if other == id { "0.0.0.0".to_owned() } else { name(other) };
            lab.place(id, host(id), OLD.map(|other| line(other, &host_seen_by(other))).to_vec());
        }
        lab.wait_serving();
        let at = |ids: [u8; 3]| ids.map(|id| format!("{}:{CLIENT_PORT}", address(host(id))));
        let witness = Witness::at(&[at(OLD), at(NEW)].concat(), "");

        let old = write_spec(&lab, OLD, "old.yaml");
        ends(run(&lab, &["plan", old, "--detailed-exitcode"]), 2, &["ZKF4", "readdress-"]);
        ends(start_apply(&lab, old, &[], STANDS_STILL, None).ends(), 0, &[]);
        assert_eq!(hosts(&lab), OLD.map(|id| (id, name(id))));

        let new = write_spec(&lab, NEW, "new.yaml");
        ends(
            run(&lab, &["joiner", new, "--all", "-o", "joiners"]),
            0,
            &["Files of servers 4, 5 and 6"],
        );
        for id in NEW {
            let lines = fs::read_to_string(lab.file(&format!("joiners/{id}/zoo.cfg.dynamic")));
            let lines = lines.expect("it was written");
            lab.place(id, host(id), lines.lines().map(str::to_owned).collect());
        }
        lab.wait_serving();
        ends(start_apply(&lab, new, &[], STANDS_STILL, None).ends(), 0, &[]);
        assert_eq!(hosts(&lab), NEW.map(|id| (id, name(id))));
        // The old set is scaled to 0, the highest ordinal first.
        for id in OLD.into_iter().rev() {
            lab.remove(id);
        }
        ends(run(&lab, &["status", new]), 0, &["tolerates 1 failure now", "No changes"]);
        let servers = NEW.map(|id| (id, lab.server(id).client_address())).to_vec();
        say(&format!("the application {}", witness.finish_at(servers)));
    });
}

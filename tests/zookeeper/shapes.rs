//! Ensembles as people set them up: files that differ from server to server, and lines that name no
//! address.

use std::collections::BTreeSet;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, PATIENCE, Witness, wait_until};
use crate::ledger::is_at;
use crate::show;
use crate::spec::Spec;
use crate::zkplan::Desk;

/// Where clients reach these servers, each at the host under which the others know it.
fn addresses(ensemble: &Ensemble, ids: impl IntoIterator<Item = u8>) -> String {
    let at = |id: u8| format!("{}:{}", ensemble.host_of(id), ensemble.client_address(id).port());
    ids.into_iter().map(at).collect::<Vec<_>>().join(",")
}

/// Wants these servers; the ensemble is reached at 1 to 3.
fn wants(ensemble: &Ensemble, ids: impl IntoIterator<Item = u8>) -> Spec {
    wanting(ensemble, ids, []).connect(&addresses(ensemble, 1..=3))
}

/// Static files with the times of a test.
fn static_files() -> Builder {
    let quick = [("tickTime", "200"), ("initLimit", "50"), ("syncLimit", "10")];
    quick.into_iter().fold(Builder::plain(), |builder, (key, value)| builder.setting(key, value))
}

/// Without reconfigs each server shows its own file.
fn is_one_ensemble(ensemble: &Ensemble) -> String {
    let desk = Desk::new();
    let at = addresses(ensemble, 1..=3);
    let imported = desk.run(["import", "--connect", &at]).exits(0);
    let text = imported.stdout.clone();
    imported.says(["has different lines for some servers"]);
    let spec = desk.write("imported.yaml", &text);
    let plan = desk.run(["plan", &spec, "--detailed-exitcode"]).exits(0);
    plan.says(["No changes", "3 of 3 voters synced", "ZKF23", "reconfigEnabled=true"]);
    text
}

#[test]
fn a_wildcard_in_each_own_line_is_one_ensemble() {
    let builder = static_files().hosts_apart().own_host("0.0.0.0").reconfig_enabled(false);
    for whitelist in ["srvr", "*"] {
        let ensemble = builder.clone().setting("4lw.commands.whitelist", whitelist).start();
        let imported = is_one_ensemble(&ensemble);
        assert!(!imported.contains("0.0.0.0"), "{imported}");
        for id in 1..=3 {
            let host = format!("host: {}\n", ensemble.host_of(id));
            assert!(imported.contains(&host), "server {id}: {imported}");
        }
    }
}

#[test]
fn another_name_in_each_own_line_is_one_ensemble() {
    let builder = static_files().host("127.0.0.1").own_host("localhost").reconfig_enabled(false);
    is_one_ensemble(&builder.setting("4lw.commands.whitelist", "*").start());
}

/// The line of the first leader is that of all then.
#[test]
fn an_ensemble_with_a_wildcard_moves_onto_new_servers() {
    for builder in [Builder::rich(), static_files()] {
        let ensemble = builder.hosts_apart().own_host("0.0.0.0").start_with([4, 5, 6]);
        let desk = Desk::accepting(&ensemble);
        let at = addresses(&ensemble, 1..=3);
        let imported = desk.run(["import", "--connect", &at]).exits(0);
        let leader = ensemble.wait_leader();
        imported.says([format!("the quorum host of server {leader} is a wildcard")]);
        let apply = desk.apply_spec(&wants(&ensemble, 4..=6)).with(&["--approve", "cutover"]);
        apply.ends().exits(0);
        is_at(&ensemble, &[4, 5, 6]);
    }
}

/// The servers connect to each other by other addresses; that of the leader is mended last.
#[test]
fn a_wildcard_is_mended_in_place() {
    let ensemble = Builder::rich().hosts_apart().own_host("0.0.0.0").start();
    let leader = ensemble.wait_leader();
    ensemble.administrator().write_below("/kept", 3);
    let kept = ensemble.administrator().tree("/kept");
    let line = ensemble.administrator().config().line(leader).map(str::to_owned);
    assert!(line.is_some_and(|line| line.contains("=0.0.0.0:")));
    let desk = Desk::new();
    let spec = desk.run(["import", "--connect", &addresses(&ensemble, 1..=3)]).exits(0).stdout;
    let spec = desk.write("imported.yaml", &spec);
    let plan = desk.run(["plan", &spec, "--detailed-exitcode"]).exits(2);
    plan.says([format!("readdress-{leader}")]).says_nowhere("ZKF24");
    desk.apply_spec(&wants(&ensemble, 1..=3)).ends().exits(0);
    let members = ensemble.administrator().config().members;
    assert!(members.iter().all(|line| !line.contains("=0.0.0.0:")), "{members:?}");
    assert_eq!(ensemble.administrator().tree("/kept"), kept);
    desk.run(["plan", &spec, "--detailed-exitcode"]).exits(0).says(["No changes"]);
}

/// On several machines the others cannot connect to a server whose line is a wildcard. Here it has a
/// file by which it cannot connect to them.
#[test]
fn a_voter_that_finds_no_leader_is_mended_with_its_data() {
    let ensemble = Builder::rich().hosts_apart().start();
    ensemble.administrator().write_below("/kept", 3);
    let kept = ensemble.administrator().tree("/kept");
    let lines = ensemble.present_membership();
    ensemble.kill(2);
    ensemble.wait_leader();
    let wild = ensemble.server_line(2).replace("=127.0.0.2:", "=0.0.0.0:");
    ensemble.administrator().add(&wild);
    let alone =
        [&lines[1], "server.1=127.0.0.1:1:2:participant", "server.3=127.0.0.3:1:2:participant"];
    ensemble.start_with_members(2, &alone.map(str::to_owned));
    wait_until("server 2 to look for a leader", PATIENCE, || {
        ensemble.ask(2, "srvr").ok().filter(|said| said.contains("not currently serving"))
    });

    let desk = Desk::new();
    let spec = wants(&ensemble, 1..=3);
    let why = ["ZKF24", "re-address", "not serving", "--accept ZKF24"];
    let refused = desk.plan(&spec, &[]).exits(3).says(why);
    refused.says_nowhere("reuseIds").says_nowhere("blank");
    desk.apply_spec(&spec).ends().exits(3).says(["ZKF24"]);
    let apply = desk.apply_spec(&spec).with(&["--accept", "ZKF24"]).start();
    wait_until("the line of server 2 to have its host", PATIENCE, || {
        let config = ensemble.administrator().config();
        config.line(2).filter(|line| line.contains("=127.0.0.2:")).map(drop)
    });
    ensemble.stop(2);
    ensemble.start_with_members(2, &lines);
    apply.ends().exits(0);
    ensemble.wait_following(2);
    is_at(&ensemble, &[1, 2, 3]);
    assert_eq!(ensemble.administrator().tree("/kept"), kept);
    desk.plan(&spec, &[]).exits(0).says(["No changes"]);
}

/// The client port that a line gets is the one at which the server listens already. All have theirs
/// before a server joins whose line has one from the start: clients that read the configuration would
/// know that one alone. No server is away for it.
#[test]
fn client_ports_are_written_into_lines_of_static_origin() {
    let ensemble = static_files().start_with([4]);
    let witness = Witness::of(&ensemble, 1..=3);
    let (leader, epoch) = (ensemble.wait_leader(), ensemble.epoch());
    let desk = Desk::accepting(&ensemble);
    let mixed = wants(&ensemble, 1..=4);
    desk.plan(&mixed, &[]).exits(2).says(["ZKF27", "Curator clients will see only server 4"]);
    let spec = mixed.policy("clientPart", "write");
    desk.plan(&spec, &[]).exits(2).says_nowhere("ZKF27");
    let done = desk.apply_spec(&spec).ends().exits(0);
    let steps: Vec<&str> = done.events.committed().into_iter().map(|(step, _)| step).collect();
    // In which order the lines get their parts makes no difference: no server is away, the leader neither.
    let [first @ .., last] = &steps[..] else { panic!("no step\n{done}") };
    let first: BTreeSet<&str> = first.iter().copied().collect();
    assert_eq!(first, BTreeSet::from(["readdress-1", "readdress-2", "readdress-3"]), "{done}");
    assert_eq!((*last, steps.len()), ("join-4", 4), "{done}");
    assert_eq!((ensemble.wait_leader(), ensemble.epoch()), (leader, epoch), "no election");
    show(&witness.finish(&ensemble, 1..=4).to_string());
    let config = ensemble.administrator().config();
    for id in 1..=4 {
        let part = format!(";0.0.0.0:{}", ensemble.client_address(id).port());
        assert!(config.line(id).is_some_and(|line| line.ends_with(&part)), "{config:?}");
    }
    desk.plan(&spec, &[]).exits(0).says(["No changes"]);
}

/// Lines as Strimzi writes them: plain client ports are for the server's own machine.
#[test]
fn members_that_take_clients_on_their_own_machine_alone_stay_as_they_are() {
    let ensemble = Builder::rich().client_host("127.0.0.1").start();
    let desk = Desk::new();
    let one = ensemble.client_address(1).to_string();
    let imported = desk.run(["import", "--connect", &one]).exits(0).says_nowhere("not valid");
    assert_eq!(imported.stdout.matches("clientHost: 127.0.0.1").count(), 3, "{}", imported.stdout);
    let spec = desk.write("imported.yaml", &imported.stdout);
    desk.run(["validate", &spec]).exits(0);
    let plan = desk.run(["plan", &spec, "--detailed-exitcode"]).exits(0);
    plan.says(["No changes"]).says_nowhere("answers as server");
}

/// Its other servers keep their client ports to themselves: the import says of which, and the spec is
/// valid once they are written down.
#[test]
fn one_address_of_a_static_ensemble_leads_to_one_client_port() {
    let ensemble = Builder::plain().start();
    let desk = Desk::new();
    let one = ensemble.client_address(1).to_string();
    let imported = desk.run(["import", "--connect", &one]).exits(0);
    let mut text = imported.stdout.clone();
    imported.says(["the client port of servers 2, 3 is not known: add it to the server line"]);
    let spec = desk.write("imported.yaml", &text);
    let wrong = desk.run(["validate", &spec]).exits(65);
    wrong.says(["the server line has no client part", "add `;2181` to the line"]);
    for id in [2, 3] {
        let (line, port) = (ensemble.server_line(id), ensemble.client_address(id).port());
        assert!(text.contains(&line), "{text}");
        text = text.replace(&line, &format!("{line};{port}"));
    }
    let spec = desk.write("imported.yaml", &text);
    desk.run(["plan", &spec, "--detailed-exitcode"]).exits(0).says(["No changes"]);
}

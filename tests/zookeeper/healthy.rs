//! A healthy ensemble of three voters and an observer, to which nobody wants to join: what it is,
//! and what may become of its members.

use std::time::Duration;

use crate::harness::{Builder, Ensemble, Role, wait_until};
use crate::spec::{Form, Spec, hides_client_ports};
use crate::zkplan::{Desk, Outcome};

on_both_profiles! { is_as_it_is is_changed is_read_from_a_file is_left_as_it_was }

fn start(builder: &Builder) -> Ensemble {
    builder.clone().observers([9]).start()
}

fn needs_no_changes(outcome: Outcome) {
    outcome.exits(0).says(["No changes"]).says_nowhere("no answer");
}

/// Import, then plan, says that there is nothing to do; so does a spec that says the same otherwise.
fn is_as_it_is(builder: &Builder) {
    let ensemble = start(builder);
    let desk = Desk::new();

    // Where the configuration names the client ports, one address leads to all.
    let contact = if hides_client_ports(&ensemble) {
        ensemble.connect_string()
    } else {
        ensemble.client_address(1).to_string()
    };
    let spec = desk.run(["import", "--connect", &contact]).exits(0).stdout;
    let spec = desk.write("imported.yaml", &spec);
    needs_no_changes(desk.run(["plan", &spec, "--detailed-exitcode"]));

    let zoo_cfg = ensemble.file(1, "zoo.cfg");
    let import = desk.run(["import".as_ref(), "--zoo-cfg".as_ref(), zoo_cfg.as_os_str()]).exits(0);
    let mut spec = import.stdout.clone();
    if hides_client_ports(&ensemble) {
        // Each zoo.cfg tells its own client port only. The import says so, and the operator helps.
        import.says(["note", "client port"]);
        for id in [1, 2, 3, 9] {
            let (line, port) = (ensemble.server_line(id), ensemble.client_address(id).port());
            assert!(spec.contains(&line), "{spec}");
            spec = spec.replace(&line, &format!("{line};{port}"));
        }
    }
    let spec = desk.write("from-zoo-cfg.yaml", &spec);
    needs_no_changes(desk.run(["plan", &spec, "--detailed-exitcode"]));

    for form in [Form::Keys, Form::Lines] {
        needs_no_changes(desk.plan(&Spec::of(&ensemble, [1, 2, 3, 9]).form(form), &[]));
    }

    // A spec whose password is not at hand can be looked at all the same.
    let mut spec = Spec::of(&ensemble, [1, 2, 3, 9]).auth("super");
    needs_no_changes(desk.plan(&spec, &["--out", "plan.json"]));
    desk.run(["show", "plan.json"]).exits(0);
    let absent = "  auth: { scheme: digest, user: super, password: { file: no-such-file } }";
    spec.connect_with = vec![absent.to_owned()];
    needs_no_changes(desk.plan(&spec, &[]));
}

/// Rows of `tests/common-changes.md` that need no newcomer.
fn is_changed(builder: &Builder) {
    let ensemble = start(builder);
    let desk = Desk::new();
    let leader = ensemble.wait_leader();
    let spec =
        |ids: &[u8]| Spec::of(&ensemble, ids.iter().copied()).connect(&ensemble.connect_string());
    let all = || spec(&[1, 2, 3, 9]);
    let is_planned = |spec: &Spec, reconfigs: &[&str], spare: i64| {
        let plan = desk.planned(spec, &[]);
        assert_eq!(plan.reconfigs(), reconfigs, "{:#}", plan.0);
        assert_eq!(plan.worst_spare(), spare, "{:#}", plan.0);
        assert_eq!(plan.0["base"]["leader"], leader);
    };

    // 3 to 2.
    is_planned(&spec(&[1, 2, 9]), &["leave-3"], 0);
    // 3 to 1, whoever leads among those that go.
    let to_one = spec(&[1, 9]);
    let refusal = desk.refused(&to_one, 3, &[]);
    assert_eq!(refusal["breaches"][0]["code"], "ZKQ9", "{refusal:#}");
    assert_eq!(refusal["remedies"][0]["exact"], "policy.standaloneEnabled: false", "{refusal:#}");
    desk.plan(&to_one, &[]).exits(3).says(["standaloneEnabled: false"]);
    let order = if leader == 2 { ["leave-3", "leave-2"] } else { ["leave-2", "leave-3"] };
    is_planned(&to_one.policy("standaloneEnabled", "false"), &order, 0);
    // Observer out, observer promoted.
    is_planned(&spec(&[1, 2, 3]), &["leave-9"], 1);
    is_planned(&all().role(9, Role::Participant), &["unlist-9", "promote-9"], 1);
    // Leader demoted, and said to hand over.
    let demoted = all().role(leader, Role::Observer);
    is_planned(&demoted, &[&format!("demote-{leader}")], 0);
    assert_eq!(desk.planned(&demoted, &[]).0["summary"]["mayChangeLeader"], true);
    // Quorum and election ports re-addressed: nobody listens on the new ones yet.
    ensemble.reserve(7);
    let moved = all().with(2, |server| {
        server.quorum_port = ensemble.quorum_port(7);
        server.election_port = ensemble.election_port(7);
    });
    is_planned(&moved, &["readdress-2"], 0);
    // Host renamed: the same process under another name.
    let other = if ensemble.host() == "localhost" { "127.0.0.1" } else { "localhost" };
    let renamed = all().with(2, |server| other.clone_into(&mut server.host));
    is_planned(&renamed, &["readdress-2"], 0);

    // Where the configuration hides the leader's client port and nothing else names it, the screen
    // says what to add.
    let stay: Vec<u8> = (1..=3).filter(|id| *id != leader).collect();
    let mut without = spec(&stay);
    is_planned(&spec(&[&stay[..], &[9]].concat()), &[&format!("leave-{leader}")], 0);
    without.connect.clear();
    if hides_client_ports(&ensemble) {
        desk.plan(&without, &[]).exits(10).says(["connect.servers"]);
    }

    // Each where the other is: the screen names both ids.
    let [first, second] = [1, 2].map(|id| ensemble.client_address(id).port());
    let swapped = all().with(1, |s| s.client_port = second).with(2, |s| s.client_port = first);
    desk.plan(&swapped, &[]).exits(3).says([
        "Server 1 is in the spec, and the server at its address answers with id 2",
        "Server 2 is in the spec, and the server at its address answers with id 1",
    ]);
}

/// `--live FILE` asks nobody, says so, and comes to the plan with the same id.
fn is_read_from_a_file(builder: &Builder) {
    let ensemble = start(builder);
    let desk = Desk::new();
    let text = ensemble.zkcli(1, &["config"]).stdout;
    let text = String::from_utf8(text).expect("a configuration is text");
    let config: Vec<&str> =
        text.lines().filter(|l| l.starts_with("server.") || l.starts_with("version=")).collect();
    assert_eq!(config.len(), 5, "{text}");
    let live = desk.write("live", &config.join("\n"));

    let spec = Spec::of(&ensemble, [1, 2, 3]).role(2, Role::Observer);
    let spec = spec.connect(&ensemble.connect_string());
    let asked = desk.planned(&spec, &[]);
    let assumed = desk.planned(&spec, &["--live", &live]);
    assert_eq!(asked.0["base"]["version"], assumed.0["base"]["version"]);
    assert_eq!(
        (&asked.0["base"]["assumed"], &assumed.0["base"]["assumed"]),
        (&false.into(), &true.into())
    );
    // One grant fits whoever leads: nobody was asked who does.
    assert_eq!(assumed.0["base"]["leader"], serde_json::Value::Null);
    assert_eq!(asked.0["planId"], assumed.0["planId"], "{:#}\n{:#}", asked.0, assumed.0);
    desk.plan(&spec, &["--live", &live]).exits(2).says(["no server was asked", "assumed"]);
}

/// Looking leaves no session, no znode and no new configuration behind.
fn is_left_as_it_was(builder: &Builder) {
    let ensemble = start(builder);
    let desk = Desk::new();
    let state = || {
        let state = ensemble.zkcli_session(1, &["config", "ls -R /"]).stdout;
        let state = String::from_utf8(state).expect("all names are text");
        let facts = |line: &&str| {
            line.starts_with('/') || line.starts_with("server.") || line.starts_with("version=")
        };
        state.lines().filter(facts).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = state();
    assert!(before.iter().any(|line| line == "version=100000000"), "{before:?}");
    assert!(before.iter().any(|line| line == "/zookeeper/config"), "{before:?}");

    desk.run(["import", "--connect", &ensemble.connect_string()]).exits(0);
    let spec = Spec::of(&ensemble, [1, 2, 9]).connect(&ensemble.connect_string());
    desk.plan(&spec, &["--out", "plan.json"]).exits(2);
    needs_no_changes(desk.plan(&Spec::of(&ensemble, [1, 2, 3, 9]), &[]));

    // Far shorter than any session of zkplan lasts: a session left open would still be seen.
    let soon = Duration::from_secs(3);
    for id in [1, 2, 3, 9] {
        // The one connection is the question itself.
        wait_until(format!("the connections of server {id} to be closed"), soon, || {
            ensemble.ask(id, "srvr").ok()?.contains("\nConnections: 1\n").then_some(())
        });
    }
    if !hides_client_ports(&ensemble) {
        let leader = ensemble.wait_leader();
        wait_until("all sessions to be closed", soon, || {
            let dump = ensemble.ask(leader, "dump").ok()?;
            (!dump.lines().any(|line| line.starts_with("0x"))).then_some(())
        });
    }
    assert_eq!(state(), before);
}

/// With a short whitelist, the `AdminServer` tells what the words do not.
#[test]
fn an_admin_server_is_asked() {
    let builder = Builder::rich().admin_server().setting("4lw.commands.whitelist", "srvr");
    let ensemble = builder.observers([9]).start();
    let desk = Desk::new();

    let spec = Spec::of(&ensemble, [1, 2, 3, 9]);
    assert!(spec.text().contains("admin: \"http://"), "{}", spec.text());
    needs_no_changes(desk.plan(&spec, &[]));
    ensemble.start_joiner(4);
    ensemble.wait_following(4);
    let joined = Spec::of(&ensemble, [1, 2, 3, 4, 9]);
    let accept = ["--accept", "ZKF20"];
    assert_eq!(desk.planned(&joined, &accept).reconfigs(), ["join-4"]);
    desk.plan(&joined, &accept).exits(2).says(["id 4 from its AdminServer"]);
}

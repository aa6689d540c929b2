//! Names in the live configuration that would take over a terminal, or lead a reader astray.

use zookeeper_client::{Client, EnsembleUpdate};

use crate::harness::{Builder, Ensemble, Role, SUPER_PASSWORD};
use crate::zkplan::{Desk, Spec};

on_both_profiles! { names_cannot_take_over_a_terminal }

/// Resets a terminal, the same in one byte, rings, and turns what follows around.
const HOST: &str = "evil\u{1b}c\u{9b}2J\u{7}\u{202e}txt.example";

fn names_cannot_take_over_a_terminal(builder: &Builder) {
    let ensemble = builder.clone().start();
    add(&ensemble, &format!("server.9={HOST}:2888:3888:observer;2181"));
    let desk = Desk::new();

    // Every run here holds its output to printable ASCII.
    let spec = Spec::of(&ensemble, [1, 2, 3]).role(2, Role::Observer);
    let spec = spec.connect(&ensemble.connect_string());
    let flagged = ["ZKF3", "server 9", "evil"];
    desk.plan(&spec, &["--out", "plan.json"]).exits(2).says(flagged);
    let plan = desk.planned(&spec, &[]);
    let members = plan.0["base"]["members"].as_array().expect("members");
    let hostile = members.iter().filter_map(|line| line.as_str()).find(|l| l.contains("server.9="));
    // The plan file keeps the name as it is, for whoever compares.
    assert!(hostile.expect("it is a member").contains(HOST), "{members:?}");
    for format in ["text", "json", "dot"] {
        desk.run(["show", "plan.json", "--format", format]).exits(0);
        desk.plan(&spec, &["--format", format]).exits(2);
    }
    desk.run(["show", "plan.json"]).exits(0).says(flagged);
    let saved = desk.read("plan.json");
    assert!(saved.chars().all(|char| matches!(char, '\n' | ' '..='~')), "{saved:?}");
    // No spec can ask for such a server: the import says so, and so does whoever reads it.
    let import = desk.run(["import", "--connect", &ensemble.connect_string()]).exits(0);
    let import = import.says(["of server 9 cannot stand in a spec"]);
    desk.write("imported.yaml", &import.stdout);
    desk.run(["plan", "imported.yaml"]).exits(65).says(["imported.yaml", "host"]);
}

/// Adds a server with ZooKeeper's leave; its own command line cannot send such a name.
fn add(ensemble: &Ensemble, line: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let address = ensemble.client_address(ensemble.wait_leader()).to_string();
    runtime.expect("a runtime for one client").block_on(async {
        let credentials = format!("super:{SUPER_PASSWORD}");
        let connector = Client::connector().with_auth("digest", credentials.as_bytes());
        let client = connector.connect(&address).await.expect("the leader serves");
        let update = EnsembleUpdate::Incremental {
            joinings: Some(line).into_iter(),
            leavings: None.into_iter(),
        };
        client.update_ensemble(update, None).await.expect("ZooKeeper takes any name");
    });
}

//! Names in the live configuration that would take over a terminal, or lead a reader astray.

use crate::harness::{Builder, Role};
use crate::spec::Spec;
use crate::zkplan::Desk;

on_both_profiles! { names_cannot_take_over_a_terminal }

/// Resets a terminal, the same in one byte, rings, and turns what follows around.
pub(crate) const HOST: &str = "evil\u{1b}c\u{9b}2J\u{7}\u{202e}txt.example";

fn names_cannot_take_over_a_terminal(builder: &Builder) {
    let ensemble = builder.clone().start();
    // ZooKeeper takes any name; only its own command line cannot send such a one.
    ensemble.administrator().add(&format!("server.9={HOST}:2888:3888:observer;2181"));
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
    let import = import.says(["this spec is not valid yet: server 9"]);
    desk.write("imported.yaml", &import.stdout);
    desk.run(["plan", "imported.yaml"]).exits(65).says(["imported.yaml", "host"]);
}

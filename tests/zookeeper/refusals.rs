//! Where zkplan can do nothing, it says why and what would help.

use std::fs;

use crate::harness::{Builder, Role};
use crate::spec::Spec;
use crate::zkplan::Desk;

on_both_profiles! { a_member_is_another_server a_standalone_server reconfig_is_disabled nobody_answers }

/// Where the configuration has server 2, a server with another id answers: somebody mixed up two
/// data directories.
fn a_member_is_another_server(builder: &Builder) {
    let ensemble = builder.clone().start();
    ensemble.stop(2);
    ensemble.restore_first_files(2);
    fs::write(ensemble.file(2, "data/myid"), "8\n").expect("the server is stopped");
    for name in ["zoo.cfg", "zoo.cfg.dynamic"] {
        if let Ok(text) = fs::read_to_string(ensemble.file(2, name)) {
            let text = text.replace("server.2=", "server.8=");
            fs::write(ensemble.file(2, name), text).expect("the server is stopped");
        }
    }
    ensemble.start_again(2);
    ensemble.wait_following(2);
    let desk = Desk::new();

    let spec = Spec::of(&ensemble, [1, 2, 3]);
    desk.plan(&spec, &[]).exits(3).says(["Server 2", "answers with id 8"]);
}

fn a_standalone_server(builder: &Builder) {
    let server = builder.clone().standalone().start();
    server.reserve(2);
    let desk = Desk::new();
    let remedy = ["runs standalone", "zkplan explain first-quorum", "Put them back"];

    desk.run(["import", "--connect", &server.connect_string()]).exits(3).says(remedy);
    // It may become the first voter of an ensemble.
    for spec in [Spec::of(&server, [1]), Spec::of(&server, [1, 2])] {
        let files = ["First quorum", "standaloneEnabled=false", "reconfigEnabled=true"];
        desk.plan(&spec, &[]).exits(2).says(files);
    }
    // It is no server of the ensemble: what it has below /zkplan says nothing of runs and locks.
    let spec = desk.write("standalone.yaml", &Spec::of(&server, [1]).text());
    desk.run(["history", &spec]).exits(3).says(remedy);
    desk.run(["unlock", &spec, "abc"]).exits(3).says(remedy);
}

fn reconfig_is_disabled(builder: &Builder) {
    let ensemble = builder.clone().reconfig_enabled(false).start();
    ensemble.reserve(4);
    let desk = Desk::new();

    let spec = desk.run(["import", "--connect", &ensemble.connect_string()]).exits(0).stdout;
    let spec = desk.write("imported.yaml", &spec);
    desk.run(["plan", &spec, "--detailed-exitcode"]).exits(0).says(["No changes"]);
    let joined = Spec::of(&ensemble, [1, 2, 3, 4]).role(4, Role::Observer);
    desk.plan(&joined, &[]).exits(10).says(["reconfigEnabled=true"]);
}

fn nobody_answers(builder: &Builder) {
    // The one server only lends the others their ports; nobody asks it.
    let ensemble = builder.clone().servers(1).start();
    for id in [2, 3, 4] {
        ensemble.reserve(id);
    }
    let desk = Desk::new();
    let addresses = [2, 3, 4].map(|id| ensemble.client_address(id).to_string());

    let outcome = desk.run(["import", "--connect", &addresses.join(",")]);
    outcome.exits(10).says(&addresses).says(["connection refused"]);
    let spec = Spec::of(&ensemble, [2, 3]).connect(&addresses[2]);
    let wanted =
        [2, 3].map(|id| format!("{}:{}", ensemble.host(), ensemble.client_address(id).port()));
    desk.plan(&spec, &[]).exits(10).says(&wanted).says([&addresses[2]]);
}

/// Of two names nobody sees that they are one machine, before they are resolved.
#[test]
fn two_names_of_one_machine_share_no_port() {
    let ensemble = Builder::rich().start();
    for id in [4, 5] {
        ensemble.reserve(id);
    }
    // One after the other, and by one request.
    for changes_per_step in ["1", "0"] {
        let spec = Spec::of(&ensemble, 1..=5).policy("changesPerStep", changes_per_step);
        let spec = spec.with(5, |server| {
            "localhost".clone_into(&mut server.host);
            server.quorum_port = ensemble.quorum_port(4);
        });
        let refusal = Desk::new().refused(&spec, 3, &[]);
        assert_eq!(refusal["breaches"][0]["code"], "ZKQ10", "{refusal:#}");
        let port = format!("would use port {} of its host", ensemble.quorum_port(4));
        Desk::new().plan(&spec, &[]).exits(3).says([port]);
    }
}

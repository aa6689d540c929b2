//! Settings that a spec wants: what real servers show of them, and the edit that brings them about.

use std::fs;

use zkplan::model::{SettingName, latin_1};
use zkplan::settings::{SuperUser, edit};

use crate::harness::{Builder, Ensemble};
use crate::spec::Spec;
use crate::zkplan::{Desk, Outcome};

/// The text of a spec of the three servers with these settings.
fn wanting(ensemble: &Ensemble, settings: &str) -> String {
    format!("{}settings: {settings}\n", Spec::of(ensemble, 1..=3).text())
}

fn plan(desk: &Desk, spec: &str) -> Outcome {
    let file = desk.write("spec.yaml", spec);
    desk.run(["plan", &file, "--detailed-exitcode"]).exits(0).says(["No changes"])
}

/// The same where settings differ, so that members are to be restarted.
fn plan_restarts(desk: &Desk, spec: &str) -> Outcome {
    let file = desk.write("spec.yaml", spec);
    desk.run(["plan", &file, "--detailed-exitcode"])
        .exits(2)
        .says(["What changes with the restarts"])
}

/// The wanted settings of a spec.
fn settings_of(spec: &str) -> zkplan::model::WantedSettings {
    zkplan::spec::parse("spec.yaml", spec).expect("a spec").settings
}

#[test]
fn one_server_that_differs_is_named_until_its_edit_is_in_force() {
    let builder = Builder::rich().setting_of(2, "initLimit", "5");
    let ensemble = builder.setting_of(2, "4lw.commands.whitelist", "srvr, conf, ruok").start();
    let desk = Desk::new();
    let spec = wanting(
        &ensemble,
        "{ reconfigEnabled: true, fourLetterWords: [srvr, conf, mntr, hash], initLimit: \">=50\", \
         syncLimit: 10, tickTime: 200, version: \"3.8.0\" }",
    );
    let differs = [
        "ZKF25",
        "fourLetterWords on server 2 (hash, mntr not allowed)",
        "initLimit on server 2 (wanted >=50, seen 5)",
    ];
    let named = plan_restarts(&desk, &spec).says(differs).says(["restart 1 server"]);
    for quiet in ["reconfigEnabled on", "syncLimit on", "tickTime on", "version on", "server 1 ("] {
        assert!(!named.has_said(&[quiet]), "{quiet}: {}", named.stdout);
    }

    let zoo_cfg = ensemble.file(2, "zoo.cfg");
    let before = latin_1(&fs::read(&zoo_cfg).expect("a zoo.cfg"));
    let user = SuperUser::Digest("super", None);
    let edit = edit(&before, &settings_of(&spec), user).expect("a file that is read");
    assert!(!edit.is_empty());
    fs::write(&zoo_cfg, &edit.after).expect("a file that can be written");
    ensemble.stop(2);
    ensemble.start_again(2);
    ensemble.wait_following(2);
    plan(&desk, &spec).says_nowhere("ZKF25");

    let other = spec.replace("3.8.0", "3.9.5");
    plan_restarts(&desk, &other).says(["version on servers 1, 2 and 3 (wanted 3.9.5, seen 3.8.0)"]);
}

/// Words beside `srvr` are not allowed by default.
#[test]
fn what_no_server_shows_is_no_difference() {
    let ensemble = Builder::plain().start();
    let numbers = SettingName::NUMBERS.map(|name| format!("{name}: 77"));
    let settings =
        format!("{{ reconfigEnabled: true, superuser: required, {} }}", numbers.join(", "));
    let spec = wanting(&ensemble, &settings);
    let desk = Desk::new();
    plan(&desk, &spec).says_nowhere("ZKF25");
}

#[test]
fn the_adminserver_shows_what_no_word_does() {
    let builder = Builder::rich().admin_server().setting("4lw.commands.whitelist", "srvr, ruok");
    let ensemble = builder.start();
    let desk = Desk::new();
    let as_they_are = "{ fourLetterWords: [ruok], tickTime: 200, minSessionTimeout: 400, \
                       maxSessionTimeout: 20000, maxClientCnxns: \">=60\", initLimit: 1 }";
    plan(&desk, &wanting(&ensemble, as_they_are)).says_nowhere("ZKF25");
    let otherwise = "{ fourLetterWords: [wchs], tickTime: 2000 }";
    plan_restarts(&desk, &wanting(&ensemble, otherwise)).says([
        "fourLetterWords on servers 1, 2 and 3 (wchs not allowed)",
        "tickTime on servers 1, 2 and 3 (wanted 2000, seen 200)",
    ]);
}

/// The edit is shown and not made, and what is secret in the file stays there.
#[test]
fn a_preflight_shows_the_edit_of_the_file_that_differs() {
    let builder = Builder::rich().setting_of(2, "initLimit", "5");
    let ensemble = builder.setting_of(2, "ssl.keyStore.password", "guess-4711").start();
    let desk = Desk::new();
    let spec = desk.write("spec.yaml", &wanting(&ensemble, "{ initLimit: \">=50\" }"));
    let zoo_cfg = ensemble.file(2, "zoo.cfg");
    let before = fs::read(&zoo_cfg).expect("a zoo.cfg");
    let file = format!("2={}", zoo_cfg.display());
    let preflight =
        |further: &[&str]| desk.run_as_super(&[&["preflight", &spec][..], further].concat());
    let shown = preflight(&["--zoo-cfg", &file]).exits(0);
    crate::show(&shown.stdout);
    shown
        .says(["ZKP29", "server 2: initLimit is 5, wanted >=50", "\n-initLimit=5\n+initLimit=50\n"])
        .says(["Restart one server at a time, the next when the last one follows again: 2"])
        .says_nowhere("guess-4711");
    let document = preflight(&["--zoo-cfg", &file, "--format", "json"]).exits(0).json();
    assert_eq!(document["zooCfgs"][0]["needsEdit"], true);
    assert_eq!(document["restartOrder"], serde_json::json!([2]));
    assert_eq!(fs::read(&zoo_cfg).expect("a zoo.cfg"), before, "zkplan writes no file");

    let path = file.strip_prefix("2=").expect("a path");
    preflight(&["--zoo-cfg", path]).exits(64).says([&format!("--zoo-cfg 1={path}")]);
    preflight(&["--zoo-cfg", &format!("9={path}")]).exits(64).says(["no server 9"]);

    let text = latin_1(&before).replace("initLimit=5\n", "initLimit=50\n");
    fs::write(&zoo_cfg, text).expect("a file that can be written");
    ensemble.stop(2);
    ensemble.start_again(2);
    ensemble.wait_following(2);
    preflight(&["--zoo-cfg", &file]).exits(0).says(["needs no edit"]).says_nowhere("ZKP29");
}

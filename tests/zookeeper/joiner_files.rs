//! Servers that start from the files of `zkplan joiner`, laid down by their `install.sh`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::applying::wanting;
use crate::harness::Builder;
use crate::installing::{desk_with_token, install, said, start};
use crate::ledger::is_at;
use crate::zkplan::text;

on_both_profiles! { they_follow_and_are_added }

/// One from what the servers show, one from the `zoo.cfg` of a member. Neither has a JVM flag for the
/// super user: the token is in its `zoo.cfg`.
pub(crate) fn they_follow_and_are_added(builder: &Builder) {
    let ensemble = builder.clone().without_super_user([4, 5]).start();
    ensemble.reserve(4);
    ensemble.reserve(5);
    let desk = desk_with_token(&ensemble);
    let spec = wanting(&ensemble, 1..=5, 1..=3);
    let file = desk.write("spec.yaml", &spec.text());
    desk.plan(&spec, &[]).says([
        "zkplan digest --user super > super.token",
        "zkplan joiner spec.yaml --all -o joiners/ --token super.token",
    ]);
    let write = |further: &[&str]| {
        let words = ["joiner", &file, "-o", "joiners", "--token", "super.token"];
        desk.run(words.iter().chain(further))
    };
    write(&["4"]).exits(0).says(["written", "Next: zkplan apply spec.yaml"]);
    let model = ensemble.file(1, "zoo.cfg").display().to_string();
    let screen = write(&["5", "--zoo-cfg", &model]).exits(0);
    screen.says([&*format!("--- {model}"), "+db.autocreate=false", "superDigest=(not shown)"]);
    write(&["4"]).exits(0).says(["unchanged"]);
    for id in [4, 5] {
        let mode = fs::metadata(desk.path(&format!("joiners/{id}/zoo.cfg"))).expect("its zoo.cfg");
        assert_eq!(mode.permissions().mode() & 0o777, 0o600, "it holds the token");
        start(&desk, &ensemble, id);
    }
    for id in [4, 5] {
        ensemble.wait_following(id);
    }
    desk.apply_spec(&spec).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4, 5]);
    let refused = install(&desk, &ensemble, 4);
    assert!(!refused.status.success(), "{}", said(&refused));
    assert!(said(&refused).contains("version-2 is not empty"), "{}", said(&refused));
}

/// The present voters are frozen, so that no server can lead; four joiners would be a majority if each
/// counted. They look for a leader over several rounds, and none of them leads. Then the voters go on,
/// and all four follow.
#[test]
fn four_of_them_never_form_a_quorum() {
    let ensemble = Builder::rich().start();
    let joiners = [4, 5, 6, 7];
    for id in joiners {
        ensemble.reserve(id);
    }
    let desk = desk_with_token(&ensemble);
    let file = desk.write("spec.yaml", &wanting(&ensemble, 4..=7, 1..=3).text());
    desk.run(["joiner", &file, "--all", "-o", "joiners"]).exits(0);
    for id in [1, 2, 3] {
        ensemble.freeze(id);
    }
    for id in joiners {
        start(&desk, &ensemble, id);
    }
    for id in joiners {
        ensemble.wait_logged(id, "Notification time out", 4);
        assert_eq!(ensemble.mode(id), None, "server {id} serves");
    }
    for id in joiners {
        let log = ensemble.log(id);
        let leads = ["LEADING", "FOLLOWING", "OBSERVING"].map(|state| log.contains(state));
        assert_eq!(leads, [false; 3], "server {id} found a leader while none could be\n{log}");
    }
    for id in [1, 2, 3] {
        ensemble.thaw(id);
    }
    for id in joiners {
        ensemble.wait_following(id);
    }
}

/// The three answers of the check, and that the third is true: with that epoch the server never
/// follows.
#[test]
fn a_data_directory_is_checked_before_the_start() {
    let ensemble = Builder::rich().start();
    ensemble.reserve(4);
    let desk = desk_with_token(&ensemble);
    let file = desk.write("spec.yaml", &wanting(&ensemble, 1..=4, 1..=3).text());
    desk.run(["joiner", &file, "4", "-o", "joiners"]).exits(0);
    assert!(install(&desk, &ensemble, 4).status.success());
    let data = ensemble.file(4, "data");
    let dir = data.display().to_string();
    desk.run(["joiner", "--check", &dir]).exits(0).says(["Blank."]);

    let other = Builder::rich().standalone().start();
    let witness = crate::harness::Witness::of(&other, [1]);
    witness.finish(&other, [1]);
    other.stop(1);
    let used = other.file(1, "data").display().to_string();
    let answer = desk.run(["joiner", "--check", &used, "--format", "json"]).exits(3).json();
    assert_eq!((text(&answer["state"]), answer["myId"].as_i64()), ("used", Some(1)));
    let log = text(&answer["newestLog"]["name"]);
    assert!(other.file(1, &format!("data/version-2/{log}")).exists(), "{answer:#}");

    fs::create_dir_all(data.join("version-2")).expect("a folder");
    fs::write(data.join("version-2/acceptedEpoch"), "9").expect("a file");
    fs::write(data.join("version-2/currentEpoch"), "0").expect("a file");
    let checked = desk.run(["joiner", &file, "--check", &dir]).exits(3);
    checked.says(["It can never join: acceptedEpoch 9 is higher than"]);
    let lower = desk.run(["joiner", "--check", &dir, "--leader-epoch", "9"]).exits(3);
    lower.says(["does not keep it from joining"]);
    ensemble.start_installed(4);
    ensemble.wait_logged(4, "is less than accepted epoch", 3);
    assert_eq!(ensemble.mode(4), None, "it serves");
}

/// The folder reaches the command, which installs and lets the test start the server.
#[test]
fn a_hook_gets_the_folder() {
    let ensemble = Builder::rich().without_super_user([4]).start();
    ensemble.reserve(4);
    let desk = desk_with_token(&ensemble);
    let (conf, data) = (desk.path("conf"), ensemble.file(4, "data"));
    let conf = data.parent().map_or(conf, Path::to_owned);
    let script = format!(
        "#!/bin/sh\nset -e\nsh \"$1/install.sh\" '{}' '{}'\necho \"$1\" > '{}'\n\
         while [ ! -e '{}' ]; do sleep 0.05; done\n",
        conf.display(),
        data.display(),
        desk.path("asked").display(),
        desk.path("did").display()
    );
    let hook = desk.write("hook.sh", &script);
    let words = ["sh".to_owned(), desk.path(&hook).display().to_string(), "{joinerDir}".to_owned()];
    let spec = wanting(&ensemble, 1..=4, 1..=3).hook("start", words);
    let file = desk.write("spec.yaml", &spec.text());
    let refused = desk.apply_spec(&spec).ends().exits(65);
    assert_eq!(refused.next_lines(), ["zkplan joiner spec.yaml --all -o joiners/"]);
    let written = ["joiner", &file, "--all", "-o", "joiners/", "--token", "super.token"];
    let written = desk.run(written).exits(0);
    assert_eq!(written.next_lines(), ["zkplan apply spec.yaml --joiner-dir joiners/"]);
    let apply = desk.apply_spec(&spec).with(&["--joiner-dir", "joiners/"]).start();
    crate::harness::wait_until("the hook to be asked", crate::harness::PATIENCE, || {
        let asked = fs::read_to_string(desk.path("asked")).ok()?;
        asked.contains('\n').then_some(())
    });
    assert_eq!(desk.read("asked").trim(), desk.path("joiners/4").display().to_string());
    ensemble.start_installed(4);
    desk.write("did", "");
    apply.ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

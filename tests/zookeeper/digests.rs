//! `zkplan digest` against ZooKeeper's own generator, and a super user who comes from its output.

use std::path::Path;

use crate::applying::wanting;
use crate::harness::java::Java;
use crate::harness::{Builder, Release, SUPER_PASSWORD};
use crate::ledger::is_at;
use crate::zkplan::Desk;

/// Users and passwords as people have them, and odd ones.
const USERS: [(&str, &str); 5] = [
    ("super", "0123456789abcdef0123456789abcdef"),
    ("admin", "with blanks and\ttabs"),
    ("super", "co:lons:in it:"),
    ("ops@example", "$pecial'\"\\chars{}"),
    ("super", "pass\u{e4}\u{2713}\u{1f600}"),
];

const ALGORITHMS: [&str; 4] = ["SHA1", "SHA-256", "SHA-384", "SHA-512"];

#[test]
fn digests_are_those_of_zookeepers_own_generator() {
    let desk = Desk::new();
    let of_user: Vec<String> =
        USERS.iter().map(|(user, password)| format!("{user}:{password}\n")).collect();
    desk.write("users", &of_user.concat());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zookeeper/DigestOracle.java");
    for algorithm in ALGORITHMS {
        let flag = format!("-Dzookeeper.DigestAuthenticationProvider.digestAlg={algorithm}");
        let flags = [flag, "-Dfile.encoding=UTF-8".to_owned()];
        let oracle =
            Java::of(Release::Installed).run_source(&flags, &source, &[&desk.path("users")]);
        let ours = USERS.map(|(user, password)| {
            desk.write("password", &format!("{password}\n"));
            let words = ["digest", "--user", user, "--password-file", "password"];
            desk.run(words.iter().chain(&["--algorithm", algorithm])).exits(0).stdout
        });
        assert_eq!(ours.concat(), oracle, "{algorithm}");
    }
}

/// The setting goes into zoo.cfg as the screen has it, and no Java property is needed.
#[test]
fn the_printed_setting_makes_a_super_user_who_applies() {
    for algorithm in ["SHA1", "SHA-256"] {
        let desk = Desk::new();
        let printed = desk.run_as_super(&["digest", "--algorithm", algorithm]).exits(0);
        let settings = printed.stderr.lines().filter_map(|line| {
            let setting = line.strip_prefix("  DigestAuthenticationProvider.")?;
            setting.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))
        });
        let builder = Builder::rich().without_super_user(1..=4);
        let builder = settings.fold(builder, |builder, (key, value)| {
            builder.setting(&format!("DigestAuthenticationProvider.{key}"), &value)
        });
        let ensemble = builder.start_with([4]);
        desk.apply_spec(&wanting(&ensemble, 1..=4, 1..=4)).ends().exits(0);
        is_at(&ensemble, &[1, 2, 3, 4]);
    }
}

/// A script takes the line; a person reads where it goes. The password is in neither.
#[test]
fn a_digest_needs_a_password_that_is_there() {
    let desk = Desk::new();
    let printed = desk.run_as_super(&["digest"]).exits(0);
    assert_eq!(printed.stdout, "super:RX4WTyccCctM2IkpYLXtXE1GFB0=\n");
    printed
        .says(["one at a time, the leader last", "java.env", "JAVA_OPTS"])
        .says_nowhere(SUPER_PASSWORD);
    desk.run(["digest"]).exits(10).says(["ZKPLAN_PASSWORD"]);
    desk.write("empty", "\n");
    desk.run(["digest", "--password-file", "empty"]).exits(10).says(["is empty"]);
    desk.run(["digest", "--user", "a:b"]).exits(64).says(["without a colon"]);
}

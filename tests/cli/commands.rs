//! Commands, flags, exit codes and streams.

use crate::documents::fits;
use crate::run::{Desk, LIVE, project_file};

fn spec(servers: &[i32]) -> String {
    let lines: Vec<String> =
        servers.iter().map(|id| format!("  - {{ id: {id}, host: 10.0.0.{id} }}\n")).collect();
    format!("apiVersion: zkplan/v1\nensemble: prod\nservers:\n{}", lines.concat())
}

#[test]
fn a_plan_from_a_file_needs_nobody() {
    let desk = Desk::new();
    desk.write("live", LIVE);
    desk.write("prod.yaml", &spec(&[1, 2, 3]));
    let same = desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--detailed-exitcode"]);
    assert_eq!(same.code, 0, "{same:?}");
    assert!(same.out.contains("No changes."), "{}", same.out);

    desk.write("grow.yaml", &spec(&[1, 2, 3, 4, 5]));
    let words = ["plan", "grow.yaml", "--live", "live", "--out", "plan.json"];
    let grow = desk.zkplan(&words);
    assert_eq!(grow.code, 0, "{grow:?}");
    assert!(grow.out.contains("assumed"), "{}", grow.out);
    grow.assert_clean();
    let detailed = desk.zkplan(&[&words[..], &["--detailed-exitcode"]].concat());
    assert_eq!(detailed.code, 2);
    assert_eq!(detailed.out, grow.out, "a plan is the same every time");
    assert_eq!(desk.zkplan(&["show", "plan.json"]).code, 0);
}

#[test]
fn a_refusal_says_what_would_pass_and_it_does() {
    let desk = Desk::new();
    desk.write("live", "server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181\nversion=100000000");
    desk.write("grow.yaml", &spec(&[1, 2, 3]));
    let words = ["plan", "grow.yaml", "--live", "live"];
    let refused = desk.zkplan(&words);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.out.contains("ZKQ2"), "{}", refused.out);
    assert!(refused.out.contains("--accept ZKQ2:join-2"), "{}", refused.out);
    let accepted = desk.zkplan(&[&words[..], &["--accept", "ZKQ2:join-2"]].concat());
    assert_eq!(accepted.code, 0, "{accepted:?}");
    assert!(accepted.out.contains("Accepted risk"), "{}", accepted.out);

    let json = desk.zkplan(&[&words[..], &["--format", "json"]].concat());
    let document: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(document["remedies"][0]["exact"], "--accept ZKQ2:join-2");
    assert_eq!(document["exitCode"], 3);
}

#[test]
fn usage_errors_are_64_and_help_is_none() {
    let desk = Desk::new();
    for words in [
        &["plna"][..],
        &["plan"],
        &["plan", "a.yaml", "--detailed-exitcod"],
        &["plan", "a.yaml", "--accept", "NOPE"],
        &["plan", "a.yaml", "b.yaml", "--out", "plan.json"],
        &["plan", "a.yaml", "--probe", "--live", "live"],
        &["import"],
        &["status"],
        &["status", "a.yaml", "--connect", "zk1:2181"],
        &["status", "a.yaml", "b.yaml", "--connect", "zk1:2181"],
        &["import", "--connect", "zk1:2181/chroot"],
        &["import", "--connect", "zk1:2181", "--zoo-cfg", "zoo.cfg"],
        &["import", "--zoo-cfg", "zoo.cfg", "--ensemble", "Foo Bar"],
        &["explain", "ZKQ99"],
    ] {
        let answer = desk.zkplan(words);
        assert_eq!(answer.code, 64, "{words:?}: {answer:?}");
        assert!(answer.out.is_empty() && !answer.err.is_empty(), "{words:?}: {answer:?}");
    }
    for words in [&["--help"][..], &["plan", "--help"], &["--version"], &["help", "import"]] {
        let answer = desk.zkplan(words);
        assert_eq!(answer.code, 0, "{words:?}");
        assert!(!answer.out.is_empty() && answer.err.is_empty(), "{words:?}");
    }
}

#[test]
fn a_log_level_that_is_none_is_a_usage_error() {
    let desk = Desk::new();
    let words = ["explain", "exit-codes"];
    let answer = desk.zkplan_with(&words, &[("ZKPLAN_LOG", "loud")]);
    assert_eq!((answer.code, answer.out.as_str()), (64, ""), "{answer:?}");
    assert!(answer.err.contains("ZKPLAN_LOG") && answer.err.contains("trace"), "{answer:?}");
    for fine in ["", "off", "debug"] {
        let answer = desk.zkplan_with(&words, &[("ZKPLAN_LOG", fine)]);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{fine}: {answer:?}");
    }
}

#[test]
fn the_version_is_a_line_for_people_and_a_document_for_programs() {
    let desk = Desk::new();
    let text = desk.zkplan(&["--version"]);
    assert!(text.out.starts_with("zkplan 0.") && text.out.lines().count() == 1, "{text:?}");
    assert_eq!(desk.zkplan(&["-V"]).out, text.out);
    for words in [["--version", "--format", "json"], ["--format", "json", "--version"]] {
        let answer = desk.zkplan(&words);
        assert_eq!(answer.code, 0, "{words:?}: {answer:?}");
        let document: serde_json::Value = serde_json::from_str(&answer.out).expect("JSON");
        assert_eq!(document["format"], "zkplan/version");
        fits("version", &document);
        assert_eq!(document["text"], text.out.trim_end());
        let commit = document["commit"].as_str();
        assert!(commit.is_none_or(|hash| hash.len() == 40), "{document}");
    }
    for words in [&["--version", "--format", "dot"][..], &["--format", "json"]] {
        let answer = desk.zkplan(words);
        assert_eq!(answer.code, 64, "{words:?}: {answer:?}");
        assert!(answer.out.is_empty() && !answer.err.is_empty(), "{words:?}: {answer:?}");
    }
}

#[test]
fn every_code_that_is_printed_can_be_explained() {
    let desk = Desk::new();
    let list = desk.zkplan(&["explain"]).out;
    let codes: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(codes.len() > 30, "{list}");
    for code in codes {
        let page = desk.zkplan(&["explain", code]);
        assert_eq!(page.code, 0, "{code}");
        assert!(page.out.starts_with(&format!("# {code}")), "{code}: {}", page.out);
    }
    assert_eq!(desk.zkplan(&["explain", "zkq3"]).code, 0, "case is no matter");
}

#[test]
fn nobody_there_is_10_and_names_every_address() {
    let desk = Desk::new();
    // Port 1 of the loopback: nobody listens there.
    desk.write(
        "prod.yaml",
        &format!("{}connect: {{ servers: [\"127.0.0.1:1\"] }}\n", spec(&[]))
            .replace("servers:\nconnect", "servers: [\"server.1=127.0.0.1:2:3;1\"]\nconnect"),
    );
    let answer = desk.zkplan(&["plan", "prod.yaml"]);
    assert_eq!(answer.code, 10, "{answer:?}");
    assert!(answer.err.contains("127.0.0.1:1"), "{}", answer.err);
    assert!(answer.out.is_empty(), "{}", answer.out);
    let import = desk.zkplan(&["import", "--connect", "127.0.0.1:1"]);
    assert_eq!(import.code, 10, "{import:?}");
}

#[test]
fn two_specs_of_one_ensemble_contradict_each_other() {
    let desk = Desk::new();
    desk.write("a.yaml", &spec(&[1, 2, 3]));
    desk.write("b.yaml", &spec(&[1, 2, 3]));
    let answer = desk.zkplan(&["validate", "a.yaml", "b.yaml"]);
    assert_eq!(answer.code, 65, "{answer:?}");
    assert!(answer.err.contains("a.yaml") && answer.err.contains("b.yaml"), "{}", answer.err);
}

#[test]
fn colour_is_asked_for_or_on_a_terminal() {
    let desk = Desk::new();
    desk.write("live", LIVE);
    desk.write("prod.yaml", &spec(&[1, 2, 3]));
    let words = ["plan", "prod.yaml", "--live", "live"];
    let coloured = |more: &[&str], variables: &[(&str, &str)]| {
        desk.zkplan_with(&[&words[..], more].concat(), variables).out.contains('\u{1b}')
    };
    assert!(!coloured(&[], &[]), "a pipe is no terminal");
    assert!(coloured(&["--color", "always"], &[]));
    assert!(!coloured(&["--color", "never"], &[]));
}

#[test]
fn the_words_for_shells_and_editors_come_out() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(desk.zkplan(&["completions", shell]).out.contains("zkplan"), "{shell}");
    }
    let man = desk.zkplan(&["man"]).out;
    assert!(man.contains(".TH zkplan"), "{man}");
    let pages = man.split_whitespace().filter_map(|word| {
        let name = word.replace('\\', "");
        Some(name.strip_prefix("zkplan-")?.strip_suffix("(1)")?.to_owned())
    });
    let pages: Vec<String> = pages.collect();
    assert!(pages.len() > 10, "{man}");
    for command in pages.iter().filter(|command| *command != "help") {
        let page = desk.zkplan(&["man", command]);
        assert!(page.out.contains(&format!(".TH zkplan-{command} 1")), "{command}: {page:?}");
    }
    assert_eq!(desk.zkplan(&["man", "plna"]).code, 64);
}

#[test]
fn a_plan_is_written_over_nothing_but_a_file() {
    let desk = Desk::new();
    desk.write("live", LIVE);
    desk.write("prod.yaml", &spec(&[1, 2, 3, 4]));
    let socket = std::os::unix::net::UnixListener::bind(desk.path("socket")).expect("a socket");
    for out in ["-", "socket", "prod.yaml", "./prod.yaml"] {
        let answer = desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--out", out]);
        assert_eq!(answer.code, 64, "{out}: {answer:?}");
    }
    drop(socket);
    assert_eq!(desk.read("prod.yaml"), spec(&[1, 2, 3, 4]));
    let nowhere = ["plan", "prod.yaml", "--live", "live", "--out", "nodir/plan.json"];
    let nowhere = desk.zkplan(&nowhere);
    assert_eq!(nowhere.code, 64, "{nowhere:?}");
    assert!(nowhere.out.is_empty() && nowhere.err.contains("no folder nodir"), "{nowhere:?}");
    desk.write("real.json", "an older plan");
    std::os::unix::fs::symlink("real.json", desk.path("link.json")).expect("a link");
    let linked = desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--out", "link.json"]);
    assert_eq!(linked.code, 0, "{linked:?}");
    assert!(desk.path("link.json").is_symlink());
    assert!(desk.read("real.json").contains("zkplan/plan"));
}

#[test]
fn a_plan_that_could_not_be_saved_is_not_said_to_be() {
    let desk = Desk::new();
    desk.write("live", LIVE);
    desk.write("prod.yaml", &spec(&[1, 2, 3, 4]));
    let long = format!("{}.json", "p".repeat(300));
    let answer = desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--out", &long]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.out.contains("\nNot saved: "), "{}", answer.out);
    assert!(!answer.out.contains("Saved to") && !answer.out.contains("Next:"), "{}", answer.out);
    assert!(answer.err.contains("cannot be written"), "{}", answer.err);
}

#[test]
fn what_zkcli_prints_is_a_configuration() {
    let desk = Desk::new();
    desk.write(
        "live",
        &format!(
            "Connecting to zk1:2181\n\nWATCHER::\n\nWatchedEvent state:SyncConnected type:None \
             path:null\n{LIVE}\n"
        ),
    );
    desk.write("prod.yaml", &spec(&[1, 2, 3]));
    let answer = desk.zkplan(&["plan", "prod.yaml", "--live", "live"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.out.contains("No changes."), "{}", answer.out);
}

#[test]
fn the_next_command_makes_the_same_plan() {
    let desk = Desk::new();
    desk.write("live", "server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181\nversion=100000000");
    desk.write("prod.yaml", &spec(&[1, 2]));
    let words = ["plan", "prod.yaml", "--live", "live", "--accept", "ZKQ2:join-2"];
    let idle = desk.zkplan(&[&words[..], &["--accept", "ZKQ2:join-7"]].concat());
    assert_eq!(idle.code, 0, "{idle:?}");
    assert!(idle.err.contains("ZKQ2:join-7"), "{}", idle.err);
    let next = idle.out.lines().find_map(|line| line.strip_prefix("Next: zkplan ")).expect("next");
    let saved = desk.zkplan(&next.split_whitespace().collect::<Vec<_>>());
    assert_eq!(saved.code, 0, "{next}: {saved:?}");
    assert_eq!(desk.zkplan(&["show", "plan.json"]).code, 0);
}

#[test]
fn the_plans_of_the_project_are_valid_side_by_side() {
    let mut words = vec!["validate".to_owned()];
    for entry in std::fs::read_dir(project_file("plans")).expect("the plans") {
        let path = entry.expect("a plan").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            words.push(path.to_string_lossy().into_owned());
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let answer = Desk::new().zkplan(&words);
    assert_eq!(answer.code, 0, "{answer:?}");
}

/// What people have from their authority, and zkplan does not read.
#[test]
fn a_key_in_another_form_is_named_with_the_command_that_converts_it() {
    let desk = Desk::new();
    desk.write("ca.pem", "-----BEGIN CERTIFICATE-----\n");
    desk.write("pkcs8.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
    desk.write("old.pem", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n");
    let bytes: [(&str, &[u8]); 3] = [
        ("store.p12", &[0x30, 0x82, 0x09, 0xd3, 0x02, 0x01, 0x03, 0x30, 0xff]),
        ("store.jks", &[0xfe, 0xed, 0xfe, 0xed, 0x00, 0x00, 0x00, 0x02]),
        ("key.der", &[0x30, 0x82, 0x04, 0xbd, 0x02, 0x01, 0x00, 0x30, 0xff]),
    ];
    for (name, bytes) in bytes {
        std::fs::write(desk.path(name), bytes).expect("a file");
    }
    for (key, what, command) in [
        ("pkcs8.pem", "is an encrypted key", "openssl pkey -in pkcs8.pem -out pkcs8.plain.pem"),
        ("old.pem", "is an encrypted key", "openssl pkey -in old.pem -out old.plain.pem"),
        (
            "store.p12",
            "is a PKCS #12 key store",
            "openssl pkcs12 -in store.p12 -nodes -out store.pem",
        ),
        ("store.jks", "is a Java key store", "keytool -importkeystore -srckeystore store.jks"),
        ("key.der", "is in DER", "openssl pkey -inform DER -in key.der -out key.pem"),
    ] {
        let words = ["import", "--connect", "127.0.0.1:1", "--tls-ca", "ca.pem"];
        let answer =
            desk.zkplan(&[&words[..], &["--tls-cert", "ca.pem", "--tls-key", key]].concat());
        assert_eq!(answer.code, 65, "{answer:?}");
        let said = answer.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(what) && said.contains(command), "{said}");
    }
}

/// Flags that contradict each other, or lack something.
#[test]
fn who_asks_is_told_by_flags_that_fit() {
    let desk = Desk::new();
    desk.write("a.yaml", &spec(&[1, 2, 3]));
    for (words, said) in [
        (&["import", "--connect", "127.0.0.1:1", "--auth", "sasl"][..], "add --user USER"),
        (&["import", "--connect", "127.0.0.1:1", "--auth", "x509"], "add --tls-ca"),
        (&["apply", "a.yaml", "--auth", "sasl"], "add --user USER"),
        (&["apply", "a.yaml", "--auth", "x509", "--user", "u"], "takes neither --user"),
        (&["apply", "a.yaml", "--auth", "kerberos"], "digest"),
    ] {
        let answer = desk.zkplan(words);
        assert_eq!(answer.code, 64, "{answer:?}");
        assert!(answer.err.contains(said), "{answer:?}");
    }
}

/// The flag takes one file; the next one is no argument of its own.
#[test]
fn a_second_zoo_cfg_behind_one_flag_is_named_with_the_flag() {
    let desk = Desk::new();
    for words in [
        &["preflight", "a.yaml", "--zoo-cfg", "1=a.cfg", "2=b.cfg"][..],
        &["import", "--zoo-cfg", "1=a.cfg", "2=b.cfg"],
    ] {
        let answer = desk.zkplan(words);
        assert_eq!(answer.code, 64, "{answer:?}");
        let tip = "give the flag once for each file: --zoo-cfg 2=b.cfg";
        assert!(answer.err.contains(tip), "{}", answer.err);
    }
}

/// It has no file in which a source could be named.
#[test]
fn a_digest_without_a_password_names_its_flag() {
    let desk = Desk::new();
    let answer = desk.zkplan(&["digest"]);
    assert_eq!((answer.code, answer.out.as_str()), (10, ""), "{answer:?}");
    assert!(answer.err.contains("--password-file"), "{answer:?}");
    assert!(!answer.err.contains("connect.auth"), "{answer:?}");
    let answer = desk.zkplan(&["digest", "--password-file", "none"]);
    assert_eq!((answer.code, answer.out.as_str()), (10, ""), "{answer:?}");
    assert!(answer.err.contains("check --password-file"), "{answer:?}");
}

/// A password that is typed is typed twice, and the second time is named as such.
#[test]
fn a_digest_asks_for_a_new_password_twice() {
    let desk = Desk::new();
    for (typed, code) in [("secret\nsecret\n", 0), ("secret\nscret\n", 64)] {
        let answer = desk.typed(&["digest"], typed);
        let printed = answer.out.replace('\r', "");
        assert_eq!(answer.code, code, "{answer:?}");
        assert_eq!(printed.matches("Password: ").count(), 1, "{printed}");
        assert_eq!(printed.matches("Password again: ").count(), 1, "{printed}");
        assert_eq!(printed.matches("the password of super is needed").count(), 1, "{printed}");
        let digest = "super:";
        assert_eq!(printed.lines().any(|line| line.starts_with(digest)), code == 0, "{printed}");
    }
}

/// The status in `tests/documents` is of the first of January 2026.
#[test]
fn a_plan_from_a_status_says_its_age_and_refuses_an_old_one() {
    let desk = Desk::new();
    let status = std::fs::read_to_string(project_file("tests/documents/status.json"));
    let status = status.expect("a document");
    desk.write("status.json", &status);
    let servers = (1..=4).map(|id| format!("\x20 - {{ id: {id}, host: 10.0.0.{id} }}\n"));
    let servers: String = servers.collect();
    let spec = format!("apiVersion: zkplan/v1\nensemble: prod-eu\nservers:\n{servers}");
    desk.write("prod.yaml", &spec);
    let plan = ["plan", "prod.yaml", "--live", "status.json"];
    let old = desk.zkplan(&plan);
    assert_eq!(old.code, 5, "{old:?}");
    assert!(old.err.contains("2026-01-01T03:17:00Z") && old.err.contains("24h"), "{old:?}");

    let any_age = [&plan[..], &["--live-max-age", "999999999h"]].concat();
    let planned = desk.zkplan(&any_age);
    assert_eq!(planned.code, 0, "{planned:?}");
    assert!(planned.err.contains("planned from the status of 2026-01-01T03:17:00Z"), "{planned:?}");
    assert!(planned.out.contains("no server was asked: every server is assumed"), "{planned:?}");
    // The next command works when typed.
    assert!(planned.out.contains("--live status.json --live-max-age 999999999h"), "{planned:?}");

    // What was not in sync counts as down.
    desk.write("status.json", &status.replacen("\"inSync\": true", "\"inSync\": false", 1));
    let degraded = desk.zkplan(&any_age);
    assert!(degraded.out.contains("2 of 3 voters were in sync in the status"), "{degraded:?}");
    assert!(degraded.out.contains("counts as down"), "{degraded:?}");

    let run = status.replacen("\"run\": null", "\"run\": { \"run\": 7 }", 1);
    assert_ne!(run, status);
    desk.write("status.json", &run);
    let open = desk.zkplan(&any_age);
    assert_eq!(open.code, 5, "{open:?}");
    assert!(open.err.contains("run 7 was open"), "{open:?}");

    desk.write("status.json", &status);
    desk.write("prod.yaml", &spec.replace("prod-eu", "prod-us"));
    let other = desk.zkplan(&any_age);
    assert_eq!(other.code, 65, "{other:?}");
    assert!(other.err.contains("a status of prod-eu"), "{other:?}");
}

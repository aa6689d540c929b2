//! What a user loses when a file is not what it seems: specs, plans and configurations that were
//! edited, torn or made to harm.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::run::{Desk, LIVE, SPEC};

fn desk_with_a_plan() -> Desk {
    let desk = Desk::new();
    desk.write("live", LIVE);
    desk.write("prod.yaml", SPEC);
    let made = desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--out", "plan.json"]);
    assert_eq!(made.code, 0, "{made:?}");
    desk
}

/// Writes the plan with a change and shows it.
fn shown_with(desk: &Desk, change: impl FnOnce(&mut Value)) -> i32 {
    let mut plan: Value = serde_json::from_str(&desk.read("plan.json")).expect("JSON");
    change(&mut plan);
    desk.write("changed.json", &serde_json::to_string(&plan).expect("JSON"));
    let answer = desk.zkplan(&["show", "changed.json"]);
    answer.assert_clean();
    assert!(answer.code == 0 || answer.out.is_empty(), "{answer:?}");
    answer.code
}

#[test]
fn an_unchanged_plan_is_shown_however_it_is_laid_out() {
    let desk = desk_with_a_plan();
    assert_eq!(shown_with(&desk, |_| ()), 0);
    let again = desk.zkplan(&["show", "plan.json", "--format", "json"]);
    assert_eq!(again.out, desk.read("plan.json"), "show writes what plan wrote");
}

#[test]
fn an_edited_plan_is_65() {
    let desk = desk_with_a_plan();
    for (what, path, value) in [
        ("another target", "/target/0", json!("server.1=10.0.0.9:2888:3888:participant;2181")),
        ("a dead server called live", "/base/synced/2", json!(9)),
        ("a weaker tolerance", "/minTolerance", json!(0)),
        ("a risk accepted afterwards", "/accepted", json!([{ "code": "ZKQ2", "step": "join-4" }])),
        ("prettier figures", "/summary/toleratesFailures", json!(7)),
        ("another hook", "/hooks", json!({ "stop": ["rm", "-rf", "/"] })),
    ] {
        let code = shown_with(&desk, |plan| *plan.pointer_mut(path).expect(path) = value);
        assert_eq!(code, 65, "{what}");
    }
}

#[test]
fn a_torn_or_foreign_or_newer_plan_is_65() {
    let desk = desk_with_a_plan();
    let whole = desk.read("plan.json");
    for cut in [0, 1, whole.len() / 2, whole.len() - 3] {
        desk.write("torn.json", &whole[..cut]);
        let answer = desk.zkplan(&["show", "torn.json"]);
        assert_eq!(answer.code, 65, "{cut}: {answer:?}");
    }
    for text in ["{}", "[]", "null", "{\"format\": \"terraform\"}", &"[".repeat(100_000)] {
        desk.write("foreign.json", text);
        assert_eq!(desk.zkplan(&["show", "foreign.json"]).code, 65, "{text:.20}");
    }
    let newer =
        desk.read("plan.json").replace("\"formatVersion\": \"2.", "\"formatVersion\": \"3.");
    desk.write("newer.json", &newer);
    let answer = desk.zkplan(&["show", "newer.json"]);
    assert_eq!(answer.code, 65);
    assert!(answer.err.contains(" 3."), "{}", answer.err);
}

#[test]
fn bad_specs_are_65_with_the_place_and_at_once() {
    let head = "apiVersion: zkplan/v1\nensemble: prod\n";
    let doubling = |n: i32| format!("a{n}: &a{n} [*a{before}, *a{before}]\n", before = n - 1);
    let doublings: Vec<String> = (1..40).map(doubling).collect();
    let bomb = format!("{head}a0: &a0 [x, x]\n{}", doublings.concat());
    let cases = [
        ("empty list", format!("{head}servers: []\n"), "3:"),
        ("no text", String::new(), "1:1"),
        ("wildcard quorum host", format!("{head}servers:\n  - {{ id: 1, host: 0.0.0.0 }}\n"), "4:"),
        ("id -1", format!("{head}servers:\n  - {{ id: -1, host: a }}\n"), "4:"),
        (
            "shared address",
            format!("{head}servers:\n  - {{ id: 1, host: a }}\n  - {{ id: 2, host: a }}\n"),
            "5:",
        ),
        ("alias bomb", bomb, ""),
        ("brackets", "[".repeat(100_000), ""),
        ("unknown key", format!("{head}serverz: []\nservers:\n  - {{ id: 1, host: a }}\n"), "3:"),
    ];
    let desk = Desk::new();
    for (what, text, place) in cases {
        desk.write("bad.yaml", &text);
        let began = Instant::now();
        let answer = desk.zkplan(&["validate", "bad.yaml"]);
        let took = began.elapsed();
        assert_eq!(answer.code, 65, "{what}: {answer:?}");
        assert!(answer.err.contains(&format!("bad.yaml:{place}")), "{what}: {}", answer.err);
        answer.assert_clean();
        // The promise is 0.2 s for the shipped binary; a debug build on a busy machine gets more.
        assert!(took < Duration::from_secs(2), "{what} took {took:?}");
    }
}

#[test]
fn too_many_removals_are_3() {
    let desk = Desk::new();
    let line = |id| format!("server.{id}=10.0.0.{id}:2888:3888:participant;0.0.0.0:2181\n");
    let seven: Vec<String> = (1..=7).map(line).collect();
    desk.write("live", &format!("{}version=100000000", seven.concat()));
    desk.write("prod.yaml", SPEC);
    let answer = desk.zkplan(&["plan", "prod.yaml", "--live", "live"]);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert!(answer.out.contains("ZKQ14") && answer.out.contains("maxShrink"), "{}", answer.out);
}

#[test]
fn hostile_names_come_out_escaped_and_flagged() {
    let desk = Desk::new();
    let hostile = "zk\u{1b}c\u{9b}2J\u{7}\u{202e}4";
    desk.write(
        "live",
        &LIVE.replace("version", &format!("server.9={hostile}:1:2:observer;0.0.0.0:3\nversion")),
    );
    desk.write("prod.yaml", SPEC);
    for format in ["text", "json", "dot"] {
        let words = ["plan", "prod.yaml", "--live", "live", "--out", "plan.json"];
        let answer = desk.zkplan(&[&words[..], &["--format", format]].concat());
        assert_eq!(answer.code, 0, "{answer:?}");
        answer.assert_clean();
    }
    let shown = desk.zkplan(&["show", "plan.json"]);
    shown.assert_clean();
    assert!(shown.out.contains("ZKF3"), "{}", shown.out);
    desk.write("evil.yaml", &SPEC.replace("10.0.0.4", "\"evil\\e[2Jhost\""));
    let refused = desk.zkplan(&["validate", "evil.yaml"]);
    assert_eq!(refused.code, 65);
    refused.assert_clean();
}

#[test]
fn a_password_stands_nowhere() {
    let desk = Desk::new();
    desk.write("live", LIVE);
    let canary = "CANARY-4711";
    desk.write("secret", canary);
    for password in ["{ env: ZKPLAN_PASSWORD }", "{ file: secret }"] {
        let auth =
            format!("connect:\n  auth: {{ scheme: digest, user: super, password: {password} }}\n");
        desk.write("prod.yaml", &format!("{SPEC}{auth}"));
        let words = ["plan", "prod.yaml", "--live", "live", "--out", "plan.json"];
        let answer = desk.zkplan_with(&words, &[("ZKPLAN_PASSWORD", canary)]);
        assert_eq!(answer.code, 0, "{answer:?}");
        for text in [&answer.out, &answer.err, &desk.read("plan.json")] {
            assert!(!text.contains(canary), "{text}");
        }
    }
    let inline =
        format!("{SPEC}connect:\n  auth: {{ scheme: digest, user: super, password: {canary} }}\n");
    desk.write("inline.yaml", &inline);
    let answer = desk.zkplan(&["validate", "inline.yaml"]);
    assert_eq!(answer.code, 65);
    assert!(!answer.err.contains(canary), "{}", answer.err);
}

#[test]
fn a_command_that_gets_the_files_of_a_joiner_comes_after_them() {
    let desk = Desk::new();
    desk.write("live", LIVE);
    let text = "apiVersion: zkplan/v1\nensemble: prod\n\
                connect: { servers: [\"127.0.0.1:1\"] }\n\
                servers:\n  - { id: 1, host: 10.0.0.1 }\n  - { id: 2, host: 10.0.0.2 }\n  \
                - { id: 3, host: 10.0.0.3 }\n  - { id: 4, host: 10.0.0.4 }\n\
                hooks: { start: [\"start-zookeeper\", \"{joinerDir}/zoo.cfg\"] }\n";
    desk.write("prod.yaml", text);
    let plan = desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--out", "hooked.json"]);
    let next = "Next: zkplan joiner hooked.json --all -o joiners/\n";
    assert!(plan.code == 0 && plan.out.ends_with(next), "{plan:?}");
}

#[test]
fn what_cannot_be_read_is_not_called_wrong() {
    let desk = Desk::new();
    let missing = desk.zkplan(&["validate", "nope.yaml"]);
    assert_eq!((missing.code, missing.out.as_str()), (1, "not read  nope.yaml\n"));
    assert!(missing.err.contains("help: check the path"), "{}", missing.err);
    desk.write("prod.yaml", SPEC);
    let json = ["plan", "prod.yaml", "--live", "gone", "--format", "json"];
    let json = desk.zkplan(&json);
    let document: Value = serde_json::from_str(&json.out).expect("JSON");
    let why = document["text"].as_str().unwrap_or_default();
    assert!(json.code == 1 && why.starts_with("gone cannot be read: "), "{json:?}");
}

#[test]
fn a_file_that_is_too_large_is_not_taken_for_a_shorter_one() {
    let desk = Desk::new();
    let file = std::fs::File::create(desk.path("huge.json")).expect("a file");
    file.set_len(65 * 1024 * 1024).expect("a sparse file");
    let answer = desk.zkplan(&["show", "huge.json"]);
    assert_eq!(answer.code, 65, "{answer:?}");
    assert!(answer.err.contains("huge.json is larger than 64 MiB"), "{}", answer.err);
}

#[test]
fn a_file_without_servers_is_not_taken_for_a_standalone_server() {
    let desk = Desk::new();
    desk.write("prod.yaml", SPEC);
    desk.write("empty", "");
    for file in ["prod.yaml", "empty"] {
        let answer = desk.zkplan(&["import", "--zoo-cfg", file]);
        assert_eq!(answer.code, 65, "{answer:?}");
        assert!(answer.err.contains("no `server.N` line"), "{}", answer.err);
        assert!(answer.err.contains("or not a zoo.cfg"), "{}", answer.err);
    }
    let neither = desk.zkplan(&["import"]);
    assert!(neither.err.contains("--zoo-cfg"), "{}", neither.err);
}

/// A saved plan names its files from where it stands, so that it can be applied from any folder.
#[test]
fn a_saved_plan_names_files_from_where_it_stands() {
    let desk = Desk::new();
    for folder in ["specs", "out"] {
        std::fs::create_dir(desk.path(folder)).expect("a folder");
    }
    desk.write("live", LIVE);
    let connect = "connect:\n\
                   \x20 tls: { ca: ca.pem, cert: /etc/zk/client.pem, key: keys/k.pem }\n\
                   \x20 auth: { scheme: digest, user: super, password: { file: ../secrets/pw } }\n";
    desk.write("specs/prod.yaml", &format!("{SPEC}{connect}"));
    let files = |document: &Value| {
        let connect = &document["connect"];
        let tls = &connect["tls"];
        let paths = [&connect["auth"]["password"]["file"], &tls["ca"], &tls["cert"], &tls["key"]];
        paths.map(|path| path.as_str().unwrap_or_default().to_owned())
    };
    let saved = |spec: &str, out: &str| {
        let made = desk.zkplan(&["plan", spec, "--live", "live", "--out", out]);
        assert_eq!(made.code, 0, "{made:?}");
        serde_json::from_str::<Value>(&desk.read("out/plan.json")).expect("JSON")
    };
    let plan = saved("specs/prod.yaml", "out/plan.json");
    let from_out =
        ["../secrets/pw", "../specs/ca.pem", "/etc/zk/client.pem", "../specs/keys/k.pem"];
    assert_eq!(files(&plan), from_out);
    // The same where the paths that are typed are absolute.
    let typed = ["specs/prod.yaml", "out/plan.json"].map(|name| desk.path(name));
    let [spec, out] = typed.each_ref().map(|path| path.to_str().expect("a path"));
    assert_eq!(files(&saved(spec, out)), from_out);
    // On stdout nothing tells where the file will stand.
    let stdout = desk.zkplan(&["plan", "specs/prod.yaml", "--live", "live", "--format", "json"]);
    let stdout: Value = serde_json::from_str(&stdout.out).expect("JSON");
    for (path, end) in files(&stdout).iter().zip(["/secrets/pw", "/specs/ca.pem", "", ""]) {
        assert!(path.starts_with('/') && !path.contains("..") && path.ends_with(end), "{path}");
    }
    assert_eq!(stdout["planId"], plan["planId"], "where files lie is no part of the meaning");
    let shown = desk.zkplan(&["show", "out/plan.json", "--format", "json"]);
    assert_eq!(shown.out, desk.read("out/plan.json"));
}

#[test]
fn a_plan_and_a_spec_that_are_mistaken_for_each_other_are_recognised() {
    let desk = desk_with_a_plan();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for command in ["validate", "plan"] {
        let answer = desk.zkplan(&[command, "plan.json"]);
        assert_eq!(answer.code, 65, "{answer:?}");
        let said = words(&answer.err);
        assert!(said.starts_with("error: plan.json is a saved plan, not a spec"), "{said}");
        assert!(said.contains("zkplan apply plan.json applies it"), "{said}");
        assert!(!said.contains("unknown key"), "{said}");
    }
    let shown = desk.zkplan(&["show", "prod.yaml"]);
    let said = words(&shown.err);
    assert!(
        shown.code == 65 && said.contains("prod.yaml is a spec, not a saved plan"),
        "{shown:?}"
    );
    assert!(said.contains("zkplan plan prod.yaml"), "{said}");
    // A plan that was cut off, wherever.
    let whole = desk.read("plan.json");
    for cut in [20, whole.len() / 2, whole.len() - 3] {
        desk.write("torn.json", &whole[..cut]);
        for command in ["apply", "show", "rehearse"] {
            let answer = desk.zkplan(&[command, "torn.json"]);
            let said = words(&answer.err);
            assert!(
                answer.code == 65 && said.contains("is incomplete"),
                "{command} {cut}: {answer:?}"
            );
        }
    }
    // Another document of zkplan's.
    desk.write("one", "server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181\nversion=100000000");
    let refused = desk.zkplan(&["plan", "prod.yaml", "--live", "one", "--format", "json"]);
    desk.write("refusal.json", &refused.out);
    let answer = desk.zkplan(&["apply", "refusal.json"]);
    assert_eq!(answer.code, 65, "{answer:?}");
    assert!(
        words(&answer.err).contains("(zkplan/refusal), not a spec and not a plan"),
        "{answer:?}"
    );
    // A spec may be JSON, for JSON is YAML.
    let spec = "{\"apiVersion\": \"zkplan/v1\", \"ensemble\": \"prod\", \
                \"servers\": [{\"id\": 1, \"host\": \"10.0.0.1\"}]}";
    desk.write("spec.json", spec);
    assert_eq!(desk.zkplan(&["validate", "spec.json"]).code, 0);
}

#[test]
fn out_says_what_was_written() {
    let desk = desk_with_a_plan();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let id = |text: &str| words(text).contains("plan id sha256:");
    desk.write("same.yaml", &SPEC.replace('4', "3"));
    let plan = ["plan", "same.yaml", "--live", "live", "--out", "same.json"];
    let same = desk.zkplan(&plan);
    assert!(same.code == 0 && same.out.contains("Saved to same.json"), "{same:?}");
    assert!(id(&same.out) && same.out.contains("a plan without changes"), "{same:?}");
    let json = desk.zkplan(&[&plan[..], &["--format", "json"]].concat());
    assert!(json.err.contains("saved to same.json") && id(&json.err), "{json:?}");
    // What is there from before is not taken for the plan that was asked for.
    desk.write("one", "server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181\nversion=100000000");
    for (out, old) in [("new.json", false), ("plan.json", true)] {
        let refused = desk.zkplan(&["plan", "prod.yaml", "--live", "one", "--out", out]);
        assert_eq!(refused.code, 3, "{refused:?}");
        let said = words(&refused.err);
        assert!(said.contains(&format!("{out} was not written")), "{refused:?}");
        assert_eq!(said.contains("the file has an older plan"), old, "{refused:?}");
    }
}

#[test]
fn an_acceptance_that_nothing_needs_yet_is_no_error() {
    let desk = desk_with_a_plan();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let plan = |risk| desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--accept", risk]);
    let step = plan("ZKQ2:join-9");
    let said = words(&step.err);
    assert!(step.code == 0 && said.contains("the plan has no risk ZKQ2:join-9"), "{step:?}");
    // A finding may come up on the way: its acceptance holds for the run.
    let finding = plan("ZKF20");
    assert_eq!((finding.code, finding.err.as_str()), (0, ""), "{finding:?}");
    assert!(
        words(&finding.out).contains("Accepted in advance ZKF20: not found now"),
        "{finding:?}"
    );
    assert!(words(&finding.out).contains("--accept ZKF20 --out plan.json"), "{finding:?}");
}

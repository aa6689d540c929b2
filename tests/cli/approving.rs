//! Risks that a spec accepts, and specs of which only a saved plan is applied.

use rcgen::{KeyPair, PKCS_ED25519, SigningKey as _};
use serde_json::Value;

use crate::run::Desk;

/// One voter is to become three; the first reconfig needs the new server's vote (ZKQ2).
fn desk(accept: &str) -> Desk {
    let desk = Desk::new();
    desk.write("live", "server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181\nversion=100000000");
    let servers = (1..=3).map(|id| format!("  - {{ id: {id}, host: 10.0.0.{id} }}\n"));
    let servers: String = servers.collect();
    desk.write(
        "prod.yaml",
        &format!("apiVersion: zkplan/v1\nensemble: prod\nservers:\n{servers}{accept}"),
    );
    desk
}

const PLAN: [&str; 4] = ["plan", "prod.yaml", "--live", "live"];

fn accepting(until: &str) -> String {
    format!("accept: [{{ rule: ZKQ2:join-2, reason: OPS-7 one to three, until: {until} }}]\n")
}

#[test]
fn a_risk_that_the_spec_accepts_is_shown_with_reason_and_day_and_is_in_the_plan() {
    let desk = desk(&accepting("2999-12-31"));
    let plan = desk.zkplan(&[&PLAN[..], &["--out", "plan.json"]].concat());
    assert_eq!(plan.code, 0, "{plan:?}");
    plan.assert_clean();
    let shown = desk.zkplan(&["show", "plan.json"]);
    for said in [&plan.out, &shown.out] {
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let terms = "accepted in the spec until 2999-12-31: OPS-7 one to three";
        assert!(words.contains("Accepted risk ZKQ2:join-2") && words.contains(terms), "{said}");
    }
    assert!(!plan.out.contains("--accept"), "the spec says it: {}", plan.out);
    let document = desk.zkplan(&["show", "plan.json", "--format", "json"]).out;
    let document: Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(document["accepted"][0]["code"], "ZKQ2");
    assert_eq!(document["terms"][0]["until"], "2999-12-31");
    assert_eq!(desk.zkplan(&["rehearse", "prod.yaml", "--live", "live"]).code, 0);
    // The day is part of what is approved.
    let other = self::desk(&accepting("2999-12-30"));
    let id = |desk: &Desk| {
        let plan = desk.zkplan(&[&PLAN[..], &["--format", "json"]].concat()).out;
        serde_json::from_str::<Value>(&plan).expect("JSON")["planId"].clone()
    };
    assert_ne!(id(&desk), id(&other));
}

#[test]
fn after_its_day_a_risk_counts_again() {
    let none = desk("").zkplan(&PLAN);
    let desk = desk(&accepting("2020-01-01"));
    let void = desk.zkplan(&PLAN);
    assert_eq!((void.code, none.code), (3, 3), "{void:?}");
    assert!(void.err.contains("ZKQ2:join-2 was accepted until 2020-01-01"), "{void:?}");
    assert_eq!(void.out, none.out, "as without");
}

#[test]
fn what_cannot_be_accepted_is_a_mistake_of_the_spec() {
    for (rule, says) in [
        ("ZKQ3:join-2", "ZKQ3 cannot be accepted"),
        ("ZKF8", "ZKF8 blocks no plan"),
        ("ZKQ99", "not a code of a rule or finding"),
    ] {
        let accept = format!("accept: [{{ rule: {rule}, reason: no, until: 2999-12-31 }}]\n");
        let wrong = desk(&accept).zkplan(&["validate", "prod.yaml"]);
        assert_eq!(wrong.code, 65, "{wrong:?}");
        assert!(wrong.err.contains(says) && wrong.err.contains("prod.yaml:7"), "{wrong:?}");
    }
}

#[test]
fn what_is_approved_is_typed_and_comes_from_no_variable() {
    let desk = desk("");
    for words in [
        &["apply", "prod.yaml", "--auto-approve=some"][..],
        &["apply", "prod.yaml", "--expect-plan", "sha256:12"],
        &["apply", "prod.yaml", "--reason", ""],
        &["drift", "prod.yaml", "--fail-on", "note"],
        &["drift"],
    ] {
        assert_eq!(desk.zkplan(words).code, 64, "{words:?}");
    }
}

/// A desk with a saved plan and the public keys of two people; the two, who can sign.
fn with_keys() -> (Desk, [KeyPair; 2]) {
    let desk = desk(&accepting("2999-12-31"));
    desk.zkplan(&[&PLAN[..], &["--out", "plan.json"]].concat());
    let keys = ["ann.pem", "bob.pem"].map(|name| {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        desk.write(name, &key.public_key_pem());
        key
    });
    (desk, keys)
}

/// Applies where no server answers: 10 is as far as a plan gets that is not refused before.
fn applied(desk: &Desk, file: &str, flags: &[&str]) -> (i32, String) {
    let nowhere = ["apply", file, "--auto-approve", "--connect", "127.0.0.1:1"];
    let outcome = desk.zkplan(&[&nowhere[..], flags].concat());
    (outcome.code, outcome.err)
}

const BY_ANN: [&str; 2] = ["--verify-key", "ann.pem"];

#[test]
fn a_plan_that_is_not_signed_is_not_applied() {
    let (desk, [ann, bob]) = with_keys();
    let refused = |file: &str, flags: &[&str], says: &str| {
        let (code, err) = applied(&desk, file, flags);
        let err = err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(code == 4 && err.contains(says), "{file} {flags:?}: {code} {err}");
    };
    refused("plan.json", &BY_ANN, "plan.json is not signed: there is no file plan.json.sig");
    refused("plan.json", &BY_ANN, "openssl pkeyutl -sign -rawin -inkey KEY");
    refused("prod.yaml", &BY_ANN, "prod.yaml is a spec");

    let plan = std::fs::read(desk.path("plan.json")).expect("the plan");
    let sign = |key: &KeyPair, name: &str| {
        let signature = key.sign(&plan).expect("a signature");
        std::fs::write(desk.path(name), signature).expect("a folder");
    };
    sign(&ann, "plan.json.sig");
    sign(&bob, "bobs.sig");
    assert_eq!(applied(&desk, "plan.json", &BY_ANN).0, 10);
    let by_bob = [&BY_ANN[..], &["--signature", "bobs.sig"]].concat();
    refused(
        "plan.json",
        &by_bob,
        "the signature bobs.sig does not fit plan.json and the key ann.pem",
    );
    let by_one = [&by_bob[..], &["--verify-key", "bob.pem"]].concat();
    assert_eq!(applied(&desk, "plan.json", &by_one).0, 10, "one of them is enough");

    // One byte more is another file, although it is the same plan.
    desk.write("plan.json", &(String::from_utf8(plan.clone()).expect("text") + " "));
    assert_eq!(applied(&desk, "plan.json", &[]).0, 10);
    refused("plan.json", &BY_ANN, "the plan was changed after it was signed");
    desk.write("plan.json.sig", "signed: ann");
    refused("plan.json", &BY_ANN, "plan.json.sig is no Ed25519 signature");
}

#[test]
fn what_is_no_public_key_is_named() {
    let (desk, [ann, _]) = with_keys();
    desk.write("ann.key", &ann.serialize_pem());
    for (file, says) in
        [("ann.key", "it holds a private key"), ("prod.yaml", "it holds no public key in PEM")]
    {
        let (code, err) = applied(&desk, "plan.json", &["--verify-key", file]);
        let err = err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(code == 65 && err.contains(says) && err.contains("-pubout"), "{code} {err}");
    }
    let lone = ["apply", "plan.json", "--signature", "plan.json.sig"];
    assert_eq!(desk.zkplan(&lone).code, 64, "a signature without a key is checked by none");
}

//! What `-v` and `-vv` write: enough to see what was asked and sent, and never a secret.

use serde_json::Value;

use crate::applying::wanting;
use crate::harness::{Builder, SUPER_PASSWORD};
use crate::ledger::is_at;
use crate::zkplan::Desk;

/// A password that no line may hold.
const CANARY: &str = "canary-51d0";

/// `super:` and the password of these ensembles, as the client sends it in SASL's and HTTP's forms.
fn is_secret(text: &str) -> bool {
    use base64::Engine as _;
    let packet = format!("super:{SUPER_PASSWORD}");
    let encoded = base64::engine::general_purpose::STANDARD.encode(&packet);
    [SUPER_PASSWORD, packet.as_str(), encoded.as_str(), CANARY]
        .iter()
        .any(|word| text.contains(word))
}

#[test]
fn lines_tell_sessions_and_reconfigs_and_no_password() {
    let ensemble = Builder::rich().start_with([4]);
    let spec = wanting(&ensemble, 1..=4, 1..=4);
    let desk = Desk::new();
    // The password is wrong: nothing is changed, and it is in no line.
    let log = ["-vv", "--log-format", "json"];
    let refused = desk.apply_spec(&spec).password(CANARY).with(&log).ends().exits(10);
    assert!(!is_secret(&refused.stderr), "{refused}");
    let applied = desk.apply_spec(&spec).with(&log).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
    assert!(!is_secret(&applied.stderr), "{applied}");
    let lines: Vec<Value> = applied
        .stderr
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).expect("a line is one JSON object"))
        .collect();
    let of = |message: &str| lines.iter().filter(|line| line["message"] == message).count();
    assert_eq!(of("sending a reconfig"), 2, "the fence and the join\n{applied}");
    assert!(of("opened a session") > 0 && of("showed the credential") > 0, "{applied}");
    assert!(of("asked") > 0 && of("looked at the ensemble") > 0, "{applied}");
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()));
}

#[test]
fn a_look_with_one_v_names_servers_and_not_each_question() {
    let ensemble = Builder::rich().start();
    let spec = wanting(&ensemble, 1..=3, 1..=3);
    let seen = Desk::new().plan(&spec, &["-v"]).exits(0).says(["looked at the ensemble"]);
    assert!(!seen.stderr.contains(" asked server="), "{seen}");
    let quiet = Desk::new().plan(&spec, &[]).exits(0);
    assert!(!quiet.stderr.contains("looked at the ensemble"), "{quiet}");
}

//! `zkplan rollback`: the members before a run come back, and the spec says so afterwards.

use serde_json::Value;

use crate::apply_locks::wait_until_unlocked;
use crate::apply_refusals::ADMIN;
use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, Role, SUPER_PASSWORD, Witness};
use crate::ledger::{Ledger, is_at};
use crate::show;
use crate::spec::Spec;
use crate::zkplan::{Desk, text};

const CUTOVER: [&str; 2] = ["--approve", "cutover"];

/// The document of a rollback, which leaves a file.
fn rolled_back(desk: &Desk, run: u64) -> Value {
    let words = ["rollback", &run.to_string(), "spec.yaml", "--out", "back.json", "--format"];
    desk.run(words.iter().chain(&["json"])).exits(2).json()
}

/// The spec with the edits that the document of a rollback asks for.
fn edited(spec: &str, document: &Value) -> String {
    let edits = document["specEdits"].as_array().expect("edits");
    let mut lines: Vec<Option<&str>> = spec.lines().map(Some).collect();
    let mut entries = Vec::new();
    for edit in edits {
        if let Some(line) = edit["line"].as_u64() {
            lines[usize::try_from(line).expect("a line") - 1] = None;
        }
        entries.extend(edit["entry"].as_str().iter().flat_map(|entry| entry.lines()));
    }
    let mut text = Vec::new();
    for line in lines.into_iter().flatten() {
        text.push(line.to_owned());
        if line == "servers:" {
            text.extend(entries.iter().map(|entry| format!("  {entry}")));
        }
    }
    text.join("\n") + "\n"
}

/// Starts a server that was retired, with the files of a joiner; its data are as they are.
fn starts_like_a_joiner(ensemble: &Ensemble, id: u8) {
    let mut members = ensemble.present_membership();
    members.push(ensemble.server_line_as(id, Role::Observer));
    ensemble.start_with_members(id, &members);
}

/// One of the old servers still follows, one was stopped, and one was stopped and wiped.
#[test]
fn a_finished_move_is_taken_back_under_load() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let witness = Witness::of(&ensemble, 1..=6);
    let forward = wanting(&ensemble, 4..=6, 1..=6);
    let desk = Desk::new();
    let because = ["--reason", "OPS-7", "--by", "ann"];
    desk.apply_spec(&forward).with(&CUTOVER).with(&because).ends().exits(0);
    is_at(&ensemble, &[4, 5, 6]);
    for id in [2, 3] {
        ensemble.stop(id);
    }
    ensemble.wipe(3);

    let ledger = Ledger::begin(&ensemble);
    let document = rolled_back(&desk, 1);
    let members: Vec<&str> =
        document["members"].as_array().expect("lines").iter().map(text).collect();
    assert_eq!(members.len(), 3, "{document:#}");
    let shown = desk.run(["rollback", "1", "spec.yaml", "--out", "back.json"]).exits(2);
    let shown = shown.says(["Rollback of run 1, opened by ann (", "OPS-7"]).says(&members).says([
        "this plan takes run 1 back",
        "Edit spec.yaml in the same change",
        "by reconfigs alone until stop-4",
    ]);
    assert_eq!(shown.next_lines(), ["zkplan apply back.json"]);
    desk.run(["show", "back.json"]).exits(0).says(["this plan takes run 1 back"]);
    ledger.is_untouched();

    // They get no vote before they follow with the data.
    let mut apply = desk.apply("back.json").with(&CUTOVER).start();
    apply.wait_for("waiting", "3");
    assert_eq!(ensemble.administrator().config().ids(), [4, 5, 6]);
    for id in [2, 3] {
        starts_like_a_joiner(&ensemble, id);
    }
    apply.ends().exits(0);
    is_at(&ensemble, &[1, 2, 3]);
    let figures = witness.finish(&ensemble, 1..=3);
    show(&figures.to_string());
    assert!(figures.acknowledged > 0 && figures.lost == 0);

    // The spec still wants what run 1 made, until it is edited as it was said.
    desk.run(["plan", "spec.yaml", "--detailed-exitcode"]).exits(2).says(["join-4"]);
    desk.write("spec.yaml", &edited(&forward.text(), &document));
    desk.run(["plan", "spec.yaml", "--detailed-exitcode"]).exits(0).says(["No changes."]);
    let none = ["rollback", "1", "spec.yaml", "--out", "none.json"];
    let none = desk.run(none).exits(0).says(["Nothing to roll back."]);
    assert!(none.next_lines().is_empty() && !desk.path("none.json").exists(), "{none}");
}

/// A run that stopped half way is given up by the apply that takes it back.
#[test]
fn a_run_that_stopped_half_way_is_taken_back() {
    let ensemble = Builder::rich().start_with([4]);
    let swap = wanting(&ensemble, 2..=4, 1..=4);
    let desk = Desk::new();
    desk.apply_spec(&swap).at("KILL", "send leave-1").ends().was_killed();
    is_at(&ensemble, &[1, 2, 3, 4]);
    wait_until_unlocked(&ensemble);

    let document = rolled_back(&desk, 1);
    assert_eq!((&document["openRun"], &document["runsAfter"]), (&1.into(), &Value::Array(vec![])));
    let next = "zkplan apply back.json --abandon 1";
    assert_eq!(document["next"], next);
    let shown = desk.run(["rollback", "1", "spec.yaml", "--out", "back.json"]).exits(2);
    let shown = shown.says(["Run 1 is open. The apply of this plan abandons it: --abandon 1."]);
    assert_eq!(shown.next_lines(), [next]);
    desk.apply("back.json").ends().exits(5).says(["run 1 is open"]);

    // The way back stops half way, too: it is finished, and not begun a second time.
    let apply = desk.apply("back.json").with(&["--abandon", "1"]);
    apply.at("KILL", "send leave-4").ends().was_killed();
    wait_until_unlocked(&ensemble);
    let again = desk.run(["rollback", "1", "spec.yaml", "--out", "again.json"]).exits(5);
    again.says(["run 2 is open and leads to the members before run 1"]);
    assert!(!desk.path("again.json").exists());
    desk.apply("back.json").ends().exits(0).says(["run 2 of this plan is open"]);
    is_at(&ensemble, &[1, 2, 3]);
    assert_eq!(desk.run(["history", "spec.yaml"]).exits(0).open_run(), None);

    // What a rollback did is a run like any other.
    let document = rolled_back(&desk, 2);
    assert_eq!(document["members"].as_array().map(Vec::len), Some(4), "{document:#}");
    desk.apply("back.json").ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

/// A run that another client could have written is not rolled back.
#[test]
fn a_run_that_is_not_proven_is_not_taken_back() {
    let ensemble = Builder::rich().start_with([4]);
    let spec: Spec = wanting(&ensemble, 1..=4, 1..=4);
    let desk = Desk::new();
    desk.apply_spec(&spec).ends().exits(0);
    let missing = desk.run(["rollback", "7", "spec.yaml", "--out", "back.json"]).exits(1);
    missing.says(["there is no run 7"]);
    let super_user = format!("addauth digest super:{SUPER_PASSWORD}");
    let opens = |path: &str| {
        let open = format!("setAcl {path} world:anyone:cdrwa");
        assert!(ensemble.zkcli_session(1, &[&super_user, &open]).status.success());
    };
    let ledger = Ledger::begin(&ensemble);
    let rolls_back = |code: i32, said: &str| {
        let answer = desk.run(["rollback", "1", "spec.yaml", "--out", "back.json"]).exits(code);
        answer.says([said]);
        assert!(!desk.path("back.json").exists(), "a file was written");
    };
    opens("/zkplan/runs/0000000001/plan-0");
    rolls_back(1, "the plan of run 1 is damaged or not proven");
    opens("/zkplan/runs/0000000001");
    rolls_back(3, "run 1 is not taken back");
    opens("/zkplan");
    rolls_back(3, "zkplan cannot prove");
    ledger.is_untouched();
}

/// A digest user that the list of `/zookeeper/config` lets write, and that is not super: servers mask its
/// digests for a session without credentials, and for those of other users.
#[test]
fn a_digest_user_that_is_not_super_takes_a_run_back() {
    let ensemble = Builder::rich().start_with([4]);
    ensemble.administrator().let_reconfigure(Some(ADMIN));
    let spec = wanting(&ensemble, 1..=4, 1..=4).auth("admin");
    let desk = Desk::new();
    desk.apply_spec(&spec).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);

    let back = ["rollback", "1", "spec.yaml", "--out", "back.json"];
    let ledger = Ledger::begin(&ensemble);
    let wrong = desk.run_with_password(&back, "wrong");
    assert!(!wrong.has_exited(2) && !desk.path("back.json").exists(), "{wrong}");
    desk.run_as_super(&back).exits(2).says(["Rollback of run 1"]);
    ledger.is_untouched();
    desk.apply("back.json").ends().exits(0);
    is_at(&ensemble, &[1, 2, 3]);
    assert_eq!(desk.run_as_super(&["history", "spec.yaml"]).exits(0).last_run(), "2");
}

//! `zkplan rehearse`.

use crate::run::{Desk, LIVE, SPEC};

#[test]
fn a_saved_plan_is_rehearsed_without_asking_anybody() {
    let desk = Desk::new();
    desk.write("live", LIVE);
    desk.write("prod.yaml", SPEC);
    let made = desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--out", "plan.json"]);
    assert_eq!(made.code, 0, "{made:?}");
    let answer = desk.zkplan(&["rehearse", "plan.json"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    answer.assert_clean();
    let words = answer.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in
        ["before the first step", "after join-4", "await-4", "apply finishes in all of them."]
    {
        assert!(words.contains(part), "{part}: {}", answer.out);
    }
    // The code that is rehearsed logs what it does to servers: here it does nothing to any.
    let verbose = desk.zkplan(&["rehearse", "plan.json", "-vv"]);
    assert_eq!((&verbose.out, verbose.err.as_str()), (&answer.out, ""));
    let again = desk.zkplan(&["rehearse", "plan.json"]);
    assert_eq!(answer.out, again.out, "a rehearsal is the same every time");
    let planned = desk.zkplan(&["rehearse", "prod.yaml", "--live", "live"]);
    assert_eq!(answer.out, planned.out, "a spec is planned first");
    let json = desk.zkplan(&["rehearse", "plan.json", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((&document["alwaysEnds"], &document["moments"]), (&true.into(), &3.into()));
    let first = &document["rehearsals"][0];
    assert_eq!(first["writes"], "afterElection", "{first}");
    // A voter fewer is mended by the one that joins: apply needs no other.
    assert_eq!(
        (&first["apply"]["result"], &first["apply"]["text"]),
        (&"finishes".into(), &"finishes".into())
    );
    assert_eq!(first["recovery"]["result"], "atTarget", "{first}");
}

#[test]
fn what_cannot_be_rehearsed_says_why() {
    let desk = Desk::new();
    assert_eq!(desk.zkplan(&["rehearse"]).code, 64);
    desk.write("plan.json", "{ \"plan_id\": 1 }");
    assert_eq!(desk.zkplan(&["rehearse", "plan.json"]).code, 65);
    desk.write("live", LIVE);
    desk.write("same.yaml", &SPEC.replace("id: 4, host: 10.0.0.4", "id: 3, host: 10.0.0.3"));
    let same = desk.zkplan(&["rehearse", "same.yaml", "--live", "live"]);
    assert_eq!(same.code, 0, "{same:?}");
    assert!(same.out.contains("nothing to rehearse"), "{}", same.out);
}

#[test]
fn flags_of_planning_go_with_a_spec() {
    let desk = Desk::new();
    desk.write("live", LIVE);
    desk.write("prod.yaml", SPEC);
    let made = desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--out", "plan.json"]);
    assert_eq!(made.code, 0, "{made:?}");
    for words in [["--accept", "ZKQ2:join-4"], ["--live", "live"]] {
        let answer = desk.zkplan(&[&["rehearse", "plan.json"][..], &words].concat());
        assert_eq!(answer.code, 64, "{answer:?}");
        assert!(answer.err.contains("work only with a spec"), "{answer:?}");
    }
    std::fs::create_dir(desk.path("configs")).expect("a folder");
    desk.write("configs/prod", LIVE);
    let file = desk.zkplan(&["rehearse", "prod.yaml", "--live", "live"]);
    let folder = desk.zkplan(&["rehearse", "prod.yaml", "--live", "configs"]);
    assert_eq!((folder.code, folder.out), (0, file.out), "{}", folder.err);
}

#[test]
fn a_plan_is_rehearsed_where_it_is_shown_alone() {
    let desk = Desk::new();
    desk.write("live", LIVE);
    desk.write("prod.yaml", SPEC);
    let plan = desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--out", "plan.json"]);
    assert!(plan.out.contains("\nSimulated: "), "{}", plan.out);
    assert!(plan.out.contains("zkplan rehearse plan.json"), "{}", plan.out);
    desk.write("same.yaml", &SPEC.replace("id: 4, host: 10.0.0.4", "id: 3, host: 10.0.0.3"));
    let same = desk.zkplan(&["plan", "same.yaml", "--live", "live"]);
    let json = desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--format", "json"]);
    for answer in [same, json] {
        assert!(answer.code == 0 && !answer.out.contains("Simulated"), "{answer:?}");
    }
}

/// Of a member of static origin that leaves, neither its line nor the spec tells the client port.
#[test]
fn a_plan_on_an_ensemble_of_static_origin_is_rehearsed() {
    let desk = Desk::new();
    desk.write("live", &LIVE.replace(";0.0.0.0:2181", ""));
    desk.write("prod.yaml", SPEC);
    let made = desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--out", "plan.json"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.out.contains("single failures"), "{made:?}");
    let answer = desk.zkplan(&["rehearse", "plan.json"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.out.contains("await-4"), "{answer:?}");
    // Where clients reach a server changes nothing of what fails.
    desk.write("live", LIVE);
    let known = desk.zkplan(&["rehearse", "prod.yaml", "--live", "live"]);
    let table = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("  ")).map(str::to_owned).collect()
    };
    assert_eq!(table(&answer.out), table(&known.out));
}

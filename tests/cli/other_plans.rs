//! Other plans beside the one that is made: other orders, other preferences, many ensembles at once.

use std::fs;

use crate::run::{Answer, Desk};

fn line(id: u8, role: &str) -> String {
    format!("server.{id}=10.0.0.{id}:2888:3888:{role};0.0.0.0:2181\n")
}

fn desk() -> Desk {
    let desk = Desk::new();
    let live: String = (1..=3).map(|id| line(id, "participant")).collect();
    desk.write("live", &format!("{live}version=100000004"));
    desk.write("prod.yaml", &spec("prod", &[4, 5, 6], ""));
    desk
}

fn spec(ensemble: &str, ids: &[u8], policy: &str) -> String {
    let servers: Vec<String> =
        ids.iter().map(|id| format!("  - {{ id: {id}, host: 10.0.0.{id} }}\n")).collect();
    let servers = servers.concat();
    format!("apiVersion: zkplan/v1\nensemble: {ensemble}\nservers:\n{servers}{policy}")
}

fn why_not(desk: &Desk, wish: &str) -> Answer {
    let answer = desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--why-not", wish]);
    answer.assert_clean();
    answer
}

fn says(answer: &Answer, what: &str) {
    assert!(answer.code == 0 && answer.out.contains(what), "{what}: {answer:?}");
}

#[test]
fn another_order_is_refused_with_the_law_and_the_numbers() {
    let desk = desk();
    let answer = why_not(&desk, "remove 2 first");
    says(&answer, "Why not remove 2 first?");
    says(&answer, "ZKQ7 at leave-2");
    says(&answer, "server 2 loses its vote while {4, 5, 6} have none yet");
    says(&why_not(&desk, "join 6 before 4"), "ZKQ7 at join-4");
}

#[test]
fn another_order_that_is_as_good_is_said_to_be() {
    let desk = desk();
    says(&why_not(&desk, "remove 3 before 1"), "It is as good as the plan");
    says(&why_not(&desk, "join 4 first"), "The plan already does this.");
    says(&why_not(&desk, "promote 4 first"), "The plan does not have such a step.");
}

#[test]
fn a_wish_that_cannot_be_read_is_a_mistake_of_the_command_line() {
    let answer = desk().zkplan(&["plan", "prod.yaml", "--live", "live", "--why-not", "faster"]);
    assert_eq!(answer.code, 64, "{answer:?}");
    assert!(answer.err.contains("remove 2 first"), "{answer:?}");
}

#[test]
fn a_wish_is_answered_or_refused() {
    let desk = desk();
    let asked = ["plan", "prod.yaml", "--live", "live", "--why-not", "remove 2 first"];
    let json = desk.zkplan(&[&asked[..], &["--format", "json"]].concat());
    assert_eq!(json.code, 64, "{json:?}");
    assert!(json.err.contains("--why-not works only with --format text"), "{json:?}");
    desk.write("prod.yaml", &spec("prod", &[4], ""));
    let refused = desk.zkplan(&asked);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.out.contains("Why not remove 2 first? There is no plan"), "{refused:?}");
}

#[test]
fn the_price_of_each_preference_is_shown_side_by_side() {
    let desk = desk();
    let live: String = (1..=3).map(|id| line(id, "participant")).collect();
    desk.write("live", &format!("{live}{}version=100000004", line(4, "observer")));
    desk.write("prod.yaml", &spec("prod", &[1, 2, 3, 4], "policy: { minTolerance: 0 }\n"));
    let planned =
        |prefer| desk.zkplan(&["plan", "prod.yaml", "--live", "live", "--prefer", prefer]);
    let row = |answer: &Answer, name: &str| {
        let line = answer.out.lines().find(|line| line.contains(name)).unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let safest = planned("safest");
    says(&safest, "unlist-4");
    assert_eq!(row(&safest, "* safest"), ["*", "safest", "2", "1", "-", "0"], "{safest:?}");
    assert_eq!(row(&safest, "fewest"), ["fewest", "1", "0", "-", "0"], "{safest:?}");
    let fewest = planned("fewest");
    assert!(!fewest.out.contains("unlist-4"), "{fewest:?}");
    // Typed again, the command that is printed makes the plan that was shown.
    says(&fewest, "--live live --prefer fewest --out plan.json");
    assert_eq!(row(&fewest, "* fewest"), ["*", "fewest", "1", "0", "-", "0"], "{fewest:?}");
}

#[test]
fn many_ensembles_are_planned_from_a_folder_of_their_configurations() {
    let desk = desk();
    fs::create_dir(desk.path("configs")).expect("a folder");
    let live = desk.read("live");
    desk.write("configs/prod", &live);
    desk.write("configs/test", &live.replace("10.0.0.", "10.0.1."));
    desk.write("test.yaml", &spec("test", &[1, 2, 3], "").replace("10.0.0.", "10.0.1."));
    desk.write("lost.yaml", &spec("lost", &[1, 2, 3], ""));
    let both = ["plan", "prod.yaml", "test.yaml", "--live", "configs"];
    let answer = desk.zkplan(&both);
    answer.assert_clean();
    says(&answer, "No changes. Ensemble test");
    says(&answer, "Plan: 3 join, 3 leave in 6 reconfigs");
    let lost = desk.zkplan(&[&both[..], &["lost.yaml"]].concat());
    assert!(lost.code == 1 && lost.err.contains("configs/lost cannot be read"), "{lost:?}");
    assert!(lost.err.contains("note: configs is a folder"), "{lost:?}");
    let file = desk.zkplan(&["plan", "prod.yaml", "test.yaml", "--live", "live"]);
    assert!(file.code == 64 && file.err.contains("folder"), "{file:?}");
}

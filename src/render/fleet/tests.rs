//! Tables of many ensembles, read by eye.

use std::collections::BTreeSet;

use super::*;
use crate::ensemble::{NoAnswer, PortState};
use crate::model::{Endpoint, Host, ServerId};
use crate::observe::Tried;
use crate::preflight::fixture::Scene as Checks;
use crate::proposal::propose;
use crate::render::fixture::{Scene, lines};
use crate::render::status::StatusOf;
use crate::settings::Edits;
use crate::status::{JournalSeen, Known};

const NAME: &str = "prod-eu";

fn status_of(scene: &Scene, spec: &str) -> FleetCells {
    let wanted = match propose(&scene.spec.to_target(), &scene.facts, &[]) {
        Ok(checked) => SpecVerdict::Planned(Box::new(checked)),
        Err(refusal) => SpecVerdict::Refused(refusal),
    };
    let (journal, wanted) = (JournalSeen::default(), Some(&wanted));
    let (seen, facts, journal) = (&scene.seen, &scene.facts, Some(&journal));
    let status = EnsembleStatus::of(Known { seen, facts, wanted, journal, writes: None });
    let of = StatusOf::Spec(spec);
    FleetCells::of_status(&StatusScreen { ensemble: NAME, of, status: &status, width: 100 })
}

fn silent() -> ObserveError {
    let endpoint = Endpoint::plain(Host::new("10.0.9.1"), 2181);
    ObserveError::Unreachable { tried: vec![Tried { endpoint, silence: NoAnswer::Refused }] }
}

fn shown(of: &FleetTable, all: &[(&str, &FleetCells, u8)]) -> String {
    let files: Vec<String> = all.iter().map(|(name, ..)| format!("specs/{name}.yaml")).collect();
    let rows = all.iter().zip(&files).map(|((name, cells, exit_code), file)| FleetRow {
        ensemble: (*name != "bad").then_some(*name),
        file,
        cells,
        exit_code: *exit_code,
    });
    table(of, &rows.collect::<Vec<_>>(), 100).to_string_with(false)
}

#[test]
fn a_status_of_many_says_of_each_what_comes_next_or_why_nothing_can() {
    let same = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3]));
    let moved = Scene::new(&lines(&[1, 2, 3]), &lines(&[4, 5, 6]));
    let refused = Scene::new(&lines(&[1]), &lines(&[1, 2, 3]));
    let tight = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3])).silent(&[2]);
    let lost = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3])).silent(&[1, 2]);
    let cells = [
        ("same", status_of(&same, "specs/same.yaml"), 0),
        ("moved", status_of(&moved, "specs/moved.yaml"), 0),
        ("refused", status_of(&refused, "specs/refused.yaml"), 0),
        ("tight", status_of(&tight, "specs/tight.yaml"), 0),
        ("lost", status_of(&lost, "specs/lost.yaml"), 0),
        ("gone", FleetCells::not_seen(&silent()), 10),
        (
            "bad",
            FleetCells::failed("not asked", "specs/bad.yaml cannot be used as a spec".into()),
            65,
        ),
    ];
    let rows: Vec<(&str, &FleetCells, u8)> =
        cells.iter().map(|(name, cells, exit)| (*name, cells, *exit)).collect();
    insta::assert_snapshot!(shown(&FleetTable::STATUS, &rows), @r#"
      ensemble  spec                verdict                           change    in sync  tolerates  exit
      same      specs/same.yaml     no changes                        possible   3 of 3          1     0
      moved     specs/moved.yaml    3 join, 3 leave                   possible   3 of 3          1     0
          Next: zkplan plan specs/moved.yaml --out plan.json
      refused   specs/refused.yaml  refused: ZKQ2                     possible   1 of 1          0     0
          Next: zkplan plan specs/refused.yaml
      tight     specs/tight.yaml    no changes, but server 2 was not  possible   2 of 3          0     0
                                    up and in sync
          Next: zkplan status specs/tight.yaml --watch
      lost      specs/lost.yaml     no changes, but servers 1 and 2   not now    1 of 3          -     0
                                    were not up and in sync
          ZKQ1: Too few voters are up and in sync. No reconfig would commit. voters {1, 2, 3}; able to
          acknowledge {3} (missing: 1 and 2); quorum is 2
      gone      specs/gone.yaml     unreachable                       -               -          -    10
          10.0.9.1:2181: connection refused: no process listens on the port
      -         specs/bad.yaml      not asked                         -               -          -    65
          specs/bad.yaml cannot be used as a spec

    Details of one: zkplan status SPEC
    "#);
}

#[test]
fn checks_of_many_are_counted_and_the_first_that_failed_is_named() {
    let votes = |acking: &[i64]| Votes {
        voters: [1, 2, 3].map(ServerId::new).into(),
        acking: acking.iter().map(|id| ServerId::new(*id)).collect::<BTreeSet<_>>(),
        need: 2,
    };
    let of = |scene: &Checks, next: &str| {
        let (checks, seen, edits) = (&scene.checks()[..], &scene.seen, &Edits::default());
        let (ensemble, all, is_again, width) = (NAME, false, false, 100);
        let view = PreflightScreen { ensemble, seen, checks, all, edits, next, is_again, width };
        FleetCells::of_preflight(&view, &votes(&[1, 2, 3]))
    };
    let well = of(&Checks::new(), "zkplan plan specs/well.yaml --out plan.json");
    let mut shut = Checks::new();
    shut.observed(2).election_port = Some(PortState::Unreachable);
    let shut = of(&shut, "zkplan preflight specs/shut.yaml");
    let gone = FleetCells::failed("not seen", silent().to_string());
    let rows = [("well", &well, 0), ("shut", &shut, 3), ("gone", &gone, 10)];
    insta::assert_snapshot!(shown(&FleetTable::PREFLIGHT, &rows), @r#"
      ensemble  file             verdict    failed  advice  unknown  in sync  tolerates  exit
      well      specs/well.yaml  ready           0       0        9   3 of 3          1     0
          Next: zkplan plan specs/well.yaml --out plan.json
      shut      specs/shut.yaml  not ready       1       0        9   3 of 3          1     3
          ZKP2 election port: server 2: 10.0.0.2:3888 is unreachable
      gone      specs/gone.yaml  not seen        -       -        -        -          -    10
          no server answered

    Details of one: zkplan preflight FILE
    "#);
}

/// A command is copied as it stands.
#[test]
fn a_command_is_not_broken_into_lines() {
    let path = format!("specs/{}/prod.yaml", "deep/".repeat(20));
    let moved = Scene::new(&lines(&[1, 2, 3]), &lines(&[4, 5, 6]));
    let cells = status_of(&moved, &path);
    let text = shown(&FleetTable::STATUS, &[("moved", &cells, 0)]);
    let command = format!("Next: zkplan plan {path} --out plan.json");
    assert!(text.lines().any(|line| line.trim() == command), "{text}");
}

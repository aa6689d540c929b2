//! Screens of `zkplan status`, read by eye.

use serde_json::Value;

use super::*;
use crate::apply::past_runs::RetiredSeen;
use crate::document::Document as _;

use crate::ensemble::NoAnswer;
use crate::model::ServerId;
use crate::observe::{Clients, Identity, ServerObservation, ServerStatus};
use crate::plan::StepId;
use crate::render::fixture::{Scene, endpoint, lines, three_zones};
use crate::report::status::StatusDocument;
use crate::status::{JournalSeen, Known, RunPosition, WriteRate};

/// Two looks of 2 s, between which writes commit, or none does.
const fn writes(scene: &Scene) -> WriteRate {
    let transactions = if scene.seen.write_committed { 91 } else { 0 };
    WriteRate { transactions, over_ms: 2004 }
}

fn id(number: i64) -> ServerId {
    ServerId::new(number)
}

/// The screen of a scene, with what the spec of it wants.
fn of_spec(scene: &Scene, journal: Option<&JournalSeen>) -> String {
    let planned = crate::proposal::propose(&scene.spec.to_target(), &scene.facts, &[]);
    let wanted = match planned {
        Ok(checked) => SpecVerdict::Planned(Box::new(checked)),
        Err(refusal) => SpecVerdict::Refused(refusal),
    };
    shown(scene, Some(&wanted), journal, StatusOf::Spec("prod-eu.yaml"))
}

fn shown(
    scene: &Scene,
    wanted: Option<&SpecVerdict>,
    journal: Option<&JournalSeen>,
    of: StatusOf<'_>,
) -> String {
    let (seen, facts) = (&scene.seen, &scene.facts);
    let writes = Some(writes(scene));
    let status = EnsembleStatus::of(Known { seen, facts, wanted, journal, writes });
    let view = StatusScreen { ensemble: "prod-eu", of, status: &status, width: 100 };
    let text = screen(&view).to_string_with(false);
    assert!(text.lines().all(|line| line.len() <= 100 || line.starts_with("Next: ")), "{text}");
    text
}

/// The document of the same, which fits its schema.
fn document(scene: &Scene, wanted: Option<&SpecVerdict>, journal: Option<&JournalSeen>) -> Value {
    let (seen, facts) = (&scene.seen, &scene.facts);
    let writes = Some(writes(scene));
    let status = EnsembleStatus::of(Known { seen, facts, wanted, journal, writes });
    let of = StatusOf::Spec("prod-eu.yaml");
    let view = StatusScreen { ensemble: "prod-eu", of, status: &status, width: 100 };
    let document =
        StatusDocument::of(&view, Some("prod-eu.yaml"), "2026-01-01T03:17:00Z".to_owned())
            .to_value();
    let validator = jsonschema::validator_for(&StatusDocument::schema()).expect("a schema");
    assert!(validator.is_valid(&document), "{document:#}");
    document
}

#[test]
fn a_healthy_ensemble_fits_twenty_lines() {
    let scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3]));
    let of = StatusOf::Flags("--connect zk1:2181");
    let text = shown(&scene, None, Some(&JournalSeen::default()), of);
    assert!(text.lines().count() <= 20);
    insta::assert_snapshot!(text, @r#"
    prod-eu  config version 100000004, server 1 leads, 3 of 3 voters synced, not managed by zkplan yet
             (no apply so far), leader at zxid 0x100000080

      id  role         mode      version  lag  clients  status   address
       1  participant  leader    3.8.0      0        7  leads    10.0.0.1:2181
       2  participant  follower  3.8.0      0        7  follows  10.0.0.2:2181
       3  participant  follower  3.8.0      0        7  follows  10.0.0.3:2181

    Quorum  2 of 3 voters needed, 3 in sync: tolerates 1 failure now
    Data    number of znodes not known, size not known (the leader does not answer mntr), 45 writes a
            second over 2.0 s
    Run     none is open
    Change  nothing blocks a reconfig now

    Next: zkplan import --connect zk1:2181 --ensemble prod-eu > prod-eu.imported.yaml
    "#);
}

#[test]
fn a_voter_is_down_and_old_servers_serve() {
    let mut scene = three_zones().silent(&[2]);
    scene.spec = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3])).spec;
    scene.facts.following.clear();
    scene.seen.servers.retain(|id, _| id.get() <= 3);
    let old = |number: i64, answer| RetiredSeen {
        run: 3,
        id: id(number),
        at: Some(endpoint(&format!("10.0.0.{number}"))),
        answer,
        clients: None,
    };
    let journal =
        JournalSeen { retired: vec![old(7, None), old(8, None)], ..JournalSeen::default() };
    insta::assert_snapshot!(of_spec(&scene, Some(&journal)), @r#"
    prod-eu  config version 100000004, server 1 leads, 2 of 3 voters synced, not managed by zkplan yet
             (no apply so far), leader at zxid 0x100000080

      id  role         mode      version  lag  clients  zone  status     address
       1  participant  leader    3.8.0      0        7  az-1  leads      10.0.0.1:2181
       2  participant  -         -          -        -  az-2  no answer  10.0.0.2:2181
          10.0.0.2:2181: timed out while connecting: the server is down, or a firewall drops packets
       3  participant  follower  3.8.0      0        7  az-3  follows    10.0.0.3:2181

    Quorum  2 of 3 voters needed, 2 in sync (missing: 2): tolerates 0 failures now
    Zones   tolerates the loss of az-2, not of az-1 or az-3
    Data    number of znodes not known, size not known (the leader does not answer mntr), 45 writes a
            second over 2.0 s
    Run     none is open
    Retired 7 at 10.0.0.7:2181 (run 3) and 8 at 10.0.0.8:2181 (run 3): stopped, as far as zkplan sees:
            no server with this id answers there
    Change  nothing blocks a reconfig now
    Spec    prod-eu.yaml: No changes to plan, but server 2 was not up and in sync. Start it, or wait
            until it is in sync.

    Next: zkplan status prod-eu.yaml --watch
    "#);
}

#[test]
fn a_migration_whose_joiners_are_on_their_way() {
    let mut scene = three_zones();
    let silent = ServerObservation {
        endpoint: Some(endpoint("10.0.0.6")),
        ..ServerObservation::blank(id(6), ServerStatus::Silent(NoAnswer::Refused))
    };
    scene.seen.servers.insert(id(6), silent);
    scene.facts.following.remove(&id(6));
    let planned = SpecVerdict::Planned(Box::new(scene.plan()));
    let document = document(&scene, Some(&planned), Some(&JournalSeen::default()));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents/status.json");
    if std::env::var_os("ZKPLAN_UPDATE").is_some() {
        std::fs::write(path, format!("{document:#}\n")).expect("the file can be written");
    }
    let kept = std::fs::read_to_string(path).expect("a document");
    assert_eq!(document, serde_json::from_str::<Value>(&kept).expect("JSON"));
    insta::assert_snapshot!(of_spec(&scene, Some(&JournalSeen::default())), @r#"
    prod-eu  config version 100000004, server 1 leads, 3 of 3 voters synced, not managed by zkplan yet
             (no apply so far), leader at zxid 0x100000080

      id  role         mode      version  lag  clients  zone  status       address
       1  participant  leader    3.8.0      0        7  az-1  leads        10.0.0.1:2181
       2  participant  follower  3.8.0      0        7  az-2  follows      10.0.0.2:2181
       3  participant  follower  3.8.0      0        7  az-3  follows      10.0.0.3:2181
       4  joiner       follower  3.8.0      0        0  az-1  no vote yet  10.0.0.4:2181
          id 4 from conf, follows without a vote, at the leader's zxid, data equal at zxid 0x100000000,
          election port open
       5  joiner       follower  3.8.0      0        0  az-2  no vote yet  10.0.0.5:2181
          id 5 from conf, follows without a vote, at the leader's zxid, data equal at zxid 0x100000000,
          election port open
       6  joiner       -         -          -        -  az-3  no answer    10.0.0.6:2181
          10.0.0.6:2181: connection refused: no process listens on the port

    Quorum  2 of 3 voters needed, 3 in sync: tolerates 1 failure now
    Zones   tolerates the loss of any one zone
    Data    number of znodes not known, size not known (the leader does not answer mntr), 45 writes a
            second over 2.0 s
    Run     none is open
    Change  nothing blocks a reconfig now
    Spec    prod-eu.yaml: 3 join, 3 leave in 6 reconfigs. Tolerates 1 failure throughout. The leader
            changes once, at the end.

    Migration
      M1   waiting  versions       3.8.0; that of server 6 is not known
      M2   done     addresses      the client address of every member is known
      M3   waiting  ports          open, tried from this machine: 1, 2, 3, 4 and 5; not running yet, or
                                   not tried: 6
      M4   not yet  run            no run is open; zkplan apply opens it
      M5   unknown  super user     status sends no password; zkplan preflight tries it on every server
      M6   unknown  settings       reconfigEnabled is true; zkplan preflight checks superDigest and
                                   limits
      M7   unknown  archive        optional: new servers copy the data from the leader; for much data:
                                   zkplan explain archives
      M8   waiting  joiners        follow: 4 and 5; do not follow yet: 6
      M9   done     configuration  configuration 100000004 was read
      M10  unknown  signed in      status sends no password; the first reconfig of a run shows it
      M11  not yet  added          not members yet: 4, 5 and 6
      M12  waiting  data in sync   proven: 4 and 5; not proven yet: 6
      M13  waiting  clients        7 clients on 1, 7 clients on 2 and 7 clients on 3
      M14  not yet  removed        still members: 1, 2 and 3
      M15  not yet  stopped        still members: 1, 2 and 3

    Next: zkplan plan prod-eu.yaml --out plan.json
    "#);
}

#[test]
fn an_open_run_names_what_is_left_and_the_command_that_finishes_it() {
    let mut scene = three_zones();
    scene.facts.identity = Identity::Known("5d0f6a1c9e2b".to_owned());
    let checked = scene.plan();
    let done = ["await-4", "join-4"].map(StepId::new).into();
    let position = RunPosition { run: 2, is_certain: true, checked: checked.clone(), done };
    let kind = FindingKind::OpenRun {
        run: 2,
        plan_id: "sha256:1".to_owned(),
        opened_by: "ann@ops".to_owned(),
        opened_at: "2026-11-29T03:00:00Z".to_owned(),
        locked_by: None,
        goes_on: true,
        because: None,
        masked: false,
    };
    let journal = JournalSeen {
        findings: vec![Finding { kind, server: None }],
        position: Some(position.clone()),
        ..JournalSeen::default()
    };
    let wanted = SpecVerdict::Resumes(Box::new(position));
    let text = shown(&scene, Some(&wanted), Some(&journal), StatusOf::Spec("prod-eu.yaml"));
    insta::assert_snapshot!(text, @r#"
    prod-eu  config version 100000004, server 1 leads, 3 of 3 voters synced, identity 5d0f6a1c9e2b,
             leader at zxid 0x100000080

      id  role         mode      version  lag  clients  zone  status       address
       1  participant  leader    3.8.0      0        7  az-1  leads        10.0.0.1:2181
       2  participant  follower  3.8.0      0        7  az-2  follows      10.0.0.2:2181
       3  participant  follower  3.8.0      0        7  az-3  follows      10.0.0.3:2181
       4  joiner       follower  3.8.0      0        0  az-1  no vote yet  10.0.0.4:2181
          id 4 from conf, follows without a vote, at the leader's zxid, data equal at zxid 0x100000000,
          election port open
       5  joiner       follower  3.8.0      0        0  az-2  no vote yet  10.0.0.5:2181
          id 5 from conf, follows without a vote, at the leader's zxid, data equal at zxid 0x100000000,
          election port open
       6  joiner       follower  3.8.0      0        0  az-3  no vote yet  10.0.0.6:2181
          id 6 from conf, follows without a vote, at the leader's zxid, data equal at zxid 0x100000000,
          election port open

    Quorum  2 of 3 voters needed, 3 in sync: tolerates 1 failure now
    Zones   tolerates the loss of any one zone
    Data    number of znodes not known, size not known (the leader does not answer mntr), 45 writes a
            second over 2.0 s
    Run     run 2 is open, opened by ann@ops at 2026-11-29T03:00:00Z; reconfigs done: join-4; left:
            join-5, join-6, leave-1, leave-2 and leave-3; gates not passed yet: gate
    Lock    free: no apply runs now
    Change  nothing blocks a reconfig now
    Spec    prod-eu.yaml: an apply resumes run 2

    Migration
      M1   done     versions       3.8.0
      M2   done     addresses      the client address of every member is known
      M3   done     ports          open, tried from this machine: 1, 2, 3, 4, 5 and 6
      M4   done     run            run 2 is open
      M5   unknown  super user     status sends no password; zkplan preflight tries it on every server
      M6   unknown  settings       reconfigEnabled is true; zkplan preflight checks superDigest and
                                   limits
      M7   done     archive        not needed: the data are on servers 4, 5 and 6
      M8   done     joiners        follow: 4, 5 and 6
      M9   done     configuration  configuration 100000004 was read
      M10  done     signed in      run 2 has committed 1 reconfig
      M11  not yet  added          not members yet: 4, 5 and 6
      M12  done     data in sync   proven: 4, 5 and 6
      M13  waiting  clients        7 clients on 1, 7 clients on 2 and 7 clients on 3
      M14  not yet  removed        still members: 1, 2 and 3
      M15  not yet  stopped        still members: 1, 2 and 3

    Next: zkplan apply prod-eu.yaml
    "#);
    // Without a spec the run is in the way of every other change.
    let text = shown(&scene, None, Some(&journal), StatusOf::Flags("--connect zk1"));
    assert!(text.contains("not possible now: run 2 is open"), "{text}");
    // An import would write over the spec of that run, or stand in its way.
    assert!(!text.contains("\nNext: ") && !text.contains("zkplan import"), "{text}");
}

#[test]
fn nothing_is_possible_without_a_quorum_and_what_is_not_known_is_said() {
    let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3])).silent(&[2, 3]);
    scene.seen.write_committed = false;
    insta::assert_snapshot!(of_spec(&scene, None), @r#"
    prod-eu  config version 100000004, server 1 leads, 1 of 3 voters synced, not managed by zkplan yet
             (no apply so far), leader at zxid 0x100000080

      id  role         mode    version  lag  clients  status     address
       1  participant  leader  3.8.0      0        7  leads      10.0.0.1:2181
       2  participant  -       -          -        -  no answer  10.0.0.2:2181
          10.0.0.2:2181: timed out while connecting: the server is down, or a firewall drops packets
       3  participant  -       -          -        -  no answer  10.0.0.3:2181
          10.0.0.3:2181: timed out while connecting: the server is down, or a firewall drops packets

    Quorum  2 of 3 voters needed, 1 in sync (missing: 2 and 3): too few for writes
    Data    number of znodes not known, size not known (the leader does not answer mntr), 0 writes a
            second over 2.0 s
    Run     not known: the journal could not be read
    Change  not possible now: ZKQ1: Too few voters are up and in sync. No reconfig would commit. voters
            {1, 2, 3}; able to acknowledge {1} (missing: 2 and 3); quorum is 2
    Change  not possible now: it is not known whether a run is open: no server accepts a session, or the
            journal cannot be read
    Spec    prod-eu.yaml: No changes to plan, but servers 2 and 3 were not up and in sync. Start them,
            or wait until they are in sync.

    Next: zkplan status prod-eu.yaml --watch
    "#);
    // The others may acknowledge writes that zkplan does not see.
    scene.seen.write_committed = true;
    let text = of_spec(&scene, None);
    assert!(text.contains(": writes commit, but too few"), "{text}");
}

/// After a migration members and spec agree, and something is left to be done by hand all the same.
#[test]
fn what_is_left_to_be_done_by_hand_has_a_next_line() {
    let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3]));
    let next = |scene: &Scene, journal: &JournalSeen| {
        let text = of_spec(scene, Some(journal));
        text.lines().find_map(|line| line.strip_prefix("Next: ").map(str::to_owned))
    };
    assert_eq!(next(&scene, &JournalSeen::default()), None);
    let old = |answer| RetiredSeen {
        run: 3,
        id: id(7),
        at: Some(endpoint("10.0.0.7")),
        answer,
        clients: Some(Clients::counted(2)),
    };
    let journal = |answer| JournalSeen { retired: vec![old(answer)], ..JournalSeen::default() };
    assert_eq!(next(&scene, &journal(None)), None, "it is stopped");
    let follows = journal(Some(Beside::Follows));
    assert_eq!(next(&scene, &follows).as_deref(), Some("zkplan status prod-eu.yaml --watch"));
    let text = of_spec(&scene, Some(&follows));
    assert!(text.contains("7 at 10.0.0.7:2181 (run 3, 2 clients): still follows"), "{text}");

    let stale = FindingKind::StaleContacts {
        contacts: vec!["10.0.0.7:2181".to_owned()],
        instead: vec!["10.0.0.1:2181".to_owned()],
    };
    scene.facts.findings.push(Finding { kind: stale, server: None });
    let contacts = next(&scene, &JournalSeen::default());
    assert_eq!(contacts.as_deref(), Some("zkplan explain ZKF17"));
}

/// A static ensemble shows no client ports: with one contact the others are not asked, and nothing is
/// wrong with them.
#[test]
fn servers_that_were_not_asked_are_not_called_missing() {
    let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3]));
    for number in [2, 3] {
        let blank = ServerObservation::blank(id(number), ServerStatus::NotAsked);
        scene.seen.servers.insert(id(number), blank);
        scene.facts.synced.remove(&id(number));
    }
    let journal = JournalSeen::default();
    let text = shown(&scene, None, Some(&journal), StatusOf::Flags("--connect zk1:2181"));
    insta::assert_snapshot!(text, @r#"
    prod-eu  config version 100000004, server 1 leads, 1 of 3 voters synced, 2 not asked, not managed by
             zkplan yet (no apply so far), leader at zxid 0x100000080

      id  role         mode    version  lag  clients  status     address
       1  participant  leader  3.8.0      0        7  leads      10.0.0.1:2181
       2  participant  -       -          -        -  not asked  -
          its client address is not known; counts as down
       3  participant  -       -          -        -  not asked  -
          its client address is not known; counts as down

    Quorum  2 of 3 voters needed, 1 in sync (not asked: 2 and 3): writes commit; whether the others are
            in sync is not known
    Not asked servers 2 and 3: their client addresses are not known. Name every server in --connect
    Data    number of znodes not known, size not known (the leader does not answer mntr), 45 writes a
            second over 2.0 s
    Run     none is open
    Change  not possible now: ZKQ1: too few voters were asked to know whether a reconfig would commit
    "#);
    scene.seen.write_committed = false;
    let text = shown(&scene, None, Some(&journal), StatusOf::Flags("--connect zk1:2181"));
    assert!(text.contains("(not asked: 2 and 3): too few for writes"), "{text}");
}

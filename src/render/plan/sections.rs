//! Sections of screens that need a second look.

use super::screens::shown;
use super::*;
use crate::model::{AddAs, Host, ReuseIds};
use crate::observe::{FindingKind, NotResumed, PlainPort, TargetProbe};
use crate::render::fixture::{Scene, id, line, lines, three_zones};

/// From one line to another, which is left out.
fn part<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let text = &text[text.find(from).unwrap()..];
    &text[..text.find(to).unwrap()]
}

#[test]
fn a_saved_plan_is_shown_from_its_facts() {
    let checked = three_zones().silent(&[4, 5, 6]).plan();
    let origin = Origin::Read(PlanFile { path: "plan.json", plan_id: "sha256:7f3a91c2" });
    let text = screen(&PlanScreen {
        origin,
        observation: None,
        checked: &checked,
        resumed: None,
        width: 100,
    });
    let out = text.to_string_with(false);
    insta::assert_snapshot!(part(&out, "prod-eu", "Steps"), @r#"
    prod-eu  config version 100000004, server 1 leads, 3 of 3 voters synced, not managed by zkplan yet
             (no apply so far)
    the plan in plan.json, plan id sha256:7f3a91c2; all figures are from the time when it was made, no
    server was asked now

      id  role         zone  status
       1  participant  az-1  leads
       2  participant  az-2  follows
       3  participant  az-3  follows

    Changes
      - leave       server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181
                    in the ensemble, not in the spec
      - leave       server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181
                    in the ensemble, not in the spec
      - leave       server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181
                    in the ensemble, not in the spec
      + join        server.4=10.0.0.4:2888:3888:participant;0.0.0.0:2181
                    in the spec, not in the ensemble
      + join        server.5=10.0.0.5:2888:3888:participant;0.0.0.0:2181
                    in the spec, not in the ensemble
      + join        server.6=10.0.0.6:2888:3888:participant;0.0.0.0:2181
                    in the spec, not in the ensemble
    "#);
    insta::assert_snapshot!(part(&out, "Before apply", "Configuration"), @r#"
    Before apply: servers 4, 5 and 6 are not ready to join; their steps wait for them. Write their files
    (command below), install them (install.sh), and start them.
      server 4 at 10.0.0.4
      server 5 at 10.0.0.5
      server 6 at 10.0.0.6
      New servers that start with other files can form an empty ensemble of their own (zkplan explain
      joiner).
        zkplan joiner plan.json --all -o joiners/
      Set the same super user as on the present servers (zkplan explain auth): apply checks every
      joiner, and does not add one that refuses the user.
    "#);
    assert!(out.contains("\nPlan, as it was made: 3 join, 3 leave"), "{out}");
}

/// What is true now stands beside what was planned, and says which is which.
#[test]
fn a_saved_plan_that_is_applied_shows_what_is_now() {
    let mut then = three_zones().silent(&[4, 5, 6]);
    then.finding(FindingKind::MemberSilent, Some(id(3)));
    let checked = then.plan();
    let mut now = three_zones().silent(&[6]);
    now.facts.leader = Some(id(2));
    now.finding(FindingKind::ElectionPortClosed, Some(id(1)));
    let file = PlanFile { path: "plan.json", plan_id: "sha256:7f3a91c2" };
    let origin = Origin::AppliedPlan { file, now: &now.facts };
    let observation = Some(&now.seen);
    let text =
        screen(&PlanScreen { origin, observation, checked: &checked, resumed: None, width: 100 });
    let out = text.to_string_with(false);
    assert!(out.starts_with("prod-eu  config version 100000004, server 2 leads"), "{out}");
    insta::assert_snapshot!(part(&out, "Findings", "Changes"), @r#"
    Findings
      warning    ZKF7   the election port of server 1 is closed

    Findings when the plan was made, not seen now
      warning    ZKF8   server 3 is a member and does not answer: it counts as down
    "#);
    insta::assert_snapshot!(part(&out, "Steps", "  1  await-4"), @r#"
    Steps, with the figures from the time when the plan was made
       #  step     what                                   voters quorum tolerates zone  leader
          then                                                 3      2         1    0  1 leads
          wait until the new servers have copied the data (in parallel)
    "#);
    insta::assert_snapshot!(part(&out, "  voters, quorum:", "  New servers that"), @r#"
      voters, quorum: after the step. tolerates: how many voters can fail during the step without
      stopping writes. zone: how many more can fail after the step if the worst zone is lost; below 0,
      that loss stops writes.
      Server 2 leads now; server 1 led when the plan was made. The server that leads during the run is
      changed last.

    Before apply: server 6 is not ready to join; its step waits for it. Write its files (command below),
    install them (install.sh), and start it.
      server 6 at 10.0.0.6: no answer, timed out while connecting: the server is down, or a firewall
      drops packets
    "#);
    // The others follow.
    assert!(!part(&out, "Before apply", "Configuration").contains("server 4"), "{out}");
}

/// A voter that is down and a run that is open are no match.
#[test]
fn members_that_are_down_and_open_runs_are_no_match() {
    let closing = |scene: &Scene, saved: Option<&str>| {
        let saved = saved.map(|plan_id| Ok(PlanFile { path: "plan.json", plan_id }));
        let origin = Origin::Made { spec: scene.file(), saved, flags: &[], rehearsed: None };
        let checked = scene.plan();
        let observation = Some(&scene.seen);
        let out = screen(&PlanScreen {
            origin,
            observation,
            checked: &checked,
            resumed: None,
            width: 100,
        });
        let out = out.to_string_with(false);
        out[out.find("No changes").unwrap()..].to_owned()
    };
    let well = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3]));
    assert!(still_to_do(&well.facts).is_empty());
    insta::assert_snapshot!(closing(&well, Some("sha256:7f3a91c2")), @r#"
    No changes. Ensemble prod-eu matches prod-eu.yaml (config version 100000004, 3 voters).
    Saved to plan.json, plan id sha256:7f3a91c2: a plan without changes
    "#);
    let down = well.clone().silent(&[2]);
    assert_eq!(still_to_do(&down.facts).len(), 1);
    insta::assert_snapshot!(closing(&down, None), @r#"
    No changes to plan. Ensemble prod-eu has the members listed in prod-eu.yaml (config version
    100000004, 3 voters), but server 2 was not up and in sync. Start it, or wait until it is in sync.
    "#);
    let run = beside_a_run(&[1, 2, 3, 4], true, None);
    assert_eq!(still_to_do(&run.facts), ["run 2 is open"]);
    insta::assert_snapshot!(closing(&run, None), @r#"
    No changes to plan. Ensemble prod-eu has the members listed in prod-eu.yaml (config version
    100000004, 4 voters), but run 2 is open.
    Next: zkplan apply prod-eu.yaml
    "#);
}

/// The leader is asked first, and others have come further by the time that they are asked.
#[test]
fn a_leader_is_not_shown_behind_those_that_follow_it() {
    let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3, 4]));
    let reached = crate::model::Zxid::new(0x1_0000_0088);
    scene.seen.servers.get_mut(&id(2)).unwrap().zxid = Some(reached);
    let out = shown(&scene, 120);
    assert!(part(&out, "prod-eu", "Changes").contains("leader at zxid 0x100000088"), "{out}");
    let leads = out.lines().find(|line| line.contains(" leads ")).unwrap();
    assert!(leads.contains("0x100000088"), "{leads}");
    // One of an earlier epoch says nothing of it.
    let other = crate::model::Zxid::new(0x2_0000_0000);
    scene.seen.servers.get_mut(&id(3)).unwrap().zxid = Some(other);
    assert!(!shown(&scene, 120).contains("leader at zxid 0x200000000"));
}

#[test]
fn accepted_risks_stand_in_bold() {
    let scene = Scene::new(&lines(&[1]), &lines(&[1, 2, 3])).accepting("ZKQ2", Some("join-2"));
    let checked = scene.plan();
    let saved = Some(Ok(PlanFile { path: "it's a plan.json", plan_id: "sha256:7f3a91c2" }));
    let origin = Origin::Made { spec: scene.file(), saved, flags: &[], rehearsed: None };
    let text = screen(&PlanScreen {
        origin,
        observation: None,
        checked: &checked,
        resumed: None,
        width: 80,
    });
    let tail = |text: String| -> String {
        let from = text.find("Accepted risk").unwrap_or_default();
        text[from..].to_owned()
    };
    insta::assert_snapshot!(tail(text.to_string_with(false)), @r#"
    Accepted risk  ZKQ2:join-2: After this step the quorum needs the vote of server
                   2. A reconfig cannot be cancelled once sent: if server 2 fails,
                   writes stop until it is back.

    Plan: 2 join in 2 reconfigs. Tolerates 0 failures until join-3 is done, then 1.
    No leader change.
    Saved to it's a plan.json, plan id sha256:7f3a91c2
    Next: zkplan apply 'it'\''s a plan.json'
    "#);
    assert!(text.to_string_with(true).contains("\u{1b}[1mAccepted risk"));
}

#[test]
fn from_a_file_nobody_was_asked() {
    let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3, 4, 5]));
    scene.facts.assumed = true;
    scene.facts.leader = None;
    scene.facts.following.clear();
    scene.seen.assumed = true;
    scene.seen.leader = None;
    scene.spec.policy.add_as = AddAs::Observer;
    let checked = scene.plan();
    let origin = Origin::Made { spec: scene.file(), saved: None, flags: &[], rehearsed: None };
    let text = screen(&PlanScreen {
        origin,
        observation: None,
        checked: &checked,
        resumed: None,
        width: 80,
    });
    let out = text.to_string_with(false);
    insta::assert_snapshot!(part(&out, "prod-eu", "Changes"), @r#"
    prod-eu  config version 100000004, no server was asked: every server is assumed
             to be up

      id  role         status
       1  participant  assumed up
       2  participant  assumed up
       3  participant  assumed up
    "#);
    insta::assert_snapshot!(part(&out, "Steps", "  server 4"), @r#"
    Steps
      #  step           what                     voters quorum tolerates  leader
         now                                          3      2         1  not known
          wait until the new servers have copied the data (in parallel)
      1  await-4        wait for server 4
      2  await-5        wait for server 5
          new servers join as observers first (policy.addAs) (in this order)
      3  join-4         add server 4, observer        3      2         1  stays
      4  join-5         add server 5, observer        3      2         1  stays
          an observer does not acknowledge its own promotion. Where its vote is
          needed for the quorum or the tolerance, it is removed first (its process
          keeps running) and then added as a voter
      5  unlist-4       remove server 4 for now       3      2         1  stays
          it keeps running and follows again, now able to acknowledge
      6  await-4-again  wait for server 4
          observers become voters (in this order)
      7  promote-4      promote server 4              4      3         1  stays
      8  promote-5      promote server 5              5      3         1  stays
          a write must commit in the new configuration
      9  prove          check: a write commits
         after                                        5      3         2  not known
      voters, quorum: after the step. tolerates: how many voters can fail during the
      step without stopping writes.

    Before apply: servers 4 and 5 were not asked, and must follow before they join.
    Write their files (command below), install them (install.sh), and start them.
    "#);
    insta::assert_snapshot!(part(&out, "Plan:", "Next"), @r#"
    Plan: 2 join in 5 reconfigs. Tolerates 1 failure until promote-5 is done, then
    2. No leader change. Assumes that every server is up.
    "#);
}

#[test]
fn observers_ports_and_roles() {
    let live = [
        line(1),
        line(2),
        line(3),
        line(4),
        "server.5=10.0.0.5:2888:3888:observer;0.0.0.0:2181".to_owned(),
        "server.6=10.0.0.6:2888:3888:observer;0.0.0.0:2181".to_owned(),
    ];
    let wanted = [
        line(1).replace("3888", "3999"),
        line(2).replace("participant", "observer"),
        line(3),
        line(4),
        line(5),
    ];
    let out = shown(&Scene::new(&live, &wanted), 80);
    insta::assert_snapshot!(part(&out, "Changes", "Configuration"), @r#"
    Changes
      ~ re-address  server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181
                    -> 10.0.0.1:2888:3999:participant;0.0.0.0:2181
                    prod-eu.yaml:6 has another election address
      v demote      server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181
                    -> 10.0.0.2:2888:3888:observer;0.0.0.0:2181
                    a participant now, prod-eu.yaml:7 has it as observer
      ^ promote     server.5=10.0.0.5:2888:3888:observer;0.0.0.0:2181
                    -> 10.0.0.5:2888:3888:participant;0.0.0.0:2181
                    an observer now, prod-eu.yaml:10 has it as participant
      - leave       server.6=10.0.0.6:2888:3888:observer;0.0.0.0:2181
                    in the ensemble, not in prod-eu.yaml

    Steps
      #  step         what                    voters quorum tolerates  leader
         now                                       4      3         1  1 leads
          observers become voters
      1  promote-5    promote server 5             5      3         1  stays
          addresses change one server at a time; the plan counts that server as down
          meanwhile, though it keeps running
      2  readdress-1  re-address server 1          5      3         1  stays
          removing observers does not change the quorum
      3  leave-6      remove server 6              5      3         2  stays
          servers lose their votes only after all new voters vote
      4  demote-2     demote server 2              4      3         1  stays
          a write must commit in the new configuration before a server is stopped
      5  prove        check: a write commits
          removed servers run without a vote until they are stopped
      6  stop-6       stop server 6 by hand
         after                                     4      3         1  1 leads
      voters, quorum: after the step. tolerates: how many voters can fail during the
      step without stopping writes.
    "#);
    insta::assert_snapshot!(part(&out, "Plan:", "Next"), @r#"
    Plan: 1 promote, 1 re-address, 1 demote, 1 leave in 4 reconfigs. Tolerates 1
    failure throughout. No leader change, unless another server leads by then.
    Way back: by reconfigs alone until stop-6, while server 6 follows with the data.
    A stopped server must join again like a new one. Clients that know only stopped
    servers have no way back but forwarding (zkplan explain rollback).
    "#);
}

#[test]
fn an_id_goes_to_another_machine() {
    let wanted = [line(1), line(2), line(3).replace("10.0.0.3", "10.0.1.3")];
    let mut scene = Scene::new(&lines(&[1, 2, 3]), &wanted).silent(&[3]);
    scene.facts.other_machine.insert(id(3));
    scene.spec.policy.reuse_ids = ReuseIds::Blank;
    scene.spec.hooks.start = Some(vec!["start".to_owned()]);
    scene.spec.hooks.stop = Some(vec!["stop".to_owned()]);
    let endpoint = crate::model::Endpoint::plain(Host::new("10.0.1.3"), 2181);
    let silence = Some(crate::ensemble::NoAnswer::Refused);
    let at =
        TargetProbe { endpoint, silence, own_id: None, mode: None, plain_port: PlainPort::Unknown };
    scene.seen.wanted_at.insert(id(3), at);
    let out = shown(&scene, 80);
    insta::assert_snapshot!(part(&out, "Steps", "  New servers that"), @r#"
    Steps
      #  step      what                       voters quorum tolerates  leader
         now                                       3      2         0  1 leads
          an unreachable member is removed before its id moves to another machine
      1  leave-3   remove server 3                 2      2         0  stays
          a write must commit in the new configuration before a server is stopped
      2  prove-3   check: a write commits
          two servers with the same id must never run at once
      3  stop-3    stop server 3 (hook)
          a machine with old data must not get an id that was used before
      4  attest-3  confirm server 3 is blank
          start the new servers
      5  start-3   start server 3 (hook)
          wait until the new servers have copied the data
      6  await-3   wait for server 3
          an id joins again before the next one leaves
      7  join-3    add server 3                    3      2         0  stays
          a write must commit in the new configuration before a server is stopped
      8  prove     check: a write commits
         after                                     3      2         1  1 leads
      voters, quorum: after the step. tolerates: how many voters can fail during the
      step without stopping writes.

    Before apply: server 3 is not ready to join; its step waits for it. Write its
    files (command below) and install them (install.sh); hooks.start then starts it.
      server 3 at 10.0.1.3: no answer, connection refused: no process listens on the
      port
    "#);
}

/// It is not to be started: it runs.
#[test]
fn a_joiner_that_runs_and_does_not_follow_is_waited_for() {
    let mut scene = three_zones().silent(&[4, 5, 6]);
    for number in [4, 5, 6] {
        let observed = scene.seen.servers.get_mut(&id(number)).unwrap();
        observed.status = crate::observe::ServerStatus::NotServing;
    }
    let out = shown(&scene, 100);
    insta::assert_snapshot!(part(&out, "Before apply", "  server 4"), @r#"
    Before apply: servers 4, 5 and 6 are not ready to join; their steps wait for them. They run: wait
    until they follow. If they do not, read their logs, and check that they were started with these
    files (command below).
    "#);
}

/// The lines from the plan's own to what to type next.
fn closing(scene: &Scene, work: u64) -> String {
    let checked = scene.plan();
    let rehearsed = crate::rehearsal::summary(&checked, work);
    let origin =
        Origin::Made { spec: scene.file(), saved: None, flags: &[], rehearsed: Some(&rehearsed) };
    let text = screen(&PlanScreen {
        origin,
        observation: None,
        checked: &checked,
        resumed: None,
        width: 80,
    });
    let out = text.to_string_with(false);
    part(&out, "Plan:", "Next:").to_owned()
}

#[test]
fn a_plan_says_what_failures_would_come_to() {
    let words =
        |work| closing(&three_zones(), work).split_whitespace().collect::<Vec<_>>().join(" ");
    let all = words(u64::MAX);
    for part in [
        "single failures between the steps. Writes stop in ",
        " of them, until what failed is back. In ",
        " cases apply waits. When what failed is back, apply finishes; if apply has exited, run the \
         same zkplan apply again. To see each failure: zkplan rehearse prod-eu.yaml",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    let some = words(1_000);
    assert!(
        some.contains(" single failures between the steps (an even sample). ")
            && some.contains(" of "),
        "{some}"
    );
    let none = words(100);
    assert!(none.contains("Not simulated: the plan is too large"), "{none}");
}

#[test]
fn a_stranger_is_shown_where_nothing_changes() {
    let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3]));
    assert!(!shown(&scene, 80).contains("status"));
    let stranger = crate::observe::ServerObservation {
        endpoint: Some(crate::model::Endpoint::plain(Host::new("10.0.0.9"), 2181)),
        ..crate::observe::ServerObservation::blank(
            id(9),
            crate::observe::ServerStatus::FollowingWithoutVote,
        )
    };
    scene.seen.strangers.push(stranger);
    let out = shown(&scene, 80);
    assert!(out.contains(" 9  not a member ") && out.contains("No changes."), "{out}");
    // It may have left just now: nothing says that it is to get a vote.
    assert!(!out.contains("no vote yet") && out.contains("retired"), "{out}");
}

/// An ensemble of four where the second run is open.
fn beside_a_run(wanted: &[i64], goes_on: bool, locked_by: Option<&str>) -> Scene {
    let mut scene = Scene::new(&lines(&[1, 2, 3, 4]), &lines(wanted));
    let kind = FindingKind::OpenRun {
        run: 2,
        plan_id: "sha256:7f3a91c2".to_owned(),
        opened_by: "ann@ops1".to_owned(),
        opened_at: "2026-03-02T09:14:05Z".to_owned(),
        locked_by: locked_by.map(ToOwned::to_owned),
        goes_on,
        because: (!goes_on).then_some(NotResumed::OtherSpec),
        masked: false,
    };
    scene.finding(kind, None);
    scene
}

#[test]
fn an_open_run_is_named_and_what_goes_on_with_it_comes_next() {
    let ours = beside_a_run(&[2, 3, 4], true, None);
    let out = shown(&ours, 100);
    insta::assert_snapshot!(part(&out, "Findings", "Changes"), @r#"
    Findings
      warning    ZKF16  run 2, opened by ann@ops1 at 2026-03-02T09:14:05Z for plan sha256:7f3a91c2, is
                        open: an apply of this spec resumes it; apply refuses any other plan until the
                        run is done or abandoned (--abandon 2)
    "#);
    let next = |scene: &Scene, saved: Option<&str>| {
        let saved = saved.map(|plan_id| Ok(PlanFile { path: "plan.json", plan_id }));
        let origin = Origin::Made { spec: scene.file(), saved, flags: &[], rehearsed: None };
        let checked = scene.plan();
        let screen =
            PlanScreen { origin, observation: None, checked: &checked, resumed: None, width: 100 };
        let out = self::screen(&screen).to_string_with(false);
        out[out.find("Next: ").unwrap()..].trim_end().to_owned()
    };
    assert_eq!(next(&ours, None), "Next: zkplan apply prod-eu.yaml");
    assert_eq!(next(&ours, Some("sha256:other")), "Next: zkplan apply prod-eu.yaml");
    assert_eq!(next(&ours, Some("sha256:7f3a91c2")), "Next: zkplan apply plan.json");
    let done = beside_a_run(&[1, 2, 3, 4], true, None);
    assert_eq!(next(&done, None), "Next: zkplan apply prod-eu.yaml");

    let other = beside_a_run(&[1, 2, 3], false, Some("bob@ops2"));
    let out = shown(&other, 100);
    insta::assert_snapshot!(part(&out, "Findings", "Changes"), @r#"
    Findings
      warning    ZKF16  run 2, opened by ann@ops1 at 2026-03-02T09:14:05Z for plan sha256:7f3a91c2, is
                        open: it has another target than this spec; apply refuses any other plan until
                        the run is done or abandoned (--abandon 2); bob@ops2 holds the lock: an apply
                        may be running right now
    "#);
    for saved in [None, Some("sha256:other")] {
        assert_eq!(next(&other, saved), "Next: zkplan history prod-eu.yaml 2");
    }
}

#[test]
fn every_reason_of_side_by_side_steps_is_said_once() {
    let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3, 4, 5])).silent(&[4, 5]);
    scene.spec.hooks.start = Some(vec!["start".to_owned(), "{id}".to_owned()]);
    insta::assert_snapshot!(part(&shown(&scene, 80), "Steps", "  voters, quorum:"), @r#"
    Steps
      #  step     what                    voters quorum tolerates  leader
         now                                   3      2         1  1 leads
          start the new servers (in parallel)
      1  start-4  start server 4 (hook)
      2  start-5  start server 5 (hook)
          wait until the new servers have copied the data (in parallel)
      3  await-4  wait for server 4
      4  await-5  wait for server 5
          servers are added in order of ids
      5  join-4   add server 4                 4      3         1  stays
      6  join-5   add server 5                 5      3         1  stays
          a write must commit in the new configuration
      7  prove    check: a write commits
         after                                 5      3         2  1 leads
    "#);
}

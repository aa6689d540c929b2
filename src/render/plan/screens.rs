//! Whole screens, as they come out.

use super::*;
use crate::model::Cutover;
use crate::observe::FindingKind;
use crate::render::fixture::{Scene, id, line, lines, three_zones};

pub(super) fn shown(scene: &Scene, width: usize) -> String {
    let checked = scene.plan();
    let origin = Origin::Made { spec: scene.file(), saved: None, flags: &[], rehearsed: None };
    let observation = Some(&scene.seen);
    screen(&PlanScreen { origin, observation, checked: &checked, resumed: None, width })
        .to_string_with(false)
}

#[test]
#[expect(clippy::too_many_lines, reason = "one screen, shown whole")]
fn three_onto_three_new_servers_in_three_zones() {
    insta::assert_snapshot!(shown(&three_zones(), 80), @r#"
    prod-eu  config version 100000004, server 1 leads, 3 of 3 voters synced, not
             managed by zkplan yet (no apply so far), leader at zxid 0x100000080

      id  role         mode      version  zxid         clients  zone  status
       1  participant  leader    3.8.0    0x100000080        7  az-1  leads
       2  participant  follower  3.8.0    0x100000080        7  az-2  follows
       3  participant  follower  3.8.0    0x100000080        7  az-3  follows
       4  joiner       follower  3.8.0    0x100000080        0  az-1  no vote yet
          id 4 from conf, follows without a vote, at the leader's zxid, data equal
          at zxid 0x100000000, election port open
       5  joiner       follower  3.8.0    0x100000080        0  az-2  no vote yet
          id 5 from conf, follows without a vote, at the leader's zxid, data equal
          at zxid 0x100000000, election port open
       6  joiner       follower  3.8.0    0x100000080        0  az-3  no vote yet
          id 6 from conf, follows without a vote, at the leader's zxid, data equal
          at zxid 0x100000000, election port open

    Changes
      - leave       server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181
                    in the ensemble, not in prod-eu.yaml
      - leave       server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181
                    in the ensemble, not in prod-eu.yaml
      - leave       server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181
                    in the ensemble, not in prod-eu.yaml
      + join        server.4=10.0.0.4:2888:3888:participant;0.0.0.0:2181
                    in prod-eu.yaml:6, not in the ensemble
      + join        server.5=10.0.0.5:2888:3888:participant;0.0.0.0:2181
                    in prod-eu.yaml:7, not in the ensemble
      + join        server.6=10.0.0.6:2888:3888:participant;0.0.0.0:2181
                    in prod-eu.yaml:8, not in the ensemble

    Steps
       #  step     what                     voters quorum tolerates zone  leader
          now                                    3      2         1    0  1 leads
          wait until the new servers have copied the data (in parallel)
       1  await-4  wait for server 4
       2  await-5  wait for server 5
       3  await-6  wait for server 6
          new voters are added before old ones are removed (in order of ids)
       4  join-4   add server 4                  4      3         1   -1  stays
       5  join-5   add server 5                  5      3         1    0  stays
       6  join-6   add server 6                  6      4         2    0  stays
          you move the clients before servers are removed
       7  gate     gate: no clients left,
                   or approved
          now: 21 clients on servers that leave (7 on server 1, 7 on server 2 and 7
          on server 3)
          old voters are removed after all new voters vote (any order, the current
          leader last)
       8  leave-2  remove server 2               5      3         2    0  stays
       9  leave-3  remove server 3               4      3         1   -1  stays
          server 1 leads: its own change is the last reconfig
      10  leave-1  remove server 1               3      2         1    0  changes
          a write must commit in the new configuration before a server is stopped
      11  prove    check: a write commits
          removed servers run without a vote until they are stopped (one at a time)
      12  stop-1   stop server 1 by hand
      13  stop-2   stop server 2 by hand
      14  stop-3   stop server 3 by hand
          after                                  3      2         1    0  new leader
      voters, quorum: after the step. tolerates: how many voters can fail during the
      step without stopping writes. zone: how many more can fail after the step if
      the worst zone is lost; below 0, that loss stops writes.

    Configuration
    --- config version 100000004
    +++ after the last step
    @@ -1,3 +1,3 @@
    -server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181
    -server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181
    -server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181
    +server.4=10.0.0.4:2888:3888:participant;0.0.0.0:2181
    +server.5=10.0.0.5:2888:3888:participant;0.0.0.0:2181
    +server.6=10.0.0.6:2888:3888:participant;0.0.0.0:2181

    The loss of one zone would stop writes at these points
      after join-4, losing zone az-1 leaves 2 of 4 voters, 3 are needed
      after leave-3, losing zone az-1 leaves 2 of 4 voters, 3 are needed
      in another order that apply may choose: after leave-1, losing zone az-2 leaves
      2 of 4 voters, 3 are needed
      in another order that apply may choose: after leave-2, losing zone az-1 leaves
      2 of 4 voters, 3 are needed

    Plan: 3 join, 3 leave in 6 reconfigs. Tolerates 1 failure throughout. The leader
    changes once, at the end.
    Way back: by reconfigs alone until stop-1, while servers 1, 2 and 3 follow with
    the data. A stopped server must join again like a new one. Clients that know
    only stopped servers have no way back but forwarding (zkplan explain rollback).
    Next: zkplan plan prod-eu.yaml --out plan.json
    "#);
}

#[test]
fn a_joiner_that_is_not_up() {
    let scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3, 4, 5])).silent(&[5]);
    insta::assert_snapshot!(shown(&scene, 80), @r#"
    prod-eu  config version 100000004, server 1 leads, 3 of 3 voters synced, not
             managed by zkplan yet (no apply so far), leader at zxid 0x100000080

      id  role         mode      version  zxid         clients  status
       1  participant  leader    3.8.0    0x100000080        7  leads
       2  participant  follower  3.8.0    0x100000080        7  follows
       3  participant  follower  3.8.0    0x100000080        7  follows
       4  joiner       follower  3.8.0    0x100000080        0  no vote yet
          id 4 from conf, follows without a vote, at the leader's zxid, data equal
          at zxid 0x100000000, election port open
       5  joiner       -         -        -                  -  no answer
          10.0.0.5:2181: timed out while connecting: the server is down, or a
          firewall drops packets

    Changes
      + join        server.4=10.0.0.4:2888:3888:participant;0.0.0.0:2181
                    in prod-eu.yaml:9, not in the ensemble
      + join        server.5=10.0.0.5:2888:3888:participant;0.0.0.0:2181
                    in prod-eu.yaml:10, not in the ensemble

    Steps
      #  step     what                    voters quorum tolerates  leader
         now                                   3      2         1  1 leads
          wait until the new servers have copied the data (in parallel)
      1  await-4  wait for server 4
      2  await-5  wait for server 5
          servers are added in order of ids
      3  join-4   add server 4                 4      3         1  stays
      4  join-5   add server 5                 5      3         1  stays
          a write must commit in the new configuration
      5  prove    check: a write commits
         after                                 5      3         2  1 leads
      voters, quorum: after the step. tolerates: how many voters can fail during the
      step without stopping writes.

    Before apply: server 5 is not ready to join; its step waits for it. Write its
    files (command below), install them (install.sh), and start it.
      server 5 at 10.0.0.5: no answer, timed out while connecting: the server is
      down, or a firewall drops packets
      New servers that start with other files can form an empty ensemble of their
      own (zkplan explain joiner).
        zkplan joiner prod-eu.yaml --all -o joiners/
      Set the same super user as on the present servers (zkplan explain auth): apply
      checks every joiner, and does not add one that refuses the user.

    Configuration
    --- config version 100000004
    +++ after the last step
    @@ -1,3 +1,5 @@
     server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181
     server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181
     server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181
    +server.4=10.0.0.4:2888:3888:participant;0.0.0.0:2181
    +server.5=10.0.0.5:2888:3888:participant;0.0.0.0:2181

    Plan: 2 join in 2 reconfigs. Tolerates 1 failure until join-5 is done, then 2.
    No leader change.
    Next: zkplan plan prod-eu.yaml --out plan.json
    "#);
}

#[test]
fn one_dead_of_three_replaced() {
    let scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 4])).silent(&[3]);
    insta::assert_snapshot!(shown(&scene, 80), @r#"
    prod-eu  config version 100000004, server 1 leads, 2 of 3 voters synced, not
             managed by zkplan yet (no apply so far), leader at zxid 0x100000080

      id  role         mode      version  zxid         clients  status
       1  participant  leader    3.8.0    0x100000080        7  leads
       2  participant  follower  3.8.0    0x100000080        7  follows
       3  participant  -         -        -                  -  no answer
          10.0.0.3:2181: timed out while connecting: the server is down, or a
          firewall drops packets
       4  joiner       follower  3.8.0    0x100000080        0  no vote yet
          id 4 from conf, follows without a vote, at the leader's zxid, data equal
          at zxid 0x100000000, election port open

    Findings
      warning    ZKF8   server 3 is a member and does not answer: it counts as down

    Changes
      - leave       server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181
                    in the ensemble, not in prod-eu.yaml; was not seen in sync
      + join        server.4=10.0.0.4:2888:3888:participant;0.0.0.0:2181
                    in prod-eu.yaml:8, not in the ensemble

    Steps
      #  step     what                           voters quorum tolerates  leader
         now                                          3      2         0  1 leads
          wait until the new servers have copied the data
      1  await-4  wait for server 4
          members that were not seen in sync first: they raise the quorum and may
          acknowledge nothing
      2  leave-3  remove server 3                     2      2         0  stays
          new voters are added before old ones are removed (in order of ids)
      3  join-4   add server 4                        3      2         0  stays
          a write must commit in the new configuration before a server is stopped
      4  prove    check: a write commits
          a removed server must never start again with its old data
      5  stop-3   make sure server 3 is stopped
         after                                        3      2         1  1 leads
      voters, quorum: after the step. tolerates: how many voters can fail during the
      step without stopping writes.

    Configuration
    --- config version 100000004
    +++ after the last step
    @@ -1,3 +1,3 @@
     server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181
     server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181
    -server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181
    +server.4=10.0.0.4:2888:3888:participant;0.0.0.0:2181

    Plan: 1 join, 1 leave in 2 reconfigs. Tolerates 0 failures until join-4 is done,
    then 1. No leader change.
    Way back: by reconfigs alone until leave-3. Server 3 was not up and in sync, and
    must join again like a new server.
    Next: zkplan plan prod-eu.yaml --out plan.json
    "#);
}

#[test]
fn nothing_to_do() {
    let mut scene = Scene::new(&lines(&[1, 2, 3, 4]), &lines(&[1, 2, 3, 4]));
    scene.finding(FindingKind::EvenVoters { voters: 4 }, None);
    insta::assert_snapshot!(shown(&scene, 80), @r#"
    prod-eu  config version 100000004, server 1 leads, 4 of 4 voters synced, not
             managed by zkplan yet (no apply so far), leader at zxid 0x100000080

    Findings
      note       ZKF11  the spec has 4 voters, an even number: it tolerates as many
                        failures as an ensemble of 3, with a larger quorum

    No changes. Ensemble prod-eu matches prod-eu.yaml (config version 100000004, 4
    voters).
    "#);
}

#[test]
fn hostile_hosts_stay_inside_the_sink() {
    let hostile = "server.2=zk\u{1b}]0 owned\u{7}\u{202e}2:2888:3888:participant;2181";
    let hostile_wanted = "server.4=zk\u{9b}31m\u{200b}4:2888:3888:participant;2181";
    let live = [line(1), hostile.to_owned(), line(3)];
    let wanted = [line(1), line(3), hostile_wanted.to_owned()];
    let mut scene = Scene::new(&live, &wanted).silent(&[4]);
    let host = scene.facts.base.membership.get(id(2)).unwrap().peer().host.clone();
    scene.finding(FindingKind::HostileName { host }, Some(id(2)));
    let out = shown(&scene, 80);
    assert!(out.chars().all(|c| c == '\n' || matches!(c, ' '..='~')));
    insta::assert_snapshot!(out, @r#"
    prod-eu  config version 100000004, server 1 leads, 3 of 3 voters synced, not
             managed by zkplan yet (no apply so far), leader at zxid 0x100000080

      id  role         mode      version  zxid         clients  status
       1  participant  leader    3.8.0    0x100000080        7  leads
       2  participant  follower  3.8.0    0x100000080        7  follows
       3  participant  follower  3.8.0    0x100000080        7  follows
       4  joiner       -         -        -                  -  no answer
          zk\u{9b}31m\u{200b}4:2181: timed out while connecting: the server is down,
          or a firewall drops packets

    Findings
      warning    ZKF3   server 2 has host `zk\u{1b}]0 owned\u{7}\u{202e}2`, which is
                        not a valid host name

    Changes
      - leave       server.2=zk\u{1b}]0
                    owned\u{7}\u{202e}2:2888:3888:participant;0.0.0.0:2181
                    in the ensemble, not in prod-eu.yaml
      + join        server.4=zk\u{9b}31m\u{200b}4:2888:3888:participant;0.0.0.0:2181
                    in prod-eu.yaml:8, not in the ensemble

    Steps
      #  step     what                    voters quorum tolerates  leader
         now                                   3      2         1  1 leads
          wait until the new servers have copied the data
      1  await-4  wait for server 4
          new voters are added before old ones are removed (in order of ids)
      2  join-4   add server 4                 4      3         1  stays
          old voters are removed after all new voters vote
      3  leave-2  remove server 2              3      2         1  stays
          a write must commit in the new configuration before a server is stopped
      4  prove    check: a write commits
          removed servers run without a vote until they are stopped
      5  stop-2   stop server 2 by hand
         after                                 3      2         1  1 leads
      voters, quorum: after the step. tolerates: how many voters can fail during the
      step without stopping writes.

    Before apply: server 4 is not ready to join; its step waits for it. Write its
    files (command below), install them (install.sh), and start it.
      server 4 at zk\u{9b}31m\u{200b}4: no answer, timed out while connecting: the
      server is down, or a firewall drops packets
      New servers that start with other files can form an empty ensemble of their
      own (zkplan explain joiner).
        zkplan joiner prod-eu.yaml --all -o joiners/
      Set the same super user as on the present servers (zkplan explain auth): apply
      checks every joiner, and does not add one that refuses the user.

    Configuration
    --- config version 100000004
    +++ after the last step
    @@ -1,3 +1,3 @@
     server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181
    -server.2=zk\u{1b}]0 owned\u{7}\u{202e}2:2888:3888:participant;0.0.0.0:2181
     server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181
    +server.4=zk\u{9b}31m\u{200b}4:2888:3888:participant;0.0.0.0:2181

    Plan: 1 join, 1 leave in 2 reconfigs. Tolerates 1 failure throughout. No leader
    change, unless another server leads by then.
    Way back: by reconfigs alone until stop-2, while server 2 follows with the data.
    A stopped server must join again like a new one. Clients that know only stopped
    servers have no way back but forwarding (zkplan explain rollback).
    Next: zkplan plan prod-eu.yaml --out plan.json
    "#);
}

#[test]
fn with_more_room_lines_grow() {
    let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 4]));
    scene.spec.policy.cutover = Cutover::Manual;
    insta::assert_snapshot!(shown(&scene, 120), @r#"
    prod-eu  config version 100000004, server 1 leads, 3 of 3 voters synced, not managed by zkplan yet (no apply so far),
             leader at zxid 0x100000080

      id  role         mode      version  zxid         clients  status       address
       1  participant  leader    3.8.0    0x100000080        7  leads        10.0.0.1:2181
       2  participant  follower  3.8.0    0x100000080        7  follows      10.0.0.2:2181
       3  participant  follower  3.8.0    0x100000080        7  follows      10.0.0.3:2181
       4  joiner       follower  3.8.0    0x100000080        0  no vote yet  10.0.0.4:2181
          id 4 from conf, follows without a vote, at the leader's zxid, data equal at zxid 0x100000000, election port open

    Changes
      - leave       server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181  in the ensemble, not in prod-eu.yaml
      + join        server.4=10.0.0.4:2888:3888:participant;0.0.0.0:2181  in prod-eu.yaml:8, not in the ensemble

    Steps
      #  step     what                                   voters quorum tolerates  leader
         now                                                  3      2         1  1 leads
          wait until the new servers have copied the data
      1  await-4  wait until server 4 follows
          new voters are added before old ones are removed (in order of ids)
      2  join-4   reconfig: add server 4 as participant       4      3         1  stays
          you move the clients before servers are removed
      3  gate     gate: wait for approval
          now: 7 clients on servers that leave (7 on server 3)
          old voters are removed after all new voters vote
      4  leave-3  reconfig: remove server 3                   3      2         1  stays
          a write must commit in the new configuration before a server is stopped
      5  prove    check: a write commits
          removed servers run without a vote until they are stopped
      6  stop-3   stop server 3 by hand
         after                                                3      2         1  1 leads
      voters, quorum: after the step. tolerates: how many voters can fail during the step without stopping writes.

    Configuration
    --- config version 100000004
    +++ after the last step
    @@ -1,3 +1,3 @@
     server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181
     server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181
    -server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181
    +server.4=10.0.0.4:2888:3888:participant;0.0.0.0:2181

    Plan: 1 join, 1 leave in 2 reconfigs. Tolerates 1 failure throughout. No leader change, unless another server leads by
    then.
    Way back: by reconfigs alone until stop-3, while server 3 follows with the data. A stopped server must join again like a
    new one. Clients that know only stopped servers have no way back but forwarding (zkplan explain rollback).
    Next: zkplan plan prod-eu.yaml --out plan.json
    "#);
}

#[test]
fn screens_keep_to_their_width() {
    let moved = Scene::new(&lines(&[1, 2, 3]), &lines(&[2, 3, 4, 5])).silent(&[5]);
    for scene in [three_zones(), moved] {
        for width in 80..=120 {
            let out = shown(&scene, width);
            assert!(out.lines().all(|line| line.len() <= width), "{width}\n{out}");
        }
    }
}

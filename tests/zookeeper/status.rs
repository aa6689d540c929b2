//! `zkplan status`: what a tired person on call reads, and whether the one command that it names
//! works when typed.

use crate::apply_locks::wait_until_unlocked;
use crate::applying::{Applying, wanting};
use crate::harness::{Builder, Ensemble, PATIENCE, Witness, wait_until};
use crate::ledger::is_at;
use crate::spec::Spec;
use crate::zkplan::{Desk, Outcome, text};

on_both_profiles! { a_healthy_ensemble_and_one_that_lost_a_server }

/// Asks for the status of a spec.
fn status(desk: &Desk, spec: &Spec, further: &[&str]) -> Outcome {
    let file = desk.write("spec.yaml", &spec.text());
    desk.run(["status", &file].iter().chain(further))
}

/// The addresses of these servers, as one flag takes them.
fn contacts(ensemble: &Ensemble, ids: impl IntoIterator<Item = u8>) -> String {
    let all = ids.into_iter().map(|id| ensemble.client_address(id).to_string());
    all.collect::<Vec<_>>().join(",")
}

/// How many sessions the leader knows of; none where its whitelist does not have the word.
fn sessions(ensemble: &Ensemble, leader: u8) -> usize {
    let dump = ensemble.ask(leader, "dump").expect("the leader answers");
    let expiring = |line: &&str| line.contains(" expire at ") && !line.starts_with("0 ");
    // Below are connections, of which the one that asks is one.
    let sets = dump.lines().take_while(|line| !line.starts_with("ephemeral nodes"));
    sets.filter(expiring).count()
}

/// The codes of why nothing may be changed.
fn reasons(document: &serde_json::Value) -> Vec<&str> {
    let reasons = document["reasons"].as_array().expect("reasons").iter();
    reasons.map(|reason| text(&reason["code"])).collect()
}

fn a_healthy_ensemble_and_one_that_lost_a_server(builder: &Builder) {
    let ensemble = builder.clone().start();
    let leader = ensemble.wait_leader();
    let lost = if leader == 2 { 3 } else { 2 };
    let desk = Desk::new();
    let all = contacts(&ensemble, 1..=3);
    let connect = ["status", "--connect", &all];

    let first = desk.run(connect).exits(0);
    assert!(first.stdout.lines().count() <= 20, "{first}");
    let first = first.says([
        format!("server {leader} leads, 3 of 3 voters synced"),
        "2 of 3 voters needed, 3 in sync: tolerates 1 failure now".to_owned(),
        "0 writes a second over 1.".to_owned(),
        "none is open".to_owned(),
        "nothing blocks a reconfig now".to_owned(),
    ]);
    let import =
        format!("zkplan import --connect {all} --ensemble my-ensemble > my-ensemble.imported.yaml");
    assert_eq!(first.next_lines(), [import.as_str()]);
    desk.line(&import).ends().exits(0);

    // Nothing is left behind, and nothing is changed.
    let nodes = |id: u8| {
        let answer = ensemble.ask(id, "srvr").expect("the server answers");
        answer.lines().find(|line| line.starts_with("Node count")).map(str::to_owned)
    };
    let before = nodes(leader);
    let spec = Spec::of(&ensemble, 1..=3).connect(&all);
    let same = status(&desk, &spec, &[])
        .exits(0)
        .says(["spec.yaml: No changes.", "nothing blocks a reconfig now"]);
    assert_eq!(same.next_lines(), [""; 0]);
    assert_eq!(nodes(leader), before);
    assert_eq!(sessions(&ensemble, leader), 0);
    let document = status(&desk, &spec, &["--format", "json"]).exits(0).json();
    assert_eq!(document["mayChange"], true);
    assert_eq!(document["seen"]["votes"]["toleratesFailures"], 1);
    assert_eq!(document["wanted"]["verdict"], "noChanges");
    assert_eq!(document["seen"]["writes"]["transactions"], 0, "{document:#}");

    ensemble.kill(lost);
    let down = status(&desk, &spec, &[]).exits(0).says([
        format!("2 in sync (missing: {lost}): tolerates 0 failures now"),
        format!("server {lost} was not up and in sync"),
        "nothing blocks a reconfig now".to_owned(),
    ]);
    assert_eq!(down.next_lines(), ["zkplan status spec.yaml --watch"]);
    let document = desk.run(connect.iter().chain(&["--format", "json"])).exits(0).json();
    assert_eq!((&document["mayChange"], reasons(&document).len()), (&true.into(), 0));

    // Without a quorum servers still answer; without servers none does.
    ensemble.kill(leader);
    let last = 6 - lost - leader;
    wait_until("the last server to miss the others", PATIENCE, || {
        ensemble.ask(last, "srvr").ok()?.contains("not currently serving").then_some(())
    });
    status(&desk, &spec, &[])
        .exits(0)
        .says(["they have no leader", "Next: zkplan status spec.yaml"]);
    let document = status(&desk, &spec, &["--format", "json"]).exits(0).json();
    assert_eq!((&document["mayChange"], reasons(&document)), (&false.into(), vec!["noQuorum"]));
    ensemble.kill(last);
    let document = desk.run(connect.iter().chain(&["--format", "json"])).exits(10).json();
    assert_eq!(reasons(&document), ["noAnswer"]);
    assert!(document["seen"].is_null());
}

#[test]
fn a_joiner_a_killed_run_and_retired_servers_and_what_is_named_works_when_typed() {
    let ensemble = Builder::rich().start_with([4]);
    ensemble.reserve(5);
    let swap = wanting(&ensemble, 2..=4, 1..=4);
    let desk = Desk::new();
    let grow = wanting(&ensemble, 1..=5, 1..=4);
    let rows = status(&desk, &grow, &[]).exits(0).says([
        "spec.yaml: 2 join",
        "connection refused: no process listens on the port",
        "M8   waiting  joiners        follow: 4; do not follow yet: 5",
        "M4   not yet  run            no run is open; zkplan apply opens it",
    ]);
    rows.says_nowhere("M14");
    let first = status(&desk, &swap, &[]).exits(0);
    let first = first.says([
        "not ready: its data are not proven equal to the leader's",
        "M8   done     joiners        follow: 4",
        "M14  not yet  removed        still members: 1",
    ]);
    assert_eq!(first.next_lines(), ["zkplan plan spec.yaml --out plan.json"]);

    desk.apply_spec(&swap).at("KILL", "send leave-1").ends().was_killed();
    let all = contacts(&ensemble, 1..=4);
    let held = status(&desk, &swap, &["--format", "json"]).json();
    if held["mayChange"] == false {
        assert_eq!(reasons(&held), ["locked"]);
        assert_eq!(held["next"], "zkplan status spec.yaml --watch");
    }
    wait_until_unlocked(&ensemble);
    let bare = desk.run(["status", "--connect", &all]).exits(0).says([
        "run 1 is open, opened by",
        "reconfigs done: join-4; left: leave-1",
        "not possible now: run 1 is open",
        "zkplan status with that spec has the next command",
    ]);
    assert_eq!(bare.next_lines(), [""; 0], "no import beside a run, which has its spec");
    let open = status(&desk, &swap, &[]).exits(0).says([
        "spec.yaml: an apply resumes run 1",
        "M4   done     run            run 1 is open",
        "M10  done     signed in      run 1 has committed 1 reconfig",
        "M11  done     added          members: 4",
        "M14  not yet  removed        still members: 1",
        "nothing blocks a reconfig now",
    ]);
    let [next] = open.next_lines()[..] else { panic!("{open}") };
    assert_eq!(next, "zkplan apply spec.yaml");
    desk.line(&format!("{next} --auto-approve")).ends().exits(0);
    is_at(&ensemble, &[2, 3, 4]);

    // It was not stopped: it follows on without a vote.
    ensemble.wait_following(1);
    let spec = wanting(&ensemble, 2..=4, 2..=4);
    let at = ensemble.client_address(1);
    wait_until("status to see server 1", PATIENCE, || {
        let seen = status(&desk, &spec, &[]).exits(0);
        let follows =
            format!("1 at {at} (run 1, 0 clients): still follows this ensemble without a vote");
        seen.has_said(&["No changes.", &follows, "nothing blocks a reconfig now"]).then_some(())
    });
    let contact = spec.clone().connect(&all);
    its_clients_are_seen(&desk, &ensemble, &contact);
    ensemble.stop(1);
    let gone = format!(
        "1 at {at} (run 1): stopped, as far as zkplan sees: no server with this id answers there"
    );
    let gone = status(&desk, &spec, &[]).exits(0).says(["No changes.", &gone]);
    assert_eq!(gone.next_lines(), [""; 0]);
    let stale = status(&desk, &contact, &[]).exits(0).says(["ZKF17"]);
    assert_eq!(stale.next_lines(), ["zkplan explain ZKF17"]);
    desk.line("zkplan explain ZKF17").ends().exits(0);
}

/// Server 1 was removed and follows: its clients are counted, whether it is a contact or not.
fn its_clients_are_seen(desk: &Desk, ensemble: &Ensemble, contact: &Spec) {
    let client = Witness::of(ensemble, [1]);
    let document = status(desk, contact, &["--format", "json"]).exits(0).json();
    let clients = &document["seen"]["retired"][0]["clients"];
    assert!(clients.as_u64().is_some_and(|count| count > 0), "{document:#}");
    let table = status(desk, contact, &[]).exits(0);
    assert_eq!(table.next_lines(), ["zkplan status spec.yaml --watch"]);
    let row = table.stdout.lines().find(|line| line.contains("not a member"));
    let row: Vec<&str> = row.expect("its row").split_whitespace().collect();
    let at_status = row.iter().position(|cell| *cell == "follows").expect("its status");
    assert_eq!(row[at_status - 1], clients.to_string(), "{table}");
    client.finish(ensemble, 2..=4);
}

#[test]
fn an_ensemble_that_takes_no_reconfig_and_one_that_is_none() {
    let ensemble = Builder::plain().reconfig_enabled(false).start();
    let desk = Desk::new();
    let all = contacts(&ensemble, 1..=3);
    let leader = ensemble.wait_leader();
    let why = format!("not possible now: ZKQ1: Server {leader} runs with reconfigEnabled=false");
    desk.run(["status", "--connect", &all]).exits(0).says([why]);
    let spec = Spec::of(&ensemble, 2..=3).connect(&all);
    let document = status(&desk, &spec, &["--format", "json"]).exits(0).json();
    assert_eq!(reasons(&document), ["reconfigDisabled"]);
    assert_eq!(document["wanted"]["verdict"], "refused");
    let settings = document["rows"].as_array().expect("rows").iter();
    let settings = settings.filter(|row| row["row"] == "M6").collect::<Vec<_>>();
    assert_eq!(settings[0]["state"], "notYet");

    let alone = Builder::plain().standalone().start();
    let document =
        desk.run(["status", "--connect", &contacts(&alone, [1]), "--format", "json"]).exits(0);
    assert_eq!(reasons(&document.json()), ["standalone"]);
}

#[test]
fn watching_sees_a_server_go_and_come_and_ends_with_ctrl_c() {
    let ensemble = Builder::rich().start();
    let leader = ensemble.wait_leader();
    let lost = if leader == 2 { 3 } else { 2 };
    let desk = Desk::new();
    let all = contacts(&ensemble, 1..=3);
    let line = format!("zkplan status --connect {all} --watch");
    let mut watch = desk.line(&line).start();
    let last_says = |watch: &Applying<'_>, words: [&str; 2]| {
        wait_until(format!("a last line with {words:?}"), PATIENCE, || {
            let said = watch.said();
            let last = said.lines().rfind(|line| line.contains("tolerates"))?;
            words.iter().all(|word| last.contains(word)).then_some(())
        });
    };
    let follows = format!("{lost} follows");
    last_says(&watch, [&follows, "tolerates 1 failure"]);
    ensemble.kill(lost);
    last_says(&watch, [&format!("{lost} no answer"), "tolerates 0 failures"]);
    ensemble.start_again(lost);
    last_says(&watch, [&follows, "tolerates 1 failure"]);
    watch.interrupt();
    let ended = watch.ends().exits(0);
    assert!(ended.stdout.lines().count() <= 8, "a line for each change alone\n{ended}");
    assert_eq!(sessions(&ensemble, leader), 0);

    let mut watch = desk.line(&format!("{line} --format json")).start();
    wait_until("two documents", PATIENCE, || (watch.said().lines().count() >= 2).then_some(()));
    watch.interrupt();
    let ended = watch.ends().exits(0);
    for line in ended.stdout.lines() {
        let document: serde_json::Value = serde_json::from_str(line).expect("a document a line");
        assert_eq!(
            (&document["format"], &document["mayChange"]),
            (&"zkplan/status".into(), &true.into())
        );
    }
}

/// A watch may stand open for a night. A server writes a stack trace for each connection to its
/// election or quorum port that says nothing.
#[test]
fn a_watch_adds_little_to_the_logs_of_the_servers() {
    let ensemble = Builder::rich().start();
    ensemble.wait_leader();
    let lengths = || (1..=3).map(|id| ensemble.log(id).lines().count()).collect::<Vec<_>>();
    let before = lengths();
    let desk = Desk::new();
    let line =
        format!("zkplan status --connect {} --watch --format json", contacts(&ensemble, 1..=3));
    let mut watch = desk.line(&line).start();
    wait_until("four rounds", PATIENCE, || (watch.said().lines().count() >= 4).then_some(()));
    watch.interrupt();
    watch.ends().exits(0);
    for (id, before) in (1..=3).zip(before) {
        let log = ensemble.log(id);
        let traced = "QuorumCnxManager.receiveConnection";
        let traces = log.lines().skip(before).filter(|line| line.contains(traced)).count();
        assert_eq!(traces, 1, "server {id}: one for all rounds\n{log}");
    }
}

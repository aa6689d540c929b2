//! The cutover: who is on the servers that leave, by name, while there is still time to move them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use zookeeper_async::{Acl, CreateMode, WatchedEvent, ZkError, ZooKeeper};

use crate::apply_hooks::Hook;
use crate::applying::wanting;
use crate::harness::{Builder, Ensemble};
use crate::ledger::is_at;
use crate::spec::Spec;
use crate::zkplan::{Desk, Outcome, one_line, text};

/// Short enough that a watch over it is no long wait.
const SESSION: Duration = Duration::from_secs(2);

/// An application that knows one server alone and owns an ephemeral znode.
struct Client {
    runtime: tokio::runtime::Runtime,
    client: ZooKeeper,
}

impl Client {
    fn on(ensemble: &Ensemble, id: u8) -> Self {
        Self::knows(ensemble, &[id])
    }

    /// One that knows these servers, and is on the first that takes it.
    fn knows(ensemble: &Ensemble, ids: &[u8]) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
        let addresses: Vec<String> =
            ids.iter().map(|id| ensemble.client_address(*id).to_string()).collect();
        let connected = runtime.block_on(ZooKeeper::connect(&addresses.join(","), SESSION, ignore));
        Self { runtime, client: connected.expect("the server takes a session") }
    }

    /// Makes an ephemeral znode, with the persistent ones above it.
    fn owns(self, path: &str) -> Self {
        let acl = || Acl::open_unsafe().clone();
        let ends = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
        for end in ends {
            let made = self.client.create(&path[..end], vec![], acl(), CreateMode::Persistent);
            match self.runtime.block_on(made) {
                Ok(_) | Err(ZkError::NodeExists) => {}
                Err(why) => panic!("{}: {why}", &path[..end]),
            }
        }
        let made = self.client.create(path, vec![], acl(), CreateMode::Ephemeral);
        self.runtime.block_on(made).expect("no other client makes this znode");
        self
    }

    fn leaves(self) {
        self.runtime.block_on(self.client.close()).expect("it can close its session");
    }
}

fn ignore(_: WatchedEvent) {}

/// A job that connects again and again, each time for a moment.
struct Job {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Job {
    fn on(ensemble: &Ensemble, id: u8) -> Self {
        let address = ensemble.client_address(id).to_string();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime for one client").block_on(async {
                while !stopped.load(Ordering::SeqCst) {
                    if let Ok(client) = ZooKeeper::connect(&address, SESSION, ignore).await {
                        // It may have been disconnected meanwhile.
                        let _: Result<(), ZkError> = client.close().await;
                    }
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
            });
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the job ends");
        }
    }
}

/// Three onto three others that follow already.
fn moving() -> (Ensemble, Spec) {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let spec = wanting(&ensemble, 4..=6, 1..=6);
    (ensemble, spec)
}

/// The sessions that the end of an apply lists, each with its server, time-out and first own znode.
fn listed(outcome: &Outcome) -> Vec<(u64, u64, String)> {
    let clients = outcome.json()["clients"].as_array().expect("clients").clone();
    let of = |on: &serde_json::Value| {
        let server = on["server"].as_u64().expect("an id");
        let sessions = on["sessions"].as_array().expect("sessions").clone();
        sessions.into_iter().map(move |one| {
            let owns = one["owns"][0].as_str().unwrap_or_default().to_owned();
            (server, one["timeoutMs"].as_u64().expect("a time-out"), owns)
        })
    };
    clients.iter().flat_map(of).collect()
}

/// What reviewers read before, and what is kept afterwards: the comment has the plan id of the document
/// and the clients that are there now; the record has who approved, who was passed, and measured gaps.
#[test]
fn the_comment_and_the_record_agree_with_the_documents() {
    let (ensemble, spec) = moving();
    let _broker = Client::on(&ensemble, 1).owns("/kafka/brokers/ids/7");
    let desk = Desk::new();
    let planned = desk.plan(&spec, &["--format", "json"]).exits(2).json();
    let comment = desk.plan(&spec, &["--format", "markdown"]).exits(2).stdout;
    assert!(comment.contains(text(&planned["planId"])), "{comment}");
    let gate = comment.lines().find(|line| line.contains("| `gate` |")).expect("a gate");
    let clients = gate.trim_end_matches([' ', '|']).rsplit(' ').next().expect("a cell");
    assert!(clients.parse::<u64>().is_ok_and(|count| count >= 1), "{gate}");
    desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    let run = desk.run_as_super(&["history", "spec.yaml"]).exits(0).last_run();
    let history = ["history", "spec.yaml", &run, "--format"];
    let shown = |format| desk.run_as_super(&[&history[..], &[format]].concat()).exits(0);
    let (document, record) = (shown("json").json(), shown("markdown").stdout);
    let run = &document["runs"][0];
    assert!(record.contains(text(&run["planId"])), "{record}");
    for words in ["| `gate` | approved, with ", "`/kafka/brokers/ids/7`", "| 1 | `0x"] {
        assert!(record.contains(words), "{words}:\n{record}");
    }
    let steps = run["steps"].as_array().expect("steps");
    let reconfigs: Vec<_> = steps.iter().filter(|step| step["how"] == "committed").collect();
    assert_eq!(reconfigs.len(), 6, "{document:#}");
    for step in reconfigs {
        let gap = step["gapMs"].as_u64().unwrap_or_else(|| panic!("no gap of {step}"));
        let row = record.lines().find(|line| line.contains(text(&step["step"]))).expect("a row");
        assert!(row.contains(&format!("| {gap} ms |")), "{row}");
    }
}

/// What an operator needs to find the owner: address, session, time-out and what it owns. After the
/// approval the journal has it too, and the end and status list who is still there.
#[test]
fn each_client_is_named_at_the_gate_at_the_end_and_afterwards() {
    let (ensemble, spec) = moving();
    let broker = Client::on(&ensemble, 1).owns("/kafka/brokers/ids/7");
    let desk = Desk::new();
    let gate = desk.apply_spec(&spec).ends().exits(7);
    let now: Vec<String> = (1..=6).map(|id| ensemble.client_address(id).to_string()).collect();
    gate.says([
        "gate waits: clients are still connected to servers that leave",
        "Kafka broker 7 (/kafka/brokers/ids/7)",
        &format!("connect string for now: {}", now.join(",")),
        &format!("connect string afterwards: {}", now[3..].join(",")),
        "A client that knows only server 1 loses its session",
        "zkplan explain clients",
    ]);
    let again = desk.apply_spec(&spec).with(&["--format", "json"]).ends().exits(7);
    let timeout = u64::try_from(SESSION.as_millis()).expect("two seconds");
    let expected = [(1, timeout, "/kafka/brokers/ids/7".to_owned())];
    assert_eq!(listed(&again), expected, "{again}");

    let flags = ["--approve", "cutover", "--format", "json"];
    let done = desk.apply_spec(&spec).with(&flags).ends().exits(0);
    is_at(&ensemble, &[4, 5, 6]);
    // It is on a server that is no member any more, and would lose its session when that stops.
    assert_eq!(listed(&done), expected, "{done}");
    let shown = text(&done.json()["text"]).to_owned();
    for words in ["Clients are connected to servers that were removed", "Kafka broker 7"] {
        assert!(one_line(&shown).contains(words), "{shown}");
    }
    let history = desk.run_as_super(&["history", "spec.yaml", "1"]).exits(0);
    history.says(["gate passed: approved, with session 0x", "(/kafka/brokers/ids/7)"]);
    let status = desk.run(["status", "spec.yaml"]).exits(0);
    status.says(["still follows this ensemble", "Kafka broker 7"]);

    // A finished migration is not begun again.
    let again = desk.apply_spec(&spec).ends().exits(0);
    again.says(["Nothing to do. Ensemble", "done by run 1"]);
    broker.leaves();
    let status = desk.run(["status", "spec.yaml"]).exits(0);
    status.says(["1 at"]).says_nowhere("Kafka broker 7");
}

/// No look shows a job that stays for a moment; the servers count it.
#[test]
fn a_job_that_comes_and_goes_keeps_the_gate_shut() {
    let (ensemble, spec) = moving();
    // It is there while the gate watches, which is for as long as its time-out.
    let client = Client::on(&ensemble, 2);
    let spec = spec.policy("stableFor", "5s");
    let desk = Desk::new();
    let job = Job::on(&ensemble, 1);
    let seen = desk.apply_spec(&spec).ends().exits(7);
    seen.says(["server 2"]);
    client.leaves();
    let seen = desk.apply_spec(&spec).ends().exits(7);
    // A look may also meet it.
    assert!(
        seen.has_said(&["no client now, but", "came and went while zkplan watched"])
            || seen.has_said(&["server client session", "127.0.0.1"]),
        "{seen}"
    );
    drop(job);
    let mut apply = desk.apply_spec(&spec).start();
    apply.wait_for("waiting", "no client has been connected to the servers that leave");
    apply.ends().exits(0);
    is_at(&ensemble, &[4, 5, 6]);
}

/// An approval is for the clients that were there: one that comes later was not asked.
#[test]
fn a_client_that_comes_after_the_approval_shuts_the_gate() {
    let (ensemble, spec) = moving();
    let first = Client::on(&ensemble, 1).owns("/first");
    let desk = Desk::new();
    let approve = ["--approve", "cutover"];
    let mut apply = desk.apply_spec(&spec).with(&approve).at("STOP", "record passed gate").start();
    apply.wait_frozen();
    let second = Client::on(&ensemble, 1).owns("/second");
    apply.thaw();
    let outcome = apply.ends().exits(7);
    outcome
        .says(["gate is shut again: 1 client connected to server 1", "/second"])
        .says_nowhere("/first");
    assert!(ensemble.administrator().config().ids().starts_with(&[1, 2, 3]));
    // Its host may be approved, for this and whatever else comes from there.
    let host = ["--approve", "host-127.0.0.1"];
    let mut apply = desk.apply_spec(&spec).with(&host).at("STOP", "record passed gate").start();
    apply.wait_frozen();
    let third = Client::on(&ensemble, 2);
    apply.thaw();
    apply.ends().exits(0);
    is_at(&ensemble, &[4, 5, 6]);
    [first, second, third].into_iter().for_each(Client::leaves);
}

/// A client that knows two old servers moves from the one that stops to the other, and is seen there.
#[test]
fn servers_stop_one_at_a_time_and_the_next_is_watched_meanwhile() {
    let ensemble = Builder::rich().servers(5).start();
    let desk = Desk::new();
    let hook = Hook::new(&desk);
    let leader = ensemble.wait_leader();
    let leaving: Vec<u8> = (1..=5).filter(|id| *id != leader).take(2).collect();
    let [first, second] = leaving[..] else { panic!("two followers leave") };
    let stays = (1..=5).filter(|id| !leaving.contains(id));
    let spec = hook.add_to(wanting(&ensemble, stays, 1..=5));
    let client = Client::knows(&ensemble, &[first, second]).owns("/owned");

    let waits = desk.apply_spec(&spec).ends().exits(7);
    waits.says(["clients are still connected to that server", "/owned", "--approve stop"]);
    let mut apply = desk.apply_spec(&spec).with(&["--approve", "stop"]).start();
    let stops = |asked: u8| {
        hook.wait_asked(&format!("stop {asked}"));
        ensemble.stop(asked);
        hook.did(&format!("stop {asked}"));
    };
    stops(first);
    let wait = format!("server {first} has stopped; its clients may connect to server {second}");
    apply.wait_for("waiting", &wait);
    assert_eq!(hook.asked(), [format!("stop {first}")]);
    stops(second);
    apply.ends().exits(0);
    drop(client);
}

//! Three servers move onto three others under real clients. Those that were given the new addresses in time
//! keep their sessions; those that were not are on zkplan's screen before they lose theirs.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::Value;

use crate::applying::wanting;
use crate::crowd::{BROKERS, Crowd, TIMEOUT_MS, is_broker};
use crate::harness::{Builder, Ensemble, Release, wait_until};
use crate::holdings::{Holdings, has_controller};
use crate::libraries::Libraries;
use crate::program::PATIENCE;
use crate::show;
use crate::spec::Spec;
use crate::zkplan::{Desk, Outcome, text};

const OLD: [u8; 3] = [1, 2, 3];
const NEW: [u8; 3] = [4, 5, 6];

/// Plays each of these stories on the servers of this machine and on those of a release that people run.
macro_rules! on_each_release {
    ($($story:ident)*) => {
        mod installed {
            $(#[test] fn $story() { super::$story(crate::harness::Release::Installed); })*
        }
        mod apache_3_8_6 {
            $(#[test] fn $story() { super::$story(crate::harness::Release::Apache("3.8.6")); })*
        }
    };
}

on_each_release! {
    clients_that_have_the_addresses_in_time_keep_their_sessions
    clients_that_do_not_are_named_before_they_lose_their_sessions
}

/// Three servers of a release, and three that follow already.
fn ensemble(release: Release) -> (Ensemble, Spec) {
    // Not while servers wait for their clients.
    Libraries::get();
    let ensemble = Builder::rich().release(release).start_with(NEW);
    let spec = wanting(&ensemble, NEW, OLD.into_iter().chain(NEW));
    (ensemble, spec)
}

fn addresses(ensemble: &Ensemble, ids: impl IntoIterator<Item = u8>) -> String {
    let addresses = ids.into_iter().map(|id| ensemble.client_address(id).to_string());
    addresses.collect::<Vec<_>>().join(",")
}

/// A session that zkplan names.
#[derive(Debug)]
struct Named {
    server: u64,
    session: u64,
    owns: Vec<String>,
}

/// The sessions below `sessions` of each of these servers.
fn named(servers: &Value, id: &str) -> Vec<Named> {
    let servers = servers.as_array().expect("servers");
    let of = |server: &Value| {
        let number = server[id].as_u64().expect("an id");
        let sessions = server["sessions"].as_array().expect("sessions").clone();
        sessions.into_iter().map(move |one| {
            let session = text(&one["session"]).strip_prefix("0x").expect("hex");
            assert!(text(&one["from"]).starts_with("127.0.0.1:"), "{one}");
            assert_eq!(one["timeoutMs"].as_u64(), Some(TIMEOUT_MS), "{one}");
            let owns = one["owns"].as_array().expect("paths");
            Named {
                server: number,
                session: u64::from_str_radix(session, 16).expect("hex"),
                owns: owns.iter().map(|path| text(path).to_owned()).collect(),
            }
        })
    };
    servers.iter().flat_map(of).collect()
}

/// Whether each client is among them, with its session and with what it holds.
fn names_all(named: &[Named], clients: &Holdings) -> bool {
    clients.values().all(|held| {
        named.iter().any(|one| one.session == held.session && one.owns.contains(&held.path))
    })
}

/// What stands on a screen after these words, to the end of its line.
fn after<'a>(screen: &'a Outcome, words: &str) -> &'a str {
    let mut lines = screen.stdout.lines().chain(screen.stderr.lines());
    let rest = lines.find_map(|line| Some(line.split_once(words)?.1.trim()));
    rest.unwrap_or_else(|| panic!("no `{words}`\n{screen}"))
}

/// The gate stays shut and names each client. Nothing else is on the servers that leave.
fn gate_names(desk: &Desk, spec: &Spec, clients: &Holdings) -> Outcome {
    let gate = desk.apply_spec(spec).ends().exits(7);
    let gate = gate.says(["Kafka broker 1 (/kafka/brokers/ids/1)", "lock (/locks/kazoo/"]);
    let document = desk.apply_spec(spec).with(&["--format", "json"]).ends().exits(7).json();
    let named = named(&document["clients"], "server");
    assert!(names_all(&named, clients), "{clients:#?}\n{named:#?}");
    assert!(named.iter().all(|one| OLD.map(u64::from).contains(&one.server)), "{named:#?}");
    gate
}

/// Kafka, kazoo and Go are restarted with the transitional connect string that the gate prints. Curator is
/// left alone: it reads the configuration.
fn clients_that_have_the_addresses_in_time_keep_their_sessions(release: Release) {
    let (ensemble, spec) = ensemble(release);
    let (old, new) = (addresses(&ensemble, OLD), addresses(&ensemble, NEW));
    let crowd = Crowd::at_work(&old, &new, ["curator"]);
    let first = crowd.holdings();
    let desk = Desk::new();
    let gate = gate_names(&desk, &spec, &first);
    let now = after(&gate, "connect string for now:");
    assert_eq!(now, format!("{old},{new}"));
    assert_eq!(after(&gate, "connect string afterwards:"), new);

    let mut crowd = crowd.restarted_with(now);
    let kept = crowd.holdings();
    assert_eq!(kept["curator"], first["curator"], "it did not have to be restarted");
    desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    assert_eq!(ensemble.administrator().config().ids(), NEW);
    crowd.keeps(&kept);
    for id in OLD {
        ensemble.stop(id);
        crowd.keeps(&kept);
    }
    // All are on members, and counted there.
    let status = desk.run(["status", "spec.yaml", "--format", "json"]).exits(0).json();
    let members = status["seen"]["servers"].as_array().expect("servers").iter();
    let count: u64 = members.filter_map(|server| server["clients"].as_u64()).sum();
    assert!(count >= kept.len() as u64, "{status:#}");
    assert!(named(&status["seen"]["retired"], "id").is_empty(), "{status:#}");
    show(&format!("sessions kept to the end: {kept:#x?}"));
}

/// All know the old servers alone, and only Curator follows.
fn clients_that_do_not_are_named_before_they_lose_their_sessions(release: Release) {
    let (ensemble, spec) = ensemble(release);
    let (old, new) = (addresses(&ensemble, OLD), addresses(&ensemble, NEW));
    let kinds = ["curator", "curator-alone", "curator-fixed"];
    let mut crowd = Crowd::at_work(&old, &new, kinds);
    let mut lost = crowd.holdings();
    let desk = Desk::new();
    gate_names(&desk, &spec, &lost);
    let done = desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    done.says(["Clients are connected to servers that were removed", "A client that knows only"]);
    // A new session at the hand-over: the other ends at its time-out.
    let fixed = lost.remove("curator-fixed").expect("it had a lock");
    crowd.program("curator-fixed").wait("another session", |own| {
        let session = own.last("curator-fixed")?.session?;
        (session != fixed.session && session != 0).then_some(())
    });
    let curator = lost.remove_entry("curator").expect("it has a lock");
    let curator = Holdings::from([curator]);

    // Until the last server that they know stops, they keep their sessions, and are named.
    for id in OLD {
        is_named_on_a_removed_server(&desk, &lost);
        if id == OLD[0] {
            crowd.keeps(&lost);
        }
        ensemble.stop(id);
        if id != OLD[2] {
            crowd.keeps(&lost);
        }
        crowd.keeps(&curator);
    }
    wait_until("the ensemble to end their sessions", PATIENCE, || {
        let now = crowd.holdings();
        lost.keys().all(|client| !now.contains_key(client)).then_some(())
    });
    is_as_the_page_says(&mut crowd, &new);
    crowd.keeps(&curator);
    comes_back_by_a_forwarder(&ensemble, &mut crowd, &lost);
    show(&format!("named, then lost: {lost:#x?}"));
}

/// `status` names each with its session and what it holds. A client may be between two servers for a moment.
fn is_named_on_a_removed_server(desk: &Desk, clients: &Holdings) {
    wait_until(format!("{clients:#x?} to be named"), PATIENCE, || {
        let status = desk.run(["status", "spec.yaml", "--format", "json"]).exits(0).json();
        names_all(&named(&status["seen"]["retired"], "id"), clients).then_some(())
    });
}

/// What becomes of clients that know no server any more (`zkplan explain clients`).
fn is_as_the_page_says(crowd: &mut Crowd, asked: &str) {
    // They do not notice: no server tells them.
    let kazoo = crowd.program("kazoo").says_now("kazoo");
    assert_eq!(kazoo.held, Some(true), "kazoo takes itself for the holder of its lock");
    crowd.program("go").says_now("go");
    for client in ["kazoo", "go"] {
        assert!(!crowd.program(client).has_lost(client), "{client} noticed");
    }
    // Curator has a clock of its own.
    crowd.program("curator-alone").wait("Curator to take its session for lost", |own| {
        own.has_lost("curator-alone").then_some(())
    });
    // Kafka serves data and has no controller, so that a broker cannot hand over what it leads.
    assert!(!has_controller(asked));
    crowd.application_writes();
    let (_, broker) = BROKERS[1];
    let program = crowd.program(broker);
    program.ask_to_end();
    let printed = program.wait("a broker to find no controller at its end", |own| {
        let printed = own.printed();
        let end = printed[printed.find("Starting controlled shutdown")?..].to_owned();
        let in_vain = ["Waiting until connected.", "Error during controlled shutdown"];
        in_vain.iter().any(|words| end.contains(words)).then_some(end)
    });
    assert!(!printed.contains("shut down completed"), "it ended cleanly\n{printed}");
}

/// An old address that leads to a new server brings all back, in new sessions.
fn comes_back_by_a_forwarder(ensemble: &Ensemble, crowd: &mut Crowd, lost: &Holdings) {
    let [from, to] = [OLD[0], NEW[0]].map(|id| ensemble.client_address(id));
    forward(from, to).expect("the port of a server that has stopped is free");
    let (_, ending) = BROKERS[1];
    for (client, held) in lost.iter().filter(|(client, _)| *client != ending) {
        if is_broker(client) {
            crowd.wait_for_another_session(client, lost);
            continue;
        }
        crowd.program(client).wait(&format!("another session of {client}"), |own| {
            let said = own.last(client)?;
            said.session.filter(|session| *session != held.session && *session != 0)
        });
    }
    wait_until("the broker to end as it was asked to", PATIENCE, || {
        crowd.program(ending).has_ended().then_some(())
    });
}

/// Passes connections on, for as long as the tests run.
fn forward(from: SocketAddr, to: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(from)?;
    thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(to)) else { continue };
            let both = client.try_clone().and_then(|other| Ok((other, server.try_clone()?)));
            let Ok((back_to, back_from)) = both else { continue };
            pass_on(client, server);
            pass_on(back_from, back_to);
        }
    });
    Ok(())
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        // Where one side is closed, the other is.
        io::copy(&mut from, &mut to).ok();
        to.shutdown(std::net::Shutdown::Both).ok();
    });
}

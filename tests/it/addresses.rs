//! Two names of one machine: no two servers may use one of its ports, for quorum, elections or
//! clients, whether one request or two add them.
//!
//! A spec that contains one address twice is refused when it is read. Whether two names mean one
//! machine is unknown before they are resolved.

use zkplan::check::BreachKind;
use zkplan::proposal::propose;

use crate::example::{id, lines};

const BASE: &str = "server.1=zk-1:2888:3888:participant;2181\n\
                    server.2=zk-2:2888:3888:participant;2181\n\
                    server.3=zk-3:2888:3888:participant;2181";

/// Quorum, election and client port.
type Ports = [u16; 3];

/// The line of server 5, whose machine is that of server 4 by another name.
fn of_five([quorum, election, client]: Ports, bound: &str) -> String {
    format!("server.5=other-name:{quorum}:{election}:participant;{bound}{client}")
}

/// The ports of the machine that both would have, where servers 4 and 5 come with these ports.
fn taken(four: Ports, five: &str, changes_per_step: u32) -> Vec<u16> {
    let [quorum, election, client] = four;
    let four = format!("server.4=one-name:{quorum}:{election}:participant;{client}");
    let (mut target, mut facts) = lines(BASE, &format!("{BASE}\n{four}\n{five}"));
    for name in ["one-name", "other-name", "client-name", "10.0.0.4"] {
        facts.resolved.insert(name.to_owned(), vec!["10.0.0.4".to_owned()]);
    }
    target.policy.changes_per_step = changes_per_step;
    let Err(refusal) = propose(&target, &facts, &[]) else { return Vec::new() };
    let mut ports: Vec<u16> = Vec::new();
    for breach in refusal.breaches {
        let BreachKind::AddressTaken { server, other, port } = breach.detail else {
            panic!("refused for something else: {breach:?}")
        };
        assert!([(id(4), id(5)), (id(5), id(4))].contains(&(server, other)), "{server}, {other}");
        ports.push(port);
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}

#[test]
fn no_port_of_a_machine_is_given_to_two_servers() {
    const FOUR: Ports = [4001, 4002, 4003];
    const FIVE: Ports = [5001, 5002, 5003];
    for changes_per_step in [1, 0] {
        for bound in ["", "client-name:", "10.0.0.4:"] {
            assert!(taken(FOUR, &of_five(FIVE, bound), changes_per_step).is_empty());
            for port in FOUR {
                for kind in 0..3 {
                    let mut ports = FIVE;
                    ports[kind] = port;
                    let shared = taken(FOUR, &of_five(ports, bound), changes_per_step);
                    let what = format!("port {port} as {kind} of {bound:?}, {changes_per_step}");
                    assert_eq!(shared, [port], "{what}");
                }
            }
        }
    }
}

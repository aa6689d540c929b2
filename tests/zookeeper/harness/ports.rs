//! Free ports that stay free.
//!
//! They are taken below the range from which the kernel serves outgoing connections. A port from
//! inside it (what binding port 0 yields) can be taken by anybody's outgoing connection while its
//! server is stopped or not yet started, and on loopback a server that dials such a port again and
//! again may even end up connected to itself.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

use super::lock;

const LOWEST: u16 = 10_000;

/// Linux's default, for where `/proc` does not say it.
const FIRST_OUTGOING: u16 = 32_768;

/// Ports given out by this process, never given twice: a killed server's port looks free but is
/// still spoken for.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// `N` different ports on which nobody listens.
pub(crate) fn free<const N: usize>() -> [u16; N] {
    let mut given = lock(&GIVEN);
    let range = LOWEST..first_outgoing().max(LOWEST + 5_000);
    // All listeners are kept open until all ports are found, so that another process that looks at
    // the same time sees them taken.
    let listeners: [TcpListener; N] = std::array::from_fn(|_| {
        loop {
            let port = range.start + random_below(range.end - range.start);
            if !given.contains(&port)
                && let Ok(listener) = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
            {
                given.insert(port);
                return listener;
            }
        }
    });
    listeners.map(|listener| listener.local_addr().expect("a bound listener has an address").port())
}

fn first_outgoing() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(FIRST_OUTGOING)
}

/// The standard library's hash keys are its one source of randomness.
fn random_below(bound: u16) -> u16 {
    let random = RandomState::new().hash_one(()) % u64::from(bound);
    u16::try_from(random).expect("a remainder of a u16 is one")
}

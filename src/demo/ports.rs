//! Free ports that stay free until the servers have them.
//!
//! They are taken below the range from which the kernel serves outgoing connections. A port from
//! inside it (what binding port 0 yields) can be taken by any outgoing connection while its server is
//! stopped or not yet started, and on loopback a server that dials such a port again and again may even
//! end up connected to itself.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::DemoError;

/// Ports from here up to the first outgoing one: above those of well-known services.
const LOWEST: u16 = 10_000;

/// Where Linux begins to take ports for outgoing connections by default.
const FIRST_OUTGOING: u16 = 32_768;

/// Ports given out by this process, never given twice: the port of a killed server looks free and is
/// still wanted.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// `wanted` different ports that are free, in a row as far as possible.
///
/// # Errors
///
/// There are fewer.
pub fn free_ports(wanted: usize) -> Result<Vec<u16>, DemoError> {
    let none = DemoError::NoPorts { wanted };
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let range = range();
    // A place of our own, so that two processes that look at once do not look at the same ports.
    let Ok(random) = getrandom::u32() else { return Err(none) };
    let size = range.end - range.start;
    let Ok(first) = u16::try_from(random % u32::from(size)) else { return Err(none) };
    let ports = (range.start + first..range.end).chain(range.start..range.start + first);
    // All stay open until all are found: no other search takes one in between.
    let held: Vec<(u16, TcpListener)> = ports
        .filter(|port| !given.contains(port))
        .filter_map(|port| Some((port, TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).ok()?)))
        .take(wanted)
        .collect();
    if held.len() < wanted {
        return Err(none);
    }
    let ports: Vec<u16> = held.into_iter().map(|(port, _)| port).collect();
    given.extend(&ports);
    Ok(ports)
}

fn range() -> Range<u16> {
    let first_outgoing = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        // Where nearly everything may be taken for outgoing connections, luck has to do.
        .filter(|first| *first >= LOWEST + 1_000);
    LOWEST..first_outgoing.unwrap_or(FIRST_OUTGOING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_given_once() {
        let ports = [free_ports(18).unwrap(), free_ports(18).unwrap()].concat();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 36);
        assert!(ports.iter().all(|port| range().contains(port)), "{ports:?}");
        assert!(matches!(free_ports(60_000), Err(DemoError::NoPorts { wanted: 60_000 })));
    }
}

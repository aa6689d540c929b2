//! Free ports on loopback that stay free until the servers have them.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use super::StageError;

/// Ports from here up to the first outgoing one: above those of well-known services.
const LOWEST: u16 = 10_000;

/// Where Linux begins to take ports for outgoing connections by default. Such a port is
/// free only until a process dials out, and a server that dials it on loopback may reach itself.
const FIRST_OUTGOING: u16 = 32_768;

/// `wanted` different ports that are free, in a row as far as possible.
pub(super) fn free(wanted: usize) -> Result<Vec<u16>, StageError> {
    let none = StageError::NoPorts { wanted };
    let range = range();
    // A place of our own, so that two stages that are set at once do not look at the same ports.
    let Ok(random) = getrandom::u32() else { return Err(none) };
    let size = range.end - range.start;
    let Ok(first) = u16::try_from(random % u32::from(size)) else { return Err(none) };
    let ports = (range.start + first..range.end).chain(range.start..range.start + first);
    // All stay open until all are found: no other search takes one in between.
    let held: Vec<(u16, TcpListener)> = ports
        .filter_map(|port| Some((port, TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?)))
        .take(wanted)
        .collect();
    if held.len() < wanted {
        return Err(none);
    }
    Ok(held.into_iter().map(|(port, _)| port).collect())
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
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ports_are_free_and_different() {
        let ports = free(18).unwrap();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 18);
        assert!(ports.iter().all(|port| range().contains(port)), "{ports:?}");
        assert!(matches!(free(60_000), Err(StageError::NoPorts { wanted: 60_000 })));
    }
}

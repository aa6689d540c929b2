//! Free ports that stay free.

/// `N` different ports on which nobody listens, never given twice.
pub(crate) fn free<const N: usize>() -> [u16; N] {
    let ports = zkplan::demo::free_ports(N).expect("free ports");
    ports.try_into().expect("as many as were asked for")
}

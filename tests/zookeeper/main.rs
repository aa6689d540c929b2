//! Stories on real ZooKeeper: ensembles of Debian's package on loopback, and the `zkplan` binary.

/// Tells each of these stories on an ensemble of either profile.
macro_rules! on_both_profiles {
    ($($story:ident)*) => {
        mod rich {
            $(#[test] fn $story() { super::$story(&crate::harness::Builder::rich()); })*
        }
        mod plain {
            $(#[test] fn $story() { super::$story(&crate::harness::Builder::plain()); })*
        }
    };
}

mod degraded;
mod demo_stage;
mod harness;
mod harness_works;
mod healthy;
mod histories;
mod hostile;
mod joiners;
mod refusals;
mod sizes;
mod zkplan;

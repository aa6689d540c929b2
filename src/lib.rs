//! zkplan: plan and apply for ZooKeeper ensembles.

pub mod check;
pub mod diff;
pub mod ensemble;
pub mod explain;
pub mod import;
pub mod model;
pub mod observe;
pub mod plan;
pub mod proposal;
pub mod render;
pub mod saved;
pub mod spec;

//! zkplan: plan and apply for ZooKeeper ensembles.

pub mod model;
pub mod spec;

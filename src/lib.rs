//! zkplan: plan and apply for ZooKeeper ensembles.

pub mod model;

//! zkplan: plan and apply for ZooKeeper ensembles.

pub mod ensemble;
pub mod import;
pub mod model;
pub mod observe;
pub mod spec;

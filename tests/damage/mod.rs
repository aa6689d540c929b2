//! The data directories of real servers, and every way in which this project knows that such files get
//! damaged: for tests of `zkplan snapshot verify`, and for real servers as their judges.
//!
//! `places` takes ZooKeeper's files apart into fields, from the formats alone and without the code that
//! verifies. `directory` is a data directory in memory, `cases` the ways to damage it.

mod cases;
mod directory;
mod places;

pub(crate) use cases::{Case, Way, cases};
pub(crate) use directory::{Directory, corpus};
pub(crate) use places::fields;

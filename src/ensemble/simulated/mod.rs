//! A ZooKeeper ensemble in memory, behind the same port as a real one.
//!
//! [`World`] is the ensemble: a pure value without clock or chance of its own, to be cloned at will.
//! [`Simulated`] is a client of it and implements the port, so that looking and applying run on it
//! unchanged; every future goes on as simulated time does.
//!
//! ```
//! use zkplan::ensemble::simulated::{Rules, Simulated, Timing, World};
//! use zkplan::model::{Membership, Server};
//!
//! let line = |id| format!("server.{id}=10.0.0.{id}:2888:3888:participant;2181");
//! let members = Membership::parse(&[line(1), line(2), line(3)].join("\n")).unwrap();
//! let mut world = World::new(members, Timing::default(), Rules::default());
//! let joiner = world.place(Server::parse_line(&line(4)).unwrap());
//! world.advance(1000);
//! assert!(world.process(joiner).is_without_vote());
//!
//! let port = Simulated::new(world);
//! // `port.run(..)` looks at it or applies to it; `port.set_chaos(..)` decides what happens on the way.
//! assert_eq!(port.world().truth.configs.len(), 1);
//! ```
//!
//! * **Place processes**: members are there from the beginning; [`World::place`] starts a joiner with
//!   its own first configuration; a second process may have the id of another.
//! * **Do something to it**: [`World::kill`], [`World::start`], [`World::start_afresh`],
//!   [`World::freeze`], [`World::thaw`], [`World::cut`], [`World::lag`], [`World::administer`] (a
//!   foreign reconfig), [`World::end_session`], [`World::delete`]; or at a time to come, with
//!   [`World::later`].
//! * **Inject faults**: [`Simulated::set_chaos`] is asked before every operation of every client,
//!   may do any of that, and says what becomes of the operation: a [`Fate`]. A client that dies never
//!   goes on; [`Simulated::run`] then gives `None`.
//! * **Read the truth**: [`World::truth`] has every committed configuration with the session that
//!   asked for it, a log of all that happened, and what must never be there: lost transactions, and
//!   two leaders at a time.
//!
//! The rules are ZooKeeper's own, each with its source beside it: the order of checks of a reconfig
//! and its edits (`reconfig`), proposals, quorums and answers (`requests`), sessions (`sessions`),
//! elections (`elections`), words (`answers`). Left out, because zkplan does nothing that depends on
//! it: watches, local sessions, read-only mode, standalone servers, quotas, the enforcement of
//! znodes' ACLs, and what follows from configuration files that cannot be written.

mod answers;
mod chaos;
mod config;
mod elections;
mod held;
mod port;
mod process;
mod reconfig;
mod requests;
mod sessions;
#[cfg(test)]
mod tests;
mod tree;
mod truth;
mod world;

pub use chaos::{Chaos, Fate, Kind, Operation};
pub use config::Config;
pub use held::HeldSession;
pub use port::Simulated;
pub use process::{Condition, PeerState, Place, Process};
pub use sessions::Held;
pub use truth::{CommittedConfig, GroundTruth, Happening};
pub use world::{AdminAction, Rules, Timing, World};

//! A ZooKeeper ensemble in memory, behind the same port as a real one.
//!
//! [`World`] is the ensemble: a pure value without clock or randomness, cheap to clone. [`Simulated`]
//! is its client and implements the port, so surveys and applies run on it unchanged. Its futures
//! advance with simulated time.
//!
//! ```
//! use zkplan::simulator::{Rules, Simulated, Timing, World};
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
//! // `port.run(..)` surveys it or applies to it; `port.set_chaos(..)` decides what happens on the way.
//! assert_eq!(port.world().truth.configs.len(), 1);
//! ```
//!
//! * **Place processes**: members are up from the beginning. [`World::place`] starts a joiner with its
//!   own first configuration. Two processes may have one id.
//! * **Disturb it**: [`World::kill`], [`World::start`], [`World::start_afresh`],
//!   [`World::freeze`], [`World::thaw`], [`World::cut`], [`World::lag`], [`World::administer`] (a
//!   foreign reconfig), [`World::end_session`], [`World::delete`]; or at a later time with
//!   [`World::later`].
//! * **Edit files**: [`Process::file`] is what a server reads when it starts next,
//!   [`World::with_files`] what all read before the beginning. [`World::barred`] says which server can
//!   never come back with what it has read.
//! * **Inject faults**: the function of [`Simulated::set_chaos`] is called before every operation of
//!   every client. It may change the world, and returns the fault of the operation: a [`Fault`]. If a
//!   client dies, [`Simulated::run`] returns `None`.
//! * **Read the truth**: [`World::truth`] holds every committed configuration with the session that
//!   sent it, a log of everything that happened, and the two things that must never happen: lost
//!   transactions, and two leaders at the same time.
//!
//! The rules are ZooKeeper's own, each with its source beside it: the checks of a reconfig and its
//! edits (`reconfig`), proposals, quorums and answers (`requests`), sessions (`sessions`), elections
//! (`elections`), words (`answers`), and servers that read other files than the rest (`mixed_files`).
//! Not modelled, because zkplan does not depend on it: watches, local sessions, read-only mode,
//! standalone servers, quotas, the enforcement of znodes' ACLs, and what follows from configuration
//! files that cannot be written.

mod answers;
mod chaos;
mod client;
mod config;
mod elections;
mod held;
mod in_flight;
mod mixed_files;
mod process;
mod reconfig;
mod requests;
mod server_file;
mod sessions;
mod simulated_session;
#[cfg(test)]
mod tests;
mod tree;
mod truth;
mod world;

pub use chaos::{Fault, Kind, Operation};
pub use client::{FaultInjector, Simulated};
pub use config::Config;
pub use held::Held;
pub use mixed_files::Barred;
pub use process::{Condition, PeerState, Process, ProcessId};
pub use server_file::ServerFile;
pub use simulated_session::SimulatedSession;
pub use truth::{CommittedConfig, GroundTruth, SimEvent};
pub use world::{AdminAction, Rules, Timing, World};

//! Observes an ensemble: which servers answer, in which state, and of which lineage.
//!
//! In: the port, the servers to contact. Out: an [`Observation`], or the reason why there is no
//! ensemble to plan for. Every fact in it names its source; what is unknown is marked as unknown.
//! Observing writes nothing except the sessions that it opens and closes, and in each a transaction
//! that only checks `/`.
//!
//! In reading order: `question` (the servers to contact), `observing` (the whole observation),
//! `probe` (one endpoint, and the table of evidence), `look` (surveys until the answers agree),
//! `histories` (which ensemble, and whether it is only one), `following` (followers, if
//! configurations differ), `sights` (the status of each server), `findings`, `bugs`, `machines`
//! (members that stay on their machine), `facts`, the part that planning and checking use, and
//! `left_to_do` (what no plan does).
//! `proof`, `clients` and `beside` are used outside a survey: whether a joiner's data equal the
//! leader's, the clients of a server, and former addresses of servers.

mod beside;
mod bugs;
mod clients;
mod facts;
mod finding;
mod findings;
mod following;
mod histories;
mod left_to_do;
mod look;
mod machines;
mod observing;
mod probe;
mod proof;
mod question;
mod sight;
mod sights;
#[cfg(test)]
mod tests;

pub use crate::ensemble::{Mode, ServerVersion};
pub use beside::{Beside, ask_beside};
pub use bugs::fixed_in;
pub use clients::{OwnSession, clients};
pub use facts::{Facts, Obstacle};
pub use finding::{
    AskedServer, Finding, FindingKind, Issue, JoinersRun, Level, NotResumed, NotShown,
    RetiredState, WithoutDigests,
};
pub use left_to_do::LeftToDo;
pub use observing::{observe, observe_confirmed};
pub use proof::{ByCounts, DataProof, prove_data};
pub use question::{ClientsOf, Question, Wanted, contact};
pub use sight::{
    Clients, DataFigures, Digests, Identity, Lineage, NoDigests, Observation, ObserveError,
    OwnPorts, PlainPort, RetiredBy, ServerObservation, ServerStatus, Source, Sourced,
    TargetEnsemble, TargetProbe, Tried,
};

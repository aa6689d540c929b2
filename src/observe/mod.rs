//! One look at an ensemble: who answers, as what, from which history.
//!
//! In: the port, the servers to contact. Out: an [`Observation`] in which every fact names its
//! source and what nobody said is said to be unknown, or the reason why there is no ensemble to
//! plan for. Observing writes nothing but the sessions that it opens and closes, and on each a
//! transaction that only checks `/`.
//!
//! In reading order: `question` (whom to look at), `observing` (the look), `probe` (one endpoint,
//! and the table of evidence), `look` (whom to ask, until answers agree), `histories` (which
//! ensemble, and whether it is one), `following` (who follows, where configurations differ), `sights` (what follows for each server), `findings`, `bugs`,
//! `machines` (who stays where it is), and `facts`, which is what planning and checking take from it all. `proof`, `clients` and `beside`
//! are asked for beside a look: whether a joiner's data are the leader's, who is connected to a server,
//! and what answers where servers were once.

mod beside;
mod bugs;
mod clients;
mod facts;
mod finding;
mod findings;
mod following;
mod histories;
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
pub use observing::observe;
pub use proof::{ByCounts, DataProof, prove_data};
pub use question::{ClientsOf, Question, Wanted, contact};
pub use sight::{
    Clients, DataFigures, Digests, Identity, Lineage, NoDigests, Observation, ObserveError,
    OwnPorts, PlainPort, RetiredBy, ServerSight, Source, Standing, TargetEnsemble, Told, Tried,
    WantedSight,
};

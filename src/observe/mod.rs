//! Observes an ensemble: which servers answer, in which state, and of which lineage.
//!
//! In: the port, the servers to contact. Out: an [`Observation`], or the reason why there is no
//! ensemble to plan for. Every fact in it names its source; what is unknown is marked as unknown.
//! Observing writes nothing except the sessions that it opens and closes, and in each a transaction
//! that only checks `/`.
//!
//! In reading order: `question` (the servers to contact), `observing` (the whole observation),
//! `endpoint_answers` (one endpoint, and the table of evidence), `survey` (surveys until the answers
//! agree), `lineage` (which ensemble, and whether it is only one), `following` (followers, if
//! configurations differ), `server_status` (the status of each server: which are synced),
//! `observation` (the values of all that), `data_seen` (the size of the data, and times that follow
//! from it), `findings`, `bugs`, `machines` (members that stay on their machine), `settings_seen` (the
//! settings of each server, where settings are wanted) and `settings_compared`, `facts`, the part that
//! planning and checking use, and `left_to_do` (what no plan does).
//! `proof`, `clients` and `beside` are used outside a survey: whether a joiner's data equal the
//! leader's, the clients of a server, and former addresses of servers. So is `leader_data`: what the
//! leader says of its data.

mod beside;
mod bugs;
mod client_lines;
mod clients;
mod data_seen;
mod endpoint_answers;
mod facts;
mod finding_kind;
mod findings;
mod follows_by_write;
mod leader_data;
mod left_to_do;
mod lineage;
mod machines;
mod observation;
mod observing;
mod proof;
mod question;
mod server_status;
mod settings_compared;
mod settings_seen;
mod survey;
#[cfg(test)]
mod tests;

pub use crate::ensemble::{Mode, ServerVersion};
pub use beside::{Beside, ask_beside};
pub use bugs::fixed_in;
pub use clients::{OwnSession, add_owned, clients, connects_of_others};
pub use data_seen::{DataSeen, SizeUnknown, TimeSpan, TimesSeen};
pub use facts::{Facts, Obstacle};
pub use finding_kind::{
    AskedServer, Finding, FindingKind, Issue, JoinersRun, Level, NotResumed, NotShown,
    RetiredState, SettingDifference, UnusableBecause, WithoutDigests,
};
pub use leader_data::{LeaderData, NoLeaderData, leader_data};
pub use left_to_do::LeftToDo;
pub use observation::{
    ClientSession, Clients, DataFigures, Digests, Identity, Lag, Lineage, NoDigests, Observation,
    ObserveError, OwnPorts, PlainPort, RetiredBy, ServerObservation, ServerStatus, Source, Sourced,
    TargetEnsemble, TargetProbe, Tried,
};
pub use observing::{observe, observe_beside, observe_confirmed};
pub use proof::{ByCounts, DataProof, prove_data};
pub use question::{ClientsOf, PortsOf, Question, Wanted, contact};
pub use settings_compared::{SettingState, SettingVerdict, compare_settings};
pub use settings_seen::{NotSeen, ObservedSettings, SettingValue};
